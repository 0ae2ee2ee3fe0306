//! What leaves the house: keys in headers and nowhere else, and of everything else only what is needed.

use std::time::Duration;

use across::providers::{
    chat::{ChatEvent, FinishReason},
    failure::Category,
    key::Custom,
    model::ProviderKind,
    provider::{EmbedPurpose, Provider},
};
use across_testkit::vendor::{Answer, Recorded, ScriptedVendor};
use serde_json::json;
use tokio::net::TcpListener;

use crate::common::{DIRECT, KEY, answer, ask, base_for, custom, embed, pair_of, provider_at, text, timeouts};

/// Calls everything that a provider can do.
async fn use_all(provider: &dyn Provider) {
    answer(provider, ask("Hi")).await;
    provider.models().await.unwrap();
    provider.check_key().await.unwrap();
    if provider.kind() != ProviderKind::Anthropic {
        let google = provider.kind() == ProviderKind::Google;
        let (id, dimensions) = if google {
            ("gemini-embedding-001", 3072)
        } else {
            ("text-embedding-3-small", 1536)
        };
        provider
            .embed(embed(id, dimensions, &["words"], EmbedPurpose::Document))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn s51_keys_never_in_urls() {
    let own_vendor = ScriptedVendor::start().await.unwrap();
    let own = custom(&own_vendor, Custom::default());
    let mut all = vec![(own_vendor, own)];
    for kind in DIRECT {
        all.push(pair_of(kind).await);
    }
    for (vendor, provider) in all {
        use_all(&*provider).await;
        let kind = provider.kind();
        let header = match kind {
            ProviderKind::Anthropic => ("x-api-key", KEY.to_owned()),
            ProviderKind::Google => ("x-goog-api-key", KEY.to_owned()),
            _ => ("authorization", format!("Bearer {KEY}")),
        };
        let requests = vendor.requests();
        assert!(requests.len() >= 3, "{kind:?}");
        for request in requests {
            let (name, value) = &header;
            assert_eq!(request.header(name), Some(value.as_str()), "{kind:?} {}", request.path);
            let holding = request.headers.iter().filter(|(_, value)| value.contains(KEY)).count();
            assert_eq!(holding, 1, "one header carries it");
            assert!(
                !request.path.contains(KEY) && !request.path.contains("key="),
                "{}",
                request.path
            );
            assert!(!request.body.to_string().contains(KEY));
        }
    }
}

#[tokio::test]
async fn s51_failures_never_tell_the_key() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for kind in DIRECT {
        let failure = provider_at(kind, &closed, Some(KEY), timeouts())
            .models()
            .await
            .unwrap_err();
        assert_eq!(failure.category, Category::Network);
        let told = format!("{failure} {failure:?}");
        assert!(!told.contains(KEY) && !told.contains(&closed), "{told}");

        let (vendor, provider) = pair_of(kind).await;
        let words = format!("the key {KEY} is wrong");
        let shapes = [
            json!({"error": {"message": words, "code": words, "type": words, "status": words}}).to_string(),
            json!({"error": words}).to_string(),
            words.clone(),
        ];
        for body in shapes {
            for status in [200, 401] {
                let refusal = Answer::whole(status, "application/json", body.clone());
                vendor.answer_next(refusal);
                let failure = provider.models().await.unwrap_err();
                let told = format!("{failure} {failure:?}");
                assert!(!told.contains(KEY), "{kind:?} {status}: {told}");
            }
        }
    }
}

/// Headers of a request beyond those that HTTP needs.
fn own_headers(request: &Recorded) -> Vec<&str> {
    let usual = [
        "accept",
        "accept-encoding",
        "content-length",
        "content-type",
        "host",
        "user-agent",
    ];
    let names = request.headers.iter().map(|(name, _)| name.as_str());
    let mut names: Vec<&str> = names.filter(|name| !usual.contains(name)).collect();
    names.sort_unstable();
    names
}

async fn sent(kind: ProviderKind) -> Recorded {
    let (vendor, provider) = pair_of(kind).await;
    let items = answer(&*provider, ask("Why?")).await;
    assert!(text(&items).starts_with("You asked: “Why?”"), "{kind:?}: {items:?}");
    assert_eq!(items.last(), Some(&Ok(ChatEvent::Finish(FinishReason::Stop))));
    let mut requests = vendor.requests();
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

#[tokio::test]
async fn s52_only_what_is_needed_is_sent() {
    let messages = json!([
        {"role": "system", "content": "Answer briefly."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "Why?"},
    ]);
    let request = sent(ProviderKind::OpenAi).await;
    let expected = json!({
        "model": "gpt-4o-mini",
        "messages": messages,
        "stream": true,
        "stream_options": {"include_usage": true},
        "temperature": 0.5,
        "max_tokens": 1000,
    });
    assert_eq!(request.body, expected);
    assert_eq!(own_headers(&request), ["authorization"]);

    let request = sent(ProviderKind::OpenRouter).await;
    let expected = json!({
        "model": "gpt-4o-mini",
        "messages": messages,
        "stream": true,
        "temperature": 0.5,
        "max_completion_tokens": 1000,
    });
    assert_eq!(request.body, expected);
    assert_eq!(own_headers(&request), ["authorization", "x-openrouter-title"]);
    assert_eq!(request.path, "/api/v1/chat/completions");

    let request = sent(ProviderKind::Anthropic).await;
    let expected = json!({
        "model": "gpt-4o-mini",
        "max_tokens": 1000,
        "stream": true,
        "system": [{"type": "text", "text": "Answer briefly.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello!"},
            {"role": "user", "content": "Why?"},
        ],
    });
    assert_eq!(request.body, expected);
    assert_eq!(own_headers(&request), ["anthropic-version", "x-api-key"]);
    assert_eq!(request.path, "/v1/messages");

    let request = sent(ProviderKind::Google).await;
    let expected = json!({
        "systemInstruction": {"parts": [{"text": "Answer briefly."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Hi"}]},
            {"role": "model", "parts": [{"text": "Hello!"}]},
            {"role": "user", "parts": [{"text": "Why?"}]},
        ],
        "generationConfig": {"temperature": 0.5, "maxOutputTokens": 1000},
    });
    assert_eq!(request.body, expected);
    assert_eq!(own_headers(&request), ["x-goog-api-key"]);
    assert_eq!(request.path, "/v1beta/models/gpt-4o-mini:streamGenerateContent?alt=sse");
}

#[tokio::test]
async fn a_wrong_key_is_told_from_a_vendor_that_lists_to_anybody() {
    for kind in DIRECT {
        let vendor = ScriptedVendor::start().await.unwrap();
        let check = async |key: &str| {
            provider_at(kind, base_for(&vendor, kind), Some(key), timeouts())
                .check_key()
                .await
        };
        check("sk-good").await.unwrap();
        assert_eq!(
            check("sk-rejected").await.unwrap_err().category,
            Category::AuthBad,
            "{kind:?}"
        );
        assert_eq!(
            check("sk-unpaid").await.unwrap_err().category,
            Category::NoCredit,
            "{kind:?}"
        );
        let login = Answer::whole(200, "text/html", "<html>Sign in</html>");
        vendor.answer_always("/", login);
        assert_eq!(
            check("sk-good").await.unwrap_err().category,
            Category::Malformed,
            "{kind:?}"
        );
        let mute = Answer::whole(200, "application/json", "{}").after(Duration::from_secs(60));
        vendor.answer_always("/", mute);
        let short = across_providers::http::Timeouts {
            first_byte: Duration::from_millis(100),
            ..timeouts()
        };
        let slow = provider_at(kind, base_for(&vendor, kind), Some("sk-good"), short);
        assert_eq!(
            slow.check_key().await.unwrap_err().category,
            Category::Timeout,
            "{kind:?}"
        );
    }
}
