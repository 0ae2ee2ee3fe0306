//! Frames of OpenAI's stream folded to [`ChatEvent`]s. Pure: bytes, clocks and connections are the caller's.

use across::providers::{
    chat::{ChatEvent, FinishReason, Usage},
    failure::{Category, ProviderError},
    model::ProviderKind,
};
use serde_json::Value;

use super::wire::{Chunk, Delta, Refusal, WireUsage};
use crate::{http::shorten, sse::Frame};

/// The most text that one answer may bring, hidden reasoning included, in bytes.
pub(super) const MAX_TEXT: usize = 1024 * 1024;

pub(super) type Item = Result<ChatEvent, ProviderError>;

/// Where an answer stands. The finish and the last usage are held back until the end of the stream, because usage may
/// come after the finish, and more than once.
#[derive(Debug, Default)]
pub(super) struct Fold {
    started: bool,
    bytes: usize,
    refused: bool,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
    over: bool,
}

impl Fold {
    /// Whether the answer has ended; nothing that still comes matters.
    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    /// Whether only usage can still come.
    pub(super) const fn has_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Takes the next frame.
    pub(super) fn frame(&mut self, frame: &Frame, out: &mut Vec<Item>) {
        let data = frame.data.trim();
        if self.over || data.is_empty() {
            return;
        }
        if data == "[DONE]" {
            self.end(None, out);
            return;
        }
        match serde_json::from_str::<Value>(data) {
            Ok(body) if frame.event.as_deref() == Some("error") => {
                self.fail(Refusal::read(&body).into_error(None), out);
            }
            Ok(body) => self.body(body, out),
            Err(error) => self.fail(malformed(format!("a piece of the stream is not JSON: {error}")), out),
        }
    }

    /// Takes the frame that the end of the stream left open. It may be truncated, and then the stream was.
    pub(super) fn last_frame(&mut self, frame: &Frame, out: &mut Vec<Item>) {
        let data = frame.data.trim();
        if data == "[DONE]" || serde_json::from_str::<Value>(data).is_ok() {
            self.frame(frame, out);
        }
    }

    /// Takes one JSON body: a chunk of a stream, or a whole answer of a server that does not stream.
    pub(super) fn body(&mut self, body: Value, out: &mut Vec<Item>) {
        if self.over {
            return;
        }
        let refusal = Refusal::find(&body);
        let chunk = match serde_json::from_value::<Chunk>(body) {
            Ok(chunk) => chunk,
            Err(_) if refusal.is_some() => Chunk::default(),
            Err(error) => {
                return self.fail(
                    malformed(format!("a piece of the stream has another shape: {error}")),
                    out,
                );
            }
        };
        if let Some(refusal) = refusal {
            return self.fail(refusal.into_error(None), out);
        }
        if !self.started && (chunk.choices.is_some() || chunk.id.is_some()) {
            self.started = true;
            out.push(Ok(ChatEvent::Started {
                provider: ProviderKind::OpenAi,
                upstream_id: chunk.id.as_ref().and_then(Value::as_str).map(str::to_owned),
                model: chunk.model,
            }));
        }
        // Usage is cumulative where it comes more than once: the last one holds.
        let usage = chunk
            .usage
            .and_then(|usage| serde_json::from_value::<WireUsage>(usage).ok()?.normalised());
        self.usage = usage.or(self.usage);
        for choice in chunk.choices.unwrap_or_default() {
            if choice.index.unwrap_or(0) == 0 && !self.over {
                self.delta(choice.delta.or(choice.message).unwrap_or_default(), out);
                self.reason(choice.finish_reason.as_deref().unwrap_or_default(), out);
            }
        }
    }

    /// The stream ended, with or without a failure of the connection: decides what the answer was.
    pub(super) fn end(&mut self, failure: Option<ProviderError>, out: &mut Vec<Item>) {
        if self.over {
            return;
        }
        let empty = self.bytes == 0;
        match self.finish.take() {
            Some(FinishReason::Stop | FinishReason::Unknown(_)) if empty => {
                self.fail(malformed("the answer is empty".to_owned()), out);
            }
            Some(reason) => {
                self.over = true;
                out.extend(self.usage.take().map(|usage| Ok(ChatEvent::Usage(usage))));
                let reason = if self.refused {
                    FinishReason::ContentFilter
                } else {
                    reason
                };
                out.push(Ok(ChatEvent::Finish(reason)));
            }
            None if empty => {
                let (category, message) = if self.started {
                    (Category::Malformed, "the stream ended before the answer began")
                } else {
                    (Category::Network, "the connection ended before the answer began")
                };
                self.fail(failure.unwrap_or_else(|| local(category, message.to_owned())), out);
            }
            None => {
                let timeout = failure
                    .as_ref()
                    .is_some_and(|failure| failure.category == Category::Timeout);
                let cut = failure.map_or_else(
                    || "the stream ended before the answer did".to_owned(),
                    |failure| format!("the stream broke before the answer ended: {}", failure.message),
                );
                self.fail(local(if timeout { Category::Timeout } else { Category::Cut }, cut), out);
            }
        }
    }

