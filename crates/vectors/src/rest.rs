//! JSON over HTTP, and what its failures mean for a search.

use across::{retrieval::vectors::VectorError, secret::Secret};
use reqwest::{Client, Method, Response, StatusCode, header::HeaderValue, redirect};
use serde_json::Value;
use tokio::time::timeout;
use url::Url;

use crate::PATIENCE;

/// The most that is read of an answer, in bytes.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// The most of a server's words that is kept, in characters.
const MAX_WORDS: usize = 200;

/// A server and the key that it asks for.
pub(crate) struct Rest {
    client: Client,
    base: String,
    header: &'static str,
    key: Option<Secret>,
}

impl Rest {
    /// A server at this address, with the header its key is sent in.
    pub(crate) fn new(base: &Url, header: &'static str, key: Option<Secret>) -> Result<Self, VectorError> {
        // An error says that another part of the process chose a provider of cryptography already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let builder = || {
            Client::builder()
                .user_agent(concat!("ai-across/", env!("CARGO_PKG_VERSION")))
                // They could carry the key elsewhere.
                .redirect(redirect::Policy::none())
                .connect_timeout(PATIENCE)
        };
        // A container without certificate authorities can still reach a server on its own network over plain HTTP.
        let client = builder().build().or_else(|_| builder().tls_certs_only([]).build());
        let client = client.map_err(|error| VectorError::Refused(format!("no HTTP client can be set up: {error}")))?;
        let base = base.as_str().trim_end_matches('/').to_owned();
        Ok(Self {
            client,
            base,
            header,
            key,
        })
    }

    /// What the server answers, all of it within the time that a request may take; `None` if it says that there is no such
    /// thing.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Option<Value>, VectorError> {
        let late = || VectorError::Unavailable(format!("it took longer than {} s", PATIENCE.as_secs()));
        timeout(PATIENCE, self.exchange(method, path, body))
            .await
            .unwrap_or_else(|_| Err(late()))
    }

    async fn exchange(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Option<Value>, VectorError> {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            let mut value = HeaderValue::from_str(key.expose())
                .map_err(|_| VectorError::Refused("the key holds signs that no header can".to_owned()))?;
            value.set_sensitive(true);
            request = request.header(self.header, value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(broken)?;
        let status = response.status();
        let bytes = read(response).await?;
        if status.is_success() {
            let json = serde_json::from_slice(&bytes);
            return json
                .map(Some)
                .map_err(|_| VectorError::Malformed("what it sent is not JSON".to_owned()));
        }
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Err(self.failure(status, &bytes))
    }

    fn failure(&self, status: StatusCode, body: &[u8]) -> VectorError {
        let number = status.as_u16();
        let words = self.words(body);
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                VectorError::Refused(format!("it does not accept the key ({number})"))
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                VectorError::Unavailable(format!("it answered {number}: {words}"))
            }
            _ if status.is_server_error() => VectorError::Unavailable(format!("it answered {number}: {words}")),
            _ if status.is_redirection() => VectorError::Refused(format!("it sends elsewhere ({number})")),
            _ => VectorError::Refused(format!("it answered {number}: {words}")),
        }
    }

    /// The server's words on one line, shortened, without the key: some repeat what they reject.
    fn words(&self, body: &[u8]) -> String {
        let text = String::from_utf8_lossy(body);
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = match self.key.as_ref().map(Secret::expose).filter(|key| !key.is_empty()) {
            Some(key) => line.replace(key, "[key]"),
            None => line,
        };
        line.chars().take(MAX_WORDS).collect()
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, VectorError> {
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(broken)? {
        if bytes.len() + piece.len() > MAX_BODY {
            let limit = MAX_BODY / (1024 * 1024);
            return Err(VectorError::Malformed(format!("its answer is longer than {limit} MiB")));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// A connection that did not come about or broke. An address may hold a password, so it stays out of the message.
fn broken(error: reqwest::Error) -> VectorError {
    let error = error.without_url();
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        message = inner.to_string();
        cause = inner.source();
    }
    VectorError::Unavailable(message)
}

/// That a collection is not there although the rows promise points in it.
pub(crate) fn gone() -> VectorError {
    VectorError::Unavailable("the collection is gone; `ai-across reindex` or the next start fills it again".to_owned())
}

/// That an answer lacks what its interface promises.
pub(crate) fn lacks(what: &str) -> VectorError {
    VectorError::Malformed(format!("its answer lacks {what}"))
}
