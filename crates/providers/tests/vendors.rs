//! Each vendor through its port: what is sent to it, with which key, and what its lists mean.

use across::providers::{
    chat::{ChatEvent, ChatRequest, FinishReason, Speaker, Turn},
    failure::Category,
    key::Custom,
    model::ProviderKind,
    provider::EmbedPurpose,
};
use across_testkit::vendor::{Answer, ScriptedVendor};
use serde_json::{Value, json};

use crate::common::{DIRECT, KEY, answer, ask, custom, embed, error, names, pair_of, provider_at, text, timeouts};

#[tokio::test]
async fn a_models_name_cannot_change_the_path() {
    let (vendor, provider) = pair_of(ProviderKind::Google).await;
    let request = ChatRequest {
        model: "../../v1/models?x=#".to_owned(),
        ..ask("Hi")
    };
    answer(&*provider, request).await;
    assert_eq!(
        vendor.requests()[0].path,
        "/v1beta/models/..%2F..%2Fv1%2Fmodels%3Fx=%23:streamGenerateContent?alt=sse"
    );
}

#[tokio::test]
async fn anthropics_list_comes_in_pages_without_the_retired() {
    let (vendor, provider) = pair_of(ProviderKind::Anthropic).await;
    let models = provider.models().await.unwrap();
    let told: Vec<_> = models
        .iter()
        .map(|model| (model.id.as_str(), model.name.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("claude-sonnet-5-5", "Claude Sonnet 5.5"),
            ("claude-haiku-4-5", "Claude Haiku 4.5")
        ]
    );
    assert_eq!(
        (models[0].context_length, models[0].max_output_tokens),
        (Some(1_000_000), Some(128_000))
    );
    let paths: Vec<String> = vendor.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(
        paths,
        [
            "/v1/models?limit=1000",
            "/v1/models?limit=1000&after_id=claude-sonnet-5-5"
        ]
    );
    // Some configure the address with the version, as for other vendors.
    let versioned = provider_at(
        ProviderKind::Anthropic,
        &format!("{}/v1/", vendor.anthropic_url),
        Some(KEY),
        timeouts(),
    );
    assert_eq!(versioned.models().await.unwrap(), models);
}

#[tokio::test]
async fn anthropic_gets_a_temperature_only_for_models_that_take_one() {
    let (vendor, provider) = pair_of(ProviderKind::Anthropic).await;
    let request = |model: &str, temperature| ChatRequest {
        model: model.to_owned(),
        temperature,
        ..ask("Hi")
    };
    answer(&*provider, request("claude-sonnet-5-5", 0.7)).await;
    answer(&*provider, request("claude-haiku-4-5", 1.7)).await;
    let refusal =
        json!({"type": "error", "error": {"type": "invalid_request_error", "message": "temperature: not supported"}});
    vendor.answer_next(Answer::whole(400, "application/json", refusal.to_string()));
    let items = answer(&*provider, request("claude-haiku-4-5", 0.7)).await;
    assert_eq!(items.last(), Some(&Ok(ChatEvent::Finish(FinishReason::Stop))));
    let sent: Vec<Value> = vendor
        .requests()
        .iter()
        .map(|request| request.body["temperature"].clone())
        .collect();
    assert_eq!(sent, [json!(null), json!(1.0), json!(0.7), json!(null)]);
}

#[tokio::test]
async fn every_vendor_is_asked_from_the_person_on_in_turn_without_empty_turns() {
    let turn = |speaker, text: &str| Turn {
        speaker,
        text: text.to_owned(),
    };
    let turns = vec![
        turn(Speaker::Assistant, "An answer whose question is gone."),
        turn(Speaker::User, "Hi"),
        turn(Speaker::Assistant, "  \n"),
        turn(Speaker::User, "Still there?"),
    ];
    for (kind, list) in [
        (ProviderKind::OpenAi, "messages"),
        (ProviderKind::Anthropic, "messages"),
        (ProviderKind::Google, "contents"),
    ] {
        let (vendor, provider) = pair_of(kind).await;
        let request = ChatRequest {
            turns: turns.clone(),
            system: None,
            ..ask("")
        };
        answer(&*provider, request).await;
        let body = vendor.requests().remove(0).body;
        let roles: Vec<_> = body[list]
            .as_array()
            .unwrap()
            .iter()
            .map(|turn| turn["role"].clone())
            .collect();
        assert_eq!(roles, [json!("user")], "{kind:?}");
        assert!(body[list][0].to_string().contains(r"Hi\n\nStill there?"), "{body}");
        assert!(!names(&body).contains(&"system") && !names(&body).contains(&"systemInstruction"));
    }
}

#[tokio::test]
async fn googles_models_that_chat_are_listed_by_their_plain_names() {
    let (_vendor, provider) = pair_of(ProviderKind::Google).await;
    let models = provider.models().await.unwrap();
    assert_eq!(models.len(), 1);
    assert_eq!(
        (models[0].id.as_str(), models[0].name.as_str(), models[0].context_length),
        ("gemini-3.8-flash", "Gemini 3.8 Flash", Some(1_048_576))
    );
}