    /// Ends the answer with a failure. What the provider counted so far was spent, so it is told first.
    pub(super) fn fail(&mut self, error: ProviderError, out: &mut Vec<Item>) {
        if !std::mem::replace(&mut self.over, true) {
            out.extend(self.usage.take().map(|usage| Ok(ChatEvent::Usage(usage))));
            out.push(Err(error));
        }
    }

    fn delta(&mut self, delta: Delta, out: &mut Vec<Item>) {
        let thought = [delta.reasoning, delta.reasoning_content]
            .into_iter()
            .flatten()
            .find_map(|value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned));
        self.text(thought.unwrap_or_default(), ChatEvent::Reasoning, out);
        self.text(
            delta.content.map(super::wire::Content::into_text).unwrap_or_default(),
            ChatEvent::Text,
            out,
        );
        let refusal = delta.refusal.unwrap_or_default();
        self.refused |= !refusal.is_empty();
        self.text(refusal, ChatEvent::Text, out);
    }

    fn text(&mut self, mut text: String, event: fn(String) -> ChatEvent, out: &mut Vec<Item>) {
        if self.over || text.is_empty() {
            return;
        }
        let room = MAX_TEXT - self.bytes;
        let full = text.len() > room;
        if full {
            text.truncate(text.floor_char_boundary(room));
        }
        self.bytes += text.len();
        out.push(Ok(event(text)));
        if full {
            self.finish = Some(FinishReason::Length);
            self.end(None, out);
        }
    }

    fn reason(&mut self, word: &str, out: &mut Vec<Item>) {
        if self.over || word.is_empty() || self.finish.is_some() {
            return;
        }
        self.finish = Some(match word {
            "stop" => FinishReason::Stop,
            "length" => FinishReason::Length,
            "content_filter" => FinishReason::ContentFilter,
            "error" => {
                return self.fail(
                    local(Category::Upstream, "the provider ended with an error".to_owned()),
                    out,
                );
            }
            "insufficient_system_resource" => {
                return self.fail(
                    local(Category::Cut, "the provider ran out of resources".to_owned()),
                    out,
                );
            }
            other => FinishReason::Unknown(shorten(other)),
        });
    }
}

pub(super) fn local(category: Category, message: String) -> ProviderError {
    ProviderError::local(ProviderKind::OpenAi, category, message)
}

pub(super) fn malformed(message: String) -> ProviderError {
    local(Category::Malformed, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text_chunk(text: &str) -> Value {
        json!({"id": "c", "choices": [{"index": 0, "delta": {"content": text}}]})
    }

    #[test]
    fn a_flood_of_text_ends_at_the_limit_on_a_whole_character() {
        let mut fold = Fold::default();
        let mut out = Vec::new();
        let piece = "שלום ".repeat(10_000);
        while !fold.is_over() {
            fold.body(text_chunk(&piece), &mut out);
        }
        let text: usize = out
            .iter()
            .map(|item| {
                if let Ok(ChatEvent::Text(text)) = item {
                    text.len()
                } else {
                    0
                }
            })
            .sum();
        assert!(text <= MAX_TEXT && text > MAX_TEXT - 4, "{text}");
        assert_eq!(out.last(), Some(&Ok(ChatEvent::Finish(FinishReason::Length))));
        fold.body(text_chunk("more"), &mut out);
        assert_eq!(out.last(), Some(&Ok(ChatEvent::Finish(FinishReason::Length))));
    }

    #[test]
    fn the_first_finish_and_the_last_usage_hold() {
        let mut fold = Fold::default();
        let mut out = Vec::new();
        fold.body(text_chunk("a"), &mut out);
        for (reason, tokens) in [("length", 1), ("stop", 2)] {
            let usage = json!({"prompt_tokens": 5, "completion_tokens": tokens});
            fold.body(
                json!({"choices": [{"delta": null, "finish_reason": reason}], "usage": usage}),
                &mut out,
            );
        }
        fold.end(None, &mut out);
        let usage = Usage {
            input_total: 5,
            output_total: 2,
            ..Usage::default()
        };
        assert_eq!(
            out[2..],
            [Ok(ChatEvent::Usage(usage)), Ok(ChatEvent::Finish(FinishReason::Length))]
        );
    }
}
