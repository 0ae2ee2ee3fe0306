//! The one command: packages, web app, release binary, serve.

use std::convert::Infallible;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::{paths, process, web};

/// Builds what changed and becomes `ai-across serve` in the repository's top folder.
///
/// # Errors
/// When something is missing or does not build; otherwise it does not return.
pub fn run(arguments: &[String]) -> Result<Infallible> {
    let binary = release()?;
    let error = process::command(&binary).arg("serve").args(arguments).exec();
    Err(error).with_context(|| format!("cannot start {}", binary.display()))
}

/// Web app and release binary, up to date.
///
/// # Errors
/// When Node is missing or a build fails.
pub fn release() -> Result<PathBuf> {
    web::check_node()?;
    web::install()?;
    web::build()?;
    process::run(process::cargo().args(["build", "--release", "--locked", "--package", "across-server"]))?;
    Ok(paths::target()?.join("release/ai-across"))
}
