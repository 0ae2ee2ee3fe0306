//! The rules that no compiler checks. Each violation names its place, the rule and the remedy.

pub mod documents;
pub mod manifests;
pub mod migrations;
pub mod order;
pub mod rust;
pub mod source;

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::{console, paths};
use source::Source;

/// More lines than this are a place to ask whether two things live in one room.
const LONG: usize = 400;

/// Something that a rule forbids.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// Path from the repository's top folder.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub message: String,
}

impl Violation {
    /// A violation at a line of a file.
    pub fn new(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

/// What a look at the repository found.
#[derive(Debug, Default)]
pub struct Findings {
    /// What has to change.
    pub violations: Vec<Violation>,
    /// Files with many lines: reported, not forbidden.
    pub long: Vec<String>,
}

/// Checks the repository and prints what it found.
///
/// # Errors
/// When there is a violation, or a file cannot be read.
pub fn tidy() -> Result<()> {
    let findings = check(paths::root())?;
    for note in &findings.long {
        console::say(&format!("note: {note}"));
    }
    for violation in &findings.violations {
        console::say(&violation.to_string());
    }
    match findings.violations.len() {
        0 => Ok(()),
        count => bail!("{count} violations of the rules above"),
    }
}

/// Looks at every file of the repository at `root`.
///
/// # Errors
/// When a file cannot be read.
pub fn check(root: &Path) -> Result<Findings> {
    let mut findings = Findings::default();
    let mut manifests = Vec::new();
    for path in paths::files(root)? {
        let name = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
        let extension = path
            .extension()
            .and_then(|extension| extension.to_str())
            .unwrap_or_default();
        let manifest = name.ends_with("/Cargo.toml");
        if !manifest && !matches!(extension, "rs" | "ts" | "tsx" | "md") {
            continue;
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        match extension {
            "rs" => {
                let (source, unreadable) = Source::read(&name, &text);
                findings.violations.extend(unreadable);
                findings.violations.extend(rust::check(&source, &text));
                findings.violations.extend(order::check(&source));
            }
            "md" => findings.violations.extend(documents::check(root, &name, &text)),
            _ if manifest => manifests.push((name.clone(), text.clone())),
            _ => {}
        }
        let lines = text.lines().count();
        if lines > LONG && matches!(extension, "rs" | "ts" | "tsx") && !name.contains(".gen.") {
            findings
                .long
                .push(format!("{name} has {lines} lines: do two things live in one room?"));
        }
    }
    findings.violations.extend(manifests::check(&manifests));
    findings.violations.extend(migrations::check(root)?);
    Ok(findings)
}
