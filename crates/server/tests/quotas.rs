//! Quotas: what they let through, what they count, and what is said when they do not.

use std::time::{Duration, Instant};

use across_testkit::vendor::{Answer, ScriptedVendor, Step};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::{ADMIN, Person, Server, eventually, text};

const MANY: (&str, &str) = ("AI_ACROSS_MAX_STREAMS_PER_USER", "100");

async fn with_vendor(settings: &[(&str, &str)]) -> (Server, ScriptedVendor, Person) {
    let vendor = ScriptedVendor::start().await.unwrap();
    let base = vendor.base_url.clone();
    let mut all = vec![("AI_ACROSS_OPENAI_BASE_URL", base.as_str())];
    all.extend(settings);
    let server = Server::start_with(&all).await;
    let admin = server.admin().await;
    (server, vendor, admin)
}

async fn quota(admin: &Person, body: &Value) -> Value {
    let (status, made) = admin.post("/quotas", body).await;
    assert_eq!(status, 201, "{made}");
    made
}

/// An assistant whose answers have at most so many tokens.
async fn assistant(admin: &Person, max_tokens: u32) -> String {
    let body = json!({ "name": "Press Writer", "model": "gpt-4o-mini", "max_tokens": max_tokens });
    let (status, made) = admin.post("/assistants", &body).await;
    assert_eq!(status, 201, "{made}");
    text(&made["id"])
}

fn questions(vendor: &ScriptedVendor) -> usize {
    let requests = vendor.requests();
    requests
        .iter()
        .filter(|request| request.path.ends_with("/chat/completions"))
        .count()
}

/// Sends forty questions at once to these servers by turns, of which three fit, and looks what comes of it.
async fn forty_at_once(people: &[Person], vendor: &ScriptedVendor) {
    let admin = &people[0];
    let assistant = assistant(admin, 1_000).await;
    // Prompts have well under 300 tokens here: three worst cases fit, a fourth does not.
    let made = quota(admin, &json!({ "scope": "global", "daily_token_limit": 3_900 })).await;
    let conversations = join_all((0..40).map(|_| admin.conversation(&assistant))).await;
    let ask = async |(n, conversation): (usize, &String)| {
        let person = &people[n % people.len()];
        let path = format!("/conversations/{conversation}/messages");
        let body = json!({ "content": "[[script:slow]]", "stream": false });
        let request = person.request(reqwest::Method::POST, &path).json(&body);
        person.told(request).await
    };
    let answers = join_all(conversations.iter().enumerate().map(ask)).await;
    let answered = answers.iter().filter(|(status, ..)| *status == 201).count();
    assert!((1..=3).contains(&answered), "{answered} of forty");
    assert!(questions(vendor) <= 3, "{} were sent", questions(vendor));
    for (status, headers, body) in &answers {
        if *status == 201 {
            continue;
        }
        assert_eq!((*status, &body["error"]), (429, &json!("QuotaExceededError")), "{body}");
        let detail = &body["details"][0];
        assert_eq!(
            (&detail["scope"], &detail["limit"], &detail["amount"]),
            (&json!("global"), &json!("daily_token_limit"), &json!(3_900.0)),
            "{body}"
        );
        assert!(detail["used"].is_number() && detail["resets_at"].is_string(), "{body}");
        let wait: u64 = headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=86_400).contains(&wait), "{wait}");
    }
    // What was set aside is given back, and what was used is within the limit.
    let path = format!("/quotas/{}", text(&made["id"]));
    let current = eventually(async || {
        let (_, quota) = admin.get(&path).await;
        (quota["current"]["reserved_tokens"] == json!(0)).then(|| quota["current"].clone())
    })
    .await;
    assert!(current["daily_tokens"].as_u64().unwrap() <= 3_900, "{current}");
    // Whoever was refused has nothing stored.
    let mut messages = 0;
    for conversation in &conversations {
        let (_, listed) = admin.get(&format!("/conversations/{conversation}/messages")).await;
        messages += listed["total"].as_u64().unwrap();
    }
    assert_eq!(messages, 2 * answered as u64);
}

