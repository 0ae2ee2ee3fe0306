//! New attempts to make files searchable: asked for one by one, for many at once, or missing after a crash.

use across::{
    clock::Time,
    id::{AssistantId, FileId},
    jobs::job::Job,
    knowledge::file::{Reprocess, Status},
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, ExprTrait as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, QueryTrait as _, Set, sea_query::Expr,
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    audit::{Trace, Traced},
    entity::{job, knowledge_file as file},
    error::Fault,
    files::{drop_jobs, hold_file, keep_generation, moving},
    knowledge::file_of,
    queue::{self, INGEST, PURGE},
    rows::hold,
    transaction::Tx,
};

/// Files that are queued anew at a time; databases limit the values of a statement.
const FILES_PER_STATEMENT: usize = 500;

/// Queues a new attempt.
pub(crate) async fn reprocess(tx: &Tx, id: FileId, at: Time) -> Result<Traced<Reprocess>, Fault> {
    // Jobs first, files second, as everywhere: two transactions then never wait for each other.
    hold::<job::Entity>(tx, job::Column::Attempt, job::Column::FileId.eq(id.uuid())).await?;
    let Some(row) = hold_file(tx, id).await? else {
        return Ok(Traced::nothing(Reprocess::Missing));
    };
    if moving().any(|status| status == row.status) {
        return Ok(Traced::nothing(Reprocess::Moving));
    }
    keep_generation(tx, row.id, row.generation).await?;
    let was = row.status.clone();
    let generation = row.latest_generation + 1;
    let mut row: file::ActiveModel = row.into();
    row.latest_generation = Set(generation);
    row.status = Set(Status::Processing.as_str().to_owned());
    row.progress = Set(0);
    row.error_message = Set(None);
    row.updated_at = Set(at);
    let row = row.update(tx).await?;
    // The job of the attempt before may not have left the queue yet; it has nothing more to do.
    drop_jobs(tx, id.uuid(), INGEST).await?;
    queue::enqueue(tx, &Job::Ingest { file: id, generation }, at).await?;
    let trace = Trace::of(&id)
        .from(json!({"status": was}))
        .to(json!({"status": row.status}));
    Ok(Traced::done(Reprocess::Queued(Box::new(file_of(row)?)), trace))
}

/// Queues a new attempt for all files that nobody works on, or those of one assistant or in error; how many.
pub(crate) async fn reprocess_all(
    tx: &Tx,
    assistant: Option<AssistantId>,
    only_failed: bool,
    at: Time,
) -> Result<Traced<u64>, Fault> {
    let mut resting = file::Column::DeletedAt
        .is_null()
        .and(file::Column::Status.is_not_in(moving()));
    if let Some(assistant) = assistant {
        resting = resting.and(file::Column::AssistantId.eq(assistant.uuid()));
    }
    if only_failed {
        resting = resting.and(file::Column::Status.eq(Status::Error.as_str()));
    }
    let ids: Vec<Uuid> = file::Entity::find()
        .select_only()
        .column(file::Column::Id)
        .filter(resting.clone())
        .order_by_asc(file::Column::Id)
        .into_tuple()
        .all(tx)
        .await?;
    let mut queued = 0;
    for some in ids.chunks(FILES_PER_STATEMENT) {
        let some = || some.iter().copied();
        // Jobs first, files second, as everywhere.
        hold::<job::Entity>(tx, job::Column::Attempt, job::Column::FileId.is_in(some())).await?;
        let rows = file::Entity::update_many()
            .col_expr(
                file::Column::LatestGeneration,
                Expr::col(file::Column::LatestGeneration).add(1),
            )
            .col_expr(file::Column::Status, Expr::value(Status::Processing.as_str()))
            .col_expr(file::Column::Progress, Expr::value(0))
            .col_expr(file::Column::ErrorMessage, Expr::value(None::<String>))
            .col_expr(file::Column::UpdatedAt, Expr::value(at))
            .filter(file::Column::Id.is_in(some()).and(resting.clone()))
            .exec_with_returning(tx)
            .await?;
        let taken = || rows.iter().map(|row| row.id);
        job::Entity::delete_many()
            .filter(job::Column::FileId.is_in(taken()).and(job::Column::Kind.eq(INGEST)))
            .exec(tx)
            .await?;
        for row in &rows {
            let ingest = Job::Ingest {
                file: row.id.into(),
                generation: row.latest_generation,
            };
            queue::enqueue(tx, &ingest, at).await?;
        }
        queued += rows.len() as u64;
    }
    let told = Trace::default().to(json!({
        "assistant_id": assistant.map(|assistant| assistant.to_string()),
        "files": queued,
    }));
    Ok(Traced::done(queued, (queued > 0).then_some(told)))
}

/// Queues what crashes left without a job.
pub(crate) async fn adopt(tx: &Tx, at: Time) -> Result<u64, Fault> {
    let without = |kind: &str| {
        let busy = job::Entity::find()
            .select_only()
            .column(job::Column::FileId)
            .filter(job::Column::Kind.eq(kind).and(job::Column::FileId.is_not_null()))
            .into_query();
        file::Entity::find().filter(file::Column::Id.not_in_subquery(busy))
    };
    let stranded = without(INGEST)
        .filter(
            file::Column::DeletedAt
                .is_null()
                .and(file::Column::Status.is_in(moving())),
        )
        .all(tx)
        .await?;
    let unpurged = without(PURGE)
        .filter(file::Column::DeletedAt.is_not_null())
        .all(tx)
        .await?;
    let mut adopted = 0;
    for row in stranded.into_iter().chain(unpurged) {
        // Another process may look at the same time: whoever comes second finds the job of the first.
        let Some(row) = hold::<file::Entity>(tx, file::Column::Progress, file::Column::Id.eq(row.id)).await? else {
            continue;
        };
        let (job, kind) = match row.deleted_at {
            Some(_) => (Job::PurgeFile { file: row.id.into() }, PURGE),
            None => (
                Job::Ingest {
                    file: row.id.into(),
                    generation: row.latest_generation,
                },
                INGEST,
            ),
        };
        let of_file = job::Column::FileId.eq(row.id).and(job::Column::Kind.eq(kind));
        let is_moving = row.deleted_at.is_some() || moving().any(|status| status == row.status);
        if is_moving && job::Entity::find().filter(of_file).count(tx).await? == 0 {
            queue::enqueue(tx, &job, at).await?;
            adopted += 1;
        }
    }
    Ok(adopted)
}
