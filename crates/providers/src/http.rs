//! The one HTTP client that speaks to vendors: its time limits, its size limits, and what its failures mean.

use std::{sync::Arc, time::Duration};

use across::{
    providers::{
        failure::{Category, ProviderError},
        model::ProviderKind,
    },
    secret::Secret,
};
use reqwest::{Client, ClientBuilder, Response, header::HeaderMap, redirect};

use crate::{
    guard::{Guard, forbidden},
    retry_after::NEVER,
};

/// The most that is read of an answer that is not a stream, in bytes.
pub(crate) const MAX_BODY: usize = 10 * 1024 * 1024;
/// The most that is read of an error's body, in bytes.
pub(crate) const MAX_ERROR_BODY: usize = 64 * 1024;
/// The most that the head of an answer may have, in bytes.
pub(crate) const MAX_HEAD: u32 = 64 * 1024;
/// The most of a vendor's message that is kept, in characters.
const MAX_MESSAGE: usize = 200;

/// How long a vendor may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the connection stands, TLS included.
    pub connect: Duration,
    /// From sending the request to the head of the answer, and to its first content; what only keeps a connection alive
    /// is none.
    pub first_byte: Duration,
    /// Between two pieces of a stream.
    pub idle: Duration,
    /// For a whole answer.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            // Three attempts of a chat are over within a quarter of a minute.
            connect: Duration::from_secs(4),
            first_byte: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            total: Duration::from_secs(600),
        }
    }
}

/// The HTTP client could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client for language-model vendors cannot be set up: {0}")]
pub struct SetupError(#[from] reqwest::Error);

/// The client for all vendors; clones share its connections. It follows no redirects, because they could carry keys
/// elsewhere, and decompresses nothing, because compressors hold streams back and can be bombs.
///
/// # Errors
/// [`SetupError`] if TLS cannot be initialised.
pub fn client(timeouts: &Timeouts) -> Result<Client, SetupError> {
    build(timeouts, |builder| builder)
}

/// The client for servers that an administrator may name: it connects only to addresses that `guard` has checked, and to
/// no proxy, which would find other ones.
pub(crate) fn guarded_client(timeouts: &Timeouts, guard: &Guard) -> Result<Client, SetupError> {
    build(timeouts, |builder| {
        builder.no_proxy().dns_resolver(Arc::new(guard.clone()))
    })
}

fn build(timeouts: &Timeouts, finish: impl Fn(ClientBuilder) -> ClientBuilder) -> Result<Client, SetupError> {
    // An error says that another part of the process chose a provider of cryptography already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let builder = || {
        let builder = Client::builder()
            .user_agent(concat!("ai-across/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(timeouts.connect)
            // The exact limits are kept where the answer is read; this one is the net beneath them.
            .read_timeout(timeouts.first_byte.max(timeouts.idle))
            .http2_max_header_list_size(MAX_HEAD)
            .tcp_keepalive(Duration::from_secs(30));
        finish(builder)
    };
    builder().build().or_else(|error| {
        // A container without certificate authorities can still reach a server on its own network over plain HTTP.
        tracing::warn!(%error, "no certificate authorities found: vendors reached over https will be refused");
        Ok(builder().tls_certs_only([]).build()?)
    })
}

/// Whether the head of an answer is larger than any vendor's.
pub(crate) fn is_head_too_large(headers: &HeaderMap) -> bool {
    let size: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    size > MAX_HEAD as usize
}

/// Reads a body up to `limit` bytes and says whether that was all of it.
pub(crate) async fn read_up_to(
    response: &mut Response,
    limit: usize,
    provider: ProviderKind,
) -> Result<(Vec<u8>, bool), ProviderError> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| transport(provider, error))? {
        let room = limit - body.len();
        body.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
        if piece.len() > room {
            return Ok((body, false));
        }
    }
    Ok((body, true))
}

/// A failure of the connection in the platform's terms: `Network` if the request never reached the provider, `Cut` if it may
/// have.
pub(crate) fn transport(provider: ProviderKind, error: reqwest::Error) -> ProviderError {
    if let Some(forbidden) = forbidden(&error) {
        return ProviderError {
            retry_after: Some(NEVER),
            ..ProviderError::local(provider, Category::Network, forbidden.to_string())
        };
    }
    let category = if error.is_builder() {
        // Nothing was sent: a key with line breaks, for example, cannot stand in a header.
        Category::BadRequest
    } else if error.is_connect() {
        Category::Network
    } else if error.is_timeout() {
        Category::Timeout
    } else {
        Category::Cut
    };
    // An address may hold a password, so it stays out of messages; the causes say what happened.
    let error = error.without_url();
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        message.push_str(": ");
        message.push_str(&inner.to_string());
        cause = inner.source();
    }
    ProviderError::local(provider, category, shorten(&message))
}

/// A vendor's words without the key: some servers repeat the one they reject, and their words go to the log.
pub(crate) fn without_key(words: &str, key: Option<&Secret>) -> String {
    match key.map(Secret::expose).filter(|key| !key.is_empty()) {
        Some(key) => words.replace(key, "[key]"),
        None => words.to_owned(),
    }
}

/// The first characters of a vendor's message, on one line.
pub(crate) fn shorten(message: &str) -> String {
    let mut line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(MAX_MESSAGE) {
        line.truncate(end);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_kept_short_and_on_one_line() {
        assert_eq!(shorten(" a\n b\t c "), "a b c");
        assert_eq!(shorten(&"ש".repeat(500)).chars().count(), MAX_MESSAGE + 1);
    }
}
