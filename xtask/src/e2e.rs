//! The real binary and a scripted vendor, driven through the web app in headless Chromium.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::{machine, paths, process, web};

/// Builds what the end-to-end tests need and runs them.
///
/// # Errors
/// When something is missing or does not build, or when a test fails.
pub fn e2e(chromium: &Path) -> Result<()> {
    web::check_node()?;
    if !chromium.is_file() {
        bail!(
            "there is no Chromium at {}: {}",
            chromium.display(),
            machine::CHROMIUM_REMEDY
        );
    }
    web::install()?;
    web::build()?;
    process::run(process::cargo().args(["build", "--package", "across-server", "--package", "across-testkit"]))?;
    process::run(&mut tests(chromium)?)
}

/// The run of the tests alone, on the development binaries that stand in the target folder.
///
/// # Errors
/// When the target folder is not known.
pub fn tests(chromium: &Path) -> Result<Command> {
    let binaries = paths::target()?.join("debug");
    let mut npm = web::npm();
    npm.args(["run", "e2e"]).env("CHROMIUM", chromium);
    npm.env("AI_ACROSS_BIN", binaries.join("ai-across"));
    npm.env("SCRIPTED_VENDOR_BIN", binaries.join("scripted-vendor"));
    Ok(npm)
}