#[tokio::test]
async fn s62_forty_questions_at_once_do_not_pass_a_limit_for_three() {
    let (_server, vendor, admin) = with_vendor(&[MANY]).await;
    forty_at_once(&[admin], &vendor).await;
}

#[tokio::test]
async fn s62_nor_do_they_on_two_instances() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let base = vendor.base_url.clone();
    let settings = [("AI_ACROSS_OPENAI_BASE_URL", base.as_str()), MANY];
    let Some((one, two)) = Server::pair(&settings).await else {
        return;
    };
    let people = [one.admin().await, two.admin().await];
    forty_at_once(&people, &vendor).await;
}

#[tokio::test]
async fn s62_zero_allows_nothing_and_null_does_not_limit() {
    let (_server, vendor, admin) = with_vendor(&[]).await;
    let assistant = assistant(&admin, 100).await;
    let made = quota(
        &admin,
        &json!({ "scope": "role", "scope_id": "admin", "daily_cost_limit": 0 }),
    )
    .await;
    let conversation = admin.conversation(&assistant).await;
    let path = format!("/conversations/{conversation}/messages");
    let question = json!({ "content": "Hello?" });
    let (status, body) = admin.post(&path, &question).await;
    assert_eq!((status, &body["details"][0]["scope"]), (429, &json!("role")), "{body}");
    assert_eq!(questions(&vendor), 0);
    let unlimited = json!({ "daily_cost_limit": null });
    assert_eq!(
        admin
            .patch(&format!("/quotas/{}", text(&made["id"])), &unlimited)
            .await
            .0,
        200
    );
    assert_eq!(admin.post(&path, &question).await.0, 201);
    // A rate counts what was asked, not what it cost.
    let rate = json!({ "requests_per_hour": 1 });
    assert_eq!(
        admin.patch(&format!("/quotas/{}", text(&made["id"])), &rate).await.0,
        200
    );
    let statuses = [
        admin.post(&path, &question).await.0,
        admin.post(&path, &question).await.0,
    ];
    assert_eq!(statuses[1], 429, "{statuses:?}");
}

/// The usage rows of an answer, once there are any.
async fn charged(admin: &Person, conversation: &str) -> Vec<Value> {
    eventually(async || {
        let (_, listed) = admin.get("/usage?limit=100").await;
        let rows = listed["usage"].as_array().unwrap();
        let of_this = rows.iter().filter(|row| row["conversation_id"] == json!(conversation));
        let of_this: Vec<Value> = of_this.cloned().collect();
        (!of_this.is_empty()).then_some(of_this)
    })
    .await
}

#[tokio::test]
async fn s63_leaving_early_does_not_avoid_the_bill() {
    let (server, _vendor, admin) = with_vendor(&[]).await;
    let assistant = assistant(&admin, 1_000).await;
    // Gone after the first words: the answer is written to its end.
    let left = admin.conversation(&assistant).await;
    let mut stream = admin.ask(&left, "[[script:slow]]").await;
    stream.until("chunk").await;
    drop(stream);
    // Stopped, and broken off by the provider.
    let stopped = admin.conversation(&assistant).await;
    let mut stream = admin.ask(&stopped, "[[script:slow]]").await;
    stream.until("chunk").await;
    assert_eq!(
        admin
            .post(&format!("/conversations/{stopped}/stop"), &json!({}))
            .await
            .0,
        200
    );
    let cut = admin.conversation(&assistant).await;
    admin.ask(&cut, "[[script:cut]]").await.all().await;
    for conversation in [&left, &stopped, &cut] {
        let rows = charged(&admin, conversation).await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert!(rows[0]["total_tokens"].as_u64().unwrap() > 0, "{rows:?}");
    }
    assert_eq!(charged(&admin, &stopped).await[0]["estimated"], json!(true));
    // Killed in the middle.
    let killed = admin.conversation(&assistant).await;
    let mut stream = admin.ask(&killed, "[[script:slow]]").await;
    stream.until("chunk").await;
    let server = server.kill_and_restart().await;
    let admin = server.admin().await;
    let rows = charged(&admin, &killed).await;
    assert_eq!((rows.len(), &rows[0]["estimated"]), (1, &json!(true)), "{rows:?}");
    assert!(rows[0]["total_tokens"].as_u64().unwrap() > 0, "{rows:?}");
}

