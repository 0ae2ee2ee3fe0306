//! The embedded vector store: vectors are kept beside their chunks, a compact copy of each searched file's in memory is
//! scanned exactly, and the best are computed once more from what is stored.
//!
//! A file's copy belongs to one generation of its chunks, which never changes. Which generations an assistant has is known
//! by its index generation, which every change of what can be found moves in its own transaction; a search first reads that
//! number, so it never uses an older list.

mod blob;
mod codes;
mod load;
mod mend;
mod segment;

use std::{collections::HashSet, sync::Arc};

use across::{
    fault::StoreError,
    id::ChunkId,
    retrieval::vectors::{
        Collection, Match, Point, Scope, StoredVectors as _, VectorError, VectorQuery, VectorStore, has_direction,
    },
};
use async_trait::async_trait;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use sea_orm::{
    ColumnTrait as _, EntityTrait, ExprTrait as _, FromQueryResult, JoinType, QueryFilter as _, QuerySelect as _,
    RelationDef, Set,
};
use uuid::Uuid;

pub(crate) use blob::{Encoded, checksum, decode, encode};
pub(crate) use codes::encode as codes;
pub(crate) use load::Segments;

use crate::{
    SqlStore,
    entity::{chunk, chunk_vector},
    error::Fault,
};
use load::{Files, Key};
use mend::Damaged;
use segment::Segment;

/// Chunks that are read at a time when the best are computed again.
const ROWS: usize = 1_000;
/// The first pass keeps twice as many chunks as are wanted, and so many more: measured on real vectors, it loses none.
const SPARE: usize = 30;
/// Products of one scan above which it leaves the asynchronous threads: about half a millisecond.
const LARGE: usize = 12_000_000;
/// Files whose copies are made at the same time; each reads on a connection of its own.
const LOADS: usize = 4;
/// Times a search is repeated because what it found was replaced meanwhile.
const REPEATS: usize = 2;

/// The row of a chunk's vectors in a space.
pub(crate) fn row(chunk_number: i64, space: &str, encoded: Encoded) -> chunk_vector::ActiveModel {
    chunk_vector::ActiveModel {
        number: sea_orm::NotSet,
        chunk_number: Set(chunk_number),
        space: Set(space.to_owned()),
        dim: Set(encoded.dim),
        codes: Set(encoded.codes),
        vectors: Set(encoded.vectors),
        checksum: Set(encoded.checksum),
    }
}

/// From chunks to their vectors.
pub(crate) fn of_chunk() -> RelationDef {
    chunk::Entity::belongs_to(chunk_vector::Entity)
        .from(chunk::Column::Number)
        .to(chunk_vector::Column::ChunkNumber)
        .into()
}

/// A chunk's vectors as they are stored.
#[derive(FromQueryResult)]
struct Stored {
    number: i64,
    id: Uuid,
    file_id: Uuid,
    dim: i32,
    vectors: Vec<u8>,
    checksum: i64,
}

/// The vectors, if they are what was once written.
pub(crate) fn sound(bytes: &[u8], stored_checksum: i64, dim: i32) -> Option<Vec<f32>> {
    let dim = usize::try_from(dim).ok()?;
    blob::decode(bytes, dim).filter(|_| checksum(bytes) == stored_checksum)
}

impl SqlStore {
    /// The copies of all files that the list names.
    async fn copies(&self, files: &Files, space: &str, dim: usize) -> Result<Vec<Arc<Segment>>, Fault> {
        let space: Arc<str> = space.into();
        let mut copies = Vec::with_capacity(files.len());
        let mut missing = Vec::new();
        for file in files.iter() {
            let key = Key::new(file, &space);
            match self.segments.get(&key).await {
                Some(copy) => copies.push(copy),
                None => missing.push(self.segment(key, dim, file.chunks).boxed()),
            }
        }
        let made: Vec<Arc<Segment>> = stream::iter(missing).buffer_unordered(LOADS).try_collect().await?;
        copies.extend(made);
        Ok(copies.into_iter().filter(|copy| copy.dim() == dim).collect())
    }

