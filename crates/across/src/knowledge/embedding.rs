//! A change of the embedding model: every chunk is embedded anew beside the vectors in use, and when none is missing the
//! installation searches with the new ones.

use async_trait::async_trait;

use crate::{
    audit::Deed,
    clock::Time,
    fault::StoreError,
    id::{AssistantId, ChunkId, EmbeddingChangeId, FileId, UserId},
    jobs::queue::Lease,
    providers::{model::EmbeddingModel, provider::Pieces},
    retrieval::vectors::Collection,
};

/// How far a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Chunks are being embedded; questions use the old model.
    Running,
    /// Questions use the new model.
    Done,
    /// An administrator called it off; nothing changed.
    Cancelled,
    /// It was given up; nothing changed.
    Failed,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Running, Self::Done, Self::Cancelled, Self::Failed];

    /// The name in columns and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// The phase of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == name)
    }
}

/// A change of the embedding model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub id: EmbeddingChangeId,
    /// The space that is left.
    pub from: String,
    /// The model that is changed to.
    pub to: EmbeddingModel,
    /// How far it is.
    pub phase: Phase,
    /// Chunks that were to be embedded when it began.
    pub total: u64,
    /// Chunks that have been.
    pub done: u64,
    /// Up to which chunk they have been looked at, by the number that the store gives chunks.
    pub cursor: i64,
    /// Who began it and pays for it, while that account exists.
    pub started_by: Option<UserId>,
    /// Why it was given up.
    pub problem: Option<String>,
    /// When it began.
    pub started_at: Time,
    /// When it ended.
    pub finished_at: Option<Time>,
}

/// What the files that can be found hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Volume {
    /// Files.
    pub files: u64,
    /// Chunks.
    pub chunks: u64,
    /// Their tokens.
    pub tokens: u64,
}

/// A chunk that has no vectors in a space yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unembedded {
    /// The number that the store gives it; chunks are worked through in this order.
    pub number: i64,
    /// The chunk.
    pub chunk: ChunkId,
    /// Its file.
    pub file: FileId,
    /// Which generation of it.
    pub generation: i64,
    /// Whose knowledge it is.
    pub assistant: AssistantId,
    /// What is embedded.
    pub text: String,
}

/// A change about to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChange {
    /// Its id.
    pub id: EmbeddingChangeId,
    /// The space that is in use.
    pub from: String,
    /// The model to change to.
    pub to: EmbeddingModel,
    /// Who begins it.
    pub started_by: Option<UserId>,
}

/// What became of the end of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switched {
    /// Questions use the new model from now on.
    Yes,
    /// A file came that has no vectors of the new model yet.
    Incomplete,
    /// The change is not running any more.
    Over,
}

/// Remembers changes of the embedding model, and the vectors that they make.
#[async_trait]
pub trait EmbeddingChanges: Send + Sync {
    /// What there is to embed.
    async fn volume(&self) -> Result<Volume, StoreError>;

    /// The latest change, running or over.
    async fn latest_change(&self) -> Result<Option<Change>, StoreError>;

    /// Begins a change and queues its job, in one transaction; `None` if one is running.
    async fn begin_change(&self, new: NewChange, deed: Deed) -> Result<Option<Change>, StoreError>;

    /// Calls off the running change; what it made is removed later. `false` if none is running.
    async fn cancel_change(&self, deed: Deed) -> Result<bool, StoreError>;

    /// Chunks of published generations of files that are not deleted, without vectors in `space`, beyond the number
    /// `after`, in the order of their numbers.
    async fn chunks_without(&self, space: &str, after: i64, limit: u32) -> Result<Vec<Unembedded>, StoreError>;

    /// Writes vectors in the space of the running change, chunks by their numbers; those that are gone are left out. The
    /// job's attempts count from its last step, so that any number of restarts does not end it.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] also if the change is not running any more.
    async fn add_vectors(
        &self,
        lease: Lease,
        change: EmbeddingChangeId,
        vectors: Vec<(i64, Pieces)>,
    ) -> Result<(), StoreError>;

    /// Makes the new space the one that is searched and the new model the setting, if no chunk that can be found lacks
    /// vectors in it; the old ones are removed a little later, after the questions that are on their way.
    async fn switch_space(&self, lease: Lease, change: EmbeddingChangeId, deed: Deed) -> Result<Switched, StoreError>;

    /// Ends a change with a sentence about why; questions go on with the old model, and the vectors that it made serve the
    /// next attempt.
    async fn fail_change(
        &self,
        lease: Lease,
        change: EmbeddingChangeId,
        problem: &str,
        at: Time,
    ) -> Result<(), StoreError>;

    /// The collections that nobody needs: neither in use nor being made.
    async fn idle_collections(&self) -> Result<Vec<Collection>, StoreError>;

    /// Removes the vectors that nobody needs.
    async fn drop_idle_vectors(&self, lease: Lease) -> Result<(), StoreError>;
}
