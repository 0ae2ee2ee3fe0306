//! Whether the counters of quotas are what the usage log and the calls in progress say.

use std::collections::{BTreeSet, HashMap, HashSet};

use across::{
    clock::Time,
    governance::{quota::Scope, window::Window},
    platform::Findings,
};
use sea_orm::{
    ColumnTrait as _, DatabaseTransaction, EntityTrait as _, ExprTrait as _, FromQueryResult, QueryFilter as _,
    QuerySelect as _, sea_query::Expr,
};
use uuid::Uuid;

use super::{GRACE, STREAMING};
use crate::{
    entity::{message, quota_counter, quota_hold, usage_log, usage_quota},
    error::Fault,
    scopes::scope_of,
};

/// Whose use is that of all people together.
const PEOPLE: &str = "people";

/// What a counter holds, or should: cost and tokens.
type Amount = (i64, i64);
/// A quota's counter: whose, which window, and where it starts.
type Place = (Uuid, &'static str, Time);

fn add(sums: &mut HashMap<String, Amount>, key: String, amount: Amount) {
    let sum = sums.entry(key).or_default();
    *sum = (sum.0.saturating_add(amount.0), sum.1.saturating_add(amount.1));
}

/// The counters of a window that are kept as long as their quota.
fn long_windows() -> [Window; 2] {
    [Window::Day, Window::Month]
}

/// What somebody used with an assistant on a day.
#[derive(FromQueryResult)]
struct Used {
    day: String,
    user_id: Option<Uuid>,
    assistant_id: Option<Uuid>,
    cost: i64,
    tokens: i64,
}

/// What every counter of days and months should hold, by whose it is and the beginning of its window as text. What all
/// people used together is there under [`PEOPLE`]: the log does not say in which role somebody was.
async fn used(db: &DatabaseTransaction) -> Result<HashMap<String, Amount>, Fault> {
    let sum = |column: usage_log::Column| Expr::col(column).sum().cast_as("BIGINT");
    let rows: Vec<Used> = usage_log::Entity::find()
        .select_only()
        .columns([
            usage_log::Column::Day,
            usage_log::Column::UserId,
            usage_log::Column::AssistantId,
        ])
        .column_as(sum(usage_log::Column::CostUsd), "cost")
        .column_as(sum(usage_log::Column::TotalTokens), "tokens")
        .group_by(usage_log::Column::Day)
        .group_by(usage_log::Column::UserId)
        .group_by(usage_log::Column::AssistantId)
        .into_model()
        .all(db)
        .await?;
    let mut sums = HashMap::new();
    for row in rows {
        let day = row.day;
        let month = day.get(..7).unwrap_or(&day).to_owned();
        let whose = [
            Some(used_by(&Scope::Global)),
            row.user_id.map(|_| PEOPLE.to_owned()),
            row.user_id.map(|id| used_by(&Scope::User(id.into()))),
            row.assistant_id.map(|id| used_by(&Scope::Assistant(id.into()))),
        ];
        for whose in whose.into_iter().flatten() {
            for window in [&day, &month] {
                add(&mut sums, format!("{whose} {window}"), (row.cost, row.tokens));
            }
        }
    }
    Ok(sums)
}

fn used_by(scope: &Scope) -> String {
    match scope {
        Scope::Role(_) => PEOPLE.to_owned(),
        scope => format!("{}:{}", scope.kind(), scope.id().unwrap_or_default()),
    }
}

fn window_text(window: Window, start: Time) -> String {
    let form = if window == Window::Month { "%Y-%m" } else { "%Y-%m-%d" };
    start.format(form).to_string()
}

/// What is set aside in each counter by the calls in progress, and which of these calls nobody will settle.
async fn held(db: &DatabaseTransaction, now: Time) -> Result<(HashMap<Place, Amount>, Vec<String>), Fault> {
    let streaming: Vec<Uuid> = message::Entity::find()
        .select_only()
        .column(message::Column::Id)
        .filter(message::Column::Status.eq(STREAMING))
        .into_tuple()
        .all(db)
        .await?;
    let streaming: HashSet<Uuid> = streaming.into_iter().collect();
    let (mut sums, mut faults) = (HashMap::new(), Vec::new());
    for hold in quota_hold::Entity::find().all(db).await? {
        let is_answer = hold.message_id.is_some_and(|id| streaming.contains(&id));
        if !is_answer && hold.expires_at < now - GRACE {
            faults.push(format!("the call {} ({}) was never settled", hold.id, hold.purpose));
        }
        let quotas: Vec<Uuid> =
            serde_json::from_value(hold.quotas).map_err(|_| Fault::corrupt("quota_holds", "quotas", hold.id))?;
        for quota in quotas {
            for window in long_windows() {
                let place = (quota, window.as_str(), window.start(hold.reserved_at));
                let sum: &mut Amount = sums.entry(place).or_default();
                sum.0 += hold.cost;
                sum.1 += hold.prompt_tokens + hold.completion_tokens;
            }
        }
    }
    Ok((sums, faults))
}

pub(super) async fn check(db: &DatabaseTransaction, now: Time) -> Result<Findings, Fault> {
    let (mut held, faults) = held(db, now).await?;
    let used = used(db).await?;
    let mut counters: HashMap<Place, quota_counter::Model> = HashMap::new();
    let rows = quota_counter::Entity::find()
        .filter(quota_counter::Column::Window.is_in(long_windows().map(Window::as_str)))
        .all(db)
        .await?;
    for row in rows {
        let window = long_windows()
            .into_iter()
            .find(|window| window.as_str() == row.window)
            .ok_or_else(|| Fault::corrupt("quota_counters", "window", row.quota_id))?;
        counters.insert((row.quota_id, window.as_str(), row.starts_at), row);
    }
    let mut found = Findings { looked_at: 0, faults };
    for quota in usage_quota::Entity::find().all(db).await? {
        let scope = scope_of(&quota)?;
        for window in long_windows() {
            // Windows from before the quota hold only what ended after it was made.
            let first = window.start(quota.created_at);
            let mut starts: BTreeSet<Time> = counters
                .keys()
                .chain(held.keys())
                .filter(|(id, name, start)| *id == quota.id && *name == window.as_str() && *start >= first)
                .map(|(_, _, start)| *start)
                .collect();
            starts.insert(window.start(now));
            for start in starts {
                found.looked_at += 1;
                let place = (quota.id, window.as_str(), start);
                let counter = counters.get(&place);
                let has = counter.map_or((0, 0), |row| (row.cost, row.tokens));
                let key = format!("{} {}", used_by(&scope), window_text(window, start));
                let logged = used.get(&key).copied().unwrap_or_default();
                let is_right = match scope {
                    Scope::Role(_) => has.0 <= logged.0 && has.1 <= logged.1,
                    _ => has == logged,
                };
                let reserved = counter.map_or((0, 0), |row| (row.held_cost, row.held_tokens));
                let expected = held.remove(&place).unwrap_or_default();
                let name = format!(
                    "the {} of {} of the quota {}",
                    window.as_str(),
                    start.date_naive(),
                    quota.id
                );
                if !is_right {
                    found.faults.push(format!(
                        "{name} counts {} micro-dollars and {} tokens, and the usage log {} and {}",
                        has.0, has.1, logged.0, logged.1
                    ));
                }
                if reserved != expected {
                    found.faults.push(format!(
                        "{name} has {} micro-dollars and {} tokens set aside, and calls in progress need {} and {}",
                        reserved.0, reserved.1, expected.0, expected.1
                    ));
                }
            }
        }
    }
    Ok(found)
}
