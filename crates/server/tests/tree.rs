//! Versions of questions and answers, answers that go on, copies and corrections, over HTTP. However it came to be, every
//! answer is one call to the model, charged once, and afterwards the doctor finds nothing wrong.

use across_testkit::vendor::{Dialect, ScriptedVendor};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Person, Server, Stream,
    database::{Backend, on_each_database},
    eventually, text, words,
};

const CALL: &str = "POST /v1/chat/completions";

/// What the server is told of the vendor.
fn settings(vendor: &ScriptedVendor) -> [(&str, &str); 3] {
    [
        ("AI_ACROSS_OPENAI_BASE_URL", vendor.base_url.as_str()),
        ("OPENAI_API_KEY", "sk-test-0123456789"),
        ("AI_ACROSS_EMBEDDING_MODEL", "local"),
    ]
}

/// A conversation with an assistant whose model the vendor serves.
async fn conversation(person: &Person) -> String {
    let body = json!({ "name": "Press Writer", "model": "gpt-4o-mini" });
    let (status, made) = person.post("/assistants", &body).await;
    assert_eq!(status, 201, "{made}");
    person.conversation(&text(&made["id"])).await
}

async fn active(person: &Person, conversation: &str) -> Vec<Value> {
    let (status, listed) = person.get(&format!("/conversations/{conversation}/messages")).await;
    assert_eq!(status, 200, "{listed}");
    listed["messages"].as_array().unwrap().clone()
}

fn contents(messages: &[Value]) -> Vec<String> {
    messages.iter().map(|message| text(&message["content"])).collect()
}

/// Question and answer, once the answer is whole.
async fn send(person: &Person, conversation: &str, content: &str) -> (Value, Value) {
    let path = format!("/conversations/{conversation}/messages");
    let (status, told) = person.post(&path, &json!({ "content": content })).await;
    assert_eq!(status, 201, "{told}");
    (told["user_message"].clone(), told["assistant_message"].clone())
}

fn about(conversation: &str, message: &Value, what: &str) -> String {
    format!("/conversations/{conversation}/messages/{}{what}", text(&message["id"]))
}

async fn stream(person: &Person, path: &str, body: &Value) -> Stream {
    let request = person.request(Method::POST, path).header("accept", "text/event-stream");
    Stream::open(request.json(body)).await
}

async fn go_to(person: &Person, conversation: &str, message: &Value) -> (u16, Value) {
    let path = format!("/conversations/{conversation}/head");
    let request = person.request(Method::PUT, &path);
    let (status, _, told) = person.told(request.json(&json!({ "message_id": message["id"] }))).await;
    (status, told)
}

async fn usage_of(person: &Person, message: &Value) -> Vec<Value> {
    let (_, listed) = person.get("/usage?limit=100").await;
    let rows = listed["usage"].as_array().unwrap().iter();
    let of_it = rows.filter(|row| row["message_id"] == message["id"] && row["message_id"].is_string());
    of_it.cloned().collect()
}

/// What the model was shown in its last call: role and words of every turn but the system's.
fn shown(vendor: &ScriptedVendor) -> Vec<(String, String)> {
    let requests = vendor.requests();
    let mut calls = requests
        .iter()
        .filter(|request| request.path.ends_with("/chat/completions"));
    let last = calls.next_back().unwrap().body["messages"].as_array().unwrap().clone();
    let turns = last
        .iter()
        .filter(|turn| turn["role"] != "system" && turn["role"] != "developer");
    turns
        .map(|turn| (text(&turn["role"]), text(&turn["content"])))
        .collect()
}

async fn is_sound(server: &mut Server) {
    server.end();
    let (code, report) = server.doctor();
    assert_eq!(code, Some(0), "{report}");
}

