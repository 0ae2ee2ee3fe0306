//! Who asks, and the things they ask for.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use reqwest::Method;
use serde_json::{Value, json};

use super::table::{ADMINISTRATOR, Asking, BAD, CLOSED, MANAGER, NOBODY, OTHER, Of, Row, Sent, USER};
use crate::harness::{ADMIN, PASSWORD, People, Person, Server, eventually, text};

/// Somebody, or nobody, who asks for everything.
pub(super) struct Caller {
    pub(super) name: &'static str,
    pub(super) column: usize,
    pub(super) email: &'static str,
    pub(super) id: String,
    pub(super) token: Option<String>,
    pub(super) refresh: Option<String>,
}

impl Caller {
    pub(super) async fn of(name: &'static str, column: usize, email: &'static str, person: &Person) -> Self {
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
    pub(super) fn pretending(name: &'static str, admin: &Self, token: String) -> Self {
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
pub(super) struct Heard {
    pub(super) status: u16,
    pub(super) headers: reqwest::header::HeaderMap,
    pub(super) body: Value,
}

impl Heard {
    /// The body without what differs each time.
    pub(super) fn without_id(&self) -> Value {
        let mut body = self.body.clone();
        if let Some(object) = body.as_object_mut() {
            object.remove("request_id");
        }
        body
    }
}

pub(super) struct World<'a> {
    pub(super) server: &'a Server,
    pub(super) people: People,
    pub(super) user: String,
    pub(super) assistant: String,
    pub(super) number: Cell<usize>,
    pub(super) subjects: RefCell<HashMap<Of, (String, String)>>,
}

impl<'a> World<'a> {
    pub(super) async fn new(server: &'a Server) -> Self {
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

    pub(super) async fn made(&self, path: &str, body: Value) -> String {
        let (status, made) = self.people.admin.post(path, &body).await;
        assert_eq!(status, 201, "{path} {made}");
        text(&made["id"])
    }

    /// The things that a row is about: one that is there, or a new one.
    pub(super) async fn subject(&self, of: Of, caller: &Caller) -> (String, String) {
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
            Of::Question => {
                let (id, answer) = Box::pin(self.fresh(Of::Conversation)).await;
                let path = format!("/conversations/{id}/messages/{answer}");
                second = text(&people.user.get(&path).await.1["parent_id"]);
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

    pub(super) async fn send(&self, token: Option<&str>, method: &Method, path: &str, sent: Sent) -> Heard {
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
    pub(super) async fn ask(&self, row: &Row, caller: &Caller, (id, mid): &(String, String)) -> Heard {
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
            message: mid,
        };
        self.send(caller.token.as_deref(), &method, &path, (row.sends)(&asking))
            .await
    }

    /// Everybody who asks, strangers first.
    pub(super) async fn callers(&self) -> Vec<Caller> {
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

pub(super) fn parts(route: &str) -> (Method, String) {
    let (method, path) = route.split_once(' ').unwrap();
    (method.parse().unwrap(), path.to_owned())
}

pub(super) fn unknown() -> (String, String) {
    let id = "01890a5d-ac96-774b-bcce-b302099a8057".to_owned();
    (id.clone(), id)
}
