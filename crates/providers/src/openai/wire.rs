//! OpenAI's JSON as it really comes: every field optional and nullable, unknown fields and values accepted.

use std::borrow::Cow;

use across::providers::chat::Usage;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::count;

/// The request of `POST /chat/completions`; what is `None` is not sent.
#[derive(Debug, Serialize)]
pub(super) struct CompletionRequest<'a> {
    pub(super) model: &'a str,
    pub(super) messages: Vec<RequestMessage<'a>>,
    pub(super) stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_tokens: Option<u32>,
}

#[derive(Debug, Serialize)]
pub(super) struct StreamOptions {
    pub(super) include_usage: bool,
    /// Padding against eavesdroppers who see sizes, half of all that is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) include_obfuscation: Option<bool>,
}

#[derive(Debug, Serialize)]
pub(super) struct RequestMessage<'a> {
    pub(super) role: &'static str,
    pub(super) content: Cow<'a, str>,
}

/// One chunk of a stream; a whole `chat.completion` reads as one chunk too.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Chunk {
    pub(super) id: Option<Value>,
    pub(super) model: Option<String>,
    pub(super) choices: Option<Vec<Choice>>,
    /// Read on its own, so that a usage of another shape costs the count and not the answer.
    pub(super) usage: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    pub(super) index: Option<u32>,
    pub(super) delta: Option<Delta>,
    pub(super) message: Option<Delta>,
    pub(super) finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Delta {
    pub(super) content: Option<Content>,
    pub(super) refusal: Option<String>,
    pub(super) reasoning: Option<Value>,
    pub(super) reasoning_content: Option<Value>,
}

/// Text, or a list of parts of which some are text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Content {
    Text(String),
    Parts(Vec<Value>),
    Other(serde::de::IgnoredAny),
}

impl Content {
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Parts(parts) => parts
                .iter()
                .filter_map(|part| part.as_str().or_else(|| part.get("text")?.as_str()))
                .collect(),
            Self::Other(_) => String::new(),
        }
    }
}

/// Counts as numbers of any shape, since some servers send floats, nulls or nonsense.
#[derive(Debug, Default, Deserialize)]
pub(super) struct WireUsage {
    prompt_tokens: Option<f64>,
    completion_tokens: Option<f64>,
    total_tokens: Option<f64>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    /// OpenRouter's charge in dollars.
    pub(super) cost: Option<Value>,
    /// Whether OpenRouter used a key of one's own at the model's maker, who charges apart.
    pub(super) is_byok: Option<bool>,
    pub(super) cost_details: Option<CostDetails>,
}

#[derive(Debug, Default, Deserialize)]
struct PromptDetails {
    cached_tokens: Option<f64>,
    cache_write_tokens: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
struct CompletionDetails {
    reasoning_tokens: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct CostDetails {
    /// What the model's maker charges, in dollars.
    pub(super) upstream_inference_cost: Option<Value>,
}

impl WireUsage {
    /// The counts in our terms; `None` if it holds none that make sense.
    pub(super) fn normalised(&self) -> Option<Usage> {
        let input_total = count(self.prompt_tokens);
        let output_total =
            count(self.completion_tokens).or_else(|| Some(count(self.total_tokens)?.saturating_sub(input_total?)));
        if input_total.is_none() && output_total.is_none() {
            return None;
        }
        let (input_total, output_total) = (input_total.unwrap_or(0), output_total.unwrap_or(0));
        let of_prompt = self.prompt_tokens_details.as_ref();
        let cached = of_prompt.and_then(|details| count(details.cached_tokens)).unwrap_or(0);
        let written = of_prompt
            .and_then(|details| count(details.cache_write_tokens))
            .unwrap_or(0);
        let input_cached = cached.min(input_total);
        let reasoning = self
            .completion_tokens_details
            .as_ref()
            .and_then(|details| count(details.reasoning_tokens));
        Some(Usage {
            input_total,
            input_cached,
            cache_write: written.min(input_total - input_cached),
            output_total,
            output_reasoning: reasoning.unwrap_or(0).min(output_total),
            ..Usage::default()
        })
    }

