//! The authorization matrix: every route against everybody who may come to it.
//!
//! Where the routes are fewer than those once planned (folders, search, editing and branching of messages, live sync), they
//! are unknown addresses here; whoever adds one adds its rows first, or the first test below fails.

mod table;
mod world;

use std::collections::BTreeSet;

use across_testkit::vendor::ScriptedVendor;
use reqwest::Method;
use serde_json::{Value, json};

use self::{
    table::{ADMINISTRATOR, NOBODY, Of, Row, Sent, table},
    world::{Caller, World, parts, unknown},
};
use crate::harness::{
    PASSWORD, Server,
    database::{Backend, on_each_database},
    text,
};

impl World<'_> {
    /// Whether a caller is answered as the row says; what is wrong otherwise.
    async fn judge(&self, row: &Row, caller: &Caller) -> Result<(), String> {
        let expected = row.codes[caller.column];
        let subject = self.subject(row.of, caller).await;
        let heard = self.ask(row, caller, &subject).await;
        let cell = format!("{}{} {:?} as {}", row.route, row.query, row.of, caller.name);
        let told = || format!("{cell}: {} instead of {expected}: {}", heard.status, heard.body);
        if heard.status != expected {
            return Err(told());
        }
        let name = match expected {
            401 => Some("AuthenticationError"),
            403 => Some("PermissionDeniedError"),
            404 => Some("NotFoundError"),
            409 => Some("ConflictError"),
            _ => None,
        };
        if name.is_some_and(|name| heard.body["error"] != name) {
            return Err(told());
        }
        let is_sign_in =
            row.route.ends_with("/login") || row.route.ends_with("/refresh") && row.route.contains("users");
        if expected == 401 && !is_sign_in {
            let is_expired = caller.name == "expired";
            if heard.headers["www-authenticate"] != "Bearer" || (heard.body["message"] == "Token expired") != is_expired
            {
                return Err(told());
            }
        }
        if [401, 403].contains(&expected) && !is_sign_in {
            self.judge_nonsense(row, caller, expected).await?;
        }
        if expected == 404 && row.of != Of::Nothing {
            // What is not theirs is answered as what never was.
            let unknown = self.ask(row, caller, &unknown()).await;
            if (unknown.status, unknown.without_id()) != (404, heard.without_id()) {
                return Err(format!("{cell}: {} differs from {}", heard.body, unknown.body));
            }
        }
        if expected < 300
            && (row.route.starts_with("DELETE") || row.route.ends_with("/restore"))
            && row.of != Of::Notice
        {
            self.subjects.borrow_mut().remove(&row.of);
        }
        Ok(())
    }

    /// Who may not call is refused before anybody looks at what they sent.
    async fn judge_nonsense(&self, row: &Row, caller: &Caller, expected: u16) -> Result<(), String> {
        let (method, path) = parts(row.route);
        let path = path.replace("{id}", "nonsense").replace("{mid}", "nonsense") + row.query;
        let nonsense = match method {
            Method::GET => Sent::Nothing,
            _ => Sent::Json(json!({ "nonsense": true })),
        };
        let heard = self.send(caller.token.as_deref(), &method, &path, nonsense).await;
        if heard.status == expected {
            return Ok(());
        }
        Err(format!(
            "nonsense to {} as {}: {} instead of {expected}: {}",
            row.route, caller.name, heard.status, heard.body
        ))
    }
}

#[tokio::test]
async fn s23_every_route_stands_in_the_matrix_and_nothing_else_does() {
    let server = Server::start().await;
    let answer = server.request(Method::GET, "/openapi.json").send().await.unwrap();
    let document: Value = answer.json().await.unwrap();
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            described.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    let tested: BTreeSet<_> = table().iter().map(|row| row.route.to_owned()).collect();
    let missing: Vec<_> = described.difference(&tested).collect();
    let invented: Vec<_> = tested.difference(&described).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "without a row: {missing:?}; without a route: {invented:?}"
    );
}

#[tokio::test]
async fn s23_everybody_gets_what_the_matrix_says_on_sqlite() {
    everybody_gets_what_the_matrix_says(Backend::Sqlite).await;
}

#[tokio::test]
async fn s23_everybody_gets_what_the_matrix_says_on_postgres() {
    everybody_gets_what_the_matrix_says(Backend::Postgres).await;
}

