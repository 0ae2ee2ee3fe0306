//! The audit log over HTTP: every route that changes something leaves one entry that says who, from where, with what and how.

use std::collections::BTreeSet;

use across_testkit::vendor::{Answer, ScriptedVendor};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{PASSWORD, Person, Server, database::on_each_database, form, text, walk::routes};

const AGENT: &str = "A browser of ours/1.0";

/// What one's own chats and sign-ins leave to themselves: nobody but their owner sees that they change.
const UNWATCHED: [&str; 14] = [
    "POST /conversations",
    "PATCH /conversations/{id}",
    "DELETE /conversations/{id}",
    "POST /conversations/{id}/messages",
    "POST /conversations/{id}/stop",
    "POST /conversations/{id}/fork",
    "PUT /conversations/{id}/head",
    "POST /conversations/{id}/title",
    "PATCH /conversations/{id}/messages/{mid}",
    "POST /conversations/{id}/messages/{mid}/continue",
    "POST /conversations/{id}/messages/{mid}/edit",
    "POST /conversations/{id}/messages/{mid}/regenerate",
    "DELETE /notices/{id}",
    // It asks and changes nothing.
    "POST /assistants/{id}/retrieval-test",
];

/// Sends requests and looks at the entries they leave.
struct Witness<'a> {
    server: &'a Server,
    admin: Person,
    /// Which routes were seen to leave an entry.
    seen: BTreeSet<&'static str>,
    /// Entries whose values are not as expected.
    wrong: Vec<String>,
}

/// What an entry must say about the values before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Values {
    None,
    New,
    Old,
    Both,
}

impl Witness<'_> {
    async fn newest(&self) -> (u64, Value) {
        let (status, listed) = self.admin.get("/audit?limit=1").await;
        assert_eq!(status, 200, "{listed}");
        (listed["total"].as_u64().unwrap(), listed["audit_logs"][0].clone())
    }

    /// Sends what leaves one entry of that action, with values as said; returns the answer.
    async fn sends(
        &mut self,
        person: Option<&Person>,
        route: &'static str,
        id: &str,
        body: Value,
        (action, values): (&str, Values),
    ) -> Value {
        let (method, path) = route.split_once(' ').unwrap();
        let path = path.replace("{id}", id);
        let method: Method = method.parse().unwrap();
        let (before, _) = self.newest().await;
        let request = match person {
            Some(person) => person.request(method, &path),
            None => self.server.request(method, &format!("/api/v1{path}")),
        };
        let request = request.header("user-agent", AGENT);
        let request = match body {
            Value::Null => request,
            Value::String(assistant) => {
                let (kind, form) = form(&assistant, "note.txt", b"What is known.");
                request.header("content-type", kind).body(form)
            }
            body => request.json(&body),
        };
        let (_, _, told) = self.admin.told(request).await;
        let (after, entry) = self.newest().await;
        assert_eq!(after, before + 1, "{route}: {told}\n{entry}");
        assert_eq!(entry["action"], json!(action), "{route}: {told}\n{entry}");
        assert_eq!(entry["resource_type"], json!(action.split('.').next()), "{entry}");
        assert_eq!(
            (&entry["ip_address"], &entry["user_agent"]),
            (&json!("127.0.0.1"), &json!(AGENT)),
            "{route}"
        );
        let said = match (entry["old_values"].is_object(), entry["new_values"].is_object()) {
            (false, false) => Values::None,
            (false, true) => Values::New,
            (true, false) => Values::Old,
            (true, true) => Values::Both,
        };
        if said != values {
            self.wrong
                .push(format!("{route} left {said:?} instead of {values:?}: {entry}"));
        }
        assert!(entry["created_at"].is_string());
        if let Some(person) = person {
            // Signing out leaves nobody to ask.
            let claims = person.claims();
            assert_eq!(entry["actor_id"], claims["sub"], "{route}: {entry}");
        }
        assert!(entry["actor_email"].is_string(), "{route}: {entry}");
        assert!(
            !entry.to_string().contains(PASSWORD) && !entry.to_string().contains("sk-0123"),
            "{entry}"
        );
        self.seen.insert(route);
        told
    }
}

