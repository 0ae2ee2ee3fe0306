//! Quotas: who may spend how much in a day and a month, and ask how often in a minute and an hour.
//!
//! All quotas that match a call apply together. Each quota has one counter per window; a call is admitted only if its worst
//! case fits into all of them. Days and months are those of UTC. Minutes and hours slide: the window before counts with the
//! share of it that the last sixty seconds (or minutes) still reach.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::{
    actor::Role,
    audit::{Audited, Deed},
    clock::Time,
    fault::StoreError,
    governance::{meter::Reservation, window::Window},
    id::{AssistantId, QuotaId, UserId},
    money::MicroUsd,
    page::{Page, PageRequest},
};

/// Dollars of a limit at most.
pub const MAX_COST: f64 = 1e6;
/// Tokens of a limit at most.
pub const MAX_TOKENS: u64 = 1_000_000_000_000;
/// Requests of a limit at most.
pub const MAX_RATE: u32 = 100_000;
/// Percent of a limit at which somebody is told, unless said otherwise.
pub const DEFAULT_THRESHOLD: u8 = 80;

/// Whose calls a quota counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everybody's.
    Global,
    /// Those of all people in a role, together.
    Role(Role),
    /// One person's.
    User(UserId),
    /// Those of one assistant.
    Assistant(AssistantId),
}

impl Scope {
    /// The name in columns and on the wire.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Role(_) => "role",
            Self::User(_) => "user",
            Self::Assistant(_) => "assistant",
        }
    }

    /// The role's name or the id; none for everybody.
    #[must_use]
    pub fn id(self) -> Option<String> {
        match self {
            Self::Global => None,
            Self::Role(role) => Some(role.as_str().to_owned()),
            Self::User(id) => Some(id.to_string()),
            Self::Assistant(id) => Some(id.to_string()),
        }
    }

    /// The scope of that name and id.
    #[must_use]
    pub fn parse(kind: &str, id: Option<&str>) -> Option<Self> {
        match (kind, id) {
            ("global", None) => Some(Self::Global),
            ("role", Some(role)) => Role::parse(role).map(Self::Role),
            ("user", Some(id)) => id.parse().ok().map(Self::User),
            ("assistant", Some(id)) => id.parse().ok().map(Self::Assistant),
            _ => None,
        }
    }
}

/// What a quota allows; `None` means without limit, zero means nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Cost of a day.
    pub daily_cost: Option<MicroUsd>,
    /// Cost of a month.
    pub monthly_cost: Option<MicroUsd>,
    /// Tokens of a day.
    pub daily_tokens: Option<u64>,
    /// Tokens of a month.
    pub monthly_tokens: Option<u64>,
    /// Requests of any sixty seconds.
    pub requests_per_min: Option<u32>,
    /// Requests of any sixty minutes.
    pub requests_per_hour: Option<u32>,
    /// Percent of a day's or month's limit at which somebody is told, 1–100.
    pub alert_threshold: u8,
}

/// What a quota's windows hold now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Current {
    /// Cost of today.
    pub daily_cost: MicroUsd,
    /// Cost of this month.
    pub monthly_cost: MicroUsd,
    /// Tokens of today.
    pub daily_tokens: u64,
    /// Tokens of this month.
    pub monthly_tokens: u64,
    /// Cost set aside for calls in progress, of today.
    pub reserved_cost: MicroUsd,
    /// Tokens set aside for calls in progress, of today.
    pub reserved_tokens: u64,
}

/// A quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// Which.
    pub id: QuotaId,
    /// Whose calls it counts.
    pub scope: Scope,
    /// What people call the one it counts, while it exists.
    pub scope_name: Option<String>,
    /// What it allows.
    pub limits: Limits,
    /// Where it stands.
    pub current: Current,
    /// Grows with every change; the HTTP layer's `ETag`.
    pub version: i64,
    /// When it was made.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

impl Audited for Quota {
    fn audit_id(&self) -> String {
        self.id.to_string()
    }

    fn audit_values(&self) -> Map<String, Value> {
        let limits = &self.limits;
        let values = json!({
            "scope": self.scope.kind(),
            "scope_id": self.scope.id(),
            "daily_cost_limit": limits.daily_cost.map(MicroUsd::dollars),
            "monthly_cost_limit": limits.monthly_cost.map(MicroUsd::dollars),
            "daily_token_limit": limits.daily_tokens,
            "monthly_token_limit": limits.monthly_tokens,
            "requests_per_min": limits.requests_per_min,
            "requests_per_hour": limits.requests_per_hour,
            "alert_threshold": limits.alert_threshold,
        });
        values.as_object().cloned().unwrap_or_default()
    }
}

/// Which of a quota's limits is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Cost of a day.
    DailyCost,
    /// Cost of a month.
    MonthlyCost,
    /// Tokens of a day.
    DailyTokens,
    /// Tokens of a month.
    MonthlyTokens,
    /// Requests of any sixty seconds.
    RequestsPerMin,
    /// Requests of any sixty minutes.
    RequestsPerHour,
}

