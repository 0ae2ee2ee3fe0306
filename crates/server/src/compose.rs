//! The composition root: configuration in, [`Platform`] out. Here alone it is decided what stands behind each port.

use std::{fs, num::NonZero, path::Path, sync::Arc, thread::available_parallelism, time::Duration};

use across::{
    clock::{Clock, SystemClock},
    fault::StoreError,
    identity::{
        password::PasswordHasher,
        session::TokenSigner,
        sign_in::{self, RegisterError},
    },
    kept::KeptValues as _,
    platform::Platform,
    providers::{
        model::EmbeddingModel,
        provider::Provider,
        registry::{EmbeddingChoice, LOCAL_MODEL, Providers},
    },
    retrieval::search::RetrievalConfig,
    secret::{MasterKey, Vault},
};
use across_providers::{
    LocalEmbedder, OfflineProvider, OpenAi, embedding_dimensions,
    http::{self, Timeouts},
};
use across_store::{LocalBlobs, OpenError, Options, SqlStore};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

use crate::{
    config::{ADMIN_NAME, Config, Database, EmbeddingSetting},
    data_dir::DataDir,
    extractor::ChildExtractor,
    failure::Failure,
};

/// Under which name the sealed pepper of the passwords is kept.
const PEPPER: &str = "password_pepper";
/// Where OpenAI answers.
const OPENAI: &str = "https://api.openai.com/v1";
/// OpenAI's embedding models, the one that `auto` takes first.
const OPENAI_EMBEDDING_MODELS: [&str; 3] = [
    "text-embedding-3-small",
    "text-embedding-3-large",
    "text-embedding-ada-002",
];
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
    let held = DataDir::hold(&config.data_dir)?;
    let store = open(config, &held).await?;
    let blobs = LocalBlobs::open(held.path()).map_err(|error| Failure::Working(error.to_string()))?;
    let (key, pepper) = unlock(config, &held, &store).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let extractor = ChildExtractor::of_this_program()
        .map_err(|error| Failure::Working(format!("the program cannot find its own file: {error}")))?;
    let cores = available_parallelism().map_or(1, NonZero::get);
    let platform = Arc::new(Platform {
        store: Arc::new(store),
        blobs: Arc::new(blobs),
        extractor: Arc::new(extractor),
        providers: providers(config, Arc::clone(&clock))?,
        clock,
        tokens: TokenSigner::new(&key),
        passwords: PasswordHasher::new(pepper, cores),
        live: Default::default(),
        retrieval: RetrievalConfig::default(),
        tasks: TaskTracker::new(),
        stopping: CancellationToken::new(),
        job_queued: Notify::new(),
    });
    first_administrator(config, &platform).await?;
    Ok(Composition { platform, _held: held })
}

/// Brings the database to this version's schema, with a copy of it made before.
///
/// # Errors
/// [`Failure`], as [`compose`].
pub async fn migrate(config: &Config) -> Result<(), Failure> {
    let held = DataDir::hold(&config.data_dir)?;
    open(config, &held).await.map(drop)
}

/// The migrations that this version would run. Makes no database; fails if there is none yet.
///
/// # Errors
/// [`Failure`], as [`compose`].
pub async fn pending(config: &Config) -> Result<Vec<String>, Failure> {
    let database = config.database();
    if let Database::File(path) = &database
        && !path.exists()
    {
        return Err(Failure::Working(format!(
            "there is no database at {} yet",
            path.display()
        )));
    }
    let store = connect(&database).await?;
    store.pending().await.map_err(|error| refusal(&error, &database))
}

async fn open(config: &Config, held: &DataDir) -> Result<SqlStore, Failure> {
    let database = config.database();
    let existing = match &database {
        Database::File(path) if holds_data(path) => Some(path),
        Database::File(_) | Database::Server(_) => None,
    };
    let store = connect(&database).await?;
    let pending = store.pending().await.map_err(|error| refusal(&error, &database))?;
    if let Some(first) = pending.first() {
        if let Some(path) = existing {
            // Nobody writes: this process holds the data and has not begun.
            let name = format!("{}-before-{first}", SystemClock.now().format("%Y%m%dT%H%M%SZ"));
            let target = held.snapshot(path, &name)?;
            tracing::info!(snapshot = %target.display(), "copied the database before its migration");
        }
        store.migrate().await.map_err(|error| refusal(&error, &database))?;
        tracing::info!(
            migrations = pending.len(),
            "the database is at this version's schema now"
        );
    }
    Ok(store)
}

fn holds_data(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.len() > 0)
}

async fn connect(database: &Database) -> Result<SqlStore, Failure> {
    let store = match database {
        Database::File(path) => SqlStore::open(&format!("sqlite://{}", path.display()), Options::default()).await,
        Database::Server(url) => SqlStore::open(url.expose(), Options::default()).await,
    };
    store.map_err(|error| refusal(&error, database))
}

