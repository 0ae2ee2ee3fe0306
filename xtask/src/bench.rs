//! The benchmarks: each prints its figures and writes them as JSON to `target/bench/NAME.json`.

pub mod curve;
pub mod ingest;
pub mod load;
pub mod logins;
pub mod memory;
pub mod questions;
pub mod ranking;
pub mod requests;
pub mod retrieval;
pub mod start;
pub mod stream;
pub mod vectors;
pub mod yardstick;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::{console, paths, process, run, size};

/// One benchmark.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Name {
    /// From the start of the process on existing data to the first answer
    Start,
    /// Memory while idle, and after the built-in embedder was used
    Memory,
    /// The release binary, and the JavaScript before login
    Size,
    /// Requests a second: lists, single objects and new ones
    Requests,
    /// Whether the server answers others while two hundred people sign in
    Logins,
    /// Time to the first word and processor time of 1 to 2,000 answers at once, and calls for each question
    Stream,
    /// How long files take from upload to ready, their calls, and memory over a thousand of them
    Ingest,
    /// How often the right passage is found, by keywords, by meaning, and by both
    Retrieval,
    /// The vector search alone: 50,000 passages of one assistant among 200, beside a Chroma server with the same
    Vectors,
}

/// What is measured, and on what.
#[derive(clap::Args)]
pub struct Options {
    /// Which benchmark; all of them if left out
    name: Option<Name>,
    /// Folder with further retrieval questions [default: ../shared/eval]
    #[arg(long, env = "AI_ACROSS_EVAL_DIR")]
    eval_dir: Option<PathBuf>,
    /// Folder of the FastAPI program that lists are compared with: app.py and requirements.txt
    #[arg(long, env = "AI_ACROSS_YARDSTICK")]
    yardstick: Option<PathBuf>,
    /// Measure requests on PostgreSQL too
    #[arg(long)]
    postgres: bool,
    /// Measure retrieval on one set only: he, faq, en, de, ru or ar
    #[arg(long)]
    set: Option<String>,
    /// Write the points of relevance that the measured retrieval suggests to crates/across/assets/calibration
    #[arg(long, conflicts_with = "set")]
    calibrate: bool,
    /// Measure this binary instead of building the release one
    #[arg(long)]
    binary: Option<PathBuf>,
}

/// Runs one benchmark, or all of them.
///
/// # Errors
/// When the product does not build or start, or answers other than its contract says.
pub fn bench(options: &Options) -> Result<()> {
    let all = Name::value_variants();
    let wanted = options.name.as_ref().map_or(all, std::slice::from_ref);
    let binary = match &options.binary {
        Some(binary) => binary
            .canonicalize()
            .with_context(|| format!("no {}", binary.display()))?,
        None => run::release()?,
    };
    for name in wanted {
        console::say(&format!("\n== {}", title(*name)));
        let figures = match name {
            Name::Start => start::measure(&binary)?,
            Name::Memory => memory::measure(&binary)?,
            Name::Size => sizes(&binary)?,
            Name::Requests => requests::measure(&binary, options.postgres, options.yardstick.as_deref())?,
            Name::Logins => logins::measure(&binary)?,
            Name::Stream => stream::measure(&binary, options.yardstick.as_deref())?,
            Name::Ingest => ingest::measure(&binary)?,
            Name::Vectors => vectors::measure()?,
            Name::Retrieval => {
                let mut sets = questions::own()?;
                if let Some(folder) = questions::folder(options.eval_dir.as_deref()) {
                    sets.extend(questions::read(&folder)?);
                }
                retrieval::measure(&binary, &sets, options.set.as_deref(), options.calibrate)?
            }
        };
        write(*name, options.binary.as_deref(), &figures)?;
    }
    Ok(())
}

fn sizes(binary: &Path) -> Result<Value> {
    let bytes = std::fs::metadata(binary)
        .with_context(|| format!("no {}", binary.display()))?
        .len();
    let script = size::before_login()?;
    let rows = [
        ["release binary".to_owned(), bytes.to_string()],
        ["JavaScript before login, gzip".to_owned(), script.to_string()],
    ];
    console::say(&console::table(["what", "bytes"], &rows));
    Ok(json!({"binary_bytes": bytes, "javascript_before_login_gzip_bytes": script}))
}

/// Says whether a figure is what it is to be, and writes that down.
fn target(what: &str, figure: f64, met: bool) -> Value {
    let word = if met { "met" } else { "MISSED" };
    console::say(&format!("target {word}: {what} ({figure:.1})"));
    json!({"target": what, "figure": figure, "met": met})
}

fn title(name: Name) -> String {
    name.to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

/// Figures mean little without the machine and the state of the code that they were measured on.
fn write(name: Name, binary: Option<&Path>, figures: &Value) -> Result<()> {
    let folder = paths::target()?.join("bench");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let cores = std::thread::available_parallelism()
        .map(std::num::NonZero::get)
        .unwrap_or_default();
    let commit = process::command("git")
        .args(["describe", "--always", "--dirty"])
        .output()
        .ok();
    let commit = commit.filter(|output| output.status.success());
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let binary = binary.map_or("release".to_owned(), |binary| binary.display().to_string());
    let document =
        json!({"benchmark": title(name), "binary": binary, "commit": commit, "cores": cores, "figures": figures});
    let path = folder.join(format!("{}.json", title(name)));
    std::fs::write(&path, format!("{document:#}\n")).with_context(|| format!("cannot write {}", path.display()))?;
    console::say(&format!("wrote {}", path.display()));
    Ok(())
}
