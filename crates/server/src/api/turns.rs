//! Whatever is answered: a new question, one in other words, the same one once more, an answer that goes on. The answer comes
//! as a stream of events, or in one piece once it is complete.

use across::{
    actor::Actor,
    conversations::{
        asking::Asked,
        event::{Event, Failure, FailureKind},
        message::Message,
        reply::{self, Turn},
    },
    id::{ConversationId, MessageId},
    replay::Answer,
};
use axum::{
    Json,
    extract::{FromRequest as _, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use crate::{
    api::messages::{MessageJson, exchange, told},
    auth::Principal,
    error::{ApiError, ErrorBody},
    idempotency::{self, Claimed, KeyHeader},
    input::{Body, Ids, present},
    middleware::as_this_request,
    sse,
    state::AppState,
};

/// A question.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageCreate {
    /// At most as many characters as the setting `message_max_chars` says.
    #[schema(min_length = 1, max_length = 200_000)]
    content: String,
    /// A model's id, instead of the assistant's.
    #[serde(default)]
    model: Option<String>,
    /// Answer as a stream of events; wins over the Accept header.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<bool>)]
    stream: Option<bool>,
}

/// By whom a question is answered once more.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Regenerate {
    /// A model's id, instead of the assistant's.
    #[serde(default)]
    model: Option<String>,
    /// Answer as a stream of events; wins over the Accept header.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<bool>)]
    stream: Option<bool>,
}

/// How an answer goes on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Continue {
    /// Answer as a stream of events; wins over the Accept header.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<bool>)]
    stream: Option<bool>,
}

/// Question and answer, once the answer is complete.
#[derive(Serialize, ToSchema)]
pub(crate) struct Exchange {
    user_message: MessageJson,
    assistant_message: MessageJson,
}

/// Sends a message and answers it: as a stream of events, or in one piece.
#[utoipa::path(post, path = "/conversations/{id}/messages", operation_id = "send_message", tag = "messages",
    security(("bearer" = [])), params(("id" = String, Path), KeyHeader),
    request_body = MessageCreate, responses(
    (status = 200, description = "The answer as it is written, one JSON object per data line", content_type = "text/event-stream"),
    (status = 201, body = Exchange), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody),
    (status = 429, body = ErrorBody), (status = 502, body = ErrorBody), (status = 503, body = ErrorBody), (status = 504, body = ErrorBody)))]
pub(crate) async fn send(
    State(state): State<AppState>,
    principal: Principal,
    Ids((id,)): Ids<(ConversationId,)>,
    request: Request,
) -> Result<Response, ApiError> {
    answer(&state, principal.actor, id, request, |body: MessageCreate| {
        Ok(Wanted {
            stream: body.stream,
            asked: Asked::Next {
                content: checked_content(&state, body.content)?,
                model: body.model,
            },
        })
    })
    .await
}

/// Asks a question in other words: it stands beside the old one, becomes active and is answered.
#[utoipa::path(post, path = "/conversations/{id}/messages/{mid}/edit", operation_id = "edit_message", tag = "messages",
    security(("bearer" = [])), params(("id" = String, Path), ("mid" = String, Path), KeyHeader),
    request_body = MessageCreate, responses(
    (status = 200, description = "As POST messages", content_type = "text/event-stream"),
    (status = 201, body = Exchange), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody),
    (status = 429, body = ErrorBody), (status = 502, body = ErrorBody), (status = 503, body = ErrorBody), (status = 504, body = ErrorBody)))]
pub(crate) async fn edit(
    State(state): State<AppState>,
    principal: Principal,
    Ids((id, mid)): Ids<(ConversationId, MessageId)>,
    request: Request,
) -> Result<Response, ApiError> {
    answer(&state, principal.actor, id, request, |body: MessageCreate| {
        Ok(Wanted {
            stream: body.stream,
            asked: Asked::Edit {
                question: mid,
                content: checked_content(&state, body.content)?,
                model: body.model,
            },
        })
    })
    .await
}

/// Answers a question once more: the new answer stands beside the others and becomes active. Of a question only if it has none.
#[utoipa::path(post, path = "/conversations/{id}/messages/{mid}/regenerate", operation_id = "regenerate_message",
    tag = "messages",
    security(("bearer" = [])), params(("id" = String, Path), ("mid" = String, Path), KeyHeader),
    request_body = Regenerate, responses(
    (status = 200, description = "As POST messages", content_type = "text/event-stream"),
    (status = 201, body = Exchange), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody),
    (status = 429, body = ErrorBody), (status = 502, body = ErrorBody), (status = 503, body = ErrorBody), (status = 504, body = ErrorBody)))]
pub(crate) async fn regenerate(
    State(state): State<AppState>,
    principal: Principal,
    Ids((id, mid)): Ids<(ConversationId, MessageId)>,
    request: Request,
) -> Result<Response, ApiError> {
    answer(&state, principal.actor, id, request, |body: Regenerate| {
        Ok(Wanted {
            stream: body.stream,
            asked: Asked::Regenerate {
                message: mid,
                model: body.model,
            },
        })
    })
    .await
}

/// Goes on in place with an answer that was stopped, interrupted or cut at the length limit.
#[utoipa::path(post, path = "/conversations/{id}/messages/{mid}/continue", operation_id = "continue_message",
    tag = "messages",
    security(("bearer" = [])), params(("id" = String, Path), ("mid" = String, Path), KeyHeader),
    request_body = Continue, responses(
    (status = 200, description = "As POST messages; the first chunk holds all the text so far", content_type = "text/event-stream"),
    (status = 201, body = Exchange), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody),
    (status = 429, body = ErrorBody), (status = 502, body = ErrorBody), (status = 503, body = ErrorBody), (status = 504, body = ErrorBody)))]
