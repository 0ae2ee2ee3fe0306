//! What leaves the house, and how refused parameters are given up.

use across::providers::{chat::ChatRequest, failure::Category, model::ProviderKind};
use across_testkit::vendor::Answer;
use serde_json::{Value, json};

use crate::common::{DIRECT, answer, ask, error, names, openai_at, pair, pair_of, provider_at, text, timeouts};

fn refusal(param: &Value, message: &str) -> Answer {
    let error =
        json!({"message": message, "type": "invalid_request_error", "param": param, "code": "unsupported_parameter"});
    Answer::whole(400, "application/json", json!({"error": error}).to_string())
}

#[tokio::test]
async fn a_chat_request_holds_what_it_needs_and_nothing_else() {
    let (vendor, adapter) = pair().await;
    answer(&*adapter, ask("Why?")).await;
    let sent = vendor.requests().remove(0);
    assert_eq!(
        (sent.method.as_str(), sent.path.as_str()),
        ("POST", "/v1/chat/completions")
    );
    assert_eq!(sent.header("authorization"), Some("Bearer sk-test"));
    assert_eq!(sent.header("accept"), Some("text/event-stream"));
    assert_eq!(sent.header("accept-encoding"), Some("identity"));
    let expected = json!({
        "model": "gpt-4o-mini",
        "messages": [
            {"role": "system", "content": "Answer briefly."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello!"},
            {"role": "user", "content": "Why?"},
        ],
        "stream": true,
        "stream_options": {"include_usage": true},
        "temperature": 0.5,
        "max_tokens": 1000,
    });
    assert_eq!(sent.body, expected);
}

#[tokio::test]
async fn base_urls_join_with_and_without_a_slash_and_keys_are_optional() {
    let (vendor, _) = pair().await;
    let base = format!("{}/", vendor.base_url);
    let keyless = provider_at(ProviderKind::OpenAi, &base, None, timeouts());
    keyless.models().await.unwrap();
    openai_at(&vendor.base_url, timeouts()).models().await.unwrap();
    let sent = vendor.requests();
    assert!(sent.iter().all(|request| request.path == "/v1/models"));
    assert_eq!(sent[0].header("authorization"), None);
}

#[tokio::test]
async fn a_key_that_cannot_be_a_header_is_refused_without_being_shown() {
    let (vendor, _) = pair().await;
    let adapter = provider_at(ProviderKind::OpenAi, &vendor.base_url, Some("sk-se\ncret"), timeouts());
    let error = adapter.models().await.unwrap_err();
    assert!(!error.to_string().contains("cret"), "{error}");
    assert!(vendor.requests().is_empty());
}

#[tokio::test]
async fn a_key_that_the_server_repeats_is_not_kept() {
    let (vendor, adapter) = pair().await;
    vendor.answer_next(Answer::whole(401, "text/plain", "wrong key sk-test, go away"));
    let error = adapter.models().await.unwrap_err();
    assert_eq!(error.message, "wrong key [key], go away");
}

#[tokio::test]
async fn a_refused_parameter_is_given_up_once_and_remembered() {
    let (vendor, adapter) = pair().await;
    vendor.answer_next(refusal(
        &json!("temperature"),
        "Unsupported value: 'temperature' does not support 0.5.",
    ));
    let items = answer(&*adapter, ask("Hi")).await;
    assert!(text(&items).starts_with("You asked"), "{items:?}");
    answer(&*adapter, ask("And now?")).await;
    let sent: Vec<Value> = vendor.requests().into_iter().map(|request| request.body).collect();
    assert_eq!(sent.len(), 3, "the second question did not send it again");
    assert!(names(&sent[0]).contains(&"temperature"));
    assert!(
        sent[1..]
            .iter()
            .all(|body| !names(body).contains(&"temperature") && names(body).contains(&"max_tokens"))
    );
}

#[tokio::test]
async fn the_length_limit_changes_its_name_where_the_server_wants_it() {
    let (vendor, adapter) = pair().await;
    let message =
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
    vendor.answer_next(refusal(&Value::Null, message));
    answer(&*adapter, ask("Hi")).await;
    let sent = vendor.requests().remove(1).body;
    assert_eq!(sent["max_completion_tokens"], 1000);
    assert!(!names(&sent).contains(&"max_tokens"));
}

#[tokio::test]
async fn a_server_that_refuses_everything_is_asked_twice_and_not_the_same_again() {
    let (vendor, adapter) = pair().await;
    for param in ["temperature", "max_tokens"] {
        vendor.answer_next(refusal(&json!(param), "no"));
    }
    let items = answer(&*adapter, ask("Hi")).await;
    assert_eq!(
        (error(&items).status, error(&items).category),
        (Some(400), Category::BadParam)
    );
    assert_eq!(vendor.requests().len(), 2);
    let items = answer(&*adapter, ask("And now?")).await;
    assert!(text(&items).starts_with("You asked"), "{items:?}");
    let sent = vendor.requests().remove(2).body;
    assert!(!names(&sent).contains(&"temperature") && names(&sent).contains(&"max_completion_tokens"));
}

#[tokio::test]
async fn a_refused_temperature_is_given_up_in_every_dialect() {
    for kind in DIRECT {
        let (vendor, provider) = pair_of(kind).await;
        let request = || ChatRequest {
            model: if kind == ProviderKind::Anthropic {
                "claude-haiku-4-5"
            } else {
                "gpt-4o-mini"
            }
            .to_owned(),
            ..ask("Hi")
        };
        let said = json!({"error": {"message": "temperature is not supported", "type": "invalid_request_error"}});
        vendor.answer_next(Answer::json(400, &said));
        for _ in 0..2 {
            let items = answer(&*provider, request()).await;
            assert!(text(&items).starts_with("You asked"), "{kind:?}: {items:?}");
        }
        let sent = vendor.requests();
        let holds = sent.iter().map(|sent| sent.body.to_string().contains("temperature"));
        assert_eq!(holds.collect::<Vec<_>>(), [true, false, false], "{kind:?}");
    }
}

#[tokio::test]
async fn models_that_chat_are_listed() {
    let (_vendor, adapter) = pair().await;
    let models = adapter.models().await.unwrap();
    assert_eq!(
        models.iter().map(|model| model.id.as_str()).collect::<Vec<_>>(),
        ["gpt-4o-mini", "gpt-4o"]
    );
    assert_eq!(
        (models[0].provider, models[0].context_length),
        (ProviderKind::OpenAi, Some(128_000))
    );
}

#[tokio::test]
async fn awkward_answers_of_the_scripted_vendor_arrive_whole() {
    let (_vendor, adapter) = pair().await;
    let plain = text(&answer(&*adapter, ask("Hi")).await);
    assert_eq!(
        text(&answer(&*adapter, ask("[[script:crlf]]")).await),
        plain.replace("Hi", "[[script:crlf]]")
    );
    let split = text(&answer(&*adapter, ask("[[script:split-utf8]]")).await);
    assert_eq!(split, "Grüße, שלום וברכה, 你好, 👋🏽👩‍👩‍👧 – done.");
    let hostile = text(&answer(&*adapter, ask("[[script:hostile]]")).await);
    assert!(
        hostile.contains("\n\ndata: {\"type\":\"done\"}\n\n") && hostile.ends_with("\r\u{2028}after."),
        "{hostile}"
    );
    assert_eq!(
        text(&answer(&*adapter, ask("[[script:echo-system]]")).await),
        "Answer briefly."
    );
}
