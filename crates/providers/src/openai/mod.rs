//! OpenAI, and every server that speaks its dialect: chat, embeddings and the list of models.
//!
//! `wire` is its JSON, `request` maps to it, `events` maps from it, `stream` reads an answer as it comes.

mod embeddings;
mod events;
mod models;
mod request;
mod stream;
mod wire;

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use across::{
    providers::{
        chat::{ChatRequest, ChatStream},
        failure::{Category, ProviderError},
        model::{Model, ProviderKind},
        provider::{EmbedRequest, Embeddings, Provider},
    },
    secret::Secret,
};
use async_trait::async_trait;
use reqwest::{
    Client, Method, Response,
    header::{ACCEPT, ACCEPT_ENCODING, HeaderMap},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::time::{sleep, timeout};
use url::Url;

pub use self::models::embedding_dimensions;
use self::{
    events::{local, malformed},
    request::Dialect,
    wire::{ModelList, Refusal},
};
use crate::http::{MAX_BODY, MAX_ERROR_BODY, Timeouts, read_up_to, retry_after, shorten, transport};

/// How often a request is sent at most.
const ATTEMPTS: usize = 3;
/// The waits between attempts where the server names none.
const WAITS: [Duration; ATTEMPTS - 1] = [Duration::from_millis(500), Duration::from_millis(1500)];
/// The longest wait that a server may ask for; one that wants more is not asked again.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// The host at which OpenAI itself answers.
const OFFICIAL_HOST: &str = "api.openai.com";

/// OpenAI or a compatible server.
pub struct OpenAi {
    client: Client,
    base: Url,
    key: Option<Secret>,
    timeouts: Timeouts,
    /// What each model turned out to take, so that a refused parameter costs one request and not one for each message.
    learned: Mutex<HashMap<String, Dialect>>,
}

/// A refusal, with the parameter that the server names.
struct Refused {
    error: ProviderError,
    param: Option<String>,
    /// The server's own word on whether trying again makes sense.
    again: Option<bool>,
}

impl From<ProviderError> for Refused {
    fn from(error: ProviderError) -> Self {
        Self {
            error,
            param: None,
            again: None,
        }
    }
}

impl OpenAi {
    /// The server at `base` (with or without a trailing slash, ending in `/v1` as a rule), reached over `client`.
    /// Servers of one's own often need no key.
    #[must_use]
    pub fn new(client: Client, base: Url, key: Option<Secret>, timeouts: Timeouts) -> Self {
        Self {
            client,
            base,
            key,
            timeouts,
            learned: Mutex::default(),
        }
    }

    fn is_official(&self) -> bool {
        self.base.host_str() == Some(OFFICIAL_HOST)
    }

    fn dialect(&self, model: &str) -> Dialect {
        let learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        learned
            .get(model)
            .copied()
            .unwrap_or_else(|| Dialect::of(self.is_official()))
    }

    fn learn(&self, model: &str, dialect: Dialect) {
        self.learned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(model.to_owned(), dialect);
    }

    /// Sends one request and returns the accepted answer with its body unread.
    async fn send(
        &self,
        method: Method,
        path: &[&str],
        accept: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Response, Refused> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| {
                local(
                    Category::BadRequest,
                    "the provider's base URL is not a web address".to_owned(),
                )
            })?
            .pop_if_empty()
            .extend(path);
        let mut request = self
            .client
            .request(method, url)
            .header(ACCEPT, accept)
            .header(ACCEPT_ENCODING, "identity");
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose());
        }
        if let Some(body) = body {
            request = request
                .header(reqwest::header::CONTENT_TYPE, "application/json")
                .body(body);
        }
        let answer = timeout(self.timeouts.first_byte, request.send()).await;
        let response = answer
            .map_err(|_| local(Category::Timeout, "the provider did not answer in time".to_owned()))?
            .map_err(|error| {
                // What failed before the connection stood was not received, and can be sent again at no cost.
                let again = Some(error.is_connect());
                Refused {
                    again,
                    ..transport(ProviderKind::OpenAi, error).into()
                }
            })?;
        if response.status().is_success() {
            Ok(response)
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
                ..malformed(message.to_owned())
            }
            .into();
        }
        let headers = response.headers().clone();
        // The status alone says enough if the body does not come.
        let reading = read_up_to(&mut response, MAX_ERROR_BODY, ProviderKind::OpenAi);
        let body = timeout(self.timeouts.idle, reading)
            .await
            .map(Result::unwrap_or_default)
            .unwrap_or_default()
            .0;
        let mut refusal = serde_json::from_slice::<Value>(&body).map_or_else(
            |_| Refusal {
                message: String::from_utf8_lossy(&body).into_owned(),
                ..Refusal::default()
            },
            |body| Refusal::read(&body),
        );
        // Some servers repeat the key they reject, and this message goes to the log.
        if let Some(key) = self.key.as_ref().map(Secret::expose).filter(|key| !key.is_empty()) {
            refusal.message = refusal.message.replace(key, "[key]");
        }
        let param = refusal.param.clone();
        let error = ProviderError {
            retry_after: retry_after(&headers),
            ..refusal.into_error(Some(status.as_u16()))
        };
        tracing::warn!(%error, request_id = word(&headers, "x-request-id"), "a provider refused a request");
        Refused {
            error,
            param,
            again: word(&headers, "x-should-retry").and_then(|word| word.parse().ok()),
        }
    }

    /// Sends a request, again after failures that pass: nothing has been answered yet, so nothing comes twice.
    async fn send_patiently(
        &self,
        method: Method,
        path: &[&str],
        accept: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Response, Refused> {
        let mut waits = WAITS.into_iter();
        loop {
            let refused = match self.send(method.clone(), path, accept, body.clone()).await {
                Ok(response) => return Ok(response),
                Err(refused) => refused,
            };
            let category = refused.error.category;
            let passes = matches!(
                category,
                Category::RateLimited | Category::Overloaded | Category::Upstream
            );
            let Some(usual) = waits.next().filter(|_| refused.again.unwrap_or(passes)) else {
                return Err(refused);
            };
            let wait = refused.error.retry_after.unwrap_or(usual);
            if wait > LONGEST_WAIT {
                return Err(refused);
            }
            tracing::info!(error = %refused.error, ?wait, "asking the provider again");
            sleep(wait).await;
        }
    }

    /// One request with a JSON answer that comes whole.
    async fn exchange<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: Option<Vec<u8>>,
    ) -> Result<T, ProviderError> {
        let response = self
            .send_patiently(method, path, "application/json", body)
            .await
            .map_err(|refused| refused.error)?;
        let body = self.whole(response).await?;
        if let Some(refusal) = Refusal::find(&body) {
            return Err(refusal.into_error(None));
        }
        serde_json::from_value(body).map_err(|error| malformed(format!("the answer has another shape: {error}")))
    }

    /// The JSON of an answer that is not a stream.
    async fn whole(&self, mut response: Response) -> Result<Value, ProviderError> {
        let reading = read_up_to(&mut response, MAX_BODY, ProviderKind::OpenAi);
        let (body, complete) = timeout(self.timeouts.total, reading)
            .await
            .map_err(|_| local(Category::Timeout, "the provider's answer took too long".to_owned()))??;
        if !complete {
            return Err(malformed(format!("the answer has more than {MAX_BODY} bytes")));
        }
        serde_json::from_slice(&body).map_err(|error| {
            let start = shorten(&String::from_utf8_lossy(&body));
            malformed(format!("the answer is not JSON ({error}): {start}"))
        })
    }
}

