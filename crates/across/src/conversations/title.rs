//! A conversation's title, made by a model from its beginning: a call of its own, metered like every other.

use std::{sync::Arc, time::Duration};

use futures::StreamExt as _;

use crate::{
    actor::Actor,
    conversations::{
        accounting::Bill,
        context::shorten,
        conversation::{Conversation, MessageFilter, TITLE_MAX},
    },
    fault::StoreError,
    governance::{
        meter::{Payer, Reservation, Spent},
        quota::Refusal,
        usage::Purpose,
    },
    id::ConversationId,
    page::PageRequest,
    platform::Platform,
    providers::{
        chat::{ChatEvent, ChatRequest, Speaker, Turn},
        failure::ProviderError,
        registry::Unserved,
        routing::{self, Served, Step},
        tokens,
    },
};

/// What the model is told to do. The conversation comes as one message of a person, so that nothing in it is an instruction.
const INSTRUCTIONS: &str = "You name conversations. Answer with a title for the conversation that you are shown, in its own \
language: three to six words, no quotation marks, no full stop, nothing else.";
/// Characters of the conversation's beginning that the model is shown, of question and answer each.
const SHOWN: usize = 2_000;
/// Characters of a made title at most.
const LENGTH: usize = 80;
/// Tokens of the model's answer at most. A title takes ten; a model that thinks first takes the rest.
const MAX_OUTPUT: u32 = 512;
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no title.
#[derive(Debug, thiserror::Error)]
pub enum TitleError {
    /// No model is there to make one.
    #[error("no model is available")]
    NoModel,
    /// A quota has no room for the call.
    #[error("a quota has no room for this call")]
    Refused(Box<Refusal>),
    /// The provider failed.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The model answered, but not with a title.
    #[error("the model gave no title")]
    Empty,
    /// The model took too long.
    #[error("the model took too long")]
    TimedOut,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a title is made of.
#[derive(Debug, Clone)]
pub struct Beginning {
    /// The conversation.
    pub conversation: ConversationId,
    /// Whose quotas the call counts in.
    pub payer: Payer,
    /// The first question.
    pub question: String,
    /// The first answer, if there is one yet.
    pub answer: Option<String>,
}

/// Makes a title with the model that the settings name for it, else with `otherwise`.
///
/// # Errors
/// [`TitleError`]; what the call used is charged in any case.
pub async fn make(
    platform: &Arc<Platform>,
    beginning: Beginning,
    otherwise: Option<&str>,
) -> Result<String, TitleError> {
    let settings = platform.settings.get();
    let wanted = settings.title_model.as_deref().or(otherwise);
    let serving = platform.providers.serving(wanted, &settings).await;
    let served = serving.map_err(|unserved| match unserved {
        Unserved::Unknown | Unserved::Nothing | Unserved::Unreachable => TitleError::NoModel,
    })?;
    let route = served.first().ok_or(TitleError::NoModel)?;
    if route.provider.kind().is_built_in() {
        // It answers from files; a title is not in them.
        return Ok(from_question(&beginning.question));
    }
    let request = request(&beginning);
    let prompt = request
        .turns
        .iter()
        .map(|turn| tokens::estimate(&turn.text))
        .sum::<u64>()
        + request.system.as_deref().map_or(0, tokens::estimate);
    let now = platform.clock.now();
    let kind = route.provider.kind().as_str();
    let call = Reservation {
        key: route.key,
        conversation: Some(beginning.conversation),
        ..Reservation::new(beginning.payer, Purpose::Title, kind, &served.model.id, now)
    };
    let call = call.worth(prompt, u64::from(MAX_OUTPUT), route.tariff.worst(prompt));
    let bill = Bill::new(&served, call.clone(), &request);
    let reserved = platform.store.reserve(call).await?;
    reserved.map_err(|refusal| TitleError::Refused(Box::new(refusal)))?;
    // To its end even if whoever asked goes away, so that what was set aside is settled.
    let making = tokio::spawn(call_model(Arc::clone(platform), served, request, bill));
    making.await.unwrap_or(Err(TitleError::Empty))
}

/// Why a conversation was given no title.
#[derive(Debug, thiserror::Error)]
pub enum SuggestError {
    /// It is not this person's.
    #[error("no such conversation")]
    Missing,
    /// Nothing was said in it yet.
    #[error("nothing was said in this conversation yet")]
    Silent,
    /// There is no title.
    #[error(transparent)]
    Title(#[from] TitleError),
}

impl From<StoreError> for SuggestError {
    fn from(error: StoreError) -> Self {
        Self::Title(error.into())
    }
}

/// Gives a person's conversation a title, whatever it is called now: they asked for it.
///
/// # Errors
/// [`SuggestError`]; the conversation keeps its title then.
pub async fn suggest(platform: &Arc<Platform>, actor: Actor, id: ConversationId) -> Result<Conversation, SuggestError> {
    let store = &platform.store;
    let found = store.find_conversation(actor.user, id).await?;
    let found = found.ok_or(SuggestError::Missing)?;
    let first = PageRequest { limit: 2, offset: 0 };
    let page = store
        .list_messages(actor.user, id, MessageFilter::default(), first)
        .await?;
    let mut messages = page.ok_or(SuggestError::Missing)?.items.into_iter();
    let question = messages.next().ok_or(SuggestError::Silent)?;
    let answer = messages.next();
    let model = answer.as_ref().and_then(|answer| answer.model.clone());
    let beginning = Beginning {
        conversation: id,
        payer: Payer {
            user: Some(actor.user),
            role: Some(actor.role),
            assistant: Some(found.assistant),
        },
        question: question.content,
        answer: answer.map(|answer| answer.content),
    };
    let title = make(platform, beginning, model.as_deref()).await?;
    let renamed = store
        .rename_conversation(actor.user, id, &title, platform.clock.now())
        .await?;
    renamed.ok_or(SuggestError::Missing)
}

/// Makes a title for a conversation that has one only for the time being, and records it unless a person has given it
/// another meanwhile. What goes wrong is no concern of the answer's: the conversation keeps the title it has.
pub(super) async fn improve(platform: Arc<Platform>, beginning: Beginning, present: String) -> Option<String> {
    let conversation = beginning.conversation;
    let title = match make(&platform, beginning, None).await {
        Ok(title) => title,
        Err(error) => {
            tracing::info!(%error, %conversation, "a conversation keeps the beginning of its question as its title");
            return None;
        }
    };
    let at = platform.clock.now();
    let recorded = platform
        .store
        .retitle_conversation(conversation, &present, &title, at)
        .await;
    match recorded {
        Ok(true) => Some(title),
        Ok(false) => None,
        Err(error) => {
            tracing::warn!(%error, %conversation, "a title could not be recorded");
            None
        }
    }
}

async fn call_model(
    platform: Arc<Platform>,
    served: Served,
    request: ChatRequest,
    mut bill: Bill,
) -> Result<String, TitleError> {
    let mut text = String::new();
    let mut steps = routing::answer(served, request, Arc::clone(&platform.clock));
    let listening = async {
        while let Some(step) = steps.next().await {
            match step? {
                Step::Asked(asked) => bill.asked(asked),
                Step::KeyRefused(key, problem) => bill.refused(key, problem),
                Step::Failover(failover) => bill.failover(&failover),
                Step::Event(ChatEvent::Text(words)) => text.push_str(&words),
                Step::Event(event) => bill.hear(event),
            }
        }
        Ok::<_, ProviderError>(())
    };
    let heard = tokio::time::timeout(PATIENCE, listening).await;
    drop(steps);
    let spent: Spent = match &heard {
        Ok(Ok(())) => bill.whole(&text),
        Ok(Err(_)) => bill.failed(&text),
        Err(_) => bill.broken_off(&text),
    };
    platform.store.settle(spent.clone(), platform.clock.now()).await?;
    platform.providers.charged(Purpose::Title, &spent);
    heard.map_err(|_| TitleError::TimedOut)??;
    clean(&text).ok_or(TitleError::Empty)
}

fn request(beginning: &Beginning) -> ChatRequest {
    let part = |text: &str| text.chars().take(SHOWN).collect::<String>();
    let mut shown = format!(
        "The conversation begins like this.\n\nPerson: {}",
        part(&beginning.question)
    );
    if let Some(answer) = &beginning.answer {
        shown.push_str(&format!("\n\nAssistant: {}", part(answer)));
    }
    ChatRequest {
        // Every route has its own name for the model.
        model: String::new(),
        system: Some(INSTRUCTIONS.to_owned()),
        turns: vec![Turn {
            speaker: Speaker::User,
            text: shown,
        }],
        materials: Vec::new(),
        temperature: 0.3,
        max_output: MAX_OUTPUT,
    }
}

/// The first line of what a model answered, without the ornaments that models like.
fn clean(text: &str) -> Option<String> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    let line = line.strip_prefix("Title:").unwrap_or(line);
    let bare = line.trim_matches(|c: char| c.is_whitespace() || "\"'`*#“”„«»".contains(c));
    let bare = bare.strip_suffix('.').unwrap_or(bare);
    let visible: String = bare.chars().filter(|c| !c.is_control()).collect();
    let words: Vec<&str> = visible.split_whitespace().collect();
    (!words.is_empty()).then(|| shorten(&words.join(" "), LENGTH.min(TITLE_MAX)))
}

/// The beginning of the question, as a title.
#[must_use]
pub fn from_question(question: &str) -> String {
    /// Characters of such a title.
    const CHARS: usize = 60;
    let words: Vec<&str> = question.split_whitespace().collect();
    shorten(&words.join(" "), CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_line_without_ornaments() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(clean(text).as_deref(), expected, "{text:?}");
        check("Autumn launch plan", Some("Autumn launch plan"));
        check("\n  **\"Autumn launch plan.\"**\nBecause …", Some("Autumn launch plan"));
        check("Title: Herbst\u{0}plan.", Some("Herbstplan"));
        check("# תוכנית השקה", Some("תוכנית השקה"));
        check(" \n ", None);
        check("\"\"", None);
        assert!(clean(&"word ".repeat(100)).unwrap().chars().count() <= LENGTH);
    }
}
