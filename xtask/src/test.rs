//! The other command: everything CI does, in order, with times; it ends with the sum of the runners' summary lines.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::postgres::Cluster;
use crate::tally::{Runner, Tally};
use crate::vector_servers::VectorServers;
use crate::{console, doubles, e2e, fuzz, generate, machine, paths, process, supply, tidy, web};

/// Runs all steps, stops at the first that fails, and prints times and the sum of all tests.
pub fn test(chromium: &Path) -> ExitCode {
    let mut ledger = Ledger::default();
    let ended = steps(&mut ledger, chromium);
    console::say(&format!("\n{}", ledger.table()));
    let mut sum = ledger.sum;
    let good = match ended {
        Ok(()) if sum.passed == 0 => {
            console::say("\nFAILED: no test ran");
            false
        }
        Ok(()) => sum.failed == 0,
        Err(error) => {
            console::say(&format!("\nFAILED: {error:#}"));
            // A failed step without a failed test (format, lints, a build) counts as one, so that the last line says it.
            sum.failed = sum.failed.max(1);
            false
        }
    };
    console::say(&closing(sum, ledger.skipped));
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn steps(ledger: &mut Ledger, chromium: &Path) -> Result<()> {
    ledger.step("tools and packages", |_| {
        web::check_node()?;
        web::install()?;
        machine::prepare(chromium)
    })?;
    ledger.step("format", |_| {
        process::run(process::cargo().args(["fmt", "--all", "--check"]))
    })?;
    ledger.step("tidy", |_| tidy::tidy())?;
    let mut skipped = Vec::new();
    ledger.step("supply chain", |_| {
        skipped = supply::check()?;
        Ok(())
    })?;
    for skip in &skipped {
        ledger.skip(skip.what, &skip.reason);
    }
    ledger.step("web build", |_| web::build())?;
    ledger.step("clippy", |_| {
        process::run(process::cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    })?;
    {
        let mut cluster = None;
        ledger.step("PostgreSQL", |_| {
            cluster = Some(Cluster::start()?);
            Ok(())
        })?;
        let url = cluster.as_ref().map(Cluster::url).unwrap_or_default();
        let mut servers = None;
        ledger.step("vector stores", |_| {
            servers = Some(VectorServers::start()?);
            Ok(())
        })?;
        let (servers, skipped) = match servers {
            Some(Ok(servers)) => (Some(servers), None),
            Some(Err(skipped)) => (None, Some(skipped)),
            None => (None, None),
        };
        if let Some(skip) = skipped {
            ledger.skip(skip.what, &skip.reason);
        }
        ledger.step("Rust tests", |sum| {
            let (runner, mut command) = rust_tests();
            command.env("TEST_DATABASE_URL", &url);
            command.envs(servers.iter().flat_map(VectorServers::environment));
            tests(runner, command, sum)
        })?;
    }
    ledger.step("Rust documentation", |_| {
        process::run(
            process::cargo()
                .args(["doc", "--workspace", "--no-deps"])
                .env("RUSTDOCFLAGS", "-D warnings"),
        )
    })?;
    ledger.step("web format, lints, types", |_| {
        process::run(web::npm().args(["run", "check"]))
    })?;
    ledger.step("web tests", |sum| {
        let mut npm = web::npm();
        npm.args(["test", "--", "--run"]);
        tests(Runner::Vitest, npm, sum)
    })?;
    ledger.step("size of the web app", |_| {
        process::run(web::npm().args(["run", "size"]))
    })?;
    ledger.step("development binaries", |_| {
        // With the tests' dependencies in the choice of features, as just built: nothing is compiled a second time.
        process::run(process::cargo().args(["build", "--workspace", "--bins", "--tests"]))
    })?;
    ledger.step("generated files", |_| {
        generate::compare(&paths::target()?.join("debug/ai-across"))
    })?;
    ledger.step("end to end", |sum| tests(Runner::Vitest, e2e::tests(chromium)?, sum))?;
    let mut skipped = Vec::new();
    ledger.step("independent doubles", |_| {
        skipped = doubles::run(&paths::target()?.join("debug/ai-across"))?;
        Ok(())
    })?;
    for skip in &skipped {
        ledger.skip(skip.what, &skip.reason);
    }
    ledger.step("hostile requests", |_| {
        fuzz::run(&paths::target()?.join("debug/ai-across"), fuzz::SHORT, fuzz::SEED)
    })
}

/// The last line: tests that ran, and what could not be looked at here.
fn closing(sum: Tally, skipped: usize) -> String {
    match skipped {
        0 => sum.to_string(),
        skipped => format!("{sum}, {skipped} skipped"),
    }
}

fn rust_tests() -> (Runner, Command) {
    let mut cargo = process::cargo();
    if process::exists("cargo-nextest") {
        cargo.args(["nextest", "run", "--workspace", "--color=never"]);
        (Runner::Nextest, cargo)
    } else {
        console::say("cargo-nextest is not installed: `cargo test` runs the same tests, more slowly");
        cargo.args(["test", "--workspace", "--no-fail-fast", "--color=never"]);
        (Runner::Cargo, cargo)
    }
}

/// Runs a test runner, adds its figures to the sum, and insists that it ran something.
fn tests(runner: Runner, command: Command, sum: &mut Tally) -> Result<()> {
    let (status, output) = process::tee(command)?;
    let tally = Tally::read(runner, &output);
    sum.add(tally);
    if !status.success() {
        bail!("{tally} ({status})");
    }
    if tally.passed == 0 {
        bail!("the runner ended well but ran no test");
    }
    Ok(())
}

/// What was done, how long it took, and the tests counted so far.
#[derive(Default)]
struct Ledger {
    rows: Vec<[String; 3]>,
    sum: Tally,
    skipped: usize,
}

impl Ledger {
    fn step(&mut self, name: &str, work: impl FnOnce(&mut Tally) -> Result<()>) -> Result<()> {
        console::say(&format!("\n== {name}"));
        let started = Instant::now();
        let result = work(&mut self.sum);
        let outcome = if result.is_ok() { "done" } else { "FAILED" };
        self.rows
            .push([name.to_owned(), seconds(started.elapsed()), outcome.to_owned()]);
        result.map_err(|error| error.context(name.to_owned()))
    }

    fn skip(&mut self, name: &str, reason: &str) {
        console::say(&format!("\n== {name}: skipped, {reason}"));
        self.skipped += 1;
        self.rows
            .push([name.to_owned(), seconds(Duration::ZERO), format!("skipped: {reason}")]);
    }

    fn table(&self) -> String {
        console::table(["step", "seconds", "outcome"], &self.rows)
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::{Ledger, closing, tests};
    use crate::process;
    use crate::tally::{Runner, Tally};

    #[test]
    fn a_failed_step_is_named_in_error_and_table() {
        let mut ledger = Ledger::default();
        ledger.step("first", |_| Ok(())).unwrap();
        let error = ledger.step("second", |_| bail!("broken")).unwrap_err();
        ledger.skip("third", "no tool");
        assert_eq!(format!("{error:#}"), "second: broken");
        let outcomes: Vec<&str> = ledger.rows.iter().map(|row| row[2].as_str()).collect();
        assert_eq!(outcomes, ["done", "FAILED", "skipped: no tool"]);
        assert_eq!(
            closing(Tally { passed: 3, failed: 1 }, ledger.skipped),
            "3 passed, 1 failed, 1 skipped"
        );
        assert_eq!(closing(Tally::default(), 0), "0 passed, 0 failed");
    }

    #[test]
    fn a_runner_that_ran_nothing_is_a_failure_and_a_failed_one_still_counts() {
        let runner = |script: &str| {
            let mut sum = Tally::default();
            let mut shell = process::command("sh");
            shell.args(["-c", script]);
            let result = tests(Runner::Vitest, shell, &mut sum);
            (result.is_ok(), sum)
        };
        assert_eq!(
            runner("echo ' Tests  3 passed (3)'"),
            (true, Tally { passed: 3, failed: 0 })
        );
        assert_eq!(
            runner("echo ' Tests  1 failed | 2 passed (3)'; exit 1"),
            (false, Tally { passed: 2, failed: 1 })
        );
        assert_eq!(runner("echo ' Tests  no tests'"), (false, Tally::default()));
    }
}
