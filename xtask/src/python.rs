//! Tools that are written in Python: each set in an environment of its own under the target folder.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Result;

use crate::{paths, process, stamp};

/// How to get Python.
pub const REMEDY: &str =
    "install Python 3.11 or newer with its venv module (Debian: apt-get install python3 python3-venv)";

/// Whether Python is there, new enough, and able to make environments.
pub fn usable() -> bool {
    let question = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))";
    let answer = process::command("python3")
        .args(["-c", question])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    answer.is_ok_and(|status| status.success())
}

/// The `bin` folder of the environment with the project's own pinned packages: every wheel is compared with its hash.
///
/// # Errors
/// When Python is missing, or a package cannot be had or is not what was pinned.
pub fn pinned(name: &str) -> Result<PathBuf> {
    let list = paths::root().join("xtask/python").join(format!("{name}.txt"));
    environment(name, &list, &["--require-hashes", "--only-binary=:all:"])
}

/// As [`pinned`], with the named packages alone: nothing that they depend on is installed.
///
/// # Errors
/// As [`pinned`].
pub fn pinned_alone(name: &str) -> Result<PathBuf> {
    let list = paths::root().join("xtask/python").join(format!("{name}.txt"));
    environment(name, &list, &["--require-hashes", "--only-binary=:all:", "--no-deps"])
}

/// The `bin` folder of the environment with the packages that a list names.
///
/// # Errors
/// As [`pinned`].
pub fn environment(name: &str, list: &Path, options: &[&str]) -> Result<PathBuf> {
    let folder = paths::target()?.join(format!("{name}-venv"));
    let inputs = [list.to_path_buf()];
    stamp::renew(
        &folder.join("stamp"),
        &inputs,
        &format!("Python packages for {name}"),
        || {
            process::run(process::command("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
            let mut pip = process::command(folder.join("bin/pip"));
            pip.args(["--disable-pip-version-check", "--quiet", "install"]);
            pip.args(options).arg("-r").arg(list);
            process::heard(pip)
        },
    )?;
    Ok(folder.join("bin"))
}
