//! An answer's events over HTTP: one `data:` line each, a sign of life every ten seconds, and nothing else.

use std::{convert::Infallible, time::Duration};

use across::{
    actor::Actor,
    conversations::{
        elsewhere::Follower,
        event::{Event, Failure, FailureKind},
        live::Reader,
        message::TokensUsed,
    },
    id::MessageId,
    money::MicroUsd,
};
use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header},
    response::Response,
};
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior};

use crate::{
    api::{
        messages::citations_json,
        words::{FinishReason, Retrieval},
    },
    state::AppState,
};

/// How often a stream says that it lives, and how often its reader's right to read is looked at again. Proxies wait longer
/// for a sign of life, and nobody reads on for longer after being signed out.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// A stream of the events that `reader` still has to come, after those in `first`.
pub(crate) fn stream(
    state: AppState,
    actor: Actor,
    message: MessageId,
    first: &[Event],
    reader: Option<Reader>,
) -> Response {
    respond(state, actor, message, first, reader.map_or(Source::Over, Source::Here))
}

/// The same of an answer that another process writes.
pub(crate) fn follow(
    state: AppState,
    actor: Actor,
    message: MessageId,
    first: &[Event],
    follower: Follower,
) -> Response {
    respond(state, actor, message, first, Source::Elsewhere(Box::new(follower)))
}

