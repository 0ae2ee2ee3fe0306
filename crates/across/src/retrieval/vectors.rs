//! The port to whatever finds the nearest vectors, and the one that is in use.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

use crate::{
    fault::StoreError,
    id::{AssistantId, ChunkId, FileId},
    providers::model::EmbeddingModel,
    retrieval::words::Word,
};

/// A space of vectors that can be compared with each other: those of one embedding model in one dimension.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Collection {
    /// The space's name (`EmbeddingModel::space`); vectors of different spaces are never compared.
    pub space: String,
    /// How many numbers each of its vectors has.
    pub dimensions: usize,
}

impl Collection {
    /// The collection of a space by the space's name, which ends with the dimension.
    #[must_use]
    pub fn named(space: &str) -> Option<Self> {
        let (_, dimensions) = space.rsplit_once(':')?;
        Some(Self {
            space: space.to_owned(),
            dimensions: dimensions.parse().ok().filter(|dimensions| *dimensions > 0)?,
        })
    }

    /// Whether a vector is of this collection's dimension.
    ///
    /// # Errors
    /// [`VectorError::Dimension`] if it is not.
    pub fn takes(&self, vector: &[f32]) -> Result<(), VectorError> {
        if vector.len() == self.dimensions {
            return Ok(());
        }
        Err(VectorError::Dimension {
            space: self.space.clone(),
            expected: self.dimensions,
            found: vector.len(),
        })
    }
}

impl From<&EmbeddingModel> for Collection {
    fn from(model: &EmbeddingModel) -> Self {
        Self {
            space: model.space(),
            dimensions: model.dimensions,
        }
    }
}

/// One vector of a chunk, as a store outside keeps it. It holds no text: that is only ever read from the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The chunk.
    pub chunk: ChunkId,
    /// Which of the chunk's vectors, from 0.
    pub piece: u16,
    /// The chunk's file.
    pub file: FileId,
    /// Whose knowledge the file is.
    pub assistant: AssistantId,
    /// Which generation of the file's chunks.
    pub generation: i64,
    /// The vector, finite and with a direction.
    pub vector: Vec<f32>,
}

impl Point {
    /// The point's name: the same for the same piece of the same chunk, so that writing it again replaces it. A UUID of
    /// version 8, made of SHA-256 over chunk and piece as RFC 9562, appendix B.2 shows.
    #[must_use]
    pub fn id(&self) -> Uuid {
        let mut hash = Sha256::new();
        hash.update(self.chunk.uuid().as_bytes());
        hash.update(self.piece.to_be_bytes());
        let mut bytes = [0; 16];
        for (byte, hashed) in bytes.iter_mut().zip(hash.finalize()) {
            *byte = hashed;
        }
        Builder::from_custom_bytes(bytes).into_uuid()
    }
}

/// A search among one assistant's chunks. The assistant is not optional: no search crosses assistants.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorQuery {
    /// Whose chunks.
    pub assistant: AssistantId,
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

/// Which points are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All of a file.
    File(FileId),
    /// All of a file but those of this generation.
    OtherGenerations(FileId, i64),
    /// All of an assistant.
    Assistant(AssistantId),
}

/// Why a vector store did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VectorError {
    /// A vector does not have the collection's dimension.
    #[error(
        "the vectors of {space} have {expected} numbers and one with {found} was given: fill the vector store again \
         with `ai-across reindex`"
    )]
    Dimension {
        /// The collection's space.
        space: String,
        /// Numbers of the collection's vectors.
        expected: usize,
        /// Numbers of the vector that does not fit.
        found: usize,
    },
    /// It does not answer, answers too late, fails, or does not hold everything yet. Later it may.
    #[error("the vector store is not available: {0}")]
    Unavailable(String),
    /// It does not do what we ask for, and will not by being asked again.
    #[error("the vector store refused: {0}. Check its configured address and key, and its version.")]
    Refused(String),
    /// Its answer is not what its interface promises.
    #[error(
        "the vector store answered something else than its interface says: {0}. Check its configured address, and its version."
    )]
    Malformed(String),
}

