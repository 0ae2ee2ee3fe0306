//! Quotas: their limits, where they stand, and what a new one finds used already.

use std::collections::HashMap;

use across::{
    actor::Role,
    audit::Deed,
    clock::Time,
    fault::StoreError,
    governance::{
        meter::Payer,
        quota::{Changed, Created, Current, Filter, Limits, Quota, QuotaStore, Scope},
        window::Window,
    },
    id::{QuotaId, UserId},
    money::MicroUsd,
    page::{Page, PageRequest},
};
use async_trait::async_trait;
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, ExprTrait as _, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _, Set, TryInsertResult, sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    SqlStore,
    audit::{Trace, Traced},
    convert::{column_i32, column_i64, storable},
    counters::{self, Change, natural},
    entity::{assistant, quota_counter, quota_hold, usage_log, usage_quota, user},
    error::Fault,
    kept::hold_name,
    paging::rows_and_total,
    rows::hold,
    scopes::{limits_of, matching, named, scope_of},
    transaction::Tx,
    usage::sum_of,
};

const TABLE: &str = "usage_quotas";
/// The row that counting anew waits for, since it takes all that is set aside.
const TURNSTILE: &str = "usage_quotas";

/// The quotas of rows, each with where it stands at `now`.
async fn quotas_of(db: &impl ConnectionTrait, rows: Vec<usage_quota::Model>, now: Time) -> Result<Vec<Quota>, Fault> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let in_window = |window: Window| {
        quota_counter::Column::Window
            .eq(window.as_str())
            .and(quota_counter::Column::StartsAt.eq(window.start(now)))
    };
    let counters = quota_counter::Entity::find()
        .filter(quota_counter::Column::QuotaId.is_in(rows.iter().map(|row| row.id)))
        .filter(in_window(Window::Day).or(in_window(Window::Month)))
        .all(db)
        .await?;
    let mut current: HashMap<Uuid, Current> = HashMap::new();
    for counter in counters {
        let of = current.entry(counter.quota_id).or_default();
        if counter.window == Window::Day.as_str() {
            of.daily_cost = MicroUsd(counter.cost);
            of.daily_tokens = natural(counter.tokens);
            of.reserved_cost = MicroUsd(counter.held_cost);
            of.reserved_tokens = natural(counter.held_tokens);
        } else {
            of.monthly_cost = MicroUsd(counter.cost);
            of.monthly_tokens = natural(counter.tokens);
        }
    }
    let mut names = named(db, &rows).await?;
    let quota = |row: usage_quota::Model| {
        Ok(Quota {
            id: row.id.into(),
            scope: scope_of(&row)?,
            scope_name: names.remove(&row.id),
            limits: limits_of(&row)?,
            current: current.remove(&row.id).unwrap_or_default(),
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    };
    rows.into_iter().map(quota).collect()
}

async fn find(db: &impl ConnectionTrait, id: QuotaId, now: Time) -> Result<Option<Quota>, Fault> {
    let row = usage_quota::Entity::find_by_id(id.uuid()).one(db).await?;
    Ok(quotas_of(db, row.into_iter().collect(), now).await?.pop())
}

/// Whether there is whom the scope names; a person stays until the end of the transaction.
async fn is_there(tx: &Tx, scope: Scope) -> Result<bool, Fault> {
    Ok(match scope {
        Scope::Global | Scope::Role(_) => true,
        Scope::User(id) => hold::<user::Entity>(tx, user::Column::Name, user::Column::Id.eq(id.uuid()))
            .await?
            .is_some(),
        Scope::Assistant(id) => assistant::Entity::find_by_id(id.uuid()).count(tx).await? > 0,
    })
}

/// Counts what was used in this day and month, as the usage log tells it.
async fn recount(tx: &Tx, id: QuotaId, scope: Scope, now: Time) -> Result<(), Fault> {
    hold_name(tx, TURNSTILE).await?;
    // Calls that are being charged right now are waited for: their rows are in the sums then. Those that are charged
    // later wait for the counters, and add to them.
    quota_hold::Entity::update_many()
        .col_expr(quota_hold::Column::Model, Expr::col(quota_hold::Column::Model))
        .exec(tx)
        .await?;
    let windows = [Window::Day, Window::Month];
    counters::change(tx, windows.map(|window| Change::none(id, window, now)).into()).await?;
    for window in windows {
        let mut counted = Condition::all()
            .add(usage_log::Column::CreatedAt.gte(window.start(now)))
            .add(usage_log::Column::CreatedAt.lt(window.end(now)));
        counted = match scope {
            Scope::Global => counted,
            Scope::Role(role) => {
                let people = user::Entity::find()
                    .select_only()
                    .column(user::Column::Id)
                    .filter(user::Column::Role.eq(role.as_str()))
                    .into_query();
                counted.add(usage_log::Column::UserId.in_subquery(people))
            }
            Scope::User(user) => counted.add(usage_log::Column::UserId.eq(user.uuid())),
            Scope::Assistant(assistant) => counted.add(usage_log::Column::AssistantId.eq(assistant.uuid())),
        };
        let sums = sum_of(tx, counted).await?;
        let tokens = sums.prompt_tokens.saturating_add(sums.completion_tokens);
        quota_counter::Entity::update_many()
            .col_expr(quota_counter::Column::Cost, Expr::value(sums.cost))
            .col_expr(quota_counter::Column::Tokens, Expr::value(tokens))
            .filter(
                quota_counter::Column::QuotaId
                    .eq(id.uuid())
                    .and(quota_counter::Column::Window.eq(window.as_str()))
                    .and(quota_counter::Column::StartsAt.eq(window.start(now))),
            )
            .exec(tx)
            .await?;
    }
    Ok(())
}

async fn create(tx: &Tx, id: QuotaId, scope: Scope, limits: Limits, at: Time) -> Result<Traced<Created>, Fault> {
    if !is_there(tx, scope).await? {
        return Ok(Traced::nothing(Created::NoSuchScope));
    }
    let row = usage_quota::ActiveModel {
        id: Set(id.uuid()),
        scope: Set(scope.kind().to_owned()),
        scope_id: Set(scope.id().unwrap_or_default()),
        daily_cost_limit: Set(limits.daily_cost.map(|cost| cost.0)),
        monthly_cost_limit: Set(limits.monthly_cost.map(|cost| cost.0)),
        daily_token_limit: Set(limits.daily_tokens.map(column_i64)),
        monthly_token_limit: Set(limits.monthly_tokens.map(column_i64)),
        requests_per_min: Set(limits.requests_per_min.map(column_i32)),
        requests_per_hour: Set(limits.requests_per_hour.map(column_i32)),
        alert_threshold: Set(i32::from(limits.alert_threshold)),
        version: Set(1),
        created_at: Set(at),
        updated_at: Set(at),
    };
    let made = usage_quota::Entity::insert(row)
        .on_conflict_do_nothing_on([usage_quota::Column::Scope, usage_quota::Column::ScopeId])
        .exec_without_returning(tx)
        .await?;
    if !matches!(made, TryInsertResult::Inserted(1..)) {
        return Ok(Traced::nothing(Created::Exists));
    }
    recount(tx, id, scope, at).await?;
    let quota = find(tx, id, at).await?.ok_or_else(|| Fault::corrupt(TABLE, "id", id))?;
    let trace = Trace::made(&quota);
    Ok(Traced::done(Created::Yes(Box::new(quota)), trace))
}

/// The quota as it is, kept for the rest of the transaction, if it may be changed.
async fn taken(tx: &Tx, id: QuotaId, expected: Option<i64>, now: Time) -> Result<Result<Quota, Changed>, Fault> {
    let row = hold::<usage_quota::Entity>(
        tx,
        usage_quota::Column::AlertThreshold,
        usage_quota::Column::Id.eq(id.uuid()),
    )
    .await?;
    let Some(row) = row else {
        return Ok(Err(Changed::Missing));
    };
    if expected.is_some_and(|expected| expected != row.version) {
        return Ok(Err(Changed::Stale(row.version)));
    }
    let quota = quotas_of(tx, vec![row], now).await?.pop();
    quota.map(Ok).ok_or_else(|| Fault::corrupt(TABLE, "id", id))
}

async fn update(
    tx: &Tx,
    id: QuotaId,
    limits: Limits,
    expected: Option<i64>,
    at: Time,
) -> Result<Traced<Changed>, Fault> {
    let before = match taken(tx, id, expected, at).await? {
        Ok(quota) => quota,
        Err(refused) => return Ok(Traced::nothing(refused)),
    };
    if before.limits == limits {
        return Ok(Traced::nothing(Changed::Done(Box::new(before))));
    }
    use usage_quota::Column;
    usage_quota::Entity::update_many()
        .col_expr(
            Column::DailyCostLimit,
            Expr::value(limits.daily_cost.map(|cost| cost.0)),
        )
        .col_expr(
            Column::MonthlyCostLimit,
            Expr::value(limits.monthly_cost.map(|cost| cost.0)),
        )
        .col_expr(
            Column::DailyTokenLimit,
            Expr::value(limits.daily_tokens.map(column_i64)),
        )
        .col_expr(
            Column::MonthlyTokenLimit,
            Expr::value(limits.monthly_tokens.map(column_i64)),
        )
        .col_expr(
            Column::RequestsPerMin,
            Expr::value(limits.requests_per_min.map(column_i32)),
        )
        .col_expr(
            Column::RequestsPerHour,
            Expr::value(limits.requests_per_hour.map(column_i32)),
        )
        .col_expr(Column::AlertThreshold, Expr::value(i32::from(limits.alert_threshold)))
        .col_expr(Column::Version, Expr::value(before.version + 1))
        .col_expr(Column::UpdatedAt, Expr::value(at))
        .filter(Column::Id.eq(id.uuid()))
        .exec(tx)
        .await?;
    let after = Quota {
        limits,
        version: before.version + 1,
        updated_at: at,
        ..before.clone()
    };
    let trace = Trace::changed(&before, &after);
    Ok(Traced::done(Changed::Done(Box::new(after)), trace))
}

async fn delete(tx: &Tx, id: QuotaId, expected: Option<i64>, at: Time) -> Result<Traced<Changed>, Fault> {
    let gone = match taken(tx, id, expected, at).await? {
        Ok(quota) => quota,
        Err(refused) => return Ok(Traced::nothing(refused)),
    };
    // In the order in which calls take them, so that nobody waits in a circle.
    for window in Window::ALL {
        quota_counter::Entity::delete_many()
            .filter(
                quota_counter::Column::QuotaId
                    .eq(id.uuid())
                    .and(quota_counter::Column::Window.eq(window.as_str())),
            )
            .exec(tx)
            .await?;
    }
    usage_quota::Entity::delete_by_id(id.uuid()).exec(tx).await?;
    let trace = Trace::removed(&gone);
    Ok(Traced::done(Changed::Done(Box::new(gone)), trace))
}

impl SqlStore {
    async fn quotas_page(&self, filter: &Filter, page: PageRequest, now: Time) -> Result<Page<Quota>, Fault> {
        let mut list = usage_quota::Entity::find();
        if let Some(scope) = &filter.scope {
            list = list.filter(usage_quota::Column::Scope.eq(scope.as_str()));
        }
        if let Some(id) = &filter.scope_id {
            list = list.filter(usage_quota::Column::ScopeId.eq(storable(id.clone())));
        }
        let list = list
            .order_by_desc(usage_quota::Column::CreatedAt)
            .order_by_desc(usage_quota::Column::Id);
        let snapshot = self.db.snapshot().await?;
        let (rows, total) = rows_and_total(&snapshot, list, usage_quota::Column::Id, page).await?;
        let items = quotas_of(&snapshot, rows, now).await?;
        Ok(Page { items, total })
    }
}

#[async_trait]
impl QuotaStore for SqlStore {
    async fn create_quota(&self, id: QuotaId, scope: Scope, limits: Limits, deed: Deed) -> Result<Created, StoreError> {
        let at = deed.at;
        let write = self
            .db
            .audited(deed, move |tx| Box::pin(create(tx, id, scope, limits, at)));
        let created = write.await?;
        if !matches!(created, Created::Yes(_)) {
            return Ok(created);
        }
        // A call that began and ended while the quota was being made did not know of it. Every later one does, so that
        // counting once more misses none.
        let recounted = self.db.write(move |tx| {
            Box::pin(async move {
                if usage_quota::Entity::find_by_id(id.uuid()).count(tx).await? > 0 {
                    recount(tx, id, scope, at).await?;
                }
                Ok(())
            })
        });
        if let Err(error) = recounted.await.map_err(StoreError::from) {
            tracing::warn!(%error, quota = %id, "calls that ended while this quota was made may be missing in it");
        }
        Ok(created)
    }

    async fn list_quotas(&self, filter: &Filter, page: PageRequest, now: Time) -> Result<Page<Quota>, StoreError> {
        Ok(self.quotas_page(filter, page, now).await?)
    }

    async fn find_quota(&self, id: QuotaId, now: Time) -> Result<Option<Quota>, StoreError> {
        let snapshot = self.db.snapshot().await?;
        Ok(find(&snapshot, id, now).await?)
    }

    async fn quotas_over(&self, user: UserId, role: Role, now: Time) -> Result<Vec<Quota>, StoreError> {
        let payer = Payer {
            user: Some(user),
            role: Some(role),
            assistant: None,
        };
        let snapshot = self.db.snapshot().await?;
        let rows = matching(&snapshot, &payer).await?;
        Ok(quotas_of(&snapshot, rows, now).await?)
    }

    async fn update_quota(
        &self,
        id: QuotaId,
        limits: Limits,
        expected: Option<i64>,
        deed: Deed,
    ) -> Result<Changed, StoreError> {
        let at = deed.at;
        let write = self
            .db
            .audited(deed, move |tx| Box::pin(update(tx, id, limits, expected, at)));
        Ok(write.await?)
    }

    async fn delete_quota(&self, id: QuotaId, expected: Option<i64>, deed: Deed) -> Result<Changed, StoreError> {
        let at = deed.at;
        let write = self.db.audited(deed, move |tx| Box::pin(delete(tx, id, expected, at)));
        Ok(write.await?)
    }
}