/// A header as text.
fn word<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A request's JSON.
fn json(body: &impl Serialize) -> Result<Vec<u8>, ProviderError> {
    serde_json::to_vec(body).map_err(|error| local(Category::BadRequest, format!("the request is no JSON: {error}")))
}

#[async_trait]
impl Provider for OpenAi {
    fn kind(&self) -> ProviderKind {
        ProviderKind::OpenAi
    }

    async fn chat(&self, request: ChatRequest) -> Result<ChatStream, ProviderError> {
        let first = self.dialect(&request.model);
        let mut dialect = first;
        let mut rounds = 1..ATTEMPTS;
        loop {
            match self.complete(&request, dialect).await {
                Ok(response) => {
                    if dialect != first {
                        self.learn(&request.model, dialect);
                    }
                    return Ok(stream::answer(response, self.timeouts));
                }
                // Each round gives up or renames one parameter.
                Err(refused) => {
                    let next = dialect.without(&refused.error, refused.param.as_deref());
                    dialect = next.filter(|_| rounds.next().is_some()).ok_or(refused.error)?;
                }
            }
        }
    }

    async fn embed(&self, request: EmbedRequest) -> Result<Embeddings, ProviderError> {
        embeddings::embed(self, &request).await
    }

    async fn models(&self) -> Result<Vec<Model>, ProviderError> {
        let list: ModelList = self.exchange(Method::GET, &["models"], None).await?;
        Ok(models::chat_models(list.data, self.is_official()))
    }
}

impl OpenAi {
    async fn complete(&self, request: &ChatRequest, dialect: Dialect) -> Result<Response, Refused> {
        let body = json(&request::completion(request, dialect))?;
        self.send_patiently(Method::POST, &["chat", "completions"], "text/event-stream", Some(body))
            .await
    }
}
