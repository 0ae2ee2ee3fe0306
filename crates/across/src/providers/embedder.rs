//! Turning texts into vectors with the installation's one embedding model, metered like every other call.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    clock::Clock,
    fault::StoreError,
    governance::{
        meter::{Meter, Particulars, Payer, Reservation, Spent},
        quota::Refusal,
        usage::Purpose,
    },
    id::{ApiKeyId, HoldId},
    money::{Charged, MicroUsd, Price, Tariff},
    providers::{
        failure::{Category, ProviderError},
        gate::{Gate, Observer, Shut},
        model::{EmbeddingModel, ProviderKind},
        provider::{EmbedPurpose, EmbedRequest, Pieces, Provider},
        tokens,
    },
};

/// Texts in one embedding call at most.
pub const EMBED_BATCH: usize = 64;

/// The waits between the tries of one call for a document, lengthened at random by up to half. A question has a reader who
/// waits, and is asked once.
const WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];
/// The longest that is waited within a call when the provider says how long; with more the caller comes back later.
const PATIENCE: Duration = Duration::from_secs(20);

/// One way to an embedding model.
#[derive(Clone)]
pub struct EmbedRoute {
    /// Who embeds.
    pub provider: Arc<dyn Provider>,
    /// With which of the stored keys, if with one.
    pub key: Option<ApiKeyId>,
    /// What it costs there.
    pub tariff: Tariff,
    /// What every call on this way passes.
    pub gate: Arc<Gate>,
}