#[tokio::test]
async fn googles_vectors_come_in_batches_with_their_purpose() {
    let (vendor, provider) = pair_of(ProviderKind::Google).await;
    let texts: Vec<String> = (0..70).map(|number| format!("word{number}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let all = provider
        .embed(embed("gemini-embedding-001", 3072, &texts, EmbedPurpose::Document))
        .await
        .unwrap();
    assert_eq!((all.vectors.len(), all.tokens), (70, None));
    let alone = provider
        .embed(embed("gemini-embedding-001", 3072, &["word69"], EmbedPurpose::Query))
        .await
        .unwrap();
    assert_eq!(all.vectors[69], alone.vectors[0]);
    let length: f32 = all.vectors[3][0].iter().map(|value| value * value).sum();
    assert!((length - 1.0).abs() < 1e-4);
    let sent = vendor.requests();
    assert_eq!(sent[0].path, "/v1beta/models/gemini-embedding-001:batchEmbedContents");
    let sizes: Vec<usize> = sent
        .iter()
        .map(|one| one.body["requests"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [64, 6, 1]);
    let expected = json!({
        "model": "models/gemini-embedding-001",
        "content": {"parts": [{"text": "word69"}]},
        "taskType": "RETRIEVAL_QUERY",
        "outputDimensionality": 3072,
    });
    assert_eq!(sent[2].body["requests"][0], expected);

    let short = json!({"embeddings": [{"values": [1.0, 0.0]}]}).to_string();
    vendor.answer_next(Answer::whole(200, "application/json", short));
    let refused = provider
        .embed(embed("gemini-embedding-001", 3072, &["a"], EmbedPurpose::Query))
        .await;
    assert_eq!(refused.unwrap_err().category, Category::Malformed);
}

#[tokio::test]
async fn a_custom_server_is_asked_as_its_key_says() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let details = Custom {
        max_tokens_param: Some("max_completion_tokens".to_owned()),
        context_length: Some(9000),
        ..Custom::default()
    };
    let named = custom(&vendor, details);
    answer(&*named, ask("Hi")).await;
    answer(&*custom(&vendor, Custom::default()), ask("Hi")).await;
    let sent: Vec<Value> = vendor.requests().into_iter().map(|request| request.body).collect();
    assert!(names(&sent[0]).contains(&"max_completion_tokens") && !names(&sent[0]).contains(&"max_tokens"));
    assert!(names(&sent[1]).contains(&"max_tokens") && !names(&sent[1]).contains(&"max_completion_tokens"));

    let list = json!({"data": [{"id": "ours"}, {"id": "said", "context_length": 4096}, {"id": 5}]}).to_string();
    vendor.answer_next(Answer::whole(200, "application/json", list));
    let models = named.models().await.unwrap();
    let windows: Vec<_> = models
        .iter()
        .map(|model| (model.provider, model.context_length))
        .collect();
    assert_eq!(
        windows,
        [(ProviderKind::Custom, Some(9000)), (ProviderKind::Custom, Some(4096))]
    );
}

#[tokio::test]
async fn every_vendors_awkward_answers_arrive_whole() {
    for kind in DIRECT {
        let (_vendor, provider) = pair_of(kind).await;
        let ask = |script: &str| answer(&*provider, ask(&format!("[[script:{script}]]")));
        let split = text(&ask("split-utf8").await);
        assert_eq!(split, "Grüße, שלום וברכה, 你好, 👋🏽👩‍👩‍👧 – done.", "{kind:?}");
        assert_eq!(text(&ask("echo-system").await), "Answer briefly.", "{kind:?}");
        let reasoning = ask("reasoning").await;
        let thought = ChatEvent::Reasoning("The question is simple.".to_owned());
        assert!(reasoning.contains(&Ok(thought)), "{kind:?}");
        assert!(text(&reasoning).starts_with("You asked"), "{kind:?}");
        assert!(
            reasoning
                .iter()
                .any(|item| matches!(item, Ok(ChatEvent::Usage(usage)) if usage.output_total > 0))
        );
        assert_eq!(
            ask("length").await.last(),
            Some(&Ok(ChatEvent::Finish(FinishReason::Length))),
            "{kind:?}"
        );
        assert_eq!(error(&ask("cut").await).category, Category::Cut, "{kind:?}");
        assert_eq!(error(&ask("empty").await).category, Category::Malformed, "{kind:?}");
        let failed = ask("error-mid").await;
        assert!(text(&failed).starts_with("You asked"), "{kind:?}");
        assert!(error(&failed).is_retryable(), "{kind:?}");
        assert_eq!(error(&ask("error-401").await).category, Category::AuthBad, "{kind:?}");
        assert_eq!(error(&ask("error-402").await).category, Category::NoCredit, "{kind:?}");
        assert_eq!(
            error(&ask("error-429").await).category,
            Category::RateLimited,
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn a_head_beyond_all_measure_is_refused() {
    for kind in DIRECT {
        let (vendor, provider) = pair_of(kind).await;
        let long = "x".repeat(40_000);
        let flood = Answer::whole(200, "application/json", "{}")
            .with_header("x-a", &long)
            .with_header("x-b", &long);
        vendor.answer_next(flood);
        assert_eq!(
            provider.models().await.unwrap_err().category,
            Category::Malformed,
            "{kind:?}"
        );
    }
}
