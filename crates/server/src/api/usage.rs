//! What was used: the log of calls, and sums over it.

use across::{
    clock::Time,
    governance::usage::{Filter, Group, GroupBy},
    id::UsageId,
};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::usage_row::{self, RowJson},
    csv,
    error::{ApiError, ErrorBody},
    input::{Params, id_field, moment, page},
    state::AppState,
};

/// The longest stretch of time that is looked at.
const LONGEST: TimeDelta = TimeDelta::days(366);
/// Rows read at a time for an export.
const EXPORT_PAGE: u64 = 500;

/// A page of calls.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsageList {
    usage: Vec<RowJson>,
    total: u64,
}

/// Which calls: at most 366 days of them, the last ones unless said otherwise.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// From this moment, or this day of UTC, on.
    from: Option<String>,
    /// Before this moment, or up to the end of this day of UTC.
    to: Option<String>,
    #[param(format = Uuid)]
    user_id: Option<String>,
    #[param(format = Uuid)]
    assistant_id: Option<String>,
    #[param(max_length = 200)]
    model: Option<String>,
    /// `csv` exports everything that the filter finds.
    #[param(inline)]
    format: Option<csv::Format>,
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    #[param(minimum = 0, maximum = 100_000)]
    offset: Option<i64>,
}

fn filter(
    now: Time,
    from: Option<&str>,
    to: Option<&str>,
    user: Option<&str>,
    assistant: Option<&str>,
    model: Option<String>,
) -> Result<Filter, ApiError> {
    let (from, to) = (moment("from", from, false)?, moment("to", to, true)?);
    let end = to.unwrap_or_else(|| from.map_or(now, |from| from.max(now)));
    let begin = from.unwrap_or(end - LONGEST);
    if begin > end {
        return Err(ApiError::field("from", "The stretch of time ends before it begins."));
    }
    if end - begin > LONGEST {
        return Err(ApiError::field("from", "Ask for at most 366 days at a time."));
    }
    if model
        .as_ref()
        .is_some_and(|model| model.chars().count() > 200 || model.contains('\0'))
    {
        return Err(ApiError::field("model", "This is not a model's id."));
    }
    Ok(Filter {
        from: Some(begin),
        to,
        user: user.map(|id| id_field("user_id", id)).transpose()?,
        assistant: assistant.map(|id| id_field("assistant_id", id)).transpose()?,
        model,
    })
}

/// Newest first.
#[utoipa::path(get, path = "/usage", operation_id = "list_usage", tag = "usage",
    security(("bearer" = [])), params(ListQuery), responses(
    (status = 200, content((UsageList = "application/json"), (String = "text/csv"))),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn list(
    State(state): State<AppState>,
    Params(query): Params<ListQuery>,
) -> Result<Response, ApiError> {
    let filter = filter(
        state.platform.clock.now(),
        query.from.as_deref(),
        query.to.as_deref(),
        query.user_id.as_deref(),
        query.assistant_id.as_deref(),
        query.model,
    )?;
    let page = page(query.limit, query.offset, 20, 100)?;
    if query.format == Some(csv::Format::Csv) {
        return Ok(export(state, filter));
    }
    let found = state.platform.store.list_usage(&filter, page).await?;
    let list = UsageList {
        usage: found.items.into_iter().map(Into::into).collect(),
        total: found.total,
    };
    Ok(Json(list).into_response())
}

/// All calls that the filter finds as CSV, read page by page while they are sent.
fn export(state: AppState, filter: Filter) -> Response {
    let pages = move |after: Option<(Time, UsageId)>| {
        let (state, filter) = (state.clone(), filter.clone());
        async move {
            let rows = state.platform.store.next_usage(&filter, after, EXPORT_PAGE).await?;
            let next = rows.last().map(|row| (row.created_at, row.id));
            Ok((rows.into_iter().map(usage_row::cells).collect(), next))
        }
    };
    csv::export("usage.csv", &usage_row::HEADER, pages)
}

/// What calls are summed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UsageGrouping {
    /// The day in UTC.
    Day,
    /// Who caused them.
    User,
    /// The assistant.
    Assistant,
    /// The model.
    Model,
}

impl From<UsageGrouping> for GroupBy {
    fn from(by: UsageGrouping) -> Self {
        match by {
            UsageGrouping::Day => Self::Day,
            UsageGrouping::User => Self::User,
            UsageGrouping::Assistant => Self::Assistant,
            UsageGrouping::Model => Self::Model,
        }
    }
}

/// What sums are split by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UsageSplit {
    /// The model.
    Model,
}

