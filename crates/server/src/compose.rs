//! The composition root: configuration in, [`Platform`] out. Here alone it is decided what stands behind each port.

use std::{
    collections::BTreeMap, fs, num::NonZero, path::Path, sync::Arc, thread::available_parallelism, time::Duration,
};

use across::{
    actor::Doer,
    audit::Action,
    clock::{Clock, SystemClock},
    fault::StoreError,
    identity::{account::RegisterError, password::PasswordHasher, session::TokenSigner, sign_in},
    money::Price,
    platform::{Limits, Platform},
    providers::{
        gate::{Gate, Observer},
        model::{EmbeddingModel, ProviderKind},
        provider::Provider,
        registry::{Connection, LOCAL_MODEL, Providers},
    },
    retrieval::vectors::{VectorStore, Vectors},
    settings::{Changed, LiveSettings},
};
use across_providers::{LocalEmbedder, OfflineProvider, Reach, VendorConnector, http::Timeouts};
use across_store::{LocalBlobs, OpenError, Options, SqlStore};
use across_vectors::Choice;
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

use crate::{
    config::{ADMIN_NAME, Config, Database, StoreKind, missing_address},
    data_dir::DataDir,
    extractor::ChildExtractor,
    failure::Failure,
    metrics::ProviderCalls,
    unlock::{Secrets, Unlocked},
};

/// Numbers in a vector of the built-in embedder.
const LOCAL_DIMENSIONS: usize = 384;
/// The pause between words of the offline provider: fast to read, and slow enough to be seen and stopped.
const OFFLINE_PACE: Duration = Duration::from_millis(15);

/// The platform, with the hold on its data.
pub struct Composition {
    /// The platform.
    pub platform: Arc<Platform>,
    /// Keeps other processes from the data until it is dropped.
    _held: DataDir,
}

/// Opens the data that the configuration names, brings it up to date, and puts the platform together.
///
/// # Errors
/// [`Failure`]: data that must not be touched, a database that does not answer, a key that is not the data's.
pub async fn compose(config: &Config) -> Result<Composition, Failure> {
    compose_with(config, config.vector_store).await
}

/// As [`compose`], with another vector store than the configured one.
pub(crate) async fn compose_with(config: &Config, vector_store: StoreKind) -> Result<Composition, Failure> {
    // Wrong configuration is told before anything is touched.
    let outside = outside(config, vector_store)?;
    let held = DataDir::hold(&config.data_dir)?;
    let database = config.database();
    let existing = existing(&database);
    let store = connect(config, &database).await?;
    // Before anything is changed: a key that is not the data's changes nothing.
    let secrets = Secrets::found(config, &held, &store).await?;
    bring_up_to_date(&store, &database, existing, &held).await?;
    let blobs = LocalBlobs::open(held.path()).map_err(|error| Failure::Working(error.to_string()))?;
    let Unlocked { key, vault, pepper } = secrets.unlock(&store).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let extractor = ChildExtractor::of_this_program()
        .map_err(|error| Failure::Working(format!("the program cannot find its own file: {error}")))?;
    let cores = available_parallelism().map_or(1, NonZero::get);
    let store = Arc::new(store);
    let vectors = match outside {
        None => Vectors::of_rows(Arc::clone(&store) as Arc<dyn VectorStore>),
        Some(outside) => Vectors::outside(outside),
    };
    let platform = Arc::new(Platform {
        installation: held.installation()?,
        vectors,
        store,
        blobs: Arc::new(blobs),
        extractor: Arc::new(extractor),
        providers: providers(config, Arc::clone(&clock))?,
        clock,
        tokens: TokenSigner::new(&key),
        passwords: PasswordHasher::new(pepper, cores),
        live: Default::default(),
        settings: LiveSettings::default(),
        vault,
        limits: Limits {
            streams_per_user: usize::try_from(config.max_streams_per_user).unwrap_or(usize::MAX),
            streams: usize::try_from(config.max_streams).unwrap_or(usize::MAX),
            answer_time: config.provider_total_timeout,
        },
        tasks: TaskTracker::new(),
        stopping: CancellationToken::new(),
        job_queued: Notify::new(),
        refill: Notify::new(),
    });
    let unreadable = |error: StoreError| Failure::Working(error.to_string());
    let stored = platform.store.settings().await.map_err(unreadable)?;
    platform.settings.set(&stored);
    let refreshed = platform.providers.refresh(platform.store.as_ref(), &platform.vault);
    refreshed.await.map_err(unreadable)?;
    adopt_embedding_model(config, &platform).await.map_err(unreadable)?;
    first_administrator(config, &platform).await?;
    Ok(Composition { platform, _held: held })
}

