//! What every request handler can reach: the platform, and the few things that concern HTTP alone.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use across::{platform::Platform, secret::Secret};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ipnet::IpNet;
use subtle::ConstantTimeEq as _;
use url::Url;

pub use crate::api::models::ModelRefreshes;
use crate::{limits::Limits, metrics::Metrics};

/// What every request handler can reach; clones share everything.
#[derive(Clone)]
pub struct AppState {
    /// The product.
    pub platform: Arc<Platform>,
    /// Lets one person set the platform up while it has no users.
    pub setup: Arc<SetupToken>,
    /// Settings of the HTTP interface.
    pub http: Arc<HttpConfig>,
    /// Whether this process takes work.
    pub ready: Arc<Readiness>,
    /// Keeps administrators from asking providers for their models too often.
    pub model_refreshes: Arc<ModelRefreshes>,
    /// What is counted from request to request.
    pub limits: Arc<Limits>,
    /// What is counted for the operator.
    pub metrics: Metrics,
}

/// Proves that whoever sets the platform up can read this process's output. It lives as long as the process.
pub struct SetupToken(String);

impl SetupToken {
    /// A new one: 256 random bits.
    #[must_use]
    pub fn random() -> Self {
        Self(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
    }

    /// The text to show to the operator.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `presented` is this token; the time taken does not tell how much of it is right.
    #[must_use]
    pub fn verify(&self, presented: &str) -> bool {
        self.0.as_bytes().ct_eq(presented.as_bytes()).into()
    }
}

impl fmt::Debug for SetupToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SetupToken(…)")
    }
}

/// Settings of the HTTP interface.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Where people reach the platform; `None`: wherever the request says it was sent to.
    pub public_url: Option<Url>,
    /// Whether the interface documents itself at `/docs` and `/openapi.json`.
    pub docs: bool,
    /// Networks of proxies whose word about the client is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Other origins whose pages may use the API.
    pub cors_origins: Vec<String>,
    /// Opens `/metrics` besides an administrator's token.
    pub metrics_token: Option<Secret>,
}

impl HttpConfig {
    /// Whether people reach the platform over HTTPS, as far as the operator said.
    #[must_use]
    pub fn is_public_https(&self) -> bool {
        self.public_url.as_ref().is_some_and(|url| url.scheme() == "https")
    }

    /// Whether `presented` is the token for `/metrics`; the time taken does not tell how much of it is right.
    #[must_use]
    pub fn is_metrics_token(&self, presented: &str) -> bool {
        let token = self.metrics_token.as_ref();
        token.is_some_and(|token| token.expose().as_bytes().ct_eq(presented.as_bytes()).into())
    }
}

/// Whether this process takes work: not yet while it recovers from the last run, not any more once it is stopping.
#[derive(Debug, Default)]
pub struct Readiness(AtomicBool);

impl Readiness {
    /// Says whether work is taken from now on.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    /// Whether work is taken.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_the_token() {
        let token = SetupToken::random();
        let text = token.expose().to_owned();
        assert!(token.verify(&text));
        for wrong in ["", &text[1..], &format!("{text}x"), SetupToken::random().expose()] {
            assert!(!token.verify(wrong));
        }
    }
}
