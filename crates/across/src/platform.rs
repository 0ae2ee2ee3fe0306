//! Everything the platform is made of at run time: the ports, the clock, the live answers.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    assistants::AssistantStore,
    clock::Clock,
    conversations::{conversation::ConversationStore, live::LiveReplies},
    fault::StoreError,
    identity::{
        password::PasswordHasher,
        session::{SessionStore, TokenSigner},
        user::UserStore,
    },
    jobs::queue::Queue,
    kept::KeptValues,
    knowledge::{blob::Blobs, extractor::Extractor, file::KnowledgeStore},
    providers::registry::Providers,
    retrieval::{
        passage::Passages,
        search::RetrievalConfig,
        vectors::{KeywordIndex, VectorStore},
    },
};

/// All that is remembered. Passing an `Arc<dyn Store>` where one port is asked for is plain trait upcasting.
#[async_trait::async_trait]
pub trait Store:
    KeptValues
    + UserStore
    + SessionStore
    + AssistantStore
    + KnowledgeStore
    + Passages
    + VectorStore
    + KeywordIndex
    + ConversationStore
    + Queue
    + Send
    + Sync
{
    /// Whether the database answers.
    async fn healthy(&self) -> Result<(), StoreError>;

    /// Whether this process is the only one that can use the database; then whatever is claimed at start was claimed by
    /// the dead.
    fn is_exclusive(&self) -> bool;
}

/// The platform.
pub struct Platform {
    /// What is remembered.
    pub store: Arc<dyn Store>,
    /// Files' bytes.
    pub blobs: Arc<dyn Blobs>,
    /// Documents to text.
    pub extractor: Arc<dyn Extractor>,
    /// Language models and embedders.
    pub providers: Providers,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Signs access tokens.
    pub tokens: TokenSigner,
    /// Hashes passwords.
    pub passwords: PasswordHasher,
    /// Answers being written by this process.
    pub live: LiveReplies,
    /// How files are chunked and searched.
    pub retrieval: RetrievalConfig,
    /// Every task that outlives its request; shutting down waits for them.
    pub tasks: TaskTracker,
    /// Tells those tasks that the process is about to end.
    pub stopping: CancellationToken,
    /// Wakes the job runner when a job was queued.
    pub job_queued: Notify,
}
