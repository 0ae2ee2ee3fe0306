//! OpenAI's chunks folded to an [`Answer`]. Pure: bytes, clocks and connections are the caller's.

use across::providers::{
    chat::{FinishReason, Usage},
    failure::Category,
    model::ProviderKind,
};
use serde_json::Value;

use super::{
    prices::charge,
    wire::{Chunk, Content, Delta, WireUsage},
};
use crate::{
    answer::{Answer, Fold, raw},
    http::shorten,
};

/// Every chunk speaks for itself, and a whole `chat.completion` reads as one chunk.
pub(super) struct Chunks {
    /// Whose they are: OpenRouter alone states in dollars what it charges.
    pub(super) kind: ProviderKind,
}

impl Fold for Chunks {
    fn body(&mut self, body: Value, answer: &mut Answer) {
        let chunk = match serde_json::from_value::<Chunk>(body) {
            Ok(chunk) => chunk,
            Err(error) => {
                let message = format!("a piece of the stream has another shape: {error}");
                return answer.fail_with(Category::Malformed, message);
            }
        };
        if chunk.choices.is_some() || chunk.id.is_some() {
            let id = chunk.id.as_ref().and_then(Value::as_str).map(str::to_owned);
            answer.start(id, chunk.model);
        }
        if let Some(usage) = chunk.usage.as_ref().and_then(|usage| self.usage(usage)) {
            answer.count(usage);
        }
        for choice in chunk.choices.unwrap_or_default() {
            if choice.index.unwrap_or(0) == 0 {
                delta(choice.delta.or(choice.message).unwrap_or_default(), answer);
                reason(choice.finish_reason.as_deref().unwrap_or_default(), answer);
            }
        }
    }
}

impl Chunks {
    fn usage(&self, usage: &Value) -> Option<Usage> {
        let told: WireUsage = serde_json::from_value(usage.clone()).ok()?;
        let makers = told
            .cost_details
            .as_ref()
            .and_then(|details| details.upstream_inference_cost.as_ref());
        let stated = told.cost.as_ref().filter(|_| self.kind == ProviderKind::OpenRouter);
        Some(Usage {
            cost: stated.and_then(|own| charge(own, told.is_byok == Some(true), makers)),
            raw: raw(usage),
            ..told.normalised()?
        })
    }
}

fn delta(delta: Delta, answer: &mut Answer) {
    let thought = [delta.reasoning, delta.reasoning_content]
        .into_iter()
        .flatten()
        .find_map(|value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned));
    answer.reasoning(thought.unwrap_or_default());
    answer.text(delta.content.map(Content::into_text).unwrap_or_default());
    let refusal = delta.refusal.unwrap_or_default();
    if !refusal.is_empty() {
        answer.withhold();
        answer.text(refusal);
    }
}

fn reason(word: &str, answer: &mut Answer) {
    if word.is_empty() || answer.is_over() || answer.has_finished() {
        return;
    }
    match word {
        "stop" => answer.finish(FinishReason::Stop),
        "length" => answer.finish(FinishReason::Length),
        "content_filter" => answer.finish(FinishReason::ContentFilter),
        "error" => answer.fail_with(Category::Upstream, "the provider ended with an error"),
        "insufficient_system_resource" => answer.fail_with(Category::Cut, "the provider ran out of resources"),
        other => answer.finish(FinishReason::Unknown(shorten(other))),
    }
}

#[cfg(test)]
mod tests {
    use across::providers::chat::ChatEvent;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_finish_and_the_last_usage_hold() {
        let mut answer = Answer::new(ProviderKind::OpenAi);
        let mut chunks = Chunks {
            kind: ProviderKind::OpenAi,
        };
        chunks.body(
            json!({"id": "c", "choices": [{"index": 0, "delta": {"content": "a"}}]}),
            &mut answer,
        );
        for (reason, tokens) in [("length", 1), ("stop", 2)] {
            let usage = json!({"prompt_tokens": 5, "completion_tokens": tokens});
            let choices = json!([{"delta": null, "finish_reason": reason}]);
            chunks.body(json!({"choices": choices, "usage": usage}), &mut answer);
        }
        answer.end(None);
        let items: Vec<_> = std::iter::from_fn(|| answer.take()).skip(2).collect();
        let usage = Usage {
            input_total: 5,
            output_total: 2,
            raw: Some(r#"{"completion_tokens":2,"prompt_tokens":5}"#.to_owned()),
            ..Usage::default()
        };
        assert_eq!(
            items,
            [Ok(ChatEvent::Usage(usage)), Ok(ChatEvent::Finish(FinishReason::Length))]
        );
    }
}
