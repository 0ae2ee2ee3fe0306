//! Notices, and the alert that makes them.

use across::{
    actor::Doer,
    audit::Action,
    clock::Time,
    fault::StoreError,
    governance::{
        notice::{Level, Notice, NoticeStore},
        quota::{Limit, Limits, Scope},
        window::Window,
    },
    id::{NoticeId, UserId},
    money::MicroUsd,
    page::{Page, PageRequest},
    providers::key::ApiKey,
};
use async_trait::async_trait;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, EntityTrait as _, ExprTrait as _, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _, Set, sea_query::Expr,
};
use serde_json::{Value, json};

use crate::{
    SqlStore,
    audit::{self, Trace},
    convert::{column_i64, storable},
    entity::{notice, notice_dismissal, quota_counter, usage_quota},
    error::Fault,
    paging::rows_and_total,
    scopes::{limits_of, named, scope_of},
    transaction::Tx,
};

const TABLE: &str = "notices";
/// The kind of notice about a key that its provider refuses.
const KEY_REFUSED: &str = "provider.key";

/// The first limit of the window of whose `threshold` percent so much is used.
fn crossed(limits: &Limits, window: Window, counter: &quota_counter::Model) -> Option<(Limit, i64)> {
    let (cost, tokens) = match window {
        Window::Day => (
            (Limit::DailyCost, limits.daily_cost),
            (Limit::DailyTokens, limits.daily_tokens),
        ),
        _ => (
            (Limit::MonthlyCost, limits.monthly_cost),
            (Limit::MonthlyTokens, limits.monthly_tokens),
        ),
    };
    let both = [
        (cost.0, cost.1.map(|limit| limit.0), counter.cost),
        (tokens.0, tokens.1.map(column_i64), counter.tokens),
    ];
    both.into_iter().find_map(|(limit, ceiling, used)| {
        let ceiling = ceiling.filter(|ceiling| *ceiling > 0)?;
        let reached = i128::from(used) * 100 >= i128::from(ceiling) * i128::from(limits.alert_threshold);
        reached.then_some((limit, ceiling))
    })
}

/// Tells whom it concerns, the first time that a window's threshold is crossed.
pub(crate) async fn alert(
    tx: &Tx,
    quota: &usage_quota::Model,
    window: Window,
    counter: &quota_counter::Model,
    at: Time,
) -> Result<(), Fault> {
    let limits = limits_of(quota)?;
    let Some((limit, ceiling)) = crossed(&limits, window, counter).filter(|_| !counter.is_alerted) else {
        return Ok(());
    };
    quota_counter::Entity::update_many()
        .col_expr(quota_counter::Column::IsAlerted, Expr::value(true))
        .filter(
            quota_counter::Column::QuotaId
                .eq(counter.quota_id)
                .and(quota_counter::Column::Window.eq(counter.window.as_str()))
                .and(quota_counter::Column::StartsAt.eq(counter.starts_at)),
        )
        .exec(tx)
        .await?;
    let is_cost = matches!(limit, Limit::DailyCost | Limit::MonthlyCost);
    let used = if is_cost { counter.cost } else { counter.tokens };
    let amount = |number: i64| {
        if is_cost {
            json!(MicroUsd(number).dollars())
        } else {
            json!(number)
        }
    };
    let scope = scope_of(quota)?;
    let name = named(tx, std::slice::from_ref(quota)).await?.remove(&quota.id);
    let details = json!({
        "quota_id": quota.id,
        "scope": scope.kind(),
        "scope_id": scope.id(),
        "scope_name": name,
        "limit": limit.as_str(),
        "amount": amount(ceiling),
        "used": amount(used),
        "alert_threshold": limits.alert_threshold,
        "resets_at": window.end(counter.starts_at),
    });
    let Value::Object(details) = details else {
        return Ok(());
    };
    let level = if used >= ceiling { Level::Error } else { Level::Warning };
    let whose = match scope {
        Scope::Global => "everyone".to_owned(),
        Scope::Role(role) => format!("the role “{}”", role.as_str()),
        Scope::User(_) | Scope::Assistant(_) => {
            name.map_or_else(|| scope.kind().to_owned(), |name| format!("“{name}”"))
        }
    };
    let period = if window == Window::Day { "daily" } else { "monthly" };
    let kind = if is_cost { "cost" } else { "token" };
    let percent = i128::from(used) * 100 / i128::from(ceiling);
    let row = notice::ActiveModel {
        id: Set(NoticeId::new().uuid()),
        kind: Set(Action::QuotaAlert.as_str().to_owned()),
        level: Set(level.as_str().to_owned()),
        message: Set(storable(format!(
            "The {period} {kind} limit of {whose} is {percent} % used."
        ))),
        details: Set(Value::Object(details.clone())),
        user_id: Set(match scope {
            Scope::User(user) => Some(user.uuid()),
            _ => None,
        }),
        created_at: Set(at),
    };
    row.insert(tx).await?;
    let trace = Trace {
        resource_id: Some(quota.id.to_string()),
        old: None,
        new: Some(details),
    };
    audit::insert(tx, Doer::platform().does(Action::QuotaAlert, at), trace).await
}

