//! One turn: check, retrieve, record question and empty answer, and start the task that writes it. The answer belongs to the
//! server: its task runs to the end whether or not anyone reads.

use std::{sync::Arc, time::Duration};

use crate::{
    actor::Actor,
    conversations::{
        context::{self, TooLong},
        conversation::{Begun, NewTurn, TITLE_MAX},
        event::{Event, Failure, FailureKind},
        live::{Crowded, Reader},
        message::{Citation, Message, RetrievalOutcome, SNIPPET_CHARS, State},
        writing::{self, Before, LEASE},
    },
    fault::StoreError,
    governance::{
        meter::{Payer, Reservation},
        quota::Refusal,
        usage::Purpose,
    },
    id::{AssistantId, ConversationId, MessageId},
    money::Price,
    platform::Platform,
    providers::{
        chat::{ChatRequest, Material},
        registry::Unserved,
        tokens,
    },
    replay::RequestKey,
    retrieval::search::{self, Candidate, Inquiry, SearchError, Verdict},
    settings::{OnRetrievalFailure, Settings},
};

/// How long retrieval may take before the answer goes on without it.
const RETRIEVAL_TIME: Duration = Duration::from_secs(5);
/// How many messages of history are looked at; the model's window decides how many are shown.
const HISTORY: u64 = 200;
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
    /// There is no model at all, or the key of its provider does not open.
    #[error("no model is available")]
    NoModel,
    /// A quota has no room.
    #[error("a quota has no room for this answer")]
    Quota(Box<Refusal>),
    /// This person has as many answers being written as one may have.
    #[error("too many answers are being written to this person")]
    TooManyOfYours,
    /// The files could not be searched, and the administrator wants no answers without them.
    #[error("the files could not be searched")]
    NoRetrieval,
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

/// Begins the answer to `content` after the conversation's head. A `request` that may be sent twice is answered by it from
/// then on, whatever becomes of this process.
///
/// # Errors
/// [`ReplyError`]; nothing is stored then.
pub async fn begin(
    platform: &Arc<Platform>,
    actor: Actor,
    conversation: ConversationId,
    content: String,
    model: Option<String>,
    request: Option<RequestKey>,
) -> Result<Turn, ReplyError> {
    let limits = platform.limits;
    // Cheaply at first: who comes when nothing more can begin costs the database nothing.
    if platform.live.count() >= limits.streams || platform.stopping.is_cancelled() {
        return Err(ReplyError::Unavailable);
    }
    let settings = platform.settings.get();
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
    let answer = MessageId::new();
    // Takes its place at once, so that others who ask at this moment count it; it is given back if nothing comes of it.
    let begun = platform
        .live
        .begin(actor.user, answer, limits.streams_per_user, limits.streams);
    let writer = begun.map_err(|crowded| match crowded {
        Crowded::Person => ReplyError::TooManyOfYours,
        Crowded::Process => ReplyError::Unavailable,
    })?;
    let assistant = store
        .find_assistant(found.assistant)
        .await?
        .ok_or(ReplyError::AssistantDeleted)?;
    let wanted = model.or_else(|| assistant.draft.model.clone());
    let serving = platform.providers.serving(wanted.as_deref(), &settings).await;
    let served = serving.map_err(|unserved| match unserved {
        Unserved::Unknown => ReplyError::UnknownModel(wanted.unwrap_or_default()),
        Unserved::Nothing | Unserved::NoKey => ReplyError::NoModel,
    })?;
    let payer = Payer {
        user: Some(actor.user),
        role: Some(actor.role),
        assistant: Some(found.assistant),
    };

    let history = store.active_path(conversation, HISTORY).await?;
    let (outcome, kept) = retrieve(platform, &settings, payer, found.assistant, &content).await?;
    let template = &settings.prompt_template;
    let prompt = context::build(
        template,
        &assistant,
        &served.model,
        materials(&kept),
        &history,
        &content,
    )?;
    // Passages that did not fit into the window were not shown to the model, so they are not cited either.
    let citations: Vec<Citation> = kept.iter().take(prompt.materials.len()).zip(1..).map(cite).collect();

    let at = platform.clock.now();
    let route = served.first().ok_or(ReplyError::NoModel)?;
    let tokens = prompt_tokens(&prompt);
    // Whoever answers in the end, there is room for it.
    let price = served.routes.iter().map(|route| route.tariff.worst(tokens));
    let price = price.max_by_key(|price| price.cost(tokens, u64::from(prompt.max_output)));
    let call = Reservation {
        key: route.key,
        conversation: Some(conversation),
        message: Some(answer),
        ..Reservation::new(
            payer,
            Purpose::Chat,
            route.provider.kind().as_str(),
            &served.model.id,
            at,
        )
    };
    let call = call.worth(tokens, u64::from(prompt.max_output), price.unwrap_or(Price::FREE));
    let turn = NewTurn {
        conversation,
        owner: actor.user,
        question: MessageId::new(),
        title: settings.auto_title.then(|| title_from(&content)),
        content,
        answer,
        model: served.model.id.clone(),
        call: call.clone(),
        request,
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
        Begun::Refused(refusal) => return Err(ReplyError::Quota(refusal)),
    };
    for event in opening(&question, &answer) {
        writer.tell(event);
    }
    let reader = writer.reader();
    let task = writing::write(Arc::clone(platform), served, call, prompt, writer, Before::default());
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
    events.extend(answer.failover.clone().map(Event::Failover));
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

/// What the prompt has in tokens, as we count them.
fn prompt_tokens(request: &ChatRequest) -> u64 {
    let turns = request.turns.iter().map(|turn| tokens::estimate(&turn.text));
    turns.sum::<u64>() + request.system.as_deref().map_or(0, tokens::estimate)
}

/// Searches the assistant's files. A search that fails or takes too long is said and survived, unless the administrator
/// wants no answers without the files.
async fn retrieve(
    platform: &Platform,
    settings: &Settings,
    payer: Payer,
    assistant: AssistantId,
    question: &str,
) -> Result<(Option<RetrievalOutcome>, Vec<Candidate>), ReplyError> {
    let store = platform.store.as_ref();
    if !store.has_knowledge(assistant).await? {
        return Ok((None, Vec::new()));
    }
    let inquiry = Inquiry {
        assistant,
        question,
        payer,
        settings,
        clock: platform.clock.as_ref(),
    };
    let search = search::search(store, &platform.providers, inquiry);
    let problem = match tokio::time::timeout(RETRIEVAL_TIME, search).await {
        Ok(Ok(found)) => return Ok(judge(found)),
        Ok(Err(SearchError::Refused(refusal))) => return Err(ReplyError::Quota(refusal)),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it took too long".to_owned(),
    };
    match settings.rag_on_failure {
        OnRetrievalFailure::Degrade => {
            tracing::warn!(problem, %assistant, "retrieval failed; answering without the files");
            Ok((Some(RetrievalOutcome::Unavailable), Vec::new()))
        }
        OnRetrievalFailure::Fail => {
            tracing::warn!(problem, %assistant, "retrieval failed; refusing to answer without the files");
            Err(ReplyError::NoRetrieval)
        }
    }
}

/// What is kept of a search's result.
fn judge(found: Vec<Candidate>) -> (Option<RetrievalOutcome>, Vec<Candidate>) {
    let kept: Vec<_> = found
        .into_iter()
        .filter(|candidate| candidate.verdict == Verdict::Kept)
        .collect();
    let outcome = if kept.is_empty() {
        RetrievalOutcome::None
    } else {
        RetrievalOutcome::Ok
    };
    (Some(outcome), kept)
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
