//! What is known of answers besides their words: who answered in whose place, what is paid already, and how it was priced.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, json_binary_null, text_null},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in [
            ("messages", json_binary_null("failover")),
            ("messages", big_integer("paid_bytes").default(0).take()),
            ("messages", text_null("writer")),
            ("usage_logs", big_integer("cached_tokens").default(0).take()),
            ("usage_logs", big_integer("reasoning_tokens").default(0).take()),
            ("usage_logs", text_null("price_source")),
            ("usage_logs", text_null("upstream_id")),
            ("usage_logs", text_null("answered_model")),
            ("usage_logs", text_null("failover_from")),
            ("usage_logs", text_null("failover_reason")),
            ("usage_logs", text_null("raw_usage")),
        ] {
            let change = Table::alter().table(table).add_column(column).to_owned();
            manager.alter_table(change).await?;
        }
        Ok(())
    }
}
