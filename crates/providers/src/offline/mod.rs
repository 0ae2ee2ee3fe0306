//! The provider that is not a language model: it answers from the passages alone, with no key and no network, says so in
//! its first sentence, and streams like any other.

mod excerpt;
mod phrases;

use std::{collections::VecDeque, time::Duration};

use across::{
    conversations::context::estimate_tokens,
    money::{Price, PriceSource, Tariff},
    providers::{
        chat::{ChatEvent, ChatRequest, ChatStream, FinishReason, Material, Speaker, Usage},
        failure::{Category, ProviderError},
        model::{Model, ProviderKind},
        provider::{EmbedRequest, Embeddings, Provider},
    },
};
use async_trait::async_trait;

use self::phrases::Phrases;

/// The id of the one model.
pub const MODEL: &str = "offline/extractive";

/// Answers with sentences from the files.
#[derive(Debug, Clone, Copy)]
pub struct OfflineProvider {
    pause: Duration,
}

impl OfflineProvider {
    /// A provider that pauses for `pause` before each word, so that its answers read as they come and can be stopped.
    #[must_use]
    pub const fn new(pause: Duration) -> Self {
        Self { pause }
    }
}

#[async_trait]
impl Provider for OfflineProvider {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Offline
    }

    async fn chat(&self, request: ChatRequest) -> Result<ChatStream, ProviderError> {
        let turns = request.turns.iter();
        let question = turns
            .rev()
            .find(|turn| turn.speaker == Speaker::User)
            .map_or("", |turn| turn.text.as_str());
        let answer = compose(question, &request.materials);
        let prompt = request.system.iter().chain(request.turns.iter().map(|turn| &turn.text));
        let input_total = prompt.map(|text| estimate_tokens(text)).sum();
        let events = events(&answer, input_total, u64::from(request.max_output));
        let pause = self.pause;
        Ok(Box::pin(futures::stream::unfold(
            events,
            move |mut events| async move {
                let event = events.pop_front()?;
                if matches!(event, ChatEvent::Text(_)) && !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
                Some((Ok(event), events))
            },
        )))
    }

    async fn embed(&self, _: EmbedRequest) -> Result<Embeddings, ProviderError> {
        let message = "the offline provider makes no vectors";
        Err(ProviderError::local(
            ProviderKind::Offline,
            Category::Unsupported,
            message,
        ))
    }

    async fn models(&self) -> Result<Vec<Model>, ProviderError> {
        Ok(vec![Model {
            id: MODEL.to_owned(),
            name: "Offline (from your files)".to_owned(),
            provider: ProviderKind::Offline,
            context_length: None,
            max_output_tokens: None,
            tariff: Some(Tariff::flat(Price::FREE, PriceSource::BuiltIn)),
        }])
    }
}

/// The whole answer, in Markdown.
fn compose(question: &str, materials: &[Material]) -> String {
    let phrases = Phrases::for_question(question);
    let quotes = excerpt::best(question, materials);
    if quotes.is_empty() {
        return phrases.nothing.to_owned();
    }
    let found = quotes.iter().any(|quote| quote.matches);
    let mut answer = format!("{}\n", if found { phrases.found } else { phrases.closest });
    for quote in &quotes {
        answer.push_str(&format!("\n- “{}” [{}]", verbatim(&quote.text), quote.index));
    }
    answer
}

/// `text` as Markdown that shows exactly that text: nothing in a file becomes formatting, a link or a citation mark.
fn verbatim(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if "\\`*_[]<>|~$&".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// The answer as events, a word each, cut after `max_output` tokens.
fn events(answer: &str, input_total: u64, max_output: u64) -> VecDeque<ChatEvent> {
    let started = ChatEvent::Started {
        provider: ProviderKind::Offline,
        upstream_id: None,
        model: Some(MODEL.to_owned()),
    };
    let mut events = VecDeque::from([started]);
    let mut usage = Usage {
        input_total,
        ..Usage::default()
    };
    let mut finish = FinishReason::Stop;
    for word in answer.split_inclusive([' ', '\n']) {
        let tokens = estimate_tokens(word);
        if usage.output_total + tokens > max_output {
            finish = FinishReason::Length;
            break;
        }
        usage.output_total += tokens;
        events.push_back(ChatEvent::Text(word.to_owned()));
    }
    events.extend([ChatEvent::Usage(usage), ChatEvent::Finish(finish)]);
    events
}
