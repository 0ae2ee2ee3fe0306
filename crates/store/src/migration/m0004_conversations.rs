//! Conversations and their messages.

use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, boolean, json_binary, json_binary_null, pk_uuid, text, text_null, timestamp_with_time_zone,
        timestamp_with_time_zone_null, uuid, uuid_null,
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
        let table = "conversations";
        manager
            .create_table(
                Table::create()
                    .table(table)
                    .col(pk_uuid("id"))
                    .col(uuid("assistant_id"))
                    .col(uuid("user_id"))
                    .col(text("title"))
                    .col(text("title_folded"))
                    .col(uuid_null("head_id"))
                    .col(big_integer("last_seq"))
                    .col(timestamp_with_time_zone_null("last_message_at"))
                    .col(timestamp_with_time_zone("active_at"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .foreign_key(&mut references(
                        table,
                        "assistant_id",
                        "assistants",
                        ForeignKeyAction::Cascade,
                    ))
                    .foreign_key(&mut references(table, "user_id", "users", ForeignKeyAction::Cascade))
                    .to_owned(),
            )
            .await?;
        manager.create_index(index(table, &["assistant_id"])).await?;
        manager
            .create_index(index(table, &["user_id", "active_at", "id"]))
            .await?;
        manager.create_index(index(table, &["created_at"])).await?;

        let table = "messages";
        manager
            .create_table(
                Table::create()
                    .table(table)
                    .col(pk_uuid("id"))
                    .col(uuid("conversation_id"))
                    .col(uuid_null("parent_id"))
                    .col(big_integer("seq"))
                    .col(one_of("role", &["user", "assistant"]))
                    .col(text("content"))
                    .col(text_null("model"))
                    .col(text_null("provider"))
                    .col(one_of(
                        "status",
                        &["complete", "streaming", "stopped", "interrupted", "error"],
                    ))
                    .col(text_null("error_code"))
                    .col(text_null("error_message"))
                    .col(text_null("finish_reason"))
                    .col(json_binary_null("tokens_used"))
                    .col(json_binary("citations"))
                    .col(text_null("retrieval").check(Expr::col("retrieval").is_in(["ok", "none", "unavailable"])))
                    .col(boolean("stop_requested"))
                    .col(timestamp_with_time_zone_null("lease_until"))
                    .col(timestamp_with_time_zone_null("edited_at"))
                    .col(timestamp_with_time_zone("created_at"))
                    .foreign_key(&mut references(
                        table,
                        "conversation_id",
                        "conversations",
                        ForeignKeyAction::Cascade,
                    ))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(index(table, &["conversation_id", "seq"]).unique().to_owned())
            .await?;
        manager.create_index(index(table, &["parent_id"])).await?;
        manager.create_index(index(table, &["created_at"])).await?;
        // One answer at a time: whatever the code does, a conversation has at most one message being written.
        manager
            .create_index(
                Index::create()
                    .name("ux_messages_streaming")
                    .table(table)
                    .col("conversation_id")
                    .unique()
                    .and_where(Expr::col("status").eq("streaming"))
                    .to_owned(),
            )
            .await
    }
}
