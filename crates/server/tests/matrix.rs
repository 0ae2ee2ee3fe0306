//! The authorization matrix: every route against everybody who may come to it.
//!
//! Where the routes are fewer than those once planned (folders, search, editing and branching of messages, live sync), they
//! are unknown addresses here; whoever adds one adds its rows first, or the first test below fails.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, HashMap},
};

use across_testkit::vendor::ScriptedVendor;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    ADMIN, PASSWORD, People, Person, Server,
    database::{Backend, on_each_database},
    eventually, form, text,
};

/// A status for each column: nobody, a user, another user, a manager, an administrator, somebody whose account was closed,
/// and an access token that is not (or no longer) good.
type Codes = [u16; 7];

const NOBODY: usize = 0;
const USER: usize = 1;
const OTHER: usize = 2;
const MANAGER: usize = 3;
const ADMINISTRATOR: usize = 4;
const CLOSED: usize = 5;
const BAD: usize = 6;

/// Whoever is signed in.
const fn signed_in(code: u16) -> Codes {
    [401, code, code, code, code, 401, 401]
}

/// The user whose it is, and nobody else.
const fn owner(code: u16) -> Codes {
    [401, code, 404, 404, 404, 401, 401]
}

const fn managers(code: u16) -> Codes {
    [401, 403, 403, code, code, 401, 401]
}

const fn administrators(code: u16) -> Codes {
    [401, 403, 403, 403, code, 401, 401]
}

/// Visible for managers and administrators, and for users not there.
const fn hidden(code: u16) -> Codes {
    [401, 404, 404, code, code, 401, 401]
}

/// What the `{id}` of a route stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Of {
    Nothing,
    Oneself,
    Assistant,
    Archived,
    File,
    FileOfArchived,
    /// A conversation of the user with a question and its answer.
    Conversation,
    Account,
    Key,
    Quota,
    /// A notice to the user.
    Notice,
    /// A session of the user.
    Session,
    Entry,
}

/// What goes with a request.
enum Sent {
    Nothing,
    Json(Value),
    Form(String, Vec<u8>),
}

/// Who asks, and what is left to say about it.
struct Asking<'a> {
    caller: &'a Caller,
    /// Different each time.
    number: usize,
    /// An assistant that is there.
    assistant: &'a str,
}

struct Row {
    route: &'static str,
    query: &'static str,
    of: Of,
    sends: fn(&Asking<'_>) -> Sent,
    codes: Codes,
}

const fn row(route: &'static str, of: Of, sends: fn(&Asking<'_>) -> Sent, codes: Codes) -> Row {
    Row {
        route,
        query: "",
        of,
        sends,
        codes,
    }
}

const fn get(route: &'static str, of: Of, codes: Codes) -> Row {
    row(route, of, nothing, codes)
}

fn nothing(_: &Asking<'_>) -> Sent {
    Sent::Nothing
}

fn empty(_: &Asking<'_>) -> Sent {
    Sent::Json(json!({}))
}

/// Every row. Rows that sign in come before those that change a password.
fn table() -> Vec<Row> {
    let mut rows = visits();
    rows.extend(account());
    rows.extend(administration());
    rows.extend(knowledge());
    rows.extend(conversations());
    rows.extend(governance());
    rows.push(row(
        "POST /api/v1/users/password",
        Of::Nothing,
        |_| Sent::Json(json!({ "current_password": PASSWORD, "new_password": "another horse battery" })),
        signed_in(204),
    ));
    rows.push(row("POST /api/v1/users/logout", Of::Nothing, empty, signed_in(204)));
    rows
}

