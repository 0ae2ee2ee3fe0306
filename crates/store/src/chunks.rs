//! Chunks on their way into the database: what they are found by is made first, aside, and then written in one transaction.

use std::{collections::HashMap, panic::resume_unwind};

use across::{
    id::{ChunkId, FileId},
    jobs::queue::Lease,
    knowledge::file::NewChunk,
    retrieval::words,
};
use sea_orm::{ColumnTrait as _, EntityTrait as _, ExprTrait as _, QueryFilter as _, QuerySelect as _, Set};
use tokio::task::spawn_blocking;

use crate::{
    convert::{column_i32, storable},
    entity::{chunk, chunk_vector},
    error::Fault,
    files::{generation_of, unpublished},
    queue,
    transaction::Tx,
    vectors::{self, Encoded},
};

/// Chunks of one INSERT; databases limit the values of a statement.
const ROWS_PER_INSERT: usize = 500;
/// Why chunks are not written.
const NO_VECTORS: Fault = Fault::conflict("a chunk needs vectors of one length with finite numbers");

/// A chunk with what it is found by, ready to be written.
pub(crate) struct EncodedChunk {
    chunk: NewChunk,
    words: String,
    vectors: Encoded,
}

/// Makes chunks ready to be written. That keeps a processor busy, so neither the writer, which has others to serve, nor the
/// asynchronous threads do it.
pub(crate) async fn encoded(chunks: Vec<NewChunk>) -> Result<Vec<EncodedChunk>, Fault> {
    let made = spawn_blocking(move || encode(chunks)).await;
    made.unwrap_or_else(|error| match error.try_into_panic() {
        // A text on which our code panics is the text's fault and no outage.
        Ok(panic) => resume_unwind(panic),
        Err(_) => Err(Fault::unavailable("the process is ending")),
    })
}

fn encode(chunks: Vec<NewChunk>) -> Result<Vec<EncodedChunk>, Fault> {
    let mut indexer = words::Indexer::default();
    let encode = |chunk: NewChunk| {
        Ok(EncodedChunk {
            words: indexer.indexed(&chunk.searchable()),
            vectors: vectors::encode(&chunk.vectors).ok_or(NO_VECTORS)?,
            chunk,
        })
    };
    chunks.into_iter().map(encode).collect()
}

/// Writes chunks of a generation; the same index again replaces.
pub(crate) async fn add(
    tx: &Tx,
    lease: Lease,
    id: FileId,
    generation: i64,
    space: String,
    chunks: Vec<EncodedChunk>,
) -> Result<(), Fault> {
    unpublished(tx, lease, id, generation).await?;
    queue::come_further(tx, lease).await?;
    let indices: Vec<i32> = chunks.iter().map(|new| column_i32(new.chunk.index)).collect();
    for some in indices.chunks(ROWS_PER_INSERT) {
        chunk::Entity::delete_many()
            .filter(generation_of(id, generation).and(chunk::Column::ChunkIndex.is_in(some.iter().copied())))
            .exec(tx)
            .await?;
    }
    let mut rows = Vec::with_capacity(chunks.len());
    let mut encoded = HashMap::with_capacity(chunks.len());
    for EncodedChunk {
        chunk: new,
        words,
        vectors,
    } in chunks
    {
        encoded.insert(column_i32(new.index), vectors);
        rows.push(chunk::ActiveModel {
            number: sea_orm::NotSet,
            id: Set(ChunkId::new().uuid()),
            file_id: Set(id.uuid()),
            generation: Set(generation),
            chunk_index: Set(column_i32(new.index)),
            page: Set(new.page.map(column_i32)),
            start_char: Set(column_i32(new.start)),
            end_char: Set(column_i32(new.end)),
            heading: Set(new.heading.map(storable)),
            text: Set(storable(new.text)),
            words: Set(words),
            token_count: Set(column_i32(new.token_count)),
        });
    }
    while !rows.is_empty() {
        let rest = rows.split_off(rows.len().min(ROWS_PER_INSERT));
        chunk::Entity::insert_many(std::mem::replace(&mut rows, rest))
            .exec_without_returning(tx)
            .await?;
    }
    for some in indices.chunks(ROWS_PER_INSERT) {
        let numbers: Vec<(i64, i32)> = chunk::Entity::find()
            .select_only()
            .columns([chunk::Column::Number, chunk::Column::ChunkIndex])
            .filter(generation_of(id, generation).and(chunk::Column::ChunkIndex.is_in(some.iter().copied())))
            .into_tuple()
            .all(tx)
            .await?;
        let rows = numbers
            .into_iter()
            .filter_map(|(number, index)| Some(vectors::row(number, &space, encoded.remove(&index)?)));
        chunk_vector::Entity::insert_many(rows)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}
