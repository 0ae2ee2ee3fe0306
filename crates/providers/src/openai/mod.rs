//! OpenAI, OpenRouter, and every server that speaks OpenAI's dialect: chat, embeddings and the list of models.
//!
//! `wire` is its JSON, `request` maps to it, `events` maps from it.

mod embeddings;
mod events;
mod models;
mod prices;
mod request;
mod wire;

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use across::providers::{
    chat::{ChatRequest, ChatStream},
    failure::ProviderError,
    key::Custom,
    model::{Model, ProviderKind},
    provider::{EmbedRequest, Embeddings, Provider},
};
use async_trait::async_trait;
use reqwest::Response;
use serde_json::Value;

pub(crate) use self::models::embedding_dimensions;
use self::{
    events::Chunks,
    request::{Dialect, LengthName},
    wire::ModelList,
};
use crate::{
    endpoint::{ATTEMPTS, Ask, Endpoint, Refused},
    stream,
};

/// The host at which OpenAI itself answers.
const OFFICIAL_HOST: &str = "api.openai.com";

/// OpenAI or a compatible server; which of them, its endpoint says.
pub(crate) struct OpenAi {
    endpoint: Endpoint,
    /// What is tried first with a model.
    usual: Dialect,
    /// The context window of models that do not say theirs.
    context_length: Option<u32>,
    /// What each model turned out to take, so that a refused parameter costs one request and not one for each message.
    learned: Mutex<HashMap<String, Dialect>>,
}

impl OpenAi {
    /// The server at `endpoint`, whose base ends in `/v1` as a rule, with what is known about a `custom` one.
    pub(crate) fn new(endpoint: Endpoint, custom: Option<&Custom>) -> Self {
        let is_official = endpoint.base.host_str() == Some(OFFICIAL_HOST);
        let named = custom.and_then(|custom| custom.max_tokens_param.as_deref());
        let length = match (endpoint.kind, named) {
            (_, Some("max_completion_tokens")) | (ProviderKind::OpenRouter, _) => LengthName::MaxCompletionTokens,
            _ if is_official => LengthName::MaxCompletionTokens,
            _ => LengthName::MaxTokens,
        };
        Self {
            usual: Dialect {
                // OpenRouter tells usage unasked.
                stream_options: endpoint.kind != ProviderKind::OpenRouter,
                ..Dialect::of(length)
            },
            context_length: custom.and_then(|custom| custom.context_length),
            learned: Mutex::default(),
            endpoint,
        }
    }

    fn is_official(&self) -> bool {
        self.endpoint.base.host_str() == Some(OFFICIAL_HOST)
    }

    fn dialect(&self, model: &str) -> Dialect {
        let learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        learned.get(model).copied().unwrap_or(self.usual)
    }

    fn learn(&self, model: &str, dialect: Dialect) {
        self.learned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(model.to_owned(), dialect);
    }

    async fn complete(&self, request: &ChatRequest, dialect: Dialect) -> Result<Response, Refused> {
        let body = self.endpoint.json(&request::completion(request, dialect))?;
        let ask = Ask {
            path: &["chat", "completions"],
            body: Some(body),
            streams: true,
            ..Ask::default()
        };
        self.endpoint.send_patiently(&ask).await
    }
}

#[async_trait]
impl Provider for OpenAi {
    fn kind(&self) -> ProviderKind {
        self.endpoint.kind
    }

    async fn chat(&self, request: ChatRequest) -> Result<ChatStream, ProviderError> {
        let first = self.dialect(&request.model);
        let mut dialect = first;
        let mut rounds = 1..ATTEMPTS;
        loop {
            match self.complete(&request, dialect).await {
                Ok(response) => {
                    if dialect != first {
                        self.learn(&request.model, dialect);
                    }
                    return Ok(stream::answer(response, &self.endpoint, Box::new(Chunks)));
                }
                // Each round gives up or renames one parameter.
                Err(refused) => {
                    let next = dialect.without(&refused.error, refused.param.as_deref());
                    dialect = next.filter(|_| rounds.next().is_some()).ok_or(refused.error)?;
                }
            }
        }
    }

    async fn embed(&self, request: EmbedRequest) -> Result<Embeddings, ProviderError> {
        embeddings::embed(self, &request).await
    }

    async fn models(&self) -> Result<Vec<Model>, ProviderError> {
        let ask = Ask {
            path: &["models"],
            ..Ask::default()
        };
        let list: ModelList = self.endpoint.exchange(ask).await?;
        let mut models = models::chat_models(list.models(), self.endpoint.kind, self.is_official());
        for model in &mut models {
            model.context_length = model.context_length.or(self.context_length);
        }
        Ok(models)
    }

    async fn check_key(&self) -> Result<(), ProviderError> {
        if self.endpoint.kind != ProviderKind::OpenRouter {
            return self.models().await.map(drop);
        }
        // Its models are listed to anybody.
        let ask = Ask {
            path: &["key"],
            ..Ask::default()
        };
        let key: Value = self.endpoint.exchange(ask).await?;
        if key.get("data").is_some_and(Value::is_object) {
            Ok(())
        } else {
            Err(self.endpoint.malformed("the answer says nothing about the key"))
        }
    }
}
