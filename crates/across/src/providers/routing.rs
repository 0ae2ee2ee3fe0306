//! One answer over the ways that lead to its model: who is asked, how often, and who instead. All of it is decided before the
//! first word is passed on; after that nothing is asked again, since the text would double and is paid for already
//! (providers' reference, section 8).

use std::{collections::VecDeque, pin::Pin, sync::Arc, time::Duration};

use futures::{Stream, StreamExt as _, stream};
use tokio::time::Instant;

use crate::{
    clock::Clock,
    id::ApiKeyId,
    money::{Charged, PriceSource, Tariff},
    providers::{
        chat::{ChatEvent, ChatRequest, ChatStream, FinishReason},
        failure::{Category, ProviderError},
        gate::{Gate, Pass, Shut},
        model::{Model, ProviderKind},
        provider::Provider,
        tokens,
    },
};

/// Attempts for one answer, with one provider and in all.
const ATTEMPTS: (u32, u32) = (3, 4);
/// How long is waited between attempts in all; a provider that wants more is not waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a provider may have been tried to be reached for being tried once more.
const CONNECTING: Duration = Duration::from_secs(5);
/// How long is waited before the second and third attempt when the provider does not say.
const WAITS: [Duration; 2] = [Duration::from_millis(500), Duration::from_millis(1_500)];

/// One way to a model.
#[derive(Clone)]
pub struct Route {
    /// Who is at its end.
    pub provider: Arc<dyn Provider>,
    /// With which of the stored keys, if with one.
    pub key: Option<ApiKeyId>,
    /// What the model is called there.
    pub model: String,
    /// What it costs there.
    pub tariff: Tariff,
    /// Tokens of one answer at most there, if known.
    pub max_output: Option<u32>,
    /// What every call on this way passes.
    pub gate: Arc<Gate>,
}

/// A model and the ways to it, the first being the one that is wanted. There is always one.
#[derive(Clone)]
pub struct Served {
    /// The model, by the name that it was asked for.
    pub model: Model,
    /// The ways, in the order in which they are tried.
    pub routes: Vec<Route>,
}

impl Served {
    /// Whoever is asked first.
    #[must_use]
    pub fn first(&self) -> Option<&Route> {
        self.routes.first()
    }
}

/// Somebody else answers than who should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failover {
    /// Who should have.
    pub from: String,
    /// Who does.
    pub to: String,
    /// Why, in a word: see [`Category::as_str`]; `paused` if nobody was asked for want of credit.
    pub reason: String,
    /// How much more it costs, in percent of what it would have cost; negative if less, none if that is not known.
    pub extra_cost_percent: Option<i32>,
}

/// Who is asked now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Who.
    pub provider: ProviderKind,
    /// With which of the stored keys, if with one.
    pub key: Option<ApiKeyId>,
    /// What it costs there.
    pub tariff: Tariff,
}

/// What happens on the way to an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// This provider is asked; the last one holds.
    Asked(Asked),
    /// A provider refused its key, for this reason.
    KeyRefused(ApiKeyId, &'static str),
    /// Somebody else answers; before the first event of the answer.
    Failover(Failover),
    /// Something arrived.
    Event(ChatEvent),
}

/// The steps to an answer. A failure is the last item; a stream that ends without [`ChatEvent::Finish`] was cut.
pub type Steps = Pin<Box<dyn Stream<Item = Result<Step, ProviderError>> + Send>>;

/// Asks for an answer. Dropping the stream ends it, wherever it is.
#[must_use]
pub fn answer(served: Served, request: ChatRequest, clock: Arc<dyn Clock>) -> Steps {
    let run = Run {
        served,
        request,
        clock,
        route: 0,
        tries: (0, 0),
        waited: Duration::ZERO,
        began: Instant::now(),
        open: None,
        first_failure: None,
        ready: VecDeque::new(),
        is_over: false,
    };
    let steps = stream::unfold(run, |mut run| async move {
        let step = run.next().await?;
        Some((step, run))
    });
    Box::pin(steps)
}

