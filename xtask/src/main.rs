//! The list of tasks: `cargo xtask TASK`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use xtask::{
    Unusable, bench, console, dev, doubles, e2e, fuzz, generate, process, run, supply, test, tidy, vector_servers,
};

/// The project's own tools.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install the web app's packages, build web and release binary, serve on http://127.0.0.1:8000
    Run {
        /// Arguments for `ai-across serve`, which starts in the repository's top folder
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Everything CI does: format, lints, tidy, all tests on SQLite and PostgreSQL, docs, web, end to end
    Test {
        #[command(flatten)]
        browser: Browser,
    },
    /// Build the development binaries and drive the web app in headless Chromium
    E2e {
        #[command(flatten)]
        browser: Browser,
    },
    /// The binary on port 8000 and Vite with hot reload on port 5173; both stop together
    Dev,
    /// Write openapi.json and the web app's types from the code
    Generate {
        /// Fail if the committed files differ from what the code generates, and leave them alone
        #[arg(long)]
        check: bool,
    },
    /// Check the rules that no compiler checks: imports, file heads, paths in documents, migration hashes
    Tidy,
    /// What we build on: licences, bans, sources, lock files, advisories; writes target/sbom/ai-across.cdx.json
    Supply,
    /// Hostile requests made from openapi.json against the development binary, on SQLite and PostgreSQL
    Fuzz {
        /// Fuzz this binary instead of building the development one
        #[arg(long)]
        binary: Option<PathBuf>,
        /// Twelve minutes for each database instead of 75 seconds
        #[arg(long)]
        long: bool,
        /// Other requests than those of every other run
        #[arg(long, default_value_t = fuzz::SEED)]
        seed: u64,
    },
    /// Chats over imitations of the vendors that others made, streamed and whole, with the development binary
    Doubles {
        /// Use this binary instead of building the development one
        #[arg(long)]
        binary: Option<PathBuf>,
    },
    /// The contract of vector stores and what depends on it, on Chroma and pgvector, which it starts itself
    Vectors,
    /// Measure the product; prints figures and writes target/bench/NAME.json
    Bench {
        #[command(flatten)]
        options: bench::Options,
    },
    /// The provider behind the streaming benchmark, which starts it itself
    #[command(name = bench::stream::vendor::TASK, hide = true)]
    FakeProvider,
}

#[derive(clap::Args)]
struct Browser {
    /// The Chromium to drive
    #[arg(long, env = "CHROMIUM", default_value = "/usr/bin/chromium")]
    chromium: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    process::watch_signals()
        .and_then(|()| start(arguments.task))
        .unwrap_or_else(|error| {
            console::complain(&format!("error: {error:#}"));
            ExitCode::from(if error.is::<Unusable>() { 2 } else { 1 })
        })
}

fn start(task: Task) -> Result<ExitCode> {
    match task {
        Task::Run { arguments } => match run::run(&arguments)? {},
        Task::Test { browser } => return Ok(test::test(&browser.chromium)),
        Task::E2e { browser } => e2e::e2e(&browser.chromium)?,
        Task::Dev => dev::dev()?,
        Task::Generate { check } => generate::generate(check)?,
        Task::Tidy => tidy::tidy()?,
        Task::Supply => supply::supply()?,
        Task::Fuzz { binary, long, seed } => fuzz::fuzz(binary, long, seed)?,
        Task::Doubles { binary } => doubles::doubles(binary)?,
        Task::Vectors => vector_servers::vectors()?,
        Task::Bench { options } => bench::bench(&options)?,
        Task::FakeProvider => bench::stream::vendor::run()?,
    }
    Ok(ExitCode::SUCCESS)
}
