//! Anthropic's Messages: chat and the list of models. It makes no vectors.
//!
//! `wire` is its JSON, `request` maps to it, `events` maps from it.

mod events;
mod request;
mod wire;

use across::providers::{
    chat::{ChatRequest, ChatStream},
    failure::{Category, ProviderError},
    model::{Model, ProviderKind},
    provider::{EmbedRequest, Embeddings, Provider},
};
use async_trait::async_trait;
use reqwest::Response;

use self::{events::Events, request::takes_temperature, wire::ModelPage};
use crate::{
    endpoint::{Ask, Endpoint, Refused},
    stream,
};

/// Where Anthropic answers.
pub(crate) const BASE: &str = "https://api.anthropic.com";
/// The header that carries its keys.
pub(crate) const KEY_HEADER: &str = "x-api-key";
/// The version of the API, sent with every request. It is the last one in which the models that take a temperature do so.
pub(crate) const HEADERS: &[(&str, &str)] = &[("anthropic-version", "2023-06-01")];

/// Pages of models that are read at most.
const MAX_PAGES: usize = 10;

/// Anthropic.
pub(crate) struct Anthropic {
    endpoint: Endpoint,
}

impl Anthropic {
    /// The server at `endpoint`, whose base may hold the API's `/v1` or not.
    pub(crate) fn new(mut endpoint: Endpoint) -> Self {
        let path = endpoint.base.path().trim_end_matches('/').to_owned();
        if let Some(above) = path.strip_suffix("/v1") {
            endpoint.base.set_path(above);
        }
        Self { endpoint }
    }

    async fn complete(&self, request: &ChatRequest, with_temperature: bool) -> Result<Response, Refused> {
        let body = self.endpoint.json(&request::message(request, with_temperature))?;
        let ask = Ask {
            path: &["v1", "messages"],
            body: Some(body),
            streams: true,
            ..Ask::default()
        };
        self.endpoint.send_patiently(&ask).await
    }
}

#[async_trait]
impl Provider for Anthropic {
    fn kind(&self) -> ProviderKind {
        self.endpoint.kind
    }

    async fn chat(&self, request: ChatRequest) -> Result<ChatStream, ProviderError> {
        let with_temperature = takes_temperature(&request.model);
        let response = match self.complete(&request, with_temperature).await {
            Err(refused) if with_temperature && refuses_temperature(&refused.error) => {
                self.complete(&request, false).await
            }
            first => first,
        };
        let response = response.map_err(|refused| refused.error)?;
        Ok(stream::answer(response, &self.endpoint, Box::<Events>::default()))
    }

    async fn embed(&self, _request: EmbedRequest) -> Result<Embeddings, ProviderError> {
        let message = "Anthropic has no models that make vectors";
        Err(self.endpoint.error(Category::Unsupported, message))
    }

    async fn models(&self) -> Result<Vec<Model>, ProviderError> {
        let mut models = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut query = vec![("limit", "1000")];
            query.extend(after.as_deref().map(|id| ("after_id", id)));
            let ask = Ask {
                path: &["v1", "models"],
                query: &query,
                ..Ask::default()
            };
            let page: ModelPage = self.endpoint.exchange(ask).await?;
            let next = page.next().map(str::to_owned);
            models.extend(page.models(self.endpoint.kind));
            if next.is_none() || next == after {
                break;
            }
            after = next;
        }
        Ok(models)
    }
}

fn refuses_temperature(error: &ProviderError) -> bool {
    matches!(error.category, Category::BadRequest | Category::BadParam) && error.message.contains("temperature")
}
