//! Around every request: an id, one line in the log, security headers, refusals of bad heads, and a net for panics.

use std::time::Instant;

use across::id::JobId;
use axum::{
    body::Body,
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use crate::{
    address::Client,
    error::{ApiError, Cause, Kind},
    head::Fault,
    metrics,
};

/// For so long browsers come back over HTTPS only: a year.
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");

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
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or("-", MatchedPath::as_str);
    let begun = Instant::now();
    let mut response = CURRENT.scope(id.clone(), next.run(request)).await;
    let status = response.status().as_u16();
    let took = begun.elapsed();
    metrics::request(
        matched.as_ref().map(MatchedPath::as_str),
        &method,
        response.status(),
        took,
    );
    let duration_ms = u64::try_from(took.as_micros()).unwrap_or(u64::MAX) as f64 / 1000.0;
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
pub(crate) async fn secure(client: Client, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if client.is_https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
    }
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

/// Answers in place of every handler if the request's head was refused.
pub(crate) async fn refuse_bad_heads(request: Request, next: Next) -> Response {
    let refusal = match request.extensions().get::<Fault>() {
        None => return next.run(request).await,
        Some(Fault::Malformed) => ApiError::new(
            Kind::MALFORMED,
            "This is not HTTP as it should be written, so it was not read further.",
        ),
        Some(Fault::UriTooLong) => ApiError::new(Kind::URI_TOO_LONG, "An address has at most 8 KiB."),
        Some(Fault::HeadersTooLarge) => ApiError::new(
            Kind::HEADERS_TOO_LARGE,
            "A request has at most 100 headers, and 16 KiB of them.",
        ),
    };
    refusal.into_response()
}

/// Logs and counts every panic of the process.
pub(crate) fn watch_panics() {
    std::panic::set_hook(Box::new(|panic| {
        metrics::panicked();
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let words = panic.payload_as_str().unwrap_or_default();
        tracing::error!(place, words, "something in the program panicked; this is a bug");
    }));
}

/// The answer to a request whose handler panicked.
pub(crate) fn panicked(_panic: Box<dyn std::any::Any + Send>) -> Response<Body> {
    ApiError::internal("the handler panicked; the panic is logged above").into_response()
}

#[cfg(test)]
mod tests {
    use axum::{Router, middleware::from_fn, routing::get};
    use tower::ServiceExt as _;
    use tower_http::catch_panic::CatchPanicLayer;

    use super::*;

    async fn bug() -> &'static str {
        panic!("secret words")
    }

    #[tokio::test]
    async fn s44_a_panic_is_an_answer_in_our_shape_that_tells_nothing() {
        let app = Router::new()
            .route("/", get(bug))
            .layer(CatchPanicLayer::custom(panicked))
            .layer(from_fn(secure))
            .layer(from_fn(trace));
        let response = app
            .oneshot(Request::get("/").body(Body::empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(response.status(), 500);
        for name in [
            "content-security-policy",
            "x-content-type-options",
            "x-request-id",
            "referrer-policy",
        ] {
            assert!(response.headers().contains_key(name), "{name}");
        }
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let body = String::from_utf8_lossy(&body);
        assert!(
            body.contains("\"InternalError\"") && body.contains("request_id"),
            "{body}"
        );
        assert!(!body.contains("secret words") && !body.contains(".rs"), "{body}");
    }
}