/// An answer on its way.
struct Run {
    served: Served,
    request: ChatRequest,
    clock: Arc<dyn Clock>,
    /// Which way is taken.
    route: usize,
    /// Attempts on this way, and in all.
    tries: (u32, u32),
    /// How long was waited between attempts.
    waited: Duration,
    began: Instant,
    open: Option<Open>,
    /// How the first way failed: that is what the reader is told if no other way leads anywhere.
    first_failure: Option<(ProviderError, &'static str)>,
    ready: VecDeque<Result<Step, ProviderError>>,
    is_over: bool,
}

/// A stream from a provider.
struct Open {
    stream: ChatStream,
    pass: Pass,
    since: Instant,
    /// What arrived before anything that may be passed on.
    held: Vec<ChatEvent>,
    has_begun: bool,
    has_finished: bool,
}

impl Open {
    fn note_ending(&mut self, event: &ChatEvent) {
        if matches!(event, ChatEvent::Finish(_)) {
            self.has_finished = true;
            self.pass.finished();
        }
    }
}

impl Run {
    async fn next(&mut self) -> Option<Result<Step, ProviderError>> {
        loop {
            if let Some(step) = self.ready.pop_front() {
                return Some(step);
            }
            if self.is_over {
                return None;
            }
            match self.open.as_mut() {
                None => self.ask().await,
                Some(open) => {
                    let event = open.stream.next().await;
                    self.hear(event).await;
                }
            }
        }
    }

    fn ready(&mut self, step: Step) {
        self.ready.push_back(Ok(step));
    }

    fn end(&mut self, error: ProviderError) {
        self.is_over = true;
        self.open = None;
        self.ready.push_back(Err(error));
    }

    /// Makes one attempt on the way that is taken.
    async fn ask(&mut self) {
        let Some(route) = self.served.routes.get(self.route).cloned() else {
            let kind = self.served.model.provider;
            self.end(ProviderError::local(
                kind,
                Category::ModelGone,
                "no way leads to this model",
            ));
            return;
        };
        let kind = route.provider.kind();
        if self.tries.0 == 0 {
            self.ready(Step::Asked(Asked {
                provider: kind,
                key: route.key,
                tariff: route.tariff.clone(),
            }));
        }
        let now = self.clock.now();
        let mut pass = match route.gate.pass(now).await {
            Ok(pass) => pass,
            Err(shut) => {
                let (category, reason) = match shut {
                    Shut::Paused => (Category::NoCredit, "paused"),
                    Shut::Failing | Shut::Crowded => (Category::Overloaded, Category::Overloaded.as_str()),
                };
                let error = ProviderError::local(kind, category, "it is left alone for a while");
                self.go_elsewhere(error, reason);
                return;
            }
        };
        self.tries.0 += 1;
        self.tries.1 += 1;
        let most = route.max_output.unwrap_or(u32::MAX);
        let request = ChatRequest {
            model: route.model.clone(),
            max_output: self.request.max_output.min(most),
            ..self.request.clone()
        };
        let since = Instant::now();
        match route.provider.chat(request).await {
            Ok(stream) => {
                self.open = Some(Open {
                    stream,
                    pass,
                    since,
                    held: Vec::new(),
                    has_begun: false,
                    has_finished: false,
                });
            }
            Err(error) => {
                pass.failed(&error, self.clock.now());
                drop(pass);
                self.failed(error).await;
            }
        }
    }

    /// Takes what a provider's stream brought.
    async fn hear(&mut self, event: Option<Result<ChatEvent, ProviderError>>) {
        let now = self.clock.now();
        let Some(open) = self.open.as_mut() else { return };
        match event {
            Some(Ok(event)) if open.has_begun => {
                open.note_ending(&event);
                self.ready(Step::Event(event));
            }
            Some(Ok(ChatEvent::Finish(FinishReason::Stop | FinishReason::Unknown(_)))) => {
                self.lost(Category::Malformed, "the answer was empty").await;
            }
            Some(Ok(event @ (ChatEvent::Text(_) | ChatEvent::Reasoning(_) | ChatEvent::Finish(_)))) => {
                open.has_begun = true;
                open.pass.began(now, open.since.elapsed());
                open.note_ending(&event);
                let held = std::mem::take(&mut open.held);
                if let Some(failover) = self.failover() {
                    self.ready(Step::Failover(failover));
                }
                for event in held.into_iter().chain([event]) {
                    self.ready(Step::Event(event));
                }
            }
            Some(Ok(event)) => open.held.push(event),
            Some(Err(error)) => {
                open.pass.failed(&error, now);
                if open.has_begun {
                    self.end(error);
                } else {
                    self.open = None;
                    self.failed(error).await;
                }
            }
            None if open.has_begun => {
                if !open.has_finished
                    && let Some(route) = self.served.routes.get(self.route)
                {
                    let cut = ProviderError::local(route.provider.kind(), Category::Cut, "the stream broke off");
                    open.pass.failed(&cut, now);
                }
                self.is_over = true;
                self.open = None;
            }
            None => {
                self.lost(Category::Cut, "the stream ended before the answer began")
                    .await;
            }
        }
    }

