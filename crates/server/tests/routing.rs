//! Who answers when a provider does not: the same model over OpenRouter, said to everybody whom it concerns, and never in the
//! middle of an answer.

use across_testkit::vendor::{Answer, Dialect, ScriptedVendor};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Person, Server, eventually, text, words};

const OPENAI: &str = "POST /v1/chat/completions";
const OPENROUTER: &str = "POST /api/v1/chat/completions";

/// A server with OpenAI and OpenRouter, the first with a stored key, and an assistant that uses a model of both.
async fn world(key: &str) -> (Server, ScriptedVendor, Person, String) {
    let vendor = ScriptedVendor::start().await.unwrap();
    let settings = [
        ("AI_ACROSS_OPENAI_BASE_URL", vendor.base_url.as_str()),
        ("AI_ACROSS_OPENROUTER_BASE_URL", vendor.openrouter_url.as_str()),
        ("AI_ACROSS_EMBEDDING_MODEL", "local"),
    ];
    let server = Server::start_with(&settings).await;
    let admin = server.admin().await;
    let body = json!({ "provider": "openai", "name": "Main", "key": key });
    assert_eq!(admin.post("/api-keys", &body).await.0, 201);
    let quiet = json!({ "settings": { "auto_title": false } });
    assert_eq!(admin.patch("/settings", &quiet).await.0, 200);
    let body = json!({ "name": "Press Writer", "model": "gpt-4o-mini" });
    let (status, made) = admin.post("/assistants", &body).await;
    assert_eq!(status, 201, "{made}");
    (server, vendor, admin, text(&made["id"]))
}

const KEY: &str = "sk-good-0123456789";

/// The rows of the usage log about a conversation, once there is one.
async fn rows(admin: &Person, conversation: &str) -> Vec<Value> {
    eventually(async || {
        let (_, listed) = admin.get("/usage?limit=100").await;
        let rows = listed["usage"].as_array().unwrap().iter();
        let rows = rows.filter(|row| row["conversation_id"] == json!(conversation));
        let rows: Vec<Value> = rows.cloned().collect();
        (!rows.is_empty()).then_some(rows)
    })
    .await
}

async fn last_message(person: &Person, conversation: &str) -> Value {
    let (_, body) = person.get(&format!("/conversations/{conversation}/messages")).await;
    body["messages"].as_array().unwrap().last().unwrap().clone()
}

/// How the way over this provider is.
async fn way(admin: &Person, provider: &str) -> Value {
    let (status, body) = admin.get("/admin/providers").await;
    assert_eq!(status, 200, "{body}");
    let mut ways = body["providers"].as_array().unwrap().iter();
    ways.find(|way| way["provider"] == provider).unwrap().clone()
}

