//! People, their sessions and refresh tokens, and values that are made once.

use sea_orm_migration::{
    prelude::*,
    schema::{
        boolean, pk_uuid, text, text_null, text_uniq, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
        var_binary, var_binary_null,
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
        manager
            .create_table(
                Table::create()
                    .table("users")
                    .col(pk_uuid("id"))
                    .col(text_uniq("email"))
                    .col(text("password_hash"))
                    .col(text("name"))
                    .col(one_of("role", &["user", "manager", "admin"]))
                    .col(boolean("is_active"))
                    .col(boolean("must_change_password"))
                    .col(timestamp_with_time_zone_null("last_login_at"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("sessions")
                    .col(pk_uuid("id"))
                    .col(uuid("user_id"))
                    .col(text_null("ip_address"))
                    .col(text_null("user_agent"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("last_used_at"))
                    .col(timestamp_with_time_zone("ends_at"))
                    .foreign_key(&mut references(
                        "sessions",
                        "user_id",
                        "users",
                        ForeignKeyAction::Cascade,
                    ))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(index("sessions", &["user_id", "created_at"]))
            .await?;
        manager.create_index(index("sessions", &["ends_at"])).await?;
        manager
            .create_table(
                Table::create()
                    .table("refresh_tokens")
                    .col(var_binary("hash", 32).primary_key())
                    .col(uuid("session_id"))
                    .col(var_binary_null("parent", 32))
                    .col(timestamp_with_time_zone_null("used_at"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("expires_at"))
                    .foreign_key(&mut references(
                        "refresh_tokens",
                        "session_id",
                        "sessions",
                        ForeignKeyAction::Cascade,
                    ))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(index("refresh_tokens", &["session_id", "expires_at"]))
            .await?;
        manager.create_index(index("refresh_tokens", &["parent"])).await?;
        manager
            .create_table(
                Table::create()
                    .table("kept_values")
                    .col(text("name").primary_key())
                    .col(text("value"))
                    .to_owned(),
            )
            .await
    }
}
