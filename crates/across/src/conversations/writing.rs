//! Writing one answer: the words as the provider sends them, saved on the way, and its ending recorded before anyone is told.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{FutureExt as _, StreamExt as _};
use tokio::{
    task::JoinHandle,
    time::{Instant, MissedTickBehavior},
};

use crate::{
    clock::Time,
    conversations::{
        accounting::{self, Bill},
        conversation::{Ending, Progress},
        event::{Event, Failure, FailureKind},
        live::Writer,
        message::{State, TokensUsed},
    },
    fault::StoreError,
    governance::{meter::Reservation, usage::Purpose},
    id::MessageId,
    platform::Platform,
    providers::{
        chat::{ChatEvent, ChatRequest, FinishReason},
        failure::{Category, ProviderError},
        routing::{self, Failover, Served, Step},
    },
};

/// New text is saved at least this often,
const SAVE_EVERY: Duration = Duration::from_secs(2);
/// or whenever this many bytes are new.
const SAVE_BYTES: usize = 2 * 1024;
/// How often another process's wish to stop is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long an answer belongs to its process without a sign of life.
pub const LEASE: chrono::TimeDelta = chrono::TimeDelta::seconds(30);
/// How often its process says that it is alive, while nothing new is there to be saved.
const RENEW_EVERY: Duration = Duration::from_secs(10);
/// How long a running answer may go on once the process was told to end.
const DRAIN_TIME: Duration = Duration::from_secs(25);
/// How long recording the ending is tried again while the database is away.
const RECORD_TRIES: u32 = 5;

/// What there was of an answer before it goes on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Before {
    /// What it used.
    pub(super) tokens: TokensUsed,
    /// Bytes of its text.
    pub(super) bytes: usize,
}

/// One answer to write.
pub(super) struct Work {
    /// Who is asked.
    pub(super) served: Served,
    /// What was set aside for it.
    pub(super) call: Reservation,
    /// What is asked.
    pub(super) request: ChatRequest,
    /// What the writer's text had already cost when the answer goes on.
    pub(super) before: Before,
    /// A title that is being made for the conversation meanwhile; it is recorded by whoever makes it.
    pub(super) title: Option<JoinHandle<Option<String>>>,
}

/// Writes one answer to its end and records it, whatever happens on the way.
pub(super) async fn write(platform: Arc<Platform>, work: Work, writer: Writer) {
    let answer = writer.message();
    let Work {
        served,
        call,
        request,
        before,
        mut title,
    } = work;
    let mut draft = Draft {
        bill: Bill::new(&served, call, &request),
        before,
        failover: None,
        saved: before.bytes,
    };
    let run = AssertUnwindSafe(run(&platform, served.clone(), request, &mut title, &writer, &mut draft));
    let outcome = run.catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(message = %answer, "the task that wrote this answer panicked");
        Outcome::Failed(
            FailureKind::Internal,
            "Something broke on our side. Your question is kept.",
            true,
        )
    });
    let text = writer.text();
    let (ending, last) = draft.end(&outcome, text, answer, platform.clock.now());
    for attempt in 1..=RECORD_TRIES {
        match platform.store.finish(answer, ending.clone()).await {
            Ok(()) => {
                let usage = ending
                    .tokens
                    .map(Event::Usage)
                    .filter(|_| matches!(last, Event::Done { .. }));
                usage.into_iter().chain([last]).for_each(|event| writer.tell(event));
                if let Some(spent) = &ending.spent {
                    platform.providers.charged(Purpose::Chat, spent);
                }
                accounting::ask_afterwards(&platform, &served, answer, &ending);
                return;
            }
            Err(error) => {
                tracing::error!(%error, attempt, message = %answer, "could not record how an answer ended");
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        }
    }
    // Not recorded, so it must not look complete to anybody. The sweep will set it to interrupted.
    writer.tell(Event::Failed(Failure {
        kind: FailureKind::Unavailable,
        sentence: "The answer could not be saved. What was written before is kept.".into(),
        retryable: true,
        message: answer,
        has_text: true,
    }));
}

