//! What happens to a knowledge file inside one transaction. Whatever a job does to its file begins with its lease.

use across::{
    clock::Time,
    fault::StoreError,
    id::FileId,
    jobs::{job::Job, queue::Lease},
    knowledge::file::{Accepted, ExtractedText, MAX_FILES, MAX_FILES_PER_ASSISTANT, NewFile, Status},
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, ExprTrait as _, PaginatorTrait as _, QueryFilter as _,
    QuerySelect as _, Set, sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    audit::{Trace, Traced},
    convert::{column_i32, column_i64, fold, storable},
    embedding,
    entity::{assistant, chunk, file_text, job, knowledge_file as file},
    error::Fault,
    knowledge::{TABLE, file_of},
    queue::{self, INGEST},
    rows::hold,
    transaction::Tx,
};

/// Chunks that one transaction purges.
const ROWS_PER_PURGE: u64 = 1_000;

/// The file, unless deleted, held until the end of the transaction.
pub(crate) async fn hold_file(tx: &Tx, id: FileId) -> Result<Option<file::Model>, Fault> {
    let live = file::Column::Id.eq(id.uuid()).and(file::Column::DeletedAt.is_null());
    hold::<file::Entity>(tx, file::Column::Progress, live).await
}

/// The file that a job works on, held until the end of the transaction, if its lease holds. A file that was deleted
/// meanwhile has lost its job.
async fn leased_file(tx: &Tx, lease: Lease, id: FileId) -> Result<file::Model, Fault> {
    queue::check(tx, lease).await?;
    hold_file(tx, id).await?.ok_or_else(|| StoreError::LeaseLost.into())
}

/// As [`leased_file`], for what may only be done to a generation that is not searched yet.
pub(crate) async fn unpublished(tx: &Tx, lease: Lease, id: FileId, generation: i64) -> Result<file::Model, Fault> {
    let row = leased_file(tx, lease, id).await?;
    if generation == row.generation {
        return Err(Fault::conflict("this generation is published already"));
    }
    Ok(row)
}

/// The statuses in which something is being done to a file.
pub(crate) fn moving() -> impl Iterator<Item = &'static str> {
    Status::ALL
        .into_iter()
        .filter(|status| status.is_moving())
        .map(Status::as_str)
}

/// Records a file and queues its job; see the port.
pub(crate) async fn accept(tx: &Tx, new: NewFile) -> Result<Traced<Accepted>, Fault> {
    let owner = assistant::Column::Id
        .eq(new.assistant.uuid())
        .and(assistant::Column::IsDeleted.eq(false));
    // Held, so that two uploads of the same content to one assistant come one after the other.
    if hold::<assistant::Entity>(tx, assistant::Column::Version, owner)
        .await?
        .is_none()
    {
        return Ok(Traced::nothing(Accepted::NoAssistant));
    }
    let live = file::Entity::find().filter(file::Column::DeletedAt.is_null());
    let of_assistant = live.clone().filter(file::Column::AssistantId.eq(new.assistant.uuid()));
    let same: Option<Uuid> = of_assistant
        .clone()
        .select_only()
        .column(file::Column::Id)
        .filter(
            file::Column::Sha256
                .eq(&new.sha256)
                .and(file::Column::Status.ne(Status::Error.as_str())),
        )
        .into_tuple()
        .one(tx)
        .await?;
    if let Some(same) = same {
        return Ok(Traced::nothing(Accepted::Duplicate(same.into())));
    }
    if of_assistant.count(tx).await? >= MAX_FILES_PER_ASSISTANT || live.count(tx).await? >= MAX_FILES {
        return Ok(Traced::nothing(Accepted::TooMany));
    }
    let row = file::ActiveModel {
        id: Set(new.id.uuid()),
        assistant_id: Set(new.assistant.uuid()),
        filename_folded: Set(fold(&new.filename)),
        filename: Set(storable(new.filename)),
        file_type: Set(new.kind.as_str().to_owned()),
        file_path: Set(format!("files/{}", new.id)),
        size_bytes: Set(column_i64(new.size)),
        sha256: Set(new.sha256),
        chunk_count: Set(0),
        status: Set(Status::Processing.as_str().to_owned()),
        progress: Set(0),
        error_message: Set(None),
        generation: Set(0),
        latest_generation: Set(1),
        uploaded_by: Set(Some(new.uploaded_by.uuid())),
        deleted_at: Set(None),
        created_at: Set(new.created_at),
        updated_at: Set(new.created_at),
    };
    let row = row.insert(tx).await?;
    queue::enqueue(
        tx,
        &Job::Ingest {
            file: new.id,
            generation: 1,
        },
        new.created_at,
    )
    .await?;
    let accepted = file_of(row)?;
    let trace = Trace::made(&accepted);
    Ok(Traced::done(Accepted::Yes(Box::new(accepted)), trace))
}

