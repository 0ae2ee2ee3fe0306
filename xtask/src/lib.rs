//! The project's own tools, one module per task; `main.rs` lists the tasks, the tests call the same functions.

pub mod bench;
pub mod client;
pub mod console;
pub mod dev;
pub mod doubles;
pub mod e2e;
pub mod fuzz;
pub mod generate;
pub mod machine;
pub mod paths;
pub mod postgres;
pub mod process;
pub mod python;
pub mod run;
pub mod server;
pub mod size;
pub mod stamp;
pub mod supply;
pub mod tally;
pub mod test;
pub mod tidy;
pub mod vector_servers;
pub mod web;

/// The machine lacks something that its owner has to provide: the task ends with exit code 2 and this one sentence.
#[derive(Debug)]
pub struct Unusable(pub String);

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unusable {}
