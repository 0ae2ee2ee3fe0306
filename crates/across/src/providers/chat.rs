//! The vocabulary of a chat with a model: what is asked, and the events in which the answer arrives.

use std::pin::Pin;

use futures::Stream;

use crate::{
    money::MicroUsd,
    providers::{failure::ProviderError, model::ProviderKind},
};

/// Who said something in the history that a model is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// The person.
    User,
    /// An earlier answer.
    Assistant,
}

/// One thing said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// By whom.
    pub speaker: Speaker,
    /// The words.
    pub text: String,
}

/// A passage that the answer may rest on. The system prompt holds its text already; it is here once more for a provider
/// that is not a language model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Material {
    /// The number by which the answer cites it, from 1.
    pub index: u32,
    /// The file it comes from.
    pub filename: String,
    /// The page it stands on, where the format has pages.
    pub page: Option<u32>,
    /// The headings it stands under, the outermost first.
    pub heading: Option<String>,
    /// Its text.
    pub text: String,
}

/// What a model is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatRequest {
    /// The model's id, as its provider knows it.
    pub model: String,
    /// The frame: instructions and materials.
    pub system: Option<String>,
    /// The conversation so far, the question last.
    pub turns: Vec<Turn>,
    /// Passages behind the materials in `system`.
    pub materials: Vec<Material>,
    /// Sampling temperature, 0–2.
    pub temperature: f64,
    /// Tokens of the answer at most.
    pub max_output: u32,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FinishReason {
    /// It was complete.
    Stop,
    /// It reached the length limit.
    Length,
    /// The provider withheld the rest.
    ContentFilter,
    /// A word we do not know; treated as complete.
    Unknown(String),
}

/// Tokens of one call, as counted by the provider. Totals include what is listed beside them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of the prompt, cached ones and those written to the cache included.
    pub input_total: u64,
    /// Of these, tokens read from the provider's cache.
    pub input_cached: u64,
    /// Of these, tokens written to the provider's cache for five minutes, or for as long as the provider keeps them.
    pub cache_write: u64,
    /// Of these, tokens written to the provider's cache for an hour.
    pub cache_write_1h: u64,
    /// Tokens of the answer, hidden reasoning included.
    pub output_total: u64,
    /// Of these, tokens of hidden reasoning.
    pub output_reasoning: u64,
    /// What the provider says it charges, rounded up to a whole micro-dollar, if it says so.
    pub cost: Option<MicroUsd>,
    /// The provider's own words (JSON of at most [`RAW_BYTES`]), kept so that costs can be made out again later.
    pub raw: Option<String>,
}

/// Bytes of a provider's own account of its tokens that are kept; a longer one is not.
pub const RAW_BYTES: usize = 4 * 1024;

/// Something that arrived. A failure is not an event but the stream's error; the end of the transport is neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatEvent {
    /// The provider began; what it calls this answer and the model that writes it. It may come twice, the second time with
    /// what was not known the first time; the last one holds.
    Started {
        /// Who answers.
        provider: ProviderKind,
        /// The provider's name for this answer.
        upstream_id: Option<String>,
        /// The model that really answers, where the provider says so.
        model: Option<String>,
    },
    /// Words of the answer.
    Text(String),
    /// Words of hidden reasoning.
    Reasoning(String),
    /// The provider's count; the last one holds.
    Usage(Usage),
    /// The answer ended.
    Finish(FinishReason),
}

/// An answer as it arrives. A stream that ends without [`ChatEvent::Finish`] was cut.
pub type ChatStream = Pin<Box<dyn Stream<Item = Result<ChatEvent, ProviderError>> + Send>>;
