//! [`ChatRequest`] to OpenAI's JSON. Pure. Only what is listed here leaves the house.

use across::providers::chat::{ChatRequest, Speaker};

use super::wire::{CompletionRequest, RequestMessage, StreamOptions};
use crate::{
    takes::{LengthName, Takes},
    turns::in_turn,
};

/// The body of the request.
pub(super) fn completion(request: &ChatRequest, takes: Takes) -> CompletionRequest<'_> {
    let system = request.system.as_deref().map(|content| RequestMessage {
        role: "system",
        content: content.into(),
    });
    let turns = in_turn(&request.turns)
        .into_iter()
        .map(|(speaker, content)| RequestMessage {
            role: match speaker {
                Speaker::User => "user",
                Speaker::Assistant => "assistant",
            },
            content,
        });
    let limit = |name| (takes.length == name).then_some(request.max_output);
    CompletionRequest {
        model: &request.model,
        messages: system.into_iter().chain(turns).collect(),
        stream: true,
        stream_options: takes.stream_options.then_some(StreamOptions {
            include_usage: true,
            include_obfuscation: takes.no_padding.then_some(false),
        }),
        temperature: takes.temperature.then_some(request.temperature),
        max_completion_tokens: limit(LengthName::MaxCompletionTokens),
        max_tokens: limit(LengthName::MaxTokens),
    }
}

#[cfg(test)]
mod tests {
    use across::providers::{chat::Turn, model::ProviderKind};

    use super::*;

    #[test]
    fn openai_itself_is_asked_for_a_stream_without_padding() {
        let request = ChatRequest {
            model: "gpt-6-sol".to_owned(),
            system: None,
            turns: vec![Turn {
                speaker: Speaker::User,
                text: "Hi".to_owned(),
            }],
            materials: Vec::new(),
            temperature: 0.5,
            max_output: 9,
        };
        let takes = Takes {
            no_padding: true,
            length: LengthName::MaxCompletionTokens,
            ..Takes::of(ProviderKind::OpenAi, &request.model)
        };
        let expected = serde_json::json!({
            "model": "gpt-6-sol",
            "messages": [{"role": "user", "content": "Hi"}],
            "stream": true,
            "stream_options": {"include_usage": true, "include_obfuscation": false},
            "max_completion_tokens": 9,
        });
        assert_eq!(serde_json::to_value(completion(&request, takes)).unwrap(), expected);
    }
}