/// How the writing itself ended.
enum Outcome {
    Finished(FinishReason),
    Stopped,
    Failed(FailureKind, &'static str, bool),
}

struct Draft {
    bill: Bill,
    before: Before,
    /// In whose place it is written, if in somebody's.
    failover: Option<Failover>,
    /// How many bytes of the text were saved by a checkpoint.
    saved: usize,
}

impl Draft {
    fn end(self, outcome: &Outcome, content: String, message: MessageId, at: Time) -> (Ending, Event) {
        let added = content.get(self.before.bytes..).unwrap_or_default();
        let spent = match outcome {
            Outcome::Finished(_) => self.bill.whole(added),
            Outcome::Stopped => self.bill.broken_off(added),
            Outcome::Failed(..) => self.bill.failed(added),
        };
        let tokens = self.before.tokens.and(TokensUsed {
            prompt: spent.prompt_tokens,
            completion: spent.completion_tokens,
            estimated: spent.estimated,
            cost: Some(spent.cost),
        });
        let has_text = !content.is_empty();
        let (state, error, finish_reason) = match outcome {
            Outcome::Finished(reason) => {
                let reason = match reason {
                    FinishReason::Stop | FinishReason::Unknown(_) => "stop",
                    FinishReason::Length => "length",
                    FinishReason::ContentFilter => "content_filter",
                };
                (State::Complete, None, Some(reason))
            }
            Outcome::Stopped => (State::Stopped, None, Some("stopped")),
            Outcome::Failed(kind, sentence, _) => {
                let state = if has_text { State::Interrupted } else { State::Error };
                (state, Some((kind.name().to_owned(), (*sentence).to_owned())), None)
            }
        };
        let last = match outcome {
            Outcome::Failed(kind, sentence, retryable) => Event::Failed(Failure {
                kind: *kind,
                sentence: (*sentence).into(),
                retryable: *retryable,
                message,
                has_text,
            }),
            Outcome::Finished(_) | Outcome::Stopped => Event::Done {
                message,
                finish_reason: finish_reason.unwrap_or("stop").into(),
                tokens,
            },
        };
        let ending = Ending {
            content,
            state,
            error,
            finish_reason: finish_reason.map(str::to_owned),
            provider: Some(spent.provider.clone()),
            failover: self.failover,
            tokens: Some(tokens),
            spent: Some(spent),
            at,
        };
        (ending, last)
    }
}

async fn run(
    platform: &Arc<Platform>,
    served: Served,
    request: ChatRequest,
    title: &mut Option<JoinHandle<Option<String>>>,
    writer: &Writer,
    draft: &mut Draft,
) -> Outcome {
    let answer = writer.message();
    let deadline = tokio::time::sleep(platform.limits.answer_time);
    tokio::pin!(deadline);
    let drained = async {
        platform.stopping.cancelled().await;
        tokio::time::sleep(DRAIN_TIME).await;
    };
    tokio::pin!(drained);
    let mut steps = routing::answer(served, request, Arc::clone(&platform.clock));
    let mut finish = None;
    let mut last_save = Instant::now();
    let mut look = tokio::time::interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let save = tokio::select! {
            biased;
            () = writer.stopped() => return Outcome::Stopped,
            () = &mut drained => return shutting_down(),
            () = &mut deadline => {
                return Outcome::Failed(FailureKind::ProviderTimeout, "The answer took too long and was ended.", true);
            }
            _ = look.tick() => {
                let unsaved = last_save.elapsed();
                // Too late at the next look is due at this one.
                let is_late = unsaved + LOOK_EVERY >= SAVE_EVERY;
                let is_due = unsaved >= RENEW_EVERY || (is_late && writer.text_len() > draft.saved);
                // Nobody else can ask this process's own database for anything.
                if !is_due && platform.store.is_exclusive() {
                    continue;
                }
                is_due
            }
            made = made(title), if title.is_some() => {
                *title = None;
                if let Some(made) = made {
                    writer.tell(Event::Title(made));
                }
                continue;
            }
            step = steps.next() => {
                match step {
                    Some(Ok(Step::Event(ChatEvent::Finish(reason)))) => finish = Some(reason),
                    Some(Ok(step)) => draft.hear(step, writer),
                    Some(Err(error)) => return failed(&error, writer.text_len() == 0),
                    None => break,
                }
                if writer.text_len() - draft.saved < SAVE_BYTES {
                    continue;
                }
                true
            }
        };
        match checkpoint(platform, answer, writer, draft, save).await {
            Ok(true) => return Outcome::Stopped,
            Ok(false) if save => last_save = Instant::now(),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, message = %answer, "could not save an answer's text so far"),
        }
    }
    let is_empty = writer.text_len() == draft.before.bytes;
    match finish {
        Some(FinishReason::Length) if is_empty => Outcome::Failed(
            FailureKind::Provider,
            "The model used up the length of its answer before the first word. Ask a manager to raise the assistant's limit.",
            false,
        ),
        Some(FinishReason::ContentFilter) if is_empty => refused(),
        Some(FinishReason::Stop | FinishReason::Unknown(_)) if writer.text_len() == 0 => {
            Outcome::Failed(FailureKind::Provider, "The model answered with nothing.", true)
        }
        Some(reason) => Outcome::Finished(reason),
        None => Outcome::Failed(
            FailureKind::Interrupted,
            "The connection broke. This part was saved.",
            true,
        ),
    }
}

