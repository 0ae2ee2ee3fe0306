//! Vendors of language models, each behind the port [`across::providers::provider::Provider`].
//!
//! | module | what it is |
//! |---|---|
//! | [`http`] | the one HTTP client: time limits, size limits, what its failures mean |
//! | [`sse`] | bytes of a stream to frames |
//! | [`openai`] | OpenAI and every server that speaks its dialect |
//! | [`offline`] | answers from the passages alone, with no key and no network |
//! | [`local_embedding`] | the built-in embedder, with no key and no network |
//!
//! To add a vendor: a folder with `wire.rs` (its JSON as it comes), `request.rs` (a pure map to it), `events.rs` (a pure
//! fold from it to `ChatEvent`) and `mod.rs` (the `Provider`); a variant of `ProviderKind`; recorded exchanges in
//! `tests/transcripts/<vendor>/`; a line where the server is composed. The compiler lists the places. A vendor that speaks
//! a known dialect needs none of this: it is a base URL.

pub mod http;
pub mod local_embedding;
pub mod offline;
pub mod openai;
pub mod sse;
mod vector;

pub use crate::{
    local_embedding::LocalEmbedder,
    offline::OfflineProvider,
    openai::{OpenAi, embedding_dimensions},
};
