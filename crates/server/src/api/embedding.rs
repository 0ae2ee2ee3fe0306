//! The embedding model in use, and its change: what it would take, beginning, progress, calling off.

use across::{
    audit::Action,
    clock::Time,
    knowledge::{
        embedding::{Change, Phase},
        reembed,
    },
    providers::model::EmbeddingModel,
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::{
        stamp,
        words::{ChangePhase, ProviderName},
    },
    auth::{By, Principal},
    error::{ApiError, ErrorBody, Kind},
    input::Body,
    state::AppState,
};

/// Characters of a model's id at most.
const MODEL_MAX: usize = 200;

/// An embedding model.
#[derive(Serialize, ToSchema)]
#[schema(as = EmbeddingModelName)]
pub(crate) struct ModelJson {
    id: String,
    /// How many numbers a vector has.
    dimensions: usize,
}

impl From<EmbeddingModel> for ModelJson {
    fn from(model: EmbeddingModel) -> Self {
        Self {
            id: model.id,
            dimensions: model.dimensions,
        }
    }
}

/// An embedding model that can be chosen.
#[derive(Serialize, ToSchema)]
#[schema(as = EmbeddingModelOffer)]
pub(crate) struct OfferJson {
    id: String,
    dimensions: usize,
    /// Who embeds with it, in the order in which they are asked.
    providers: Vec<ProviderName>,
    /// Dollars for a million tokens where it is asked first.
    price: f64,
    /// It is in use.
    is_current: bool,
}

/// A change of the embedding model.
#[derive(Serialize, ToSchema)]
#[schema(as = EmbeddingChange)]
pub(crate) struct ChangeJson {
    #[schema(format = Uuid)]
    id: String,
    /// The model that is changed to.
    model: ModelJson,
    phase: ChangePhase,
    chunks_total: u64,
    chunks_done: u64,
    /// Seconds to the end at the speed so far; null before anything was embedded and after the end.
    #[schema(required)]
    seconds_left: Option<u64>,
    /// Why it was given up.
    #[schema(required)]
    problem: Option<String>,
    started_at: String,
    #[schema(required)]
    finished_at: Option<String>,
}

impl ChangeJson {
    fn of(change: Change, now: Time) -> Self {
        let left = change.total.saturating_sub(change.done);
        let so_far = (now - change.started_at).num_seconds().max(0).unsigned_abs();
        let is_under_way = change.phase == Phase::Running && change.done > 0;
        Self {
            id: change.id.to_string(),
            model: change.to.into(),
            phase: change.phase.into(),
            chunks_total: change.total,
            chunks_done: change.done,
            seconds_left: is_under_way.then(|| (so_far * left).div_ceil(change.done.max(1))),
            problem: change.problem,
            started_at: stamp(change.started_at),
            finished_at: change.finished_at.map(stamp),
        }
    }
}

/// With what the files are indexed, what else there is, and the latest change.
#[derive(Serialize, ToSchema)]
pub(crate) struct EmbeddingOverview {
    /// The model that the files are indexed with; null before the first file.
    #[schema(required)]
    current: Option<ModelJson>,
    /// Files that can be found.
    files: u64,
    chunks: u64,
    models: Vec<OfferJson>,
    /// The latest change, running or over.
    #[schema(required)]
    change: Option<ChangeJson>,
}

/// With what the files are indexed, what else there is, and the latest change.
#[utoipa::path(get, path = "/admin/embedding", operation_id = "get_embedding", tag = "admin",
    security(("bearer" = [])), responses(
    (status = 200, body = EmbeddingOverview), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn overview(State(state): State<AppState>) -> Result<Json<EmbeddingOverview>, ApiError> {
    let platform = &state.platform;
    let found = reembed::overview(platform).await?;
    let current = found.space.as_deref().and_then(|space| {
        let (id, dimensions) = space.rsplit_once(':')?;
        Some(EmbeddingModel {
            id: id.to_owned(),
            dimensions: dimensions.parse().ok()?,
        })
    });
    let models = found.offered.into_iter().map(|offered| OfferJson {
        is_current: current.as_ref() == Some(&offered.model),
        id: offered.model.id,
        dimensions: offered.model.dimensions,
        providers: offered.providers.into_iter().map(Into::into).collect(),
        price: offered.price.dollars(),
    });
    Ok(Json(EmbeddingOverview {
        models: models.collect(),
        current: current.map(Into::into),
        files: found.volume.files,
        chunks: found.volume.chunks,
        change: found.change.map(|change| ChangeJson::of(change, platform.clock.now())),
    }))
}

/// A model to change to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmbeddingChoice {
    /// Its id. Where models of one id have vectors of several lengths, `id:dimensions` names one.
    #[schema(min_length = 1, max_length = 200)]
    model: String,
}