    /// Tokens of the input alone, for embeddings.
    pub(super) fn input(&self) -> Option<u64> {
        count(self.prompt_tokens).or_else(|| count(self.total_tokens))
    }
}

/// The answer of `GET /models`. Each model is read on its own, so that one of another shape costs itself and not the list.
#[derive(Debug, Deserialize)]
pub(super) struct ModelList {
    data: Vec<Value>,
}

impl ModelList {
    pub(super) fn models(self) -> Vec<ListedModel> {
        let models = self.data.into_iter();
        models.filter_map(|model| serde_json::from_value(model).ok()).collect()
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct ListedModel {
    pub(super) id: String,
    pub(super) name: Option<String>,
    created: Option<f64>,
    /// vLLM's name for the context window.
    pub(super) max_model_len: Option<u32>,
    /// The gateways' name for it.
    pub(super) context_length: Option<u32>,
    pub(super) meta: Option<ModelMeta>,
    /// OpenRouter's words on what comes in and goes out.
    pub(super) architecture: Option<Architecture>,
    /// OpenRouter's prices.
    pub(super) pricing: Option<Pricing>,
    /// OpenRouter's best server for the model.
    pub(super) top_provider: Option<TopProvider>,
    /// The parameters that OpenRouter says the model takes.
    pub(super) supported_parameters: Option<Vec<String>>,
    /// The day from which OpenRouter no longer serves it.
    pub(super) expiration_date: Option<String>,
}

impl ListedModel {
    /// When the model appeared, in seconds of the epoch; 0 if that is not told.
    pub(super) fn created(&self) -> f64 {
        self.created.unwrap_or(0.0)
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct ModelMeta {
    /// The window that llama.cpp's server was started with; older ones do not say.
    pub(super) n_ctx: Option<u32>,
    /// The window that the model was made with.
    pub(super) n_ctx_train: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Architecture {
    pub(super) output_modalities: Option<Vec<String>>,
}

/// US dollars for one token, as decimal numbers in text; kept as they come, because one that makes no sense costs only
/// the price.
#[derive(Debug, Deserialize)]
pub(super) struct Pricing {
    pub(super) prompt: Option<Value>,
    pub(super) completion: Option<Value>,
    pub(super) input_cache_read: Option<Value>,
    pub(super) input_cache_write: Option<Value>,
    pub(super) input_cache_write_1h: Option<Value>,
    /// Prices under conditions.
    #[serde(default)]
    pub(super) overrides: Value,
}

/// Prices under a condition. What they leave out stays as it is without it.
#[derive(Debug, Deserialize)]
pub(super) struct Override {
    /// For prompts of more tokens than this; a condition of another kind has none.
    pub(super) min_prompt_tokens: Option<f64>,
    #[serde(flatten)]
    pub(super) pricing: Pricing,
}

/// The answer of OpenRouter's `GET /generation`.
#[derive(Debug, Deserialize)]
pub(super) struct Generation {
    pub(super) data: GenerationData,
}

#[derive(Debug, Deserialize)]
pub(super) struct GenerationData {
    pub(super) total_cost: Option<Value>,
    pub(super) is_byok: Option<bool>,
    pub(super) upstream_inference_cost: Option<Value>,
    pub(super) native_tokens_prompt: Option<f64>,
    pub(super) native_tokens_completion: Option<f64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct TopProvider {
    pub(super) max_completion_tokens: Option<u32>,
}

/// The request of `POST /embeddings`.
#[derive(Debug, Serialize)]
pub(super) struct EmbeddingRequest<'a> {
    pub(super) model: &'a str,
    pub(super) input: &'a [String],
    pub(super) encoding_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dimensions: Option<usize>,
}

#[derive(Debug, Deserialize)]
pub(super) struct EmbeddingList {
    pub(super) data: Vec<WireEmbedding>,
    pub(super) usage: Option<WireUsage>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireEmbedding {
    pub(super) index: Option<usize>,
    pub(super) embedding: Vec<f32>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn senseless_counts_are_no_counts() {
        let usage = |json: Value| serde_json::from_value::<WireUsage>(json).unwrap().normalised();
        assert_eq!(usage(json!({})), None);
        assert_eq!(usage(json!({"prompt_tokens": -4, "completion_tokens": 1e30})), None);
        let zero = usage(json!({"prompt_tokens": 0, "completion_tokens": 0})).unwrap();
        assert_eq!(zero, Usage::default(), "a stated zero stays zero");
        let total = usage(json!({"prompt_tokens": 9, "total_tokens": 12})).unwrap();
        assert_eq!((total.input_total, total.output_total), (9, 3));
        let clamped =
            usage(json!({"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 90}}));
        assert_eq!(clamped.unwrap().input_cached, 9);
    }
}
