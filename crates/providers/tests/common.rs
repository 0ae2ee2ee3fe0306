//! What the tests share: a server, a client of it, a question, and a whole answer in one value.

use std::{collections::HashMap, sync::Arc, time::Duration};

use across::{
    id::ApiKeyId,
    providers::{
        chat::{ChatEvent, ChatRequest, Speaker, Turn},
        failure::ProviderError,
        key::{ApiKey, Custom},
        model::{EmbeddingModel, ProviderKind},
        provider::{EmbedPurpose, EmbedRequest, Provider},
        registry::Connector as _,
    },
    secret::Secret,
};
use across_providers::{Reach, VendorConnector, http::Timeouts};
use across_testkit::vendor::{Dialect, ScriptedVendor};
use chrono::DateTime;
use futures::StreamExt as _;
use serde_json::Value;
use url::Url;

/// Those that one server stands in for.
pub(crate) const DIRECT: [ProviderKind; 4] = [
    ProviderKind::OpenAi,
    ProviderKind::OpenRouter,
    ProviderKind::Anthropic,
    ProviderKind::Google,
];

/// Limits short enough for tests that reach them.
pub(crate) fn timeouts() -> Timeouts {
    let second = Duration::from_secs(1);
    Timeouts {
        connect: second,
        first_byte: 20 * second,
        idle: 20 * second,
        total: 60 * second,
    }
}

/// The vendor of this kind at `base`, with this key.
pub(crate) fn provider_at(kind: ProviderKind, base: &str, key: Option<&str>, timeouts: Timeouts) -> Arc<dyn Provider> {
    let reach = Reach {
        stand_ins: HashMap::from([(kind, Url::parse(base).unwrap())]),
        timeouts,
        allow_private: false,
    };
    let connector = VendorConnector::new(reach).unwrap();
    connector.configured(kind, key.map(Secret::new)).unwrap().0
}

/// OpenAI's adapter pointed at `base`.
pub(crate) fn openai_at(base: &str, timeouts: Timeouts) -> Arc<dyn Provider> {
    provider_at(ProviderKind::OpenAi, base, Some("sk-test"), timeouts)
}

/// A server and OpenAI's adapter pointed at it.
pub(crate) async fn pair() -> (ScriptedVendor, Arc<dyn Provider>) {
    let vendor = ScriptedVendor::start().await.unwrap();
    let adapter = openai_at(&vendor.base_url, timeouts());
    (vendor, adapter)
}

/// Where a server speaks this vendor's dialect.
pub(crate) fn base_for(vendor: &ScriptedVendor, kind: ProviderKind) -> &str {
    match kind {
        ProviderKind::OpenRouter => &vendor.openrouter_url,
        ProviderKind::Anthropic => &vendor.anthropic_url,
        ProviderKind::Google => &vendor.gemini_url,
        ProviderKind::OpenAi | ProviderKind::Custom | ProviderKind::Offline | ProviderKind::Local => &vendor.base_url,
    }
}

/// How this vendor speaks.
pub(crate) fn dialect(kind: ProviderKind) -> Dialect {
    match kind {
        ProviderKind::OpenRouter => Dialect::OpenRouter,
        ProviderKind::Anthropic => Dialect::Anthropic,
        ProviderKind::Google => Dialect::Gemini,
        ProviderKind::OpenAi | ProviderKind::Custom | ProviderKind::Offline | ProviderKind::Local => Dialect::OpenAi,
    }
}

/// A stored key of a `custom` server.
pub(crate) fn custom_key(custom: Custom) -> ApiKey {
    ApiKey {
        id: ApiKeyId::new(),
        provider: ProviderKind::Custom,
        name: "Our own".to_owned(),
        hint: None,
        is_default: true,
        is_active: true,
        custom: Some(custom),
        last_used_at: None,
        last_error: None,
        version: 1,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    }
}

/// A key that is found wherever it goes.
pub(crate) const KEY: &str = "sk-marker-5d1c9e";

/// A server and the vendor of this kind there, with [`KEY`].
pub(crate) async fn pair_of(kind: ProviderKind) -> (ScriptedVendor, Arc<dyn Provider>) {
    let vendor = ScriptedVendor::start().await.unwrap();
    let provider = provider_at(kind, base_for(&vendor, kind), Some(KEY), timeouts());
    (vendor, provider)
}

/// A `custom` server with [`KEY`].
pub(crate) fn custom(vendor: &ScriptedVendor, custom: Custom) -> Arc<dyn Provider> {
    let reach = Reach {
        timeouts: timeouts(),
        allow_private: true,
        ..Reach::default()
    };
    let key = custom_key(Custom {
        base_url: vendor.base_url.clone(),
        ..custom
    });
    let connector = VendorConnector::new(reach).unwrap();
    connector.connect(&key, &Secret::new(KEY)).unwrap().0
}

/// Texts to embed.
pub(crate) fn embed(model: &str, dimensions: usize, texts: &[&str], purpose: EmbedPurpose) -> EmbedRequest {
    EmbedRequest {
        model: EmbeddingModel {
            id: model.to_owned(),
            dimensions,
        },
        inputs: texts.iter().map(|text| (*text).to_owned()).collect(),
        purpose,
    }
}

/// The names of a body's fields.
pub(crate) fn names(body: &Value) -> Vec<&str> {
    body.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A conversation that ends in `question`.
pub(crate) fn ask(question: &str) -> ChatRequest {
    let turn = |speaker, text: &str| Turn {
        speaker,
        text: text.to_owned(),
    };
    ChatRequest {
        model: "gpt-4o-mini".to_owned(),
        system: Some("Answer briefly.".to_owned()),
        turns: vec![
            turn(Speaker::User, "Hi"),
            turn(Speaker::Assistant, "Hello!"),
            turn(Speaker::User, question),
        ],
        materials: Vec::new(),
        temperature: 0.5,
        max_output: 1000,
    }
}

/// Everything that a provider answers; a refusal is the only item then.
pub(crate) async fn answer(provider: &dyn Provider, request: ChatRequest) -> Vec<Result<ChatEvent, ProviderError>> {
    match provider.chat(request).await {
        Ok(stream) => stream.collect().await,
        Err(error) => vec![Err(error)],
    }
}

/// The visible words of an answer.
pub(crate) fn text(items: &[Result<ChatEvent, ProviderError>]) -> String {
    let text = |item: &Result<ChatEvent, ProviderError>| match item {
        Ok(ChatEvent::Text(text)) => Some(text.clone()),
        _ => None,
    };
    items.iter().filter_map(text).collect()
}

/// The failure at the end of an answer.
pub(crate) fn error(items: &[Result<ChatEvent, ProviderError>]) -> &ProviderError {
    items.last().unwrap().as_ref().unwrap_err()
}
