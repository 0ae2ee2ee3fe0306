//! [`ChatRequest`] to OpenAI's JSON. Pure. Only what is listed here leaves the house.

use across::providers::{
    chat::{ChatRequest, Speaker},
    failure::{Category, ProviderError},
};

use super::wire::{CompletionRequest, RequestMessage, StreamOptions};

/// Which optional parameters a model takes. Vendors and models differ, and say so only by refusing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    /// The name of the length limit: `max_completion_tokens` (OpenAI today) or `max_tokens` (older and compatible).
    pub(super) length: LengthName,
    pub(super) temperature: bool,
    pub(super) stream_options: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LengthName {
    MaxCompletionTokens,
    MaxTokens,
}

impl Dialect {
    /// What to try first at a server of which no more is known than the name of the length limit there.
    pub(super) const fn of(length: LengthName) -> Self {
        Self {
            length,
            temperature: true,
            stream_options: true,
        }
    }

    /// The dialect without what `error` refuses; `None` if the refusal is about something else.
    pub(super) fn without(self, error: &ProviderError, param: Option<&str>) -> Option<Self> {
        if !matches!(error.category, Category::BadParam | Category::BadRequest) {
            return None;
        }
        let named = param.map_or_else(|| first_named(&error.message), first_named)?;
        let next = match named {
            "temperature" if self.temperature => Self {
                temperature: false,
                ..self
            },
            "stream_options" if self.stream_options => Self {
                stream_options: false,
                ..self
            },
            "max_completion_tokens" if self.length == LengthName::MaxCompletionTokens => Self {
                length: LengthName::MaxTokens,
                ..self
            },
            "max_tokens" if self.length == LengthName::MaxTokens => Self {
                length: LengthName::MaxCompletionTokens,
                ..self
            },
            _ => return None,
        };
        Some(next)
    }
}

/// The parameter that stands first in a vendor's words ("Unsupported parameter: 'max_tokens' … use 'max_…' instead").
fn first_named(words: &str) -> Option<&'static str> {
    const NAMES: [&str; 4] = ["max_completion_tokens", "max_tokens", "temperature", "stream_options"];
    NAMES
        .into_iter()
        .filter_map(|name| Some((words.find(name)?, name)))
        .min()
        .map(|(_, name)| name)
}

/// The body of the request.
pub(super) fn completion(request: &ChatRequest, dialect: Dialect) -> CompletionRequest<'_> {
    let system = request.system.as_deref().map(|content| RequestMessage {
        role: "system",
        content,
    });
    let turns = request.turns.iter().map(|turn| RequestMessage {
        role: match turn.speaker {
            Speaker::User => "user",
            Speaker::Assistant => "assistant",
        },
        content: &turn.text,
    });
    let limit = |name| (dialect.length == name).then_some(request.max_output);
    CompletionRequest {
        model: &request.model,
        messages: system.into_iter().chain(turns).collect(),
        stream: true,
        stream_options: dialect.stream_options.then_some(StreamOptions { include_usage: true }),
        temperature: dialect.temperature.then_some(request.temperature),
        max_completion_tokens: limit(LengthName::MaxCompletionTokens),
        max_tokens: limit(LengthName::MaxTokens),
    }
}
