//! Providers' keys: added, changed, removed, tried; the key itself goes in and never comes out.

use across::{
    id::ApiKeyId,
    money::{MicroUsd, Price},
    providers::{
        credentials::{self, Retyped, Trial, Typed},
        key::{ApiKey, Custom},
        model::{EmbeddingModel, ProviderKind},
    },
    secret::Secret,
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
    api::{
        stamp,
        words::{KeyProvider, KeyStatus, ProviderName},
    },
    auth::By,
    error::{ApiError, ErrorBody},
    etag,
    input::{Body, Ids, Params, line, page, present},
    state::AppState,
};

/// Dollars for a million tokens at most.
const MAX_PRICE: f64 = 1e6;
/// Tokens of a model's window at most.
const MAX_CONTEXT: u32 = 100_000_000;

/// Characters of a model's id at most.
const MAX_MODEL: usize = 200;
/// Numbers of a vector at most.
const MAX_DIMENSIONS: u32 = 16_384;

/// A provider's key, without the key.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub(crate) struct KeyJson {
    #[schema(format = Uuid)]
    id: String,
    provider: ProviderName,
    name: String,
    /// An ellipsis and its last four characters; null if it is too short for that.
    #[schema(required)]
    key_hint: Option<String>,
    /// It is the one that is used among those of its provider.
    is_default: bool,
    is_active: bool,
    /// Only custom providers have one.
    #[schema(required)]
    base_url: Option<String>,
    /// Dollars for a million tokens; only custom providers state them.
    #[schema(required)]
    prompt_price: Option<f64>,
    #[schema(required)]
    completion_price: Option<f64>,
    #[schema(required)]
    context_length: Option<u32>,
    #[schema(required)]
    max_tokens_param: Option<String>,
    /// The model that a custom provider's server embeds with, if it does.
    #[schema(required)]
    embedding_model: Option<String>,
    /// How many numbers its vectors have.
    #[schema(required)]
    embedding_dimensions: Option<usize>,
    #[schema(required)]
    last_used_at: Option<String>,
    /// What was wrong the last time, in a word, until a call goes through.
    #[schema(required)]
    last_error: Option<String>,
    version: i64,
    created_at: String,
    updated_at: String,
}

impl From<ApiKey> for KeyJson {
    fn from(key: ApiKey) -> Self {
        let custom = key.custom.as_ref();
        let price = custom.and_then(|custom| custom.price);
        let embedding = custom.and_then(|custom| custom.embedding.as_ref());
        Self {
            id: key.id.to_string(),
            provider: key.provider.into(),
            base_url: custom.map(|custom| custom.base_url.clone()),
            prompt_price: price.map(|price| price.prompt.dollars()),
            completion_price: price.map(|price| price.completion.dollars()),
            context_length: custom.and_then(|custom| custom.context_length),
            max_tokens_param: custom.and_then(|custom| custom.max_tokens_param.clone()),
            embedding_model: embedding.map(|model| model.id.clone()),
            embedding_dimensions: embedding.map(|model| model.dimensions),
            name: key.name,
            key_hint: key.hint,
            is_default: key.is_default,
            is_active: key.is_active,
            last_used_at: key.last_used_at.map(stamp),
            last_error: key.last_error,
            version: key.version,
            created_at: stamp(key.created_at),
            updated_at: stamp(key.updated_at),
        }
    }
}

fn answer(key: ApiKey) -> Response {
    etag::tag(key.version, Json(KeyJson::from(key)))
}

/// A page of keys.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyList {
    api_keys: Vec<KeyJson>,
    total: u64,
}

/// Which keys.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Of this provider only.
    #[param(inline)]
    provider: Option<KeyProvider>,
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    #[param(minimum = 0, maximum = 100_000)]
    offset: Option<i64>,
}

/// Newest first.
#[utoipa::path(get, path = "/api-keys", operation_id = "list_api_keys", tag = "api-keys",
    security(("bearer" = [])), params(ListQuery), responses(
    (status = 200, body = KeyList), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn list(
    State(state): State<AppState>,
    Params(query): Params<ListQuery>,
) -> Result<Json<KeyList>, ApiError> {
    let page = page(query.limit, query.offset, 20, 100)?;
    let found = state
        .platform
        .store
        .list_keys(query.provider.map(Into::into), page)
        .await?;
    Ok(Json(KeyList {
        api_keys: found.items.into_iter().map(Into::into).collect(),
        total: found.total,
    }))
}

/// What the limit of an answer's tokens is called by a server.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MaxTokensParam {
    MaxTokens,
    MaxCompletionTokens,
}

