//! One turn: check, retrieve, record question and empty answer, and start the task that writes it. The answer belongs to the
//! server: its task runs to the end whether or not anyone reads.

use std::sync::Arc;

use crate::{
    actor::Actor,
    conversations::{
        asking::Asked,
        context::{Prompt, PromptBuilder, TooLong},
        conversation::{Begun, Dead, NewTurn, Unfit},
        event::{Event, Failure, FailureKind},
        grounds::{self, Grounds},
        live::{Crowded, Reader},
        message::{Message, State},
        title::{self, Beginning},
        tree::PathEnd,
        writing::{self, Before, LEASE, Work},
    },
    fault::StoreError,
    governance::{
        meter::{Payer, Reservation},
        quota::Refusal,
        usage::Purpose,
    },
    id::{ConversationId, MessageId},
    money::Price,
    platform::Platform,
    providers::registry::Unserved,
    replay::RequestKey,
};

/// How many messages of history are read at a time; the model's window decides how many are shown.
const HISTORY: u64 = 500;
/// Turns that a model must see to go on with an answer: the question, the answer so far, and that it is to go on.
const WHAT_GOES_ON: usize = 3;

/// Why there is no answer; decided before anything is stored or sent.
#[derive(Debug, thiserror::Error)]
pub enum ReplyError {
    /// No such conversation of this person, or no such message in it.
    #[error("no such conversation or message")]
    Missing,
    /// The message is not one of which this can be asked.
    #[error("this cannot be asked of this message: {0:?}")]
    Unfit(Unfit),
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

/// Begins what is asked for. A `request` that may be sent twice is answered by it from then on, whatever becomes of this
/// process.
///
/// # Errors
/// [`ReplyError`]; nothing is stored then.
pub async fn begin(
    platform: &Arc<Platform>,
    actor: Actor,
    conversation: ConversationId,
    asked: Asked,
    request: Option<RequestKey>,
) -> Result<Turn, ReplyError> {
    let limits = platform.limits;
    // Cheaply at first: who comes when nothing more can begin costs the database nothing.
    if platform.live.count() >= limits.streams || platform.stopping.is_cancelled() {
        return Err(ReplyError::Unavailable);
    }
    let settings = platform.settings.get();
    let store = platform.store.as_ref();
    let found = store
        .find_conversation(actor.user, conversation)
        .await?
        .ok_or(ReplyError::Missing)?;
    let mut message = asked.find(store, actor.user, conversation).await?;
    if found.assistant_deleted {
        return Err(ReplyError::AssistantDeleted);
    }
    if let Some(busy) = found.generating {
        // An answer whose writer died keeps nobody waiting until somebody sweeps.
        if store.interrupt_abandoned(platform.clock.now(), Dead::Expired).await? == 0 {
            return Err(ReplyError::Busy(busy));
        }
        message = asked.find(store, actor.user, conversation).await?;
    }
    let plan = asked.plan(store, actor.user, message).await?;
    // Takes its place at once, so that others who ask at this moment count it; it is given back if nothing comes of it.
    let begun = platform
        .live
        .begin(actor.user, plan.answer, limits.streams_per_user, limits.streams);
    let writer = begun.map_err(|crowded| match crowded {
        Crowded::Person => ReplyError::TooManyOfYours,
        Crowded::Process => ReplyError::Unavailable,
        Crowded::Same => ReplyError::Busy(plan.answer),
    })?;
    let assistant = store
        .find_assistant(found.assistant)
        .await?
        .ok_or(ReplyError::AssistantDeleted)?;
    let wanted = plan.model.clone().or_else(|| assistant.draft.model.clone());
    let serving = platform.providers.serving(wanted.as_deref(), &settings).await;
    let served = serving.map_err(|unserved| match unserved {
        Unserved::Unknown => ReplyError::UnknownModel(wanted.unwrap_or_default()),
        Unserved::Nothing | Unserved::Unreachable => ReplyError::NoModel,
    })?;
    let payer = Payer {
        user: Some(actor.user),
        role: Some(actor.role),
        assistant: Some(found.assistant),
    };

    let Grounds { knowledge, citations } = match &plan.partial {
        Some(answer) => grounds::again(store, found.assistant, answer).await?,
        None if assistant.file_count == 0 => Grounds::none(),
        None => grounds::search(platform, &settings, payer, found.assistant, &plan.question).await?,
    };
    let template = &settings.prompt_template;
    let mut prompt = PromptBuilder::begin(template, &assistant, &served.model, knowledge, &plan.said)?;
    // Read after the search, which may take seconds, so that it is what the turn will follow.
    let mut before = plan.before;
    while let Some(end) = before.filter(|_| prompt.has_room()) {
        let page = store.path_to(actor.user, conversation, end, HISTORY).await?;
        prompt.add(&page);
        before = page.first().and_then(|oldest| oldest.parent).map(PathEnd::At);
    }
    let Prompt {
        request: prompt,
        tokens,
        outcome,
    } = prompt.end();
    if plan.goes_on() && prompt.turns.len() < WHAT_GOES_ON {
        // Without its beginning the model could not go on with it.
        let room = served.model.context_length.unwrap_or_default().into();
        return Err(TooLong { tokens, room }.into());
    }

    let at = platform.clock.now();
    let route = served.first().ok_or(ReplyError::NoModel)?;
    // Whoever answers in the end, there is room for it.
    let price = served.routes.iter().map(|route| route.tariff.worst(tokens));
    let price = price.max_by_key(|price| price.cost(tokens, u64::from(prompt.max_output)));
    let call = Reservation {
        key: route.key,
        conversation: Some(conversation),
        message: Some(plan.answer),
        ..Reservation::new(
            payer,
            Purpose::Chat,
            route.provider.kind().as_str(),
            &served.model.id,
            at,
        )
    };
    let call = call.worth(tokens, u64::from(prompt.max_output), price.unwrap_or(Price::FREE));
    let provisional = settings.auto_title.then(|| title::from_question(&plan.question));
    let naming = provisional
        .clone()
        .filter(|_| found.title.is_empty() && settings.title_model.is_some());
    let beginning = naming.as_ref().map(|_| Beginning {
        conversation,
        payer,
        question: plan.question.clone(),
        answer: None,
    });
    let turn = NewTurn {
        conversation,
        owner: actor.user,
        place: plan.place,
        title: provisional,
        answer: plan.answer,
        model: served.model.id.clone(),
        call: call.clone(),
        request,
        // Passages that did not fit into the window were not shown to the model, so they are not cited either.
        citations: citations.into_iter().take(prompt.materials.len()).collect(),
        retrieval: outcome,
        writer: platform.installation,
        lease_until: at + LEASE,
        at,
    };
    let (question, answer) = match store.begin_turn(turn).await? {
        Begun::Yes(messages) => *messages,
        Begun::Missing => return Err(ReplyError::Missing),
        Begun::Busy(message) => return Err(ReplyError::Busy(message)),
        Begun::AssistantDeleted => return Err(ReplyError::AssistantDeleted),
        Begun::Unfit(why) => return Err(ReplyError::Unfit(why)),
        Begun::Full => return Err(ReplyError::Full),
        Begun::Refused(refusal) => return Err(ReplyError::Quota(refusal)),
    };
    for event in opening(&question, &answer) {
        writer.tell(event);
    }
    if !answer.content.is_empty() {
        writer.tell(Event::Chunk(answer.content.clone()));
    }
    let reader = writer.reader();
    let title = beginning.zip(naming).map(|(beginning, present)| {
        let improving = title::improve(Arc::clone(platform), beginning, present);
        platform.tasks.spawn(improving)
    });
    let work = Work {
        served,
        call,
        request: prompt,
        before: Before {
            tokens: answer.tokens.unwrap_or_default(),
            bytes: answer.content.len(),
        },
        title,
    };
    let task = writing::write(Arc::clone(platform), work, writer);
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
