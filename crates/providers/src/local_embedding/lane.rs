//! Threads that embed texts, each one after the other, so that callers share them text by text and not batch by batch.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

use across::providers::provider::Pieces;
use tokio::sync::oneshot;

use super::engine::{Engine, Weights};

/// How much nicer than others: a tenth of a processor's time is left to it where somebody else wants all of it.
#[cfg(target_os = "linux")]
const LOW_PRIORITY: i32 = 10;

/// How a lane is staffed.
pub(super) struct Crew {
    /// What its threads are called.
    pub(super) name: &'static str,
    /// Threads that take one text each,
    pub(super) workers: usize,
    /// and that each compute on so many.
    pub(super) threads: usize,
    /// Whether it leaves the processors to whoever else wants them.
    pub(super) patient: bool,
}

struct Job {
    text: String,
    reply: oneshot::Sender<Result<Pieces, String>>,
}

/// The way to the threads; they end when this is dropped.
pub(super) struct Lane {
    jobs: mpsc::Sender<Job>,
    /// Texts that are embedded at the same time.
    pub(super) workers: usize,
}

impl Lane {
    /// Starts the threads and waits until their engines are proved.
    pub(super) async fn start(crew: Crew, weights: &Arc<Weights>) -> Result<Self, String> {
        let (jobs, waiting) = mpsc::channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let workers = crew.workers.max(1);
        let mut starting = Vec::with_capacity(workers);
        for _ in 0..workers {
            let (ready, started) = oneshot::channel();
            let (weights, waiting) = (Arc::clone(weights), Arc::clone(&waiting));
            let work = move || {
                if crew.patient {
                    step_back();
                }
                match Engine::new(weights, crew.threads.max(1)) {
                    // Whoever started the thread may have gone; the work that comes does not depend on it.
                    Ok(engine) => {
                        drop(ready.send(Ok(())));
                        serve(&engine, &waiting);
                    }
                    Err(message) => drop(ready.send(Err(message))),
                }
            };
            thread::Builder::new()
                .name(crew.name.to_owned())
                .spawn(work)
                .map_err(|error| format!("no thread for the built-in embedder: {error}"))?;
            starting.push(started);
        }
        for started in starting {
            started
                .await
                .unwrap_or_else(|_| Err("the built-in embedder did not start".to_owned()))?;
        }
        Ok(Self { jobs, workers })
    }

    /// The vectors of one text.
    pub(super) async fn embed(&self, text: String) -> Result<Pieces, String> {
        let (reply, answer) = oneshot::channel();
        let gone = || "the built-in embedder has stopped".to_owned();
        self.jobs.send(Job { text, reply }).map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}

/// Gives this thread, and those that it starts, a low priority. Only on Linux is that a thread's and not the process's.
fn step_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(LOW_PRIORITY) {
        tracing::debug!(%error, "the embedder of documents keeps its priority");
    }
}

fn serve(engine: &Engine, waiting: &Mutex<mpsc::Receiver<Job>>) {
    // One of them waits for a text and the others for that one.
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
    while let Ok(Job { text, reply }) = next() {
        if reply.is_closed() {
            // The caller gave up while the text waited.
            continue;
        }
        // A text on which the model's code panics must not cost the texts after it.
        let pieces = catch_unwind(AssertUnwindSafe(|| engine.embed(&text)));
        let pieces = pieces.unwrap_or_else(|_| Err("this text cannot be embedded".to_owned()));
        drop(reply.send(pieces));
    }
}
