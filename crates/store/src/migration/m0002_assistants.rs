//! Assistants.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, boolean, double, integer, pk_uuid, text, text_null, timestamp_with_time_zone},
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
                    .table("assistants")
                    .col(pk_uuid("id"))
                    .col(text("name"))
                    .col(text_null("description"))
                    .col(text("search_folded"))
                    .col(text("instructions"))
                    .col(text_null("model"))
                    .col(double("temperature"))
                    .col(integer("max_tokens"))
                    .col(text_null("avatar_url"))
                    .col(boolean("is_deleted"))
                    .col(big_integer("version"))
                    .col(big_integer("index_generation"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .to_owned(),
            )
            .await?;
        manager.create_index(index("assistants", &["created_at", "id"])).await
    }
}