/// A new key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyCreate {
    provider: KeyProvider,
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// Visible characters without spaces. It is sealed, and never shown again.
    #[schema(min_length = 8, max_length = 512, pattern = "^[!-~]+$", write_only)]
    key: String,
    /// Becomes the one that is used; the first key of a provider does in any case.
    #[serde(default)]
    is_default: bool,
    #[serde(default = "yes")]
    #[schema(default = true)]
    is_active: bool,
    /// Where a custom provider's server answers; needed for custom ones, refused for others.
    #[serde(default)]
    #[schema(max_length = 2_048)]
    base_url: Option<String>,
    /// Custom providers only: dollars for a million tokens of prompts; nothing unless said otherwise.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000_000)]
    prompt_price: Option<f64>,
    /// Custom providers only: dollars for a million tokens of answers.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000_000)]
    completion_price: Option<f64>,
    /// Custom providers only: tokens of prompt and answer together, for models that do not say it.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 100_000_000)]
    context_length: Option<u32>,
    /// Custom providers only.
    #[serde(default)]
    max_tokens_param: Option<MaxTokensParam>,
    /// Custom providers only: the model that its server embeds with. It is tried with one text before anything is stored.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200)]
    embedding_model: Option<String>,
    /// Custom providers only: how many numbers its vectors have; found out if left out.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 16_384)]
    embedding_dimensions: Option<u32>,
}

const fn yes() -> bool {
    true
}

impl KeyCreate {
    /// What a custom provider needs besides its key; nothing for the others.
    fn custom(&self) -> Result<Option<Custom>, ApiError> {
        if ProviderKind::from(self.provider) != ProviderKind::Custom {
            let stated = [
                ("base_url", self.base_url.is_some()),
                ("prompt_price", self.prompt_price.is_some()),
                ("completion_price", self.completion_price.is_some()),
                ("context_length", self.context_length.is_some()),
                ("max_tokens_param", self.max_tokens_param.is_some()),
                ("embedding_model", self.embedding_model.is_some()),
                ("embedding_dimensions", self.embedding_dimensions.is_some()),
            ];
            return match stated.into_iter().find(|(_, is_stated)| *is_stated) {
                Some((field, _)) => Err(ApiError::field(field, "Only custom providers have this.")),
                None => Ok(None),
            };
        }
        let Some(base_url) = &self.base_url else {
            return Err(ApiError::field(
                "base_url",
                "A custom provider needs the address of its server.",
            ));
        };
        let prices = [
            ("prompt_price", self.prompt_price),
            ("completion_price", self.completion_price),
        ];
        let [prompt, completion] = prices.map(|(field, dollars)| dollars.map(|dollars| price(field, dollars)));
        let (prompt, completion) = (prompt.transpose()?, completion.transpose()?);
        if self
            .context_length
            .is_some_and(|tokens| !(1..=MAX_CONTEXT).contains(&tokens))
        {
            return Err(ApiError::field(
                "context_length",
                "This is a whole number from 1 to 100,000,000.",
            ));
        }
        Ok(Some(Custom {
            base_url: base_url.trim().to_owned(),
            price: prompt.or(completion).map(|_| Price {
                prompt: prompt.unwrap_or_default(),
                completion: completion.unwrap_or_default(),
            }),
            context_length: self.context_length,
            embedding: self.embedding()?,
            max_tokens_param: self.max_tokens_param.map(|param| {
                match param {
                    MaxTokensParam::MaxTokens => "max_tokens",
                    MaxTokensParam::MaxCompletionTokens => "max_completion_tokens",
                }
                .to_owned()
            }),
        }))
    }
}

impl KeyCreate {
    /// The embedding model as it was named; 0 dimensions if none were said.
    fn embedding(&self) -> Result<Option<EmbeddingModel>, ApiError> {
        let Some(id) = self.embedding_model.as_deref().map(str::trim) else {
            return match self.embedding_dimensions {
                Some(_) => Err(ApiError::field(
                    "embedding_model",
                    "Dimensions need the name of the model.",
                )),
                None => Ok(None),
            };
        };
        if !(1..=MAX_MODEL).contains(&id.chars().count()) || id.chars().any(char::is_control) {
            return Err(ApiError::field("embedding_model", "This is not a model's id."));
        }
        if self
            .embedding_dimensions
            .is_some_and(|dimensions| !(1..=MAX_DIMENSIONS).contains(&dimensions))
        {
            return Err(ApiError::field(
                "embedding_dimensions",
                "This is a whole number from 1 to 16,384.",
            ));
        }
        Ok(Some(EmbeddingModel {
            id: id.to_owned(),
            dimensions: self.embedding_dimensions.map_or(0, |dimensions| dimensions as usize),
        }))
    }
}

fn price(field: &str, dollars: f64) -> Result<MicroUsd, ApiError> {
    MicroUsd::from_dollars(dollars, MAX_PRICE).ok_or_else(|| {
        ApiError::field(
            field,
            "A price is from 0 to 1,000,000 dollars with at most six decimals.",
        )
    })
}