/// The vector store outside of this kind, at the configured address; `None` if it is the embedded one.
///
/// # Errors
/// [`Failure::Usage`] if the address or the key cannot be used.
pub(crate) fn outside(config: &Config, kind: StoreKind) -> Result<Option<Arc<dyn VectorStore>>, Failure> {
    let lacks = || Failure::Usage(missing_address(kind).to_owned());
    let address = || {
        let text = config.vector_url.as_ref().ok_or_else(lacks)?.expose();
        Url::parse(text).map_err(|_| lacks())
    };
    let key = config.vector_api_key.clone();
    let choice = match kind {
        StoreKind::Embedded => return Ok(None),
        StoreKind::Chroma => Choice::Chroma(address()?, key),
        StoreKind::Qdrant => Choice::Qdrant(address()?, key),
        StoreKind::Pgvector => match (&config.vector_url, config.database()) {
            (Some(url), _) => Choice::Pgvector(url.clone()),
            (None, Database::Server(url)) => Choice::Pgvector(url),
            (None, Database::File(_)) => return Err(lacks()),
        },
    };
    let opened = across_vectors::open(&choice).map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(Some(opened))
}

/// Brings the database to this version's schema, with a copy of it made before.
///
/// # Errors
/// [`Failure`], as [`compose`].
pub async fn migrate(config: &Config) -> Result<(), Failure> {
    let held = DataDir::hold(&config.data_dir)?;
    let database = config.database();
    let existing = existing(&database);
    let store = connect(config, &database).await?;
    bring_up_to_date(&store, &database, existing, &held).await
}

/// The migrations that this version would run. Makes no database; fails if there is none yet.
///
/// # Errors
/// [`Failure`], as [`compose`].
pub async fn pending(config: &Config) -> Result<Vec<String>, Failure> {
    let database = config.database();
    let store = connect_to_read(&database).await?;
    store.pending().await.map_err(|error| refusal(&error, &database))
}

/// The database as it is, for looking at it: nothing is made or changed, and others may use it meanwhile.
///
/// # Errors
/// [`Failure`] if there is none or it does not answer.
pub(crate) async fn connect_to_read(database: &Database) -> Result<SqlStore, Failure> {
    let store = match database {
        Database::File(path) if !path.exists() => {
            return Err(Failure::Working(format!(
                "there is no database at {} yet",
                path.display()
            )));
        }
        Database::File(path) => SqlStore::open_to_read(&format!("sqlite://{}", path.display())).await,
        Database::Server(url) => SqlStore::open_to_read(url.expose()).await,
    };
    store.map_err(|error| refusal(&error, database))
}

/// The database's file, if it holds data already. To be asked before the database is opened.
fn existing(database: &Database) -> Option<&Path> {
    match database {
        Database::File(path) if holds_data(path) => Some(path),
        Database::File(_) | Database::Server(_) => None,
    }
}

async fn bring_up_to_date(
    store: &SqlStore,
    database: &Database,
    existing: Option<&Path>,
    held: &DataDir,
) -> Result<(), Failure> {
    let pending = store.pending().await.map_err(|error| refusal(&error, database))?;
    if let Some(first) = pending.first() {
        if let Some(path) = existing {
            // Nobody writes: this process holds the data and has not begun.
            let name = format!("{}-before-{first}", SystemClock.now().format("%Y%m%dT%H%M%SZ"));
            let target = held.snapshot(path, &name)?;
            tracing::info!(snapshot = %target.display(), "copied the database before its migration");
        }
        store.migrate().await.map_err(|error| refusal(&error, database))?;
        tracing::info!(
            migrations = pending.len(),
            "the database is at this version's schema now"
        );
    }
    Ok(())
}

fn holds_data(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.len() > 0)
}

async fn connect(config: &Config, database: &Database) -> Result<SqlStore, Failure> {
    let options = Options {
        vector_cache: u64::from(config.vector_cache_mb) * 1024 * 1024,
        ..Options::default()
    };
    let store = match database {
        Database::File(path) => SqlStore::open(&format!("sqlite://{}", path.display()), options).await,
        Database::Server(url) => SqlStore::open(url.expose(), options).await,
    };
    store.map_err(|error| refusal(&error, database))
}

/// What a database that cannot be used means for the process.
pub(crate) fn refusal(error: &OpenError, database: &Database) -> Failure {
    match (error, database) {
        (OpenError::NewerSchema(_), _) => Failure::Refused(error.to_string()),
        (OpenError::BadUrl(_), _) => Failure::Usage(error.to_string()),
        (OpenError::Unreachable(StoreError::Unavailable(reason)), Database::File(path)) => Failure::Refused(format!(
            "the database file {} cannot be read: {reason}. It was left as it is. If it is damaged, move it away \
             together with the files beside it that begin with its name, and put a copy from a backup or from \
             snapshots/ in its place.",
            path.display()
        )),
        (OpenError::File(..) | OpenError::Unreachable(_) | OpenError::Migration(_), _) => {
            Failure::Working(error.to_string())
        }
    }
}

