//! The queue of background work. A claimed job is due again when its lease runs out, so that nothing has to look for the
//! dead.

use std::time::Duration;

use across::{
    clock::Time,
    fault::StoreError,
    id::{FileId, JobId},
    jobs::{
        job::Job,
        queue::{Claimed, Lease, Queue},
    },
    page::{Page, PageRequest},
    platform::QueuedJob,
};
use async_trait::async_trait;
use chrono::TimeDelta;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, DatabaseTransaction, EntityTrait as _, ExprTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, Set, sea_query::Expr,
};

use crate::{SqlStore, convert::storable, entity::job, error::Fault, paging::rows_and_total, rows::hold};

/// Queues a job as part of a change.
pub(crate) async fn enqueue(tx: &DatabaseTransaction, what: &Job, at: Time) -> Result<(), Fault> {
    let (kind, file) = describe(what);
    let row = job::ActiveModel {
        id: Set(JobId::new().uuid()),
        kind: Set(kind.to_owned()),
        file_id: Set(file.map(|file| file.uuid())),
        payload: Set(serde_json::to_value(what).map_err(|error| Fault::unavailable(error.to_string()))?),
        due_at: Set(at),
        is_claimed: Set(false),
        attempt: Set(0),
        fence: Set(0),
        last_error: Set(None),
        created_at: Set(at),
    };
    row.insert(tx).await?;
    Ok(())
}

/// The name of `Job::Ingest` in the column `kind`.
pub(crate) const INGEST: &str = "ingest";
/// The name of `Job::PurgeFile` there.
pub(crate) const PURGE: &str = "purge_file";

/// The name of `Job::ChangeEmbedding` there.
pub(crate) const CHANGE: &str = "change_embedding";
/// The name of `Job::DropVectors` there.
const DROP: &str = "drop_vectors";

fn describe(job: &Job) -> (&'static str, Option<FileId>) {
    match job {
        Job::Ingest { file, .. } => (INGEST, Some(*file)),
        Job::PurgeFile { file } => (PURGE, Some(*file)),
        Job::ChangeEmbedding { .. } => (CHANGE, None),
        Job::DropVectors => (DROP, None),
    }
}

/// Has the job's attempts counted from now on: it got on.
pub(crate) async fn restart_attempts(tx: &DatabaseTransaction, lease: Lease) -> Result<(), Fault> {
    job::Entity::update_many()
        .col_expr(job::Column::Attempt, Expr::value(0))
        .filter(held_by(lease))
        .exec(tx)
        .await?;
    Ok(())
}

fn held_by(lease: Lease) -> Expr {
    job::Column::Id
        .eq(lease.job.uuid())
        .and(job::Column::Fence.eq(lease.fence))
        .and(job::Column::IsClaimed.eq(true))
}

/// Makes sure that the lease holds until the end of this transaction.
pub(crate) async fn check(tx: &DatabaseTransaction, lease: Lease) -> Result<(), Fault> {
    if hold::<job::Entity>(tx, job::Column::Attempt, held_by(lease))
        .await?
        .is_some()
    {
        Ok(())
    } else {
        Err(StoreError::LeaseLost.into())
    }
}

/// The queue as administrators see it, oldest first.
pub(crate) async fn list(snapshot: &DatabaseTransaction, page: PageRequest) -> Result<Page<QueuedJob>, Fault> {
    let list = job::Entity::find()
        .order_by_asc(job::Column::CreatedAt)
        .order_by_asc(job::Column::Id);
    let (rows, total) = rows_and_total(snapshot, list, job::Column::Id, page).await?;
    let queued = |row: job::Model| QueuedJob {
        id: row.id.into(),
        kind: row.kind,
        file: row.file_id.map(Into::into),
        is_claimed: row.is_claimed,
        attempt: row.attempt,
        last_error: row.last_error,
        due_at: row.due_at,
        created_at: row.created_at,
    };
    let items = rows.into_iter().map(queued).collect();
    Ok(Page { items, total })
}

