//! PostgreSQL with the extension `vector`: a table for each embedding model, scanned exactly within one assistant.
//!
//! There is no approximate index: an assistant has some ten thousand points, whose scan takes tens of milliseconds and
//! misses nothing. (An index would be limited to 2,000 dimensions, or 4,000 as `halfvec`; a plain column takes 16,000.)

use std::future::Future;

use across::{
    retrieval::vectors::{Collection, Match, Point, Scope, VectorError, VectorQuery, VectorStore, has_direction},
    secret::Secret,
};
use async_trait::async_trait;
use sqlx::{
    AssertSqlSafe, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{Asking, PATIENCE, batch, name, rest::gone};

/// Connections at a time.
const CONNECTIONS: u32 = 8;
/// What is locked while a table is made: two that make the same at once would disturb each other.
const MAKING: i64 = 0x61_6372_6f73_7301;
/// PostgreSQL's code for a table that is not there.
const NO_TABLE: &str = "42P01";

/// A database with pgvector.
pub(crate) struct Pgvector(PgPool);

impl Pgvector {
    pub(crate) fn new(url: &Secret) -> Result<Self, VectorError> {
        let options: PgConnectOptions = url
            .expose()
            .parse()
            .map_err(|_| VectorError::Refused("its address is not postgres://USER:PASSWORD@HOST/NAME".to_owned()))?;
        let seconds = PATIENCE.as_secs();
        let options = options
            .application_name("ai-across")
            .options([("statement_timeout", format!("{seconds}s"))]);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .connect_lazy_with(options);
        Ok(Self(pool))
    }

    /// The nearest pieces, as rows of chunk, file and cosine.
    async fn pieces(
        &self,
        collection: &Collection,
        query: &VectorQuery,
        count: usize,
    ) -> Result<Vec<(Uuid, Uuid, f64)>, VectorError> {
        let sql = format!(
            "SELECT chunk, file, 1 - (embedding <=> $1::vector) FROM {} WHERE assistant = $2 \
             ORDER BY embedding <=> $1::vector, chunk LIMIT $3",
            name(collection)
        );
        let rows = sqlx::query_as(AssertSqlSafe(sql))
            .bind(text(&query.vector))
            .bind(query.assistant.uuid())
            .bind(i64::try_from(count).unwrap_or(i64::MAX));
        within(rows.fetch_all(&self.0)).await?.ok_or_else(gone)
    }
}

/// What the database answers in time; `None` if it has no such table.
async fn within<T>(work: impl Future<Output = sqlx::Result<T>>) -> Result<Option<T>, VectorError> {
    let Ok(done) = timeout(PATIENCE, work).await else {
        return Err(VectorError::Unavailable(format!(
            "it took longer than {} s",
            PATIENCE.as_secs()
        )));
    };
    match done {
        Ok(done) => Ok(Some(done)),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NO_TABLE) => Ok(None),
        Err(sqlx::Error::Database(error)) => Err(refusal(error.code().as_deref(), error.message())),
        Err(sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. }) => {
            Err(VectorError::Malformed("a row has other types than ours".to_owned()))
        }
        Err(error) => Err(VectorError::Unavailable(error.to_string())),
    }
}

/// What an error of the database means, by the class of its code (PostgreSQL's documentation, appendix A).
fn refusal(code: Option<&str>, message: &str) -> VectorError {
    let class = code.and_then(|code| code.get(..2)).unwrap_or_default();
    match class {
        // Connections, transactions rolled back, too few resources, an operator's intervention, the system.
        "08" | "25" | "40" | "53" | "57" | "58" | "XX" => VectorError::Unavailable(message.to_owned()),
        _ => VectorError::Refused(message.to_owned()),
    }
}

/// A vector as pgvector reads it.
fn text(vector: &[f32]) -> String {
    let numbers: Vec<String> = vector.iter().map(f32::to_string).collect();
    format!("[{}]", numbers.join(","))
}

