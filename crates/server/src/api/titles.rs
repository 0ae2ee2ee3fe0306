//! A conversation's title, made by a model because its owner asks for it.

use across::{
    clock::Time,
    conversations::title::{self, SuggestError, TitleError},
    id::ConversationId,
    providers::failure::Category,
};
use axum::{Json, extract::State};

use crate::{
    api::conversations::{self, ConversationJson},
    auth::Principal,
    error::{ApiError, ErrorBody, Kind},
    input::Ids,
    state::AppState,
};

/// Gives the conversation a title made by a model; the call counts towards quotas.
#[utoipa::path(post, path = "/conversations/{id}/title", operation_id = "title_conversation", tag = "conversations",
    security(("bearer" = [])), params(("id" = String, Path)), responses((status = 200, body = ConversationJson),
    (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 429, body = ErrorBody), (status = 502, body = ErrorBody), (status = 503, body = ErrorBody),
    (status = 504, body = ErrorBody)))]
pub(crate) async fn suggest(
    State(state): State<AppState>,
    principal: Principal,
    Ids((id,)): Ids<(ConversationId,)>,
) -> Result<Json<ConversationJson>, ApiError> {
    let titled = title::suggest(&state.platform, principal.actor, id).await;
    let titled = titled.map_err(|error| refusal(error, state.platform.clock.now()))?;
    conversations::with_cost(&state, titled).await
}

fn refusal(error: SuggestError, now: Time) -> ApiError {
    let cause = error.to_string();
    match error {
        SuggestError::Missing => ApiError::not_found(),
        SuggestError::Silent => ApiError::new(
            Kind::CONFLICT,
            "Nothing was said in this chat yet. Ask something first.",
        ),
        SuggestError::Title(TitleError::NoModel) => ApiError::new(
            Kind::UNAVAILABLE,
            "No model is available right now. Ask an administrator.",
        )
        .because(cause),
        SuggestError::Title(TitleError::Refused(quota)) => ApiError::quota(&quota, now),
        SuggestError::Title(TitleError::TimedOut) => timed_out(),
        SuggestError::Title(TitleError::Provider(error)) if error.category == Category::Timeout => timed_out(),
        SuggestError::Title(TitleError::Provider(_) | TitleError::Empty) => ApiError::new(
            Kind::PROVIDER,
            "The model gave no title. The chat keeps the one it has.",
        )
        .because(cause),
        SuggestError::Title(TitleError::Store(error)) => error.into(),
    }
}

fn timed_out() -> ApiError {
    ApiError::new(
        Kind::PROVIDER_TIMEOUT,
        "The model took too long for a title. The chat keeps the one it has.",
    )
}
