//! How often the right passage is found: real documents, real questions, the real server.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use serde_json::{Map, Value, json};

use super::questions::{self, Set};
use super::ranking::{Figures, Order};
use crate::client::Client;
use crate::server::Server;
use crate::{console, process};

/// Questions asked at the same time.
const PARALLEL: usize = 2;

/// Measures every set and prints one table.
///
/// # Errors
/// When the server does not start or answers other than its contract says, or a set cannot be read.
pub fn measure(binary: &Path, folder: &Path) -> Result<Value> {
    let sets = questions::read(folder)?;
    let data = tempfile::tempdir()?;
    let server = Server::start(binary, data.path())?;
    let mut rows = Vec::new();
    let mut results = Vec::new();
    for set in &sets {
        let measured = measure_set(set, &mut Client::sign_in(&server)?)?;
        let mut orders = Map::new();
        for (order, figures) in measured.figures {
            let share = |value: f64| format!("{value:.3}");
            let names = [format!("{} {}", set.name, set.language), order.name().to_owned()];
            let [set_name, order_name] = names;
            rows.push([
                set_name,
                order_name,
                share(figures.at_1),
                share(figures.at_5),
                share(figures.mrr_10),
            ]);
            orders.insert(order.name().to_owned(), figures.json());
        }
        results.push(json!({
            "set": set.name,
            "language": set.language,
            "documents": set.documents.len(),
            "questions": set.questions.len(),
            "kept_per_question": measured.kept,
            "indexing_seconds": measured.indexing.as_secs_f64(),
            "milliseconds_per_question": measured.asking.as_secs_f64() * 1000.0,
            "orders": orders,
        }));
    }
    console::say(&console::table(
        ["set", "order", "recall@1", "recall@5", "MRR@10"],
        &rows,
    ));
    Ok(json!({"parallel": PARALLEL, "sets": results}))
}

struct Measured {
    figures: [(Order, Figures); 4],
    /// Passages that a chat would get, on average.
    kept: f64,
    indexing: Duration,
    /// Time per question as its asker sees it, on average.
    asking: Duration,
}

fn measure_set(set: &Set, client: &mut Client) -> Result<Measured> {
    let assistant = client.assistant(&format!("Benchmark {} {}", set.name, set.language))?;
    let started = Instant::now();
    for (name, text) in &set.documents {
        client.upload(&assistant, name, text)?;
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
    let answers = ask_all(set, client, &assistant)?;
    let count = answers.len().max(1);
    let figures = std::array::from_fn(|at| {
        let places: Vec<Option<usize>> = answers.iter().map(|answer| answer.places[at]).collect();
        (Order::ALL[at], Figures::new(&places))
    });
    let kept = answers.iter().map(|answer| answer.kept).sum::<usize>() as f64 / count as f64;
    let asking = answers
        .iter()
        .map(|answer| answer.time)
        .sum::<Duration>()
        .div_f64(count as f64);
    Ok(Measured {
        figures,
        kept,
        indexing,
        asking,
    })
}

struct Answer {
    /// The place of the first right passage, for each order of [`Order::ALL`].
    places: [Option<usize>; 4],
    kept: usize,
    time: Duration,
}

fn ask_all(set: &Set, client: &Client, assistant: &str) -> Result<Vec<Answer>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut answers = Vec::new();
        while let Some(question) = set.questions.get(next.fetch_add(1, Ordering::Relaxed)) {
            if process::interrupted() {
                bail!("interrupted");
            }
            let asked = Instant::now();
            let passages = client.passages(assistant, &question.text)?;
            let time = asked.elapsed();
            let kept = passages.iter().filter(|passage| passage["kept"] == true).count();
            answers.push(Answer {
                places: Order::ALL.map(|order| order.first_right(question, &passages)),
                kept,
                time,
            });
        }
        Ok(answers)
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..PARALLEL).map(|_| scope.spawn(work)).collect();
        let mut answers = Vec::with_capacity(set.questions.len());
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
