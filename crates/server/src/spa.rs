//! The web app inside the binary: hashed files are kept by browsers for ever, the page itself never, and every page gets a
//! nonce of its own.

use axum::{
    body::Bytes,
    extract::Request,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rust_embed::RustEmbed;

use crate::error::ApiError;

/// What the web build left behind, or a page that says that there was none.
#[derive(RustEmbed)]
#[folder = "$ACROSS_SPA_DIR"]
struct Assets;

/// The word in the page that stands for the nonce.
const NONCE: &str = "__CSP_NONCE__";

/// Any address that is not the API's: a file of the app, or the page, which finds its way by itself.
pub(crate) async fn serve(request: Request) -> Response {
    let path = request.uri().path();
    let path = path.strip_prefix('/').unwrap_or(path);
    if !may_be_of_the_app(path) {
        return ApiError::not_found().into_response();
    }
    match file(path, request.headers()) {
        Some(response) => response,
        // A name with an extension is a file that is gone, as after an update; the page would only confuse.
        None if path.starts_with("assets/") => ApiError::not_found().into_response(),
        None => page(),
    }
}

/// Whether the app could have this address. Spellings around the server's own addresses are none of its: whoever tries
/// them gets a plain answer and not a page.
fn may_be_of_the_app(path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    let is_plain = !path.contains(['%', ';', '\\', ':']) && !path.contains("//") && !path.starts_with('/');
    let is_ours = ["api", "metrics"].iter().any(|own| first.eq_ignore_ascii_case(own));
    is_plain && !is_ours && !path.split('/').any(|part| part.starts_with('.'))
}

fn file(path: &str, headers: &HeaderMap) -> Option<Response> {
    if path.is_empty() || path == "index.html" {
        return None;
    }
    let kind = media_type(path)?;
    let accepted = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let encoded = [("br", "br"), ("gzip", "gz")]
        .into_iter()
        .find_map(|(encoding, extension)| {
            let is_accepted = accepted
                .split(',')
                .any(|offer| offer.split(';').next().unwrap_or_default().trim() == encoding);
            let file = is_accepted
                .then(|| Assets::get(&format!("{path}.{extension}")))
                .flatten()?;
            Some((file, Some(encoding)))
        });
    let (file, encoding) = encoded.or_else(|| Some((Assets::get(path)?, None)))?;
    let bytes = match file.data {
        std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        std::borrow::Cow::Owned(bytes) => Bytes::from(bytes),
    };
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    let keep = if path.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    Some(response)
}

fn page() -> Response {
    let Some(index) = Assets::get("index.html") else {
        return ApiError::not_found().into_response();
    };
    let nonce = URL_SAFE_NO_PAD.encode(across::secret::random_bytes::<16>());
    let html = String::from_utf8_lossy(&index.data).replace(NONCE, &nonce);
    let policy = format!(
        "default-src 'self'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; \
         img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    );
    let mut response = html.into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// The kinds of files that a web build holds; anything else is not served.
fn media_type(path: &str) -> Option<&'static str> {
    Some(match path.rsplit_once('.')?.1 {
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "webmanifest" => "application/manifest+json",
        "json" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}
