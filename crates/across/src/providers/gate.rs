//! The gate in front of one way to a provider: how many calls pass at a time, when it is left alone for a while because it
//! keeps failing, and how it has done lately.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::TimeDelta;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    clock::Time,
    governance::usage::Purpose,
    money::MicroUsd,
    providers::{
        failure::{Category, ProviderError},
        model::ProviderKind,
    },
};

/// Calls at a time through one gate; more wait their turn. As many as answers are written at a time by a process that is set
/// to no other number: what a provider takes at a time, it says itself.
const CALLS: usize = 4096;
/// How many may wait for their turn; more are turned away, to the next provider or with a refusal.
const WAITING: usize = 1024;
/// Failures in a row after which a provider is left alone,
const FAILURES: u32 = 5;
/// for so long. Then one call may try.
const OPEN: TimeDelta = TimeDelta::seconds(30);
/// How long a provider whose account has no credit is left alone.
const PAUSE: TimeDelta = TimeDelta::minutes(5);
/// Of how many first tokens the usual latency is told.
const REMEMBERED: usize = 32;

/// Whether calls pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaker {
    /// They do.
    Closed,
    /// They do not, until then.
    Open(Time),
    /// One may try whether the provider is well again.
    HalfOpen,
}

/// How a way to a provider has done since this process began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// When an answer last began.
    pub last_success_at: Option<Time>,
    /// What last went wrong, in a word.
    pub last_error: Option<&'static str>,
    /// When.
    pub last_error_at: Option<Time>,
    /// How long the first word usually takes: the median of the last answers.
    pub latency: Option<Duration>,
    /// Whether calls pass.
    pub breaker: Breaker,
    /// Until when it is left alone for want of credit.
    pub paused_until: Option<Time>,
    /// Calls in progress.
    pub calls: usize,
}

/// Why a call did not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shut {
    /// The provider failed too often in a row.
    Failing,
    /// Its account has no credit.
    Paused,
    /// As many calls wait already as may.
    Crowded,
}

/// Is told of the calls of providers, to count them.
pub trait Observer: Send + Sync {
    /// A call ended. `outcome` is `ok`, `stopped` if nobody wanted the answer any more before it began, or why it failed in
    /// a word (see [`Category::as_str`]); `first_word` is how long the answer took to begin, if it did.
    fn called(&self, provider: ProviderKind, outcome: &'static str, first_word: Option<Duration>);

    /// A call was charged: for so many tokens sent and received.
    fn charged(&self, provider: ProviderKind, purpose: Purpose, sent: u64, received: u64, cost: MicroUsd);
}

/// One gate.
pub struct Gate {
    calls: Arc<Semaphore>,
    waiting: Semaphore,
    state: Mutex<State>,
    /// Who is told of the calls through it, as calls of whom.
    observer: Option<(ProviderKind, Arc<dyn Observer>)>,
    /// The provider said of a model on its list that there is none.
    is_list_in_doubt: AtomicBool,
}

#[derive(Default)]
struct State {
    failures: u32,
    open_until: Option<Time>,
    /// A call is trying whether the provider is well again.
    is_trying: bool,
    paused_until: Option<Time>,
    last_success_at: Option<Time>,
    last_error: Option<(&'static str, Time)>,
    latencies: VecDeque<Duration>,
}

/// The right to make one call, kept while its answer streams.
pub struct Pass {
    gate: Arc<Gate>,
    _permit: OwnedSemaphorePermit,
    is_trial: bool,
    /// How it went; `None` while nothing is known.
    outcome: Option<&'static str>,
    first_word: Option<Duration>,
}

impl Default for Gate {
    fn default() -> Self {
        Self::of(CALLS, WAITING)
    }
}

impl Gate {
    fn of(calls: usize, waiting: usize) -> Self {
        Self {
            calls: Arc::new(Semaphore::new(calls)),
            waiting: Semaphore::new(waiting),
            state: Mutex::default(),
            observer: None,
            is_list_in_doubt: AtomicBool::new(false),
        }
    }

    /// A gate whose calls are counted as those of this provider.
    #[must_use]
    pub fn observed(provider: ProviderKind, observer: Arc<dyn Observer>) -> Self {
        Self {
            observer: Some((provider, observer)),
            ..Self::default()
        }
    }

