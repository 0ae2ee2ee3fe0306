//! How often the right passage is found: real documents, real questions, the real server.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use serde_json::{Map, Value, json};

use super::curve::{self, Point, Sight};
use super::questions::{Question, Set};
use super::ranking::{Figures, Order};
use crate::client::Client;
use crate::server::Server;
use crate::{console, paths, process};

/// Questions asked at the same time.
const PARALLEL: usize = 2;

/// For a set whose questions name no document, every so many of another set's questions are asked of it.
const EVERY: usize = 4;
/// The threshold of relevance that a new installation has.
const DEFAULT_THRESHOLD: f64 = 0.7;
/// The points of relevance of the built-in embedder.
const CALIBRATION: &str = "crates/across/assets/calibration/local.json";
/// What is to be reached with the defaults: set, language, recall@5.
const TARGETS: [(&str, &str, f64); 5] = [
    ("faq", "en", 0.925),
    ("xquad", "en", 0.99),
    ("xquad", "de", 0.96),
    ("xquad", "ru", 0.95),
    ("xquad", "ar", 0.94),
];

/// Measures the sets, or the one that is named, and prints tables.
///
/// # Errors
/// When the server does not start or answers other than its contract says, or there is no such set.
pub fn measure(binary: &Path, sets: &[Set], only: Option<&str>, calibrate: bool) -> Result<Value> {
    let strangers: Vec<Question> = sets
        .iter()
        .filter(|set| set.name == "xquad" && set.language == "en")
        .flat_map(|set| set.questions.iter().step_by(EVERY).cloned())
        .collect();
    let is_wanted = |set: &&Set| only.is_none_or(|only| only == set.name || only == set.language && set.name != "faq");
    let wanted: Vec<&Set> = sets.iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        bail!("no such set; there are he, faq, en, de, ru and ar");
    }
    let data = tempfile::tempdir()?;
    let server = Server::start(binary, data.path())?;
    let (mut rows, mut thresholds, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
    let (mut results, mut targets, mut points) = (Vec::new(), Vec::new(), Vec::new());
    for set in wanted {
        let title = format!("{} {}", set.name, set.language);
        let measured = measure_set(set, &mut Client::sign_in(&server)?, &strangers)?;
        let mut orders = Map::new();
        for (order, figures) in measured.figures {
            rows.push([
                title.clone(),
                order.name().to_owned(),
                share(figures.at_1),
                share(figures.at_5),
                share(figures.mrr_10),
            ]);
            orders.insert(order.name().to_owned(), figures.json());
        }
        let [even, odd] = measured.halves;
        let curve = curve::curve(&measured.own, &measured.foreign);
        for point in &curve {
            let threshold = format!("{:.2}", point.threshold);
            thresholds.push([title.clone(), threshold, share(point.answered), share(point.refused)]);
        }
        for (kind, figures) in &measured.kinds {
            kinds.push([kind.clone(), figures.0.to_string(), share(figures.1)]);
        }
        targets.extend(told(set, &measured, &curve));
        points.push((
            measured.by_meaning,
            set.language,
            curve::calibrated(&measured.own, measured.by_meaning),
        ));
        results.push(json!({
            "set": set.name,
            "language": set.language,
            "documents": set.documents.len(),
            "questions": set.questions.len(),
            "foreign_questions": measured.foreign.len(),
            "kept_per_question": measured.kept,
            "indexing_seconds": measured.indexing.as_secs_f64(),
            "milliseconds_per_question": measured.asking.as_secs_f64() * 1000.0,
            "orders": orders,
            "kept_recall_at_5_of_even_documents": even,
            "kept_recall_at_5_of_odd_documents": odd,
            "curve": curve::json(&curve),
        }));
    }
    console::say(&console::table(
        ["set", "order", "recall@1", "recall@5", "MRR@10"],
        &rows,
    ));
    console::say(&console::table(
        ["set", "threshold", "answered", "foreign refused"],
        &thresholds,
    ));
    if !kinds.is_empty() {
        console::say(&console::table(["kind of question", "questions", "recall@5"], &kinds));
    }
    if calibrate {
        curve::write(&paths::root().join(CALIBRATION), &points)?;
        console::say(&format!(
            "wrote {CALIBRATION}; build and measure again to see what it is worth"
        ));
    }
    Ok(json!({"parallel": PARALLEL, "sets": results, "targets": targets}))
}

