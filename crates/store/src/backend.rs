//! With `fulltext.rs` the only file that names a database: connections, pragmas, transactions, the migration lock.

use std::{
    fs::{DirBuilder, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use futures::future::BoxFuture;
use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DatabaseTransaction, DbErr,
    IsolationLevel, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait as _,
    sqlx::{
        ConnectOptions as _,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    },
};
use sea_orm_migration::MigratorTrait as _;
use tracing::Instrument as _;

use crate::{OpenError, Options, error::Fault, migration::Migrator, transaction::Tx, writer::Writer};

pub(crate) use sea_orm::DbBackend as Backend;

/// How long a lock or a free connection is waited for.
const WAIT: Duration = Duration::from_secs(5);
/// How long one statement may run.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one statement of an inspection may run; it may have to read everything.
const INSPECTION_TIMEOUT: Duration = Duration::from_secs(60 * 60);
/// What a change is told that was asked of a database opened for reading.
const READ_ONLY: &str = "it was opened for reading only";
/// How long a transaction may wait for us before the server ends it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection to a server is used before it is replaced.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// Whether it takes several statements as one text, with the values of all of them.
pub(crate) const fn takes_one_text(backend: Backend) -> bool {
    matches!(backend, Backend::Sqlite)
}

/// The database: where to read and how to write.
pub(crate) struct Db {
    readers: DatabaseConnection,
    writes: Writes,
}

enum Writes {
    /// One writer, group commit; the options make one more connection for migrations.
    Grouped(Writer, Box<ConnectOptions>),
    /// Every write is a transaction of its own from the pool.
    Pooled,
    /// Nothing is written.
    Never,
}

impl Db {
    /// Connects to the database that `url` names.
    pub(crate) async fn open(url: &str, options: &Options) -> Result<Self, OpenError> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            if path.is_empty() || path.contains('?') {
                return Err(OpenError::BadUrl("sqlite://PATH takes a path and no options"));
            }
            Self::open_file(PathBuf::from(path), options).await
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Self::open_server(url, options).await
        } else {
            Err(OpenError::BadUrl("it begins with sqlite:// or postgres://"))
        }
    }

    async fn open_file(path: PathBuf, options: &Options) -> Result<Self, OpenError> {
        let created = path.clone();
        tokio::task::spawn_blocking(move || private_file(&created))
            .await
            .map_err(io::Error::other)
            .and_then(|result| result)
            .map_err(|error| OpenError::File(path.display().to_string(), error))?;
        let connect = |connections: u32, read_only: bool| {
            let path = path.clone();
            let mut connect = pool("sqlite::memory:");
            connect.max_connections(connections).map_sqlx_sqlite_opts(move |_| {
                let connection = SqliteConnectOptions::new()
                    .filename(&path)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
                    .busy_timeout(WAIT)
                    // What savepoints and sorts set down for a moment stays out of files beside the data.
                    .pragma("temp_store", "MEMORY")
                    .disable_statement_logging();
                if read_only {
                    // Whatever forgets to go through the writer fails at once instead of competing with it.
                    connection.pragma("query_only", "ON")
                } else {
                    // What was deleted is overwritten, not left in pages that nothing points at.
                    connection.pragma("secure_delete", "ON")
                }
            });
            connect
        };
        let begin = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let writing = connect(1, false);
        let writer = Writer::start(writing.clone(), begin)
            .await
            .map_err(OpenError::unreachable)?;
        let readers = Database::connect(connect(options.readers.max(1), true))
            .await
            .map_err(OpenError::unreachable)?;
        Ok(Self {
            readers,
            writes: Writes::Grouped(writer, Box::new(writing)),
        })
    }

    async fn open_server(url: &str, options: &Options) -> Result<Self, OpenError> {
        let mut connect = pool(url);
        connect
            .min_connections(options.pool_size)
            // Migrations take two: one holds the lock.
            .max_connections((options.pool_size + options.pool_overflow).max(2))
            .max_lifetime(LIFETIME)
            .test_before_acquire(true)
            .statement_timeout(STATEMENT_TIMEOUT)
            .set_application_name("ai-across")
            .map_sqlx_postgres_opts(|options| {
                let limit = format!("{}s", IDLE_TIMEOUT.as_secs());
                options.options([("idle_in_transaction_session_timeout", limit)])
            });
        let readers = Database::connect(connect).await.map_err(OpenError::unreachable)?;
        Ok(Self {
            readers,
            writes: Writes::Pooled,
        })
    }

    /// Connects to a database that is there, to read from it and nothing else: no file is made, no mode changed, and the
    /// database itself refuses writes.
    pub(crate) async fn open_to_read(url: &str) -> Result<Self, OpenError> {
        let mut connect = if let Some(path) = url.strip_prefix("sqlite://") {
            let path = PathBuf::from(path);
            let file = SqliteConnectOptions::new()
                .filename(&path)
                .read_only(true)
                .foreign_keys(true)
                .busy_timeout(WAIT)
                .disable_statement_logging();
            let mut connect = pool("sqlite::memory:");
            connect.map_sqlx_sqlite_opts(move |_| file.clone());
            connect
        } else {
            let mut connect = pool(url);
            connect
                .statement_timeout(INSPECTION_TIMEOUT)
                .set_application_name("ai-across doctor")
                .map_sqlx_postgres_opts(|options| options.options([("default_transaction_read_only", "on")]));
            connect
        };
        connect.max_connections(2);
        let readers = Database::connect(connect).await.map_err(OpenError::unreachable)?;
        Ok(Self {
            readers,
            writes: Writes::Never,
        })
    }

    /// Where single statements read.
    pub(crate) fn reader(&self) -> &DatabaseConnection {
        &self.readers
    }

    /// Which database it is.
    pub(crate) fn backend(&self) -> Backend {
        self.readers.get_database_backend()
    }

    /// Whether no other process can use this database.
    pub(crate) fn is_exclusive(&self) -> bool {
        matches!(self.writes, Writes::Grouped(..))
    }

    /// A transaction that only reads and sees one state of the database throughout.
    pub(crate) async fn snapshot(&self) -> Result<DatabaseTransaction, Fault> {
        Ok(match self.backend() {
            Backend::Sqlite => self.readers.begin().await?,
            _ => {
                let (pool, level) = (self.readers.clone(), Some(IsolationLevel::RepeatableRead));
                let begin = async move { Ok(pool.begin_with_config(level, Some(AccessMode::ReadOnly)).await?) };
                to_its_end(begin).await?
            }
        })
    }

    /// Runs `work` in a writing transaction: all of it happens or nothing, and it is durable when this returns `Ok`.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c Tx) -> BoxFuture<'c, Result<T, Fault>> + Send + 'static,
    {
        match &self.writes {
            Writes::Grouped(writer, _) => writer.write(work).await,
            Writes::Pooled => {
                let pool = self.readers.clone();
                let change = async move {
                    let tx = Tx::new(pool.begin().await?);
                    let result = work(&tx).await?;
                    if tx.is_taken_back() {
                        tx.rollback().await?;
                    } else {
                        tx.commit().await?;
                    }
                    Ok(result)
                };
                to_its_end(change).await
            }
            Writes::Never => Err(Fault::unavailable(READ_ONLY)),
        }
    }

    /// Runs the migrations that this database has not seen; on a server, one process at a time.
    pub(crate) async fn migrate(&self) -> Result<(), OpenError> {
        match &self.writes {
            Writes::Grouped(_, options) => {
                let connection = Database::connect(options.as_ref().clone())
                    .await
                    .map_err(OpenError::unreachable)?;
                let result = Migrator::up(&connection, None).await;
                let _ = connection.close().await;
                result.map_err(OpenError::migration)
            }
            Writes::Pooled => {
                let lock = self.readers.begin().await.map_err(OpenError::unreachable)?;
                // The lock is per schema, since several installations may share one server's database.
                for sql in [
                    "SET LOCAL statement_timeout = 0",
                    "SET LOCAL idle_in_transaction_session_timeout = 0",
                    "SELECT pg_advisory_xact_lock(hashtext('ai-across migrations'), hashtext(current_schema()))",
                ] {
                    let statement = Statement::from_string(Backend::Postgres, sql);
                    lock.execute_raw(statement).await.map_err(OpenError::migration)?;
                }
                let result = Migrator::up(&self.readers, None).await;
                lock.rollback().await.map_err(OpenError::migration)?;
                result.map_err(OpenError::migration)
            }
            Writes::Never => Err(OpenError::Migration(Fault::unavailable(READ_ONLY).into())),
        }
    }

    /// What is wrong with the database itself: pages, indexes, rows that refer to nothing; on servers, constraints and
    /// indexes that do not hold for all rows, and pages that did not read as they were written.
    pub(crate) async fn damage(&self) -> Result<Vec<String>, Fault> {
        let questions: [&str; 2] = match self.backend() {
            Backend::Sqlite => [
                "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
                "SELECT 'a row of ' || \"table\" || ' refers to a row of ' || parent || ' that is not there' \
                 FROM pragma_foreign_key_check",
            ],
            _ => [
                "SELECT conrelid::regclass::text || ': the constraint ' || conname || ' was never validated' \
                 FROM pg_constraint WHERE NOT convalidated AND connamespace = current_schema()::regnamespace \
                 UNION ALL SELECT indexrelid::regclass::text || ': the index is not valid' FROM pg_index \
                 JOIN pg_class ON pg_class.oid = indexrelid \
                 WHERE NOT indisvalid AND relnamespace = current_schema()::regnamespace",
                "SELECT checksum_failures || ' pages did not read as they were written' FROM pg_stat_database \
                 WHERE datname = current_database() AND checksum_failures > 0",
            ],
        };
        let mut damage = Vec::new();
        for question in questions {
            damage.extend(self.texts(question).await?);
        }
        Ok(damage)
    }

    /// Which of the triggers that keep the audit log as it is are missing or switched off.
    pub(crate) async fn missing_audit_guards(&self) -> Result<Vec<&'static str>, Fault> {
        let (expected, question): (&[&'static str], &str) = match self.backend() {
            Backend::Sqlite => (
                &[
                    "audit_logs_are_not_changed",
                    "audit_logs_are_not_removed",
                    "audit_logs_are_not_replaced",
                ],
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_logs'",
            ),
            _ => (
                &["audit_logs_stay", "audit_logs_stay_all"],
                "SELECT tgname::text FROM pg_trigger WHERE tgrelid = 'audit_logs'::regclass AND tgenabled <> 'D'",
            ),
        };
        let present = self.texts(question).await?;
        let is_missing = |name: &&'static str| !present.iter().any(|there| there == name);
        Ok(expected.iter().copied().filter(is_missing).collect())
    }

    /// The first column of what a question of our own finds.
    async fn texts(&self, question: &'static str) -> Result<Vec<String>, Fault> {
        let statement = Statement::from_string(self.backend(), question);
        let rows = self.readers.query_all_raw(statement).await?;
        Ok(rows
            .iter()
            .map(|row| row.try_get_by_index(0))
            .collect::<Result<_, DbErr>>()?)
    }

    /// Lets go of the connections; a database in a file takes back what was written beside it. Nothing is lost if that
    /// fails: the next start does it.
    pub(crate) async fn close(&self) {
        let closed = async {
            self.readers.close_by_ref().await?;
            if let Writes::Grouped(_, options) = &self.writes {
                let last = Database::connect(options.as_ref().clone()).await?;
                last.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await?;
                last.close().await?;
            }
            Ok::<_, DbErr>(())
        };
        if let Err(error) = closed.await {
            tracing::warn!(%error, "the database was not closed in order");
        }
    }

    /// Whether the database answers and takes changes.
    pub(crate) async fn ping(&self) -> Result<(), Fault> {
        if let Writes::Grouped(writer, _) = &self.writes
            && let Some(fault) = writer.failure()
        {
            return Err(fault);
        }
        let statement = Statement::from_string(self.backend(), "SELECT 1");
        self.readers.query_one_raw(statement).await?;
        Ok(())
    }
}