/// The title, once it is made.
async fn made(title: &mut Option<JoinHandle<Option<String>>>) -> Option<String> {
    match title {
        Some(title) => title.await.ok().flatten(),
        None => std::future::pending().await,
    }
}

impl Draft {
    /// Takes what happened on the way to the answer, and passes on what its readers are to know.
    fn hear(&mut self, step: Step, writer: &Writer) {
        match step {
            Step::Asked(asked) => self.bill.asked(asked),
            Step::KeyRefused(key, problem) => self.bill.refused(key, problem),
            Step::Failover(failover) => {
                self.bill.failover(&failover);
                writer.tell(Event::Failover(failover.clone()));
                self.failover = Some(failover);
            }
            // A NUL cannot be stored by every database, and means nothing in a text.
            Step::Event(ChatEvent::Text(words)) => writer.tell(Event::Chunk(words.replace('\0', "\u{fffd}"))),
            Step::Event(event) => self.bill.hear(event),
        }
    }
}

/// Saves the text if `save`, else only looks; `true` if the answer is to end.
async fn checkpoint(
    platform: &Platform,
    answer: MessageId,
    writer: &Writer,
    draft: &mut Draft,
    save: bool,
) -> Result<bool, StoreError> {
    if !save {
        return platform.store.stop_requested(answer).await;
    }
    let progress = Progress {
        content: writer.text(),
        provider: draft.bill.provider().to_owned(),
        failover: draft.failover.clone(),
        lease_until: platform.clock.now() + LEASE,
    };
    let bytes = progress.content.len();
    let stop = platform.store.checkpoint(answer, progress).await?;
    draft.saved = bytes;
    Ok(stop)
}

fn shutting_down() -> Outcome {
    Outcome::Failed(
        FailureKind::Unavailable,
        "AI-Across is restarting. This part was saved.",
        true,
    )
}

fn refused() -> Outcome {
    Outcome::Failed(FailureKind::Provider, "The provider refused to answer this.", false)
}

/// What the reader is told of a provider's failure. Its own words stay in the log: they may hold keys or prompts.
fn failed(error: &ProviderError, is_empty: bool) -> Outcome {
    tracing::warn!(%error, "the provider failed");
    let (kind, sentence) = match error.category {
        Category::AuthBad => (
            FailureKind::Provider,
            "The provider rejected its key. Ask an administrator.",
        ),
        Category::NoCredit => (
            FailureKind::Provider,
            "The provider's account has no credit left. Ask an administrator.",
        ),
        Category::RateLimited => (
            FailureKind::Provider,
            "The provider has too many requests now. Try again soon.",
        ),
        Category::Overloaded => (FailureKind::Provider, "The provider is overloaded. Try again soon."),
        Category::ModelGone => (
            FailureKind::Provider,
            "This model is no longer available. Choose another.",
        ),
        Category::TooLong | Category::TooLarge => (
            FailureKind::Provider,
            "This conversation is too long for the model. Start a new chat, or choose another model.",
        ),
        Category::Blocked => return refused(),
        Category::Timeout => (FailureKind::ProviderTimeout, "The provider took too long."),
        Category::Cut if is_empty => (
            FailureKind::Interrupted,
            "The connection broke before the first word. Try again.",
        ),
        Category::Cut => (FailureKind::Interrupted, "The connection broke. This part was saved."),
        Category::Network => (FailureKind::Provider, "The provider could not be reached."),
        Category::Upstream
        | Category::BadParam
        | Category::BadRequest
        | Category::Malformed
        | Category::Unsupported => (FailureKind::Provider, "The provider had a problem."),
    };
    Outcome::Failed(kind, sentence, error.is_retryable())
}
