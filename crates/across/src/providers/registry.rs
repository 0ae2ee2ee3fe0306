//! Which providers this installation has now: those of the configuration and of the stored keys, who serves which model, and
//! the one embedder in use.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use crate::{
    clock::Clock,
    fault::StoreError,
    governance::{meter::Spent, usage::Purpose},
    id::ApiKeyId,
    kept::KeptValues,
    money::{MicroUsd, Price, PriceSource, Tariff},
    providers::{
        catalog::{Catalog, known_tariff, preference},
        embedder::{EmbedRoute, Embedder},
        gate::{Gate, Health, Observer},
        key::{ApiKey, ApiKeyStore, CUSTOM_PRICE, Custom, Sealed, sealed_name},
        lists::Lists,
        model::{EmbeddingModel, ProviderKind},
        provider::Provider,
        routing::Served,
    },
    secret::{Secret, Vault},
    settings::Settings,
};

/// The id of the built-in embedder's model.
pub const LOCAL_MODEL: &str = "all-MiniLM-L6-v2";
/// Under which name the embedding space in use is kept.
pub const SPACE_IN_USE: &str = "embedding_model";

/// Which way to a provider: the stored key says which of several, if it uses one.
pub type Way = (ProviderKind, Option<ApiKeyId>);

/// A way to a provider.
#[derive(Clone)]
pub struct Connection {
    /// Who is at its end.
    pub kind: ProviderKind,
    /// The stored key it uses, if it uses one.
    pub key: Option<ApiKeyId>,
    /// What people call that key; empty without one.
    pub name: String,
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

impl Connection {
    /// Which way it is.
    #[must_use]
    pub const fn way(&self) -> Way {
        (self.kind, self.key)
    }
}

/// Makes connections from keys; the one place that knows vendors' adapters.
#[async_trait]
pub trait Connector: Send + Sync {
    /// The provider that this key opens, and the models it can embed with; `None` if this version has no adapter for it.
    fn connect(&self, key: &ApiKey, secret: &Secret) -> Option<(Arc<dyn Provider>, Vec<EmbeddingModel>)>;

    /// A `custom` server that may not be stored yet; `None` if its address is none.
    fn custom(&self, custom: &Custom, secret: &Secret) -> Option<Arc<dyn Provider>>;

    /// Whether a `custom` key may point there: an `http` or `https` address without user, query and fragment, every
    /// address of whose host may be called.
    ///
    /// # Errors
    /// A sentence about what is wrong.
    async fn check_base_url(&self, base_url: &str) -> Result<(), String>;
}

/// Why nobody serves a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unserved {
    /// No provider has it, or it may not be used.
    Unknown,
    /// Nothing can be chatted with at all.
    Nothing,
    /// A provider that may have it cannot be used now: its key does not open, or it has never told which models it has.
    Unreachable,
}

