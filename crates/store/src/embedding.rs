//! Changes of the embedding model: two spaces side by side, and the transaction in which one takes the other's place.

use std::collections::{BTreeMap, HashSet};

use across::{
    audit::Deed,
    clock::Time,
    fault::StoreError,
    id::EmbeddingChangeId,
    jobs::{job::Job, queue::Lease},
    knowledge::{
        embedding::{Change, EmbeddingChanges, NewChange, Phase, Switched, Unembedded, Volume},
        file::searchable,
    },
    providers::{
        model::EmbeddingModel,
        provider::Pieces,
        registry::{LOCAL_MODEL, SPACE_IN_USE},
    },
    retrieval::vectors::Collection,
};
use async_trait::async_trait;
use chrono::TimeDelta;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, DatabaseTransaction, EntityTrait as _, ExprTrait as _,
    FromQueryResult, JoinType, PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _, RelationDef, Select, Set,
    sea_query::{Expr, Func, OnConflict},
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    SqlStore,
    audit::{Trace, Traced},
    convert::{column_i64, narrow, storable},
    entity::{assistant, chunk, chunk_vector, embedding_change as change, job, kept_value, knowledge_file as file},
    error::Fault,
    kept::hold_name,
    queue,
    rows::hold,
    settings, vectors,
};

const TABLE: &str = "embedding_changes";
/// The row in which changes of the embedding model meet, so that one is begun at a time.
const MEETING: &str = "embedding changes";
/// How long the old vectors stay after the switch: longer than a question that is on its way may take.
const GRACE: TimeDelta = TimeDelta::seconds(60);
/// Vectors that one transaction removes.
const ROWS_PER_DROP: u64 = 1_000;

fn change_of(row: change::Model) -> Result<Change, Fault> {
    let id = row.id;
    Ok(Change {
        id: id.into(),
        from: row.from_space,
        to: EmbeddingModel {
            id: row.to_model,
            dimensions: narrow(row.to_dim, TABLE, "to_dim", id)?,
        },
        phase: Phase::parse(&row.phase).ok_or_else(|| Fault::corrupt(TABLE, "phase", id))?,
        total: narrow(row.chunks_total, TABLE, "chunks_total", id)?,
        done: narrow(row.chunks_done, TABLE, "chunks_done", id)?,
        cursor: row.position,
        started_by: row.started_by.map(Into::into),
        problem: row.problem,
        started_at: row.started_at,
        finished_at: row.finished_at,
    })
}

fn file_of_chunk() -> RelationDef {
    chunk::Entity::belongs_to(file::Entity)
        .from(chunk::Column::FileId)
        .to(file::Column::Id)
        .into()
}

/// Chunks that can be found.
fn found() -> Select<chunk::Entity> {
    let generation = Expr::col((file::Entity, file::Column::Generation));
    chunk::Entity::find().join(JoinType::InnerJoin, file_of_chunk()).filter(
        file::Column::DeletedAt
            .is_null()
            .and(Expr::col((chunk::Entity, chunk::Column::Generation)).eq(generation)),
    )
}

/// Of these, those without vectors in a space.
fn found_without(space: &str) -> Select<chunk::Entity> {
    found().filter(lacks(space))
}

/// That a chunk has no vectors in a space.
fn lacks(space: &str) -> Expr {
    let own = Expr::col((chunk_vector::Entity, chunk_vector::Column::ChunkNumber))
        .eq(Expr::col((chunk::Entity, chunk::Column::Number)));
    let there = chunk_vector::Entity::find()
        .select_only()
        .column(chunk_vector::Column::Number)
        .filter(own.and(chunk_vector::Column::Space.eq(space)))
        .into_query();
    Expr::exists(there).not()
}

async fn running(db: &impl ConnectionTrait) -> Result<Option<change::Model>, Fault> {
    Ok(change::Entity::find()
        .filter(change::Column::Phase.eq(Phase::Running.as_str()))
        .one(db)
        .await?)
}

/// The space in use, held until the end of the transaction: it cannot be switched meanwhile.
pub(crate) async fn hold_space(tx: &DatabaseTransaction) -> Result<Option<String>, Fault> {
    let row = hold::<kept_value::Entity>(tx, kept_value::Column::Value, kept_value::Column::Name.eq(SPACE_IN_USE));
    Ok(row.await?.map(|row| row.value))
}

