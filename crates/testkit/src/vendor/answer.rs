//! Requests as they arrived and answers to the byte.

use std::time::{Duration, Instant};

use serde_json::Value;

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The headers in their order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; `null` if it is no JSON.
    pub body: Value,
}

impl Recorded {
    /// The first header of this (lower-case) name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The path without its query.
    #[must_use]
    pub fn bare_path(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }
}

/// Somebody closed the connection before the answer was whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The path that was asked for, without its query.
    pub path: String,
    /// When.
    pub at: Instant,
    /// Chunks of the answer that were written before.
    pub chunks: usize,
}

/// One step of an answer's body. Steps other than [`Step::Write`] at the beginning come before the head of the answer; an
/// empty write lets them come after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// These bytes in one chunk of the transfer, flushed.
    Write(Vec<u8>),
    /// Silence for so long.
    Wait(Duration),
    /// Silence until the test lets an answer through ([`super::ScriptedVendor::let_through`]).
    Gate,
    /// Silence until the other side closes the connection.
    Stall,
    /// The connection is closed in the middle; steps after it are not reached.
    Cut,
}

/// An answer, to the byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers beyond those of the transfer.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub steps: Vec<Step>,
}

impl Answer {
    /// An answer with a whole body.
    #[must_use]
    pub fn whole(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self {
            status,
            headers,
            steps: vec![Step::Write(body.into())],
        }
    }

    /// A JSON document.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self::whole(status, "application/json", body.to_string())
    }

    /// A stream of events from these steps.
    #[must_use]
    pub fn stream(steps: Vec<Step>) -> Self {
        let headers = vec![("content-type".to_owned(), "text/event-stream; charset=utf-8".to_owned())];
        Self {
            status: 200,
            headers,
            steps,
        }
    }

    /// The connection closes without an answer.
    #[must_use]
    pub fn hang_up() -> Self {
        Self::stream(vec![Step::Cut])
    }

    /// Sends whoever asked elsewhere.
    #[must_use]
    pub fn redirect(status: u16, target: &str) -> Self {
        Self::whole(status, "text/plain", "").with_header("location", target)
    }

    /// The answer after so much silence.
    #[must_use]
    pub fn after(mut self, silence: Duration) -> Self {
        self.steps.insert(0, Step::Wait(silence));
        self
    }

    /// The answer as soon as the test lets it through.
    #[must_use]
    pub fn gated(mut self) -> Self {
        self.steps.insert(0, Step::Gate);
        self
    }

    /// The answer with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}
