//! Anthropic's JSON as it really comes: every field optional and nullable, unknown fields and values accepted.

use std::borrow::Cow;

use across::providers::{
    chat::Usage,
    model::{Model, ProviderKind},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::count;

/// The request of `POST /v1/messages`; what is `None` is not sent.
#[derive(Debug, Serialize)]
pub(super) struct MessageRequest<'a> {
    pub(super) model: &'a str,
    /// Unlike elsewhere, it has to be there.
    pub(super) max_tokens: u32,
    pub(super) stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) system: Option<[SystemBlock<'a>; 1]>,
    pub(super) messages: Vec<RequestMessage<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<f64>,
}

#[derive(Debug, Serialize)]
pub(super) struct SystemBlock<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cache_control: Option<CacheControl>,
}

/// Marks the end of what the vendor may keep for the next request.
#[derive(Debug, Serialize)]
pub(super) struct CacheControl {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct RequestMessage<'a> {
    pub(super) role: &'static str,
    pub(super) content: Cow<'a, str>,
}

/// One event of a stream; a whole message, which comes from servers that do not stream, reads as one too.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    /// Of `message_start`.
    pub(super) message: Option<Message>,
    /// Of `content_block_start`.
    pub(super) content_block: Option<Block>,
    /// Of `content_block_delta` and of `message_delta`.
    pub(super) delta: Option<Block>,
    /// Of `message_delta`.
    pub(super) usage: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Message {
    pub(super) id: Option<String>,
    pub(super) model: Option<String>,
    pub(super) content: Option<Vec<Block>>,
    pub(super) stop_reason: Option<String>,
    pub(super) usage: Option<Value>,
}

/// A block of content, a piece of one, or what changed about the message.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Block {
    pub(super) text: Option<String>,
    pub(super) thinking: Option<String>,
    pub(super) stop_reason: Option<String>,
}

/// Counts as numbers of any shape. They are cumulative, and what a later count leaves out stays.
#[derive(Debug, Default, Deserialize)]
pub(super) struct WireUsage {
    input_tokens: Option<f64>,
    cache_creation_input_tokens: Option<f64>,
    cache_read_input_tokens: Option<f64>,
    cache_creation: Option<CacheCreation>,
    output_tokens: Option<f64>,
    output_tokens_details: Option<OutputDetails>,
}

/// What was written to the cache, by how long it is kept.
#[derive(Debug, Default, Deserialize)]
struct CacheCreation {
    ephemeral_5m_input_tokens: Option<f64>,
    ephemeral_1h_input_tokens: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
struct OutputDetails {
    thinking_tokens: Option<f64>,
}

impl WireUsage {
    /// Takes over what `later` says.
    pub(super) fn update(&mut self, later: Self) {
        self.input_tokens = later.input_tokens.or(self.input_tokens);
        self.cache_creation_input_tokens = later.cache_creation_input_tokens.or(self.cache_creation_input_tokens);
        self.cache_read_input_tokens = later.cache_read_input_tokens.or(self.cache_read_input_tokens);
        self.cache_creation = later.cache_creation.or(self.cache_creation.take());
        self.output_tokens = later.output_tokens.or(self.output_tokens);
        self.output_tokens_details = later.output_tokens_details.or(self.output_tokens_details.take());
    }

    /// The counts in our terms; `None` if it holds none that make sense.
    pub(super) fn normalised(&self) -> Option<Usage> {
        let (input, output) = (count(self.input_tokens), count(self.output_tokens));
        if input.is_none() && output.is_none() {
            return None;
        }
        let cached = count(self.cache_read_input_tokens).unwrap_or(0);
        let created = self.cache_creation.as_ref();
        let for_minutes = created.and_then(|created| count(created.ephemeral_5m_input_tokens));
        let for_an_hour = created.and_then(|created| count(created.ephemeral_1h_input_tokens));
        let (cache_write, cache_write_1h) = match (for_minutes, for_an_hour) {
            (None, None) => (count(self.cache_creation_input_tokens).unwrap_or(0), 0),
            (minutes, hour) => (minutes.unwrap_or(0), hour.unwrap_or(0)),
        };
        // What is read from the cache or written to it does not count as input here, unlike everywhere else.
        let input_total = input.unwrap_or(0) + cached + cache_write + cache_write_1h;
        let output_total = output.unwrap_or(0);
        let details = self.output_tokens_details.as_ref();
        let thinking = details.and_then(|details| count(details.thinking_tokens)).unwrap_or(0);
        Some(Usage {
            input_total,
            input_cached: cached,
            cache_write,
            cache_write_1h,
            output_total,
            output_reasoning: thinking.min(output_total),
            ..Usage::default()
        })
    }
}

/// A page of `GET /v1/models`.
#[derive(Debug, Deserialize)]
pub(super) struct ModelPage {
    data: Vec<Value>,
    has_more: Option<bool>,
    last_id: Option<String>,
}

impl ModelPage {
    /// The id after which the next page begins, if there is one.
    pub(super) fn next(&self) -> Option<&str> {
        self.last_id.as_deref().filter(|_| self.has_more == Some(true))
    }

    /// The models that still answer.
    pub(super) fn models(self, provider: ProviderKind) -> impl Iterator<Item = Model> {
        let listed = self
            .data
            .into_iter()
            .filter_map(|model| serde_json::from_value(model).ok());
        let alive = listed.filter(|model: &ListedModel| model.lifecycle.as_deref() != Some("retired"));
        alive.map(move |model| Model {
            name: model.display_name.unwrap_or_else(|| model.id.clone()),
            provider,
            context_length: model.max_input_tokens,
            max_output_tokens: model.max_tokens,
            tariff: None,
            id: model.id,
        })
    }
}

#[derive(Debug, Deserialize)]
struct ListedModel {
    id: String,
    display_name: Option<String>,
    lifecycle: Option<String>,
    max_input_tokens: Option<u32>,
    max_tokens: Option<u32>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_cached_counts_as_input() {
        let usage: WireUsage = serde_json::from_value(json!({
            "input_tokens": 10, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 85, "output_tokens": 1
        }))
        .unwrap();
        let expected = Usage {
            input_total: 100,
            input_cached: 85,
            cache_write: 5,
            output_total: 1,
            ..Usage::default()
        };
        assert_eq!(usage.normalised(), Some(expected));
        assert_eq!(WireUsage::default().normalised(), None);
        let apart: WireUsage = serde_json::from_value(json!({
            "input_tokens": 10,
            "cache_creation_input_tokens": 7,
            "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
        }))
        .unwrap();
        let apart = apart.normalised().unwrap();
        assert_eq!((apart.input_total, apart.cache_write, apart.cache_write_1h), (17, 3, 4));
    }

    #[test]
    fn a_later_count_overwrites_only_what_it_says() {
        let read = |json: Value| -> WireUsage { serde_json::from_value(json).unwrap() };
        let mut usage = read(json!({"input_tokens": 10, "output_tokens": 1}));
        usage.update(read(
            json!({"input_tokens": null, "output_tokens": 25, "output_tokens_details": {"thinking_tokens": 19}}),
        ));
        let found = usage.normalised().unwrap();
        assert_eq!(
            (found.input_total, found.output_total, found.output_reasoning),
            (10, 25, 19)
        );
    }
}