#[tokio::test]
async fn s64_a_model_whose_price_nobody_knows_is_not_free() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let settings = [("AI_ACROSS_OPENROUTER_BASE_URL", vendor.openrouter_url.as_str())];
    let server = Server::start_with(&settings).await;
    let admin = server.admin().await;
    let (_, models) = admin.get("/models").await;
    let models = models["models"].as_array().unwrap();
    let unpriced = models
        .iter()
        .find(|model| model["id"] == json!("openrouter/auto"))
        .unwrap();
    assert_eq!(
        (
            &unpriced["is_price_known"],
            &unpriced["prompt_price"],
            &unpriced["completion_price"]
        ),
        (&json!(false), &json!(10.0), &json!(30.0))
    );
    let (_, made) = admin
        .post(
            "/assistants",
            &json!({ "name": "Press Writer", "model": "openrouter/auto" }),
        )
        .await;
    let conversation = admin.conversation(&text(&made["id"])).await;
    let path = format!("/conversations/{conversation}/messages");
    let (status, answer) = admin.post(&path, &json!({ "content": "Hello?" })).await;
    assert_eq!(status, 201, "{answer}");
    let cost = answer["assistant_message"]["cost_usd"].as_f64().unwrap();
    assert!(cost > 0.0, "{answer}");
    assert_eq!(charged(&admin, &conversation).await[0]["cost_usd"], json!(cost));
    quota(&admin, &json!({ "scope": "global", "daily_cost_limit": cost })).await;
    assert_eq!(admin.post(&path, &json!({ "content": "Again?" })).await.0, 429);
    // A model that is not on offer is not answered with at all.
    let unknown = json!({ "content": "Hello?", "model": "nobody/serves-this" });
    assert_eq!(admin.post(&path, &unknown).await.0, 422);
}

#[tokio::test]
async fn of_many_questions_of_a_person_so_many_are_answered_at_once() {
    let (_server, vendor, admin) = with_vendor(&[]).await;
    let assistant = assistant(&admin, 100).await;
    let conversations = join_all((0..12).map(|_| admin.conversation(&assistant))).await;
    let ask = async |conversation: &String| {
        let path = format!("/conversations/{conversation}/messages");
        let body = json!({ "content": "[[script:slow]]" });
        admin
            .told(admin.request(reqwest::Method::POST, &path).json(&body))
            .await
    };
    let answers = join_all(conversations.iter().map(ask)).await;
    let refused: Vec<_> = answers.iter().filter(|(status, ..)| *status == 429).collect();
    assert_eq!((refused.len(), questions(&vendor)), (7, 5));
    for (_, headers, body) in refused {
        assert!(
            body["error"] == json!("RateLimitError") && headers.contains_key("retry-after"),
            "{body}"
        );
    }
}

