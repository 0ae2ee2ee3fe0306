//! Whose calls a quota counts and what it allows, as its row tells it; and what people call those.

use std::collections::HashMap;

use across::{
    governance::{
        meter::Payer,
        quota::{Limits, Scope},
    },
    money::MicroUsd,
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, ExprTrait as _, QueryFilter as _, QuerySelect as _,
    Select, sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    convert::narrow,
    counters::natural,
    entity::{assistant, usage_quota, user},
    error::Fault,
};

const TABLE: &str = "usage_quotas";

/// Whose calls the quota of a row counts.
pub(crate) fn scope_of(row: &usage_quota::Model) -> Result<Scope, Fault> {
    let id = Some(row.scope_id.as_str()).filter(|id| !id.is_empty());
    Scope::parse(&row.scope, id).ok_or_else(|| Fault::corrupt(TABLE, "scope", row.id))
}

/// What the quota of a row allows.
pub(crate) fn limits_of(row: &usage_quota::Model) -> Result<Limits, Fault> {
    let rate = |number: Option<i32>, column| number.map(|number| narrow(number, TABLE, column, row.id)).transpose();
    Ok(Limits {
        daily_cost: row.daily_cost_limit.map(MicroUsd),
        monthly_cost: row.monthly_cost_limit.map(MicroUsd),
        daily_tokens: row.daily_token_limit.map(natural),
        monthly_tokens: row.monthly_token_limit.map(natural),
        requests_per_min: rate(row.requests_per_min, "requests_per_min")?,
        requests_per_hour: rate(row.requests_per_hour, "requests_per_hour")?,
        alert_threshold: narrow(row.alert_threshold, TABLE, "alert_threshold", row.id)?,
    })
}

fn is_of(scope: Scope) -> Expr {
    usage_quota::Column::Scope
        .eq(scope.kind())
        .and(usage_quota::Column::ScopeId.eq(scope.id().unwrap_or_default()))
}

/// A column that only quotas have.
pub(crate) const OF_QUOTAS: &str = "alert_threshold";

/// The quotas that count a payer's calls, in the order in which their counters are taken.
pub(crate) async fn matching(db: &impl ConnectionTrait, payer: &Payer) -> Result<Vec<usage_quota::Model>, Fault> {
    Ok(in_order(counting(payer).all(db).await?))
}

/// Quotas in the order in which their counters are taken.
pub(crate) fn in_order(mut rows: Vec<usage_quota::Model>) -> Vec<usage_quota::Model> {
    rows.sort_by_key(|row| row.id);
    rows
}

/// The quotas that count a payer's calls, in any order.
pub(crate) fn counting(payer: &Payer) -> Select<usage_quota::Entity> {
    let mut wanted = Condition::any().add(is_of(Scope::Global));
    for scope in [
        payer.role.map(Scope::Role),
        payer.user.map(Scope::User),
        payer.assistant.map(Scope::Assistant),
    ] {
        wanted = wanted.add_option(scope.map(is_of));
    }
    usage_quota::Entity::find().filter(wanted)
}

/// What people call those whom quotas count, where they still exist.
pub(crate) async fn named(
    db: &impl ConnectionTrait,
    rows: &[usage_quota::Model],
) -> Result<HashMap<Uuid, String>, Fault> {
    let (mut users, mut assistants) = (Vec::new(), Vec::new());
    for row in rows {
        match scope_of(row)? {
            Scope::User(id) => users.push((id.uuid(), row.id)),
            Scope::Assistant(id) => assistants.push((id.uuid(), row.id)),
            Scope::Global | Scope::Role(_) => {}
        }
    }
    let mut names: HashMap<Uuid, String> = HashMap::new();
    if !users.is_empty() {
        let ids = users.iter().map(|(id, _)| *id).collect();
        names.extend(people(db, ids).await?);
    }
    if !assistants.is_empty() {
        let ids = assistants.iter().map(|(id, _)| *id).collect();
        names.extend(assistant_names(db, ids).await?);
    }
    let pairs = users.into_iter().chain(assistants);
    Ok(pairs
        .filter_map(|(of, quota)| Some((quota, names.get(&of)?.clone())))
        .collect())
}

/// The names of accounts.
pub(crate) async fn people(db: &impl ConnectionTrait, ids: Vec<Uuid>) -> Result<Vec<(Uuid, String)>, Fault> {
    let rows = user::Entity::find()
        .select_only()
        .columns([user::Column::Id, user::Column::Name])
        .filter(user::Column::Id.is_in(ids))
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows)
}

/// The names of assistants.
pub(crate) async fn assistant_names(db: &impl ConnectionTrait, ids: Vec<Uuid>) -> Result<Vec<(Uuid, String)>, Fault> {
    let rows = assistant::Entity::find()
        .select_only()
        .columns([assistant::Column::Id, assistant::Column::Name])
        .filter(assistant::Column::Id.is_in(ids))
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows)
}
