//! Notices: what happened that somebody should know, until they dismiss it.

use across::{actor::Role, governance::notice::Notice, id::NoticeId};
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::{stamp, words::NoticeLevel},
    auth::Principal,
    error::{ApiError, ErrorBody},
    input::{Ids, Params, page},
    state::AppState,
};

/// A notice.
#[derive(Serialize, ToSchema)]
#[schema(as = Notice)]
pub(crate) struct NoticeJson {
    #[schema(format = Uuid)]
    id: String,
    /// What happened, e.g. `quota.alert`.
    kind: String,
    level: NoticeLevel,
    /// A sentence for people.
    message: String,
    /// Particulars, by name.
    #[schema(value_type = std::collections::BTreeMap<String, Value>)]
    details: Map<String, Value>,
    created_at: String,
}

impl From<Notice> for NoticeJson {
    fn from(notice: Notice) -> Self {
        Self {
            id: notice.id.to_string(),
            kind: notice.kind,
            level: notice.level.into(),
            message: notice.message,
            details: notice.details,
            created_at: stamp(notice.created_at),
        }
    }
}

/// A page of notices.
#[derive(Serialize, ToSchema)]
pub(crate) struct NoticeList {
    notices: Vec<NoticeJson>,
    total: u64,
}

/// Which notices.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    #[param(minimum = 0, maximum = 100_000)]
    offset: Option<i64>,
}

/// What concerns this person and was not dismissed by them, newest first; for administrators everything.
#[utoipa::path(get, path = "/notices", operation_id = "list_notices", tag = "notices",
    security(("bearer" = [])), params(ListQuery), responses(
    (status = 200, body = NoticeList), (status = 401, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn list(
    State(state): State<AppState>,
    principal: Principal,
    Params(query): Params<ListQuery>,
) -> Result<Json<NoticeList>, ApiError> {
    let page = page(query.limit, query.offset, 20, 100)?;
    let actor = principal.actor;
    let store = &state.platform.store;
    let found = store.list_notices(actor.user, actor.role == Role::Admin, page).await?;
    Ok(Json(NoticeList {
        notices: found.items.into_iter().map(Into::into).collect(),
        total: found.total,
    }))
}

/// Dismisses a notice for this person; others still see it.
#[utoipa::path(delete, path = "/notices/{id}", operation_id = "dismiss_notice", tag = "notices",
    security(("bearer" = [])), params(("id" = String, Path)), responses(
    (status = 204), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn dismiss(
    State(state): State<AppState>,
    principal: Principal,
    Ids((id,)): Ids<(NoticeId,)>,
) -> Result<StatusCode, ApiError> {
    let (platform, actor) = (&state.platform, principal.actor);
    let now = platform.clock.now();
    let is_admin = actor.role == Role::Admin;
    if platform.store.dismiss_notice(actor.user, is_admin, id, now).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::not_found())
    }
}
