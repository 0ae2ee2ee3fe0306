//! Assistants.

use std::collections::HashMap;

use across::{
    assistants::{Assistant, AssistantStore, Changed, Draft, Filter, MAX_ASSISTANTS},
    audit::Deed,
    clock::Time,
    fault::StoreError,
    id::AssistantId,
    page::{Page, PageRequest},
};
use async_trait::async_trait;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, ExprTrait as _,
    FromQueryResult, PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QueryResult, QuerySelect as _,
    QueryTrait as _, Set,
    sea_query::{Expr, IntoCondition as _},
};
use uuid::Uuid;

use crate::{
    SqlStore,
    audit::{Trace, Traced},
    convert::{column_i32, contains, fold, narrow, storable},
    entity::{assistant, knowledge_file},
    error::Fault,
    files::moving,
    paging::{bounds, scalar, total_beside},
    rows::hold,
    transaction::Tx,
};

/// The files of an assistant that are not deleted, as many as there are, and those that nothing can be found in yet.
#[derive(Clone, Copy, Default)]
struct Files {
    all: i64,
    reading: i64,
}

/// Whether a file is being read for the first time. One that is read once more can be searched as it was.
fn is_being_read() -> Expr {
    knowledge_file::Column::Status
        .is_in(moving())
        .and(knowledge_file::Column::ChunkCount.eq(0))
}

/// The files of each of these assistants.
async fn file_counts(db: &impl ConnectionTrait, ids: Vec<Uuid>) -> Result<HashMap<Uuid, Files>, Fault> {
    let reading: Expr = Expr::case(is_being_read(), 1).into();
    let counts: Vec<(Uuid, i64, i64)> = knowledge_file::Entity::find()
        .select_only()
        .column(knowledge_file::Column::AssistantId)
        .column_as(knowledge_file::Column::Id.count(), "files")
        .column_as(reading.count(), "reading")
        .filter(
            knowledge_file::Column::AssistantId
                .is_in(ids)
                .and(knowledge_file::Column::DeletedAt.is_null()),
        )
        .group_by(knowledge_file::Column::AssistantId)
        .into_tuple()
        .all(db)
        .await?;
    let counted = |(assistant, all, reading)| (assistant, Files { all, reading });
    Ok(counts.into_iter().map(counted).collect())
}

async fn assistants_of(db: &impl ConnectionTrait, rows: Vec<assistant::Model>) -> Result<Vec<Assistant>, Fault> {
    let counts = file_counts(db, rows.iter().map(|row| row.id).collect()).await?;
    let with_files = |row: assistant::Model| {
        let files = counts.get(&row.id).copied().unwrap_or_default();
        assistant_from(row, files)
    };
    rows.into_iter().map(with_files).collect()
}

/// The assistant in a row, with these files.
fn assistant_from(row: assistant::Model, files: Files) -> Result<Assistant, Fault> {
    Ok(Assistant {
        draft: Draft {
            max_tokens: narrow(row.max_tokens, "assistants", "max_tokens", row.id)?,
            name: row.name,
            description: row.description,
            instructions: row.instructions,
            model: row.model,
            temperature: row.temperature,
            avatar_url: row.avatar_url,
        },
        id: row.id.into(),
        is_deleted: row.is_deleted,
        file_count: files.all.unsigned_abs(),
        reading_count: files.reading.unsigned_abs(),
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

/// A row with what is counted beside it.
struct Counted {
    row: assistant::Model,
    files: Files,
}

impl FromQueryResult for Counted {
    fn from_query_result(result: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            row: assistant::Model::from_query_result(result, prefix)?,
            files: Files {
                all: result.try_get(prefix, "files")?,
                reading: result.try_get(prefix, "reading")?,
            },
        })
    }
}

/// A row of the list.
struct Listed {
    it: Counted,
    total: i64,
}

impl FromQueryResult for Listed {
    fn from_query_result(result: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            it: Counted::from_query_result(result, prefix)?,
            total: result.try_get(prefix, "total")?,
        })
    }
}

/// How many files that are not deleted and of which this is true the assistant of a row has.
fn files_beside(condition: Condition) -> Expr {
    let of_this = Expr::col((knowledge_file::Entity, knowledge_file::Column::AssistantId))
        .equals((assistant::Entity, assistant::Column::Id));
    let counted = knowledge_file::Entity::find()
        .select_only()
        .column_as(knowledge_file::Column::Id.count(), "files")
        .filter(of_this.and(knowledge_file::Column::DeletedAt.is_null()))
        .filter(condition);
    scalar(counted.into_query())
}

async fn assistant_of(db: &impl ConnectionTrait, row: assistant::Model) -> Result<Assistant, Fault> {
    let id = row.id;
    assistants_of(db, vec![row])
        .await?
        .pop()
        .ok_or_else(|| Fault::corrupt("assistants", "id", id))
}

/// Writes a draft's columns.
fn fill(row: &mut assistant::ActiveModel, draft: Draft) {
    let description = draft.description.as_deref().unwrap_or_default();
    row.search_folded = Set(fold(&format!("{}\n{description}", draft.name)));
    row.name = Set(storable(draft.name));
    row.description = Set(draft.description.map(storable));
    row.instructions = Set(storable(draft.instructions));
    row.model = Set(draft.model.map(storable));
    row.temperature = Set(draft.temperature);
    row.max_tokens = Set(column_i32(draft.max_tokens));
    row.avatar_url = Set(draft.avatar_url.map(storable));
}

/// The state that a change asks for.
#[derive(Clone, Copy)]
enum Must {
    BeLive,
    BeArchived,
}

