//! The tree of a conversation: which branch is active, a copy of a path, and corrections in place.

use across::{
    conversations::tree::{Corrected, Fork, Forked},
    id::{ConversationId, MessageId},
};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    api::{
        conversations::{self, ConversationJson},
        messages::MessageJson,
        turns::checked_content,
    },
    auth::Principal,
    error::{ApiError, ErrorBody},
    idempotency::KeyHeader,
    input::{Body, Ids, id_field},
    state::AppState,
};

/// A message of the conversation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageChoice {
    #[schema(format = Uuid)]
    message_id: String,
}

/// Makes another branch active: the newest message below the one that is named becomes the head.
#[utoipa::path(put, path = "/conversations/{id}/head", operation_id = "move_head", tag = "conversations",
    security(("bearer" = [])), params(("id" = String, Path)), request_body = MessageChoice, responses(
    (status = 200, body = ConversationJson), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 422, body = ErrorBody)))]
pub(crate) async fn move_head(
    State(state): State<AppState>,
    principal: Principal,
    Ids((id,)): Ids<(ConversationId,)>,
    Body(body): Body<MessageChoice>,
) -> Result<Json<ConversationJson>, ApiError> {
    let message = id_field("message_id", &body.message_id)?;
    let (owner, now) = (principal.actor.user, state.platform.clock.now());
    let moved = state.platform.store.move_head(owner, id, message, now).await?;
    conversations::with_cost(&state, moved.ok_or_else(ApiError::not_found)?).await
}

/// Copies the path up to a message into a new conversation.
#[utoipa::path(post, path = "/conversations/{id}/fork", operation_id = "fork_conversation", tag = "conversations",
    security(("bearer" = [])), params(("id" = String, Path), KeyHeader), request_body = MessageChoice, responses(
    (status = 201, body = ConversationJson), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody),
    (status = 415, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn fork(
    State(state): State<AppState>,
    principal: Principal,
    Ids((id,)): Ids<(ConversationId,)>,
    Body(body): Body<MessageChoice>,
) -> Result<Response, ApiError> {
    let fork = Fork {
        owner: principal.actor.user,
        from: id,
        upto: id_field("message_id", &body.message_id)?,
        id: ConversationId::new(),
        at: state.platform.clock.now(),
    };
    match state.platform.store.fork_conversation(fork).await? {
        Forked::Yes(conversation) => {
            let location = format!("/api/v1/conversations/{}", conversation.id);
            let body = conversations::with_cost(&state, *conversation).await?;
            Ok((StatusCode::CREATED, [(header::LOCATION, location)], body).into_response())
        }
        Forked::Missing => Err(ApiError::not_found()),
        Forked::AssistantDeleted => Err(ApiError::assistant_deleted()),
        Forked::Busy(answer) => Err(ApiError::being_answered(answer)),
        Forked::TooMany => Err(ApiError::too_many_conversations()),
    }
}

/// What a message says instead.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Correction {
    /// At most as many characters as the setting `message_max_chars` says.
    #[schema(min_length = 1, max_length = 200_000)]
    content: String,
}

/// Corrects the words of a message in place, one's own or the assistant's.
#[utoipa::path(patch, path = "/conversations/{id}/messages/{mid}", operation_id = "correct_message", tag = "messages",
    security(("bearer" = [])), params(("id" = String, Path), ("mid" = String, Path)), request_body = Correction, responses(
    (status = 200, body = MessageJson), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody),
    (status = 415, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn correct(
    State(state): State<AppState>,
    principal: Principal,
    Ids((id, mid)): Ids<(ConversationId, MessageId)>,
    Body(body): Body<Correction>,
) -> Result<Json<MessageJson>, ApiError> {
    let content = checked_content(&state, body.content)?;
    let (owner, now) = (principal.actor.user, state.platform.clock.now());
    let corrected = state
        .platform
        .store
        .correct_message(owner, id, mid, content, now)
        .await?;
    match corrected {
        Corrected::Yes(message) => Ok(Json((*message).into())),
        Corrected::Missing => Err(ApiError::not_found()),
        Corrected::AssistantDeleted => Err(ApiError::assistant_deleted()),
        Corrected::Busy => Err(ApiError::being_answered(mid)),
    }
}
