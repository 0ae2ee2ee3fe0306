//! What OpenRouter alone does: it says what an answer cost, with it and afterwards.

use serde_json::{Value, json};

use super::{Answer, state::Told};

/// Trillionths of a dollar for a token of the prompt and of the answer: 0.15 and 0.60 dollars a million.
const PRICES: (u64, u64) = (150_000, 600_000);

/// An answer that may be asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Generation {
    pub(super) model: String,
    pub(super) prompt_tokens: usize,
    pub(super) completion_tokens: usize,
    /// How often it was asked about in vain.
    pub(super) denied: u32,
}

/// What so many tokens cost in dollars.
pub(super) fn cost(prompt_tokens: usize, completion_tokens: usize) -> Value {
    let trillionths = prompt_tokens as u64 * PRICES.0 + completion_tokens as u64 * PRICES.1;
    let text = format!(
        "{}.{:012}",
        trillionths / 1_000_000_000_000,
        trillionths % 1_000_000_000_000
    );
    // A number as its digits say, as OpenRouter sends it.
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// The answer to `GET /generation?id=…`.
pub(super) fn generation(path: &str, told: &mut Told) -> Answer {
    let after = told.accounted_after;
    let id = path
        .split_once("id=")
        .map(|(_, rest)| rest.split('&').next().unwrap_or_default());
    let known = id.and_then(|id| Some((id, told.generations.get_mut(id)?)));
    let Some((id, generation)) = known else {
        return not_found();
    };
    if generation.denied < after {
        generation.denied += 1;
        return not_found();
    }
    let (prompt, completion) = (generation.prompt_tokens, generation.completion_tokens);
    Answer::json(
        200,
        &json!({"data": {
            "id": id,
            "model": generation.model,
            "provider_name": "Scripted",
            "total_cost": cost(prompt, completion),
            "usage": cost(prompt, completion),
            "is_byok": false,
            "cancelled": false,
            "streamed": true,
            "tokens_prompt": prompt,
            "tokens_completion": completion,
            "native_tokens_prompt": prompt,
            "native_tokens_completion": completion,
            "native_tokens_reasoning": 0,
            "native_tokens_cached": 0,
            "cache_discount": null,
            "upstream_inference_cost": null,
            "finish_reason": "stop",
            "native_finish_reason": "stop",
            "latency": 12,
            "generation_time": 345,
            "created_at": "2026-11-23T08:00:00Z",
        }}),
    )
}

fn not_found() -> Answer {
    Answer::json(404, &json!({"error": {"code": 404, "message": "Generation not found"}}))
}
