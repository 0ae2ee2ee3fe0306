//! [`ChatRequest`] to Gemini's JSON. Pure. Only what is listed here leaves the house.

use across::providers::chat::{ChatRequest, Speaker};

use super::wire::{ContentRequest, GenerationConfig, RequestContent, RequestPart};

/// The body of the request.
pub(super) fn content(request: &ChatRequest) -> ContentRequest<'_> {
    let said = request.turns.iter().filter(|turn| !turn.text.trim().is_empty());
    // The person speaks first, always; what an answer without its question would add is not worth a refusal.
    let said = said.skip_while(|turn| turn.speaker == Speaker::Assistant);
    let contents = said.map(|turn| {
        let role = match turn.speaker {
            Speaker::User => "user",
            Speaker::Assistant => "model",
        };
        text(Some(role), &turn.text)
    });
    let system = request.system.as_deref().filter(|system| !system.trim().is_empty());
    ContentRequest {
        system_instruction: system.map(|system| text(None, system)),
        contents: contents.collect(),
        generation_config: GenerationConfig {
            temperature: request.temperature,
            max_output_tokens: request.max_output,
        },
    }
}

/// One content of nothing but this text.
pub(super) const fn text<'a>(role: Option<&'static str>, text: &'a str) -> RequestContent<'a> {
    RequestContent {
        role,
        parts: [RequestPart { text }],
    }
}
