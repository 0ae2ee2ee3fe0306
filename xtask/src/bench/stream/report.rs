//! What the streaming benchmark has found: its table, what held it back, and which targets are met.

use serde_json::{Value, json};

use super::script::TOKENS;
use super::vendor::PAUSE;
use crate::bench::load::Outcome;
use crate::bench::target;
use crate::console;

/// Streams that must all go well.
pub const FAULTLESS: usize = 2000;
/// Streams at which the product is held to a time, and the time that it may add to the first word, in milliseconds.
const ADDED: [(usize, f64); 4] = [(1, 3.0), (50, 5.0), (200, 10.0), (500, 20.0)];
/// Processor time of the server for one answer, in milliseconds, at so many streams.
const PROCESSOR: (usize, f64) = (200, 2.0);
/// Resident set in MiB, at so many streams.
const RESIDENT: (usize, f64) = (1000, 250.0);
/// What searching the files may add to the first word, in milliseconds.
const RETRIEVAL: f64 = 10.0;
/// Cores that other programs may keep busy without disturbing.
const DISTURBED: f64 = 0.2;
/// The share of a core from which on a process of one thread, or all cores together, can hardly do more.
const BUSY: f64 = 0.9;

/// What was measured at so many streams.
pub struct Level {
    /// Streams at once.
    pub streams: usize,
    /// The provider asked directly: times to the first word.
    pub direct: Outcome,
    /// The provider asked through the product.
    pub through: Outcome,
    /// Half of the answers ended no later, in milliseconds.
    pub whole: f64,
    /// Of the server, the provider and this program, while it was measured.
    pub cores: [f64; 3],
    /// Cores that other programs kept busy meanwhile.
    pub others: f64,
    /// Processor time of the server for each answer, in milliseconds.
    pub processor: f64,
    /// The largest resident set of the server, in MiB.
    pub resident: f64,
    /// Questions, those that were not measured with them.
    pub asked: usize,
    /// Answers that ended in a second, while it was measured.
    pub rate: f64,
    /// Calls that the provider has answered: chats and embeddings.
    pub calls: (u64, u64),
    /// What went wrong.
    pub errors: Vec<String>,
}

impl Level {
    /// What the product adds to the median time to the first word, in milliseconds.
    pub fn added(&self) -> f64 {
        self.through.p50 - self.direct.p50
    }

    /// All of it.
    pub fn json(&self) -> Value {
        let [server, provider, client] = self.cores;
        json!({"streams": self.streams, "direct_p50_ms": self.direct.p50, "direct_p99_ms": self.direct.p99,
               "through_p50_ms": self.through.p50, "through_p99_ms": self.through.p99, "added_p50_ms": self.added(),
               "answer_p50_ms": self.whole, "answers_per_second": self.rate, "processor_ms": self.processor,
               "cores": {"server": server, "provider": provider, "client": client, "others": self.others},
               "resident_mib": self.resident,
               "asked": self.asked, "chat_calls": self.calls.0, "embedding_calls": self.calls.1, "errors": self.errors.len()})
    }

    /// What held it back, in words.
    fn limit(&self, machine: f64) -> String {
        let [server, provider, client] = self.cores;
        let all = server + provider + client + self.others;
        let who = if all >= BUSY * machine {
            format!("the machine's {machine:.0} cores are the limit")
        } else if provider >= BUSY {
            "the fake provider's one thread is the limit".to_owned()
        } else if client >= BUSY {
            "the load's one thread is the limit".to_owned()
        } else {
            "no processor is at its limit, so the server waits".to_owned()
        };
        format!(
            "{} at once: {who}: {all:.1} cores busy (server {server:.1}, fake provider {provider:.1}, load {client:.1}, \
             others {:.1}); an answer takes {:.0} ms instead of {}",
            self.streams,
            self.others,
            self.whole,
            (PAUSE * TOKENS as u32).as_millis()
        )
    }
}

/// The table, and what the limit was.
pub fn print(levels: &[Level]) {
    let row = |level: &Level| {
        [
            level.streams.to_string(),
            two(level.direct.p50),
            two(level.through.p50),
            two(level.added()),
            two(level.through.p99 - level.direct.p99),
            format!("{:.0}", level.rate),
            two(level.processor),
            format!("{:.0}", level.resident),
            level.errors.len().to_string(),
        ]
    };
    let head = [
        "streams",
        "direct p50 ms",
        "through p50 ms",
        "added p50 ms",
        "added p99 ms",
        "answers/s",
        "CPU ms each",
        "resident MiB",
        "errors",
    ];
    let rows: Vec<_> = levels.iter().map(row).collect();
    console::say(&console::table(head, &rows));
    let machine = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    for level in levels {
        console::say(&level.limit(machine as f64));
    }
    if levels.iter().any(|level| level.others > DISTURBED) {
        console::complain(
            "other programs were busy meanwhile: these figures say little, measure again on a quiet machine",
        );
    }
}

/// Says of every target whether it was met.
pub fn targets(levels: &[Level], knowledge: &Level) -> Value {
    let at = |streams: usize| levels.iter().find(move |level| level.streams == streams);
    let mut targets = Vec::new();
    for (streams, most) in ADDED {
        if let Some(level) = at(streams) {
            let what = format!("at most {most} ms added to the first word at {streams} streams, median");
            targets.push(target(&what, level.added(), level.added() <= most));
        }
    }
    let (streams, most) = PROCESSOR;
    if let Some(level) = at(streams) {
        let what = format!("at most {most} ms of CPU for an answer at {streams} streams");
        targets.push(target(&what, level.processor, level.processor <= most));
    }
    let (streams, most) = RESIDENT;
    if let Some(level) = at(streams) {
        let what = format!("at most {most} MiB resident at {streams} streams");
        targets.push(target(&what, level.resident, level.resident <= most));
    }
    if let Some(level) = at(FAULTLESS) {
        let what = format!("no error at {FAULTLESS} streams");
        targets.push(target(&what, level.errors.len() as f64, level.errors.is_empty()));
    }
    // A question that was refused may have come to no call.
    let one_each = |level: &Level| {
        let (calls, asked, failed) = (level.calls.0, level.asked as u64, level.errors.len() as u64);
        calls <= asked && calls + failed >= asked
    };
    let calls = |levels: &[Level]| {
        let (calls, asked) = levels.iter().fold((0.0, 0.0), |(calls, asked), level| {
            (calls + level.calls.0 as f64, asked + level.asked as f64)
        });
        calls / asked
    };
    let what = "one model call for each question";
    targets.push(target(what, calls(levels), levels.iter().all(one_each)));
    let what = "one model call for each question with knowledge";
    targets.push(target(
        what,
        calls(std::slice::from_ref(knowledge)),
        one_each(knowledge),
    ));
    if let Some(bare) = at(1) {
        let added = knowledge.through.p50 - bare.through.p50;
        let what = format!("at most {RETRIEVAL} ms added by searching the files, median");
        targets.push(target(&what, added, added <= RETRIEVAL));
    }
    Value::Array(targets)
}

/// With two decimals.
pub fn two(figure: f64) -> String {
    format!("{figure:.2}")
}
