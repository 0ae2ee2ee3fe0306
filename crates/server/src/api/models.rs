//! The models that can be chatted with.

use across::providers::model::Model;
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{api::stamp, error::ErrorBody, state::AppState};

/// A model.
#[derive(Serialize, ToSchema)]
#[schema(as = Model)]
pub(crate) struct ModelJson {
    id: String,
    name: String,
    provider: &'static str,
    #[schema(required)]
    context_length: Option<u32>,
    #[schema(required)]
    max_output_tokens: Option<u32>,
    is_default: bool,
}

/// All models, the default first.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelList {
    models: Vec<ModelJson>,
    total: usize,
    /// A provider could not be asked; its models are as last known.
    stale: bool,
    fetched_at: String,
}

/// The models that can be chatted with, at most five minutes old.
#[utoipa::path(get, path = "/models", operation_id = "list_models", tag = "models",
    security(("bearer" = [])), responses(
    (status = 200, body = ModelList), (status = 401, body = ErrorBody)))]
pub(crate) async fn list(State(state): State<AppState>) -> Json<ModelList> {
    let catalog = state.platform.providers.catalog().await;
    let json = |(place, model): (usize, Model)| ModelJson {
        id: model.id,
        name: model.name,
        provider: model.provider.as_str(),
        context_length: model.context_length,
        max_output_tokens: model.max_output_tokens,
        is_default: place == 0,
    };
    let models: Vec<_> = catalog.models.into_iter().enumerate().map(json).collect();
    Json(ModelList {
        total: models.len(),
        models,
        stale: catalog.stale,
        fetched_at: stamp(catalog.fetched_at),
    })
}