fn respond(state: AppState, actor: Actor, message: MessageId, first: &[Event], source: Source) -> Response {
    let opening = first.iter().map(frame).collect::<String>();
    let mut ticks = tokio::time::interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let following = Following {
        state,
        actor,
        rest: Rest {
            message,
            source,
            has_text: first.iter().any(|event| matches!(event, Event::Chunk(_))),
        },
        ticks,
    };
    let opening = futures::stream::iter((!opening.is_empty()).then(|| Bytes::from(opening)));
    let following = futures::stream::unfold(following, |mut following| async move {
        following.next().await.map(|bytes| (bytes, following))
    });
    let bytes = futures::StreamExt::chain(opening, following);
    let mut response = Response::new(Body::from_stream(futures::StreamExt::map(bytes, Ok::<_, Infallible>)));
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Where the events of an answer come from.
enum Source {
    /// This process writes it.
    Here(Reader),
    /// Another process writes it.
    Elsewhere(Box<Follower>),
    /// Nothing more will come.
    Over,
}

/// What is still to come of an answer.
struct Rest {
    message: MessageId,
    source: Source,
    /// Whether words were told.
    has_text: bool,
}

impl Rest {
    /// The next event; `None` after the last one. Whatever becomes of the writer, there is a last one.
    async fn next(&mut self) -> Option<Event> {
        let event = match &mut self.source {
            Source::Here(reader) => reader.next().await,
            Source::Elsewhere(follower) => follower.next().await,
            Source::Over => return None,
        };
        let event = event.unwrap_or_else(|| lost(self.message, self.has_text));
        self.has_text |= matches!(event, Event::Chunk(_));
        if event.is_last() {
            self.source = Source::Over;
        }
        Some(event)
    }
}

struct Following {
    state: AppState,
    actor: Actor,
    rest: Rest,
    ticks: tokio::time::Interval,
}

impl Following {
    async fn next(&mut self) -> Option<Bytes> {
        let message = self.rest.message;
        if matches!(self.rest.source, Source::Over) {
            return None;
        }
        tokio::select! {
            // Answers to people who were deactivated are stopped, and they must hear why.
            event = self.rest.next() => match event? {
                Event::Done { finish_reason, .. } if finish_reason == "stopped" && self.is_signed_out().await => {
                    Some(Bytes::from(frame(&signed_out(message))))
                }
                event => Some(Bytes::from(frame(&event))),
            },
            _ = self.ticks.tick() => {
                if self.is_signed_out().await {
                    self.rest.source = Source::Over;
                    Some(Bytes::from(frame(&signed_out(message))))
                } else {
                    Some(Bytes::from_static(b": keep-alive\n\n"))
                }
            }
        }
    }

    /// Whether the reader's session is over. A database that cannot be asked at this moment ends no one's answer.
    async fn is_signed_out(&self) -> bool {
        let platform = &self.state.platform;
        let found = platform
            .store
            .session_user(self.actor.session, platform.clock.now())
            .await;
        matches!(found, Ok(None))
    }
}

fn signed_out(message: MessageId) -> Event {
    Event::Failed(Failure {
        kind: FailureKind::SignedOut,
        sentence: "You are signed out. Sign in again to go on reading.".into(),
        retryable: false,
        message,
        has_text: true,
    })
}

/// The end for readers of an answer whose writer is gone without one.
fn lost(message: MessageId, has_text: bool) -> Event {
    Event::Failed(Failure {
        kind: FailureKind::Internal,
        sentence: "Something broke on our side while this was written. What was saved is kept.".into(),
        retryable: true,
        message,
        has_text,
    })
}

/// One event as it goes over the wire. The text is inside a JSON string, so nothing that a model writes can end a line.
fn frame(event: &Event) -> String {
    match event {
        // By far the most events are these; no map is made for them.
        Event::Chunk(content) => {
            let content = Value::from(content.as_str());
            format!("data: {{\"content\":{content},\"type\":\"chunk\"}}\n\n")
        }
        event => format!("data: {}\n\n", to_json(event)),
    }
}

fn to_json(event: &Event) -> Value {
    match event {
        Event::Start {
            message,
            question,
            conversation,
            model,
        } => json!({
            "type": "start", "message_id": message.to_string(), "user_message_id": question.to_string(),
            "conversation_id": conversation.to_string(), "model": model,
        }),
        Event::Citations { outcome, citations } => {
            let retrieval = Retrieval::from(*outcome);
            json!({ "type": "citations", "retrieval": retrieval, "citations": citations_json(citations) })
        }
        Event::Failover(failover) => json!({
            "type": "notice", "code": "failover", "from": failover.from, "to": failover.to, "reason": failover.reason,
            "extra_cost_percent": failover.extra_cost_percent,
        }),
        Event::Title(title) => json!({"type": "title", "title": title}),
        Event::Chunk(content) => json!({ "type": "chunk", "content": content }),
        Event::Usage(tokens) => json!({ "type": "usage", "usage": usage(*tokens) }),
        Event::Done {
            message,
            finish_reason,
            tokens,
        } => json!({
            "type": "done", "message_id": message.to_string(),
            "finish_reason": FinishReason::from(finish_reason.as_str()), "usage": usage(*tokens),
        }),
        Event::Failed(failure) => json!({
            "type": "error", "error": failure.kind.name(), "message": failure.sentence, "retryable": failure.retryable,
            "message_id": failure.message.to_string(), "status": if failure.has_text { "interrupted" } else { "error" },
        }),
    }
}

fn usage(tokens: TokensUsed) -> Value {
    json!({
        "prompt_tokens": tokens.prompt, "completion_tokens": tokens.completion,
        "total_tokens": tokens.prompt + tokens.completion, "cost_usd": tokens.cost.map(MicroUsd::dollars),
        "estimated": tokens.estimated,
    })
}

#[cfg(test)]
mod tests {
    use across::{conversations::live::LiveReplies, id::UserId};

    use super::*;

    #[tokio::test]
    async fn a_reader_whose_writer_vanished_hears_so_once() {
        let (replies, message) = (LiveReplies::default(), MessageId::new());
        let writer = replies.begin(UserId::new(), message, 1, 1).unwrap();
        let mut rest = Rest {
            message,
            source: Source::Here(writer.reader()),
            has_text: false,
        };
        writer.tell(Event::Chunk("half".into()));
        drop(writer);
        assert_eq!(rest.next().await, Some(Event::Chunk("half".into())));
        assert_eq!(rest.next().await, Some(lost(message, true)));
        assert_eq!(rest.next().await, None);
    }

    #[test]
    fn model_output_cannot_forge_events() {
        let hostile = "\n\ndata: {\"type\":\"done\"}\r\n\r\u{2028}\u{2029}";
        let frame = frame(&Event::Chunk(hostile.into()));
        assert_eq!(frame.matches('\n').count(), 2);
        assert!(!frame.contains('\r'));
        let data: Value = serde_json::from_str(frame.trim_start_matches("data: ").trim_end()).unwrap();
        assert_eq!(data["content"], hostile);
    }
}
