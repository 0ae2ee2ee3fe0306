//! Who may call what: every route names its rule when it is registered, and handlers get the proof of it.

use across::{
    actor::{Actor, AsManager, Role},
    clock::Time,
    identity::{sign_in, user::User},
};
use axum::{
    extract::{FromRequestParts, Request, State},
    http::{header, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use crate::{
    error::{ApiError, Kind},
    state::AppState,
};

/// Who may call a route at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anyone, signed in or not.
    Public,
    /// Whoever is signed in with at least this role.
    Signed(Role),
}

/// The person behind a request, put there by [`check`] only.
#[derive(Debug, Clone)]
pub(crate) struct Principal {
    pub(crate) actor: Actor,
    pub(crate) user: User,
    pub(crate) expires_at: Time,
}

/// Verifies the token and the role before anything of the request's body is looked at.
pub(crate) async fn check(
    State((state, access)): State<(AppState, Access)>,
    mut request: Request,
    next: Next,
) -> Response {
    let Access::Signed(needed) = access else {
        return next.run(request).await;
    };
    let principal = match identify(&state, request.headers()).await {
        Ok(principal) => principal,
        Err(error) => return error.into_response(),
    };
    if principal.actor.role < needed {
        return forbidden().into_response();
    }
    request.extensions_mut().insert(principal);
    next.run(request).await
}

async fn identify(state: &AppState, headers: &axum::http::HeaderMap) -> Result<Principal, ApiError> {
    let header = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let token = match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => "",
    };
    let (actor, user, expires_at) = sign_in::identify(&state.platform, token).await?;
    Ok(Principal {
        actor,
        user,
        expires_at,
    })
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

/// Who is about to do something, for the audit log: the person behind the request and where it comes from.
pub(crate) struct By(pub(crate) Doer);

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Principal { user, .. } = Principal::from_request_parts(parts, state).await?;
        let origin = origin(parts);
        Ok(Self(Doer {
            user: Some(user.id),
            email: Some(user.email.to_string()),
            origin,
        }))
    }
}

/// An administrator.
pub(crate) struct Admin(pub(crate) AsAdmin);

impl<S: Send + Sync> FromRequestParts<S> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let principal = Principal::from_request_parts(parts, state).await?;
        principal.actor.as_admin().map(Self).ok_or_else(forbidden)
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
