//! The audit log: an entry is written in the transaction of the change that it tells of, and stays as it is.

use across::{
    audit::{AuditLog, Audited, Deed, Entry, Filter, difference, whole},
    clock::Time,
    fault::StoreError,
    id::AuditId,
    page::{Page, PageRequest},
};
use async_trait::async_trait;
use futures::future::BoxFuture;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, EntityTrait as _, ExprTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, Set,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    SqlStore,
    backend::Db,
    convert::{column_i64, storable, storable_json},
    entity::{audit_log, audit_retention, user},
    error::Fault,
    paging::rows_and_total,
    transaction::Tx,
};

/// What was done to what: the part of an entry that only whoever makes the change knows.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// Which thing.
    pub(crate) resource_id: Option<String>,
    /// What was there before, of the fields that changed.
    pub(crate) old: Option<Map<String, Value>>,
    /// What is there now.
    pub(crate) new: Option<Map<String, Value>>,
}

impl Trace {
    /// Something was done to a thing that changed none of its fields.
    pub(crate) fn of(resource_id: &impl ToString) -> Self {
        Self {
            resource_id: Some(resource_id.to_string()),
            ..Self::default()
        }
    }

    /// A thing was made.
    pub(crate) fn made(thing: &impl Audited) -> Self {
        Self {
            new: Some(whole(&thing.audit_values())),
            ..Self::of(&thing.audit_id())
        }
    }

    /// A thing was removed.
    pub(crate) fn removed(thing: &impl Audited) -> Self {
        Self {
            old: Some(whole(&thing.audit_values())),
            ..Self::of(&thing.audit_id())
        }
    }

    /// A thing was changed; `None` if it is what it was.
    pub(crate) fn changed(old: &impl Audited, new: &impl Audited) -> Option<Self> {
        let (before, after) = difference(&old.audit_values(), &new.audit_values());
        let differs = !before.is_empty() || !after.is_empty();
        differs.then(|| Self {
            old: Some(before),
            new: Some(after),
            ..Self::of(&new.audit_id())
        })
    }

    /// The same with these values before.
    pub(crate) fn from(self, old: Value) -> Self {
        Self {
            old: object(old),
            ..self
        }
    }

    /// The same with these values after.
    pub(crate) fn to(self, new: Value) -> Self {
        Self {
            new: object(new),
            ..self
        }
    }
}

fn object(values: Value) -> Option<Map<String, Value>> {
    match values {
        Value::Object(values) => Some(whole(&values)),
        _ => None,
    }
}

/// The outcome of a change, with what is to be written down of it.
pub(crate) struct Traced<T> {
    /// What the caller gets.
    pub(crate) value: T,
    /// `None` if nothing was changed: then no entry is made.
    pub(crate) trace: Option<Trace>,
}

impl<T> Traced<T> {
    /// Something happened.
    pub(crate) fn done(value: T, trace: impl Into<Option<Trace>>) -> Self {
        Self {
            value,
            trace: trace.into(),
        }
    }

    /// Nothing happened.
    pub(crate) const fn nothing(value: T) -> Self {
        Self { value, trace: None }
    }
}

impl Db {
    /// Runs `work` in a writing transaction and writes down in the same one what it did: both happen or neither.
    pub(crate) async fn audited<T, F>(&self, deed: Deed, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c Tx) -> BoxFuture<'c, Result<Traced<T>, Fault>> + Send + 'static,
    {
        self.write(move |tx| {
            Box::pin(async move {
                let Traced { value, trace } = work(tx).await?;
                if let Some(trace) = trace {
                    insert(tx, deed, trace).await?;
                }
                Ok(value)
            })
        })
        .await
    }
}

/// Writes an entry as part of a change.
pub(crate) async fn insert(tx: &Tx, deed: Deed, trace: Trace) -> Result<(), Fault> {
    let column = |values: Option<Map<String, Value>>| values.map(|values| storable_json(Value::Object(values)));
    // The account may be the one that was just deleted.
    let actor = match deed.doer.user {
        Some(actor) => {
            user::Entity::find_by_id(actor.uuid())
                .select_only()
                .column(user::Column::Id)
                .into_tuple()
                .one(tx)
                .await?
        }
        None => None,
    };
    let row = audit_log::ActiveModel {
        id: Set(AuditId::new().uuid()),
        actor_id: Set(actor),
        actor_email: Set(deed.doer.email.map(storable)),
        action: Set(deed.action.as_str().to_owned()),
        resource_type: Set(deed.action.resource_type().to_owned()),
        resource_id: Set(trace.resource_id.map(storable)),
        old_values: Set(column(trace.old)),
        new_values: Set(column(trace.new)),
        ip_address: Set(deed.doer.origin.ip_address.map(storable)),
        user_agent: Set(deed.doer.origin.user_agent.map(storable)),
        created_at: Set(deed.at),
    };
    row.insert(tx).await?;
    Ok(())
}

