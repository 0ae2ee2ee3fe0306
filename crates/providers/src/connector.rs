//! The one place that knows every vendor's adapter: keys in, providers out.

use std::{collections::HashMap, sync::Arc};

use across::{
    clock::{Clock, SystemClock},
    providers::{
        key::{ApiKey, Custom},
        model::{EmbeddingModel, ProviderKind},
        provider::Provider,
        registry::Connector,
    },
    secret::Secret,
};
use async_trait::async_trait;
use reqwest::{Client, header::HeaderValue};
use url::Url;

use crate::{
    anthropic::{self, Anthropic},
    endpoint::{Endpoint, KeyHeader},
    gemini::{self, Gemini},
    guard::{Guard, Lookup, SystemLookup},
    http::{SetupError, Timeouts, client, guarded_client},
    openai::{self, OpenAi},
};

/// Where OpenRouter answers.
const OPENROUTER: &str = "https://openrouter.ai/api/v1";
/// What OpenRouter shows in its statistics.
const OPENROUTER_HEADERS: &[(&str, &str)] = &[("x-openrouter-title", "AI-Across")];
/// Where OpenRouter reads whose statistics they are.
const REFERER: &str = "http-referer";
/// Where OpenAI answers.
const OPENAI: &str = "https://api.openai.com/v1";
/// OpenAI's embedding models, the usual one first. OpenRouter serves them too.
const OPENAI_EMBEDDINGS: [&str; 3] = [
    "text-embedding-3-small",
    "text-embedding-3-large",
    "text-embedding-ada-002",
];

/// A provider, and the models it can embed with.
pub type Connected = (Arc<dyn Provider>, Vec<EmbeddingModel>);

/// How vendors are reached.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// Where another server stands in for a vendor: a gateway, a server of one's own, a double in a test. Who configures
    /// the process answers for these addresses; they are called as they are.
    pub stand_ins: HashMap<ProviderKind, Url>,
    /// How long a vendor may take.
    pub timeouts: Timeouts,
    /// Whether `custom` keys may point at this machine and at private networks.
    pub allow_private: bool,
}

/// Connections to all vendors; they share two HTTP clients, one of which is guarded.
pub struct VendorConnector {
    reach: Reach,
    open: Client,
    guarded: Client,
    guard: Guard,
    clock: Arc<dyn Clock>,
    public_url: Option<HeaderValue>,
}

impl VendorConnector {
    /// Connections over the machine's network.
    ///
    /// # Errors
    /// [`SetupError`] if TLS cannot be initialised.
    pub fn new(reach: Reach) -> Result<Self, SetupError> {
        Self::with_lookup(reach, Arc::new(SystemLookup))
    }

    /// Connections over a network in which `lookup` finds the addresses of `custom` servers.
    ///
    /// # Errors
    /// [`SetupError`] if TLS cannot be initialised.
    pub fn with_lookup(reach: Reach, lookup: Arc<dyn Lookup>) -> Result<Self, SetupError> {
        let guard = Guard::new(lookup, reach.allow_private, reach.timeouts.connect);
        Ok(Self {
            open: client(&reach.timeouts)?,
            guarded: guarded_client(&reach.timeouts, &guard)?,
            guard,
            reach,
            clock: Arc::new(SystemClock),
            public_url: None,
        })
    }