impl Limit {
    /// The field's name in the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DailyCost => "daily_cost_limit",
            Self::MonthlyCost => "monthly_cost_limit",
            Self::DailyTokens => "daily_token_limit",
            Self::MonthlyTokens => "monthly_token_limit",
            Self::RequestsPerMin => "requests_per_min",
            Self::RequestsPerHour => "requests_per_hour",
        }
    }

    /// The window it is about.
    #[must_use]
    pub const fn window(self) -> Window {
        match self {
            Self::RequestsPerMin => Window::Minute,
            Self::RequestsPerHour => Window::Hour,
            Self::DailyCost | Self::DailyTokens => Window::Day,
            Self::MonthlyCost | Self::MonthlyTokens => Window::Month,
        }
    }
}

/// What one quota's counter of one window must have room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The quota.
    pub quota: QuotaId,
    /// The window.
    pub window: Window,
    /// When it began.
    pub starts_at: Time,
    /// Cost to set aside.
    pub cost: MicroUsd,
    /// Tokens to set aside.
    pub tokens: u64,
    /// Requests to count.
    pub requests: u32,
    /// Cost that the counter may hold, set aside or spent.
    pub cost_ceiling: Option<MicroUsd>,
    /// Tokens that the counter may hold.
    pub tokens_ceiling: Option<u64>,
    /// Requests that may fall into the sliding window.
    pub requests_ceiling: Option<u32>,
}

/// The counters that a call must fit into, in the order in which they are to be taken: two calls that take several never
/// wait for each other in a circle. Days and months are counted whether or not they have a limit, so that a quota always
/// knows where it stands; minutes and hours only where they are limited.
#[must_use]
pub fn claims(quotas: &[(QuotaId, Limits)], call: &Reservation) -> Vec<Claim> {
    let mut quotas: Vec<_> = quotas.iter().collect();
    quotas.sort_by_key(|(id, _)| *id);
    let requests = u32::from(call.purpose.is_request());
    let claim = |quota: QuotaId, limits: &Limits, window: Window| {
        let (cost_ceiling, tokens_ceiling, requests_ceiling) = match window {
            Window::Minute => (None, None, limits.requests_per_min),
            Window::Hour => (None, None, limits.requests_per_hour),
            Window::Day => (limits.daily_cost, limits.daily_tokens, None),
            Window::Month => (limits.monthly_cost, limits.monthly_tokens, None),
        };
        let counts_spending = matches!(window, Window::Day | Window::Month);
        let wanted = counts_spending || (requests > 0 && requests_ceiling.is_some());
        wanted.then(|| Claim {
            quota,
            window,
            starts_at: window.start(call.at),
            cost: if counts_spending { call.cost } else { MicroUsd::ZERO },
            tokens: if counts_spending { call.tokens() } else { 0 },
            requests,
            cost_ceiling,
            tokens_ceiling,
            requests_ceiling,
        })
    };
    quotas
        .into_iter()
        .flat_map(|(id, limits)| {
            Window::ALL
                .into_iter()
                .filter_map(move |window| claim(*id, limits, window))
        })
        .collect()
}

/// What a counter holds: spent or set aside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Cost.
    pub cost: MicroUsd,
    /// Tokens.
    pub tokens: u64,
    /// Requests of this window.
    pub requests: u32,
    /// Requests of the window before, for sliding ones.
    pub requests_before: u32,
}

impl Claim {
    /// The first limit that leaves no room for this claim beside what the counter holds, with the limit and what is used of
    /// it in the contract's units (dollars, tokens, requests). Zero allows nothing, not even what costs nothing.
    #[must_use]
    pub fn refused_by(&self, held: Held, at: Time) -> Option<(Limit, f64, f64)> {
        let is_day = self.window == Window::Day;
        if let Some(ceiling) = self.cost_ceiling
            && (ceiling == MicroUsd::ZERO || held.cost + self.cost > ceiling)
        {
            let limit = if is_day { Limit::DailyCost } else { Limit::MonthlyCost };
            return Some((limit, ceiling.dollars(), held.cost.dollars()));
        }
        if let Some(ceiling) = self.tokens_ceiling
            && (ceiling == 0 || held.tokens.saturating_add(self.tokens) > ceiling)
        {
            let limit = if is_day {
                Limit::DailyTokens
            } else {
                Limit::MonthlyTokens
            };
            return Some((limit, ceiling as f64, held.tokens as f64));
        }
        if let Some(ceiling) = self.requests_ceiling {
            let used = self.sliding(held, at);
            if used + f64::from(self.requests) > f64::from(ceiling) {
                let limit = if self.window == Window::Minute {
                    Limit::RequestsPerMin
                } else {
                    Limit::RequestsPerHour
                };
                return Some((limit, f64::from(ceiling), used));
            }
        }
        None
    }

    /// Requests in the stretch of the window's length that ends at `at`, as two neighbouring counters tell it.
    fn sliding(&self, held: Held, at: Time) -> f64 {
        let length = (self.window.end(at) - self.starts_at).num_milliseconds().max(1) as f64;
        let passed = (at - self.starts_at).num_milliseconds() as f64;
        let reach = (1.0 - passed / length).clamp(0.0, 1.0);
        f64::from(held.requests) + f64::from(held.requests_before) * reach
    }
}

