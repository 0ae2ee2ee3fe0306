//! An answer as far as it has arrived: what every vendor's events are folded into, and what its end means. Pure: bytes,
//! clocks and connections are the caller's.

use std::collections::VecDeque;

use across::providers::{
    chat::{ChatEvent, FinishReason, RAW_BYTES, Usage},
    failure::{Category, ProviderError},
    model::ProviderKind,
};
use serde_json::Value;

/// The most text that one answer may bring, hidden reasoning included, in bytes.
pub(crate) const MAX_TEXT: usize = 1024 * 1024;

/// What a stream of an answer yields.
pub(crate) type Item = Result<ChatEvent, ProviderError>;

/// A vendor's events, folded one JSON body at a time into an [`Answer`]: the pieces of a stream, or a whole answer of a
/// server that does not stream.
pub(crate) trait Fold: Send + Sync {
    /// Takes the next body, which is no refusal.
    fn body(&mut self, body: Value, answer: &mut Answer);
}

/// Where an answer stands. The finish and the last usage are held back until the end of the stream, because usage may
/// come after the finish, and more than once.
#[derive(Debug)]
pub(crate) struct Answer {
    kind: ProviderKind,
    upstream_id: Option<String>,
    model: Option<String>,
    started: bool,
    bytes: usize,
    withheld: bool,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
    over: bool,
    whole: bool,
    ready: VecDeque<Item>,
}

impl Answer {
    /// An answer of which nothing has arrived.
    pub(crate) const fn new(kind: ProviderKind) -> Self {
        Self {
            kind,
            upstream_id: None,
            model: None,
            started: false,
            bytes: 0,
            withheld: false,
            finish: None,
            usage: None,
            over: false,
            whole: false,
            ready: VecDeque::new(),
        }
    }

    /// Whether the answer has ended; nothing that still comes matters.
    pub(crate) const fn is_over(&self) -> bool {
        self.over
    }

    /// Whether it has ended, and not with a failure.
    pub(crate) const fn is_whole(&self) -> bool {
        self.whole
    }

    /// Whether a reason to finish was seen.
    pub(crate) const fn has_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Whether something waits to be taken.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes the next thing that has arrived.
    pub(crate) fn take(&mut self) -> Option<Item> {
        self.ready.pop_front()
    }

    /// Bytes of words that have come, hidden reasoning included.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there is anything that a reader could be told: words, or a reason to finish without any.
    pub(crate) const fn has_content(&self) -> bool {
        self.bytes > 0 || self.finish.is_some()
    }

    /// The vendor began to answer. What it calls the answer and who writes it may become known one after the other; said
    /// again, it is told only if it says more. The first name holds.
    pub(crate) fn start(&mut self, upstream_id: Option<String>, model: Option<String>) {
        if self.over {
            return;
        }
        let begins = !std::mem::replace(&mut self.started, true);
        let says_more =
            (self.upstream_id.is_none() && upstream_id.is_some()) || (self.model.is_none() && model.is_some());
        if !begins && !says_more {
            return;
        }
        self.upstream_id = self.upstream_id.take().or(upstream_id);
        self.model = self.model.take().or(model);
        self.ready.push_back(Ok(ChatEvent::Started {
            provider: self.kind,
            upstream_id: self.upstream_id.clone(),
            model: self.model.clone(),
        }));
    }

    /// Words of the answer.
    pub(crate) fn text(&mut self, text: String) {
        self.words(text, ChatEvent::Text);
    }

    /// Words of hidden reasoning.
    pub(crate) fn reasoning(&mut self, text: String) {
        self.words(text, ChatEvent::Reasoning);
    }

    /// The vendor's count so far. It is cumulative where it comes more than once: the last one holds.
    pub(crate) fn count(&mut self, usage: Usage) {
        self.usage = Some(usage);
    }

    /// The vendor withheld something, whatever reason it gives at the end.
    pub(crate) const fn withhold(&mut self) {
        self.withheld = true;
    }

    /// A reason to finish; the last one holds.
    pub(crate) fn finish(&mut self, reason: FinishReason) {
        self.finish = Some(reason);
    }

    /// Ends the answer with a failure. What the provider counted so far was spent, so it is told first.
    pub(crate) fn fail(&mut self, error: ProviderError) {
        if !std::mem::replace(&mut self.over, true) {
            self.tell_usage();
            self.ready.push_back(Err(error));
        }
    }

