//! Which providers this installation has now: those of the configuration and of the stored keys, the merged list of models,
//! who serves which, and the one embedder in use.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use chrono::TimeDelta;
use tokio::sync::Mutex;

use crate::{
    clock::{Clock, Time},
    fault::StoreError,
    governance::price,
    id::ApiKeyId,
    kept::KeptValues,
    money::{Price, PriceSource, Tariff},
    providers::{
        embedder::Embedder,
        gate::Gate,
        key::{ApiKey, ApiKeyStore, CUSTOM_PRICE, Sealed, sealed_name},
        model::{EmbeddingModel, Model, ProviderKind},
        provider::Provider,
        routing::{Route, Served},
    },
    secret::{Secret, Vault},
    settings::Settings,
};

/// The id of the built-in embedder's model.
pub const LOCAL_MODEL: &str = "all-MiniLM-L6-v2";
/// How old the list of models may be.
const CATALOG_AGE: TimeDelta = TimeDelta::minutes(5);
/// How long a provider may take to list its models.
const LIST_TIME: Duration = Duration::from_secs(5);
/// Under which name the choice of embedder is kept.
const CHOICE: &str = "embedding_model";

/// A way to a provider.
#[derive(Clone)]
pub struct Connection {
    /// Who is at its end.
    pub kind: ProviderKind,
    /// The stored key it uses, if it uses one.
    pub key: Option<ApiKeyId>,
    /// Whether it has a key at all, stored or configured.
    pub is_keyed: bool,
    /// The provider; `None` if the stored key does not open: then nobody is called in its place.
    pub provider: Option<Arc<dyn Provider>>,
    /// The models it can embed with.
    pub embeds: Vec<EmbeddingModel>,
    /// What everything costs there, if the administrator said so.
    pub price: Option<Price>,
    /// What every call on this way passes; the same one as long as the key is.
    pub gate: Arc<Gate>,
}

/// Makes connections from keys; the one place that knows vendors' adapters.
#[async_trait]
pub trait Connector: Send + Sync {
    /// The provider that this key opens, and the models it can embed with; `None` if this version has no adapter for it.
    fn connect(&self, key: &ApiKey, secret: &Secret) -> Option<(Arc<dyn Provider>, Vec<EmbeddingModel>)>;

    /// Whether a `custom` key may point there: an `http` or `https` address without user, query and fragment, every
    /// address of whose host may be called.
    ///
    /// # Errors
    /// A sentence about what is wrong.
    async fn check_base_url(&self, base_url: &str) -> Result<(), String>;
}

/// A model on offer.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// The model; its tariff is filled in if anybody knows it.
    pub model: Model,
    /// What is charged: its tariff, or the fallback.
    pub tariff: Tariff,
    /// With which of the stored keys it is served, if with one.
    pub key: Option<ApiKeyId>,
}

/// The list of models as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalog {
    /// All that can be chatted with now.
    pub offers: Vec<Offer>,
    /// Some provider could not be asked, and its models are those of an earlier answer.
    pub stale: bool,
    /// When the providers were asked.
    pub fetched_at: Time,
}

/// Why nobody serves a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unserved {
    /// No provider has it, or it may not be used.
    Unknown,
    /// Nothing can be chatted with at all.
    Nothing,
    /// The key of its provider does not open.
    NoKey,
}

/// The connections at one time.
#[derive(Default)]
struct Stored {
    keys: Vec<Sealed>,
    connections: Arc<Vec<Connection>>,
    /// Grows with every change, so that a list made of earlier ones is not taken for the present.
    generation: u64,
}

/// The providers of an installation.
pub struct Providers {
    configured: Vec<Connection>,
    built_in: Vec<Connection>,
    connector: Arc<dyn Connector>,
    fallback: Price,
    clock: Arc<dyn Clock>,
    stored: RwLock<Stored>,
    gates: std::sync::Mutex<HashMap<ApiKeyId, Arc<Gate>>>,
    catalog: Mutex<Option<(u64, Catalog)>>,
}