#[tokio::test]
async fn s66_every_route_that_changes_something_leaves_one_entry() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let settings = [("AI_ACROSS_OPENAI_BASE_URL", vendor.base_url.as_str())];
    on_each_database(&settings, async |server: &mut Server| {
        let admin = server.admin().await;
        let mut witness = Witness {
            server,
            admin: admin.clone(),
            seen: BTreeSet::new(),
            wrong: Vec::new(),
        };
        people(&mut witness, &admin).await;
        embedding(&mut witness, &admin, &vendor).await;
        knowledge(&mut witness, &admin).await;
        governance(&mut witness, &admin).await;
        assert!(witness.wrong.is_empty(), "{}", witness.wrong.join("\n"));
        let mut missing = Vec::new();
        for (method, path) in routes(server).await {
            let route = format!("{method} {path}");
            // Set-up happens before anybody can look; contract tests see its entry.
            let is_other = method == Method::GET || path == "/setup" || path == "/users/refresh";
            if !is_other && !UNWATCHED.contains(&route.as_str()) && !witness.seen.contains(route.as_str()) {
                missing.push(route);
            }
        }
        assert!(missing.is_empty(), "nobody looked at {missing:?}");
    })
    .await;
}

async fn people(witness: &mut Witness<'_>, admin: &Person) {
    let body = json!({ "email": "u1@example.com", "name": "Anna", "password": PASSWORD });
    let made = witness
        .sends(Some(admin), "POST /admin/users", "", body, ("user.create", Values::New))
        .await;
    let id = text(&made["id"]);
    let login = |password: &str| json!({ "email": "u1@example.com", "password": password });
    for (password, action) in [("wrong password, this", "user.login_failed"), (PASSWORD, "user.login")] {
        witness
            .sends(None, "POST /users/login", "", login(password), (action, Values::None))
            .await;
    }
    let user = witness.server.sign_in("u1@example.com").await;
    let other = witness.server.sign_in("u1@example.com").await;
    let session = text(&other.claims()["sid"]);
    let own = Some(&user);
    let none = Value::Null;
    witness
        .sends(
            own,
            "PATCH /users/me",
            "",
            json!({ "name": "Anna B" }),
            ("user.update", Values::Both),
        )
        .await;
    witness
        .sends(
            own,
            "DELETE /users/sessions/{id}",
            &session,
            none.clone(),
            ("user.sessions_revoke", Values::Old),
        )
        .await;
    let change = json!({ "current_password": PASSWORD, "new_password": "another horse battery" });
    witness
        .sends(
            own,
            "POST /users/password",
            "",
            change,
            ("user.password_change", Values::None),
        )
        .await;
    witness
        .sends(own, "POST /users/logout", "", json!({}), ("user.logout", Values::Old))
        .await;
    let path = "PATCH /admin/users/{id}";
    for change in [
        json!({ "role": "manager" }),
        json!({ "is_active": false }),
        json!({ "email": "anna@example.com" }),
    ] {
        witness
            .sends(Some(admin), path, &id, change, ("user.update", Values::Both))
            .await;
    }
    let reset = "POST /admin/users/{id}/password";
    witness
        .sends(
            Some(admin),
            reset,
            &id,
            json!({}),
            ("user.password_reset", Values::Both),
        )
        .await;
    // Somebody who is signed in; ending no session would be no change.
    let second = witness.server.joins(admin, "u2@example.com", "user").await.id().await;
    let revoke = "POST /admin/users/{id}/revoke-sessions";
    witness
        .sends(
            Some(admin),
            revoke,
            &second,
            none.clone(),
            ("user.sessions_revoke", Values::Old),
        )
        .await;
    witness
        .sends(
            Some(admin),
            "DELETE /admin/users/{id}",
            &id,
            none,
            ("user.delete", Values::Old),
        )
        .await;
}

