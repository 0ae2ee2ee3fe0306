//! Whether the chunks that can be found are all there, with vectors of the right length.

use std::collections::HashMap;

use across::platform::Findings;
use sea_orm::{
    ColumnTrait as _, DatabaseTransaction, EntityTrait as _, ExprTrait as _, FromQueryResult, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, Select,
    sea_query::{Expr, Func},
};
use uuid::Uuid;

use crate::{
    entity::{chunk, knowledge_file as file},
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
    let length = || Expr::expr(Func::cust("LENGTH").arg(Expr::col(chunk::Column::Vectors)));
    let whole = Expr::col(chunk::Column::Dim).mul(4);
    let is_sound = Expr::col(chunk::Column::Dim)
        .gt(0)
        .and(length().gt(0))
        .and(length().modulo(whole).eq(0));
    let odd: Expr = Expr::case(is_sound, 0).finally(1).into();
    chunk::Entity::find()
        .select_only()
        .columns([
            chunk::Column::FileId,
            chunk::Column::Generation,
            chunk::Column::Space,
            chunk::Column::Dim,
        ])
        .column_as(chunk::Column::Id.count(), "chunks")
        .column_as(odd.sum().cast_as("BIGINT"), "odd")
        .group_by(chunk::Column::FileId)
        .group_by(chunk::Column::Generation)
        .group_by(chunk::Column::Space)
        .group_by(chunk::Column::Dim)
}

/// Chunks of a right length whose numbers are no vectors.
async fn unreadable_chunks(db: &DatabaseTransaction) -> Result<Vec<String>, Fault> {
    let mut faults = Vec::new();
    let mut after = i64::MIN;
    loop {
        let rows: Vec<(i64, Uuid, i32, Vec<u8>)> = chunk::Entity::find()
            .select_only()
            .columns([
                chunk::Column::Number,
                chunk::Column::FileId,
                chunk::Column::Dim,
                chunk::Column::Vectors,
            ])
            .filter(chunk::Column::Number.gt(after))
            .order_by_asc(chunk::Column::Number)
            .limit(LOAD)
            .into_tuple()
            .all(db)
            .await?;
        let Some(last) = rows.last() else { return Ok(faults) };
        after = last.0;
        for (number, file, dim, bytes) in rows {
            let dim = usize::try_from(dim).unwrap_or_default();
            if vectors::decode(&bytes, dim).is_none() {
                faults.push(format!("the vectors of chunk {number} of the file {file} are damaged"));
            }
        }
    }
}

pub(super) async fn check(db: &DatabaseTransaction, every_number: bool) -> Result<Findings, Fault> {
    let ready: Vec<(Uuid, i64, i32)> = file::Entity::find()
        .select_only()
        .columns([file::Column::Id, file::Column::Generation, file::Column::ChunkCount])
        .filter(file::Column::Status.eq("ready").and(file::Column::DeletedAt.is_null()))
        .into_tuple()
        .all(db)
        .await?;
    let mut sound: HashMap<(Uuid, i64), i64> = HashMap::new();
    for part in written().into_model::<Written>().all(db).await? {
        *sound.entry((part.file_id, part.generation)).or_default() += part.sound();
    }
    let mut found = Findings {
        looked_at: chunk::Entity::find().count(db).await?,
        ..Findings::default()
    };
    for (id, generation, claimed) in ready {
        let there = sound.get(&(id, generation)).copied().unwrap_or_default();
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
