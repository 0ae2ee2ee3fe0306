//! Everything that is remembered: the ports of `across` on SQLite or PostgreSQL, and files' bytes on disk.
//!
//! Portability rules, so that one set of queries serves both databases:
//! 1. Whole numbers for money and tokens; sums are cast to BIGINT.
//! 2. Case is folded in Rust and stored in a column of its own; SQL compares bytes.
//! 3. Ids are UUIDs; lists order by time with ties by id, messages by `seq`.
//! 4. No date functions in SQL; times come from the caller.
//! 5. Concurrency by conditional updates and the number of rows they changed, never by lock hints. An update that changes
//!    nothing (`rows::hold`) takes a row for the rest of the transaction.
//! 6. Every change goes through `Db::write`, and reads that belong together through `Db::snapshot`.
//! 7. Enumerations are text with a CHECK.
//! 8. A change of schema that one database cannot make in place is "new table, copy, rename" on both.

mod api_keys;
mod assistants;
mod attempts;
mod audit;
mod backend;
mod beginning;
mod blobs;
mod chunks;
mod conversations;
mod convert;
mod corrections;
mod counters;
mod embedding;
mod entity;
mod error;
mod files;
mod fulltext;
mod identity;
mod inspection;
mod kept;
mod key_notes;
mod knowledge;
mod messages;
mod meter;
mod migration;
mod notices;
mod paging;
mod passages;
mod points;
mod queue;
mod quotas;
mod replays;
mod rows;
mod scopes;
mod sessions;
mod settings;
mod statistics;
mod switching;
mod throttle;
mod together;
mod transaction;
mod tree;
mod turns;
mod usage;
mod vectors;
mod words;
mod writer;

use across::{fault::StoreError, platform::Store};
use async_trait::async_trait;
use sea_orm_migration::MigratorTrait as _;

pub use blobs::{LocalBlobs, ORPHAN_AGE, room_at};

use crate::{backend::Db, migration::Migrator, vectors::Segments};

/// How much the database may take of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// SQLite: connections for reading; writing has one of its own.
    pub readers: u32,
    /// PostgreSQL: connections that are kept.
    pub pool_size: u32,
    /// PostgreSQL: connections beyond these while there is much to do.
    pub pool_overflow: u32,
    /// Bytes of memory for the vectors of recently searched assistants.
    pub vector_cache: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            readers: 4,
            pool_size: 10,
            pool_overflow: 20,
            vector_cache: 512 * 1024 * 1024,
        }
    }
}

/// Why a database cannot be used; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address names no database we know.
    #[error("the database URL is not valid: {0}")]
    BadUrl(&'static str),
    /// The database file cannot be made or opened.
    #[error("the database file {0} cannot be opened: {1}. Check that the directory exists and belongs to this user.")]
    File(String, std::io::Error),
    /// The database does not answer.
    #[error("the database cannot be reached: {0}. Check that it runs and that the URL's user and password are right.")]
    Unreachable(StoreError),
    /// A newer version of the program has changed this database.
    #[error(
        "this database was written by a newer version (it has the migration {0}, which this version does not know). \
         Start that version or a later one, or restore a backup."
    )]
    NewerSchema(String),
    /// A migration did not succeed; it left nothing behind and is tried again at the next start.
    #[error("the database could not be brought up to date: {0}")]
    Migration(StoreError),
}

/// Everything that is remembered, on SQLite or PostgreSQL.
pub struct SqlStore {
    db: Db,
    segments: Segments,
}

impl SqlStore {
    /// Opens `sqlite://PATH` (the file is made if absent) or `postgres://…`. Migrations are run by
    /// [`SqlStore::migrate`].
    ///
    /// # Errors
    /// [`OpenError`] if the address is wrong or the database does not answer.
    pub async fn open(url: &str, options: Options) -> Result<Self, OpenError> {
        let db = Db::open(url, &options).await?;
        Ok(Self {
            db,
            segments: Segments::new(options.vector_cache),
        })
    }

    /// Opens a database that is there, to look at it and change nothing, beside whoever else uses it.
    ///
    /// # Errors
    /// [`OpenError`] if there is none at this address or it does not answer.
    pub async fn open_to_read(url: &str) -> Result<Self, OpenError> {
        let db = Db::open_to_read(url).await?;
        let segments = Segments::new(0);
        Ok(Self { db, segments })
    }

    /// Brings the database to this version's schema. Safe to repeat, and for several processes at once.
    ///
    /// # Errors
    /// [`OpenError::NewerSchema`] if a newer version has changed the database; [`OpenError::Migration`] if a step failed.
    pub async fn migrate(&self) -> Result<(), OpenError> {
        self.pending().await?;
        self.db.migrate().await?;
        self.renew_words()
            .await
            .map_err(|error| OpenError::Migration(error.into()))
    }

    /// The migrations that [`SqlStore::migrate`] would run.
    ///
    /// # Errors
    /// [`OpenError::NewerSchema`] if a newer version has changed the database.
    pub async fn pending(&self) -> Result<Vec<String>, OpenError> {
        let known: Vec<String> = Migrator::migrations()
            .iter()
            .map(|migration| migration.name().to_owned())
            .collect();
        let applied = self.applied().await?;
        if let Some(unknown) = applied.iter().find(|name| !known.contains(name)) {
            return Err(OpenError::NewerSchema(unknown.clone()));
        }
        Ok(known.into_iter().filter(|name| !applied.contains(name)).collect())
    }

    async fn applied(&self) -> Result<Vec<String>, OpenError> {
        let has_any = sea_orm_migration::SchemaManager::new(self.db.reader())
            .has_table("seaql_migrations")
            .await
            .map_err(|error| OpenError::Unreachable(error::Fault::from(error).into()))?;
        if !has_any {
            return Ok(Vec::new());
        }
        use sea_orm::{EntityTrait as _, QuerySelect as _};
        use sea_orm_migration::seaql_migrations;
        seaql_migrations::Entity::find()
            .select_only()
            .column(seaql_migrations::Column::Version)
            .into_tuple()
            .all(self.db.reader())
            .await
            .map_err(|error| OpenError::Unreachable(error::Fault::from(error).into()))
    }
}

#[async_trait]
impl Store for SqlStore {
    async fn healthy(&self) -> Result<(), StoreError> {
        Ok(self.db.ping().await?)
    }

    async fn close(&self) {
        self.db.close().await;
    }

    fn is_exclusive(&self) -> bool {
        self.db.is_exclusive()
    }
}
