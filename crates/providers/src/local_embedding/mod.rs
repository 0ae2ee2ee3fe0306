//! The built-in embedder: all-MiniLM-L6-v2, an English model, computed on the processor. Its file is part of the binary.

mod engine;
mod lane;
mod reference;

use std::{sync::Arc, thread::available_parallelism};

use across::providers::{
    chat::{ChatRequest, ChatStream},
    failure::{Category, ProviderError},
    model::{EmbeddingModel, Model, ProviderKind},
    provider::{EmbedPurpose, EmbedRequest, Embeddings, Pieces, Provider},
    registry::LOCAL_MODEL,
};
use async_trait::async_trait;
use futures::{StreamExt as _, TryStreamExt as _, future::ready, stream};
use tokio::{sync::OnceCell, task::spawn_blocking};

use self::{
    engine::{DIMENSIONS, Weights},
    lane::{Crew, Lane},
};
use crate::vector::normalise;

/// Documents' texts that are embedded at the same time at most. Two texts on a core each take less time than one after the
/// other on both, but every worker has a table of word pieces of its own in memory.
const MOST_WORKERS: usize = 4;

/// Computes vectors in this process. The model is loaded at the first use.
#[derive(Default)]
pub struct LocalEmbedder {
    weights: OnceCell<Arc<Weights>>,
    /// Document texts, on all cores but at a low priority: indexing leaves room for everything else.
    documents: OnceCell<Lane>,
    /// Questions, beside the documents: a question never waits for a batch of them.
    queries: OnceCell<Lane>,
}

impl LocalEmbedder {
    /// An embedder with nothing loaded yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The model it embeds with.
    #[must_use]
    pub fn model() -> EmbeddingModel {
        EmbeddingModel {
            id: LOCAL_MODEL.to_owned(),
            dimensions: DIMENSIONS,
        }
    }

    async fn lane(&self, purpose: EmbedPurpose) -> Result<&Lane, ProviderError> {
        let cores = available_parallelism().map_or(1, usize::from);
        let (lane, crew) = match purpose {
            EmbedPurpose::Document => {
                let workers = cores.min(MOST_WORKERS);
                let crew = Crew {
                    name: "embed-documents",
                    workers,
                    threads: cores / workers,
                    patient: true,
                };
                (&self.documents, crew)
            }
            EmbedPurpose::Query => {
                let crew = Crew {
                    name: "embed-queries",
                    workers: 1,
                    threads: cores / 2,
                    patient: false,
                };
                (&self.queries, crew)
            }
        };
        let load = || async {
            let loaded = spawn_blocking(Weights::load).await;
            loaded
                .unwrap_or_else(|_| Err("the model file could not be read".to_owned()))
                .map(Arc::new)
        };
        let start = || async {
            let weights = self.weights.get_or_try_init(load).await?;
            Lane::start(crew, weights).await
        };
        lane.get_or_try_init(start)
            .await
            .map_err(|message| failure(Category::Upstream, message))
    }
}

#[async_trait]
impl Provider for LocalEmbedder {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Local
    }

    async fn chat(&self, _: ChatRequest) -> Result<ChatStream, ProviderError> {
        Err(failure(Category::Unsupported, "the built-in embedder does not chat"))
    }

    async fn embed(&self, request: EmbedRequest) -> Result<Embeddings, ProviderError> {
        if request.model != Self::model() {
            return Err(failure(
                Category::ModelGone,
                format!("the built-in embedder has no {}", request.model.space()),
            ));
        }
        let lane = self.lane(request.purpose).await?;
        let embedded = stream::iter(request.inputs)
            .map(|text| lane.embed(text))
            .buffered(lane.workers)
            .map_err(|message| failure(Category::Malformed, message));
        let vectors = embedded
            .and_then(|pieces| {
                ready(match request.purpose {
                    EmbedPurpose::Document => Ok(pieces),
                    EmbedPurpose::Query => average(pieces).map(|vector| vec![vector]),
                })
            })
            .try_collect()
            .await?;
        Ok(Embeddings { vectors, tokens: None })
    }

    async fn models(&self) -> Result<Vec<Model>, ProviderError> {
        Ok(Vec::new())
    }
}

/// A question is one vector however long it is: the mean direction of its pieces.
fn average(mut pieces: Pieces) -> Result<Vec<f32>, ProviderError> {
    let mut sum = pieces.pop().unwrap_or_default();
    for piece in &pieces {
        for (total, value) in sum.iter_mut().zip(piece) {
            *total += value;
        }
    }
    normalise(sum).ok_or_else(|| failure(Category::Malformed, "the pieces of the question cancel each other out"))
}

fn failure(category: Category, message: impl Into<String>) -> ProviderError {
    ProviderError::local(ProviderKind::Local, category, message)
}
