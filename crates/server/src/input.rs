//! What comes in: bodies, queries and path ids that refuse in our error shape, strictly and before any work.

use std::{fmt, str::FromStr};

use axum::{
    body::{Body as HttpBody, Bytes},
    extract::{FromRequest, FromRequestParts, Path as AxumPath},
    http::{Request, header, request::Parts},
};
use http_body_util::BodyExt as _;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;
use unicode_normalization::UnicodeNormalization as _;

use crate::error::{ApiError, Kind};

/// Bytes of a JSON body at most.
const MAX_BODY: usize = 1024 * 1024;
/// Levels of nesting at most.
const MAX_DEPTH: usize = 32;
/// Keys of one object at most.
const MAX_KEYS: usize = 200;

/// A JSON body of a known shape.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request<HttpBody>, _state: &S) -> Result<Self, ApiError> {
        let media_type = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let essence = media_type
            .and_then(|value| value.split(';').next())
            .unwrap_or_default()
            .trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(ApiError::new(
                Kind::MEDIA_TYPE,
                "Send JSON with Content-Type: application/json.",
            ));
        }
        parse(&whole_body(request.into_body()).await?).map(Self)
    }
}

/// All bytes of a body that is not too large.
pub(crate) async fn whole_body(body: HttpBody) -> Result<Bytes, ApiError> {
    match http_body_util::Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(ApiError::new(Kind::TOO_LARGE, "A request's body has at most 1 MiB."))
        }
        Err(_) => Err(ApiError::new(
            Kind::MALFORMED,
            "The request's body did not arrive whole.",
        )),
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let Strict(value) = serde_json::from_slice(bytes).map_err(|error| {
        let text = error.to_string();
        if text.contains("surrogate") || text.contains("end of hex escape") {
            ApiError::new(Kind::VALIDATION, "A text holds half of a surrogate pair.")
        } else if let Some(rule) = text.strip_prefix(INVALID) {
            ApiError::new(Kind::VALIDATION, rule.split(" at line").next().unwrap_or_default())
        } else {
            ApiError::new(
                Kind::MALFORMED,
                format!("This is not the JSON that is expected here: {}.", shorten(&text)),
            )
        }
    })?;
    // Every body is an object; a list of the right length would pass for one whose fields are all optional.
    if value.is_array() {
        return Err(ApiError::field("body", "Send an object, not a list."));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { "body".to_owned() } else { path };
        ApiError::field(&field, shorten(&error.into_inner().to_string()))
    })
}

/// Input is echoed in refusals only so far.
fn shorten(text: &str) -> String {
    text.chars().take(100).collect()
}

/// Marks a refusal of JSON that is well-formed: a 422, not a 400.
const INVALID: &str = "invalid: ";

/// JSON without duplicate keys, deep nesting, crowded objects and NUL characters.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor { depth: 0 }).map(Self)
    }
}

#[derive(Clone, Copy)]
struct StrictVisitor {
    depth: usize,
}

impl StrictVisitor {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom("it is nested more than 32 levels deep"));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> serde::de::DeserializeSeed<'de> for StrictVisitor {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        if value.contains('\0') {
            return Err(E::custom(format!("{INVALID}A text holds a NUL character.")));
        }
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = serde_json::Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(inner)?;
            if object.insert(key.clone(), value).is_some() {
                return Err(A::Error::custom(format!("the key {:?} occurs twice", shorten(&key))));
            }
            if object.len() > MAX_KEYS {
                return Err(A::Error::custom(format!("{INVALID}An object has more than 200 keys.")));
            }
        }
        Ok(Value::Object(object))
    }
}

/// A query string of a known shape; parameters that nobody knows are passed over.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        if url::form_urlencoded::parse(query.as_bytes()).any(|(_, value)| value.contains('\0')) {
            return Err(ApiError::field("query", "A text holds a NUL character."));
        }
        serde_urlencoded::from_str(query)
            .map(Self)
            .map_err(|error| ApiError::field("query", shorten(&error.to_string())))
    }
}

/// The ids in a path. One that is no id names nothing, so it is answered like an unknown one.
pub(crate) struct Ids<T>(pub(crate) T);

impl<S: Send + Sync, A: FromStr> FromRequestParts<S> for Ids<(A,)> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let AxumPath(a) = AxumPath::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::not_found())?;
        Ok(Self((id(&a)?,)))
    }
}

impl<S: Send + Sync, A: FromStr, B: FromStr> FromRequestParts<S> for Ids<(A, B)> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = AxumPath::<(String, String)>::from_request_parts(parts, state).await;
        let AxumPath((a, b)) = path.map_err(|_| ApiError::not_found())?;
        Ok(Self((id(&a)?, id(&b)?)))
    }
}

