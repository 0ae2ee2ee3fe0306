//! Knowledge files on their way from upload to searchable, with their text and chunks. A file and its job change together.

use across::{
    audit::Deed,
    clock::Time,
    fault::StoreError,
    id::{AssistantId, FileId},
    jobs::queue::Lease,
    knowledge::file::{
        Accepted, Chunk, ExtractedText, Filter, Kind, KnowledgeFile, KnowledgeStore, NewChunk, NewFile, Reprocess,
        Status, TextPage,
    },
    page::{Page, PageRequest},
};
use async_trait::async_trait;
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, ExprTrait as _, FromQueryResult, JoinType,
    PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _,
};
use uuid::Uuid;

use crate::{
    SqlStore, attempts, chunks,
    convert::{contains, narrow},
    entity::{assistant, chunk, chunk_vector, file_text, knowledge_file as file},
    error::Fault,
    files,
    paging::{bounds, rows_and_total},
    vectors,
};

/// The name of the files' table.
pub(crate) const TABLE: &str = "knowledge_files";

/// The file in a row.
pub(crate) fn file_of(row: file::Model) -> Result<KnowledgeFile, Fault> {
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

/// A chunk without its vectors.
#[derive(FromQueryResult)]
struct ChunkRow {
    id: Uuid,
    chunk_index: i32,
    page: Option<i32>,
    start_char: i32,
    end_char: i32,
    heading: Option<String>,
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
        heading: row.heading,
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
        let list = chunk::Entity::find().filter(files::generation_of(id, row.generation));
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
                chunk::Column::Heading,
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
            .join(JoinType::InnerJoin, vectors::of_chunk())
            .filter(files::generation_of(id, generation).and(chunk_vector::Column::Space.eq(space)))
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
    async fn accept_file(&self, file: NewFile, deed: Deed) -> Result<Accepted, StoreError> {
        Ok(self
            .db
            .audited(deed, move |tx| Box::pin(files::accept(tx, file)))
            .await?)
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
            .write(move |tx| Box::pin(files::set_progress(tx, lease, id, status, progress, at)))
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
            .write(move |tx| Box::pin(files::save_text(tx, lease, id, generation, text)))
            .await?)
    }

    async fn chunks_written(&self, id: FileId, generation: i64, space: &str) -> Result<u32, StoreError> {
        Ok(self.written(id, generation, space).await?)
    }

    async fn discard_chunks(&self, lease: Lease, id: FileId, generation: i64) -> Result<(), StoreError> {
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                files::unpublished(tx, lease, id, generation).await?;
                chunk::Entity::delete_many()
                    .filter(files::generation_of(id, generation))
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
        let chunks = chunks::encoded(chunks).await?;
        Ok(self
            .db
            .write(move |tx| Box::pin(chunks::add(tx, lease, id, generation, space, chunks)))
            .await?)
    }

    async fn publish(&self, lease: Lease, id: FileId, generation: i64, at: Time) -> Result<(), StoreError> {
        Ok(self
            .db
            .write(move |tx| Box::pin(files::publish(tx, lease, id, generation, at)))
            .await?)
    }

    async fn fail_file(&self, lease: Lease, id: FileId, message: &str, at: Time) -> Result<(), StoreError> {
        let message = message.to_owned();
        Ok(self
            .db
            .write(move |tx| Box::pin(files::fail(tx, lease, id, message, at)))
            .await?)
    }

    async fn reprocess(&self, id: FileId, deed: Deed) -> Result<Reprocess, StoreError> {
        let at = deed.at;
        Ok(self
            .db
            .audited(deed, move |tx| Box::pin(attempts::reprocess(tx, id, at)))
            .await?)
    }

    async fn reprocess_all(
        &self,
        assistant: Option<AssistantId>,
        only_failed: bool,
        deed: Deed,
    ) -> Result<u64, StoreError> {
        let at = deed.at;
        Ok(self
            .db
            .audited(deed, move |tx| {
                Box::pin(attempts::reprocess_all(tx, assistant, only_failed, at))
            })
            .await?)
    }

    async fn mend_vectors(&self, deed: Deed) -> Result<u64, StoreError> {
        self.mend(deed).await
    }

    async fn delete_file(&self, id: FileId, deed: Deed) -> Result<bool, StoreError> {
        let at = deed.at;
        Ok(self
            .db
            .audited(deed, move |tx| Box::pin(files::delete(tx, id, at)))
            .await?)
    }

    async fn purge_file(&self, lease: Lease, id: FileId) -> Result<(), StoreError> {
        // In portions, so that other changes need not wait for all of a large file.
        while self
            .db
            .write(move |tx| Box::pin(files::purge_some(tx, lease, id)))
            .await?
        {}
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
        Ok(self.db.write(move |tx| Box::pin(attempts::adopt(tx, at))).await?)
    }
}
