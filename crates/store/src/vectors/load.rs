//! The copies in memory: which files an assistant has, and each file's vectors, read when they are first asked for.

use std::sync::{Arc, Mutex, PoisonError};

use across::id::AssistantId;
use moka::future::Cache;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, ExprTrait as _, FromQueryResult, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
    sea_query::{Expr, Func},
};
use uuid::Uuid;

use super::{mend::Damaged, of_chunk, segment::Segment};
use crate::{
    SqlStore,
    entity::{assistant, chunk, chunk_vector, knowledge_file as file},
    error::Fault,
};

/// Lists of files that are kept; a list is small beside its files' vectors.
const LISTS: u64 = 10_000;

/// A file with chunks that can be found.
#[derive(Debug, Clone, Copy, FromQueryResult)]
pub(super) struct Listed {
    pub(super) id: Uuid,
    pub(super) generation: i64,
    #[sea_orm(from_alias = "chunk_count")]
    pub(super) chunks: i32,
}

/// The files of an assistant as they are at one index generation.
pub(super) struct Files {
    pub(super) generation: i64,
    files: Vec<Listed>,
}

impl Files {
    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Listed> {
        self.files.iter()
    }
}

/// One generation of a file in one space.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    file: Uuid,
    generation: i64,
    space: Arc<str>,
}

impl Key {
    pub(super) fn new(file: &Listed, space: &Arc<str>) -> Self {
        Self {
            file: file.id,
            generation: file.generation,
            space: Arc::clone(space),
        }
    }
}

/// The copies in memory. When they become too large together, the least used go first; what has no room is read with each
/// search, and nothing else is.
pub(crate) struct Segments {
    copies: Cache<Key, Arc<Segment>>,
    lists: Cache<AssistantId, Arc<Files>>,
    damaged: Mutex<Vec<Damaged>>,
}

impl Segments {
    /// Room for copies of `bytes` together.
    pub(crate) fn new(bytes: u64) -> Self {
        let copies = Cache::builder()
            .max_capacity(bytes)
            .weigher(|_, copy: &Arc<Segment>| u32::try_from(copy.bytes()).unwrap_or(u32::MAX))
            .build();
        Self {
            copies,
            lists: Cache::new(LISTS),
            damaged: Mutex::default(),
        }
    }

    /// The copy of one file's vectors, if it is there.
    pub(super) async fn get(&self, key: &Key) -> Option<Arc<Segment>> {
        self.copies.get(key).await
    }

    /// Remembers that vectors are damaged, until they are mended. The chunk is left out of searches.
    pub(super) fn damaged(&self, found: Damaged) {
        let mut damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        if !damaged.contains(&found) {
            tracing::warn!(
                file = %found.file, chunk = found.chunk, space = found.space,
                "the vectors of a chunk are damaged and are left out; its file will be processed again"
            );
            damaged.push(found);
        }
    }

    /// What was found damaged since this was last asked.
    pub(super) fn take_damaged(&self) -> Vec<Damaged> {
        std::mem::take(&mut self.damaged.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What is read of a chunk's vectors when its file's copy is made.
#[derive(FromQueryResult)]
struct Compact {
    chunk_number: i64,
    dim: i32,
    codes: Vec<u8>,
    length: i64,
}

impl SqlStore {
    /// The assistant's index generation; `None` if there is no such assistant.
    pub(super) async fn generation(&self, assistant: AssistantId) -> Result<Option<i64>, Fault> {
        Ok(assistant::Entity::find_by_id(assistant.uuid())
            .select_only()
            .column(assistant::Column::IndexGeneration)
            .into_tuple()
            .one(self.db.reader())
            .await?)
    }

    /// The files that can be found now.
    pub(super) async fn files_of(&self, assistant: AssistantId) -> Result<Arc<Files>, Fault> {
        let now = self.generation(assistant).await?;
        if let Some(files) = self.segments.lists.get(&assistant).await
            && Some(files.generation) == now
        {
            return Ok(files);
        }
        let snapshot = self.db.snapshot().await?;
        let generation: Option<i64> = assistant::Entity::find_by_id(assistant.uuid())
            .select_only()
            .column(assistant::Column::IndexGeneration)
            .into_tuple()
            .one(&snapshot)
            .await?;
        let files = file::Entity::find()
            .select_only()
            .columns([file::Column::Id, file::Column::Generation, file::Column::ChunkCount])
            .filter(
                file::Column::AssistantId
                    .eq(assistant.uuid())
                    .and(file::Column::DeletedAt.is_null())
                    .and(file::Column::ChunkCount.gt(0)),
            )
            .into_model()
            .all(&snapshot)
            .await?;
        let files = Arc::new(Files {
            generation: generation.unwrap_or_default(),
            files,
        });
        if generation.is_some() {
            self.segments.lists.insert(assistant, Arc::clone(&files)).await;
        }
        Ok(files)
    }

    /// Makes the copy of one file's vectors. Searches that come meanwhile wait for the same one.
    pub(super) async fn segment(&self, key: Key, dim: usize, chunks: i32) -> Result<Arc<Segment>, Fault> {
        let made = self
            .segments
            .copies
            .try_get_with_by_ref(&key, self.read_segment(&key, dim, chunks))
            .await;
        made.map_err(|fault: Arc<Fault>| fault.again())
    }

    /// Reads the compact form of a file's vectors, in one statement and so in one state of the database.
    async fn read_segment(&self, key: &Key, dim: usize, chunks: i32) -> Result<Arc<Segment>, Fault> {
        let length = Func::cust("LENGTH").arg(Expr::col((chunk_vector::Entity, chunk_vector::Column::Vectors)));
        let rows: Vec<Compact> = chunk::Entity::find()
            .select_only()
            .columns([
                chunk_vector::Column::ChunkNumber,
                chunk_vector::Column::Dim,
                chunk_vector::Column::Codes,
            ])
            .expr_as(Func::cast_as(Expr::expr(length), "BIGINT"), "length")
            .join(JoinType::InnerJoin, of_chunk())
            .filter(
                chunk::Column::FileId
                    .eq(key.file)
                    .and(chunk::Column::Generation.eq(key.generation))
                    .and(chunk_vector::Column::Space.eq(key.space.as_ref())),
            )
            .order_by_asc(chunk::Column::ChunkIndex)
            .into_model()
            .all(self.db.reader())
            .await?;
        let mut segment = Segment::with_room(dim, rows.len().min(usize::try_from(chunks).unwrap_or_default()));
        for row in rows {
            let length = usize::try_from(row.length).unwrap_or_default();
            let pieces = length.checked_div(4 * dim).unwrap_or_default();
            let fits = usize::try_from(row.dim) == Ok(dim) && length == pieces * 4 * dim;
            if !(fits && segment.push(row.chunk_number, &row.codes, pieces)) {
                self.segments.damaged(Damaged {
                    file: key.file,
                    chunk: row.chunk_number,
                    space: key.space.as_ref().to_owned(),
                });
            }
        }
        Ok(Arc::new(segment))
    }
}
