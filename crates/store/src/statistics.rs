//! Numbers over all tables, for administrators.

use across::{
    clock::Time,
    fault::StoreError,
    knowledge::file::Status,
    page::{Page, PageRequest},
    platform::{Counts, QueuedJob, Statistics},
};
use async_trait::async_trait;
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QuerySelect as _};

use crate::{
    SqlStore,
    counters::natural,
    entity::{api_key, assistant, conversation, knowledge_file, message, user},
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

    async fn statuses(&self) -> Result<Vec<(Status, u64)>, Fault> {
        let rows: Vec<(String, i64)> = knowledge_file::Entity::find()
            .select_only()
            .column(knowledge_file::Column::Status)
            .column_as(knowledge_file::Column::Id.count(), "files")
            .filter(knowledge_file::Column::DeletedAt.is_null())
            .group_by(knowledge_file::Column::Status)
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

    async fn files_by_status(&self) -> Result<Vec<(Status, u64)>, StoreError> {
        Ok(self.statuses().await?)
    }

    async fn list_jobs(&self, page: PageRequest) -> Result<Page<QueuedJob>, StoreError> {
        let snapshot = self.db.snapshot().await?;
        Ok(queue::list(&snapshot, page).await?)
    }
}
