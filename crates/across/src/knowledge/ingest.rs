//! How a file becomes knowledge: extract, chunk, embed in batches, publish. Every step is safe to repeat, so that a job that
//! was killed goes on where it was.

use std::{sync::Arc, time::Duration};

use across_extract::{Heading, Kind, Text};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Time,
    fault::{BlobError, StoreError},
    governance::meter::Payer,
    id::FileId,
    jobs::queue::Lease,
    knowledge::{
        chunk::{self, Document},
        extractor::ExtractError,
        file::{ExtractedText, MAX_CHUNKS, NewChunk, Status},
        fill::{self, FillError},
    },
    platform::Platform,
    providers::{
        embedder::{EMBED_BATCH, EmbedError, Embedder},
        failure::{Category, ProviderError},
        provider::EmbedPurpose,
        registry::{EmbedderError, LOCAL_MODEL},
    },
    retrieval::{
        search::RetrievalConfig,
        vectors::{Scope, VectorError},
    },
};

/// Texts embedded between two reports of progress by the built-in embedder, which takes a twentieth of a second for each.
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
    /// Somebody outside did not answer, which is not the file's fault.
    #[error("{reason}")]
    Outage {
        /// A sentence for the file's owner.
        reason: String,
        /// How long to wait at least, if they said so.
        retry_after: Option<Duration>,
    },
    /// A quota has no room before this moment.
    #[error("{1}")]
    Wait(Time, String),
    /// It will never succeed, and the sentence says so to the file's owner.
    #[error("{0}")]
    GiveUp(String),
    /// It went well and is not over; others have their turn first.
    #[error("there is more to do")]
    Yield,
    /// It took no step for a long time.
    #[error("Processing made no progress. Try again.")]
    Stalled,
    /// Another worker has the job now.
    #[error("the lease was lost")]
    LeaseLost,
}

impl WorkError {
    /// Whether the job is not ours any more.
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        matches!(self, Self::LeaseLost)
    }

    fn outage(reason: impl Into<String>, retry_after: Option<Duration>) -> Self {
        let reason = reason.into();
        Self::Outage { reason, retry_after }
    }
}

impl From<StoreError> for WorkError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::LeaseLost => Self::LeaseLost,
            StoreError::Busy | StoreError::Full | StoreError::Unavailable(_) => Self::outage(error.to_string(), None),
            StoreError::Conflict(_) | StoreError::Corrupt(_) => Self::Retry(error.to_string()),
        }
    }
}

impl From<FillError> for WorkError {
    fn from(error: FillError) -> Self {
        match error {
            FillError::Store(error) => error.into(),
            FillError::Vectors(error) => {
                tracing::warn!(%error, "the vector store did not take what it was given");
                let reason = match error {
                    VectorError::Unavailable(_) => "The vector store did not answer. Try again later.",
                    VectorError::Refused(_) | VectorError::Malformed(_) | VectorError::Dimension { .. } => {
                        "The vector store cannot be used. Ask an administrator."
                    }
                };
                Self::outage(reason, None)
            }
        }
    }
}

