//! The stored vectors as points, from which a vector store outside is filled.

use across::{
    fault::StoreError,
    id::{AssistantId, FileId},
    retrieval::vectors::{Collection, Point, StoredVectors},
};
use async_trait::async_trait;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, ExprTrait as _, FromQueryResult, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _,
    sea_query::{Expr, Func},
};
use uuid::Uuid;

use crate::{
    SqlStore,
    convert::column_i32,
    entity::{chunk, chunk_vector, knowledge_file as file},
    error::Fault,
    files::generation_of,
    vectors::{of_chunk, sound},
};

/// Chunks with their vectors, as far as points need them.
#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    chunk_index: i32,
    space: Option<String>,
    dim: Option<i32>,
    vectors: Option<Vec<u8>>,
    checksum: Option<i64>,
}

impl Row {
    /// The collection and its vectors one after another, if they are what was once written.
    fn read(self) -> Option<(Collection, Vec<f32>)> {
        let (dim, checksum) = (self.dim?, self.checksum?);
        Some((collection_of(self.space?, dim)?, sound(&self.vectors?, checksum, dim)?))
    }
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
        let length: Expr = Func::cust("LENGTH")
            .arg(Expr::col(chunk_vector::Column::Vectors))
            .into();
        let points = length
            .div(Expr::col(chunk_vector::Column::Dim).mul(4))
            .sum()
            .cast_as("BIGINT");
        let place = Expr::tuple([Expr::col(chunk::Column::FileId), Expr::col(chunk::Column::Generation)]);
        let sums: Vec<(String, i32, i64)> = chunk::Entity::find()
            .select_only()
            .columns([chunk_vector::Column::Space, chunk_vector::Column::Dim])
            .column_as(points, "points")
            .join(JoinType::InnerJoin, of_chunk())
            .filter(place.in_subquery(published).and(chunk_vector::Column::Dim.gt(0)))
            .group_by(chunk_vector::Column::Space)
            .group_by(chunk_vector::Column::Dim)
            .order_by_asc(chunk_vector::Column::Space)
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
        // A chunk has vectors in two spaces while the embedding model is changed, so chunks are counted by their indices.
        let end = from.saturating_add(limit);
        let rows: Vec<Row> = chunk::Entity::find()
            .select_only()
            .columns([chunk::Column::Id, chunk::Column::ChunkIndex])
            .columns([
                chunk_vector::Column::Space,
                chunk_vector::Column::Dim,
                chunk_vector::Column::Vectors,
                chunk_vector::Column::Checksum,
            ])
            .join(JoinType::LeftJoin, of_chunk())
            .filter(
                generation_of(id, generation)
                    .and(chunk::Column::ChunkIndex.gte(column_i32(from)))
                    .and(chunk::Column::ChunkIndex.lt(column_i32(end))),
            )
            .order_by_asc(chunk::Column::ChunkIndex)
            .order_by_asc(chunk_vector::Column::Space)
            .into_model()
            .all(db)
            .await?;
        let last = rows.last().and_then(|row| u32::try_from(row.chunk_index).ok());
        let next = (last.and_then(|last| last.checked_add(1)) == Some(end)).then_some(end);
        let mut points = Vec::new();
        for row in rows {
            let chunk = row.id;
            let Some((collection, numbers)) = row.read() else {
                tracing::warn!(
                    %chunk, file = %id,
                    "the vectors of a chunk are damaged and are left out; process its file again"
                );
                continue;
            };
            for (piece, vector) in (0..).zip(numbers.chunks_exact(collection.dimensions)) {
                let point = Point {
                    chunk: chunk.into(),
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
            .columns([chunk_vector::Column::Space, chunk_vector::Column::Dim])
            .join(JoinType::InnerJoin, of_chunk())
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