    /// Whether the provider said, since its list was last asked for, that it does not have a model that is on it.
    #[must_use]
    pub fn is_list_in_doubt(&self) -> bool {
        self.is_list_in_doubt.load(Ordering::Relaxed)
    }

    /// The list of models is asked for anew.
    pub fn list_is_asked_for(&self) {
        self.is_list_in_doubt.store(false, Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes, waiting for a turn if as many calls are in progress as may be.
    ///
    /// # Errors
    /// [`Shut`] if it does not let anybody pass at the moment.
    pub async fn pass(self: &Arc<Self>, now: Time) -> Result<Pass, Shut> {
        let permit = match Arc::clone(&self.calls).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _place = self.waiting.try_acquire().map_err(|_| Shut::Crowded)?;
                let permit = Arc::clone(&self.calls).acquire_owned().await;
                permit.map_err(|_| Shut::Crowded)?
            }
        };
        let is_trial = self.admit(now)?;
        Ok(Pass {
            gate: Arc::clone(self),
            _permit: permit,
            is_trial,
            outcome: None,
            first_word: None,
        })
    }

    /// Whether the call that passes is the one that tries.
    fn admit(&self, now: Time) -> Result<bool, Shut> {
        let mut state = self.state();
        if state.paused_until.is_some_and(|until| until > now) {
            return Err(Shut::Paused);
        }
        match state.open_until {
            None => Ok(false),
            Some(until) if until > now || state.is_trying => Err(Shut::Failing),
            Some(_) => {
                state.is_trying = true;
                Ok(true)
            }
        }
    }

    /// How it has done.
    #[must_use]
    pub fn health(&self, now: Time) -> Health {
        let state = self.state();
        let mut latencies: Vec<Duration> = state.latencies.iter().copied().collect();
        latencies.sort_unstable();
        Health {
            last_success_at: state.last_success_at,
            last_error: state.last_error.map(|(error, _)| error),
            last_error_at: state.last_error.map(|(_, at)| at),
            latency: latencies.get(latencies.len() / 2).copied(),
            breaker: match state.open_until {
                None => Breaker::Closed,
                Some(until) if until > now => Breaker::Open(until),
                Some(_) => Breaker::HalfOpen,
            },
            paused_until: state.paused_until.filter(|until| *until > now),
            calls: CALLS.saturating_sub(self.calls.available_permits()),
        }
    }
}

impl Pass {
    /// The answer began, so long after the call. What breaks off afterwards, again and again, is a failure nevertheless: the
    /// count of those ends with an answer that ends.
    pub fn began(&mut self, now: Time, after: Duration) {
        self.outcome = Some("ok");
        self.first_word = Some(after);
        let mut state = self.gate.state();
        state.open_until = None;
        state.is_trying = false;
        state.paused_until = None;
        state.last_success_at = Some(now);
        if state.latencies.len() == REMEMBERED {
            state.latencies.pop_front();
        }
        state.latencies.push_back(after);
    }

    /// The answer is whole.
    pub fn finished(&mut self) {
        self.gate.state().failures = 0;
    }

