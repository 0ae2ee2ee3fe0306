//! Who may call what: every route names its rule when it is registered, and handlers get the proof of it.

use across::{
    actor::{Actor, AsManager, Role},
    clock::Time,
    identity::{
        sign_in::{self, Stranger},
        user::User,
    },
};
use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use crate::{
    address::Client,
    error::{ApiError, Kind},
    state::AppState,
};

/// Who may call a route at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anyone, signed in or not.
    Public,
    /// Anyone, however often: the state of the process, for those who watch it.
    Watch,
    /// Whoever is signed in with at least this role.
    Signed(Role),
    /// An administrator, or whoever has the token for the metrics.
    Metrics,
}

/// The person behind a request, put there by [`check`] only.
#[derive(Debug, Clone)]
pub(crate) struct Principal {
    pub(crate) actor: Actor,
    pub(crate) user: User,
    pub(crate) expires_at: Time,
}

/// Verifies the token, the role and how many requests there were before anything of the request's body is looked at.
pub(crate) async fn check(
    State((state, access)): State<(AppState, Access)>,
    client: Client,
    mut request: Request,
    next: Next,
) -> Response {
    match admit(&state, access, client, request.headers()).await {
        Ok(None) => {}
        Ok(Some(principal)) => {
            request.extensions_mut().insert(principal);
        }
        Err(refusal) => return refusal.into_response(),
    }
    next.run(request).await
}

/// The person behind the request, if the route asks who there is.
async fn admit(
    state: &AppState,
    access: Access,
    client: Client,
    headers: &HeaderMap,
) -> Result<Option<Principal>, ApiError> {
    let token = bearer(headers);
    let needed = match access {
        Access::Watch => return Ok(None),
        Access::Public => return state.limits.count_address(client).map(|()| None),
        Access::Metrics if state.http.is_metrics_token(token) => return Ok(None),
        Access::Metrics => Role::Admin,
        Access::Signed(role) => role,
    };
    let (actor, user, expires_at) = match sign_in::identify(&state.platform, token).await {
        Ok(found) => found,
        Err(error @ Stranger::Store(_)) => return Err(error.into()),
        Err(error @ (Stranger::Expired | Stranger::Invalid)) => {
            state.limits.count_address(client)?;
            return Err(error.into());
        }
    };
    if actor.role < needed {
        return Err(forbidden());
    }
    state.limits.count_user(actor.user)?;
    Ok(Some(Principal {
        actor,
        user,
        expires_at,
    }))
}

/// The token of the header; empty if there is none. A second header could be meant for someone else on the way.
fn bearer(headers: &HeaderMap) -> &str {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return "";
    };
    match value.to_str().unwrap_or_default().split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => "",
    }
}

pub(crate) fn forbidden() -> ApiError {
    ApiError::new(
        Kind::PERMISSION,
        "Your role does not allow this. Ask an administrator if you need it.",
    )
}

impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| ApiError::internal("a route without sign-in asked who is there"))
    }
}

/// A manager or an administrator.
pub(crate) struct Manager(pub(crate) AsManager);

impl<S: Send + Sync> FromRequestParts<S> for Manager {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let principal = Principal::from_request_parts(parts, state).await?;
        principal.actor.as_manager().map(Self).ok_or_else(forbidden)
    }
}
