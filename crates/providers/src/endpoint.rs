//! One vendor's server as its adapter sees it: requests with their key, and answers within their limits.

use std::{sync::Arc, time::Duration};

use across::{
    clock::Clock,
    providers::{
        failure::{Category, ProviderError},
        model::ProviderKind,
    },
    secret::Secret,
};
use reqwest::{
    Client, Method, Response,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use crate::{
    guard::Guard,
    http::{MAX_BODY, MAX_ERROR_BODY, Timeouts, is_head_too_large, read_up_to, shorten, transport, without_key},
    json,
    refusal::Refusal,
    retry_after::{NEVER, retry_after},
};

/// How often a request is sent at most whose answer comes whole.
const ATTEMPTS: usize = 3;
/// The waits between attempts where the server names none.
const WAITS: [Duration; ATTEMPTS - 1] = [Duration::from_millis(500), Duration::from_millis(1500)];
/// The longest wait that a server may ask for; one that wants more is not asked again.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// Where a vendor's server answers, and what every request to it carries.
pub(crate) struct Endpoint {
    /// Whose server it is.
    pub(crate) kind: ProviderKind,
    pub(crate) client: Client,
    /// With or without a slash at its end.
    pub(crate) base: Url,
    /// Servers of one's own often need none.
    pub(crate) key: Option<Secret>,
    /// How the key is carried: never in the URL, which lands in logs.
    pub(crate) carries: KeyHeader,
    /// What else every request carries.
    pub(crate) headers: Vec<(&'static str, HeaderValue)>,
    pub(crate) timeouts: Timeouts,
    /// Decides whether the server may be called, where an administrator may name it.
    pub(crate) guard: Option<Guard>,
    /// What waits until a moment are counted with, and what is past.
    pub(crate) clock: Arc<dyn Clock>,
}

/// The header that carries a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyHeader {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// A header of this name with nothing but the key.
    Own(&'static str),
}

/// What is asked of a server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ask<'a> {
    /// The path below the base, in segments.
    pub(crate) path: &'a [&'a str],
    pub(crate) query: &'a [(&'a str, &'a str)],
    /// JSON to post; without it the request is a GET.
    pub(crate) body: Option<Vec<u8>>,
    /// Whether the answer is to come as a stream of events.
    pub(crate) streams: bool,
}

/// A server's consent to answer, with the body of the answer unread.
pub(crate) struct Accepted {
    pub(crate) response: Response,
    /// When the request was sent.
    pub(crate) asked_at: Instant,
}

/// A refusal, with the parameter that the server names.
pub(crate) struct Refused {
    pub(crate) error: ProviderError,
    pub(crate) param: Option<String>,
}

impl From<ProviderError> for Refused {
    fn from(error: ProviderError) -> Self {
        Self { error, param: None }
    }
}

impl Endpoint {
    /// A failure without an answer behind it.
    pub(crate) fn error(&self, category: Category, message: impl Into<String>) -> ProviderError {
        ProviderError::local(self.kind, category, message)
    }

    /// An answer that cannot be understood.
    pub(crate) fn malformed(&self, message: impl Into<String>) -> ProviderError {
        self.error(Category::Malformed, message)
    }

    /// A request's JSON.
    pub(crate) fn json(&self, body: &impl Serialize) -> Result<Vec<u8>, ProviderError> {
        serde_json::to_vec(body)
            .map_err(|error| self.error(Category::BadRequest, format!("the request is no JSON: {error}")))
    }

    /// One request with a JSON answer that comes whole. Failures that pass are waited out: such an answer may be asked for
    /// twice.
    pub(crate) async fn exchange<T: DeserializeOwned>(&self, ask: Ask<'_>) -> Result<T, ProviderError> {
        let mut waits = WAITS.into_iter();
        let body = loop {
            let error = match self.ask_once(&ask).await {
                Ok(body) => break body,
                Err(error) => error,
            };
            let passes = matches!(
                error.category,
                Category::RateLimited
                    | Category::Overloaded
                    | Category::Upstream
                    | Category::Timeout
                    | Category::Network
                    | Category::Cut
            );
            let Some(usual) = waits.next().filter(|_| passes) else {
                return Err(error);
            };
            // Many who were turned away at the same moment come back at different ones.
            let jitter = usual.mul_f64(rand::random::<f64>() / 2.0);
            let wait = error.retry_after.unwrap_or(usual).saturating_add(jitter);
            if wait > LONGEST_WAIT {
                return Err(error);
            }
            tracing::info!(%error, ?wait, "asking the provider again");
            sleep(wait).await;
        };
        if let Some(refusal) = Refusal::find(&body) {
            return Err(refusal.without_key(self.key.as_ref()).into_error(self.kind, None));
        }
        serde_json::from_value(body).map_err(|error| self.malformed(format!("the answer has another shape: {error}")))
    }

