//! Administering people: list, make, change, delete, new password, end sessions.

use across::{
    actor::Role,
    governance::{usage::Total, window::Window},
    id::UserId,
    identity::{
        account::{self, AccountError, NewAccount},
        user::{Email, User, UserChange, UserFilter},
    },
    secret::Secret,
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
    api::{assistants::search_term, auth::UserJson, words},
    auth::{Admin, By},
    error::{ApiError, ErrorBody, Kind},
    etag::{self, IfMatch, stale, tag},
    input::{Body, Ids, Params, checked_line, page, present},
    state::AppState,
};

/// What somebody used this month.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsageMonth {
    requests: u64,
    tokens: u64,
    cost_usd: f64,
}

impl From<Total> for UsageMonth {
    fn from(total: Total) -> Self {
        Self {
            requests: total.requests,
            tokens: total.tokens(),
            cost_usd: total.cost.dollars(),
        }
    }
}

/// A person, as administrators see them.
#[derive(Serialize, ToSchema)]
pub(crate) struct ManagedUser {
    #[serde(flatten)]
    user: UserJson,
    version: i64,
    usage_month: UsageMonth,
}

/// A page of people.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserList {
    users: Vec<ManagedUser>,
    total: u64,
}

/// The people with what they used this month.
async fn managed(state: &AppState, users: Vec<User>) -> Result<Vec<ManagedUser>, ApiError> {
    let ids: Vec<UserId> = users.iter().map(|user| user.id).collect();
    let month = Window::Month.start(state.platform.clock.now());
    let used = state.platform.store.usage_of(&ids, month).await?;
    let with_usage = users.into_iter().map(|user| {
        let total = used
            .iter()
            .find(|(id, _)| *id == user.id)
            .map(|(_, total)| total.clone());
        ManagedUser {
            version: user.version,
            usage_month: total.unwrap_or_default().into(),
            user: user.into(),
        }
    });
    Ok(with_usage.collect())
}

/// One person, tagged with the version.
async fn answer(state: &AppState, user: User) -> Result<Response, ApiError> {
    let version = user.version;
    let mut all = managed(state, vec![user]).await?;
    let body = all.pop().ok_or_else(ApiError::not_found)?;
    Ok(tag(version, Json(body)))
}

/// Which people.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// In the name or the address, in any case.
    #[param(max_length = 100)]
    search: Option<String>,
    #[param(value_type = Option<words::Role>)]
    role: Option<String>,
    is_active: Option<bool>,
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    #[param(minimum = 0, maximum = 100_000)]
    offset: Option<i64>,
}

/// Newest first.
#[utoipa::path(get, path = "/admin/users", operation_id = "list_users", tag = "admin", security(("bearer" = [])),
    params(ListQuery), responses((status = 200, body = UserList), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn list(
    State(state): State<AppState>,
    Params(query): Params<ListQuery>,
) -> Result<Json<UserList>, ApiError> {
    let filter = UserFilter {
        search: search_term(query.search)?,
        role: query.role.as_deref().map(role).transpose()?,
        is_active: query.is_active,
    };
    let page = page(query.limit, query.offset, 20, 100)?;
    let found = state.platform.store.list_users(&filter, page).await?;
    Ok(Json(UserList {
        users: managed(&state, found.items).await?,
        total: found.total,
    }))
}

fn role(name: &str) -> Result<Role, ApiError> {
    Role::parse(name).ok_or_else(|| ApiError::field("role", "The roles are user, manager and admin."))
}

/// A new account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserCreate {
    #[schema(min_length = 3, max_length = 254)]
    email: String,
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    #[serde(default)]
    #[schema(value_type = words::Role, required = false)]
    role: Option<String>,
    /// Without one a random one is made, returned once, and must be changed.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 12, max_length = 128, value_type = String, required = false)]
    password: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    must_change_password: Option<bool>,
}

/// A new account, with its password if one was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedUser {
    #[serde(flatten)]
    user: ManagedUser,
    /// Shown this once; it must be changed at the first sign-in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    temporary_password: Option<String>,
}

/// Makes an account.
#[utoipa::path(post, path = "/admin/users", operation_id = "create_user", tag = "admin", security(("bearer" = [])),
    request_body = UserCreate, responses((status = 201, body = CreatedUser), (status = 400, body = ErrorBody),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 415, body = ErrorBody), (status = 422, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn create(
    State(state): State<AppState>,
    By(doer): By,
    Body(body): Body<UserCreate>,
) -> Result<Response, ApiError> {
    let new = NewAccount {
        email: &body.email,
        name: &checked_line("name", &body.name, 1..=100)?,
        role: body.role.as_deref().map_or(Ok(Role::User), role)?,
        password: body.password.map(Secret::new),
        must_change_password: body.must_change_password,
    };
    let (user, made) = account::register(&state.platform, &doer, new).await?;
    let (id, version) = (user.id, user.version);
    let mut all = managed(&state, vec![user]).await?;
    let body = CreatedUser {
        user: all.pop().ok_or_else(ApiError::not_found)?,
        temporary_password: made.map(|secret| secret.expose().to_owned()),
    };
    let location = format!("/api/v1/admin/users/{id}");
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        tag(version, Json(body)),
    )
        .into_response())
}

