//! The rows of the matrix: which route, about what, sent with what, and how everybody is answered.

use serde_json::{Value, json};

use super::world::Caller;
use crate::harness::{PASSWORD, form};

/// A status for each column: nobody, a user, another user, a manager, an administrator, somebody whose account was closed,
/// and an access token that is not (or no longer) good.
pub(super) type Codes = [u16; 7];

pub(super) const NOBODY: usize = 0;
pub(super) const USER: usize = 1;
pub(super) const OTHER: usize = 2;
pub(super) const MANAGER: usize = 3;
pub(super) const ADMINISTRATOR: usize = 4;
pub(super) const CLOSED: usize = 5;
pub(super) const BAD: usize = 6;

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
pub(super) enum Of {
    Nothing,
    Oneself,
    Assistant,
    Archived,
    File,
    FileOfArchived,
    /// A conversation of the user with a question and its answer.
    Conversation,
    /// The same, and `{mid}` is the question.
    Question,
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
pub(super) enum Sent {
    Nothing,
    Json(Value),
    Form(String, Vec<u8>),
}

/// Who asks, and what is left to say about it.
pub(super) struct Asking<'a> {
    pub(super) caller: &'a Caller,
    /// Different each time.
    pub(super) number: usize,
    /// An assistant that is there.
    pub(super) assistant: &'a str,
    /// What `{mid}` stands for.
    pub(super) message: &'a str,
}

pub(super) struct Row {
    pub(super) route: &'static str,
    pub(super) query: &'static str,
    pub(super) of: Of,
    pub(super) sends: fn(&Asking<'_>) -> Sent,
    pub(super) codes: Codes,
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
pub(super) fn table() -> Vec<Row> {
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
        get("GET /api/v1/admin/embedding", Of::Nothing, administrators(200)),
        row(
            "POST /api/v1/admin/embedding/estimate",
            Of::Nothing,
            |_| Sent::Json(json!({ "model": "a model that nobody has" })),
            administrators(422),
        ),
        row(
            "POST /api/v1/admin/embedding/change",
            Of::Nothing,
            |_| Sent::Json(json!({ "model": "a model that nobody has" })),
            administrators(422),
        ),
        row(
            "DELETE /api/v1/admin/embedding/change",
            Of::Nothing,
            nothing,
            administrators(409),
        ),
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
        get("GET /api/v1/assistants/{id}/knowledge", Of::Assistant, managers(200)),
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
            "PATCH /api/v1/conversations/{id}/messages/{mid}",
            Of::Conversation,
            |_| Sent::Json(json!({ "content": "Corrected." })),
            owner(200),
        ),
        row(
            "POST /api/v1/conversations/{id}/messages/{mid}/edit",
            Of::Question,
            |_| Sent::Json(json!({ "content": "Hello again?", "stream": false })),
            owner(201),
        ),
        row(
            "POST /api/v1/conversations/{id}/messages/{mid}/regenerate",
            Of::Conversation,
            |_| Sent::Json(json!({ "stream": false })),
            owner(201),
        ),
        // The answer is whole already.
        row(
            "POST /api/v1/conversations/{id}/messages/{mid}/continue",
            Of::Conversation,
            empty,
            owner(409),
        ),
        row(
            "PUT /api/v1/conversations/{id}/head",
            Of::Conversation,
            |asking| Sent::Json(json!({ "message_id": asking.message })),
            owner(200),
        ),
        row(
            "POST /api/v1/conversations/{id}/fork",
            Of::Conversation,
            |asking| Sent::Json(json!({ "message_id": asking.message })),
            owner(201),
        ),
        row(
            "POST /api/v1/conversations/{id}/title",
            Of::Conversation,
            nothing,
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
