//! Set-up, signing in and out, who am I.

use across::{
    actor::{Doer, Origin},
    identity::{
        password,
        session::RefreshToken,
        sign_in::{self, SignedIn},
        user::User,
    },
    secret::Secret,
};
use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    address::Client,
    api::{
        stamp,
        words::{Role, TokenType},
    },
    auth::{By, Principal, origin},
    error::{ApiError, ErrorBody, Kind},
    input::{Body, present},
    state::AppState,
};

/// A header that no other site can make a browser send; its presence proves that our own page refreshes.
const CSRF_HEADER: &str = "x-aiacross-csrf";

/// A person.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserJson {
    #[schema(format = Uuid)]
    id: String,
    email: String,
    name: String,
    role: Role,
    is_active: bool,
    must_change_password: bool,
    #[schema(required)]
    last_login_at: Option<String>,
    created_at: String,
    updated_at: String,
}

impl From<User> for UserJson {
    fn from(user: User) -> Self {
        Self {
            id: user.id.to_string(),
            email: user.email.to_string(),
            name: user.name,
            role: user.role.into(),
            is_active: user.is_active,
            must_change_password: user.must_change_password,
            last_login_at: user.last_login_at.map(stamp),
            created_at: stamp(user.created_at),
            updated_at: stamp(user.updated_at),
        }
    }
}

/// Tokens and whom they stand for. In cookie mode the refresh token is in the cookie only.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenPair {
    access_token: String,
    token_type: TokenType,
    /// Seconds.
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refresh_token: Option<String>,
    /// Seconds.
    refresh_expires_in: i64,
    user: UserJson,
}

/// Where the refresh token travels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SessionMode {
    /// In bodies; the client keeps it.
    #[default]
    Token,
    /// In a cookie that scripts cannot read.
    Cookie,
}

/// Where a request comes from.
pub(crate) struct Caller(Origin);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(origin(&parts.headers, &parts.extensions)))
    }
}

/// Whether the platform waits for its first administrator.
#[derive(Serialize, ToSchema)]
pub(crate) struct SetupStatus {
    needed: bool,
}

/// Whether the platform waits for its first administrator.
#[utoipa::path(get, path = "/setup", tag = "setup", responses((status = 200, body = SetupStatus)))]
pub(crate) async fn setup_status(State(state): State<AppState>) -> Result<Json<SetupStatus>, ApiError> {
    Ok(Json(SetupStatus {
        needed: !state.platform.store.any_user().await?,
    }))
}

/// The first administrator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetUp {
    /// From the link that the server printed.
    token: String,
    #[schema(min_length = 3, max_length = 254)]
    email: String,
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    #[schema(min_length = 12, max_length = 128)]
    password: String,
    #[serde(default)]
    session_mode: SessionMode,
}

/// Makes the first administrator and signs them in.
#[utoipa::path(post, path = "/setup", tag = "setup", request_body = SetUp, responses(
    (status = 201, body = TokenPair), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn set_up(
    State(state): State<AppState>,
    Caller(origin): Caller,
    client: Client,
    Body(body): Body<SetUp>,
) -> Result<Response, ApiError> {
    if state.platform.store.any_user().await? {
        return Err(ApiError::not_found());
    }
    if !state.setup.verify(body.token.trim()) {
        return Err(ApiError::new(
            Kind::AUTHENTICATION,
            "This set-up link is not right. Use the newest one that the server printed.",
        ));
    }
    let password = Secret::new(body.password);
    let name = crate::input::line(&body.name);
    let doer = Doer {
        user: None,
        email: Some(body.email.trim().chars().take(254).collect()),
        origin: origin.clone(),
    };
    let user = sign_in::set_up(&state.platform, &body.email, &name, &password, &doer).await?;
    let signed_in = sign_in::enter(&state.platform, user, None, origin).await?;
    Ok((
        StatusCode::CREATED,
        hand_out(&state, client, signed_in, body.session_mode),
    )
        .into_response())
}

/// E-mail and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    #[schema(min_length = 3, max_length = 254)]
    email: String,
    #[schema(min_length = 1, max_length = 128)]
    password: String,
    #[serde(default)]
    session_mode: SessionMode,
}

/// Signs in.
#[utoipa::path(post, path = "/users/login", tag = "users", request_body = Login, responses(
    (status = 200, body = TokenPair), (status = 401, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn login(
    State(state): State<AppState>,
    Caller(origin): Caller,
    client: Client,
    Body(body): Body<Login>,
) -> Result<Response, ApiError> {
    if !(3..=254).contains(&body.email.trim().chars().count()) {
        return Err(ApiError::field("email", "An email address has 3 to 254 characters."));
    }
    if !(1..=password::MAX_CHARS).contains(&body.password.chars().count()) || body.password.len() > password::MAX_BYTES
    {
        return Err(ApiError::field("password", "A password has 1 to 128 characters."));
    }
    let signed_in = sign_in::sign_in(&state.platform, &body.email, &Secret::new(body.password), origin).await?;
    Ok(hand_out(&state, client, signed_in, body.session_mode))
}

/// A refresh token, unless it is in the cookie.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refresh {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    refresh_token: Option<String>,
}