fn share(value: f64) -> String {
    format!("{value:.3}")
}

/// Says which targets a set meets.
fn told(set: &Set, measured: &Measured, curve: &[Point]) -> Vec<Value> {
    let title = format!("{} {}", set.name, set.language);
    let recall = |at: usize| measured.figures.get(at).map_or(0.0, |(_, figures)| figures.at_5);
    let (keyword, hybrid, kept) = (recall(0), recall(2), recall(3));
    let refused = curve
        .iter()
        .find(|point| (point.threshold - DEFAULT_THRESHOLD).abs() < 1e-9)
        .map_or(0.0, |point| point.refused);
    let mut told = Vec::new();
    let mut tell = |what: String, figure: f64, met: bool| {
        told.push(super::target(&format!("{title}: {what}"), figure * 100.0, met));
    };
    for (name, language, least) in TARGETS {
        if (name, language) == (set.name, set.language) {
            tell(
                format!("recall@5 with the defaults at least {:.1} %", least * 100.0),
                kept,
                kept >= least,
            );
        }
    }
    tell(
        "recall@5 with the defaults not below keywords alone".to_owned(),
        kept - keyword,
        kept >= keyword,
    );
    tell(
        "the default threshold costs at most 2 points".to_owned(),
        hybrid - kept,
        hybrid - kept <= 0.02,
    );
    tell(
        "at least half of the foreign questions find nothing".to_owned(),
        refused,
        refused >= 0.5,
    );
    told
}

struct Measured {
    figures: [(Order, Figures); 4],
    /// Recall@5 with the defaults of the questions to even and to odd documents.
    halves: [f64; 2],
    /// Questions and recall@5 with the defaults by what makes them hard.
    kinds: BTreeMap<String, (usize, f64)>,
    by_meaning: bool,
    own: Vec<Sight>,
    foreign: Vec<Sight>,
    /// Passages that a chat would get, on average.
    kept: f64,
    indexing: Duration,
    /// Time per question as its asker sees it, on average.
    asking: Duration,
}

fn measure_set(set: &Set, client: &mut Client, strangers: &[Question]) -> Result<Measured> {
    let assistant = client.assistant(&format!("Benchmark {} {}", set.name, set.language))?;
    let started = Instant::now();
    let mut files = Vec::with_capacity(set.documents.len());
    for (name, text) in &set.documents {
        files.push(client.upload(&assistant, name, text)?);
    }
    client.wait_until_ready(&assistant)?;
    let indexing = started.elapsed();
    console::say(&format!(
        "{} {}: {} documents searchable after {:.1} s, asking {} questions",
        set.name,
        set.language,
        set.documents.len(),
        indexing.as_secs_f64(),
        set.questions.len()
    ));
    client.renew()?;
    let by_meaning = set.language == "en";
    let even_files: Vec<&String> = set.documents.iter().step_by(2).map(|(name, _)| name).collect();
    let asked: Vec<(bool, &Question)> = set
        .questions
        .iter()
        .enumerate()
        .map(|(at, question)| {
            (
                question
                    .file
                    .as_ref()
                    .map_or(at % 2 == 0, |file| even_files.contains(&file)),
                question,
            )
        })
        .collect();
    let answers = ask_all(&asked, client, &assistant, by_meaning)?;
    let foreign = ask_foreign(set, client, &assistant, &files, strangers, by_meaning)?;
    let count = answers.len().max(1);
    let figures = std::array::from_fn(|at| {
        let places: Vec<Option<usize>> = answers.iter().map(|answer| answer.places[at]).collect();
        (Order::ALL[at], Figures::new(&places))
    });
    let kept_recall = |is_wanted: &dyn Fn(&Answer) -> bool| {
        let places: Vec<Option<usize>> = answers
            .iter()
            .filter(|one| is_wanted(one))
            .map(|one| one.places[3])
            .collect();
        (places.len(), Figures::new(&places).at_5)
    };
    let halves = [true, false].map(|even| kept_recall(&|answer| answer.sight.is_even == even).1);
    let kinds = answers.iter().filter_map(|answer| answer.kind.clone());
    let kinds = kinds.map(|kind| (kind.clone(), kept_recall(&|answer| answer.kind.as_ref() == Some(&kind))));
    let kinds = kinds.collect();
    let kept = answers.iter().map(|answer| answer.kept).sum::<usize>() as f64 / count as f64;
    let asking = answers
        .iter()
        .map(|answer| answer.time)
        .sum::<Duration>()
        .div_f64(count as f64);
    Ok(Measured {
        figures,
        halves,
        kinds,
        by_meaning,
        own: answers.into_iter().map(|answer| answer.sight).collect(),
        foreign,
        kept,
        indexing,
        asking,
    })
}