#[tokio::test]
async fn an_edited_question_is_answered_beside_the_old_one_and_the_head_goes_between_them() {
    let vendor = ScriptedVendor::start().await.unwrap();
    on_each_database(&settings(&vendor), async |server: &mut Server| {
        let admin = server.admin().await;
        let id = conversation(&admin).await;
        let (one, first) = send(&admin, &id, "One?").await;
        let (two, _) = send(&admin, &id, "Two?").await;
        let calls = vendor.count(CALL);
        let events = stream(&admin, &about(&id, &two, "/edit"), &json!({ "content": "Zwei?" })).await;
        let events = events.all().await;
        assert_eq!(events.last().unwrap()["type"], "done", "{events:?}");
        assert_eq!(vendor.count(CALL), calls + 1);
        assert_eq!(
            shown(&vendor),
            [
                ("user", "One?".to_owned()),
                ("assistant", text(&first["content"])),
                ("user", "Zwei?".to_owned())
            ]
            .map(|(role, words)| (role.to_owned(), words)),
            "the old question is no part of what was said"
        );
        let path = active(&admin, &id).await;
        assert_eq!(
            contents(&path)[..3],
            ["One?".to_owned(), text(&first["content"]), "Zwei?".to_owned()]
        );
        assert_eq!(
            (
                &path[2]["sibling_index"],
                &path[2]["sibling_count"],
                &path[2]["parent_id"]
            ),
            (&json!(1), &json!(2), &first["id"])
        );
        assert_eq!(
            (&path[2]["id"], &path[3]["id"]),
            (&events[0]["user_message_id"], &events[0]["message_id"])
        );

        let (status, moved) = go_to(&admin, &id, &two).await;
        assert_eq!(status, 200, "{moved}");
        let old = active(&admin, &id).await;
        assert_eq!((&old[2]["id"], &moved["head_message_id"]), (&two["id"], &old[3]["id"]));
        assert_eq!(go_to(&admin, &id, &path[2]).await.1["head_message_id"], path[3]["id"]);
        let (_, all) = admin
            .get(&format!("/conversations/{id}/messages?all_branches=true"))
            .await;
        assert_eq!(all["total"], 6);

        // The first question too; and only questions, in words that can be one.
        let (status, told) = admin
            .post(&about(&id, &one, "/edit"), &json!({ "content": "Eins?" }))
            .await;
        assert_eq!(
            (status, &told["user_message"]["parent_id"]),
            (201, &json!(null)),
            "{told}"
        );
        assert_eq!(active(&admin, &id).await.len(), 2);
        for (message, body, expected) in [
            (&first, json!({ "content": "x" }), 409),
            (&one, json!({ "content": " " }), 422),
            (&one, json!({ "content": "x", "parent_id": null }), 422),
            (&one, json!({ "content": "x", "model": "nobody/serves-this" }), 422),
        ] {
            let (status, told) = admin.post(&about(&id, message, "/edit"), &body).await;
            assert_eq!(status, expected, "{told}");
        }
        is_sound(server).await;
    })
    .await;
}

#[tokio::test]
async fn an_answer_is_tried_again_with_another_model_and_once_for_each_key() {
    let vendor = ScriptedVendor::start().await.unwrap();
    on_each_database(&settings(&vendor), async |server: &mut Server| {
        let admin = server.admin().await;
        let id = conversation(&admin).await;
        let (question, first) = send(&admin, &id, "One?").await;
        let again = about(&id, &first, "/regenerate");
        let calls = vendor.count(CALL);
        let send_again = async |body: &Value| {
            let request = admin.request(Method::POST, &again).header("idempotency-key", "again-1");
            admin.told(request.json(body)).await
        };
        let body = json!({ "model": "gpt-4o" });
        let (status, _, told) = send_again(&body).await;
        assert_eq!(status, 201, "{told}");
        let second = &told["assistant_message"];
        assert_eq!(
            (
                &second["model"],
                &second["parent_id"],
                &second["sibling_index"],
                &second["sibling_count"]
            ),
            (&json!("gpt-4o"), &question["id"], &json!(1), &json!(2))
        );
        assert_eq!(shown(&vendor), [("user".to_owned(), "One?".to_owned())]);
        let (status, headers, repeated) = send_again(&body).await;
        assert_eq!((status, &repeated), (201, &told));
        assert_eq!(headers["idempotency-replayed"], "true");
        assert_eq!(
            send_again(&json!({})).await.0,
            422,
            "the key was used for another model"
        );
        assert_eq!(vendor.count(CALL), calls + 1, "one call for one answer");
        assert_eq!(active(&admin, &id).await[1]["id"], second["id"]);

        // A question that has an answer is not answered once more; that answer is tried again.
        let (status, told) = admin.post(&about(&id, &question, "/regenerate"), &json!({})).await;
        assert_eq!(status, 409, "{told}");
        let (_, now) = admin.get(&format!("/conversations/{id}")).await;
        let costs = [&first, second].map(|message| message["cost_usd"].as_f64().unwrap());
        let sum = costs.iter().sum::<f64>();
        assert!(
            sum > 0.0 && (now["cost_usd"].as_f64().unwrap() - sum).abs() < 1e-9,
            "{now}"
        );
        assert_eq!(
            admin.get("/conversations").await.1["conversations"][0]["cost_usd"],
            json!(null)
        );
        is_sound(server).await;
    })
    .await;
}

