//! [`ChatRequest`] to Anthropic's JSON. Pure. Only what is listed here leaves the house.

use across::providers::chat::{ChatRequest, Speaker};

use super::wire::{MessageRequest, RequestMessage};

/// How the names of the models begin that take a temperature; all others refuse it.
const TAKE_TEMPERATURE: [&str; 9] = [
    "claude-2",
    "claude-3",
    "claude-haiku-4",
    "claude-opus-4-0",
    "claude-opus-4-1",
    "claude-opus-4-2",
    "claude-opus-4-5",
    "claude-opus-4-6",
    "claude-sonnet-4",
];

/// Whether the model takes a temperature.
pub(super) fn takes_temperature(model: &str) -> bool {
    TAKE_TEMPERATURE.iter().any(|start| model.starts_with(start))
}

/// The body of the request.
pub(super) fn message(request: &ChatRequest, with_temperature: bool) -> MessageRequest<'_> {
    let said = request.turns.iter().filter(|turn| !turn.text.trim().is_empty());
    // The person speaks first, always; what an answer without its question would add is not worth a refusal.
    let said = said.skip_while(|turn| turn.speaker == Speaker::Assistant);
    let messages = said.map(|turn| RequestMessage {
        role: match turn.speaker {
            Speaker::User => "user",
            Speaker::Assistant => "assistant",
        },
        content: &turn.text,
    });
    MessageRequest {
        model: &request.model,
        max_tokens: request.max_output,
        stream: true,
        system: request.system.as_deref().filter(|system| !system.trim().is_empty()),
        messages: messages.collect(),
        // Its scale ends at 1.
        temperature: with_temperature.then_some(request.temperature.min(1.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_older_models_take_a_temperature() {
        let old = [
            "claude-3-5-haiku-20241022",
            "claude-haiku-4-5",
            "claude-sonnet-4-6",
            "claude-opus-4-20250514",
            "claude-opus-4-6",
        ];
        assert!(old.iter().all(|model| takes_temperature(model)));
        let new = [
            "claude-opus-4-7",
            "claude-opus-4-8",
            "claude-opus-5",
            "claude-sonnet-5-5",
            "claude-haiku-5-5",
            "claude-fable-5-1",
            "anything-else",
        ];
        assert!(!new.iter().any(|model| takes_temperature(model)));
    }
}
