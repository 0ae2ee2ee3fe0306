//! What is known of OpenAI's models beyond their names, which is all that its list tells.

use across::{
    clock::Time,
    providers::model::{Model, ProviderKind},
};
use chrono::NaiveDate;

use super::{prices::tariff, wire::ListedModel};
use crate::known;

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
pub(super) fn chat_models(mut listed: Vec<ListedModel>, kind: ProviderKind, official: bool, now: Time) -> Vec<Model> {
    if official {
        listed.retain(|model| {
            let reasoning = known::is_of_the_o_series(&model.id);
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
            let past = model
                .expiration_date
                .as_deref()
                .and_then(day)
                .is_some_and(|day| day <= now.date_naive());
            let writes = outputs.is_none_or(|outputs| outputs.iter().any(|output| output == "text"));
            writes
                && !past
                && !["embed", "rerank", "whisper"]
                    .iter()
                    .any(|part| model.id.contains(part))
        });
    }
    known::completed(listed.into_iter().map(|model| describe(model, kind)), now)
}

/// The day of a date, which may have a time behind it.
fn day(date: &str) -> Option<NaiveDate> {
    date.get(..10)?.parse().ok()
}

/// What to call a model whose server names it by the file that it was loaded from, as llama.cpp's does.
fn file_name(id: &str) -> &str {
    let stem = id.strip_suffix(".gguf").unwrap_or(id);
    match stem.rsplit_once(['/', '\\']) {
        Some((_, name)) if id.len() > stem.len() || id.starts_with('/') => name,
        _ => stem,
    }
}

fn describe(listed: ListedModel, kind: ProviderKind) -> Model {
    let window = listed
        .max_model_len
        .or(listed.context_length)
        .or(listed.meta.and_then(|meta| meta.n_ctx.or(meta.n_ctx_train)));
    Model {
        name: listed.name.unwrap_or_else(|| file_name(&listed.id).to_owned()),
        provider: kind,
        context_length: window,
        max_output_tokens: listed.top_provider.and_then(|best| best.max_completion_tokens),
        tariff: match kind {
            // Other servers' numbers have units of their own.
            ProviderKind::OpenRouter => listed.pricing.as_ref().and_then(tariff),
            _ => None,
        },
        id: listed.id,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> Time {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn list(ids: &[(&str, u32)]) -> Vec<ListedModel> {
        let model =
            |(id, created): &(&str, u32)| serde_json::from_value(json!({"id": id, "created": created})).unwrap();
        ids.iter().map(model).collect()
    }

    #[test]
    fn a_model_named_by_its_file_is_called_like_it_and_has_the_window_it_was_started_with() {
        // As the server of llama.cpp 0.7.0 lists it, started with half of the model's window.
        let listed = json!({"id": "/models/SmolLM2-135M-Instruct.Q4_1.gguf", "object": "model", "created": 1_795_458_946,
            "owned_by": "llamacpp", "meta": {"n_ctx": 4096, "n_ctx_train": 8192, "n_params": 134_515_008}});
        let model = describe(serde_json::from_value(listed).unwrap(), ProviderKind::Custom);
        assert_eq!(model.name, "SmolLM2-135M-Instruct.Q4_1");
        assert_eq!(model.context_length, Some(4096));
        for (id, name) in [
            ("C:\\models\\a.gguf", "a"),
            ("meta/llama-4", "meta/llama-4"),
            ("llama3:8b", "llama3:8b"),
        ] {
            assert_eq!(file_name(id), name);
        }
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
        let models = chat_models(list(&ids), ProviderKind::OpenAi, true, now());
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
        let models = chat_models(
            serde_json::from_value(json).unwrap(),
            ProviderKind::Custom,
            false,
            now(),
        );
        let windows: Vec<_> = models.iter().map(|m| (m.id.as_str(), m.context_length)).collect();
        assert_eq!(
            windows,
            [("llama3:8b", None), ("qwen", Some(32768)), ("local.gguf", Some(4096))]
        );
    }

    #[test]
    fn openrouters_models_are_listed_until_they_expire() {
        let json = json!([
            {"id": "a/past", "expiration_date": "2026-11-23"},
            {"id": "a/past-hour", "expiration_date": "2026-11-22T10:00:00Z"},
            {"id": "a/future", "expiration_date": "2026-11-24"},
            {"id": "a/unsaid", "expiration_date": null},
            {"id": "a/unreadable", "expiration_date": "soon"},
        ]);
        let models = chat_models(
            serde_json::from_value(json).unwrap(),
            ProviderKind::OpenRouter,
            false,
            now(),
        );
        let ids: Vec<&str> = models.iter().map(|model| model.id.as_str()).collect();
        assert_eq!(ids, ["a/future", "a/unsaid", "a/unreadable"]);
    }
}
