//! Assistants: list, create, read, change, archive, restore.

use across::{
    actor::Role,
    assistants::{Assistant, Changed, Draft, Filter},
    audit::Action,
    id::AssistantId,
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
    api::stamp,
    auth::{By, Principal, forbidden},
    error::{ApiError, ErrorBody, Kind},
    etag,
    idempotency::KeyHeader,
    input::{Body, Ids, Params, line, page, present},
    state::AppState,
};

/// An assistant.
#[derive(Serialize, ToSchema)]
#[schema(as = Assistant)]
pub(crate) struct AssistantJson {
    #[schema(format = Uuid)]
    id: String,
    name: String,
    #[schema(required)]
    description: Option<String>,
    /// Absent for people in the role user, if an administrator decided so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    instructions: Option<String>,
    /// A model's id, or null for the default.
    #[schema(required)]
    model: Option<String>,
    temperature: f64,
    max_tokens: u32,
    #[schema(required)]
    avatar_url: Option<String>,
    is_deleted: bool,
    file_count: u64,
    /// How many of them are being read for the first time, and cannot be searched yet.
    reading_count: u64,
    version: i64,
    created_at: String,
    updated_at: String,
}

impl AssistantJson {
    /// The assistant as this reader may see it.
    fn new(assistant: Assistant, shows_instructions: bool) -> Self {
        let Draft {
            name,
            description,
            instructions,
            model,
            temperature,
            max_tokens,
            avatar_url,
        } = assistant.draft;
        Self {
            id: assistant.id.to_string(),
            name,
            description,
            instructions: shows_instructions.then_some(instructions),
            model,
            temperature,
            max_tokens,
            avatar_url,
            is_deleted: assistant.is_deleted,
            file_count: assistant.file_count,
            reading_count: assistant.reading_count,
            version: assistant.version,
            created_at: stamp(assistant.created_at),
            updated_at: stamp(assistant.updated_at),
        }
    }
}

/// Whether this role sees the instructions of assistants.
fn shows_instructions(state: &AppState, role: Role) -> bool {
    role >= Role::Manager || state.platform.settings.get().expose_instructions
}

/// A page of assistants.
#[derive(Serialize, ToSchema)]
pub(crate) struct AssistantList {
    assistants: Vec<AssistantJson>,
    total: u64,
}

/// Which assistants.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// In the name or the description, in any case.
    #[param(max_length = 100)]
    search: Option<String>,
    /// Archived ones too; managers and administrators only.
    include_deleted: Option<bool>,
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    #[param(minimum = 0, maximum = 100_000)]
    offset: Option<i64>,
}

