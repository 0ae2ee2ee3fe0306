//! Documents to text in a child process. Documents are hostile until proven otherwise: one that exhausts memory or the
//! stack, or never ends, takes down a child that holds no secret and can open no file and no connection.

use std::{
    error::Error,
    io::{self, BufWriter, Read as _, Write as _},
    os::unix::process::ExitStatusExt as _,
    panic,
    path::{Path, PathBuf},
    process::{ExitCode, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use across::knowledge::extractor::{ExtractError, Extractor};
use across_extract::{Heading, Kind, MAX_CHARS, MAX_HEADINGS, Page, Text, Unreadable, extract};
use async_trait::async_trait;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use tokio::{
    io::AsyncReadExt as _,
    process::{Child, Command},
    sync::Semaphore,
    time::timeout,
};

/// Children at a time; each may take [`MEMORY`].
const CHILDREN: usize = 2;
/// How long a child may take by the clock.
const WALL_TIME: Duration = Duration::from_secs(120);
/// How long a child may compute, in seconds.
const CPU_SECONDS: u64 = 60;
/// Address space of a child, in bytes.
const MEMORY: u64 = 1024 * 1024 * 1024;
/// Makes the allocator reserve 32 MiB at a time, in KiB. By itself it reserves a gibibyte at the start, which alone would
/// use [`MEMORY`] up. With this a PDF of 5,000 pages and 28 MB took 130 MB.
const ALLOCATOR_STEP: (&str, &str) = ("MIMALLOC_ARENA_RESERVE", "32768");
/// The stack that parsers may fill, in bytes; part of [`MEMORY`].
const STACK: usize = 64 * 1024 * 1024;
/// The most that is read of an answer, in bytes: every character escaped, and the pages and headings.
const MAX_ANSWER: u64 = 6 * MAX_CHARS as u64 + 4 * 1024 * 1024;

/// What the child writes: the text, or why there is none.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Answer {
    Text {
        text: String,
        pages: Vec<(u32, usize, usize)>,
        #[serde(default)]
        headings: Vec<(u8, usize, usize)>,
    },
    Unreadable {
        code: String,
    },
}

/// Runs the parsers in child processes of this program.
pub struct ChildExtractor {
    program: PathBuf,
    wall_time: Duration,
    turn: Semaphore,
}

impl ChildExtractor {
    /// Children of the program that is running.
    ///
    /// # Errors
    /// If the system does not say where the program's file is.
    pub fn of_this_program() -> io::Result<Self> {
        Ok(Self::new(std::env::current_exe()?, WALL_TIME))
    }

    /// Children that run `program`, ended after `wall_time`.
    #[must_use]
    pub fn new(program: PathBuf, wall_time: Duration) -> Self {
        Self {
            program,
            wall_time,
            turn: Semaphore::new(CHILDREN),
        }
    }

    fn start(&self, kind: Kind, document: std::fs::File) -> io::Result<Child> {
        Command::new(&self.program)
            .args(["extract", "--kind", kind.as_str()])
            .env_clear()
            .env(ALLOCATOR_STEP.0, ALLOCATOR_STEP.1)
            .current_dir("/")
            .stdin(Stdio::from(document))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A group of its own, so that an interrupt from the terminal is not taken for the document's fault.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }
}

#[async_trait]
impl Extractor for ChildExtractor {
    async fn extract(&self, kind: Kind, path: &Path) -> Result<Text, ExtractError> {
        let _turn = self.turn.acquire().await.map_err(unavailable)?;
        let document = tokio::fs::File::open(path).await.map_err(unavailable)?.into_std().await;
        let mut child = self.start(kind, document).map_err(unavailable)?;
        let Ok(answered) = timeout(self.wall_time, hear(&mut child)).await else {
            return Err(Unreadable::TooComplex.into());
        };
        let (answer, status) = answered.map_err(unavailable)?;
        match status {
            Some(status) if status.success() => tokio::task::spawn_blocking(move || understand(&answer))
                .await
                .map_err(unavailable)?,
            Some(status) => Err(verdict(status)),
            None => Err(Unreadable::TooComplex.into()),
        }
    }
}

fn unavailable(error: impl Into<Box<dyn Error>>) -> ExtractError {
    ExtractError::Unavailable(error.into().to_string())
}

/// All that the child writes, and how it ended; no end if it wrote too much, in which case it is killed when dropped.
async fn hear(child: &mut Child) -> io::Result<(Vec<u8>, Option<ExitStatus>)> {
    let mut answer = Vec::new();
    if let Some(out) = child.stdout.take() {
        out.take(MAX_ANSWER).read_to_end(&mut answer).await?;
    }
    if answer.len() as u64 == MAX_ANSWER {
        return Ok((Vec::new(), None));
    }
    Ok((answer, Some(child.wait().await?)))
}

/// Whose fault it is that a child gave no answer.
fn verdict(status: ExitStatus) -> ExtractError {
    let asked_to_end = [Signal::TERM, Signal::INT, Signal::HUP].map(Signal::as_raw);
    match status.signal() {
        // Its limits, a full stack, no memory left: the document did that.
        Some(signal) if !asked_to_end.contains(&signal) => Unreadable::TooComplex.into(),
        // Somebody is ending our processes, or the child could not begin.
        _ => unavailable(status.to_string()),
    }
}

fn understand(answer: &[u8]) -> Result<Text, ExtractError> {
    match serde_json::from_slice(answer).map_err(unavailable)? {
        Answer::Unreadable { code } => {
            Err(Unreadable::from_code(&code).map_or_else(|| unavailable("unknown reason"), ExtractError::from))
        }
        Answer::Text { text, pages, headings } => {
            let text = Text {
                text,
                pages: pages
                    .into_iter()
                    .map(|(number, start, end)| Page { number, start, end })
                    .collect(),
                headings: headings
                    .into_iter()
                    .map(|(level, start, end)| Heading { level, start, end })
                    .collect(),
            };
            if is_coherent(&text) {
                Ok(text)
            } else {
                Err(unavailable("the answer contradicts itself"))
            }
        }
    }
}

/// Whether pages and headings are in order and lie within the text, and nothing is more than may be.
fn is_coherent(Text { text, pages, headings }: &Text) -> bool {
    let chars = text.chars().count();
    let pages_follow = pages
        .windows(2)
        .all(|pair| matches!(pair, [a, b] if a.end <= b.start && a.number < b.number));
    let headings_follow = headings
        .windows(2)
        .all(|pair| matches!(pair, [a, b] if a.end <= b.start));
    chars <= MAX_CHARS
        && headings.len() <= MAX_HEADINGS
        && pages_follow
        && headings_follow
        && pages.iter().all(|page| page.start <= page.end && page.end <= chars)
        && headings
            .iter()
            .all(|heading| (1..=6).contains(&heading.level) && heading.start < heading.end && heading.end <= chars)
}

/// The child: limits itself, reads the document from standard input, and writes the answer to standard output.
#[must_use]
pub fn child(kind: Kind) -> ExitCode {
    // Nobody reads what a panic says, and saying it would open files.
    panic::set_hook(Box::new(|_| {}));
    let done = limit().and_then(|()| {
        let reader = thread::Builder::new().stack_size(STACK).spawn(move || answer(kind))?;
        reader
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the reader panicked")))
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // For whoever runs this by hand; the server does not listen.
            let _ = writeln!(io::stderr(), "ai-across: {error}");
            ExitCode::FAILURE
        }
    }
}

fn limit() -> io::Result<()> {
    for (resource, most) in [
        (Resource::As, MEMORY),
        (Resource::Cpu, CPU_SECONDS),
        // Only what is open already: no other file, no connection.
        (Resource::Nofile, 3),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ] {
        // A stricter limit of the operator's stays.
        let most = Some(getrlimit(resource).maximum.map_or(most, |given| given.min(most)));
        setrlimit(
            resource,
            Rlimit {
                current: most,
                maximum: most,
            },
        )?;
    }
    Ok(())
}

fn answer(kind: Kind) -> io::Result<()> {
    let mut document = Vec::new();
    io::stdin().lock().read_to_end(&mut document)?;
    let answer = match extract(kind, &document) {
        Ok(Text { text, pages, headings }) => Answer::Text {
            text,
            pages: pages
                .into_iter()
                .map(|page| (page.number, page.start, page.end))
                .collect(),
            headings: headings
                .into_iter()
                .map(|heading| (heading.level, heading.start, heading.end))
                .collect(),
        },
        Err(reason) => Answer::Unreadable {
            code: reason.code().to_owned(),
        },
    };
    drop(document);
    let mut out = BufWriter::new(io::stdout().lock());
    serde_json::to_writer(&mut out, &answer)?;
    out.flush()
}
