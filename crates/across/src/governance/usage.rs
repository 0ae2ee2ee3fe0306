//! What was used: one row for every call to a provider, and the sums over them.

use async_trait::async_trait;

use crate::{
    clock::Time,
    fault::StoreError,
    governance::meter::Particulars,
    id::{AssistantId, ConversationId, MessageId, UsageId, UserId},
    money::MicroUsd,
    page::{Page, PageRequest},
};

/// What a call to a provider was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// An answer to a person.
    Chat,
    /// A title for a conversation.
    Title,
    /// Vectors of a file's passages.
    EmbedFile,
    /// The vector of a question.
    EmbedQuery,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Chat, Self::Title, Self::EmbedFile, Self::EmbedQuery];

    /// The name in columns and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Title => "title",
            Self::EmbedFile => "embed_file",
            Self::EmbedQuery => "embed_query",
        }
    }

    /// The purpose of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == name)
    }

    /// Whether the call is one that a person asked for, and counts against a quota's requests. What the platform does to
    /// answer it counts with its tokens and its cost only.
    #[must_use]
    pub const fn is_request(self) -> bool {
        matches!(self, Self::Chat)
    }
}

/// A row of the usage log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    /// Which.
    pub id: UsageId,
    /// Who caused it; kept when the account is deleted.
    pub user: Option<UserId>,
    /// For which assistant.
    pub assistant: Option<AssistantId>,
    /// In which conversation, while it exists.
    pub conversation: Option<ConversationId>,
    /// For which answer.
    pub message: Option<MessageId>,
    /// What for.
    pub purpose: Purpose,
    /// Who was called.
    pub provider: String,
    /// The model that worked.
    pub model: String,
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    pub completion_tokens: u64,
    /// What it cost.
    pub cost: MicroUsd,
    /// Counted by us because the provider did not say.
    pub estimated: bool,
    /// What else is known.
    pub more: Particulars,
    /// When it was admitted, which is the window it counts in.
    pub created_at: Time,
}

/// Which rows a list or a sum takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Not before this moment.
    pub from: Option<Time>,
    /// Before this moment.
    pub to: Option<Time>,
    /// Caused by this person.
    pub user: Option<UserId>,
    /// For this assistant.
    pub assistant: Option<AssistantId>,
    /// By this model.
    pub model: Option<String>,
}

/// What rows are summed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    /// The day in UTC, `YYYY-MM-DD`.
    Day,
    /// Who caused them.
    User,
    /// The assistant.
    Assistant,
    /// The model.
    Model,
}

/// A sum.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Total {
    /// Calls that a person asked for (see [`Purpose::is_request`]).
    pub requests: u64,
    /// Tokens of the prompts.
    pub prompt_tokens: u64,
    /// Tokens of the answers.
    pub completion_tokens: u64,
    /// What they cost.
    pub cost: MicroUsd,
}

impl Total {
    /// Tokens in all.
    #[must_use]
    pub const fn tokens(&self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }
}

/// The sum of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The day, id or model; empty for rows without one.
    pub key: String,
    /// What people call it, where that is not the key itself and it still exists.
    pub label: Option<String>,
    /// The model, when days are split by it.
    pub split: Option<String>,
    /// The sum.
    pub total: Total,
}

/// Answers questions about what was used. Writing is the meter's.
#[async_trait]
pub trait UsageLog: Send + Sync {
    /// Newest first.
    async fn list_usage(&self, filter: &Filter, page: PageRequest) -> Result<Page<UsageRow>, StoreError>;

    /// The rows after `after` in the order newest first, at most `limit`: for exports of any length, without a total.
    async fn next_usage(
        &self,
        filter: &Filter,
        after: Option<(Time, UsageId)>,
        limit: u64,
    ) -> Result<Vec<UsageRow>, StoreError>;

    /// Sums by group, dearest first, days in their order; `split` also by model.
    async fn sum_usage(&self, filter: &Filter, by: GroupBy, split: bool) -> Result<Vec<Group>, StoreError>;

    /// One sum of all.
    async fn total_usage(&self, filter: &Filter) -> Result<Total, StoreError>;

    /// What each of these people used since `from`; nobody without usage is in it.
    async fn usage_of(&self, users: &[UserId], from: Time) -> Result<Vec<(UserId, Total)>, StoreError>;
}