    /// Ends the answer with a failure that no vendor named.
    pub(crate) fn fail_with(&mut self, category: Category, message: impl Into<String>) {
        self.fail(ProviderError::local(self.kind, category, message));
    }

    /// The stream ended, with or without a failure of the connection: decides what the answer was.
    pub(crate) fn end(&mut self, failure: Option<ProviderError>) {
        if self.over {
            return;
        }
        let empty = self.bytes == 0;
        match self.finish.take() {
            Some(FinishReason::Stop | FinishReason::Unknown(_)) if empty && !self.withheld => {
                self.fail_with(Category::Malformed, "the answer is empty");
            }
            Some(reason) => {
                self.over = true;
                self.whole = true;
                self.tell_usage();
                let reason = if self.withheld {
                    FinishReason::ContentFilter
                } else {
                    reason
                };
                self.ready.push_back(Ok(ChatEvent::Finish(reason)));
            }
            None if empty => {
                // The request was received, so it is not known what became of it.
                let message = "the stream ended before the answer began";
                self.fail(failure.unwrap_or_else(|| ProviderError::local(self.kind, Category::Cut, message)));
            }
            None => {
                let timeout = failure
                    .as_ref()
                    .is_some_and(|failure| failure.category == Category::Timeout);
                let cut = failure.map_or_else(
                    || "the stream ended before the answer did".to_owned(),
                    |failure| format!("the stream broke before the answer ended: {}", failure.message),
                );
                self.fail_with(if timeout { Category::Timeout } else { Category::Cut }, cut);
            }
        }
    }

    fn tell_usage(&mut self) {
        self.ready
            .extend(self.usage.take().map(|usage| Ok(ChatEvent::Usage(usage))));
    }

    fn words(&mut self, mut text: String, event: fn(String) -> ChatEvent) {
        if self.over || text.is_empty() {
            return;
        }
        let room = MAX_TEXT - self.bytes;
        let full = text.len() > room;
        if full {
            text.truncate(text.floor_char_boundary(room));
        }
        self.bytes += text.len();
        self.ready.push_back(Ok(event(text)));
        if full {
            self.finish = Some(FinishReason::Length);
            self.end(None);
        }
    }
}

/// The provider's own account of its tokens as it is kept: not at all if it is longer than any should be.
pub(crate) fn raw(usage: &Value) -> Option<String> {
    let text = usage.to_string();
    (text.len() <= RAW_BYTES).then_some(text)
}

/// A token count that can be true: whole, not negative, at most a billion. Some servers send floats or nonsense.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range check before makes the conversion exact"
)]
pub(crate) fn count(value: Option<f64>) -> Option<u64> {
    value
        .filter(|value| (0.0..=1e9).contains(value))
        .map(|value| value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(answer: &mut Answer) -> Vec<Item> {
        std::iter::from_fn(|| answer.take()).collect()
    }

    #[test]
    fn a_flood_of_text_ends_at_the_limit_on_a_whole_character() {
        let mut answer = Answer::new(ProviderKind::OpenAi);
        let piece = "שלום ".repeat(10_000);
        while !answer.is_over() {
            answer.text(piece.clone());
        }
        answer.text("more".to_owned());
        let mut items = items(&mut answer);
        assert_eq!(items.pop(), Some(Ok(ChatEvent::Finish(FinishReason::Length))));
        let length = |item: &Item| matches!(item, Ok(ChatEvent::Text(_))).then(|| item.as_ref().map_or(0, words));
        let text: usize = items.iter().filter_map(length).sum();
        assert!(text <= MAX_TEXT && text > MAX_TEXT - 4, "{text}");
    }

    fn words(event: &ChatEvent) -> usize {
        if let ChatEvent::Text(text) = event {
            text.len()
        } else {
            0
        }
    }

    #[test]
    fn what_was_counted_is_told_before_a_failure() {
        let mut answer = Answer::new(ProviderKind::Anthropic);
        let usage = Usage {
            input_total: 5,
            ..Usage::default()
        };
        answer.count(usage.clone());
        answer.end(None);
        let items = items(&mut answer);
        assert_eq!(items[0], Ok(ChatEvent::Usage(usage)));
        assert_eq!(items[1].as_ref().unwrap_err().category, Category::Cut);
        assert_eq!(items.len(), 2);
    }
}
