//! Everything that can be set, on one page. A line here is all that a new setting needs: the file, the environment, the
//! `config` command and the example file follow from it.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use across::{identity::user::Email, money::MicroUsd, secret::Secret};
use ipnet::IpNet;
use url::Url;

use super::{
    layers::Layers,
    parse::{self, LogFormat, StoreKind, optional},
};

/// How much of a value may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// All of it.
    Plain,
    /// Only whether it is set.
    Masked,
    /// An address without its password.
    Address,
}

/// What is known of a setting besides its type.
pub(super) struct Setting {
    /// Its name in the file.
    pub(super) key: &'static str,
    /// Its name in the environment.
    pub(super) variable: &'static str,
    /// Its value if none is given; empty: not set.
    pub(super) default: &'static str,
    /// How much of it may be shown.
    pub(super) shown: Shown,
    /// Its description.
    pub(super) about: &'static str,
}

macro_rules! settings {
    ($($(#[doc = $about:literal])+ $key:ident: $type:ty = $variable:literal, $default:literal, $shown:ident, $parse:expr;)*) => {
        /// The configuration of the process.
        pub struct Config {
            $($(#[doc = $about])+ pub $key: $type,)*
        }

        /// What can be set.
        pub(super) const SETTINGS: &[Setting] = &[$(
            Setting {
                key: stringify!($key),
                variable: $variable,
                default: $default,
                shown: Shown::$shown,
                about: concat!($($about),+),
            },
        )*];

        impl Config {
            /// The values found, or `None` if any of them is wrong, which the layers then know.
            pub(super) fn read(layers: &mut Layers) -> Option<Self> {
                $(let $key: Option<$type> = layers.read(stringify!($key), $default, $parse);)*
                Some(Self { $($key: $key?,)* })
            }
        }
    };
}

settings! {
    /// Address and port to listen on. Port 0 picks a free one.
    listen: SocketAddr = "AI_ACROSS_LISTEN", "127.0.0.1:8000", Plain, parse::address;

    /// Directory of everything the platform keeps. Made if absent, readable by nobody else.
    data_dir: PathBuf = "AI_ACROSS_DATA_DIR", "./data", Plain, parse::path;

    /// The database: sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME. Not set: SQLite in the data directory.
    database_url: Option<Secret> = "AI_ACROSS_DATABASE_URL", "", Address, |text| optional(text, parse::database_url);

    /// The secret that signs sessions and seals stored keys, at least 32 random bytes. Not set: made at the first
    /// start and kept in secret.key in the data directory. Losing it makes every password useless.
    secret_key: Option<Secret> = "AI_ACROSS_SECRET_KEY", "", Masked, |text| optional(text, parse::secret_key);

    /// The secret that was in use before secret_key. Set both for one start: everything sealed by the old one is sealed by
    /// the new one then, and this one can be removed.
    secret_key_old: Option<Secret> = "AI_ACROSS_SECRET_KEY_OLD", "", Masked, |text| optional(text, parse::secret_key);

    /// E-mail address of the first administrator, who is made if no user exists. Not set: the set-up page asks.
    admin_email: Option<Email> = "AI_ACROSS_ADMIN_EMAIL", "", Plain, |text| optional(text, parse::email);

    /// Password of the first administrator, at least 12 characters.
    admin_password: Option<Secret> = "AI_ACROSS_ADMIN_PASSWORD", "", Masked, |text| optional(text, parse::secret);

    /// Where people reach the platform, for links and cookies, e.g. `https://ai.example.com`. Not set: as the request
    /// says.
    public_url: Option<Url> = "AI_ACROSS_PUBLIC_URL", "", Plain, |text| optional(text, parse::origin);

    /// Networks of the proxies in front of the platform, e.g. 10.0.0.0/8, 192.168.1.5, with commas between them. Only
    /// from them X-Forwarded-For and X-Forwarded-Proto are believed.
    trusted_proxies: Vec<IpNet> = "AI_ACROSS_TRUSTED_PROXIES", "", Plain, parse::networks;

    /// Other origins whose pages may use the API, e.g. `https://intranet.example.com`, with commas between them. Not
    /// set: none but our own.
    cors_origins: Vec<String> = "AI_ACROSS_CORS_ORIGINS", "", Plain, parse::origins;

    /// API requests a minute of a signed-in user: 10 to 100000, or 0 for no limit.
    rate_per_user: u32 = "AI_ACROSS_RATE_PER_USER", "600", Plain, parse::rate;

    /// API requests a minute of an address that is not signed in: 10 to 100000, or 0 for no limit.
    rate_per_address: u32 = "AI_ACROSS_RATE_PER_ADDRESS", "120", Plain, parse::rate;

    /// Answers being written at a time for one user, 1 to 100000.
    max_streams_per_user: u32 = "AI_ACROSS_MAX_STREAMS_PER_USER", "5", Plain, parse::amount;

    /// Memory for the vectors of recently searched files, in MB, 64 to 1048576. A vector of 1536 numbers takes 1.5 kB.
    vector_cache_mb: u32 = "AI_ACROSS_VECTOR_CACHE_MB", "512", Plain, parse::vector_cache;

    /// Answers being written at a time in all, 1 to 100000.
    max_streams: u32 = "AI_ACROSS_MAX_STREAMS", "4000", Plain, parse::amount;

    /// Opens /metrics as a bearer token, at least 16 characters. Not set: only administrators may read it.
    metrics_token: Option<Secret> = "AI_ACROSS_METRICS_TOKEN", "", Masked, |text| optional(text, parse::bearer_token);

    /// Whether the interface documents itself at /docs and /openapi.json.
    docs: bool = "AI_ACROSS_DOCS", "true", Plain, parse::boolean;

    /// Key for OpenRouter, used while no key is stored for it.
    openrouter_api_key: Option<Secret> = "OPENROUTER_API_KEY", "", Masked, |text| optional(text, parse::header_secret);

    /// Key for OpenAI, used while no key is stored for it. Without any key, answers come from the built-in offline
    /// provider.
    openai_api_key: Option<Secret> = "OPENAI_API_KEY", "", Masked, |text| optional(text, parse::header_secret);

    /// Key for Anthropic, used while no key is stored for it.
    anthropic_api_key: Option<Secret> = "ANTHROPIC_API_KEY", "", Masked, |text| optional(text, parse::header_secret);

    /// Key for Google, used while no key is stored for it.
    gemini_api_key: Option<Secret> = "GEMINI_API_KEY", "", Masked, |text| optional(text, parse::header_secret);

    /// Server that stands in for OpenRouter, such as a gateway; it may need no key. Not set: OpenRouter itself.
    openrouter_base_url: Option<Url> = "AI_ACROSS_OPENROUTER_BASE_URL", "", Address, |text| optional(text, parse::http_url);

    /// Server that speaks OpenAI's dialect, e.g. http://127.0.0.1:11434/v1; it may need no key. Not set: OpenAI
    /// itself.
    openai_base_url: Option<Url> = "AI_ACROSS_OPENAI_BASE_URL", "", Address, |text| optional(text, parse::http_url);

    /// Server that stands in for Anthropic; it may need no key. Not set: Anthropic itself.
    anthropic_base_url: Option<Url> = "AI_ACROSS_ANTHROPIC_BASE_URL", "", Address, |text| optional(text, parse::http_url);

    /// Server that stands in for Google's Gemini; it may need no key. Not set: Google itself.
    gemini_base_url: Option<Url> = "AI_ACROSS_GEMINI_BASE_URL", "", Address, |text| optional(text, parse::http_url);

    /// Whether keys of custom providers may point at this machine and at private networks. Addresses of cloud metadata
    /// and the like are refused in any case.
    allow_private_providers: bool = "AI_ACROSS_ALLOW_PRIVATE_PROVIDERS", "false", Plain, parse::boolean;

    /// Dollars that a million tokens of a prompt are charged at if nobody knows the model's price.
    fallback_prompt_price: MicroUsd = "AI_ACROSS_FALLBACK_PROMPT_PRICE", "10", Plain, parse::dollars;

    /// Dollars that a million tokens of an answer are charged at if nobody knows the model's price.
    fallback_completion_price: MicroUsd = "AI_ACROSS_FALLBACK_COMPLETION_PRICE", "30", Plain, parse::dollars;

    /// What files are indexed with: auto, local (built in) or a model such as text-embedding-3-small. auto takes
    /// text-embedding-3-small if there is a key of OpenRouter or OpenAI, else local. It becomes the setting that
    /// administrators see, unless they chose another. Decided when the first file is indexed; a later change here has no
    /// effect on that installation.
    embedding_model: String = "AI_ACROSS_EMBEDDING_MODEL", "auto", Plain, parse::embedding_model;

    /// What finds the nearest vectors: embedded (the database itself, exact), pgvector, chroma or qdrant. One outside is
    /// filled from the database, at the start if it lacks anything, or by: ai-across reindex
    vector_store: StoreKind = "AI_ACROSS_VECTOR_STORE", "embedded", Plain, parse::vector_store;

    /// Where the vector store outside is: http://HOST:PORT of Chroma or Qdrant, postgres://USER:PASSWORD@HOST/NAME of
    /// pgvector. Not set: pgvector takes the platform's own PostgreSQL.
    vector_url: Option<Secret> = "AI_ACROSS_VECTOR_URL", "", Address, |text| optional(text, parse::vector_url);

    /// The key or token that Chroma or Qdrant asks for. Not set: none is sent.
    vector_api_key: Option<Secret> = "AI_ACROSS_VECTOR_API_KEY", "", Masked, |text| optional(text, parse::header_secret);

    /// Seconds until the connection to a provider must stand.
    provider_connect_timeout: Duration = "AI_ACROSS_PROVIDER_CONNECT_TIMEOUT", "10", Plain, parse::seconds;

    /// Seconds until a provider must begin to answer.
    provider_first_byte_timeout: Duration = "AI_ACROSS_PROVIDER_FIRST_BYTE_TIMEOUT", "60", Plain, parse::seconds;

    /// Seconds a provider may pause within an answer.
    provider_idle_timeout: Duration = "AI_ACROSS_PROVIDER_IDLE_TIMEOUT", "60", Plain, parse::seconds;

    /// Seconds a whole answer of a provider may take.
    provider_total_timeout: Duration = "AI_ACROSS_PROVIDER_TOTAL_TIMEOUT", "600", Plain, parse::seconds;

    /// What is logged: off, error, warn, info, debug or trace, or a list such as info,across=debug.
    log: String = "AI_ACROSS_LOG", "info", Plain, parse::log_filter;

    /// Shape of log lines: json, text, or auto, which is text on a terminal and json elsewhere.
    log_format: LogFormat = "AI_ACROSS_LOG_FORMAT", "auto", Plain, parse::log_format;
}
