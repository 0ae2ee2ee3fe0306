//! How many tests passed and failed, read from the summary lines of the runners themselves.

use std::fmt;

/// A test runner whose summary line we know.
#[derive(Clone, Copy, Debug)]
pub enum Runner {
    /// `Summary [   1.2s] 14 tests run: 12 passed (1 slow), 1 failed, 1 timed out, 3 skipped`
    Nextest,
    /// `test result: ok. 12 passed; 0 failed; 0 ignored; …`, once for each test binary
    Cargo,
    /// `Tests  1 failed | 12 passed (13)`
    Vitest,
}

impl Runner {
    const fn summary(self) -> &'static str {
        match self {
            Self::Nextest => "Summary [",
            Self::Cargo => "test result: ",
            Self::Vitest => "Tests ",
        }
    }
}

/// Tests that ran, by their outcome.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed, hung or could not be started.
    pub failed: u64,
}

impl Tally {
    /// Sums the runner's summary lines in its output.
    pub fn read(runner: Runner, output: &str) -> Self {
        let mut tally = Self::default();
        for line in output
            .lines()
            .map(str::trim_start)
            .filter(|line| line.starts_with(runner.summary()))
        {
            let words: Vec<&str> = line
                .split([' ', ',', ';', '|', '(', ')'])
                .filter(|word| !word.is_empty())
                .collect();
            for pair in words.windows(2) {
                let Ok(count) = pair[0].parse::<u64>() else { continue };
                match pair[1] {
                    "passed" => tally.passed += count,
                    // Of nextest: "1 timed out", "1 exec failed".
                    "failed" | "timed" | "exec" => tally.failed += count,
                    _ => {}
                }
            }
        }
        tally
    }

    /// Both tallies together.
    pub const fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::{Runner, Tally};

    fn check(runner: Runner, output: &str, passed: u64, failed: u64) {
        assert_eq!(Tally::read(runner, output), Tally { passed, failed }, "{output}");
    }

    #[test]
    fn nextest() {
        check(
            Runner::Nextest,
            "     Summary [   0.101s] 12 tests run: 12 passed, 0 skipped",
            12,
            0,
        );
        check(
            Runner::Nextest,
            "     Summary [   0.1s] 1 test run: 1 passed (1 slow), 3 skipped",
            1,
            0,
        );
        let worst = "Summary [  1.9s] 9/20 tests run: 5 passed, 2 failed, 1 exec failed, 1 timed out, 0 skipped";
        check(Runner::Nextest, worst, 5, 4);
    }

    #[test]
    fn nextest_shows_the_output_of_a_failed_test_whose_own_summary_does_not_count() {
        let output =
            "test result: FAILED. 0 passed; 1 failed; 0 ignored\n  Summary [ 0.1s] 2 tests run: 1 passed, 1 failed";
        check(Runner::Nextest, output, 1, 1);
    }

    #[test]
    fn cargo_sums_over_its_binaries() {
        let output = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n\
                      test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out";
        check(Runner::Cargo, output, 7, 1);
    }

    #[test]
    fn vitest_counts_tests_and_not_files() {
        let output = " Test Files  2 passed (2)\n      Tests  1 failed | 12 passed | 2 skipped (15)\n   Duration  1.2s";
        check(Runner::Vitest, output, 12, 1);
    }

    #[test]
    fn no_summary_means_no_test() {
        check(Runner::Nextest, "error: could not compile `across`\n12 passed", 0, 0);
    }
}
