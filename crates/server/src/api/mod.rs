//! One file per resource: its JSON, its handlers, and the conversions between JSON and the product's types.

pub(crate) mod account;
pub(crate) mod api_keys;
pub(crate) mod assistants;
pub(crate) mod audit;
pub(crate) mod auth;
pub(crate) mod conversations;
pub(crate) mod embedding;
pub(crate) mod files;
pub(crate) mod health;
pub(crate) mod knowledge;
pub(crate) mod messages;
pub(crate) mod models;
pub(crate) mod notices;
pub(crate) mod own_usage;
pub(crate) mod quotas;
pub(crate) mod retrieval_test;
pub(crate) mod settings;
pub(crate) mod statistics;
pub(crate) mod titles;
pub(crate) mod tree;
pub(crate) mod turns;
pub(crate) mod usage;
mod usage_row;
pub(crate) mod users;
pub(crate) mod words;

use across::clock::Time;
use chrono::SecondsFormat;

/// A moment on the wire: RFC 3339 in UTC, to the millisecond.
pub(crate) fn stamp(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A relevance or a cosine on the wire: four decimals say all there is to say, in every answer alike.
pub(crate) fn ratio(value: f32) -> f64 {
    (f64::from(value) * 10_000.0).round() / 10_000.0
}
