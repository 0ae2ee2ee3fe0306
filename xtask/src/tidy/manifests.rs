//! Which crate may depend on which, and what each is never built on.

use toml::{Table, Value};

use super::Violation;

/// What a crate may use.
struct Rule {
    /// Its folder's manifest.
    manifest: &'static str,
    /// Our own crates that it may depend on.
    ours: &'static [&'static str],
    /// Foreign crates, with all whose name continues with a hyphen, that it must not be built on.
    never: &'static [&'static str],
}

const RULES: [Rule; 9] = [
    Rule {
        manifest: "crates/extract/Cargo.toml",
        ours: &[],
        never: &["tokio", "axum", "http", "reqwest", "sea-orm", "sqlx", "utoipa"],
    },
    Rule {
        manifest: "crates/extract/fuzz/Cargo.toml",
        ours: &["across-extract"],
        never: &[],
    },
    Rule {
        manifest: "crates/across/Cargo.toml",
        ours: &["across-extract"],
        never: &["axum", "http", "hyper", "reqwest", "sea-orm", "sqlx", "utoipa"],
    },
    Rule {
        manifest: "crates/store/Cargo.toml",
        ours: &["across"],
        never: &["axum", "reqwest", "utoipa"],
    },
    Rule {
        manifest: "crates/providers/Cargo.toml",
        ours: &["across"],
        never: &["axum", "sea-orm", "sqlx", "utoipa"],
    },
    Rule {
        manifest: "crates/vectors/Cargo.toml",
        ours: &["across"],
        never: &["axum", "sea-orm", "utoipa"],
    },
    Rule {
        manifest: "crates/testkit/Cargo.toml",
        ours: &["across", "across-store", "across-providers", "across-vectors"],
        never: &[],
    },
    Rule {
        manifest: "crates/server/Cargo.toml",
        ours: &[
            "across",
            "across-extract",
            "across-store",
            "across-providers",
            "across-vectors",
        ],
        never: &["sea-orm", "sqlx"],
    },
    Rule {
        manifest: "xtask/Cargo.toml",
        ours: &[],
        never: &[],
    },
];
/// For tests of every crate, and for nothing else.
const TESTKIT: &str = "across-testkit";

/// Checks all manifests, given as their path and text.
pub fn check(manifests: &[(String, String)]) -> Vec<Violation> {
    manifests
        .iter()
        .flat_map(|(file, text)| check_one(file, text))
        .collect()
}

fn check_one(file: &str, text: &str) -> Vec<Violation> {
    let Some(rule) = RULES.iter().find(|rule| rule.manifest == file) else {
        let message = "this crate has no place in the table: say in xtask/src/tidy/manifests.rs what it may use";
        return vec![Violation::new(file, 1, message)];
    };
    let manifest = match text.parse::<Table>() {
        Ok(manifest) => manifest,
        Err(error) => {
            return vec![Violation::new(
                file,
                1,
                format!("this is not TOML: {}", error.message()),
            )];
        }
    };
    let mut violations = Vec::new();
    for (name, dev) in dependencies(&manifest) {
        let ours = name == "across" || name.starts_with("across-") || name == "xtask";
        let allowed = rule.ours.contains(&name.as_str()) || (dev && name == TESTKIT);
        let banned = !dev
            && rule
                .never
                .iter()
                .any(|never| name == *never || name.starts_with(&format!("{never}-")));
        let message = match (ours, allowed, banned) {
            (true, false, _) if name == TESTKIT => {
                format!("`{TESTKIT}` is for tests: move it to [dev-dependencies]")
            }
            (true, false, _) => format!("this crate may not use `{name}`: it may use {}", list(rule.ours)),
            (false, _, true) => {
                format!("this crate is not built on `{name}`: the crate that is should offer what you need")
            }
            _ => continue,
        };
        violations.push(Violation::new(file, line_of(text, &name), message));
    }
    violations
}

/// Every dependency with whether it is for tests only; of renamed ones the real name.
fn dependencies(manifest: &Table) -> Vec<(String, bool)> {
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flatten();
    let tables = targets.filter_map(|(_, target)| target.as_table()).chain([manifest]);
    let mut found = Vec::new();
    for table in tables {
        for (section, dev) in [
            ("dependencies", false),
            ("build-dependencies", false),
            ("dev-dependencies", true),
        ] {
            for (name, entry) in table.get(section).and_then(Value::as_table).into_iter().flatten() {
                let real = entry.get("package").and_then(Value::as_str).unwrap_or(name);
                found.push((real.to_owned(), dev));
            }
        }
    }
    found
}

fn line_of(text: &str, name: &str) -> usize {
    let names = |line: &str| line.trim_start().starts_with(name) || line.contains(&format!("\"{name}\""));
    text.lines().position(names).map_or(1, |line| line + 1)
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        "none of ours".to_owned()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    fn messages(file: &str, text: &str) -> Vec<String> {
        let found = check(&[(file.to_owned(), text.to_owned())]);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_table_allows_passes() {
        let text = "[dependencies]\nacross.workspace = true\nsea-orm = \"2\"\n[dev-dependencies]\nacross-testkit.workspace = true";
        assert_eq!(messages("crates/store/Cargo.toml", text), Vec::<String>::new());
    }

    #[test]
    fn foreign_arrows_are_told_with_their_line() {
        let text = "[dependencies]\nserde = \"1\"\nacross-store.workspace = true";
        let found = messages("crates/providers/Cargo.toml", text);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("crates/providers/Cargo.toml:3: ") && found[0].contains("`across-store`"),
            "{found:?}"
        );
    }

    #[test]
    fn tools_of_tests_stay_in_tests() {
        let found = messages(
            "crates/store/Cargo.toml",
            "[dependencies]\nacross-testkit.workspace = true",
        );
        assert!(found[0].contains("[dev-dependencies]"), "{found:?}");
    }

    #[test]
    fn banned_crates_are_found_under_every_name_and_target() {
        let renamed = "[target.'cfg(unix)'.dependencies]\nweb = { package = \"axum\", version = \"0.8\" }";
        assert_eq!(messages("crates/across/Cargo.toml", renamed).len(), 1);
        assert_eq!(
            messages("crates/across/Cargo.toml", "[build-dependencies]\nsqlx-core = \"0.9\"").len(),
            1
        );
        assert!(messages("crates/across/Cargo.toml", "[dev-dependencies]\nreqwest = \"0.13\"").is_empty());
    }

    #[test]
    fn unknown_crates_and_broken_manifests_are_refused() {
        assert!(messages("crates/billing/Cargo.toml", "")[0].contains("no place in the table"));
        assert!(messages("crates/across/Cargo.toml", "[dependencies")[0].contains("not TOML"));
    }
}