#[tokio::test]
async fn of_two_who_try_again_at_once_one_is_told_to_wait() {
    let vendor = ScriptedVendor::start().await.unwrap();
    on_each_database(&settings(&vendor), async |server: &mut Server| {
        let admin = server.admin().await;
        let id = conversation(&admin).await;
        let (_, first) = send(&admin, &id, "One?").await;
        vendor.answer_for(Dialect::OpenAi, "gate");
        let again = about(&id, &first, "/regenerate");
        let body = json!({ "stream": true });
        let ask = async || {
            let request = admin.request(Method::POST, &again).json(&body);
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response)
        };
        let answers = join_all([ask(), ask()]).await;
        let mut codes: Vec<u16> = answers.iter().map(|(status, _)| *status).collect();
        codes.sort_unstable();
        assert_eq!(codes, [200, 409]);
        // Nor does anything else begin or change there.
        let (_, now) = admin.get(&format!("/conversations/{id}")).await;
        let head = json!({ "id": now["head_message_id"] });
        for (method, what, body) in [
            (Method::POST, "/continue", json!({})),
            (Method::POST, "/regenerate", json!({})),
            (Method::PATCH, "", json!({ "content": "x" })),
        ] {
            let request = admin.request(method, &about(&id, &head, what));
            let (status, _, told) = admin.told(request.json(&body)).await;
            assert_eq!(
                (status, &told["details"][0]["message_id"]),
                (409, &head["id"]),
                "{what}"
            );
        }
        let fork = json!({ "message_id": head["id"] });
        assert_eq!(admin.post(&format!("/conversations/{id}/fork"), &fork).await.0, 409);
        assert!(vendor.until(|vendor| vendor.at_gate() == 1).await);
        vendor.let_through(1);
        vendor.answer_as_asked(Dialect::OpenAi);
        eventually(async || {
            let (_, now) = admin.get(&format!("/conversations/{id}")).await;
            (now["is_generating"] == false).then_some(())
        })
        .await;
        drop(answers);
        is_sound(server).await;
    })
    .await;
}

/// Goes on with an answer and looks at everything that must be true of it afterwards.
async fn goes_on(person: &Person, vendor: &ScriptedVendor, conversation: &str, cut: &Value) {
    let before = text(&cut["content"]);
    let calls = vendor.count(CALL);
    let rows = usage_of(person, cut).await.len();
    vendor.answer_next_for(Dialect::OpenAi, "pace-3-1");
    let events = stream(person, &about(conversation, cut, "/continue"), &json!({}))
        .await
        .all()
        .await;
    assert_eq!(events.last().unwrap()["type"], "done", "{events:?}");
    assert_eq!(vendor.count(CALL), calls + 1);
    assert_eq!(events[0]["message_id"], cut["id"]);
    let first = events.iter().find(|event| event["type"] == "chunk").unwrap();
    assert!(
        text(&first["content"]).starts_with(&before),
        "all the text so far comes first: {first}"
    );
    let (_, whole) = person.get(&about(conversation, cut, "")).await;
    assert_eq!(text(&whole["content"]), words(&events));
    let added = &words(&events)[before.len()..];
    assert!(!added.is_empty());
    assert_eq!(
        (&whole["status"], &whole["finish_reason"], &whole["error"]),
        (&json!("complete"), &json!("stop"), &json!(null))
    );
    let turns = shown(vendor);
    let seen = turns
        .iter()
        .filter(|(role, words)| role == "assistant" && *words == before)
        .count();
    assert_eq!(
        seen,
        usize::from(!before.is_empty()),
        "the model sees once what there is: {turns:?}"
    );
    assert_eq!(turns.last().unwrap().0, "user");

    let now = usage_of(person, cut).await;
    assert_eq!(now.len(), rows + 1, "a row for each call");
    let sum = |column: &str| now.iter().map(|row| row[column].as_u64().unwrap()).sum::<u64>();
    assert_eq!(
        (
            whole["tokens_used"]["prompt_tokens"].as_u64(),
            whole["tokens_used"]["completion_tokens"].as_u64()
        ),
        (Some(sum("prompt_tokens")), Some(sum("completion_tokens")))
    );
    let cost: f64 = now.iter().map(|row| row["cost_usd"].as_f64().unwrap()).sum();
    assert!((whole["cost_usd"].as_f64().unwrap() - cost).abs() < 1e-9, "{whole}");
    // It is whole now.
    assert_eq!(
        person.post(&about(conversation, cut, "/continue"), &json!({})).await.0,
        409
    );
}