/// One account.
#[utoipa::path(get, path = "/admin/users/{id}", operation_id = "get_user", tag = "admin", security(("bearer" = [])),
    params(("id" = String, Path, format = Uuid)), responses((status = 200, body = ManagedUser),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn get(State(state): State<AppState>, Ids((id,)): Ids<(UserId,)>) -> Result<Response, ApiError> {
    let found = state.platform.store.find_user(id).await?;
    let (user, _) = found.ok_or_else(ApiError::not_found)?;
    answer(&state, user).await
}

/// What changes about an account; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserUpdate {
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 3, max_length = 254, value_type = String, required = false)]
    email: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 100, value_type = String, required = false)]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = words::Role, required = false)]
    role: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    is_active: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    must_change_password: Option<bool>,
}

/// Changes an account; it counts from the person's next request on, on every instance.
#[utoipa::path(patch, path = "/admin/users/{id}", operation_id = "update_user", tag = "admin",
    security(("bearer" = [])), params(("id" = String, Path, format = Uuid), IfMatch), request_body = UserUpdate, responses(
    (status = 200, body = ManagedUser), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 412, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn update(
    State(state): State<AppState>,
    Admin(admin): Admin,
    By(doer): By,
    Ids((id,)): Ids<(UserId,)>,
    headers: HeaderMap,
    Body(body): Body<UserUpdate>,
) -> Result<Response, ApiError> {
    let email = body
        .email
        .as_deref()
        .map(|text| Email::parse(text).ok_or_else(|| ApiError::field("email", "This is not an email address.")));
    let name = body.name.as_deref().map(|text| checked_line("name", text, 1..=100));
    let change = UserChange {
        email: email.transpose()?,
        name: name.transpose()?,
        role: body.role.as_deref().map(role).transpose()?,
        is_active: body.is_active,
        must_change_password: body.must_change_password,
    };
    let expected = expected(&state, id, &headers).await?;
    let user = account::update(&state.platform, admin, &doer, id, change, expected).await?;
    answer(&state, user).await
}

/// The version that a change of this account may be made to.
async fn expected(state: &AppState, id: UserId, headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    let (user, _) = state
        .platform
        .store
        .find_user(id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    etag::expected(headers, user.version)
}

/// Deletes an account with all its conversations; usage and audit entries stay.
#[utoipa::path(delete, path = "/admin/users/{id}", operation_id = "delete_user", tag = "admin",
    security(("bearer" = [])), params(("id" = String, Path, format = Uuid), IfMatch), responses((status = 204),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 412, body = ErrorBody)))]
pub(crate) async fn delete(
    State(state): State<AppState>,
    Admin(admin): Admin,
    By(doer): By,
    Ids((id,)): Ids<(UserId,)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let expected = expected(&state, id, &headers).await?;
    account::delete(&state.platform, admin, &doer, id, expected).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The new password, if it is not to be a random one.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordReset {
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 12, max_length = 128, value_type = String, required = false)]
    new_password: Option<String>,
}

/// The password that was made, if one was.
#[derive(Serialize, ToSchema)]
pub(crate) struct PasswordMade {
    /// Shown this once; it must be changed at the next sign-in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    temporary_password: Option<String>,
}

/// Sets a new password and ends all sessions of the account.
#[utoipa::path(post, path = "/admin/users/{id}/password", operation_id = "reset_password", tag = "admin",
    security(("bearer" = [])), params(("id" = String, Path, format = Uuid)), request_body = PasswordReset, responses(
    (status = 200, body = PasswordMade), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 422, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn reset_password(
    State(state): State<AppState>,
    By(doer): By,
    Ids((id,)): Ids<(UserId,)>,
    Body(body): Body<PasswordReset>,
) -> Result<Json<PasswordMade>, ApiError> {
    let made = account::reset_password(&state.platform, &doer, id, body.new_password.map(Secret::new)).await?;
    Ok(Json(PasswordMade {
        temporary_password: made.map(|secret| secret.expose().to_owned()),
    }))
}

/// Ends all sessions of an account.
#[utoipa::path(post, path = "/admin/users/{id}/revoke-sessions", operation_id = "revoke_sessions", tag = "admin",
    security(("bearer" = [])), params(("id" = String, Path, format = Uuid)), responses((status = 204),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn revoke_sessions(
    State(state): State<AppState>,
    By(doer): By,
    Ids((id,)): Ids<(UserId,)>,
) -> Result<StatusCode, ApiError> {
    let deed = doer.does(across::audit::Action::UserSessionsRevoke, state.platform.clock.now());
    if state.platform.store.end_sessions_of(id, deed).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::not_found())
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        let message = error.to_string();
        match error {
            AccountError::Missing => Self::not_found(),
            AccountError::Stale(_) => stale(),
            AccountError::Taken | AccountError::LastAdmin | AccountError::Yourself => {
                Self::new(Kind::CONFLICT, message)
            }
            AccountError::Password(_) => Self::field("new_password", message),
            AccountError::Busy(_) => Self::hasher_busy(),
            AccountError::Store(error) => error.into(),
        }
    }
}