#[tokio::test]
async fn s05_a_stream_ends_soon_after_its_reader_was_signed_out() {
    let (_server, vendor, admin) = with_vendor(&[]).await;
    let assistant = assistant(&admin, 1_000).await;
    let conversation = admin.conversation(&assistant).await;
    let words = json!({ "choices": [{ "index": 0, "delta": { "content": "Word " } }] });
    let mut steps = Vec::new();
    for _ in 0..40 {
        steps.push(Step::Write(format!("data: {words}\n\n").into_bytes()));
        steps.push(Step::Wait(Duration::from_secs(1)));
    }
    vendor.answer_next(Answer::stream(steps));
    let mut stream = admin.ask(&conversation, "Hello?").await;
    stream.until("chunk").await;
    assert_eq!(admin.post("/users/logout", &json!({})).await.0, 204);
    let begun = Instant::now();
    let last = stream.until("error").await;
    assert_eq!(last["error"], json!("AuthenticationError"), "{last}");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn quotas_are_made_changed_and_removed() {
    let (_server, people) = Server::with_people().await;
    let admin = &people.admin;
    let (_, me) = people.user.get("/users/me").await;
    let body = json!({ "scope": "user", "scope_id": me["id"], "daily_cost_limit": 1.25, "monthly_token_limit": 1000 });
    let made = quota(admin, &body).await;
    assert_eq!(
        (
            &made["daily_cost_limit"],
            &made["monthly_cost_limit"],
            &made["alert_threshold"],
            &made["scope_name"]
        ),
        (&json!(1.25), &json!(null), &json!(80), &me["name"])
    );
    assert_eq!(admin.post("/quotas", &body).await.0, 409, "one for each");
    let path = format!("/quotas/{}", text(&made["id"]));
    for (body, field) in [
        (json!({ "scope": "user", "scope_id": made["id"] }), "scope_id"),
        (json!({ "scope": "user" }), "scope_id"),
        (json!({ "scope": "role", "scope_id": "king" }), "scope_id"),
        (json!({ "scope": "global", "scope_id": "x" }), "scope_id"),
        (json!({ "scope": "galaxy" }), "scope"),
        (json!({ "scope": "global", "daily_cost_limit": -1 }), "daily_cost_limit"),
        (
            json!({ "scope": "global", "daily_cost_limit": 0.000_000_1 }),
            "daily_cost_limit",
        ),
        (
            json!({ "scope": "global", "monthly_token_limit": 1_000_000_000_001_u64 }),
            "monthly_token_limit",
        ),
        (
            json!({ "scope": "global", "requests_per_min": 1.5 }),
            "requests_per_min",
        ),
        (json!({ "scope": "global", "alert_threshold": 0 }), "alert_threshold"),
        (json!({ "scope": "global", "alert_threshold": null }), "alert_threshold"),
    ] {
        let (status, told) = admin.post("/quotas", &body).await;
        assert_eq!(
            (status, &told["details"][0]["field"]),
            (422, &json!(field)),
            "{body} {told}"
        );
    }
    assert_eq!(
        admin.patch(&path, &json!({ "scope_id": "x" })).await.0,
        422,
        "the scope is fixed"
    );

    // The person it is about sees the limit and what is left of it.
    let (_, own) = people.user.get("/users/usage?days=7").await;
    assert_eq!(
        (
            &own["limits"]["daily_cost_limit"],
            &own["remaining"]["daily_cost_limit"],
            &own["scopes"]["daily_cost_limit"]
        ),
        (&json!(1.25), &json!(1.25), &json!("user")),
        "{own}"
    );
    assert_eq!(own["limits"]["requests_per_min"], json!(null));
    assert_eq!(own["by_day"].as_array().unwrap().len(), 7);

    let (status, changed) = admin
        .patch(&path, &json!({ "daily_cost_limit": null, "requests_per_min": 3 }))
        .await;
    assert_eq!(
        (
            status,
            &changed["daily_cost_limit"],
            &changed["requests_per_min"],
            &changed["monthly_token_limit"]
        ),
        (200, &json!(null), &json!(3), &json!(1000))
    );
    for person in [&people.manager, &people.user] {
        assert_eq!(person.get("/quotas").await.0, 403);
        assert_eq!(person.delete(&path).await.0, 403);
    }
    assert_eq!(admin.get("/quotas?scope=user").await.1["total"], json!(1));
    assert_eq!(admin.get("/quotas?scope=global").await.1["total"], json!(0));
    assert_eq!(admin.delete(&path).await.0, 204);
    assert_eq!(admin.get(&path).await.0, 404);
}

#[tokio::test]
async fn versions_keep_two_administrators_apart() {
    let (_server, people) = Server::with_people().await;
    let admin = &people.admin;
    let assistant = admin.assistant("Press Writer").await;
    let key = json!({ "provider": "openai", "name": "Main", "key": "sk-0123456789abcdef" });
    let (_, key) = admin.post("/api-keys", &key).await;
    let made = quota(admin, &json!({ "scope": "global", "daily_token_limit": 10 })).await;
    let (_, me) = people.user.get("/users/me").await;
    for (path, first, second) in [
        (
            format!("/assistants/{assistant}"),
            json!({ "name": "First name" }),
            json!({ "name": "Second name" }),
        ),
        (
            format!("/api-keys/{}", text(&key["id"])),
            json!({ "name": "First" }),
            json!({ "name": "Second" }),
        ),
        (
            format!("/quotas/{}", text(&made["id"])),
            json!({ "daily_token_limit": 20 }),
            json!({ "daily_token_limit": 30 }),
        ),
        (
            format!("/admin/users/{}", text(&me["id"])),
            json!({ "name": "First" }),
            json!({ "name": "Second" }),
        ),
        (
            "/settings".to_owned(),
            json!({ "settings": { "rag_top_k": 7 } }),
            json!({ "settings": { "rag_top_k": 8 } }),
        ),
    ] {
        let (status, headers, _) = admin.told(admin.request(reqwest::Method::GET, &path)).await;
        let tag = headers["etag"].to_str().unwrap().to_owned();
        assert!(
            status == 200 && tag.starts_with('"') && tag.ends_with('"'),
            "{path} {tag}"
        );
        let change = async |body: &Value, tag: &str| {
            let request = admin.request(reqwest::Method::PATCH, &path).json(body);
            admin.told(request.header("if-match", tag)).await
        };
        let (status, headers, body) = change(&first, &format!("\"999999\", {tag}")).await;
        assert_eq!(
            status, 200,
            "{path}: one of the listed versions is the present one: {body}"
        );
        let newer = headers["etag"].to_str().unwrap().to_owned();
        assert_ne!(newer, tag, "{path}");
        let (status, _, body) = change(&second, &tag).await;
        assert_eq!(
            (status, &body["error"]),
            (412, &json!("PreconditionFailedError")),
            "{path}"
        );
        assert_eq!(change(&second, "nonsense").await.0, 412, "{path}");
        assert_eq!(change(&second, &newer).await.0, 200, "{path}");
        assert_eq!(change(&first, "*").await.0, 200, "{path}");
        if path != "/settings" {
            let request = admin.request(reqwest::Method::DELETE, &path);
            assert_eq!(
                admin.told(request.header("if-match", tag.as_str())).await.0,
                412,
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn settings_and_keys_of_one_instance_count_on_the_other_within_five_seconds() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let settings = [("AI_ACROSS_OPENAI_BASE_URL", vendor.base_url.as_str())];
    let Some((one, two)) = Server::pair(&settings).await else {
        return;
    };
    let (here, there) = (one.admin().await, two.sign_in(ADMIN).await);
    let assistant = here.assistant("Press Writer").await;
    let conversation = there.conversation(&assistant).await;
    let path = format!("/conversations/{conversation}/messages");
    let long = json!({ "content": "x".repeat(1_001) });
    let change = json!({ "settings": { "message_max_chars": 1_000, "app_name": "Desk" } });
    assert_eq!(here.patch("/settings", &change).await.0, 200);
    let begun = tokio::time::Instant::now();
    eventually(async || (there.post(&path, &long).await.0 == 422).then_some(())).await;
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    let key = json!({ "provider": "openai", "name": "Main", "key": "sk-0123456789abcdef" });
    assert_eq!(here.post("/api-keys", &key).await.0, 201);
    let begun = tokio::time::Instant::now();
    eventually(async || {
        let (_, listed) = there.get("/admin/providers").await;
        let ways = listed["providers"].as_array().unwrap();
        ways.iter()
            .any(|way| way["source"] == json!("key") && way["is_used"] == json!(true))
            .then_some(())
    })
    .await;
    assert!(begun.elapsed().as_secs() < 8, "{:?}", begun.elapsed());
}