fn entry_of(row: audit_log::Model) -> Entry {
    Entry {
        id: row.id.into(),
        actor: row.actor_id.map(Into::into),
        actor_email: row.actor_email,
        action: row.action,
        resource_type: row.resource_type,
        resource_id: row.resource_id,
        old_values: row.old_values,
        new_values: row.new_values,
        ip_address: row.ip_address,
        user_agent: row.user_agent,
        created_at: row.created_at,
    }
}

/// The entries that a filter lets through, newest first.
fn entries(filter: &Filter) -> sea_orm::Select<audit_log::Entity> {
    let mut wanted = Condition::all();
    if let Some(actor) = filter.actor {
        wanted = wanted.add(audit_log::Column::ActorId.eq(actor.uuid()));
    }
    for (column, value) in [
        (audit_log::Column::Action, &filter.action),
        (audit_log::Column::ResourceType, &filter.resource_type),
        (audit_log::Column::ResourceId, &filter.resource_id),
    ] {
        if let Some(value) = value {
            wanted = wanted.add(column.eq(storable(value.clone())));
        }
    }
    if let Some(from) = filter.from {
        wanted = wanted.add(audit_log::Column::CreatedAt.gte(from));
    }
    if let Some(to) = filter.to {
        wanted = wanted.add(audit_log::Column::CreatedAt.lt(to));
    }
    audit_log::Entity::find()
        .filter(wanted)
        .order_by_desc(audit_log::Column::CreatedAt)
        .order_by_desc(audit_log::Column::Id)
}

/// Removes entries from before `cutoff`; the guards let it happen only while the cutoff is written down.
async fn expire(tx: &Tx, cutoff: Time, limit: u64) -> Result<u64, Fault> {
    let old: Vec<Uuid> = audit_log::Entity::find()
        .select_only()
        .column(audit_log::Column::Id)
        .filter(audit_log::Column::CreatedAt.lt(cutoff))
        .order_by_asc(audit_log::Column::CreatedAt)
        .order_by_asc(audit_log::Column::Id)
        .limit(limit)
        .into_tuple()
        .all(tx)
        .await?;
    if old.is_empty() {
        return Ok(0);
    }
    let row = audit_retention::ActiveModel { cutoff: Set(cutoff) };
    audit_retention::Entity::insert(row)
        .on_conflict_do_nothing_on([audit_retention::Column::Cutoff])
        .exec_without_returning(tx)
        .await?;
    let removed = audit_log::Entity::delete_many()
        .filter(audit_log::Column::Id.is_in(old))
        .exec(tx)
        .await?;
    audit_retention::Entity::delete_by_id(cutoff).exec(tx).await?;
    Ok(removed.rows_affected)
}

#[async_trait]
impl AuditLog for SqlStore {
    async fn note(
        &self,
        deed: Deed,
        resource: Option<String>,
        values: Option<Map<String, Value>>,
    ) -> Result<(), StoreError> {
        let trace = Trace {
            resource_id: resource,
            old: None,
            new: values.as_ref().map(whole),
        };
        Ok(self.db.write(move |tx| Box::pin(insert(tx, deed, trace))).await?)
    }

    async fn list_audit(&self, filter: &Filter, page: PageRequest) -> Result<Page<Entry>, StoreError> {
        let snapshot = self.db.snapshot().await?;
        let (rows, total) = rows_and_total(&snapshot, entries(filter), audit_log::Column::Id, page).await?;
        Ok(Page {
            items: rows.into_iter().map(entry_of).collect(),
            total,
        })
    }

    async fn next_audit(
        &self,
        filter: &Filter,
        after: Option<(Time, AuditId)>,
        limit: u64,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut list = entries(filter);
        if let Some((time, id)) = after {
            let at_that_time = audit_log::Column::CreatedAt
                .eq(time)
                .and(audit_log::Column::Id.lt(id.uuid()));
            list = list.filter(audit_log::Column::CreatedAt.lt(time).or(at_that_time));
        }
        let rows = list.limit(column_i64(limit).unsigned_abs()).all(self.db.reader()).await;
        Ok(rows.map_err(Fault::from)?.into_iter().map(entry_of).collect())
    }

    async fn find_audit(&self, id: AuditId) -> Result<Option<Entry>, StoreError> {
        let row = audit_log::Entity::find_by_id(id.uuid()).one(self.db.reader()).await;
        Ok(row.map_err(Fault::from)?.map(entry_of))
    }

    async fn expire_audit(&self, cutoff: Time, limit: u64, deed: Deed) -> Result<u64, StoreError> {
        let write = self.db.audited(deed, move |tx| {
            Box::pin(async move {
                let removed = expire(tx, cutoff, limit).await?;
                let told = Trace::default().to(json!({"before": cutoff.to_rfc3339(), "removed": removed}));
                Ok(Traced::done(removed, (removed > 0).then_some(told)))
            })
        });
        Ok(write.await?)
    }
}