/// The providers of an installation.
pub struct Providers {
    configured: Vec<Connection>,
    built_in: Vec<Connection>,
    connector: Arc<dyn Connector>,
    observer: Arc<dyn Observer>,
    clock: Arc<dyn Clock>,
    /// The stored keys that the connections were made of.
    keys: Mutex<Vec<Sealed>>,
    gates: Mutex<HashMap<ApiKeyId, Arc<Gate>>>,
    lists: Arc<Lists>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Providers {
    /// Providers in order of preference: `configured` ones, which stand back where a key is stored for them, and those
    /// that are part of this program. `fallback` is charged for models whose price nobody knows; `observer` is told of
    /// calls with stored keys, of others by the gates of their connections.
    #[must_use]
    pub fn new(
        configured: Vec<Connection>,
        built_in: Vec<Connection>,
        connector: Arc<dyn Connector>,
        observer: Arc<dyn Observer>,
        fallback: Price,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let connections = configured.iter().chain(&built_in).cloned().collect();
        Self {
            configured,
            built_in,
            connector,
            observer,
            keys: Mutex::default(),
            gates: Mutex::default(),
            lists: Arc::new(Lists::new(connections, fallback, Arc::clone(&clock))),
            clock,
        }
    }

    /// Makes connections from keys.
    #[must_use]
    pub fn connector(&self) -> &dyn Connector {
        self.connector.as_ref()
    }

    /// A call was charged: it is counted.
    pub fn charged(&self, purpose: Purpose, spent: &Spent) {
        if let Some(kind) = ProviderKind::named(&spent.provider) {
            let (sent, received) = (spent.prompt_tokens, spent.completion_tokens);
            self.observer.charged(kind, purpose, sent, received, spent.cost);
        }
    }

    /// Takes over the stored keys as they are now; does nothing if none of them changed. Models of keys that are new are
    /// asked for meanwhile.
    ///
    /// # Errors
    /// [`StoreError`] if they could not be read; the connections stay as they were.
    pub async fn refresh(&self, keys: &(impl ApiKeyStore + ?Sized), vault: &Vault) -> Result<(), StoreError> {
        let found = keys.active_keys().await?;
        let mut keys = locked(&self.keys);
        let same =
            |(a, b): (&Sealed, &Sealed)| a.key.id == b.key.id && a.key.version == b.key.version && a.sealed == b.sealed;
        if keys.len() == found.len() && keys.iter().zip(&found).all(same) {
            return Ok(());
        }
        let resealed = |key: &Sealed| {
            let mut known = keys.iter().filter(|known| known.key.id == key.key.id);
            known.any(|known| known.sealed != key.sealed)
        };
        let changed: Vec<&ApiKey> = found.iter().filter(|key| resealed(key)).map(|key| &key.key).collect();
        // What was learned about a key says nothing about another one in its place.
        locked(&self.gates)
            .retain(|id, _| found.iter().any(|key| key.key.id == *id) && !changed.iter().any(|key| key.id == *id));
        let mut opened: Vec<Connection> = Vec::new();
        for key in &found {
            // Of one provider the preferred key is used; every custom one is a server of its own.
            let is_taken = opened.iter().any(|open| open.kind == key.key.provider);
            if key.key.provider == ProviderKind::Custom || !is_taken {
                opened.extend(self.open(key, vault));
            }
        }
        let stands_back = |connection: &&Connection| !opened.iter().any(|open| open.kind == connection.kind);
        let configured: Vec<_> = self.configured.iter().filter(stands_back).cloned().collect();
        let all = opened.into_iter().chain(configured).chain(self.built_in.clone());
        let changed: Vec<Way> = changed.iter().map(|key| (key.provider, Some(key.id))).collect();
        self.lists.connect(all.collect(), &changed);
        *keys = found;
        if self.lists.at_hand().is_some() {
            self.lists.ask_meanwhile();
        }
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
            name: key.name.clone(),
            is_keyed: true,
            provider,
            embeds,
            price: custom.map(|custom| custom.price.unwrap_or(CUSTOM_PRICE)),
            gate: self.gate(key),
        })
    }

    /// The gate of a key's way: what was learned about the provider outlives a change of the key's name.
    fn gate(&self, key: &ApiKey) -> Arc<Gate> {
        let new = || Arc::new(Gate::observed(key.provider, Arc::clone(&self.observer)));
        Arc::clone(locked(&self.gates).entry(key.id).or_insert_with(new))
    }

    /// The ways that calls go now, and how each has done in this process.
    #[must_use]
    pub fn ways(&self) -> Vec<(Way, Health)> {
        let now = self.clock.now();
        let connections = self.lists.connections();
        connections
            .iter()
            .map(|connection| (connection.way(), connection.gate.health(now)))
            .collect()
    }

    /// The providers of the configuration that are called, since no key is stored for them.
    #[must_use]
    pub fn configured(&self) -> Vec<(ProviderKind, Arc<dyn Provider>)> {
        let connections = self.lists.connections();
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
        kept.kept(SPACE_IN_USE).await
    }

    /// Whether a setting of the embedding model means the space that is in use.
    #[must_use]
    pub fn means_space(wanted: &str, space: &str) -> bool {
        let model = space.rsplit_once(':').map_or(space, |(model, _)| model);
        wanted == "auto" || wanted == model || (wanted == "local" && model == LOCAL_MODEL)
    }

    /// The embedder in use. Vectors of different models cannot be compared, so the choice is made once, by `wanted`
    /// (`auto`, `local` or a model's id), and kept. Whoever serves the very same model is asked where the first one fails.
    ///
    /// # Errors
    /// [`EmbedderError`] if the choice could not be read or is not served any more.
    pub async fn embedder(&self, kept: &(impl KeptValues + ?Sized), wanted: &str) -> Result<Embedder, EmbedderError> {
        let choice = match kept.kept(SPACE_IN_USE).await? {
            Some(choice) => choice,
            None => {
                let connections = self.lists.connections();
                let offered = embedding(&connections);
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
                kept.keep_once(SPACE_IN_USE, &first.space()).await?
            }
        };
        self.embedder_in(&choice)
    }

    /// The embedder whose vectors lie in this space.
    ///
    /// # Errors
    /// [`EmbedderError::Gone`] if nobody serves it.
    pub fn embedder_in(&self, space: &str) -> Result<Embedder, EmbedderError> {
        let connections = self.lists.connections();
        let found = embedding(&connections)
            .into_iter()
            .filter(|(_, model)| model.space() == space);
        let mut model = None;
        let mut routes = Vec::new();
        for (connection, found) in found {
            model.get_or_insert_with(|| found.clone());
            routes.extend(connection.provider.clone().map(|provider| EmbedRoute {
                provider,
                key: connection.key,
                tariff: self.tariff(connection, &found.id),
                gate: Arc::clone(&connection.gate),
            }));
        }
        Ok(Embedder {
            model: model.ok_or_else(|| EmbedderError::Gone(space.to_owned()))?,
            routes,
            observer: Arc::clone(&self.observer),
        })
    }

    /// The embedding models that can be chosen, each once, the usual choice first.
    #[must_use]
    pub fn embedding_models(&self) -> Vec<Offered> {
        let connections = self.lists.connections();
        let mut offered: Vec<Offered> = Vec::new();
        for (connection, model) in embedding(&connections) {
            match offered.iter_mut().find(|known| known.model == *model) {
                Some(known) if known.providers.contains(&connection.kind) => {}
                Some(known) => known.providers.push(connection.kind),
                None => {
                    let is_free = connection.kind.is_built_in();
                    let tariff = self.tariff(connection, &model.id);
                    let price = if is_free {
                        MicroUsd::ZERO
                    } else {
                        tariff.worst(0).prompt
                    };
                    offered.push(Offered {
                        model: model.clone(),
                        providers: vec![connection.kind],
                        price,
                    });
                }
            }
        }
        offered
    }

    /// The space of the embedding model of this name: `local`, a model's id, or a space's own name. `None` if nobody embeds
    /// with it.
    #[must_use]
    pub fn space_named(&self, name: &str) -> Option<String> {
        let offered = self.embedding_models().into_iter().map(|offered| offered.model);
        let is_meant = |model: &EmbeddingModel| {
            model.id == name || model.space() == name || (name == "local" && model.id == LOCAL_MODEL)
        };
        offered.into_iter().find(is_meant).map(|model| model.space())
    }

    /// What a million tokens of an embedding model cost: what is known, else the fallback, so that nothing unknown is free.
    fn tariff(&self, connection: &Connection, model: &str) -> Tariff {
        let known = known_tariff(connection, model, None, self.clock.now());
        known.unwrap_or_else(|| Tariff::flat(self.lists.fallback(), PriceSource::Fallback))
    }

    /// The models that can be chatted with, asked for again in the background when they are older than five minutes. Waits
    /// for the providers, five seconds at most, only if none has been asked since the program began. A provider that fails
    /// keeps its last known models for a day.
    pub async fn catalog(&self) -> Arc<Catalog> {
        self.lists.catalog().await
    }

    /// The models as they are known, without asking anybody; `None` if nobody has been asked yet.
    #[must_use]
    pub fn catalog_at_hand(&self) -> Option<Arc<Catalog>> {
        self.lists.at_hand()
    }

    /// The models that can be chatted with, asked for now. Parallel callers share the answers.
    pub async fn fresh_catalog(&self) -> Arc<Catalog> {
        self.lists.ask_all().await
    }

    /// Asks those providers for their models that have not been asked yet, or not for long, and waits for them.
    pub async fn catch_up(&self) -> Arc<Catalog> {
        self.lists.ask_due().await
    }

    /// The same, in the background.
    pub fn warm_up(&self) {
        self.lists.ask_meanwhile();
    }

    /// Who serves the model of this name, or the default model if none is named: all the ways to it.
    ///
    /// # Errors
    /// [`Unserved`] if nobody does.
    pub async fn serving(&self, model: Option<&str>, settings: &Settings) -> Result<Served, Unserved> {
        let catalog = self.catalog().await;
        match (catalog.usable(model, settings), model) {
            (Some(offer), _) => Ok(Served {
                model: offer.model.clone(),
                routes: offer.routes.clone(),
            }),
            // On the list, but people may not use it.
            (None, Some(name)) if catalog.named(name).is_some() => Err(Unserved::Unknown),
            _ if catalog.is_partial => Err(Unserved::Unreachable),
            (None, Some(_)) => Err(Unserved::Unknown),
            (None, None) => Err(Unserved::Nothing),
        }
    }
}

/// Who embeds with what, in the order of preference.
fn embedding(connections: &[Connection]) -> Vec<(&Connection, &EmbeddingModel)> {
    let mut offered: Vec<(&Connection, &EmbeddingModel)> = connections
        .iter()
        .filter(|connection| connection.provider.is_some())
        .flat_map(|connection| connection.embeds.iter().map(move |model| (connection, model)))
        .collect();
    offered.sort_by_key(|(connection, _)| preference(connection));
    offered
}

/// An embedding model that can be chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Offered {
    /// The model.
    pub model: EmbeddingModel,
    /// Who embeds with it.
    pub providers: Vec<ProviderKind>,
    /// What a million tokens cost where it is asked first.
    pub price: MicroUsd,
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
