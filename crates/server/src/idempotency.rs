//! Requests that may be sent twice and are done once: a client that lost an answer sends the same request with the same
//! `Idempotency-Key` again, and gets the answer of the first.

use across::{
    actor::Actor,
    replay::{Answer, Claim, RequestKey},
};
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use chrono::TimeDelta;
use utoipa::IntoParams;

use crate::{
    auth::Principal,
    error::{ApiError, Kind},
    input::whole_body,
    middleware,
    state::AppState,
};

/// The header with the key.
const KEY: &str = "idempotency-key";
/// Marks an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Characters of a key at most.
const MAX_KEY: usize = 128;
/// How long a request may take before it counts as one of a dead process, and is done anew.
const LEASE: TimeDelta = TimeDelta::seconds(90);
/// Bytes of an answer at most; ours have a few hundred.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// The header of a request that may be sent twice.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "the header is read by `request_key`; this only describes it")]
pub(crate) struct KeyHeader {
    /// Visible characters of the client's choice, unique for this request. The same request with the same key is done
    /// once within 24 hours; the answer comes again, marked with `Idempotency-Replayed: true`.
    #[param(
        rename = "Idempotency-Key",
        min_length = 1,
        max_length = 128,
        pattern = "^[!-~]{1,128}$"
    )]
    idempotency_key: Option<String>,
}

/// The key of a request, if it carries one.
///
/// # Errors
/// A `ValidationError` if it cannot be one.
pub(crate) fn request_key(
    headers: &HeaderMap,
    actor: Actor,
    method: &Method,
    path: &str,
) -> Result<Option<RequestKey>, ApiError> {
    let mut keys = headers.get_all(KEY).iter();
    let Some(value) = keys.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let is_key = (1..=MAX_KEY).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_key || keys.next().is_some() {
        return Err(ApiError::field(
            "Idempotency-Key",
            "The key is one text of 1 to 128 visible characters.",
        ));
    }
    Ok(Some(RequestKey {
        user: actor.user,
        method: method.to_string(),
        path: path.to_owned(),
        key: text.to_owned(),
    }))
}

/// What became of claiming a request.
pub(crate) enum Claimed {
    /// It is to be done now; the claim is to be completed or released.
    Fresh(Once),
    /// It was done; this was the answer.
    Done(Answer),
}

/// The right, and the duty, to do a request this once.
pub(crate) struct Once {
    state: AppState,
    request: RequestKey,
}

/// Claims a request; `content` is everything that makes it differ from another one with the same key.
///
/// # Errors
/// It is being done already, or the key was used for something else.
pub(crate) async fn claim(state: &AppState, request: RequestKey, content: &[u8]) -> Result<Claimed, ApiError> {
    let platform = &state.platform;
    let now = platform.clock.now();
    let fingerprint = platform.vault.fingerprint(content);
    let claim = platform
        .store
        .claim_request(&request, fingerprint, now, now + LEASE)
        .await?;
    match claim {
        Claim::Fresh => Ok(Claimed::Fresh(Once {
            state: state.clone(),
            request,
        })),
        Claim::Done(answer) => Ok(Claimed::Done(answer)),
        Claim::Running => Err(ApiError::in_progress(None)),
        Claim::Differs => Err(ApiError::field(
            "Idempotency-Key",
            "This key was used for another request. Take a new one.",
        )),
    }
}

impl Once {
    /// Under which name the body of an answer is sealed.
    fn sealed_name(request: &RequestKey) -> String {
        format!(
            "answer:{} {} {} {}",
            request.user, request.method, request.path, request.key
        )
    }

    /// Keeps the answer, unless the same request could get another one next time. Bodies are sealed: they may hold a
    /// password that is shown once.
    pub(crate) async fn keep(self, response: Response) -> Response {
        let status = response.status();
        let passes = status.is_server_error()
            || matches!(
                status,
                StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
            );
        if passes {
            self.release().await;
            return response;
        }
        let (parts, body) = response.into_parts();
        let Ok(body) = to_bytes(body, MAX_ANSWER).await else {
            self.release().await;
            return ApiError::internal("an answer to be kept is larger than any of ours").into_response();
        };
        let kept = |name: &HeaderName| matches!(*name, header::CONTENT_TYPE | header::LOCATION | header::ETAG);
        let headers = parts.headers.iter().filter(|(name, _)| kept(name));
        let headers = headers.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
        let vault = &self.state.platform.vault;
        let answer = Answer {
            status: status.as_u16(),
            headers: headers.collect(),
            body: vault.seal(&Self::sealed_name(&self.request), &body).into_bytes(),
            message: None,
        };
        self.complete(answer).await;
        Response::from_parts(parts, Body::from(body))
    }

    /// The request, for an operation that keeps its outcome in its own transaction.
    pub(crate) const fn request(&self) -> &RequestKey {
        &self.request
    }

    async fn complete(&self, answer: Answer) {
        if let Err(error) = self.state.platform.store.complete_request(&self.request, answer).await {
            tracing::error!(%error, "could not keep the answer to a request that may be repeated");
        }
    }

    /// Forgets the request: it failed in a way that may not happen again.
    pub(crate) async fn release(self) {
        if let Err(error) = self.state.platform.store.release_request(&self.request).await {
            tracing::warn!(%error, "could not forget a failed request; its repetition has to wait for a while");
        }
    }
}

/// The answer that was kept, for a request that came again.
pub(crate) fn replayed(state: &AppState, request: &RequestKey, answer: Answer) -> Response {
    let sealed = String::from_utf8(answer.body).unwrap_or_default();
    let body = state.platform.vault.open(&Once::sealed_name(request), &sealed);
    let (Ok(body), Ok(status)) = (body, StatusCode::from_u16(answer.status)) else {
        return ApiError::new(
            Kind::CONFLICT,
            "This request was done, but its answer is not readable any more. Look at what there is.",
        )
        .into_response();
    };
    let mut response = (status, body).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    mark(response)
}

/// Marks an answer that was given before.
pub(crate) fn mark(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// Around the handlers of a route: those of its POST requests that carry a key are done once. Comes after sign-in and role.
pub(crate) async fn once(
    State(state): State<AppState>,
    principal: Principal,
    request: Request,
    next: Next,
) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(KEY) {
        return next.run(request).await;
    }
    done_once(state, principal.actor, request, next)
        .await
        .unwrap_or_else(|refusal| refusal.into_response())
}

async fn done_once(state: AppState, actor: Actor, request: Request, next: Next) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let Some(key) = request_key(&parts.headers, actor, &parts.method, &path)? else {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    let bytes: Bytes = whole_body(body).await?;
    match claim(&state, key.clone(), &bytes).await? {
        Claimed::Done(answer) => Ok(replayed(&state, &key, answer)),
        Claimed::Fresh(claim) => {
            let request = Request::from_parts(parts, Body::from(bytes));
            // A client that goes away must not leave a change without the answer that its repetition will ask for.
            let work = middleware::as_this_request(async move {
                let response = next.run(request).await;
                claim.keep(response).await
            });
            let done = state.platform.tasks.spawn(work).await;
            done.map_err(|error| ApiError::internal(format!("the task of a request broke off: {error}")))
        }
    }
}
