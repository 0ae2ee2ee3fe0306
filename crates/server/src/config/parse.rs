//! Single values: from text to what they mean. Errors say what to write instead and never repeat a secret.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use across::{
    identity::user::Email,
    money::MicroUsd,
    providers::registry::LOCAL_MODEL,
    secret::{MasterKey, Secret},
};
use ipnet::IpNet;
use tracing_subscriber::EnvFilter;
use url::Url;

/// The shape of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// What finds the nearest vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// The platform's own database.
    Embedded,
    /// PostgreSQL with pgvector.
    Pgvector,
    /// Chroma.
    Chroma,
    /// Qdrant.
    Qdrant,
}

impl StoreKind {
    const ALL: [Self; 4] = [Self::Embedded, Self::Pgvector, Self::Chroma, Self::Qdrant];

    /// The name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Pgvector => "pgvector",
            Self::Chroma => "chroma",
            Self::Qdrant => "qdrant",
        }
    }

    /// The store of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

type Parsed<T> = Result<T, String>;

/// `None` for an empty text, which is how "not set" is written.
pub(super) fn optional<T>(text: &str, parse: impl FnOnce(&str) -> Parsed<T>) -> Parsed<Option<T>> {
    if text.is_empty() {
        Ok(None)
    } else {
        parse(text).map(Some)
    }
}

pub(super) fn address(text: &str) -> Parsed<SocketAddr> {
    text.parse()
        .map_err(|_| format!("{text:?} is not an IP address with a port; write for example 127.0.0.1:8000"))
}

pub(super) fn path(text: &str) -> Parsed<PathBuf> {
    if text.contains('\0') {
        Err("a path cannot hold a NUL character".into())
    } else {
        Ok(text.into())
    }
}

pub(super) fn boolean(text: &str) -> Parsed<bool> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(format!("{text:?} is neither true nor false")),
    }
}

/// Whole seconds, 1 to 1,800.
pub(super) fn seconds(text: &str) -> Parsed<Duration> {
    match text.parse() {
        Ok(seconds @ 1..=1800) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("{text:?} is not a whole number of seconds from 1 to 1800")),
    }
}

/// A price in dollars.
pub(super) fn dollars(text: &str) -> Parsed<MicroUsd> {
    let amount = text
        .parse()
        .ok()
        .and_then(|dollars| MicroUsd::from_dollars(dollars, 1e6));
    amount.ok_or_else(|| format!("{text:?} is not an amount from 0 to 1000000 with at most six decimals"))
}

pub(super) fn email(text: &str) -> Parsed<Email> {
    Email::parse(text).ok_or_else(|| format!("{text:?} is not an e-mail address"))
}

#[expect(clippy::unnecessary_wraps, reason = "all parsers have one shape")]
pub(super) fn secret(text: &str) -> Parsed<Secret> {
    Ok(Secret::new(text))
}

/// A secret that is sent in an HTTP header.
pub(super) fn header_secret(text: &str) -> Parsed<Secret> {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(Secret::new(text))
    } else {
        Err("a key holds no blanks, line breaks or letters beyond ASCII; copy it again".into())
    }
}

pub(super) fn database_url(text: &str) -> Parsed<Secret> {
    if let Some(path) = text.strip_prefix("sqlite://") {
        if path.is_empty() || path.contains('?') {
            return Err(
                "sqlite:// takes a path and no options; write for example sqlite:///var/lib/ai-across.db".into(),
            );
        }
    } else if !matches!(Url::parse(text), Ok(url) if matches!(url.scheme(), "postgres" | "postgresql") && url.has_host())
    {
        return Err("is neither sqlite://PATH nor postgres://USER:PASSWORD@HOST/NAME".into());
    }
    Ok(Secret::new(text))
}

/// The address of a site: scheme, host and port alone, since cookies and links are made for all of it.
pub(super) fn origin(text: &str) -> Parsed<Url> {
    let url = http_url(text)?;
    let is_origin = url.path() == "/" && url.query().is_none() && url.username().is_empty() && url.password().is_none();
    if is_origin {
        Ok(url)
    } else {
        Err(format!(
            "{text:?} is more than scheme, host and port; write for example https://ai.example.com"
        ))
    }
}

/// The parts of a list with commas; none for an empty text.
fn list<T>(text: &str, parse: impl Fn(&str) -> Parsed<T>) -> Parsed<Vec<T>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(parse).collect()
}

