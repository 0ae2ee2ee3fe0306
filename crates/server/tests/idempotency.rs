//! Requests that are sent twice and done once.

use across_testkit::vendor::ScriptedVendor;
use futures::future::join_all;
use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};

use crate::harness::{Person, Server, form, text};

async fn send(person: &Person, path: &str, key: &str, body: &Value) -> (u16, HeaderMap, Value) {
    let request = person.request(Method::POST, path).header("idempotency-key", key);
    person.told(request.json(body)).await
}

fn is_replayed(headers: &HeaderMap) -> bool {
    headers.get("idempotency-replayed").is_some_and(|value| value == "true")
}

#[tokio::test]
async fn the_same_request_with_the_same_key_is_done_once() {
    let (_server, people) = Server::with_people().await;
    let admin = &people.admin;
    let assistant = admin.assistant("Press Writer").await;
    for (path, list, body, other) in [
        (
            "/assistants",
            "/assistants",
            json!({ "name": "Twice" }),
            json!({ "name": "Other" }),
        ),
        (
            "/conversations",
            "/conversations",
            json!({ "assistant_id": assistant }),
            json!({ "assistant_id": assistant, "title": "Other" }),
        ),
        (
            "/api-keys",
            "/api-keys",
            json!({ "provider": "openai", "name": "Main", "key": "sk-0123456789abcdef" }),
            json!({ "provider": "openai", "name": "Main", "key": "sk-fedcba9876543210" }),
        ),
        (
            "/quotas",
            "/quotas",
            json!({ "scope": "global", "daily_token_limit": 1_000_000 }),
            json!({ "scope": "global", "daily_token_limit": 2_000_000 }),
        ),
        (
            "/admin/users",
            "/admin/users",
            json!({ "email": "new@example.com", "name": "New" }),
            json!({ "email": "newer@example.com", "name": "Newer" }),
        ),
    ] {
        let before = admin.get(list).await.1["total"].as_u64().unwrap();
        let (status, headers, first) = send(admin, path, "key-1", &body).await;
        assert_eq!(status, 201, "{path} {first}");
        assert!(!is_replayed(&headers), "{path}");
        let (status, again, second) = send(admin, path, "key-1", &body).await;
        assert_eq!((status, &second), (201, &first), "{path}");
        assert!(is_replayed(&again), "{path}");
        for name in ["location", "etag", "content-type"] {
            assert_eq!(headers.get(name), again.get(name), "{path} {name}");
        }
        let (status, _, told) = send(admin, path, "key-1", &other).await;
        assert_eq!(
            (status, &told["error"]),
            (422, &json!("ValidationError")),
            "{path} {told}"
        );
        assert_eq!(admin.get(list).await.1["total"], json!(before + 1), "{path}");
        // Refusals are answers too.
        let (status, _, refused) = send(admin, path, "key-2", &json!({})).await;
        let (again, headers, repeated) = send(admin, path, "key-2", &json!({})).await;
        assert_eq!((status, again), (422, 422), "{path}");
        assert_eq!(refused["details"], repeated["details"], "{path}");
        assert!(is_replayed(&headers), "{path}");
    }
    // The key is its sender's own, and the path's.
    let (status, headers, _) = send(&people.manager, "/assistants", "key-1", &json!({ "name": "Twice" })).await;
    assert!(status == 201 && !is_replayed(&headers));
    for bad in ["with space", "\u{e9}", &"x".repeat(129)] {
        let request = admin
            .request(Method::POST, "/assistants")
            .header("idempotency-key", bad);
        let (status, _, told) = admin.told(request.json(&json!({ "name": "Twice" }))).await;
        assert_eq!(
            (status, &told["details"][0]["field"]),
            (422, &json!("Idempotency-Key")),
            "{bad} {told}"
        );
    }
}

#[tokio::test]
async fn of_many_at_once_one_is_done() {
    let (_server, people) = Server::with_people().await;
    let body = json!({ "name": "Once" });
    let answers = join_all((0..20).map(|_| send(&people.manager, "/assistants", "same", &body))).await;
    let made: Vec<_> = answers.iter().filter(|(status, ..)| *status == 201).collect();
    assert!(!made.is_empty());
    assert_eq!(made.iter().filter(|(_, headers, _)| !is_replayed(headers)).count(), 1);
    assert!(
        answers.iter().all(|(status, ..)| matches!(status, 201 | 409)),
        "{answers:?}"
    );
    assert_eq!(people.manager.get("/assistants").await.1["total"], json!(1));
}

