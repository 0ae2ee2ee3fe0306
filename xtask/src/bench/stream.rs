//! What the product adds to a provider's answers: time to the first word and processor time, at 1 to 2,000 answers at once.

pub mod chats;
pub mod people;
pub mod report;
pub mod script;
pub mod vendor;
pub mod watched;

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

use super::load::{self, Outcome};
use super::yardstick::Yardstick;
use crate::server::Server;
use crate::{console, paths};
use chats::{Heard, Wave, Wire};
use people::People;
use report::{FAULTLESS, Level, two};
use script::{TOKEN, TOKENS};
use vendor::{PAUSE, Vendor};
use watched::Watched;

/// Streams at once.
const STREAMS: [usize; 6] = [1, 50, 200, 500, 1000, 2000];
/// Questions in one conversation.
const QUESTIONS: usize = 5;
/// How long is measured; a single stream asks too seldom for that.
const MEASURED: Duration = Duration::from_secs(5);
const MEASURED_ALONE: Duration = Duration::from_secs(12);
const QUESTION: &str = "Please write a short press release about the opening of our new office in Haifa.";
const DOCUMENT: &str =
    "Opening hours.\n\nThe office opens at nine in the morning and closes at five in the afternoon.\n";

const OURS: Wire = Wire {
    words: "\"type\":\"chunk\"",
    whole: &[
        "\"type\":\"done\"",
        "\"completion_tokens\":50",
        "\"finish_reason\":\"stop\"",
    ],
};
const DIRECT: Wire = Wire {
    words: "\"content\":\"word",
    whole: &["data: [DONE]", "\"completion_tokens\":50"],
};
const YARDSTICK: Wire = Wire {
    words: "\"type\": \"chunk\"",
    whole: &["\"type\": \"done\"", "\"completion_tokens\": 50"],
};

/// Measures the product beside the fake provider asked directly, and beside the yardstick's relay if there is one.
///
/// # Errors
/// When something does not start, or the product's books do not agree with what was asked.
pub fn measure(binary: &Path, yardstick: Option<&Path>) -> Result<Value> {
    allow_many_connections();
    let vendor = Vendor::start()?;
    let data = tempfile::tempdir()?;
    let environment = [
        ("OPENAI_API_KEY", "sk-fake-provider".to_owned()),
        ("AI_ACROSS_OPENAI_BASE_URL", format!("http://{}/v1", vendor.address)),
        ("AI_ACROSS_EMBEDDING_MODEL", script::EMBEDDER.to_owned()),
        ("AI_ACROSS_MAX_STREAMS_PER_USER", FAULTLESS.to_string()),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), OsString::from(value)));
    // Under too much load it has much to say, which would tear the table apart.
    let log = paths::target()?.join("bench/stream.log");
    std::fs::create_dir_all(log.parent().context("no folder for the log")?)?;
    let log_file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let server = Server::start_with(binary, data.path(), &environment, Some(log_file))?;
    let mut bench = Bench {
        people: People::move_in(&server)?,
        server,
        vendor,
    };
    let mut levels = Vec::new();
    for streams in STREAMS {
        levels.push(bench.level(streams)?);
    }
    bench.check_books(&levels)?;
    report::print(&levels);
    console::say(&format!("the server's own words are in {}", log.display()));
    let knowledge = bench.knowledge(&levels[0])?;
    let mut figures = json!({"knowledge": knowledge.json(), "yardstick": bench.yardstick(yardstick, &levels)?});
    figures["targets"] = report::targets(&levels, &knowledge);
    figures["levels"] = levels.iter().map(Level::json).collect();
    Ok(figures)
}

/// Two thousand streams are four thousand connections, and some systems begin with room for a thousand.
fn allow_many_connections() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let _kept = setrlimit(Resource::Nofile, raised);
}

struct Bench {
    server: Server,
    vendor: Vendor,
    people: People,
}

impl Bench {
    fn level(&self, streams: usize) -> Result<Level> {
        let answers = usize::try_from(duration(streams).as_millis() / answer_time().as_millis())? + 2;
        let each = answers.div_ceil(QUESTIONS);
        let conversations = self.people.conversations(&self.people.assistant, streams, each)?;
        self.ask(streams, &conversations)
    }

    /// The provider alone and then the product, as so many streams.
    fn ask(&self, streams: usize, conversations: &[Vec<String>]) -> Result<Level> {
        let direct = self.direct(streams)?;
        let before = self.vendor.calls()?;
        let mut watched = Watched::new([self.server.pid(), self.vendor.pid(), std::process::id()]);
        let wave = self.wave(conversations);
        let heard = wave.run(|moment| watched.look(moment, self.server.resident()?))?;
        let after = self.vendor.calls()?;
        let cores = watched.cores();
        let answers = heard.ended.max(1) as f64;
        let (through, whole) = outcomes(&heard);
        let level = Level {
            streams,
            direct,
            through,
            whole,
            cores,
            others: watched.others(),
            processor: watched.processor(0) * 1000.0 / answers,
            resident: watched.resident as f64 / f64::from(1 << 20),
            asked: heard.asked,
            rate: heard.ended as f64 / watched.period.as_secs_f64(),
            calls: (after.0 - before.0, after.1 - before.1),
            errors: heard.errors,
        };
        for error in level.errors.iter().take(3) {
            console::complain(&format!("at {streams} streams: {error}"));
        }
        Ok(level)
    }

