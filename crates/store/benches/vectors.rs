//! The embedded vector store at the size it is made for: how fast, how exact, how soon after the start, and beside it, if
//! `--chroma HOST:PORT` names one, a Chroma server with the same vectors and the same questions. Prints JSON.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement that cannot go on ends, and its figures are what it prints"
)]

#[path = "vectors/chroma.rs"]
mod chroma;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use across::{
    actor::Doer,
    assistants::{AssistantStore as _, Draft},
    audit::Action,
    clock::{Clock as _, SystemClock},
    id::{AssistantId, FileId, UserId},
    identity::{
        password::PasswordHash,
        user::{Email, NewUser, UserStore as _},
    },
    jobs::{job::LEASE, queue::Queue as _},
    knowledge::file::{Kind, KnowledgeStore as _, NewChunk, NewFile},
    retrieval::vectors::{Collection, Match, VectorQuery, VectorStore as _},
};
use across_store::{Options, SqlStore};
use chroma::Chroma;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

const DIM: usize = 1_536;
const SPACE: &str = "bench:1536";
/// Chunks of a file.
const FILE: usize = 500;
/// Files of the assistant that is asked, and assistants beside it with one file each.
const FILES: usize = 100;
const OTHERS: usize = 199;
const QUESTIONS: usize = 200;
/// Subjects that the vectors gather around, as those of real texts do.
const SUBJECTS: usize = 400;

fn normalised(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|x| *x /= length);
    vector
}

/// Makes vectors like those of real texts: all lean to one side, gather around subjects, and differ most in few directions.
struct Maker {
    random: StdRng,
    subjects: Vec<Vec<f32>>,
}

impl Maker {
    fn new() -> Self {
        let mut random = StdRng::seed_from_u64(2026);
        let subjects = (0..SUBJECTS).map(|_| noise(&mut random, 1.0)).collect();
        Self { random, subjects }
    }

    fn vector(&mut self) -> Vec<f32> {
        let subject = &self.subjects[self.random.random_range(0..SUBJECTS)];
        let own = noise(&mut self.random, 0.8);
        normalised(subject.iter().zip(&own).map(|(a, b)| a + b + 0.01).collect())
    }

    /// A question about something that is there.
    fn near(&mut self, vector: &[f32]) -> Vec<f32> {
        let own = noise(&mut self.random, 0.6);
        normalised(vector.iter().zip(&own).map(|(a, b)| a + b).collect())
    }
}

fn noise(random: &mut StdRng, strength: f32) -> Vec<f32> {
    let decay = |i: usize| strength / ((i as f32 + 10.0) * 0.6).sqrt();
    (0..DIM).map(|i| random.random_range(-1.0..1.0f32) * decay(i)).collect()
}

fn deed(action: Action) -> across::audit::Deed {
    Doer::platform().does(action, SystemClock.now())
}

async fn assistant(store: &SqlStore, name: &str) -> AssistantId {
    let id = AssistantId::new();
    let draft = Draft {
        name: name.into(),
        description: None,
        instructions: "Be brief.".into(),
        model: None,
        temperature: 0.7,
        max_tokens: 2_048,
        avatar_url: None,
    };
    store
        .create_assistant(id, draft, deed(Action::AssistantCreate))
        .await
        .unwrap();
    id
}

async fn file(store: &SqlStore, assistant: AssistantId, uploader: UserId, vectors: &[Vec<f32>]) {
    let id = FileId::new();
    let new = NewFile {
        id,
        assistant,
        filename: format!("{id}.txt"),
        kind: Kind::Txt,
        size: 1,
        sha256: id.to_string(),
        uploaded_by: uploader,
        created_at: SystemClock.now(),
    };
    store.accept_file(new, deed(Action::FileCreate)).await.unwrap();
    let lease = store
        .claim(SystemClock.now(), LEASE)
        .await
        .unwrap()
        .expect("a job")
        .lease;
    let chunks = (0..).zip(vectors).map(|(index, vector)| NewChunk {
        index,
        page: None,
        start: index * 100,
        end: index * 100 + 50,
        heading: None,
        text: format!("Paragraph {index}."),
        token_count: 5,
        vectors: vec![vector.clone()],
    });
    store.add_chunks(lease, id, 1, SPACE, chunks.collect()).await.unwrap();
    store.publish(lease, id, 1, SystemClock.now()).await.unwrap();
    store.finish_job(lease).await.unwrap();
}