    /// An attempt that came to nothing without an error of its own.
    async fn lost(&mut self, category: Category, message: &str) {
        let Some(mut open) = self.open.take() else { return };
        let kind = self.served.routes.get(self.route).map(|route| route.provider.kind());
        let error = ProviderError::local(kind.unwrap_or(self.served.model.provider), category, message);
        open.pass.failed(&error, self.clock.now());
        drop(open);
        self.failed(error).await;
    }

    /// Decides what comes after an attempt that failed before anything was passed on.
    async fn failed(&mut self, error: ProviderError) {
        tracing::warn!(%error, attempt = self.tries.1, "a provider failed before its answer began");
        let key = self.served.routes.get(self.route).and_then(|route| route.key);
        if let (Some(key), Some(problem)) = (key, error.key_problem()) {
            self.ready(Step::KeyRefused(key, problem));
        }
        if let Some(wait) = self.wait(&error) {
            self.waited += wait;
            tokio::time::sleep(wait).await;
            return;
        }
        let reason = error.category.as_str();
        self.go_elsewhere(error, reason);
    }

    /// How long is waited before the same provider is asked again; `None` if it is not.
    fn wait(&self, error: &ProviderError) -> Option<Duration> {
        let again = match error.category {
            Category::RateLimited | Category::Overloaded | Category::Upstream => 2,
            // A host that does not answer at all uses up the reader's patience by itself.
            Category::Network if self.began.elapsed() < CONNECTING => 2,
            Category::Malformed | Category::Cut => 1,
            _ => 0,
        };
        if self.tries.0 > again || self.tries.0 >= ATTEMPTS.0 || self.tries.1 >= ATTEMPTS.1 {
            return None;
        }
        let before = usize::try_from(self.tries.0).unwrap_or(1).saturating_sub(1);
        let usual = WAITS.get(before).copied().unwrap_or(WAITS[1]);
        // Many who were turned away at the same moment come back at different ones.
        let wait = match error.retry_after {
            Some(told) => told.checked_add(usual.mul_f64(rand::random::<f64>() / 2.0))?,
            None => usual.mul_f64(1.0 + rand::random::<f64>() / 2.0),
        };
        let fits = self.waited.checked_add(wait).is_some_and(|all| all <= PATIENCE);
        fits.then_some(wait)
    }

    /// Takes the next way if there is one and the failure allows it.
    fn go_elsewhere(&mut self, error: ProviderError, reason: &'static str) {
        let may = error.category.may_fall_back() && self.tries.1 < ATTEMPTS.1;
        if may && self.route + 1 < self.served.routes.len() {
            self.first_failure.get_or_insert((error, reason));
            self.route += 1;
            self.tries.0 = 0;
        } else {
            let told = self.first_failure.take().map_or(error, |(first, _)| first);
            self.end(told);
        }
    }

    /// What the reader is told if this is not the way that was wanted.
    fn failover(&self) -> Option<Failover> {
        let (_, reason) = self.first_failure.as_ref()?;
        let (wanted, taken) = (self.served.first()?, self.served.routes.get(self.route)?);
        Some(Failover {
            from: wanted.provider.kind().as_str().to_owned(),
            to: taken.provider.kind().as_str().to_owned(),
            reason: (*reason).to_owned(),
            extra_cost_percent: extra_cost(&wanted.tariff, &taken.tariff, &self.request),
        })
    }
}

/// How much more the second tariff charges for a request whose answer is as long as it may be, in percent of the first.
fn extra_cost(wanted: &Tariff, taken: &Tariff, request: &ChatRequest) -> Option<i32> {
    if [wanted, taken]
        .iter()
        .any(|tariff| tariff.source == PriceSource::Fallback)
    {
        return None;
    }
    let prompt: u64 = request.turns.iter().map(|turn| tokens::estimate(&turn.text)).sum();
    let charged = Charged {
        prompt: prompt + request.system.as_deref().map_or(0, tokens::estimate),
        completion: u64::from(request.max_output),
        ..Charged::default()
    };
    let (before, after) = (wanted.cost(charged).0, taken.cost(charged).0);
    if before == 0 {
        return (after == 0).then_some(0);
    }
    let percent = (i128::from(after) - i128::from(before)) * 100 / i128::from(before);
    i32::try_from(percent).ok()
}

#[cfg(test)]
mod tests;
