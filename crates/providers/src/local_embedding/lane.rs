//! A thread that embeds texts one after the other, so that callers share it text by text and not batch by batch.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    thread,
};

use across::providers::provider::Pieces;
use tokio::sync::oneshot;

use super::engine::{Engine, Weights};

struct Job {
    text: String,
    reply: oneshot::Sender<Result<Pieces, String>>,
}

/// The way to the thread; it ends when this is dropped.
pub(super) struct Lane(mpsc::Sender<Job>);

impl Lane {
    /// Starts the thread and waits until its engine is proved.
    pub(super) async fn start(name: &str, weights: Arc<Weights>, threads: usize) -> Result<Self, String> {
        let (jobs, waiting) = mpsc::channel();
        let (ready, started) = oneshot::channel();
        let work = move || match Engine::new(weights, threads) {
            // Whoever started the thread may have gone; the work that comes does not depend on it.
            Ok(engine) => {
                drop(ready.send(Ok(())));
                serve(&engine, &waiting);
            }
            Err(message) => drop(ready.send(Err(message))),
        };
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(work)
            .map_err(|error| format!("no thread for the built-in embedder: {error}"))?;
        started
            .await
            .unwrap_or_else(|_| Err("the built-in embedder did not start".to_owned()))?;
        Ok(Self(jobs))
    }

    /// The vectors of one text.
    pub(super) async fn embed(&self, text: String) -> Result<Pieces, String> {
        let (reply, answer) = oneshot::channel();
        let gone = || "the built-in embedder has stopped".to_owned();
        self.0.send(Job { text, reply }).map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}

fn serve(engine: &Engine, waiting: &mpsc::Receiver<Job>) {
    while let Ok(Job { text, reply }) = waiting.recv() {
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
