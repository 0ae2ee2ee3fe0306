//! The configuration: defaults, then `ai-across.toml`, then the environment, then arguments; the later wins.
//!
//! `settings` is the one table of everything that can be set, `parse` reads single values, `layers` finds them,
//! `show` prints them. All problems are reported at once.

mod layers;
mod parse;
mod settings;
mod show;

use std::{fmt, path::PathBuf};

pub use layers::{Arguments, Source};
pub use parse::{LogFormat, StoreKind};
pub use settings::Config;
pub use show::{effective, example};

use layers::Layers;

/// Name of the configuration file in the data directory.
pub const FILE_NAME: &str = "ai-across.toml";
/// Name of the file in the data directory that keeps the secret key unless one is configured.
pub const SECRET_FILE_NAME: &str = "secret.key";
/// What the administrator made from the configuration is called.
pub const ADMIN_NAME: &str = "Administrator";

/// The configuration, and where each value came from.
pub struct Loaded {
    /// The values.
    pub config: Config,
    layers: Layers,
}

/// One thing that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, named as the operator wrote it.
    pub place: String,
    /// What is wrong with it and what to do.
    pub remedy: String,
}

/// Everything that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used:")?;
        self.0
            .iter()
            .try_for_each(|problem| write!(f, "\n  {}: {}", problem.place, problem.remedy))
    }
}

/// Reads the configuration. Nothing is written, nothing but the configuration file is read.
///
/// # Errors
/// [`Problems`], all of them.
pub fn load(
    arguments: &Arguments,
    environment: impl IntoIterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
) -> Result<Loaded, Problems> {
    let mut layers = Layers::gather(arguments, environment);
    let config = Config::read(&mut layers);
    check(&mut layers);
    match config {
        Some(config) if layers.problems.is_empty() => Ok(Loaded { config, layers }),
        _ => Err(Problems(layers.problems)),
    }
}

/// The rules that concern more than one setting. They look at the texts, so that they speak up beside other problems.
fn check(layers: &mut Layers) {
    let text = |key| layers.text(key).map(|(text, _)| text);
    let mut problems = Vec::new();
    match (text("admin_email"), text("admin_password")) {
        (Some(email), Some(password)) => {
            let verdict = across::identity::password::check_policy(password, email, ADMIN_NAME);
            problems.extend(verdict.err().map(|weak| ("admin_password", weak.to_string())));
        }
        (Some(_), None) => problems.push(("admin_password", "is missing; admin_email needs it".into())),
        (None, Some(_)) => problems.push(("admin_email", "is missing; admin_password needs it".into())),
        (None, None) => {}
    }
    if text("secret_key_old").is_some() && text("secret_key_old") == text("secret_key") {
        problems.push((
            "secret_key_old",
            "is the same as secret_key; set it to the earlier one".into(),
        ));
    }
    problems.extend(vector_address(&text).map(|remedy| ("vector_url", remedy.to_owned())));
    for (key, remedy) in problems {
        layers.problem(key, remedy);
    }
}

/// What is wrong with the vector store's address, seen together with its kind.
fn vector_address<'a>(text: &impl Fn(&'static str) -> Option<&'a str>) -> Option<&'static str> {
    let kind = StoreKind::parse(text("vector_store").unwrap_or("embedded"))?;
    let is_database = |url: &str| url.starts_with("postgres");
    match (kind, text("vector_url")) {
        (StoreKind::Embedded, Some(_)) => {
            Some("is set, but vector_store is embedded; set that to the store there, or remove this")
        }
        (StoreKind::Embedded, None) => None,
        (StoreKind::Pgvector, None) if text("database_url").is_some_and(is_database) => None,
        (StoreKind::Chroma | StoreKind::Qdrant | StoreKind::Pgvector, None) => Some(missing_address(kind)),
        (StoreKind::Pgvector, Some(url)) if !is_database(url) => {
            Some("is not an address of PostgreSQL; write for example postgres://USER:PASSWORD@HOST/NAME")
        }
        (StoreKind::Chroma | StoreKind::Qdrant, Some(url)) if is_database(url) => Some(
            "is an address of PostgreSQL; write for example http://127.0.0.1:6333, or set vector_store to pgvector",
        ),
        (StoreKind::Chroma | StoreKind::Qdrant | StoreKind::Pgvector, Some(_)) => None,
    }
}

/// What to do about a vector store outside without an address.
pub(crate) const fn missing_address(kind: StoreKind) -> &'static str {
    match kind {
        StoreKind::Pgvector => {
            "is missing; pgvector needs a PostgreSQL database: its own postgres://USER:PASSWORD@HOST/NAME here, or the \
             platform's in database_url"
        }
        StoreKind::Chroma => "is missing; chroma needs its address, for example http://127.0.0.1:8001",
        StoreKind::Qdrant | StoreKind::Embedded => {
            "is missing; qdrant needs its address, for example http://127.0.0.1:6333"
        }
    }
}

impl Config {
    /// Where the database is.
    #[must_use]
    pub fn database(&self) -> Database {
        let url = self.database_url.as_ref().map(|url| url.expose());
        match url.map(|url| url.strip_prefix("sqlite://").ok_or(url)) {
            None => Database::File(self.data_dir.join("ai-across.db")),
            Some(Ok(path)) => Database::File(path.into()),
            Some(Err(url)) => Database::Server(across::secret::Secret::new(url)),
        }
    }
}

/// Where the database is.
pub enum Database {
    /// A file that this process alone uses.
    File(PathBuf),
    /// A server; its address may hold a password.
    Server(across::secret::Secret),
}
