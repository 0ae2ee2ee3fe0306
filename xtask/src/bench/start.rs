//! From the start of the process on existing data to its first answer.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use crate::server::Server;
use crate::{client, console};

const RUNS: usize = 20;

/// Starts the server once to make the data, then times it.
///
/// # Errors
/// When the server does not start or does not answer.
pub fn measure(binary: &Path) -> Result<Value> {
    let data = tempfile::tempdir()?;
    drop(Server::start(binary, data.path())?);
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        times.push(first_answer(&Server::start(binary, data.path())?)?);
    }
    times.sort_unstable();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    let (min, median, max) = (times[0], (times[RUNS / 2 - 1] + times[RUNS / 2]) / 2, times[RUNS - 1]);
    let figures = [min, median, max].map(milliseconds);
    console::say(&console::table(
        ["runs", "min ms", "median ms", "max ms"],
        &[[
            RUNS.to_string(),
            format!("{:.1}", figures[0]),
            format!("{:.1}", figures[1]),
            format!("{:.1}", figures[2]),
        ]],
    ));
    Ok(json!({"runs": RUNS, "min_ms": figures[0], "median_ms": figures[1], "max_ms": figures[2]}))
}

fn first_answer(server: &Server) -> Result<Duration> {
    let agent = client::agent();
    let asked = Instant::now();
    while asked.elapsed() < Duration::from_secs(30) {
        let answer = agent.get(format!("http://{}/api/v1/health", server.address)).call();
        if answer.is_ok_and(|answer| answer.status() == 200) {
            return Ok(server.started.elapsed());
        }
    }
    bail!(
        "the server listens at {} and does not answer GET /api/v1/health",
        server.address
    )
}