/// Why a call was not admitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// Whose quota.
    pub scope: Scope,
    /// Which of its limits.
    pub limit: Limit,
    /// The limit, in dollars, tokens or requests.
    pub amount: f64,
    /// What is used or set aside of it.
    pub used: f64,
    /// When the window ends.
    pub resets_at: Time,
}

/// What an administrator may ask of the list of quotas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this kind of scope.
    pub scope: Option<String>,
    /// Of this one.
    pub scope_id: Option<String>,
}

/// What became of making a quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// It exists; its windows hold what was used before it did.
    Yes(Box<Quota>),
    /// That scope has one already.
    Exists,
    /// There is no such person or assistant.
    NoSuchScope,
}

/// What became of a change to one quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// It happened.
    Done(Box<Quota>),
    /// There is no such quota.
    Missing,
    /// Somebody else changed it since `expected`; carries the present version.
    Stale(i64),
}

/// Remembers quotas. Their counters are the meter's.
#[async_trait]
pub trait QuotaStore: Send + Sync {
    /// Makes a quota.
    async fn create_quota(&self, id: QuotaId, scope: Scope, limits: Limits, deed: Deed) -> Result<Created, StoreError>;

    /// Newest first, each with where it stands at `now`.
    async fn list_quotas(&self, filter: &Filter, page: PageRequest, now: Time) -> Result<Page<Quota>, StoreError>;

    /// One quota.
    async fn find_quota(&self, id: QuotaId, now: Time) -> Result<Option<Quota>, StoreError>;

    /// The quotas that count this person's calls: everybody's, the role's, their own.
    async fn quotas_over(&self, user: UserId, role: Role, now: Time) -> Result<Vec<Quota>, StoreError>;

    /// Replaces its limits, if its version is `expected` or nothing is expected.
    async fn update_quota(
        &self,
        id: QuotaId,
        limits: Limits,
        expected: Option<i64>,
        deed: Deed,
    ) -> Result<Changed, StoreError>;

    /// Removes it with its counters; [`Changed::Done`] carries it as it was.
    async fn delete_quota(&self, id: QuotaId, expected: Option<i64>, deed: Deed) -> Result<Changed, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::governance::{meter::Payer, usage::Purpose};

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn call(at: Time, cost: i64) -> Reservation {
        Reservation {
            cost: MicroUsd(cost),
            prompt_tokens: 10,
            completion_tokens: 20,
            ..Reservation::new(Payer::default(), Purpose::Chat, "openai", "m", at)
        }
    }

    fn limits() -> Limits {
        Limits {
            alert_threshold: DEFAULT_THRESHOLD,
            ..Limits::default()
        }
    }

    #[test]
    fn a_call_claims_every_window_of_every_quota_in_one_order() {
        let (first, second) = (QuotaId::new(), QuotaId::new());
        let rated = Limits {
            requests_per_min: Some(3),
            ..limits()
        };
        let now = at("2026-01-31T23:59:59Z");
        let made = claims(&[(second, rated), (first, limits())], &call(now, 7));
        let order: Vec<_> = made.iter().map(|claim| (claim.quota, claim.window)).collect();
        let mut expected = vec![
            (first, Window::Day),
            (first, Window::Month),
            (second, Window::Minute),
            (second, Window::Day),
            (second, Window::Month),
        ];
        expected.sort();
        assert_eq!(order, expected);
        assert!(made.iter().all(|claim| claim.requests == 1));
    }

    #[test]
    fn the_worst_case_must_fit_and_zero_allows_nothing() {
        let now = at("2026-11-23T12:00:00Z");
        let day = |cost: Option<i64>, held: i64, wanted: i64| {
            let quota = Limits {
                daily_cost: cost.map(MicroUsd),
                ..limits()
            };
            let made = claims(&[(QuotaId::new(), quota)], &call(now, wanted));
            let held = Held {
                cost: MicroUsd(held),
                ..Held::default()
            };
            made[0].refused_by(held, now).map(|(limit, ..)| limit)
        };
        assert_eq!(day(None, 1_000, 1_000), None);
        assert_eq!(day(Some(10), 4, 6), None);
        assert_eq!(day(Some(10), 5, 6), Some(Limit::DailyCost));
        assert_eq!(day(Some(0), 0, 0), Some(Limit::DailyCost), "even what is free");
    }

    #[test]
    fn rates_slide() {
        let quota = Limits {
            requests_per_min: Some(10),
            ..limits()
        };
        let refused = |second: u32, before: u32, now: u32| {
            let time = at(&format!("2026-11-23T12:00:{second:02}Z"));
            let claim = claims(&[(QuotaId::new(), quota)], &call(time, 0))[0];
            let held = Held {
                requests: now,
                requests_before: before,
                ..Held::default()
            };
            claim.refused_by(held, time).is_some()
        };
        assert!(refused(0, 10, 0), "a new minute does not open the door at once");
        assert!(!refused(30, 10, 4));
        assert!(refused(30, 10, 5));
        assert!(!refused(59, 10, 8));
        assert!(refused(59, 0, 10));
    }
}