/// Exchanges a refresh token for the next pair.
#[utoipa::path(post, path = "/users/refresh", tag = "users", request_body = Refresh, responses(
    (status = 200, body = TokenPair), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn refresh(
    State(state): State<AppState>,
    Caller(origin): Caller,
    client: Client,
    headers: HeaderMap,
    Body(body): Body<Refresh>,
) -> Result<Response, ApiError> {
    let (presented, mode) = match (body.refresh_token, cookie(client, &headers)) {
        (Some(token), _) => (token, SessionMode::Token),
        (None, Some(token)) => {
            if !headers.contains_key(CSRF_HEADER) {
                return Err(ApiError::new(
                    Kind::PERMISSION,
                    "A refresh by cookie needs the header X-AIAcross-CSRF.",
                ));
            }
            (token, SessionMode::Cookie)
        }
        (None, None) => return Err(ApiError::new(Kind::AUTHENTICATION, "Not signed in")),
    };
    match sign_in::refresh(&state.platform, &RefreshToken::presented(&presented), origin).await {
        Ok(signed_in) => Ok(hand_out(&state, client, signed_in, mode)),
        Err(sign_in::SignInError::Refused) => Err(ApiError::new(Kind::AUTHENTICATION, "Not signed in")),
        Err(error) => Err(error.into()),
    }
}

/// Whether the token is good.
#[derive(Serialize, ToSchema)]
pub(crate) struct Verified {
    valid: bool,
    user: UserJson,
    expires_at: String,
}

/// Whether the token is good, and whose it is.
#[utoipa::path(get, path = "/users/verify", tag = "users", security(("bearer" = [])), responses(
    (status = 200, body = Verified), (status = 401, body = ErrorBody)))]
pub(crate) async fn verify(principal: Principal) -> Json<Verified> {
    Json(Verified {
        valid: true,
        user: principal.user.into(),
        expires_at: stamp(principal.expires_at),
    })
}

/// Which sessions end.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Logout {
    /// Every session of this person, not only this one.
    #[serde(default)]
    all: bool,
}

/// Signs out; the access token is dead at once.
#[utoipa::path(post, path = "/users/logout", tag = "users", security(("bearer" = [])), request_body = Logout, responses(
    (status = 204), (status = 401, body = ErrorBody)))]
pub(crate) async fn logout(
    State(state): State<AppState>,
    client: Client,
    principal: Principal,
    By(doer): By,
    Body(body): Body<Logout>,
) -> Result<Response, ApiError> {
    sign_in::sign_out(&state.platform, principal.actor, &doer, body.all).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(client, &mut response, "", 0);
    Ok(response)
}

/// Who am I.
#[utoipa::path(get, path = "/users/me", tag = "users", security(("bearer" = [])), responses(
    (status = 200, body = UserJson), (status = 401, body = ErrorBody)))]
pub(crate) async fn me(principal: Principal) -> Json<UserJson> {
    Json(principal.user.into())
}

fn hand_out(state: &AppState, client: Client, signed_in: SignedIn, mode: SessionMode) -> Response {
    let now = state.platform.clock.now();
    let refresh_expires_in = (signed_in.refresh_expires_at - now).num_seconds();
    let refresh_token = (mode == SessionMode::Token).then(|| signed_in.refresh.expose().to_owned());
    let pair = TokenPair {
        access_token: signed_in.access.expose().to_owned(),
        token_type: TokenType::Bearer,
        expires_in: (signed_in.access_expires_at - now).num_seconds(),
        refresh_token,
        refresh_expires_in,
        user: signed_in.user.into(),
    };
    let mut response = Json(pair).into_response();
    if mode == SessionMode::Cookie {
        set_cookie(client, &mut response, signed_in.refresh.expose(), refresh_expires_in);
    }
    response
}

/// Over HTTPS the name binds the cookie to this host and to secure connections; a plain-HTTP office network gets neither.
const fn cookie_name(client: Client) -> (&'static str, &'static str) {
    if client.is_https {
        ("__Host-aiacross_refresh", "; Secure")
    } else {
        ("aiacross_refresh", "")
    }
}

fn set_cookie(client: Client, response: &mut Response, value: &str, max_age: i64) {
    let (name, secure) = cookie_name(client);
    let cookie = format!("{name}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={max_age}{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

fn cookie(client: Client, headers: &HeaderMap) -> Option<String> {
    let (name, _) = cookie_name(client);
    let all = headers
        .get_all(header::COOKIE)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    all.flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name && !value.is_empty()).then(|| value.to_owned()))
}
