//! Values decided once for an installation, such as the sealed password pepper and the embedding model.

use async_trait::async_trait;

use crate::fault::StoreError;

/// Keeps values that stay as they were decided, but for a new form of the same, as a change of the master key makes it.
#[async_trait]
pub trait KeptValues: Send + Sync {
    /// The value kept under `name`, or `fresh` if there was none, which is then kept: the first of parallel calls wins
    /// and all get the same value.
    async fn keep_once(&self, name: &str, fresh: &str) -> Result<String, StoreError>;

    /// The value kept under `name`, if one is.
    async fn kept(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// Replaces the value kept under `name` if it is `old`; `false` if it is not, and then nothing changes.
    async fn replace_kept(&self, name: &str, old: &str, new: &str) -> Result<bool, StoreError>;
}