/// What needs no sign-in, and signing in itself.
fn visits() -> Vec<Row> {
    vec![
        get("GET /api/v1/health", Of::Nothing, [200; 7]),
        get("GET /api/v1/ready", Of::Nothing, [200; 7]),
        get("GET /api/v1/setup", Of::Nothing, [200; 7]),
        row(
            "POST /api/v1/setup",
            Of::Nothing,
            |_| Sent::Json(json!({ "token": "x", "email": "x@example.com", "name": "X", "password": PASSWORD })),
            [404; 7],
        ),
        get("GET /metrics", Of::Nothing, administrators(200)),
        row(
            "POST /api/v1/users/login",
            Of::Nothing,
            |asking| Sent::Json(json!({ "email": asking.caller.email, "password": PASSWORD })),
            [200, 200, 200, 200, 200, 401, 200],
        ),
        row(
            "POST /api/v1/users/refresh",
            Of::Nothing,
            |asking| match &asking.caller.refresh {
                Some(token) => Sent::Json(json!({ "refresh_token": token })),
                None => Sent::Json(json!({})),
            },
            signed_in(200),
        ),
    ]
}

fn account() -> Vec<Row> {
    vec![
        get("GET /api/v1/users/verify", Of::Nothing, signed_in(200)),
        get("GET /api/v1/users/me", Of::Nothing, signed_in(200)),
        row(
            "PATCH /api/v1/users/me",
            Of::Nothing,
            |_| Sent::Json(json!({ "name": "Somebody else" })),
            signed_in(200),
        ),
        get("GET /api/v1/users/usage", Of::Nothing, signed_in(200)),
        get("GET /api/v1/users/sessions", Of::Nothing, signed_in(200)),
        row("DELETE /api/v1/users/sessions/{id}", Of::Session, nothing, owner(204)),
    ]
}

fn administration() -> Vec<Row> {
    vec![
        get("GET /api/v1/admin/stats", Of::Nothing, administrators(200)),
        get("GET /api/v1/admin/jobs", Of::Nothing, administrators(200)),
        get("GET /api/v1/admin/providers", Of::Nothing, administrators(200)),
        get("GET /api/v1/admin/users", Of::Nothing, administrators(200)),
        row(
            "POST /api/v1/admin/users",
            Of::Nothing,
            |asking| {
                let email = format!("new{}@example.com", asking.number);
                Sent::Json(json!({ "email": email, "name": "New" }))
            },
            administrators(201),
        ),
        get("GET /api/v1/admin/users/{id}", Of::Account, administrators(200)),
        get("GET /api/v1/admin/users/{id}", Of::Oneself, administrators(200)),
        row(
            "PATCH /api/v1/admin/users/{id}",
            Of::Account,
            |_| Sent::Json(json!({ "name": "Renamed" })),
            administrators(200),
        ),
        row(
            "POST /api/v1/admin/users/{id}/password",
            Of::Account,
            empty,
            administrators(200),
        ),
        row(
            "POST /api/v1/admin/users/{id}/revoke-sessions",
            Of::Account,
            nothing,
            administrators(204),
        ),
        row(
            "DELETE /api/v1/admin/users/{id}",
            Of::Oneself,
            nothing,
            administrators(409),
        ),
        row(
            "DELETE /api/v1/admin/users/{id}",
            Of::Account,
            nothing,
            administrators(204),
        ),
        get("GET /api/v1/settings", Of::Nothing, signed_in(200)),
        row(
            "PATCH /api/v1/settings",
            Of::Nothing,
            |_| Sent::Json(json!({ "settings": { "app_name": "Across" } })),
            administrators(200),
        ),
    ]
}

