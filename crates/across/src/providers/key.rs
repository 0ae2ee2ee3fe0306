//! Providers' keys: kept sealed, shown never, used where they were entered for.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::{
    audit::{Audited, Deed, REDACTED},
    clock::Time,
    fault::StoreError,
    id::ApiKeyId,
    money::{MicroUsd, Price},
    page::{Page, PageRequest},
    providers::model::{EmbeddingModel, ProviderKind},
    secret::Secret,
};

/// Characters of a name.
pub const NAME: std::ops::RangeInclusive<usize> = 1..=100;
/// Characters of a key.
pub const KEY: std::ops::RangeInclusive<usize> = 8..=512;
/// Of a key with fewer characters nothing is shown: four of them would be too much of it.
const HINTED: usize = 16;

/// What a server that speaks OpenAI's dialect needs besides its key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Custom {
    /// Where it answers.
    pub base_url: String,
    /// What a million tokens cost there; nothing unless said otherwise.
    pub price: Option<Price>,
    /// Tokens of prompt and answer together, for models that do not say it.
    pub context_length: Option<u32>,
    /// What the limit of an answer's tokens is called there, if not as usual.
    pub max_tokens_param: Option<String>,
    /// The model that it embeds with, if it does.
    pub embedding: Option<EmbeddingModel>,
}

/// A provider's key, without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Which.
    pub id: ApiKeyId,
    /// Whose customers it stands for.
    pub provider: ProviderKind,
    /// What people call it; unique within the provider.
    pub name: String,
    /// Its last four characters, if it is long enough for that.
    pub hint: Option<String>,
    /// Whether it is the one that is used among those of its provider.
    pub is_default: bool,
    /// Whether it is used at all.
    pub is_active: bool,
    /// For `custom` ones.
    pub custom: Option<Custom>,
    /// When a call last went through with it.
    pub last_used_at: Option<Time>,
    /// What was wrong with it the last time, until a call goes through.
    pub last_error: Option<String>,
    /// Grows with every change; the HTTP layer's `ETag`.
    pub version: i64,
    /// When it was added.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

impl Audited for ApiKey {
    fn audit_id(&self) -> String {
        self.id.to_string()
    }

    fn audit_values(&self) -> Map<String, Value> {
        let custom = self.custom.clone().unwrap_or_default();
        let values = json!({
            "provider": self.provider.as_str(),
            "name": self.name,
            "key": REDACTED,
            "is_default": self.is_default,
            "is_active": self.is_active,
            "base_url": (!custom.base_url.is_empty()).then_some(custom.base_url),
            "prompt_price": custom.price.map(|price| price.prompt.dollars()),
            "completion_price": custom.price.map(|price| price.completion.dollars()),
            "context_length": custom.context_length,
            "max_tokens_param": custom.max_tokens_param,
            "embedding_model": custom.embedding.as_ref().map(|model| &model.id),
            "embedding_dimensions": custom.embedding.as_ref().map(|model| model.dimensions),
        });
        values.as_object().cloned().unwrap_or_default()
    }
}

/// The characters of a key that may be shown.
#[must_use]
pub fn hint(key: &Secret) -> Option<String> {
    let chars: Vec<char> = key.expose().chars().collect();
    (chars.len() >= HINTED).then(|| format!("…{}", chars[chars.len() - 4..].iter().collect::<String>()))
}

/// Under which name a key is sealed: with the row's id, so that a sealed key that is moved to another row does not open.
#[must_use]
pub fn sealed_name(id: ApiKeyId) -> String {
    format!("api_key:{id}")
}

/// A key about to be added.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Whose customers it stands for.
    pub provider: ProviderKind,
    /// What people call it.
    pub name: String,
    /// The key, sealed.
    pub sealed: String,
    /// What may be shown of it.
    pub hint: Option<String>,
    /// Whether it becomes the one that is used. The first key of a provider does in any case.
    pub is_default: bool,
    /// Whether it is used at all.
    pub is_active: bool,
    /// For `custom` ones.
    pub custom: Option<Custom>,
}

/// What changes about a key; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct KeyChange {
    /// Its name.
    pub name: Option<String>,
    /// The key itself: sealed, with its hint. What was wrong with the earlier one is forgotten.
    pub sealed: Option<(String, Option<String>)>,
    /// Whether it is the one that is used; setting it takes it from the other, atomically.
    pub is_default: Option<bool>,
    /// Whether it is used at all.
    pub is_active: Option<bool>,
    /// For `custom` ones.
    pub custom: Option<Custom>,
}

/// What became of a change to one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyChanged {
    /// It happened; of a removed key, what it was.
    Done(Box<ApiKey>),
    /// There is no such key.
    Missing,
    /// Somebody else changed it since `expected`; carries the present version.
    Stale(i64),
    /// The provider has a key of that name already.
    Taken,
}

/// A key that is used, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The key.
    pub key: ApiKey,
    /// What only the vault opens, under [`sealed_name`].
    pub sealed: String,
}

/// Remembers providers' keys.
#[async_trait]
pub trait ApiKeyStore: Send + Sync {
    /// Adds a key; `None` if the provider has one of that name.
    async fn create_key(&self, key: NewApiKey, deed: Deed) -> Result<Option<ApiKey>, StoreError>;

    /// Newest first.
    async fn list_keys(&self, provider: Option<ProviderKind>, page: PageRequest) -> Result<Page<ApiKey>, StoreError>;

    /// One key.
    async fn find_key(&self, id: ApiKeyId) -> Result<Option<Sealed>, StoreError>;

    /// Changes a key, if its version is `expected` or nothing is expected.
    async fn update_key(
        &self,
        id: ApiKeyId,
        change: KeyChange,
        expected: Option<i64>,
        deed: Deed,
    ) -> Result<KeyChanged, StoreError>;

    /// Removes a key. If it was the one that was used, the newest active one of its provider takes its place.
    async fn delete_key(&self, id: ApiKeyId, expected: Option<i64>, deed: Deed) -> Result<KeyChanged, StoreError>;

    /// All active keys, those that are used first, then the newest. Read every few seconds.
    async fn active_keys(&self) -> Result<Vec<Sealed>, StoreError>;

    /// Notes how a trial of a key ended: `None` if it went through. Nothing else about the key changes.
    async fn note_key(&self, id: ApiKeyId, problem: Option<String>, at: Time) -> Result<(), StoreError>;

    /// What is sealed of every key, active or not.
    async fn sealed_keys(&self) -> Result<Vec<(ApiKeyId, String)>, StoreError>;

    /// Replaces what is sealed by the same under another key of the installation, all or nothing; rows that changed
    /// meanwhile are left alone.
    async fn reseal_keys(&self, resealed: Vec<(ApiKeyId, String, String)>) -> Result<(), StoreError>;
}

/// The price of `custom` keys that state none: their owner runs the server.
pub const CUSTOM_PRICE: Price = Price {
    prompt: MicroUsd::ZERO,
    completion: MicroUsd::ZERO,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_keys_give_nothing_away() {
        assert_eq!(hint(&Secret::new("sk-123456789abcdef")), Some("…cdef".into()));
        assert_eq!(hint(&Secret::new("sk-123456789abc")), None);
    }
}
