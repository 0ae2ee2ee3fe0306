//! Passages: the text behind the ids that a search found.

use async_trait::async_trait;

use crate::{
    fault::StoreError,
    id::{AssistantId, ChunkId, FileId},
};

/// A chunk of a file as it may be shown and cited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// The chunk.
    pub chunk: ChunkId,
    /// Its file.
    pub file: FileId,
    /// The file's name.
    pub filename: String,
    /// Which chunk of the file, from 0.
    pub chunk_index: u32,
    /// The last chunk of the file that it holds: the same one, unless neighbours were joined.
    pub last_chunk_index: u32,
    /// The page it begins on, where the format has pages.
    pub page: Option<u32>,
    /// Where it begins in the file's extracted text, in characters.
    pub start: u32,
    /// Where it ends, exclusive, in characters.
    pub end: u32,
    /// The headings it stands under, the outermost first.
    pub heading: Option<String>,
    /// Its text.
    pub text: String,
    /// The forms of its words, as [`crate::retrieval::words::indexed`] tells them.
    pub words: String,
}

/// Loads passages, and with that re-checks every hit.
#[async_trait]
pub trait Passages: Send + Sync {
    /// The passages behind `chunks` that may be used now: of this assistant, of a file that is not deleted, in the
    /// file's published generation. Others are left out. In no particular order.
    async fn passages(&self, assistant: AssistantId, chunks: &[ChunkId]) -> Result<Vec<Passage>, StoreError>;

    /// The same for chunks that were cited, by their file and their place in it.
    async fn cited_passages(
        &self,
        assistant: AssistantId,
        chunks: &[(FileId, u32)],
    ) -> Result<Vec<Passage>, StoreError>;

    /// Whether the assistant has anything to search at all.
    async fn has_knowledge(&self, assistant: AssistantId) -> Result<bool, StoreError>;
}
