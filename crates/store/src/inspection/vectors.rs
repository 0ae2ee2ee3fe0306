//! Whether the chunks that can be found are all there, with vectors of the right length.

use std::collections::HashMap;

use across::platform::Findings;
use sea_orm::{
    ColumnTrait as _, DatabaseTransaction, EntityTrait as _, ExprTrait as _, FromQueryResult, JoinType,
    PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, Select,
    sea_query::{Expr, Func},
};
use uuid::Uuid;

use crate::{
    entity::{chunk, chunk_vector, knowledge_file as file},
    error::Fault,
    vectors,
};

/// Chunks whose vectors are read at a time.
const LOAD: u64 = 1_000;

/// The chunks of one generation of a file that have vectors of one dimension.
#[derive(FromQueryResult)]
struct Written {
    file_id: Uuid,
    generation: i64,
    space: String,
    dim: i32,
    chunks: i64,
    odd: i64,
}

impl Written {
    /// Chunks of these that can be found.
    fn sound(&self) -> i64 {
        // The name of a space ends with the length of its vectors.
        let of_space = self.space.rsplit_once(':').and_then(|(_, dim)| dim.parse().ok());
        if of_space == Some(self.dim) {
            self.chunks - self.odd
        } else {
            0
        }
    }
}

fn written() -> Select<chunk::Entity> {
    let of = |column| Expr::col((chunk_vector::Entity, column));
    let length = || Expr::expr(Func::cust("LENGTH").arg(of(chunk_vector::Column::Vectors)));
    let whole = of(chunk_vector::Column::Dim).mul(4);
    let is_sound = of(chunk_vector::Column::Dim)
        .gt(0)
        .and(length().gt(0))
        .and(length().modulo(whole).eq(0));
    let odd: Expr = Expr::case(is_sound, 0).finally(1).into();
    chunk::Entity::find()
        .select_only()
        .columns([chunk::Column::FileId, chunk::Column::Generation])
        .columns([chunk_vector::Column::Space, chunk_vector::Column::Dim])
        .column_as(chunk::Column::Id.count(), "chunks")
        .column_as(odd.sum().cast_as("BIGINT"), "odd")
        .join(JoinType::InnerJoin, vectors::of_chunk())
        .group_by(chunk::Column::FileId)
        .group_by(chunk::Column::Generation)
        .group_by(chunk_vector::Column::Space)
        .group_by(chunk_vector::Column::Dim)
}

/// Chunks of a right length whose numbers are not those that were written.
async fn unreadable_chunks(db: &DatabaseTransaction) -> Result<Vec<String>, Fault> {
    let mut faults = Vec::new();
    let mut after = i64::MIN;
    loop {
        let rows: Vec<(i64, i64, i32, Vec<u8>, i64)> = chunk_vector::Entity::find()
            .select_only()
            .columns([
                chunk_vector::Column::Number,
                chunk_vector::Column::ChunkNumber,
                chunk_vector::Column::Dim,
                chunk_vector::Column::Vectors,
                chunk_vector::Column::Checksum,
            ])
            .filter(chunk_vector::Column::Number.gt(after))
            .order_by_asc(chunk_vector::Column::Number)
            .limit(LOAD)
            .into_tuple()
            .all(db)
            .await?;
        let Some(last) = rows.last() else { return Ok(faults) };
        after = last.0;
        for (_, chunk, dim, bytes, checksum) in rows {
            if vectors::sound(&bytes, checksum, dim).is_none() {
                let file = file_of(db, chunk).await?;
                faults.push(format!("the vectors of chunk {chunk} of the file {file} are damaged"));
            }
        }
    }
}

/// The file that a chunk is of.
async fn file_of(db: &DatabaseTransaction, number: i64) -> Result<Uuid, Fault> {
    let file: Option<Uuid> = chunk::Entity::find_by_id(number)
        .select_only()
        .column(chunk::Column::FileId)
        .into_tuple()
        .one(db)
        .await?;
    Ok(file.unwrap_or_default())
}

pub(super) async fn check(db: &DatabaseTransaction, every_number: bool) -> Result<Findings, Fault> {
    let ready: Vec<(Uuid, i64, i32)> = file::Entity::find()
        .select_only()
        .columns([file::Column::Id, file::Column::Generation, file::Column::ChunkCount])
        .filter(file::Column::Status.eq("ready").and(file::Column::DeletedAt.is_null()))
        .into_tuple()
        .all(db)
        .await?;
    // While the embedding model is changed a file has vectors in two spaces; it is found if one of them is complete.
    let mut sound: HashMap<(Uuid, i64), HashMap<String, i64>> = HashMap::new();
    for part in written().into_model::<Written>().all(db).await? {
        let spaces = sound.entry((part.file_id, part.generation)).or_default();
        *spaces.entry(part.space.clone()).or_default() += part.sound();
    }
    let mut found = Findings {
        looked_at: chunk::Entity::find().count(db).await?,
        ..Findings::default()
    };
    for (id, generation, claimed) in ready {
        let there = sound.get(&(id, generation)).and_then(|spaces| spaces.values().max());
        let there = there.copied().unwrap_or_default();
        if there != i64::from(claimed) {
            found.faults.push(format!(
                "{there} of the {claimed} chunks of the file {id} have their vectors"
            ));
        }
    }
    if every_number {
        found.faults.extend(unreadable_chunks(db).await?);
    }
    Ok(found)
}
