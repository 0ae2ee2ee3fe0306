//! What administrators do with providers' keys: add, change, remove, try.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    actor::Doer,
    audit::Action,
    fault::{Problem, StoreError},
    id::ApiKeyId,
    platform::Platform,
    providers::{
        failure::Category,
        key::{self, ApiKey, Custom, KeyChange, KeyChanged, NewApiKey, sealed_name},
        model::{EmbeddingModel, ProviderKind},
        provider::{EmbedPurpose, EmbedRequest, Provider},
    },
    secret::Secret,
};

/// How long a trial of a key may take.
const TRIAL: Duration = Duration::from_secs(10);
/// What a server's embedding model is tried with.
const TRIAL_TEXT: &str = "AI-Across";
/// Numbers of a vector at most.
const MAX_DIMENSIONS: usize = 16_384;
/// Characters of an address at most.
const BASE_URL_MAX: usize = 2_048;

/// Why a key was not added or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A field is wrong.
    #[error("{}", .0.first().map_or("", |problem| problem.message.as_str()))]
    Invalid(Vec<Problem>),
    /// There is no such key.
    #[error("There is no such key.")]
    Missing,
    /// Somebody else changed it meanwhile; carries the present version.
    #[error("Somebody else changed this key meanwhile.")]
    Stale(i64),
    /// The provider has a key of that name already.
    #[error("This provider has a key of that name already.")]
    Taken,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn wrong(field: &'static str, message: impl Into<String>) -> KeyError {
    let message = message.into();
    KeyError::Invalid(vec![Problem { field, message }])
}

fn check_name(name: &str) -> Result<String, KeyError> {
    let name = name.trim();
    if key::NAME.contains(&name.chars().count()) && !name.chars().any(char::is_control) {
        Ok(name.to_owned())
    } else {
        Err(wrong("name", "A name has 1 to 100 characters on one line."))
    }
}

fn check_key(secret: &Secret) -> Result<(), KeyError> {
    let text = secret.expose();
    if key::KEY.contains(&text.chars().count()) && text.chars().all(|c| c.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(wrong("key", "A key has 8 to 512 characters, without spaces."))
    }
}

async fn check_custom(
    platform: &Platform,
    provider: ProviderKind,
    custom: Option<Custom>,
) -> Result<Option<Custom>, KeyError> {
    match (provider, custom) {
        (ProviderKind::Custom, Some(custom)) => {
            let checked = platform.providers.connector().check_base_url(&custom.base_url).await;
            checked.map_err(|sentence| wrong("base_url", sentence))?;
            let param = custom.max_tokens_param.as_deref();
            if param.is_some_and(|param| !["max_tokens", "max_completion_tokens"].contains(&param)) {
                return Err(wrong(
                    "max_tokens_param",
                    "This is max_tokens or max_completion_tokens.",
                ));
            }
            Ok(Some(custom))
        }
        (ProviderKind::Custom, None) => Err(wrong("base_url", "A custom provider needs the address of its server.")),
        (_, Some(_)) => Err(wrong("base_url", "Only custom providers have an address of their own.")),
        (_, None) => Ok(None),
    }
}

/// The embedding model of a custom server, tried with one text; how long its vectors are is found out that way, and if it
/// was said, it must be true.
async fn check_embedding(provider: &dyn Provider, named: &EmbeddingModel) -> Result<EmbeddingModel, KeyError> {
    let request = EmbedRequest {
        model: named.clone(),
        inputs: vec![TRIAL_TEXT.to_owned()],
        purpose: EmbedPurpose::Document,
    };
    let answer = tokio::time::timeout(TRIAL, provider.embed(request)).await;
    let vectors = answer.ok().and_then(Result::ok).map(|answer| answer.vectors);
    let vector = vectors.and_then(|vectors| vectors.into_iter().flatten().next());
    match vector.map(|vector| vector.len()) {
        Some(dimensions) if (1..=MAX_DIMENSIONS).contains(&dimensions) => Ok(EmbeddingModel {
            id: named.id.clone(),
            dimensions,
        }),
        _ => Err(wrong(
            "embedding_model",
            "The server did not embed a text with this model in these dimensions. Check its name, the key and the address.",
        )),
    }
}

