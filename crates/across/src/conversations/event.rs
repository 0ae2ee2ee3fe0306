//! What a reader of an answer is told, in this order: one start, citations, a notice, words, title, usage, one ending.

use crate::{
    conversations::message::{Citation, RetrievalOutcome, TokensUsed},
    id::{ConversationId, MessageId},
    providers::routing::Failover,
};

/// One thing told to every reader of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The answer exists; always first.
    Start {
        /// The answer.
        message: MessageId,
        /// The question it answers.
        question: MessageId,
        /// The conversation.
        conversation: ConversationId,
        /// The model that writes it.
        model: String,
    },
    /// What the answer rests on; at most once, before the first words.
    Citations {
        /// With what luck the files were searched.
        outcome: RetrievalOutcome,
        /// The passages.
        citations: Vec<Citation>,
    },
    /// Somebody else answers than who should have; before the first words.
    Failover(Failover),
    /// Words.
    Chunk(String),
    /// What the conversation is called from now on.
    Title(String),
    /// What it used; the last thing before the end.
    Usage(TokensUsed),
    /// The end of an answer that was recorded as complete or stopped.
    Done {
        /// The answer.
        message: MessageId,
        /// stop, length, content_filter or stopped.
        finish_reason: String,
        /// What it used.
        tokens: TokensUsed,
    },
    /// The end of an answer that failed.
    Failed(Failure),
}

impl Event {
    /// Whether nothing comes after it.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Failed(_))
    }
}

/// What kind of failure ended an answer; the contract has a name for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The provider refused or failed.
    Provider,
    /// The provider did not answer in time.
    ProviderTimeout,
    /// The provider's stream broke off.
    Interrupted,
    /// The reader may no longer read.
    SignedOut,
    /// The platform is shutting down or its database is gone.
    Unavailable,
    /// A defect of ours.
    Internal,
}

impl FailureKind {
    /// All of them.
    const ALL: [Self; 6] = [
        Self::Provider,
        Self::ProviderTimeout,
        Self::Interrupted,
        Self::SignedOut,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The contract's name, which is also what is recorded with the message.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provider => "ProviderError",
            Self::ProviderTimeout => "ProviderTimeoutError",
            Self::Interrupted => "ProviderStreamInterruptedError",
            Self::SignedOut => "AuthenticationError",
            Self::Unavailable => "ServiceUnavailableError",
            Self::Internal => "InternalError",
        }
    }

    /// The kind of that name; an unknown name is an interruption.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .unwrap_or(Self::Interrupted)
    }
}

/// How an answer failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// A sentence for the reader.
    pub sentence: String,
    /// Whether trying again may help.
    pub retryable: bool,
    /// The answer.
    pub message: MessageId,
    /// Whether there is text that was kept.
    pub has_text: bool,
}
