//! Texts for embedding in portions that one request may hold.

use across::providers::{
    failure::{Category, ProviderError},
    tokens::estimate,
};

/// Tokens in one request at most, as we count them; OpenAI takes 300,000.
const MAX_TOKENS: usize = 250_000;

/// Portions of texts that are still to be sent, in order.
pub(crate) struct Batches<'a> {
    /// The last is the next.
    waiting: Vec<&'a [String]>,
}

impl<'a> Batches<'a> {
    /// Portions of at most `limit` texts and 250,000 tokens; a text alone may have more.
    pub(crate) fn of(texts: &'a [String], limit: usize) -> Self {
        // A token is at least a byte: where even a whole portion of such texts has room, nothing need be counted.
        let weigh = |text: &String| match text.len() {
            short if short * limit <= MAX_TOKENS => short,
            _ => usize::try_from(estimate(text)).unwrap_or(usize::MAX),
        };
        let mut waiting = Vec::new();
        let (mut start, mut tokens) = (0, 0usize);
        for (index, text) in texts.iter().enumerate() {
            let more = weigh(text);
            if index > start && (index - start == limit || tokens.saturating_add(more) > MAX_TOKENS) {
                waiting.extend(texts.get(start..index));
                (start, tokens) = (index, 0);
            }
            tokens = tokens.saturating_add(more);
        }
        waiting.extend(texts.get(start..).filter(|rest| !rest.is_empty()));
        waiting.reverse();
        Self { waiting }
    }

    /// The next portion.
    pub(crate) fn next(&mut self) -> Option<&'a [String]> {
        self.waiting.pop()
    }

    /// Puts the halves of a refused portion in its place if that may help: some servers take less at once than others.
    pub(crate) fn halve(&mut self, batch: &'a [String], error: &ProviderError) -> bool {
        let is_too_much = matches!(error.category, Category::TooLong | Category::TooLarge);
        if batch.len() > 1 && is_too_much {
            let (left, right) = batch.split_at(batch.len() / 2);
            self.waiting.extend([right, left]);
        }
        batch.len() > 1 && is_too_much
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(texts: &[String], limit: usize) -> Vec<usize> {
        let mut batches = Batches::of(texts, limit);
        std::iter::from_fn(|| batches.next()).map(<[String]>::len).collect()
    }

    #[test]
    fn batches_keep_both_limits_and_the_order() {
        assert_eq!(sizes(&vec!["x".to_owned(); 130], 64), [64, 64, 2]);
        assert_eq!(sizes(&[], 64), Vec::<usize>::new());
        let big = " word".repeat(MAX_TOKENS - 6);
        let bigger = " word".repeat(MAX_TOKENS + 1);
        let short = || "word".to_owned();
        assert_eq!(sizes(&[big.clone(), short(), short(), bigger, big], 64), [2, 1, 1, 1]);
        // Long ones in bytes that are few in tokens still go together.
        assert_eq!(sizes(&vec![" word".repeat(2_000); 64], 64), [64]);
    }
}