/// The embedding model of a custom server, if it names one, as its server has it.
async fn tried_embedding(
    platform: &Platform,
    key: &Secret,
    custom: &Custom,
) -> Result<Option<EmbeddingModel>, KeyError> {
    let Some(named) = &custom.embedding else {
        return Ok(None);
    };
    let provider = platform.providers.connector().custom(custom, key);
    let provider = provider.ok_or_else(|| wrong("base_url", "Nothing can be called at this address."))?;
    Ok(Some(check_embedding(provider.as_ref(), named).await?))
}

/// A key as it was typed.
#[derive(Debug, Clone)]
pub struct Typed {
    /// Whose customers it stands for.
    pub provider: ProviderKind,
    /// What people call it.
    pub name: String,
    /// The key.
    pub key: Secret,
    /// Whether it becomes the one that is used.
    pub is_default: bool,
    /// Whether it is used at all.
    pub is_active: bool,
    /// For `custom` ones.
    pub custom: Option<Custom>,
}

/// Adds a key, sealed. Its models are on offer when this returns, unless its provider takes longer than five seconds to say
/// which they are.
///
/// # Errors
/// [`KeyError`]; nothing is stored then.
pub async fn add(platform: &Platform, doer: &Doer, typed: Typed) -> Result<ApiKey, KeyError> {
    let name = check_name(&typed.name)?;
    check_key(&typed.key)?;
    let custom = check_custom(platform, typed.provider, typed.custom).await?;
    let id = ApiKeyId::new();
    let custom = match custom {
        Some(mut custom) => {
            custom.embedding = tried_embedding(platform, &typed.key, &custom).await?;
            Some(custom)
        }
        None => None,
    };
    let new = NewApiKey {
        id,
        provider: typed.provider,
        name,
        sealed: platform.vault.seal(&sealed_name(id), typed.key.expose().as_bytes()),
        hint: key::hint(&typed.key),
        is_default: typed.is_default,
        is_active: typed.is_active,
        custom,
    };
    let deed = doer.does(Action::ApiKeyCreate, platform.clock.now());
    let added = platform.store.create_key(new, deed).await?.ok_or(KeyError::Taken)?;
    take_over(platform).await;
    platform.providers.catch_up().await;
    Ok(added)
}

/// Uses the keys as they are now. What was stored stays stored if this fails, and is taken over a little later.
async fn take_over(platform: &Platform) {
    if let Err(error) = platform
        .providers
        .refresh(platform.store.as_ref(), &platform.vault)
        .await
    {
        tracing::warn!(%error, "a change of providers' keys is not in use yet");
    }
}

/// What is to change about a key, as it was typed; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct Retyped {
    /// Its name.
    pub name: Option<String>,
    /// The key.
    pub key: Option<Secret>,
    /// Whether it is the one that is used.
    pub is_default: Option<bool>,
    /// Whether it is used at all.
    pub is_active: Option<bool>,
    /// Where a `custom` one's server answers. A key is sent only where it was entered for, so this needs the key again.
    pub base_url: Option<String>,
}

impl Retyped {
    /// Looks at what can be judged without knowing the key that is to change.
    ///
    /// # Errors
    /// [`KeyError::Invalid`] with the first field that is wrong.
    pub fn check(&self) -> Result<(), KeyError> {
        self.name.as_deref().map(check_name).transpose()?;
        self.key.as_ref().map(check_key).transpose()?;
        match &self.base_url {
            Some(_) if self.key.is_none() => Err(wrong("key", "Another address needs the key typed again.")),
            Some(url) if url.chars().count() > BASE_URL_MAX => {
                Err(wrong("base_url", "An address has at most 2,048 characters."))
            }
            _ => Ok(()),
        }
    }
}

