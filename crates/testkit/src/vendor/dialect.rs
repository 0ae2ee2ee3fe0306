//! The dialects that the scripted vendor speaks: how each asks, and how each says the same things.

use serde_json::{Value, json};

use super::{Recorded, openrouter};

/// Whose wire it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI's, and that of every server that speaks like it.
    OpenAi,
    /// OpenRouter's.
    OpenRouter,
    /// Anthropic's.
    Anthropic,
    /// Google's.
    Gemini,
}

/// What an answer says it used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// The truth.
    True,
    /// Nothing at all.
    Zero,
    /// Less than nothing.
    Negative,
    /// More than there can be.
    Absurd,
    /// It does not say.
    Missing,
}

/// A question as it was asked.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) dialect: Dialect,
    pub(super) model: String,
    pub(super) system: String,
    pub(super) question: String,
    pub(super) streams: bool,
    pub(super) count: Count,
    pub(super) input_tokens: usize,
    pub(super) wants_usage: bool,
    /// The how-manieth answer it is.
    pub(super) number: u64,
}

/// Something said in the course of an answer.
#[derive(Clone, Copy)]
pub(super) enum Piece<'a> {
    /// The answer begins.
    Begin,
    /// Hidden reasoning.
    Thought(&'a str),
    /// From here on the words are those of the answer.
    Open,
    /// Some words.
    Words(&'a str),
    /// Something that says nothing but that the connection lives.
    KeepAlive,
    /// The end, for this reason in OpenAI's words, after a text that is told whole once more to be counted.
    Finish(&'a str, &'a str),
    /// A failure.
    Error,
}

impl Dialect {
    /// The dialect of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "openai" => Some(Self::OpenAi),
            "openrouter" => Some(Self::OpenRouter),
            "anthropic" => Some(Self::Anthropic),
            "gemini" | "google" => Some(Self::Gemini),
            _ => None,
        }
    }

    /// The dialect of a request.
    pub(super) fn of(request: &Recorded) -> Self {
        let path = request.bare_path();
        if path.starts_with("/api/v1/") {
            Self::OpenRouter
        } else if path.starts_with("/v1beta/") {
            Self::Gemini
        } else if request.header("anthropic-version").is_some() {
            Self::Anthropic
        } else {
            Self::OpenAi
        }
    }

    /// Reads a request for an answer.
    pub(super) fn read(self, path: &str, body: &Value, number: u64) -> Asked {
        let field = |name: &str| body.get(name).unwrap_or(&Value::Null);
        let list = |name: &str| field(name).as_array().map(Vec::as_slice).unwrap_or_default();
        let said = |name: &str, role: &str| {
            let mut of_role = list(name)
                .iter()
                .filter(|turn| turn.get("role").is_some_and(|known| known == role));
            of_role.next_back().map(text).unwrap_or_default()
        };
        let (turns, system) = match self {
            Self::OpenAi | Self::OpenRouter => ("messages", said("messages", "system")),
            Self::Anthropic => ("messages", text(field("system"))),
            Self::Gemini => ("contents", text(field("systemInstruction"))),
        };
        let model = match self {
            Self::Gemini => path
                .rsplit('/')
                .next()
                .and_then(|last| last.split(':').next())
                .unwrap_or_default(),
            Self::OpenAi | Self::OpenRouter | Self::Anthropic => field("model").as_str().unwrap_or_default(),
        };
        let asks_usage = body.pointer("/stream_options/include_usage");
        let of_turns: usize = list(turns).iter().map(|turn| tokens(&text(turn))).sum();
        let apart = matches!(self, Self::Anthropic | Self::Gemini).then(|| tokens(&system));
        Asked {
            dialect: self,
            model: model.to_owned(),
            question: said(turns, "user"),
            streams: self == Self::Gemini || field("stream") == true,
            wants_usage: self != Self::OpenAi || asks_usage.is_some_and(|wants| wants == true),
            count: Count::True,
            input_tokens: of_turns + apart.unwrap_or(0),
            number,
            system,
        }
    }
}

impl Asked {
    /// What the vendor calls the answer.
    pub(super) fn id(&self) -> String {
        match self.dialect {
            Dialect::OpenRouter => format!("gen-scripted-{}", self.number),
            Dialect::OpenAi => "chatcmpl-scripted".to_owned(),
            Dialect::Anthropic => "msg_scripted".to_owned(),
            Dialect::Gemini => "scripted".to_owned(),
        }
    }