/// Whether a generation of a file has chunks without vectors in the space in use. Chunks of before a switch would never be
/// found by their meaning.
pub(crate) async fn lacks_vectors(tx: &DatabaseTransaction, generation: Expr) -> Result<bool, Fault> {
    let Some(space) = hold_space(tx).await? else {
        return Ok(false);
    };
    let without = chunk::Entity::find().filter(generation.and(lacks(&space)));
    Ok(without.one(tx).await?.is_some())
}

#[derive(FromQueryResult)]
struct Sums {
    chunks: i64,
    tokens: Option<i64>,
}

#[derive(FromQueryResult)]
struct Row {
    number: i64,
    id: Uuid,
    file_id: Uuid,
    generation: i64,
    assistant_id: Uuid,
    heading: Option<String>,
    text: String,
}

async fn begin(tx: &DatabaseTransaction, new: NewChange, at: Time) -> Result<Traced<Option<Change>>, Fault> {
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
async fn end(tx: &DatabaseTransaction, id: Uuid, phase: Phase, problem: Option<String>, at: Time) -> Result<(), Fault> {
    change::Entity::update_many()
        .col_expr(change::Column::Phase, Expr::value(phase.as_str()))
        .col_expr(change::Column::Problem, Expr::value(problem))
        .col_expr(change::Column::FinishedAt, Expr::value(at))
        .filter(change::Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

async fn cancel(tx: &DatabaseTransaction, at: Time) -> Result<Traced<bool>, Fault> {
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
async fn leased(tx: &DatabaseTransaction, lease: Lease, id: EmbeddingChangeId) -> Result<Option<change::Model>, Fault> {
    queue::check(tx, lease).await?;
    Ok(running(tx).await?.filter(|row| row.id == id.uuid()))
}

async fn add(
    tx: &DatabaseTransaction,
    lease: Lease,
    id: EmbeddingChangeId,
    made: Vec<(i64, Pieces)>,
) -> Result<(), Fault> {
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

async fn switch(
    tx: &DatabaseTransaction,
    lease: Lease,
    id: EmbeddingChangeId,
    at: Time,
) -> Result<Traced<Switched>, Fault> {
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

async fn fail(
    tx: &DatabaseTransaction,
    lease: Lease,
    id: EmbeddingChangeId,
    problem: String,
    at: Time,
) -> Result<(), Fault> {
    match leased(tx, lease, id).await? {
        Some(row) => end(tx, row.id, Phase::Failed, Some(storable(problem)), at).await,
        None => Ok(()),
    }
}

/// The spaces that are needed: the one in use and the one being made. `None` if none is in use.
async fn needed(db: &impl ConnectionTrait) -> Result<Option<Vec<String>>, Fault> {
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
async fn drop_some(tx: &DatabaseTransaction, lease: Lease, after: i64) -> Result<Option<i64>, Fault> {
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

impl SqlStore {
    async fn volume_of_chunks(&self) -> Result<Volume, Fault> {
        let snapshot = self.db.snapshot().await?;
        let files = file::Entity::find()
            .filter(file::Column::DeletedAt.is_null().and(file::Column::ChunkCount.gt(0)))
            .count(&snapshot)
            .await?;
        let tokens = Func::cast_as(chunk::Column::TokenCount.sum(), "BIGINT");
        let sums: Option<Sums> = found()
            .select_only()
            .column_as(chunk::Column::Number.count(), "chunks")
            .expr_as(tokens, "tokens")
            .into_model()
            .one(&snapshot)
            .await?;
        let (chunks, tokens) = sums.map_or((0, 0), |sums| (sums.chunks, sums.tokens.unwrap_or_default()));
        Ok(Volume {
            files,
            chunks: chunks.unsigned_abs(),
            tokens: tokens.unsigned_abs(),
        })
    }

    async fn without(&self, space: &str, after: i64, limit: u32) -> Result<Vec<Unembedded>, Fault> {
        let rows: Vec<Row> = found_without(space)
            .select_only()
            .columns([
                chunk::Column::Number,
                chunk::Column::Id,
                chunk::Column::FileId,
                chunk::Column::Generation,
                chunk::Column::Heading,
                chunk::Column::Text,
            ])
            .column(file::Column::AssistantId)
            .filter(chunk::Column::Number.gt(after))
            .order_by_asc(chunk::Column::Number)
            .limit(u64::from(limit))
            .into_model()
            .all(self.db.reader())
            .await?;
        let unembedded = |row: Row| Unembedded {
            number: row.number,
            chunk: row.id.into(),
            file: row.file_id.into(),
            generation: row.generation,
            assistant: row.assistant_id.into(),
            text: searchable(row.heading.as_deref(), &row.text),
        };
        Ok(rows.into_iter().map(unembedded).collect())
    }

    async fn idle(&self) -> Result<Vec<Collection>, Fault> {
        let snapshot = self.db.snapshot().await?;
        let Some(needed) = needed(&snapshot).await? else {
            return Ok(Vec::new());
        };
        let idle: Vec<(String, i32)> = chunk_vector::Entity::find()
            .select_only()
            .columns([chunk_vector::Column::Space, chunk_vector::Column::Dim])
            .filter(chunk_vector::Column::Space.is_not_in(needed))
            .distinct()
            .into_tuple()
            .all(&snapshot)
            .await?;
        let collections = idle.into_iter().filter_map(|(space, dim)| {
            let dimensions = usize::try_from(dim).ok()?;
            Some(Collection { space, dimensions })
        });
        Ok(collections.collect())
    }
}

#[async_trait]
impl EmbeddingChanges for SqlStore {
    async fn volume(&self) -> Result<Volume, StoreError> {
        Ok(self.volume_of_chunks().await?)
    }

    async fn latest_change(&self) -> Result<Option<Change>, StoreError> {
        let latest = change::Entity::find()
            .order_by_desc(change::Column::StartedAt)
            .order_by_desc(change::Column::Id)
            .one(self.db.reader())
            .await
            .map_err(Fault::from)?;
        Ok(latest.map(change_of).transpose()?)
    }

    async fn begin_change(&self, new: NewChange, deed: Deed) -> Result<Option<Change>, StoreError> {
        let at = deed.at;
        Ok(self.db.audited(deed, move |tx| Box::pin(begin(tx, new, at))).await?)
    }

    async fn cancel_change(&self, deed: Deed) -> Result<bool, StoreError> {
        let at = deed.at;
        Ok(self.db.audited(deed, move |tx| Box::pin(cancel(tx, at))).await?)
    }

    async fn chunks_without(&self, space: &str, after: i64, limit: u32) -> Result<Vec<Unembedded>, StoreError> {
        Ok(self.without(space, after, limit).await?)
    }

    async fn add_vectors(
        &self,
        lease: Lease,
        change: EmbeddingChangeId,
        vectors: Vec<(i64, Pieces)>,
    ) -> Result<(), StoreError> {
        Ok(self
            .db
            .write(move |tx| Box::pin(add(tx, lease, change, vectors)))
            .await?)
    }

    async fn switch_space(&self, lease: Lease, change: EmbeddingChangeId, deed: Deed) -> Result<Switched, StoreError> {
        let at = deed.at;
        Ok(self
            .db
            .audited(deed, move |tx| Box::pin(switch(tx, lease, change, at)))
            .await?)
    }

    async fn fail_change(
        &self,
        lease: Lease,
        change: EmbeddingChangeId,
        problem: &str,
        at: Time,
    ) -> Result<(), StoreError> {
        let problem = problem.to_owned();
        Ok(self
            .db
            .write(move |tx| Box::pin(fail(tx, lease, change, problem, at)))
            .await?)
    }

    async fn idle_collections(&self) -> Result<Vec<Collection>, StoreError> {
        Ok(self.idle().await?)
    }

    async fn drop_idle_vectors(&self, lease: Lease) -> Result<(), StoreError> {
        // In portions, so that other changes need not wait for all of it.
        let mut after = i64::MIN;
        while let Some(last) = self.db.write(move |tx| Box::pin(drop_some(tx, lease, after))).await? {
            after = last;
        }
        Ok(())
    }
}
