//! A program on another stack that the same requests are sent to; it is no part of this repository.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::load::{self, Connection, Load, Outcome};
use super::requests::Kind;
use crate::{postgres, process, python};

/// How long it may take until it answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// The running yardstick; dropping it stops it and removes its data.
pub struct Yardstick {
    child: Child,
    address: String,
    _data: TempDir,
}

impl Yardstick {
    /// Makes its environment under the target folder and starts it, with the provider that it relays, if it is to.
    ///
    /// # Errors
    /// When its packages cannot be had or it does not answer.
    pub fn start(folder: &Path, upstream: Option<&str>) -> Result<Self> {
        let folder = folder
            .canonicalize()
            .with_context(|| format!("no folder {}", folder.display()))?;
        let programs = python::environment("yardstick", &folder.join("requirements.txt"), &[])?;
        let data = tempfile::tempdir()?;
        let port = postgres::free_port()?.to_string();
        let mut command = process::command(programs.join("uvicorn"));
        command
            .current_dir(&folder)
            .args(["app:app", "--host", "127.0.0.1", "--log-level", "warning"]);
        command
            .arg("--port")
            .arg(&port)
            .env("DB", data.path().join("yardstick.db"))
            .env("PYTHONDONTWRITEBYTECODE", "1");
        if let Some(upstream) = upstream {
            // The faster one of its two ways to read a stream.
            command
                .env("UPSTREAM", format!("http://{upstream}/v1"))
                .env("CLIENT", "aiohttp");
        }
        let child = command.stdin(Stdio::null()).spawn().context("cannot start uvicorn")?;
        let mut yardstick = Self {
            child,
            address: format!("127.0.0.1:{port}"),
            _data: data,
        };
        yardstick.wait_until_ready()?;
        Ok(yardstick)
    }

    /// Where it is asked.
    pub fn peer(&self) -> Peer<'_> {
        Peer {
            address: &self.address,
            authorization: "",
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let started = Instant::now();
        loop {
            let asked = Connection::open(&self.address)
                .and_then(|mut connection| connection.ask(&load::get("/api/v1/health", "")));
            if asked.is_ok_and(|status| status == 200) {
                return Ok(());
            }
            let ended = self.child.try_wait()?;
            if ended.is_some() || process::interrupted() || started.elapsed() > PATIENCE {
                bail!("the yardstick does not answer");
            }
            std::thread::sleep(process::GLANCE);
        }
    }
}

impl Drop for Yardstick {
    fn drop(&mut self) {
        process::signal(&self.child, Signal::TERM);
        let _gone = self.child.wait();
    }
}

/// One of the two that are compared.
#[derive(Clone, Copy)]
pub struct Peer<'a> {
    /// As `HOST:PORT`.
    pub address: &'a str,
    /// The header's value; empty where nobody asks for one.
    pub authorization: &'a str,
}

impl Peer<'_> {
    /// Makes sure that its list has as many rows as are compared; none if it has no such list.
    ///
    /// # Errors
    /// When it answers something else.
    pub fn check(self, kind: Kind) -> Result<Option<()>> {
        let mut connection = Connection::open(self.address)?;
        let status = connection.ask(&self.request(kind))?;
        if status == 404 {
            return Ok(None);
        }
        let answer: Value = serde_json::from_slice(connection.body()).unwrap_or_default();
        let rows = answer[kind.name()].as_array().map_or(0, Vec::len);
        if status != 200 || rows != kind.rows() {
            bail!(
                "{} lists {rows} {} with status {status} instead of {}",
                self.address,
                kind.name(),
                kind.rows()
            );
        }
        Ok(Some(()))
    }

    /// Measures its list.
    ///
    /// # Errors
    /// When an answer is no success.
    pub fn list(self, kind: Kind, connections: usize) -> Result<Outcome> {
        let request = self.request(kind);
        let load = Load {
            address: self.address,
            connections,
            expected: 200,
        };
        load.steady(|_| request.clone())
    }

    fn request(self, kind: Kind) -> Vec<u8> {
        let path = format!("/api/v1/{}?limit={}", kind.name(), kind.rows());
        load::get(&path, self.authorization)
    }
}
