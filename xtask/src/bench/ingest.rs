//! How long files take from upload to ready, how many calls they cost, and whether memory stays flat over a thousand of them.

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::stream::script;
use super::stream::vendor::Vendor;
use super::target;
use crate::client::Client;
use crate::server::Server;
use crate::{console, paths, process};

/// Each file is measured so often, on fresh content; the median counts.
const RUNS: usize = 5;
/// Files of the long run, and the assistants they belong to: one takes 500 at most.
const FILES: usize = 1_000;
const ASSISTANTS: usize = 4;
/// How often the state of files is looked at.
const GLANCE: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(1_800);
const PDF: &str = "crates/extract/tests/corpus/nettle-manual.pdf";
/// Where the words of the texts come from, and how many of them.
const TOKENIZER: &str = "assets/embedding/tokenizer.json";
const WORDS: usize = 10_000;
const MIB: f64 = (1 << 20) as f64;

/// Measures single files with a provider that answers at once and with the built-in embedder, then a thousand files.
///
/// # Errors
/// When something does not start, or a file ends in error.
pub fn measure(binary: &Path) -> Result<Value> {
    let pdf = std::fs::read(paths::root().join(PDF)).with_context(|| format!("cannot read {PDF}"))?;
    let words = Vocabulary::read()?;
    let vendor = Vendor::start()?;
    let data = tempfile::tempdir()?;
    let environment = [
        ("OPENAI_API_KEY", "sk-fake-provider".to_owned()),
        ("AI_ACROSS_OPENAI_BASE_URL", format!("http://{}/v1", vendor.address)),
        ("AI_ACROSS_EMBEDDING_MODEL", script::EMBEDDER.to_owned()),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), OsString::from(value)));
    let server = Server::start_with(binary, data.path(), &environment, None)?;
    let mut bench = Bench {
        client: Client::sign_in(&server)?,
        server,
        vendor: Some(vendor),
    };
    // The first file of all pays for what is made at its first use.
    bench.single("warm-up", 1, |_| words.prose(0, 20_000).into_bytes())?;
    let text = bench.single("text of 1 MB", RUNS, |run| words.prose(run, 1_000_000).into_bytes())?;
    let pages = bench.single("PDF of 111 pages", RUNS, |_| pdf.clone())?;
    let many = bench.many(&words)?;
    drop(bench);

    let data = tempfile::tempdir()?;
    let server = Server::start(binary, data.path())?;
    let mut built_in = Bench {
        client: Client::sign_in(&server)?,
        server,
        vendor: None,
    };
    let small = |run| words.prose(run, 20_000).into_bytes();
    built_in.single("warm-up, built-in embedder", 1, small)?;
    let slow_text = built_in.single("text of 1 MB, built-in embedder", 1, |run| {
        words.prose(run, 1_000_000).into_bytes()
    })?;
    let slow_pages = built_in.single("PDF of 111 pages, built-in embedder", 1, |_| pdf.clone())?;

    let (first, second) = many.resident;
    let rows = [&text, &pages, &slow_text, &slow_pages].map(|found| {
        [
            found.what.to_owned(),
            format!("{:.3}", found.seconds),
            found.chunks.to_string(),
            found.calls.to_string(),
        ]
    });
    console::say(&console::table(["file", "seconds to ready", "chunks", "calls"], &rows));
    console::say(&format!(
        "{FILES} files of 20 kB over {ASSISTANTS} assistants: {:.1} s, {:.1} files a second, {} calls; resident at most {:.1} MiB \
         in the first half and {:.1} MiB in the second",
        many.seconds,
        FILES as f64 / many.seconds,
        many.calls,
        first / MIB,
        second / MIB
    ));
    let targets = [
        target(
            "1 MB of text is ready in at most 1 s",
            text.seconds,
            text.seconds <= 1.0,
        ),
        target("and takes at most 25 calls", text.calls as f64, text.calls <= 25),
        target(
            "a PDF of 111 pages is ready in at most 1.5 s",
            pages.seconds,
            pages.seconds <= 1.5,
        ),
        target(
            "memory in the second half of a thousand files is at most 10 % more than in the first",
            second / first,
            second <= first * 1.1,
        ),
    ];
    Ok(json!({
        "files": [text.json(), pages.json(), slow_text.json(), slow_pages.json()],
        "many": {"files": FILES, "seconds": many.seconds, "calls": many.calls,
                 "resident_first_half": first, "resident_second_half": second},
        "targets": targets,
    }))
}

struct Bench {
    client: Client,
    server: Server,
    vendor: Option<Vendor>,
}

/// What one kind of file took.
struct Single {
    what: &'static str,
    seconds: f64,
    chunks: u64,
    calls: u64,
}

impl Single {
    fn json(&self) -> Value {
        json!({"what": self.what, "seconds": self.seconds, "chunks": self.chunks, "calls": self.calls})
    }
}

/// What many files took.
struct Many {
    seconds: f64,
    calls: u64,
    /// The largest resident set in bytes, in the first and in the second half.
    resident: (f64, f64),
}

impl Bench {
    fn calls(&self) -> Result<u64> {
        self.vendor.as_ref().map_or(Ok(0), |vendor| Ok(vendor.calls()?.1))
    }

