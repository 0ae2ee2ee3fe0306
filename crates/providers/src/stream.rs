//! Reads an answer as it comes: what the response is, how long it may take, when it is over.

use std::time::Duration;

use across::{
    providers::{
        chat::ChatStream,
        failure::{Category, ProviderError},
        model::ProviderKind,
    },
    secret::Secret,
};
use reqwest::{Response, header::CONTENT_TYPE};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::{
    answer::{Answer, Fold, Item},
    endpoint::Endpoint,
    http::{MAX_BODY, shorten, transport, without_key},
    refusal::Refusal,
    sse::{Frame, SseReader},
};

/// How long what may follow the finish is waited for.
const GRACE: Duration = Duration::from_secs(5);

/// An answer being read. Dropping it drops the connection, which ends the answer upstream.
struct Reading {
    response: Response,
    body: Body,
    fold: Box<dyn Fold>,
    answer: Answer,
    kind: ProviderKind,
    /// To be kept out of what goes to the log.
    key: Option<Secret>,
    idle: Duration,
    /// When the whole answer must be there.
    deadline: Instant,
    /// When nothing more is waited for, once the answer has finished.
    grace: Option<Instant>,
}

/// What the response is.
enum Body {
    /// A stream of events.
    Events(SseReader),
    /// One JSON document, from a server that ignored the wish for a stream, or an error under a success status.
    Document(Vec<u8>),
}

/// The events of an accepted response.
pub(crate) fn answer(response: Response, endpoint: &Endpoint, fold: Box<dyn Fold>) -> ChatStream {
    let timeouts = endpoint.timeouts;
    let media = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    let is_stream = media.eq_ignore_ascii_case("text/event-stream");
    let reading = Reading {
        body: if is_stream {
            Body::Events(SseReader::new())
        } else {
            Body::Document(Vec::new())
        },
        response,
        fold,
        answer: Answer::new(endpoint.kind),
        kind: endpoint.kind,
        key: endpoint.key.clone(),
        idle: timeouts.idle,
        deadline: Instant::now() + timeouts.total,
        grace: None,
    };
    Box::pin(futures::stream::unfold(reading, |mut reading| async move {
        let item = reading.next().await?;
        Some((item, reading))
    }))
}

impl Reading {
    async fn next(&mut self) -> Option<Item> {
        while !self.answer.has_ready() && !self.answer.is_over() {
            self.read().await;
        }
        self.answer.take()
    }

    /// Waits for the next bytes, or for what comes instead of them.
    async fn read(&mut self) {
        let quiet = Instant::now() + self.idle;
        let until = quiet.min(self.deadline).min(self.grace.unwrap_or(self.deadline));
        match timeout_at(until, self.response.chunk()).await {
            Ok(Ok(Some(bytes))) => self.take(&bytes),
            Ok(Ok(None)) => self.end(None),
            Ok(Err(error)) => self.end(Some(transport(self.kind, error))),
            Err(_) => {
                let message = if until == self.deadline {
                    "the answer took longer than it may"
                } else {
                    "the provider fell silent in the middle of the answer"
                };
                self.end(Some(ProviderError::local(self.kind, Category::Timeout, message)));
            }
        }
        // Words that follow the finish, as Google's may, show that the answer goes on.
        if self.answer.has_finished() && (self.grace.is_none() || self.answer.has_ready()) {
            self.grace = Some(Instant::now() + GRACE);
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        match &mut self.body {
            Body::Events(reader) => {
                let mut frames = Vec::new();
                let pushed = reader.push(bytes, &mut frames);
                for frame in &frames {
                    self.frame(frame);
                }
                if let Err(oversize) = pushed {
                    self.answer.fail_with(Category::Malformed, oversize.to_string());
                }
            }
            Body::Document(document) if document.len() + bytes.len() > MAX_BODY => {
                let message = format!("the answer has more than {MAX_BODY} bytes");
                self.answer.fail_with(Category::Malformed, message);
            }
            Body::Document(document) => document.extend_from_slice(bytes),
        }
    }

    /// Takes the next frame.
    fn frame(&mut self, frame: &Frame) {
        let data = frame.data.trim();
        if self.answer.is_over() || data.is_empty() {
            return;
        }
        if data == "[DONE]" {
            self.answer.end(None);
            return;
        }
        match serde_json::from_str::<Value>(data) {
            Ok(body) if frame.event.as_deref() == Some("error") => self.refuse(Refusal::read(&body)),
            Ok(body) => self.json(body),
            Err(error) => {
                let message = format!("a piece of the stream is not JSON: {error}");
                self.answer.fail_with(Category::Malformed, message);
            }
        }
    }

    fn refuse(&mut self, refusal: Refusal) {
        let refusal = refusal.without_key(self.key.as_ref());
        self.answer.fail(refusal.into_error(self.kind, None));
    }

    fn json(&mut self, body: Value) {
        if self.answer.is_over() {
            return;
        }
        // A list holds what would have been the pieces of a stream.
        if let Value::Array(pieces) = body {
            pieces.into_iter().for_each(|piece| self.json(piece));
            return;
        }
        match Refusal::find(&body) {
            Some(refusal) => self.refuse(refusal),
            None => self.fold.body(body, &mut self.answer),
        }
    }

    fn end(&mut self, failure: Option<ProviderError>) {
        match std::mem::replace(&mut self.body, Body::Document(Vec::new())) {
            Body::Events(reader) => {
                let (open, stray) = reader.finish();
                if let Some(frame) = open {
                    // It may be truncated, and then the stream was.
                    let data = frame.data.trim();
                    if data == "[DONE]" || serde_json::from_str::<Value>(data).is_ok() {
                        self.frame(&frame);
                    }
                }
                // Google drops some errors into its streams as they are, without a field's name before them.
                if let Ok(body) = serde_json::from_str::<Value>(&stray)
                    && (body.is_object() || body.is_array())
                {
                    self.json(body);
                }
            }
            Body::Document(document) if failure.is_none() && !document.is_empty() => {
                match serde_json::from_slice::<Value>(&document) {
                    Ok(body) => self.json(body),
                    Err(_) => {
                        let document = String::from_utf8_lossy(&document);
                        let start = shorten(&without_key(&document, self.key.as_ref()));
                        let message = format!("the answer is neither a stream nor JSON: {start}");
                        self.answer.fail_with(Category::Malformed, message);
                    }
                }
            }
            Body::Document(_) => {}
        }
        self.answer.end(failure);
    }
}