    /// The events in which a piece is said.
    pub(super) fn events(&self, piece: Piece<'_>) -> Vec<String> {
        match self.dialect {
            Dialect::OpenAi | Dialect::OpenRouter => self.openai(piece),
            Dialect::Anthropic => self.anthropic(piece),
            Dialect::Gemini => self.gemini(piece),
        }
    }

    /// A whole answer in OpenAI's dialect.
    pub(super) fn whole(&self, words: &str, reason: &str) -> Value {
        let message = json!({"role": "assistant", "content": words, "refusal": null});
        let choice = json!({"index": 0, "message": message, "logprobs": null, "finish_reason": reason});
        self.completion("chat.completion", &json!([choice]), &self.usage(tokens(words)))
    }

    fn openai(&self, piece: Piece<'_>) -> Vec<String> {
        let chunk = |choices: &Value, usage: &Value| data(&self.completion("chat.completion.chunk", choices, usage));
        let delta = |delta: &Value, finish: Option<&str>| {
            let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
            chunk(&json!([choice]), &Value::Null)
        };
        let is_router = self.dialect == Dialect::OpenRouter;
        match piece {
            Piece::Begin => vec![delta(
                &json!({"role": "assistant", "content": "", "refusal": null}),
                None,
            )],
            Piece::Open => Vec::new(),
            Piece::Thought(words) if is_router => vec![delta(&json!({"reasoning": words}), None)],
            Piece::Thought(words) => vec![delta(&json!({"reasoning_content": words}), None)],
            Piece::Words(words) => vec![delta(&json!({"content": words}), None)],
            Piece::KeepAlive => {
                let comment = if is_router {
                    ": OPENROUTER PROCESSING\n\n"
                } else {
                    ": SCRIPTED PROCESSING\n\n"
                };
                let ping = "event: ping\ndata: {\"type\":\"ping\"}\n\n";
                vec![comment.to_owned(), ping.to_owned(), chunk(&json!([]), &Value::Null)]
            }
            Piece::Finish(reason, words) => {
                let mut events = vec![delta(&json!({}), Some(reason))];
                if self.wants_usage && self.count != Count::Missing {
                    events.push(chunk(&json!([]), &self.usage(tokens(words))));
                }
                events.push("data: [DONE]\n\n".to_owned());
                events
            }
            Piece::Error => {
                let error =
                    json!({"message": "The server had an error.", "type": "server_error", "param": null, "code": null});
                vec![data(&json!({"error": error})), "data: [DONE]\n\n".to_owned()]
            }
        }
    }

    fn anthropic(&self, piece: Piece<'_>) -> Vec<String> {
        let event = |body: &Value| {
            let name = body.get("type").and_then(Value::as_str).unwrap_or_default();
            format!("event: {name}\n{}", data(body))
        };
        let block = |index: u32, block: &Value| {
            event(&json!({"type": "content_block_start", "index": index, "content_block": block}))
        };
        let delta =
            |index: u32, delta: &Value| event(&json!({"type": "content_block_delta", "index": index, "delta": delta}));
        let stop = |index: u32| event(&json!({"type": "content_block_stop", "index": index}));
        match piece {
            Piece::Begin => {
                let usage = json!({
                    "input_tokens": self.counted(self.input_tokens),
                    "cache_creation_input_tokens": 0,
                    "cache_read_input_tokens": 0,
                    "output_tokens": self.counted(1),
                });
                let message = json!({
                    "id": self.id(),
                    "type": "message",
                    "role": "assistant",
                    "content": [],
                    "model": self.model,
                    "stop_reason": null,
                    "stop_sequence": null,
                    "usage": self.unless_missing(usage),
                });
                vec![event(&json!({"type": "message_start", "message": message}))]
            }
            Piece::Thought(words) => vec![
                block(0, &json!({"type": "thinking", "thinking": "", "signature": ""})),
                delta(0, &json!({"type": "thinking_delta", "thinking": words})),
                delta(0, &json!({"type": "signature_delta", "signature": "EqQB"})),
                stop(0),
            ],
            Piece::Open => vec![block(1, &json!({"type": "text", "text": ""}))],
            Piece::Words(words) => vec![delta(1, &json!({"type": "text_delta", "text": words}))],
            Piece::KeepAlive => vec![event(&json!({"type": "ping"}))],
            Piece::Finish(reason, words) => {
                let reason = match reason {
                    "stop" => "end_turn",
                    "length" => "max_tokens",
                    _ => "refusal",
                };
                let delta = json!({"stop_reason": reason, "stop_sequence": null});
                let usage = self.unless_missing(json!({"output_tokens": self.counted(tokens(words))}));
                vec![
                    stop(1),
                    event(&json!({"type": "message_delta", "delta": delta, "usage": usage})),
                    event(&json!({"type": "message_stop"})),
                ]
            }
            Piece::Error => {
                let error = json!({"type": "overloaded_error", "message": "Overloaded"});
                vec![event(&json!({"type": "error", "error": error, "request_id": "req_1"}))]
            }
        }
    }

