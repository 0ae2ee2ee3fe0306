//! What governing people needs: versions of accounts, addresses they are known from, failures that are counted, requests
//! that are done once, settings, the audit log, and folders of conversations.

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _, sea_query::Expr};
use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, blob_null, boolean, integer, integer_null, json_binary_null, pk_uuid, string_len, text, text_null,
        timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null, var_binary,
    },
};

use uuid::Uuid;

use crate::{
    backend::Backend,
    convert::fold,
    entity::{knowledge_file, user},
};

use super::{index, references};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        people(manager).await?;
        requests(manager).await?;
        audit(manager).await?;
        folders(manager).await?;
        paths(manager).await
    }
}

/// Adds one column to a table that has rows.
async fn add(manager: &SchemaManager<'_>, table: &'static str, column: &mut ColumnDef) -> Result<(), DbErr> {
    manager
        .alter_table(Table::alter().table(table).add_column(column).to_owned())
        .await
}

async fn people(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    add(manager, "users", big_integer("version").default(1)).await?;
    add(manager, "users", text("search_folded").default("")).await?;
    let db = manager.get_connection();
    let accounts: Vec<(Uuid, String, String)> = user::Entity::find()
        .select_only()
        .columns([user::Column::Id, user::Column::Name, user::Column::Email])
        .into_tuple()
        .all(db)
        .await?;
    for (id, name, email) in accounts {
        user::Entity::update_many()
            .col_expr(
                user::Column::SearchFolded,
                Expr::value(fold(&format!("{name}\n{email}"))),
            )
            .filter(user::Column::Id.eq(id))
            .exec(db)
            .await?;
    }
    manager.create_index(index("users", &["created_at", "id"])).await?;

    let table = "known_addresses";
    manager
        .create_table(
            Table::create()
                .table(table)
                .col(uuid("user_id"))
                .col(text("ip_address"))
                .col(timestamp_with_time_zone("last_used_at"))
                .primary_key(Index::create().col("user_id").col("ip_address"))
                .foreign_key(&mut references(table, "user_id", "users", ForeignKeyAction::Cascade))
                .to_owned(),
        )
        .await?;

    let table = "throttle_counters";
    manager
        .create_table(
            Table::create()
                .table(table)
                .col(text("bucket").primary_key())
                .col(integer("failures"))
                .col(timestamp_with_time_zone("window_start"))
                .col(timestamp_with_time_zone_null("locked_until"))
                .col(integer("locks"))
                .col(timestamp_with_time_zone("updated_at"))
                .to_owned(),
        )
        .await?;
    manager.create_index(index(table, &["updated_at"])).await?;

    manager
        .create_table(
            Table::create()
                .table("settings")
                .col(string_len("key", 100).primary_key())
                .col(json_binary_null("value"))
                .col(big_integer("version"))
                .col(timestamp_with_time_zone("updated_at"))
                .to_owned(),
        )
        .await
}

async fn requests(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = "request_keys";
    manager
        .create_table(
            Table::create()
                .table(table)
                .col(uuid("user_id"))
                .col(text("method"))
                .col(text("path"))
                .col(text("key"))
                .col(var_binary("fingerprint", 32))
                .col(integer_null("status"))
                .col(json_binary_null("headers"))
                .col(blob_null("body"))
                .col(uuid_null("message_id"))
                .col(timestamp_with_time_zone("lease_until"))
                .col(timestamp_with_time_zone("created_at"))
                .primary_key(Index::create().col("user_id").col("method").col("path").col("key"))
                .foreign_key(&mut references(table, "user_id", "users", ForeignKeyAction::Cascade))
                .to_owned(),
        )
        .await?;
    manager.create_index(index(table, &["user_id", "created_at"])).await?;
    manager.create_index(index(table, &["created_at"])).await
}

async fn audit(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = "audit_logs";
    manager
        .create_table(
            Table::create()
                .table(table)
                .col(pk_uuid("id"))
                .col(uuid_null("actor_id"))
                .col(text_null("actor_email"))
                .col(text("action"))
                .col(text("resource_type"))
                .col(text_null("resource_id"))
                .col(json_binary_null("old_values"))
                .col(json_binary_null("new_values"))
                .col(text_null("ip_address"))
                .col(text_null("user_agent"))
                .col(timestamp_with_time_zone("created_at"))
                .foreign_key(&mut references(table, "actor_id", "users", ForeignKeyAction::SetNull))
                .to_owned(),
        )
        .await?;
    manager.create_index(index(table, &["created_at", "id"])).await?;
    manager.create_index(index(table, &["actor_id"])).await?;
    manager.create_index(index(table, &["action"])).await?;
    manager
        .create_index(index(table, &["resource_type", "resource_id"]))
        .await?;
    manager
        .create_table(
            Table::create()
                .table("audit_retention")
                .col(timestamp_with_time_zone("cutoff").primary_key())
                .to_owned(),
        )
        .await?;
    let db = manager.get_connection();
    let statements: &[&str] = match db.get_database_backend() {
        Backend::Postgres => &GUARDS_ON_SERVERS,
        _ => &GUARDS_IN_FILES,
    };
    for statement in statements {
        db.execute_unprepared(statement).await?;
    }
    Ok(())
}