    async fn scan(&self, space: &str, query: &VectorQuery) -> Result<Vec<Match>, Fault> {
        if query.limit == 0 || !has_direction(&query.vector) {
            return Ok(Vec::new());
        }
        for _ in 0..REPEATS {
            let files = self.files_of(query.assistant).await?;
            let found = self.search_in(&files, space, query).await?;
            // Fewer rows than the copies promised: a file was replaced meanwhile, unless some are damaged.
            if found.is_whole || self.generation(query.assistant).await? == Some(files.generation) {
                return Ok(found.matches);
            }
        }
        let files = self.files_of(query.assistant).await?;
        Ok(self.search_in(&files, space, query).await?.matches)
    }

    async fn search_in(&self, files: &Files, space: &str, query: &VectorQuery) -> Result<Found, Fault> {
        let copies = self.copies(files, space, query.vector.len()).await?;
        let count = query.limit.saturating_mul(2).saturating_add(SPARE);
        let products: usize = copies.iter().map(|copy| copy.products()).sum();
        let numbers = if products > LARGE {
            let vector = query.vector.clone();
            tokio::task::spawn_blocking(move || segment::candidates(&copies, &vector, count))
                .await
                .map_err(|error| Fault::unavailable(format!("a search was not finished: {error}")))?
        } else {
            segment::candidates(&copies, &query.vector, count)
        };
        let mut matches = Vec::with_capacity(numbers.len());
        let mut rows = 0;
        for some in numbers.chunks(ROWS) {
            for stored in self.stored(some, space).await? {
                rows += 1;
                match sound(&stored.vectors, stored.checksum, stored.dim) {
                    Some(vectors) => matches.extend(blob::best_cosine(&vectors, &query.vector).map(|cosine| Match {
                        chunk: ChunkId::from(stored.id),
                        file: stored.file_id.into(),
                        cosine,
                    })),
                    None => self.segments.damaged(Damaged {
                        file: stored.file_id,
                        chunk: stored.number,
                        space: space.to_owned(),
                    }),
                }
            }
        }
        matches.sort_by(|a, b| b.cosine.total_cmp(&a.cosine).then(a.chunk.cmp(&b.chunk)));
        matches.truncate(query.limit);
        Ok(Found {
            is_whole: rows == numbers.len(),
            matches,
        })
    }

    async fn stored(&self, chunks: &[i64], space: &str) -> Result<Vec<Stored>, Fault> {
        let chunks: HashSet<i64> = chunks.iter().copied().collect();
        Ok(chunk::Entity::find()
            .select_only()
            .columns([chunk::Column::Number, chunk::Column::Id, chunk::Column::FileId])
            .columns([
                chunk_vector::Column::Dim,
                chunk_vector::Column::Vectors,
                chunk_vector::Column::Checksum,
            ])
            .join(JoinType::InnerJoin, of_chunk())
            .filter(
                chunk::Column::Number
                    .is_in(chunks)
                    .and(chunk_vector::Column::Space.eq(space)),
            )
            .into_model()
            .all(self.db.reader())
            .await?)
    }
}

/// What a search found.
struct Found {
    matches: Vec<Match>,
    /// Whether everything that the copies promised is still there.
    is_whole: bool,
}

#[async_trait]
impl VectorStore for SqlStore {
    async fn ensure(&self, collection: &Collection) -> Result<u64, VectorError> {
        let promised = self.promised_points().await.map_err(unavailable)?;
        let held = promised.into_iter().find(|(other, _)| other == collection);
        Ok(held.map_or(0, |(_, points)| points))
    }

    /// The rows are the truth, and are written where chunks are.
    async fn upsert(&self, collection: &Collection, points: &[Point]) -> Result<(), VectorError> {
        points.iter().try_for_each(|point| collection.takes(&point.vector))
    }

    async fn search(&self, collection: &Collection, query: &VectorQuery) -> Result<Vec<Match>, VectorError> {
        collection.takes(&query.vector)?;
        self.scan(&collection.space, query).await.map_err(unavailable)
    }

    /// The rows are removed where chunks are.
    async fn delete(&self, _: &Collection, _: Scope) -> Result<(), VectorError> {
        Ok(())
    }

    async fn health(&self) -> Result<(), VectorError> {
        self.db.ping().await.map_err(unavailable)
    }
}

fn unavailable(fault: impl Into<StoreError>) -> VectorError {
    VectorError::Unavailable(fault.into().to_string())
}
