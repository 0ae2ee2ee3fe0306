//! Failures and limits: what is asked again, what is given up, and how long anything may take.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use across::providers::{
    chat::{ChatEvent, FinishReason},
    failure::Category,
    provider::Provider,
};
use across_providers::http::Timeouts;
use across_testkit::vendor::{Answer, ScriptedVendor, Step};
use futures::StreamExt as _;
use tokio::net::TcpListener;

use crate::common::{answer, ask, error, openai_at, pair, text, timeouts};

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
async fn a_closed_port_is_tried_three_times() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let begun = Instant::now();
    let items = answer(&*openai_at(&base, timeouts()), ask("Hi")).await;
    assert_eq!(error(&items).category, Category::Network);
    assert!(begun.elapsed() >= Duration::from_secs(2), "both waits were kept");
    assert!(!error(&items).message.contains(&base), "addresses may hold passwords");
}

#[tokio::test]
async fn a_server_that_was_busy_is_asked_again_and_answers_once() {
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
    let items = answer(&*adapter, ask("Is it open?")).await;
    assert_eq!(text(&items), "You asked: “Is it open?” This is a scripted answer.");
    assert_eq!(vendor.requests().len(), 3);

    for _ in 0..3 {
        vendor.answer_next(busy().with_header("retry-after-ms", "5"));
    }
    let items = answer(&*adapter, ask("Hi")).await;
    assert_eq!(
        (error(&items).category, error(&items).status),
        (Category::Overloaded, Some(503))
    );
    assert_eq!(vendor.requests().len(), 6, "three attempts are all");
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
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let adapter = openai_at(&base, timeouts());
    let server = async {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut buffer = vec![0; 64 * 1024];
        assert!(socket.read(&mut buffer).await.unwrap() > 0);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
        let first = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
        socket.write_all(format!("{head}{first}").as_bytes()).await.unwrap();
        // Reading ends when the client hangs up; until then the answer would go on.
        while socket.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    };
    let reader = async {
        let mut stream = adapter.chat(ask("Hi")).await.unwrap();
        stream.next().await.unwrap().unwrap();
    };
    tokio::time::timeout(Duration::from_secs(20), async { tokio::join!(server, reader) })
        .await
        .unwrap();
}
