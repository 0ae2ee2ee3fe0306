//! Vendors of language models, each behind the port [`across::providers::provider::Provider`].
//!
//! | module | what it is |
//! |---|---|
//! | [`connector`] | keys to providers: the one place that knows every vendor |
//! | [`guard`] | which addresses an administrator may have called |
//! | [`http`] | the HTTP clients: time limits, size limits, what their failures mean |
//! | `endpoint` | one vendor's server: its key, its requests |
//! | `takes`, `known` | parameters that not every model takes; what is known of models beforehand |
//! | `turns` | a conversation as every vendor takes it |
//! | [`sse`] | bytes of a stream to frames |
//! | `stream`, `answer` | frames to an answer, and what its end means |
//! | `refusal`, `retry_after` | what a vendor says when it refuses, and when to ask again |
//! | `json` | JSON as vendors really send it |
//! | `openai` | OpenAI, OpenRouter and every server that speaks OpenAI's dialect |
//! | `anthropic`, `gemini` | Anthropic and Google in their own dialects |
//! | [`offline`] | answers from the passages alone, with no key and no network |
//! | [`local_embedding`] | the built-in embedder, with no key and no network |
//!
//! To add a vendor: a folder with `wire.rs` (its JSON as it comes), `request.rs` (a pure map to it), `events.rs` (a pure
//! fold from it into an `Answer`) and `mod.rs` (the `Provider`); a variant of `ProviderKind`; recorded exchanges in
//! `tests/transcripts/<vendor>/`; a line in `connector.rs`. The compiler lists the places. A vendor that speaks a known
//! dialect needs none of this: it is a base URL.

mod answer;
mod anthropic;
mod batches;
pub mod connector;
mod endpoint;
mod gemini;
pub mod guard;
pub mod http;
mod json;
mod known;
pub mod local_embedding;
pub mod offline;
mod openai;
mod refusal;
mod retry_after;
pub mod sse;
mod stream;
mod takes;
mod turns;
mod vector;

pub use crate::{
    connector::{Reach, VendorConnector, embedding_dimensions},
    local_embedding::LocalEmbedder,
    offline::OfflineProvider,
};
