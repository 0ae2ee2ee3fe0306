//! Writing one answer: the words as the provider sends them, saved on the way, and its ending recorded before anyone is told.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{FutureExt as _, StreamExt as _};
use tokio::time::{Instant, MissedTickBehavior};

use crate::{
    clock::Time,
    conversations::{
        conversation::Ending,
        event::{Event, Failure, FailureKind},
        live::Writer,
        message::{State, TokensUsed},
    },
    fault::StoreError,
    governance::meter::{Reservation, Spent},
    id::MessageId,
    money::{MicroUsd, Price},
    platform::Platform,
    providers::{
        chat::{ChatEvent, ChatRequest, FinishReason, Usage},
        failure::{Category, ProviderError},
        provider::Provider,
        registry::Served,
        tokens,
    },
};

/// Characters of a model's name, as its provider says it, that are kept.
const MODEL_CHARS: usize = 200;
/// New text is saved at least this often,
const SAVE_EVERY: Duration = Duration::from_secs(2);
/// or whenever this many bytes are new.
const SAVE_BYTES: usize = 2 * 1024;
/// How often another process's wish to stop is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long an answer belongs to its process without a sign of life.
pub const LEASE: chrono::TimeDelta = chrono::TimeDelta::seconds(60);
/// How often its process says that it is alive, while nothing new is there to be saved.
const RENEW_EVERY: Duration = Duration::from_secs(20);
/// How long a running answer may go on once the process was told to end.
const DRAIN_TIME: Duration = Duration::from_secs(25);
/// How long recording the ending is tried again while the database is away.
const RECORD_TRIES: u32 = 5;

