//! What the tests need from the system: Chromium, PostgreSQL's server programs and Python, installed when we may.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::{console, process, python};

/// How to get Chromium.
pub const CHROMIUM_REMEDY: &str =
    "install it (Debian: apt-get install chromium fonts-noto-core) or set CHROMIUM to the path of another one";
const POSTGRES_REMEDY: &str =
    "install PostgreSQL's server (Debian: apt-get install postgresql) or put `initdb` into PATH";

/// Makes sure that Chromium, PostgreSQL and Python are there; as root on a Debian system it installs what is missing.
///
/// # Errors
/// When something is missing and cannot be installed: all of it in one message, with the remedies.
pub fn prepare(chromium: &Path) -> Result<()> {
    let missing = missing(chromium);
    if missing.is_empty() {
        return Ok(());
    }
    if rustix::process::getuid().is_root() && process::exists("apt-get") {
        console::say("installing Chromium, PostgreSQL and Python for the tests");
        process::run(process::command("apt-get").arg("update"))?;
        let install = [
            "install",
            "-y",
            "--no-install-recommends",
            "chromium",
            "fonts-noto-core",
            "postgresql",
            "python3",
            "python3-venv",
        ];
        process::run(
            process::command("apt-get")
                .args(install)
                .env("DEBIAN_FRONTEND", "noninteractive"),
        )?;
    }
    let missing = self::missing(chromium);
    if !missing.is_empty() {
        bail!("the tests need more than this machine has: {}", missing.join("; "));
    }
    Ok(())
}

fn missing(chromium: &Path) -> Vec<String> {
    let mut missing = Vec::new();
    if !chromium.is_file() {
        missing.push(format!("no Chromium at {}: {CHROMIUM_REMEDY}", chromium.display()));
    }
    if postgres_programs().is_none() {
        missing.push(format!("no PostgreSQL: {POSTGRES_REMEDY}"));
    }
    if !python::usable() {
        missing.push(format!("no Python: {}", python::REMEDY));
    }
    missing
}

/// The folder with `initdb` and `postgres`: the newest that Debian has, or one of PATH.
pub fn postgres_programs() -> Option<PathBuf> {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut debian: Vec<PathBuf> = installed.map(|version| version.path()).collect();
    debian.sort_by_key(|path| {
        path.file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.parse::<u32>().ok())
    });
    let debian = debian.into_iter().rev().map(|version| version.join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    debian
        .chain(std::env::split_paths(&path))
        .find(|folder| folder.join("initdb").is_file())
}
