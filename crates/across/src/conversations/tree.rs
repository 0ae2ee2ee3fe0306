//! The tree of a conversation's messages: its paths, the head that names the active one, copies of a path, and corrections.

use async_trait::async_trait;

use crate::{
    clock::Time,
    conversations::{conversation::Conversation, message::Message},
    fault::StoreError,
    id::{ConversationId, MessageId, UserId},
    money::MicroUsd,
    providers::chat::Speaker,
};

/// Where a path from the root ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathEnd {
    /// At the head: the active path.
    Head,
    /// At this message.
    At(MessageId),
}

/// What was said with a message: as much of it as a model may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The message.
    pub id: MessageId,
    /// The one before it on every path through it; the first of a path has none.
    pub parent: Option<MessageId>,
    /// Who said it.
    pub speaker: Speaker,
    /// The words.
    pub content: String,
}

/// A copy of a path that is to become a conversation of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fork {
    /// Whose both conversations are.
    pub owner: UserId,
    /// The conversation that is copied from.
    pub from: ConversationId,
    /// The last message of the copied path.
    pub upto: MessageId,
    /// The new conversation's id.
    pub id: ConversationId,
    /// When.
    pub at: Time,
}

/// What became of copying a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forked {
    /// The new conversation.
    Yes(Box<Conversation>),
    /// There is no such message in such a conversation of this person.
    Missing,
    /// The assistant is archived.
    AssistantDeleted,
    /// An answer on the path is being written.
    Busy(MessageId),
    /// The person has as many conversations as one may have.
    TooMany,
}

/// What became of correcting a message in place.
#[derive(Debug, Clone, PartialEq)]
pub enum Corrected {
    /// The message as it is now.
    Yes(Box<Message>),
    /// There is no such message in such a conversation of this person.
    Missing,
    /// The assistant is archived: the conversation can be read only.
    AssistantDeleted,
    /// It is being written.
    Busy,
}

/// Remembers the tree. Every question names the owner.
#[async_trait]
pub trait MessageTree: Send + Sync {
    /// What was said last, in at most `limit` messages, on the path from the root to `end`, oldest first. Nothing if there
    /// is no such message in such a conversation of this person.
    async fn path_to(
        &self,
        owner: UserId,
        conversation: ConversationId,
        end: PathEnd,
        limit: u64,
    ) -> Result<Vec<Said>, StoreError>;

    /// Makes the newest leaf below a message, or the message itself if it is one, the head. `None` unless all three belong
    /// together.
    async fn move_head(
        &self,
        owner: UserId,
        conversation: ConversationId,
        message: MessageId,
        at: Time,
    ) -> Result<Option<Conversation>, StoreError>;

    /// Copies the path up to a message into a new conversation with the same assistant and title, in one transaction. What
    /// the copied answers used stays with the conversation that used it.
    async fn fork_conversation(&self, fork: Fork) -> Result<Forked, StoreError>;

    /// Replaces the words of a message, in place.
    async fn correct_message(
        &self,
        owner: UserId,
        conversation: ConversationId,
        message: MessageId,
        content: String,
        at: Time,
    ) -> Result<Corrected, StoreError>;

    /// What all calls made for a conversation cost; nothing if it is not this person's.
    async fn conversation_cost(&self, owner: UserId, conversation: ConversationId) -> Result<MicroUsd, StoreError>;
}
