//! Failures and limits: what is asked again, what is given up, and how long anything may take.

use std::{sync::Arc, time::Duration};

use across::providers::{
    chat::{ChatEvent, FinishReason},
    failure::Category,
    model::ProviderKind,
    provider::Provider,
};
use across_providers::http::Timeouts;
use across_testkit::vendor::{Answer, ScriptedVendor, Step};
use futures::StreamExt as _;
use tokio::net::TcpListener;

use crate::common::{
    DIRECT, answer, ask, base_for, dialect, error, openai_at, pair, pair_of, provider_at, text, timeouts,
};

const SHORT: Duration = Duration::from_millis(150);

fn chunk(text: &str) -> Step {
    Step::Write(format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n").into())
}

async fn with_limits(limits: Timeouts) -> (ScriptedVendor, Arc<dyn Provider>) {
    let vendor = ScriptedVendor::start().await.unwrap();
    let adapter = openai_at(&vendor.base_url, limits);
    (vendor, adapter)
}

#[tokio::test]
async fn an_answer_is_asked_for_once_whatever_comes_of_it() {
    for kind in DIRECT {
        let (vendor, provider) = pair_of(kind).await;
        let scripts = [
            ("status-429-1", Category::RateLimited),
            ("status-500", Category::Upstream),
            ("status-503", Category::Overloaded),
            ("status-529", Category::Overloaded),
            ("status-401", Category::AuthBad),
            ("error-first", Category::Overloaded),
            ("hang-up", Category::Cut),
            ("cut-head", Category::Cut),
            ("cut-0", Category::Cut),
        ];
        for (number, (script, category)) in scripts.into_iter().enumerate() {
            let items = answer(&*provider, ask(&format!("[[script:{script}]]"))).await;
            let found = error(&items).category;
            let openai_says_less = script == "error-first" && found == Category::Upstream;
            assert!(found == category || openai_says_less, "{kind:?} {script}: {found:?}");
            assert_eq!(vendor.requests().len(), number + 1, "{kind:?} {script}");
        }
    }
}

#[tokio::test]
async fn a_closed_port_was_never_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let items = answer(&*openai_at(&base, timeouts()), ask("Hi")).await;
    assert_eq!(error(&items).category, Category::Network);
    assert!(!error(&items).message.contains(&base), "addresses may hold passwords");
}

#[tokio::test]
async fn lists_and_vectors_are_asked_for_up_to_three_times() {
    let (vendor, adapter) = pair().await;
    let busy = || {
        Answer::whole(
            503,
            "application/json",
            r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
        )
    };
    vendor.answer_next(busy().with_header("retry-after-ms", "5"));
    vendor.answer_next(busy().with_header("retry-after", "0"));
    assert_eq!(adapter.models().await.unwrap().len(), 2);
    assert_eq!(vendor.count("GET /v1/models"), 3);

    vendor.answer_always("/models", busy().with_header("retry-after-ms", "5"));
    let failure = adapter.models().await.unwrap_err();
    assert_eq!((failure.category, failure.status), (Category::Overloaded, Some(503)));
    assert_eq!(vendor.count("GET /v1/models"), 6, "three attempts are all");

    vendor.answer_always("/models", busy().with_header("x-should-retry", "false"));
    adapter.models().await.unwrap_err();
    assert_eq!(vendor.count("GET /v1/models"), 7, "the provider's word holds");
}

#[tokio::test]
async fn a_list_that_does_not_come_in_time_is_asked_for_again() {
    let (vendor, adapter) = with_limits(Timeouts {
        first_byte: SHORT,
        ..timeouts()
    })
    .await;
    vendor.answer_next(Answer::stream(vec![Step::Stall]));
    assert_eq!(adapter.models().await.unwrap().len(), 2);
    assert_eq!(vendor.count("GET /v1/models"), 2);
}

#[tokio::test]
async fn refusals_that_stay_are_not_repeated() {
    let (vendor, adapter) = pair().await;
    for (script, category) in [("error-401", Category::AuthBad), ("error-429", Category::RateLimited)] {
        let items = answer(&*adapter, ask(&format!("[[script:{script}]]"))).await;
        assert_eq!(error(&items).category, category);
    }
    assert_eq!(vendor.requests().len(), 2);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (vendor, adapter) = pair().await;
    let elsewhere = ScriptedVendor::start().await.unwrap();
    let target = format!("{}/chat/completions", elsewhere.base_url);
    vendor.answer_next(Answer::whole(307, "text/plain", "").with_header("location", &target));
    assert_eq!(error(&answer(&*adapter, ask("Hi")).await).category, Category::Malformed);
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let adapter = openai_at(
        &base,
        Timeouts {
            first_byte: SHORT,
            ..timeouts()
        },
    );
    assert_eq!(error(&answer(&*adapter, ask("Hi")).await).category, Category::Timeout);
}

#[tokio::test]
async fn silence_in_mid_stream_ends_the_answer_with_its_words_kept() {
    let (vendor, adapter) = with_limits(Timeouts {
        idle: SHORT,
        ..timeouts()
    })
    .await;
    vendor.answer_next(Answer::stream(vec![chunk("some"), Step::Wait(Duration::from_secs(60))]));
    let items = answer(&*adapter, ask("Hi")).await;
    assert_eq!(
        (text(&items).as_str(), error(&items).category),
        ("some", Category::Timeout)
    );
}

