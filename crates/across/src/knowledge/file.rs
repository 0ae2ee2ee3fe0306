//! Knowledge files, where they are on their way to being searchable, and what remembers them.

pub use across_extract::{Kind, Page as TextPage};
use async_trait::async_trait;

use serde_json::{Map, Value, json};

use crate::{
    audit::{Audited, Deed},
    clock::Time,
    fault::StoreError,
    id::{AssistantId, ChunkId, FileId, UserId},
    jobs::queue::Lease,
    page::{Page, PageRequest},
    providers::provider::Pieces,
};

/// Files of one assistant at most.
pub const MAX_FILES_PER_ASSISTANT: u64 = 500;
/// Files of the installation at most.
pub const MAX_FILES: u64 = 10_000;
/// Chunks of one file at most.
pub const MAX_CHUNKS: usize = 20_000;

/// Where a file is: `Uploading → Processing → Indexing → Ready`, any of them → `Error`, and by a new attempt
/// `Ready | Error → Processing`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Its bytes are arriving.
    Uploading,
    /// Its text is being extracted and cut.
    Processing,
    /// Its chunks are being embedded.
    Indexing,
    /// It can be found.
    Ready,
    /// It cannot; `error_message` says why.
    Error,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Uploading,
        Self::Processing,
        Self::Indexing,
        Self::Ready,
        Self::Error,
    ];

    /// The name in columns and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uploading => "uploading",
            Self::Processing => "processing",
            Self::Indexing => "indexing",
            Self::Ready => "ready",
            Self::Error => "error",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether something is being done to the file right now.
    #[must_use]
    pub const fn is_moving(self) -> bool {
        matches!(self, Self::Uploading | Self::Processing | Self::Indexing)
    }
}

/// A file that an assistant knows, or is about to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnowledgeFile {
    /// Which.
    pub id: FileId,
    /// Whose knowledge it is.
    pub assistant: AssistantId,
    /// For display only.
    pub filename: String,
    /// What it is, decided by its content.
    pub kind: Kind,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its bytes, lower-case hexadecimal.
    pub sha256: String,
    /// Chunks that can be found now.
    pub chunk_count: u32,
    /// Where it is.
    pub status: Status,
    /// How far within the way, 0–100.
    pub progress: u8,
    /// Why it is in error, for the person who uploaded it.
    pub error_message: Option<String>,
    /// The generation of chunks that is searched; 0 before the first is published.
    pub generation: i64,
    /// Who uploaded it, while that account exists.
    pub uploaded_by: Option<UserId>,
    /// When it was uploaded.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

impl Audited for KnowledgeFile {
    fn audit_id(&self) -> String {
        self.id.to_string()
    }

    fn audit_values(&self) -> Map<String, Value> {
        let values = json!({
            "assistant_id": self.assistant.to_string(),
            "filename": self.filename,
            "size_bytes": self.size,
            "sha256": self.sha256,
        });
        values.as_object().cloned().unwrap_or_default()
    }
}

/// A file whose bytes are durable and which is about to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Its id, which is also its blob's key.
    pub id: FileId,
    /// Whose knowledge it will be.
    pub assistant: AssistantId,
    /// For display.
    pub filename: String,
    /// What it is.
    pub kind: Kind,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its bytes, lower-case hexadecimal.
    pub sha256: String,
    /// Who uploads it.
    pub uploaded_by: UserId,
    /// When.
    pub created_at: Time,
}

/// What became of recording a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// Recorded, and its job is queued in the same transaction.
    Yes(Box<KnowledgeFile>),
    /// There is no such assistant, or it is archived.
    NoAssistant,
    /// This assistant has the same content already (not in error).
    Duplicate(FileId),
    /// [`MAX_FILES_PER_ASSISTANT`] or [`MAX_FILES`] is reached.
    TooMany,
}

/// Which files a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this assistant only.
    pub assistant: Option<AssistantId>,
    /// In this status only.
    pub status: Option<Status>,
    /// With this in the name, in any case.
    pub search: Option<String>,
    /// Files of archived assistants too.
    pub include_archived: bool,
}

/// A chunk about to be written, with its vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct NewChunk {
    /// Which chunk of the file, from 0.
    pub index: u32,
    /// The page it begins on, where the format has pages.
    pub page: Option<u32>,
    /// Where it begins in the extracted text, in characters.
    pub start: u32,
    /// Where it ends, exclusive, in characters.
    pub end: u32,
    /// The headings it stands under, the outermost first.
    pub heading: Option<String>,
    /// Its text.
    pub text: String,
    /// How many tokens its text has.
    pub token_count: u32,
    /// Its vectors, at least one.
    pub vectors: Pieces,
}

impl NewChunk {
    /// What it is found by: the headings it stands under, which often say what it speaks of, and its text.
    #[must_use]
    pub fn searchable(&self) -> String {
        searchable(self.heading.as_deref(), &self.text)
    }
}

/// What a chunk with this heading and text is found by.
#[must_use]
pub fn searchable(heading: Option<&str>, text: &str) -> String {
    heading.map_or_else(|| text.to_owned(), |heading| format!("{heading}\n\n{text}"))
}

