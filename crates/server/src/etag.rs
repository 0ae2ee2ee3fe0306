//! Versions over HTTP: the `ETag` of a thing that can be changed, and the `If-Match` of a change.

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use utoipa::IntoParams;

use crate::error::{ApiError, Kind};

/// The header of a change that is meant for one version only.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "the header is read by `expected`; this only describes it")]
pub(crate) struct IfMatch {
    /// The `ETag` that was read, or several, or `*`. Another version is not changed, and answered with 412.
    #[param(rename = "If-Match")]
    if_match: Option<String>,
}

/// The answer with the version of what it shows.
pub(crate) fn tag(version: i64, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}

/// The version that a change of a thing may be made to, if its present one is `present`: none means any, since the request
/// does not say.
///
/// # Errors
/// [`stale`] if the request names versions and the present one is not among them.
pub(crate) fn expected(headers: &HeaderMap, present: i64) -> Result<Option<i64>, ApiError> {
    let mut named = false;
    for value in headers.get_all(header::IF_MATCH) {
        for tag in value.to_str().unwrap_or_default().split(',').map(str::trim) {
            if tag == "*" {
                return Ok(None);
            }
            if version(tag) == Some(present) {
                return Ok(Some(present));
            }
            named = true;
        }
    }
    if named { Err(stale()) } else { Ok(None) }
}

/// The version of one tag. Proxies that compress mark tags as weak, but the version is the same.
fn version(tag: &str) -> Option<i64> {
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

/// The thing has another version than the one that the change expects.
pub(crate) fn stale() -> ApiError {
    ApiError::new(
        Kind::PRECONDITION,
        "Somebody else changed this meanwhile. Load it again and repeat your change.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tags: &[&str], expected_of_three: Option<Option<i64>>) {
        let mut headers = HeaderMap::new();
        for tag in tags {
            headers.append(header::IF_MATCH, tag.parse().unwrap());
        }
        assert_eq!(expected(&headers, 3).ok(), expected_of_three, "{tags:?}");
    }

    #[test]
    fn a_change_names_the_version_it_is_meant_for() {
        check(&[], Some(None));
        check(&["*"], Some(None));
        check(&["\"3\""], Some(Some(3)));
        check(&["W/\"3\""], Some(Some(3)));
        check(&["\"1\", \"3\" ,\"4\""], Some(Some(3)));
        check(&["\"1\"", "\"3\""], Some(Some(3)));
        for wrong in ["\"2\"", "3", "\"\"", "", "\"3", "nonsense", "\"1\",\"2\""] {
            check(&[wrong], None);
        }
    }
}