/// Tells administrators that a provider refuses a key.
pub(crate) async fn key_refused(tx: &Tx, key: &ApiKey, problem: &str, at: Time) -> Result<(), Fault> {
    let (provider, name) = (key.provider.called(), &key.name);
    let message = if problem == "no_credit" {
        format!("The account behind the key “{name}” has no credit left at {provider}.")
    } else {
        format!("The key “{name}” is rejected by {provider}. Replace it.")
    };
    let details = json!({
        "provider": key.provider.as_str(),
        "key_id": key.id.to_string(),
        "key_name": name,
        "problem": problem,
    });
    let row = notice::ActiveModel {
        id: Set(NoticeId::new().uuid()),
        kind: Set(KEY_REFUSED.to_owned()),
        level: Set(Level::Error.as_str().to_owned()),
        message: Set(storable(message)),
        details: Set(details),
        user_id: Set(None),
        created_at: Set(at),
    };
    row.insert(tx).await?;
    Ok(())
}

/// What this person may see.
fn visible(user: UserId, is_admin: bool) -> Condition {
    if is_admin {
        Condition::all()
    } else {
        Condition::all().add(notice::Column::UserId.eq(user.uuid()))
    }
}

fn notice_of(row: notice::Model) -> Result<Notice, Fault> {
    let level = Level::parse(&row.level).ok_or_else(|| Fault::corrupt(TABLE, "level", row.id))?;
    let Value::Object(details) = row.details else {
        return Err(Fault::corrupt(TABLE, "details", row.id));
    };
    Ok(Notice {
        id: row.id.into(),
        kind: row.kind,
        level,
        message: row.message,
        details,
        user: row.user_id.map(Into::into),
        created_at: row.created_at,
    })
}

#[async_trait]
impl NoticeStore for SqlStore {
    async fn list_notices(&self, user: UserId, is_admin: bool, page: PageRequest) -> Result<Page<Notice>, StoreError> {
        let dismissed = notice_dismissal::Entity::find()
            .select_only()
            .column(notice_dismissal::Column::NoticeId)
            .filter(notice_dismissal::Column::UserId.eq(user.uuid()))
            .into_query();
        let list = notice::Entity::find()
            .filter(visible(user, is_admin).add(notice::Column::Id.not_in_subquery(dismissed)))
            .order_by_desc(notice::Column::CreatedAt)
            .order_by_desc(notice::Column::Id);
        let snapshot = self.db.snapshot().await?;
        let (rows, total) = rows_and_total(&snapshot, list, notice::Column::Id, page).await?;
        let items = rows.into_iter().map(notice_of).collect::<Result<_, Fault>>()?;
        Ok(Page { items, total })
    }

    async fn dismiss_notice(&self, user: UserId, is_admin: bool, id: NoticeId, at: Time) -> Result<bool, StoreError> {
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let seen = notice::Entity::find_by_id(id.uuid()).filter(visible(user, is_admin));
                if seen.count(tx).await? == 0 {
                    return Ok(false);
                }
                let row = notice_dismissal::ActiveModel {
                    notice_id: Set(id.uuid()),
                    user_id: Set(user.uuid()),
                    dismissed_at: Set(at),
                };
                notice_dismissal::Entity::insert(row)
                    .on_conflict_do_nothing_on([notice_dismissal::Column::NoticeId, notice_dismissal::Column::UserId])
                    .exec_without_returning(tx)
                    .await?;
                Ok(true)
            })
        });
        Ok(write.await?)
    }
}
