//! Where things are in the repository, and which files belong to it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use ignore::WalkBuilder;

use crate::process;

/// The repository's top folder.
pub fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// The folder of the web app.
pub fn web() -> PathBuf {
    root().join("web")
}

/// Cargo's target folder, wherever the environment puts it.
///
/// # Errors
/// When `cargo metadata` fails, which means that a manifest is broken.
pub fn target() -> Result<PathBuf> {
    let output = process::capture(process::cargo().args(["metadata", "--no-deps", "--format-version=1"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&output).context("`cargo metadata` printed no JSON")?;
    let folder = metadata["target_directory"]
        .as_str()
        .context("`cargo metadata` names no target_directory")?;
    Ok(PathBuf::from(folder))
}

/// All files under `folder` that Git does not ignore, sorted; works without Git.
///
/// # Errors
/// When a folder cannot be read.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut walk = WalkBuilder::new(folder);
    // The answer depends on the repository alone, not on its user's own ignore files.
    walk.hidden(false)
        .require_git(false)
        .git_global(false)
        .git_exclude(false)
        .ignore(false);
    walk.filter_entry(|entry| entry.file_name() != ".git");
    let mut found = Vec::new();
    for entry in walk.build() {
        let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
        if entry.file_type().is_some_and(|kind| kind.is_file()) {
            found.push(entry.into_path());
        }
    }
    found.sort();
    Ok(found)
}
