//! A person's own account: name, password, sessions.

use across::{
    id::SessionId,
    identity::account::{self, PasswordError},
    secret::Secret,
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::{auth::UserJson, stamp},
    auth::{By, Principal},
    error::{ApiError, ErrorBody, Kind},
    input::{Body, Ids, checked_line, present},
    state::AppState,
};

/// What a person may change about their own account; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProfileUpdate {
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 100, value_type = String, required = false)]
    name: Option<String>,
}

/// Changes one's own name. The address and the role are the administrators'.
#[utoipa::path(patch, path = "/users/me", operation_id = "update_me", tag = "users", security(("bearer" = [])),
    request_body = ProfileUpdate, responses((status = 200, body = UserJson), (status = 400, body = ErrorBody),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 422, body = ErrorBody)))]
pub(crate) async fn update(
    State(state): State<AppState>,
    principal: Principal,
    By(doer): By,
    Body(body): Body<ProfileUpdate>,
) -> Result<Json<UserJson>, ApiError> {
    let Some(name) = body.name else {
        return Ok(Json(principal.user.into()));
    };
    let name = checked_line("name", &name, 1..=100)?;
    let user = account::rename(&state.platform, principal.actor, &doer, name).await?;
    Ok(Json(user.into()))
}

/// The present password and the next one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    #[schema(min_length = 1, max_length = 128)]
    current_password: String,
    #[schema(min_length = 12, max_length = 128)]
    new_password: String,
}

/// Chooses a new password. All other sessions end.
#[utoipa::path(post, path = "/users/password", operation_id = "change_password", tag = "users",
    security(("bearer" = [])), request_body = PasswordChange, responses((status = 204), (status = 400, body = ErrorBody),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 422, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn password(
    State(state): State<AppState>,
    principal: Principal,
    By(doer): By,
    Body(body): Body<PasswordChange>,
) -> Result<StatusCode, ApiError> {
    let (present, new) = (Secret::new(body.current_password), Secret::new(body.new_password));
    account::change_password(&state.platform, principal.actor, &doer, &present, &new).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<PasswordError> for ApiError {
    fn from(error: PasswordError) -> Self {
        let message = error.to_string();
        match error {
            PasswordError::Wrong => Self::new(Kind::PERMISSION, message),
            PasswordError::Throttled(wait) => Self::too_many_tries(wait),
            PasswordError::Same | PasswordError::Weak(_) => Self::field("new_password", message),
            PasswordError::Busy(_) => Self::hasher_busy(),
            PasswordError::Store(error) => error.into(),
        }
    }
}

/// A session of one's own.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionJson {
    #[schema(format = Uuid)]
    id: String,
    created_at: String,
    last_used_at: String,
    #[schema(required)]
    ip_address: Option<String>,
    #[schema(required)]
    user_agent: Option<String>,
    /// Whether this request came with it.
    is_current: bool,
}

/// One's sessions.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionList {
    sessions: Vec<SessionJson>,
    total: u64,
}

/// One's living sessions, latest use first.
#[utoipa::path(get, path = "/users/sessions", operation_id = "list_sessions", tag = "users", security(("bearer" = [])),
    responses((status = 200, body = SessionList), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn sessions(
    State(state): State<AppState>,
    principal: Principal,
) -> Result<Json<SessionList>, ApiError> {
    let Principal { actor, .. } = principal;
    let now = state.platform.clock.now();
    let found = state.platform.store.list_sessions(actor.user, now).await?;
    let sessions: Vec<_> = found
        .into_iter()
        .map(|session| SessionJson {
            id: session.id.to_string(),
            created_at: stamp(session.created_at),
            last_used_at: stamp(session.last_used_at),
            ip_address: session.ip_address,
            user_agent: session.user_agent,
            is_current: session.id == actor.session,
        })
        .collect();
    Ok(Json(SessionList {
        total: sessions.len() as u64,
        sessions,
    }))
}

/// Ends one of one's own sessions.
#[utoipa::path(delete, path = "/users/sessions/{id}", operation_id = "end_session", tag = "users",
    security(("bearer" = [])), params(("id" = String, Path, format = Uuid)), responses((status = 204),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn end_session(
    State(state): State<AppState>,
    principal: Principal,
    By(doer): By,
    Ids((id,)): Ids<(SessionId,)>,
) -> Result<Response, ApiError> {
    let deed = doer.does(across::audit::Action::UserSessionsRevoke, state.platform.clock.now());
    if state.platform.store.end_session(principal.actor.user, id, deed).await? {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(ApiError::not_found())
    }
}
