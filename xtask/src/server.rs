//! The program on a data folder of its own, with an administrator, on a free loopback port.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::process;

/// The administrator of every server that is started here.
pub const EMAIL: &str = "bench@example.com";
/// Their password, on a server that nobody else can reach and that is gone a moment later.
pub const PASSWORD: &str = "measure-twice-cut-once";
/// How long a server may take to stop before it is killed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server; dropping it stops it.
pub struct Server {
    child: Child,
    /// Where it listens, as `127.0.0.1:PORT`.
    pub address: String,
    /// When its process was started.
    pub started: Instant,
}

impl Server {
    /// Starts the binary and returns when it says where it listens. Nothing of the caller's own configuration reaches it.
    ///
    /// # Errors
    /// When it cannot be started or ends before it listens; its own words are on standard error.
    pub fn start(binary: &Path, data: &Path) -> Result<Self> {
        Self::start_with(binary, data, &[], None)
    }

    /// Starts the binary with further environment, and with its log in a file instead of on our standard error.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_with(
        binary: &Path,
        data: &Path,
        environment: &[(String, OsString)],
        log: Option<File>,
    ) -> Result<Self> {
        let mut command = process::command(binary);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("AI_ACROSS_") || text.ends_with("_API_KEY") {
                command.env_remove(name);
            }
        }
        command.arg("serve").envs([
            ("AI_ACROSS_DATA_DIR", data.as_os_str()),
            ("AI_ACROSS_LISTEN", "127.0.0.1:0".as_ref()),
            ("AI_ACROSS_ADMIN_EMAIL", EMAIL.as_ref()),
            ("AI_ACROSS_ADMIN_PASSWORD", PASSWORD.as_ref()),
            ("AI_ACROSS_EMBEDDING_MODEL", "local".as_ref()),
            ("AI_ACROSS_LOG", "warn".as_ref()),
            // What is started here asks more often a minute than people do.
            ("AI_ACROSS_RATE_PER_USER", "0".as_ref()),
            ("AI_ACROSS_RATE_PER_ADDRESS", "0".as_ref()),
            // The load may say that it comes from many addresses, as people do.
            ("AI_ACROSS_TRUSTED_PROXIES", "127.0.0.1".as_ref()),
        ]);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        if let Some(log) = log {
            command.stderr(log);
        }
        let started = Instant::now();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let output = child.as_mut().ok().and_then(|child| child.stdout.take());
        let child = child.with_context(|| format!("cannot start {}", binary.display()))?;
        let mut server = Self {
            child,
            address: String::new(),
            started,
        };
        server.address = listening(output.context("no pipe from the server")?)?;
        Ok(server)
    }

    /// Whether the process still runs.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn runs(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The resident set in bytes.
    ///
    /// # Errors
    /// When the system does not tell (it is read from `/proc`).
    pub fn resident(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        resident(&status).with_context(|| format!("{path} has no VmRSS"))
    }
}

/// The processor time that a process has taken so far, in the system and for itself.
///
/// # Errors
/// When the system does not tell (it is read from `/proc`).
pub fn processor_time(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    Ok(duration(ticks(&stat).with_context(|| format!("{path} has no times"))?))
}

/// The processor time that all processes of this machine have taken so far.
///
/// # Errors
/// When the system does not tell (it is read from `/proc`).
pub fn machine_time() -> Result<Duration> {
    let path = "/proc/stat";
    let stat = std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    Ok(duration(
        machine_ticks(&stat).with_context(|| format!("{path} has no times"))?,
    ))
}

fn duration(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// Everything but the two times of doing nothing, idle and waiting for disks; guests are counted in the first two already.
fn machine_ticks(stat: &str) -> Option<u64> {
    let words = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let times: Vec<u64> = words.map_while(|word| word.parse().ok()).collect();
    let [own, nice, system, _idle, _waiting, irq, soft, ..] = times[..] else {
        return None;
    };
    Some(own + nice + system + irq + soft)
}

/// The fourteenth and fifteenth word; the second one is a name in brackets that may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut words = rest.split_whitespace().skip(11);
    let (own, system): (u64, u64) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(own + system)
}

/// The environment that puts the program on a PostgreSQL database.
pub fn on_postgres(url: &str) -> (String, OsString) {
    ("AI_ACROSS_DATABASE_URL".to_owned(), OsStr::new(url).to_owned())
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// The address in the line that announces it; the rest of the output is read away so that the server never waits for us.
///
/// # Errors
/// When the output ends without such a line.
pub fn listening(output: ChildStdout) -> Result<String> {
    let mut lines = BufReader::new(output).lines();
    for line in &mut lines {
        if let Some(address) = address(&line?) {
            std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
            return Ok(address);
        }
    }
    bail!("the server ended before it listened; its own words stand above or in its log")
}

fn address(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("listening on http://")?;
    let address: String = rest
        .chars()
        .take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':'))
        .collect();
    Some(address)
}

impl Drop for Server {
    fn drop(&mut self) {
        process::signal(&self.child, Signal::TERM);
        let told = Instant::now();
        while told.elapsed() < PATIENCE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(process::GLANCE);
        }
        let _gone = self.child.kill().and_then(|()| self.child.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::{address, machine_ticks, resident, ticks};

    #[test]
    fn the_address_is_found_in_plain_and_json_lines() {
        assert_eq!(
            address("listening on http://127.0.0.1:8000").as_deref(),
            Some("127.0.0.1:8000")
        );
        let json = r#"{"message":"listening on http://127.0.0.1:41234","level":"info"}"#;
        assert_eq!(address(json).as_deref(), Some("127.0.0.1:41234"));
        assert_eq!(address("starting"), None);
    }

    #[test]
    fn the_resident_set_is_in_bytes() {
        assert_eq!(resident("VmSize:\t  100 kB\nVmRSS:\t   2048 kB\n"), Some(2048 * 1024));
        assert_eq!(resident("VmSize:\t  100 kB\n"), None);
    }

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 100 0 0 0 250 31 0 0 20 0 3 0 5 6 7";
        assert_eq!(ticks(stat), Some(281));
        assert_eq!(ticks("7 (a) S 1"), None);
        let stat = "cpu  10 2 30 4000 500 6 7 8 0 0\ncpu0 10 2 30 4000 500 6 7 8 0 0\n";
        assert_eq!(machine_ticks(stat), Some(55));
        assert_eq!(machine_ticks("intr 1 2\n"), None);
    }
}
