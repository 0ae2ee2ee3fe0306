//! Around every request: an id, one line in the log, security headers, and a net for panics.

use std::time::Instant;

use across::id::JobId;
use axum::{
    body::Body,
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use crate::error::{ApiError, Cause};

/// Carries the request's id in and out.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    static CURRENT: String;
}

/// The id of the request that is being answered, for error bodies.
pub(crate) fn current_request_id() -> Option<String> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Work of the present request that goes on in a task of its own.
pub(crate) fn as_this_request<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let id = current_request_id();
    async move {
        match id {
            Some(id) => CURRENT.scope(id, work).await,
            None => work.await,
        }
    }
}

/// Gives the request an id, the client's own if it is harmless, and logs one line when it is answered.
pub(crate) async fn trace(mut request: Request, next: Next) -> Response {
    let given = request.headers().get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let id = given
        .filter(|id| is_harmless(id))
        .map_or_else(|| JobId::new().to_string(), str::to_owned);
    if let Ok(value) = HeaderValue::from_str(&id) {
        request.headers_mut().insert(REQUEST_ID, value);
    }
    let method = request.method().clone();
    // The pattern, not the path: ids in logs help nobody, and a token in a path would be a leak.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("-", MatchedPath::as_str)
        .to_owned();
    let begun = Instant::now();
    let mut response = CURRENT.scope(id.clone(), next.run(request)).await;
    let status = response.status().as_u16();
    let duration_ms = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX) as f64 / 1000.0;
    match response.extensions().get::<Cause>() {
        Some(Cause(cause)) if status >= 500 => {
            tracing::error!(request_id = id, %method, route, status, duration_ms, cause, "request failed");
        }
        Some(Cause(cause)) => tracing::warn!(request_id = id, %method, route, status, duration_ms, cause, "request"),
        None => tracing::info!(request_id = id, %method, route, status, duration_ms, "request"),
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

fn is_harmless(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// Sets the headers that every answer has; an answer's own policy is kept.
pub(crate) async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// The answer to a request whose handler panicked.
pub(crate) fn panicked(_panic: Box<dyn std::any::Any + Send>) -> Response<Body> {
    ApiError::internal("the handler panicked; the panic is logged above").into_response()
}