/// Adds a key.
#[utoipa::path(post, path = "/api-keys", operation_id = "create_api_key", tag = "api-keys",
    security(("bearer" = [])), params(crate::idempotency::KeyHeader), request_body = KeyCreate, responses(
    (status = 201, body = KeyJson), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn create(
    State(state): State<AppState>,
    By(doer): By,
    Body(body): Body<KeyCreate>,
) -> Result<Response, ApiError> {
    let typed = Typed {
        provider: body.provider.into(),
        name: line(&body.name),
        custom: body.custom()?,
        key: Secret::new(body.key),
        is_default: body.is_default,
        is_active: body.is_active,
    };
    let added = credentials::add(&state.platform, &doer, typed).await?;
    let location = format!("/api/v1/api-keys/{}", added.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], answer(added)).into_response())
}

/// One key.
#[utoipa::path(get, path = "/api-keys/{id}", operation_id = "get_api_key", tag = "api-keys",
    security(("bearer" = [])), params(("id" = String, Path)), responses(
    (status = 200, body = KeyJson), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn get(State(state): State<AppState>, Ids((id,)): Ids<(ApiKeyId,)>) -> Result<Response, ApiError> {
    let found = state.platform.store.find_key(id).await?;
    Ok(answer(found.ok_or_else(ApiError::not_found)?.key))
}

/// What changes about a key; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyUpdate {
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 100, nullable = false)]
    name: Option<String>,
    /// Another key in its place.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 8, max_length = 512, pattern = "^[!-~]+$", nullable = false, write_only)]
    key: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    is_default: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    is_active: Option<bool>,
    /// Custom providers only. A key is sent only where it was entered for, so this needs `key` too.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 2_048, nullable = false)]
    base_url: Option<String>,
}

/// Changes a key.
#[utoipa::path(patch, path = "/api-keys/{id}", operation_id = "update_api_key", tag = "api-keys",
    security(("bearer" = [])), params(("id" = String, Path), etag::IfMatch), request_body = KeyUpdate, responses(
    (status = 200, body = KeyJson), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 412, body = ErrorBody), (status = 413, body = ErrorBody),
    (status = 415, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn update(
    State(state): State<AppState>,
    By(doer): By,
    Ids((id,)): Ids<(ApiKeyId,)>,
    headers: HeaderMap,
    Body(body): Body<KeyUpdate>,
) -> Result<Response, ApiError> {
    let typed = Retyped {
        name: body.name.as_deref().map(line),
        key: body.key.map(Secret::new),
        is_default: body.is_default,
        is_active: body.is_active,
        base_url: body.base_url.map(|url| url.trim().to_owned()),
    };
    typed.check()?;
    let expected = expected(&state, id, &headers).await?;
    let changed = credentials::change(&state.platform, &doer, id, typed, expected).await?;
    Ok(answer(changed))
}

/// The version that a change of this key may be made to.
async fn expected(state: &AppState, id: ApiKeyId, headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    let present = state.platform.store.find_key(id).await?;
    etag::expected(headers, present.ok_or_else(ApiError::not_found)?.key.version)
}

/// Removes a key; calls in progress finish with it.
#[utoipa::path(delete, path = "/api-keys/{id}", operation_id = "delete_api_key", tag = "api-keys",
    security(("bearer" = [])), params(("id" = String, Path), etag::IfMatch), responses(
    (status = 204), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 412, body = ErrorBody)))]
pub(crate) async fn delete(
    State(state): State<AppState>,
    By(doer): By,
    Ids((id,)): Ids<(ApiKeyId,)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let expected = expected(&state, id, &headers).await?;
    credentials::remove(&state.platform, &doer, id, expected).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How a trial of a key ended; there is no more to learn from it than this.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyTest {
    ok: bool,
    status: KeyStatus,
    /// Milliseconds; null unless the key works, since the time that a failure takes tells of networks.
    #[schema(required)]
    latency_ms: Option<u64>,
}

/// Tries a key, for at most ten seconds.
#[utoipa::path(post, path = "/api-keys/{id}/test", operation_id = "test_api_key", tag = "api-keys",
    security(("bearer" = [])), params(("id" = String, Path)), responses(
    (status = 200, body = KeyTest), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn test(
    State(state): State<AppState>,
    By(doer): By,
    Ids((id,)): Ids<(ApiKeyId,)>,
) -> Result<Json<KeyTest>, ApiError> {
    let (trial, took) = credentials::test(&state.platform, &doer, id).await?;
    let ok = trial == Trial::Ok;
    Ok(Json(KeyTest {
        ok,
        status: trial.into(),
        latency_ms: ok.then(|| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
    }))
}
