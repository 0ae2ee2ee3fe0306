//! The embedded vector store: vectors are kept beside their chunks, a compact copy of each searched assistant's in memory
//! is scanned exactly, and the best are computed once more from what is stored.
//!
//! A copy is made on demand and carries the assistant's index generation, which every change of what can be found moves
//! in its own transaction; a search first reads that number, so it never uses an older copy.

mod blob;
mod index;

use std::sync::Arc;

use across::{
    fault::StoreError,
    id::{AssistantId, ChunkId},
    retrieval::vectors::{
        Collection, Match, Point, Scope, StoredVectors as _, VectorError, VectorQuery, VectorStore, has_direction,
    },
};
use async_trait::async_trait;
use moka::future::Cache;
use sea_orm::{
    ColumnTrait as _, DatabaseTransaction, EntityTrait as _, ExprTrait as _, FromQueryResult, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};
use uuid::Uuid;

pub(crate) use blob::{decode, encode};

use crate::{
    SqlStore,
    entity::{assistant, chunk, knowledge_file as file},
    error::Fault,
};
use index::Index;

/// Chunks that are read at a time while a copy is made.
const LOAD: u64 = 1_000;
/// The first pass keeps this many times the matches that are wanted; measured on real vectors, it loses none.
const SPARE: usize = 8;
/// Fewest chunks that the first pass keeps.
const MIN_CANDIDATES: usize = 40;
/// Products of one scan above which it leaves the asynchronous threads: about half a millisecond.
const LARGE: usize = 4_000_000;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    assistant: AssistantId,
    space: String,
    generation: i64,
}

/// The copies in memory, the least used going first when they become too large together.
pub(crate) struct Indexes(Cache<Key, Arc<Index>>);

impl Indexes {
    /// Room for copies of `bytes` together.
    pub(crate) fn new(bytes: u64) -> Self {
        let cache = Cache::builder()
            .max_capacity(bytes)
            .weigher(|_, index: &Arc<Index>| u32::try_from(index.bytes()).unwrap_or(u32::MAX))
            .support_invalidation_closures()
            .build();
        Self(cache)
    }

    /// Forgets the copies that `newer` replaces.
    fn forget_older(&self, newer: &Key) {
        let newer = newer.clone();
        let older = move |key: &Key, _: &Arc<Index>| {
            key.assistant == newer.assistant && key.space == newer.space && key.generation < newer.generation
        };
        if self.0.invalidate_entries_if(older).is_err() {
            tracing::warn!("old copies of vectors stay in memory until they are displaced");
        }
    }
}

/// A chunk's vectors as they are stored.
#[derive(FromQueryResult)]
struct Row {
    number: i64,
    id: Uuid,
    file_id: Uuid,
    chunk_index: i32,
    dim: i32,
    vectors: Vec<u8>,
}

impl Row {
    /// The vectors, if they are what was once written; a damaged chunk is left out of searches.
    fn decode(&self, dim: usize) -> Option<Vec<f32>> {
        let vectors = usize::try_from(self.dim)
            .ok()
            .filter(|own| *own == dim)
            .and_then(|dim| blob::decode(&self.vectors, dim));
        if vectors.is_none() {
            tracing::warn!(
                chunk = %self.id, file = %self.file_id,
                "the vectors of a chunk are damaged and are left out; process its file again"
            );
        }
        vectors
    }
}

const COLUMNS: [chunk::Column; 6] = [
    chunk::Column::Number,
    chunk::Column::Id,
    chunk::Column::FileId,
    chunk::Column::ChunkIndex,
    chunk::Column::Dim,
    chunk::Column::Vectors,
];

