//! Quotas: who may spend how much, and where that stands.

use across::{
    audit::Action,
    governance::quota::{
        Changed, Created, DEFAULT_THRESHOLD, Filter, Limits, MAX_COST, MAX_RATE, MAX_TOKENS, Quota, Scope,
    },
    id::QuotaId,
    money::MicroUsd,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::{stamp, words::QuotaScope},
    auth::By,
    error::{ApiError, ErrorBody, Kind},
    etag,
    input::{Body, Ids, Params, page, present},
    state::AppState,
};

/// Where a quota stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct QuotaCurrent {
    /// Dollars of this day of UTC.
    daily_cost: f64,
    /// Dollars of this month of UTC.
    monthly_cost: f64,
    daily_tokens: u64,
    monthly_tokens: u64,
    /// Dollars set aside for calls in progress.
    reserved_cost: f64,
    /// Tokens set aside for calls in progress.
    reserved_tokens: u64,
}

/// A quota. A limit that is null does not limit; zero allows nothing.
#[derive(Serialize, ToSchema)]
#[schema(as = Quota)]
pub(crate) struct QuotaJson {
    #[schema(format = Uuid)]
    id: String,
    scope: QuotaScope,
    /// The role's name, or the id of the person or assistant; null for everybody.
    #[schema(required)]
    scope_id: Option<String>,
    /// What people call the one it counts, while it exists.
    #[schema(required)]
    scope_name: Option<String>,
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
    /// Percent of a day's or month's limit at which somebody is told.
    alert_threshold: u8,
    current: QuotaCurrent,
    version: i64,
    created_at: String,
    updated_at: String,
}

impl From<Quota> for QuotaJson {
    fn from(quota: Quota) -> Self {
        let (limits, current) = (quota.limits, quota.current);
        Self {
            id: quota.id.to_string(),
            scope: quota.scope.into(),
            scope_id: quota.scope.id(),
            scope_name: quota.scope_name,
            daily_cost_limit: limits.daily_cost.map(MicroUsd::dollars),
            monthly_cost_limit: limits.monthly_cost.map(MicroUsd::dollars),
            daily_token_limit: limits.daily_tokens,
            monthly_token_limit: limits.monthly_tokens,
            requests_per_min: limits.requests_per_min,
            requests_per_hour: limits.requests_per_hour,
            alert_threshold: limits.alert_threshold,
            current: QuotaCurrent {
                daily_cost: current.daily_cost.dollars(),
                monthly_cost: current.monthly_cost.dollars(),
                daily_tokens: current.daily_tokens,
                monthly_tokens: current.monthly_tokens,
                reserved_cost: current.reserved_cost.dollars(),
                reserved_tokens: current.reserved_tokens,
            },
            version: quota.version,
            created_at: stamp(quota.created_at),
            updated_at: stamp(quota.updated_at),
        }
    }
}

fn answer(quota: Quota) -> Response {
    etag::tag(quota.version, Json(QuotaJson::from(quota)))
}

/// A page of quotas.
#[derive(Serialize, ToSchema)]
pub(crate) struct QuotaList {
    quotas: Vec<QuotaJson>,
    total: u64,
}

/// Which quotas.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Of this kind.
    #[param(inline)]
    scope: Option<QuotaScope>,
    /// Of this role, person or assistant.
    #[param(max_length = 100)]
    scope_id: Option<String>,
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    #[param(minimum = 0, maximum = 100_000)]
    offset: Option<i64>,
}

/// Newest first.
#[utoipa::path(get, path = "/quotas", operation_id = "list_quotas", tag = "quotas",
    security(("bearer" = [])), params(ListQuery), responses(
    (status = 200, body = QuotaList), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn list(
    State(state): State<AppState>,
    Params(query): Params<ListQuery>,
) -> Result<Json<QuotaList>, ApiError> {
    if query
        .scope_id
        .as_ref()
        .is_some_and(|id| id.len() > 100 || id.contains('\0'))
    {
        return Err(ApiError::field("scope_id", "This is neither a role nor an id."));
    }
    let filter = Filter {
        scope: query.scope.map(|scope| scope.as_str().to_owned()),
        scope_id: query.scope_id,
    };
    let page = page(query.limit, query.offset, 20, 100)?;
    let platform = &state.platform;
    let found = platform.store.list_quotas(&filter, page, platform.clock.now()).await?;
    Ok(Json(QuotaList {
        quotas: found.items.into_iter().map(Into::into).collect(),
        total: found.total,
    }))
}

/// A new quota. A limit that is null or absent does not limit; zero allows nothing.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuotaCreate {
    scope: QuotaScope,
    /// The role's name, or the id of the person or assistant; absent for everybody.
    #[serde(default)]
    #[schema(max_length = 100)]
    scope_id: Option<String>,
    /// Dollars with at most six decimals.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000_000)]
    daily_cost_limit: Option<f64>,
    /// Dollars with at most six decimals.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000_000)]
    monthly_cost_limit: Option<f64>,
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    daily_token_limit: Option<u64>,
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    monthly_token_limit: Option<u64>,
    #[serde(default)]
    #[schema(minimum = 0, maximum = 100_000)]
    requests_per_min: Option<u32>,
    #[serde(default)]
    #[schema(minimum = 0, maximum = 100_000)]
    requests_per_hour: Option<u32>,
    /// Percent of a day's or month's limit at which somebody is told.
    #[serde(default, deserialize_with = "present")]
    #[schema(minimum = 1, maximum = 100, default = 80, nullable = false)]
    alert_threshold: Option<u8>,
}