/// Finds the nearest chunks. It is never an authority: every match is checked against the rows before use. Whatever it is
/// asked for may be asked for again.
#[async_trait]
pub trait VectorStore: Send + Sync {
    /// Makes the collection if there is none; how many points it holds.
    async fn ensure(&self, collection: &Collection) -> Result<u64, VectorError>;

    /// Writes points; one that is there already is replaced. When this returns they are found.
    async fn upsert(&self, collection: &Collection, points: &[Point]) -> Result<(), VectorError>;

    /// The nearest chunks, each once with its best piece, best first, ties by id. A question without direction has none. A
    /// collection that is not there is [`VectorError::Unavailable`], never an empty answer.
    async fn search(&self, collection: &Collection, query: &VectorQuery) -> Result<Vec<Match>, VectorError>;

    /// Removes points; when this returns they are not found. Absent points, or an absent collection, are well.
    async fn delete(&self, collection: &Collection, scope: Scope) -> Result<(), VectorError>;

    /// Whether it can be asked.
    async fn health(&self) -> Result<(), VectorError>;
}

/// One match for each chunk of what was found piece by piece, best first, ties by id, at most `limit`.
#[must_use]
pub fn by_chunk(pieces: impl IntoIterator<Item = Match>, limit: usize) -> Vec<Match> {
    let mut best: HashMap<ChunkId, Match> = HashMap::new();
    for piece in pieces {
        let kept = best.entry(piece.chunk).or_insert(piece);
        if piece.cosine > kept.cosine {
            *kept = piece;
        }
    }
    let mut matches: Vec<Match> = best.into_values().collect();
    matches.sort_by(|a, b| b.cosine.total_cmp(&a.cosine).then(a.chunk.cmp(&b.chunk)));
    matches.truncate(limit);
    matches
}

/// Whether a vector can be compared: finite, with a direction.
#[must_use]
pub fn has_direction(vector: &[f32]) -> bool {
    vector.iter().all(|x| x.is_finite()) && vector.iter().any(|x| *x != 0.0)
}

/// The vector store in use: the rows themselves, or a store outside that holds a copy of their vectors. A copy that is known
/// to lack some of them is not searched, so that nothing is silently not found.
pub struct Vectors {
    store: Arc<dyn VectorStore>,
    /// What is known of a copy; `None` for the rows themselves.
    copy: Option<Kept>,
}

/// What is known of a copy.
#[derive(Default)]
struct Kept {
    /// It holds all that the rows promise.
    is_complete: AtomicBool,
    /// It was seen to lack points, which others that are not searched yet may hide from whoever counts later.
    is_lost: AtomicBool,
}

impl Vectors {
    /// The rows themselves.
    #[must_use]
    pub fn of_rows(store: Arc<dyn VectorStore>) -> Self {
        Self { store, copy: None }
    }

    /// A store outside, which is not searched before it was found complete ([`Vectors::set_complete`]).
    #[must_use]
    pub fn outside(store: Arc<dyn VectorStore>) -> Self {
        Self {
            store,
            copy: Some(Kept::default()),
        }
    }

    /// Whether it holds a copy that has to be filled from the rows.
    #[must_use]
    pub const fn is_copy(&self) -> bool {
        self.copy.is_some()
    }

    /// Says whether the copy holds all that the rows promise. Without meaning for the rows themselves.
    pub fn set_complete(&self, is_complete: bool) {
        if let Some(copy) = &self.copy {
            copy.is_lost.fetch_and(!is_complete, Ordering::SeqCst);
            copy.is_complete.store(is_complete, Ordering::SeqCst);
        }
    }

    /// Says that the copy lacks points: it is not searched before it was filled, however many points it seems to hold.
    pub fn set_lost(&self) {
        if let Some(copy) = &self.copy {
            copy.is_lost.store(true, Ordering::SeqCst);
            copy.is_complete.store(false, Ordering::SeqCst);
        }
    }

