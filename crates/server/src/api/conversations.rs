//! A person's conversations: list, start, read, rename, delete, stop.

use across::{
    conversations::conversation::{Conversation, Created, Filter, TITLE_MAX},
    id::{ConversationId, MessageId},
};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::{assistants::search_term, stamp},
    auth::Principal,
    error::{ApiError, ErrorBody},
    idempotency::KeyHeader,
    input::{Body, Ids, Params, checked_line, id_field, page, present},
    state::AppState,
};

/// A conversation.
#[derive(Serialize, ToSchema)]
#[schema(as = Conversation)]
pub(crate) struct ConversationJson {
    #[schema(format = Uuid)]
    id: String,
    #[schema(format = Uuid)]
    assistant_id: String,
    assistant_name: String,
    /// The assistant was archived: the conversation can be read only.
    assistant_deleted: bool,
    title: String,
    message_count: u64,
    #[schema(required)]
    last_message_at: Option<String>,
    /// An answer is being written in it.
    is_generating: bool,
    #[schema(format = Uuid, required)]
    head_message_id: Option<String>,
    /// Dollars that all calls made for it cost; null in lists, which do not count it.
    #[schema(required)]
    cost_usd: Option<f64>,
    created_at: String,
    updated_at: String,
}

impl From<Conversation> for ConversationJson {
    fn from(conversation: Conversation) -> Self {
        Self {
            id: conversation.id.to_string(),
            assistant_id: conversation.assistant.to_string(),
            assistant_name: conversation.assistant_name,
            assistant_deleted: conversation.assistant_deleted,
            title: conversation.title,
            message_count: conversation.message_count,
            last_message_at: conversation.last_message_at.map(stamp),
            is_generating: conversation.generating.is_some(),
            head_message_id: conversation.head.map(|head| head.to_string()),
            cost_usd: None,
            created_at: stamp(conversation.created_at),
            updated_at: stamp(conversation.updated_at),
        }
    }
}

/// A conversation with what it cost so far.
pub(crate) async fn with_cost(
    state: &AppState,
    conversation: Conversation,
) -> Result<Json<ConversationJson>, ApiError> {
    let store = &state.platform.store;
    let cost = store.conversation_cost(conversation.owner, conversation.id).await?;
    Ok(Json(ConversationJson {
        cost_usd: Some(cost.dollars()),
        ..conversation.into()
    }))
}

/// A page of conversations.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConversationList {
    conversations: Vec<ConversationJson>,
    total: u64,
}

/// Which conversations.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// With this assistant only.
    assistant_id: Option<String>,
    /// In the title, in any case.
    #[param(max_length = 100)]
    search: Option<String>,
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    #[param(minimum = 0, maximum = 100_000)]
    offset: Option<i64>,
}

/// One's own, newest activity first.
#[utoipa::path(get, path = "/conversations", operation_id = "list_conversations", tag = "conversations",
    security(("bearer" = [])), params(ListQuery), responses(
    (status = 200, body = ConversationList), (status = 401, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn list(
    State(state): State<AppState>,
    principal: Principal,
    Params(query): Params<ListQuery>,
) -> Result<Json<ConversationList>, ApiError> {
    let assistant = query.assistant_id.map(|id| id_field("assistant_id", &id)).transpose()?;
    let filter = Filter {
        assistant,
        search: search_term(query.search)?,
    };
    let page = page(query.limit, query.offset, 20, 100)?;
    let found = state
        .platform
        .store
        .list_conversations(principal.actor.user, &filter, page)
        .await?;
    Ok(Json(ConversationList {
        conversations: found.items.into_iter().map(Into::into).collect(),
        total: found.total,
    }))
}

/// A new conversation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConversationCreate {
    #[schema(format = Uuid)]
    assistant_id: String,
    /// Made from the first message if absent.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 200, value_type = Option<String>)]
    title: Option<String>,
}

/// Starts a conversation.
#[utoipa::path(post, path = "/conversations", operation_id = "create_conversation", tag = "conversations",
    security(("bearer" = [])), params(KeyHeader), request_body = ConversationCreate, responses(
    (status = 201, body = ConversationJson), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn create(
    State(state): State<AppState>,
    principal: Principal,
    Body(body): Body<ConversationCreate>,
) -> Result<Response, ApiError> {
    let assistant = id_field("assistant_id", &body.assistant_id)?;
    let title = body
        .title
        .map(|title| checked_line("title", &title, 1..=TITLE_MAX))
        .transpose()?
        .unwrap_or_default();
    let id = ConversationId::new();
    let now = state.platform.clock.now();
    match state
        .platform
        .store
        .create_conversation(id, principal.actor.user, assistant, &title, now)
        .await?
    {
        Created::Yes(conversation) => {
            let location = format!("/api/v1/conversations/{id}");
            let body = with_cost(&state, *conversation).await?;
            Ok((StatusCode::CREATED, [(header::LOCATION, location)], body).into_response())
        }
        Created::NoAssistant => Err(ApiError::not_found()),
        Created::TooMany => Err(ApiError::too_many_conversations()),
    }
}

/// One conversation.
#[utoipa::path(get, path = "/conversations/{id}", operation_id = "get_conversation", tag = "conversations",
    security(("bearer" = [])), params(("id" = String, Path)), responses(
    (status = 200, body = ConversationJson), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn get(
    State(state): State<AppState>,
    principal: Principal,
    Ids((id,)): Ids<(ConversationId,)>,
) -> Result<Json<ConversationJson>, ApiError> {
    let found = state.platform.store.find_conversation(principal.actor.user, id).await?;
    with_cost(&state, found.ok_or_else(ApiError::not_found)?).await
}

/// What changes about a conversation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConversationUpdate {
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 200, value_type = Option<String>)]
    title: Option<String>,
}

