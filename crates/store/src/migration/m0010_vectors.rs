//! Vectors in a table of their own, one row for each chunk and space, with what the copy in memory is made of; the changes
//! of the embedding model, and which one the server of a custom key has.

use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, big_integer_null, big_pk_auto, blob, integer, pk_uuid, text, text_null, timestamp_with_time_zone,
        timestamp_with_time_zone_null, uuid_null,
    },
    sea_orm::QueryResult,
};

use super::{index, one_of, references};
use crate::vectors;

/// Chunks that are moved at a time.
const BATCH: u64 = 500;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = "chunk_vectors";
        let mut owner = ForeignKey::create();
        owner
            .name("fk_chunk_vectors_chunk_number")
            .from(table, "chunk_number")
            .to("chunks", "number")
            .on_delete(ForeignKeyAction::Cascade);
        manager
            .create_table(
                Table::create()
                    .table(table)
                    .col(big_pk_auto("number"))
                    .col(big_integer("chunk_number"))
                    .col(text("space"))
                    .col(integer("dim"))
                    .col(blob("codes"))
                    .col(blob("vectors"))
                    .col(big_integer("checksum"))
                    .foreign_key(&mut owner)
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(index(table, &["chunk_number", "space"]).unique().to_owned())
            .await?;
        move_vectors(manager).await?;
        for column in ["space", "dim", "vectors"] {
            let drop = Table::alter().table("chunks").drop_column(column).to_owned();
            manager.alter_table(drop).await?;
        }
        changes(manager).await?;
        for column in [text_null("embedding_model"), big_integer_null("embedding_dimensions")] {
            let add = Table::alter().table("api_keys").add_column(column).to_owned();
            manager.alter_table(add).await?;
        }
        Ok(())
    }
}

/// The changes of the embedding model.
async fn changes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = "embedding_changes";
    manager
        .create_table(
            Table::create()
                .table(table)
                .col(pk_uuid("id"))
                .col(text("from_space"))
                .col(text("to_model"))
                .col(integer("to_dim"))
                .col(one_of("phase", &["running", "done", "cancelled", "failed"]))
                .col(big_integer("chunks_total"))
                .col(big_integer("chunks_done"))
                .col(big_integer("position"))
                .col(uuid_null("started_by"))
                .col(text_null("problem"))
                .col(timestamp_with_time_zone("started_at"))
                .col(timestamp_with_time_zone_null("finished_at"))
                .foreign_key(&mut references(table, "started_by", "users", ForeignKeyAction::SetNull))
                .to_owned(),
        )
        .await?;
    manager.create_index(index(table, &["started_at"])).await?;
    manager.create_index(index(table, &["started_by"])).await
}

async fn move_vectors(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    let mut after = i64::MIN;
    loop {
        let some = Query::select()
            .columns(["number", "space", "dim", "vectors"])
            .from("chunks")
            .and_where(Expr::col("number").gt(after))
            .order_by("number", Order::Asc)
            .limit(BATCH)
            .to_owned();
        let rows = db.query_all(&some).await?;
        let mut insert = Query::insert();
        insert
            .into_table("chunk_vectors")
            .columns(["chunk_number", "space", "dim", "codes", "vectors", "checksum"]);
        for row in &rows {
            after = row.try_get_by_index(0)?;
            let values = moved(row)?.map(Expr::from);
            insert
                .values(values)
                .map_err(|error| DbErr::Migration(error.to_string()))?;
        }
        if rows.is_empty() {
            return Ok(());
        }
        db.execute(&insert).await?;
    }
}

/// A row of the new table. Damaged vectors move as they are, without codes: they are noticed when they are loaded.
fn moved(row: &QueryResult) -> Result<[Value; 6], DbErr> {
    let number: i64 = row.try_get_by_index(0)?;
    let space: String = row.try_get_by_index(1)?;
    let dim: i32 = row.try_get_by_index(2)?;
    let bytes: Vec<u8> = row.try_get_by_index(3)?;
    let length = usize::try_from(dim).unwrap_or_default();
    let codes = vectors::decode(&bytes, length).map_or_else(Vec::new, |pieces| vectors::codes(&pieces, length));
    let checksum = vectors::checksum(&bytes);
    Ok([
        number.into(),
        space.into(),
        dim.into(),
        codes.into(),
        bytes.into(),
        checksum.into(),
    ])
}
