//! Chats with vendors that other people imitate: two packages that speak the vendors' wires as their authors read the
//! documentation. They find misreadings that our own fake vendor shares with our adapters.

pub mod installed;
pub mod talk;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::supply::Skipped;
use crate::{console, paths, process};
use installed::{Aimock, Front, Llmock};
use talk::Shape;

/// Talks to the doubles with this binary, or builds the development binary and does it with that.
///
/// # Errors
/// When something does not build or start, or an answer is not what the double sent.
pub fn doubles(binary: Option<PathBuf>) -> Result<()> {
    let binary = match binary {
        Some(binary) => binary
            .canonicalize()
            .with_context(|| format!("no {}", binary.display()))?,
        None => {
            process::run(process::cargo().args(["build", "--package", "across-server"]))?;
            paths::target()?.join("debug/ai-across")
        }
    };
    for skip in run(&binary)? {
        console::say(&format!("skipped: {}: {}", skip.what, skip.reason));
    }
    Ok(())
}

/// Installs both doubles and chats with each in every shape that it has. A double whose registry cannot be reached is
/// skipped, and told so.
///
/// # Errors
/// When a package is not what was pinned, something does not start, or an answer is not what the double sent.
pub fn run(binary: &Path) -> Result<Vec<Skipped>> {
    let mut skipped = Vec::new();
    match installed::reached(Llmock::install())? {
        Ok(llmock) => all(binary, &llmock.start()?.shapes())?,
        Err(reason) => skipped.push(Skipped {
            what: "chats over llmock",
            reason,
        }),
    }
    match installed::reached(Aimock::install())? {
        Ok(aimock) => {
            let running = aimock.start()?;
            let front = Front::open(running.address())?;
            all(binary, &running.shapes(front.address()))?;
        }
        Err(reason) => skipped.push(Skipped {
            what: "chats over aimock",
            reason,
        }),
    }
    Ok(skipped)
}

fn all(binary: &Path, shapes: &[Shape]) -> Result<()> {
    for shape in shapes {
        talk::through(binary, shape).with_context(|| format!("{} as {} speaks it", shape.provider, shape.double))?;
        console::say(&format!(
            "{} as {} speaks it: streamed and whole",
            shape.provider, shape.double
        ));
    }
    Ok(())
}