impl SqlStore {
    async fn index(&self, space: &str, query: &VectorQuery) -> Result<Option<Arc<Index>>, Fault> {
        let generation: Option<i64> = assistant::Entity::find_by_id(query.assistant.uuid())
            .select_only()
            .column(assistant::Column::IndexGeneration)
            .into_tuple()
            .one(self.db.reader())
            .await?;
        let Some(generation) = generation else { return Ok(None) };
        let key = Key {
            assistant: query.assistant,
            space: space.to_owned(),
            generation,
        };
        let make = async {
            let snapshot = self.db.snapshot().await?;
            let index = load(&snapshot, &key, query.vector.len()).await?;
            self.indexes.forget_older(&key);
            Ok(Arc::new(index))
        };
        // Searches that come meanwhile wait for the same copy.
        let made = self.indexes.0.try_get_with(key.clone(), make).await;
        made.map(Some).map_err(|fault: Arc<Fault>| fault.again())
    }

    async fn scan(&self, space: &str, query: &VectorQuery) -> Result<Vec<Match>, Fault> {
        if query.limit == 0 || !has_direction(&query.vector) {
            return Ok(Vec::new());
        }
        let Some(index) = self
            .index(space, query)
            .await?
            .filter(|index| index.dim() == query.vector.len())
        else {
            return Ok(Vec::new());
        };
        let count = query.limit.saturating_mul(SPARE).max(MIN_CANDIDATES);
        let numbers = if index.products() > LARGE {
            let vector = query.vector.clone();
            tokio::task::spawn_blocking(move || index.candidates(&vector, count))
                .await
                .map_err(|error| Fault::unavailable(format!("a search was not finished: {error}")))?
        } else {
            index.candidates(&query.vector, count)
        };
        let mut matches = Vec::with_capacity(numbers.len());
        for some in numbers.chunks(LOAD as usize) {
            let rows: Vec<Row> = chunk::Entity::find()
                .select_only()
                .columns(COLUMNS)
                .filter(chunk::Column::Number.is_in(some.iter().copied()))
                .into_model()
                .all(self.db.reader())
                .await?;
            matches.extend(rows.iter().filter_map(|row| {
                let vectors = row.decode(query.vector.len())?;
                let cosine = blob::best_cosine(&vectors, &query.vector)?;
                Some(Match {
                    chunk: ChunkId::from(row.id),
                    file: row.file_id.into(),
                    cosine,
                })
            }));
        }
        matches.sort_by(|a, b| b.cosine.total_cmp(&a.cosine).then(a.chunk.cmp(&b.chunk)));
        matches.truncate(query.limit);
        Ok(matches)
    }
}

/// Reads what can be found in the assistant's files and makes the compact copy of it.
async fn load(snapshot: &DatabaseTransaction, key: &Key, dim: usize) -> Result<Index, Fault> {
    let files: Vec<(Uuid, i64)> = file::Entity::find()
        .select_only()
        .columns([file::Column::Id, file::Column::Generation])
        .filter(
            file::Column::AssistantId
                .eq(key.assistant.uuid())
                .and(file::Column::DeletedAt.is_null())
                .and(file::Column::ChunkCount.gt(0)),
        )
        .into_tuple()
        .all(snapshot)
        .await?;
    let mut index = Index::new(dim);
    for (id, generation) in files {
        let mut after = -1;
        loop {
            let rows: Vec<Row> = chunk::Entity::find()
                .select_only()
                .columns(COLUMNS)
                .filter(
                    chunk::Column::FileId
                        .eq(id)
                        .and(chunk::Column::Generation.eq(generation))
                        .and(chunk::Column::Space.eq(&key.space))
                        .and(chunk::Column::ChunkIndex.gt(after)),
                )
                .order_by_asc(chunk::Column::ChunkIndex)
                .limit(LOAD)
                .into_model()
                .all(snapshot)
                .await?;
            let Some(last) = rows.last() else { break };
            after = last.chunk_index;
            for row in &rows {
                if let Some(vectors) = row.decode(dim) {
                    index.push(row.number, &vectors);
                }
            }
            if (rows.len() as u64) < LOAD {
                break;
            }
        }
    }
    Ok(index)
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