#[tokio::test]
async fn a_provider_that_dies_before_the_first_word_is_replaced_and_everybody_learns_it() {
    let (_server, vendor, admin, assistant) = world(KEY).await;
    vendor.answer_for(Dialect::OpenAi, "status-503-3600");
    let conversation = admin.conversation(&assistant).await;
    let events = admin.ask(&conversation, "Who are you?").await.all().await;
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(&kinds[..3], ["start", "notice", "chunk"], "{events:?}");
    assert_eq!(kinds.last(), Some(&"done"));
    let notice = &events[1];
    assert_eq!(
        (&notice["code"], &notice["from"], &notice["to"], &notice["reason"]),
        (
            &json!("failover"),
            &json!("openai"),
            &json!("openrouter"),
            &json!("overloaded")
        )
    );
    assert_eq!(notice["extra_cost_percent"], json!(0), "{notice}");
    assert!(!words(&events).is_empty());

    let message = last_message(&admin, &conversation).await;
    assert_eq!(
        (&message["status"], &message["model"], &message["provider"]),
        (&json!("complete"), &json!("gpt-4o-mini"), &json!("openrouter"))
    );
    assert_eq!(message["failover"]["from"], json!("openai"));
    let rows = rows(&admin, &conversation).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    let row = &rows[0];
    assert_eq!(
        (
            &row["provider"],
            &row["model"],
            &row["failover_from"],
            &row["failover_reason"]
        ),
        (
            &json!("openrouter"),
            &json!("gpt-4o-mini"),
            &json!("openai"),
            &json!("overloaded")
        )
    );
    // What OpenRouter says that it charges is what is charged.
    assert_eq!(row["price_source"], json!("stated"), "{row}");
    assert!(row["cost_usd"].as_f64().unwrap() > 0.0);
    // It asked for the model by OpenRouter's name for it.
    let asked = vendor
        .requests()
        .into_iter()
        .rfind(|request| request.method == "POST")
        .unwrap();
    assert_eq!(asked.body["model"], json!("openai/gpt-4o-mini"));
    // In the export the new columns stand at the end.
    let export = admin.request(Method::GET, "/usage?format=csv").send().await.unwrap();
    let export = export.text().await.unwrap();
    let (head, rest) = export.split_once("\r\n").unwrap();
    assert!(
        head.ends_with(
            "estimated,cached_tokens,reasoning_tokens,price_source,answered_model,failover_from,failover_reason"
        ),
        "{head}"
    );
    assert!(
        rest.contains("stated,") && rest.contains(",openai,overloaded"),
        "{rest}"
    );
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_first_word_is_tried_again_and_then_replaced() {
    let (_server, vendor, admin, assistant) = world(KEY).await;
    vendor.answer_next_for(Dialect::OpenAi, "hang-up");
    let conversation = admin.conversation(&assistant).await;
    let events = admin.ask(&conversation, "Who are you?").await.all().await;
    assert!(
        events.iter().all(|event| event["type"] != "notice"),
        "the second attempt went well"
    );
    assert_eq!((vendor.count(OPENAI), vendor.count(OPENROUTER)), (2, 0));
    vendor.answer_for(Dialect::OpenAi, "hang-up");
    let events = admin.ask(&conversation, "And now?").await.all().await;
    assert_eq!(events[1]["type"], "notice", "{events:?}");
    assert_eq!((vendor.count(OPENAI), vendor.count(OPENROUTER)), (4, 1));
}

#[tokio::test]
async fn after_the_first_word_the_text_stays_and_nobody_else_is_asked() {
    let (_server, vendor, admin, assistant) = world(KEY).await;
    vendor.answer_for(Dialect::OpenAi, "cut-3");
    let conversation = admin.conversation(&assistant).await;
    let events = admin
        .ask(&conversation, "Tell me a long story, please?")
        .await
        .all()
        .await;
    assert_eq!(events.last().unwrap()["type"], "error", "{events:?}");
    let message = last_message(&admin, &conversation).await;
    assert_eq!(
        (&message["status"], &message["provider"], &message["failover"]),
        (&json!("interrupted"), &json!("openai"), &json!(null))
    );
    assert_eq!(message["content"], json!(words(&events)));
    assert!(!words(&events).is_empty());
    let rows = rows(&admin, &conversation).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(
        (&rows[0]["provider"], &rows[0]["estimated"]),
        (&json!("openai"), &json!(true))
    );
    assert!(rows[0]["cost_usd"].as_f64().unwrap() > 0.0);
    assert_eq!((vendor.count(OPENAI), vendor.count(OPENROUTER)), (1, 0));
}

#[tokio::test]
async fn a_rejected_key_is_replaced_by_openrouter_marked_and_told_of_once() {
    let (server, vendor, admin, assistant) = world("sk-rejected-0123456789").await;
    for round in 1..=2 {
        let conversation = admin.conversation(&assistant).await;
        let events = admin.ask(&conversation, "Who are you?").await.all().await;
        assert_eq!(
            (&events[1]["code"], &events[1]["reason"]),
            (&json!("failover"), &json!("auth")),
            "{events:?}"
        );
        assert_eq!(rows(&admin, &conversation).await[0]["failover_reason"], json!("auth"));
        assert_eq!((vendor.count(OPENAI), vendor.count(OPENROUTER)), (round, round));
    }
    let (_, keys) = admin.get("/api-keys").await;
    assert_eq!(keys["api_keys"][0]["last_error"], json!("unauthorized"), "{keys}");
    let (_, notices) = admin.get("/notices").await;
    assert_eq!(notices["total"], json!(1), "{notices}");
    let notice = &notices["notices"][0];
    assert_eq!(
        (&notice["kind"], &notice["level"]),
        (&json!("provider.key"), &json!("error")),
        "{notice}"
    );
    assert_eq!(
        notice["message"],
        json!("The key “Main” is rejected by OpenAI. Replace it.")
    );
    server.joins(&admin, "u1@example.com", "user").await;
    let user = server.sign_in("u1@example.com").await;
    assert_eq!(
        user.get("/notices").await.1["total"],
        json!(0),
        "it is no concern of theirs"
    );
    let way = way(&admin, "openai").await;
    assert_eq!(
        (&way["last_error"], &way["breaker"], &way["last_success_at"]),
        (&json!("unauthorized"), &json!("closed"), &json!(null)),
        "{way}"
    );
}

#[tokio::test]
async fn a_provider_without_credit_is_paused_and_not_asked_again() {
    let (_server, vendor, admin, assistant) = world("sk-unpaid-0123456789").await;
    let conversation = admin.conversation(&assistant).await;
    for reason in ["no_credit", "paused"] {
        let events = admin.ask(&conversation, "Who are you?").await.all().await;
        assert_eq!(events[1]["reason"], json!(reason), "{events:?}");
    }
    assert_eq!((vendor.count(OPENAI), vendor.count(OPENROUTER)), (1, 2));
    let way = way(&admin, "openai").await;
    assert!(way["paused_until"].is_string(), "{way}");
    assert_eq!(way["last_error"], json!("no_credit"), "{way}");
}

#[tokio::test]
async fn a_provider_that_keeps_failing_is_left_alone_and_administrators_see_it() {
    let (server, vendor, admin, assistant) = world(KEY).await;
    let conversation = admin.conversation(&assistant).await;
    admin.ask(&conversation, "Who are you?").await.all().await;
    let well = way(&admin, "openai").await;
    assert_eq!(
        (&well["breaker"], &well["retry_at"], &well["last_error"]),
        (&json!("closed"), &json!(null), &json!(null))
    );
    assert!(
        well["last_success_at"].is_string() && well["latency_ms"].is_u64(),
        "{well}"
    );
    assert_eq!(
        (&well["is_used"], &well["key_name"], &well["calls"]),
        (&json!(true), &json!("Main"), &json!(0))
    );
    assert!(well["models"].as_u64().unwrap() > 0, "{well}");
    vendor.answer_for(Dialect::OpenAi, "status-503-3600");
    for _ in 0..7 {
        let events = admin.ask(&conversation, "Who are you?").await.all().await;
        assert_eq!(events[1]["to"], json!("openrouter"), "{events:?}");
    }
    assert_eq!(
        (vendor.count(OPENAI), vendor.count(OPENROUTER)),
        (6, 7),
        "five failures in a row are enough"
    );
    let failing = way(&admin, "openai").await;
    assert_eq!(
        (&failing["breaker"], &failing["last_error"]),
        (&json!("open"), &json!("overloaded")),
        "{failing}"
    );
    assert!(
        failing["retry_at"].is_string() && failing["last_error_at"].is_string(),
        "{failing}"
    );
    let other = way(&admin, "openrouter").await;
    assert_eq!(
        (&other["source"], &other["breaker"]),
        (&json!("configuration"), &json!("closed")),
        "{other}"
    );
    assert!(other["latency_ms"].is_u64(), "{other}");
    // Every attempt is counted, by who was called and what became of it.
    let metrics = server.request(Method::GET, "/metrics").bearer_auth(&admin.token);
    let metrics = metrics.send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for line in [
        "ai_across_provider_calls_total{provider=\"openai\",outcome=\"ok\"} 1",
        "ai_across_provider_calls_total{provider=\"openai\",outcome=\"overloaded\"} 5",
        "ai_across_provider_calls_total{provider=\"openrouter\",outcome=\"ok\"} 7",
        "ai_across_provider_first_word_seconds_count{provider=\"openrouter\"} 7",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[tokio::test]
async fn a_model_that_is_gone_at_its_maker_is_asked_for_at_openrouter_and_leaves_the_list() {
    let (_server, vendor, admin, assistant) = world(KEY).await;
    vendor.answer_for(Dialect::OpenAi, "status-404");
    let conversation = admin.conversation(&assistant).await;
    let events = admin.ask(&conversation, "Who are you?").await.all().await;
    assert_eq!(events[1]["reason"], json!("model_gone"), "{events:?}");
    assert_eq!(events.last().unwrap()["type"], "done");
}

#[tokio::test]
async fn when_nobody_answers_the_reader_learns_how_the_first_one_failed_and_nothing_is_charged() {
    let (_server, vendor, admin, assistant) = world(KEY).await;
    vendor.answer_for(Dialect::OpenAi, "status-429-3600");
    vendor.answer_for(Dialect::OpenRouter, "status-503-3600");
    let conversation = admin.conversation(&assistant).await;
    let events = admin.ask(&conversation, "Who are you?").await.all().await;
    assert!(events.iter().all(|event| event["type"] != "notice"), "{events:?}");
    let end = events.last().unwrap();
    assert_eq!(
        (&end["type"], &end["error"]),
        (&json!("error"), &json!("ProviderError")),
        "{end}"
    );
    let rows = rows(&admin, &conversation).await;
    assert_eq!(
        (rows.len(), &rows[0]["cost_usd"], &rows[0]["total_tokens"]),
        (1, &json!(0.0), &json!(0))
    );
}

#[tokio::test]
async fn the_same_embedding_model_is_asked_for_at_openrouter() {
    let (direct, router) = (
        ScriptedVendor::start().await.unwrap(),
        ScriptedVendor::start().await.unwrap(),
    );
    let settings = [
        ("AI_ACROSS_OPENAI_BASE_URL", direct.base_url.as_str()),
        ("AI_ACROSS_OPENROUTER_BASE_URL", router.openrouter_url.as_str()),
        ("AI_ACROSS_EMBEDDING_MODEL", "text-embedding-3-small"),
    ];
    let server = Server::start_with(&settings).await;
    let admin = server.admin().await;
    let assistant = admin.assistant("Press Writer").await;
    let ready = admin
        .knows(&assistant, "one.txt", "The mainnet opens on 14 October.")
        .await;
    assert_eq!(ready["status"], json!("ready"), "{ready}");
    assert_eq!(router.count("POST /api/v1/embeddings"), 0);
    // No credit: nothing that is tried again.
    direct.answer_always(
        "/embeddings",
        Answer::json(
            402,
            &json!({ "error": { "message": "Pay.", "code": "payment_required" } }),
        ),
    );
    let ready = admin
        .knows(&assistant, "two.txt", "The office dog is called Bruno.")
        .await;
    assert_eq!(ready["status"], json!("ready"), "{ready}");
    assert_eq!(router.count("POST /api/v1/embeddings"), 1);
    let (_, listed) = admin.get("/usage?limit=100").await;
    let rows = listed["usage"].as_array().unwrap();
    let taken = rows.iter().find(|row| row["provider"] == "openrouter").unwrap();
    assert_eq!(
        (
            &taken["purpose"],
            &taken["model"],
            &taken["failover_from"],
            &taken["failover_reason"]
        ),
        (
            &json!("embed_file"),
            &json!("text-embedding-3-small"),
            &json!("openai"),
            &json!("no_credit")
        )
    );
}
