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
use reqwest::{
    Response,
    header::{CONTENT_TYPE, HeaderMap},
};
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    answer::{Answer, Fold, Item},
    endpoint::{Accepted, Endpoint},
    http::{MAX_BODY, shorten, transport, without_key},
    json,
    refusal::Refusal,
    sse::{Frame, SseReader},
};

/// How long what may follow the finish is waited for.
const GRACE: Duration = Duration::from_secs(5);

/// The most that one stream may bring, in bytes; its words have a limit of their own.
const MAX_STREAM: usize = 256 * 1024 * 1024;
/// How many events in a row may say nothing.
const MAX_BARREN: usize = 10_000;
/// How long the end of a body is waited for whose answer is whole already.
const CLOSING: Duration = Duration::from_secs(1);
/// The header in which OpenRouter names an answer before it begins.
const GENERATION_ID: &str = "x-generation-id";

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
    /// When the first content must be there; what only keeps the connection alive is none.
    first_content: Instant,
    /// When the whole answer must be there.
    deadline: Instant,
    /// Bytes that have come.
    bytes: usize,
    /// Events in a row that said nothing.
    barren: usize,
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
pub(crate) fn answer(accepted: Accepted, endpoint: &Endpoint, fold: Box<dyn Fold>) -> ChatStream {
    let Accepted { response, asked_at } = accepted;
    let timeouts = endpoint.timeouts;
    let mut reading = Reading {
        body: if is_stream(response.headers()) {
            Body::Events(SseReader::new())
        } else {
            Body::Document(Vec::new())
        },
        answer: Answer::new(endpoint.kind),
        fold,
        kind: endpoint.kind,
        key: endpoint.key.clone(),
        idle: timeouts.idle,
        first_content: asked_at + timeouts.first_byte,
        deadline: Instant::now() + timeouts.total,
        bytes: 0,
        barren: 0,
        grace: None,
        response,
    };
    if endpoint.kind == ProviderKind::OpenRouter {
        // It is known before anything else, so that what an answer cost can be asked however early it breaks off.
        let id = reading.response.headers().get(GENERATION_ID);
        if let Some(id) = id.and_then(|id| id.to_str().ok()) {
            reading.answer.start(Some(id.to_owned()), None);
        }
    }
    Box::pin(futures::stream::unfold(reading, |mut reading| async move {
        let Some(item) = reading.next().await else {
            reading.release();
            return None;
        };
        Some((item, reading))
    }))
}

/// Whether the body is a stream of events.
fn is_stream(headers: &HeaderMap) -> bool {
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = media.and_then(|media| media.split(';').next()).unwrap_or_default();
    media.trim().eq_ignore_ascii_case("text/event-stream")
}

impl Reading {
    /// Reads the end of the body, which follows what the vendor ends its answers with: then the connection can serve the
    /// next question.
    fn release(mut self) {
        if !self.answer.is_whole() {
            return;
        }
        tokio::spawn(async move {
            drop(timeout(CLOSING, self.response.chunk()).await);
        });
    }

    async fn next(&mut self) -> Option<Item> {
        while !self.answer.has_ready() && !self.answer.is_over() {
            self.read().await;
        }
        self.answer.take()
    }

    /// Waits for the next bytes, or for what comes instead of them.
    async fn read(&mut self) {
        let now = Instant::now();
        let quiet = now + self.idle;
        let mut until = quiet.min(self.deadline).min(self.grace.unwrap_or(self.deadline));
        if !self.answer.has_content() {
            until = until.min(self.first_content);
        }
        // A flood is always there in time, so time is looked at first.
        if until <= now {
            return self.too_late(until);
        }
        match timeout_at(until, self.response.chunk()).await {
            Ok(Ok(Some(bytes))) => self.take(&bytes),
            Ok(Ok(None)) => self.end(None),
            Ok(Err(error)) => self.end(Some(transport(self.kind, error))),
            Err(_) => self.too_late(until),
        }
        // Words that follow the finish, as Google's may, show that the answer goes on.
        if self.answer.has_finished() && (self.grace.is_none() || self.answer.has_ready()) {
            self.grace = Some(Instant::now() + GRACE);
        }
    }

    fn too_late(&mut self, until: Instant) {
        let message = if until == self.deadline {
            "the answer took longer than it may"
        } else if self.answer.has_content() {
            "the provider fell silent in the middle of the answer"
        } else {
            "the provider began to answer and said nothing in time"
        };
        self.end(Some(ProviderError::local(self.kind, Category::Timeout, message)));
    }

    fn take(&mut self, bytes: &[u8]) {
        self.bytes = self.bytes.saturating_add(bytes.len());
        if self.bytes > MAX_STREAM {
            let message = format!("the stream has more than {MAX_STREAM} bytes");
            return self.answer.fail_with(Category::Malformed, message);
        }
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
        let before = self.answer.bytes();
        match json::parse(data.as_bytes()) {
            Ok(body) if frame.event.as_deref() == Some("error") => self.refuse(Refusal::read(&body)),
            Ok(body) => self.json(body),
            Err(error) => {
                let message = format!("a piece of the stream is not JSON: {error}");
                self.answer.fail_with(Category::Malformed, message);
            }
        }
        self.barren = if self.answer.bytes() > before {
            0
        } else {
            self.barren + 1
        };
        if self.barren > MAX_BARREN {
            self.answer
                .fail_with(Category::Malformed, "the stream goes on and says nothing");
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
                    if data == "[DONE]" || json::parse(data.as_bytes()).is_ok() {
                        self.frame(&frame);
                    }
                }
                // Google drops some errors into its streams as they are, without a field's name before them.
                if let Ok(body) = json::parse(stray.as_bytes())
                    && (body.is_object() || body.is_array())
                {
                    self.json(body);
                }
            }
            Body::Document(document) if failure.is_none() && !document.is_empty() => match json::parse(&document) {
                Ok(body) => self.json(body),
                Err(_) => {
                    let document = String::from_utf8_lossy(&document);
                    let start = shorten(&without_key(&document, self.key.as_ref()));
                    let message = format!("the answer is neither a stream nor JSON: {start}");
                    self.answer.fail_with(Category::Malformed, message);
                }
            },
            Body::Document(_) => {}
        }
        self.answer.end(failure);
    }
}