fn knowledge() -> Vec<Row> {
    let mut rows = vec![
        get("GET /api/v1/assistants", Of::Nothing, signed_in(200)),
        Row {
            query: "?include_deleted=true",
            ..get("GET /api/v1/assistants", Of::Nothing, managers(200))
        },
        row(
            "POST /api/v1/assistants",
            Of::Nothing,
            |asking| Sent::Json(json!({ "name": format!("Assistant {}", asking.number) })),
            managers(201),
        ),
        get("GET /api/v1/assistants/{id}", Of::Assistant, signed_in(200)),
        get("GET /api/v1/assistants/{id}", Of::Archived, hidden(200)),
        row(
            "PATCH /api/v1/assistants/{id}",
            Of::Assistant,
            |_| Sent::Json(json!({ "description": "Changed" })),
            managers(200),
        ),
        row(
            "PATCH /api/v1/assistants/{id}",
            Of::Archived,
            |_| Sent::Json(json!({ "description": "Changed" })),
            managers(409),
        ),
        row(
            "POST /api/v1/assistants/{id}/retrieval-test",
            Of::Assistant,
            |_| Sent::Json(json!({ "question": "When?" })),
            managers(200),
        ),
        row(
            "POST /api/v1/assistants/{id}/restore",
            Of::Archived,
            nothing,
            managers(200),
        ),
        row("DELETE /api/v1/assistants/{id}", Of::Assistant, nothing, managers(204)),
        get("GET /api/v1/files", Of::Nothing, signed_in(200)),
        row(
            "POST /api/v1/files",
            Of::Nothing,
            |asking| {
                let content = format!("Sentence number {}.", asking.number);
                let (kind, body) = form(asking.assistant, "note.txt", content.as_bytes());
                Sent::Form(kind, body)
            },
            managers(201),
        ),
        row("POST /api/v1/files/{id}/reprocess", Of::File, nothing, managers(202)),
        row(
            "POST /api/v1/files/reprocess-all",
            Of::Nothing,
            empty,
            administrators(202),
        ),
    ];
    for route in [
        "GET /api/v1/files/{id}",
        "GET /api/v1/files/{id}/status",
        "GET /api/v1/files/{id}/content",
        "GET /api/v1/files/{id}/chunks",
        "GET /api/v1/files/{id}/text",
    ] {
        rows.push(get(route, Of::File, signed_in(200)));
        rows.push(get(route, Of::FileOfArchived, hidden(200)));
    }
    rows.push(row("DELETE /api/v1/files/{id}", Of::File, nothing, managers(204)));
    rows
}

fn conversations() -> Vec<Row> {
    vec![
        get("GET /api/v1/conversations", Of::Nothing, signed_in(200)),
        row(
            "POST /api/v1/conversations",
            Of::Nothing,
            |asking| Sent::Json(json!({ "assistant_id": asking.assistant })),
            signed_in(201),
        ),
        get("GET /api/v1/conversations/{id}", Of::Conversation, owner(200)),
        row(
            "PATCH /api/v1/conversations/{id}",
            Of::Conversation,
            |_| Sent::Json(json!({ "title": "Renamed" })),
            owner(200),
        ),
        get("GET /api/v1/conversations/{id}/messages", Of::Conversation, owner(200)),
        row(
            "POST /api/v1/conversations/{id}/messages",
            Of::Conversation,
            |_| Sent::Json(json!({ "content": "Hello?", "stream": false })),
            owner(201),
        ),
        row(
            "POST /api/v1/conversations/{id}/messages",
            Of::Conversation,
            |_| Sent::Json(json!({ "content": "Hello?", "stream": true })),
            owner(200),
        ),
        get(
            "GET /api/v1/conversations/{id}/messages/{mid}",
            Of::Conversation,
            owner(200),
        ),
        get(
            "GET /api/v1/conversations/{id}/messages/{mid}/stream",
            Of::Conversation,
            owner(200),
        ),
        row(
            "POST /api/v1/conversations/{id}/stop",
            Of::Conversation,
            empty,
            owner(200),
        ),
        row(
            "DELETE /api/v1/conversations/{id}",
            Of::Conversation,
            nothing,
            owner(204),
        ),
    ]
}

