//! Gemini's JSON as it really comes: every field optional and nullable, unknown fields and values accepted.

use std::borrow::Cow;

use across::providers::{
    chat::Usage,
    model::{Model, ProviderKind},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::count;

/// The request of `POST /models/MODEL:streamGenerateContent`; what is `None` is not sent.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContentRequest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) system_instruction: Option<RequestContent<'a>>,
    pub(super) contents: Vec<RequestContent<'a>>,
    pub(super) generation_config: GenerationConfig,
}

#[derive(Debug, Serialize)]
pub(super) struct RequestContent<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<&'static str>,
    pub(super) parts: [RequestPart<'a>; 1],
}

#[derive(Debug, Serialize)]
pub(super) struct RequestPart<'a> {
    pub(super) text: Cow<'a, str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GenerationConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<f64>,
    pub(super) max_output_tokens: u32,
}

/// One piece of an answer; a whole answer reads as one piece too.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Chunk {
    pub(super) candidates: Option<Vec<Candidate>>,
    pub(super) prompt_feedback: Option<PromptFeedback>,
    /// Read on its own, so that a usage of another shape costs the count and not the answer.
    pub(super) usage_metadata: Option<Value>,
    pub(super) model_version: Option<String>,
    pub(super) response_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate {
    pub(super) index: Option<u32>,
    pub(super) content: Option<Content>,
    pub(super) finish_reason: Option<String>,
    pub(super) finish_message: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Content {
    pub(super) parts: Option<Vec<Part>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Part {
    pub(super) text: Option<String>,
    /// Whether the text is hidden reasoning.
    pub(super) thought: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PromptFeedback {
    pub(super) block_reason: Option<String>,
}

/// Counts as numbers of any shape.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireUsage {
    prompt_token_count: Option<f64>,
    tool_use_prompt_token_count: Option<f64>,
    cached_content_token_count: Option<f64>,
    candidates_token_count: Option<f64>,
    thoughts_token_count: Option<f64>,
    total_token_count: Option<f64>,
}

impl WireUsage {
    /// The counts in our terms; `None` if it holds none that make sense.
    pub(super) fn normalised(&self) -> Option<Usage> {
        let prompt = count(self.prompt_token_count);
        let candidates = count(self.candidates_token_count);
        if prompt.is_none() && candidates.is_none() {
            return None;
        }
        let input_total = prompt.unwrap_or(0) + count(self.tool_use_prompt_token_count).unwrap_or(0);
        let candidates = candidates.unwrap_or(0);
        let thoughts = count(self.thoughts_token_count).unwrap_or(0);
        // Some answers count the thoughts among the candidates; the total tells which.
        let includes_thoughts = count(self.total_token_count) == Some(input_total + candidates);
        let output_total = if includes_thoughts {
            candidates
        } else {
            candidates + thoughts
        };
        Some(Usage {
            input_total,
            input_cached: count(self.cached_content_token_count).unwrap_or(0).min(input_total),
            output_total,
            output_reasoning: thoughts.min(output_total),
            ..Usage::default()
        })
    }

    /// Tokens of the input alone, for embeddings.
    pub(super) fn input(&self) -> Option<u64> {
        count(self.prompt_token_count).or_else(|| count(self.total_token_count))
    }
}

/// A page of `GET /models`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ModelPage {
    models: Vec<Value>,
    next_page_token: Option<String>,
}

impl ModelPage {
    /// The token that asks for the next page, if there is one.
    pub(super) fn next(&self) -> Option<&str> {
        self.next_page_token.as_deref().filter(|token| !token.is_empty())
    }

    /// The models that chat in words.
    pub(super) fn models(self, provider: ProviderKind) -> impl Iterator<Item = Model> {
        /// Parts of names of models whose answers are no text.
        const NO_CHAT: [&str; 6] = ["audio", "embedding", "image", "live", "tts", "veo"];
        let listed = self
            .models
            .into_iter()
            .filter_map(|model| serde_json::from_value(model).ok());
        let chats = |model: &ListedModel| {
            let methods = model.supported_generation_methods.iter().flatten();
            methods.into_iter().any(|method| method == "generateContent")
                && !NO_CHAT.iter().any(|part| model.name.contains(part))
        };
        listed.filter(chats).map(move |model| {
            let id = model.name.strip_prefix("models/").unwrap_or(&model.name).to_owned();
            Model {
                name: model.display_name.unwrap_or_else(|| id.clone()),
                provider,
                context_length: model.input_token_limit,
                max_output_tokens: model.output_token_limit,
                tariff: None,
                id,
            }
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedModel {
    name: String,
    display_name: Option<String>,
    input_token_limit: Option<u32>,
    output_token_limit: Option<u32>,
    supported_generation_methods: Option<Vec<String>>,
}

/// The request of `POST /models/MODEL:batchEmbedContents`.
#[derive(Debug, Serialize)]
pub(super) struct EmbeddingRequest<'a> {
    pub(super) requests: Vec<OneText<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OneText<'a> {
    pub(super) model: &'a str,
    pub(super) content: RequestContent<'a>,
    pub(super) task_type: &'static str,
    pub(super) output_dimensionality: usize,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EmbeddingList {
    pub(super) embeddings: Vec<WireEmbedding>,
    pub(super) usage_metadata: Option<WireUsage>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireEmbedding {
    pub(super) values: Vec<f32>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn thoughts_are_counted_once() {
        let usage = |total: u32| {
            let json = json!({"promptTokenCount": 4, "candidatesTokenCount": 33, "thoughtsTokenCount": 31, "totalTokenCount": total});
            let usage: WireUsage = serde_json::from_value(json).unwrap();
            usage.normalised().unwrap()
        };
        assert_eq!((usage(68).output_total, usage(68).output_reasoning), (64, 31));
        assert_eq!((usage(37).output_total, usage(37).output_reasoning), (33, 31));
        assert_eq!(WireUsage::default().normalised(), None);
    }
}