/// The answer to a question, and how long it took.
async fn ask(store: &SqlStore, assistant: AssistantId, question: &[f32], limit: usize) -> (Vec<Match>, Duration) {
    let collection = Collection {
        space: SPACE.into(),
        dimensions: DIM,
    };
    let query = VectorQuery {
        assistant,
        vector: question.to_vec(),
        limit,
    };
    let begun = Instant::now();
    let found = store.search(&collection, &query).await.unwrap();
    (found, begun.elapsed())
}

/// The places of the nearest by a plain scan of all numbers.
fn naive(vectors: &[Vec<f32>], question: &[f32], limit: usize) -> Vec<f32> {
    let mut all: Vec<f32> = vectors
        .iter()
        .map(|vector| vector.iter().zip(question).map(|(a, b)| a * b).sum())
        .collect();
    all.sort_by(|a: &f32, b| b.total_cmp(a));
    all.truncate(limit);
    all
}

/// Which share of the expected cosines was found, within what the order of additions changes.
fn recall(found: &[f32], expected: &[f32]) -> f64 {
    let last = expected.last().copied().unwrap_or_default() - 1e-5;
    let good = found
        .iter()
        .filter(|cosine| **cosine >= last)
        .count()
        .min(expected.len());
    good as f64 / expected.len() as f64
}

fn times(mut taken: Vec<Duration>) -> Value {
    taken.sort_unstable();
    let at = |share: f64| taken[((taken.len() as f64 * share) as usize).min(taken.len() - 1)].as_secs_f64() * 1e3;
    json!({"p50_ms": at(0.5), "p95_ms": at(0.95), "p99_ms": at(0.99)})
}

/// Resident memory of this process in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1024
}

async fn fill(url: &str, maker: &mut Maker) -> (AssistantId, Vec<AssistantId>, Vec<Vec<f32>>) {
    let store = SqlStore::open(url, Options::default()).await.unwrap();
    store.migrate().await.unwrap();
    let uploader = UserId::new();
    let user = NewUser {
        id: uploader,
        email: Email::parse("bench@example.com").unwrap(),
        name: "Bench".into(),
        role: across::actor::Role::Admin,
        password: PasswordHash("v1:x".into()),
        must_change_password: false,
        created_at: SystemClock.now(),
    };
    store.create_user(user, deed(Action::UserCreate)).await.unwrap();
    let large = assistant(&store, "Large").await;
    let mut all = Vec::with_capacity(FILES * FILE);
    for _ in 0..FILES {
        let vectors: Vec<_> = (0..FILE).map(|_| maker.vector()).collect();
        file(&store, large, uploader, &vectors).await;
        all.extend(vectors);
    }
    let mut others = Vec::new();
    for number in 0..OTHERS {
        let other = assistant(&store, &format!("Other {number}")).await;
        let vectors: Vec<_> = (0..FILE).map(|_| maker.vector()).collect();
        file(&store, other, uploader, &vectors).await;
        others.push(other);
    }
    across::platform::Store::close(&store).await;
    (large, others, all)
}

