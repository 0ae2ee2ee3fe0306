//! Reads an answer as it comes: what the response is, how long it may take, when it is over.

use std::{collections::VecDeque, time::Duration};

use across::providers::{
    chat::ChatStream,
    failure::{Category, ProviderError},
    model::ProviderKind,
};
use reqwest::{Response, header::CONTENT_TYPE};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::events::{Fold, Item, local, malformed};
use crate::{
    http::{MAX_BODY, Timeouts, shorten, transport},
    sse::SseReader,
};

/// How long usage is waited for after the finish.
const GRACE: Duration = Duration::from_secs(5);

/// An answer being read. Dropping it drops the connection, which ends the answer upstream.
struct Reading {
    response: Response,
    body: Body,
    fold: Fold,
    ready: VecDeque<Item>,
    idle: Duration,
    /// When the whole answer must be there.
    deadline: Instant,
    /// When usage is no longer waited for, once the answer has finished.
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
pub(super) fn answer(response: Response, timeouts: Timeouts) -> ChatStream {
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
        fold: Fold::default(),
        ready: VecDeque::new(),
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
        while self.ready.is_empty() && !self.fold.is_over() {
            let mut out = Vec::new();
            self.read(&mut out).await;
            self.ready.extend(out);
        }
        self.ready.pop_front()
    }

    /// Waits for the next bytes, or for what comes instead of them.
    async fn read(&mut self, out: &mut Vec<Item>) {
        let quiet = Instant::now() + self.idle;
        let until = quiet.min(self.deadline).min(self.grace.unwrap_or(self.deadline));
        match timeout_at(until, self.response.chunk()).await {
            Ok(Ok(Some(bytes))) => self.take(&bytes, out),
            Ok(Ok(None)) => self.end(None, out),
            Ok(Err(error)) => self.end(Some(transport(ProviderKind::OpenAi, error)), out),
            Err(_) => {
                let message = if until == self.deadline {
                    "the answer took longer than it may"
                } else {
                    "the provider fell silent in the middle of the answer"
                };
                self.end(Some(local(Category::Timeout, message.to_owned())), out);
            }
        }
        if self.fold.has_finished() && self.grace.is_none() {
            self.grace = Some(Instant::now() + GRACE);
        }
    }

    fn take(&mut self, bytes: &[u8], out: &mut Vec<Item>) {
        match &mut self.body {
            Body::Events(reader) => {
                let mut frames = Vec::new();
                let pushed = reader.push(bytes, &mut frames);
                for frame in &frames {
                    self.fold.frame(frame, out);
                }
                if let Err(oversize) = pushed {
                    self.fold.fail(malformed(oversize.to_string()), out);
                }
            }
            Body::Document(document) if document.len() + bytes.len() > MAX_BODY => {
                self.fold
                    .fail(malformed(format!("the answer has more than {MAX_BODY} bytes")), out);
            }
            Body::Document(document) => document.extend_from_slice(bytes),
        }
    }

    fn end(&mut self, failure: Option<ProviderError>, out: &mut Vec<Item>) {
        match std::mem::replace(&mut self.body, Body::Document(Vec::new())) {
            Body::Events(reader) => {
                if let Some(frame) = reader.finish() {
                    self.fold.last_frame(&frame, out);
                }
            }
            Body::Document(document) if failure.is_none() && !document.is_empty() => {
                match serde_json::from_slice::<Value>(&document) {
                    Ok(body) => self.fold.body(body, out),
                    Err(_) => {
                        let start = shorten(&String::from_utf8_lossy(&document));
                        self.fold.fail(
                            malformed(format!("the answer is neither a stream nor JSON: {start}")),
                            out,
                        );
                    }
                }
            }
            Body::Document(_) => {}
        }
        self.fold.end(failure, out);
    }
}
