//! Turning texts into vectors with the installation's one embedding model, metered like every other call.

use std::sync::Arc;

use crate::{
    clock::Clock,
    fault::StoreError,
    governance::{
        meter::{Meter, Particulars, Payer, Reservation, Spent},
        quota::Refusal,
        usage::Purpose,
    },
    id::ApiKeyId,
    money::{Charged, MicroUsd, Tariff},
    providers::{
        failure::{Category, ProviderError},
        model::EmbeddingModel,
        provider::{EmbedPurpose, EmbedRequest, Pieces, Provider},
        tokens,
    },
};

/// Texts in one embedding call at most.
pub const EMBED_BATCH: usize = 64;

/// A provider together with the model it embeds with and what that costs.
#[derive(Clone)]
pub struct Embedder {
    /// Who embeds.
    pub provider: Arc<dyn Provider>,
    /// With which of the stored keys, if with one.
    pub key: Option<ApiKeyId>,
    /// With which model.
    pub model: EmbeddingModel,
    /// What it costs.
    pub tariff: Tariff,
}

/// Why there are no vectors.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The provider failed.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// A quota has no room for the call.
    #[error("a quota has no room for this call")]
    Refused(Box<Refusal>),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Embedder {
    /// The vectors of `inputs`, in their order. A model that is part of this program costs nothing and is not metered.
    ///
    /// # Errors
    /// [`EmbedError`]; [`Category::Malformed`] if the provider answered with fewer vectors than texts.
    pub async fn embed(
        &self,
        meter: &(impl Meter + ?Sized),
        clock: &dyn Clock,
        payer: Payer,
        inputs: Vec<String>,
        purpose: EmbedPurpose,
    ) -> Result<Vec<Pieces>, EmbedError> {
        if self.provider.kind().is_built_in() {
            return Ok(self.call(inputs, purpose).await?.0);
        }
        let asked_for = match purpose {
            EmbedPurpose::Document => Purpose::EmbedFile,
            EmbedPurpose::Query => Purpose::EmbedQuery,
        };
        let expected = inputs.iter().map(|text| tokens::estimate(text)).sum();
        let name = self.provider.kind().as_str();
        let call = Reservation {
            key: self.key,
            ..Reservation::new(payer, asked_for, name, &self.model.id, clock.now()).worth(
                expected,
                0,
                self.tariff.worst(expected),
            )
        };
        let mut spent = Spent {
            hold: call.id,
            provider: name.to_owned(),
            key: self.key,
            model: self.model.id.clone(),
            prompt_tokens: 0,
            completion_tokens: 0,
            cost: MicroUsd::ZERO,
            estimated: false,
            refused_keys: Vec::new(),
            more: Particulars::default(),
        };
        meter
            .reserve(call)
            .await?
            .map_err(|refusal| EmbedError::Refused(Box::new(refusal)))?;
        let answer = self.call(inputs, purpose).await;
        match &answer {
            Ok((_, counted)) => {
                // A count that is far from ours is a mistake of whoever made it.
                let believable = counted.filter(|counted| *counted <= expected.saturating_mul(4).saturating_add(64));
                spent.prompt_tokens = believable.unwrap_or(expected);
                spent.estimated = believable.is_none();
                spent.cost = self.tariff.cost(Charged {
                    prompt: spent.prompt_tokens,
                    ..Charged::default()
                });
                spent.more.price_source = Some(self.tariff.source);
            }
            Err(error) => {
                let refused = self.key.zip(error.key_problem());
                spent.refused_keys = refused
                    .map(|(key, problem)| (key, problem.to_owned()))
                    .into_iter()
                    .collect();
            }
        }
        meter.settle(spent, clock.now()).await?;
        Ok(answer?.0)
    }

    async fn call(
        &self,
        inputs: Vec<String>,
        purpose: EmbedPurpose,
    ) -> Result<(Vec<Pieces>, Option<u64>), ProviderError> {
        let expected = inputs.len();
        let dimensions = self.model.dimensions;
        let model = self.model.clone();
        let answer = self.provider.embed(EmbedRequest { model, inputs, purpose }).await?;
        let sound = answer.vectors.len() == expected
            && answer
                .vectors
                .iter()
                .all(|pieces| !pieces.is_empty() && pieces.iter().all(|v| v.len() == dimensions));
        if sound {
            Ok((answer.vectors, answer.tokens))
        } else {
            let message = "the embeddings do not match the texts that were sent";
            Err(ProviderError::local(self.provider.kind(), Category::Malformed, message))
        }
    }
}
