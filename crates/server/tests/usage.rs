//! What was used: who sees it, that sums are those of the rows, and that exports are whole and harmless.

use across_testkit::vendor::ScriptedVendor;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Person, Server, behind_the_back, eventually, text};

/// A server with a vendor, and somebody of each role.
async fn with_people() -> (Server, ScriptedVendor, [Person; 3]) {
    let vendor = ScriptedVendor::start().await.unwrap();
    let accounts = [
        ("admin@example.com", "admin"),
        ("m@example.com", "manager"),
        ("u1@example.com", "user"),
    ];
    let settings = [("AI_ACROSS_OPENAI_BASE_URL", vendor.base_url.as_str())];
    let server = Server::with_accounts(&accounts, &settings).await;
    let people = [
        server.admin().await,
        server.sign_in("m@example.com").await,
        server.sign_in("u1@example.com").await,
    ];
    (server, vendor, people)
}

async fn ask(person: &Person, assistant: &str, model: &str) -> Value {
    let conversation = person.conversation(assistant).await;
    let path = format!("/conversations/{conversation}/messages");
    let (status, body) = person
        .post(&path, &json!({ "content": "Hello?", "model": model }))
        .await;
    assert_eq!(status, 201, "{body}");
    body["assistant_message"].clone()
}

fn sum(rows: &[Value], field: &str) -> f64 {
    rows.iter().map(|row| row[field].as_f64().unwrap()).sum()
}