/// Questions that the files cannot answer: those of one document while it is away, or another set's where questions name
/// no document.
fn ask_foreign(
    set: &Set,
    client: &mut Client,
    assistant: &str,
    files: &[String],
    strangers: &[Question],
    by_meaning: bool,
) -> Result<Vec<Sight>> {
    let sights = |answers: Vec<Answer>| answers.into_iter().map(|answer| answer.sight);
    let mut foreign = Vec::new();
    for ((name, text), file) in set.documents.iter().zip(files) {
        let of_document = set
            .questions
            .iter()
            .filter(|question| question.file.as_ref() == Some(name));
        let asked: Vec<(bool, &Question)> = of_document.map(|question| (true, question)).collect();
        if asked.is_empty() {
            continue;
        }
        client.delete(&format!("/files/{file}"))?;
        foreign.extend(sights(ask_all(&asked, client, assistant, by_meaning)?));
        client.upload(assistant, name, text)?;
        client.wait_until_ready(assistant)?;
        client.renew()?;
    }
    if foreign.is_empty() {
        let asked: Vec<(bool, &Question)> = strangers.iter().map(|question| (true, question)).collect();
        foreign.extend(sights(ask_all(&asked, client, assistant, by_meaning)?));
    }
    Ok(foreign)
}

struct Answer {
    /// The place of the first right passage, for each order of [`Order::ALL`].
    places: [Option<usize>; 4],
    kept: usize,
    time: Duration,
    kind: Option<String>,
    sight: Sight,
}

fn ask_all(asked: &[(bool, &Question)], client: &Client, assistant: &str, by_meaning: bool) -> Result<Vec<Answer>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut answers = Vec::new();
        while let Some((is_even, question)) = asked.get(next.fetch_add(1, Ordering::Relaxed)) {
            if process::interrupted() {
                bail!("interrupted");
            }
            let began = Instant::now();
            let passages = client.passages(assistant, &question.text)?;
            let time = began.elapsed();
            let kept = passages.iter().filter(|passage| passage["kept"] == true).count();
            answers.push(Answer {
                places: Order::ALL.map(|order| order.first_right(question, &passages)),
                kept,
                time,
                kind: question.kind.clone(),
                sight: Sight::new(question, &passages, by_meaning, *is_even),
            });
        }
        Ok(answers)
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..PARALLEL).map(|_| scope.spawn(work)).collect();
        let mut answers = Vec::with_capacity(asked.len());
        for worker in workers {
            answers.extend(
                worker
                    .join()
                    .map_err(|_| anyhow!("a thread that asks questions died"))??,
            );
        }
        Ok(answers)
    })
}