/// The providers that the configuration and the program itself offer.
pub(crate) fn providers(config: &Config, clock: Arc<dyn Clock>) -> Result<Providers, Failure> {
    let vendors = [
        (
            ProviderKind::OpenRouter,
            &config.openrouter_api_key,
            &config.openrouter_base_url,
        ),
        (ProviderKind::OpenAi, &config.openai_api_key, &config.openai_base_url),
        (
            ProviderKind::Anthropic,
            &config.anthropic_api_key,
            &config.anthropic_base_url,
        ),
        (ProviderKind::Google, &config.gemini_api_key, &config.gemini_base_url),
    ];
    let stand_ins = vendors
        .iter()
        .filter_map(|(kind, _, base)| Some((*kind, (*base).clone()?)));
    let reach = Reach {
        stand_ins: stand_ins.collect(),
        timeouts: Timeouts {
            connect: config.provider_connect_timeout,
            first_byte: config.provider_first_byte_timeout,
            idle: config.provider_idle_timeout,
            total: config.provider_total_timeout,
        },
        allow_private: config.allow_private_providers,
    };
    let observer: Arc<dyn Observer> = Arc::new(ProviderCalls);
    let connector = VendorConnector::new(reach).map_err(|error| Failure::Working(error.to_string()))?;
    let connector = connector.known_as(config.public_url.as_ref());
    let configured = vendors
        .into_iter()
        .filter(|(_, key, base)| key.is_some() || base.is_some())
        .filter_map(|(kind, key, _)| {
            let (provider, embeds) = connector.configured(kind, key.clone())?;
            Some(Connection {
                is_keyed: key.is_some(),
                embeds,
                ..unkeyed(kind, provider, &observer)
            })
        })
        .collect();
    let local = EmbeddingModel {
        id: LOCAL_MODEL.to_owned(),
        dimensions: LOCAL_DIMENSIONS,
    };
    let offline = Arc::new(OfflineProvider::new(OFFLINE_PACE));
    let built_in = vec![
        unkeyed(ProviderKind::Offline, offline, &observer),
        Connection {
            embeds: vec![local],
            ..unkeyed(ProviderKind::Local, Arc::new(LocalEmbedder::new()), &observer)
        },
    ];
    let fallback = Price {
        prompt: config.fallback_prompt_price,
        completion: config.fallback_completion_price,
    };
    Ok(Providers::new(
        configured,
        built_in,
        Arc::new(connector),
        observer,
        fallback,
        clock,
    ))
}

/// A way to a provider that needs no stored key, and embeds nothing.
fn unkeyed(kind: ProviderKind, provider: Arc<dyn Provider>, observer: &Arc<dyn Observer>) -> Connection {
    Connection {
        kind,
        key: None,
        name: String::new(),
        is_keyed: false,
        provider: Some(provider),
        embeds: Vec::new(),
        price: None,
        gate: Arc::new(Gate::observed(kind, Arc::clone(observer))),
    }
}

/// Makes the configured embedding model the setting, unless administrators chose one or files are indexed already.
async fn adopt_embedding_model(config: &Config, platform: &Platform) -> Result<(), StoreError> {
    const KEY: &str = "embedding_model";
    let store = platform.store.as_ref();
    let stored = store.settings().await?;
    let is_decided = stored.values.contains_key(KEY) || platform.providers.space_in_use(store).await?.is_some();
    if config.embedding_model == "auto" || is_decided {
        return Ok(());
    }
    let change = BTreeMap::from([(KEY.to_owned(), Some(config.embedding_model.clone().into()))]);
    let deed = Doer::platform().does(Action::SettingsUpdate, platform.clock.now());
    if let Changed::Done(stored) = store.change_settings(change, Some(stored.revision), deed).await? {
        platform.settings.set(&stored);
    }
    Ok(())
}

async fn first_administrator(config: &Config, platform: &Platform) -> Result<(), Failure> {
    let (Some(email), Some(password)) = (&config.admin_email, &config.admin_password) else {
        return Ok(());
    };
    match sign_in::set_up(platform, email.as_str(), ADMIN_NAME, password, &Doer::platform()).await {
        Ok(user) => {
            tracing::info!(user = %user.id, "made the first administrator from the configuration");
            Ok(())
        }
        Err(RegisterError::SetUpAlready) => Ok(()),
        Err(error @ (RegisterError::Email | RegisterError::Name | RegisterError::Password(_))) => Err(Failure::Usage(
            format!("the first administrator cannot be made: {error}"),
        )),
        Err(error @ (RegisterError::Taken | RegisterError::Busy(_) | RegisterError::Store(_))) => Err(
            Failure::Working(format!("the first administrator cannot be made: {error}")),
        ),
    }
}
