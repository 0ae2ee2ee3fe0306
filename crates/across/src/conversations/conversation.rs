//! Conversations, each owned by one person, and what remembers them. Every question names the owner: another person's
//! conversation is answered exactly as one that does not exist.

use async_trait::async_trait;

use crate::{
    clock::Time,
    conversations::message::{Citation, Message, RetrievalOutcome, State, TokensUsed},
    fault::StoreError,
    governance::{
        meter::{Reservation, Spent},
        quota::Refusal,
    },
    id::{AssistantId, ConversationId, InstallationId, MessageId, UserId},
    page::{Page, PageRequest},
    providers::routing::Failover,
    replay::RequestKey,
};

/// Characters of a title at most.
pub const TITLE_MAX: usize = 200;
/// Messages of a conversation at most.
pub const MAX_MESSAGES: i64 = 10_000;
/// Conversations of one person at most.
pub const MAX_CONVERSATIONS: u64 = 20_000;

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Which.
    pub id: ConversationId,
    /// Whose.
    pub owner: UserId,
    /// With which assistant.
    pub assistant: AssistantId,
    /// The assistant's name now.
    pub assistant_name: String,
    /// Whether the assistant is archived: then the conversation can be read only.
    pub assistant_deleted: bool,
    /// What it is called; empty until it has a first message or a given title.
    pub title: String,
    /// Messages on all branches.
    pub message_count: u64,
    /// When the last message was made.
    pub last_message_at: Option<Time>,
    /// The answer being written now, if one is.
    pub generating: Option<MessageId>,
    /// The leaf of the active path.
    pub head: Option<MessageId>,
    /// When it was made.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

/// What became of starting a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// It exists.
    Yes(Box<Conversation>),
    /// There is no such assistant, or it is archived.
    NoAssistant,
    /// The person has [`MAX_CONVERSATIONS`] already.
    TooMany,
}

/// Which conversations a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// With this assistant only.
    pub assistant: Option<AssistantId>,
    /// With this in the title, in any case.
    pub search: Option<String>,
}

/// Which messages a list shows and in what order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MessageFilter {
    /// Messages of all branches, not only of the active path.
    pub all_branches: bool,
    /// Newest first.
    pub descending: bool,
}

/// A new question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Its id.
    pub id: MessageId,
    /// Its words.
    pub content: String,
}

/// Where a turn stands in the tree of its conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TurnPlace {
    /// Question and answer follow the head.
    End(Question),
    /// Question and answer stand beside this question.
    Beside(MessageId, Question),
    /// The answer follows a question that is there.
    Below {
        /// The question.
        question: MessageId,
        /// Whether it must not have an answer yet.
        is_first: bool,
    },
    /// The answer is there and goes on.
    Again,
}

/// A question and the empty answer to it, about to be recorded; or an answer about to go on.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTurn {
    /// The conversation.
    pub conversation: ConversationId,
    /// Whose it must be.
    pub owner: UserId,
    /// Where it stands.
    pub place: TurnPlace,
    /// The answer's id.
    pub answer: MessageId,
    /// The model that is to answer.
    pub model: String,
    /// What the answer will rest on. One that goes on rests on what it did before.
    pub citations: Vec<Citation>,
    /// Whether the files were searched; likewise.
    pub retrieval: Option<RetrievalOutcome>,
    /// The title to give a conversation that has none.
    pub title: Option<String>,
    /// What the answer may use at most: set aside in the same transaction.
    pub call: Reservation,
    /// The request that asks for it, if it may be sent twice: answered by this answer from that moment on.
    pub request: Option<RequestKey>,
    /// Who writes the answer.
    pub writer: InstallationId,
    /// Until when the answer belongs to this process without a sign of life.
    pub lease_until: Time,
    /// When.
    pub at: Time,
}

/// Why a message is not one that this can be asked of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// It is an answer, and only questions are asked in other words.
    NotAQuestion,
    /// It is a question that has an answer.
    Answered,
    /// It is no answer that ended before its end.
    Whole,
}

/// Whose answers are being written by nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dead {
    /// Those of writers whose lease ran out.
    Expired,
    /// Those, and everything that this installation began: its process is about to begin anew.
    Installation(InstallationId),
    /// Everybody's: no other process can use the database.
    Everyone,
}

/// What became of recording a turn.
#[derive(Debug, Clone, PartialEq)]
pub enum Begun {
    /// Both messages are recorded: question and answer.
    Yes(Box<(Message, Message)>),
    /// There is no such conversation of this person, or no such message in it.
    Missing,
    /// An answer is being written already.
    Busy(MessageId),
    /// The assistant is archived.
    AssistantDeleted,
    /// The message that the turn refers to is not one for that.
    Unfit(Unfit),
    /// [`MAX_MESSAGES`] is reached.
    Full,
    /// A quota has no room for the answer; nothing was recorded.
    Refused(Box<Refusal>),
}

