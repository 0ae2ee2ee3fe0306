//! The lists of models and what else is asked about an account, in each dialect.

use serde_json::{Value, json};

/// OpenAI's `GET /models`.
pub(super) fn openai() -> Value {
    let model = |id| json!({"id": id, "object": "model", "created": 1_790_000_000, "owned_by": "scripted"});
    let data: Vec<Value> = [
        "gpt-4o-mini",
        "gpt-4o",
        "text-embedding-3-small",
        "text-embedding-3-large",
    ]
    .map(model)
    .into();
    json!({"object": "list", "data": data})
}

/// OpenRouter's `GET /models`: a usual model, one that costs nothing, one whose price nobody knows, one that draws, and
/// one of another shape.
pub(super) fn openrouter() -> Value {
    let model = |id: &str, name: &str, prompt: &str, completion: &str, output: &str| {
        json!({
            "id": id,
            "name": name,
            "created": 1_790_000_000,
            "context_length": 200_000,
            "architecture": {"input_modalities": ["text"], "output_modalities": [output], "tokenizer": "Other"},
            "pricing": {"prompt": prompt, "completion": completion, "request": "0", "image": "0"},
            "top_provider": {"context_length": 200_000, "max_completion_tokens": 8000, "is_moderated": false},
            "supported_parameters": ["max_tokens", "temperature"],
        })
    };
    let data = [
        model(
            "openai/gpt-4o-mini",
            "OpenAI: GPT-4o-mini",
            "0.00000015",
            "0.0000006",
            "text",
        ),
        model("scripted/small:free", "Scripted: Small (free)", "0", "0", "text"),
        model("openrouter/auto", "Auto Router", "-1", "-1", "text"),
        model("scripted/painter", "Scripted: Painter", "0.000001", "0.00001", "image"),
        json!({"id": 7}),
    ];
    json!({"data": data})
}

/// OpenRouter's `GET /key`.
pub(super) fn openrouter_key() -> Value {
    json!({"data": {"label": "sk-or-v1-…", "limit": null, "usage": 0.5, "is_free_tier": false}})
}

/// Anthropic's `GET /v1/models`, in two pages.
pub(super) fn anthropic(path: &str) -> Value {
    let model = |id: &str, name: &str, lifecycle: &str| {
        json!({
            "type": "model",
            "id": id,
            "display_name": name,
            "created_at": "2026-06-01T00:00:00Z",
            "lifecycle": lifecycle,
            "max_input_tokens": 1_000_000,
            "max_tokens": 128_000,
        })
    };
    if path.contains("after_id=claude-sonnet-5-5") {
        let data = [
            model("claude-haiku-4-5", "Claude Haiku 4.5", "active"),
            model("claude-2", "Claude 2", "retired"),
        ];
        json!({"data": data, "has_more": false, "first_id": "claude-haiku-4-5", "last_id": "claude-2"})
    } else {
        let data = [model("claude-sonnet-5-5", "Claude Sonnet 5.5", "active")];
        json!({"data": data, "has_more": true, "first_id": "claude-sonnet-5-5", "last_id": "claude-sonnet-5-5"})
    }
}

/// Gemini's `GET /models`.
pub(super) fn gemini() -> Value {
    let model = |name: &str, title: &str, method: &str| {
        json!({
            "name": name,
            "displayName": title,
            "inputTokenLimit": 1_048_576,
            "outputTokenLimit": 65_536,
            "supportedGenerationMethods": [method, "countTokens"],
        })
    };
    let models = [
        model("models/gemini-3.8-flash", "Gemini 3.8 Flash", "generateContent"),
        model("models/gemini-embedding-001", "Gemini Embedding 001", "embedContent"),
    ];
    json!({"models": models})
}
