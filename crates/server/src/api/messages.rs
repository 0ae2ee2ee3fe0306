//! Messages: read them, join an answer that is being written.

use across::{
    actor::Actor,
    conversations::{
        conversation::MessageFilter,
        elsewhere::{self, Follower},
        event::Event,
        message::{Citation, Message, State as MessageState},
        reply,
    },
    id::{ConversationId, MessageId},
    money::MicroUsd,
    providers::{chat::Speaker, routing::Failover},
};
use axum::{Json, extract::State, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::{
        ratio, stamp,
        words::{FinishReason, MessageRole, MessageStatus, Retrieval},
    },
    auth::Principal,
    error::{ApiError, ErrorBody},
    input::{Ids, Params, page},
    sse,
    state::AppState,
};

/// A passage that an answer rests on.
#[derive(Serialize, ToSchema)]
#[schema(as = Citation)]
pub(crate) struct CitationJson {
    index: u32,
    #[schema(format = Uuid)]
    file_id: String,
    filename: String,
    chunk_index: u32,
    /// The last chunk that it holds: the same one, unless neighbours were joined.
    last_chunk_index: u32,
    #[schema(required)]
    page: Option<u32>,
    /// Where it begins in the file's extracted text, in characters.
    start: u32,
    /// Where it ends, exclusive.
    end: u32,
    /// Calibrated relevance, 0–1.
    score: f64,
    #[schema(required)]
    cosine: Option<f64>,
    /// The headings it stands under, the outermost first.
    #[schema(required)]
    heading: Option<String>,
    snippet: String,
    /// Its place by meaning, from 1.
    #[schema(required)]
    vector_rank: Option<u32>,
    /// Its place by words, from 1.
    #[schema(required)]
    keyword_rank: Option<u32>,
    /// Its place in both together, from 1; null for answers from before that was kept, like what follows.
    #[schema(required)]
    fused_rank: Option<u32>,
    /// The words of the question that stand in it.
    #[schema(required)]
    matched_words: Option<Vec<String>>,
    /// The relevance that the best passage had to have.
    #[schema(required)]
    threshold: Option<f64>,
}

/// Citations on the wire.
pub(crate) fn citations_json(citations: &[Citation]) -> Vec<CitationJson> {
    let json = |citation: &Citation| CitationJson {
        index: citation.index,
        file_id: citation.file.to_string(),
        filename: citation.filename.clone(),
        chunk_index: citation.chunk_index,
        last_chunk_index: citation.last_chunk_index,
        page: citation.page,
        start: citation.start,
        end: citation.end,
        score: ratio(citation.score),
        cosine: citation.cosine.map(ratio),
        heading: citation.heading.clone(),
        snippet: citation.snippet.clone(),
        vector_rank: citation.why.as_ref().and_then(|why| why.vector_rank),
        keyword_rank: citation.why.as_ref().and_then(|why| why.keyword_rank),
        fused_rank: citation.why.as_ref().map(|why| why.fused_rank),
        matched_words: citation.why.as_ref().map(|why| why.matched_words.clone()),
        threshold: citation.why.as_ref().map(|why| ratio(why.threshold)),
    };
    citations.iter().map(json).collect()
}

/// What went wrong with an answer.
#[derive(Serialize, ToSchema)]
pub(crate) struct MessageError {
    error: String,
    message: String,
}

/// Tokens of an exchange.
#[derive(Serialize, ToSchema)]
#[schema(as = TokensUsed)]
pub(crate) struct TokensUsedJson {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    /// Counted by the platform because the provider did not say.
    estimated: bool,
}

/// A message.
#[derive(Serialize, ToSchema)]
#[schema(as = Message)]
pub(crate) struct MessageJson {
    #[schema(format = Uuid)]
    id: String,
    #[schema(format = Uuid)]
    conversation_id: String,
    #[schema(format = Uuid, required)]
    parent_id: Option<String>,
    sibling_index: u32,
    sibling_count: u32,
    seq: i64,
    role: MessageRole,
    content: String,
    #[schema(required)]
    model: Option<String>,
    #[schema(required)]
    provider: Option<String>,
    status: MessageStatus,
    #[schema(required)]
    error: Option<MessageError>,
    #[schema(required)]
    finish_reason: Option<FinishReason>,
    #[schema(required)]
    tokens_used: Option<TokensUsedJson>,
    /// Dollars; null until it is known.
    #[schema(required)]
    cost_usd: Option<f64>,
    citations: Vec<CitationJson>,
    /// Null unless another provider answered than the one that should have.
    #[schema(required)]
    failover: Option<FailoverJson>,
    /// Null if there were no files to search.
    #[schema(required)]
    retrieval: Option<Retrieval>,
    #[schema(required)]
    edited_at: Option<String>,
    created_at: String,
}

/// Who answered in whose place.
#[derive(Serialize, ToSchema)]
pub(crate) struct FailoverJson {
    from: String,
    to: String,
    /// Why, in a word: auth, no_credit, paused, rate_limited, overloaded, timeout, unreachable, model_gone or failed.
    reason: String,
    /// How much more it costs, in percent; null if that is not known.
    #[schema(required)]
    extra_cost_percent: Option<i32>,
}

impl From<Failover> for FailoverJson {
    fn from(failover: Failover) -> Self {
        Self {
            from: failover.from,
            to: failover.to,
            reason: failover.reason,
            extra_cost_percent: failover.extra_cost_percent,
        }
    }
}