    /// Whether the copy was seen to lack points and was not filled since.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.copy
            .as_ref()
            .is_some_and(|copy| copy.is_lost.load(Ordering::SeqCst))
    }

    fn check_complete(&self) -> Result<(), VectorError> {
        let copy = self.copy.as_ref();
        let is_complete = copy.is_none_or(|copy| copy.is_complete.load(Ordering::SeqCst));
        is_complete.then_some(()).ok_or_else(|| {
            VectorError::Unavailable("it is being filled from the database; this ends by itself".to_owned())
        })
    }
}

#[async_trait]
impl VectorStore for Vectors {
    async fn ensure(&self, collection: &Collection) -> Result<u64, VectorError> {
        self.store.ensure(collection).await
    }

    async fn upsert(&self, collection: &Collection, points: &[Point]) -> Result<(), VectorError> {
        self.store.upsert(collection, points).await
    }

    async fn search(&self, collection: &Collection, query: &VectorQuery) -> Result<Vec<Match>, VectorError> {
        self.check_complete()?;
        self.store.search(collection, query).await
    }

    async fn delete(&self, collection: &Collection, scope: Scope) -> Result<(), VectorError> {
        self.store.delete(collection, scope).await
    }

    async fn health(&self) -> Result<(), VectorError> {
        self.store.health().await?;
        self.check_complete()
    }
}

/// The vectors as the rows keep them: what every copy is filled from, without embedding anything again.
#[async_trait]
pub trait StoredVectors: Send + Sync {
    /// Every collection that files which can be found have points in, with how many points there must be.
    async fn promised_points(&self) -> Result<Vec<(Collection, u64)>, StoreError>;

    /// The collections that chunks of a file lie in, of whatever generation, also when it is deleted.
    async fn collections_of(&self, file: FileId) -> Result<Vec<Collection>, StoreError>;

    /// The published generation of every file that can be found, archived assistants' files included.
    async fn searchable_files(&self) -> Result<Vec<(FileId, i64)>, StoreError>;

    /// The points of up to `limit` chunks of one generation of a file, from chunk index `from` on, and the index to go on
    /// with; `None` at the end. Vectors that are damaged are left out.
    async fn points_of(
        &self,
        file: FileId,
        generation: i64,
        from: u32,
        limit: u32,
    ) -> Result<(Vec<(Collection, Point)>, Option<u32>), StoreError>;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn found(chunk: u128, cosine: f32) -> Match {
        Match {
            chunk: Uuid::from_u128(chunk).into(),
            file: Uuid::from_u128(9).into(),
            cosine,
        }
    }

    #[test]
    fn a_chunk_is_found_once_by_its_best_piece() {
        let pieces = [found(2, 0.5), found(1, 0.2), found(3, 0.5), found(1, 0.9)];
        assert_eq!(by_chunk(pieces, 9), [found(1, 0.9), found(2, 0.5), found(3, 0.5)]);
        assert_eq!(by_chunk(pieces, 1), [found(1, 0.9)]);
    }

    #[test]
    fn a_point_keeps_its_name_and_no_other_has_it() {
        let point = |chunk, piece| Point {
            chunk: Uuid::from_u128(chunk).into(),
            piece,
            file: Uuid::from_u128(7).into(),
            assistant: Uuid::from_u128(8).into(),
            generation: 1,
            vector: vec![1.0],
        };
        assert_eq!(
            point(1, 0).id(),
            Point {
                generation: 2,
                ..point(1, 0)
            }
            .id()
        );
        assert_eq!(point(1, 0).id().get_version_num(), 8);
        let names: std::collections::HashSet<_> =
            [(1, 0), (1, 1), (2, 0), (1, 256)].map(|(c, p)| point(c, p).id()).into();
        assert_eq!(names.len(), 4);
    }
}
