//! How a file becomes knowledge: extract, chunk, embed in batches, publish. Every step is safe to repeat, so that a job that
//! was killed goes on where it was.

use std::sync::Arc;

use crate::{
    clock::Time,
    fault::{BlobError, StoreError},
    governance::meter::Payer,
    id::FileId,
    jobs::queue::Lease,
    knowledge::{
        chunk,
        extractor::ExtractError,
        file::{ExtractedText, MAX_CHUNKS, NewChunk, Status},
        fill::{self, FillError},
    },
    platform::Platform,
    providers::{
        embedder::{EMBED_BATCH, EmbedError},
        failure::{Category, ProviderError},
        provider::EmbedPurpose,
        registry::{EmbedderError, LOCAL_MODEL},
    },
    retrieval::{
        search::RetrievalConfig,
        vectors::{Scope, VectorError},
    },
};

/// Texts embedded between two reports of progress by the built-in embedder, which takes a tenth of a second for each.
const LOCAL_BATCH: usize = 8;
/// Progress when the text is known, and when all chunks are embedded.
const EXTRACTED: u8 = 10;
const EMBEDDED: u8 = 98;

/// Why a job did not succeed this time.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// Trying again later may help.
    #[error("{0}")]
    Retry(String),
    /// It cannot succeed before this moment.
    #[error("{1}")]
    Wait(Time, String),
    /// A server outside is down; trying again much later may help.
    #[error("{0}")]
    Outage(String),
    /// It will never succeed, and the sentence says so to the file's owner.
    #[error("{0}")]
    GiveUp(String),
    /// It went well and is not over; others have their turn first.
    #[error("there is more to do")]
    Yield,
    /// Another worker has the job now.
    #[error("the lease was lost")]
    LeaseLost,
}

impl From<StoreError> for WorkError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::LeaseLost => Self::LeaseLost,
            other => Self::Retry(other.to_string()),
        }
    }
}

impl From<FillError> for WorkError {
    fn from(error: FillError) -> Self {
        match error {
            FillError::Store(error) => error.into(),
            FillError::Vectors(error) => {
                tracing::warn!(%error, "the vector store did not take what it was given");
                match error {
                    VectorError::Unavailable(_) => {
                        Self::Outage("The vector store did not answer. Try again later.".to_owned())
                    }
                    VectorError::Refused(_) | VectorError::Malformed(_) | VectorError::Dimension { .. } => {
                        Self::Outage("The vector store cannot be used. Ask an administrator.".to_owned())
                    }
                }
            }
        }
    }
}

impl From<ProviderError> for WorkError {
    fn from(error: ProviderError) -> Self {
        match error.category {
            Category::AuthBad => Self::Retry("The embedding provider rejected its key. Ask an administrator.".into()),
            Category::NoCredit => {
                Self::Retry("The embedding provider's account has no credit left. Ask an administrator.".into())
            }
            _ => Self::Retry("The embedding provider did not answer. Try again later.".into()),
        }
    }
}

impl From<EmbedError> for WorkError {
    fn from(error: EmbedError) -> Self {
        match error {
            EmbedError::Provider(error) => error.into(),
            EmbedError::Store(error) => error.into(),
            EmbedError::Refused(refusal) => Self::Wait(
                refusal.resets_at,
                "A quota has no room for indexing this file. Ask an administrator.".into(),
            ),
        }
    }
}

impl From<EmbedderError> for WorkError {
    fn from(error: EmbedderError) -> Self {
        match error {
            EmbedderError::Store(error) => error.into(),
            gone @ EmbedderError::Gone(_) => Self::Retry(format!("{gone}. Ask an administrator.")),
        }
    }
}

