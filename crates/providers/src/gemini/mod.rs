//! Google's Gemini: chat, vectors and the list of models.
//!
//! `wire` is its JSON, `request` maps to it, `events` maps from it.

mod embeddings;
mod events;
mod request;
mod wire;

use across::providers::{
    chat::{ChatRequest, ChatStream},
    failure::ProviderError,
    model::{EmbeddingModel, Model, ProviderKind},
    provider::{EmbedRequest, Embeddings, Provider},
};
use async_trait::async_trait;

use self::{events::Chunks, wire::ModelPage};
use crate::{
    endpoint::{Ask, Endpoint},
    known, stream,
    takes::{Learned, Takes},
};

/// Where Google answers.
pub(crate) const BASE: &str = "https://generativelanguage.googleapis.com/v1beta";
/// The header that carries its keys, which it would take in the URL too.
pub(crate) const KEY_HEADER: &str = "x-goog-api-key";

/// Pages of models that are read at most.
const MAX_PAGES: usize = 10;

/// The models that make vectors.
pub(crate) fn embedding_models() -> Vec<EmbeddingModel> {
    vec![EmbeddingModel {
        id: "gemini-embedding-001".to_owned(),
        dimensions: 3072,
    }]
}

/// Google's Gemini.
pub(crate) struct Gemini {
    endpoint: Endpoint,
    learned: Learned,
}

impl Gemini {
    /// The server at `endpoint`, whose base ends in the version of the API.
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            learned: Learned::default(),
        }
    }
}

#[async_trait]
impl Provider for Gemini {
    fn kind(&self) -> ProviderKind {
        self.endpoint.kind
    }

    async fn chat(&self, request: ChatRequest) -> Result<ChatStream, ProviderError> {
        let method = format!("{}:streamGenerateContent", request.model);
        let path = ["models", method.as_str()];
        let question = |takes| {
            Ok(Ask {
                path: &path,
                // Without it the answer is one list that grows.
                query: &[("alt", "sse")],
                body: Some(self.endpoint.json(&request::content(&request, takes))?),
                streams: true,
            })
        };
        let usual = Takes::of(self.endpoint.kind, &request.model);
        let accepted = self
            .learned
            .ask(&self.endpoint, &request.model, usual, question)
            .await?;
        Ok(stream::answer(accepted, &self.endpoint, Box::new(Chunks)))
    }

    async fn embed(&self, request: EmbedRequest) -> Result<Embeddings, ProviderError> {
        embeddings::embed(&self.endpoint, &request).await
    }

    async fn models(&self) -> Result<Vec<Model>, ProviderError> {
        let mut models = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut query = vec![("pageSize", "1000")];
            query.extend(token.as_deref().map(|token| ("pageToken", token)));
            let ask = Ask {
                path: &["models"],
                query: &query,
                ..Ask::default()
            };
            let page: ModelPage = self.endpoint.exchange(ask).await?;
            let next = page.next().map(str::to_owned);
            models.extend(page.models(self.endpoint.kind));
            if next.is_none() || next == token {
                break;
            }
            token = next;
        }
        Ok(known::completed(models, self.endpoint.clock.now()))
    }
}
