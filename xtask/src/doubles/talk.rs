//! One question to the real program over a double, streamed and whole, and what the program must have made of its answer.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::client::Client;
use crate::server::Server;

/// What is asked.
pub const QUESTION: &str = "When does the office in חיפה open?";
/// What a double that knows answers says.
pub const ANSWER: &str = "The office in חיפה opens at nine.\n\nOn Fridays it stays **closed** – “as ever”.";

/// Tokens that such a double says it has read and written.
pub const TOKENS: [u64; 2] = [23, 11];
/// What it says this has cost, where a vendor does say so, in dollars.
pub const COST: f64 = 0.000_42;

/// What the answer must be.
#[derive(Clone, Copy)]
pub enum Expected {
    /// [`ANSWER`] with [`TOKENS`], and in OpenRouter's shape with [`COST`].
    Known,
    /// Something with [`QUESTION`] in it: the double repeats what it was told, and counts as it likes.
    Repeated,
}

/// A vendor's wire as a double speaks it.
pub struct Shape {
    /// Whose double it is.
    pub double: &'static str,
    /// Which provider's wire.
    pub provider: &'static str,
    base: String,
    expected: Expected,
}

impl Shape {
    /// A provider's wire, spoken at this address.
    pub fn new(double: &'static str, provider: &'static str, base: String, expected: Expected) -> Self {
        Self {
            double,
            provider,
            base,
            expected,
        }
    }

    fn environment(&self) -> [(String, OsString); 2] {
        let name = match self.provider {
            "google" => "GEMINI".to_owned(),
            other => other.to_uppercase(),
        };
        [
            (format!("{name}_API_KEY"), "test-key-of-a-double".into()),
            (format!("AI_ACROSS_{name}_BASE_URL"), OsString::from(&self.base)),
        ]
    }

    fn check_text(&self, text: &Value) -> Result<()> {
        let text = text.as_str().unwrap_or_default();
        let right = match self.expected {
            Expected::Known => text == ANSWER,
            Expected::Repeated => text.contains(QUESTION),
        };
        ensure!(right, "the text is {text:?}");
        Ok(())
    }

    fn check_usage(&self, row: &Value) -> Result<()> {
        let counted = ["prompt_tokens", "completion_tokens"].map(|name| row[name].as_u64());
        let right = match self.expected {
            Expected::Known => counted == TOKENS.map(Some) && row["estimated"] == false,
            Expected::Repeated => counted[1].is_some_and(|tokens| tokens > 0),
        };
        ensure!(right, "it was counted as {row}");
        if matches!(self.expected, Expected::Known) && self.provider == "openrouter" {
            ensure!(
                row["cost_usd"] == json!(COST),
                "it was charged otherwise than the provider says: {row}"
            );
        }
        Ok(())
    }
}

/// Starts the program with this one provider, asks it for its models and chats both ways.
///
/// # Errors
/// When anything is not as the double sent it.
pub fn through(binary: &Path, shape: &Shape) -> Result<()> {
    let data = tempfile::tempdir()?;
    let server = Server::start_with(binary, data.path(), &shape.environment(), None)?;
    let client = Client::sign_in(&server)?;
    let model = model(&client, shape)?;
    let assistant = client.make(
        "/assistants",
        &json!({"name": "Opening hours", "instructions": "Be brief.", "model": model}),
    )?;
    // One each: what a double repeats of an earlier exchange is cut somewhere.
    let conversation = || -> Result<String> {
        let id = client.make("/conversations", &json!({"assistant_id": assistant}))?;
        Ok(format!("/conversations/{id}/messages"))
    };

    let path = conversation()?;
    let answered = client.post(&path, &json!({"content": QUESTION, "stream": false}))?;
    check(&client, shape, &path, &answered["assistant_message"]["id"]).context("in one piece")?;

    let path = conversation()?;
    let events = client.events(&path, &json!({"content": QUESTION, "stream": true}))?;
    let answer = heard(shape, &events).with_context(|| format!("streamed as {events:?}"))?;
    check(&client, shape, &path, &answer).context("streamed")
}

/// The first model that this provider offers.
fn model(client: &Client, shape: &Shape) -> Result<String> {
    let listed = client.get("/models")?;
    ensure!(
        listed["stale"] == false,
        "its list of models could not be read: {listed}"
    );
    let models = listed["models"].as_array().context("no list of models")?;
    let of_this = models.iter().find(|model| model["provider"] == shape.provider);
    let id = of_this.and_then(|model| model["id"].as_str());
    Ok(id.with_context(|| format!("it offers no model: {listed}"))?.to_owned())
}

/// Checks the events of a stream and returns the answer's id.
fn heard(shape: &Shape, events: &[Value]) -> Result<Value> {
    let (first, last) = events.first().zip(events.last()).context("no event")?;
    ensure!(first["type"] == "start", "it does not begin with start");
    ensure!(last["type"] == "done", "it does not end with done");
    ensure!(last["finish_reason"] == "stop", "it did not end by itself");
    ensure!(
        last["message_id"] == first["message_id"],
        "the ends name different messages"
    );
    let chunks: Vec<&str> = events
        .iter()
        .filter(|event| event["type"] == "chunk")
        .filter_map(|event| event["content"].as_str())
        .collect();
    ensure!(!chunks.is_empty(), "it has no words");
    shape.check_text(&json!(chunks.concat()))?;
    Ok(first["message_id"].clone())
}

/// Checks what is stored of an answer and what was charged for it.
fn check(client: &Client, shape: &Shape, path: &str, answer: &Value) -> Result<()> {
    let id = answer.as_str().context("the answer has no id")?;
    let stored = client.get(&format!("{path}/{id}"))?;
    ensure!(stored["status"] == "complete", "it is stored as {stored}");
    ensure!(stored["finish_reason"] == "stop", "it is stored as {stored}");
    ensure!(stored["provider"] == shape.provider, "it is stored as {stored}");
    shape.check_text(&stored["content"])?;
    let usage = client.get("/usage?limit=100")?;
    let rows = usage["usage"].as_array().context("no usage log")?;
    let own: Vec<&Value> = rows.iter().filter(|row| row["message_id"] == *answer).collect();
    ensure!(own.len() == 1, "the usage log has {} rows of it: {usage}", own.len());
    shape.check_usage(own[0])
}
