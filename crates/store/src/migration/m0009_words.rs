//! Chunks keep the forms of their words, and the full-text index is made of those instead of the text.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // What the words of existing chunks are found by is made after the migrations, as after every change of the
        // analyser (`words.rs`).
        crate::fulltext::index_words(manager).await
    }
}