#[async_trait]
impl VectorStore for Pgvector {
    async fn ensure(&self, collection: &Collection) -> Result<u64, VectorError> {
        let (table, dimensions) = (name(collection), collection.dimensions);
        let make = async {
            let mut tx = self.0.begin().await?;
            sqlx::query("SELECT pg_advisory_xact_lock($1)")
                .bind(MAKING)
                .execute(&mut *tx)
                .await?;
            for sql in [
                "CREATE EXTENSION IF NOT EXISTS vector".to_owned(),
                format!(
                    "CREATE TABLE IF NOT EXISTS {table} (id UUID PRIMARY KEY, chunk UUID NOT NULL, piece INT NOT NULL, \
                     file UUID NOT NULL, assistant UUID NOT NULL, generation BIGINT NOT NULL, \
                     embedding vector({dimensions}) NOT NULL)"
                ),
                format!(
                    "CREATE INDEX IF NOT EXISTS {} ON {table} (assistant)",
                    index(&table, 'a')
                ),
                format!("CREATE INDEX IF NOT EXISTS {} ON {table} (file)", index(&table, 'f')),
            ] {
                sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await?;
            }
            tx.commit().await?;
            let count = AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
            sqlx::query_scalar::<_, i64>(count).fetch_one(&self.0).await
        };
        let count = within(make).await?.ok_or_else(gone)?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    async fn upsert(&self, collection: &Collection, points: &[Point]) -> Result<(), VectorError> {
        points.iter().try_for_each(|point| collection.takes(&point.vector))?;
        let sql = format!(
            "INSERT INTO {} (id, chunk, piece, file, assistant, generation, embedding) \
             SELECT id, chunk, piece, file, assistant, generation, embedding::vector \
             FROM UNNEST($1::uuid[], $2::uuid[], $3::int[], $4::uuid[], $5::uuid[], $6::bigint[], $7::text[]) \
             AS given (id, chunk, piece, file, assistant, generation, embedding) \
             ON CONFLICT (id) DO UPDATE SET chunk = EXCLUDED.chunk, piece = EXCLUDED.piece, file = EXCLUDED.file, \
             assistant = EXCLUDED.assistant, generation = EXCLUDED.generation, embedding = EXCLUDED.embedding",
            name(collection)
        );
        for some in points.chunks(batch(collection)) {
            let uuids = |of: fn(&Point) -> Uuid| some.iter().map(of).collect::<Vec<_>>();
            let written = sqlx::query(AssertSqlSafe(sql.clone()))
                .bind(uuids(Point::id))
                .bind(uuids(|point| point.chunk.uuid()))
                .bind(some.iter().map(|point| i32::from(point.piece)).collect::<Vec<_>>())
                .bind(uuids(|point| point.file.uuid()))
                .bind(uuids(|point| point.assistant.uuid()))
                .bind(some.iter().map(|point| point.generation).collect::<Vec<_>>())
                .bind(some.iter().map(|point| text(&point.vector)).collect::<Vec<_>>());
            within(written.execute(&self.0)).await?.ok_or_else(gone)?;
        }
        Ok(())
    }

    async fn search(&self, collection: &Collection, query: &VectorQuery) -> Result<Vec<Match>, VectorError> {
        collection.takes(&query.vector)?;
        if query.limit == 0 || !has_direction(&query.vector) {
            return Ok(Vec::new());
        }
        let mut asking = Asking::new(query.limit);
        loop {
            let rows = self.pieces(collection, query, asking.count).await?;
            let pieces = rows.iter().map(|(chunk, file, cosine)| Match {
                chunk: (*chunk).into(),
                file: (*file).into(),
                cosine: cosine.clamp(-1.0, 1.0) as f32,
            });
            if let Some(matches) = asking.enough(rows.len(), pieces.collect()) {
                return Ok(matches);
            }
        }
    }

    async fn delete(&self, collection: &Collection, scope: Scope) -> Result<(), VectorError> {
        let table = name(collection);
        let of = |condition: &str| AssertSqlSafe(format!("DELETE FROM {table} WHERE {condition}"));
        let delete = match scope {
            Scope::File(file) => sqlx::query(of("file = $1")).bind(file.uuid()),
            Scope::OtherGenerations(file, generation) => sqlx::query(of("file = $1 AND generation <> $2"))
                .bind(file.uuid())
                .bind(generation),
            Scope::Assistant(assistant) => sqlx::query(of("assistant = $1")).bind(assistant.uuid()),
        };
        within(delete.execute(&self.0)).await.map(drop)
    }

    async fn health(&self) -> Result<(), VectorError> {
        let known = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'vector')");
        match within(known.fetch_one(&self.0)).await? {
            Some(true) => Ok(()),
            Some(false) | None => Err(VectorError::Refused(
                "this PostgreSQL does not have the extension `vector` (pgvector)".to_owned(),
            )),
        }
    }
}

/// An index's name, no longer than a table's may be.
fn index(table: &str, letter: char) -> String {
    // The end of a table's name is what tells it from others.
    let end = table.get(table.len().saturating_sub(16)..).unwrap_or(table);
    format!("ai_across_{end}_{letter}")
}
