//! Providers' keys, usage, quotas with their counters and what is set aside in them, and notices.

use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, big_integer_null, boolean, integer, integer_null, json_binary, pk_uuid, text, text_null,
        timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
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
        keys(manager).await?;
        usage(manager).await?;
        quotas(manager).await?;
        holds(manager).await?;
        notices(manager).await
    }
}

async fn keys(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = "api_keys";
    manager
        .create_table(
            Table::create()
                .table(table)
                .col(pk_uuid("id"))
                .col(one_of(
                    "provider",
                    &["openrouter", "openai", "anthropic", "google", "custom"],
                ))
                .col(text("name"))
                .col(text("name_folded"))
                .col(text("encrypted_key"))
                .col(text_null("key_hint"))
                .col(boolean("is_default"))
                .col(boolean("is_active"))
                .col(text_null("base_url"))
                .col(big_integer_null("prompt_price"))
                .col(big_integer_null("completion_price"))
                .col(big_integer_null("context_length"))
                .col(text_null("max_tokens_param"))
                .col(timestamp_with_time_zone_null("last_used_at"))
                .col(text_null("last_error"))
                .col(big_integer("version"))
                .col(timestamp_with_time_zone("created_at"))
                .col(timestamp_with_time_zone("updated_at"))
                .to_owned(),
        )
        .await?;
    manager
        .create_index(index(table, &["provider", "name_folded"]).unique().to_owned())
        .await?;
    manager.create_index(index(table, &["created_at", "id"])).await?;
    // Whatever the code does, at most one key of a provider is the one that is used.
    manager
        .create_index(
            Index::create()
                .name("ux_api_keys_default")
                .table(table)
                .col("provider")
                .unique()
                .and_where(Expr::col("is_default").eq(true))
                .to_owned(),
        )
        .await
}

async fn usage(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = "usage_logs";
    manager
        .create_table(
            Table::create()
                .table(table)
                .col(pk_uuid("id"))
                // Not a reference: what somebody used stays known when their account is deleted.
                .col(uuid_null("user_id"))
                .col(uuid_null("assistant_id"))
                .col(uuid_null("conversation_id"))
                .col(uuid_null("message_id"))
                .col(one_of("purpose", &["chat", "title", "embed_file", "embed_query"]))
                .col(text("provider"))
                .col(text("model"))
                .col(big_integer("prompt_tokens"))
                .col(big_integer("completion_tokens"))
                .col(big_integer("total_tokens"))
                .col(big_integer("cost_usd"))
                .col(boolean("estimated"))
                .col(boolean("is_request"))
                .col(text("day"))
                .col(timestamp_with_time_zone("created_at"))
                .foreign_key(&mut references(
                    table,
                    "assistant_id",
                    "assistants",
                    ForeignKeyAction::SetNull,
                ))
                .foreign_key(&mut references(
                    table,
                    "conversation_id",
                    "conversations",
                    ForeignKeyAction::SetNull,
                ))
                .to_owned(),
        )
        .await?;
    for columns in [
        &["created_at", "id"][..],
        &["user_id", "created_at"],
        &["assistant_id", "created_at"],
        &["conversation_id"],
        &["message_id"],
        &["model", "created_at"],
    ] {
        manager.create_index(index(table, columns)).await?;
    }
    Ok(())
}

async fn quotas(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = "usage_quotas";
    manager
        .create_table(
            Table::create()
                .table(table)
                .col(pk_uuid("id"))
                .col(one_of("scope", &["global", "role", "user", "assistant"]))
                // Empty for everybody's, so that the index below allows one of them only.
                .col(text("scope_id"))
                .col(big_integer_null("daily_cost_limit"))
                .col(big_integer_null("monthly_cost_limit"))
                .col(big_integer_null("daily_token_limit"))
                .col(big_integer_null("monthly_token_limit"))
                .col(integer_null("requests_per_min"))
                .col(integer_null("requests_per_hour"))
                .col(integer("alert_threshold"))
                .col(big_integer("version"))
                .col(timestamp_with_time_zone("created_at"))
                .col(timestamp_with_time_zone("updated_at"))
                .to_owned(),
        )
        .await?;
    manager
        .create_index(index(table, &["scope", "scope_id"]).unique().to_owned())
        .await?;
    manager.create_index(index(table, &["created_at", "id"])).await?;

    let table = "quota_counters";
    manager
        .create_table(
            Table::create()
                .table(table)
                .col(uuid("quota_id"))
                .col(one_of("window", &["minute", "hour", "day", "month"]))
                .col(timestamp_with_time_zone("starts_at"))
                .col(big_integer("cost"))
                .col(big_integer("tokens"))
                .col(big_integer("requests"))
                .col(big_integer("held_cost"))
                .col(big_integer("held_tokens"))
                .col(boolean("is_alerted"))
                .primary_key(Index::create().col("quota_id").col("window").col("starts_at"))
                .foreign_key(&mut references(
                    table,
                    "quota_id",
                    "usage_quotas",
                    ForeignKeyAction::Cascade,
                ))
                .to_owned(),
        )
        .await?;
    manager.create_index(index(table, &["starts_at"])).await
}

/// What is set aside refers to nothing: it is charged even if person, conversation or key are gone by then.
async fn holds(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = "quota_holds";
    manager
        .create_table(
            Table::create()
                .table(table)
                .col(pk_uuid("id"))
                .col(uuid_null("user_id"))
                .col(text_null("role"))
                .col(uuid_null("assistant_id"))
                .col(one_of("purpose", &["chat", "title", "embed_file", "embed_query"]))
                .col(text("provider"))
                .col(uuid_null("api_key_id"))
                .col(text("model"))
                .col(uuid_null("conversation_id"))
                .col(uuid_null("message_id"))
                .col(big_integer("prompt_tokens"))
                .col(big_integer("completion_tokens"))
                .col(big_integer("prompt_price"))
                .col(big_integer("completion_price"))
                .col(big_integer("cost"))
                .col(json_binary("quotas"))
                .col(timestamp_with_time_zone("reserved_at"))
                .col(timestamp_with_time_zone("expires_at"))
                .to_owned(),
        )
        .await?;
    manager.create_index(index(table, &["expires_at"])).await?;
    manager.create_index(index(table, &["message_id"])).await
}

async fn notices(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = "notices";
    manager
        .create_table(
            Table::create()
                .table(table)
                .col(pk_uuid("id"))
                .col(text("kind"))
                .col(one_of("level", &["info", "warning", "error"]))
                .col(text("message"))
                .col(json_binary("details"))
                .col(uuid_null("user_id"))
                .col(timestamp_with_time_zone("created_at"))
                .foreign_key(&mut references(table, "user_id", "users", ForeignKeyAction::Cascade))
                .to_owned(),
        )
        .await?;
    manager.create_index(index(table, &["created_at", "id"])).await?;
    manager.create_index(index(table, &["user_id"])).await?;

    let table = "notice_dismissals";
    manager
        .create_table(
            Table::create()
                .table(table)
                .col(uuid("notice_id"))
                .col(uuid("user_id"))
                .col(timestamp_with_time_zone("dismissed_at"))
                .primary_key(Index::create().col("notice_id").col("user_id"))
                .foreign_key(&mut references(
                    table,
                    "notice_id",
                    "notices",
                    ForeignKeyAction::Cascade,
                ))
                .foreign_key(&mut references(table, "user_id", "users", ForeignKeyAction::Cascade))
                .to_owned(),
        )
        .await?;
    manager.create_index(index(table, &["user_id"])).await
}
