//! Which providers this installation has: the merged list of models, who serves which, and the one embedder in use.

use std::sync::Arc;

use chrono::TimeDelta;
use tokio::sync::Mutex;

use crate::{
    clock::{Clock, Time},
    fault::StoreError,
    kept::KeptValues,
    providers::{
        failure::{Category, ProviderError},
        model::{EmbeddingModel, Model, ProviderKind},
        provider::{EmbedPurpose, EmbedRequest, Pieces, Provider},
    },
};

/// The id of the built-in embedder's model.
pub const LOCAL_MODEL: &str = "all-MiniLM-L6-v2";
/// How old the list of models may be.
const CATALOG_AGE: TimeDelta = TimeDelta::minutes(5);
/// Under which name the choice of embedder is kept.
const CHOICE: &str = "embedding_model";
/// Texts in one embedding call at most.
pub const EMBED_BATCH: usize = 64;

/// The list of models as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalog {
    /// All that can be chatted with now, the default first.
    pub models: Vec<Model>,
    /// Some provider could not be asked, and its models are those of an earlier answer.
    pub stale: bool,
    /// When the providers were asked.
    pub fetched_at: Time,
}

/// A provider together with the model it embeds with.
#[derive(Clone)]
pub struct Embedder {
    provider: Arc<dyn Provider>,
}

impl Embedder {
    /// The vectors of `inputs`, in their order.
    ///
    /// # Errors
    /// The provider's failure; [`Category::Malformed`] if it answered with fewer vectors than texts.
    pub async fn embed(
        &self,
        model: EmbeddingModel,
        inputs: Vec<String>,
        purpose: EmbedPurpose,
    ) -> Result<Vec<Pieces>, ProviderError> {
        let expected = inputs.len();
        let dimensions = model.dimensions;
        let answer = self.provider.embed(EmbedRequest { model, inputs, purpose }).await?;
        let sound = answer.vectors.len() == expected
            && answer
                .vectors
                .iter()
                .all(|pieces| !pieces.is_empty() && pieces.iter().all(|v| v.len() == dimensions));
        if sound {
            Ok(answer.vectors)
        } else {
            let message = "the embeddings do not match the texts that were sent";
            Err(ProviderError::local(self.provider.kind(), Category::Malformed, message))
        }
    }
}

/// What is embedded with, if the installation has decided nothing yet.
#[derive(Clone)]
pub struct EmbeddingChoice {
    /// The model.
    pub model: EmbeddingModel,
    /// Who serves it.
    pub provider: Arc<dyn Provider>,
}

/// The providers of an installation.
pub struct Providers {
    chat: Vec<Arc<dyn Provider>>,
    embedders: Vec<EmbeddingChoice>,
    clock: Arc<dyn Clock>,
    catalog: Mutex<Option<Catalog>>,
}

impl Providers {
    /// Providers in order of preference. The first of `embedders` is taken when the installation embeds its first text;
    /// from then on that model is used, whatever comes first later.
    #[must_use]
    pub fn new(chat: Vec<Arc<dyn Provider>>, embedders: Vec<EmbeddingChoice>, clock: Arc<dyn Clock>) -> Self {
        Self {
            chat,
            embedders,
            clock,
            catalog: Mutex::new(None),
        }
    }

    /// The embedder in use. Vectors of different models cannot be compared, so the choice is made once and kept.
    ///
    /// # Errors
    /// [`EmbedderError`] if the choice could not be read or is not served any more.
    pub async fn embedder(
        &self,
        kept: &(impl KeptValues + ?Sized),
    ) -> Result<(Embedder, EmbeddingModel), EmbedderError> {
        let first = self.embedders.first().ok_or(EmbedderError::Gone(String::new()))?;
        let choice = kept.keep_once(CHOICE, &first.model.space()).await?;
        let found = self.embedders.iter().find(|choice_| choice_.model.space() == choice);
        let found = found.ok_or(EmbedderError::Gone(choice))?;
        Ok((
            Embedder {
                provider: Arc::clone(&found.provider),
            },
            found.model.clone(),
        ))
    }

    /// The models that can be chatted with, at most five minutes old. Parallel callers share one answer; a provider that
    /// fails keeps its last known models.
    pub async fn catalog(&self) -> Catalog {
        let now = self.clock.now();
        let mut kept = self.catalog.lock().await;
        if let Some(catalog) = kept
            .as_ref()
            .filter(|catalog| (now - catalog.fetched_at).abs() < CATALOG_AGE)
        {
            return catalog.clone();
        }
        let answers = futures::future::join_all(self.chat.iter().map(|provider| provider.models())).await;
        let mut fresh = Catalog {
            models: Vec::new(),
            stale: false,
            fetched_at: now,
        };
        for (provider, answer) in self.chat.iter().zip(answers) {
            match answer {
                Ok(models) => fresh.models.extend(models),
                Err(error) => {
                    tracing::warn!(%error, "could not list models");
                    fresh.stale = true;
                    let known = kept.iter().flat_map(|catalog| &catalog.models);
                    fresh
                        .models
                        .extend(known.filter(|model| model.provider == provider.kind()).cloned());
                }
            }
        }
        *kept = Some(fresh.clone());
        fresh
    }

    /// Who serves the model with this id, or the default model if none is named. `None` if nobody does.
    pub async fn serving(&self, model: Option<&str>) -> Option<(Arc<dyn Provider>, Model)> {
        let models = self.catalog().await.models;
        let model = match model {
            Some(id) => models.into_iter().find(|model| model.id == id)?,
            None => models.into_iter().next()?,
        };
        let provider = self.chat.iter().find(|provider| provider.kind() == model.provider)?;
        Some((Arc::clone(provider), model))
    }

    /// Whether a model of this provider is configured.
    #[must_use]
    pub fn has(&self, kind: ProviderKind) -> bool {
        self.chat.iter().any(|provider| provider.kind() == kind)
    }
}

/// Why there is no embedder.
#[derive(Debug, thiserror::Error)]
pub enum EmbedderError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The model that the files are embedded with is not served any more.
    #[error("no provider serves the embedding model {0:?} that this installation's files were indexed with")]
    Gone(String),
}
