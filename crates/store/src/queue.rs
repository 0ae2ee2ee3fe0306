//! The queue of background work. A claimed job is due again when its lease runs out, so that nothing has to look for the
//! dead.

use std::{collections::HashMap, time::Duration};

use across::{
    clock::Time,
    fault::StoreError,
    id::{FileId, JobId},
    jobs::{
        job::Job,
        queue::{Claimed, Lease, Pulse, Queue, Tries, Waits},
    },
    knowledge::file::Status,
    page::{Page, PageRequest},
    platform::{QueuedJob, Subject},
};
use async_trait::async_trait;
use chrono::TimeDelta;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, DatabaseTransaction, EntityTrait as _, ExprTrait as _,
    JoinType, QueryFilter as _, QueryOrder as _, QuerySelect as _, Set, UpdateMany, sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    SqlStore,
    convert::{narrow, storable},
    entity::{assistant, job, knowledge_file as file},
    error::Fault,
    paging::rows_and_total,
    rows::hold,
    transaction::Tx,
};

/// Queues a job as part of a change.
pub(crate) async fn enqueue(tx: &Tx, what: &Job, at: Time) -> Result<(), Fault> {
    let (kind, file) = describe(what);
    let row = job::ActiveModel {
        id: Set(JobId::new().uuid()),
        kind: Set(kind.to_owned()),
        file_id: Set(file.map(|file| file.uuid())),
        payload: Set(serde_json::to_value(what).map_err(|error| Fault::unavailable(error.to_string()))?),
        due_at: Set(at),
        is_claimed: Set(false),
        attempt: Set(0),
        outages: Set(0),
        waits_for: Set(None),
        moved_at: Set(None),
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
pub(crate) async fn restart_attempts(tx: &Tx, lease: Lease) -> Result<(), Fault> {
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

/// A change of a job that was made to no row was made by somebody without a lease.
fn ours(rows: u64) -> Result<(), Fault> {
    if rows > 0 {
        Ok(())
    } else {
        Err(StoreError::LeaseLost.into())
    }
}

/// Makes a claimed job due again at `at`, with so many more tries counted.
fn put_back(lease: Lease, at: Time, attempts: i32) -> UpdateMany<job::Entity> {
    job::Entity::update_many()
        .col_expr(job::Column::DueAt, Expr::value(at))
        .col_expr(job::Column::IsClaimed, Expr::value(false))
        .col_expr(job::Column::Attempt, Expr::col(job::Column::Attempt).add(attempts))
        .filter(held_by(lease))
}

/// Makes sure that the lease holds until the end of this transaction.
pub(crate) async fn check(tx: &Tx, lease: Lease) -> Result<(), Fault> {
    if hold::<job::Entity>(tx, job::Column::Attempt, held_by(lease))
        .await?
        .is_some()
    {
        Ok(())
    } else {
        Err(StoreError::LeaseLost.into())
    }
}

/// As [`check`], and notes that the job took a step.
pub(crate) async fn step(tx: &Tx, lease: Lease, at: Time) -> Result<(), Fault> {
    let moved = job::Entity::update_many()
        .col_expr(job::Column::MovedAt, Expr::value(at))
        .filter(held_by(lease))
        .exec(tx)
        .await?;
    ours(moved.rows_affected)
}

/// As [`check`], and counts tries anew, since another portion of the work is written.
pub(crate) async fn come_further(tx: &Tx, lease: Lease) -> Result<(), Fault> {
    let counted = job::Entity::update_many()
        .col_expr(job::Column::Attempt, Expr::value(1))
        .col_expr(job::Column::Outages, Expr::value(0))
        .filter(held_by(lease))
        .exec(tx)
        .await?;
    ours(counted.rows_affected)
}

/// The queue as administrators see it, oldest first.
pub(crate) async fn list(snapshot: &DatabaseTransaction, page: PageRequest) -> Result<Page<QueuedJob>, Fault> {
    let list = job::Entity::find()
        .order_by_asc(job::Column::CreatedAt)
        .order_by_asc(job::Column::Id);
    let (rows, total) = rows_and_total(snapshot, list, job::Column::Id, page).await?;
    let files: Vec<SubjectRow> = file::Entity::find()
        .select_only()
        .columns([
            file::Column::Id,
            file::Column::Filename,
            file::Column::AssistantId,
            file::Column::Status,
            file::Column::Progress,
        ])
        .column(assistant::Column::Name)
        .join(
            JoinType::InnerJoin,
            file::Entity::belongs_to(assistant::Entity)
                .from(file::Column::AssistantId)
                .to(assistant::Column::Id)
                .into(),
        )
        .filter(file::Column::Id.is_in(rows.iter().filter_map(|row| row.file_id)))
        .into_tuple()
        .all(snapshot)
        .await?;
    let mut files: HashMap<Uuid, _> = files.into_iter().map(|file| (file.0, file)).collect();
    let items = rows.into_iter().map(|row| {
        let subject = row.file_id.and_then(|id| files.remove(&id));
        queued(row, subject)
    });
    let items = items.collect::<Result<_, _>>()?;
    Ok(Page { items, total })
}

/// A file's id, name and assistant, where it is, and its assistant's name.
type SubjectRow = (Uuid, String, Uuid, String, i32, String);

fn queued(row: job::Model, file: Option<SubjectRow>) -> Result<QueuedJob, Fault> {
    let subject = file.map(|(id, filename, assistant, status, progress, assistant_name)| {
        Ok::<_, Fault>(Subject {
            filename,
            assistant: assistant.into(),
            assistant_name,
            status: Status::parse(&status).ok_or_else(|| Fault::corrupt("knowledge_files", "status", id))?,
            progress: narrow(progress, "knowledge_files", "progress", id)?,
        })
    });
    Ok(QueuedJob {
        id: row.id.into(),
        kind: row.kind,
        file: row.file_id.map(Into::into),
        subject: subject.transpose()?,
        is_claimed: row.is_claimed,
        waits: row.waits_for.as_deref().and_then(Waits::parse),
        attempt: row.attempt,
        last_error: row.last_error,
        due_at: row.due_at,
        created_at: row.created_at,
    })
}

async fn claim(tx: &Tx, now: Time, until: Time) -> Result<Option<Claimed>, Fault> {
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
            .col_expr(job::Column::MovedAt, Expr::value(now))
            .col_expr(job::Column::WaitsFor, Expr::value(None::<String>))
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
                // It would be claimed for ever and hold up all others; its file gets a new one when the next look finds it
                // without.
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

    async fn heartbeat(&self, lease: Lease, until: Time, since: Time) -> Result<Pulse, StoreError> {
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let renewed = job::Entity::update_many()
                    .col_expr(job::Column::DueAt, Expr::value(until))
                    .filter(held_by(lease))
                    .exec_with_returning(tx)
                    .await?;
                Ok(match renewed.first() {
                    None => Pulse::Lost,
                    Some(job) if job.moved_at.is_some_and(|at| at < since) => Pulse::Stalled,
                    Some(_) => Pulse::Renewed,
                })
            })
        });
        Ok(write.await?)
    }

    async fn tries(&self, lease: Lease) -> Result<Option<Tries>, StoreError> {
        let found: Option<(i32, i32)> = job::Entity::find()
            .select_only()
            .columns([job::Column::Attempt, job::Column::Outages])
            .filter(held_by(lease))
            .into_tuple()
            .one(self.db.reader())
            .await
            .map_err(Fault::from)?;
        Ok(found.map(|(attempt, outages)| Tries { attempt, outages }))
    }

    async fn finish_job(&self, lease: Lease) -> Result<(), StoreError> {
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let removed = job::Entity::delete_many().filter(held_by(lease)).exec(tx).await?;
                ours(removed.rows_affected)
            })
        });
        Ok(write.await?)
    }

    async fn retry_job(&self, lease: Lease, at: Time, waits: Waits, reason: &str) -> Result<(), StoreError> {
        let reason = storable(reason.to_owned());
        // Tries that could not succeed are given back.
        let (attempts, outages) = match waits {
            Waits::Retry => (0, 0),
            Waits::Outage => (-1, 1),
            Waits::Quota => (-1, 0),
        };
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let queued = put_back(lease, at, attempts)
                    .col_expr(job::Column::Outages, Expr::col(job::Column::Outages).add(outages))
                    .col_expr(job::Column::WaitsFor, Expr::value(waits.as_str()))
                    .col_expr(job::Column::LastError, Expr::value(reason))
                    .exec(tx)
                    .await?;
                ours(queued.rows_affected)
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
                    .col_expr(job::Column::Outages, Expr::value(0))
                    .filter(held_by(lease))
                    .exec(tx)
                    .await?;
                Ok(())
            })
        });
        Ok(write.await?)
    }

    async fn hand_back(&self, lease: Lease, now: Time) -> Result<(), StoreError> {
        let write = self
            .db
            .write(move |tx| Box::pin(async move { ours(put_back(lease, now, -1).exec(tx).await?.rows_affected) }));
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
