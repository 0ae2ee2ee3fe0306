//! A PostgreSQL cluster for one test run: made, served on a free loopback port, stopped and removed at the end.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::{machine, process};

/// How long a fresh cluster may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running cluster; dropping it stops the server and removes its files.
pub struct Cluster {
    server: Child,
    port: u16,
    folder: TempDir,
    /// The programs, if they are our own copy.
    programs: Option<TempDir>,
}

impl Cluster {
    /// Makes a cluster that forgets what a crash interrupts, and waits until it answers.
    ///
    /// # Errors
    /// When PostgreSQL is missing, refuses to start (with the end of its log) or does not answer in time.
    pub fn start() -> Result<Self> {
        // Nothing here outlives the run, so nothing has to reach the disk.
        Self::with(&["fsync=off", "synchronous_commit=off", "full_page_writes=off"])
    }

    /// Makes a cluster that keeps what it acknowledged, as one in use does: to measure how fast that is.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub fn durable() -> Result<Self> {
        Self::with(&[])
    }

    /// As [`Cluster::start`], with the programs of an installation that was unpacked somewhere; they are copied to where
    /// the server's user may start them.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub fn of(unpacked: &[PathBuf], programs: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("ai-across-programs-").tempdir()?;
        Servant::find()?.give(folder.path())?;
        process::run(process::command("cp").arg("-R").args(unpacked).arg(folder.path()))?;
        let programs = folder.path().join(programs);
        let mut cluster = Self::made(
            &programs,
            &["fsync=off", "synchronous_commit=off", "full_page_writes=off"],
        )?;
        cluster.programs = Some(folder);
        Ok(cluster)
    }

    fn with(settings: &[&str]) -> Result<Self> {
        let programs = machine::postgres_programs().context("PostgreSQL's `initdb` is not installed")?;
        Self::made(&programs, settings)
    }

    fn made(programs: &Path, settings: &[&str]) -> Result<Self> {
        // Under the system's temporary folder: the server runs as another user when we are root, and may not be
        // allowed into the checkout; a socket's path must be short besides.
        let folder = tempfile::Builder::new().prefix("ai-across-postgres-").tempdir()?;
        let user = Servant::find()?;
        user.give(folder.path())?;
        let data = folder.path().join("data");
        let mut initdb = user.command(&programs.join("initdb"));
        initdb
            .arg("--pgdata")
            .arg(&data)
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8"]);
        initdb.args(["--locale=C.UTF-8", "--no-sync"]);
        process::run(initdb.stdout(Stdio::null()))?;

        let port = free_port()?;
        let log = std::fs::File::create(log_file(folder.path()))?;
        let mut server = user.command(&programs.join("postgres"));
        server
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder.path())
            .arg("-p")
            .arg(port.to_string());
        for setting in settings.iter().chain(&["max_connections=300"]) {
            server.args(["-c", setting]);
        }
        server.args(["-c", "listen_addresses=127.0.0.1"]);
        let server = server.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn();
        let mut cluster = Self {
            server: server.context("cannot start `postgres`")?,
            port,
            folder,
            programs: None,
        };
        cluster.wait_until_ready(programs)?;
        Ok(cluster)
    }

    /// Where the tests find it.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// Makes an empty database and returns where it is found.
    ///
    /// # Errors
    /// When there is one of this name, or `createdb` is not installed.
    pub fn database(&self, name: &str) -> Result<String> {
        let programs = machine::postgres_programs().context("PostgreSQL's `createdb` is not installed")?;
        let mut createdb = process::command(programs.join("createdb"));
        createdb.args(["--host=127.0.0.1", "--username=postgres", "--port"]);
        process::run(createdb.arg(self.port.to_string()).arg(name))?;
        Ok(self.url_of(name))
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    fn wait_until_ready(&mut self, programs: &Path) -> Result<()> {
        let started = Instant::now();
        loop {
            let port = self.port.to_string();
            let mut ask = process::command(programs.join("pg_isready"));
            ask.args(["--host=127.0.0.1", "--port", &port, "--username=postgres"])
                .stdout(Stdio::null());
            if ask.status().is_ok_and(|status| status.success()) {
                return Ok(());
            }
            let ended = self.server.try_wait()?;
            if ended.is_some() || process::interrupted() || started.elapsed() > PATIENCE {
                let log = std::fs::read_to_string(log_file(self.folder.path())).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                bail!(
                    "PostgreSQL does not answer; its log ends:\n{}",
                    lines[lines.len().saturating_sub(12)..].join("\n")
                );
            }
            std::thread::sleep(process::GLANCE);
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // QUIT is PostgreSQL's immediate shutdown: no checkpoint for data that is removed next.
        process::signal(&self.server, Signal::QUIT);
        let _gone = self.server.wait();
    }
}

fn log_file(folder: &Path) -> PathBuf {
    folder.join("log")
}

/// A port of the loopback address that nobody listens on.
///
/// # Errors
/// When the system has none.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

/// Who runs the server: ourselves, or an unprivileged user because PostgreSQL refuses to run as root.
enum Servant {
    Ourselves,
    User(&'static str),
}

impl Servant {
    fn find() -> Result<Self> {
        if !rustix::process::getuid().is_root() {
            return Ok(Self::Ourselves);
        }
        let known = |user: &&str| {
            let id = Command::new("id")
                .arg(user)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            id.is_ok_and(|status| status.success())
        };
        let user = ["postgres", "nobody"].into_iter().find(known);
        user.map(Self::User)
            .context("PostgreSQL does not run as root and there is no user `postgres` or `nobody`")
    }

    fn give(&self, folder: &Path) -> Result<()> {
        match self {
            Self::Ourselves => Ok(()),
            Self::User(user) => process::run(process::command("chown").arg(user).arg(folder)),
        }
    }

    /// A program as this user. `setpriv` becomes the program, so that signals reach it, and lets the system end it
    /// should this process die without a word.
    fn command(&self, program: &Path) -> Command {
        let mut command = match self {
            Self::Ourselves => process::command(program),
            Self::User(user) => {
                let mut setpriv = process::command("setpriv");
                setpriv
                    .arg(format!("--reuid={user}"))
                    .args(["--clear-groups", "--pdeathsig=QUIT", "--"])
                    .arg(program);
                setpriv
            }
        };
        command.current_dir("/");
        command
    }
}
