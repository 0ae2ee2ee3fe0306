//! What is written from the code: openapi.json by the binary, the web app's types from openapi.json.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::{console, paths, process, web};

const DOCUMENT: &str = "openapi.json";
const TYPES: &str = "web/src/api/schema.gen.ts";

/// Builds the binary and writes the generated files, or with `check` compares them and leaves them alone.
///
/// # Errors
/// When something does not build, or when a committed file differs under `check`.
pub fn generate(check: bool) -> Result<()> {
    web::check_node()?;
    web::install()?;
    process::run(process::cargo().args(["build", "--package", "across-server"]))?;
    let binary = paths::target()?.join("debug/ai-across");
    if check { compare(&binary) } else { write(&binary) }
}

fn write(binary: &Path) -> Result<()> {
    let document = process::capture(process::command(binary).arg("openapi"))?;
    let path = paths::root().join(DOCUMENT);
    std::fs::write(&path, document).with_context(|| format!("cannot write {}", path.display()))?;
    process::run(web::npm().args(["run", "generate"]))?;
    console::say(&format!("wrote {DOCUMENT} and {TYPES}"));
    Ok(())
}

/// Fails if a generated file differs from what this binary and the packages generate.
///
/// # Errors
/// When a file differs or the generators fail.
pub fn compare(binary: &Path) -> Result<()> {
    let document = process::capture(process::command(binary).arg("openapi"))?;
    same(
        &std::fs::read_to_string(paths::root().join(DOCUMENT)).unwrap_or_default(),
        &document,
        DOCUMENT,
    )?;
    let path = paths::root().join(TYPES);
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let generated = process::run(web::npm().args(["run", "generate"]))
        .and_then(|()| std::fs::read_to_string(&path).context("the generator wrote no file"));
    // The generator writes in place; a check leaves the file as it found it.
    if generated.as_ref().is_ok_and(|generated| *generated != committed) {
        std::fs::write(&path, &committed).with_context(|| format!("cannot restore {}", path.display()))?;
    }
    same(&committed, &generated?, TYPES)
}

fn same(committed: &str, generated: &str, name: &str) -> Result<()> {
    if committed == generated {
        return Ok(());
    }
    let differs = |(committed, generated): (&str, &str)| committed != generated;
    let line = 1 + committed
        .lines()
        .zip(generated.lines())
        .take_while(|pair| !differs(*pair))
        .count();
    bail!("{name} is not what the code generates, first at line {line}: run `cargo xtask generate` and commit it");
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn a_difference_is_told_with_its_first_line_and_the_remedy() {
        assert!(same("a\nb\n", "a\nb\n", "x.json").is_ok());
        let error = same("a\nb\n", "a\nc\n", "x.json").unwrap_err().to_string();
        assert!(
            error.contains("x.json") && error.contains("line 2") && error.contains("cargo xtask generate"),
            "{error}"
        );
        let error = same("", "a\n", "x.json").unwrap_err().to_string();
        assert!(error.contains("line 1"), "{error}");
    }
}
