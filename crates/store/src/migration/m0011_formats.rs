//! More kinds of files, the headings that chunks stand under, and what is known of jobs that wait or go on.

use sea_orm_migration::{
    prelude::*,
    schema::{integer, text_null, timestamp_with_time_zone_null},
};

use super::one_of;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in [
            ("chunks", text_null("heading")),
            ("jobs", integer("outages").default(0).take()),
            ("jobs", text_null("waits_for")),
            ("jobs", timestamp_with_time_zone_null("moved_at")),
        ] {
            let change = Table::alter().table(table).add_column(column).to_owned();
            manager.alter_table(change).await?;
        }
        kinds(manager).await
    }
}

/// Lets `file_type` take nine values. A column in place of the old one: making the table anew, as SQLite needs it for a
/// changed rule, would take with it what refers to its rows.
async fn kinds(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = "knowledge_files";
    let (now, old) = ("file_type_now", "file_type");
    let kinds = ["pdf", "docx", "txt", "md", "pptx", "xlsx", "csv", "html", "epub"];
    let column = one_of(now, &kinds).default("txt").take();
    manager
        .alter_table(Table::alter().table(table).add_column(column).to_owned())
        .await?;
    let copy = Query::update().table(table).value(now, Expr::col(old)).to_owned();
    manager.execute(copy).await?;
    manager
        .alter_table(Table::alter().table(table).drop_column(old).to_owned())
        .await?;
    manager
        .alter_table(Table::alter().table(table).rename_column(now, old).to_owned())
        .await
}
