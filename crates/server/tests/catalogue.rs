//! The catalogue over HTTP: one list of everybody's models, asked for once, whatever providers do meanwhile.

use across_testkit::vendor::{Answer, ScriptedVendor};
use serde_json::{Value, json};

use crate::harness::{Person, Server, eventually, text};

/// Nobody listens there.
const NOBODY: &str = "http://127.0.0.1:9/v1";

/// A server with these providers, each the name of the setting with its address.
async fn with(providers: &[(&str, &str)]) -> (Server, Person) {
    let private = [("AI_ACROSS_ALLOW_PRIVATE_PROVIDERS", "true")];
    let settings: Vec<_> = providers.iter().chain(&private).copied().collect();
    let server = Server::start_with(&settings).await;
    let admin = server.admin().await;
    (server, admin)
}

async fn models(person: &Person) -> Value {
    let (status, body) = person.get("/models").await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["total"], json!(body["models"].as_array().unwrap().len()));
    body
}

fn ids(body: &Value) -> Vec<String> {
    let models = body["models"].as_array().unwrap();
    models.iter().map(|model| text(&model["id"])).collect()
}

fn named<'a>(body: &'a Value, id: &str) -> &'a Value {
    let mut models = body["models"].as_array().unwrap().iter();
    models
        .find(|model| model["id"] == id)
        .unwrap_or_else(|| panic!("no {id} in {body}"))
}

async fn add_custom(admin: &Person, name: &str, base: &str) -> Value {
    let body = json!({ "provider": "custom", "name": name, "key": "sk-house-0123456789", "base_url": base });
    let (status, made) = admin.post("/api-keys", &body).await;
    assert_eq!(status, 201, "{made}");
    made
}

#[tokio::test]
async fn openrouters_models_are_listed_and_nobody_asks_twice_in_five_minutes() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let (_server, admin) = with(&[("AI_ACROSS_OPENROUTER_BASE_URL", &vendor.openrouter_url)]).await;
    let first = models(&admin).await;
    assert!(first["total"].as_u64().unwrap() > 50, "{first}");
    assert_eq!(first["stale"], json!(false));
    let sonnet = named(&first, "anthropic/claude-sonnet-5.5");
    assert_eq!(
        (&sonnet["provider"], &sonnet["is_price_known"]),
        (&json!("openrouter"), &json!(true))
    );
    for id in [
        "scripted/small:free",
        "~anthropic/claude-sonnet-latest",
        "openrouter/auto",
    ] {
        named(&first, id);
    }
    assert!(
        !ids(&first).contains(&"scripted/painter".to_owned()),
        "it draws and does not write"
    );
    for _ in 0..5 {
        assert_eq!(models(&admin).await, first);
    }
    assert_eq!(vendor.count("GET /api/v1/models"), 1);
    // An administrator may have them asked for now.
    assert_eq!(admin.post("/models/refresh", &json!({})).await.0, 200);
    assert_eq!(vendor.count("GET /api/v1/models"), 2);
}

#[tokio::test]
async fn a_model_of_two_providers_is_listed_once_and_goes_by_both_names() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let providers = [
        ("AI_ACROSS_OPENROUTER_BASE_URL", vendor.openrouter_url.as_str()),
        ("AI_ACROSS_OPENAI_BASE_URL", &vendor.base_url),
        ("AI_ACROSS_ANTHROPIC_BASE_URL", &vendor.anthropic_url),
        ("AI_ACROSS_GEMINI_BASE_URL", &vendor.gemini_url),
    ];
    let (_server, admin) = with(&providers).await;
    let listed = models(&admin).await;
    for (direct, provider, slug) in [
        ("gpt-4o-mini", "openai", "openai/gpt-4o-mini"),
        ("claude-sonnet-5-5", "anthropic", "anthropic/claude-sonnet-5.5"),
        ("gemini-3.8-flash", "google", "google/gemini-3.8-flash"),
    ] {
        assert_eq!(named(&listed, direct)["provider"], json!(provider));
        assert!(!ids(&listed).contains(&slug.to_owned()), "{slug} is listed twice");
        // By either name it is the same model.
        for name in [direct, slug] {
            let (status, made) = admin
                .post("/assistants", &json!({ "name": "Press Writer", "model": name }))
                .await;
            assert_eq!(status, 201, "{made}");
            let conversation = admin.conversation(&text(&made["id"])).await;
            let path = format!("/conversations/{conversation}/messages");
            let (status, body) = admin.post(&path, &json!({ "content": "Hello?" })).await;
            assert_eq!(status, 201, "{body}");
            let answer = &body["assistant_message"];
            assert_eq!(
                (&answer["model"], &answer["provider"]),
                (&json!(direct), &json!(provider))
            );
        }
    }
    // What the maker does not list goes over OpenRouter.
    assert_eq!(named(&listed, "openai/gpt-5.5")["provider"], json!("openrouter"));
    // A list of what is allowed may use either name, and so may the default.
    let chosen = json!({ "settings": {
        "allowed_models": ["openai/gpt-4o-mini", "claude-sonnet-5-5"], "default_model": "anthropic/claude-sonnet-5.5",
    } });
    assert_eq!(admin.patch("/settings", &chosen).await.0, 200);
    let listed = models(&admin).await;
    assert_eq!(ids(&listed), ["claude-sonnet-5-5", "gpt-4o-mini"]);
    assert_eq!(listed["models"][0]["is_default"], json!(true));
}

