//! Providers' keys: what goes in never comes out, and is sent nowhere else.

use std::{path::Path, time::Duration};

use across_testkit::vendor::{Answer, ScriptedVendor};
use serde_json::{Value, json};

use crate::harness::{Person, Server, behind_the_back, text};

/// Long enough to be hinted at, and found if it is anywhere.
const MARKER: &str = "sk-marker-0123456789abcdef";

async fn with_vendor(settings: &[(&str, &str)]) -> (Server, ScriptedVendor, Person) {
    let vendor = ScriptedVendor::start().await.unwrap();
    let base = vendor.base_url.clone();
    let mut all = vec![("AI_ACROSS_OPENAI_BASE_URL", base.as_str())];
    all.extend(settings);
    let server = Server::start_with(&all).await;
    let admin = server.admin().await;
    (server, vendor, admin)
}

async fn add(admin: &Person, provider: &str, name: &str, key: &str) -> Value {
    let body = json!({ "provider": provider, "name": name, "key": key });
    let (status, body) = admin.post("/api-keys", &body).await;
    assert_eq!(status, 201, "{body}");
    body
}

/// Asks a question and says how it went.
async fn ask(person: &Person, assistant: &str) -> (u16, Value) {
    let conversation = person.conversation(assistant).await;
    let path = format!("/conversations/{conversation}/messages");
    person.post(&path, &json!({ "content": "Hello?" })).await
}

/// The keys that the vendor was shown with questions.
fn keys_shown(vendor: &ScriptedVendor) -> Vec<String> {
    let requests = vendor.requests();
    let questions = requests
        .iter()
        .filter(|request| request.path.ends_with("/chat/completions"));
    questions
        .map(|request| request.header("authorization").unwrap_or_default().to_owned())
        .collect()
}

fn contains(bytes: &[u8], marker: &str) -> bool {
    bytes.windows(marker.len()).any(|window| window == marker.as_bytes())
}

#[tokio::test]
async fn s45_keys_go_in_and_never_come_out() {
    let (mut server, vendor, admin) = with_vendor(&[("AI_ACROSS_LOG", "trace")]).await;
    let made = add(&admin, "openai", "Main", MARKER).await;
    assert_eq!(
        (&made["key_hint"], &made["is_default"]),
        (&json!("…cdef"), &json!(true))
    );
    let path = format!("/api-keys/{}", text(&made["id"]));
    let short = add(&admin, "anthropic", "Short", "sk-12345").await;
    assert_eq!(short["key_hint"], json!(null));

    let assistant = admin.assistant("Press Writer").await;
    let (status, answer) = ask(&admin, &assistant).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(keys_shown(&vendor), [format!("Bearer {MARKER}")]);

    let (status, tested) = admin.post(&format!("{path}/test"), &json!({})).await;
    assert_eq!((status, &tested["status"]), (200, &json!("ok")));
    let replaced = format!("{MARKER}-two");
    let (status, changed) = admin.patch(&path, &json!({ "key": replaced, "name": "Second" })).await;
    assert_eq!((status, &changed["name"]), (200, &json!("Second")), "{changed}");
    let mut told = vec![made, short, answer, tested, changed];
    for path in [
        "/api-keys",
        path.as_str(),
        "/audit?limit=100",
        "/admin/providers",
        "/admin/stats",
        "/usage",
        "/settings",
        "/models",
        "/notices",
    ] {
        let (status, body) = admin.get(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        told.push(body);
    }
    let told = json!(told).to_string();
    assert!(!told.contains("marker-0123"), "{told}");
    assert!(
        !told.contains("encrypted_key") && !told.contains("\"sealed\""),
        "{told}"
    );
    assert!(told.contains("[redacted]") && told.contains("api_key.create"), "{told}");

    server.end();
    assert!(!server.log().contains("marker-0123"), "the key is in the log");
    for entry in std::fs::read_dir(&server.dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!contains(&bytes, "marker-0123"), "the key is in {}", path.display());
        }
    }
}

#[tokio::test]
async fn s45_only_administrators_have_to_do_with_keys() {
    let (_server, people) = Server::with_people().await;
    let made = add(&people.admin, "openai", "Main", MARKER).await;
    let path = format!("/api-keys/{}", text(&made["id"]));
    for person in [&people.manager, &people.user] {
        assert_eq!(person.get("/api-keys").await.0, 403);
        assert_eq!(person.get(&path).await.0, 403);
        assert_eq!(person.post("/api-keys", &json!({})).await.0, 403);
        assert_eq!(person.patch(&path, &json!({})).await.0, 403);
        assert_eq!(person.delete(&path).await.0, 403);
        assert_eq!(person.post(&format!("{path}/test"), &json!({})).await.0, 403);
    }
}

