//! Gemini's chunks folded into an [`Answer`]. Pure: bytes, clocks and connections are the caller's.
//!
//! Nothing marks the end but the end of the stream. A reason to finish can come early and words after it, so the last
//! one holds.

use across::providers::{
    chat::{FinishReason, Usage},
    failure::Category,
};
use serde_json::Value;

use super::wire::{Candidate, Chunk, WireUsage};
use crate::{
    answer::{Answer, Fold, raw},
    http::shorten,
};

/// Every chunk speaks for itself.
pub(super) struct Chunks;

impl Fold for Chunks {
    fn body(&mut self, body: Value, answer: &mut Answer) {
        let chunk = match serde_json::from_value::<Chunk>(body) {
            Ok(chunk) => chunk,
            Err(error) => {
                let message = format!("a piece of the stream has another shape: {error}");
                return answer.fail_with(Category::Malformed, message);
            }
        };
        if chunk.candidates.is_some() || chunk.response_id.is_some() || chunk.prompt_feedback.is_some() {
            answer.start(chunk.response_id, chunk.model_version);
        }
        let told = chunk.usage_metadata;
        let counted = told
            .as_ref()
            .and_then(|usage| serde_json::from_value(usage.clone()).ok());
        if let Some(usage) = counted.and_then(|usage: WireUsage| usage.normalised()) {
            answer.count(Usage {
                raw: told.as_ref().and_then(raw),
                ..usage
            });
        }
        for candidate in chunk.candidates.unwrap_or_default() {
            if candidate.index.unwrap_or(0) == 0 {
                say(candidate, answer);
            }
        }
        if chunk
            .prompt_feedback
            .and_then(|feedback| feedback.block_reason)
            .is_some()
        {
            answer.withhold();
            answer.finish(FinishReason::ContentFilter);
        }
    }
}

fn say(candidate: Candidate, answer: &mut Answer) {
    let parts = candidate.content.and_then(|content| content.parts);
    for part in parts.unwrap_or_default() {
        let text = part.text.unwrap_or_default();
        if part.thought == Some(true) {
            answer.reasoning(text);
        } else {
            answer.text(text);
        }
    }
    let reason = candidate.finish_reason.unwrap_or_default();
    if answer.is_over() {
        return;
    }
    match reason.as_str() {
        "" => {}
        "STOP" => answer.finish(FinishReason::Stop),
        "MAX_TOKENS" | "CONTINUATION" => answer.finish(FinishReason::Length),
        "SAFETY" | "RECITATION" | "LANGUAGE" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "OTHER" | "NO_IMAGE"
        | "MODEL_ARMOR" | "ESCALATION" => answer.finish(FinishReason::ContentFilter),
        word if word.starts_with("IMAGE_") => answer.finish(FinishReason::ContentFilter),
        "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MISSING_THOUGHT_SIGNATURE"
        | "MALFORMED_RESPONSE" => {
            let words = candidate.finish_message.unwrap_or_default();
            let message = format!("the provider ended with {reason}: {}", shorten(&words));
            answer.fail_with(Category::Upstream, message);
        }
        other => answer.finish(FinishReason::Unknown(shorten(other))),
    }
}
