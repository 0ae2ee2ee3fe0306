//! What is known against the versions we build on, from the databases that can be reached.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use toml::Table;

use super::exceptions::Exceptions;
use super::{Finding, Skipped};
use crate::{paths, process, python, web};

const OF_CRATES: &str = "advisories of RustSec";
const OF_NPM: &str = "advisories of npm";

/// Asks RustSec's database with cargo-deny, which knows which versions an advisory is about.
///
/// # Errors
/// When a file cannot be written.
pub fn of_crates(exceptions: &Exceptions, today: &str) -> Result<Result<Vec<Finding>, Skipped>> {
    let skipped = |reason: String| Skipped {
        what: OF_CRATES,
        reason,
    };
    let programs = match python::pinned("supply") {
        Ok(programs) => programs,
        Err(error) => return Ok(Err(skipped(format!("{error:#}")))),
    };
    let folder = paths::target()?.join("supply");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let config = folder.join("deny.toml");
    let text = configuration(&folder, &exceptions.advisories(today))?;
    std::fs::write(&config, text).with_context(|| format!("cannot write {}", config.display()))?;
    let deny = |task: &str, what: &str| {
        let mut command = process::command(programs.join("cargo-deny"));
        command.args(["--format", "json", "--color", "never", "--config"]);
        command.arg(&config).args([task, what]);
        // A network that swallows what is sent must not hold the tests up for minutes.
        command.envs([("GIT_HTTP_LOW_SPEED_LIMIT", "1"), ("GIT_HTTP_LOW_SPEED_TIME", "20")]);
        command.output().context("cannot start cargo-deny")
    };
    let fetched = deny("fetch", "db")?;
    if !fetched.status.success() {
        let said = String::from_utf8_lossy(&fetched.stderr);
        if !said.contains("failed to fetch") {
            bail!("cargo-deny did not get as far as its database: {said}");
        }
        return Ok(Err(skipped(trouble(&said))));
    }
    let checked = deny("check", "advisories")?;
    let said = String::from_utf8_lossy(&checked.stderr);
    let findings = of_cargo_deny(&said);
    if findings.is_empty() && !checked.status.success() {
        bail!("cargo-deny could not compare its database with Cargo.lock: {said}");
    }
    Ok(Ok(findings))
}

/// A configuration of cargo-deny for advisories alone: those that are borne are left out there too.
fn configuration(folder: &Path, borne: &[&str]) -> Result<String> {
    let mut advisories = Table::new();
    let database = folder.join("advisories").display().to_string();
    advisories.insert("db-path".to_owned(), database.into());
    advisories.insert("ignore".to_owned(), borne.to_vec().into());
    let mut config = Table::new();
    config.insert("advisories".to_owned(), advisories.into());
    Ok(toml::to_string(&config)?)
}

/// Every error in cargo-deny's lines of JSON.
fn of_cargo_deny(lines: &str) -> Vec<Finding> {
    let values = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let errors = values.filter(|value| value["type"] == "diagnostic" && value["fields"]["severity"] == "error");
    let finding = |value: Value| {
        let fields = &value["fields"];
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let key = [&fields["advisory"]["id"], &fields["code"]].into_iter().map(word);
        let key = key.into_iter().find(|key| !key.is_empty()).unwrap_or_default();
        Finding::new(
            key,
            format!("{} {}", word(&fields["advisory"]["package"]), word(&fields["message"])),
        )
    };
    errors.map(finding).collect()
}

/// Asks the registry that the packages come from.
///
/// # Errors
/// When npm cannot be started.
pub fn of_npm() -> Result<Result<Vec<Finding>, Skipped>> {
    let output = web::npm()
        .args(["audit", "--json"])
        .output()
        .context("cannot start npm")?;
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    Ok(of_npm_audit(&answer).map_err(|reason| Skipped { what: OF_NPM, reason }))
}

fn of_npm_audit(answer: &Value) -> Result<Vec<Finding>, String> {
    let Some(vulnerable) = answer["vulnerabilities"].as_object() else {
        let message = answer["message"].as_str();
        let message = message.or_else(|| answer["error"]["summary"].as_str());
        return Err(message.unwrap_or("npm audit gave no answer").to_owned());
    };
    let mut findings = Vec::new();
    for (name, entry) in vulnerable {
        // An entry without an advisory of its own only leads to one that has it.
        for advisory in entry["via"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|via| via.is_object())
        {
            let word = |key: &str| advisory[key].as_str().unwrap_or_default();
            let id = word("url").rsplit('/').next().unwrap_or_default();
            let message = format!("{name} {}: {} ({})", word("range"), word("title"), word("severity"));
            findings.push(Finding::new(id, message));
        }
    }
    Ok(findings)
}

/// The last line of the last trouble that cargo-deny logged: the one that says why.
fn trouble(said: &str) -> String {
    let values = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut messages = values.filter_map(|value| value["fields"]["message"].as_str().map(str::to_owned));
    let message = messages.next_back().unwrap_or_else(|| said.to_owned());
    message.trim_end().lines().last().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{of_cargo_deny, of_npm_audit, trouble};

    #[test]
    fn advisories_against_crates_are_read_by_their_id() {
        let lines = [
            json!({"type": "log", "fields": {"level": "ERROR", "message": "x"}}),
            json!({"type": "diagnostic", "fields": {"severity": "warning", "code": "unmaintained"}}),
            json!({"type": "diagnostic", "fields": {"severity": "error", "code": "vulnerability",
                   "message": "Panic on empty input", "advisory": {"id": "RUSTSEC-2026-0001", "package": "x"}}}),
        ];
        let text = lines.map(|line| line.to_string()).join("\n");
        let found = of_cargo_deny(&text);
        assert_eq!((found.len(), found[0].key.as_str()), (1, "RUSTSEC-2026-0001"));
        assert_eq!(found[0].message, "x Panic on empty input");
    }

    #[test]
    fn advisories_against_packages_are_read_by_their_id() {
        let advisory = json!({"title": "Prototype pollution", "range": "<2.0.0", "severity": "high",
                              "url": "https://github.com/advisories/GHSA-aaaa-bbbb-cccc"});
        let answer = json!({"vulnerabilities": {"x": {"via": [advisory]}, "y": {"via": ["x"]}}});
        let found = of_npm_audit(&answer).unwrap();
        assert_eq!((found.len(), found[0].key.as_str()), (1, "GHSA-aaaa-bbbb-cccc"));
        assert_eq!(found[0].message, "x <2.0.0: Prototype pollution (high)");
        assert!(of_npm_audit(&json!({"vulnerabilities": {}})).unwrap().is_empty());
    }

    #[test]
    fn a_database_that_cannot_be_reached_is_no_clean_answer() {
        assert_eq!(
            of_npm_audit(&json!({"message": "405", "error": {"summary": ""}})),
            Err("405".to_owned())
        );
        assert!(of_npm_audit(&json!(null)).is_err());
        let log = "{\"type\":\"log\",\"fields\":{\"message\":\"failed to fetch\\nno such host\\n\"}}\n\n";
        assert_eq!(trouble(log), "no such host");
    }
}
