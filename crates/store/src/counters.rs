//! The counters of quotas: one for each window, changed several at a time in one order.

use std::collections::HashMap;

use across::{
    clock::Time,
    governance::{quota::Claim, window::Window},
    id::QuotaId,
};
use chrono::TimeDelta;
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, ExprTrait as _, QueryFilter as _, QueryTrait as _, Set,
    sea_query::{Expr, InsertStatement, OnConflict, SelectStatement},
};
use uuid::Uuid;

use crate::{SqlStore, convert::column_i64, entity::quota_counter, error::Fault, together::Together, transaction::Tx};

/// No call is worth more than this, in micro-dollars or tokens: far above every limit, and sums of it fit their columns.
const MOST: i64 = 1_000_000_000_000_000;
/// How long counters of minutes and hours are kept; those of days and months stay with their quota.
const RATES_KEPT: TimeDelta = TimeDelta::days(2);

/// An amount as it is counted.
pub(crate) fn counted(amount: impl TryInto<i64>) -> i64 {
    column_i64(amount).clamp(0, MOST)
}

/// The number of a column that is never negative.
pub(crate) fn natural(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// What is added to one counter.
pub(crate) struct Change {
    pub(crate) quota: QuotaId,
    pub(crate) window: Window,
    pub(crate) starts_at: Time,
    pub(crate) cost: i64,
    pub(crate) tokens: i64,
    pub(crate) requests: i64,
    pub(crate) held_cost: i64,
    pub(crate) held_tokens: i64,
}

impl Change {
    /// What a claim sets aside; requests count at once.
    pub(crate) fn set_aside(claim: &Claim) -> Self {
        Self {
            quota: claim.quota,
            window: claim.window,
            starts_at: claim.starts_at,
            cost: 0,
            tokens: 0,
            requests: i64::from(claim.requests),
            held_cost: counted(claim.cost.0),
            held_tokens: counted(claim.tokens),
        }
    }

    /// Nothing: it only makes sure that the counter is there and is kept.
    pub(crate) fn none(quota: QuotaId, window: Window, at: Time) -> Self {
        Self {
            quota,
            window,
            starts_at: window.start(at),
            cost: 0,
            tokens: 0,
            requests: 0,
            held_cost: 0,
            held_tokens: 0,
        }
    }
}

pub(crate) type Counters = HashMap<(Uuid, String), quota_counter::Model>;

/// A column that only counters have.
pub(crate) const OF_COUNTERS: &str = "held_tokens";

/// Changes counters in the order given, in one statement, and keeps them for the rest of the transaction. Counters that
/// are not there begin with nothing. Returns them as they are then.
pub(crate) async fn change(tx: &Tx, changes: Vec<Change>) -> Result<Counters, Fault> {
    let Some(changing) = changing(changes) else {
        return Ok(Counters::new());
    };
    let rows = Together::new(tx).and(&changing).run().await?;
    Ok(by_place(rows.having(OF_COUNTERS)?))
}

/// Counters by quota and window.
pub(crate) fn by_place(rows: Vec<quota_counter::Model>) -> Counters {
    let placed = rows.into_iter().map(|row| ((row.quota_id, row.window.clone()), row));
    placed.collect()
}

/// The statement of [`change`], to be sent together with others; `None` if nothing changes.
pub(crate) fn changing(changes: Vec<Change>) -> Option<InsertStatement> {
    use quota_counter::Column;
    let sum = |column: Column| {
        let old = Expr::col((quota_counter::Entity, column));
        (column, old.add(Expr::col(("excluded", column))))
    };
    let added = [
        Column::Cost,
        Column::Tokens,
        Column::Requests,
        Column::HeldCost,
        Column::HeldTokens,
    ];
    let on_conflict = OnConflict::columns([Column::QuotaId, Column::Window, Column::StartsAt])
        .values(added.map(sum))
        .to_owned();
    let is_nothing = changes.is_empty();
    let rows = changes.into_iter().map(|change| quota_counter::ActiveModel {
        quota_id: Set(change.quota.uuid()),
        window: Set(change.window.as_str().to_owned()),
        starts_at: Set(change.starts_at),
        cost: Set(change.cost),
        tokens: Set(change.tokens),
        requests: Set(change.requests),
        held_cost: Set(change.held_cost),
        held_tokens: Set(change.held_tokens),
        is_alerted: Set(false),
    });
    let insert = quota_counter::Entity::insert_many(rows).on_conflict(on_conflict);
    (!is_nothing).then(|| insert.into_query().returning_all().to_owned())
}

/// Reads the counters of the windows before those of `claims`, where they matter.
pub(crate) fn before(claims: &[Claim], at: Time) -> Option<SelectStatement> {
    let mut wanted = Condition::any();
    for claim in claims.iter().filter(|claim| claim.requests_ceiling.is_some()) {
        wanted = wanted.add(
            quota_counter::Column::QuotaId
                .eq(claim.quota.uuid())
                .and(quota_counter::Column::Window.eq(claim.window.as_str()))
                .and(quota_counter::Column::StartsAt.eq(claim.window.previous(at))),
        );
    }
    let found = quota_counter::Entity::find().filter(wanted.clone());
    (!wanted.is_empty()).then(|| found.into_query())
}

impl SqlStore {
    /// Removes counters of minutes and hours that no sliding window reaches any more.
    pub(crate) async fn forget_rates(&self, now: Time) -> Result<(), Fault> {
        let old = move || {
            Condition::all()
                .add(quota_counter::Column::StartsAt.lt(now - RATES_KEPT))
                .add(quota_counter::Column::Window.is_in(["minute", "hour"]))
        };
        let any = quota_counter::Entity::find()
            .filter(old())
            .one(self.db.reader())
            .await?;
        if any.is_none() {
            return Ok(());
        }
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                quota_counter::Entity::delete_many().filter(old()).exec(tx).await?;
                Ok(())
            })
        });
        write.await
    }
}
