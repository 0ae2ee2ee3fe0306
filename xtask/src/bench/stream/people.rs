//! The installation that the streaming benchmark asks: people with quotas of every kind over them, and their conversations.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

use super::script::MODEL;
use crate::bench::load::{self, Connection};
use crate::client::Client;
use crate::server::{PASSWORD, Server};

/// How many people ask.
const PEOPLE: usize = 10;
/// Connections that make conversations.
const MAKERS: usize = 8;

/// The people, and the assistant they all ask.
pub struct People {
    /// The administrator.
    pub client: Client,
    /// The assistant without files.
    pub assistant: String,
    /// Their `Authorization` headers.
    authorizations: Vec<String>,
    address: String,
}

impl People {
    /// Makes the accounts, the assistant and the quotas: one of each kind counts every question.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn move_in(server: &Server) -> Result<Self> {
        let mut client = Client::sign_in(server)?;
        // A title that a model writes is a call of its own, and no part of an answer.
        client.patch("/settings", &json!({"settings": {"auto_title": false}}))?;
        let assistant = client.make("/assistants", &assistant("Press writer"))?;
        for (scope, id) in [
            ("global", json!(null)),
            ("role", json!("user")),
            ("assistant", json!(assistant)),
        ] {
            client.post("/quotas", &quota(scope, &id))?;
        }
        let mut authorizations = Vec::new();
        for number in 0..PEOPLE {
            let email = format!("person{number}@example.com");
            let account = json!({"email": email, "name": format!("Person {number}"), "role": "user",
                                 "password": PASSWORD, "must_change_password": false});
            let id = client.make("/admin/users", &account)?;
            client.post("/quotas", &quota("user", &json!(id)))?;
            let answer = client.post("/users/login", &json!({"email": email, "password": PASSWORD}))?;
            let token = answer["access_token"].as_str().context("no access_token")?;
            authorizations.push(format!("Bearer {token}"));
        }
        client.renew()?;
        Ok(Self {
            client,
            assistant,
            authorizations,
            address: server.address.clone(),
        })
    }

    /// The header of whoever owns a stream.
    pub fn authorization(&self, stream: usize) -> &str {
        &self.authorizations[stream % self.authorizations.len()]
    }

    /// So many new conversations with an assistant for each stream, each of the person whose stream it is.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn conversations(&self, assistant: &str, streams: usize, each: usize) -> Result<Vec<Vec<String>>> {
        let next = AtomicUsize::new(0);
        let body = json!({"assistant_id": assistant}).to_string();
        let make = || -> Result<Vec<(usize, String)>> {
            let mut connection = Connection::open(&self.address)?;
            let mut made = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= streams * each {
                    return Ok(made);
                }
                let stream = number % streams;
                let request = load::post("/api/v1/conversations", self.authorization(stream), &body);
                let status = connection.ask(&request)?;
                let answer: Value = serde_json::from_slice(connection.body()).unwrap_or_default();
                match answer["id"].as_str() {
                    Some(id) if status == 201 => made.push((stream, id.to_owned())),
                    _ => bail!("a new conversation was answered {status}: {answer}"),
                }
            }
        };
        let made = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..MAKERS).map(|_| scope.spawn(make)).collect();
            let made = makers
                .into_iter()
                .map(|maker| maker.join().map_err(|_| anyhow!("a connection's thread died"))?);
            made.collect::<Result<Vec<_>>>()
        })?;
        let mut conversations = vec![Vec::new(); streams];
        for (stream, id) in made.into_iter().flatten() {
            conversations[stream].push(id);
        }
        Ok(conversations)
    }

    /// The last message of a conversation of the first stream's owner, as the API tells it.
    ///
    /// # Errors
    /// When the server does not answer, or there is none.
    pub fn last_message(&self, conversation: &str) -> Result<Value> {
        let mut connection = Connection::open(&self.address)?;
        let path = format!("/api/v1/conversations/{conversation}/messages?order=desc&limit=1");
        let status = connection.ask(&load::get(&path, self.authorization(0)))?;
        let mut listed: Value = serde_json::from_slice(connection.body()).unwrap_or_default();
        if status != 200 || !listed["messages"][0].is_object() {
            bail!("the messages of a conversation were answered {status}: {listed}");
        }
        Ok(listed["messages"][0].take())
    }

    /// What the quota over everybody has counted today, in tokens: used, and set aside.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn tokens(&self) -> Result<(u64, u64)> {
        let listed = self.client.get("/quotas?scope=global")?;
        let current = &listed["quotas"][0]["current"];
        let count = |name: &str| {
            current[name]
                .as_u64()
                .with_context(|| format!("no {name} in the quota"))
        };
        Ok((count("daily_tokens")?, count("reserved_tokens")?))
    }
}

/// An assistant as they are: a page of instructions.
pub fn assistant(name: &str) -> Value {
    json!({"name": name, "model": MODEL, "max_tokens": 1000,
           "instructions": "You are a careful writer. Keep to the facts you were given. ".repeat(8).trim()})
}

/// A quota that nobody reaches, with every limit that there is.
fn quota(scope: &str, id: &Value) -> Value {
    json!({"scope": scope, "scope_id": id, "daily_cost_limit": 1e6, "monthly_cost_limit": 1e6,
           "daily_token_limit": 1_000_000_000_000_u64, "monthly_token_limit": 1_000_000_000_000_u64,
           "requests_per_min": 100_000, "requests_per_hour": 100_000})
}
