//! A conversation that goes on with another model of another provider keeps its meaning: who said what, the system prompt, and
//! nothing that a model only thought.

use across_testkit::vendor::{Recorded, ScriptedVendor};
use serde_json::{Value, json};

use crate::harness::{Person, Server, text};

/// Each provider with a model that only it serves here.
const MODELS: [(&str, &str); 5] = [
    ("openai", "gpt-4o-mini"),
    ("anthropic", "claude-sonnet-5-5"),
    ("google", "gemini-3.8-flash"),
    ("openrouter", "scripted/small:free"),
    ("custom", "local/house/gpt-4o-mini"),
];
const INSTRUCTIONS: &str = "Answer as the press office would.";
/// What the scripted vendor thinks before it answers.
const THOUGHT: &str = "The question is simple.";

/// What is said in a part of a request, however the dialect wraps it.
fn said(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(said).collect(),
        Value::Object(fields) => ["content", "parts", "text"]
            .iter()
            .find_map(|name| fields.get(*name))
            .map(said)
            .unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::Number(_) => String::new(),
    }
}

/// The system prompt and the turns of a request, each by its role in one vocabulary.
fn read(request: &Recorded) -> (String, Vec<(String, String)>) {
    let body = &request.body;
    let turns = body.get("messages").or_else(|| body.get("contents")).unwrap();
    let mut system = said(
        body.get("system")
            .or_else(|| body.get("systemInstruction"))
            .unwrap_or(&Value::Null),
    );
    let mut spoken = Vec::new();
    for turn in turns.as_array().unwrap() {
        match turn["role"].as_str().unwrap() {
            "system" | "developer" => system.push_str(&said(turn)),
            "model" => spoken.push(("assistant".to_owned(), said(turn))),
            role => spoken.push((role.to_owned(), said(turn))),
        }
    }
    (system, spoken)
}

async fn ask(person: &Person, conversation: &str, question: &str, (provider, model): (&str, &str)) -> String {
    let path = format!("/conversations/{conversation}/messages");
    let (status, body) = person
        .post(&path, &json!({ "content": question, "model": model }))
        .await;
    assert_eq!(status, 201, "{model}: {body}");
    let answer = &body["assistant_message"];
    assert_eq!(
        (&answer["status"], &answer["provider"], &answer["model"]),
        (&json!("complete"), &json!(provider), &json!(model)),
        "{answer}"
    );
    let words = text(&answer["content"]);
    assert!(!words.contains(THOUGHT), "{words}");
    words
}

#[tokio::test]
async fn a_conversation_keeps_its_meaning_from_every_provider_to_every_other() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let settings = [
        ("AI_ACROSS_OPENAI_BASE_URL", vendor.base_url.as_str()),
        ("AI_ACROSS_ANTHROPIC_BASE_URL", &vendor.anthropic_url),
        ("AI_ACROSS_GEMINI_BASE_URL", &vendor.gemini_url),
        ("AI_ACROSS_OPENROUTER_BASE_URL", &vendor.openrouter_url),
        ("AI_ACROSS_ALLOW_PRIVATE_PROVIDERS", "true"),
        ("AI_ACROSS_EMBEDDING_MODEL", "local"),
    ];
    let server = Server::start_with(&settings).await;
    let admin = server.admin().await;
    let key =
        json!({ "provider": "custom", "name": "House", "key": "sk-house-0123456789", "base_url": vendor.base_url });
    assert_eq!(admin.post("/api-keys", &key).await.0, 201);
    let quiet = json!({ "settings": { "auto_title": false } });
    assert_eq!(admin.patch("/settings", &quiet).await.0, 200);
    let body = json!({ "name": "Press Writer", "instructions": INSTRUCTIONS });
    let (status, assistant) = admin.post("/assistants", &body).await;
    assert_eq!(status, 201, "{assistant}");
    let assistant = text(&assistant["id"]);
    for from in MODELS {
        for to in MODELS.into_iter().filter(|to| *to != from) {
            let conversation = admin.conversation(&assistant).await;
            let first = "[[script:reasoning]] What is your name?";
            let name = ask(&admin, &conversation, first, from).await;
            ask(&admin, &conversation, "And who made you?", to).await;
            let request = vendor
                .requests()
                .into_iter()
                .rfind(|request| request.method == "POST")
                .unwrap();
            let (system, spoken) = read(&request);
            let pair = format!("{from:?} to {to:?}: {}", request.body);
            assert!(system.contains(INSTRUCTIONS), "{pair}");
            let spoken: Vec<_> = spoken
                .iter()
                .map(|(role, words)| (role.as_str(), words.as_str()))
                .collect();
            let expected = [
                ("user", first),
                ("assistant", name.as_str()),
                ("user", "And who made you?"),
            ];
            assert_eq!(spoken, expected, "{pair}");
            assert!(!request.body.to_string().contains(THOUGHT), "{pair}");
        }
    }
}