impl EmbeddingChoice {
    fn model(&self) -> Result<&str, ApiError> {
        let model = self.model.trim();
        if model.is_empty() || model.chars().count() > MODEL_MAX {
            return Err(ApiError::field("model", "This is not a model's id."));
        }
        Ok(model)
    }
}

/// What a change would take.
#[derive(Serialize, ToSchema)]
pub(crate) struct EmbeddingEstimate {
    model: ModelJson,
    files: u64,
    chunks: u64,
    tokens: u64,
    /// Dollars, by the model's price.
    cost: f64,
    /// At the speed that was measured just now.
    seconds: u64,
}

/// What a change would take. A few passages are embedded with the model, metered on who asks: that measures its speed, and
/// shows that it works.
#[utoipa::path(post, path = "/admin/embedding/estimate", operation_id = "estimate_embedding", tag = "admin",
    security(("bearer" = [])), request_body = EmbeddingChoice, responses(
    (status = 200, body = EmbeddingEstimate), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 422, body = ErrorBody), (status = 429, body = ErrorBody), (status = 502, body = ErrorBody)))]
pub(crate) async fn estimate(
    State(state): State<AppState>,
    principal: Principal,
    By(doer): By,
    Body(choice): Body<EmbeddingChoice>,
) -> Result<Json<EmbeddingEstimate>, ApiError> {
    let platform = &state.platform;
    let model = choice.model()?;
    let estimate = reembed::estimate(platform, &principal.actor, model).await;
    let estimate = estimate.map_err(|error| ApiError::embedding(error, platform.clock.now()))?;
    let values = serde_json::json!({
        "model": estimate.model.id, "chunks": estimate.volume.chunks, "cost": estimate.cost.dollars(),
    });
    let deed = doer.does(Action::EmbeddingEstimate, platform.clock.now());
    platform.store.note(deed, None, values.as_object().cloned()).await?;
    Ok(Json(EmbeddingEstimate {
        model: estimate.model.into(),
        files: estimate.volume.files,
        chunks: estimate.volume.chunks,
        tokens: estimate.volume.tokens,
        cost: estimate.cost.dollars(),
        seconds: estimate.time.as_secs_f64().ceil() as u64,
    }))
}

/// Begins to embed every file's text anew with another model. Questions use the old one until all of it is there.
#[utoipa::path(post, path = "/admin/embedding/change", operation_id = "change_embedding", tag = "admin",
    security(("bearer" = [])), request_body = EmbeddingChoice, responses(
    (status = 202, body = ChangeJson), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 422, body = ErrorBody)))]
pub(crate) async fn change(
    State(state): State<AppState>,
    By(doer): By,
    Body(choice): Body<EmbeddingChoice>,
) -> Result<Response, ApiError> {
    let platform = &state.platform;
    let begun = reembed::begin(platform, &doer, choice.model()?).await;
    let now = platform.clock.now();
    let begun = begun.map_err(|error| ApiError::embedding(error, now))?;
    Ok((StatusCode::ACCEPTED, Json(ChangeJson::of(begun, now))).into_response())
}

/// Calls off the running change. Questions go on with the model that they used all the time.
#[utoipa::path(delete, path = "/admin/embedding/change", operation_id = "cancel_embedding_change", tag = "admin",
    security(("bearer" = [])), responses(
    (status = 204), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn cancel(State(state): State<AppState>, By(doer): By) -> Result<StatusCode, ApiError> {
    if reembed::cancel(&state.platform, &doer).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::new(
            Kind::CONFLICT,
            "The embedding model is not being changed.",
        ))
    }
}
