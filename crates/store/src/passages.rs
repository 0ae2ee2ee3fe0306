//! Passages: the text behind the chunks that a search found, and with that the re-check of every hit.

use std::collections::HashMap;

use across::{
    fault::StoreError,
    id::{AssistantId, ChunkId, FileId},
    retrieval::{
        passage::{Passage, Passages},
        vectors::KeywordIndex,
        words::Word,
    },
};
use async_trait::async_trait;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, ExprTrait as _, FromQueryResult, QueryFilter as _, QuerySelect as _,
    sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    SqlStore,
    convert::{column_i32, narrow},
    entity::{chunk, knowledge_file as file},
    error::Fault,
    fulltext,
};

/// Ids of one query; databases limit the values of a statement.
const IDS_PER_QUERY: usize = 1_000;

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    file_id: Uuid,
    generation: i64,
    chunk_index: i32,
    page: Option<i32>,
    start_char: i32,
    end_char: i32,
    heading: Option<String>,
    text: String,
    words: String,
}

impl SqlStore {
    async fn load(&self, assistant: AssistantId, wanted: impl Iterator<Item = Expr>) -> Result<Vec<Passage>, Fault> {
        let snapshot = self.db.snapshot().await?;
        let mut found = Vec::new();
        for some in wanted {
            let rows: Vec<Row> = chunk::Entity::find()
                .select_only()
                .columns([
                    chunk::Column::Id,
                    chunk::Column::FileId,
                    chunk::Column::Generation,
                    chunk::Column::ChunkIndex,
                    chunk::Column::Page,
                    chunk::Column::StartChar,
                    chunk::Column::EndChar,
                    chunk::Column::Heading,
                    chunk::Column::Text,
                    chunk::Column::Words,
                ])
                .filter(some)
                .into_model()
                .all(&snapshot)
                .await?;
            let mut file_ids: Vec<Uuid> = rows.iter().map(|row| row.file_id).collect();
            file_ids.sort_unstable();
            file_ids.dedup();
            let files: Vec<(Uuid, i64, String)> = file::Entity::find()
                .select_only()
                .columns([file::Column::Id, file::Column::Generation, file::Column::Filename])
                .filter(
                    file::Column::Id
                        .is_in(file_ids)
                        .and(file::Column::AssistantId.eq(assistant.uuid()))
                        .and(file::Column::DeletedAt.is_null()),
                )
                .into_tuple()
                .all(&snapshot)
                .await?;
            let files: HashMap<Uuid, (i64, String)> = files
                .into_iter()
                .map(|(id, generation, name)| (id, (generation, name)))
                .collect();
            for row in rows {
                if let Some((_, filename)) = files.get(&row.file_id).filter(|(now, _)| *now == row.generation) {
                    found.push(passage_of(row, filename.clone())?);
                }
            }
        }
        Ok(found)
    }
}

fn passage_of(row: Row, filename: String) -> Result<Passage, Fault> {
    let id = row.id;
    Ok(Passage {
        chunk: id.into(),
        file: row.file_id.into(),
        filename,
        chunk_index: narrow(row.chunk_index, "chunks", "chunk_index", id)?,
        last_chunk_index: narrow(row.chunk_index, "chunks", "chunk_index", id)?,
        page: row.page.map(|page| narrow(page, "chunks", "page", id)).transpose()?,
        start: narrow(row.start_char, "chunks", "start_char", id)?,
        end: narrow(row.end_char, "chunks", "end_char", id)?,
        heading: row.heading,
        text: row.text,
        words: row.words,
    })
}

#[async_trait]
impl Passages for SqlStore {
    async fn passages(&self, assistant: AssistantId, chunks: &[ChunkId]) -> Result<Vec<Passage>, StoreError> {
        if chunks.is_empty() {
            return Ok(Vec::new());
        }
        let these = |some: &[ChunkId]| chunk::Column::Id.is_in(some.iter().map(|id| id.uuid()));
        Ok(self.load(assistant, chunks.chunks(IDS_PER_QUERY).map(these)).await?)
    }

    async fn cited_passages(
        &self,
        assistant: AssistantId,
        chunks: &[(FileId, u32)],
    ) -> Result<Vec<Passage>, StoreError> {
        let these = |(file, index): &(FileId, u32)| {
            let place = chunk::Column::ChunkIndex.eq(column_i32(*index));
            chunk::Column::FileId.eq(file.uuid()).and(place)
        };
        if chunks.is_empty() {
            return Ok(Vec::new());
        }
        // An answer cites a handful of passages.
        Ok(self.load(assistant, chunks.iter().map(these)).await?)
    }

    async fn has_knowledge(&self, assistant: AssistantId) -> Result<bool, StoreError> {
        let any: Option<Uuid> = file::Entity::find()
            .select_only()
            .column(file::Column::Id)
            .filter(
                file::Column::AssistantId
                    .eq(assistant.uuid())
                    .and(file::Column::DeletedAt.is_null())
                    .and(file::Column::ChunkCount.gt(0)),
            )
            .into_tuple()
            .one(self.db.reader())
            .await
            .map_err(Fault::from)?;
        Ok(any.is_some())
    }
}

#[async_trait]
impl KeywordIndex for SqlStore {
    async fn with_words(
        &self,
        assistant: AssistantId,
        words: &[Word],
        limit: usize,
    ) -> Result<Vec<ChunkId>, StoreError> {
        Ok(fulltext::search(self.db.reader(), assistant, words, limit).await?)
    }
}