    fn direct(&self, streams: usize) -> Result<Outcome> {
        let body = json!({"model": script::MODEL, "stream": true, "stream_options": {"include_usage": true},
                          "messages": [{"role": "user", "content": QUESTION}]});
        let request = load::post("/v1/chat/completions", "", &body.to_string());
        let wave = Wave {
            address: &self.vendor.address,
            streams: vec![vec![request]; streams],
            repeat: 1,
            ramp: answer_time(),
            measured: duration(streams),
            wire: DIRECT,
        };
        let heard = wave.run(|_| Ok(()))?;
        ensure!(heard.errors.is_empty(), "the fake provider failed: {:?}", heard.errors);
        Ok(outcomes(&heard).0)
    }

    fn wave(&self, conversations: &[Vec<String>]) -> Wave<'_> {
        let body = json!({"content": QUESTION, "stream": true}).to_string();
        let ask = |stream: usize, conversation: &String| {
            let path = format!("/api/v1/conversations/{conversation}/messages");
            load::post(&path, self.people.authorization(stream), &body)
        };
        let streams = conversations.iter().enumerate().map(|(stream, conversations)| {
            conversations
                .iter()
                .map(|conversation| ask(stream, conversation))
                .collect()
        });
        Wave {
            address: &self.server.address,
            streams: streams.collect(),
            repeat: QUESTIONS,
            ramp: answer_time(),
            measured: duration(conversations.len()),
            wire: OURS,
        }
    }

    /// The same chat with a file to search, one stream.
    fn knowledge(&mut self, bare: &Level) -> Result<Level> {
        let client = &mut self.people.client;
        let assistant = client.make("/assistants", &people::assistant("Knows the hours"))?;
        client.upload(&assistant, "hours.txt", DOCUMENT)?;
        client.wait_until_ready(&assistant)?;
        let conversations = self.people.conversations(&assistant, 1, QUESTIONS)?;
        let level = self.ask(1, &conversations)?;
        console::say(&format!(
            "\nwith knowledge, 1 stream: first word after {:.2} ms, {:.2} ms more than without; {} questions, {} chat and {} embedding calls",
            level.through.p50,
            level.through.p50 - bare.through.p50,
            level.asked,
            level.calls.0,
            level.calls.1
        ));
        Ok(level)
    }

    /// Makes sure that what was measured is the whole product: every answer is stored and charged.
    fn check_books(&self, levels: &[Level]) -> Result<()> {
        let broken = levels.iter().any(|level| !level.errors.is_empty());
        let asked: usize = levels.iter().map(|level| level.asked).sum();
        let (used, reserved) = self.people.tokens()?;
        let expected = (asked * (script::PROMPT_TOKENS + TOKENS)) as u64;
        ensure!(
            broken || (used, reserved) == (expected, 0),
            "the quota counted {used} tokens and holds {reserved}, instead of {expected} and none"
        );
        let usage = self.people.client.get("/usage?limit=1")?;
        ensure!(
            broken || usage["total"] == json!(asked),
            "the usage log has {} rows, and {asked} questions were asked",
            usage["total"]
        );
        let own = self.people.conversations(&self.people.assistant, 1, 1)?;
        let heard = Wave {
            measured: Duration::ZERO,
            ..self.wave(&own)
        };
        heard.run(|_| Ok(()))?;
        let message = self.people.last_message(&own[0][0])?;
        ensure!(
            message["content"] == json!(TOKEN.repeat(TOKENS)) && message["status"] == "complete",
            "an answer is stored otherwise than it was sent: {message}"
        );
        Ok(())
    }

    fn yardstick(&self, folder: Option<&Path>, levels: &[Level]) -> Result<Value> {
        let Some(folder) = folder else {
            console::complain(
                "SKIPPED: the comparison with the FastAPI yardstick needs its folder; name it with --yardstick or AI_ACROSS_YARDSTICK",
            );
            return Ok(json!("skipped: no folder was named"));
        };
        let yardstick = Yardstick::start(folder, Some(&self.vendor.address))?;
        let (mut rows, mut cells) = (Vec::new(), Vec::new());
        for level in levels.iter().filter(|level| level.streams <= 500) {
            let body = json!({"content": QUESTION, "model": script::MODEL}).to_string();
            let mut watched = Watched::new([yardstick.pid(), self.vendor.pid(), std::process::id()]);
            let wave = Wave {
                address: yardstick.peer().address,
                streams: vec![vec![load::post("/api/v1/conversations/1/messages", "", &body)]; level.streams],
                repeat: 1,
                ramp: answer_time(),
                measured: duration(level.streams),
                wire: YARDSTICK,
            };
            let heard = wave.run(|moment| watched.look(moment, 0))?;
            ensure!(
                heard.errors.is_empty(),
                "the yardstick failed: {:?}",
                heard.errors.first()
            );
            let added = outcomes(&heard).0.p50 - level.direct.p50;
            let processor = watched.processor(0) * 1000.0 / heard.ended.max(1) as f64;
            rows.push([
                level.streams.to_string(),
                two(level.added()),
                two(added),
                two(level.processor),
                two(processor),
            ]);
            cells.push(json!({"streams": level.streams, "added_ms": added, "processor_ms": processor}));
        }
        console::say("\nbeside the FastAPI relay, which stores nothing and checks nobody");
        let head = [
            "streams",
            "ours adds ms",
            "relay adds ms",
            "our CPU ms",
            "relay's CPU ms",
        ];
        console::say(&console::table(head, &rows));
        Ok(Value::Array(cells))
    }
}

/// How long an answer takes that nothing holds back.
fn answer_time() -> Duration {
    PAUSE * TOKENS as u32
}

fn duration(streams: usize) -> Duration {
    if streams == 1 { MEASURED_ALONE } else { MEASURED }
}

/// Times to the first word, and the median time to the end in milliseconds.
fn outcomes(heard: &Heard) -> (Outcome, f64) {
    let first = Outcome::new(heard.first.clone(), MEASURED);
    (first, Outcome::new(heard.whole.clone(), MEASURED).p50)
}
