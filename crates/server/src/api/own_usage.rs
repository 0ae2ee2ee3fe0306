//! A person's own figures: what they used, what binds them, what is left.

use across::{
    governance::{
        quota::Quota,
        usage::{Filter, GroupBy, Total},
        window::Window,
    },
    money::MicroUsd,
};
use axum::{Json, extract::State};
use chrono::{NaiveDate, TimeDelta};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::{stamp, words::QuotaScope},
    auth::Principal,
    error::{ApiError, ErrorBody},
    input::Params,
    state::AppState,
};

/// What was used in some time.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct UsageFigures {
    /// Calls that a person asked for.
    requests: u64,
    tokens: u64,
    /// Dollars.
    cost_usd: f64,
}

impl From<&Total> for UsageFigures {
    fn from(total: &Total) -> Self {
        Self {
            requests: total.requests,
            tokens: total.tokens(),
            cost_usd: total.cost.dollars(),
        }
    }
}

/// What was used on a day.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsageDay {
    /// Of UTC.
    #[schema(format = Date)]
    date: String,
    requests: u64,
    tokens: u64,
    /// Dollars.
    cost_usd: f64,
}

/// The limits that bind a person most; null does not limit.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct UsageLimits {
    /// Dollars.
    #[schema(required)]
    daily_cost_limit: Option<f64>,
    /// Dollars.
    #[schema(required)]
    monthly_cost_limit: Option<f64>,
    #[schema(required)]
    daily_token_limit: Option<u64>,
    #[schema(required)]
    monthly_token_limit: Option<u64>,
    #[schema(required)]
    requests_per_min: Option<u32>,
    #[schema(required)]
    requests_per_hour: Option<u32>,
}

/// What is left of them, calls in progress taken off.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct UsageRemaining {
    /// Dollars.
    #[schema(required)]
    daily_cost_limit: Option<f64>,
    /// Dollars.
    #[schema(required)]
    monthly_cost_limit: Option<f64>,
    #[schema(required)]
    daily_token_limit: Option<u64>,
    #[schema(required)]
    monthly_token_limit: Option<u64>,
}

/// Whose quota sets each of them.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct UsageScopes {
    #[schema(required)]
    daily_cost_limit: Option<QuotaScope>,
    #[schema(required)]
    monthly_cost_limit: Option<QuotaScope>,
    #[schema(required)]
    daily_token_limit: Option<QuotaScope>,
    #[schema(required)]
    monthly_token_limit: Option<QuotaScope>,
    #[schema(required)]
    requests_per_min: Option<QuotaScope>,
    #[schema(required)]
    requests_per_hour: Option<QuotaScope>,
}

/// When the present day and month of the limits end.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsageResets {
    day: String,
    month: String,
}

/// A person's own figures.
#[derive(Serialize, ToSchema)]
pub(crate) struct OwnUsage {
    today: UsageFigures,
    month: UsageFigures,
    limits: UsageLimits,
    remaining: UsageRemaining,
    scopes: UsageScopes,
    resets: UsageResets,
    /// Every day asked for, oldest first.
    by_day: Vec<UsageDay>,
}

/// How far back.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct OwnQuery {
    /// Days in `by_day`, today included; 30 unless said otherwise.
    #[param(minimum = 1, maximum = 90)]
    days: Option<i64>,
}

