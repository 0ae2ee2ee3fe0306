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

use self::{events::Events, wire::ModelPage};
use crate::{
    endpoint::{Ask, Endpoint},
    known, stream,
    takes::{Learned, Takes},
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
    learned: Learned,
}

impl Anthropic {
    /// The server at `endpoint`, whose base may hold the API's `/v1` or not.
    pub(crate) fn new(mut endpoint: Endpoint) -> Self {
        let path = endpoint.base.path().trim_end_matches('/').to_owned();
        if let Some(above) = path.strip_suffix("/v1") {
            endpoint.base.set_path(above);
        }
        Self {
            endpoint,
            learned: Learned::default(),
        }
    }
}

#[async_trait]
impl Provider for Anthropic {
    fn kind(&self) -> ProviderKind {
        self.endpoint.kind
    }

    async fn chat(&self, request: ChatRequest) -> Result<ChatStream, ProviderError> {
        let question = |takes| {
            Ok(Ask {
                path: &["v1", "messages"],
                body: Some(self.endpoint.json(&request::message(&request, takes))?),
                streams: true,
                ..Ask::default()
            })
        };
        let usual = Takes::of(self.endpoint.kind, &request.model);
        let accepted = self
            .learned
            .ask(&self.endpoint, &request.model, usual, question)
            .await?;
        Ok(stream::answer(accepted, &self.endpoint, Box::<Events>::default()))
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
        Ok(known::completed(models, self.endpoint.clock.now()))
    }
}
