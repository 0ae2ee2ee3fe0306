//! The order of the domains inside `across`: a domain uses only those before it, so that each can be read without the rest.

use super::Violation;
use super::source::{Source, Token};

/// From the bottom up; those of one row may use each other.
const ORDER: [&[&str]; 12] = [
    &["id", "clock", "money", "page", "secret", "fault", "kept", "replay"],
    &["actor", "audit", "settings"],
    &["identity"],
    &["governance"],
    &["jobs"],
    &["providers"],
    &["retrieval"],
    &["assistants"],
    &["knowledge"],
    &["conversations"],
    &["quality"],
    &["platform", "work"],
];
const TOP: usize = ORDER.len() - 1;
/// What runs the jobs stands beside them but knows everything.
const RUNS_EVERYTHING: [&str; 2] = ["jobs/runner", "jobs/schedule"];
/// Operations that need several ports at once take the platform as their context; they may name it and nothing else to
/// their right. Types, rules and ports never do.
const OPERATIONS: [&str; 12] = [
    "identity/account",
    "identity/sign_in",
    "providers/credentials",
    "knowledge/upload",
    "knowledge/fill",
    "knowledge/ingest",
    "knowledge/reembed",
    "conversations/accounting",
    "conversations/grounds",
    "conversations/reply",
    "conversations/title",
    "conversations/writing",
];

/// Checks one file, if it is one of `across`.
pub fn check(source: &Source) -> Vec<Violation> {
    let Some(path) = source
        .file
        .strip_prefix("crates/across/src/")
        .and_then(|path| path.strip_suffix(".rs"))
    else {
        return Vec::new();
    };
    let domain = path.split('/').next().unwrap_or(path);
    if domain == "lib" {
        return Vec::new();
    }
    let Some(mut place) = place_of(domain) else {
        let message =
            format!("the domain `{domain}` has no place in the order: give it one in xtask/src/tidy/order.rs");
        return vec![Violation::new(&source.file, 1, message)];
    };
    if RUNS_EVERYTHING.contains(&path) {
        place = TOP;
    }
    let mut violations = Vec::new();
    for (root, rest) in source.places(&["crate", ":", ":"]).filter(|(root, _)| !root.test) {
        for used in imported(rest) {
            if used.text == "platform" && OPERATIONS.contains(&path) {
                continue;
            }
            if place_of(&used.text).is_some_and(|of_used| of_used > place) {
                let message = format!(
                    "`{domain}` uses `{}`, which comes after it: move what both need down, or ask for it through a port",
                    used.text
                );
                violations.push(Violation::new(&source.file, root.line, message));
            }
        }
    }
    violations
}

fn place_of(domain: &str) -> Option<usize> {
    ORDER.iter().position(|row| row.contains(&domain))
}

/// The first segments after `crate::`: one name, or those of a braced list.
fn imported(rest: &[Token]) -> Vec<&Token> {
    if rest.first().is_none_or(|token| token.text != "{") {
        return rest.first().into_iter().collect();
    }
    let mut found = Vec::new();
    let mut depth = 0_usize;
    for pair in rest.windows(2) {
        match pair[0].text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && matches!(pair[0].text.as_str(), "{" | ",") {
            found.push(&pair[1]);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Source, check};

    fn lines(file: &str, text: &str) -> Vec<usize> {
        let (source, unreadable) = Source::read(file, text);
        assert_eq!(unreadable, None);
        check(&source).into_iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn a_domain_uses_those_before_it() {
        let text = "use crate::id::UserId;\nuse crate::{clock::Clock, actor};\nuse crate::knowledge::file;";
        assert!(lines("crates/across/src/knowledge/ingest.rs", text).is_empty());
        assert_eq!(lines("crates/across/src/identity/user.rs", text), [3]);
        assert_eq!(lines("crates/across/src/id.rs", text), [2, 3]);
    }

    #[test]
    fn lists_and_paths_in_code_are_seen() {
        let list = "use crate::{id, identity::{user::User, session}, jobs::Job};";
        assert_eq!(lines("crates/across/src/actor.rs", list), [1, 1]);
        assert_eq!(
            lines(
                "crates/across/src/identity/user.rs",
                "fn a() { crate::platform::start() }"
            ),
            [1]
        );
    }

    #[test]
    fn the_runner_knows_everything_and_tests_may() {
        let text = "use crate::platform::Platform;";
        assert!(lines("crates/across/src/jobs/runner.rs", text).is_empty());
        assert_eq!(lines("crates/across/src/jobs/queue.rs", text), [1]);
        assert!(
            lines(
                "crates/across/src/id.rs",
                "#[cfg(test)]\nmod tests { use crate::work; }"
            )
            .is_empty()
        );
        assert!(lines("crates/store/src/a.rs", text).is_empty());
    }

    #[test]
    fn a_new_domain_needs_a_place() {
        assert_eq!(lines("crates/across/src/billing/mod.rs", ""), [1]);
        assert!(lines("crates/across/src/lib.rs", "use crate::work;").is_empty());
    }
}
