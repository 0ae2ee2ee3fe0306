//! Numbers over all tables, for administrators.

use std::collections::BTreeMap;

use across::{
    clock::Time,
    fault::StoreError,
    id::AssistantId,
    knowledge::file::{Kind, Status},
    page::{Page, PageRequest},
    platform::{Counts, Holdings, QueuedJob, Statistics},
};
use async_trait::async_trait;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, ExprTrait as _, JoinType, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, RelationDef,
};
use uuid::Uuid;

use crate::{
    SqlStore,
    counters::natural,
    entity::{api_key, assistant, chunk, chunk_vector, conversation, knowledge_file as file, message, user},
    error::Fault,
    queue,
};

impl SqlStore {
    async fn all_counts(&self, since: Time) -> Result<Counts, Fault> {
        let db = self.db.snapshot().await?;
        let active_keys = api_key::Entity::find().filter(api_key::Column::IsActive.eq(true));
        Ok(Counts {
            users: user::Entity::find().count(&db).await?,
            active_users: user::Entity::find()
                .filter(user::Column::IsActive.eq(true))
                .count(&db)
                .await?,
            assistants: assistant::Entity::find().count(&db).await?,
            deleted_assistants: assistant::Entity::find()
                .filter(assistant::Column::IsDeleted.eq(true))
                .count(&db)
                .await?,
            conversations: conversation::Entity::find().count(&db).await?,
            messages_since: message::Entity::find()
                .filter(message::Column::CreatedAt.gte(since))
                .count(&db)
                .await?,
            active_keys: active_keys.clone().count(&db).await?,
            failing_keys: active_keys
                .filter(api_key::Column::LastError.is_not_null())
                .count(&db)
                .await?,
        })
    }

    async fn holdings_of(&self, assistant: AssistantId) -> Result<Holdings, Fault> {
        let db = self.db.snapshot().await?;
        let mut found = Holdings::default();
        let files: Vec<(Uuid, String, String, i64, Time)> = file::Entity::find()
            .select_only()
            .columns([
                file::Column::Id,
                file::Column::Status,
                file::Column::FileType,
                file::Column::SizeBytes,
                file::Column::UpdatedAt,
            ])
            .filter(file::Column::AssistantId.eq(assistant.uuid()))
            .filter(file::Column::DeletedAt.is_null())
            .into_tuple()
            .all(&db)
            .await?;
        let mut counted: BTreeMap<(&str, &str), (Status, Kind, u64)> = BTreeMap::new();
        for (id, status, kind, bytes, at) in &files {
            let status = Status::parse(status).ok_or_else(|| Fault::corrupt("knowledge_files", "status", id))?;
            let kind = Kind::parse(kind).ok_or_else(|| Fault::corrupt("knowledge_files", "file_type", id))?;
            let entry = counted.entry((status.as_str(), kind.as_str()));
            entry.or_insert((status, kind, 0)).2 += 1;
            found.bytes += natural(*bytes);
            if status == Status::Ready {
                found.last_indexed = Ord::max(found.last_indexed, Some(*at));
            }
        }
        found.files = counted.into_values().collect();
        let of_file: RelationDef = chunk::Entity::belongs_to(file::Entity)
            .from(chunk::Column::FileId)
            .to(file::Column::Id)
            .into();
        let searched = chunk::Entity::find()
            .select_only()
            .join(JoinType::InnerJoin, of_file)
            .filter(file::Column::AssistantId.eq(assistant.uuid()))
            .filter(file::Column::DeletedAt.is_null())
            .filter(
                chunk::Column::Generation
                    .into_expr()
                    .eq(file::Column::Generation.into_expr()),
            );
        let held: Option<(i64, Option<i64>)> = searched
            .clone()
            .column_as(chunk::Column::Id.count(), "chunks")
            .column_as(chunk::Column::TokenCount.sum(), "tokens")
            .into_tuple()
            .one(&db)
            .await?;
        let (chunks, tokens) = held.unwrap_or_default();
        found.chunks = natural(chunks);
        found.tokens = natural(tokens.unwrap_or_default());
        let of_chunk: RelationDef = chunk::Entity::belongs_to(chunk_vector::Entity)
            .from(chunk::Column::Number)
            .to(chunk_vector::Column::ChunkNumber)
            .into();
        let spaces: Vec<(String, i64)> = searched
            .clone()
            .join(JoinType::InnerJoin, of_chunk)
            .column(chunk_vector::Column::Space)
            .column_as(chunk::Column::Id.count(), "chunks")
            .group_by(chunk_vector::Column::Space)
            .order_by_asc(chunk_vector::Column::Space)
            .into_tuple()
            .all(&db)
            .await?;
        found.spaces = spaces
            .into_iter()
            .map(|(space, chunks)| (space, natural(chunks)))
            .collect();
        let last_pages: Vec<Option<i32>> = searched
            .column_as(chunk::Column::Page.max(), "last")
            .group_by(chunk::Column::FileId)
            .into_tuple()
            .all(&db)
            .await?;
        found.pages = last_pages.into_iter().flatten().map(|last| natural(last.into())).sum();
        Ok(found)
    }

    async fn statuses(&self) -> Result<Vec<(Status, u64)>, Fault> {
        let rows: Vec<(String, i64)> = file::Entity::find()
            .select_only()
            .column(file::Column::Status)
            .column_as(file::Column::Id.count(), "files")
            .filter(file::Column::DeletedAt.is_null())
            .group_by(file::Column::Status)
            .into_tuple()
            .all(self.db.reader())
            .await?;
        let counted = |(name, files): (String, i64)| {
            let status = Status::parse(&name).ok_or_else(|| Fault::corrupt("knowledge_files", "status", name))?;
            Ok((status, natural(files)))
        };
        rows.into_iter().map(counted).collect()
    }
}

#[async_trait]
impl Statistics for SqlStore {
    async fn counts(&self, since: Time) -> Result<Counts, StoreError> {
        Ok(self.all_counts(since).await?)
    }

    async fn holdings(&self, assistant: AssistantId) -> Result<Holdings, StoreError> {
        Ok(self.holdings_of(assistant).await?)
    }

    async fn files_by_status(&self) -> Result<Vec<(Status, u64)>, StoreError> {
        Ok(self.statuses().await?)
    }

    async fn list_jobs(&self, page: PageRequest) -> Result<Page<QueuedJob>, StoreError> {
        let snapshot = self.db.snapshot().await?;
        Ok(queue::list(&snapshot, page).await?)
    }
}
