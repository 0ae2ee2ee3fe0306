//! Reading and changing what administrators set while the platform runs.

use std::collections::BTreeMap;

use across::{
    actor::Role,
    audit::Action,
    providers::registry::Providers,
    settings::{Changed, Changes, MAX_CHANGES, PUBLIC, Settings},
};
use axum::{Json, extract::State, http::HeaderMap, response::Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    auth::{By, Principal},
    error::{ApiError, ErrorBody, Kind},
    etag::{self, IfMatch, tag},
    input::Body,
    state::AppState,
};

/// Settings by key.
#[derive(Serialize, ToSchema)]
#[schema(as = Settings)]
pub(crate) struct SettingsJson {
    #[schema(value_type = BTreeMap<String, Value>)]
    settings: Map<String, Value>,
    /// What each goes back to; for administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = BTreeMap<String, Value>, required = false)]
    defaults: Option<Map<String, Value>>,
    total: u64,
}

fn shown(settings: &Settings, role: Role, revision: i64) -> Response {
    let mut values = settings.values();
    let defaults = (role >= Role::Admin).then(|| Settings::default().values());
    if defaults.is_none() {
        values.retain(|key, _| PUBLIC.contains(&key.as_str()));
    }
    let body = SettingsJson {
        total: values.len() as u64,
        settings: values,
        defaults,
    };
    tag(revision, Json(body))
}

/// The settings: all for administrators, for others those that the pages need.
#[utoipa::path(get, path = "/settings", operation_id = "get_settings", tag = "settings", security(("bearer" = [])),
    responses((status = 200, body = SettingsJson), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn get(State(state): State<AppState>, principal: Principal) -> Result<Response, ApiError> {
    // From the database, so that whoever changes them next knows the version they change.
    let stored = state.platform.store.settings().await?;
    let settings = Settings::from_stored(&stored.values);
    Ok(shown(&settings, principal.actor.role, stored.revision))
}

/// Values by key; null goes back to the default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingsUpdate {
    settings: BTreeMap<String, Value>,
}

/// Changes settings, all of them or none.
#[utoipa::path(patch, path = "/settings", operation_id = "update_settings", tag = "settings", security(("bearer" = [])),
    params(IfMatch), request_body = SettingsUpdate, responses((status = 200, body = SettingsJson), (status = 400, body = ErrorBody),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 412, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn update(
    State(state): State<AppState>,
    principal: Principal,
    By(doer): By,
    headers: HeaderMap,
    Body(body): Body<SettingsUpdate>,
) -> Result<Response, ApiError> {
    if !(1..=MAX_CHANGES).contains(&body.settings.len()) {
        return Err(ApiError::field("settings", "Change 1 to 50 settings at a time."));
    }
    let changes: Changes = body
        .settings
        .into_iter()
        .map(|(key, value)| (key, Some(value).filter(|value| !value.is_null())))
        .collect();
    let (platform, store) = (&state.platform, &state.platform.store);
    loop {
        let before = store.settings().await?;
        let next = Settings::from_stored(&before.values)
            .with(&changes)
            .map_err(|problems| ApiError::problems(&problems))?;
        etag::expected(&headers, before.revision)?;
        if changes.contains_key("embedding_model") {
            check_embedding(&state, &next.embedding_model).await?;
        }
        // Rules may join settings that are not being changed, so what was checked is what must still be there.
        let deed = doer.does(Action::SettingsUpdate, platform.clock.now());
        match store
            .change_settings(changes.clone(), Some(before.revision), deed)
            .await?
        {
            Changed::Done(stored) => {
                platform.settings.set(&stored);
                let settings = Settings::from_stored(&stored.values);
                return Ok(shown(&settings, principal.actor.role, stored.revision));
            }
            Changed::Stale(_) => {}
        }
    }
}

/// Vectors of different models cannot be compared: once files are indexed, their model is changed by embedding them anew.
async fn check_embedding(state: &AppState, wanted: &str) -> Result<(), ApiError> {
    let platform = &state.platform;
    match platform.providers.space_in_use(platform.store.as_ref()).await? {
        Some(space) if !Providers::means_space(wanted, &space) => Err(ApiError::new(
            Kind::CONFLICT,
            format!(
                "The files are indexed with {}. Change the model under Administration, Settings, Knowledge, or with \
                 POST /admin/embedding/change: every file is embedded anew.",
                space.rsplit_once(':').map_or(space.as_str(), |(model, _)| model)
            ),
        )),
        None if !["auto", "local"].contains(&wanted) && platform.providers.space_named(wanted).is_none() => {
            Err(ApiError::field(
                "embedding_model",
                "No provider of this installation embeds with this model.",
            ))
        }
        _ => Ok(()),
    }
}