fn governance() -> Vec<Row> {
    vec![
        get("GET /api/v1/models", Of::Nothing, signed_in(200)),
        row("POST /api/v1/models/refresh", Of::Nothing, nothing, administrators(200)),
        get("GET /api/v1/api-keys", Of::Nothing, administrators(200)),
        row(
            "POST /api/v1/api-keys",
            Of::Nothing,
            |asking| {
                let name = format!("Key {}", asking.number);
                Sent::Json(json!({ "provider": "openai", "name": name, "key": "sk-0123456789abcdef" }))
            },
            administrators(201),
        ),
        get("GET /api/v1/api-keys/{id}", Of::Key, administrators(200)),
        row(
            "PATCH /api/v1/api-keys/{id}",
            Of::Key,
            |_| Sent::Json(json!({ "is_active": true })),
            administrators(200),
        ),
        row("POST /api/v1/api-keys/{id}/test", Of::Key, nothing, administrators(200)),
        row("DELETE /api/v1/api-keys/{id}", Of::Key, nothing, administrators(204)),
        get("GET /api/v1/quotas", Of::Nothing, administrators(200)),
        row(
            "POST /api/v1/quotas",
            Of::Nothing,
            |asking| Sent::Json(json!({ "scope": "assistant", "scope_id": asking.assistant })),
            administrators(201),
        ),
        get("GET /api/v1/quotas/{id}", Of::Quota, administrators(200)),
        row(
            "PATCH /api/v1/quotas/{id}",
            Of::Quota,
            |_| Sent::Json(json!({ "alert_threshold": 50 })),
            administrators(200),
        ),
        row("DELETE /api/v1/quotas/{id}", Of::Quota, nothing, administrators(204)),
        get("GET /api/v1/usage", Of::Nothing, managers(200)),
        Row {
            query: "?group_by=day",
            ..get("GET /api/v1/usage/summary", Of::Nothing, managers(200))
        },
        get("GET /api/v1/audit", Of::Nothing, administrators(200)),
        get("GET /api/v1/audit/{id}", Of::Entry, administrators(200)),
        get("GET /api/v1/notices", Of::Nothing, signed_in(200)),
        // Administrators see everybody's notices and dismiss them for themselves.
        row(
            "DELETE /api/v1/notices/{id}",
            Of::Notice,
            nothing,
            [401, 204, 404, 404, 204, 401, 401],
        ),
    ]
}

/// Somebody, or nobody, who asks for everything.
struct Caller {
    name: &'static str,
    column: usize,
    email: &'static str,
    id: String,
    token: Option<String>,
    refresh: Option<String>,
}

impl Caller {
    async fn of(name: &'static str, column: usize, email: &'static str, person: &Person) -> Self {
        Self {
            name,
            column,
            email,
            id: person.id().await,
            token: Some(person.token.clone()),
            refresh: Some(person.refresh.clone()),
        }
    }

    /// The administrator, were it not for the token.
    fn pretending(name: &'static str, admin: &Self, token: String) -> Self {
        Self {
            name,
            column: BAD,
            email: ADMIN,
            id: admin.id.clone(),
            // An access token is no refresh token.
            refresh: admin.token.clone(),
            token: Some(token),
        }
    }
}

/// An answer, as far as it matters here.
struct Heard {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: Value,
}

impl Heard {
    /// The body without what differs each time.
    fn without_id(&self) -> Value {
        let mut body = self.body.clone();
        if let Some(object) = body.as_object_mut() {
            object.remove("request_id");
        }
        body
    }
}

struct World<'a> {
    server: &'a Server,
    people: People,
    user: String,
    assistant: String,
    number: Cell<usize>,
    subjects: RefCell<HashMap<Of, (String, String)>>,
}

impl<'a> World<'a> {
    async fn new(server: &'a Server) -> Self {
        let people = server.people().await;
        Self {
            server,
            user: people.user.id().await,
            assistant: people.manager.assistant("Press Writer").await,
            people,
            number: Cell::new(0),
            subjects: RefCell::default(),
        }
    }

    fn next(&self) -> usize {
        self.number.set(self.number.get() + 1);
        self.number.get()
    }

