//! What an assistant's files hold together, in figures.

use std::collections::BTreeMap;

use across::id::AssistantId;
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::stamp,
    error::{ApiError, ErrorBody},
    input::Ids,
    state::AppState,
};

/// Vectors of one kind; those of different kinds are never compared.
#[derive(Serialize, ToSchema)]
pub(crate) struct EmbeddingSpace {
    /// The embedding model and how many numbers a vector has.
    space: String,
    chunks: u64,
}

/// How many files there are.
#[derive(Serialize, ToSchema)]
pub(crate) struct KnowledgeFiles {
    total: u64,
    /// By the name of the state; states without files are absent.
    by_status: BTreeMap<&'static str, u64>,
    /// By the name of the format; formats without files are absent.
    by_type: BTreeMap<&'static str, u64>,
}

/// An assistant's knowledge in figures.
#[derive(Serialize, ToSchema)]
pub(crate) struct KnowledgeStats {
    files: KnowledgeFiles,
    /// Of all files as they were uploaded.
    bytes: u64,
    /// Passages that can be found.
    chunks: u64,
    /// Of these passages.
    tokens: u64,
    /// Up to the last page with text, of files that have pages.
    pages: u64,
    embedding_spaces: Vec<EmbeddingSpace>,
    /// When a file last became ready.
    #[schema(required)]
    last_indexed_at: Option<String>,
}

/// What an assistant's files hold together.
#[utoipa::path(get, path = "/assistants/{id}/knowledge", operation_id = "get_knowledge", tag = "assistants",
    security(("bearer" = [])), params(("id" = String, Path)), responses(
    (status = 200, body = KnowledgeStats), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody)))]
pub(crate) async fn stats(
    State(state): State<AppState>,
    Ids((id,)): Ids<(AssistantId,)>,
) -> Result<Json<KnowledgeStats>, ApiError> {
    let store = &state.platform.store;
    store.find_assistant(id).await?.ok_or_else(ApiError::not_found)?;
    let held = store.holdings(id).await?;
    let (mut by_status, mut by_type) = (BTreeMap::new(), BTreeMap::new());
    for (status, kind, files) in &held.files {
        *by_status.entry(status.as_str()).or_default() += files;
        *by_type.entry(kind.as_str()).or_default() += files;
    }
    let spaces = held.spaces.into_iter();
    Ok(Json(KnowledgeStats {
        files: KnowledgeFiles {
            total: held.files.iter().map(|(_, _, files)| files).sum(),
            by_status,
            by_type,
        },
        bytes: held.bytes,
        chunks: held.chunks,
        tokens: held.tokens,
        pages: held.pages,
        embedding_spaces: spaces.map(|(space, chunks)| EmbeddingSpace { space, chunks }).collect(),
        last_indexed_at: held.last_indexed.map(stamp),
    }))
}