/// Changes a key.
///
/// # Errors
/// [`KeyError`]; nothing is changed then.
pub async fn change(
    platform: &Platform,
    doer: &Doer,
    id: ApiKeyId,
    typed: Retyped,
    expected: Option<i64>,
) -> Result<ApiKey, KeyError> {
    let present = platform.store.find_key(id).await?.ok_or(KeyError::Missing)?.key;
    typed.check()?;
    let name = typed.name.as_deref().map(check_name).transpose()?;
    let custom = match typed.base_url {
        Some(base_url) => {
            let moved = Custom {
                base_url,
                ..present.custom.clone().unwrap_or_default()
            };
            let checked = check_custom(platform, present.provider, Some(moved)).await?;
            match (checked, &typed.key) {
                (Some(mut moved), Some(key)) => {
                    moved.embedding = tried_embedding(platform, key, &moved).await?;
                    Some(moved)
                }
                (checked, _) => checked,
            }
        }
        None => None,
    };
    let seal = |key: Secret| {
        let sealed = platform.vault.seal(&sealed_name(id), key.expose().as_bytes());
        (sealed, key::hint(&key))
    };
    let change = KeyChange {
        name,
        sealed: typed.key.map(seal),
        is_default: typed.is_default,
        is_active: typed.is_active,
        custom,
    };
    let deed = doer.does(Action::ApiKeyUpdate, platform.clock.now());
    let changed = outcome(platform.store.update_key(id, change, expected, deed).await?)?;
    take_over(platform).await;
    platform.providers.catch_up().await;
    Ok(changed)
}

/// Removes a key; calls in progress finish with it.
///
/// # Errors
/// [`KeyError`]; nothing is changed then.
pub async fn remove(platform: &Platform, doer: &Doer, id: ApiKeyId, expected: Option<i64>) -> Result<(), KeyError> {
    let deed = doer.does(Action::ApiKeyDelete, platform.clock.now());
    outcome(platform.store.delete_key(id, expected, deed).await?)?;
    take_over(platform).await;
    Ok(())
}

fn outcome(changed: KeyChanged) -> Result<ApiKey, KeyError> {
    match changed {
        KeyChanged::Done(key) => Ok(*key),
        KeyChanged::Missing => Err(KeyError::Missing),
        KeyChanged::Stale(version) => Err(KeyError::Stale(version)),
        KeyChanged::Taken => Err(KeyError::Taken),
    }
}

/// How a trial of a key ended. There is no more to be learned from it than this, whatever the provider says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// It works.
    Ok,
    /// The provider rejects it.
    Unauthorized,
    /// Nobody answers there.
    Unreachable,
    /// Somebody answers, but not as a provider does.
    Error,
}

impl Trial {
    /// What is noted on the key.
    const fn problem(self) -> Option<&'static str> {
        match self {
            Self::Ok => None,
            Self::Unauthorized => Some("unauthorized"),
            Self::Unreachable => Some("unreachable"),
            Self::Error => Some("error"),
        }
    }
}

/// How a provider takes the key that it is called with.
pub async fn tried(provider: &dyn Provider) -> Trial {
    match tokio::time::timeout(TRIAL, provider.check_key()).await {
        Ok(Ok(())) => Trial::Ok,
        Ok(Err(error)) => match error.category {
            Category::AuthBad | Category::NoCredit => Trial::Unauthorized,
            Category::Network | Category::Timeout => Trial::Unreachable,
            _ => Trial::Error,
        },
        Err(_) => Trial::Unreachable,
    }
}

/// Tries a key by asking its provider for the list of models; also how long that took.
///
/// # Errors
/// [`KeyError::Missing`], or the database failed.
pub async fn test(platform: &Platform, doer: &Doer, id: ApiKeyId) -> Result<(Trial, Duration), KeyError> {
    let stored = platform.store.find_key(id).await?.ok_or(KeyError::Missing)?;
    let opened = platform.vault.open(&sealed_name(id), &stored.sealed).ok();
    let secret = opened.and_then(|plain| String::from_utf8(plain).ok()).map(Secret::new);
    let embedding = stored.key.custom.as_ref().and_then(|custom| custom.embedding.clone());
    let begun = Instant::now();
    let connected = secret.and_then(|secret| platform.providers.connector().connect(&stored.key, &secret));
    let trial = match connected {
        None => Trial::Error,
        Some((provider, _)) => match (tried(provider.as_ref()).await, embedding) {
            (Trial::Ok, Some(named)) if check_embedding(provider.as_ref(), &named).await.is_err() => Trial::Error,
            (trial, _) => trial,
        },
    };
    let (took, now) = (begun.elapsed(), platform.clock.now());
    let problem = trial.problem();
    platform.store.note_key(id, problem.map(str::to_owned), now).await?;
    let values = serde_json::json!({ "status": problem.unwrap_or("ok") });
    let deed = doer.does(Action::ApiKeyTest, now);
    platform
        .store
        .note(deed, Some(id.to_string()), values.as_object().cloned())
        .await?;
    Ok((trial, took))
}
