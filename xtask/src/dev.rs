//! Backend and Vite with hot reload, stopped together.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::{console, paths, process, web};

/// Serves until one of the two ends or we are interrupted.
///
/// # Errors
/// When something does not build or start, or when one of the two ends by itself.
pub fn dev() -> Result<()> {
    web::check_node()?;
    web::install()?;
    process::run(process::cargo().args(["build", "--package", "across-server"]))?;
    let binary = paths::target()?.join("debug/ai-across");
    let mut backend = Group::start(process::command(&binary).arg("serve"))?;
    let mut vite = Group::start(web::npm().args(["run", "dev"]))?;
    console::say("web app with hot reload: http://localhost:5173 (Ctrl-C stops both)");
    while !process::interrupted() {
        if let Some(status) = backend.0.try_wait()? {
            bail!("ai-across ended by itself ({status}); its last lines above say why");
        }
        if let Some(status) = vite.0.try_wait()? {
            bail!("Vite ended by itself ({status}); its last lines above say why");
        }
        std::thread::sleep(process::GLANCE);
    }
    Ok(())
}

/// A program in a process group of its own, ended with everything it started when this is dropped.
struct Group(Child);

impl Group {
    fn start(command: &mut Command) -> Result<Self> {
        // Outside the terminal's foreground group a program that reads the terminal is stopped by the system; an open
        // pipe instead never ends, and never disturbs.
        let command = command.process_group(0).stdin(Stdio::piped());
        let started = command.spawn();
        Ok(Self(started.with_context(|| {
            format!("cannot start {}", command.get_program().display())
        })?))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        process::signal_group(&self.0, Signal::TERM);
        let _gone = self.0.wait();
    }
}
