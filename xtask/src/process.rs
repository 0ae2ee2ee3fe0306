//! Starting other programs: in a clean environment, with one sentence when they fail, and ended when we are interrupted.

use std::io::{BufRead, BufReader, PipeReader, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::paths;

static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Further names that mean something to this process alone; the server refuses unknown ones with its prefix.
const OURS: [&str; 5] = [
    "CARGO_BIN_NAME",
    "CARGO_CRATE_NAME",
    "CARGO_PRIMARY_PACKAGE",
    "AI_ACROSS_EVAL_DIR",
    "AI_ACROSS_YARDSTICK",
];

/// How often a waiting task looks at its child and at the interruption flag.
pub const GLANCE: Duration = Duration::from_millis(20);

/// Lines of a failed program's output that are told again.
const LAST_LINES: usize = 20;

/// From here on SIGINT and SIGTERM end the running step in order, so that servers it started are stopped and temporary
/// folders removed; a second signal ends this process at once.
///
/// # Errors
/// When the system refuses the handlers.
pub fn watch_signals() -> Result<()> {
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&INTERRUPTED))?;
        signal_hook::flag::register(signal, Arc::clone(&INTERRUPTED))?;
    }
    Ok(())
}

/// Whether SIGINT or SIGTERM arrived.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// `cargo` in the repository's top folder.
pub fn cargo() -> Command {
    command("cargo")
}

/// A program in the repository's top folder, without what the environment holds for this process alone: build scripts
/// watch some of the variables that `cargo xtask` adds and would run again at every change of the caller.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(paths::root());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let ours = name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        if ours || OURS.contains(&&*name) {
            command.env_remove(&*name);
        }
    }
    command
}

/// Runs a program to its end with our own input and output.
///
/// # Errors
/// When it cannot be started or ends unsuccessfully, or when we are interrupted.
pub fn run(command: &mut Command) -> Result<()> {
    let child = command.spawn().with_context(|| cannot_start(command))?;
    check(command, wait(child)?)
}

/// Runs a program and returns what it wrote to standard output; its standard error is ours.
///
/// # Errors
/// As [`run`], and when the output is not UTF-8.
pub fn capture(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| cannot_start(command))?;
    check(command, output.status)?;
    String::from_utf8(output.stdout).with_context(|| format!("{} printed something that is not UTF-8", name(command)))
}

/// Runs a program, shows its output as it comes and returns all of it (both streams in one) with the way it ended.
///
/// # Errors
/// When it cannot be started, or when we are interrupted.
pub fn tee(mut command: Command) -> Result<(ExitStatus, String)> {
    let (reader, writer) = std::io::pipe().context("no pipe for the program's output")?;
    command.stdout(writer.try_clone()?).stderr(writer).stdin(Stdio::null());
    let child = command.spawn().with_context(|| cannot_start(&command))?;
    // The command holds the pipe's writing end, without which the reader comes to an end.
    drop(command);
    let shown = std::thread::spawn(move || show(reader));
    let status = wait(child)?;
    let output = shown
        .join()
        .map_err(|_| anyhow::anyhow!("the thread that shows the output died"))??;
    Ok((status, output))
}

/// Runs a program to its end, shows its output, and tells the last lines of it if it fails.
///
/// # Errors
/// As [`run`].
pub fn heard(command: Command) -> Result<()> {
    let called = name(&command);
    let (status, output) = tee(command)?;
    if status.success() {
        return Ok(());
    }
    let lines: Vec<&str> = output.lines().collect();
    let last = lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default();
    bail!("{called} failed ({status}): {}", last.join("\n"))
}

fn show(reader: PipeReader) -> Result<String> {
    let mut reader = BufReader::new(reader);
    let mut all = String::new();
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        let mut out = std::io::stdout().lock();
        let _gone = out.write_all(&line).and_then(|()| out.flush());
        all.push_str(&String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok(all)
}

/// Waits for a child; if we are interrupted, asks it to end and waits for that.
///
/// # Errors
/// When we were interrupted.
pub fn wait(mut child: Child) -> Result<ExitStatus> {
    let mut told = false;
    loop {
        if let Some(status) = child.try_wait()? {
            if interrupted() {
                bail!("interrupted");
            }
            return Ok(status);
        }
        if interrupted() && !told {
            told = true;
            signal(&child, Signal::TERM);
        }
        std::thread::sleep(GLANCE);
    }
}

/// Sends a signal to a child that has not been waited for yet; one that is gone needs none.
pub fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _gone = rustix::process::kill_process(pid, signal);
    }
}

/// Sends a signal to the process group that a child leads, and thereby to everything it started.
pub fn signal_group(leader: &Child, signal: Signal) {
    if let Some(pid) = i32::try_from(leader.id()).ok().and_then(Pid::from_raw) {
        let _gone = rustix::process::kill_process_group(pid, signal);
    }
}

/// Fails with the command and its exit status unless it ended well.
///
/// # Errors
/// When it did not.
pub fn check(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("{} failed ({status})", name(command));
    }
    Ok(())
}

/// Whether a program of this name can be started.
pub fn exists(program: &str) -> bool {
    let found = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    found.is_ok_and(|status| status.success())
}

fn cannot_start(command: &Command) -> String {
    format!(
        "cannot start {}: is `{}` installed and in PATH?",
        name(command),
        command.get_program().to_string_lossy()
    )
}

fn name(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    format!(
        "`{}`",
        words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::{capture, command, run, tee};

    #[test]
    fn both_streams_are_kept_and_the_status_is_told() {
        let mut shell = command("sh");
        shell.args(["-c", "echo one; echo two >&2; exit 3"]);
        let (status, output) = tee(shell).unwrap();
        assert_eq!(status.code(), Some(3));
        assert_eq!(output, "one\ntwo\n");
    }

    #[test]
    fn a_failure_names_the_command() {
        let error = run(command("sh").args(["-c", "exit 4"])).unwrap_err().to_string();
        assert!(
            error.contains("`sh -c exit 4` failed") && error.contains('4'),
            "{error}"
        );
        let error = run(&mut command("no-such-program")).unwrap_err().to_string();
        assert!(error.contains("`no-such-program` installed"), "{error}");
    }

    #[test]
    fn what_cargo_set_for_this_process_is_not_handed_on() {
        let inherited = capture(command("sh").args(["-c", "echo \"$CARGO_PKG_NAME$CARGO_MANIFEST_DIR\""])).unwrap();
        assert_eq!(inherited.trim(), "");
    }
}