#[tokio::test]
async fn a_password_that_is_shown_once_is_not_kept_in_clear() {
    let (mut server, people) = Server::with_people().await;
    let body = json!({ "email": "new@example.com", "name": "New" });
    let (_, _, first) = send(&people.admin, "/admin/users", "k", &body).await;
    let password = text(&first["temporary_password"]);
    let (_, _, second) = send(&people.admin, "/admin/users", "k", &body).await;
    assert_eq!(second["temporary_password"], first["temporary_password"]);
    server.end();
    let files =
        ["ai-across.db", "ai-across.db-wal"].map(|name| std::fs::read(server.dir.join(name)).unwrap_or_default());
    let database = files.concat();
    let is_there = |needle: &str| database.windows(needle.len()).any(|window| window == needle.as_bytes());
    assert!(is_there("new@example.com"), "this is where people are");
    assert!(!is_there(&password), "the password is kept in clear");
}

#[tokio::test]
async fn a_file_sent_twice_is_one_file() {
    let (_server, people) = Server::with_people().await;
    let manager = &people.manager;
    let assistant = manager.assistant("Press Writer").await;
    let upload = async |bytes: &[u8]| {
        let (kind, body) = form(&assistant, "a.txt", bytes);
        let request = manager.request(Method::POST, "/files").header("content-type", kind);
        manager.told(request.header("idempotency-key", "f").body(body)).await
    };
    let (status, _, first) = upload(b"The mainnet opens on 14 October.").await;
    assert_eq!(status, 201, "{first}");
    let (status, headers, second) = upload(b"The mainnet opens on 14 October.").await;
    assert_eq!((status, &second["id"]), (201, &first["id"]), "{second}");
    assert!(is_replayed(&headers));
    assert_eq!(upload(b"Something else.").await.0, 422);
    assert_eq!(manager.get("/files").await.1["total"], json!(1));
}

#[tokio::test]
async fn r50_a_question_sent_again_is_answered_once_in_the_way_that_is_wanted_then() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let server = Server::start_with(&[("AI_ACROSS_OPENAI_BASE_URL", vendor.base_url.as_str())]).await;
    let admin = server.admin().await;
    let assistant = admin.assistant("Press Writer").await;
    let conversation = admin.conversation(&assistant).await;
    let path = format!("/conversations/{conversation}/messages");
    let slow = json!({ "content": "[[script:slow]]", "stream": true });
    // The connection is lost while the answer is being written.
    let request = admin
        .request(Method::POST, &path)
        .header("idempotency-key", "q")
        .json(&slow);
    let mut response = request.send().await.unwrap();
    let head = String::from_utf8(response.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    assert!(head.contains("\"type\":\"start\""), "{head}");
    drop(response);
    let (status, _, told) = send(&admin, &path, "q", &slow).await;
    assert_eq!((status, &told["error"]), (409, &json!("ConflictError")), "{told}");
    let message = text(&told["details"][0]["message_id"]);
    admin.join(&conversation, &message).await.all().await;

    let plain = json!({ "content": "[[script:slow]]" });
    let (status, headers, whole) = send(&admin, &path, "q", &plain).await;
    assert_eq!(
        (status, &whole["assistant_message"]["id"]),
        (201, &json!(message)),
        "{whole}"
    );
    assert!(is_replayed(&headers));
    let again = admin
        .request(Method::POST, &path)
        .header("idempotency-key", "q")
        .json(&slow);
    let again = again.send().await.unwrap();
    assert!(is_replayed(again.headers()));
    let events = again.text().await.unwrap();
    let kinds: Vec<_> = events
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| text(&serde_json::from_str::<Value>(data).unwrap()["type"]))
        .collect();
    assert_eq!(kinds, ["start", "chunk", "usage", "done"], "{events}");
    assert_eq!(send(&admin, &path, "q", &json!({ "content": "Other?" })).await.0, 422);
    assert_eq!(admin.get(&path).await.1["total"], json!(2));
    let asked = vendor.requests();
    let asked = asked
        .iter()
        .filter(|request| request.path.ends_with("/chat/completions"));
    assert_eq!(asked.count(), 1);
    assert_eq!(admin.get("/usage").await.1["total"], json!(1), "charged once");

    // A quota's refusal is no answer to be kept: the next time there may be room.
    let (_, quota) = admin
        .post("/quotas", &json!({ "scope": "global", "daily_token_limit": 0 }))
        .await;
    let question = json!({ "content": "Now?" });
    assert_eq!(send(&admin, &path, "later", &question).await.0, 429);
    assert_eq!(admin.delete(&format!("/quotas/{}", text(&quota["id"]))).await.0, 204);
    assert_eq!(send(&admin, &path, "later", &question).await.0, 201);
}
