//! What we build on: licences, bans, sources, lock files and advisories of crates and npm packages, and a bill of materials.

pub mod advisories;
pub mod exceptions;
pub mod npm;
pub mod policy;
pub mod rust;
pub mod sbom;

use std::path::Path;

use anyhow::{Context, Result, bail};
use toml::Table;

use crate::{console, paths};
use exceptions::Exceptions;
use policy::Policy;

/// Which registry a package is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Registry {
    /// crates.io, or our own crates.
    Cargo,
    /// npm.
    Npm,
}

/// Something we build on, or one of our own crates.
#[derive(Clone, Debug)]
pub struct Package {
    /// Where its name is known.
    pub registry: Registry,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The licence it states.
    pub licence: Option<String>,
    /// The algorithm and the hexadecimal digits of its archive's checksum in the lock file.
    pub checksum: Option<(&'static str, String)>,
    /// Whether a part of it is in what we ship; the rest builds and tests.
    pub shipped: bool,
    /// The identities of what it depends on.
    pub depends: Vec<String>,
}

impl Package {
    /// Its identity among all packages, as a package URL.
    pub fn identity(&self) -> String {
        identity(self.registry, &self.name, &self.version)
    }
}

/// A package URL: `pkg:cargo/serde@1.0.0`, `pkg:npm/%40scope/name@1.0.0`.
pub fn identity(registry: Registry, name: &str, version: &str) -> String {
    let kind = match registry {
        Registry::Cargo => "cargo",
        Registry::Npm => "npm",
    };
    let escaped = |text: &str| text.replace('@', "%40").replace('+', "%2B");
    format!("pkg:{kind}/{}@{}", escaped(name), escaped(version))
}

/// Something that the policy refuses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// What an exception names: an advisory's id, or a rule and the package.
    pub key: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Finding {
    /// A finding with the words by which an exception names it.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            message: message.into(),
        }
    }
}

/// Something that could not be looked at here, and why.
#[derive(Debug)]
pub struct Skipped {
    /// What was to be done.
    pub what: &'static str,
    /// Why it was not.
    pub reason: String,
}

/// Runs the check alone and prints what it found and what it left out.
///
/// # Errors
/// When something is refused, or a file has another shape than expected.
pub fn supply() -> Result<()> {
    let skipped = check()?;
    for skip in &skipped {
        console::say(&format!("skipped: {}: {}", skip.what, skip.reason));
    }
    console::say(&format!("nothing is refused, {} skipped", skipped.len()));
    Ok(())
}

/// Judges all packages, asks the advisory databases that can be reached and writes the bill of materials.
///
/// # Errors
/// When something is refused, or a file has another shape than expected.
pub fn check() -> Result<Vec<Skipped>> {
    let root = paths::root();
    let policy = Policy::read(&text(&root.join("deny.toml"))?).context("deny.toml")?;
    let listed = text(&root.join("xtask/supply-exceptions.toml"))?;
    let exceptions = Exceptions::read(&listed).context("xtask/supply-exceptions.toml")?;

    let today = exceptions::today()?;

    let crates = rust::read(root)?;
    let packages = npm::Lock::read(&paths::web())?;
    let mut findings = rust::judge(&crates, &policy);
    findings.extend(rust::unsafe_code(&rust::manifests(root)?));
    findings.extend(packages.judge(&policy));
    let (mut skipped, mut complete) = (Vec::new(), true);
    for answer in [advisories::of_crates(&exceptions, &today)?, advisories::of_npm()?] {
        match answer {
            Ok(found) => findings.extend(found),
            Err(skip) => {
                skipped.push(skip);
                complete = false;
            }
        }
    }
    let all: Vec<Package> = crates
        .into_iter()
        .map(|found| found.package)
        .chain(packages.packages)
        .collect();
    skipped.extend(sbom::write(&all)?);

    let refused = exceptions.judge(findings, &today, complete);
    for finding in &refused {
        console::say(&format!("{}: {}", finding.key, finding.message));
    }
    if !refused.is_empty() {
        bail!("{} findings in what we build on", refused.len());
    }
    Ok(skipped)
}

fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn table(path: &Path) -> Result<Table> {
    text(path)?
        .parse()
        .with_context(|| format!("{} is not TOML", path.display()))
}
