//! What must not be anywhere: secrets in answers, logs and files, words of deleted people, and more than needed at providers.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use across_testkit::vendor::ScriptedVendor;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    PASSWORD, Server,
    database::on_each_database,
    raw::Raw,
    text,
    walk::{Known, walk},
};

const KEY: &str = "sk-marker-key-0123456789";

/// Everything in a directory, with what is below it.
fn below(directory: &Path) -> Vec<PathBuf> {
    let mut found = vec![directory.to_owned()];
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(below(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// The files below a directory that hold a text.
fn files_with(directory: &Path, marker: &str) -> Vec<PathBuf> {
    let files = below(directory).into_iter().filter(|path| path.is_file());
    files
        .filter(|path| {
            let bytes = fs::read(path).unwrap();
            bytes.windows(marker.len()).any(|window| window == marker.as_bytes())
        })
        .collect()
}

#[tokio::test]
async fn s43_s45_secrets_are_nowhere_after_a_full_day() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let settings = [
        ("AI_ACROSS_OPENAI_BASE_URL", vendor.base_url.as_str()),
        ("AI_ACROSS_LOG", "trace"),
        ("AI_ACROSS_METRICS_TOKEN", "marker-metrics-token-0123456789"),
    ];
    on_each_database(&settings, async |server: &mut Server| {
        const FIRST: &str = "marker password one";
        const SECOND: &str = "marker password two";
        const THIRD: &str = "marker password three";
        let people = server.people().await;
        let (admin, user) = (&people.admin, &people.user);
        let body = json!({ "email": "x@example.com", "name": "X", "password": FIRST });
        let (status, account) = admin.post("/admin/users", &body).await;
        assert_eq!(status, 201, "{account}");
        let account = text(&account["id"]);
        let reset = format!("/admin/users/{account}/password");
        assert_eq!(admin.post(&reset, &json!({ "new_password": SECOND })).await.0, 200);
        let temporary = text(&admin.post(&reset, &json!({})).await.1["temporary_password"]);
        let change = json!({ "current_password": PASSWORD, "new_password": THIRD });
        assert_eq!(user.post("/users/password", &change).await.0, 204);
        let wrong = json!({ "email": "u1@example.com", "password": "marker password wrong" });
        let request = server.request(Method::POST, "/api/v1/users/login").json(&wrong);
        assert_eq!(request.send().await.unwrap().status(), 401);
        let (_, next) = people.other.refreshed(&people.other.refresh).await;
        let metrics = server
            .request(Method::GET, "/metrics")
            .bearer_auth("marker-metrics-token-0123456789");
        assert_eq!(metrics.send().await.unwrap().status(), 200);

        let assistant = admin.assistant("Press Writer").await;
        let body = json!({ "provider": "openai", "name": "Main", "key": KEY });
        let (status, key) = admin.post("/api-keys", &body).await;
        assert_eq!((status, &key["key_hint"]), (201, &json!("…6789")), "{key}");
        let key = text(&key["id"]);
        assert_eq!(admin.post(&format!("/api-keys/{key}/test"), &json!({})).await.0, 200);
        let model = json!({ "model": "gpt-4o-mini" });
        assert_eq!(admin.patch(&format!("/assistants/{assistant}"), &model).await.0, 200);
        let file = admin
            .knows(&assistant, "facts.txt", "The mainnet opens in October.")
            .await;
        let conversation = user.conversation(&assistant).await;
        let messages = format!("/conversations/{conversation}/messages");
        let (status, told) = user
            .post(&messages, &json!({ "content": "words-of-a-chat-7731" }))
            .await;
        assert_eq!(status, 201, "{told}");
        // Also where the provider does not like the key.
        let refused = json!({ "content": "[[script:error-401]] words-of-a-chat-7731" });
        assert!(user.post(&messages, &refused).await.0 >= 500);
        let (_, quota) = admin.post("/quotas", &json!({ "scope": "global" })).await;
        let known = Known {
            assistant,
            file: text(&file["id"]),
            conversation,
            message: text(&told["assistant_message"]["id"]),
            account,
            key,
            quota: text(&quota["id"]),
            entry: text(&admin.get("/audit?limit=1").await.1["audit_logs"][0]["id"]),
        };
        let secrets = [
            KEY,
            "marker-key-0123",
            FIRST,
            SECOND,
            THIRD,
            "marker password wrong",
            temporary.as_str(),
            people.user.refresh.as_str(),
            people.other.refresh.as_str(),
            next["refresh_token"].as_str().unwrap(),
            admin.token.as_str(),
            "marker-metrics-token-0123456789",
            server.secret_key(),
        ];
        for person in [admin, &people.manager, user, &people.other] {
            for (path, body) in walk(server, person, &known).await {
                for secret in secrets {
                    assert!(!body.contains(secret), "{path} tells {secret}");
                }
            }
        }
        let stored = server.database().await;
        for secret in secrets {
            let places = stored.places_of(secret).await;
            assert!(places.is_empty(), "{secret} is stored: {places:?}");
        }
        stored.close().await;
        server.end();
        let log = server.log();
        for secret in secrets.iter().chain(&["words-of-a-chat-7731"]) {
            let line = log.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "{secret} is in the log: {line:?}");
        }
        for secret in secrets {
            let files = files_with(&server.dir, secret);
            assert!(files.is_empty(), "{secret} is in {files:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn s43_log_lines_cannot_be_forged() {
    const FORGED: &str = "\n{\"level\":\"FORGED\"}\r\n\u{1b}[31m\u{2028}";
    let server = Server::start_with(&[("AI_ACROSS_LOG", "debug")]).await;
    let admin = server.admin().await;
    let assistant = admin.assistant("Press Writer").await;
    let body = json!({ "email": format!("x{FORGED}@example.com"), "password": PASSWORD });
    let request = server.request(Method::POST, "/api/v1/users/login").json(&body);
    assert!(request.send().await.unwrap().status().is_client_error());
    for (name, expected) in [
        ("x\u{1b}[31m.txt", 400),
        ("x%0a{level}.txt", 201),
        ("x\u{2028}{level}.txt", 201),
    ] {
        let (status, told) = admin.upload(&assistant, name, name).await;
        assert_eq!(status, expected, "{told}");
    }
    for line in [
        "user-agent: x\u{1b}[31m\u{85}\tforged",
        "x-request-id: x%0a{\"level\":\"FORGED\"}",
        "x-request-id: a b",
        "user-agent: \u{2028}{\"level\":\"FORGED\"}",
        "referer: {\"level\":\"FORGED\"}",
    ] {
        let mut raw = Raw::connect(&server).await;
        let head =
            format!("GET /api/v1/users/%0a%0d{{level}} HTTP/1.1\r\nhost: x\r\n{line}\r\nconnection: close\r\n\r\n");
        raw.send(head).await;
        let answer = raw.answer().await.unwrap();
        assert!((400..500).contains(&answer.status), "{line}: {answer:?}");
        assert!(!answer.headers["x-request-id"].contains(['{', ' ', '%']));
    }
    let log = server.log();
    let lines: Vec<&str> = log.split('\n').filter(|line| !line.is_empty()).collect();
    assert!(lines.len() > 5, "{log}");
    for line in lines {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        assert_ne!(entry["level"], json!("FORGED"));
        assert!(!line.contains(['\u{1b}', '\r']), "{line:?}");
    }
}

#[tokio::test]
async fn s52_providers_learn_the_question_and_not_who_asks() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let settings = [
        ("AI_ACROSS_OPENAI_BASE_URL", vendor.base_url.as_str()),
        ("OPENAI_API_KEY", KEY),
    ];
    let server = Server::start_with(&settings).await;
    let admin = server.admin().await;
    let user = server.joins(&admin, "secret.person@example.com", "user").await;
    assert_eq!(
        user.patch("/users/me", &json!({ "name": "Rosalind Secretive" }))
            .await
            .0,
        200
    );
    let body = json!({ "name": "Press Writer", "model": "gpt-4o-mini", "instructions": "Be brief." });
    let assistant = text(&admin.post("/assistants", &body).await.1["id"]);
    admin
        .knows(&assistant, "facts.txt", "The mainnet opens in October.")
        .await;
    let conversation = user.conversation(&assistant).await;
    let path = format!("/conversations/{conversation}/messages");
    let (status, told) = user
        .post(&path, &json!({ "content": "When does the mainnet open?" }))
        .await;
    assert_eq!(status, 201, "{told}");
    let requests = vendor.requests();
    let questions: Vec<_> = requests
        .iter()
        .filter(|request| request.path.ends_with("/chat/completions"))
        .collect();
    assert_eq!(questions.len(), 1);
    let allowed: BTreeSet<&str> = [
        "model",
        "messages",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
    ]
    .into();
    let mut turns = Vec::new();
    for question in questions {
        let sent = &question.body;
        let fields: BTreeSet<&str> = sent.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(fields.is_subset(&allowed), "{fields:?}");
        for turn in sent["messages"].as_array().unwrap() {
            let fields: Vec<_> = turn.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(fields, ["content", "role"]);
            turns.push(turn.clone());
        }
    }
    assert!(
        json!(turns).to_string().contains("October"),
        "what is known goes along: {turns:?}"
    );
    let session = user.claims();
    let who = [
        "secret.person",
        "Rosalind",
        "example.com",
        session["sub"].as_str().unwrap(),
        session["sid"].as_str().unwrap(),
        conversation.as_str(),
        assistant.as_str(),
        "127.0.0.1",
    ];
    for request in &requests {
        let host = request.header("host").unwrap_or_default().to_owned();
        let whole = format!("{request:?}{}", request.body).replace(&host, "");
        for word in who {
            assert!(!whole.contains(word), "{word} went out: {whole}");
        }
    }
}

#[tokio::test]
async fn s53_what_is_kept_is_for_this_user_only() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let assistant = admin.assistant("Press Writer").await;
    admin
        .knows(&assistant, "facts.txt", "The mainnet opens in October.")
        .await;
    let mut files = 0;
    for path in below(&server.dir) {
        // The log is the test's own.
        if path.ends_with("stderr.log") {
            continue;
        }
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        files += usize::from(path.is_file());
    }
    assert!(files >= 4, "the database, its log, the secret and the upload");
}

#[tokio::test]
async fn s69_nothing_said_is_left_of_a_deleted_person() {
    on_each_database(&[], async |server: &mut Server| {
        const MARKER: &str = "marzipan7731x";
        let people = server.people().await;
        let (admin, user) = (&people.admin, &people.user);
        let assistant = admin.assistant("Press Writer").await;
        let id = user.id().await;
        let request = user
            .request(Method::POST, "/conversations")
            .header("idempotency-key", "once");
        let request = request.json(&json!({ "assistant_id": assistant, "title": format!("About {MARKER}") }));
        let (status, _, conversation) = user.told(request).await;
        assert_eq!(status, 201, "{conversation}");
        let path = format!("/conversations/{}/messages", text(&conversation["id"]));
        for number in 0..20 {
            let content = format!("Question {number} of {MARKER}: {}", "words ".repeat(100));
            let request = user
                .request(Method::POST, &path)
                .header("idempotency-key", format!("question-{number}"));
            let (status, _, told) = user.told(request.json(&json!({ "content": content }))).await;
            assert_eq!(status, 201, "{told}");
        }
        let stored = server.database().await;
        assert!(stored.places_of(MARKER).await.len() >= 20, "it was there");
        let usage = admin.get(&format!("/usage?user_id={id}")).await.1["total"].clone();
        let entries = admin.get(&format!("/audit?actor_id={id}")).await.1["total"].clone();
        assert!(
            usage.as_u64() >= Some(20) && entries.as_u64() >= Some(1),
            "{usage} {entries}"
        );
        assert_eq!(admin.delete(&format!("/admin/users/{id}")).await.0, 204);
        let places = stored.places_of(MARKER).await;
        assert!(places.is_empty(), "{places:?}");
        stored.close().await;
        assert_eq!(admin.get(&format!("/usage?user_id={id}")).await.1["total"], usage);
        let kept = admin
            .get(&format!("/audit?resource_id={id}&action=user.delete"))
            .await
            .1;
        assert_eq!(kept["total"], json!(1), "{kept}");
        let (_, all) = admin.get("/audit?action=user.login&limit=100").await;
        let theirs = all["audit_logs"].as_array().unwrap().iter();
        assert!(
            theirs.filter(|entry| entry["actor_email"] == "u1@example.com").count() >= 1,
            "{all}"
        );
        // A database in a file writes its log back when it is closed.
        server.end();
        let files = files_with(&server.dir, MARKER);
        assert!(files.is_empty(), "{files:?}");
    })
    .await;
}
