//! The port to whatever finds the nearest vectors.

use async_trait::async_trait;

use crate::{
    fault::StoreError,
    id::{AssistantId, ChunkId, FileId},
    retrieval::words::Word,
};

/// A search among one assistant's chunks. The scope is not optional: no search crosses assistants.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorQuery {
    /// Whose chunks.
    pub assistant: AssistantId,
    /// The space the vector lives in (`EmbeddingModel::space`); chunks of other spaces are not compared.
    pub space: String,
    /// The question's vector, of length 1.
    pub vector: Vec<f32>,
    /// How many matches at most.
    pub limit: usize,
}

/// A chunk near a question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    /// The chunk.
    pub chunk: ChunkId,
    /// Its file.
    pub file: FileId,
    /// Cosine of the angle to the question, in [-1, 1]: the best over the chunk's pieces.
    pub cosine: f32,
}

/// Finds the nearest chunks. It is never an authority: every match is checked against the rows before use.
#[async_trait]
pub trait VectorStore: Send + Sync {
    /// The nearest chunks, best first, ties by id.
    async fn nearest(&self, query: &VectorQuery) -> Result<Vec<Match>, StoreError>;

    /// Whether it can be asked.
    async fn vectors_healthy(&self) -> Result<(), StoreError>;
}

/// Finds chunks by their words, with the database's own full text.
#[async_trait]
pub trait KeywordIndex: Send + Sync {
    /// Chunks that hold any form of any of `words`, best first: the more and the rarer the forms, the better.
    async fn with_words(
        &self,
        assistant: AssistantId,
        words: &[Word],
        limit: usize,
    ) -> Result<Vec<ChunkId>, StoreError>;
}
