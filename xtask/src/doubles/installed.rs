//! The two packages: how each is installed under the target folder, started on a free port and ended.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

use super::talk::{ANSWER, COST, Expected, QUESTION, Shape, TOKENS};
use crate::bench::load::{self, Connection};
use crate::{paths, postgres, process, python, server, stamp};

/// What pip and npm say when they reach no registry.
const UNREACHED: [&str; 10] = [
    "Failed to establish a new connection",
    "Temporary failure in name resolution",
    "ConnectTimeoutError",
    "ProxyError",
    "Read timed out",
    "ENOTFOUND",
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ETIMEDOUT",
    "ENETUNREACH",
];
/// How long a double may take until it answers.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is asked of aimock in Google's shape and has no answer there: the list of models.
const GEMINI_LIST: &[u8] = b"GET /v1beta/models?";

/// What was installed, or why no registry was reached.
///
/// # Errors
/// Every other reason why it is not installed.
pub fn reached<T>(installed: Result<T>) -> Result<Result<T, String>> {
    match installed {
        Ok(installed) => Ok(Ok(installed)),
        Err(error) => {
            let said = format!("{error:#}");
            let unreached = UNREACHED.iter().find(|words| said.contains(**words));
            unreached.map_or(Err(error), |words| {
                Ok(Err(format!("its registry cannot be reached ({words})")))
            })
        }
    }
}

/// A process that ends with us.
struct Running {
    child: Child,
    address: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        process::signal(&self.child, Signal::TERM);
        let _gone = self.child.wait();
    }
}

/// `llmock` of PyPI.
pub struct Llmock {
    program: PathBuf,
}

/// It runs.
pub struct RunningLlmock(Running);

impl Llmock {
    /// In an environment of its own, each wheel compared with its hash.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn install() -> Result<Self> {
        let program = python::pinned("doubles")?.join("llmock");
        Ok(Self { program })
    }

    /// Starts it; it repeats what it was told.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn start(&self) -> Result<RunningLlmock> {
        let port = postgres::free_port()?.to_string();
        let mut command = process::command(&self.program);
        command.args(["serve", "--host", "127.0.0.1", "--port", &port]);
        command.args(["--response-style", "echo", "--log-level", "warning"]);
        let child = quietly(&mut command).spawn().context("cannot start llmock")?;
        let mut running = Running {
            child,
            address: format!("127.0.0.1:{port}"),
        };
        wait(&mut running).context("llmock")?;
        Ok(RunningLlmock(running))
    }
}

impl RunningLlmock {
    /// What it speaks.
    pub fn shapes(&self) -> Vec<Shape> {
        let shape = |provider, base: &str| {
            let base = format!("http://{}{base}", self.0.address);
            Shape::new("llmock", provider, base, Expected::Repeated)
        };
        vec![
            shape("openai", "/v1"),
            shape("anthropic", "/anthropic"),
            shape("google", "/gemini/v1beta"),
        ]
    }
}

/// `@copilotkit/aimock` of npm.
pub struct Aimock {
    program: PathBuf,
}

/// It runs.
pub struct RunningAimock {
    running: Running,
    _answers: TempDir,
}

impl Aimock {
    /// In a folder of its own, as its lock file says.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn install() -> Result<Self> {
        let folder = paths::target()?.join("doubles-npm");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let from = paths::root().join("xtask/doubles");
        let inputs = ["package.json", "package-lock.json"].map(|name| from.join(name));
        let modules = folder.join("node_modules");
        stamp::renew(&modules.join(".stamp"), &inputs, "npm packages for doubles", || {
            for input in &inputs {
                let name = input.file_name().context("a list of packages without a name")?;
                std::fs::copy(input, folder.join(name)).with_context(|| format!("cannot copy {}", input.display()))?;
            }
            let mut npm = process::command("npm");
            npm.current_dir(&folder)
                .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]);
            process::heard(npm)
        })?;
        let program = modules.join("@copilotkit/aimock/dist/cli.js");
        Ok(Self { program })
    }

    /// Starts it with the one answer that it knows.
    ///
    /// # Errors
    /// When it does not say where it listens.
    pub fn start(&self) -> Result<RunningAimock> {
        let answers = tempfile::tempdir()?;
        let [read, written] = TOKENS;
        // Every vendor has its own names for the same counts.
        let usage = json!({"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written, "cost": COST,
                           "input_tokens": read, "output_tokens": written,
                           "promptTokenCount": read, "candidatesTokenCount": written, "totalTokenCount": read + written});
        let known = json!({"fixtures": [{"match": {"userMessage": QUESTION},
                                         "response": {"content": ANSWER, "usage": usage}}]});
        std::fs::write(answers.path().join("answers.json"), known.to_string())?;
        let mut command = process::command("node");
        command
            .arg(&self.program)
            .args(["--host", "127.0.0.1", "--port", "0", "--strict", "--fixtures"]);
        command.arg(answers.path()).args(["--chunk-size", "3"]);
        let mut child = quietly(&mut command)
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start aimock")?;
        let output = child.stdout.take().context("no pipe from aimock")?;
        let address = server::listening(output).context("aimock")?;
        Ok(RunningAimock {
            running: Running { child, address },
            _answers: answers,
        })
    }
}

