//! What happens in one transaction of a change of the embedding model.

use std::collections::{BTreeMap, HashSet};

use across::{
    clock::Time,
    fault::StoreError,
    id::EmbeddingChangeId,
    jobs::{job::Job, queue::Lease},
    knowledge::embedding::{Change, NewChange, Phase, Switched},
    providers::{
        provider::Pieces,
        registry::{LOCAL_MODEL, SPACE_IN_USE},
    },
};
use chrono::TimeDelta;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, ExprTrait as _, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, Set,
    sea_query::{Expr, OnConflict},
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    audit::{Trace, Traced},
    convert::{column_i64, storable},
    embedding::{change_of, found_without, hold_space, running},
    entity::{assistant, chunk, chunk_vector, embedding_change as change, job, kept_value},
    error::Fault,
    kept::hold_name,
    queue,
    rows::hold,
    settings,
    transaction::Tx,
    vectors,
};

/// The row in which changes of the embedding model meet, so that one is begun at a time.
const MEETING: &str = "embedding changes";
/// How long the old vectors stay after the switch: longer than a question that is on its way may take.
const GRACE: TimeDelta = TimeDelta::seconds(60);
/// Vectors that one transaction looks at to remove them.
const ROWS_PER_DROP: u64 = 1_000;

/// Begins a change; see the port.
pub(crate) async fn begin(tx: &Tx, new: NewChange, at: Time) -> Result<Traced<Option<Change>>, Fault> {
    hold_name(tx, MEETING).await?;
    if running(tx).await?.is_some() {
        return Ok(Traced::nothing(None));
    }
    let total = found_without(&new.to.space()).count(tx).await?;
    let row = change::ActiveModel {
        id: Set(new.id.uuid()),
        from_space: Set(new.from.clone()),
        to_model: Set(new.to.id.clone()),
        to_dim: Set(i32::try_from(new.to.dimensions).map_err(|_| Fault::conflict("vectors are not that long"))?),
        phase: Set(Phase::Running.as_str().to_owned()),
        chunks_total: Set(column_i64(total)),
        chunks_done: Set(0),
        position: Set(0),
        started_by: Set(new.started_by.map(|id| id.uuid())),
        problem: Set(None),
        started_at: Set(at),
        finished_at: Set(None),
    };
    let row = row.insert(tx).await?;
    queue::enqueue(tx, &Job::ChangeEmbedding { change: new.id }, at).await?;
    let trace = Trace::of(&new.id)
        .from(json!({"space": new.from}))
        .to(json!({"space": new.to.space(), "chunks": total}));
    Ok(Traced::done(Some(change_of(row)?), trace))
}

