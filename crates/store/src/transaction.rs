//! The transaction that a change runs in: one of its own, or a group's, where a savepoint stands before each change.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, ExecResult, QueryResult, Statement};

use crate::backend::Backend;

/// Where a group goes back to if a change fails. One is enough: what came before it stays until the commit, which ends the
/// last one too. Two names take turns, so that whoever's savepoint could not be set never goes back to the one before.
const FIRST_SAVEPOINT: &str = "SAVEPOINT odd";
const NEXT_SAVEPOINT: [&str; 2] = ["RELEASE odd; SAVEPOINT even", "RELEASE even; SAVEPOINT odd"];
const GO_BACK: [&str; 2] = ["ROLLBACK TO even", "ROLLBACK TO odd"];

/// A transaction, as a change sees it.
///
/// A change's savepoint is set with its first statement: a hand-over to the database's thread costs more than a savepoint.
pub(crate) struct Tx {
    all: DatabaseTransaction,
    /// The change that runs has no savepoint yet, and needs one before its first statement.
    is_due: AtomicBool,
    /// How many changes have set theirs.
    savepoints: AtomicUsize,
    is_taken_back: AtomicBool,
}

impl Tx {
    /// A transaction for one change, or for the first of a group: nothing comes before it that would have to stay if it
    /// fails, so it needs no savepoint.
    pub(crate) const fn new(all: DatabaseTransaction) -> Self {
        Self {
            all,
            is_due: AtomicBool::new(false),
            savepoints: AtomicUsize::new(0),
            is_taken_back: AtomicBool::new(false),
        }
    }

    /// What the change that runs did shall not stay, although it comes to a good end: it found out that it may not be.
    pub(crate) fn take_back(&self) {
        self.is_taken_back.store(true, Ordering::Relaxed);
    }

    /// Whether the change that ran took back what it did.
    pub(crate) fn is_taken_back(&self) -> bool {
        self.is_taken_back.load(Ordering::Relaxed)
    }

    /// Another change begins; what the ones before did stays.
    pub(crate) fn begin_another(&self) {
        self.is_due.store(true, Ordering::Relaxed);
        self.is_taken_back.store(false, Ordering::Relaxed);
    }

    /// Goes back to where the change that ran began. An error means that the whole transaction is gone.
    pub(crate) async fn go_back(&self) -> Result<(), DbErr> {
        // It did nothing, not even set its savepoint: the last one is somebody else's.
        if self.is_due.load(Ordering::Relaxed) {
            return Ok(());
        }
        let number = self.savepoints.load(Ordering::Relaxed);
        self.all.execute_unprepared(GO_BACK[number % 2]).await?;
        Ok(())
    }

    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        self.all.commit().await
    }

    pub(crate) async fn rollback(self) -> Result<(), DbErr> {
        self.all.rollback().await
    }

    /// The savepoint to be set before the next statement, by whoever asks.
    pub(crate) fn savepoint(&self) -> Option<&'static str> {
        if !self.is_due.swap(false, Ordering::Relaxed) {
            return None;
        }
        let before = self.savepoints.fetch_add(1, Ordering::Relaxed);
        Some(match before {
            0 => FIRST_SAVEPOINT,
            _ => NEXT_SAVEPOINT[(before + 1) % 2],
        })
    }

    /// The transaction, after the savepoint that is due.
    async fn ready(&self) -> Result<&DatabaseTransaction, DbErr> {
        if let Some(savepoint) = self.savepoint() {
            self.all.execute_unprepared(savepoint).await?;
        }
        Ok(&self.all)
    }
}

#[async_trait]
impl ConnectionTrait for Tx {
    fn get_database_backend(&self) -> Backend {
        self.all.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.ready().await?.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.ready().await?.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.ready().await?.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.ready().await?.query_all_raw(statement).await
    }
}
