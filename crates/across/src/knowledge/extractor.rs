//! The port to whatever turns a document into text. Documents are hostile until proven otherwise, so the product runs the
//! parsers in a child process under limits.

use std::path::Path;

use across_extract::{Kind, Text, Unreadable};
use async_trait::async_trait;

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// The document itself is the reason, or it killed its parser; saying so to its owner helps.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The extractor could not be run; trying later may help.
    #[error("the extractor could not be run: {0}")]
    Unavailable(String),
}

/// Turns documents into text.
#[async_trait]
pub trait Extractor: Send + Sync {
    /// The text of the document at `path`.
    async fn extract(&self, kind: Kind, path: &Path) -> Result<Text, ExtractError>;
}
