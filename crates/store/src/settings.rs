//! Settings that differ from their defaults. Rows are never removed, so that the sum of their versions only grows.

use std::collections::BTreeMap;

use across::{
    audit::Deed,
    clock::Time,
    fault::StoreError,
    settings::{Changed, Changes, Settings, SettingsStore, Stored},
};
use async_trait::async_trait;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, ExprTrait as _, QuerySelect as _, Set,
    sea_query::{Expr, Func, OnConflict},
};
use serde_json::{Map, Value};

use crate::{
    SqlStore,
    audit::{Trace, Traced},
    convert::storable_json,
    entity::setting,
    error::Fault,
    kept::hold_name,
    transaction::Tx,
};

/// The row in which changes meet, so that they come one after the other.
const MEETING: &str = "settings";

async fn stored(db: &impl ConnectionTrait) -> Result<Stored, Fault> {
    let mut all = Stored::default();
    for row in setting::Entity::find().all(db).await? {
        all.revision += row.version;
        if let Some(value) = row.value {
            all.values.insert(row.key, value);
        }
    }
    Ok(all)
}

/// Every setting with the value that these stored ones give it.
fn effective(values: &BTreeMap<String, Value>) -> Map<String, Value> {
    Settings::from_stored(values).values()
}

/// Sets one setting; `None` leaves it at its default.
async fn set(tx: &Tx, key: &str, value: Option<Value>, at: Time) -> Result<(), Fault> {
    let row = setting::ActiveModel {
        key: Set(key.to_owned()),
        value: Set(value),
        version: Set(1),
        updated_at: Set(at),
    };
    let next = Expr::col((setting::Entity, setting::Column::Version)).add(1);
    setting::Entity::insert(row)
        .on_conflict(
            OnConflict::column(setting::Column::Key)
                .update_columns([setting::Column::Value, setting::Column::UpdatedAt])
                .value(setting::Column::Version, next)
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Changes settings; see the port.
pub(crate) async fn change(
    tx: &Tx,
    changes: Changes,
    expected: Option<i64>,
    at: Time,
) -> Result<Traced<Changed>, Fault> {
    hold_name(tx, MEETING).await?;
    let before = stored(tx).await?;
    if expected.is_some_and(|expected| expected != before.revision) {
        return Ok(Traced::nothing(Changed::Stale(before.revision)));
    }
    let mut wanted = before.values.clone();
    for (key, value) in &changes {
        match value {
            Some(value) => wanted.insert(key.clone(), storable_json(value.clone())),
            None => wanted.remove(key),
        };
    }
    let (defaults, old, new) = (
        Settings::default().values(),
        effective(&before.values),
        effective(&wanted),
    );
    let (mut was, mut is) = (Map::new(), Map::new());
    for key in changes.into_keys() {
        let (Some(from), Some(to)) = (old.get(&key), new.get(&key)) else {
            return Err(Fault::conflict("there is no such setting"));
        };
        // The default is stored as no value: whoever chose it goes along when a later version has another.
        let kept = (defaults.get(&key) != Some(to)).then(|| to.clone());
        if before.values.get(&key) != kept.as_ref() {
            set(tx, &key, kept, at).await?;
        }
        if from != to {
            was.insert(key.clone(), from.clone());
            is.insert(key, to.clone());
        }
    }
    let trace = (!is.is_empty()).then(|| Trace::default().from(Value::Object(was)).to(Value::Object(is)));
    Ok(Traced::done(Changed::Done(stored(tx).await?), trace))
}

#[async_trait]
impl SettingsStore for SqlStore {
    async fn settings(&self) -> Result<Stored, StoreError> {
        Ok(stored(self.db.reader()).await?)
    }

    async fn settings_revision(&self) -> Result<i64, StoreError> {
        let sum = Func::cast_as(setting::Column::Version.sum(), "BIGINT");
        let revision: Option<Option<i64>> = setting::Entity::find()
            .select_only()
            .expr_as(sum, "revision")
            .into_tuple()
            .one(self.db.reader())
            .await
            .map_err(Fault::from)?;
        Ok(revision.flatten().unwrap_or_default())
    }

    async fn change_settings(
        &self,
        changes: Changes,
        expected: Option<i64>,
        deed: Deed,
    ) -> Result<Changed, StoreError> {
        let at = deed.at;
        Ok(self
            .db
            .audited(deed, move |tx| Box::pin(change(tx, changes, expected, at)))
            .await?)
    }
}