/// Makes one generation of a file's chunks and publishes it.
///
/// # Errors
/// [`WorkError`]; what was written stays and is used by the next attempt.
pub async fn ingest(platform: &Arc<Platform>, lease: Lease, id: FileId, generation: i64) -> Result<(), WorkError> {
    let store = &platform.store;
    let Some((file, _)) = store.find_file(id).await? else {
        return Ok(());
    };
    if file.generation >= generation {
        // Published by an attempt that did not get to its end.
        let others = Scope::OtherGenerations(id, file.generation);
        return Ok(fill::forget(platform, id, others).await?);
    }
    store
        .set_progress(lease, id, Status::Processing, 0, platform.clock.now())
        .await?;
    let text = extract(platform, file.kind, id).await?;
    store.save_text(lease, id, generation, &text).await?;
    store
        .set_progress(lease, id, Status::Indexing, EXTRACTED, platform.clock.now())
        .await?;

    let settings = platform.settings.get();
    let embedder = platform
        .providers
        .embedder(store.as_ref(), &settings.embedding_model)
        .await?;
    // Whoever uploaded it pays, in the role they have now.
    let uploader = match file.uploaded_by {
        Some(id) => store.find_user(id).await?.map(|(user, _)| user),
        None => None,
    };
    let payer = Payer {
        user: file.uploaded_by,
        role: uploader.map(|user| user.role),
        assistant: Some(file.assistant),
    };
    let space = embedder.model.space();
    let pieces = cut(platform, text).await?;
    let total = pieces.len();
    let mut done = store.chunks_written(id, generation, &space).await? as usize;
    if done == 0 {
        store.discard_chunks(lease, id, generation).await?;
    }
    let batch = if embedder.model.id == LOCAL_MODEL {
        LOCAL_BATCH
    } else {
        EMBED_BATCH
    };
    while let Some(next) = pieces
        .get(done..(done + batch).min(total))
        .filter(|next| !next.is_empty())
    {
        let inputs = next.iter().map(|piece| piece.text.clone()).collect();
        let vectors = embedder
            .embed(
                store.as_ref(),
                platform.clock.as_ref(),
                payer,
                inputs,
                EmbedPurpose::Document,
            )
            .await?;
        let chunks = (done..)
            .zip(next)
            .zip(vectors)
            .map(|((index, piece), vectors)| NewChunk {
                index: u32::try_from(index).unwrap_or(u32::MAX),
                vectors,
                ..piece.clone()
            });
        let chunks: Vec<NewChunk> = chunks.collect();
        done += chunks.len();
        store.add_chunks(lease, id, generation, &space, chunks).await?;
        store
            .set_progress(lease, id, Status::Indexing, progress(done, total), platform.clock.now())
            .await?;
    }
    // What is published can be found: the points come first, and those before them go afterwards.
    fill::file(platform, id, generation).await?;
    store.publish(lease, id, generation, platform.clock.now()).await?;
    Ok(fill::forget(platform, id, Scope::OtherGenerations(id, generation)).await?)
}

fn progress(done: usize, total: usize) -> u8 {
    let span = usize::from(EMBEDDED - EXTRACTED);
    EXTRACTED + u8::try_from(done * span / total.max(1)).unwrap_or(0)
}

async fn extract(platform: &Platform, kind: across_extract::Kind, id: FileId) -> Result<ExtractedText, WorkError> {
    let path = match platform.blobs.local_path(id).await {
        Ok(path) => path,
        Err(BlobError::Missing) => {
            return Err(WorkError::GiveUp(
                "The file's bytes are gone. Remove it and upload it again.".into(),
            ));
        }
        Err(error) => return Err(WorkError::Retry(error.to_string())),
    };
    match platform.extractor.extract(kind, &path).await {
        Ok(text) => Ok(ExtractedText {
            text: text.text,
            pages: text.pages,
        }),
        Err(error @ ExtractError::Unavailable(_)) => Err(WorkError::Retry(error.to_string())),
        Err(error) => Err(WorkError::GiveUp(error.to_string())),
    }
}

/// The chunks to be, without their vectors. Cutting a long text keeps a processor busy, so it is done aside.
async fn cut(platform: &Platform, text: ExtractedText) -> Result<Vec<NewChunk>, WorkError> {
    let config = RetrievalConfig::from(platform.settings.get().as_ref());
    let cut = move || {
        let pieces = chunk::pieces(&text.text, &text.pages, config.chunk_tokens, config.chunk_overlap);
        pieces
            .into_iter()
            .map(|piece| NewChunk {
                index: 0,
                page: piece.page,
                start: piece.start,
                end: piece.end,
                text: piece.text.to_owned(),
                token_count: piece.tokens,
                vectors: Vec::new(),
            })
            .collect::<Vec<_>>()
    };
    let pieces = tokio::task::spawn_blocking(cut)
        .await
        .map_err(|error| WorkError::Retry(error.to_string()))?;
    if pieces.is_empty() {
        Err(WorkError::GiveUp(
            "No text found. Upload a version with selectable text.".into(),
        ))
    } else if pieces.len() > MAX_CHUNKS {
        Err(WorkError::GiveUp(
            "This document is too long. Upload it in parts.".into(),
        ))
    } else {
        Ok(pieces)
    }
}

/// Removes what is left of a deleted file.
///
/// # Errors
/// [`WorkError`]; repeated until it succeeds.
pub async fn purge(platform: &Platform, lease: Lease, id: FileId) -> Result<(), WorkError> {
    platform
        .blobs
        .remove(id)
        .await
        .map_err(|error| WorkError::Retry(error.to_string()))?;
    // The rows say where the points are, so they go last.
    fill::forget(platform, id, Scope::File(id)).await?;
    Ok(platform.store.purge_file(lease, id).await?)
}
