//! The stored vectors as points, from which a vector store outside is filled.

use across::{
    fault::StoreError,
    id::{AssistantId, FileId},
    retrieval::vectors::{Collection, Point, StoredVectors},
};
use async_trait::async_trait;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, ExprTrait as _, FromQueryResult, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _,
    sea_query::{Expr, Func},
};
use uuid::Uuid;

use crate::{
    SqlStore,
    convert::column_i32,
    entity::{chunk, knowledge_file as file},
    error::Fault,
    files::generation_of,
    vectors::decode,
};

/// Chunks with their vectors, as far as points need them.
#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    chunk_index: i32,
    space: String,
    dim: i32,
    vectors: Vec<u8>,
}

/// A collection, if the columns name one.
fn collection_of(space: String, dim: i32) -> Option<Collection> {
    let dimensions = usize::try_from(dim).ok().filter(|dim| *dim > 0)?;
    Some(Collection { space, dimensions })
}

impl SqlStore {
    async fn promised(&self) -> Result<Vec<(Collection, u64)>, Fault> {
        let published = file::Entity::find()
            .select_only()
            .columns([file::Column::Id, file::Column::Generation])
            .filter(file::Column::DeletedAt.is_null().and(file::Column::ChunkCount.gt(0)))
            .into_query();
        let length: Expr = Func::cust("LENGTH").arg(Expr::col(chunk::Column::Vectors)).into();
        let points = length.div(Expr::col(chunk::Column::Dim).mul(4)).sum().cast_as("BIGINT");
        let place = Expr::tuple([Expr::col(chunk::Column::FileId), Expr::col(chunk::Column::Generation)]);
        let sums: Vec<(String, i32, i64)> = chunk::Entity::find()
            .select_only()
            .columns([chunk::Column::Space, chunk::Column::Dim])
            .column_as(points, "points")
            .filter(place.in_subquery(published).and(chunk::Column::Dim.gt(0)))
            .group_by(chunk::Column::Space)
            .group_by(chunk::Column::Dim)
            .order_by_asc(chunk::Column::Space)
            .into_tuple()
            .all(self.db.reader())
            .await?;
        let promise = |(space, dim, points)| Some((collection_of(space, dim)?, u64::try_from(points).ok()?));
        Ok(sums.into_iter().filter_map(promise).collect())
    }

    async fn points(
        &self,
        id: FileId,
        generation: i64,
        from: u32,
        limit: u32,
    ) -> Result<(Vec<(Collection, Point)>, Option<u32>), Fault> {
        let db = self.db.reader();
        let owner: Option<Uuid> = file::Entity::find_by_id(id.uuid())
            .select_only()
            .column(file::Column::AssistantId)
            .filter(file::Column::DeletedAt.is_null())
            .into_tuple()
            .one(db)
            .await?;
        let Some(assistant) = owner.map(AssistantId::from) else {
            return Ok((Vec::new(), None));
        };
        let rows: Vec<Row> = chunk::Entity::find()
            .select_only()
            .columns([
                chunk::Column::Id,
                chunk::Column::ChunkIndex,
                chunk::Column::Space,
                chunk::Column::Dim,
                chunk::Column::Vectors,
            ])
            .filter(generation_of(id, generation).and(chunk::Column::ChunkIndex.gte(column_i32(from))))
            .order_by_asc(chunk::Column::ChunkIndex)
            .limit(u64::from(limit))
            .into_model()
            .all(db)
            .await?;
        let last = rows.last().filter(|_| rows.len() as u64 == u64::from(limit));
        let next = last.and_then(|row| u32::try_from(row.chunk_index).ok()?.checked_add(1));
        let mut points = Vec::new();
        for row in rows {
            let read = collection_of(row.space, row.dim)
                .and_then(|collection| Some((decode(&row.vectors, collection.dimensions)?, collection)));
            let Some((numbers, collection)) = read else {
                tracing::warn!(
                    chunk = %row.id, file = %id,
                    "the vectors of a chunk are damaged and are left out; process its file again"
                );
                continue;
            };
            for (piece, vector) in (0..).zip(numbers.chunks_exact(collection.dimensions)) {
                let point = Point {
                    chunk: row.id.into(),
                    piece,
                    file: id,
                    assistant,
                    generation,
                    vector: vector.to_vec(),
                };
                points.push((collection.clone(), point));
            }
        }
        Ok((points, next))
    }
}

#[async_trait]
impl StoredVectors for SqlStore {
    async fn promised_points(&self) -> Result<Vec<(Collection, u64)>, StoreError> {
        Ok(self.promised().await?)
    }

    async fn collections_of(&self, file: FileId) -> Result<Vec<Collection>, StoreError> {
        let named: Vec<(String, i32)> = chunk::Entity::find()
            .select_only()
            .columns([chunk::Column::Space, chunk::Column::Dim])
            .filter(chunk::Column::FileId.eq(file.uuid()))
            .distinct()
            .into_tuple()
            .all(self.db.reader())
            .await
            .map_err(Fault::from)?;
        Ok(named
            .into_iter()
            .filter_map(|(space, dim)| collection_of(space, dim))
            .collect())
    }

    async fn searchable_files(&self) -> Result<Vec<(FileId, i64)>, StoreError> {
        let files: Vec<(Uuid, i64)> = file::Entity::find()
            .select_only()
            .columns([file::Column::Id, file::Column::Generation])
            .filter(file::Column::DeletedAt.is_null().and(file::Column::ChunkCount.gt(0)))
            .order_by_asc(file::Column::Id)
            .into_tuple()
            .all(self.db.reader())
            .await
            .map_err(Fault::from)?;
        Ok(files
            .into_iter()
            .map(|(id, generation)| (id.into(), generation))
            .collect())
    }

    async fn points_of(
        &self,
        file: FileId,
        generation: i64,
        from: u32,
        limit: u32,
    ) -> Result<(Vec<(Collection, Point)>, Option<u32>), StoreError> {
        Ok(self.points(file, generation, from, limit).await?)
    }
}