/// Changes one assistant under its lock, if it is in the state and has the version that the change asks for.
async fn change(
    tx: &Tx,
    id: AssistantId,
    must: Must,
    expected: Option<i64>,
    at: Time,
    apply: impl FnOnce(&mut assistant::ActiveModel) + Send,
) -> Result<Traced<Changed>, Fault> {
    let this = assistant::Column::Id.eq(id.uuid());
    let Some(row) = hold::<assistant::Entity>(tx, assistant::Column::Version, this).await? else {
        return Ok(Traced::nothing(Changed::Missing));
    };
    if row.is_deleted != matches!(must, Must::BeArchived) {
        return Ok(Traced::nothing(Changed::WrongState));
    }
    if expected.is_some_and(|expected| expected != row.version) {
        return Ok(Traced::nothing(Changed::Stale(row.version)));
    }
    let old = assistant_of(tx, row.clone()).await?;
    let version = row.version + 1;
    let mut changed: assistant::ActiveModel = row.into();
    apply(&mut changed);
    changed.version = Set(version);
    changed.updated_at = Set(at);
    let new = assistant_of(tx, changed.update(tx).await?).await?;
    let trace = Trace::changed(&old, &new);
    Ok(Traced::done(Changed::Done(Box::new(new)), trace))
}

#[async_trait]
impl AssistantStore for SqlStore {
    async fn create_assistant(&self, id: AssistantId, draft: Draft, deed: Deed) -> Result<Assistant, StoreError> {
        let at = deed.at;
        let write = self.db.audited(deed, move |tx| {
            Box::pin(async move {
                if assistant::Entity::find().count(tx).await? >= MAX_ASSISTANTS {
                    return Err(Fault::conflict(
                        "there are as many assistants as an installation may have",
                    ));
                }
                let mut row = assistant::ActiveModel {
                    id: Set(id.uuid()),
                    is_deleted: Set(false),
                    version: Set(1),
                    index_generation: Set(0),
                    created_at: Set(at),
                    updated_at: Set(at),
                    ..Default::default()
                };
                fill(&mut row, draft);
                let made = assistant_of(tx, row.insert(tx).await?).await?;
                let trace = Trace::made(&made);
                Ok(Traced::done(made, trace))
            })
        });
        Ok(write.await?)
    }

    async fn find_assistant(&self, id: AssistantId) -> Result<Option<Assistant>, StoreError> {
        let found: Option<Counted> = assistant::Entity::find_by_id(id.uuid())
            .expr_as(files_beside(Condition::all()), "files")
            .expr_as(files_beside(is_being_read().into_condition()), "reading")
            .into_model()
            .one(self.db.reader())
            .await
            .map_err(Fault::from)?;
        Ok(found.map(|it| assistant_from(it.row, it.files)).transpose()?)
    }

    async fn list_assistants(&self, filter: &Filter, page: PageRequest) -> Result<Page<Assistant>, StoreError> {
        let mut wanted = Condition::all();
        if !filter.include_deleted {
            wanted = wanted.add(assistant::Column::IsDeleted.eq(false));
        }
        for word in filter.search.iter().flat_map(|search| search.split_whitespace()) {
            wanted = wanted.add(contains(assistant::Column::SearchFolded, word));
        }
        let list = assistant::Entity::find()
            .filter(wanted)
            .order_by_desc(assistant::Column::CreatedAt)
            .order_by_desc(assistant::Column::Id);
        let (limit, offset) = bounds(page);
        let rows: Vec<Listed> = list
            .clone()
            .expr_as(files_beside(Condition::all()), "files")
            .expr_as(files_beside(is_being_read().into_condition()), "reading")
            .expr_as(total_beside(&list, assistant::Column::Id), "total")
            .limit(limit)
            .offset(offset)
            .into_model()
            .all(self.db.reader())
            .await
            .map_err(Fault::from)?;
        let total = match rows.first() {
            Some(first) => first.total.unsigned_abs(),
            // Beyond the end there is no row to carry it.
            None => list.count(self.db.reader()).await.map_err(Fault::from)?,
        };
        let items: Result<_, Fault> = rows
            .into_iter()
            .map(|Listed { it, .. }| assistant_from(it.row, it.files))
            .collect();
        Ok(Page { items: items?, total })
    }

    async fn update_assistant(
        &self,
        id: AssistantId,
        draft: Draft,
        expected: Option<i64>,
        deed: Deed,
    ) -> Result<Changed, StoreError> {
        let at = deed.at;
        let write = self.db.audited(deed, move |tx| {
            Box::pin(change(tx, id, Must::BeLive, expected, at, move |row| fill(row, draft)))
        });
        Ok(write.await?)
    }

    async fn archive_assistant(
        &self,
        id: AssistantId,
        expected: Option<i64>,
        deed: Deed,
    ) -> Result<Changed, StoreError> {
        let at = deed.at;
        let write = self.db.audited(deed, move |tx| {
            Box::pin(async move {
                let archive = |row: &mut assistant::ActiveModel| row.is_deleted = Set(true);
                let mut archived = change(tx, id, Must::BeLive, expected, at, archive).await?;
                if archived.value == Changed::WrongState {
                    archived.value = Changed::Missing;
                }
                Ok(archived)
            })
        });
        Ok(write.await?)
    }

    async fn restore_assistant(&self, id: AssistantId, deed: Deed) -> Result<Changed, StoreError> {
        let at = deed.at;
        let write = self.db.audited(deed, move |tx| {
            Box::pin(change(tx, id, Must::BeArchived, None, at, |row| {
                row.is_deleted = Set(false);
            }))
        });
        Ok(write.await?)
    }
}