/// Ends the running change, held by the caller.
async fn end(tx: &Tx, id: Uuid, phase: Phase, problem: Option<String>, at: Time) -> Result<(), Fault> {
    change::Entity::update_many()
        .col_expr(change::Column::Phase, Expr::value(phase.as_str()))
        .col_expr(change::Column::Problem, Expr::value(problem))
        .col_expr(change::Column::FinishedAt, Expr::value(at))
        .filter(change::Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Calls off the running change; see the port.
pub(crate) async fn cancel(tx: &Tx, at: Time) -> Result<Traced<bool>, Fault> {
    // Jobs first, as everywhere: its worker holds the job while it writes.
    hold::<job::Entity>(tx, job::Column::Attempt, job::Column::Kind.eq(queue::CHANGE)).await?;
    hold_name(tx, MEETING).await?;
    let Some(row) = running(tx).await? else {
        return Ok(Traced::nothing(false));
    };
    job::Entity::delete_many()
        .filter(job::Column::Kind.eq(queue::CHANGE))
        .exec(tx)
        .await?;
    end(tx, row.id, Phase::Cancelled, None, at).await?;
    queue::enqueue(tx, &Job::DropVectors, at + GRACE).await?;
    let trace = Trace::of(&row.id).from(json!({"phase": row.phase})).to(json!({
        "phase": Phase::Cancelled.as_str(),
        "chunks_done": row.chunks_done,
    }));
    Ok(Traced::done(true, trace))
}

/// The change, if it is running and the lease holds.
async fn leased(tx: &Tx, lease: Lease, id: EmbeddingChangeId) -> Result<Option<change::Model>, Fault> {
    queue::check(tx, lease).await?;
    Ok(running(tx).await?.filter(|row| row.id == id.uuid()))
}

/// Writes vectors; see the port.
pub(crate) async fn add(tx: &Tx, lease: Lease, id: EmbeddingChangeId, made: Vec<(i64, Pieces)>) -> Result<(), Fault> {
    let row = leased(tx, lease, id).await?.ok_or(StoreError::LeaseLost)?;
    let space = change_of(row.clone())?.to.space();
    let numbers: Vec<i64> = made.iter().map(|(number, _)| *number).collect();
    let there: Vec<i64> = chunk::Entity::find()
        .select_only()
        .column(chunk::Column::Number)
        .filter(chunk::Column::Number.is_in(numbers.iter().copied()))
        .into_tuple()
        .all(tx)
        .await?;
    let there: HashSet<i64> = there.into_iter().collect();
    let mut rows = Vec::with_capacity(made.len());
    for (number, pieces) in made.into_iter().filter(|(number, _)| there.contains(number)) {
        let encoded = vectors::encode(&pieces).ok_or(Fault::conflict(
            "a chunk needs vectors of one length with finite numbers",
        ))?;
        rows.push(vectors::row(number, &space, encoded));
    }
    if !rows.is_empty() {
        let of_chunk = [chunk_vector::Column::ChunkNumber, chunk_vector::Column::Space];
        chunk_vector::Entity::insert_many(rows)
            .on_conflict(OnConflict::columns(of_chunk).do_nothing().to_owned())
            .exec_without_returning(tx)
            .await?;
    }
    let done = row.chunks_done + numbers.len() as i64;
    change::Entity::update_many()
        .col_expr(change::Column::ChunksDone, Expr::value(done))
        // Files that came meanwhile add to what there is.
        .col_expr(
            change::Column::ChunksTotal,
            Expr::value(Ord::max(row.chunks_total, done)),
        )
        .col_expr(
            change::Column::Position,
            Expr::value(numbers.last().copied().unwrap_or(row.position)),
        )
        .filter(change::Column::Id.eq(row.id))
        .exec(tx)
        .await?;
    queue::restart_attempts(tx, lease).await
}

/// Makes the new space the one that is searched; see the port.
pub(crate) async fn switch(tx: &Tx, lease: Lease, id: EmbeddingChangeId, at: Time) -> Result<Traced<Switched>, Fault> {
    let Some(row) = leased(tx, lease, id).await? else {
        return Ok(Traced::nothing(Switched::Over));
    };
    // Whoever publishes a file waits for this row, so none comes between the question and the switch.
    let from = hold_space(tx).await?;
    let to = change_of(row.clone())?.to;
    let space = to.space();
    if found_without(&space).one(tx).await?.is_some() {
        return Ok(Traced::nothing(Switched::Incomplete));
    }
    kept_value::Entity::update_many()
        .col_expr(kept_value::Column::Value, Expr::value(space.as_str()))
        .filter(kept_value::Column::Name.eq(SPACE_IN_USE))
        .exec(tx)
        .await?;
    let name = if to.id == LOCAL_MODEL { "local" } else { &to.id };
    let setting = BTreeMap::from([("embedding_model".to_owned(), Some(name.into()))]);
    settings::change(tx, setting, None, at).await?;
    // Lists of files in memory are made anew, and with them whatever was read of half a space.
    assistant::Entity::update_many()
        .col_expr(
            assistant::Column::IndexGeneration,
            Expr::col(assistant::Column::IndexGeneration).add(1),
        )
        .exec(tx)
        .await?;
    end(tx, row.id, Phase::Done, None, at).await?;
    queue::enqueue(tx, &Job::DropVectors, at + GRACE).await?;
    let trace = Trace::of(&row.id)
        .from(json!({"space": from}))
        .to(json!({"space": space}));
    Ok(Traced::done(Switched::Yes, trace))
}

/// Ends a change that was given up.
pub(crate) async fn fail(tx: &Tx, lease: Lease, id: EmbeddingChangeId, problem: String, at: Time) -> Result<(), Fault> {
    match leased(tx, lease, id).await? {
        Some(row) => end(tx, row.id, Phase::Failed, Some(storable(problem)), at).await,
        None => Ok(()),
    }
}

/// The spaces that are needed: the one in use and the one being made. `None` if none is in use.
pub(crate) async fn needed(db: &impl ConnectionTrait) -> Result<Option<Vec<String>>, Fault> {
    let Some(kept) = kept_value::Entity::find_by_id(SPACE_IN_USE).one(db).await? else {
        return Ok(None);
    };
    let mut spaces = vec![kept.value];
    if let Some(row) = running(db).await? {
        spaces.push(change_of(row)?.to.space());
    }
    Ok(Some(spaces))
}

/// Removes a portion; the number to go on after, if there is more.
pub(crate) async fn drop_some(tx: &Tx, lease: Lease, after: i64) -> Result<Option<i64>, Fault> {
    queue::check(tx, lease).await?;
    hold_name(tx, MEETING).await?;
    let Some(needed) = needed(tx).await? else {
        return Ok(None);
    };
    let some: Vec<(i64, String)> = chunk_vector::Entity::find()
        .select_only()
        .columns([chunk_vector::Column::Number, chunk_vector::Column::Space])
        .filter(chunk_vector::Column::Number.gt(after))
        .order_by_asc(chunk_vector::Column::Number)
        .limit(ROWS_PER_DROP)
        .into_tuple()
        .all(tx)
        .await?;
    let last = some.last().map(|(number, _)| *number);
    let idle: Vec<i64> = some
        .into_iter()
        .filter(|(_, space)| !needed.contains(space))
        .map(|(number, _)| number)
        .collect();
    if !idle.is_empty() {
        chunk_vector::Entity::delete_many()
            .filter(chunk_vector::Column::Number.is_in(idle))
            .exec(tx)
            .await?;
    }
    Ok(last)
}
