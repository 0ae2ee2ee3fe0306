//! Node, npm and the web app: its packages and its build are renewed only when their inputs changed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::{Unusable, console, paths, process};

/// The oldest Node that the packages run on: major and minor version.
const OLDEST_NODE: (u32, u32) = (20, 19);
const REMEDY: &str =
    "install Node 20.19 or newer with npm (https://nodejs.org or your system's packages), then try again";

/// `npm` in the folder of the web app, without colours, so that its runners' summary lines can be read.
pub fn npm() -> Command {
    let mut npm = process::command("npm");
    npm.current_dir(paths::web())
        .env("NO_COLOR", "1")
        .env_remove("FORCE_COLOR");
    npm
}

/// Makes sure that Node and npm are there and new enough.
///
/// # Errors
/// [`Unusable`] with the remedy when they are not.
pub fn check_node() -> Result<()> {
    let found = process::command("node")
        .arg("--version")
        .output()
        .ok()
        .filter(|output| output.status.success());
    let version = found.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    judge(version.as_deref()).map_err(Unusable)?;
    if !process::exists("npm") {
        return Err(Unusable(format!("npm is not installed: {REMEDY}.")).into());
    }
    Ok(())
}

fn judge(version: Option<&str>) -> Result<(), String> {
    let Some(version) = version else {
        return Err(format!("Node is not installed: {REMEDY}."));
    };
    let mut numbers = version
        .trim_start_matches('v')
        .split('.')
        .map_while(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST_NODE => Ok(()),
        _ => Err(format!("Node {version} is too old: {REMEDY}.")),
    }
}

/// Installs the packages if the lock file changed since they were last installed.
///
/// # Errors
/// When `npm ci` fails.
pub fn install() -> Result<()> {
    let web = paths::web();
    let inputs = [".npmrc", "package.json", "package-lock.json"].map(|name| web.join(name));
    renew(&web.join("node_modules/.across-stamp"), &inputs, "web packages", || {
        process::run(npm().args(["ci", "--no-audit", "--no-fund"]))
    })
}

/// Builds the web app into `web/dist` if anything that goes into it changed since the last build.
///
/// # Errors
/// When `npm run build` fails.
pub fn build() -> Result<()> {
    let web = paths::web();
    let mut inputs = paths::files(&web)?;
    inputs.retain(|file| !file.starts_with(web.join("e2e")));
    renew(&web.join("dist/.stamp"), &inputs, "web app", || {
        process::run(npm().args(["run", "build"]))
    })
}

/// Does the work unless the stamp says that it was done for exactly these inputs. The stamp lies inside what the work
/// makes, so that whoever removes or rebuilds that by hand removes the stamp with it.
fn renew(stamp: &Path, inputs: &[PathBuf], what: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let wanted = fingerprint(inputs)?;
    if std::fs::read_to_string(stamp).is_ok_and(|found| found == wanted) {
        console::say(&format!("{what}: up to date"));
        return Ok(());
    }
    work()?;
    std::fs::write(stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

/// SHA-256 over names and contents; a missing file counts as such, so that its coming is a change.
fn fingerprint(files: &[PathBuf]) -> Result<String> {
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.as_os_str().as_encoded_bytes());
        match std::fs::read(file) {
            Ok(bytes) => {
                hash.update(bytes.len().to_le_bytes());
                hash.update(bytes);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => hash.update("missing"),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
        }
    }
    Ok(hex(&hash.finalize()))
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{judge, renew};

    #[test]
    fn node_is_missing_too_old_or_good() {
        assert!(judge(None).unwrap_err().contains("not installed"));
        assert!(judge(Some("v20.18.3")).unwrap_err().contains("v20.18.3 is too old"));
        assert!(judge(Some("v8.0.0")).unwrap_err().contains("install Node 20.19"));
        assert!(judge(Some("rubbish")).is_err());
        assert_eq!(judge(Some("v20.19.0")), Ok(()));
        assert_eq!(judge(Some("v24.1.0")), Ok(()));
    }

    #[test]
    fn work_is_done_once_for_the_same_inputs_and_again_after_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let (stamp, input) = (folder.path().join("stamp"), folder.path().join("input"));
        let done = Cell::new(0);
        let once = || {
            renew(&stamp, std::slice::from_ref(&input), "test", || {
                done.set(done.get() + 1);
                Ok(())
            })
            .unwrap();
            done.get()
        };
        assert_eq!((once(), once()), (1, 1));
        std::fs::write(&input, "one").unwrap();
        assert_eq!((once(), once()), (2, 2));
        std::fs::write(&input, "two").unwrap();
        assert_eq!((once(), once()), (3, 3));
        std::fs::remove_file(&stamp).unwrap();
        assert_eq!(once(), 4);
    }

    #[test]
    fn failed_work_leaves_no_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let stamp = folder.path().join("stamp");
        assert!(renew(&stamp, &[], "test", || anyhow::bail!("broken")).is_err());
        assert!(!stamp.exists());
    }
}