/// Writes one answer to its end and records it, whatever happens on the way.
pub(super) async fn write(
    platform: Arc<Platform>,
    served: Served,
    call: Reservation,
    request: ChatRequest,
    writer: Writer,
) {
    let (provider, answer) = (served.provider, writer.message());
    let mut draft = Draft {
        provider: provider.kind().as_str(),
        model: request.model.clone(),
        price: served.price,
        call,
        usage: None,
        prompt_bytes: prompt_bytes(&request),
        reasoning: 0,
        key_problem: None,
        saved: 0,
    };
    let run = AssertUnwindSafe(run(&platform, provider.as_ref(), request, answer, &writer, &mut draft));
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

fn prompt_bytes(request: &ChatRequest) -> u64 {
    let turns: usize = request.turns.iter().map(|turn| turn.text.len()).sum();
    (turns + request.system.as_ref().map_or(0, String::len)) as u64
}

/// How the writing itself ended.
enum Outcome {
    Finished(FinishReason),
    Stopped,
    Failed(FailureKind, &'static str, bool),
}

struct Draft {
    provider: &'static str,
    model: String,
    price: Price,
    /// What was set aside.
    call: Reservation,
    usage: Option<Usage>,
    /// Bytes of the prompt.
    prompt_bytes: u64,
    /// Tokens of hidden reasoning that came, as we count them.
    reasoning: u64,
    /// What the provider said is wrong with its key.
    key_problem: Option<&'static str>,
    /// How many bytes of the text were saved by a checkpoint.
    saved: usize,
}

impl Draft {
    fn end(self, outcome: &Outcome, content: String, message: MessageId, at: Time) -> (Ending, Event) {
        let tokens = self.tokens_used(outcome, &content);
        let spent = Spent {
            hold: self.call.id,
            provider: self.provider.to_owned(),
            model: self.model.clone(),
            prompt_tokens: tokens.prompt,
            completion_tokens: tokens.completion,
            cost: tokens.cost.unwrap_or_default(),
            estimated: tokens.estimated,
            key_problem: self.key_problem.map(str::to_owned),
        };
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
            provider: Some(self.provider.to_owned()),
            model: Some(self.model),
            tokens: Some(tokens),
            spent: Some(spent),
            at,
        };
        (ending, last)
    }

    /// The end of a call that the provider refused or broke off.
    fn failed(&mut self, error: &ProviderError) -> Outcome {
        self.key_problem = error.key_problem();
        failed(error)
    }

    /// The provider's count if it gave one that can be true, else ours. Nothing is charged for a call that failed before
    /// anything came of it.
    fn tokens_used(&self, outcome: &Outcome, content: &str) -> TokensUsed {
        let nothing_came = content.is_empty() && self.reasoning == 0 && self.usage.is_none();
        if nothing_came && matches!(outcome, Outcome::Failed(..)) {
            return TokensUsed {
                cost: Some(MicroUsd::ZERO),
                ..TokensUsed::default()
            };
        }
        let ours = (self.call.prompt_tokens, tokens::estimate(content) + self.reasoning);
        let far = |counted: u64, expected: u64| counted > expected.saturating_mul(4).saturating_add(256);
        let counted = self.usage.filter(|usage| {
            // A token is at least a byte of the prompt, whatever it is cut with: our count may be far too small for odd text.
            let absurd = (far(usage.input_total, ours.0) && usage.input_total > self.prompt_bytes + 1_024)
                || far(usage.output_total, self.call.completion_tokens);
            if absurd {
                tracing::warn!(?usage, "the provider's count of tokens cannot be true; ours is charged");
            }
            !absurd
        });
        // What an answer that broke off had counted so far is often only its beginning.
        let is_whole = matches!(outcome, Outcome::Finished(_));
        let missed = |usage: &Usage| !is_whole && usage.output_total < ours.1;
        let estimated = counted.as_ref().is_none_or(missed);
        let (prompt, completion) = match counted {
            Some(usage) if estimated => (usage.input_total, ours.1),
            Some(usage) => (usage.input_total, usage.output_total),
            None => ours,
        };
        TokensUsed {
            prompt,
            completion,
            estimated,
            cost: Some(self.price.cost(prompt, completion)),
        }
    }
}

async fn run(
    platform: &Platform,
    provider: &dyn Provider,
    request: ChatRequest,
    answer: MessageId,
    writer: &Writer,
    draft: &mut Draft,
) -> Outcome {
    let deadline = Instant::now() + platform.limits.answer_time;
    let drained = async {
        platform.stopping.cancelled().await;
        tokio::time::sleep(DRAIN_TIME).await;
    };
    tokio::pin!(drained);
    let mut stream = tokio::select! {
        stream = provider.chat(request) => match stream {
            Ok(stream) => stream,
            Err(error) => return draft.failed(&error),
        },
        () = writer.stopped() => return Outcome::Stopped,
        () = &mut drained => return shutting_down(),
    };
    let mut finish = None;
    let mut last_save = Instant::now();
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = writer.stopped() => return Outcome::Stopped,
            () = &mut drained => return shutting_down(),
            () = tokio::time::sleep_until(deadline) => {
                return Outcome::Failed(FailureKind::ProviderTimeout, "The answer took too long and was ended.", true);
            }
            _ = look.tick() => {
                let unsaved = last_save.elapsed();
                let due = unsaved >= RENEW_EVERY || (writer.text_len() > draft.saved && unsaved >= SAVE_EVERY);
                match checkpoint(platform, answer, writer, draft, due).await {
                    Ok(true) => return Outcome::Stopped,
                    Ok(false) => if due { last_save = Instant::now() },
                    Err(error) => tracing::warn!(%error, message = %answer, "could not save an answer's text so far"),
                }
            }
            event = stream.next() => match event {
                Some(Ok(ChatEvent::Text(words))) => {
                    // A NUL cannot be stored by every database, and means nothing in a text.
                    writer.tell(Event::Chunk(words.replace('\0', "\u{fffd}")));
                    if writer.text_len() - draft.saved >= SAVE_BYTES {
                        match checkpoint(platform, answer, writer, draft, true).await {
                            Ok(true) => return Outcome::Stopped,
                            Ok(false) => last_save = Instant::now(),
                            Err(error) => tracing::warn!(%error, message = %answer, "could not save an answer's text so far"),
                        }
                    }
                }
                Some(Ok(ChatEvent::Usage(usage))) => draft.usage = Some(usage),
                Some(Ok(ChatEvent::Finish(reason))) => finish = Some(reason),
                Some(Ok(ChatEvent::Started { model, .. })) => {
                    if let Some(model) = model {
                        draft.model = model.chars().take(MODEL_CHARS).collect();
                    }
                }
                Some(Ok(ChatEvent::Reasoning(thought))) => draft.reasoning += tokens::estimate(&thought),
                Some(Err(error)) => return draft.failed(&error),
                None => break,
            },
        }
    }
    match finish {
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
    let text = writer.text();
    let stop = platform
        .store
        .checkpoint(answer, &text, platform.clock.now() + LEASE)
        .await?;
    draft.saved = text.len();
    Ok(stop)
}

fn shutting_down() -> Outcome {
    Outcome::Failed(
        FailureKind::Unavailable,
        "AI-Across is restarting. This part was saved.",
        true,
    )
}

/// What the reader is told of a provider's failure. Its own words stay in the log: they may hold keys or prompts.
fn failed(error: &ProviderError) -> Outcome {
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
        Category::Blocked => (FailureKind::Provider, "The provider refused to answer this."),
        Category::Timeout => (FailureKind::ProviderTimeout, "The provider took too long."),
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