/// One's own usage, and the limits that bind.
#[utoipa::path(get, path = "/users/usage", operation_id = "get_own_usage", tag = "usage",
    security(("bearer" = [])), params(OwnQuery), responses(
    (status = 200, body = OwnUsage), (status = 401, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn own(
    State(state): State<AppState>,
    principal: Principal,
    Params(query): Params<OwnQuery>,
) -> Result<Json<OwnUsage>, ApiError> {
    let days = query.days.unwrap_or(30);
    if !(1..=90).contains(&days) {
        return Err(ApiError::field("days", "This is a whole number from 1 to 90."));
    }
    let (actor, store) = (principal.actor, &state.platform.store);
    let now = state.platform.clock.now();
    let (day, month) = (Window::Day.start(now), Window::Month.start(now));
    let since = |from| Filter {
        from: Some(from),
        user: Some(actor.user),
        ..Filter::default()
    };
    let first = day - TimeDelta::days(days - 1);
    let month_total = store.total_usage(&since(month)).await?;
    let groups = store.sum_usage(&since(first), GroupBy::Day, false).await?;
    let quotas = store.quotas_over(actor.user, actor.role, now).await?;
    let of_day = |day: NaiveDate| {
        let key = day.to_string();
        let total = groups.iter().find(|group| group.key == key).map(|group| &group.total);
        UsageFigures::from(total.unwrap_or(&Total::default()))
    };
    let by_day = first.date_naive().iter_days().take(usize::try_from(days).unwrap_or(1));
    let (limits, remaining, scopes) = binding(&quotas);
    Ok(Json(OwnUsage {
        today: of_day(day.date_naive()),
        month: UsageFigures::from(&month_total),
        limits,
        remaining,
        scopes,
        resets: UsageResets {
            day: stamp(Window::Day.end(now)),
            month: stamp(Window::Month.end(now)),
        },
        by_day: by_day
            .map(|day| {
                let UsageFigures {
                    requests,
                    tokens,
                    cost_usd,
                } = of_day(day);
                UsageDay {
                    date: day.to_string(),
                    requests,
                    tokens,
                    cost_usd,
                }
            })
            .collect(),
    }))
}

/// Of each limit the one with least left: the limit, what is left of it, and whose quota sets it.
fn binding(quotas: &[Quota]) -> (UsageLimits, UsageRemaining, UsageScopes) {
    fn tightest<T: Copy, L: Copy + Ord>(
        quotas: &[Quota],
        limit: impl Fn(&Quota) -> Option<(T, L)>,
    ) -> (Option<T>, Option<L>, Option<QuotaScope>) {
        let stated = quotas.iter().filter_map(|quota| {
            let (limit, left) = limit(quota)?;
            Some((limit, left, QuotaScope::from(quota.scope)))
        });
        let least = stated.min_by_key(|(_, left, _)| *left);
        (
            least.map(|(limit, ..)| limit),
            least.map(|(_, left, _)| left),
            least.map(|(.., scope)| scope),
        )
    }
    let money = |limit: Option<MicroUsd>, spent: MicroUsd, held: MicroUsd| {
        limit.map(|limit| (limit.dollars(), MicroUsd((limit.0 - spent.0 - held.0).max(0))))
    };
    let tokens = |limit: Option<u64>, spent: u64, held: u64| {
        limit.map(|limit| (limit, limit.saturating_sub(spent.saturating_add(held))))
    };
    let daily_cost = tightest(quotas, |quota| {
        money(
            quota.limits.daily_cost,
            quota.current.daily_cost,
            quota.current.reserved_cost,
        )
    });
    let monthly_cost = tightest(quotas, |quota| {
        money(
            quota.limits.monthly_cost,
            quota.current.monthly_cost,
            quota.current.reserved_cost,
        )
    });
    let daily_tokens = tightest(quotas, |quota| {
        tokens(
            quota.limits.daily_tokens,
            quota.current.daily_tokens,
            quota.current.reserved_tokens,
        )
    });
    let monthly_tokens = tightest(quotas, |quota| {
        tokens(
            quota.limits.monthly_tokens,
            quota.current.monthly_tokens,
            quota.current.reserved_tokens,
        )
    });
    let per_min = tightest(quotas, |quota| {
        quota.limits.requests_per_min.map(|limit| (limit, limit))
    });
    let per_hour = tightest(quotas, |quota| {
        quota.limits.requests_per_hour.map(|limit| (limit, limit))
    });
    let limits = UsageLimits {
        daily_cost_limit: daily_cost.0,
        monthly_cost_limit: monthly_cost.0,
        daily_token_limit: daily_tokens.0,
        monthly_token_limit: monthly_tokens.0,
        requests_per_min: per_min.0,
        requests_per_hour: per_hour.0,
    };
    let remaining = UsageRemaining {
        daily_cost_limit: daily_cost.1.map(MicroUsd::dollars),
        monthly_cost_limit: monthly_cost.1.map(MicroUsd::dollars),
        daily_token_limit: daily_tokens.1,
        monthly_token_limit: monthly_tokens.1,
    };
    let scopes = UsageScopes {
        daily_cost_limit: daily_cost.2,
        monthly_cost_limit: monthly_cost.2,
        daily_token_limit: daily_tokens.2,
        monthly_token_limit: monthly_tokens.2,
        requests_per_min: per_min.2,
        requests_per_hour: per_hour.2,
    };
    (limits, remaining, scopes)
}

#[cfg(test)]
mod tests {
    use across::{
        actor::Role,
        governance::quota::{Current, Limits, Scope},
        id::QuotaId,
    };

    use super::*;

    fn quota(scope: Scope, daily: Option<i64>, spent: i64, held: i64) -> Quota {
        let at = "2026-11-23T12:00:00Z".parse().unwrap();
        Quota {
            id: QuotaId::new(),
            scope,
            scope_name: None,
            limits: Limits {
                daily_cost: daily.map(MicroUsd),
                ..Limits::default()
            },
            current: Current {
                daily_cost: MicroUsd(spent),
                reserved_cost: MicroUsd(held),
                ..Current::default()
            },
            version: 1,
            created_at: at,
            updated_at: at,
        }
    }

    #[test]
    fn the_limit_with_least_left_is_the_one_that_binds() {
        let quotas = [
            quota(Scope::Global, Some(9_000_000), 8_500_000, 0),
            quota(Scope::Role(Role::User), Some(2_000_000), 500_000, 1_200_000),
            quota(Scope::Role(Role::Admin), None, 0, 0),
        ];
        let (limits, remaining, scopes) = binding(&quotas);
        assert_eq!(limits.daily_cost_limit, Some(2.0));
        assert_eq!(remaining.daily_cost_limit, Some(0.3));
        assert_eq!(scopes.daily_cost_limit, Some(QuotaScope::Role));
        assert_eq!((limits.monthly_cost_limit, scopes.requests_per_min), (None, None));
    }
}