/// A chunk as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Which.
    pub id: ChunkId,
    /// Which chunk of the file, from 0.
    pub index: u32,
    /// The page it begins on.
    pub page: Option<u32>,
    /// Where it begins in the extracted text, in characters.
    pub start: u32,
    /// Where it ends, exclusive.
    pub end: u32,
    /// The headings it stands under, the outermost first.
    pub heading: Option<String>,
    /// Its text.
    pub text: String,
    /// How many tokens its text has.
    pub token_count: u32,
}

/// A file's text as it was extracted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtractedText {
    /// All of it.
    pub text: String,
    /// Where each page lies, in characters; empty for formats without pages.
    pub pages: Vec<TextPage>,
}

/// What became of asking for a new attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reprocess {
    /// Queued; the old chunks serve until the new ones are complete.
    Queued(Box<KnowledgeFile>),
    /// There is no such file.
    Missing,
    /// It is being worked on already.
    Moving,
}

/// Remembers files, their text and their chunks. Everything a job writes carries its lease.
#[async_trait]
pub trait KnowledgeStore: Send + Sync {
    /// Records a file as `Processing` (generation 1 to come) and queues its `Job::Ingest`, in one transaction.
    async fn accept_file(&self, file: NewFile, deed: Deed) -> Result<Accepted, StoreError>;

    /// The file, unless deleted; with whether its assistant is archived.
    async fn find_file(&self, id: FileId) -> Result<Option<(KnowledgeFile, bool)>, StoreError>;

    /// Newest first.
    async fn list_files(&self, filter: &Filter, page: PageRequest) -> Result<Page<KnowledgeFile>, StoreError>;

    /// Chunks of the published generation, in order. `None` if there is no such file.
    async fn list_chunks(&self, id: FileId, page: PageRequest) -> Result<Option<Page<Chunk>>, StoreError>;

    /// The extracted text behind the published generation. `None` if there is no such file or no text yet.
    async fn file_text(&self, id: FileId) -> Result<Option<ExtractedText>, StoreError>;

    /// Moves a file along: status and progress.
    async fn set_progress(
        &self,
        lease: Lease,
        id: FileId,
        status: Status,
        progress: u8,
        at: Time,
    ) -> Result<(), StoreError>;

    /// Keeps the extracted text of a generation; again replaces.
    async fn save_text(
        &self,
        lease: Lease,
        id: FileId,
        generation: i64,
        text: &ExtractedText,
    ) -> Result<(), StoreError>;

    /// How many chunks of that generation and space are written already, counted from index 0 without a gap: a repeated
    /// job goes on there.
    async fn chunks_written(&self, id: FileId, generation: i64, space: &str) -> Result<u32, StoreError>;

    /// Removes chunks of an unpublished generation, e.g. of another space.
    async fn discard_chunks(&self, lease: Lease, id: FileId, generation: i64) -> Result<(), StoreError>;

    /// Writes chunks of an unpublished generation; the same index again replaces.
    async fn add_chunks(
        &self,
        lease: Lease,
        id: FileId,
        generation: i64,
        space: &str,
        chunks: Vec<NewChunk>,
    ) -> Result<(), StoreError>;

    /// Makes a generation the one that is searched, removes all others, sets the file `Ready` and moves the assistant's
    /// index generation, in one transaction. All chunks become visible at once.
    async fn publish(&self, lease: Lease, id: FileId, generation: i64, at: Time) -> Result<(), StoreError>;

    /// Sets the file to `Error` with a sentence for its owner. A published generation keeps serving.
    async fn fail_file(&self, lease: Lease, id: FileId, message: &str, at: Time) -> Result<(), StoreError>;

    /// Queues a new attempt under the next generation.
    async fn reprocess(&self, id: FileId, deed: Deed) -> Result<Reprocess, StoreError>;

    /// Queues a new attempt for every file that is not being worked on, or those of one assistant, or those in error; returns
    /// how many.
    async fn reprocess_all(
        &self,
        assistant: Option<AssistantId>,
        only_failed: bool,
        deed: Deed,
    ) -> Result<u64, StoreError>;

    /// Queues a new attempt for every file whose stored vectors were found damaged since this was last called in this
    /// process, once for each; returns how many. Until it is over the damaged chunks are left out of searches by vector.
    async fn mend_vectors(&self, deed: Deed) -> Result<u64, StoreError>;

    /// Marks the file deleted and queues its purge; from then on nothing finds it. `false` if there is no such file.
    async fn delete_file(&self, id: FileId, deed: Deed) -> Result<bool, StoreError>;

    /// Removes what is left of a deleted file from the database.
    async fn purge_file(&self, lease: Lease, id: FileId) -> Result<(), StoreError>;

    /// The ids of all files that have a blob, for [`Blobs::sweep`](crate::knowledge::blob::Blobs::sweep).
    async fn known_blobs(&self) -> Result<Vec<FileId>, StoreError>;

    /// Queues a job for every file that is moving or deleted and has none, as one that could not be read or a restored
    /// backup could leave it; returns how many.
    async fn adopt_stranded(&self, at: Time) -> Result<u64, StoreError>;
}
