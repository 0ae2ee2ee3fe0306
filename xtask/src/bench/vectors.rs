//! The vector search alone, through its port, and beside it a Chroma server that has the same vectors and is asked the same.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::target;
use crate::vector_servers::VectorServers;
use crate::{console, process};

/// Milliseconds that a question for the five nearest of 50,000 may take, at the slowest but one in twenty.
const SLOWEST: f64 = 8.0;
/// Seconds from opening the database to the first answer.
const FIRST: f64 = 1.0;
/// How many times as fast as Chroma.
const FASTER: f64 = 10.0;

/// Measures both, one after the other in the same minutes.
///
/// # Errors
/// When the benchmark does not build or run, or Chroma does not start.
pub fn measure() -> Result<Value> {
    let servers = match VectorServers::start()? {
        Ok(servers) => Some(servers),
        Err(skipped) => {
            console::complain(&format!("Chroma is left out: {}", skipped.reason));
            None
        }
    };
    let mut cargo = process::cargo();
    cargo.args([
        "bench",
        "--quiet",
        "--package",
        "across-store",
        "--bench",
        "vectors",
        "--",
    ]);
    for (name, url) in servers.iter().flat_map(VectorServers::environment) {
        if name == "TEST_CHROMA_URL" {
            cargo.args(["--chroma", url.trim_start_matches("http://")]);
        }
    }
    let said = process::capture(&mut cargo)?;
    drop(servers);
    let last = said.lines().last().unwrap_or_default();
    let figures: Value = serde_json::from_str(last).context("the benchmark did not print its figures")?;
    show(&figures);
    let of = |pointer: &str| figures.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN);
    let (p95, p50) = (of("/embedded/top_5/p95_ms"), of("/embedded/top_5/p50_ms"));
    let first = of("/embedded/first_answer_s");
    let (at_5, at_50) = (of("/embedded/recall_at_5"), of("/embedded/recall_at_50"));
    let mut targets = vec![
        target(
            "p95 of the five nearest of 50,000 in ms, at most 8",
            p95,
            p95 <= SLOWEST,
        ),
        target("seconds to the first answer, at most 1", first, first <= FIRST),
        target("recall@5 against all numbers, 1", at_5, at_5 >= 1.0),
        target("recall@50 against all numbers, 1", at_50, at_50 >= 1.0),
    ];
    let theirs = of("/chroma/top_5/p50_ms");
    if theirs.is_finite() {
        let times = theirs / p50;
        targets.push(target(
            "times as fast as Chroma (median), at least 10",
            times,
            times >= FASTER,
        ));
    }
    Ok(json!({"measured": figures, "targets": targets}))
}

fn show(figures: &Value) {
    let row = |what: &str, place: &str| {
        let at = |name: &str| {
            let time = figures.pointer(&format!("{place}/{name}")).and_then(Value::as_f64);
            time.map_or_else(|| "-".to_owned(), |time| format!("{time:.2}"))
        };
        [what.to_owned(), at("p50_ms"), at("p95_ms"), at("p99_ms")]
    };
    let rows = [
        row("5 of 50,000", "/embedded/top_5"),
        row("50 of 50,000", "/embedded/top_50"),
        row("5 of 500", "/embedded/one_of_500"),
        row("5 of 500, for the first time", "/embedded/one_of_500_first_time"),
        row("Chroma: 5 of 50,000 among 149,500", "/chroma/top_5"),
        row("Chroma: 5 of 500 among 149,500", "/chroma/one_of_500"),
    ];
    console::say(&console::table(["search", "p50 ms", "p95 ms", "p99 ms"], &rows));
}
