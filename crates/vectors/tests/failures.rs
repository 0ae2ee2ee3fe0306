//! What servers do wrong, and what that means: never a panic, never an empty answer, never a long wait.

use std::time::{Duration, Instant};

use across::{
    id::{AssistantId, ChunkId, FileId},
    retrieval::vectors::{Collection, Point, VectorError, VectorQuery, VectorStore},
    secret::Secret,
};
use across_testkit::{
    qdrant::{Fault, QdrantDouble},
    vendor::{Answer, ScriptedVendor},
};
use across_vectors::{Choice, open};
use serde_json::json;

fn collection() -> Collection {
    Collection {
        space: "test:2".into(),
        dimensions: 2,
    }
}

async fn ask(store: &dyn VectorStore) -> Result<usize, VectorError> {
    let query = VectorQuery {
        assistant: AssistantId::new(),
        vector: vec![1.0, 0.0],
        limit: 3,
    };
    store.search(&collection(), &query).await.map(|found| found.len())
}

fn is_unavailable<T: std::fmt::Debug>(outcome: &Result<T, VectorError>) -> bool {
    matches!(outcome, Err(VectorError::Unavailable(_)))
}

#[tokio::test]
async fn a_failing_or_slow_server_is_unavailable_within_five_seconds() {
    let double = QdrantDouble::start(None).await.unwrap();
    let store = open(&Choice::Qdrant(double.url.parse().unwrap(), None)).unwrap();
    store.ensure(&collection()).await.unwrap();
    assert_eq!(ask(store.as_ref()).await, Ok(0));
    for status in [500, 503, 429] {
        double.fail("", Fault::Status(status));
        assert!(is_unavailable(&ask(store.as_ref()).await), "{status}");
        assert!(is_unavailable(&store.health().await), "{status}");
        double.heal();
    }
    double.fail("/points/query", Fault::Delay(Duration::from_secs(30)));
    let begun = Instant::now();
    assert!(is_unavailable(&ask(store.as_ref()).await));
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    double.heal();
    assert_eq!(ask(store.as_ref()).await, Ok(0));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_and_its_password_untold() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let web = |scheme: &str| format!("{scheme}://user:hunter2@{address}").parse().unwrap();
    let database = Secret::new(format!("postgres://user:hunter2@{address}/x"));
    for choice in [
        Choice::Qdrant(web("http"), None),
        Choice::Chroma(web("http"), None),
        Choice::Pgvector(database),
    ] {
        let store = open(&choice).unwrap();
        let outcome = ask(store.as_ref()).await;
        assert!(is_unavailable(&outcome), "{choice:?}: {outcome:?}");
        assert!(!outcome.unwrap_err().to_string().contains("hunter2"));
        // A database is waited for.
        if !matches!(choice, Choice::Pgvector(_)) {
            assert!(is_unavailable(&store.health().await));
            assert!(is_unavailable(&store.ensure(&collection()).await));
        }
    }
}

#[tokio::test]
async fn keys_are_sent_and_wrong_ones_are_refusals_that_do_not_repeat_them() {
    let double = QdrantDouble::start(Some("right")).await.unwrap();
    let with = |key: Option<&str>| open(&Choice::Qdrant(double.url.parse().unwrap(), key.map(Secret::new))).unwrap();
    with(Some("right")).health().await.unwrap();
    for key in [None, Some("hunter2")] {
        let refused = with(key).health().await;
        assert!(matches!(refused, Err(VectorError::Refused(_))), "{refused:?}");
        assert!(!refused.unwrap_err().to_string().contains("hunter2"));
    }
    let vendor = ScriptedVendor::start().await.unwrap();
    let url = vendor.anthropic_url.parse().unwrap();
    let store = open(&Choice::Chroma(url, Some(Secret::new("hunter2")))).unwrap();
    vendor.answer_next(Answer::json(400, &json!({"error": "no such key: hunter2"})));
    let refused = store.health().await.unwrap_err().to_string();
    assert!(refused.contains("[key]") && !refused.contains("hunter2"), "{refused}");
    let sent = vendor.requests();
    assert_eq!(sent[0].header("x-chroma-token"), Some("hunter2"));
}

#[tokio::test]
async fn answers_that_are_something_else_are_malformed_and_redirects_not_followed() {
    let odd = [
        json!({"result": {}}),
        json!([]),
        json!({"id": "x"}),
        json!({"result": {"points": 3}}),
    ];
    for answer in odd {
        let vendor = ScriptedVendor::start().await.unwrap();
        vendor.answer_always("", Answer::json(200, &answer));
        let url: url::Url = vendor.anthropic_url.parse().unwrap();
        for choice in [Choice::Qdrant(url.clone(), None), Choice::Chroma(url, None)] {
            let outcome = ask(open(&choice).unwrap().as_ref()).await;
            assert!(
                matches!(outcome, Err(VectorError::Malformed(_))),
                "{choice:?}, {answer}: {outcome:?}"
            );
        }
    }
    let vendor = ScriptedVendor::start().await.unwrap();
    let mut away = Answer::json(307, &json!({}));
    away.headers.push(("location".into(), "http://192.0.2.1/".into()));
    vendor.answer_always("", away);
    let store = open(&Choice::Qdrant(vendor.anthropic_url.parse().unwrap(), None)).unwrap();
    let outcome = store.health().await;
    assert!(matches!(outcome, Err(VectorError::Refused(_))), "{outcome:?}");
}

#[tokio::test]
async fn points_that_are_none_of_ours_are_left_out() {
    let double = QdrantDouble::start(None).await.unwrap();
    let store = open(&Choice::Qdrant(double.url.parse().unwrap(), None)).unwrap();
    let assistant = AssistantId::new();
    let point = Point {
        chunk: ChunkId::new(),
        piece: 0,
        file: FileId::new(),
        assistant,
        generation: 1,
        vector: vec![1.0, 0.0],
    };
    store.ensure(&collection()).await.unwrap();
    store.upsert(&collection(), &[point]).await.unwrap();
    double.forge(&json!({"chunk": "'; DROP TABLE chunks", "file": 7}));
    let query = VectorQuery {
        assistant,
        vector: vec![1.0, 0.0],
        limit: 9,
    };
    assert_eq!(store.search(&collection(), &query).await.unwrap().len(), 1);
}
