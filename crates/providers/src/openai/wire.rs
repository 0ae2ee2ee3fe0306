//! OpenAI's JSON as it really comes: every field optional and nullable, unknown fields and values accepted.

use across::providers::{
    chat::Usage,
    failure::{Category, ProviderError, classify},
    model::ProviderKind,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::http::shorten;

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
}

#[derive(Debug, Serialize)]
pub(super) struct RequestMessage<'a> {
    pub(super) role: &'static str,
    pub(super) content: &'a str,
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
}

#[derive(Debug, Default, Deserialize)]
struct PromptDetails {
    cached_tokens: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
struct CompletionDetails {
    reasoning_tokens: Option<f64>,
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
        let cached = self
            .prompt_tokens_details
            .as_ref()
            .and_then(|details| count(details.cached_tokens));
        let reasoning = self
            .completion_tokens_details
            .as_ref()
            .and_then(|details| count(details.reasoning_tokens));
        Some(Usage {
            input_total,
            input_cached: cached.unwrap_or(0).min(input_total),
            output_total,
            output_reasoning: reasoning.unwrap_or(0).min(output_total),
        })
    }

    /// Tokens of the input alone, for embeddings.
    pub(super) fn input(&self) -> Option<u64> {
        count(self.prompt_tokens).or_else(|| count(self.total_tokens))
    }
}

/// A token count that can be true: whole, not negative, at most a billion.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range check before makes the conversion exact"
)]
fn count(value: Option<f64>) -> Option<u64> {
    value
        .filter(|value| (0.0..=1e9).contains(value))
        .map(|value| value as u64)
}

/// The answer of `GET /models`.
#[derive(Debug, Deserialize)]
pub(super) struct ModelList {
    pub(super) data: Vec<ListedModel>,
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
}

impl ListedModel {
    /// When the model appeared, in seconds of the epoch; 0 if that is not told.
    pub(super) fn created(&self) -> f64 {
        self.created.unwrap_or(0.0)
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct ModelMeta {
    /// llama.cpp's name for it.
    pub(super) n_ctx_train: Option<u32>,
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

/// What a server says went wrong.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: Option<String>,
    pub(super) param: Option<String>,
    pub(super) message: String,
    /// A status inside the body, which gateways set when the HTTP status is already sent.
    pub(super) status: Option<u16>,
}

impl Refusal {
    /// The refusal in a JSON answer, if it is one: `error` as object or string, `detail`, or `message` on top level.
    pub(super) fn find(body: &Value) -> Option<Self> {
        let error = body.get("error").filter(|error| !error.is_null());
        if error.is_some() || body.get("detail").is_some() || body.get("object").is_some_and(|object| object == "error")
        {
            return Some(Self::read(body));
        }
        None
    }

    /// Reads a body that is known to be a refusal.
    pub(super) fn read(body: &Value) -> Self {
        let error = body.get("error").filter(|error| !error.is_null());
        let source = error.filter(|error| error.is_object()).unwrap_or(body);
        let word = |field: &str| source.get(field).and_then(Value::as_str).map(str::to_owned);
        let number = source
            .get("code")
            .and_then(Value::as_u64)
            .and_then(|code| u16::try_from(code).ok());
        let typed = source
            .get("metadata")
            .and_then(|metadata| metadata.get("error_type"))
            .and_then(Value::as_str);
        let message = word("message")
            .or_else(|| error.and_then(Value::as_str).map(str::to_owned))
            .or_else(|| {
                body.get("detail")
                    .map(|detail| detail.as_str().map_or_else(|| detail.to_string(), str::to_owned))
            })
            .or_else(|| body.get("message").and_then(Value::as_str).map(str::to_owned))
            .unwrap_or_else(|| body.to_string());
        Self {
            code: word("code")
                .or_else(|| typed.map(str::to_owned))
                .or_else(|| word("type")),
            param: word("param"),
            message,
            status: number.filter(|status| (400..600).contains(status)),
        }
    }

    /// The failure in the platform's terms. `status` is the HTTP status unless that said success.
    pub(super) fn into_error(self, status: Option<u16>) -> ProviderError {
        let status = status.or(self.status);
        let mut category = classify(status, self.code.as_deref().unwrap_or_default(), &self.message);
        if category == Category::BadRequest && self.param.is_some() {
            category = Category::BadParam;
        }
        ProviderError {
            provider: ProviderKind::OpenAi,
            category,
            status,
            code: self.code,
            message: shorten(&self.message),
            retry_after: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn refusals_are_found_in_every_shape() {
        let cases = [
            (
                json!({"error": {"message": "m", "type": "t", "code": "c", "param": "p"}}),
                "m",
                Some("c"),
            ),
            (
                json!({"error": {"message": "m", "type": "t", "code": null}}),
                "m",
                Some("t"),
            ),
            (
                json!({"error": {"message": "m", "code": 502, "metadata": {"error_type": "provider_unavailable"}}}),
                "m",
                Some("provider_unavailable"),
            ),
            (json!({"error": "plain"}), "plain", None),
            (json!({"detail": "Not Found"}), "Not Found", None),
            (
                json!({"detail": [{"loc": ["body", "max_tokens"]}]}),
                r#"[{"loc":["body","max_tokens"]}]"#,
                None,
            ),
            (
                json!({"object": "error", "message": "m", "type": "t", "code": 400}),
                "m",
                Some("t"),
            ),
        ];
        for (body, message, code) in cases {
            let found = Refusal::find(&body).unwrap();
            assert_eq!(
                (found.message.as_str(), found.code.as_deref()),
                (message, code),
                "{body}"
            );
        }
        assert_eq!(Refusal::find(&json!({"error": null, "choices": []})), None);
        assert_eq!(Refusal::find(&json!({"choices": [], "usage": null})), None);
    }

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