impl Providers {
    /// Providers in order of preference: `configured` ones, which stand back where a key is stored for them, and those
    /// that are part of this program. `fallback` is charged for models whose price nobody knows.
    #[must_use]
    pub fn new(
        configured: Vec<Connection>,
        built_in: Vec<Connection>,
        connector: Arc<dyn Connector>,
        fallback: Price,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let connections = Arc::new(configured.iter().chain(&built_in).cloned().collect());
        Self {
            configured,
            built_in,
            connector,
            fallback,
            clock,
            stored: RwLock::new(Stored {
                connections,
                ..Stored::default()
            }),
            gates: std::sync::Mutex::default(),
            catalog: Mutex::new(None),
        }
    }

    /// Makes connections from keys.
    #[must_use]
    pub fn connector(&self) -> &dyn Connector {
        self.connector.as_ref()
    }

    /// Takes over the stored keys as they are now; does nothing if none of them changed.
    ///
    /// # Errors
    /// [`StoreError`] if they could not be read; the connections stay as they were.
    pub async fn refresh(&self, keys: &(impl ApiKeyStore + ?Sized), vault: &Vault) -> Result<(), StoreError> {
        let keys = keys.active_keys().await?;
        let mut stored = self.stored.write().unwrap_or_else(PoisonError::into_inner);
        let same =
            |(a, b): (&Sealed, &Sealed)| a.key.id == b.key.id && a.key.version == b.key.version && a.sealed == b.sealed;
        if stored.keys.len() == keys.len() && stored.keys.iter().zip(&keys).all(same) {
            return Ok(());
        }
        let mut opened: Vec<Connection> = Vec::new();
        for key in &keys {
            // Of one provider the preferred key is used; every custom one is a server of its own.
            let is_taken = opened.iter().any(|open| open.kind == key.key.provider);
            if key.key.provider == ProviderKind::Custom || !is_taken {
                opened.extend(self.open(key, vault));
            }
        }
        let stands_back = |connection: &&Connection| !opened.iter().any(|open| open.kind == connection.kind);
        let configured: Vec<_> = self.configured.iter().filter(stands_back).cloned().collect();
        stored.connections = Arc::new(
            opened
                .into_iter()
                .chain(configured)
                .chain(self.built_in.clone())
                .collect(),
        );
        stored.keys = keys;
        stored.generation += 1;
        Ok(())
    }

    fn open(&self, stored: &Sealed, vault: &Vault) -> Option<Connection> {
        let key = &stored.key;
        let opened = vault.open(&sealed_name(key.id), &stored.sealed);
        let secret = opened
            .ok()
            .and_then(|plain| String::from_utf8(plain).ok())
            .map(Secret::new);
        let (provider, embeds) = match &secret {
            Some(secret) => {
                let (provider, embeds) = self.connector.connect(key, secret)?;
                (Some(provider), embeds)
            }
            None => {
                tracing::error!(key = %key.id, "a provider's key does not open; it was sealed for another row, or changed");
                (None, Vec::new())
            }
        };
        let custom = key.custom.as_ref();
        Some(Connection {
            kind: key.provider,
            key: Some(key.id),
            is_keyed: true,
            provider,
            embeds,
            price: custom.map(|custom| custom.price.unwrap_or(CUSTOM_PRICE)),
            gate: self.gate(key.id),
        })
    }