async fn embedding(witness: &mut Witness<'_>, admin: &Person, vendor: &ScriptedVendor) {
    const CALL: &str = "POST /v1/embeddings";
    let by = Some(admin);
    let assistant = admin.assistant("Archive").await;
    admin
        .knows(&assistant, "a.txt", "The launch is on the third of May.")
        .await;
    let choice = || json!({ "model": "text-embedding-3-small" });
    let estimate = "POST /admin/embedding/estimate";
    witness
        .sends(by, estimate, "", choice(), ("embedding.estimate", Values::New))
        .await;
    // It fails once, so that it can be called off before it is over.
    let before = vendor.count(CALL);
    vendor.answer_next(Answer::whole(503, "application/json", "{}"));
    let change = "POST /admin/embedding/change";
    witness
        .sends(by, change, "", choice(), ("embedding.change", Values::Both))
        .await;
    assert!(vendor.until(|vendor| vendor.count(CALL) > before).await);
    let cancel = "DELETE /admin/embedding/change";
    witness
        .sends(by, cancel, "", Value::Null, ("embedding.cancel", Values::Both))
        .await;
}

async fn knowledge(witness: &mut Witness<'_>, admin: &Person) {
    let by = Some(admin);
    let none = Value::Null;
    let made = witness
        .sends(
            by,
            "POST /assistants",
            "",
            json!({ "name": "Press" }),
            ("assistant.create", Values::New),
        )
        .await;
    let id = text(&made["id"]);
    let change = json!({ "name": "Press Writer" });
    witness
        .sends(
            by,
            "PATCH /assistants/{id}",
            &id,
            change,
            ("assistant.update", Values::Both),
        )
        .await;
    let file = witness
        .sends(by, "POST /files", "", json!(id), ("file.create", Values::New))
        .await;
    let file = text(&file["id"]);
    admin.settled(&file).await;
    witness
        .sends(
            by,
            "POST /files/{id}/reprocess",
            &file,
            none.clone(),
            ("file.reprocess", Values::Both),
        )
        .await;
    admin.settled(&file).await;
    witness
        .sends(
            by,
            "POST /files/reprocess-all",
            "",
            json!({}),
            ("file.reprocess", Values::New),
        )
        .await;
    admin.settled(&file).await;
    witness
        .sends(
            by,
            "DELETE /files/{id}",
            &file,
            none.clone(),
            ("file.delete", Values::Old),
        )
        .await;
    witness
        .sends(
            by,
            "DELETE /assistants/{id}",
            &id,
            none.clone(),
            ("assistant.delete", Values::Both),
        )
        .await;
    witness
        .sends(
            by,
            "POST /assistants/{id}/restore",
            &id,
            none,
            ("assistant.restore", Values::Both),
        )
        .await;
}

async fn governance(witness: &mut Witness<'_>, admin: &Person) {
    let by = Some(admin);
    let none = Value::Null;
    let key = json!({ "provider": "openai", "name": "Main", "key": "sk-0123456789abcdef" });
    let made = witness
        .sends(by, "POST /api-keys", "", key, ("api_key.create", Values::New))
        .await;
    let id = text(&made["id"]);
    let change = json!({ "name": "Second", "key": "sk-0123456789abcdeg" });
    witness
        .sends(
            by,
            "PATCH /api-keys/{id}",
            &id,
            change,
            ("api_key.update", Values::Both),
        )
        .await;
    witness
        .sends(
            by,
            "POST /api-keys/{id}/test",
            &id,
            none.clone(),
            ("api_key.test", Values::New),
        )
        .await;
    witness
        .sends(
            by,
            "DELETE /api-keys/{id}",
            &id,
            none.clone(),
            ("api_key.delete", Values::Old),
        )
        .await;
    let quota = json!({ "scope": "global", "daily_token_limit": 1_000_000 });
    let made = witness
        .sends(by, "POST /quotas", "", quota, ("quota.create", Values::New))
        .await;
    let id = text(&made["id"]);
    let change = json!({ "daily_token_limit": 2_000_000 });
    witness
        .sends(by, "PATCH /quotas/{id}", &id, change, ("quota.update", Values::Both))
        .await;
    witness
        .sends(
            by,
            "DELETE /quotas/{id}",
            &id,
            none.clone(),
            ("quota.delete", Values::Old),
        )
        .await;
    let change = json!({ "settings": { "app_name": "Ours" } });
    witness
        .sends(by, "PATCH /settings", "", change, ("settings.update", Values::Both))
        .await;
    witness
        .sends(by, "POST /models/refresh", "", none, ("model.refresh", Values::New))
        .await;
}