/// Renames a conversation.
#[utoipa::path(patch, path = "/conversations/{id}", operation_id = "rename_conversation", tag = "conversations",
    security(("bearer" = [])), params(("id" = String, Path)),
    request_body = ConversationUpdate, responses((status = 200, body = ConversationJson), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn rename(
    State(state): State<AppState>,
    principal: Principal,
    Ids((id,)): Ids<(ConversationId,)>,
    Body(body): Body<ConversationUpdate>,
) -> Result<Json<ConversationJson>, ApiError> {
    let (store, owner) = (&state.platform.store, principal.actor.user);
    let changed = match body.title {
        Some(title) => {
            let title = checked_line("title", &title, 1..=TITLE_MAX)?;
            store
                .rename_conversation(owner, id, &title, state.platform.clock.now())
                .await?
        }
        None => store.find_conversation(owner, id).await?,
    };
    with_cost(&state, changed.ok_or_else(ApiError::not_found)?).await
}

/// Deletes a conversation; an answer being written in it is ended first.
#[utoipa::path(delete, path = "/conversations/{id}", operation_id = "delete_conversation", tag = "conversations",
    security(("bearer" = [])), params(("id" = String, Path)), responses(
    (status = 204), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn delete(
    State(state): State<AppState>,
    principal: Principal,
    Ids((id,)): Ids<(ConversationId,)>,
) -> Result<StatusCode, ApiError> {
    let (platform, owner) = (&state.platform, principal.actor.user);
    let running = platform
        .store
        .request_stop(owner, id, None)
        .await?
        .ok_or_else(ApiError::not_found)?;
    if !platform.store.delete_conversation(owner, id).await? {
        return Err(ApiError::not_found());
    }
    for message in running {
        platform.live.stop(message);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Which answer ends.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stop {
    /// This one only, if it is still being written.
    #[serde(default, deserialize_with = "present")]
    #[schema(format = Uuid, value_type = Option<String>)]
    message_id: Option<String>,
}

/// Whether anything was ended.
#[derive(Serialize, ToSchema)]
pub(crate) struct Stopped {
    stopped: bool,
}

/// Ends the answer being written; its text so far is kept.
#[utoipa::path(post, path = "/conversations/{id}/stop", operation_id = "stop_answer", tag = "conversations",
    security(("bearer" = [])), params(("id" = String, Path)),
    request_body = Stop, responses((status = 200, body = Stopped), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 422, body = ErrorBody)))]
pub(crate) async fn stop(
    State(state): State<AppState>,
    principal: Principal,
    Ids((id,)): Ids<(ConversationId,)>,
    Body(body): Body<Stop>,
) -> Result<Json<Stopped>, ApiError> {
    let message: Option<MessageId> = body.message_id.map(|id| id_field("message_id", &id)).transpose()?;
    let platform = &state.platform;
    let asked = platform
        .store
        .request_stop(principal.actor.user, id, message)
        .await?
        .ok_or_else(ApiError::not_found)?;
    for message in &asked {
        // Written here, it ends at once; written by another process, that one reads the request within a second.
        platform.live.stop(*message);
    }
    Ok(Json(Stopped {
        stopped: !asked.is_empty(),
    }))
}
