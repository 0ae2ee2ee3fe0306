//! Which other sites' pages may use the API: those that the operator lists, and by default none.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use crate::state::AppState;

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");
const SENT: HeaderValue =
    HeaderValue::from_static("authorization, content-type, idempotency-key, if-match, x-aiacross-csrf, x-request-id");
const READ: HeaderValue =
    HeaderValue::from_static("content-disposition, etag, idempotency-replayed, location, retry-after, x-request-id");
/// Seconds for which a browser need not ask again.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// Tells browsers that a listed origin may read the answer. To others nothing is said, which is a refusal.
pub(crate) async fn allow(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let origins = &state.http.cors_origins;
    if origins.is_empty() || !request.uri().path().starts_with("/api/") {
        return next.run(request).await;
    }
    let origin = request.headers().get(header::ORIGIN).cloned();
    let listed = origin.filter(|origin| origins.iter().any(|known| known.as_bytes() == origin.as_bytes()));
    let asks = is_preflight(&request);
    let mut response = match &listed {
        Some(_) if asks => StatusCode::NO_CONTENT.into_response(),
        Some(_) | None => next.run(request).await,
    };
    let headers = response.headers_mut();
    // Also without an origin: a cache must not hand this answer to a page of another site.
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = listed {
        grant(headers, origin, asks);
    }
    response
}

fn grant(headers: &mut HeaderMap, origin: HeaderValue, asks: bool) {
    let mut set = |name: HeaderName, value| headers.insert(name, value);
    set(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    set(
        header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
        HeaderValue::from_static("true"),
    );
    if asks {
        set(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        set(header::ACCESS_CONTROL_ALLOW_HEADERS, SENT);
        set(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    } else {
        set(header::ACCESS_CONTROL_EXPOSE_HEADERS, READ);
    }
}

/// Whether a browser asks before it sends the request itself.
fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}
