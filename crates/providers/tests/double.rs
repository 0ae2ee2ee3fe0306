//! The scripted vendor itself: what other tests rely on.

use across::providers::{
    chat::{ChatEvent, FinishReason},
    failure::Category,
    model::ProviderKind,
};
use across_testkit::vendor::{Dialect, ScriptedVendor};
use futures::StreamExt as _;

use crate::common::{DIRECT, answer, ask, base_for, dialect, error, pair_of, provider_at, text, timeouts};

#[tokio::test]
async fn one_dialect_fails_while_another_answers() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let of = |kind| provider_at(kind, base_for(&vendor, kind), Some("sk-test"), timeouts());
    let (direct, router) = (of(ProviderKind::OpenAi), of(ProviderKind::OpenRouter));
    vendor.answer_for(Dialect::OpenAi, "status-503");
    vendor.answer_next_for(Dialect::OpenAi, "status-401");
    for category in [Category::AuthBad, Category::Overloaded, Category::Overloaded] {
        assert_eq!(error(&answer(&*direct, ask("Hi")).await).category, category);
    }
    assert!(text(&answer(&*router, ask("Hi")).await).starts_with("You asked"));
    vendor.answer_as_asked(Dialect::OpenAi);
    assert!(text(&answer(&*direct, ask("Hi")).await).starts_with("You asked"));
    assert_eq!(vendor.count("POST /v1/chat/completions"), 4);
    assert_eq!(vendor.count("POST /api/v1/chat/completions"), 1);
}

#[tokio::test]
async fn answers_wait_at_the_gate_until_they_are_let_through() {
    for kind in DIRECT {
        let (vendor, provider) = pair_of(kind).await;
        vendor.answer_for(dialect(kind), "gate");
        let asking = answer(&*provider, ask("Hi"));
        let opening = async {
            assert!(vendor.until(|vendor| vendor.at_gate() == 1).await);
            vendor.let_through(1);
        };
        let (items, ()) = tokio::join!(asking, opening);
        assert_eq!(
            items.last(),
            Some(&Ok(ChatEvent::Finish(FinishReason::Stop))),
            "{kind:?}"
        );

        vendor.answer_for(dialect(kind), "gate-2");
        let mut stream = provider.chat(ask("Hi")).await.unwrap();
        let mut words = Vec::new();
        while words.len() < 2 {
            if let ChatEvent::Text(word) = stream.next().await.unwrap().unwrap() {
                words.push(word);
            }
        }
        assert!(vendor.until(|vendor| vendor.at_gate() == 1).await);
        vendor.let_through(1);
        let rest: Vec<_> = stream.collect().await;
        assert_eq!(
            rest.last(),
            Some(&Ok(ChatEvent::Finish(FinishReason::Stop))),
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn refusals_of_every_status_are_what_they_are_in_every_dialect() {
    let table = [
        (400, Category::BadRequest),
        (401, Category::AuthBad),
        (402, Category::NoCredit),
        (403, Category::AuthBad),
        (404, Category::ModelGone),
        (408, Category::Upstream),
        (413, Category::TooLarge),
        (429, Category::RateLimited),
        (500, Category::Upstream),
        (502, Category::Upstream),
        (503, Category::Overloaded),
        (504, Category::Upstream),
        (524, Category::Upstream),
        (529, Category::Overloaded),
    ];
    for kind in DIRECT {
        let (vendor, provider) = pair_of(kind).await;
        for (status, category) in table {
            vendor.answer_for(dialect(kind), &format!("status-{status}"));
            let items = answer(&*provider, ask("Hi")).await;
            assert_eq!(error(&items).category, category, "{kind:?} {status}: {items:?}");
            assert_eq!(error(&items).retry_after, None);
        }
        vendor.answer_for(dialect(kind), "status-429-3600");
        let items = answer(&*provider, ask("Hi")).await;
        assert_eq!(
            error(&items).retry_after.map(|wait| wait.as_secs()),
            Some(3600),
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn answers_break_off_where_the_script_says() {
    for kind in DIRECT {
        let (_vendor, provider) = pair_of(kind).await;
        let ask = |script: &str| answer(&*provider, ask(&format!("[[script:{script}]]")));
        for (script, words) in [
            ("cut-1", 1),
            ("cut-3", 3),
            ("cut-utf8", 3),
            ("cut-json", 3),
            ("error-mid-2", 2),
        ] {
            let items = ask(script).await;
            assert_eq!(text(&items).split_inclusive(' ').count(), words, "{kind:?} {script}");
            let category = error(&items).category;
            assert!(
                script.starts_with("error") || category == Category::Cut,
                "{kind:?} {script}: {category:?}"
            );
        }
        assert_eq!(
            ask("filter").await.last(),
            Some(&Ok(ChatEvent::Finish(FinishReason::ContentFilter)))
        );
        let flood = ask("flood").await;
        assert_eq!(
            flood.last(),
            Some(&Ok(ChatEvent::Finish(FinishReason::Length))),
            "{kind:?}"
        );
        let line = ask("flood-line").await;
        assert_eq!(error(&line).category, Category::Malformed, "{kind:?}");
    }
}

#[tokio::test]
async fn counts_that_make_no_sense_are_no_counts() {
    for kind in DIRECT {
        let (_vendor, provider) = pair_of(kind).await;
        for script in ["usage-negative", "usage-absurd", "usage-missing"] {
            let items = answer(&*provider, ask(&format!("[[script:{script}]]"))).await;
            let counted = items.iter().any(|item| matches!(item, Ok(ChatEvent::Usage(_))));
            assert!(!counted, "{kind:?} {script}: {items:?}");
            assert_eq!(items.last(), Some(&Ok(ChatEvent::Finish(FinishReason::Stop))));
        }
        let items = answer(&*provider, ask("[[script:usage-zero]]")).await;
        let zero = items.iter().any(
            |item| matches!(item, Ok(ChatEvent::Usage(usage)) if usage.input_total == 0 && usage.output_total == 0),
        );
        assert!(zero, "a stated zero stays zero: {kind:?} {items:?}");
    }
}

#[tokio::test]
async fn tests_in_other_languages_say_it_over_http() {
    let (vendor, provider) = pair_of(ProviderKind::OpenAi).await;
    let root = &vendor.anthropic_url;
    let http = across_providers::http::client(&timeouts()).unwrap();
    let tell = async |what: &str| {
        let told = http.post(format!("{root}/scripted/{what}")).send().await.unwrap();
        assert_eq!(told.status(), 200, "{what}");
    };
    tell("answer-for/openai/status-503").await;
    tell("answer-next-for/openai/gate").await;
    tell("let-through/1").await;
    assert!(text(&answer(&*provider, ask("Hi")).await).starts_with("You asked"));
    assert_eq!(
        error(&answer(&*provider, ask("Hi")).await).category,
        Category::Overloaded
    );
    tell("answer-as-asked/openai").await;
    assert!(text(&answer(&*provider, ask("Hi")).await).starts_with("You asked"));
    let state = http.get(format!("{root}/scripted/state")).send().await.unwrap();
    let state: serde_json::Value = serde_json::from_slice(&state.bytes().await.unwrap()).unwrap();
    let expected = serde_json::json!({"counts": {"POST /v1/chat/completions": 3}, "closes": [], "at_gate": 0});
    assert_eq!(state, expected);
    let unknown = http
        .post(format!("{root}/scripted/answer-for/nobody/cut"))
        .send()
        .await
        .unwrap();
    assert_eq!(unknown.status(), 404);
}
