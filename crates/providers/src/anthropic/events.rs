//! Anthropic's events folded into an [`Answer`]. Pure: bytes, clocks and connections are the caller's.

use across::providers::{
    chat::{FinishReason, Usage},
    failure::Category,
};
use serde_json::{Map, Value};

use super::wire::{Block, Event, Message, WireUsage};
use crate::{
    answer::{Answer, Fold, raw},
    http::shorten,
};

/// The events of one answer. Its count comes in parts.
#[derive(Debug, Default)]
pub(super) struct Events {
    usage: WireUsage,
    /// The same as it came, what came later over what came before.
    raw: Map<String, Value>,
}

impl Fold for Events {
    fn body(&mut self, body: Value, answer: &mut Answer) {
        if body.get("type").is_some_and(|kind| kind == "message") {
            return match serde_json::from_value::<Message>(body) {
                Ok(message) => {
                    self.message(message, answer);
                    answer.end(None);
                }
                Err(error) => misshapen(&error, answer),
            };
        }
        let event = match serde_json::from_value::<Event>(body) {
            Ok(event) => event,
            Err(error) => return misshapen(&error, answer),
        };
        match event.kind.as_deref().unwrap_or_default() {
            "message_start" => self.message(event.message.unwrap_or_default(), answer),
            "content_block_start" => words(event.content_block.unwrap_or_default(), answer),
            "content_block_delta" => words(event.delta.unwrap_or_default(), answer),
            "message_delta" => {
                self.count(event.usage, answer);
                let reason = event.delta.and_then(|delta| delta.stop_reason);
                stop(reason.as_deref().unwrap_or_default(), answer);
            }
            "message_stop" => answer.end(None),
            // A ping, the end of a block, or something that a later version adds.
            _ => {}
        }
    }
}

impl Events {
    fn message(&mut self, message: Message, answer: &mut Answer) {
        answer.start(message.id, message.model);
        self.count(message.usage, answer);
        for block in message.content.unwrap_or_default() {
            words(block, answer);
        }
        stop(message.stop_reason.as_deref().unwrap_or_default(), answer);
    }

    /// A count of another shape costs the count and not the answer.
    fn count(&mut self, usage: Option<Value>, answer: &mut Answer) {
        let told = usage.and_then(|usage| {
            let Value::Object(fields) = &usage else { return None };
            let fields = fields.clone();
            Some((serde_json::from_value(usage).ok()?, fields))
        });
        if let Some((later, fields)) = told {
            self.usage.update(later);
            self.raw
                .extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
        }
        if let Some(usage) = self.usage.normalised() {
            answer.count(Usage {
                raw: raw(&Value::Object(self.raw.clone())),
                ..usage
            });
        }
    }
}

fn words(block: Block, answer: &mut Answer) {
    answer.reasoning(block.thinking.unwrap_or_default());
    answer.text(block.text.unwrap_or_default());
}

fn stop(reason: &str, answer: &mut Answer) {
    match reason {
        "" => {}
        "end_turn" | "stop_sequence" => answer.finish(FinishReason::Stop),
        "max_tokens" | "model_context_window_exceeded" | "pause_turn" => answer.finish(FinishReason::Length),
        "refusal" => answer.finish(FinishReason::ContentFilter),
        other => answer.finish(FinishReason::Unknown(shorten(other))),
    }
}

fn misshapen(error: &serde_json::Error, answer: &mut Answer) {
    let message = format!("a piece of the stream has another shape: {error}");
    answer.fail_with(Category::Malformed, message);
}