impl From<ProviderError> for WorkError {
    fn from(error: ProviderError) -> Self {
        let reason = match error.category {
            Category::AuthBad => "The embedding provider rejected its key. Ask an administrator.",
            Category::NoCredit => "The embedding provider's account has no credit left. Ask an administrator.",
            Category::ModelGone => "The embedding model is not on offer any more. Ask an administrator.",
            _ if error.is_retryable() => "The embedding provider did not answer. Try again later.",
            // It answered, and will say the same to the same text.
            _ => return Self::Retry("The embedding provider refused this document. Ask an administrator.".into()),
        };
        Self::outage(reason, error.retry_after)
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
            gone @ EmbedderError::Gone(_) => Self::outage(format!("{gone}. Ask an administrator."), None),
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
    let (text, headings) = extract(platform, file.kind, id).await?;
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
    let pieces = cut(platform, text, headings).await?;
    let total = pieces.len();
    let mut from = store.chunks_written(id, generation, &space).await? as usize;
    if from == 0 {
        store.discard_chunks(lease, id, generation).await?;
    }
    let batch = if embedder.model.id == LOCAL_MODEL {
        LOCAL_BATCH
    } else {
        EMBED_BATCH
    };
    // What was embedded and is being written while the next ones are embedded.
    let mut embedded: Vec<NewChunk> = Vec::new();
    loop {
        let next = pieces.get(from..(from + batch).min(total)).unwrap_or_default();
        let embed = embed(platform, &embedder, payer, next);
        let write = async {
            if embedded.is_empty() {
                return Ok(());
            }
            store.add_chunks(lease, id, generation, &space, embedded).await?;
            let progress = progress(from, total);
            let at = platform.clock.now();
            store.set_progress(lease, id, Status::Indexing, progress, at).await
        };
        // Both come to their end: what is paid for is kept even if the next call fails.
        let (vectors, written) = tokio::join!(embed, write);
        written?;
        embedded = vectors?;
        if embedded.is_empty() {
            break;
        }
        from += embedded.len();
    }
    // What is published can be found: the points come first, and those before them go afterwards.
    fill::file(platform, id, generation).await?;
    store.publish(lease, id, generation, platform.clock.now()).await?;
    Ok(fill::forget(platform, id, Scope::OtherGenerations(id, generation)).await?)
}

/// The chunks with their vectors; none of none.
async fn embed(
    platform: &Platform,
    embedder: &Embedder,
    payer: Payer,
    chunks: &[NewChunk],
) -> Result<Vec<NewChunk>, EmbedError> {
    if chunks.is_empty() {
        return Ok(Vec::new());
    }
    let (store, clock) = (platform.store.as_ref(), platform.clock.as_ref());
    let inputs = chunks.iter().map(NewChunk::searchable).collect();
    let vectors = embedder
        .embed(store, clock, payer, inputs, EmbedPurpose::Document)
        .await?;
    let with_vectors = |(chunk, vectors): (&NewChunk, _)| NewChunk {
        vectors,
        ..chunk.clone()
    };
    Ok(chunks.iter().zip(vectors).map(with_vectors).collect())
}

fn progress(done: usize, total: usize) -> u8 {
    let span = usize::from(EMBEDDED - EXTRACTED);
    EXTRACTED + u8::try_from(done * span / total.max(1)).unwrap_or(0)
}

async fn extract(platform: &Platform, kind: Kind, id: FileId) -> Result<(ExtractedText, Vec<Heading>), WorkError> {
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
        Ok(Text { text, pages, headings }) => Ok((ExtractedText { text, pages }, headings)),
        Err(error @ ExtractError::Unavailable(_)) => Err(WorkError::Retry(error.to_string())),
        Err(error) => Err(WorkError::GiveUp(error.to_string())),
    }
}

/// The chunks to be, without their vectors. Cutting a long text keeps a processor busy, so it is done aside, and ends soon
/// after nobody waits for it any more.
async fn cut(platform: &Platform, text: ExtractedText, headings: Vec<Heading>) -> Result<Vec<NewChunk>, WorkError> {
    let config = RetrievalConfig::from(platform.settings.get().as_ref());
    let wanted = CancellationToken::new();
    let unwanted = wanted.clone();
    let _until_the_end = wanted.drop_guard();
    let cut = move || {
        let document = Document {
            text: &text.text,
            pages: &text.pages,
            headings: &headings,
        };
        let pieces = chunk::pieces(document, config.chunk_tokens, config.chunk_overlap);
        let wanted = pieces.take(MAX_CHUNKS + 1).take_while(|_| !unwanted.is_cancelled());
        let chunks = (0..).zip(wanted).map(|(index, piece)| NewChunk {
            index,
            page: piece.page,
            start: piece.start,
            end: piece.end,
            heading: piece.heading,
            text: piece.text.to_owned(),
            token_count: piece.tokens,
            vectors: Vec::new(),
        });
        chunks.collect::<Vec<_>>()
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
