//! What the tests share: a server, a client of it, a question, and a whole answer in one value.

use std::time::Duration;

use across::{
    providers::{
        chat::{ChatEvent, ChatRequest, Speaker, Turn},
        failure::ProviderError,
        provider::Provider,
    },
    secret::Secret,
};
use across_providers::{
    OpenAi,
    http::{Timeouts, client},
};
use across_testkit::vendor::ScriptedVendor;
use futures::StreamExt as _;
use url::Url;

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

/// The adapter pointed at `base`.
pub(crate) fn openai_at(base: &str, timeouts: Timeouts) -> OpenAi {
    let base = Url::parse(base).unwrap();
    OpenAi::new(client(&timeouts).unwrap(), base, Some(Secret::new("sk-test")), timeouts)
}

/// A server and the adapter pointed at it.
pub(crate) async fn pair() -> (ScriptedVendor, OpenAi) {
    let vendor = ScriptedVendor::start().await.unwrap();
    let adapter = openai_at(&vendor.base_url, timeouts());
    (vendor, adapter)
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