    /// The median time from the first byte sent to ready, each in an assistant of its own.
    fn single(&mut self, what: &'static str, runs: usize, content: impl Fn(usize) -> Vec<u8>) -> Result<Single> {
        let name = if what.starts_with("PDF") {
            "manual.pdf"
        } else {
            "text.txt"
        };
        let mut found = Single {
            what,
            seconds: 0.0,
            chunks: 0,
            calls: 0,
        };
        let mut times = Vec::new();
        for run in 0..runs {
            self.client.renew()?;
            let assistant = self.client.assistant(&format!("{what} {run}"))?;
            let (content, before) = (content(run), self.calls()?);
            let begun = Instant::now();
            let id = self.client.upload(&assistant, name, &content)?;
            found.chunks = self.ready(&id)?;
            times.push(begun.elapsed().as_secs_f64());
            found.calls = self.calls()? - before;
        }
        times.sort_by(f64::total_cmp);
        found.seconds = times[times.len() / 2];
        Ok(found)
    }

    /// Waits for a file, and returns how many chunks it has.
    fn ready(&mut self, id: &str) -> Result<u64> {
        let (begun, mut renewed) = (Instant::now(), Instant::now());
        loop {
            let file = self.client.get(&format!("/files/{id}/status"))?;
            match file["status"].as_str() {
                Some("ready") => return file["chunk_count"].as_u64().context("no chunk_count"),
                Some("error") => bail!("a file could not be indexed: {}", file["error_message"]),
                _ if process::interrupted() || begun.elapsed() > PATIENCE => bail!("gave up waiting for a file"),
                _ => std::thread::sleep(GLANCE),
            }
            if renewed.elapsed() > Duration::from_secs(300) {
                self.client.renew()?;
                renewed = Instant::now();
            }
        }
    }

    /// Uploads a thousand files and waits until all are ready.
    fn many(&mut self, words: &Vocabulary) -> Result<Many> {
        self.client.renew()?;
        let assistants: Vec<String> = (0..ASSISTANTS)
            .map(|number| self.client.assistant(&format!("Many {number}")))
            .collect::<Result<_>>()?;
        let before = self.calls()?;
        let begun = Instant::now();
        let mut resident = Vec::new();
        for number in 0..FILES {
            let assistant = &assistants[number % ASSISTANTS];
            let content = words.prose(1_000 + number, 20_000);
            self.client
                .upload(assistant, &format!("{number}.txt"), content.as_bytes())?;
            if number % 20 == 0 {
                resident.push(self.server.resident()?);
            }
        }
        loop {
            resident.push(self.server.resident()?);
            let listed = self.client.get("/admin/jobs?limit=1")?;
            if listed["total"] == json!(0) {
                break;
            }
            if process::interrupted() || begun.elapsed() > PATIENCE {
                bail!("gave up waiting for a thousand files");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        let seconds = begun.elapsed().as_secs_f64();
        let failed = self.client.get("/files?status=error&limit=1")?;
        if failed["total"] != json!(0) {
            bail!("a file could not be indexed: {}", failed["files"][0]["error_message"]);
        }
        let (first, second) = resident.split_at(resident.len() / 2);
        let most = |half: &[u64]| half.iter().max().copied().unwrap_or_default() as f64;
        Ok(Many {
            seconds,
            calls: self.calls()? - before,
            resident: (most(first), most(second)),
        })
    }
}

/// Words to make prose of.
struct Vocabulary(Vec<String>);

impl Vocabulary {
    /// English words, the most frequent first: the vocabulary of the built-in embedder is in that order.
    fn read() -> Result<Self> {
        let path = paths::root().join(TOKENIZER);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {TOKENIZER}"))?;
        let tokenizer: Value = serde_json::from_str(&text).with_context(|| format!("{TOKENIZER} is not JSON"))?;
        let pieces = tokenizer["model"]["vocab"].as_object().context("no vocabulary")?;
        let mut words: Vec<_> = pieces
            .iter()
            .filter(|(piece, _)| piece.len() > 1 && piece.bytes().all(|byte| byte.is_ascii_lowercase()))
            .map(|(word, rank)| (rank.as_u64(), word.clone()))
            .collect();
        words.sort_unstable();
        Ok(Self(words.into_iter().take(WORDS).map(|(_, word)| word).collect()))
    }

    /// Prose of so many bytes, in sentences and paragraphs, another for each `seed`, with each word as often as its rank
    /// has it in English (Zipf's law).
    fn prose(&self, seed: usize, bytes: usize) -> String {
        let mut text = format!("Report number {seed}.\n\n");
        // A linear congruential generator (Knuth's MMIX): the same words in every run.
        let mut state = seed as u64 + 1;
        let mut words = 0;
        while text.len() < bytes {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let chance = (state >> 11) as f64 / (1_u64 << 53) as f64;
            let rank = (self.0.len() as f64).powf(chance) as usize;
            text.push_str(&self.0[rank.min(self.0.len()) - 1]);
            words += 1;
            text.push_str(match words {
                n if n % 120 == 0 => ".\n\n",
                n if n % 12 == 0 => ". ",
                _ => " ",
            });
        }
        text
    }
}