/// Moves a file along.
pub(crate) async fn set_progress(
    tx: &Tx,
    lease: Lease,
    id: FileId,
    status: Status,
    progress: u8,
    at: Time,
) -> Result<(), Fault> {
    queue::step(tx, lease, at).await?;
    let row = hold_file(tx, id).await?.ok_or(StoreError::LeaseLost)?;
    let was = Status::parse(&row.status).ok_or_else(|| Fault::corrupt(TABLE, "status", row.id))?;
    // A repeated job begins with processing again; out of ready and error only a new attempt leads.
    if !was.is_moving() || !matches!(status, Status::Processing | Status::Indexing) {
        return Err(Fault::conflict("a file cannot go from its status to that one"));
    }
    file::Entity::update_many()
        .col_expr(file::Column::Status, Expr::value(status.as_str()))
        .col_expr(file::Column::Progress, Expr::value(i32::from(Ord::min(progress, 100))))
        .col_expr(file::Column::UpdatedAt, Expr::value(at))
        .filter(file::Column::Id.eq(row.id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Keeps the text of a generation.
pub(crate) async fn save_text(
    tx: &Tx,
    lease: Lease,
    id: FileId,
    generation: i64,
    text: ExtractedText,
) -> Result<(), Fault> {
    unpublished(tx, lease, id, generation).await?;
    let pages: Vec<_> = text
        .pages
        .iter()
        .map(|page| (page.number, page.start, page.end))
        .collect();
    file_text::Entity::delete_by_id((id.uuid(), generation))
        .exec(tx)
        .await?;
    let row = file_text::ActiveModel {
        file_id: Set(id.uuid()),
        generation: Set(generation),
        text: Set(storable(text.text)),
        pages: Set(serde_json::json!(pages)),
    };
    file_text::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

/// The chunks of one generation of a file.
pub(crate) fn generation_of(id: FileId, generation: i64) -> Expr {
    chunk::Column::FileId
        .eq(id.uuid())
        .and(chunk::Column::Generation.eq(generation))
}

/// Removes chunks and text of every generation but one.
pub(crate) async fn keep_generation(tx: &Tx, id: Uuid, generation: i64) -> Result<(), Fault> {
    chunk::Entity::delete_many()
        .filter(
            chunk::Column::FileId
                .eq(id)
                .and(chunk::Column::Generation.ne(generation)),
        )
        .exec(tx)
        .await?;
    file_text::Entity::delete_many()
        .filter(
            file_text::Column::FileId
                .eq(id)
                .and(file_text::Column::Generation.ne(generation)),
        )
        .exec(tx)
        .await?;
    Ok(())
}

/// Makes copies of the assistant's vectors in memory out of date.
async fn move_index(tx: &Tx, assistant: Uuid) -> Result<(), Fault> {
    assistant::Entity::update_many()
        .col_expr(
            assistant::Column::IndexGeneration,
            Expr::col(assistant::Column::IndexGeneration).add(1),
        )
        .filter(assistant::Column::Id.eq(assistant))
        .exec(tx)
        .await?;
    Ok(())
}

/// Makes a generation the one that is searched.
pub(crate) async fn publish(tx: &Tx, lease: Lease, id: FileId, generation: i64, at: Time) -> Result<(), Fault> {
    let row = leased_file(tx, lease, id).await?;
    if generation < row.generation {
        return Err(Fault::conflict("a newer generation is published already"));
    }
    if embedding::lacks_vectors(tx, generation_of(id, generation)).await? {
        return Err(Fault::conflict("the embedding model was changed meanwhile"));
    }
    let chunks = chunk::Entity::find()
        .filter(generation_of(id, generation))
        .count(tx)
        .await?;
    keep_generation(tx, row.id, generation).await?;
    let assistant = row.assistant_id;
    let mut row: file::ActiveModel = row.into();
    row.generation = Set(generation);
    row.chunk_count = Set(column_i32(chunks));
    row.status = Set(Status::Ready.as_str().to_owned());
    row.progress = Set(100);
    row.error_message = Set(None);
    row.updated_at = Set(at);
    row.update(tx).await?;
    move_index(tx, assistant).await
}

/// Sets a file to error.
pub(crate) async fn fail(tx: &Tx, lease: Lease, id: FileId, message: String, at: Time) -> Result<(), Fault> {
    let row = leased_file(tx, lease, id).await?;
    keep_generation(tx, row.id, row.generation).await?;
    let mut row: file::ActiveModel = row.into();
    row.status = Set(Status::Error.as_str().to_owned());
    row.error_message = Set(Some(storable(message)));
    row.updated_at = Set(at);
    row.update(tx).await?;
    Ok(())
}

/// Removes a portion of what is left of a deleted file; whether there is more.
pub(crate) async fn purge_some(tx: &Tx, lease: Lease, id: FileId) -> Result<bool, Fault> {
    queue::check(tx, lease).await?;
    let deleted = file::Column::Id
        .eq(id.uuid())
        .and(file::Column::DeletedAt.is_not_null());
    if file::Entity::find().filter(deleted.clone()).count(tx).await? == 0 {
        return Ok(false);
    }
    let some: Vec<i64> = chunk::Entity::find()
        .select_only()
        .column(chunk::Column::Number)
        .filter(chunk::Column::FileId.eq(id.uuid()))
        .limit(ROWS_PER_PURGE)
        .into_tuple()
        .all(tx)
        .await?;
    if some.is_empty() {
        // The text goes with the row.
        file::Entity::delete_many().filter(deleted).exec(tx).await?;
        return Ok(false);
    }
    chunk::Entity::delete_many()
        .filter(chunk::Column::Number.is_in(some))
        .exec(tx)
        .await?;
    Ok(true)
}

/// Removes the jobs of one kind that a file has.
pub(crate) async fn drop_jobs(tx: &Tx, id: Uuid, kind: &str) -> Result<(), Fault> {
    job::Entity::delete_many()
        .filter(job::Column::FileId.eq(id).and(job::Column::Kind.eq(kind)))
        .exec(tx)
        .await?;
    Ok(())
}

/// Marks a file deleted and queues its purge.
pub(crate) async fn delete(tx: &Tx, id: FileId, at: Time) -> Result<Traced<bool>, Fault> {
    drop_jobs(tx, id.uuid(), INGEST).await?;
    let marked = file::Entity::update_many()
        .col_expr(file::Column::DeletedAt, Expr::value(at))
        .col_expr(file::Column::UpdatedAt, Expr::value(at))
        .filter(file::Column::Id.eq(id.uuid()).and(file::Column::DeletedAt.is_null()))
        .exec_with_returning(tx)
        .await?;
    let Some(row) = marked.into_iter().next() else {
        return Ok(Traced::nothing(false));
    };
    move_index(tx, row.assistant_id).await?;
    queue::enqueue(tx, &Job::PurgeFile { file: id }, at).await?;
    Ok(Traced::done(true, Trace::removed(&file_of(row)?)))
}
