//! Looks whether the data is as it must be: what belongs together in several tables still does.

mod money;
mod threads;
mod vectors;

use std::collections::HashMap;

use across::{
    clock::Time,
    fault::StoreError,
    platform::{Findings, Inspection, StoredFile},
};
use async_trait::async_trait;
use chrono::TimeDelta;
use sea_orm::{
    ColumnTrait as _, DatabaseTransaction, EntityTrait, ExprTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use uuid::Uuid;

use crate::{
    SqlStore,
    convert::narrow,
    entity::{
        api_key, assistant, audit_log, job, knowledge_file as file, message, session, usage_log, usage_quota, user,
    },
    error::Fault,
    queue::{INGEST, PURGE},
};

/// How long a worker may give no sign of life before it is missed; whoever takes such work over looks twice a minute.
const GRACE: TimeDelta = TimeDelta::seconds(60);
const MOVING: [&str; 3] = ["uploading", "processing", "indexing"];
const STREAMING: &str = "streaming";

async fn newest_of<E: EntityTrait>(db: &DatabaseTransaction, column: E::Column) -> Result<Option<Time>, Fault> {
    let newest: Option<Time> = E::find()
        .select_only()
        .column(column)
        .order_by_desc(column)
        .into_tuple()
        .one(db)
        .await?;
    Ok(newest)
}

async fn messages_without_writer(db: &DatabaseTransaction, now: Time) -> Result<Findings, Fault> {
    let streaming: Vec<(Uuid, Option<Time>)> = message::Entity::find()
        .select_only()
        .columns([message::Column::Id, message::Column::LeaseUntil])
        .filter(message::Column::Status.eq(STREAMING))
        .into_tuple()
        .all(db)
        .await?;
    let is_alone = |(_, lease): &&(Uuid, Option<Time>)| lease.is_none_or(|lease| lease < now - GRACE);
    Ok(Findings {
        looked_at: streaming.len() as u64,
        faults: streaming
            .iter()
            .filter(is_alone)
            .map(|(id, _)| format!("nobody writes the answer {id}, which is {STREAMING}"))
            .collect(),
    })
}

async fn files_without_worker(db: &DatabaseTransaction, now: Time) -> Result<Findings, Fault> {
    let files: Vec<(Uuid, String, Option<Time>)> = file::Entity::find()
        .select_only()
        .columns([file::Column::Id, file::Column::Status, file::Column::DeletedAt])
        .filter(
            file::Column::DeletedAt
                .is_not_null()
                .or(file::Column::Status.is_in(MOVING)),
        )
        .into_tuple()
        .all(db)
        .await?;
    let jobs: Vec<(Option<Uuid>, String, bool, Time)> = job::Entity::find()
        .select_only()
        .columns([
            job::Column::FileId,
            job::Column::Kind,
            job::Column::IsClaimed,
            job::Column::DueAt,
        ])
        .into_tuple()
        .all(db)
        .await?;
    let jobs: HashMap<(Uuid, String), (bool, Time)> = jobs
        .into_iter()
        .filter_map(|(file, kind, is_claimed, due)| Some(((file?, kind), (is_claimed, due))))
        .collect();
    let mut found = Findings {
        looked_at: files.len() as u64,
        ..Findings::default()
    };
    for (id, status, deleted) in files {
        let (kind, what) = match deleted {
            Some(_) => (PURGE, "is deleted"),
            None => (INGEST, status.as_str()),
        };
        match jobs.get(&(id, kind.to_owned())) {
            None => found.faults.push(format!("the file {id} ({what}) has no job")),
            Some((true, lease)) if *lease < now - GRACE => {
                found
                    .faults
                    .push(format!("the worker of the file {id} ({what}) is gone"));
            }
            Some(_) => {}
        }
    }
    Ok(found)
}

/// The things of one kind that were made since `since` and have not exactly one entry that says so.
async fn without_entry<E>(
    db: &DatabaseTransaction,
    (id, created_at): (E::Column, E::Column),
    action: &str,
    since: Time,
) -> Result<Findings, Fault>
where
    E: EntityTrait,
{
    let made: Vec<Uuid> = E::find()
        .select_only()
        .column(id)
        .filter(created_at.gte(since))
        .into_tuple()
        .all(db)
        .await?;
    let entries: Vec<Option<String>> = audit_log::Entity::find()
        .select_only()
        .column(audit_log::Column::ResourceId)
        .filter(audit_log::Column::Action.eq(action))
        .into_tuple()
        .all(db)
        .await?;
    let mut counts: HashMap<String, u32> = HashMap::new();
    for entry in entries.into_iter().flatten() {
        *counts.entry(entry).or_default() += 1;
    }
    let mut found = Findings {
        looked_at: made.len() as u64,
        ..Findings::default()
    };
    for id in made {
        match counts.get(&id.to_string()) {
            Some(1) => {}
            None => found.faults.push(format!("{id} exists without an entry {action}")),
            Some(entries) => found.faults.push(format!("{id} has {entries} entries {action}")),
        }
    }
    Ok(found)
}

fn together(parts: impl IntoIterator<Item = Findings>) -> Findings {
    parts.into_iter().fold(Findings::default(), |mut all, part| {
        all.looked_at += part.looked_at;
        all.faults.extend(part.faults);
        all
    })
}

impl SqlStore {
    async fn newest_row(&self) -> Result<Option<Time>, Fault> {
        let db = self.db.snapshot().await?;
        let newest = [
            newest_of::<user::Entity>(&db, user::Column::CreatedAt).await?,
            newest_of::<session::Entity>(&db, session::Column::CreatedAt).await?,
            newest_of::<audit_log::Entity>(&db, audit_log::Column::CreatedAt).await?,
            newest_of::<message::Entity>(&db, message::Column::CreatedAt).await?,
            newest_of::<file::Entity>(&db, file::Column::CreatedAt).await?,
            newest_of::<usage_log::Entity>(&db, usage_log::Column::CreatedAt).await?,
        ];
        Ok(newest.into_iter().flatten().max())
    }

    async fn all_files(&self) -> Result<Vec<StoredFile>, Fault> {
        let rows: Vec<(Uuid, i64, String, String, Option<Time>)> = file::Entity::find()
            .select_only()
            .columns([
                file::Column::Id,
                file::Column::SizeBytes,
                file::Column::Sha256,
                file::Column::Status,
                file::Column::DeletedAt,
            ])
            .into_tuple()
            .all(self.db.reader())
            .await?;
        let stored = |(id, size, sha256, status, deleted_at): (Uuid, i64, String, String, Option<Time>)| {
            Ok(StoredFile {
                id: id.into(),
                size: narrow(size, "knowledge_files", "size_bytes", id)?,
                sha256,
                is_needed: deleted_at.is_none() && status != "error",
            })
        };
        rows.into_iter().map(stored).collect()
    }

    async fn check_trail(&self) -> Result<Findings, Fault> {
        let missing = self.db.missing_audit_guards().await?;
        let db = self.db.snapshot().await?;
        let oldest: Option<Time> = audit_log::Entity::find()
            .select_only()
            .column(audit_log::Column::CreatedAt)
            .order_by_asc(audit_log::Column::CreatedAt)
            .into_tuple()
            .one(&db)
            .await?;
        let guards = Findings {
            looked_at: 0,
            faults: missing
                .into_iter()
                .map(|name| format!("the trigger {name} is gone"))
                .collect(),
        };
        // A log without an entry goes back to the beginning.
        let since = oldest.unwrap_or(Time::UNIX_EPOCH);
        Ok(together([
            guards,
            without_entry::<user::Entity>(&db, (user::Column::Id, user::Column::CreatedAt), "user.create", since)
                .await?,
            without_entry::<assistant::Entity>(
                &db,
                (assistant::Column::Id, assistant::Column::CreatedAt),
                "assistant.create",
                since,
            )
            .await?,
            without_entry::<file::Entity>(&db, (file::Column::Id, file::Column::CreatedAt), "file.create", since)
                .await?,
            without_entry::<api_key::Entity>(
                &db,
                (api_key::Column::Id, api_key::Column::CreatedAt),
                "api_key.create",
                since,
            )
            .await?,
            without_entry::<usage_quota::Entity>(
                &db,
                (usage_quota::Column::Id, usage_quota::Column::CreatedAt),
                "quota.create",
                since,
            )
            .await?,
        ]))
    }
}

#[async_trait]
impl Inspection for SqlStore {
    async fn structure(&self) -> Result<Findings, StoreError> {
        let faults = self.db.damage().await?;
        Ok(Findings { looked_at: 0, faults })
    }

    async fn newest(&self) -> Result<Option<Time>, StoreError> {
        Ok(self.newest_row().await?)
    }

    async fn abandoned(&self, now: Time) -> Result<Findings, StoreError> {
        let db = self.db.snapshot().await?;
        let answers = messages_without_writer(&db, now).await?;
        Ok(together([answers, files_without_worker(&db, now).await?]))
    }

    async fn stored_files(&self) -> Result<Vec<StoredFile>, StoreError> {
        Ok(self.all_files().await?)
    }

    async fn vectors(&self, every_number: bool) -> Result<Findings, StoreError> {
        Ok(vectors::check(&self.db.snapshot().await?, every_number).await?)
    }

    async fn counters(&self, now: Time) -> Result<Findings, StoreError> {
        Ok(money::check(&self.db.snapshot().await?, now).await?)
    }

    async fn threads(&self) -> Result<Findings, StoreError> {
        Ok(threads::check(&self.db.snapshot().await?).await?)
    }

    async fn audit_trail(&self) -> Result<Findings, StoreError> {
        Ok(self.check_trail().await?)
    }
}