#[tokio::test]
async fn a_new_keys_models_are_on_offer_at_once_and_take_nobodys_name() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let (_server, admin) = with(&[("AI_ACROSS_OPENAI_BASE_URL", &vendor.base_url)]).await;
    let before = models(&admin).await;
    let list = json!({ "object": "list", "data": [{ "id": "gpt-4o" }, { "id": "llama3:8b" }, { "id": "org/model" }] });
    let house = ScriptedVendor::start().await.unwrap();
    house.answer_always("/models", Answer::json(200, &list));
    let first = add_custom(&admin, "GPU box", &house.base_url).await;
    let listed = models(&admin).await;
    let own = ["local/gpu-box/gpt-4o", "llama3:8b", "org/model"];
    for id in own {
        assert_eq!(named(&listed, id)["provider"], json!("custom"));
    }
    assert_eq!(
        named(&listed, "gpt-4o"),
        named(&before, "gpt-4o"),
        "its name is its own"
    );
    let (_, made) = admin
        .post(
            "/assistants",
            &json!({ "name": "Press Writer", "model": "local/gpu-box/gpt-4o" }),
        )
        .await;
    let conversation = admin.conversation(&text(&made["id"])).await;
    let path = format!("/conversations/{conversation}/messages");
    let (status, body) = admin.post(&path, &json!({ "content": "Hello?" })).await;
    assert_eq!(
        (status, &body["assistant_message"]["provider"]),
        (201, &json!("custom")),
        "{body}"
    );
    // The server knows it by its own name.
    let asked = house
        .requests()
        .into_iter()
        .rfind(|request| request.method == "POST")
        .unwrap();
    assert_eq!(asked.body["model"], json!("gpt-4o"));
    assert_eq!(vendor.count("POST /v1/chat/completions"), 0);
    // Without its key they are gone at once.
    assert_eq!(admin.delete(&format!("/api-keys/{}", text(&first["id"]))).await.0, 204);
    assert_eq!(ids(&models(&admin).await), ids(&before));
}

#[tokio::test]
async fn an_outage_makes_no_model_unknown() {
    let (_server, admin) = with(&[("AI_ACROSS_OPENAI_BASE_URL", NOBODY)]).await;
    let listed = models(&admin).await;
    assert_eq!(listed["stale"], json!(true));
    // Nobody ever answered, so these are the models that OpenAI is known to have.
    let sol = named(&listed, "gpt-6.1-sol");
    assert_eq!(
        (&sol["context_length"], &sol["prompt_price"], &sol["is_price_known"]),
        (&json!(1_050_000), &json!(2.0), &json!(true))
    );
    let assistant = admin.assistant("Press Writer").await;
    let conversation = admin.conversation(&assistant).await;
    let path = format!("/conversations/{conversation}/messages");
    // One that may exist is not refused as unknown.
    let (status, body) = admin
        .post(&path, &json!({ "content": "Hello?", "model": "gpt-newest" }))
        .await;
    assert_eq!(
        (status, &body["error"]),
        (503, &json!("ServiceUnavailableError")),
        "{body}"
    );
}

#[tokio::test]
async fn a_provider_that_fails_keeps_its_models_and_nobody_waits_for_it() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let (_server, admin) = with(&[("AI_ACROSS_OPENAI_BASE_URL", &vendor.base_url)]).await;
    let before = models(&admin).await;
    assert_eq!(before["stale"], json!(false));
    vendor.answer_always("/v1/models", Answer::hang_up());
    let (status, refreshed) = admin.post("/models/refresh", &json!({})).await;
    assert_eq!((status, &refreshed["stale"]), (200, &json!(true)));
    assert_eq!(ids(&refreshed), ids(&before));
    assert!(
        refreshed["fetched_at"].as_str() <= before["fetched_at"].as_str(),
        "it is as old as it is"
    );
    assert_eq!(models(&admin).await, refreshed);
}

#[tokio::test]
async fn the_list_is_warm_before_anybody_asks() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let (_server, _admin) = with(&[("AI_ACROSS_OPENAI_BASE_URL", &vendor.base_url)]).await;
    eventually(async || (vendor.count("GET /v1/models") == 1).then_some(())).await;
}