/// Runs `work` to its end even if the caller goes away, as the writer of a file does too. A transaction that is dropped
/// while it begins would stay open on its connection, and whoever gets that one next would be inside it.
async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Result<T, Fault> {
    tokio::spawn(work.in_current_span())
        .await
        .unwrap_or_else(|_| Err(Fault::unavailable("a database operation panicked")))
}

fn pool(url: &str) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .acquire_timeout(WAIT)
        .connect_timeout(WAIT)
        // A file does not hang up; asking it would cost as much as the question itself.
        .test_before_acquire(false)
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    options
}

/// Makes the file, readable by nobody else, if it is not there yet; the database gives its companion files the same mode.
fn private_file(path: &Path) -> io::Result<()> {
    if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))
}

impl OpenError {
    fn unreachable(error: DbErr) -> Self {
        Self::Unreachable(Fault::from(error).into())
    }

    fn migration(error: DbErr) -> Self {
        Self::Migration(Fault::from(error).into())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use across::fault::StoreError;
    use futures::future::join_all;

    use super::*;

    #[expect(
        clippy::disallowed_methods,
        reason = "tests are told by the environment where a server is"
    )]
    pub(crate) fn server() -> Option<String> {
        std::env::var("TEST_DATABASE_URL").ok()
    }

    #[tokio::test]
    async fn a_server_s_pool_keeps_ten_connections_grows_by_twenty_and_renews_them() {
        let Some(url) = server() else { return };
        let db = Db::open(&url, &Options::default()).await.unwrap();
        let pool = db.reader().get_postgres_connection_pool();
        let used = pool.options();
        assert_eq!((used.get_min_connections(), used.get_max_connections()), (10, 30));
        assert_eq!(used.get_max_lifetime(), Some(Duration::from_secs(1_800)));
        assert!(
            used.get_test_before_acquire(),
            "a dead connection is noticed before it is used"
        );
        assert_eq!(used.get_acquire_timeout(), Duration::from_secs(5));
        for limit in ["statement_timeout", "idle_in_transaction_session_timeout"] {
            let statement = Statement::from_string(Backend::Postgres, format!("SHOW {limit}"));
            let row = db.reader().query_one_raw(statement).await.unwrap().unwrap();
            assert_eq!(row.try_get_by_index::<String>(0).unwrap(), "30s", "{limit}");
        }
    }

    async fn database(dir: &tempfile::TempDir) -> Db {
        let url = format!("sqlite://{}", dir.path().join("test.db").display());
        let db = Db::open(&url, &Options::default()).await.unwrap();
        sql(
            &db,
            "CREATE TABLE things (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES things (id), size BLOB)",
        )
        .await
        .unwrap();
        db
    }

    async fn sql(db: &Db, statement: &str) -> Result<(), StoreError> {
        let statement = statement.to_owned();
        let write = db.write(move |tx| {
            Box::pin(async move {
                tx.execute_unprepared(&statement).await?;
                Ok(())
            })
        });
        Ok(write.await?)
    }

    async fn count(db: &Db) -> i64 {
        let statement = Statement::from_string(Backend::Sqlite, "SELECT COUNT(*) FROM things");
        db.reader()
            .query_one_raw(statement)
            .await
            .unwrap()
            .unwrap()
            .try_get_by_index(0)
            .unwrap()
    }

    #[tokio::test]
    async fn a_full_disk_loses_nothing_that_was_confirmed() {
        let dir = tempfile::tempdir().unwrap();
        let db = database(&dir).await;
        sql(&db, "INSERT INTO things (id) VALUES (1)").await.unwrap();
        sql(&db, "PRAGMA max_page_count = 50").await.unwrap();
        let huge = "INSERT INTO things (size) VALUES (zeroblob(10000000))";
        let small = "INSERT INTO things (size) VALUES (zeroblob(10))";
        let results = join_all((0..20).map(|i| sql(&db, if i == 7 { huge } else { small }))).await;
        assert!(matches!(results[7], Err(StoreError::Full)), "{:?}", results[7]);
        let confirmed = results.iter().filter(|result| result.is_ok()).count() as i64;
        assert!(
            results
                .iter()
                .all(|result| matches!(result, Ok(()) | Err(StoreError::Full)))
        );
        assert_eq!(count(&db).await, 1 + confirmed);
        // There is room again.
        sql(&db, "PRAGMA max_page_count = 5000").await.unwrap();
        sql(&db, huge).await.unwrap();
        db.ping().await.unwrap();
    }

    #[tokio::test]
    async fn a_commit_that_fails_is_told_to_everyone_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let db = database(&dir).await;
        // The constraint is looked at only by the commit.
        let bad = "PRAGMA defer_foreign_keys = ON; INSERT INTO things (parent) VALUES (99)";
        let good = "INSERT INTO things (size) VALUES (zeroblob(10))";
        let results = join_all((0..20).map(|i| sql(&db, if i == 7 { bad } else { good }))).await;
        assert!(results[7].is_err());
        let confirmed = results.iter().filter(|result| result.is_ok()).count() as i64;
        assert!(confirmed < 19);
        assert_eq!(count(&db).await, confirmed);
        sql(&db, good).await.unwrap();
        assert_eq!(count(&db).await, confirmed + 1);
    }

    #[tokio::test]
    async fn a_write_that_panics_fails_alone() {
        let dir = tempfile::tempdir().unwrap();
        let db = database(&dir).await;
        let panics = db.write::<(), _>(|tx| {
            Box::pin(async move {
                tx.execute_unprepared("INSERT INTO things (id) VALUES (5)").await?;
                panic!("on purpose")
            })
        });
        let (panicked, good) = tokio::join!(panics, sql(&db, "INSERT INTO things (id) VALUES (6)"));
        assert!(matches!(
            panicked.map_err(StoreError::from),
            Err(StoreError::Unavailable(_))
        ));
        good.unwrap();
        assert_eq!(count(&db).await, 1);
    }

    #[tokio::test]
    async fn what_goes_past_the_writer_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let db = database(&dir).await;
        assert!(
            db.reader()
                .execute_unprepared("INSERT INTO things (id) VALUES (5)")
                .await
                .is_err()
        );
        assert_eq!(count(&db).await, 0);
    }
}
