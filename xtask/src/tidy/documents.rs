//! Paths that documents write in backticks exist, and so do the tests they name as `path::name`: a map that points nowhere
//! is worse than none.

use std::path::Path;

use super::Violation;

/// A path that begins with one of these is one of the repository.
const TOP: [&str; 10] = [
    "crates/",
    "web/",
    "xtask/",
    "docs/",
    "assets/",
    "loadtest/",
    ".ci/",
    ".cargo/",
    ".config/",
    ".github/",
];
/// What builds make; it is named in documents and absent from a fresh clone.
const MADE: [&str; 3] = ["web/dist", "web/node_modules", "web/coverage"];

/// Checks one Markdown file; only those at the top and in `docs/` speak of the repository.
pub fn check(root: &Path, file: &str, text: &str) -> Vec<Violation> {
    if file.contains('/') && !file.starts_with("docs/") {
        return Vec::new();
    }
    let mut violations = Vec::new();
    let mut fenced = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            // Between backticks are the odd parts; an unclosed last one is no span.
            let parts: Vec<&str> = line.split('`').collect();
            let closed = parts.len() - usize::from(parts.len().is_multiple_of(2));
            for span in parts[..closed].iter().skip(1).step_by(2) {
                let (place, name) = span.split_once("::").unwrap_or((span, ""));
                let Some(path) = path(place) else { continue };
                if !root.join(path).exists() || !holds(&root.join(path), name) {
                    let message = format!("`{span}` does not exist: correct it or remove the mention");
                    violations.push(Violation::new(file, number + 1, message));
                }
            }
        }
    }
    violations
}

/// Whether a file speaks of that name; every file holds the empty one.
fn holds(file: &Path, name: &str) -> bool {
    name.is_empty() || std::fs::read_to_string(file).is_ok_and(|text| text.contains(name))
}

/// The path in a span, unless the span is something else or a pattern for many paths.
fn path(span: &str) -> Option<&str> {
    let path = span.split(['#', ':']).next().unwrap_or(span);
    let pattern = span.contains(['*', '{', '<', '…', ' ', '[']) || path.contains("NAME") || path.contains("...");
    let ours = TOP.iter().any(|top| path.starts_with(top)) && !MADE.iter().any(|made| path.starts_with(made));
    (ours && !pattern).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::check;

    fn lines(file: &str, text: &str) -> Vec<usize> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("crates/across/src")).unwrap();
        std::fs::write(folder.path().join("crates/across/src/id.rs"), "fn ids_are_unique() {}").unwrap();
        check(folder.path(), file, text)
            .into_iter()
            .map(|violation| violation.line)
            .collect()
    }

    #[test]
    fn paths_that_exist_pass() {
        let text = "See `crates/across/src/id.rs:12`, `crates/across/` and `crates/across/src/id.rs#L3`.";
        assert!(lines("README.md", text).is_empty());
    }

    #[test]
    fn paths_that_do_not_are_told() {
        assert_eq!(lines("README.md", "one\n`crates/gone.rs` and `docs/gone.md`"), [2, 2]);
        assert_eq!(lines("docs/a.md", "`web/src/gone.ts`"), [1]);
        assert!(lines("crates/across/README.md", "`web/src/gone.ts`").is_empty());
    }

    #[test]
    fn tests_that_are_named_exist() {
        assert!(lines("docs/a.md", "`crates/across/src/id.rs::ids_are_unique`").is_empty());
        let text = "`crates/across/src/id.rs::gone` and `crates/across/src/id.rs::ids are gone`";
        assert_eq!(lines("docs/a.md", text), [1, 1]);
    }

    #[test]
    fn code_blocks_patterns_other_words_and_made_files_are_left_alone() {
        let text =
            "```\n`crates/gone.rs`\n```\n`crates/*/gone.rs` `web/dist/index.html` `GET /files` `a/b` `crates/open";
        assert!(lines("README.md", text).is_empty());
    }
}