#[tokio::test]
async fn an_answer_that_ended_too_early_goes_on_in_place() {
    let vendor = ScriptedVendor::start().await.unwrap();
    on_each_database(&settings(&vendor), async |server: &mut Server| {
        let admin = server.admin().await;
        for script in ["gate-4", "cut-4", "length"] {
            let id = conversation(&admin).await;
            vendor.answer_next_for(Dialect::OpenAi, script);
            let mut asked = admin.ask(&id, "Tell me of the sea.").await;
            if script == "gate-4" {
                asked.until("chunk").await;
                let stop = format!("/conversations/{id}/stop");
                assert_eq!(admin.post(&stop, &json!({})).await.1, json!({ "stopped": true }));
            }
            asked.all().await;
            let path = active(&admin, &id).await;
            let status = match script {
                "gate-4" => "stopped",
                "cut-4" => "interrupted",
                _ => "complete",
            };
            assert_eq!(path[1]["status"], status, "{script}");
            goes_on(&admin, &vendor, &id, &path[1]).await;
            assert_eq!(active(&admin, &id).await.len(), 2);
            let (_, now) = admin.get(&format!("/conversations/{id}")).await;
            assert_eq!(
                (&now["message_count"], &now["head_message_id"]),
                (&json!(2), &path[1]["id"])
            );
            // A question does not go on.
            assert_eq!(admin.post(&about(&id, &path[0], "/continue"), &json!({})).await.0, 409);
        }
        is_sound(server).await;
    })
    .await;
}

#[tokio::test]
async fn an_answer_whose_server_died_goes_on_from_what_was_saved() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let vendor = ScriptedVendor::start().await.unwrap();
        let Some(server) = Server::start_on(backend, &settings(&vendor)).await else {
            continue;
        };
        let admin = server.admin().await;
        let id = conversation(&admin).await;
        vendor.answer_next_for(Dialect::OpenAi, "gate-4");
        let mut asked = admin.ask(&id, "Tell me of the sea.").await;
        let answer = json!({ "id": asked.until("start").await["message_id"] });
        eventually(async || {
            let (_, found) = admin.get(&about(&id, &answer, "")).await;
            (!text(&found["content"]).is_empty()).then_some(())
        })
        .await;
        let mut server = server.kill_and_restart().await;
        drop(asked);
        let admin = server.admin().await;
        let cut = eventually(async || {
            let (_, found) = admin.get(&about(&id, &answer, "")).await;
            (found["status"] == "interrupted").then_some(found)
        })
        .await;
        goes_on(&admin, &vendor, &id, &cut).await;
        is_sound(&mut server).await;
    }
}

#[tokio::test]
async fn the_passages_of_an_answer_keep_their_numbers_when_it_goes_on() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let server = Server::start_with(&settings(&vendor)).await;
    let admin = server.admin().await;
    let body = json!({ "name": "Press Writer", "model": "gpt-4o-mini" });
    let assistant = text(&admin.post("/assistants", &body).await.1["id"]);
    let facts = "Chainlab opens its mainnet on 14 October. 38 validators have signed.";
    admin.knows(&assistant, "brief.md", facts).await;
    let id = admin.conversation(&assistant).await;
    vendor.answer_next_for(Dialect::OpenAi, "cut-4");
    admin.ask(&id, "When does the mainnet open?").await.all().await;
    let cut = active(&admin, &id).await[1].clone();
    assert_eq!(cut["citations"][0]["filename"], "brief.md");
    let system = |vendor: &ScriptedVendor| {
        let requests = vendor.requests();
        let last = requests
            .iter()
            .rfind(|request| request.path.ends_with("/chat/completions"));
        text(&last.unwrap().body["messages"][0]["content"])
    };
    let before = system(&vendor);
    // More that fits the question comes in meanwhile, and does not take the first one's number.
    admin
        .knows(
            &assistant,
            "news.md",
            "The mainnet of Chainlab opens on 15 October now.",
        )
        .await;
    goes_on(&admin, &vendor, &id, &cut).await;
    assert_eq!(system(&vendor), before);
    let (_, whole) = admin.get(&about(&id, &cut, "")).await;
    assert_eq!(whole["citations"], cut["citations"]);
}