/// Newest first.
#[utoipa::path(get, path = "/assistants", operation_id = "list_assistants", tag = "assistants",
    security(("bearer" = [])), params(ListQuery), responses(
    (status = 200, body = AssistantList), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn list(
    State(state): State<AppState>,
    principal: Principal,
    Params(query): Params<ListQuery>,
) -> Result<Json<AssistantList>, ApiError> {
    let include_deleted = query.include_deleted.unwrap_or_default();
    if include_deleted && principal.actor.role < Role::Manager {
        return Err(forbidden());
    }
    let filter = Filter {
        search: search_term(query.search)?,
        include_deleted,
    };
    let found = state
        .platform
        .store
        .list_assistants(&filter, page(query.limit, query.offset, 20, 100)?)
        .await?;
    let shows_instructions = shows_instructions(&state, principal.actor.role);
    let json = |assistant| AssistantJson::new(assistant, shows_instructions);
    Ok(Json(AssistantList {
        assistants: found.items.into_iter().map(json).collect(),
        total: found.total,
    }))
}

/// What to search for, if anything is left of it.
pub(crate) fn search_term(text: Option<String>) -> Result<Option<String>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let text = line(&text);
    if text.chars().count() > 100 || text.contains('\0') {
        return Err(ApiError::field("search", "Search for at most 100 characters."));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// A new assistant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssistantCreate {
    #[schema(min_length = 3, max_length = 50)]
    name: String,
    #[serde(default)]
    #[schema(max_length = 500)]
    description: Option<String>,
    #[serde(default)]
    #[schema(max_length = 20_000)]
    instructions: String,
    /// A model's id from `GET /models`, or null for the default.
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    /// The setting `default_temperature` if absent or null.
    #[schema(minimum = 0, maximum = 2)]
    temperature: Option<f64>,
    /// The setting `default_max_tokens` if absent or null.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 32_768)]
    max_tokens: Option<u32>,
    /// A `data:` URL of a PNG, JPEG, GIF or WebP of at most 100 KiB.
    #[serde(default)]
    avatar_url: Option<String>,
}

/// Makes an assistant.
#[utoipa::path(post, path = "/assistants", operation_id = "create_assistant", tag = "assistants",
    security(("bearer" = [])), params(KeyHeader), request_body = AssistantCreate, responses(
    (status = 201, body = AssistantJson), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn create(
    State(state): State<AppState>,
    By(doer): By,
    Body(body): Body<AssistantCreate>,
) -> Result<Response, ApiError> {
    let settings = state.platform.settings.get();
    let draft = Draft {
        name: line(&body.name),
        description: description(body.description),
        instructions: body.instructions,
        model: body.model,
        temperature: body.temperature.unwrap_or(settings.default_temperature),
        max_tokens: body.max_tokens.unwrap_or(settings.default_max_tokens),
        avatar_url: body.avatar_url,
    };
    check(&state, &draft).await?;
    let id = AssistantId::new();
    let deed = doer.does(Action::AssistantCreate, state.platform.clock.now());
    let assistant = state.platform.store.create_assistant(id, draft, deed).await?;
    let location = format!("/api/v1/assistants/{id}");
    let body = tagged(assistant, true);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], body).into_response())
}

/// An empty description is none.
fn description(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

async fn check(state: &AppState, draft: &Draft) -> Result<(), ApiError> {
    let problems = draft.problems();
    if !problems.is_empty() {
        return Err(ApiError::problems(&problems));
    }
    if let Some(model) = &draft.model {
        let (providers, settings) = (&state.platform.providers, state.platform.settings.get());
        if providers.serving(Some(model), &settings).await.is_err() {
            return Err(ApiError::field(
                "model",
                "No provider serves this model. Choose another.",
            ));
        }
    }
    Ok(())
}

/// One assistant.
#[utoipa::path(get, path = "/assistants/{id}", operation_id = "get_assistant", tag = "assistants",
    security(("bearer" = [])), params(("id" = String, Path)), responses(
    (status = 200, body = AssistantJson), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn get(
    State(state): State<AppState>,
    principal: Principal,
    Ids((id,)): Ids<(AssistantId,)>,
) -> Result<Response, ApiError> {
    let found = state.platform.store.find_assistant(id).await?;
    let visible = found.filter(|found| !found.is_deleted || principal.actor.role >= Role::Manager);
    let shows_instructions = shows_instructions(&state, principal.actor.role);
    Ok(tagged(visible.ok_or_else(ApiError::not_found)?, shows_instructions))
}

/// What changes about an assistant; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssistantUpdate {
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 3, max_length = 50, value_type = Option<String>)]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 500, value_type = Option<String>)]
    description: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 20_000, value_type = Option<String>)]
    instructions: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    model: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(minimum = 0, maximum = 2, value_type = Option<f64>)]
    temperature: Option<f64>,
    #[serde(default, deserialize_with = "present")]
    #[schema(minimum = 1, maximum = 32_768, value_type = Option<u32>)]
    max_tokens: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    avatar_url: Option<Option<String>>,
}