/// How far an answer is: what is saved while it is being written.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// All of its text so far.
    pub content: String,
    /// Who is writing it.
    pub provider: String,
    /// In whose place, if in somebody's.
    pub failover: Option<Failover>,
    /// Until when it belongs to this process without a further sign of life.
    pub lease_until: Time,
}

/// How an answer ended; everything that is recorded about it in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    /// All of its text.
    pub content: String,
    /// How far it came.
    pub state: State,
    /// The contract's name of what went wrong, and a sentence about it.
    pub error: Option<(String, String)>,
    /// Why it ended.
    pub finish_reason: Option<String>,
    /// Who answered.
    pub provider: Option<String>,
    /// In whose place, if in somebody's.
    pub failover: Option<Failover>,
    /// What it used, in all if it was written in several goes.
    pub tokens: Option<TokensUsed>,
    /// The same for the meter: settled in the same transaction.
    pub spent: Option<Spent>,
    /// When.
    pub at: Time,
}

/// Remembers conversations.
#[async_trait]
pub trait ConversationStore: Send + Sync {
    /// Starts a conversation.
    async fn create_conversation(
        &self,
        id: ConversationId,
        owner: UserId,
        assistant: AssistantId,
        title: &str,
        at: Time,
    ) -> Result<Created, StoreError>;

    /// The conversation, if it is this person's.
    async fn find_conversation(&self, owner: UserId, id: ConversationId) -> Result<Option<Conversation>, StoreError>;

    /// Newest activity first.
    async fn list_conversations(
        &self,
        owner: UserId,
        filter: &Filter,
        page: PageRequest,
    ) -> Result<Page<Conversation>, StoreError>;

    /// Renames it. `None` if it is not this person's.
    async fn rename_conversation(
        &self,
        owner: UserId,
        id: ConversationId,
        title: &str,
        at: Time,
    ) -> Result<Option<Conversation>, StoreError>;

    /// Gives it another title if it still has the old one: what a person called it stays. `false` if it was changed
    /// meanwhile, or is gone.
    async fn retitle_conversation(
        &self,
        id: ConversationId,
        old: &str,
        new: &str,
        at: Time,
    ) -> Result<bool, StoreError>;

    /// Deletes it with its messages. `false` if it is not this person's.
    async fn delete_conversation(&self, owner: UserId, id: ConversationId) -> Result<bool, StoreError>;

    /// Its messages. `None` if it is not this person's.
    async fn list_messages(
        &self,
        owner: UserId,
        id: ConversationId,
        filter: MessageFilter,
        page: PageRequest,
    ) -> Result<Option<Page<Message>>, StoreError>;

    /// One message of it. `None` unless all three belong together.
    async fn find_message(
        &self,
        owner: UserId,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, StoreError>;

    /// Records a question and its empty answer, or lets an answer go on, moves the head to the answer, and sets aside what the
    /// answer may use; in one transaction. The head stays where it is below an answer that goes on.
    async fn begin_turn(&self, turn: NewTurn) -> Result<Begun, StoreError>;

    /// Saves how far an answer being written is, and renews its lease. `true` if somebody asked for it to stop,
    /// or if it is no longer being written as far as the store knows (deleted, or swept): the writer must end it.
    async fn checkpoint(&self, id: MessageId, progress: Progress) -> Result<bool, StoreError>;

    /// Whether somebody asked for it to stop, or it is gone; without writing.
    async fn stop_requested(&self, id: MessageId) -> Result<bool, StoreError>;

    /// Records how an answer ended and settles what it used, in one transaction. The message stays as it is if it is not
    /// being written any more; what was used is settled in any case.
    async fn finish(&self, id: MessageId, ending: Ending) -> Result<(), StoreError>;

    /// Asks for the answer being written in a conversation to stop, or for this one only; it may be written by another
    /// process. The answers asked to stop. `None` if the conversation is not this person's.
    async fn request_stop(
        &self,
        owner: UserId,
        conversation: ConversationId,
        message: Option<MessageId>,
    ) -> Result<Option<Vec<MessageId>>, StoreError>;

    /// Sets answers whose writer died to `Interrupted`, keeping their text, their tokens estimated by
    /// [`estimate_tokens`](crate::conversations::context::estimate_tokens) and charged at the price of what was set aside;
    /// returns how many. `now` is the moment before which a lease must have run out.
    async fn interrupt_abandoned(&self, now: Time, dead: Dead) -> Result<u64, StoreError>;

    /// Deletes conversations whose last activity was before `cutoff`, at most `limit`; returns how many. Those being
    /// answered stay.
    async fn expire_conversations(&self, cutoff: Time, limit: u64) -> Result<u64, StoreError>;
}
