//! The program `ai-across`.

use std::process::ExitCode;

/// Several times faster than the system's allocator under many threads, and it gives memory back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    across_server::cli::run()
}
