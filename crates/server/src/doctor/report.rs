//! What the doctor says: a line for every check, and what they amount to.

use across::{fault::StoreError, platform::Findings};

use crate::{cli::print, failure::Failure};

/// Faults of one kind that are told; of the others, how many there are.
const TOLD: usize = 3;

/// What is printed, and what it amounts to.
#[derive(Default)]
pub(super) struct Report {
    checks: u32,
    failed: u32,
    /// Whether the data must not be touched as it is.
    pub(super) is_refused: bool,
}

impl Report {
    fn line(&mut self, verdict: &str, name: &str, sentence: &str) -> Result<(), Failure> {
        self.checks += 1;
        // One line each, whatever a path or a database has to say.
        print(&format!(
            "{verdict:<4}  {name}: {}\n",
            sentence.replace(['\n', '\r'], " ")
        ))
    }

    pub(super) fn ok(&mut self, name: &str, sentence: &str) -> Result<(), Failure> {
        self.line("ok", name, sentence)
    }

    pub(super) fn fail(&mut self, name: &str, problem: &str, remedy: &str) -> Result<(), Failure> {
        self.failed += 1;
        self.line("FAIL", name, &format!("{problem}. {remedy}"))
    }

    /// A failure that says itself what to do.
    pub(super) fn failure(&mut self, name: &str, failure: &Failure) -> Result<(), Failure> {
        self.failed += 1;
        self.is_refused |= matches!(failure, Failure::Refused(_));
        self.line("FAIL", name, &failure.to_string())
    }

    /// What a look through a part of the data came to; `what` was looked at.
    pub(super) fn found(
        &mut self,
        name: &str,
        what: &str,
        found: Result<Findings, StoreError>,
        remedy: &str,
    ) -> Result<bool, Failure> {
        match found {
            Ok(found) if found.faults.is_empty() => {
                let count = match found.looked_at {
                    0 => String::new(),
                    count => format!(" ({count} looked at)"),
                };
                self.ok(name, &format!("{what}{count}"))?;
                Ok(true)
            }
            Ok(found) => {
                self.fail(name, &told(&found.faults), remedy)?;
                Ok(false)
            }
            Err(error) => {
                self.unseen(name, &error)?;
                Ok(false)
            }
        }
    }

    pub(super) fn unseen(&mut self, name: &str, error: &dyn std::fmt::Display) -> Result<(), Failure> {
        self.fail(
            name,
            &format!("this could not be looked at: {error}"),
            "Mend that and look again.",
        )
    }

    pub(super) fn end(self, deep: bool) -> Result<(), Failure> {
        let Self {
            checks,
            failed,
            is_refused,
        } = self;
        match (failed, is_refused) {
            (0, _) if deep => Ok(()),
            (0, _) => print(
                "All is well as far as this looked. With --deep it reads every byte of database and files too, and calls \
                 the providers.\n",
            ),
            (_, true) => Err(Failure::Refused(format!(
                "{failed} of {checks} checks failed, and the data must not be touched before that is mended"
            ))),
            (_, false) => Err(Failure::Working(format!("{failed} of {checks} checks failed"))),
        }
    }
}

/// The first of several faults, and how many more there are.
pub(super) fn told(faults: &[String]) -> String {
    let first = faults
        .iter()
        .take(TOLD)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join("; ");
    match faults.len().saturating_sub(TOLD) {
        0 => first,
        more => format!("{first}; and {more} more"),
    }
}
