//! Knowledge files on their way from upload to searchable, with their text and chunks. A file and its job change together.

use across::{
    clock::Time,
    fault::StoreError,
    id::{ChunkId, FileId},
    jobs::{job::Job, queue::Lease},
    knowledge::file::{
        Accepted, Chunk, ExtractedText, Filter, Kind, KnowledgeFile, KnowledgeStore, MAX_FILES,
        MAX_FILES_PER_ASSISTANT, NewChunk, NewFile, Reprocess, Status, TextPage,
    },
    page::{Page, PageRequest},
};
use async_trait::async_trait;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait as _,
    ExprTrait as _, FromQueryResult, PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _, Set, sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    SqlStore,
    convert::{column_i32, column_i64, contains, fold, narrow, storable},
    entity::{assistant, chunk, file_text, job, knowledge_file as file},
    error::Fault,
    paging::{bounds, rows_and_total},
    queue::{self, INGEST, PURGE},
    rows::hold,
    vectors,
};

const TABLE: &str = "knowledge_files";
/// Chunks of one INSERT; databases limit the values of a statement.
const ROWS_PER_INSERT: usize = 500;
/// Chunks that one transaction purges.
const ROWS_PER_PURGE: u64 = 1_000;

fn file_of(row: file::Model) -> Result<KnowledgeFile, Fault> {
    let id = row.id;
    Ok(KnowledgeFile {
        id: id.into(),
        assistant: row.assistant_id.into(),
        filename: row.filename,
        kind: Kind::parse(&row.file_type).ok_or_else(|| Fault::corrupt(TABLE, "file_type", id))?,
        size: narrow(row.size_bytes, TABLE, "size_bytes", id)?,
        sha256: row.sha256,
        chunk_count: narrow(row.chunk_count, TABLE, "chunk_count", id)?,
        status: Status::parse(&row.status).ok_or_else(|| Fault::corrupt(TABLE, "status", id))?,
        progress: narrow(row.progress, TABLE, "progress", id)?,
        error_message: row.error_message,
        generation: row.generation,
        uploaded_by: row.uploaded_by.map(Into::into),
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

/// The file, unless deleted.
async fn live_file(db: &impl ConnectionTrait, id: FileId) -> Result<Option<file::Model>, Fault> {
    Ok(file::Entity::find_by_id(id.uuid())
        .filter(file::Column::DeletedAt.is_null())
        .one(db)
        .await?)
}

/// The file, unless deleted, held until the end of the transaction.
async fn hold_file(tx: &DatabaseTransaction, id: FileId) -> Result<Option<file::Model>, Fault> {
    let live = file::Column::Id.eq(id.uuid()).and(file::Column::DeletedAt.is_null());
    hold::<file::Entity>(tx, file::Column::Progress, live).await
}

/// The file that a job works on, held until the end of the transaction, if its lease holds. A file that was deleted
/// meanwhile has lost its job.
async fn leased_file(tx: &DatabaseTransaction, lease: Lease, id: FileId) -> Result<file::Model, Fault> {
    queue::check(tx, lease).await?;
    hold_file(tx, id).await?.ok_or_else(|| StoreError::LeaseLost.into())
}

/// As [`leased_file`], for what may only be done to a generation that is not searched yet.
async fn unpublished(
    tx: &DatabaseTransaction,
    lease: Lease,
    id: FileId,
    generation: i64,
) -> Result<file::Model, Fault> {
    let row = leased_file(tx, lease, id).await?;
    if generation == row.generation {
        return Err(Fault::conflict("this generation is published already"));
    }
    Ok(row)
}

fn moving() -> impl Iterator<Item = &'static str> {
    Status::ALL
        .into_iter()
        .filter(|status| status.is_moving())
        .map(Status::as_str)
}

async fn accept(tx: &DatabaseTransaction, new: NewFile) -> Result<Accepted, Fault> {
    let owner = assistant::Column::Id
        .eq(new.assistant.uuid())
        .and(assistant::Column::IsDeleted.eq(false));
    // Held, so that two uploads of the same content to one assistant come one after the other.
    if hold::<assistant::Entity>(tx, assistant::Column::Version, owner)
        .await?
        .is_none()
    {
        return Ok(Accepted::NoAssistant);
    }
    let live = file::Entity::find().filter(file::Column::DeletedAt.is_null());
    let of_assistant = live.clone().filter(file::Column::AssistantId.eq(new.assistant.uuid()));
    let same: Option<Uuid> = of_assistant
        .clone()
        .select_only()
        .column(file::Column::Id)
        .filter(
            file::Column::Sha256
                .eq(&new.sha256)
                .and(file::Column::Status.ne(Status::Error.as_str())),
        )
        .into_tuple()
        .one(tx)
        .await?;
    if let Some(same) = same {
        return Ok(Accepted::Duplicate(same.into()));
    }
    if of_assistant.count(tx).await? >= MAX_FILES_PER_ASSISTANT || live.count(tx).await? >= MAX_FILES {
        return Ok(Accepted::TooMany);
    }
    let row = file::ActiveModel {
        id: Set(new.id.uuid()),
        assistant_id: Set(new.assistant.uuid()),
        filename_folded: Set(fold(&new.filename)),
        filename: Set(storable(new.filename)),
        file_type: Set(new.kind.as_str().to_owned()),
        size_bytes: Set(column_i64(new.size)),
        sha256: Set(new.sha256),
        chunk_count: Set(0),
        status: Set(Status::Processing.as_str().to_owned()),
        progress: Set(0),
        error_message: Set(None),
        generation: Set(0),
        latest_generation: Set(1),
        uploaded_by: Set(Some(new.uploaded_by.uuid())),
        deleted_at: Set(None),
        created_at: Set(new.created_at),
        updated_at: Set(new.created_at),
    };
    let row = row.insert(tx).await?;
    queue::enqueue(
        tx,
        &Job::Ingest {
            file: new.id,
            generation: 1,
        },
        new.created_at,
    )
    .await?;
    Ok(Accepted::Yes(Box::new(file_of(row)?)))
}

async fn set_progress(
    tx: &DatabaseTransaction,
    lease: Lease,
    id: FileId,
    status: Status,
    progress: u8,
    at: Time,
) -> Result<(), Fault> {
    let row = leased_file(tx, lease, id).await?;
    let was = Status::parse(&row.status).ok_or_else(|| Fault::corrupt(TABLE, "status", row.id))?;
    // A repeated job begins with processing again; out of ready and error only a new attempt leads.
    if !was.is_moving() || !matches!(status, Status::Processing | Status::Indexing) {
        return Err(Fault::conflict("a file cannot go from its status to that one"));
    }
    file::Entity::update_many()
        .col_expr(file::Column::Status, Expr::value(status.as_str()))
        .col_expr(file::Column::Progress, Expr::value(i32::from(Ord::min(progress, 100))))
        .col_expr(file::Column::UpdatedAt, Expr::value(at))
        .filter(file::Column::Id.eq(row.id))
        .exec(tx)
        .await?;
    Ok(())
}

async fn save_text(
    tx: &DatabaseTransaction,
    lease: Lease,
    id: FileId,
    generation: i64,
    text: ExtractedText,
) -> Result<(), Fault> {
    unpublished(tx, lease, id, generation).await?;
    let pages: Vec<_> = text
        .pages
        .iter()
        .map(|page| (page.number, page.start, page.end))
        .collect();
    file_text::Entity::delete_by_id((id.uuid(), generation))
        .exec(tx)
        .await?;
    let row = file_text::ActiveModel {
        file_id: Set(id.uuid()),
        generation: Set(generation),
        text: Set(storable(text.text)),
        pages: Set(serde_json::json!(pages)),
    };
    file_text::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

async fn add_chunks(
    tx: &DatabaseTransaction,
    lease: Lease,
    id: FileId,
    generation: i64,
    space: String,
    chunks: Vec<NewChunk>,
) -> Result<(), Fault> {
    unpublished(tx, lease, id, generation).await?;
    let indices: Vec<i32> = chunks.iter().map(|chunk| column_i32(chunk.index)).collect();
    let mut rows = Vec::with_capacity(chunks.len());
    for new in chunks {
        let (dim, vectors) = vectors::encode(&new.vectors).ok_or(Fault::conflict(
            "a chunk needs vectors of one length with finite numbers",
        ))?;
        rows.push(chunk::ActiveModel {
            number: sea_orm::NotSet,
            id: Set(ChunkId::new().uuid()),
            file_id: Set(id.uuid()),
            generation: Set(generation),
            chunk_index: Set(column_i32(new.index)),
            page: Set(new.page.map(column_i32)),
            start_char: Set(column_i32(new.start)),
            end_char: Set(column_i32(new.end)),
            text: Set(storable(new.text)),
            token_count: Set(column_i32(new.token_count)),
            space: Set(space.clone()),
            dim: Set(dim),
            vectors: Set(vectors),
        });
    }
    for some in indices.chunks(ROWS_PER_INSERT) {
        chunk::Entity::delete_many()
            .filter(generation_of(id, generation).and(chunk::Column::ChunkIndex.is_in(some.iter().copied())))
            .exec(tx)
            .await?;
    }
    while !rows.is_empty() {
        let rest = rows.split_off(rows.len().min(ROWS_PER_INSERT));
        chunk::Entity::insert_many(std::mem::replace(&mut rows, rest))
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

fn generation_of(id: FileId, generation: i64) -> Expr {
    chunk::Column::FileId
        .eq(id.uuid())
        .and(chunk::Column::Generation.eq(generation))
}

/// Removes chunks and text of every generation but one.
async fn keep_generation(tx: &DatabaseTransaction, id: Uuid, generation: i64) -> Result<(), Fault> {
    chunk::Entity::delete_many()
        .filter(
            chunk::Column::FileId
                .eq(id)
                .and(chunk::Column::Generation.ne(generation)),
        )
        .exec(tx)
        .await?;
    file_text::Entity::delete_many()
        .filter(
            file_text::Column::FileId
                .eq(id)
                .and(file_text::Column::Generation.ne(generation)),
        )
        .exec(tx)
        .await?;
    Ok(())
}

/// Makes copies of the assistant's vectors in memory out of date.
async fn move_index(tx: &DatabaseTransaction, assistant: Uuid) -> Result<(), Fault> {
    assistant::Entity::update_many()
        .col_expr(
            assistant::Column::IndexGeneration,
            Expr::col(assistant::Column::IndexGeneration).add(1),
        )
        .filter(assistant::Column::Id.eq(assistant))
        .exec(tx)
        .await?;
    Ok(())
}

async fn publish(tx: &DatabaseTransaction, lease: Lease, id: FileId, generation: i64, at: Time) -> Result<(), Fault> {
    let row = leased_file(tx, lease, id).await?;
    if generation < row.generation {
        return Err(Fault::conflict("a newer generation is published already"));
    }
    let chunks = chunk::Entity::find()
        .filter(generation_of(id, generation))
        .count(tx)
        .await?;
    keep_generation(tx, row.id, generation).await?;
    let assistant = row.assistant_id;
    let mut row: file::ActiveModel = row.into();
    row.generation = Set(generation);
    row.chunk_count = Set(column_i32(chunks));
    row.status = Set(Status::Ready.as_str().to_owned());
    row.progress = Set(100);
    row.error_message = Set(None);
    row.updated_at = Set(at);
    row.update(tx).await?;
    move_index(tx, assistant).await
}

async fn fail(tx: &DatabaseTransaction, lease: Lease, id: FileId, message: String, at: Time) -> Result<(), Fault> {
    let row = leased_file(tx, lease, id).await?;
    keep_generation(tx, row.id, row.generation).await?;
    let mut row: file::ActiveModel = row.into();
    row.status = Set(Status::Error.as_str().to_owned());
    row.error_message = Set(Some(storable(message)));
    row.updated_at = Set(at);
    row.update(tx).await?;
    Ok(())
}

async fn reprocess(tx: &DatabaseTransaction, id: FileId, at: Time) -> Result<Reprocess, Fault> {
    // Jobs first, files second, as everywhere: two transactions then never wait for each other.
    hold::<job::Entity>(tx, job::Column::Attempt, job::Column::FileId.eq(id.uuid())).await?;
    let Some(row) = hold_file(tx, id).await? else { 
        return Ok(Reprocess::Missing);
    };
    if moving().any(|status| status == row.status) {
        return Ok(Reprocess::Moving);
    }
    keep_generation(tx, row.id, row.generation).await?;
    let generation = row.latest_generation + 1;
    let mut row: file::ActiveModel = row.into();
    row.latest_generation = Set(generation);
    row.status = Set(Status::Processing.as_str().to_owned());
    row.progress = Set(0);
    row.error_message = Set(None);
    row.updated_at = Set(at);
    let row = row.update(tx).await?;
    // The job of the attempt before may not have left the queue yet; it has nothing more to do.
    drop_jobs(tx, id.uuid(), INGEST).await?;
    queue::enqueue(tx, &Job::Ingest { file: id, generation }, at).await?;
    Ok(Reprocess::Queued(Box::new(file_of(row)?)))
}

/// Removes a portion of what is left of a deleted file; whether there is more.
async fn purge_some(tx: &DatabaseTransaction, lease: Lease, id: FileId) -> Result<bool, Fault> {
    queue::check(tx, lease).await?;
    let deleted = file::Column::Id
        .eq(id.uuid())
        .and(file::Column::DeletedAt.is_not_null());
    if file::Entity::find().filter(deleted.clone()).count(tx).await? == 0 {
        return Ok(false);
    }
    let some: Vec<i64> = chunk::Entity::find()
        .select_only()
        .column(chunk::Column::Number)
        .filter(chunk::Column::FileId.eq(id.uuid()))
        .limit(ROWS_PER_PURGE)
        .into_tuple()
        .all(tx)
        .await?;
    if some.is_empty() {
        // The text goes with the row.
        file::Entity::delete_many().filter(deleted).exec(tx).await?;
        return Ok(false);
    }
    chunk::Entity::delete_many()
        .filter(chunk::Column::Number.is_in(some))
        .exec(tx)
        .await?;
    Ok(true)
}

async fn drop_jobs(tx: &DatabaseTransaction, id: Uuid, kind: &str) -> Result<(), Fault> {
    job::Entity::delete_many()
        .filter(job::Column::FileId.eq(id).and(job::Column::Kind.eq(kind)))
        .exec(tx)
        .await?;
    Ok(())
}

async fn delete(tx: &DatabaseTransaction, id: FileId, at: Time) -> Result<bool, Fault> {
    drop_jobs(tx, id.uuid(), INGEST).await?;
    let marked = file::Entity::update_many()
        .col_expr(file::Column::DeletedAt, Expr::value(at))
        .col_expr(file::Column::UpdatedAt, Expr::value(at))
        .filter(file::Column::Id.eq(id.uuid()).and(file::Column::DeletedAt.is_null()))
        .exec(tx)
        .await?;
    if marked.rows_affected == 0 {
        return Ok(false);
    }
    let owner: Option<Uuid> = file::Entity::find_by_id(id.uuid())
        .select_only()
        .column(file::Column::AssistantId)
        .into_tuple()
        .one(tx)
        .await?;
    if let Some(owner) = owner {
        move_index(tx, owner).await?;
    }
    queue::enqueue(tx, &Job::PurgeFile { file: id }, at).await?;
    Ok(true)
}

async fn adopt(tx: &DatabaseTransaction, at: Time) -> Result<u64, Fault> {
    let without = |kind: &str| {
        let busy = job::Entity::find()
            .select_only()
            .column(job::Column::FileId)
            .filter(job::Column::Kind.eq(kind).and(job::Column::FileId.is_not_null()))
            .into_query();
        file::Entity::find().filter(file::Column::Id.not_in_subquery(busy))
    };
    let stranded = without(INGEST)
        .filter(
            file::Column::DeletedAt
                .is_null()
                .and(file::Column::Status.is_in(moving())),
        )
        .all(tx)
        .await?;
    let unpurged = without(PURGE)
        .filter(file::Column::DeletedAt.is_not_null())
        .all(tx)
        .await?;
    for row in &stranded {
        queue::enqueue(
            tx,
            &Job::Ingest {
                file: row.id.into(),
                generation: row.latest_generation,
            },
            at,
        )
        .await?;
    }
    for row in &unpurged {
        queue::enqueue(tx, &Job::PurgeFile { file: row.id.into() }, at).await?;
    }
    Ok((stranded.len() + unpurged.len()) as u64)
}

/// A chunk without its vectors.
#[derive(FromQueryResult)]
struct ChunkRow {
    id: Uuid,
    chunk_index: i32,
    page: Option<i32>,
    start_char: i32,
    end_char: i32,
    text: String,
    token_count: i32,
}

fn chunk_of(row: ChunkRow) -> Result<Chunk, Fault> {
    let id = row.id;
    Ok(Chunk {
        id: id.into(),
        index: narrow(row.chunk_index, "chunks", "chunk_index", id)?,
        page: row.page.map(|page| narrow(page, "chunks", "page", id)).transpose()?,
        start: narrow(row.start_char, "chunks", "start_char", id)?,
        end: narrow(row.end_char, "chunks", "end_char", id)?,
        text: row.text,
        token_count: narrow(row.token_count, "chunks", "token_count", id)?,
    })
}

impl SqlStore {
    async fn chunks_page(&self, id: FileId, page: PageRequest) -> Result<Option<Page<Chunk>>, Fault> {
        let snapshot = self.db.snapshot().await?;
        let Some(row) = live_file(&snapshot, id).await? else {
            return Ok(None);
        };
        let list = chunk::Entity::find().filter(generation_of(id, row.generation));
        let total = list.clone().count(&snapshot).await?;
        let (limit, offset) = bounds(page);
        let rows: Vec<ChunkRow> = list
            .select_only()
            .columns([
                chunk::Column::Id,
                chunk::Column::ChunkIndex,
                chunk::Column::Page,
                chunk::Column::StartChar,
                chunk::Column::EndChar,
                chunk::Column::Text,
                chunk::Column::TokenCount,
            ])
            .order_by_asc(chunk::Column::ChunkIndex)
            .limit(limit)
            .offset(offset)
            .into_model()
            .all(&snapshot)
            .await?;
        let items = rows.into_iter().map(chunk_of).collect::<Result<_, _>>()?;
        Ok(Some(Page { items, total }))
    }

    async fn text_of(&self, id: FileId) -> Result<Option<ExtractedText>, Fault> {
        let snapshot = self.db.snapshot().await?;
        let Some(row) = live_file(&snapshot, id).await? else {
            return Ok(None);
        };
        let Some(kept) = file_text::Entity::find_by_id((row.id, row.generation))
            .one(&snapshot)
            .await?
        else {
            return Ok(None);
        };
        let pages: Vec<(u32, usize, usize)> =
            serde_json::from_value(kept.pages).map_err(|_| Fault::corrupt("file_texts", "pages", row.id))?;
        let pages = pages
            .into_iter()
            .map(|(number, start, end)| TextPage { number, start, end })
            .collect();
        Ok(Some(ExtractedText { text: kept.text, pages }))
    }

    async fn find(&self, id: FileId) -> Result<Option<(KnowledgeFile, bool)>, Fault> {
        let db = self.db.reader();
        let Some(row) = live_file(db, id).await? else {
            return Ok(None);
        };
        let archived: Option<bool> = assistant::Entity::find_by_id(row.assistant_id)
            .select_only()
            .column(assistant::Column::IsDeleted)
            .into_tuple()
            .one(db)
            .await?;
        Ok(Some((file_of(row)?, archived.unwrap_or(true))))
    }

    async fn written(&self, id: FileId, generation: i64, space: &str) -> Result<u32, Fault> {
        let indices: Vec<i32> = chunk::Entity::find()
            .select_only()
            .column(chunk::Column::ChunkIndex)
            .filter(generation_of(id, generation).and(chunk::Column::Space.eq(space)))
            .order_by_asc(chunk::Column::ChunkIndex)
            .into_tuple()
            .all(self.db.reader())
            .await?;
        Ok(indices
            .into_iter()
            .zip(0..)
            .take_while(|(index, expected)| index == expected)
            .count() as u32)
    }
}

#[async_trait]
impl KnowledgeStore for SqlStore {
    async fn accept_file(&self, file: NewFile) -> Result<Accepted, StoreError> {
        Ok(self.db.write(move |tx| Box::pin(accept(tx, file))).await?)
    }

    async fn find_file(&self, id: FileId) -> Result<Option<(KnowledgeFile, bool)>, StoreError> {
        Ok(self.find(id).await?)
    }

    async fn list_files(&self, filter: &Filter, page: PageRequest) -> Result<Page<KnowledgeFile>, StoreError> {
        let mut wanted = Condition::all().add(file::Column::DeletedAt.is_null());
        if let Some(assistant) = filter.assistant {
            wanted = wanted.add(file::Column::AssistantId.eq(assistant.uuid()));
        }
        if let Some(status) = filter.status {
            wanted = wanted.add(file::Column::Status.eq(status.as_str()));
        }
        if let Some(search) = &filter.search {
            wanted = wanted.add(contains(file::Column::FilenameFolded, search));
        }
        if !filter.include_archived {
            let live = assistant::Entity::find()
                .select_only()
                .column(assistant::Column::Id)
                .filter(assistant::Column::IsDeleted.eq(false))
                .into_query();
            wanted = wanted.add(file::Column::AssistantId.in_subquery(live));
        }
        let list = file::Entity::find()
            .filter(wanted)
            .order_by_desc(file::Column::CreatedAt)
            .order_by_desc(file::Column::Id);
        let snapshot = self.db.snapshot().await?;
        let (rows, total) = rows_and_total(&snapshot, list, file::Column::Id, page).await?;
        Ok(Page {
            items: rows.into_iter().map(file_of).collect::<Result<_, _>>()?,
            total,
        })
    }

    async fn list_chunks(&self, id: FileId, page: PageRequest) -> Result<Option<Page<Chunk>>, StoreError> {
        Ok(self.chunks_page(id, page).await?)
    }

    async fn file_text(&self, id: FileId) -> Result<Option<ExtractedText>, StoreError> {
        Ok(self.text_of(id).await?)
    }

    async fn set_progress(
        &self,
        lease: Lease,
        id: FileId,
        status: Status,
        progress: u8,
        at: Time,
    ) -> Result<(), StoreError> {
        Ok(self
            .db
            .write(move |tx| Box::pin(set_progress(tx, lease, id, status, progress, at)))
            .await?)
    }

    async fn save_text(
        &self,
        lease: Lease,
        id: FileId,
        generation: i64,
        text: &ExtractedText,
    ) -> Result<(), StoreError> {
        let text = text.clone();
        Ok(self
            .db
            .write(move |tx| Box::pin(save_text(tx, lease, id, generation, text)))
            .await?)
    }

    async fn chunks_written(&self, id: FileId, generation: i64, space: &str) -> Result<u32, StoreError> {
        Ok(self.written(id, generation, space).await?)
    }

    async fn discard_chunks(&self, lease: Lease, id: FileId, generation: i64) -> Result<(), StoreError> {
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                unpublished(tx, lease, id, generation).await?;
                chunk::Entity::delete_many()
                    .filter(generation_of(id, generation))
                    .exec(tx)
                    .await?;
                Ok(())
            })
        });
        Ok(write.await?)
    }

    async fn add_chunks(
        &self,
        lease: Lease,
        id: FileId,
        generation: i64,
        space: &str,
        chunks: Vec<NewChunk>,
    ) -> Result<(), StoreError> {
        let space = space.to_owned();
        Ok(self
            .db
            .write(move |tx| Box::pin(add_chunks(tx, lease, id, generation, space, chunks)))
            .await?)
    }

    async fn publish(&self, lease: Lease, id: FileId, generation: i64, at: Time) -> Result<(), StoreError> {
        Ok(self
            .db
            .write(move |tx| Box::pin(publish(tx, lease, id, generation, at)))
            .await?)
    }

    async fn fail_file(&self, lease: Lease, id: FileId, message: &str, at: Time) -> Result<(), StoreError> {
        let message = message.to_owned();
        Ok(self
            .db
            .write(move |tx| Box::pin(fail(tx, lease, id, message, at)))
            .await?)
    }

    async fn reprocess(&self, id: FileId, at: Time) -> Result<Reprocess, StoreError> {
        Ok(self.db.write(move |tx| Box::pin(reprocess(tx, id, at))).await?)
    }

    async fn delete_file(&self, id: FileId, at: Time) -> Result<bool, StoreError> {
        Ok(self.db.write(move |tx| Box::pin(delete(tx, id, at))).await?)
    }

    async fn purge_file(&self, lease: Lease, id: FileId) -> Result<(), StoreError> {
        // In portions, so that other changes need not wait for all of a large file.
        while self.db.write(move |tx| Box::pin(purge_some(tx, lease, id))).await? {}
        Ok(())
    }

    async fn known_blobs(&self) -> Result<Vec<FileId>, StoreError> {
        let ids: Vec<Uuid> = file::Entity::find()
            .select_only()
            .column(file::Column::Id)
            .filter(file::Column::DeletedAt.is_null())
            .into_tuple()
            .all(self.db.reader())
            .await
            .map_err(Fault::from)?;
        Ok(ids.into_iter().map(Into::into).collect())
    }

    async fn adopt_stranded(&self, at: Time) -> Result<u64, StoreError> {
        Ok(self.db.write(move |tx| Box::pin(adopt(tx, at))).await?)
    }
}