    fn gemini(&self, piece: Piece<'_>) -> Vec<String> {
        let chunk = |candidate: &Value, output: usize| {
            let usage = json!({
                "promptTokenCount": self.counted(self.input_tokens),
                "candidatesTokenCount": self.counted(output),
                "totalTokenCount": self.counted(self.input_tokens + output),
            });
            let body = json!({
                "candidates": [candidate],
                "usageMetadata": self.unless_missing(usage),
                "modelVersion": self.model,
                "responseId": self.id(),
            });
            data(&body)
        };
        let part = |part: &Value| chunk(&json!({"content": {"parts": [part], "role": "model"}, "index": 0}), 0);
        match piece {
            Piece::Begin | Piece::Open => Vec::new(),
            Piece::Thought(words) => vec![part(&json!({"text": words, "thought": true}))],
            Piece::Words(words) => vec![part(&json!({"text": words}))],
            Piece::KeepAlive => vec![": keep-alive\n\n".to_owned()],
            Piece::Finish(reason, words) => {
                let reason = match reason {
                    "stop" => "STOP",
                    "length" => "MAX_TOKENS",
                    _ => "SAFETY",
                };
                vec![chunk(&json!({"finishReason": reason, "index": 0}), tokens(words))]
            }
            Piece::Error => {
                let error = json!({"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"});
                vec![data(&json!({"error": error}))]
            }
        }
    }

    fn completion(&self, object: &str, choices: &Value, usage: &Value) -> Value {
        let mut completion = json!({
            "id": self.id(),
            "object": object,
            "created": 1_795_400_000,
            "model": self.model,
            "system_fingerprint": "fp_scripted",
            "choices": choices,
            "usage": usage,
        });
        if self.dialect == Dialect::OpenRouter {
            completion["provider"] = "Scripted".into();
        }
        completion
    }

    fn usage(&self, output: usize) -> Value {
        let mut usage = json!({
            "prompt_tokens": self.counted(self.input_tokens),
            "completion_tokens": self.counted(output),
            "total_tokens": self.counted(self.input_tokens + output),
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        });
        if self.dialect == Dialect::OpenRouter {
            usage["cost"] = match self.count {
                Count::True => openrouter::cost(self.input_tokens, output),
                _ => self.counted(output),
            };
            usage["is_byok"] = false.into();
            usage["cost_details"] = json!({"upstream_inference_cost": null});
        }
        self.unless_missing(usage)
    }

    /// A number of tokens as the answer says it.
    fn counted(&self, tokens: usize) -> Value {
        match self.count {
            Count::True | Count::Missing => tokens.into(),
            Count::Zero => 0.into(),
            Count::Negative => (-7).into(),
            Count::Absurd => 4e15.into(),
        }
    }

    fn unless_missing(&self, usage: Value) -> Value {
        if self.count == Count::Missing {
            Value::Null
        } else {
            usage
        }
    }
}

/// The words in a text, a list of parts, or something that has either as its content.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(text).collect(),
        Value::Object(fields) => ["content", "parts", "text"]
            .iter()
            .find_map(|name| fields.get(*name))
            .map(text)
            .unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::Number(_) => String::new(),
    }
}

fn data(body: &Value) -> String {
    format!("data: {body}\n\n")
}

/// Tokens of a text, as this vendor counts them.
pub(super) fn tokens(text: &str) -> usize {
    text.split_whitespace().count() * 4 / 3
}