#[tokio::test]
async fn a_fork_goes_its_own_way() {
    let vendor = ScriptedVendor::start().await.unwrap();
    on_each_database(&settings(&vendor), async |server: &mut Server| {
        let admin = server.admin().await;
        let id = conversation(&admin).await;
        let (one, first) = send(&admin, &id, "One?").await;
        send(&admin, &id, "Two?").await;
        let fork = format!("/conversations/{id}/fork");
        let send_fork = async |message: &Value| {
            let request = admin
                .request(Method::POST, &fork)
                .header("idempotency-key", text(&message["id"]));
            admin.told(request.json(&json!({ "message_id": message["id"] }))).await
        };
        let (status, headers, copy) = send_fork(&first).await;
        assert_eq!(status, 201, "{copy}");
        let copied = text(&copy["id"]);
        assert_eq!(headers["location"], format!("/api/v1/conversations/{copied}"));
        assert_eq!(send_fork(&first).await.2, copy, "sent twice, copied once");
        assert_eq!(
            (&copy["title"], &copy["message_count"], &copy["cost_usd"]),
            (&json!("One?"), &json!(2), &json!(0.0))
        );
        let path = active(&admin, &copied).await;
        assert_eq!(contents(&path), ["One?".to_owned(), text(&first["content"])]);
        assert_eq!(
            (&path[1]["tokens_used"], &path[1]["model"]),
            (&first["tokens_used"], &first["model"])
        );
        assert_ne!(path[1]["id"], first["id"]);
        let (_, answer) = send(&admin, &copied, "Three?").await;
        assert_eq!(answer["seq"], 4);
        assert_eq!(active(&admin, &id).await.len(), 4);
        let (_, now) = admin.get(&format!("/conversations/{copied}")).await;
        assert_eq!(now["cost_usd"], answer["cost_usd"]);

        // Up to a question: there it has no answer yet, and gets one.
        let (status, _, copy) = send_fork(&one).await;
        assert_eq!(status, 201, "{copy}");
        let asked = json!({ "id": copy["head_message_id"] });
        let copied = text(&copy["id"]);
        let (status, told) = admin.post(&about(&copied, &asked, "/regenerate"), &json!({})).await;
        assert_eq!(status, 201, "{told}");
        assert_eq!(active(&admin, &copied).await.len(), 2);
        is_sound(server).await;
    })
    .await;
}

#[tokio::test]
async fn words_are_corrected_in_place_and_the_model_sees_them_so() {
    let vendor = ScriptedVendor::start().await.unwrap();
    on_each_database(&settings(&vendor), async |server: &mut Server| {
        let admin = server.admin().await;
        let id = conversation(&admin).await;
        let (one, first) = send(&admin, &id, "One?").await;
        for (message, content) in [(&one, "Eins?"), (&first, "Ja, eins.")] {
            let (status, now) = admin
                .patch(&about(&id, message, ""), &json!({ "content": content }))
                .await;
            assert_eq!((status, &now["content"]), (200, &json!(content)), "{now}");
            assert!(now["edited_at"].is_string() && now["id"] == message["id"], "{now}");
        }
        send(&admin, &id, "Two?").await;
        let said = shown(&vendor).into_iter().map(|(_, words)| words).collect::<Vec<_>>();
        assert_eq!(said, ["Eins?", "Ja, eins.", "Two?"]);
        for body in [
            json!({}),
            json!({ "content": "" }),
            json!({ "content": "x", "role": "user" }),
        ] {
            assert_eq!(admin.patch(&about(&id, &one, ""), &body).await.0, 422, "{body}");
        }
        is_sound(server).await;
    })
    .await;
}

#[tokio::test]
async fn with_an_archived_assistant_versions_can_be_read_and_nothing_else() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let server = Server::start_with(&settings(&vendor)).await;
    let admin = server.admin().await;
    let id = conversation(&admin).await;
    let (one, first) = send(&admin, &id, "One?").await;
    let (_, second) = send(&admin, &id, "Two?").await;
    let (_, now) = admin.get(&format!("/conversations/{id}")).await;
    admin
        .delete(&format!("/assistants/{}", text(&now["assistant_id"])))
        .await;
    let words = json!({ "content": "x" });
    let upto = json!({ "message_id": first["id"] });
    let calls = vendor.count(CALL);
    for (method, path, body) in [
        (Method::POST, about(&id, &one, "/edit"), &words),
        (Method::POST, about(&id, &first, "/regenerate"), &json!({})),
        (Method::POST, about(&id, &first, "/continue"), &json!({})),
        (Method::PATCH, about(&id, &one, ""), &words),
        (Method::POST, format!("/conversations/{id}/fork"), &upto),
    ] {
        let (status, _, told) = admin.told(admin.request(method, &path).json(body)).await;
        assert_eq!(
            (status, &told["error"]),
            (409, &json!("ConflictError")),
            "{path} {told}"
        );
    }
    assert_eq!(go_to(&admin, &id, &first).await.1["head_message_id"], second["id"]);
    assert_eq!(vendor.count(CALL), calls);
}