/// What keeps entries as they are. The one change that is let through is what the deletion of an account does to the
/// entries of its deeds; the one removal, that of entries from before a cutoff that `audit_retention` holds.
const GUARDS_ON_SERVERS: [&str; 3] = [
    "CREATE FUNCTION audit_logs_stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
     IF TG_OP = 'UPDATE' THEN \
     IF NEW.actor_id IS NULL AND to_jsonb(NEW) - 'actor_id' = to_jsonb(OLD) - 'actor_id' \
     AND NOT EXISTS (SELECT 1 FROM users WHERE id = OLD.actor_id) THEN RETURN NEW; END IF; \
     ELSIF TG_OP = 'DELETE' THEN \
     IF EXISTS (SELECT 1 FROM audit_retention WHERE OLD.created_at < cutoff) THEN RETURN OLD; END IF; \
     END IF; \
     RAISE EXCEPTION 'entries of the audit log are neither changed nor removed'; END $$",
    "CREATE TRIGGER audit_logs_stay BEFORE UPDATE OR DELETE ON audit_logs \
     FOR EACH ROW EXECUTE FUNCTION audit_logs_stay()",
    "CREATE TRIGGER audit_logs_stay_all BEFORE TRUNCATE ON audit_logs \
     FOR EACH STATEMENT EXECUTE FUNCTION audit_logs_stay()",
];
/// The same. Replacing a row by inserting it again would run no trigger of a removal, so that is refused by itself.
const GUARDS_IN_FILES: [&str; 3] = [
    "CREATE TRIGGER audit_logs_are_not_changed BEFORE UPDATE ON audit_logs WHEN NOT ( \
     new.actor_id IS NULL AND NOT EXISTS (SELECT 1 FROM users WHERE id = old.actor_id) \
     AND new.id IS old.id AND new.actor_email IS old.actor_email AND new.action IS old.action \
     AND new.resource_type IS old.resource_type AND new.resource_id IS old.resource_id \
     AND new.old_values IS old.old_values AND new.new_values IS old.new_values \
     AND new.ip_address IS old.ip_address AND new.user_agent IS old.user_agent \
     AND new.created_at IS old.created_at) \
     BEGIN SELECT RAISE(ABORT, 'entries of the audit log are not changed'); END",
    "CREATE TRIGGER audit_logs_are_not_removed BEFORE DELETE ON audit_logs \
     WHEN NOT EXISTS (SELECT 1 FROM audit_retention WHERE old.created_at < cutoff) \
     BEGIN SELECT RAISE(ABORT, 'entries of the audit log are not removed'); END",
    "CREATE TRIGGER audit_logs_are_not_replaced BEFORE INSERT ON audit_logs \
     WHEN EXISTS (SELECT 1 FROM audit_logs WHERE id = new.id) \
     BEGIN SELECT RAISE(ABORT, 'entries of the audit log are not replaced'); END",
];

async fn folders(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = "folders";
    manager
        .create_table(
            Table::create()
                .table(table)
                .col(pk_uuid("id"))
                .col(uuid("user_id"))
                .col(text("name"))
                .col(text("name_folded"))
                .col(integer("position"))
                .col(timestamp_with_time_zone("created_at"))
                .col(timestamp_with_time_zone("updated_at"))
                .foreign_key(&mut references(table, "user_id", "users", ForeignKeyAction::Cascade))
                .to_owned(),
        )
        .await?;
    manager.create_index(index(table, &["user_id", "position"])).await?;

    let table = "conversations";
    for flag in ["is_pinned", "is_archived", "is_unseen"] {
        add(manager, table, boolean(flag).default(false)).await?;
    }
    // The query builder cannot say this for both databases: one of them takes a reference only with its column.
    let db = manager.get_connection();
    let uuid = match db.get_database_backend() {
        Backend::Postgres => "uuid",
        _ => "uuid_text",
    };
    db.execute_unprepared(&format!(
        "ALTER TABLE conversations ADD COLUMN folder_id {uuid} NULL \
         CONSTRAINT fk_conversations_folder_id REFERENCES folders (id) ON DELETE SET NULL"
    ))
    .await?;
    manager.create_index(index(table, &["folder_id"])).await?;
    manager.create_index(index(table, &["active_at"])).await
}

/// Says of every file where its bytes are, below the data directory.
async fn paths(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    add(manager, "knowledge_files", text("file_path").default("")).await?;
    let db = manager.get_connection();
    let ids: Vec<Uuid> = knowledge_file::Entity::find()
        .select_only()
        .column(knowledge_file::Column::Id)
        .into_tuple()
        .all(db)
        .await?;
    for id in ids {
        knowledge_file::Entity::update_many()
            .col_expr(knowledge_file::Column::FilePath, Expr::value(format!("files/{id}")))
            .filter(knowledge_file::Column::Id.eq(id))
            .exec(db)
            .await?;
    }
    Ok(())
}
