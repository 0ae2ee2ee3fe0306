//! One turn: check, retrieve, record, ask, stream, record the ending. The answer belongs to the server: its task runs to the
//! end whether or not anyone reads.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{FutureExt as _, StreamExt as _};
use tokio::time::{Instant, MissedTickBehavior};

use crate::{
    actor::Actor,
    clock::Time,
    conversations::{
        context::{self, TooLong},
        conversation::{Begun, Ending, NewTurn, TITLE_MAX},
        event::{Event, Failure, FailureKind},
        live::{Reader, Writer},
        message::{Citation, Message, RetrievalOutcome, SNIPPET_CHARS, State, TokensUsed},
    },
    fault::StoreError,
    id::{ConversationId, MessageId},
    platform::Platform,
    providers::{
        chat::{ChatEvent, ChatRequest, FinishReason, Material, Usage},
        failure::{Category, ProviderError},
        provider::Provider,
    },
    retrieval::search::{self, Candidate, Verdict},
};

/// How long retrieval may take before the answer goes on without it.
const RETRIEVAL_TIME: Duration = Duration::from_secs(5);
/// The longest an answer may take.
const TOTAL_TIME: Duration = Duration::from_secs(600);
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
/// How many messages of history are looked at; the model's window decides how many are shown.
const HISTORY: u64 = 200;
/// Answers being written at once, for one process.
const MAX_LIVE: usize = 4_000;
/// Characters of a title made from the question.
const TITLE_CHARS: usize = 60;

/// Why there is no answer; decided before anything is stored or sent.
#[derive(Debug, thiserror::Error)]
pub enum ReplyError {
    /// No such conversation of this person.
    #[error("no such conversation")]
    Missing,
    /// An answer is being written there already.
    #[error("an answer is being written in this conversation")]
    Busy(MessageId),
    /// The assistant is archived.
    #[error("the assistant of this conversation was removed")]
    AssistantDeleted,
    /// The conversation is as long as it may be.
    #[error("this conversation is full")]
    Full,
    /// No provider serves this model.
    #[error("no provider serves the model {0:?}")]
    UnknownModel(String),
    /// There is no model at all.
    #[error("no model is available")]
    NoModel,
    /// The question does not fit into the model's window.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// Too many answers are being written, or the process is about to end.
    #[error("the platform cannot begin another answer now")]
    Unavailable,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A turn that has begun: both messages are recorded and the answer is being written.
pub struct Turn {
    /// The question.
    pub question: Message,
    /// The answer, empty so far.
    pub answer: Message,
    /// A reader of it, from its beginning.
    pub reader: Reader,
}

/// Begins the answer to `content` after the conversation's head.
///
/// # Errors
/// [`ReplyError`]; nothing is stored then.
pub async fn begin(
    platform: &Arc<Platform>,
    actor: Actor,
    conversation: ConversationId,
    content: String,
    model: Option<String>,
) -> Result<Turn, ReplyError> {
    if platform.live.count() >= MAX_LIVE || platform.stopping.is_cancelled() {
        return Err(ReplyError::Unavailable);
    }
    let store = &platform.store;
    let found = store
        .find_conversation(actor.user, conversation)
        .await?
        .ok_or(ReplyError::Missing)?;
    if found.assistant_deleted {
        return Err(ReplyError::AssistantDeleted);
    }
    if let Some(busy) = found.generating {
        return Err(ReplyError::Busy(busy));
    }
    let assistant = store
        .find_assistant(found.assistant)
        .await?
        .ok_or(ReplyError::AssistantDeleted)?;
    let wanted = model.or_else(|| assistant.draft.model.clone());
    let (provider, model) = platform
        .providers
        .serving(wanted.as_deref())
        .await
        .ok_or_else(|| wanted.map_or(ReplyError::NoModel, ReplyError::UnknownModel))?;

    let history = store.active_path(conversation, HISTORY).await?;
    let (outcome, kept) = retrieve(platform, found.assistant, &content).await?;
    let request = context::build(&assistant, &model, materials(&kept), &history, &content)?;
    // Passages that did not fit into the window were not shown to the model, so they are not cited either.
    let citations: Vec<Citation> = kept.iter().take(request.materials.len()).zip(1..).map(cite).collect();

    let at = platform.clock.now();
    let turn = NewTurn {
        conversation,
        owner: actor.user,
        question: MessageId::new(),
        title: title_from(&content),
        content,
        answer: MessageId::new(),
        model: model.id,
        citations,
        retrieval: outcome,
        lease_until: at + LEASE,
        at,
    };
    let (question, answer) = match store.begin_turn(turn).await? {
        Begun::Yes(messages) => *messages,
        Begun::Missing => return Err(ReplyError::Missing),
        Begun::Busy(message) => return Err(ReplyError::Busy(message)),
        Begun::AssistantDeleted => return Err(ReplyError::AssistantDeleted),
        Begun::Full => return Err(ReplyError::Full),
    };
    let writer = platform.live.begin(answer.id);
    for event in opening(&question, &answer) {
        writer.tell(event);
    }
    let reader = writer.reader();
    let task = write(Arc::clone(platform), provider, request, answer.id, writer);
    platform.tasks.spawn(task);
    Ok(Turn {
        question,
        answer,
        reader,
    })
}

/// The events before the first word, from what is recorded: for the live stream and for reading a finished answer again.
#[must_use]
pub fn opening(question: &Message, answer: &Message) -> Vec<Event> {
    let mut events = vec![Event::Start {
        message: answer.id,
        question: question.id,
        conversation: answer.conversation,
        model: answer.model.clone().unwrap_or_default(),
    }];
    events.extend(answer.retrieval.map(|outcome| Event::Citations {
        outcome,
        citations: answer.citations.clone(),
    }));
    events
}

/// The last event of a recorded answer; `None` while it is being written.
#[must_use]
pub fn closing(answer: &Message) -> Option<Event> {
    let tokens = answer.tokens.unwrap_or_default();
    let done = |reason: &str| {
        let finish_reason = answer.finish_reason.clone().unwrap_or_else(|| reason.to_owned());
        Some(Event::Done {
            message: answer.id,
            finish_reason,
            tokens,
        })
    };
    match answer.state {
        State::Streaming => None,
        State::Complete => done("stop"),
        State::Stopped => done("stopped"),
        State::Interrupted | State::Error => {
            let (name, sentence) = answer.error.clone().unwrap_or_default();
            Some(Event::Failed(Failure {
                kind: FailureKind::named(&name),
                sentence,
                retryable: true,
                message: answer.id,
                has_text: answer.state == State::Interrupted,
            }))
        }
    }
}

/// Searches the assistant's files. A search that fails or takes too long is said and survived.
async fn retrieve(
    platform: &Platform,
    assistant: crate::id::AssistantId,
    question: &str,
) -> Result<(Option<RetrievalOutcome>, Vec<Candidate>), StoreError> {
    let store = platform.store.as_ref();
    if !store.has_knowledge(assistant).await? {
        return Ok((None, Vec::new()));
    }
    let search = search::search(store, &platform.providers, platform.retrieval, assistant, question);
    let found = match tokio::time::timeout(RETRIEVAL_TIME, search).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            tracing::warn!(%error, %assistant, "retrieval failed; answering without the files");
            return Ok((Some(RetrievalOutcome::Unavailable), Vec::new()));
        }
        Err(_) => {
            tracing::warn!(%assistant, "retrieval took too long; answering without the files");
            return Ok((Some(RetrievalOutcome::Unavailable), Vec::new()));
        }
    };
    let kept: Vec<_> = found
        .into_iter()
        .filter(|candidate| candidate.verdict == Verdict::Kept)
        .collect();
    let outcome = if kept.is_empty() {
        RetrievalOutcome::None
    } else {
        RetrievalOutcome::Ok
    };
    Ok((Some(outcome), kept))
}

