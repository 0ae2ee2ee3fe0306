//! [`ChatRequest`] to Anthropic's JSON. Pure. Only what is listed here leaves the house.

use across::{
    governance::price::Listing,
    providers::{
        chat::{ChatRequest, Speaker},
        model::ProviderKind,
    },
};

use super::wire::{CacheControl, MessageRequest, RequestMessage, SystemBlock};
use crate::{known, takes::Takes, turns::in_turn};

/// The least length of an answer of a model that thinks first: its thoughts count, and less may leave no room for words.
const ROOM_TO_THINK: u32 = 4096;

/// The body of the request.
pub(super) fn message(request: &ChatRequest, takes: Takes) -> MessageRequest<'_> {
    let messages = in_turn(&request.turns)
        .into_iter()
        .map(|(speaker, content)| RequestMessage {
            role: match speaker {
                Speaker::User => "user",
                Speaker::Assistant => "assistant",
            },
            content,
        });
    let system = request.system.as_deref().filter(|system| !system.trim().is_empty());
    MessageRequest {
        model: &request.model,
        max_tokens: max_tokens(&request.model, request.max_output),
        stream: true,
        system: system.map(|text| {
            [SystemBlock {
                kind: "text",
                text,
                // The frame is the same with every question of a conversation.
                cache_control: takes.cache_control.then_some(CacheControl { kind: "ephemeral" }),
            }]
        }),
        messages: messages.collect(),
        // Its scale ends at 1.
        temperature: takes.temperature.then_some(request.temperature.min(1.0)),
    }
}

fn max_tokens(model: &str, asked: u32) -> u32 {
    if !known::thinks_unasked(model) {
        return asked;
    }
    let most = known::listed(ProviderKind::Anthropic, model).and_then(|listing: &Listing| listing.max_output);
    asked.max(ROOM_TO_THINK).min(most.unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_that_think_first_get_room_for_words_too() {
        assert_eq!(max_tokens("claude-sonnet-5-5", 500), 4096);
        assert_eq!(max_tokens("claude-sonnet-5-5", 8000), 8000);
        assert_eq!(max_tokens("claude-sonnet-5-5", 1_000_000), 128_000);
        assert_eq!(max_tokens("claude-haiku-4-5", 500), 500);
    }
}
