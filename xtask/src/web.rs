//! Node, npm and the web app: its packages and its build are renewed only when their inputs changed.

use std::process::Command;

use anyhow::Result;

use crate::stamp::renew;
use crate::{Unusable, paths, process};

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

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn node_is_missing_too_old_or_good() {
        assert!(judge(None).unwrap_err().contains("not installed"));
        assert!(judge(Some("v20.18.3")).unwrap_err().contains("v20.18.3 is too old"));
        assert!(judge(Some("v8.0.0")).unwrap_err().contains("install Node 20.19"));
        assert!(judge(Some("rubbish")).is_err());
        assert_eq!(judge(Some("v20.19.0")), Ok(()));
        assert_eq!(judge(Some("v24.1.0")), Ok(()));
    }
}