impl AssistantUpdate {
    fn merged_into(&self, before: &Draft) -> Draft {
        Draft {
            name: self.name.as_deref().map_or_else(|| before.name.clone(), line),
            description: self
                .description
                .clone()
                .map_or_else(|| before.description.clone(), description),
            instructions: self.instructions.clone().unwrap_or_else(|| before.instructions.clone()),
            model: self.model.clone().unwrap_or_else(|| before.model.clone()),
            temperature: self.temperature.unwrap_or(before.temperature),
            max_tokens: self.max_tokens.unwrap_or(before.max_tokens),
            avatar_url: self.avatar_url.clone().unwrap_or_else(|| before.avatar_url.clone()),
        }
    }
}

/// Changes an assistant.
#[utoipa::path(patch, path = "/assistants/{id}", operation_id = "update_assistant", tag = "assistants",
    security(("bearer" = [])), params(("id" = String, Path), etag::IfMatch),
    request_body = AssistantUpdate, responses((status = 200, body = AssistantJson), (status = 400, body = ErrorBody),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 412, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn update(
    State(state): State<AppState>,
    By(doer): By,
    Ids((id,)): Ids<(AssistantId,)>,
    headers: HeaderMap,
    Body(body): Body<AssistantUpdate>,
) -> Result<Response, ApiError> {
    let store = &state.platform.store;
    loop {
        let found = store.find_assistant(id).await?.ok_or_else(ApiError::not_found)?;
        if found.is_deleted {
            return Err(archived());
        }
        let draft = body.merged_into(&found.draft);
        if draft != found.draft {
            check(&state, &draft).await?;
        }
        etag::expected(&headers, found.version)?;
        if draft == found.draft {
            return Ok(tagged(found, true));
        }
        // Our own version guards the fields that are not being changed: a writer in between must not be undone.
        let guard = Some(found.version);
        let deed = doer.does(Action::AssistantUpdate, state.platform.clock.now());
        match store.update_assistant(id, draft, guard, deed).await? {
            Changed::Stale(_) => {}
            changed => return answer(changed),
        }
    }
}

/// Archives an assistant. Its files and conversations stay.
#[utoipa::path(delete, path = "/assistants/{id}", operation_id = "archive_assistant", tag = "assistants",
    security(("bearer" = [])), params(("id" = String, Path), etag::IfMatch), responses(
    (status = 204), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 412, body = ErrorBody)))]
pub(crate) async fn archive(
    State(state): State<AppState>,
    By(doer): By,
    Ids((id,)): Ids<(AssistantId,)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let store = &state.platform.store;
    let found = store.find_assistant(id).await?.filter(|found| !found.is_deleted);
    let expected = etag::expected(&headers, found.ok_or_else(ApiError::not_found)?.version)?;
    let deed = doer.does(Action::AssistantDelete, state.platform.clock.now());
    answer(store.archive_assistant(id, expected, deed).await?).map(|_| StatusCode::NO_CONTENT)
}

/// Brings an archived assistant back with all its files.
#[utoipa::path(post, path = "/assistants/{id}/restore", operation_id = "restore_assistant", tag = "assistants",
    security(("bearer" = [])), params(("id" = String, Path)), responses(
    (status = 200, body = AssistantJson), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn restore(
    State(state): State<AppState>,
    By(doer): By,
    Ids((id,)): Ids<(AssistantId,)>,
) -> Result<Response, ApiError> {
    let deed = doer.does(Action::AssistantRestore, state.platform.clock.now());
    match state.platform.store.restore_assistant(id, deed).await? {
        Changed::WrongState => Err(ApiError::new(Kind::CONFLICT, "This assistant is not archived.")),
        changed => answer(changed),
    }
}

fn answer(changed: Changed) -> Result<Response, ApiError> {
    match changed {
        Changed::Done(assistant) => Ok(tagged(*assistant, true)),
        Changed::Missing => Err(ApiError::not_found()),
        Changed::WrongState => Err(archived()),
        Changed::Stale(_) => Err(etag::stale()),
    }
}

fn archived() -> ApiError {
    ApiError::new(Kind::CONFLICT, "This assistant is archived. Restore it first.")
}

fn tagged(assistant: Assistant, shows_instructions: bool) -> Response {
    let version = assistant.version;
    etag::tag(version, Json(AssistantJson::new(assistant, shows_instructions)))
}