async fn claim(tx: &DatabaseTransaction, now: Time, until: Time) -> Result<Option<Claimed>, Fault> {
    loop {
        let due = job::Entity::find()
            .filter(job::Column::DueAt.lte(now))
            .order_by_asc(job::Column::DueAt)
            .order_by_asc(job::Column::Id)
            .one(tx)
            .await?;
        let Some(row) = due else { return Ok(None) };
        // Another worker may take it between the two statements; then this changes nothing and the next one is tried.
        let taken = job::Entity::update_many()
            .col_expr(job::Column::DueAt, Expr::value(until))
            .col_expr(job::Column::IsClaimed, Expr::value(true))
            .col_expr(job::Column::Attempt, Expr::value(row.attempt + 1))
            .col_expr(job::Column::Fence, Expr::value(row.fence + 1))
            .filter(
                job::Column::Id
                    .eq(row.id)
                    .and(job::Column::Fence.eq(row.fence))
                    .and(job::Column::DueAt.lte(now)),
            )
            .exec(tx)
            .await?;
        if taken.rows_affected == 0 {
            continue;
        }
        match serde_json::from_value(row.payload) {
            Ok(job) => {
                let lease = Lease {
                    job: row.id.into(),
                    fence: row.fence + 1,
                };
                return Ok(Some(Claimed {
                    lease,
                    job,
                    attempt: row.attempt + 1,
                }));
            }
            Err(error) => {
                // It would be claimed for ever and hold up all others; a moving file gets a new one at the next start.
                tracing::error!(job = %row.id, kind = row.kind, %error, "a job that cannot be read was removed");
                job::Entity::delete_by_id(row.id).exec(tx).await?;
            }
        }
    }
}

#[async_trait]
impl Queue for SqlStore {
    async fn claim(&self, now: Time, lease: Duration) -> Result<Option<Claimed>, StoreError> {
        let until = now + TimeDelta::from_std(lease).unwrap_or(TimeDelta::MAX);
        Ok(self.db.write(move |tx| Box::pin(claim(tx, now, until))).await?)
    }

    async fn heartbeat(&self, lease: Lease, until: Time) -> Result<bool, StoreError> {
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let renewed = job::Entity::update_many()
                    .col_expr(job::Column::DueAt, Expr::value(until))
                    .filter(held_by(lease))
                    .exec(tx)
                    .await?;
                Ok(renewed.rows_affected > 0)
            })
        });
        Ok(write.await?)
    }

    async fn finish_job(&self, lease: Lease) -> Result<(), StoreError> {
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let removed = job::Entity::delete_many().filter(held_by(lease)).exec(tx).await?;
                if removed.rows_affected > 0 {
                    Ok(())
                } else {
                    Err(StoreError::LeaseLost.into())
                }
            })
        });
        Ok(write.await?)
    }

    async fn retry_job(&self, lease: Lease, at: Time, reason: &str) -> Result<(), StoreError> {
        let reason = storable(reason.to_owned());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let queued = job::Entity::update_many()
                    .col_expr(job::Column::DueAt, Expr::value(at))
                    .col_expr(job::Column::IsClaimed, Expr::value(false))
                    .col_expr(job::Column::LastError, Expr::value(reason))
                    .filter(held_by(lease))
                    .exec(tx)
                    .await?;
                if queued.rows_affected > 0 {
                    Ok(())
                } else {
                    Err(StoreError::LeaseLost.into())
                }
            })
        });
        Ok(write.await?)
    }

    async fn yield_job(&self, lease: Lease, at: Time) -> Result<(), StoreError> {
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                check(tx, lease).await?;
                job::Entity::update_many()
                    .col_expr(job::Column::DueAt, Expr::value(at))
                    .col_expr(job::Column::IsClaimed, Expr::value(false))
                    .col_expr(job::Column::Attempt, Expr::value(0))
                    .filter(held_by(lease))
                    .exec(tx)
                    .await?;
                Ok(())
            })
        });
        Ok(write.await?)
    }

    async fn release_all(&self, now: Time) -> Result<u64, StoreError> {
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let released = job::Entity::update_many()
                    .col_expr(job::Column::DueAt, Expr::value(now))
                    .col_expr(job::Column::IsClaimed, Expr::value(false))
                    .col_expr(job::Column::Fence, Expr::col(job::Column::Fence).add(1))
                    .filter(Condition::all().add(job::Column::IsClaimed.eq(true)))
                    .exec(tx)
                    .await?;
                Ok(released.rows_affected)
            })
        });
        Ok(write.await?)
    }

    async fn next_due(&self) -> Result<Option<Time>, StoreError> {
        let due: Option<Time> = job::Entity::find()
            .select_only()
            .column(job::Column::DueAt)
            .order_by_asc(job::Column::DueAt)
            .into_tuple()
            .one(self.db.reader())
            .await
            .map_err(Fault::from)?;
        Ok(due)
    }
}
