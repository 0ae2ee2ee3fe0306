//! The queue of background work.

use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, boolean, integer, json_binary, pk_uuid, text, text_null, timestamp_with_time_zone, uuid_null,
    },
};

use super::index;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("jobs")
                    .col(pk_uuid("id"))
                    .col(text("kind"))
                    .col(uuid_null("file_id"))
                    .col(json_binary("payload"))
                    .col(timestamp_with_time_zone("due_at"))
                    .col(boolean("is_claimed"))
                    .col(integer("attempt"))
                    .col(big_integer("fence"))
                    .col(text_null("last_error"))
                    .col(timestamp_with_time_zone("created_at"))
                    .to_owned(),
            )
            .await?;
        manager.create_index(index("jobs", &["due_at", "id"])).await?;
        manager.create_index(index("jobs", &["file_id"])).await
    }
}
