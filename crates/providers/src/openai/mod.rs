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
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use across::providers::{
    chat::{ChatRequest, ChatStream},
    failure::{Category, ProviderError},
    key::Custom,
    model::{Model, ProviderKind},
    provider::{Accounted, EmbedRequest, Embeddings, Provider},
};
use async_trait::async_trait;
use serde_json::Value;

pub(crate) use self::models::embedding_dimensions;
use self::{
    events::Chunks,
    prices::charge,
    wire::{Generation, ListedModel, ModelList},
};
use crate::{
    answer::count,
    endpoint::{Ask, Endpoint},
    known, stream,
    takes::{Learned, LengthName, Takes},
};

/// The host at which OpenAI itself answers.
const OFFICIAL_HOST: &str = "api.openai.com";

/// OpenAI or a compatible server; which of them, its endpoint says.
pub(crate) struct OpenAi {
    endpoint: Endpoint,
    /// What the length limit is called here with models of which no more is known.
    length: LengthName,
    /// The context window of models that do not say theirs.
    context_length: Option<u32>,
    learned: Learned,
    /// Models whose entry in OpenRouter's list, when it was read last, knows of no temperature.
    without_temperature: Mutex<HashSet<String>>,
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
            length,
            context_length: custom.and_then(|custom| custom.context_length),
            learned: Learned::default(),
            without_temperature: Mutex::default(),
            endpoint,
        }
    }

    fn is_official(&self) -> bool {
        self.endpoint.base.host_str() == Some(OFFICIAL_HOST)
    }

    /// What is tried first with a model.
    fn usual(&self, model: &str) -> Takes {
        let kind = self.endpoint.kind;
        let length = if known::reasons(kind, model) {
            LengthName::MaxCompletionTokens
        } else {
            self.length
        };
        let usual = Takes::of(kind, model);
        let without = self.without_temperature.lock().unwrap_or_else(PoisonError::into_inner);
        Takes {
            length,
            temperature: usual.temperature && !without.contains(model),
            // OpenRouter tells usage unasked.
            stream_options: kind != ProviderKind::OpenRouter,
            no_padding: self.is_official(),
            ..usual
        }
    }

    /// Takes from OpenRouter's list which models take no temperature. A limit of length is sent to all the same: one that
    /// does not know it is not asked with it there.
    fn remember(&self, listed: &[ListedModel]) {
        let takes_none = |model: &&ListedModel| {
            let parameters = model.supported_parameters.as_ref();
            parameters.is_some_and(|known| !known.iter().any(|parameter| parameter == "temperature"))
        };
        let found = listed.iter().filter(takes_none).map(|model| model.id.clone()).collect();
        *self.without_temperature.lock().unwrap_or_else(PoisonError::into_inner) = found;
    }
}

#[async_trait]
impl Provider for OpenAi {
    fn kind(&self) -> ProviderKind {
        self.endpoint.kind
    }

    async fn chat(&self, request: ChatRequest) -> Result<ChatStream, ProviderError> {
        let question = |takes| {
            Ok(Ask {
                path: &["chat", "completions"],
                body: Some(self.endpoint.json(&request::completion(&request, takes))?),
                streams: true,
                ..Ask::default()
            })
        };
        let usual = self.usual(&request.model);
        let accepted = self
            .learned
            .ask(&self.endpoint, &request.model, usual, question)
            .await?;
        Ok(stream::answer(
            accepted,
            &self.endpoint,
            Box::new(Chunks { kind: self.kind() }),
        ))
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
        let listed = list.models();
        if self.endpoint.kind == ProviderKind::OpenRouter {
            self.remember(&listed);
        }
        let now = self.endpoint.clock.now();
        let mut models = models::chat_models(listed, self.endpoint.kind, self.is_official(), now);
        for model in &mut models {
            model.context_length = model.context_length.or(self.context_length);
        }
        Ok(models)
    }

    fn keeps_accounts(&self) -> bool {
        self.endpoint.kind == ProviderKind::OpenRouter
    }

    async fn accounted(&self, upstream_id: &str) -> Result<Option<Accounted>, ProviderError> {
        if !self.keeps_accounts() {
            let message = "this provider tells nothing afterwards";
            return Err(self.endpoint.error(Category::Unsupported, message));
        }
        let ask = Ask {
            path: &["generation"],
            query: &[("id", upstream_id)],
            ..Ask::default()
        };
        match self.endpoint.exchange::<Generation>(ask).await {
            Ok(generation) => Ok(accounted(&generation)),
            // It takes it some seconds to know.
            Err(error) if error.status == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
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

/// The account, if it holds a charge already.
fn accounted(generation: &Generation) -> Option<Accounted> {
    let data = &generation.data;
    let makers = data.upstream_inference_cost.as_ref();
    Some(Accounted {
        cost: charge(data.total_cost.as_ref()?, data.is_byok == Some(true), makers)?,
        prompt_tokens: count(data.native_tokens_prompt),
        completion_tokens: count(data.native_tokens_completion),
    })
}