    async fn ask_once(&self, ask: &Ask<'_>) -> Result<Value, ProviderError> {
        let accepted = self.send(ask).await.map_err(|refused| refused.error)?;
        self.whole(accepted.response).await
    }

    fn url(&self, ask: &Ask<'_>) -> Result<Url, ProviderError> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| self.error(Category::BadRequest, "the provider's base URL is not a web address"))?
            .pop_if_empty()
            .extend(ask.path);
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(ask.query);
        }
        Ok(url)
    }

    fn key_header(&self) -> Result<Option<(&'static str, HeaderValue)>, ProviderError> {
        let Some(key) = &self.key else { return Ok(None) };
        let (name, value) = match self.carries {
            KeyHeader::Bearer => ("authorization", format!("Bearer {}", key.expose())),
            KeyHeader::Own(name) => (name, key.expose().to_owned()),
        };
        let mut value = HeaderValue::try_from(value).map_err(|_| {
            self.error(
                Category::BadRequest,
                "the key holds characters that no header can carry",
            )
        })?;
        value.set_sensitive(true);
        Ok(Some((name, value)))
    }

    /// Sends one request, once.
    pub(crate) async fn send(&self, ask: &Ask<'_>) -> Result<Accepted, Refused> {
        let url = self.url(ask)?;
        if let Some(guard) = &self.guard {
            guard.check_literal(&url).map_err(|forbidden| ProviderError {
                retry_after: Some(NEVER),
                ..self.error(Category::Network, forbidden.to_string())
            })?;
        }
        let method = if ask.body.is_some() { Method::POST } else { Method::GET };
        let accept = if ask.streams {
            "text/event-stream"
        } else {
            "application/json"
        };
        let mut request = self
            .client
            .request(method, url)
            .header(ACCEPT, accept)
            .header(ACCEPT_ENCODING, "identity");
        if let Some((name, value)) = self.key_header()? {
            request = request.header(name, value);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(body) = &ask.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let asked_at = Instant::now();
        let answer = timeout(self.timeouts.first_byte, request.send()).await;
        let response = answer
            .map_err(|_| self.error(Category::Timeout, "the provider did not answer in time"))?
            .map_err(|error| transport(self.kind, error))?;
        if is_head_too_large(response.headers()) {
            return Err(self.malformed("the head of the answer is too large").into());
        }
        if response.status().is_success() {
            Ok(Accepted { response, asked_at })
        } else {
            Err(self.refusal(response).await)
        }
    }

    /// Reads the answer of a server that refused.
    async fn refusal(&self, mut response: Response) -> Refused {
        let status = response.status();
        if status.is_redirection() {
            let message = "the provider answered with a redirect, which is not followed: check its base URL";
            return ProviderError {
                status: Some(status.as_u16()),
                ..self.malformed(message)
            }
            .into();
        }
        let headers = response.headers().clone();
        // The status alone says enough if the body does not come.
        let reading = read_up_to(&mut response, MAX_ERROR_BODY, self.kind);
        let body = timeout(self.timeouts.idle, reading)
            .await
            .map(Result::unwrap_or_default)
            .unwrap_or_default()
            .0;
        let refusal = json::parse(&body).map_or_else(
            |_| Refusal {
                message: String::from_utf8_lossy(&body).into_owned(),
                ..Refusal::default()
            },
            |body| Refusal::read(&body),
        );
        let refusal = refusal.without_key(self.key.as_ref());
        let param = refusal.param.clone();
        let told = retry_after(&headers, status.as_u16(), self.clock.now());
        let is_final = refusal.again.is_none() && word(&headers, "x-should-retry") == Some("false");
        let refused = refusal.into_error(self.kind, Some(status.as_u16()));
        let error = ProviderError {
            retry_after: match refused.retry_after {
                Some(NEVER) => Some(NEVER),
                _ if is_final => Some(NEVER),
                said => told.or(said),
            },
            ..refused
        };
        let request_id = word(&headers, "x-request-id").or_else(|| word(&headers, "request-id"));
        tracing::warn!(%error, request_id, "a provider refused a request");
        Refused { error, param }
    }

    /// The JSON of an answer that is not a stream.
    async fn whole(&self, mut response: Response) -> Result<Value, ProviderError> {
        let reading = read_up_to(&mut response, MAX_BODY, self.kind);
        let (body, complete) = timeout(self.timeouts.total, reading)
            .await
            .map_err(|_| self.error(Category::Timeout, "the provider's answer took too long"))??;
        if !complete {
            return Err(self.malformed(format!("the answer has more than {MAX_BODY} bytes")));
        }
        json::parse(&body).map_err(|error| {
            let start = shorten(&without_key(&String::from_utf8_lossy(&body), self.key.as_ref()));
            self.malformed(format!("the answer is not JSON ({error}): {start}"))
        })
    }
}

/// A header as text.
fn word<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
