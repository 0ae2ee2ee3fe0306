//! Messages: a tree, so that nothing anyone wrote or received is ever overwritten.

use crate::{
    clock::Time,
    id::{ConversationId, FileId, MessageId},
    money::MicroUsd,
    providers::{chat::Speaker, routing::Failover},
};

/// Characters of a citation's snippet at most.
pub const SNIPPET_CHARS: usize = 300;

/// How far an answer is. A person's message is always `Complete`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// All there.
    Complete,
    /// Being written.
    Streaming,
    /// Ended by the reader; the text so far is kept.
    Stopped,
    /// Ended by a failure after it began; the text so far is kept.
    Interrupted,
    /// Failed before it began.
    Error,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Complete,
        Self::Streaming,
        Self::Stopped,
        Self::Interrupted,
        Self::Error,
    ];

    /// The name in columns and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Streaming => "streaming",
            Self::Stopped => "stopped",
            Self::Interrupted => "interrupted",
            Self::Error => "error",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// Whether the files were searched for an answer, and with what luck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetrievalOutcome {
    /// Passages were found.
    Ok,
    /// Nothing relevant was found.
    None,
    /// The search failed; the answer was written without the files.
    Unavailable,
}

impl RetrievalOutcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ok, Self::None, Self::Unavailable];

    /// The name in columns and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::None => "none",
            Self::Unavailable => "unavailable",
        }
    }

    /// The outcome of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == name)
    }
}

/// A passage that an answer rests on, made from the rows that were found, never from the model's words.
#[derive(Debug, Clone, PartialEq)]
pub struct Citation {
    /// The number by which the text cites it, from 1.
    pub index: u32,
    /// The file.
    pub file: FileId,
    /// Its name when it was cited.
    pub filename: String,
    /// Which chunk of the file.
    pub chunk_index: u32,
    /// The last chunk of the file that it holds: the same one, unless neighbours were joined.
    pub last_chunk_index: u32,
    /// The page it begins on.
    pub page: Option<u32>,
    /// Where it begins in the extracted text, in characters.
    pub start: u32,
    /// Where it ends, exclusive.
    pub end: u32,
    /// Calibrated relevance, 0–1.
    pub score: f32,
    /// Raw cosine, if the passage was found by its vector.
    pub cosine: Option<f32>,
    /// The headings it stands under, the outermost first.
    pub heading: Option<String>,
    /// Its beginning, plain text of at most [`SNIPPET_CHARS`] characters.
    pub snippet: String,
    /// Why it was found; `None` for answers from before that was kept.
    pub why: Option<Why>,
}

/// Why a passage was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Why {
    /// Its place by vector, from 1.
    pub vector_rank: Option<u32>,
    /// Its place by keywords, from 1.
    pub keyword_rank: Option<u32>,
    /// Its place in both together, from 1.
    pub fused_rank: u32,
    /// The words of the question that stand in it.
    pub matched_words: Vec<String>,
    /// The relevance that the best passage had to have.
    pub threshold: f32,
}

/// Tokens that an exchange used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokensUsed {
    /// Of the prompt.
    pub prompt: u64,
    /// Of the answer.
    pub completion: u64,
    /// Counted by us because the provider did not say.
    pub estimated: bool,
    /// What it cost; `None` for answers from before costs were kept.
    pub cost: Option<MicroUsd>,
}

impl TokensUsed {
    /// Both together; an estimate if either is one.
    #[must_use]
    pub fn and(self, more: Self) -> Self {
        Self {
            prompt: self.prompt.saturating_add(more.prompt),
            completion: self.completion.saturating_add(more.completion),
            estimated: self.estimated || more.estimated,
            cost: match (self.cost, more.cost) {
                (Some(cost), Some(more)) => Some(cost + more),
                (cost, more) => cost.or(more),
            },
        }
    }
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Which.
    pub id: MessageId,
    /// Of which conversation.
    pub conversation: ConversationId,
    /// The message it follows; none for the first.
    pub parent: Option<MessageId>,
    /// Its place among the children of its parent, from 0.
    pub sibling_index: u32,
    /// How many children its parent has.
    pub sibling_count: u32,
    /// Its place in the conversation's history, from 1 without gaps.
    pub seq: i64,
    /// Who said it.
    pub speaker: Speaker,
    /// The words.
    pub content: String,
    /// The model that answered or is to answer.
    pub model: Option<String>,
    /// The provider that answered.
    pub provider: Option<String>,
    /// How far it is.
    pub state: State,
    /// The contract's name of what went wrong, and a sentence about it.
    pub error: Option<(String, String)>,
    /// Why it ended: stop, length, content_filter or stopped.
    pub finish_reason: Option<String>,
    /// What it used.
    pub tokens: Option<TokensUsed>,
    /// What it rests on.
    pub citations: Vec<Citation>,
    /// Who answered in whose place, if somebody did.
    pub failover: Option<Failover>,
    /// Whether the files were searched for it; none for people's messages and assistants without files.
    pub retrieval: Option<RetrievalOutcome>,
    /// When it was corrected in place.
    pub edited_at: Option<Time>,
    /// When it was made.
    pub created_at: Time,
}