    /// The call failed. Only what says something about the provider's health counts towards leaving it alone.
    pub fn failed(&mut self, error: &ProviderError, now: Time) {
        self.outcome = Some(error.category.as_str());
        if error.category == Category::ModelGone {
            self.gate.is_list_in_doubt.store(true, Ordering::Relaxed);
        }
        let mut state = self.gate.state();
        state.last_error = Some((error.category.as_str(), now));
        if error.category == Category::NoCredit {
            state.paused_until = Some(now + PAUSE);
        }
        if error.category.is_of_the_provider() {
            state.failures = state.failures.saturating_add(1);
            if self.is_trial || state.failures >= FAILURES {
                state.open_until = Some(now + OPEN);
            }
        } else {
            // It answered, if only with a refusal.
            state.failures = 0;
            state.open_until = None;
        }
        if self.is_trial {
            state.is_trying = false;
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        // Given up before anything was known: the next call may try.
        if self.is_trial && self.outcome.is_none() {
            self.gate.state().is_trying = false;
        }
        if let Some((provider, observer)) = &self.gate.observer {
            observer.called(*provider, self.outcome.unwrap_or("stopped"), self.first_word);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use crate::providers::model::ProviderKind;

    fn at(second: i64) -> Time {
        Time::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    fn failure(category: Category) -> ProviderError {
        ProviderError::local(ProviderKind::OpenAi, category, "")
    }

    async fn fail(gate: &Arc<Gate>, category: Category, second: i64) {
        gate.pass(at(second))
            .await
            .unwrap()
            .failed(&failure(category), at(second));
    }

    #[tokio::test]
    async fn five_failures_in_a_row_shut_it_for_half_a_minute_and_then_one_call_tries() {
        let gate = Arc::new(Gate::default());
        for _ in 0..4 {
            fail(&gate, Category::Overloaded, 0).await;
        }
        // A refusal is an answer: the count begins anew.
        fail(&gate, Category::BadRequest, 0).await;
        for _ in 0..5 {
            fail(&gate, Category::Timeout, 1).await;
        }
        assert_eq!(gate.health(at(1)).breaker, Breaker::Open(at(31)));
        assert_eq!(gate.pass(at(30)).await.err(), Some(Shut::Failing));
        let given_up = gate.pass(at(31)).await.unwrap();
        assert_eq!(gate.pass(at(31)).await.err(), Some(Shut::Failing));
        drop(given_up);
        let mut trial = gate.pass(at(31)).await.unwrap();
        trial.failed(&failure(Category::Upstream), at(32));
        assert_eq!(gate.pass(at(40)).await.err(), Some(Shut::Failing));
        let mut trial = gate.pass(at(62)).await.unwrap();
        trial.began(at(63), Duration::from_millis(300));
        trial.finished();
        assert!(gate.pass(at(63)).await.is_ok());
        let health = gate.health(at(63));
        assert_eq!(health.breaker, Breaker::Closed);
        assert_eq!(health.latency, Some(Duration::from_millis(300)));
        assert_eq!(
            (health.last_error, health.last_error_at),
            (Some("failed"), Some(at(32)))
        );
    }

    #[tokio::test]
    async fn a_provider_without_credit_is_left_alone_for_five_minutes() {
        let gate = Arc::new(Gate::default());
        fail(&gate, Category::NoCredit, 0).await;
        assert_eq!(gate.pass(at(299)).await.err(), Some(Shut::Paused));
        assert!(gate.pass(at(300)).await.is_ok());
    }

    #[derive(Default)]
    struct Told(Mutex<Vec<(&'static str, Option<Duration>)>>);

    impl Observer for Told {
        fn called(&self, provider: ProviderKind, outcome: &'static str, first_word: Option<Duration>) {
            assert_eq!(provider, ProviderKind::OpenAi);
            self.0.lock().unwrap().push((outcome, first_word));
        }

        fn charged(&self, _: ProviderKind, _: Purpose, _: u64, _: u64, _: MicroUsd) {}
    }

    #[tokio::test]
    async fn each_call_is_told_once_as_what_became_of_it() {
        let told = Arc::new(Told::default());
        let gate = Arc::new(Gate::observed(ProviderKind::OpenAi, Arc::clone(&told) as _));
        let second = Duration::from_secs(1);
        gate.pass(at(0)).await.unwrap().began(at(1), second);
        let mut cut = gate.pass(at(1)).await.unwrap();
        cut.began(at(2), second);
        cut.failed(&failure(Category::Cut), at(3));
        drop(cut);
        drop(gate.pass(at(3)).await.unwrap());
        assert!(!gate.is_list_in_doubt());
        fail(&gate, Category::ModelGone, 4).await;
        assert!(gate.is_list_in_doubt());
        let expected = [
            ("ok", Some(second)),
            ("failed", Some(second)),
            ("stopped", None),
            ("model_gone", None),
        ];
        assert_eq!(*told.0.lock().unwrap(), expected);
    }

    #[tokio::test]
    async fn calls_wait_their_turn_and_too_many_are_turned_away() {
        let gate = Arc::new(Gate::of(1, 1));
        let first = gate.pass(at(0)).await.unwrap();
        let mut second = Box::pin(gate.pass(at(0)));
        assert!(second.as_mut().now_or_never().is_none());
        assert_eq!(gate.pass(at(0)).await.err(), Some(Shut::Crowded));
        drop(first);
        assert!(second.await.is_ok());
    }
}
