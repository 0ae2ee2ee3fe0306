//! Everything the platform is made of at run time: the ports, the clock, the live answers.

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    assistants::AssistantStore,
    audit::AuditLog,
    clock::{Clock, Time},
    conversations::{conversation::ConversationStore, live::LiveReplies, tree::MessageTree},
    fault::StoreError,
    governance::{meter::Meter, notice::NoticeStore, quota::QuotaStore, usage::UsageLog},
    id::{FileId, InstallationId, JobId},
    identity::{
        password::PasswordHasher,
        session::{SessionStore, TokenSigner},
        throttle::Throttle,
        user::UserStore,
    },
    jobs::queue::Queue,
    kept::KeptValues,
    knowledge::{
        blob::Blobs,
        embedding::EmbeddingChanges,
        extractor::Extractor,
        file::{KnowledgeStore, Status},
    },
    page::{Page, PageRequest},
    providers::{key::ApiKeyStore, registry::Providers},
    replay::Replays,
    retrieval::{
        passage::Passages,
        vectors::{KeywordIndex, StoredVectors, Vectors},
    },
    secret::Vault,
    settings::{LiveSettings, SettingsStore},
};

/// All that is remembered. Passing an `Arc<dyn Store>` where one port is asked for is plain trait upcasting.
#[async_trait::async_trait]
pub trait Store:
    KeptValues
    + Replays
    + AuditLog
    + SettingsStore
    + UserStore
    + SessionStore
    + Throttle
    + QuotaStore
    + Meter
    + UsageLog
    + NoticeStore
    + ApiKeyStore
    + AssistantStore
    + KnowledgeStore
    + EmbeddingChanges
    + Passages
    + StoredVectors
    + KeywordIndex
    + ConversationStore
    + MessageTree
    + Queue
    + Statistics
    + Send
    + Sync
{
    /// Whether the database answers.
    async fn healthy(&self) -> Result<(), StoreError>;

    /// Lets go of the database at the end of the process. One in a file is whole in that file afterwards, and what was
    /// deleted is nowhere beside it.
    async fn close(&self);

    /// Whether this process is the only one that can use the database; then whatever is claimed at start was claimed by
    /// the dead.
    fn is_exclusive(&self) -> bool;
}

/// What the administrator's first page counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Accounts.
    pub users: u64,
    /// Accounts that may sign in.
    pub active_users: u64,
    /// Assistants, archived ones included.
    pub assistants: u64,
    /// Archived assistants.
    pub deleted_assistants: u64,
    /// Conversations.
    pub conversations: u64,
    /// Messages since the moment asked for.
    pub messages_since: u64,
    /// Keys that are used.
    pub active_keys: u64,
    /// Of these, keys with which something is wrong.
    pub failing_keys: u64,
}

/// A job in the queue, for administrators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedJob {
    /// Which.
    pub id: JobId,
    /// What kind of work.
    pub kind: String,
    /// On which file, if on one.
    pub file: Option<FileId>,
    /// Whether somebody works on it.
    pub is_claimed: bool,
    /// How often it was tried.
    pub attempt: i32,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When it is due, or its lease ends.
    pub due_at: Time,
    /// When it was queued.
    pub created_at: Time,
}

/// Counts things over all domains.
#[async_trait::async_trait]
pub trait Statistics: Send + Sync {
    /// How many there are of everything; messages since `since`.
    async fn counts(&self, since: Time) -> Result<Counts, StoreError>;

    /// Files by their status; statuses without files are absent.
    async fn files_by_status(&self) -> Result<Vec<(Status, u64)>, StoreError>;

    /// The queue, oldest first.
    async fn list_jobs(&self, page: PageRequest) -> Result<Page<QueuedJob>, StoreError>;
}

/// How much may be done at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Answers being written to one person.
    pub streams_per_user: usize,
    /// Answers being written in this process.
    pub streams: usize,
    /// How long an answer may take.
    pub answer_time: Duration,
}

/// The platform.
pub struct Platform {
    /// Which installation this process is, as long as it lives: what was begun under this name before was begun by the dead.
    pub installation: InstallationId,
    /// What is remembered.
    pub store: Arc<dyn Store>,
    /// Finds the nearest vectors.
    pub vectors: Vectors,
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
    /// What administrators set while it runs.
    pub settings: LiveSettings,
    /// Seals and opens providers' keys.
    pub vault: Vault,
    /// How much may be done at once.
    pub limits: Limits,
    /// Every task that outlives its request; shutting down waits for them.
    pub tasks: TaskTracker,
    /// Tells those tasks that the process is about to end.
    pub stopping: CancellationToken,
    /// Wakes the job runner when a job was queued.
    pub job_queued: Notify,
    /// Wakes whoever keeps the vector store complete when it turned out not to be.
    pub refill: Notify,
}

/// What a look through one part of the data found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// How many things were looked at; 0 if there were none, or they are not counted.
    pub looked_at: u64,
    /// What is wrong, each naming the thing.
    pub faults: Vec<String>,
}

/// A file's row, as far as its bytes are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// Which.
    pub id: FileId,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its bytes, lower-case hexadecimal.
    pub sha256: String,
    /// Whether its bytes must be there: it is neither in error nor about to be removed.
    pub is_needed: bool,
}

/// Looks whether everything that is remembered is as it must be. Changes nothing, and every look sees one state of the
/// data, so that it may run beside processes that serve.
#[async_trait::async_trait]
pub trait Inspection: Send + Sync {
    /// The database itself: its pages and indexes, and the rows that refer to others. Reads everything.
    async fn structure(&self) -> Result<Findings, StoreError>;

    /// When the newest row was written.
    async fn newest(&self) -> Result<Option<Time>, StoreError>;

    /// Files on their way and answers being written whose worker gave no sign of life for a minute.
    async fn abandoned(&self, now: Time) -> Result<Findings, StoreError>;

    /// All rows of files, those about to be removed included.
    async fn stored_files(&self) -> Result<Vec<StoredFile>, StoreError>;

    /// Files that can be found whose chunks or vectors are not all there. `every_number` reads the vectors too, not only
    /// their lengths.
    async fn vectors(&self, every_number: bool) -> Result<Findings, StoreError>;

    /// Counters of quotas that are not what the usage log and the calls in progress say, and calls that nobody settles.
    async fn counters(&self, now: Time) -> Result<Findings, StoreError>;

    /// Conversations whose messages do not follow each other.
    async fn threads(&self) -> Result<Findings, StoreError>;

    /// Whether the audit log is kept from being changed, and things without exactly one entry that they were made, as far
    /// back as the log goes.
    async fn audit_trail(&self) -> Result<Findings, StoreError>;
}
