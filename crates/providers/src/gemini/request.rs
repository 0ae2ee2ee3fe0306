//! [`ChatRequest`] to Gemini's JSON. Pure. Only what is listed here leaves the house.

use std::borrow::Cow;

use across::providers::chat::{ChatRequest, Speaker};

use super::wire::{ContentRequest, GenerationConfig, RequestContent, RequestPart};
use crate::{takes::Takes, turns::in_turn};

/// The body of the request.
pub(super) fn content(request: &ChatRequest, takes: Takes) -> ContentRequest<'_> {
    let contents = in_turn(&request.turns).into_iter().map(|(speaker, words)| {
        let role = match speaker {
            Speaker::User => "user",
            Speaker::Assistant => "model",
        };
        text(Some(role), words)
    });
    let system = request.system.as_deref().filter(|system| !system.trim().is_empty());
    ContentRequest {
        system_instruction: system.map(|system| text(None, Cow::Borrowed(system))),
        contents: contents.collect(),
        generation_config: GenerationConfig {
            temperature: takes.temperature.then_some(request.temperature),
            max_output_tokens: request.max_output,
        },
    }
}

/// One content of nothing but this text.
pub(super) const fn text<'a>(role: Option<&'static str>, text: Cow<'a, str>) -> RequestContent<'a> {
    RequestContent {
        role,
        parts: [RequestPart { text }],
    }
}