impl From<Message> for MessageJson {
    fn from(message: Message) -> Self {
        Self {
            id: message.id.to_string(),
            conversation_id: message.conversation.to_string(),
            parent_id: message.parent.map(|parent| parent.to_string()),
            sibling_index: message.sibling_index,
            sibling_count: message.sibling_count,
            seq: message.seq,
            role: message.speaker.into(),
            content: message.content,
            model: message.model,
            provider: message.provider,
            status: message.state.into(),
            error: message.error.map(|(error, message)| MessageError { error, message }),
            finish_reason: message.finish_reason.as_deref().map(Into::into),
            cost_usd: message.tokens.and_then(|tokens| tokens.cost).map(MicroUsd::dollars),
            tokens_used: message.tokens.map(|tokens| TokensUsedJson {
                prompt_tokens: tokens.prompt,
                completion_tokens: tokens.completion,
                total_tokens: tokens.prompt + tokens.completion,
                estimated: tokens.estimated,
            }),
            citations: citations_json(&message.citations),
            failover: message.failover.map(Into::into),
            retrieval: message.retrieval.map(Into::into),
            edited_at: message.edited_at.map(stamp),
            created_at: stamp(message.created_at),
        }
    }
}

/// A page of messages.
#[derive(Serialize, ToSchema)]
pub(crate) struct MessageList {
    messages: Vec<MessageJson>,
    total: u64,
}

/// Which messages.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    #[param(minimum = 0, maximum = 100_000)]
    offset: Option<i64>,
    /// asc (default) or desc.
    order: Option<String>,
    /// Messages of all branches, not only of the active path.
    all_branches: Option<bool>,
}

/// The messages of the active path, in order.
#[utoipa::path(get, path = "/conversations/{id}/messages", operation_id = "list_messages", tag = "messages",
    security(("bearer" = [])),
    params(("id" = String, Path), ListQuery), responses((status = 200, body = MessageList), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn list(
    State(state): State<AppState>,
    principal: Principal,
    Ids((id,)): Ids<(ConversationId,)>,
    Params(query): Params<ListQuery>,
) -> Result<Json<MessageList>, ApiError> {
    let descending = match query.order.as_deref() {
        None | Some("asc") => false,
        Some("desc") => true,
        Some(_) => return Err(ApiError::field("order", "The order is asc or desc.")),
    };
    let filter = MessageFilter {
        all_branches: query.all_branches.unwrap_or_default(),
        descending,
    };
    let page = page(query.limit, query.offset, 50, 200)?;
    let found = state
        .platform
        .store
        .list_messages(principal.actor.user, id, filter, page)
        .await?;
    let found = found.ok_or_else(ApiError::not_found)?;
    Ok(Json(MessageList {
        messages: found.items.into_iter().map(Into::into).collect(),
        total: found.total,
    }))
}

/// One message; while it is being written, its text so far.
#[utoipa::path(get, path = "/conversations/{id}/messages/{mid}", operation_id = "get_message", tag = "messages",
    security(("bearer" = [])),
    params(("id" = String, Path), ("mid" = String, Path)), responses((status = 200, body = MessageJson), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody)))]
pub(crate) async fn get(
    State(state): State<AppState>,
    principal: Principal,
    Ids((id, mid)): Ids<(ConversationId, MessageId)>,
) -> Result<Json<MessageJson>, ApiError> {
    let found = state.platform.store.find_message(principal.actor.user, id, mid).await?;
    Ok(Json(found.ok_or_else(ApiError::not_found)?.into()))
}

/// An answer and its question.
pub(crate) async fn exchange(
    state: &AppState,
    actor: Actor,
    conversation: ConversationId,
    answer: MessageId,
) -> Result<(Message, Message), ApiError> {
    let store = &state.platform.store;
    let found = store.find_message(actor.user, conversation, answer).await?;
    let answer = found
        .filter(|found| found.speaker == Speaker::Assistant)
        .ok_or_else(ApiError::not_found)?;
    let question = match answer.parent {
        Some(parent) => store.find_message(actor.user, conversation, parent).await?,
        None => None,
    };
    Ok((question.ok_or_else(ApiError::not_found)?, answer))
}

/// The events of an answer as far as it is recorded.
pub(crate) fn told(question: &Message, answer: &Message) -> Vec<Event> {
    let mut events = reply::opening(question, answer);
    if !answer.content.is_empty() {
        events.push(Event::Chunk(answer.content.clone()));
    }
    events.extend(elsewhere::ending(answer));
    events
}

/// Joins an answer: everything so far, then the rest as it is written. A finished one is told again.
#[utoipa::path(get, path = "/conversations/{id}/messages/{mid}/stream", operation_id = "stream_message",
    tag = "messages", security(("bearer" = [])),
    params(("id" = String, Path), ("mid" = String, Path)), responses(
    (status = 200, description = "As POST messages", content_type = "text/event-stream"), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody)))]
pub(crate) async fn stream(
    State(state): State<AppState>,
    principal: Principal,
    Ids((id, mid)): Ids<(ConversationId, MessageId)>,
) -> Result<Response, ApiError> {
    let actor = principal.actor;
    // Reached only through its conversation's row with this owner, never by an id alone.
    exchange(&state, actor, id, mid).await?;
    if let Some(reader) = state.platform.live.join(mid) {
        return Ok(sse::stream(state, actor, mid, &[], Some(reader)));
    }
    // Not written here: it has ended meanwhile, or another process writes it.
    let (question, answer) = exchange(&state, actor, id, mid).await?;
    let so_far = told(&question, &answer);
    if answer.state != MessageState::Streaming {
        return Ok(sse::stream(state, actor, mid, &so_far, None));
    }
    let platform = &state.platform;
    let follower = Follower::new(platform.store.clone(), platform.stopping.clone(), actor.user, answer);
    Ok(sse::follow(state, actor, mid, &so_far, follower))
}