fn materials(kept: &[Candidate]) -> Vec<Material> {
    let material = |(candidate, index): (&Candidate, u32)| Material {
        index,
        filename: candidate.passage.filename.clone(),
        page: candidate.passage.page,
        text: candidate.passage.text.clone(),
    };
    kept.iter().zip(1..).map(material).collect()
}

fn cite((candidate, index): (&Candidate, u32)) -> Citation {
    let passage = &candidate.passage;
    let words: Vec<&str> = passage.text.split_whitespace().collect();
    Citation {
        index,
        file: passage.file,
        filename: passage.filename.clone(),
        chunk_index: passage.chunk_index,
        page: passage.page,
        start: passage.start,
        end: passage.end,
        score: candidate.score,
        cosine: candidate.cosine,
        snippet: shorten(&words.join(" "), SNIPPET_CHARS),
    }
}

fn title_from(question: &str) -> String {
    let words: Vec<&str> = question.split_whitespace().collect();
    shorten(&words.join(" "), TITLE_CHARS.min(TITLE_MAX))
}

/// The text, or as many whole words of it as fit with an ellipsis.
fn shorten(text: &str, max_chars: usize) -> String {
    if text.chars().count() <= max_chars {
        return text.to_owned();
    }
    let cut: String = text.chars().take(max_chars - 1).collect();
    let whole = cut.rsplit_once(' ').map_or(cut.as_str(), |(words, _)| words);
    format!("{whole}…")
}

/// Writes one answer to its end and records it, whatever happens on the way.
async fn write(
    platform: Arc<Platform>,
    provider: Arc<dyn Provider>,
    request: ChatRequest,
    answer: MessageId,
    writer: Writer,
) {
    let prompt: String = request.turns.iter().map(|turn| turn.text.as_str()).collect();
    let prompt_tokens =
        context::estimate_tokens(&prompt) + request.system.as_deref().map_or(0, context::estimate_tokens);
    let mut draft = Draft {
        provider: provider.kind().as_str(),
        model: request.model.clone(),
        prompt_tokens,
        usage: None,
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

/// How the writing itself ended.
enum Outcome {
    Finished(FinishReason),
    Stopped,
    Failed(FailureKind, &'static str, bool),
}

struct Draft {
    provider: &'static str,
    model: String,
    prompt_tokens: u64,
    usage: Option<Usage>,
    /// How many bytes of the text were saved by a checkpoint.
    saved: usize,
}

impl Draft {
    fn end(self, outcome: &Outcome, content: String, message: MessageId, at: Time) -> (Ending, Event) {
        let estimated = self.usage.is_none();
        let tokens = self.usage.map_or_else(
            || TokensUsed {
                prompt: self.prompt_tokens,
                completion: context::estimate_tokens(&content),
                estimated,
            },
            |usage| TokensUsed {
                prompt: usage.input_total,
                completion: usage.output_total,
                estimated,
            },
        );
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
            at,
        };
        (ending, last)
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
    let deadline = Instant::now() + TOTAL_TIME;
    let drained = async {
        platform.stopping.cancelled().await;
        tokio::time::sleep(DRAIN_TIME).await;
    };
    tokio::pin!(drained);
    let mut stream = tokio::select! {
        stream = provider.chat(request) => match stream {
            Ok(stream) => stream,
            Err(error) => return failed(&error),
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
                        draft.model = model;
                    }
                }
                Some(Ok(ChatEvent::Reasoning(_))) => {}
                Some(Err(error)) => return failed(&error),
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
