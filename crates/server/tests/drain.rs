//! The end of the process while answers are being written.

use across_testkit::vendor::ScriptedVendor;
use serde_json::json;

use crate::harness::{Server, eventually, words};

async fn server() -> (Server, ScriptedVendor) {
    let vendor = ScriptedVendor::start().await.unwrap();
    let settings = [
        ("AI_ACROSS_OPENAI_BASE_URL", vendor.base_url.as_str()),
        ("OPENAI_API_KEY", "sk-test"),
    ];
    (Server::start_with(&settings).await, vendor)
}

#[tokio::test]
async fn answers_in_progress_end_before_the_process_does_and_no_new_ones_begin() {
    let (mut server, _vendor) = server().await;
    let admin = server.admin().await;
    let assistant = admin.assistant("Press Writer").await;
    let (conversation, other) = (
        admin.conversation(&assistant).await,
        admin.conversation(&assistant).await,
    );
    let mut stream = admin.ask(&conversation, "[[script:slow]]").await;
    stream.until("chunk").await;
    server.terminate();
    let refusal = eventually(async || {
        let (status, body) = admin.get("/ready").await;
        (status == 503).then_some(body)
    });
    assert_eq!(refusal.await["status"], "not_ready");
    let path = format!("/conversations/{other}/messages");
    let (status, _) = admin.post(&path, &json!({ "content": "Hello?", "stream": true })).await;
    assert_eq!(status, 503);
    let events = stream.all().await;
    assert_eq!(events.last().unwrap()["type"], "done", "{events:?}");
    assert_eq!(
        words(&events).split_whitespace().count(),
        50,
        "a word each 200 ms for ten seconds"
    );
    assert_eq!(server.exit_code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_the_process_at_once_and_the_next_start_says_so() {
    let (mut server, _vendor) = server().await;
    let admin = server.admin().await;
    let assistant = admin.assistant("Press Writer").await;
    let conversation = admin.conversation(&assistant).await;
    let mut stream = admin.ask(&conversation, "[[script:slow]]").await;
    stream.until("chunk").await;
    server.terminate();
    eventually(async || (admin.get("/ready").await.0 == 503).then_some(())).await;
    server.terminate();
    assert_eq!(server.exit_code(), Some(1));
    assert!(server.log().contains("second signal"));
    let events = stream.all().await;
    assert_ne!(events.last().unwrap()["type"], "done");
    let server = server.kill_and_restart().await;
    let admin = server.admin().await;
    let (_, body) = admin.get(&format!("/conversations/{conversation}/messages")).await;
    let answer = &body["messages"][1];
    assert_eq!(answer["status"], "interrupted", "{answer}");
}