/// What a database that cannot be used means for the process.
fn refusal(error: &OpenError, database: &Database) -> Failure {
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

/// The master key, and the pepper that only it opens.
async fn unlock(config: &Config, held: &DataDir, store: &SqlStore) -> Result<(MasterKey, Vec<u8>), Failure> {
    let sealed = store
        .kept(PEPPER)
        .await
        .map_err(|error| Failure::Working(error.to_string()))?;
    let text = match &config.secret_key {
        Some(key) => key.expose().to_owned(),
        None => match held.secret_key()? {
            Some(key) => key,
            None if sealed.is_none() => held.make_secret_key()?,
            None => {
                return Err(Failure::Refused(format!(
                    "the secret key of this data is gone: {} holds no secret.key, and AI_ACROSS_SECRET_KEY is not set. \
                     Put the file back from a backup, or set the variable.",
                    held.path().display()
                )));
            }
        },
    };
    let damaged = || Failure::Refused("the file secret.key is damaged: put it back from a backup".to_owned());
    let key = MasterKey::new(text.as_bytes()).ok_or_else(damaged)?;
    let vault = Vault::new(&key).ok_or_else(damaged)?;
    let sealed = match sealed {
        Some(sealed) => sealed,
        None => {
            let fresh = vault.seal(PEPPER, &rand::random::<[u8; 32]>());
            store
                .keep_once(PEPPER, &fresh)
                .await
                .map_err(|error| Failure::Working(error.to_string()))?
        }
    };
    let pepper = vault.open(PEPPER, &sealed).map_err(|_| {
        Failure::Refused(
            "the secret key is not the one this data was made with. Set AI_ACROSS_SECRET_KEY, or the file secret.key in \
             the data directory, to the earlier value. Nothing was changed."
                .to_owned(),
        )
    })?;
    Ok((key, pepper))
}

fn providers(config: &Config, clock: Arc<dyn Clock>) -> Result<Providers, Failure> {
    let timeouts = Timeouts {
        connect: config.provider_connect_timeout,
        first_byte: config.provider_first_byte_timeout,
        idle: config.provider_idle_timeout,
        total: config.provider_total_timeout,
    };
    let openai = if config.has_openai() {
        Some(openai(config, timeouts)?)
    } else {
        None
    };
    let mut chat: Vec<Arc<dyn Provider>> = openai.iter().cloned().collect();
    chat.push(Arc::new(OfflineProvider::new(OFFLINE_PACE)));

    // All that can be had, the wanted one first: an installation that chose another before goes on with that.
    let local = embedder(LOCAL_MODEL, LOCAL_DIMENSIONS, Arc::new(LocalEmbedder::new()));
    let of_openai = openai.iter().flat_map(|provider| {
        let models = OPENAI_EMBEDDING_MODELS.into_iter();
        models.filter_map(|id| Some(embedder(id, embedding_dimensions(id)?, Arc::clone(provider))))
    });
    let mut embedders: Vec<_> = of_openai.collect();
    let wanted = match &config.embedding_model {
        EmbeddingSetting::OpenAi(model) => Some(model),
        EmbeddingSetting::Auto | EmbeddingSetting::Local => None,
    };
    // Stable: what is not wanted keeps its order.
    embedders.sort_by_key(|choice| Some(&choice.model) != wanted);
    let local_first = match config.embedding_model {
        EmbeddingSetting::Auto => config.openai_api_key.is_none(),
        EmbeddingSetting::Local => true,
        EmbeddingSetting::OpenAi(_) => false,
    };
    embedders.insert(if local_first { 0 } else { embedders.len() }, local);
    Ok(Providers::new(chat, embedders, clock))
}

fn embedder(id: &str, dimensions: usize, provider: Arc<dyn Provider>) -> EmbeddingChoice {
    EmbeddingChoice {
        model: EmbeddingModel {
            id: id.to_owned(),
            dimensions,
        },
        provider,
    }
}

fn openai(config: &Config, timeouts: Timeouts) -> Result<Arc<dyn Provider>, Failure> {
    let client = http::client(&timeouts).map_err(|error| Failure::Working(error.to_string()))?;
    let base = match &config.openai_base_url {
        Some(url) => url.clone(),
        None => Url::parse(OPENAI).map_err(|error| Failure::Working(error.to_string()))?,
    };
    Ok(Arc::new(OpenAi::new(
        client,
        base,
        config.openai_api_key.clone(),
        timeouts,
    )))
}

async fn first_administrator(config: &Config, platform: &Platform) -> Result<(), Failure> {
    let (Some(email), Some(password)) = (&config.admin_email, &config.admin_password) else {
        return Ok(());
    };
    match sign_in::set_up(platform, email.as_str(), ADMIN_NAME, password).await {
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
