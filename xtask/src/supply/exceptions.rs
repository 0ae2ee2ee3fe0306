//! Findings that are borne until a day, each with its reason.

use anyhow::{Context, Result, bail};
use toml::{Table, Value};

use super::Finding;
use crate::process;

/// The list, as it is written.
#[derive(Debug, Default)]
pub struct Exceptions {
    listed: Vec<Exception>,
}

#[derive(Debug)]
struct Exception {
    finding: String,
    /// The last day, as `2026-12-31`: such dates are in order as texts.
    until: String,
    reason: String,
}

impl Exceptions {
    /// Reads the list.
    ///
    /// # Errors
    /// When an exception lacks what it is for, its last day or its reason.
    pub fn read(text: &str) -> Result<Self> {
        let table: Table = text.parse()?;
        let entries = table.get("exception").and_then(Value::as_array);
        let listed = entries.into_iter().flatten().map(exception);
        Ok(Self {
            listed: listed.collect::<Result<_>>()?,
        })
    }

    /// The advisories among them that still hold, by their ids.
    pub fn advisories(&self, today: &str) -> Vec<&str> {
        let holding = self.listed.iter().filter(|exception| exception.holds(today));
        let names = holding.map(|exception| exception.finding.as_str());
        names.filter(|name| is_advisory(name)).collect()
    }

    /// What remains of the findings, with every exception that has expired, and with every one that nothing needs. An
    /// advisory that was not found is needless only if all databases were read (`complete`).
    pub fn judge(&self, findings: Vec<Finding>, today: &str, complete: bool) -> Vec<Finding> {
        let excuses = |exception: &Exception, finding: &Finding| exception.finding == finding.key;
        let mut remaining = Vec::new();
        for exception in &self.listed {
            let needed = findings.iter().any(|finding| excuses(exception, finding));
            let unknown = is_advisory(&exception.finding) && !complete;
            if !exception.holds(today) {
                let message = format!(
                    "the exception ended on {}: mend it, or decide anew ({})",
                    exception.until, exception.reason
                );
                remaining.push(Finding::new(&exception.finding, message));
            } else if !needed && !unknown {
                let message = "nothing needs this exception any more: remove it from xtask/supply-exceptions.toml";
                remaining.push(Finding::new(&exception.finding, message));
            }
        }
        let excused = |finding: &Finding| {
            let holding = self.listed.iter().filter(|exception| exception.holds(today));
            holding.into_iter().any(|exception| excuses(exception, finding))
        };
        remaining.extend(findings.into_iter().filter(|finding| !excused(finding)));
        remaining
    }
}

impl Exception {
    fn holds(&self, today: &str) -> bool {
        today <= self.until.as_str()
    }
}

fn exception(entry: &Value) -> Result<Exception> {
    let word = |key: &str| {
        let word = entry.get(key).and_then(Value::as_str).unwrap_or_default().trim();
        if word.is_empty() {
            bail!("an exception has no `{key}`: {entry}");
        }
        Ok(word.to_owned())
    };
    let date = entry.get("until").and_then(Value::as_datetime);
    let date = date.and_then(|datetime| datetime.date);
    let date = date.with_context(|| format!("an exception has no day in `until`, such as 2026-12-31: {entry}"))?;
    Ok(Exception {
        finding: word("finding")?,
        until: date.to_string(),
        reason: word("reason")?,
    })
}

fn is_advisory(name: &str) -> bool {
    name.starts_with("RUSTSEC-") || name.starts_with("GHSA-")
}

/// Today in UTC, as `2026-12-31`.
///
/// # Errors
/// When the system's `date` does not tell.
pub fn today() -> Result<String> {
    let date = process::capture(process::command("date").args(["-u", "+%Y-%m-%d"]))?;
    Ok(date.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::Exceptions;
    use crate::supply::Finding;

    const LIST: &str = "[[exception]]\nfinding = \"licence of x\"\nuntil = 2026-06-30\nreason = \"asked its author\"\n";

    fn keys(list: &str, found: &[&str], today: &str, complete: bool) -> Vec<String> {
        let findings = found.iter().map(|key| Finding::new(*key, "bad")).collect();
        let remaining = Exceptions::read(list).unwrap().judge(findings, today, complete);
        remaining
            .into_iter()
            .map(|finding| format!("{}: {}", finding.key, finding.message))
            .collect()
    }

    #[test]
    fn an_exception_holds_to_the_end_of_its_day_and_for_its_finding_alone() {
        assert!(keys(LIST, &["licence of x"], "2026-06-30", true).is_empty());
        assert_eq!(
            keys(LIST, &["licence of x", "licence of y"], "2026-06-30", true),
            ["licence of y: bad"]
        );
    }

    #[test]
    fn an_expired_exception_is_refused_with_its_finding() {
        let remaining = keys(LIST, &["licence of x"], "2026-07-01", true);
        assert!(
            remaining[0].contains("ended on 2026-06-30") && remaining[0].contains("asked its author"),
            "{remaining:?}"
        );
        assert_eq!(remaining[1], "licence of x: bad");
        assert_eq!(keys(LIST, &[], "2026-07-01", true).len(), 1);
    }

    #[test]
    fn an_exception_that_nothing_needs_is_refused() {
        assert!(keys(LIST, &[], "2026-06-01", false)[0].contains("nothing needs"));
        let advisory = LIST.replace("licence of x", "RUSTSEC-2026-0001");
        assert!(keys(&advisory, &[], "2026-06-01", false).is_empty());
        assert_eq!(keys(&advisory, &[], "2026-06-01", true).len(), 1);
    }

    #[test]
    fn only_advisories_that_hold_are_handed_on() {
        let list = LIST.replace("licence of x", "RUSTSEC-2026-0001") + LIST;
        let exceptions = Exceptions::read(&list).unwrap();
        assert_eq!(exceptions.advisories("2026-06-30"), ["RUSTSEC-2026-0001"]);
        assert!(exceptions.advisories("2026-07-01").is_empty());
    }

    #[test]
    fn an_exception_needs_a_day_and_a_reason() {
        assert!(Exceptions::read("").unwrap().advisories("2026-01-01").is_empty());
        for broken in [
            LIST.replace("2026-06-30", "\"soon\""),
            LIST.replace("asked its author", " "),
        ] {
            assert!(Exceptions::read(&broken).is_err(), "{broken}");
        }
    }
}
