//! The models that can be chatted with.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use across::{
    audit::Action,
    clock::Time,
    money::PriceSource,
    providers::catalog::{Catalog, Offer},
    settings::Settings,
};
use axum::{Json, extract::State};
use chrono::TimeDelta;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    api::{stamp, words::ProviderName},
    auth::By,
    error::{ApiError, ErrorBody, Kind},
    state::AppState,
};

/// Times a minute that providers are asked for their models anew.
const REFRESHES: usize = 6;

/// A model.
#[derive(Serialize, ToSchema)]
#[schema(as = Model)]
pub(crate) struct ModelJson {
    id: String,
    name: String,
    provider: ProviderName,
    #[schema(required)]
    context_length: Option<u32>,
    #[schema(required)]
    max_output_tokens: Option<u32>,
    /// Dollars that are charged for a million tokens of prompts.
    prompt_price: f64,
    /// Dollars that are charged for a million tokens of answers.
    completion_price: f64,
    /// Whether these are the model's prices; else they are the fallback for models whose price nobody knows.
    is_price_known: bool,
    is_default: bool,
}

/// All models, the default first.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelList {
    models: Vec<ModelJson>,
    total: usize,
    /// A provider could not be asked: its models are as last known, or those that it is known to have.
    stale: bool,
    /// When the providers were asked; of several answers, the oldest.
    fetched_at: String,
}

impl ModelList {
    /// What people may use of the catalogue.
    fn of(catalog: &Catalog, settings: &Settings) -> Self {
        let json = |(place, offer): (usize, &Offer)| {
            let tariff = offer.tariff();
            ModelJson {
                id: offer.model.id.clone(),
                name: offer.model.name.clone(),
                provider: offer.model.provider.into(),
                context_length: offer.model.context_length,
                max_output_tokens: offer.model.max_output_tokens,
                prompt_price: tariff.map_or(0.0, |tariff| tariff.price().prompt.dollars()),
                completion_price: tariff.map_or(0.0, |tariff| tariff.price().completion.dollars()),
                is_price_known: tariff.is_some_and(|tariff| tariff.source != PriceSource::Fallback),
                is_default: place == 0,
            }
        };
        let models: Vec<_> = catalog.allowed(settings).into_iter().enumerate().map(json).collect();
        Self {
            total: models.len(),
            models,
            stale: catalog.stale,
            fetched_at: stamp(catalog.fetched_at),
        }
    }
}

/// The models that may be chatted with. Lists older than five minutes are asked for again, but nobody waits for them. A model
/// that several providers serve is on the list once, under its maker's name for it, with the price of who is asked first.
#[utoipa::path(get, path = "/models", operation_id = "list_models", tag = "models",
    security(("bearer" = [])), responses(
    (status = 200, body = ModelList), (status = 401, body = ErrorBody)))]
pub(crate) async fn list(State(state): State<AppState>) -> Json<ModelList> {
    let platform = &state.platform;
    let catalog = platform.providers.catalog().await;
    Json(ModelList::of(&catalog, &platform.settings.get()))
}

/// The models that may be chatted with, asked for now; six times a minute at most.
#[utoipa::path(post, path = "/models/refresh", operation_id = "refresh_models", tag = "models",
    security(("bearer" = [])), responses(
    (status = 200, body = ModelList), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 429, body = ErrorBody)))]
pub(crate) async fn refresh(State(state): State<AppState>, By(doer): By) -> Result<Json<ModelList>, ApiError> {
    let platform = &state.platform;
    let now = platform.clock.now();
    if let Err(wait) = state.model_refreshes.admit(now) {
        return Err(ApiError::new(
            Kind::RATE_LIMIT,
            "The list of models was asked for often enough. Wait a minute.",
        )
        .retry_after(wait));
    }
    let catalog = platform.providers.fresh_catalog().await;
    let values = json!({ "models": catalog.offers().len(), "stale": catalog.stale });
    let deed = doer.does(Action::ModelRefresh, now);
    platform.store.note(deed, None, values.as_object().cloned()).await?;
    Ok(Json(ModelList::of(&catalog, &platform.settings.get())))
}

/// When the list of models was asked for in the last minute.
#[derive(Debug, Default)]
pub struct ModelRefreshes(Mutex<VecDeque<Time>>);

impl ModelRefreshes {
    /// Counts one more, or says in how many seconds there is room for it.
    fn admit(&self, now: Time) -> Result<(), u64> {
        let minute = TimeDelta::minutes(1);
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back leaves times in the future; they are no reason to wait.
        times.retain(|time| (now - *time).abs() < minute);
        match times.front() {
            Some(first) if times.len() >= REFRESHES => {
                let wait = (*first + minute - now).num_seconds();
                Err(u64::try_from(wait).unwrap_or_default().clamp(1, 60))
            }
            _ => {
                times.push_back(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_times_a_minute_and_no_more() {
        let refreshes = ModelRefreshes::default();
        let start: Time = "2026-11-23T12:00:00Z".parse().unwrap();
        for second in 0..6 {
            assert_eq!(refreshes.admit(start + TimeDelta::seconds(second)), Ok(()));
        }
        assert_eq!(refreshes.admit(start + TimeDelta::seconds(10)), Err(50));
        assert_eq!(refreshes.admit(start + TimeDelta::seconds(60)), Ok(()));
        assert!(refreshes.admit(start + TimeDelta::seconds(60)).is_err());
    }
}