/// The embedding model of the installation, and the ways to it: the very same model on each, so that vectors stay comparable.
#[derive(Clone)]
pub struct Embedder {
    /// Which model.
    pub model: EmbeddingModel,
    /// The ways, at least one, in the order in which they are tried.
    pub routes: Vec<EmbedRoute>,
    /// Is told what was charged.
    pub observer: Arc<dyn Observer>,
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

/// What became of a call over the ways.
struct Tried<'a> {
    /// Who was asked last.
    route: &'a EmbedRoute,
    /// The vectors, with the provider's count of tokens if it gave one.
    answer: Result<(Vec<Pieces>, Option<u64>), ProviderError>,
    /// Keys that were refused on the way, each with what is wrong with it.
    refused_keys: Vec<(ApiKeyId, String)>,
    /// Who should have answered, and why they did not.
    failover: Option<(String, String)>,
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
        let first = self.routes.first().ok_or_else(|| {
            let message = "no way leads to the embedding model";
            ProviderError::local(ProviderKind::Local, Category::ModelGone, message)
        })?;
        if first.provider.kind().is_built_in() {
            return Ok(self.call(first, inputs, purpose).await?.0);
        }
        let asked_for = match purpose {
            EmbedPurpose::Document => Purpose::EmbedFile,
            EmbedPurpose::Query => Purpose::EmbedQuery,
        };
        let expected = inputs.iter().map(|text| tokens::estimate(text)).sum();
        let name = first.provider.kind().as_str();
        // Whoever answers in the end, there is room for it.
        let prices = self.routes.iter().map(|route| route.tariff.worst(expected));
        let price = prices.max_by_key(|price| price.prompt).unwrap_or(Price::FREE);
        let call = Reservation {
            key: first.key,
            ..Reservation::new(payer, asked_for, name, &self.model.id, clock.now()).worth(expected, 0, price)
        };
        let hold = call.id;
        meter
            .reserve(call)
            .await?
            .map_err(|refusal| EmbedError::Refused(Box::new(refusal)))?;
        let tried = match purpose {
            EmbedPurpose::Document => self.try_patiently(first, clock, inputs).await,
            EmbedPurpose::Query => self.try_all(first, clock, inputs, purpose).await,
        };
        let spent = self.spent((hold, payer), expected, &tried);
        let (kind, tokens, cost) = (tried.route.provider.kind(), spent.prompt_tokens, spent.cost);
        meter.settle(spent, clock.now()).await?;
        self.observer.charged(kind, asked_for, tokens, 0, cost);
        Ok(tried.answer?.0)
    }

    /// What a call used, for which this was set aside in this payer's quotas.
    fn spent(&self, (hold, payer): (HoldId, Payer), expected: u64, tried: &Tried<'_>) -> Spent {
        let Tried { route, answer, .. } = tried;
        let mut spent = Spent {
            hold,
            payer,
            provider: route.provider.kind().as_str().to_owned(),
            key: route.key,
            model: self.model.id.clone(),
            prompt_tokens: 0,
            completion_tokens: 0,
            cost: MicroUsd::ZERO,
            estimated: false,
            refused_keys: tried.refused_keys.clone(),
            more: Particulars {
                failover: tried.failover.clone(),
                ..Particulars::default()
            },
        };
        if let Ok((_, counted)) = answer {
            // A count that is far from ours is a mistake of whoever made it.
            let believable = counted.filter(|counted| *counted <= expected.saturating_mul(4).saturating_add(64));
            spent.prompt_tokens = believable.unwrap_or(expected);
            spent.estimated = believable.is_none();
            spent.cost = route.tariff.cost(Charged {
                prompt: spent.prompt_tokens,
                ..Charged::default()
            });
            spent.more.price_source = Some(route.tariff.source);
        }
        spent
    }

    /// Asks again what may be answered a little later.
    async fn try_patiently<'a>(&'a self, first: &'a EmbedRoute, clock: &dyn Clock, inputs: Vec<String>) -> Tried<'a> {
        let mut tried = self.try_all(first, clock, inputs.clone(), EmbedPurpose::Document).await;
        for usual in WAITS {
            let Err(error) = &tried.answer else { break };
            let wait = usual
                .mul_f64(1.0 + rand::random::<f64>() / 2.0)
                .max(error.retry_after.unwrap_or_default());
            if !error.is_retryable() || wait > PATIENCE {
                break;
            }
            tracing::debug!(%error, ?wait, "embedding is tried again");
            tokio::time::sleep(wait).await;
            let again = self.try_all(first, clock, inputs.clone(), EmbedPurpose::Document).await;
            let mut refused_keys = tried.refused_keys;
            refused_keys.extend(again.refused_keys);
            tried = Tried {
                refused_keys,
                failover: again.failover.or(tried.failover),
                ..again
            };
        }
        tried
    }

    /// Asks one after the other, as long as the next may know better.
    async fn try_all<'a>(
        &'a self,
        first: &'a EmbedRoute,
        clock: &dyn Clock,
        inputs: Vec<String>,
        purpose: EmbedPurpose,
    ) -> Tried<'a> {
        let mut tried = self.try_one(first, clock, inputs.clone(), purpose).await;
        for route in self.routes.iter().skip(1) {
            let Err(error) = &tried.answer else { break };
            if !error.category.may_fall_back() {
                break;
            }
            tracing::warn!(%error, "another provider of the same embedding model is asked");
            let from = first.provider.kind().as_str().to_owned();
            let failover = tried
                .failover
                .take()
                .or_else(|| Some((from, error.category.as_str().to_owned())));
            let next = self.try_one(route, clock, inputs.clone(), purpose).await;
            let mut refused_keys = tried.refused_keys;
            refused_keys.extend(next.refused_keys);
            tried = Tried {
                refused_keys,
                failover,
                ..next
            };
        }
        tried
    }

    /// One call through the gate of its way.
    async fn try_one<'a>(
        &'a self,
        route: &'a EmbedRoute,
        clock: &dyn Clock,
        inputs: Vec<String>,
        purpose: EmbedPurpose,
    ) -> Tried<'a> {
        let answer = match route.gate.pass(clock.now()).await {
            Ok(mut pass) => {
                let since = Instant::now();
                let answer = self.call(route, inputs, purpose).await;
                match &answer {
                    Ok(_) => {
                        pass.began(clock.now(), since.elapsed());
                        pass.finished();
                    }
                    Err(error) => pass.failed(error, clock.now()),
                }
                answer
            }
            Err(shut) => {
                let category = match shut {
                    Shut::Paused => Category::NoCredit,
                    Shut::Failing | Shut::Crowded => Category::Overloaded,
                };
                let message = "it is left alone for a while";
                let error = ProviderError::local(route.provider.kind(), category, message);
                return Tried {
                    route,
                    answer: Err(error),
                    refused_keys: Vec::new(),
                    failover: None,
                };
            }
        };
        let problem = answer.as_ref().err().and_then(ProviderError::key_problem);
        let refused = route.key.zip(problem);
        Tried {
            route,
            answer,
            refused_keys: refused
                .map(|(key, problem)| (key, problem.to_owned()))
                .into_iter()
                .collect(),
            failover: None,
        }
    }

    async fn call(
        &self,
        route: &EmbedRoute,
        inputs: Vec<String>,
        purpose: EmbedPurpose,
    ) -> Result<(Vec<Pieces>, Option<u64>), ProviderError> {
        let expected = inputs.len();
        let dimensions = self.model.dimensions;
        let model = self.model.clone();
        let answer = route.provider.embed(EmbedRequest { model, inputs, purpose }).await?;
        let sound = answer.vectors.len() == expected
            && answer
                .vectors
                .iter()
                .all(|pieces| !pieces.is_empty() && pieces.iter().all(|v| v.len() == dimensions));
        if sound {
            Ok((answer.vectors, answer.tokens))
        } else {
            let message = "the embeddings do not match the texts that were sent";
            Err(ProviderError::local(
                route.provider.kind(),
                Category::Malformed,
                message,
            ))
        }
    }
}
