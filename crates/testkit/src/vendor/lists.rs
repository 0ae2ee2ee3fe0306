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

/// OpenRouter's `GET /models` in its published shape, more than 50 of them. First what tests name: a usual model, one that
/// costs nothing, one whose price nobody knows, one that draws, and one of another shape. Among the others: long prompts
/// at other prices, a model that is past, an alias, one without a temperature, a price at night, a price that is no number.
pub(super) const OPENROUTER: &str = include_str!("openrouter_models.json");

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