async fn everybody_gets_what_the_matrix_says(backend: Backend) {
    let vendor = ScriptedVendor::start().await.unwrap();
    let settings = [("AI_ACROSS_OPENAI_BASE_URL", vendor.base_url.as_str())];
    let Some(server) = Server::start_on(backend, &settings).await else {
        return;
    };
    let world = World::new(&server).await;
    let callers = world.callers().await;
    let mut wrong = Vec::new();
    for row in table() {
        let mut order: Vec<_> = callers.iter().collect();
        // Refusals first: what was refused to many must still be there for whoever may do it.
        order.sort_by_key(|caller| row.codes[caller.column] < 300);
        for caller in order {
            wrong.extend(world.judge(&row, caller).await.err());
        }
    }
    // The last row signed everybody out: now all of it is closed to the administrator, too.
    let administrator = callers.last().unwrap();
    let signed_out = Caller::pretending(
        "signed out at last",
        administrator,
        administrator.token.clone().unwrap(),
    );
    for row in table() {
        let is_sign_in = row.route.ends_with("/login") || row.route.ends_with("/setup");
        if !is_sign_in && row.codes[NOBODY] != 200 {
            let heard = world.ask(&row, &signed_out, &unknown()).await;
            if heard.status != 401 {
                wrong.push(format!("{} after signing out: {}", row.route, heard.status));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cells:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn s23_what_is_no_route_is_alike_for_everybody() {
    on_each_database(&[], async |server: &mut Server| {
        let world = World::new(server).await;
        let callers = world.callers().await;
        let entry = text(&world.people.admin.get("/audit?limit=1").await.1["audit_logs"][0]["id"]);
        for caller in &callers {
            let status = async |method: Method, path: &str| {
                let heard = world.send(caller.token.as_deref(), &method, path, Sent::Nothing).await;
                (
                    heard.status,
                    heard.headers.contains_key("allow"),
                    heard.body["error"].clone(),
                )
            };
            for method in [Method::PUT, Method::PATCH, Method::POST, Method::DELETE] {
                for path in ["/api/v1/audit", &format!("/api/v1/audit/{entry}")] {
                    let told = status(method.clone(), path).await;
                    let expected = (405, true, json!("MethodNotAllowedError"));
                    assert_eq!(told, expected, "{method} {path} as {}", caller.name);
                }
                let (told, ..) = status(method.clone(), "/api/v1/nothing").await;
                assert_eq!(told, 404, "{method} as {}", caller.name);
            }
            for path in [
                "/api/v1",
                "/api/v1/",
                "/api/v1/nothing",
                "/api/v1/users",
                "/api/v1/users/register",
                "/api/v1/users/signup",
                "/api/v1/folders",
                "/api/v1/ws",
                "/api/v2/users/me",
            ] {
                let (told, _, error) = status(Method::GET, path).await;
                assert_eq!(
                    (told, error),
                    (404, json!("NotFoundError")),
                    "{path} as {}",
                    caller.name
                );
            }
            for path in ["/openapi.json", "/docs/", "/", "/chat"] {
                let (told, ..) = status(Method::GET, path).await;
                assert_eq!(told, 200, "{path} as {}", caller.name);
            }
        }
        // Nobody makes an account of their own.
        for path in ["/api/v1/users", "/api/v1/users/register", "/api/v1/users/signup"] {
            let heard = world
                .send(
                    None,
                    &Method::POST,
                    path,
                    Sent::Json(json!({ "email": "x@example.com" })),
                )
                .await;
            assert!([404, 405].contains(&heard.status), "{path}: {}", heard.status);
        }
    })
    .await;
}

#[tokio::test]
async fn s23_before_choosing_a_password_there_is_nothing_else_to_do() {
    on_each_database(&[], async |server: &mut Server| {
        let world = World::new(server).await;
        let body = json!({ "email": "n@example.com", "name": "New", "role": "admin", "password": PASSWORD,
            "must_change_password": true });
        world.made("/admin/users", body).await;
        let newcomer = server.sign_in("n@example.com").await;
        let caller = Caller::of("newcomer", ADMINISTRATOR, "n@example.com", &newcomer).await;
        let open = [
            "GET /api/v1/users/verify",
            "GET /api/v1/users/me",
            "POST /api/v1/users/logout",
            "POST /api/v1/users/password",
            "POST /api/v1/users/refresh",
        ];
        for row in table() {
            if open.contains(&row.route) || row.codes[NOBODY] != 401 {
                continue;
            }
            let heard = world.ask(&row, &caller, &unknown()).await;
            assert_eq!(
                (heard.status, &heard.body["error"]),
                (403, &json!("PasswordChangeRequiredError")),
                "{} {}",
                row.route,
                heard.body
            );
        }
        let second = server.sign_in("n@example.com").await;
        assert_eq!(second.post("/users/logout", &json!({})).await.0, 204);
        assert_eq!(newcomer.refreshed(&newcomer.refresh).await.0, 200);
        assert_eq!(newcomer.get("/users/verify").await.0, 200);
        assert_eq!(newcomer.get("/users/me").await.1["must_change_password"], json!(true));
        let change = json!({ "current_password": PASSWORD, "new_password": "another horse battery" });
        assert_eq!(newcomer.post("/users/password", &change).await.0, 204);
        assert_eq!(newcomer.get("/admin/users").await.0, 200, "and now there is");
    })
    .await;
}