    async fn made(&self, path: &str, body: Value) -> String {
        let (status, made) = self.people.admin.post(path, &body).await;
        assert_eq!(status, 201, "{path} {made}");
        text(&made["id"])
    }

    /// The things that a row is about: one that is there, or a new one.
    async fn subject(&self, of: Of, caller: &Caller) -> (String, String) {
        if of == Of::Oneself {
            return (caller.id.clone(), String::new());
        }
        let known = self.subjects.borrow().get(&of).cloned();
        let subject = match known {
            Some(known) => known,
            None => self.fresh(of).await,
        };
        if of == Of::File {
            // What is being read in cannot be read in again.
            self.people.admin.settled(&subject.0).await;
        }
        self.subjects.borrow_mut().insert(of, subject.clone());
        subject
    }

    async fn fresh(&self, of: Of) -> (String, String) {
        let (people, number) = (&self.people, self.next());
        let mut second = String::new();
        let id = match of {
            Of::Nothing | Of::Oneself => String::new(),
            Of::Assistant => people.manager.assistant(&format!("Assistant {number}")).await,
            Of::Archived => {
                let id = people.manager.assistant(&format!("Assistant {number}")).await;
                assert_eq!(people.manager.delete(&format!("/assistants/{id}")).await.0, 204);
                id
            }
            Of::File => self.file(&self.assistant, number).await,
            Of::FileOfArchived => {
                let assistant = people.manager.assistant(&format!("Assistant {number}")).await;
                let id = self.file(&assistant, number).await;
                assert_eq!(people.manager.delete(&format!("/assistants/{assistant}")).await.0, 204);
                id
            }
            Of::Conversation => {
                let id = people.user.conversation(&self.assistant).await;
                let path = format!("/conversations/{id}/messages");
                let (status, answered) = people.user.post(&path, &json!({ "content": "Hello?" })).await;
                assert_eq!(status, 201, "{answered}");
                second = text(&answered["assistant_message"]["id"]);
                id
            }
            Of::Account => {
                let body = json!({ "email": format!("a{number}@example.com"), "name": "Account" });
                self.made("/admin/users", body).await
            }
            Of::Key => {
                let name = format!("Key {number}");
                let body = json!({ "provider": "openai", "name": name, "key": "sk-0123456789abcdef" });
                self.made("/api-keys", body).await
            }
            Of::Quota => {
                let assistant = people.manager.assistant(&format!("Assistant {number}")).await;
                let body = json!({ "scope": "assistant", "scope_id": assistant });
                self.made("/quotas", body).await
            }
            Of::Notice => self.notice().await,
            Of::Session => {
                let body = json!({ "email": "u1@example.com", "password": PASSWORD });
                let request = self.server.request(Method::POST, "/api/v1/users/login").json(&body);
                let tokens: Value = request.send().await.unwrap().json().await.unwrap();
                text(&people.user.with_token(text(&tokens["access_token"])).claims()["sid"])
            }
            Of::Entry => text(&people.admin.get("/audit?limit=1").await.1["audit_logs"][0]["id"]),
        };
        (id, second)
    }

    async fn file(&self, assistant: &str, number: usize) -> String {
        let content = format!("This is text number {number}.");
        let file = self.people.manager.knows(assistant, "text.txt", content).await;
        assert_eq!(file["status"], "ready", "{file}");
        text(&file["id"])
    }

    /// A notice to the user: a limit of theirs is nearly reached.
    async fn notice(&self) -> String {
        let limits =
            json!({ "scope": "user", "scope_id": self.user, "daily_token_limit": 100_000, "alert_threshold": 1 });
        self.made("/quotas", limits).await;
        let conversation = self.people.user.conversation(&self.assistant).await;
        let body = json!({ "content": "Tell me. ".repeat(1_000) });
        let path = format!("/conversations/{conversation}/messages");
        let (status, answered) = self.people.user.post(&path, &body).await;
        assert_eq!(status, 201, "{answered}");
        eventually(async || {
            let (_, listed) = self.people.user.get("/notices").await;
            listed["notices"][0]["id"].as_str().map(str::to_owned)
        })
        .await
    }