#[tokio::test]
async fn a_provider_has_one_default_key_and_names_are_unique() {
    let (_server, people) = Server::with_people().await;
    let admin = people.admin;
    let first = add(&admin, "openai", "First", "sk-first-0123456789").await;
    let second = add(&admin, "openai", "Second", "sk-second-0123456789").await;
    assert_eq!(
        (&first["is_default"], &second["is_default"]),
        (&json!(true), &json!(false))
    );
    let path = format!("/api-keys/{}", text(&second["id"]));
    let (_, changed) = admin.patch(&path, &json!({ "is_default": true })).await;
    assert_eq!(changed["is_default"], json!(true), "{changed}");
    let (_, listed) = admin.get("/api-keys?provider=openai").await;
    let keys = listed["api_keys"].as_array().unwrap();
    assert_eq!(keys.iter().filter(|key| key["is_default"] == json!(true)).count(), 1);
    let taken = json!({ "provider": "openai", "name": "first", "key": "sk-third-0123456789" });
    assert_eq!(admin.post("/api-keys", &taken).await.0, 409);
    assert_eq!(admin.delete(&path).await.0, 204);
    assert_eq!(admin.delete(&path).await.0, 404);
    let (_, listed) = admin.get("/api-keys").await;
    assert_eq!(
        listed["api_keys"][0]["is_default"],
        json!(true),
        "the other takes its place"
    );
}

#[tokio::test]
async fn what_a_key_may_not_be_is_said_field_by_field() {
    let (_server, people) = Server::with_people().await;
    let key = "sk-0123456789abcdef";
    for (body, field) in [
        (json!({ "provider": "nobody", "name": "A", "key": key }), "provider"),
        (json!({ "provider": "openai", "name": " ", "key": key }), "name"),
        (json!({ "provider": "openai", "name": "A", "key": "short" }), "key"),
        (
            json!({ "provider": "openai", "name": "A", "key": "with spaces in it" }),
            "key",
        ),
        (
            json!({ "provider": "openai", "name": "A", "key": key, "base_url": "https://example.com" }),
            "base_url",
        ),
        (json!({ "provider": "custom", "name": "A", "key": key }), "base_url"),
        (
            json!({ "provider": "custom", "name": "A", "key": key, "base_url": "http://127.0.0.1:9" }),
            "base_url",
        ),
        (
            json!({ "provider": "custom", "name": "A", "key": key, "base_url": "http://169.254.169.254" }),
            "base_url",
        ),
        (
            json!({ "provider": "openai", "name": "A", "key": key, "prompt_price": 1 }),
            "prompt_price",
        ),
    ] {
        let (status, told) = people.admin.post("/api-keys", &body).await;
        assert_eq!(
            (status, &told["details"][0]["field"]),
            (422, &json!(field)),
            "{body} {told}"
        );
    }
    let unknown = json!({ "provider": "openai", "name": "A", "key": key, "id": "x" });
    assert_eq!(people.admin.post("/api-keys", &unknown).await.0, 422);
    assert_eq!(people.admin.get("/api-keys").await.1["total"], json!(0));
}

#[tokio::test]
async fn s46_a_key_moved_to_another_row_is_not_used() {
    let (mut server, vendor, admin) = with_vendor(&[]).await;
    add(&admin, "openai", "First", MARKER).await;
    add(&admin, "anthropic", "Other", "sk-ant-0123456789abcdef").await;
    let assistant = admin.assistant("Press Writer").await;
    let model = json!({ "model": "gpt-4o-mini" });
    assert_eq!(admin.patch(&format!("/assistants/{assistant}"), &model).await.0, 200);
    server.end();
    let swap = "UPDATE api_keys SET encrypted_key = (SELECT other.encrypted_key FROM api_keys AS other WHERE \
                other.provider = 'anthropic') WHERE provider = 'openai'";
    behind_the_back(&server.dir, swap).await;
    let server = server.start_again(&[]);
    let admin = server.admin().await;
    let (status, body) = ask(&admin, &assistant).await;
    assert_eq!(
        (status, &body["error"]),
        (503, &json!("ServiceUnavailableError")),
        "{body}"
    );
    assert!(keys_shown(&vendor).is_empty(), "nothing is sent with another key");
}

