//! Changes of the embedding model: what there is to embed, and how far a change is.

use across::{
    audit::Deed,
    clock::Time,
    fault::StoreError,
    id::EmbeddingChangeId,
    jobs::queue::Lease,
    knowledge::{
        embedding::{Change, EmbeddingChanges, NewChange, Phase, Switched, Unembedded, Volume},
        file::searchable,
    },
    providers::{model::EmbeddingModel, provider::Pieces, registry::SPACE_IN_USE},
    retrieval::vectors::Collection,
};
use async_trait::async_trait;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, ExprTrait as _, FromQueryResult, JoinType,
    PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _, RelationDef, Select,
    sea_query::{Expr, Func},
};
use uuid::Uuid;

use crate::{
    SqlStore,
    convert::narrow,
    entity::{chunk, chunk_vector, embedding_change as change, kept_value, knowledge_file as file},
    error::Fault,
    rows::hold,
    switching,
    transaction::Tx,
};

const TABLE: &str = "embedding_changes";
/// The change in a row.
pub(crate) fn change_of(row: change::Model) -> Result<Change, Fault> {
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
pub(crate) fn found_without(space: &str) -> Select<chunk::Entity> {
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

/// The change that is running.
pub(crate) async fn running(db: &impl ConnectionTrait) -> Result<Option<change::Model>, Fault> {
    Ok(change::Entity::find()
        .filter(change::Column::Phase.eq(Phase::Running.as_str()))
        .one(db)
        .await?)
}

/// The space in use, held until the end of the transaction: it cannot be switched meanwhile.
pub(crate) async fn hold_space(tx: &Tx) -> Result<Option<String>, Fault> {
    let row = hold::<kept_value::Entity>(tx, kept_value::Column::Value, kept_value::Column::Name.eq(SPACE_IN_USE));
    Ok(row.await?.map(|row| row.value))
}

/// Whether a generation of a file has chunks without vectors in the space in use. Chunks of before a switch would never be
/// found by their meaning.
pub(crate) async fn lacks_vectors(tx: &Tx, generation: Expr) -> Result<bool, Fault> {
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
        let Some(needed) = switching::needed(&snapshot).await? else {
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
        Ok(self
            .db
            .audited(deed, move |tx| Box::pin(switching::begin(tx, new, at)))
            .await?)
    }

    async fn cancel_change(&self, deed: Deed) -> Result<bool, StoreError> {
        let at = deed.at;
        Ok(self
            .db
            .audited(deed, move |tx| Box::pin(switching::cancel(tx, at)))
            .await?)
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
            .write(move |tx| Box::pin(switching::add(tx, lease, change, vectors)))
            .await?)
    }

    async fn switch_space(&self, lease: Lease, change: EmbeddingChangeId, deed: Deed) -> Result<Switched, StoreError> {
        let at = deed.at;
        Ok(self
            .db
            .audited(deed, move |tx| Box::pin(switching::switch(tx, lease, change, at)))
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
            .write(move |tx| Box::pin(switching::fail(tx, lease, change, problem, at)))
            .await?)
    }

    async fn idle_collections(&self) -> Result<Vec<Collection>, StoreError> {
        Ok(self.idle().await?)
    }

    async fn drop_idle_vectors(&self, lease: Lease) -> Result<(), StoreError> {
        // In portions, so that other changes need not wait for all of it.
        let mut after = i64::MIN;
        while let Some(last) = self
            .db
            .write(move |tx| Box::pin(switching::drop_some(tx, lease, after)))
            .await?
        {
            after = last;
        }
        Ok(())
    }
}