impl RunningAimock {
    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.running.address
    }

    /// What it speaks; Google's wire through `front`.
    pub fn shapes(&self, front: &str) -> Vec<Shape> {
        let shape = |provider, address: &str, base: &str| {
            let base = format!("http://{address}{base}");
            Shape::new("aimock", provider, base, Expected::Known)
        };
        vec![
            shape("openai", self.address(), "/v1"),
            shape("anthropic", self.address(), ""),
            shape("google", front, "/v1beta"),
            shape("openrouter", self.address(), "/api/v1"),
        ]
    }
}

fn quietly(command: &mut Command) -> &mut Command {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .env("PYTHONDONTWRITEBYTECODE", "1")
}

fn wait(running: &mut Running) -> Result<()> {
    let started = Instant::now();
    loop {
        let asked =
            Connection::open(&running.address).and_then(|mut connection| connection.ask(&load::get("/health", "")));
        if asked.is_ok_and(|status| status == 200) {
            return Ok(());
        }
        let ended = running.child.try_wait()?;
        if ended.is_some() || process::interrupted() || started.elapsed() > PATIENCE {
            bail!("it does not answer");
        }
        std::thread::sleep(process::GLANCE);
    }
}

/// Stands before aimock in Google's shape: it answers the list of models, which aimock does not have, and hands everything
/// else on as it came.
pub struct Front {
    address: String,
}

impl Front {
    /// Listens until this process ends.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn open(behind: &str) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port on 127.0.0.1")?;
        let address = listener.local_addr()?.to_string();
        let behind = behind.to_owned();
        std::thread::spawn(move || {
            for caller in listener.incoming().flatten() {
                let behind = behind.clone();
                std::thread::spawn(move || serve(caller, &behind));
            }
        });
        Ok(Self { address })
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }
}

fn serve(mut caller: TcpStream, behind: &str) -> std::io::Result<()> {
    let mut start = [0; GEMINI_LIST.len()];
    caller.read_exact(&mut start)?;
    if start == GEMINI_LIST {
        let list = json!({"models": [{"name": "models/gemini-2.5-flash", "displayName": "Gemini 2.5 Flash",
                                      "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536,
                                      "supportedGenerationMethods": ["generateContent"]}]})
        .to_string();
        // The request has no body: its head is all that comes before this answer.
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length:";
        write!(caller, "{head} {}\r\n\r\n{list}", list.len())?;
        caller.shutdown(Shutdown::Write)?;
        std::io::copy(&mut caller, &mut std::io::sink())?;
        return Ok(());
    }
    let mut vendor = TcpStream::connect(behind)?;
    vendor.write_all(&start)?;
    let (mut from, mut to) = (vendor.try_clone()?, caller.try_clone()?);
    let answers = std::thread::spawn(move || {
        let copied = std::io::copy(&mut from, &mut to);
        copied.and_then(|_| to.shutdown(Shutdown::Write))
    });
    std::io::copy(&mut caller, &mut vendor)?;
    vendor.shutdown(Shutdown::Write)?;
    drop(answers.join());
    Ok(())
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::reached;

    #[test]
    fn only_an_unreachable_registry_is_a_reason_to_skip() {
        let offline = anyhow!("npm error code EAI_AGAIN").context("npm packages");
        assert!(reached::<()>(Err(offline)).unwrap().unwrap_err().contains("EAI_AGAIN"));
        assert!(reached::<()>(Err(anyhow!("THESE PACKAGES DO NOT MATCH THE HASHES"))).is_err());
        assert_eq!(reached(Ok(1)).unwrap(), Ok(1));
    }
}