/// Whether a start with these settings is refused, and in what words.
async fn refused(dir: &Path, settings: &[(&str, &str)]) -> (Option<i32>, String) {
    let ended = tokio::process::Command::new(env!("CARGO_BIN_EXE_ai-across"))
        .arg("serve")
        .env_clear()
        .env("AI_ACROSS_LISTEN", "127.0.0.1:0")
        .env("AI_ACROSS_DATA_DIR", dir)
        .envs(settings.iter().copied())
        .kill_on_drop(true)
        .output();
    let ended = tokio::time::timeout(Duration::from_secs(60), ended)
        .await
        .unwrap()
        .unwrap();
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

#[tokio::test]
async fn s47_a_secret_key_is_exchanged_without_losing_anything() {
    const FIRST: &str = "q0nq7c2pRZ6kq0G3vQ1m8WmWcYxwqk0m6sU3yJc2E5k=";
    const SECOND: &str = "7Hc2pRZ6kq0G3vQ1m8WmWcYxwqk0m6sU3yJc2E5kq0nq=";
    let (mut server, vendor, admin) = with_vendor(&[("AI_ACROSS_SECRET_KEY", FIRST)]).await;
    add(&admin, "openai", "Main", MARKER).await;
    let assistant = admin.assistant("Press Writer").await;
    server.end();

    let before = std::fs::read(server.dir.join("ai-across.db")).unwrap();
    let (code, words) = refused(&server.dir, &[("AI_ACROSS_SECRET_KEY", SECOND)]).await;
    assert_eq!(code, Some(3), "{words}");
    assert!(
        words.contains("AI_ACROSS_SECRET_KEY") && !words.contains(SECOND),
        "{words}"
    );
    let after = std::fs::read(server.dir.join("ai-across.db")).unwrap();
    assert!(before == after, "no row changed");

    let both = [("AI_ACROSS_SECRET_KEY", SECOND), ("AI_ACROSS_SECRET_KEY_OLD", FIRST)];
    let mut server = server.start_again(&both);
    server.admin().await;
    server.end();
    assert_eq!(
        refused(&server.dir, &[("AI_ACROSS_SECRET_KEY", FIRST)]).await.0,
        Some(3),
        "the first key is of no use any more"
    );
    let server = server.start_again(&[("AI_ACROSS_SECRET_KEY_OLD", "")]);
    let admin = server.admin().await;
    let (status, body) = ask(&admin, &assistant).await;
    assert_eq!(status, 201, "{body}");
    assert_eq!(keys_shown(&vendor), [format!("Bearer {MARKER}")]);
}

#[tokio::test]
async fn s48_another_address_needs_the_key_again() {
    let (_server, vendor, admin) = with_vendor(&[("AI_ACROSS_ALLOW_PRIVATE_PROVIDERS", "true")]).await;
    let body = json!({ "provider": "custom", "name": "House", "key": MARKER, "base_url": vendor.base_url });
    let (status, made) = admin.post("/api-keys", &body).await;
    assert_eq!(status, 201, "{made}");
    let path = format!("/api-keys/{}", text(&made["id"]));
    let moved = json!({ "base_url": "http://127.0.0.1:9/v1" });
    let (status, told) = admin.patch(&path, &moved).await;
    assert_eq!((status, &told["details"][0]["field"]), (422, &json!("key")), "{told}");
    assert_eq!(admin.get(&path).await.1["base_url"], json!(vendor.base_url));
}

#[tokio::test]
async fn s50_trying_a_key_tells_four_things_and_no_more() {
    let (_server, vendor, admin) = with_vendor(&[("AI_ACROSS_ALLOW_PRIVATE_PROVIDERS", "true")]).await;
    let custom = async |name: &str, key: &str, base: &str| {
        let body = json!({ "provider": "custom", "name": name, "key": key, "base_url": base });
        let (status, made) = admin.post("/api-keys", &body).await;
        assert_eq!(status, 201, "{made}");
        text(&made["id"])
    };
    let test = async |id: &str| {
        let begun = tokio::time::Instant::now();
        let (status, body) = admin.post(&format!("/api-keys/{id}/test"), &json!({})).await;
        assert_eq!(status, 200, "{body}");
        assert!(
            begun.elapsed() < Duration::from_secs(15),
            "a trial takes ten seconds at most"
        );
        let mut fields: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
        fields.sort();
        assert_eq!(fields, ["latency_ms", "ok", "status"]);
        assert_eq!(body["ok"] == json!(true), body["latency_ms"].is_u64(), "{body}");
        text(&body["status"])
    };
    let good = custom("Good", MARKER, &vendor.base_url).await;
    assert_eq!(test(&good).await, "ok");
    let closed = custom("Closed", MARKER, "http://127.0.0.1:9/v1").await;
    assert_eq!(test(&closed).await, "unreachable");
    let rejected = custom("Rejected", "sk-rejected-0123456789", &vendor.base_url).await;
    assert_eq!(test(&rejected).await, "unauthorized");
    vendor.answer_always("/models", Answer::whole(200, "text/html", "<html>SECRET-PAGE</html>"));
    assert_eq!(test(&good).await, "error");
    let page = Answer::whole(200, "text/html", "late").after(Duration::from_secs(30));
    vendor.answer_always("/models", page);
    assert_eq!(test(&good).await, "unreachable");
    let (_, listed) = admin.get("/api-keys").await;
    assert!(!listed.to_string().contains("SECRET-PAGE"), "{listed}");
    let (_, audited) = admin.get("/audit?action=api_key.test").await;
    assert_eq!(audited["total"], json!(5), "{audited}");
    assert!(!audited.to_string().contains("SECRET-PAGE"), "{audited}");
}