    /// The gate of a key's way: what was learned about the provider outlives a change of the key's name.
    fn gate(&self, key: ApiKeyId) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(gates.entry(key).or_default())
    }

    fn connections(&self) -> (u64, Arc<Vec<Connection>>) {
        let stored = self.stored.read().unwrap_or_else(PoisonError::into_inner);
        (stored.generation, Arc::clone(&stored.connections))
    }

    /// The ways that calls go now, each with the stored key it uses, if it uses one.
    #[must_use]
    pub fn ways(&self) -> Vec<(ProviderKind, Option<ApiKeyId>)> {
        let (_, connections) = self.connections();
        connections
            .iter()
            .map(|connection| (connection.kind, connection.key))
            .collect()
    }

    /// The providers of the configuration that are called, since no key is stored for them.
    #[must_use]
    pub fn configured(&self) -> Vec<(ProviderKind, Arc<dyn Provider>)> {
        let (_, connections) = self.connections();
        let configured = connections
            .iter()
            .filter(|connection| connection.key.is_none() && !connection.kind.is_built_in());
        configured
            .filter_map(|connection| Some((connection.kind, connection.provider.clone()?)))
            .collect()
    }

    /// The embedding space that the installation's files live in, if any has been indexed.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be read.
    pub async fn space_in_use(&self, kept: &(impl KeptValues + ?Sized)) -> Result<Option<String>, StoreError> {
        kept.kept(CHOICE).await
    }

    /// Whether a setting of the embedding model means the space that is in use.
    #[must_use]
    pub fn means_space(wanted: &str, space: &str) -> bool {
        let model = space.rsplit_once(':').map_or(space, |(model, _)| model);
        wanted == "auto" || wanted == model || (wanted == "local" && model == LOCAL_MODEL)
    }

    /// The embedder in use. Vectors of different models cannot be compared, so the choice is made once, by `wanted`
    /// (`auto`, `local` or a model's id), and kept.
    ///
    /// # Errors
    /// [`EmbedderError`] if the choice could not be read or is not served any more.
    pub async fn embedder(&self, kept: &(impl KeptValues + ?Sized), wanted: &str) -> Result<Embedder, EmbedderError> {
        let (_, connections) = self.connections();
        let offered: Vec<(&Connection, &EmbeddingModel)> = connections
            .iter()
            .filter(|connection| connection.provider.is_some())
            .flat_map(|connection| connection.embeds.iter().map(move |model| (connection, model)))
            .collect();
        let choice = match kept.kept(CHOICE).await? {
            Some(choice) => choice,
            None => {
                let is_local =
                    |(connection, _): &&(&Connection, &EmbeddingModel)| connection.kind == ProviderKind::Local;
                let first = match wanted {
                    "auto" => offered
                        .iter()
                        .find(|(connection, _)| connection.is_keyed)
                        .or(offered.iter().find(is_local)),
                    "local" => offered.iter().find(is_local),
                    id => offered.iter().find(|(_, model)| model.id == id),
                };
                let (_, first) = first.ok_or_else(|| EmbedderError::Gone(wanted.to_owned()))?;
                kept.keep_once(CHOICE, &first.space()).await?
            }
        };
        let found = offered.into_iter().find(|(_, model)| model.space() == choice);
        let (connection, model) = found.ok_or(EmbedderError::Gone(choice))?;
        let provider = connection.provider.clone().ok_or(EmbedderError::Gone(model.space()))?;
        Ok(Embedder {
            tariff: self.tariff(connection, &model.id, None),
            provider,
            key: connection.key,
            model: model.clone(),
        })
    }

    /// What a million tokens of a model cost: what is known, else the fallback, so that nothing unknown is free.
    fn tariff(&self, connection: &Connection, model: &str, stated: Option<Tariff>) -> Tariff {
        let known = known_tariff(connection, model, stated, self.clock.now());
        known.unwrap_or_else(|| Tariff::flat(self.fallback, PriceSource::Fallback))
    }

    /// The models that can be chatted with, at most five minutes old. Parallel callers share one answer; a provider that
    /// fails keeps its last known models.
    pub async fn catalog(&self) -> Catalog {
        self.catalog_within(CATALOG_AGE).await
    }

    /// The models that can be chatted with, asked for now.
    pub async fn fresh_catalog(&self) -> Catalog {
        self.catalog_within(TimeDelta::zero()).await
    }

    async fn catalog_within(&self, age: TimeDelta) -> Catalog {
        let now = self.clock.now();
        let mut kept = self.catalog.lock().await;
        let (generation, connections) = self.connections();
        if let Some((made_of, catalog)) = kept.as_ref()
            && *made_of == generation
            && (now - catalog.fetched_at).abs() < age
        {
            return catalog.clone();
        }
        let ask = |connection: &Connection| {
            let provider = connection.provider.clone();
            async move {
                match provider {
                    // Everybody waits for the slowest here.
                    Some(provider) => match tokio::time::timeout(LIST_TIME, provider.models()).await {
                        Ok(answer) => answer.map_err(|error| error.to_string()),
                        Err(_) => Err("it took too long".to_owned()),
                    },
                    None => Err("its key does not open".to_owned()),
                }
            }
        };
        let answers = futures::future::join_all(connections.iter().map(ask)).await;
        let mut fresh = Catalog {
            offers: Vec::new(),
            stale: false,
            fetched_at: now,
        };
        for (connection, answer) in connections.iter().zip(answers) {
            let models = answer.unwrap_or_else(|error| {
                tracing::warn!(error, provider = connection.kind.as_str(), "could not list models");
                fresh.stale = true;
                let known = kept.iter().flat_map(|(_, catalog)| &catalog.offers);
                let is_of_this =
                    |offer: &&Offer| offer.model.provider == connection.kind && offer.key == connection.key;
                let of_this = known.filter(is_of_this);
                of_this.map(|offer| offer.model.clone()).collect()
            });
            fresh.offers.extend(models.into_iter().map(|model| {
                let tariff = known_tariff(connection, &model.id, model.tariff, now);
                Offer {
                    tariff: tariff
                        .clone()
                        .unwrap_or_else(|| Tariff::flat(self.fallback, PriceSource::Fallback)),
                    model: Model { tariff, ..model },
                    key: connection.key,
                }
            }));
        }
        *kept = Some((generation, fresh.clone()));
        fresh
    }

    /// The offers that may be used, the default first: what `settings` names, else the first.
    pub async fn offers(&self, settings: &Settings) -> Catalog {
        let mut catalog = self.catalog().await;
        catalog.keep_allowed(settings);
        catalog
    }

    /// Who serves the model with this id, or the default model if none is named.
    ///
    /// # Errors
    /// [`Unserved`] if nobody does.
    pub async fn serving(&self, model: Option<&str>, settings: &Settings) -> Result<Served, Unserved> {
        let offers = self.offers(settings).await.offers;
        let (_, connections) = self.connections();
        let broken = connections.iter().any(|connection| connection.provider.is_none());
        let missing = || match (model, broken) {
            (_, true) => Unserved::NoKey,
            (Some(_), false) => Unserved::Unknown,
            (None, false) => Unserved::Nothing,
        };
        let wanted = |offer: &Offer| model.is_none_or(|id| offer.model.id == id);
        let offer = offers.into_iter().find(wanted).ok_or_else(missing)?;
        let serves = |open: &&Connection| open.kind == offer.model.provider && open.key == offer.key;
        let connection = connections.iter().find(serves).ok_or_else(missing)?;
        let route = Route {
            provider: connection.provider.clone().ok_or(Unserved::NoKey)?,
            key: connection.key,
            model: offer.model.id.clone(),
            tariff: offer.tariff,
            max_output: offer.model.max_output_tokens,
            gate: Arc::clone(&connection.gate),
        };
        Ok(Served {
            model: offer.model,
            routes: vec![route],
        })
    }
}

impl Catalog {
    /// Takes out what may not be used, and puts the default first.
    pub fn keep_allowed(&mut self, settings: &Settings) {
        self.offers.retain(|offer| settings.allows_model(&offer.model.id));
        if let Some(default) = &settings.default_model {
            // Stable: the others keep their order.
            self.offers.sort_by_key(|offer| offer.model.id != *default);
        }
    }
}

/// What is known of a model's tariff on this way.
fn known_tariff(connection: &Connection, model: &str, stated: Option<Tariff>, at: Time) -> Option<Tariff> {
    if connection.kind.is_built_in() {
        return Some(Tariff::flat(Price::FREE, PriceSource::BuiltIn));
    }
    let set = connection
        .price
        .map(|price| Tariff::flat(price, PriceSource::Administrator));
    set.or(stated)
        .or_else(|| price::listed(connection.kind.as_str(), model).map(|listing| listing.tariff(at)))
}

/// Why there is no embedder.
#[derive(Debug, thiserror::Error)]
pub enum EmbedderError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The model that the files are embedded with, or are to be, is not served.
    #[error("no provider serves the embedding model {0:?} that this installation's files are indexed with")]
    Gone(String),
}
