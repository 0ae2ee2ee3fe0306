//! Rules for single Rust files: a sentence at the head, no silenced lints, no unloved tests, backends named in their place.

use super::Violation;
use super::source::{Source, Token};

/// Where code may name a database backend, besides tests.
const BACKENDS_AT_HOME: [&str; 6] = [
    "crates/store/src/backend.rs",
    "crates/store/src/fulltext.rs",
    "crates/store/src/migration.rs",
    "crates/store/src/migration/",
    "crates/testkit/",
    "crates/vectors/",
];

/// Checks one file.
pub fn check(source: &Source, text: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    let sentence = text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("//! "))
        .unwrap_or_default();
    if sentence.trim().is_empty() {
        let message = "no head: begin the file with a `//!` sentence that says what it is for";
        violations.push(Violation::new(&source.file, 1, message));
    }
    attributes(source, &mut violations);
    backends(source, &mut violations);
    violations
}

fn attributes(source: &Source, violations: &mut Vec<Violation>) {
    for (mark, rest) in source.places(&["#"]) {
        let inside = rest.iter().skip_while(|token| token.text == "!").collect::<Vec<_>>();
        let [bracket, name, ..] = inside[..] else { continue };
        if bracket.text != "[" {
            continue;
        }
        let message = match name.text.as_str() {
            "allow" => "a lint is silenced by `allow`: mend the code, or use `#[expect(…, reason = \"…\")]`",
            "cfg_attr" if allows(&inside[1..]) => "a lint is silenced by `allow`: mend the code",
            "ignore" => "an ignored test proves nothing: mend it or remove it",
            "should_panic" => "`should_panic` accepts any panic: assert on the result instead",
            _ => continue,
        };
        violations.push(Violation::new(&source.file, mark.line, message));
    }
}

/// Whether an `allow(…)` stands before the end of this attribute.
fn allows(attribute: &[&Token]) -> bool {
    let mut depth = 1_usize;
    for pair in attribute.windows(2) {
        match pair[0].text.as_str() {
            "[" => depth += 1,
            "]" => depth -= 1,
            "allow" if pair[1].text == "(" => return true,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    false
}

fn backends(source: &Source, violations: &mut Vec<Violation>) {
    let file = &source.file;
    if file.contains("/tests/") || BACKENDS_AT_HOME.iter().any(|home| file.starts_with(home)) {
        return;
    }
    for token in source.tokens.iter().filter(|token| !token.test) {
        if ["Sqlite", "Postgres", "DbBackend"]
            .iter()
            .any(|name| token.text.starts_with(name))
        {
            let message = format!(
                "`{}` names a database backend: only store's backend.rs, fulltext.rs and migrations may; ask `store`",
                token.text
            );
            violations.push(Violation::new(file, token.line, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Source, check};

    fn lines(file: &str, text: &str) -> Vec<usize> {
        let text = format!("//! For a test.\n{text}");
        let (source, unreadable) = Source::read(file, &text);
        assert_eq!(unreadable, None);
        check(&source, &text)
            .into_iter()
            .map(|violation| violation.line)
            .collect()
    }

    #[test]
    fn a_file_begins_with_a_sentence() {
        for head in ["", "use a;\n", "// A comment.\n", "//!\n", "\n//! Late.\n"] {
            let (source, _) = Source::read("a.rs", head);
            assert_eq!(check(&source, head).len(), 1, "{head:?}");
        }
        assert!(lines("a.rs", "").is_empty());
    }

    #[test]
    fn silenced_lints_and_unloved_tests_are_found() {
        assert_eq!(lines("a.rs", "#![allow(dead_code)]\n#[allow(x)]\nfn a() {}"), [2, 3]);
        assert_eq!(lines("a.rs", "#[cfg_attr(test, allow(x))]\nfn a() {}"), [2]);
        assert_eq!(
            lines("a.rs", "#[test]\n#[ignore]\nfn a() {}\n#[ignore = \"slow\"]\nfn b() {}"),
            [3, 5]
        );
        assert_eq!(lines("a.rs", "#[should_panic(expected = \"x\")]\nfn a() {}"), [2]);
        let fine =
            "#[expect(x, reason = \"y\")]\n#[cfg_attr(test, derive(Debug))]\n// #[allow(x)]\nfn allow(a: [u8; 1]) {}";
        assert!(lines("a.rs", fine).is_empty());
        assert!(lines("a.rs", "#[cfg_attr(test, derive(Debug))]\nfn a() { allow(1) }").is_empty());
    }

    #[test]
    fn backends_are_named_at_home_and_in_tests_only() {
        let code = "fn a() { b(DbBackend::Sqlite, PostgresPool) }";
        assert_eq!(lines("crates/store/src/users.rs", code), [2, 2, 2]);
        for home in [
            "crates/store/src/backend.rs",
            "crates/store/src/migration/a.rs",
            "crates/store/tests/main.rs",
        ] {
            assert!(lines(home, code).is_empty(), "{home}");
        }
        let test = "#[cfg(test)]\nmod tests { fn a() { Sqlite } }\n// Sqlite and PostgreSQL\nfn b() { \"Postgres\"; }";
        assert!(lines("crates/server/src/a.rs", test).is_empty());
    }
}
