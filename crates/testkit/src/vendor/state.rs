//! What a scripted vendor remembers and what it was told, shared by its connections.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::{Semaphore, watch};

use super::{Answer, Closed, Dialect, Recorded, openrouter::Generation};

/// Requests remembered at most, so that a load test does not fill the memory.
const REMEMBERED: usize = 1000;

pub(super) struct State {
    told: Mutex<Told>,
    gate: Semaphore,
    at_gate: AtomicUsize,
    /// Connections so far, and those that wait for a request now.
    connections: AtomicUsize,
    idle: AtomicUsize,
    changes: watch::Sender<()>,
}

#[derive(Default)]
pub(super) struct Told {
    pub(super) requests: VecDeque<Recorded>,
    /// Requests so far by method and path without query, all of them.
    pub(super) counts: BTreeMap<String, usize>,
    pub(super) closes: Vec<Closed>,
    pub(super) queued: VecDeque<Answer>,
    /// What part of a path is always answered with.
    pub(super) always: Vec<(String, Answer)>,
    /// The script of every question in a dialect.
    pub(super) scripts: HashMap<Dialect, String>,
    /// The scripts of the next questions in a dialect, before that.
    pub(super) next_scripts: HashMap<Dialect, VecDeque<String>>,
    /// What OpenRouter's answers cost, by their names.
    pub(super) generations: BTreeMap<String, Generation>,
    /// Answers named so far.
    pub(super) named: u64,
    /// How often OpenRouter says of an answer that it does not know yet what it cost.
    pub(super) accounted_after: u32,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            told: Mutex::default(),
            gate: Semaphore::new(0),
            at_gate: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            idle: AtomicUsize::new(0),
            changes: watch::Sender::new(()),
        }
    }

    pub(super) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is sent a word whenever something happened.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    pub(super) fn arrived(&self, request: &Recorded) {
        let mut told = self.told();
        if told.requests.len() == REMEMBERED {
            told.requests.pop_front();
        }
        told.requests.push_back(request.clone());
        let call = format!("{} {}", request.method, request.bare_path());
        *told.counts.entry(call).or_default() += 1;
        drop(told);
        self.changes.send_replace(());
    }

    pub(super) fn closed(&self, closed: Closed) {
        self.told().closes.push(closed);
        self.changes.send_replace(());
    }

    pub(super) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn idle(&self) -> usize {
        self.idle.load(Ordering::SeqCst)
    }

    /// Counts a connection that answered and waits for its next request, as long as what is returned lives.
    pub(super) fn waits(&self) -> Waiting<'_> {
        Waiting::new(self, &self.idle)
    }

    /// Waits until an answer is let through.
    pub(super) async fn pass_gate(&self) {
        let _waiting = Waiting::new(self, &self.at_gate);
        if let Ok(permit) = self.gate.acquire().await {
            permit.forget();
        }
    }

    pub(super) fn let_through(&self, answers: usize) {
        self.gate.add_permits(answers.min(Semaphore::MAX_PERMITS / 2));
    }

    pub(super) fn at_gate(&self) -> usize {
        self.at_gate.load(Ordering::SeqCst)
    }
}

/// One of those that are counted somewhere, as long as it lives.
pub(super) struct Waiting<'a> {
    state: &'a State,
    among: &'a AtomicUsize,
}

impl<'a> Waiting<'a> {
    fn new(state: &'a State, among: &'a AtomicUsize) -> Self {
        among.fetch_add(1, Ordering::SeqCst);
        state.changes.send_replace(());
        Self { state, among }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.among.fetch_sub(1, Ordering::SeqCst);
        self.state.changes.send_replace(());
    }
}