/// The sum of one group.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsageGroup {
    /// The day, id or model; null for calls without one.
    #[schema(required)]
    key: Option<String>,
    /// What people call it, where that is not the key itself and it still exists.
    #[schema(required)]
    label: Option<String>,
    /// The model, when sums are split by it.
    #[schema(required)]
    split: Option<String>,
    /// Calls that a person asked for.
    requests: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    /// Dollars.
    cost_usd: f64,
}

impl From<Group> for UsageGroup {
    fn from(group: Group) -> Self {
        Self {
            requests: group.total.requests,
            prompt_tokens: group.total.prompt_tokens,
            completion_tokens: group.total.completion_tokens,
            total_tokens: group.total.tokens(),
            cost_usd: group.total.cost.dollars(),
            key: Some(group.key).filter(|key| !key.is_empty()),
            label: group.label,
            split: group.split,
        }
    }
}

/// Sums.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsageSummary {
    /// Dearest first; days in their order.
    groups: Vec<UsageGroup>,
    total: usize,
}

/// Which calls, and by what they are summed.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SummaryQuery {
    /// From this moment, or this day of UTC, on.
    from: Option<String>,
    /// Before this moment, or up to the end of this day of UTC.
    to: Option<String>,
    #[param(format = Uuid)]
    user_id: Option<String>,
    #[param(format = Uuid)]
    assistant_id: Option<String>,
    #[param(max_length = 200)]
    model: Option<String>,
    #[param(inline)]
    group_by: UsageGrouping,
    /// Splits every sum.
    #[param(inline)]
    split_by: Option<UsageSplit>,
    /// `csv` exports the sums.
    #[param(inline)]
    format: Option<csv::Format>,
}

/// Sums of calls by day, person, assistant or model.
#[utoipa::path(get, path = "/usage/summary", operation_id = "summarize_usage", tag = "usage",
    security(("bearer" = [])), params(SummaryQuery), responses(
    (status = 200, content((UsageSummary = "application/json"), (String = "text/csv"))),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn summary(
    State(state): State<AppState>,
    Params(query): Params<SummaryQuery>,
) -> Result<Response, ApiError> {
    const HEADER: [&str; 8] = [
        "key",
        "label",
        "split",
        "requests",
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "cost_usd",
    ];
    let filter = filter(
        state.platform.clock.now(),
        query.from.as_deref(),
        query.to.as_deref(),
        query.user_id.as_deref(),
        query.assistant_id.as_deref(),
        query.model,
    )?;
    let found = state
        .platform
        .store
        .sum_usage(&filter, query.group_by.into(), query.split_by.is_some())
        .await?;
    let groups: Vec<UsageGroup> = found.into_iter().map(Into::into).collect();
    if query.format == Some(csv::Format::Csv) {
        let row = |group: UsageGroup| {
            vec![
                group.key.unwrap_or_default(),
                group.label.unwrap_or_default(),
                group.split.unwrap_or_default(),
                group.requests.to_string(),
                group.prompt_tokens.to_string(),
                group.completion_tokens.to_string(),
                group.total_tokens.to_string(),
                group.cost_usd.to_string(),
            ]
        };
        return Ok(csv::whole("usage-summary.csv", &HEADER, groups.into_iter().map(row)));
    }
    let summary = UsageSummary {
        total: groups.len(),
        groups,
    };
    Ok(Json(summary).into_response())
}

/// The month's heaviest by `by`, at most ten; calls of nobody and nothing are not among them.
pub(crate) async fn heaviest(state: &AppState, since: Time, by: GroupBy) -> Result<Vec<UsageGroup>, ApiError> {
    let filter = Filter {
        from: Some(since),
        ..Filter::default()
    };
    let groups = state.platform.store.sum_usage(&filter, by, false).await?;
    let named = groups.into_iter().filter(|group| !group.key.is_empty());
    Ok(named.take(10).map(Into::into).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_of_time_has_at_most_a_year() {
        let now = "2026-11-23T12:00:00Z".parse().unwrap();
        let of = |from, to| filter(now, from, to, None, None, None);
        assert!(of(None, None).is_ok());
        assert!(of(Some("2026-01-01"), Some("2026-12-31")).is_ok());
        assert!(of(Some("2025-01-01"), Some("2026-12-31")).is_err());
        assert!(of(Some("2026-12-31"), Some("2026-01-01")).is_err());
        assert!(of(Some("2020-01-01"), None).is_err());
        assert!(of(Some("yesterday"), None).is_err());
    }
}