/// What changes about a quota; what is absent stays, and null takes a limit away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuotaUpdate {
    /// Dollars with at most six decimals.
    #[serde(default, deserialize_with = "present")]
    #[schema(minimum = 0, maximum = 1_000_000, value_type = Option<f64>)]
    daily_cost_limit: Option<Option<f64>>,
    /// Dollars with at most six decimals.
    #[serde(default, deserialize_with = "present")]
    #[schema(minimum = 0, maximum = 1_000_000, value_type = Option<f64>)]
    monthly_cost_limit: Option<Option<f64>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, value_type = Option<u64>)]
    daily_token_limit: Option<Option<u64>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, value_type = Option<u64>)]
    monthly_token_limit: Option<Option<u64>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(minimum = 0, maximum = 100_000, value_type = Option<u32>)]
    requests_per_min: Option<Option<u32>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(minimum = 0, maximum = 100_000, value_type = Option<u32>)]
    requests_per_hour: Option<Option<u32>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(minimum = 1, maximum = 100, nullable = false)]
    alert_threshold: Option<u8>,
}

impl QuotaUpdate {
    fn merged_into(&self, before: Limits) -> Result<Limits, ApiError> {
        Ok(Limits {
            daily_cost: changed(before.daily_cost, self.daily_cost_limit, |limit| {
                cost("daily_cost_limit", limit)
            })?,
            monthly_cost: changed(before.monthly_cost, self.monthly_cost_limit, |limit| {
                cost("monthly_cost_limit", limit)
            })?,
            daily_tokens: changed(before.daily_tokens, self.daily_token_limit, |limit| {
                tokens("daily_token_limit", limit)
            })?,
            monthly_tokens: changed(before.monthly_tokens, self.monthly_token_limit, |limit| {
                tokens("monthly_token_limit", limit)
            })?,
            requests_per_min: changed(before.requests_per_min, self.requests_per_min, |limit| {
                rate("requests_per_min", limit)
            })?,
            requests_per_hour: changed(before.requests_per_hour, self.requests_per_hour, |limit| {
                rate("requests_per_hour", limit)
            })?,
            alert_threshold: self.alert_threshold.map_or(Ok(before.alert_threshold), threshold)?,
        })
    }
}

impl From<&QuotaCreate> for QuotaUpdate {
    fn from(new: &QuotaCreate) -> Self {
        Self {
            daily_cost_limit: Some(new.daily_cost_limit),
            monthly_cost_limit: Some(new.monthly_cost_limit),
            daily_token_limit: Some(new.daily_token_limit),
            monthly_token_limit: Some(new.monthly_token_limit),
            requests_per_min: Some(new.requests_per_min),
            requests_per_hour: Some(new.requests_per_hour),
            alert_threshold: new.alert_threshold,
        }
    }
}

/// A limit after a change of it: as it was if the change does not name it.
fn changed<A, B>(
    before: Option<B>,
    change: Option<Option<A>>,
    checked: impl FnOnce(A) -> Result<B, ApiError>,
) -> Result<Option<B>, ApiError> {
    change.map_or(Ok(before), |limit| limit.map(checked).transpose())
}

fn cost(field: &str, dollars: f64) -> Result<MicroUsd, ApiError> {
    MicroUsd::from_dollars(dollars, MAX_COST)
        .ok_or_else(|| ApiError::field(field, "This is from 0 to 1,000,000 dollars with at most six decimals."))
}

fn tokens(field: &str, tokens: u64) -> Result<u64, ApiError> {
    if tokens <= MAX_TOKENS {
        Ok(tokens)
    } else {
        Err(ApiError::field(
            field,
            "This is a whole number up to 1,000,000,000,000.",
        ))
    }
}

fn rate(field: &str, requests: u32) -> Result<u32, ApiError> {
    if requests <= MAX_RATE {
        Ok(requests)
    } else {
        Err(ApiError::field(field, "This is a whole number up to 100,000."))
    }
}