fn id<T: FromStr>(text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// An id in a body or a query.
pub(crate) fn id_field<T: FromStr>(field: &str, text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|_| ApiError::field(field, "This is not an id."))
}

/// Marks a field that is there, so that `null` and absence can be told apart: `None` absent, `Some(None)` null.
pub(crate) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A one-line text as it is kept: trimmed, NFC.
pub(crate) fn line(text: &str) -> String {
    text.trim().nfc().collect()
}

/// A one-line text of so many characters.
pub(crate) fn checked_line(
    field: &str,
    text: &str,
    chars: std::ops::RangeInclusive<usize>,
) -> Result<String, ApiError> {
    let text = line(text);
    if !chars.contains(&text.chars().count()) || text.chars().any(char::is_control) {
        let message = format!("This is one line of {} to {} characters.", chars.start(), chars.end());
        return Err(ApiError::field(field, message));
    }
    Ok(text)
}

/// A moment in a query: RFC 3339, or a day of UTC. A day stands for its beginning, or, if it `ends` a stretch, for the
/// beginning of the next one, so that the day itself is in the stretch.
pub(crate) fn moment(field: &str, text: Option<&str>, ends: bool) -> Result<Option<across::clock::Time>, ApiError> {
    use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let moment = match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(day) => Some(day.and_time(NaiveTime::MIN).and_utc() + TimeDelta::days(i64::from(ends))),
        Err(_) => DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|time| time.with_timezone(&Utc)),
    };
    // What neither database can hold is no moment of ours.
    let sensible = moment.filter(|moment| (1970..=9999).contains(&chrono::Datelike::year(moment)));
    let told = || {
        ApiError::field(
            field,
            "This is a moment like 2026-01-31T12:00:00Z, or a day like 2026-01-31.",
        )
    };
    sensible.map(Some).ok_or_else(told)
}

/// `limit` and `offset` of a list, checked.
pub(crate) fn page(
    limit: Option<i64>,
    offset: Option<i64>,
    default: u64,
    max: u64,
) -> Result<across::page::PageRequest, ApiError> {
    let number = |field, value: Option<i64>, default: u64, range: std::ops::RangeInclusive<u64>| {
        let value = value.map_or(Some(default), |value| u64::try_from(value).ok());
        value.filter(|value| range.contains(value)).ok_or_else(|| {
            ApiError::field(
                field,
                format!("This is a whole number from {} to {}.", range.start(), range.end()),
            )
        })
    };
    Ok(across::page::PageRequest {
        limit: number("limit", limit, default, 1..=max)?,
        offset: number("offset", offset, 0, 0..=100_000)?,
    })
}

#[cfg(test)]
mod tests {
    use axum::{http::StatusCode, response::IntoResponse as _};

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        name: String,
        #[serde(default)]
        count: Option<u32>,
    }

    fn check(body: impl AsRef<[u8]>, expected: StatusCode) {
        let status =
            parse::<Sample>(body.as_ref()).map_or_else(|error| error.into_response().status(), |_| StatusCode::OK);
        let shown: String = String::from_utf8_lossy(body.as_ref()).chars().take(60).collect();
        assert_eq!(status, expected, "{shown}");
    }

    #[test]
    fn hostile_json_is_refused_cheaply() {
        check(r#"{"name":"a"}"#, StatusCode::OK);
        check(r#"{"name":"a","count":3}"#, StatusCode::OK);
        for malformed in [
            "",
            " ",
            "{",
            r#"{"name":"a"}x"#,
            r#"{"name":"a","name":"b"}"#,
            "\u{feff}{\"name\":\"a\"}",
        ] {
            check(malformed, StatusCode::BAD_REQUEST);
        }
        check([0xff, 0xfe, b'{', 0], StatusCode::BAD_REQUEST);
        check(
            format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)),
            StatusCode::BAD_REQUEST,
        );
        check(r#"["a",3]"#, StatusCode::UNPROCESSABLE_ENTITY);
        check(r#"{"name":"a","count":1e999}"#, StatusCode::BAD_REQUEST);
        let crowded: Vec<_> = (0..201).map(|n| format!("\"k{n}\":1")).collect();
        check(format!("{{{}}}", crowded.join(",")), StatusCode::UNPROCESSABLE_ENTITY);
        for invalid in [
            "null",
            "[]",
            "\"\"",
            "{}",
            r#"{"name":1}"#,
            r#"{"name":null}"#,
            r#"{"name":"a","role":"admin"}"#,
            r#"{"name":"a","count":1.5}"#,
            r#"{"name":"a","count":"1"}"#,
            r#"{"name":"a","count":true}"#,
            r#"{"name":"a","count":-1}"#,
            r#"{"name":"\u0000"}"#,
            r#"{"name":"\ud800"}"#,
        ] {
            check(invalid, StatusCode::UNPROCESSABLE_ENTITY);
        }
    }
}