pub(crate) async fn go_on(
    State(state): State<AppState>,
    principal: Principal,
    Ids((id, mid)): Ids<(ConversationId, MessageId)>,
    request: Request,
) -> Result<Response, ApiError> {
    answer(&state, principal.actor, id, request, |body: Continue| {
        Ok(Wanted {
            stream: body.stream,
            asked: Asked::Continue { answer: mid },
        })
    })
    .await
}

/// What a request asks for.
struct Wanted {
    asked: Asked,
    stream: Option<bool>,
}

impl Wanted {
    /// What makes it another request at the same address, whatever way the answer is to come.
    fn fingerprint(&self) -> Vec<u8> {
        let (model, content) = match &self.asked {
            Asked::Next { content, model } | Asked::Edit { content, model, .. } => (model.as_deref(), content.as_str()),
            Asked::Regenerate { model, .. } => (model.as_deref(), ""),
            Asked::Continue { .. } => (None, ""),
        };
        [model.unwrap_or_default().as_bytes(), content.as_bytes()].join(&0)
    }
}

/// The words of a message, if they may be one.
pub(crate) fn checked_content(state: &AppState, content: String) -> Result<String, ApiError> {
    let most = state.platform.settings.get().message_max_chars;
    let chars = content.chars().count();
    if chars > usize::try_from(most).unwrap_or(usize::MAX) || content.trim().is_empty() {
        return Err(ApiError::field(
            "content",
            format!("A message has 1 to {most} characters."),
        ));
    }
    Ok(content)
}

/// Answers what a request's body asks for, once if the request may be sent twice.
async fn answer<T: DeserializeOwned>(
    state: &AppState,
    actor: Actor,
    conversation: ConversationId,
    request: Request,
    read: impl FnOnce(T) -> Result<Wanted, ApiError>,
) -> Result<Response, ApiError> {
    let key = idempotency::request_key(request.headers(), actor, request.method(), request.uri().path())?;
    let accept = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    let accepts_stream = accept.is_some_and(|accept| accept.contains("text/event-stream"));
    let Body(body) = Body::<T>::from_request(request, &()).await?;
    let wanted = read(body)?;
    let wants_stream = wanted.stream.unwrap_or(accepts_stream);
    let claim = match key {
        Some(key) => match idempotency::claim(state, key.clone(), &wanted.fingerprint()).await? {
            Claimed::Fresh(claim) => Some(claim),
            Claimed::Done(Answer {
                message: Some(answer), ..
            }) => {
                let told = told_again(state, actor, conversation, answer, wants_stream).await;
                return Ok(idempotency::mark(told?));
            }
            Claimed::Done(answer) => return Ok(idempotency::replayed(state, &key, answer)),
        },
        None => None,
    };
    // The turn begins in a task of its own: a client that goes away must not leave it begun and its key unanswered.
    let begin = {
        let state = state.clone();
        as_this_request(async move {
            let platform = &state.platform;
            let request = claim.as_ref().map(|claim| claim.request().clone());
            let begun = reply::begin(platform, actor, conversation, wanted.asked, request).await;
            let begun = begun.map_err(|error| ApiError::reply(error, platform.clock.now()));
            match (claim, begun) {
                (Some(claim), Err(refusal)) => Err(claim.keep(refusal.into_response()).await),
                (_, begun) => begun.map_err(ApiError::into_response),
            }
        })
    };
    let begun = state.platform.tasks.spawn(begin).await;
    let begun = begun.map_err(|error| ApiError::internal(format!("the beginning of an answer broke off: {error}")))?;
    let turn = match begun {
        Ok(turn) => turn,
        Err(refusal) => return Ok(refusal),
    };
    if wants_stream {
        return Ok(sse::stream(
            state.clone(),
            actor,
            turn.answer.id,
            &[],
            Some(turn.reader),
        ));
    }
    whole(state, actor, turn).await
}

/// The answer to a question that was sent before, in the way that is wanted now.
async fn told_again(
    state: &AppState,
    actor: Actor,
    conversation: ConversationId,
    answer: MessageId,
    wants_stream: bool,
) -> Result<Response, ApiError> {
    let (question, answer) = exchange(state, actor, conversation, answer).await?;
    match reply::closing(&answer) {
        None => Err(ApiError::in_progress(Some(answer.id))),
        Some(_) if wants_stream => Ok(sse::stream(
            state.clone(),
            actor,
            answer.id,
            &told(&question, &answer),
            None,
        )),
        Some(Event::Failed(failure)) => Ok(ApiError::from(failure).into_response()),
        Some(_) => Ok(exchanged(question, answer)),
    }
}

fn exchanged(question: Message, answer: Message) -> Response {
    let exchange = Exchange {
        user_message: question.into(),
        assistant_message: answer.into(),
    };
    (StatusCode::CREATED, Json(exchange)).into_response()
}

/// Waits for the answer's end.
async fn whole(state: &AppState, actor: Actor, mut turn: Turn) -> Result<Response, ApiError> {
    let mut last = None;
    while let Some(event) = turn.reader.next().await {
        last = Some(event);
    }
    match last {
        Some(Event::Done { .. }) => {
            // Not found if it was deleted by its owner in the same moment.
            let (_, answer) = exchange(state, actor, turn.answer.conversation, turn.answer.id).await?;
            Ok(exchanged(turn.question, answer))
        }
        Some(Event::Failed(failure)) => Err(failure.into()),
        _ => Err(lost(turn.answer.id).into()),
    }
}

fn lost(message: MessageId) -> Failure {
    Failure {
        kind: FailureKind::Internal,
        sentence: "The answer was lost. Your question is kept.".into(),
        retryable: true,
        message,
        has_text: false,
    }
}
