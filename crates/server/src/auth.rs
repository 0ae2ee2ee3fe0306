//! Who may call what: every route names its rule when it is registered, and handlers get the proof of it.

use across::{
    actor::{Actor, AsAdmin, AsManager, Doer, Origin, Role},
    clock::Time,
    identity::{
        sign_in::{self, Stranger},
        user::User,
    },
};
use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{Extensions, HeaderMap, header, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use crate::{
    address::Client,
    api::audit::note_denied,
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
    /// Whoever is signed in, also before they chose a password of their own.
    Newcomer,
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
        Ok(Admitted::Anyone) => {}
        Ok(Admitted::As(principal)) => {
            request.extensions_mut().insert(*principal);
        }
        Ok(Admitted::NotInThisRole(user)) => {
            if state.limits.may_note_denial(user.id) {
                let origin = origin(request.headers(), request.extensions());
                let route = request
                    .extensions()
                    .get::<MatchedPath>()
                    .map_or("-", MatchedPath::as_str);
                note_denied(&state, &doer(&user, origin), request.method().as_str(), route).await;
            }
            return forbidden().into_response();
        }
        Err(refusal) => return refusal.into_response(),
    }
    next.run(request).await
}

/// Who was let through, if anybody was.
enum Admitted {
    /// The route does not ask who there is.
    Anyone,
    /// This person.
    As(Box<Principal>),
    /// Nobody: this person's role does not allow it.
    NotInThisRole(Box<User>),
}

/// Decides about a request from its headers alone.
async fn admit(state: &AppState, access: Access, client: Client, headers: &HeaderMap) -> Result<Admitted, ApiError> {
    let token = bearer(headers);
    let needed = match access {
        Access::Watch => return Ok(Admitted::Anyone),
        Access::Public => return state.limits.count_address(client).map(|()| Admitted::Anyone),
        Access::Metrics if state.http.is_metrics_token(token) => return Ok(Admitted::Anyone),
        Access::Metrics => Role::Admin,
        Access::Newcomer => Role::User,
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
    if user.must_change_password && access != Access::Newcomer {
        return Err(ApiError::new(
            Kind::PASSWORD_CHANGE,
            "Choose a new password before anything else.",
        ));
    }
    if actor.role < needed {
        return Ok(Admitted::NotInThisRole(Box::new(user)));
    }
    state.limits.count_user(actor.user)?;
    Ok(Admitted::As(Box::new(Principal {
        actor,
        user,
        expires_at,
    })))
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

/// Where a request comes from, for sessions and the audit log.
pub(crate) fn origin(headers: &HeaderMap, extensions: &Extensions) -> Origin {
    let agent = headers
        .get(header::USER_AGENT)
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    Origin {
        ip_address: extensions.get::<Client>().map(|client| client.address.to_string()),
        user_agent: agent.map(|agent| agent.chars().take(512).collect()),
    }
}

/// The person as the audit log names them.
fn doer(user: &User, origin: Origin) -> Doer {
    Doer {
        user: Some(user.id),
        email: Some(user.email.to_string()),
        origin,
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

/// Who is about to do something, for the audit log: the person behind the request and where it comes from.
pub(crate) struct By(pub(crate) Doer);

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Principal { user, .. } = Principal::from_request_parts(parts, state).await?;
        Ok(Self(doer(&user, origin(&parts.headers, &parts.extensions))))
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
