//! `cargo test` runs tidy, so that the rules hold without CI.

use xtask::{paths, tidy};

#[test]
fn the_repository_is_tidy() {
    let findings = tidy::check(paths::root()).unwrap();
    let told: Vec<String> = findings.violations.iter().map(ToString::to_string).collect();
    assert!(told.is_empty(), "\n{}", told.join("\n"));
}