async fn ours(
    url: &str,
    large: AssistantId,
    others: &[AssistantId],
    questions: &[Vec<f32>],
    expected: &[Vec<f32>],
) -> Value {
    let before = resident();
    let begun = Instant::now();
    let store = Arc::new(SqlStore::open(url, Options::default()).await.unwrap());
    ask(&store, large, &questions[0], 5).await;
    let first = begun.elapsed();
    let memory = resident().saturating_sub(before);

    let cosines = |found: Vec<Match>| found.iter().map(|found| found.cosine).collect::<Vec<_>>();
    let (mut at_5, mut at_50, mut taken, mut deep) = (0.0, 0.0, Vec::new(), Vec::new());
    for (question, expected) in questions.iter().zip(expected) {
        let (five, time) = ask(&store, large, question, 5).await;
        taken.push(time);
        at_5 += recall(&cosines(five), &expected[..5]);
    }
    for (question, expected) in questions.iter().zip(expected) {
        let (fifty, time) = ask(&store, large, question, 50).await;
        deep.push(time);
        at_50 += recall(&cosines(fifty), expected);
    }
    let (mut cold, mut small) = (Vec::new(), Vec::new());
    for (other, question) in others.iter().zip(questions.iter().cycle()) {
        cold.push(ask(&store, *other, question, 5).await.1);
        small.push(ask(&store, *other, question, 5).await.1);
    }
    let count = questions.len() as f64;
    json!({
        "first_answer_s": first.as_secs_f64(),
        "memory_of_the_copy_bytes": memory,
        "top_5": times(taken),
        "top_50": times(deep),
        "recall_at_5": at_5 / count,
        "recall_at_50": at_50 / count,
        "one_of_500": times(small),
        "one_of_500_first_time": times(cold),
    })
}

/// The same in a Chroma server: one collection for all assistants, whose name is with every vector, as the product keeps
/// them there.
fn theirs(address: &str, all: &[Vec<f32>], questions: &[Vec<f32>], expected: &[Vec<f32>], maker: &mut Maker) -> Value {
    let mut chroma = Chroma::connect(address, DIM);
    let begun = Instant::now();
    let mut number = 0;
    for vectors in all.chunks(FILE) {
        chroma.add(number, "large", vectors);
        number += FILE;
    }
    // Other vectors than ours of the small assistants, which only fill the collection as far as it matters here.
    for other in 0..OTHERS {
        let vectors: Vec<_> = (0..FILE).map(|_| maker.vector()).collect();
        chroma.add(number, &format!("other {other}"), &vectors);
        number += FILE;
    }
    let filling = begun.elapsed();
    chroma.ask("large", &questions[0], 5);
    let (mut at_5, mut taken, mut small) = (0.0, Vec::new(), Vec::new());
    for (question, expected) in questions.iter().zip(expected) {
        let begun = Instant::now();
        let cosines = chroma.ask("large", question, 5);
        taken.push(begun.elapsed());
        at_5 += recall(&cosines, &expected[..5]);
    }
    for (other, question) in (0..OTHERS).zip(questions) {
        let begun = Instant::now();
        chroma.ask(&format!("other {other}"), question, 5);
        small.push(begun.elapsed());
    }
    json!({
        "filling_s": filling.as_secs_f64(),
        "top_5": times(taken),
        "one_of_500": times(small),
        "recall_at_5": at_5 / questions.len() as f64,
    })
}

/// The address after `--chroma`.
fn chroma_address() -> Option<String> {
    std::env::args().skip_while(|word| word != "--chroma").nth(1)
}

fn database(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("bench.db").display())
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let url = database(folder.path());
    let mut maker = Maker::new();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let begun = Instant::now();
    let (large, others, all) = runtime.block_on(fill(&url, &mut maker));
    let filling = begun.elapsed().as_secs_f64();
    let questions: Vec<Vec<f32>> = (0..QUESTIONS).map(|i| maker.near(&all[i * 37 % all.len()])).collect();
    let expected: Vec<Vec<f32>> = questions.iter().map(|question| naive(&all, question, 50)).collect();
    let mut embedded = runtime.block_on(ours(&url, large, &others, &questions, &expected));
    embedded["filling_s"] = filling.into();
    let chroma = chroma_address().map(|address| theirs(&address, &all, &questions, &expected, &mut maker));
    let figures = json!({
        "chunks": all.len(), "assistants": OTHERS + 1, "chunks_of_each_other": FILE, "dimensions": DIM,
        "questions": QUESTIONS, "embedded": embedded, "chroma": chroma,
    });
    println!("{figures}");
}