    async fn send(&self, token: Option<&str>, method: &Method, path: &str, sent: Sent) -> Heard {
        let request = self.server.request(method.clone(), path);
        let request = token.iter().fold(request, |request, token| request.bearer_auth(token));
        let request = match sent {
            Sent::Nothing => request,
            Sent::Json(body) => request.json(&body),
            Sent::Form(kind, body) => request.header("content-type", kind).body(body),
        };
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.unwrap();
        Heard {
            status,
            headers,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        }
    }

    /// Sends what a row says, about things that are there or about such as never were.
    async fn ask(&self, row: &Row, caller: &Caller, (id, mid): &(String, String)) -> Heard {
        let (method, path) = parts(row.route);
        let path = path.replace("{id}", id).replace("{mid}", mid) + row.query;
        let number = self.next();
        let assistant = match row.route {
            // One quota for each assistant.
            "POST /api/v1/quotas" if row.codes[caller.column] < 300 => {
                self.people.manager.assistant(&format!("Assistant {number}")).await
            }
            _ => self.assistant.clone(),
        };
        let asking = Asking {
            caller,
            number,
            assistant: &assistant,
        };
        self.send(caller.token.as_deref(), &method, &path, (row.sends)(&asking))
            .await
    }

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

    /// Everybody who asks, strangers first.
    async fn callers(&self) -> Vec<Caller> {
        let People {
            admin,
            manager,
            user,
            other,
        } = &self.people;
        let gone = self.server.joins(admin, "gone@example.com", "admin").await;
        let closed = self.server.joins(admin, "closed@example.com", "admin").await;
        let [gone, closed] = [
            Caller::of("deleted", CLOSED, "gone@example.com", &gone).await,
            Caller::of("deactivated", CLOSED, "closed@example.com", &closed).await,
        ];
        assert_eq!(admin.delete(&format!("/admin/users/{}", gone.id)).await.0, 204);
        let path = format!("/admin/users/{}", closed.id);
        assert_eq!(admin.patch(&path, &json!({ "is_active": false })).await.0, 200);
        let left = self.server.admin().await;
        assert_eq!(left.post("/users/logout", &json!({})).await.0, 204);

        let administrator = Caller::of("administrator", ADMINISTRATOR, ADMIN, admin).await;
        let mut garbled = admin.token.clone();
        let last = if garbled.ends_with('A') { 'B' } else { 'A' };
        // The last character holds bits that count for nothing; the one before does not.
        let tail = garbled.split_off(garbled.len() - 2);
        garbled.push(last);
        garbled.push_str(tail.get(1..).unwrap());
        assert_ne!(garbled, admin.token);
        vec![
            Caller {
                name: "nobody",
                column: NOBODY,
                email: "u1@example.com",
                id: self.user.clone(),
                token: None,
                refresh: None,
            },
            Caller::pretending("expired", &administrator, admin.expired()),
            Caller::pretending("garbled", &administrator, garbled),
            Caller::pretending("refresh token as bearer", &administrator, admin.refresh.clone()),
            Caller::pretending("signed out", &administrator, left.token),
            Caller::pretending("another key's", &administrator, admin.forged()),
            gone,
            closed,
            Caller::of("other user", OTHER, "u2@example.com", other).await,
            Caller::of("manager", MANAGER, "m@example.com", manager).await,
            Caller::of("user", USER, "u1@example.com", user).await,
            administrator,
        ]
    }
}

fn parts(route: &str) -> (Method, String) {
    let (method, path) = route.split_once(' ').unwrap();
    (method.parse().unwrap(), path.to_owned())
}

fn unknown() -> (String, String) {
    let id = "01890a5d-ac96-774b-bcce-b302099a8057".to_owned();
    (id.clone(), id)
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