    /// The same by another clock than the machine's: it tells how long a wait until a moment is, and which models are past.
    #[must_use]
    pub fn by(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The same for an installation that people find at this address. OpenRouter is told it, and counts by it.
    #[must_use]
    pub fn known_as(mut self, public_url: Option<&Url>) -> Self {
        self.public_url = public_url.and_then(|url| HeaderValue::try_from(url.as_str()).ok());
        self
    }

    /// The vendor as the configuration of the process reaches it, with a key or, where another server stands in for it,
    /// without; and the models it can embed with. `None` for kinds that no configuration reaches.
    #[must_use]
    pub fn configured(&self, kind: ProviderKind, key: Option<Secret>) -> Option<Connected> {
        match kind {
            ProviderKind::OpenAi => {
                let endpoint = self.endpoint(kind, OPENAI, key, KeyHeader::Bearer, &[])?;
                Some((Arc::new(OpenAi::new(endpoint, None)), openai_embeddings()))
            }
            ProviderKind::OpenRouter => {
                let mut endpoint = self.endpoint(kind, OPENROUTER, key, KeyHeader::Bearer, OPENROUTER_HEADERS)?;
                endpoint
                    .headers
                    .extend(self.public_url.clone().map(|url| (REFERER, url)));
                Some((Arc::new(OpenAi::new(endpoint, None)), openai_embeddings()))
            }
            ProviderKind::Anthropic => {
                let carries = KeyHeader::Own(anthropic::KEY_HEADER);
                let endpoint = self.endpoint(kind, anthropic::BASE, key, carries, anthropic::HEADERS)?;
                Some((Arc::new(Anthropic::new(endpoint)), Vec::new()))
            }
            ProviderKind::Google => {
                let endpoint = self.endpoint(kind, gemini::BASE, key, KeyHeader::Own(gemini::KEY_HEADER), &[])?;
                Some((Arc::new(Gemini::new(endpoint)), gemini::embedding_models()))
            }
            ProviderKind::Custom | ProviderKind::Offline | ProviderKind::Local => None,
        }
    }

    fn endpoint(
        &self,
        kind: ProviderKind,
        usual: &str,
        key: Option<Secret>,
        carries: KeyHeader,
        headers: &'static [(&'static str, &'static str)],
    ) -> Option<Endpoint> {
        let base = match self.reach.stand_ins.get(&kind) {
            Some(base) => base.clone(),
            None => Url::parse(usual).ok()?,
        };
        Some(Endpoint {
            kind,
            client: self.open.clone(),
            base,
            key,
            carries,
            headers: headers
                .iter()
                .map(|(name, value)| (*name, HeaderValue::from_static(value)))
                .collect(),
            timeouts: self.reach.timeouts,
            guard: None,
            clock: Arc::clone(&self.clock),
        })
    }

    /// A server that an administrator named. Its address is checked with every call, so one that became forbidden since
    /// it was entered is refused then.
    fn server(&self, custom: &Custom, key: Secret) -> Option<Connected> {
        let endpoint = Endpoint {
            kind: ProviderKind::Custom,
            client: self.guarded.clone(),
            base: Url::parse(&custom.base_url).ok()?,
            key: Some(key),
            carries: KeyHeader::Bearer,
            headers: Vec::new(),
            timeouts: self.reach.timeouts,
            guard: Some(self.guard.clone()),
            clock: Arc::clone(&self.clock),
        };
        // How long the vectors of its models are, only the server knows: it is asked when the model is named.
        let embeds = custom.embedding.clone().into_iter().collect();
        Some((Arc::new(OpenAi::new(endpoint, Some(custom))), embeds))
    }
}

#[async_trait]
impl Connector for VendorConnector {
    fn connect(&self, key: &ApiKey, secret: &Secret) -> Option<Connected> {
        match (key.provider, &key.custom) {
            (ProviderKind::Custom, Some(custom)) => self.server(custom, secret.clone()),
            (kind, _) => self.configured(kind, Some(secret.clone())),
        }
    }

    fn custom(&self, custom: &Custom, secret: &Secret) -> Option<Arc<dyn Provider>> {
        self.server(custom, secret.clone()).map(|(provider, _)| provider)
    }

    async fn check_base_url(&self, base_url: &str) -> Result<(), String> {
        self.guard.check(base_url).await.map(drop)
    }
}

fn openai_embeddings() -> Vec<EmbeddingModel> {
    let models = OPENAI_EMBEDDINGS.into_iter().filter_map(|id| {
        Some(EmbeddingModel {
            id: id.to_owned(),
            dimensions: openai::embedding_dimensions(id)?,
        })
    });
    models.collect()
}

/// How many numbers a vector of this embedding model has, if any vendor here serves it.
#[must_use]
pub fn embedding_dimensions(model: &str) -> Option<usize> {
    let mut served = openai_embeddings().into_iter().chain(gemini::embedding_models());
    served.find(|known| known.id == model).map(|known| known.dimensions)
}