/// Networks such as 10.0.0.0/8, or single addresses.
pub(super) fn networks(text: &str) -> Parsed<Vec<IpNet>> {
    list(text, |part| {
        let network = part.parse().or_else(|_| part.parse::<IpAddr>().map(IpNet::from));
        match network {
            Ok(network) if network.prefix_len() == 0 => Err(format!(
                "{part:?} is every address there is, so anyone could claim to be anyone; write the proxy's own"
            )),
            Ok(network) => Ok(network.trunc()),
            Err(_) => Err(format!(
                "{part:?} is neither a network nor an address; write for example 10.0.0.0/8, 192.168.1.5"
            )),
        }
    })
}

/// Origins as browsers write them.
pub(super) fn origins(text: &str) -> Parsed<Vec<String>> {
    list(text, |part| {
        if part == "null" || part.contains('*') {
            return Err(format!(
                "{part:?} would let in pages of strangers; list the origins one by one"
            ));
        }
        origin(part).map(|url| url.origin().ascii_serialization())
    })
}

/// Requests a minute: 0 for no limit, else 10 to 100,000.
pub(super) fn rate(text: &str) -> Parsed<u32> {
    match text.parse() {
        Ok(rate @ (0 | 10..=100_000)) => Ok(rate),
        _ => Err(format!("{text:?} is neither 0 nor a whole number from 10 to 100000")),
    }
}

/// 1 to 100,000 of something.
pub(super) fn amount(text: &str) -> Parsed<u32> {
    match text.parse() {
        Ok(amount @ 1..=100_000) => Ok(amount),
        _ => Err(format!("{text:?} is not a whole number from 1 to 100000")),
    }
}

/// Megabytes of memory for vectors. Less than the least could not hold the largest file, which would be read with each
/// search then.
pub(super) fn vector_cache(text: &str) -> Parsed<u32> {
    match text.parse() {
        Ok(megabytes @ 64..=1_048_576) => Ok(megabytes),
        _ => Err(format!("{text:?} is not a whole number from 64 to 1048576")),
    }
}

/// A secret that strangers could try to guess over the network.
pub(super) fn bearer_token(text: &str) -> Parsed<Secret> {
    const FEWEST: usize = 16;
    if text.len() < FEWEST {
        return Err(format!(
            "has fewer than {FEWEST} characters; make one with: openssl rand -hex 32"
        ));
    }
    header_secret(text)
}

pub(super) fn http_url(text: &str) -> Parsed<Url> {
    // The text is not repeated: an address may hold a password.
    let remedy = "is not a web address; write for example https://example.com";
    let url = Url::parse(text).map_err(|_| remedy.to_owned())?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() && url.fragment().is_none() {
        Ok(url)
    } else {
        Err(remedy.into())
    }
}

/// What finds the nearest vectors.
pub(super) fn vector_store(text: &str) -> Parsed<StoreKind> {
    StoreKind::parse(text).ok_or_else(|| format!("{text:?} is not known; choose embedded, pgvector, chroma or qdrant"))
}

/// Where a vector store outside is, which may hold a password.
pub(super) fn vector_url(text: &str) -> Parsed<Secret> {
    let url = Url::parse(text).ok().filter(|url| {
        let is_web = matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
        url.has_host() && (is_web || matches!(url.scheme(), "postgres" | "postgresql"))
    });
    url.map(|_| Secret::new(text))
        .ok_or_else(|| "is neither http://HOST:PORT nor postgres://USER:PASSWORD@HOST/NAME".to_owned())
}

/// What files are indexed with, as the setting of the same name is written.
pub(super) fn embedding_model(text: &str) -> Parsed<String> {
    match text {
        "auto" | "local" => Ok(text.to_owned()),
        LOCAL_MODEL => Ok("local".to_owned()),
        _ if across_providers::embedding_dimensions(text).is_some() => Ok(text.to_owned()),
        _ => Err(format!(
            "{text:?} is not known; choose auto, local, text-embedding-3-small, text-embedding-3-large or \
             text-embedding-ada-002"
        )),
    }
}

pub(super) fn log_filter(text: &str) -> Parsed<String> {
    match EnvFilter::builder().parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!(
            "{text:?} is not a log filter ({error}); write for example info or info,across=debug"
        )),
    }
}

pub(super) fn log_format(text: &str) -> Parsed<LogFormat> {
    match text {
        "auto" => Ok(LogFormat::Auto),
        "json" => Ok(LogFormat::Json),
        "text" => Ok(LogFormat::Text),
        _ => Err(format!("{text:?} is neither auto, json nor text")),
    }
}