#[tokio::test]
async fn keep_alives_hold_an_answer_open_but_not_for_ever() {
    let (_vendor, adapter) = pair().await;
    let items = answer(&*adapter, ask("[[script:keepalive]]")).await;
    assert_eq!(items.last(), Some(&Ok(ChatEvent::Finish(FinishReason::Stop))));

    let (vendor, adapter) = with_limits(Timeouts {
        idle: SHORT,
        total: 4 * SHORT,
        ..timeouts()
    })
    .await;
    let tick = [Step::Write(b": PROCESSING\n\n".to_vec()), Step::Wait(SHORT / 5)];
    vendor.answer_next(Answer::stream(tick.into_iter().cycle().take(4000).collect()));
    assert_eq!(error(&answer(&*adapter, ask("Hi")).await).category, Category::Timeout);
}

#[tokio::test]
async fn a_server_that_does_not_hang_up_after_the_finish_is_not_waited_for() {
    let (vendor, adapter) = with_limits(Timeouts {
        idle: SHORT,
        ..timeouts()
    })
    .await;
    let finish = Step::Write(b"data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n".to_vec());
    vendor.answer_next(Answer::stream(vec![
        chunk("all"),
        finish,
        Step::Wait(Duration::from_secs(60)),
    ]));
    let items = answer(&*adapter, ask("Hi")).await;
    assert_eq!(items.last(), Some(&Ok(ChatEvent::Finish(FinishReason::Stop))));
}

#[tokio::test]
async fn a_flood_ends_at_the_limits() {
    let (vendor, adapter) = pair().await;
    let words = "x".repeat(60_000);
    vendor.answer_next(Answer::stream(vec![chunk(&words); 40]));
    let items = answer(&*adapter, ask("Hi")).await;
    assert_eq!(text(&items).len(), 1024 * 1024);
    assert_eq!(items.last(), Some(&Ok(ChatEvent::Finish(FinishReason::Length))));

    let endless = Step::Write(vec![b'x'; 60_000]);
    vendor.answer_next(Answer::stream([vec![chunk("a")], vec![endless; 40]].concat()));
    let items = answer(&*adapter, ask("Hi")).await;
    assert_eq!(
        (text(&items).as_str(), error(&items).category),
        ("a", Category::Malformed)
    );

    let document = Answer::whole(200, "application/json", "");
    vendor.answer_next(Answer {
        steps: vec![Step::Write(vec![b' '; 1024 * 1024]); 11],
        ..document
    });
    assert_eq!(error(&answer(&*adapter, ask("Hi")).await).category, Category::Malformed);
}

#[tokio::test]
async fn dropping_the_stream_ends_the_answer_upstream() {
    for kind in DIRECT {
        let (vendor, provider) = pair_of(kind).await;
        let mut stream = provider.chat(ask("[[script:stall-2]]")).await.unwrap();
        while !matches!(stream.next().await.unwrap().unwrap(), ChatEvent::Text(_)) {}
        assert!(vendor.closes().is_empty());
        drop(stream);
        assert!(vendor.until(|vendor| vendor.closes().len() == 1).await, "{kind:?}");
    }
}

#[tokio::test]
async fn what_only_keeps_a_connection_alive_is_no_beginning() {
    for kind in DIRECT {
        let vendor = ScriptedVendor::start().await.unwrap();
        let limits = Timeouts {
            first_byte: 4 * SHORT,
            ..timeouts()
        };
        let provider = provider_at(kind, base_for(&vendor, kind), Some("sk-test"), limits);
        let items = answer(&*provider, ask("[[script:pings]]")).await;
        assert_eq!(error(&items).category, Category::Timeout, "{kind:?}");
        assert_eq!(text(&items), "");
        // Once it has begun, an answer may take its time.
        vendor.answer_for(dialect(kind), "pace-20-50");
        let items = answer(&*provider, ask("Hi")).await;
        assert_eq!(
            items.last(),
            Some(&Ok(ChatEvent::Finish(FinishReason::Stop))),
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn events_that_say_nothing_do_not_go_on_for_ever() {
    for kind in [ProviderKind::OpenAi, ProviderKind::OpenRouter, ProviderKind::Anthropic] {
        let (_vendor, provider) = pair_of(kind).await;
        let items = answer(&*provider, ask("[[script:flood-empty]]")).await;
        assert_eq!(error(&items).category, Category::Malformed, "{kind:?}");
    }
}

#[tokio::test]
async fn a_whole_answer_is_read_to_its_end_and_its_connection_used_again() {
    for kind in DIRECT {
        let (vendor, provider) = pair_of(kind).await;
        for _ in 0..12 {
            let items = answer(&*provider, ask("Hi")).await;
            assert_eq!(items.last(), Some(&Ok(ChatEvent::Finish(FinishReason::Stop))));
            assert!(vendor.until(|vendor| vendor.idle() > 0).await, "{kind:?}");
        }
        // A question may come before the end of the last answer has, so there may be one more than one.
        let connections = vendor.connections();
        assert!(connections <= 4, "{kind:?}: {connections} for twelve questions");
        assert!(vendor.closes().is_empty());
    }
}
