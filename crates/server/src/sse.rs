//! An answer's events over HTTP: one `data:` line each, a sign of life every ten seconds, and nothing else.

use std::{convert::Infallible, time::Duration};

use across::{
    actor::Actor,
    conversations::{
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
    let opening = first.iter().map(frame).collect::<String>();
    let mut ticks = tokio::time::interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let following = Following {
        state,
        actor,
        message,
        reader,
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

struct Following {
    state: AppState,
    actor: Actor,
    message: MessageId,
    /// `None` once nothing more will come.
    reader: Option<Reader>,
    ticks: tokio::time::Interval,
}

impl Following {
    async fn next(&mut self) -> Option<Bytes> {
        let reader = self.reader.as_mut()?;
        tokio::select! {
            event = reader.next() => {
                let is_last = event.as_ref().is_none_or(Event::is_last);
                if is_last {
                    self.reader = None;
                }
                // Answers to people who were deactivated are stopped, and they must hear why.
                match event? {
                    Event::Done { finish_reason, .. } if finish_reason == "stopped" && self.is_signed_out().await => {
                        Some(Bytes::from(frame(&signed_out(self.message))))
                    }
                    event => Some(Bytes::from(frame(&event))),
                }
            }
            _ = self.ticks.tick() => {
                if self.is_signed_out().await {
                    self.reader = None;
                    Some(Bytes::from(frame(&signed_out(self.message))))
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

/// One event as it goes over the wire. The text is inside a JSON string, so nothing that a model writes can end a line.
fn frame(event: &Event) -> String {
    format!("data: {}\n\n", to_json(event))
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
    use super::*;

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
