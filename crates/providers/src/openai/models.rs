//! What is known of OpenAI's models beyond their names, which is all that its list tells.

use across::{
    money::{PriceSource, Tariff},
    providers::model::{Model, ProviderKind},
};

use super::{prices::price, wire::ListedModel};

/// Context window and longest answer in tokens, by the start of the name; the longest start that fits holds.
const FAMILIES: [(&str, u32, u32); 10] = [
    ("gpt-6", 1_050_000, 128_000),
    ("gpt-5.6", 1_050_000, 128_000),
    ("gpt-5.5", 1_050_000, 128_000),
    ("gpt-5.4", 1_050_000, 128_000),
    ("gpt-5.4-mini", 400_000, 128_000),
    ("gpt-5.4-nano", 400_000, 128_000),
    ("gpt-5", 400_000, 128_000),
    ("gpt-4.1", 1_047_576, 32_768),
    ("gpt-4o", 128_000, 16_384),
    ("gpt-3.5-turbo", 16_385, 4_096),
];

/// Parts of names of models that do not chat over Chat Completions.
const NO_CHAT: [&str; 17] = [
    "audio",
    "codex",
    "computer-use",
    "dall-e",
    "deep-research",
    "embed",
    "image",
    "instruct",
    "moderation",
    "-pro",
    "realtime",
    "rerank",
    "search",
    "sora",
    "transcribe",
    "tts",
    "whisper",
];

/// How many numbers a vector of this OpenAI embedding model has, if it is known.
pub(crate) fn embedding_dimensions(model: &str) -> Option<usize> {
    match model {
        "text-embedding-3-small" | "text-embedding-ada-002" => Some(1536),
        "text-embedding-3-large" => Some(3072),
        _ => None,
    }
}

/// The models of a server's list that can chat. OpenAI's own list comes in no order, so its newest models go first; other
/// servers' lists keep theirs.
pub(super) fn chat_models(mut listed: Vec<ListedModel>, kind: ProviderKind, official: bool) -> Vec<Model> {
    if official {
        listed.retain(|model| {
            let reasoning = model.id.starts_with('o') && model.id.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
            let chats = model.id.starts_with("gpt-") || model.id.starts_with("chatgpt-") || reasoning;
            chats && !NO_CHAT.iter().any(|part| model.id.contains(part))
        });
        listed.sort_by(|a, b| b.created().total_cmp(&a.created()).then_with(|| a.id.cmp(&b.id)));
    } else {
        listed.retain(|model| {
            let outputs = model
                .architecture
                .as_ref()
                .and_then(|known| known.output_modalities.as_ref());
            let writes = outputs.is_none_or(|outputs| outputs.iter().any(|output| output == "text"));
            writes
                && !["embed", "rerank", "whisper"]
                    .iter()
                    .any(|part| model.id.contains(part))
        });
    }
    listed.into_iter().map(|model| describe(model, kind)).collect()
}

fn describe(listed: ListedModel, kind: ProviderKind) -> Model {
    let bare = listed.id.strip_prefix("openai/").unwrap_or(&listed.id);
    let family = FAMILIES
        .iter()
        .filter(|(start, ..)| bare.starts_with(start))
        .max_by_key(|(start, ..)| start.len());
    let stated = listed
        .max_model_len
        .or(listed.context_length)
        .or(listed.meta.and_then(|meta| meta.n_ctx_train));
    let output = listed.top_provider.and_then(|best| best.max_completion_tokens);
    Model {
        name: listed.name.unwrap_or_else(|| listed.id.clone()),
        provider: kind,
        context_length: stated.or(family.map(|(_, window, _)| *window)),
        max_output_tokens: output.or(family.map(|(.., output)| *output)),
        tariff: match kind {
            // Other servers' numbers have units of their own.
            ProviderKind::OpenRouter => listed
                .pricing
                .and_then(|pricing| price(&pricing))
                .map(|price| Tariff::flat(price, PriceSource::Live)),
            _ => None,
        },
        id: listed.id,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn list(ids: &[(&str, u32)]) -> Vec<ListedModel> {
        let model =
            |(id, created): &(&str, u32)| serde_json::from_value(json!({"id": id, "created": created})).unwrap();
        ids.iter().map(model).collect()
    }

    #[test]
    fn openais_list_is_reduced_to_models_that_chat_newest_first() {
        let ids = [
            ("gpt-4o", 3),
            ("text-embedding-3-small", 9),
            ("gpt-6-sol", 8),
            ("gpt-4o-realtime-preview", 7),
            ("o3", 5),
            ("whisper-1", 1),
            ("gpt-5.4-mini", 6),
            ("gpt-5-pro", 6),
            ("omni-moderation-latest", 4),
        ];
        let models = chat_models(list(&ids), ProviderKind::OpenAi, true);
        assert_eq!(
            models.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(),
            ["gpt-6-sol", "gpt-5.4-mini", "o3", "gpt-4o"]
        );
        assert_eq!(models[1].context_length, Some(400_000));
        assert_eq!(models[2].context_length, None);
    }

    #[test]
    fn other_servers_keep_their_order_and_say_their_windows() {
        let json = json!([
            {"id": "llama3:8b", "object": "model", "created": 1.5},
            {"id": "qwen", "max_model_len": 32768},
            {"id": "nomic-embed-text"},
            {"id": "local.gguf", "meta": {"n_ctx_train": 4096}},
        ]);
        let models = chat_models(serde_json::from_value(json).unwrap(), ProviderKind::Custom, false);
        let windows: Vec<_> = models.iter().map(|m| (m.id.as_str(), m.context_length)).collect();
        assert_eq!(
            windows,
            [("llama3:8b", None), ("qwen", Some(32768)), ("local.gguf", Some(4096))]
        );
    }
}