fn threshold(percent: u8) -> Result<u8, ApiError> {
    if (1..=100).contains(&percent) {
        Ok(percent)
    } else {
        Err(ApiError::field(
            "alert_threshold",
            "This is a whole number from 1 to 100.",
        ))
    }
}

/// Makes a quota; what was used before today and this month began to be counted, counts too.
#[utoipa::path(post, path = "/quotas", operation_id = "create_quota", tag = "quotas",
    security(("bearer" = [])), params(crate::idempotency::KeyHeader), request_body = QuotaCreate, responses(
    (status = 201, body = QuotaJson), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn create(
    State(state): State<AppState>,
    By(doer): By,
    Body(body): Body<QuotaCreate>,
) -> Result<Response, ApiError> {
    let no_such_scope = || ApiError::field("scope_id", "There is nobody and nothing of this id for this scope.");
    let scope = Scope::parse(body.scope.as_str(), body.scope_id.as_deref()).ok_or_else(no_such_scope)?;
    let limits = QuotaUpdate::from(&body).merged_into(Limits {
        alert_threshold: DEFAULT_THRESHOLD,
        ..Limits::default()
    })?;
    let id = QuotaId::new();
    let deed = doer.does(Action::QuotaCreate, state.platform.clock.now());
    match state.platform.store.create_quota(id, scope, limits, deed).await? {
        Created::Yes(quota) => {
            let location = format!("/api/v1/quotas/{id}");
            Ok((StatusCode::CREATED, [(header::LOCATION, location)], answer(*quota)).into_response())
        }
        Created::Exists => Err(ApiError::new(
            Kind::CONFLICT,
            "There is a quota for this already. Change that one.",
        )),
        Created::NoSuchScope => Err(no_such_scope()),
    }
}

/// One quota.
#[utoipa::path(get, path = "/quotas/{id}", operation_id = "get_quota", tag = "quotas",
    security(("bearer" = [])), params(("id" = String, Path)), responses(
    (status = 200, body = QuotaJson), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn get(State(state): State<AppState>, Ids((id,)): Ids<(QuotaId,)>) -> Result<Response, ApiError> {
    Ok(answer(find(&state, id).await?))
}

async fn find(state: &AppState, id: QuotaId) -> Result<Quota, ApiError> {
    let platform = &state.platform;
    let found = platform.store.find_quota(id, platform.clock.now()).await?;
    found.ok_or_else(ApiError::not_found)
}

/// Changes a quota's limits; they count from the next request on.
#[utoipa::path(patch, path = "/quotas/{id}", operation_id = "update_quota", tag = "quotas",
    security(("bearer" = [])), params(("id" = String, Path), etag::IfMatch), request_body = QuotaUpdate, responses(
    (status = 200, body = QuotaJson), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 412, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 422, body = ErrorBody)))]
pub(crate) async fn update(
    State(state): State<AppState>,
    By(doer): By,
    Ids((id,)): Ids<(QuotaId,)>,
    headers: HeaderMap,
    Body(body): Body<QuotaUpdate>,
) -> Result<Response, ApiError> {
    loop {
        let before = find(&state, id).await?;
        let limits = body.merged_into(before.limits)?;
        etag::expected(&headers, before.version)?;
        if limits == before.limits {
            return Ok(answer(before));
        }
        let deed = doer.does(Action::QuotaUpdate, state.platform.clock.now());
        let guard = Some(before.version);
        match state.platform.store.update_quota(id, limits, guard, deed).await? {
            Changed::Done(quota) => return Ok(answer(*quota)),
            Changed::Missing => return Err(ApiError::not_found()),
            // Changed meanwhile: what this request names is changed in what is there now.
            Changed::Stale(_) => {}
        }
    }
}

/// Removes a quota with what it counted.
#[utoipa::path(delete, path = "/quotas/{id}", operation_id = "delete_quota", tag = "quotas",
    security(("bearer" = [])), params(("id" = String, Path), etag::IfMatch), responses(
    (status = 204), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 412, body = ErrorBody)))]
pub(crate) async fn delete(
    State(state): State<AppState>,
    By(doer): By,
    Ids((id,)): Ids<(QuotaId,)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let expected = etag::expected(&headers, find(&state, id).await?.version)?;
    let deed = doer.does(Action::QuotaDelete, state.platform.clock.now());
    match state.platform.store.delete_quota(id, expected, deed).await? {
        Changed::Done(_) => Ok(StatusCode::NO_CONTENT),
        Changed::Missing => Err(ApiError::not_found()),
        Changed::Stale(_) => Err(etag::stale()),
    }
}
