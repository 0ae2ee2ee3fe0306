//! Knowledge files, their text and their chunks, with the full-text index over the chunks.

use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, big_pk_auto, blob, integer, integer_null, json_binary, pk_uuid, text, text_null,
        timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null, uuid_uniq,
    },
};

use super::{index, one_of, references};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = "knowledge_files";
        manager
            .create_table(
                Table::create()
                    .table(table)
                    .col(pk_uuid("id"))
                    .col(uuid("assistant_id"))
                    .col(text("filename"))
                    .col(text("filename_folded"))
                    .col(one_of("file_type", &["pdf", "docx", "txt", "md"]))
                    .col(big_integer("size_bytes"))
                    .col(text("sha256"))
                    .col(integer("chunk_count"))
                    .col(one_of(
                        "status",
                        &["uploading", "processing", "indexing", "ready", "error"],
                    ))
                    .col(integer("progress"))
                    .col(text_null("error_message"))
                    .col(big_integer("generation"))
                    .col(big_integer("latest_generation"))
                    .col(uuid_null("uploaded_by"))
                    .col(timestamp_with_time_zone_null("deleted_at"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .foreign_key(&mut references(
                        table,
                        "assistant_id",
                        "assistants",
                        ForeignKeyAction::Cascade,
                    ))
                    .foreign_key(&mut references(
                        table,
                        "uploaded_by",
                        "users",
                        ForeignKeyAction::SetNull,
                    ))
                    .to_owned(),
            )
            .await?;
        manager.create_index(index(table, &["assistant_id", "sha256"])).await?;
        manager.create_index(index(table, &["uploaded_by"])).await?;
        manager.create_index(index(table, &["created_at", "id"])).await?;
        manager.create_index(index(table, &["status"])).await?;
        manager.create_index(index(table, &["deleted_at"])).await?;
        manager
            .create_table(
                Table::create()
                    .table("file_texts")
                    .col(uuid("file_id"))
                    .col(big_integer("generation"))
                    .col(text("text"))
                    .col(json_binary("pages"))
                    .primary_key(Index::create().col("file_id").col("generation"))
                    .foreign_key(&mut references(
                        "file_texts",
                        "file_id",
                        table,
                        ForeignKeyAction::Cascade,
                    ))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("chunks")
                    .col(big_pk_auto("number"))
                    .col(uuid_uniq("id"))
                    .col(uuid("file_id"))
                    .col(big_integer("generation"))
                    .col(integer("chunk_index"))
                    .col(integer_null("page"))
                    .col(integer("start_char"))
                    .col(integer("end_char"))
                    .col(text("text"))
                    .col(integer("token_count"))
                    .col(text("space"))
                    .col(integer("dim"))
                    .col(blob("vectors"))
                    .foreign_key(&mut references("chunks", "file_id", table, ForeignKeyAction::Cascade))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                index("chunks", &["file_id", "generation", "chunk_index"])
                    .unique()
                    .to_owned(),
            )
            .await?;
        crate::fulltext::create(manager).await
    }
}