#[tokio::test]
async fn sums_are_those_of_the_rows_for_everybody_who_may_see_them() {
    let (_server, _vendor, [admin, manager, user]) = with_people().await;
    let assistant = manager.assistant("Press Writer").await;
    let first = ask(&user, &assistant, "gpt-4o-mini").await;
    ask(&user, &assistant, "gpt-4o").await;
    ask(&manager, &assistant, "gpt-4o").await;
    assert!(first["cost_usd"].as_f64().unwrap() > 0.0, "{first}");

    let (status, listed) = manager.get("/usage?limit=100").await;
    assert_eq!((status, &listed["total"]), (200, &json!(3)), "{listed}");
    let rows = listed["usage"].as_array().unwrap().clone();
    let row = rows.iter().find(|row| row["message_id"] == first["id"]).unwrap();
    assert_eq!(
        (&row["cost_usd"], &row["purpose"], &row["provider"], &row["model"]),
        (
            &first["cost_usd"],
            &json!("chat"),
            &json!("openai"),
            &json!("gpt-4o-mini")
        )
    );
    for by in ["day", "user", "assistant", "model"] {
        let (status, summary) = admin.get(&format!("/usage/summary?group_by={by}")).await;
        assert_eq!(status, 200, "{summary}");
        let groups = summary["groups"].as_array().unwrap();
        for field in ["cost_usd", "total_tokens", "prompt_tokens", "completion_tokens"] {
            assert!(
                (sum(groups, field) - sum(&rows, field)).abs() < 1e-9,
                "{by} {field}: {summary}"
            );
        }
        assert_eq!(sum(groups, "requests"), 3.0, "{summary}");
    }
    let (_, split) = admin.get("/usage/summary?group_by=day&split_by=model").await;
    assert_eq!(split["total"], json!(2), "{split}");
    let (_, me) = user.get("/users/me").await;
    let (_, of_user) = manager.get(&format!("/usage?user_id={}", text(&me["id"]))).await;
    assert_eq!(of_user["total"], json!(2));
    let (_, by_user) = manager.get("/usage/summary?group_by=user").await;
    assert!(
        by_user["groups"]
            .as_array()
            .unwrap()
            .iter()
            .any(|group| group["label"] == me["name"]),
        "{by_user}"
    );

    let (_, own) = user.get("/users/usage").await;
    assert_eq!(
        (&own["today"]["requests"], &own["month"]["requests"]),
        (&json!(2), &json!(2)),
        "{own}"
    );
    let days = own["by_day"].as_array().unwrap();
    assert_eq!((days.len(), &days[29]["requests"]), (30, &json!(2)), "{own}");
    assert_eq!(user.get("/usage").await.0, 403);
    assert_eq!(user.get("/usage/summary?group_by=day").await.0, 403);
    assert_eq!(user.get("/users/usage?days=91").await.0, 422);

    // What administrators see of it.
    let (status, stats) = admin.get("/admin/stats").await;
    assert_eq!(status, 200, "{stats}");
    assert_eq!(
        (
            &stats["users"]["total"],
            &stats["conversations"],
            &stats["messages_today"]
        ),
        (&json!(3), &json!(3), &json!(6))
    );
    assert!(
        (stats["cost_today"].as_f64().unwrap() - sum(&rows, "cost_usd")).abs() < 1e-9,
        "{stats}"
    );
    assert_eq!(stats["top_models"][0]["key"], json!("gpt-4o"), "{stats}");
    assert_eq!(stats["top_assistants"][0]["label"], json!("Press Writer"), "{stats}");
    for path in ["/admin/stats", "/admin/jobs", "/admin/providers"] {
        assert_eq!(
            (admin.get(path).await.0, manager.get(path).await.0),
            (200, 403),
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_export_is_whole_and_harmless() {
    let (_server, _vendor, [admin, manager, user]) = with_people().await;
    let body = json!({ "name": "=HYPERLINK(\"x\"), Writer" });
    let (status, made) = manager.post("/assistants", &body).await;
    assert_eq!(status, 201, "{made}");
    let assistant = text(&made["id"]);
    ask(&user, &assistant, "gpt-4o-mini").await;
    let download = async |path: &str| {
        let response = admin.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8");
        let disposition = response.headers()["content-disposition"].to_str().unwrap().to_owned();
        assert!(disposition.starts_with("attachment; filename="), "{disposition}");
        response.text().await.unwrap()
    };
    let rows = download("/usage?format=csv&limit=1").await;
    let lines: Vec<_> = rows.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 2, "{rows}");
    assert!(lines[0].starts_with("id,created_at,user_id,"), "{rows}");
    assert!(lines[1].contains(",chat,openai,gpt-4o-mini,"), "{rows}");
    let sums = download("/usage/summary?group_by=assistant&format=csv").await;
    assert!(sums.contains("\"'=HYPERLINK(\"\"x\"\"), Writer\""), "{sums}");
}

#[tokio::test]
async fn what_cannot_be_asked_is_said() {
    let (_server, people) = Server::with_people().await;
    for (query, field) in [
        ("from=yesterday", "from"),
        ("from=2025-01-01&to=2026-12-31", "from"),
        ("from=2026-12-31&to=2026-01-01", "from"),
        ("user_id=nobody", "user_id"),
        ("assistant_id=1", "assistant_id"),
        ("format=xml", "query"),
        ("limit=0", "limit"),
        ("limit=1&limit=2", "query"),
    ] {
        let (status, told) = people.manager.get(&format!("/usage?{query}")).await;
        assert_eq!(
            (status, &told["details"][0]["field"]),
            (422, &json!(field)),
            "{query} {told}"
        );
    }
    assert_eq!(people.manager.get("/usage/summary").await.0, 422);
    assert_eq!(people.manager.get("/usage/summary?group_by=moon").await.0, 422);
    assert_eq!(people.manager.get("/usage?from=2026-01-01&to=2026-12-31").await.0, 200);
}

#[tokio::test]
async fn crossing_a_threshold_is_told_once_until_it_is_dismissed() {
    let (_server, _vendor, [admin, manager, user]) = with_people().await;
    let assistant = manager.assistant("Press Writer").await;
    let (_, me) = user.get("/users/me").await;
    let quota = json!({ "scope": "user", "scope_id": me["id"], "daily_token_limit": 10_000, "alert_threshold": 1 });
    assert_eq!(admin.post("/quotas", &quota).await.0, 201);
    // A hundred tokens are the threshold, and one answer has fewer.
    assert_eq!(user.get("/notices").await.1["total"], json!(0));
    let mut notice = json!({ "total": 0 });
    for _ in 0..30 {
        ask(&user, &assistant, "gpt-4o-mini").await;
        notice = user.get("/notices").await.1;
        if notice["total"] != json!(0) {
            break;
        }
    }
    ask(&user, &assistant, "gpt-4o-mini").await;
    assert_eq!(user.get("/notices").await.1, notice, "told once");
    assert_eq!(
        (&notice["total"], &notice["notices"][0]["kind"]),
        (&json!(1), &json!("quota.alert")),
        "{notice}"
    );
    assert_eq!(manager.get("/notices").await.1["total"], json!(0));
    assert_eq!(admin.get("/notices").await.1["total"], json!(1));
    assert_eq!(admin.get("/audit?action=quota.alert").await.1["total"], json!(1));
    let path = format!("/notices/{}", text(&notice["notices"][0]["id"]));
    assert_eq!(manager.delete(&path).await.0, 404);
    assert_eq!(user.delete(&path).await.0, 204);
    assert_eq!(user.get("/notices").await.1["total"], json!(0));
    assert_eq!(admin.get("/notices").await.1["total"], json!(1), "others still see it");
}

#[tokio::test]
async fn the_list_of_models_is_asked_for_anew_six_times_a_minute() {
    let (_server, _vendor, [admin, manager, _user]) = with_people().await;
    assert_eq!(manager.post("/models/refresh", &json!({})).await.0, 403);
    for _ in 0..6 {
        let (status, body) = admin.post("/models/refresh", &json!({})).await;
        assert_eq!(status, 200, "{body}");
    }
    let (status, headers, body) = admin.told(admin.request(Method::POST, "/models/refresh")).await;
    assert_eq!((status, &body["error"]), (429, &json!("RateLimitError")));
    assert!(headers.contains_key("retry-after"));
    assert_eq!(admin.get("/audit?action=model.refresh").await.1["total"], json!(6));
    let (_, models) = manager.get("/models").await;
    let priced = &models["models"][0];
    assert!(
        priced["prompt_price"].is_number() && priced["is_default"] == json!(true),
        "{models}"
    );
}

#[tokio::test]
async fn all_files_are_processed_anew_at_once() {
    let (_server, people) = Server::with_people().await;
    let assistant = people.manager.assistant("Press Writer").await;
    people
        .manager
        .knows(&assistant, "a.txt", "The mainnet opens on 14 October.")
        .await;
    people
        .manager
        .knows(&assistant, "b.txt", "The office is in Tel Aviv.")
        .await;
    assert_eq!(people.manager.post("/files/reprocess-all", &json!({})).await.0, 403);
    let (status, body) = people.admin.post("/files/reprocess-all", &json!({})).await;
    assert_eq!((status, body), (202, json!({ "queued": 2 })));
    eventually(async || {
        let (_, files) = people.admin.get("/files?status=ready").await;
        (files["total"] == json!(2)).then_some(())
    })
    .await;
    let unknown = json!({ "assistant_id": people.admin.get("/users/me").await.1["id"] });
    assert_eq!(people.admin.post("/files/reprocess-all", &unknown).await.0, 404);
    assert_eq!(people.admin.get("/audit?action=file.reprocess").await.0, 200);
}

#[tokio::test]
async fn chats_go_when_they_were_kept_long_enough() {
    let mut server = Server::start().await;
    let admin = server.admin().await;
    let assistant = admin.assistant("Press Writer").await;
    let (old, new) = (
        admin.conversation(&assistant).await,
        admin.conversation(&assistant).await,
    );
    let change = json!({ "settings": { "conversation_retention_days": 30 } });
    assert_eq!(admin.patch("/settings", &change).await.0, 200);
    server.end();
    let long_ago = "UPDATE conversations SET active_at = '2020' || substr(active_at, 5) WHERE id = (SELECT id FROM \
                    conversations ORDER BY created_at LIMIT 1)";
    behind_the_back(&server.dir, long_ago).await;
    let server = server.start_again(&[]);
    let admin = server.admin().await;
    let path = format!("/conversations/{old}");
    eventually(async || (admin.get(&path).await.0 == 404).then_some(())).await;
    assert_eq!(admin.get(&format!("/conversations/{new}")).await.0, 200);
}

#[tokio::test]
async fn defaults_and_what_people_see_follow_the_settings() {
    let (_server, people) = Server::with_people().await;
    let change = json!({ "settings": {
        "default_temperature": 0.1, "default_max_tokens": 99, "expose_instructions": false
    } });
    assert_eq!(people.admin.patch("/settings", &change).await.0, 200);
    let body = json!({ "name": "Press Writer", "instructions": "MARKER" });
    let (_, made) = people.manager.post("/assistants", &body).await;
    assert_eq!(
        (&made["temperature"], &made["max_tokens"]),
        (&json!(0.1), &json!(99)),
        "{made}"
    );
    let path = format!("/assistants/{}", text(&made["id"]));
    assert_eq!(people.manager.get(&path).await.1["instructions"], json!("MARKER"));
    for path in [path.as_str(), "/assistants"] {
        let (status, seen) = people.user.get(path).await;
        assert!(status == 200 && !seen.to_string().contains("instructions"), "{seen}");
    }
}