/// The secret key, if it could be one that nobody guesses.
pub(super) fn secret_key(text: &str) -> Parsed<Secret> {
    match weakness(text) {
        None => Ok(Secret::new(text)),
        Some(weakness) => Err(format!("{weakness}; make one with: openssl rand -base64 32")),
    }
}

fn weakness(text: &str) -> Option<String> {
    const EXAMPLES: [&str; 5] = ["changeme", "change-me", "change_me", "your-secret", "your_secret"];
    /// Not one in ten million random texts of 32 characters has fewer, even of hexadecimal digits alone.
    const FEWEST_DIFFERENT: usize = 8;
    let bytes = text.as_bytes();
    let folded = text.to_ascii_lowercase();
    let repeats = (1..=bytes.len() / 2).any(|unit| bytes.iter().zip(bytes.iter().skip(unit)).all(|(a, b)| a == b));
    if bytes.len() < MasterKey::MIN_BYTES {
        Some(format!(
            "has {} bytes and needs at least {}",
            bytes.len(),
            MasterKey::MIN_BYTES
        ))
    } else if EXAMPLES.iter().any(|example| folded.contains(example)) {
        Some("is taken from an example".into())
    } else if repeats {
        Some("repeats itself".into())
    } else if bytes.iter().collect::<HashSet<_>>().len() < FEWEST_DIFFERENT {
        Some("has too few different characters".into())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_secrets_are_refused_and_random_ones_are_not() {
        for weak in [
            "",
            "changeme",
            &"x".repeat(64),
            "0123456789abcdefghijklmnopqrstu",
            "changeme-changeme-changeme-change",
            "This-is-CHANGEME-of-some-length-really",
            "password1password1password1password1",
            "abcabdabeabcabdabeabcabdabfabcabdabg",
        ] {
            assert!(secret_key(weak).is_err(), "{weak}");
        }
        for good in [
            "1f0c77b2e4a95d3866b0a7c9d2e1f453",
            "q0nq7c2pRZ6kq0G3vQ1m8WmWcYxwqk0m6sU3yJc2E5k=",
        ] {
            assert!(secret_key(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn prices_are_exact() {
        assert_eq!(dollars("10"), Ok(MicroUsd(10_000_000)));
        assert_eq!(dollars("0.000001"), Ok(MicroUsd(1)));
        for bad in ["", "-1", "0.0000001", "1000001", "ten", "NaN"] {
            assert!(dollars(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn lists_hold_what_may_be_trusted_and_nothing_wider() {
        let shown = |text| networks(text).map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(
            shown("10.1.2.3/8, ::1,192.168.1.5,"),
            Ok(vec!["10.0.0.0/8".into(), "::1/128".into(), "192.168.1.5/32".into()])
        );
        assert_eq!(shown(""), Ok(vec![]));
        for bad in ["10.0.0.0/33", "proxy", "0.0.0.0/0", "10.0.0.1, ::/0"] {
            assert!(networks(bad).is_err(), "{bad}");
        }
        assert_eq!(
            origins("https://A.example.com/, http://b.example.com:8080"),
            Ok(vec!["https://a.example.com".into(), "http://b.example.com:8080".into()])
        );
        for bad in [
            "*",
            "null",
            "example.com",
            "https://a.example.com/app",
            "https://*.example.com",
        ] {
            assert!(origins(bad).is_err(), "{bad}");
        }
        assert!(bearer_token("0123456789abcdef").is_ok());
        assert!(!bearer_token("hunter2").unwrap_err().contains("hunter2"));
        assert_eq!((rate("0"), rate("600")), (Ok(0), Ok(600)));
        assert!(rate("9").is_err() && rate("-1").is_err() && amount("0").is_err());
    }

    #[test]
    fn addresses_are_what_they_are_for() {
        assert!(origin("https://ai.example.com").is_ok());
        assert!(origin("http://127.0.0.1:8000/").is_ok());
        for bad in [
            "ai.example.com",
            "https://ai.example.com/app",
            "ftp://example.com",
            "https://u:p@example.com",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
        assert!(http_url("http://127.0.0.1:11434/v1").is_ok());
        assert!(database_url("postgres://u:p@db/name").is_ok());
        for bad in [
            "mysql://u:hunter2@db/name",
            "sqlite://",
            "sqlite://x?mode=ro",
            "postgres:name",
        ] {
            assert!(!database_url(bad).unwrap_err().contains("hunter2"), "{bad}");
        }
    }
}
