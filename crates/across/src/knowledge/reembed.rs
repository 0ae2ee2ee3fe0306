//! Changing the embedding model: what it would take, beginning, going on after every interruption, calling off.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    actor::{Actor, Doer},
    audit::Action,
    fault::StoreError,
    governance::meter::Payer,
    id::EmbeddingChangeId,
    jobs::queue::Lease,
    knowledge::{
        embedding::{Change, NewChange, Phase, Switched, Unembedded, Volume},
        fill::FillError,
        ingest::WorkError,
    },
    money::{Charged, MicroUsd},
    platform::Platform,
    providers::{
        embedder::{EMBED_BATCH, EmbedError, Embedder},
        model::EmbeddingModel,
        provider::{EmbedPurpose, Pieces},
        registry::{EmbedderError, LOCAL_MODEL, Offered},
    },
    retrieval::vectors::{Collection, Point, Scope, VectorStore as _},
};

/// Passages that are embedded to measure how fast a model is.
const SAMPLE: u32 = 8;
/// Texts of one call of the built-in embedder, which takes a tenth of a second for each.
const LOCAL_BATCH: u32 = 8;
/// How long a change works before other jobs have their turn.
const TURN: Duration = Duration::from_secs(10);

/// What a change would take.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// To which model.
    pub model: EmbeddingModel,
    /// What is to be embedded.
    pub volume: Volume,
    /// What it costs by the model's price.
    pub cost: MicroUsd,
    /// How long it takes at the speed that was measured.
    pub time: Duration,
}

/// The present state, for administrators.
#[derive(Debug, Clone, PartialEq)]
pub struct Overview {
    /// The space in use, if files are indexed.
    pub space: Option<String>,
    /// What is indexed.
    pub volume: Volume,
    /// What can be chosen, the usual choice first.
    pub offered: Vec<Offered>,
    /// The latest change, running or over.
    pub change: Option<Change>,
}

/// Why a change was not begun.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// Nobody embeds with this model.
    #[error("No provider of this installation embeds with this model.")]
    Unknown,
    /// It is in use already.
    #[error("The files are indexed with this model already.")]
    Current,
    /// A change is running.
    #[error("The embedding model is being changed already. Wait for the end or cancel it.")]
    Running,
    /// Nothing is indexed, so the setting alone decides.
    #[error("No file is indexed yet: choose the model in the settings.")]
    NothingIndexed,
    /// The model could not be tried.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<EmbedderError> for ChangeError {
    fn from(error: EmbedderError) -> Self {
        match error {
            EmbedderError::Store(error) => Self::Store(error),
            EmbedderError::Gone(_) => Self::Unknown,
        }
    }
}

/// The model in use, what there is to choose from, and the latest change.
///
/// # Errors
/// [`StoreError`] if the database failed.
pub async fn overview(platform: &Platform) -> Result<Overview, StoreError> {
    let store = platform.store.as_ref();
    Ok(Overview {
        space: platform.providers.space_in_use(store).await?,
        volume: store.volume().await?,
        offered: platform.providers.embedding_models(),
        change: store.latest_change().await?,
    })
}

/// The embedder that a change would lead to, by a model's id or a space's name.
async fn wanted(platform: &Platform, model: &str) -> Result<(String, Embedder), ChangeError> {
    let to = platform.providers.space_named(model).ok_or(ChangeError::Unknown)?;
    let from = platform.providers.space_in_use(platform.store.as_ref()).await?;
    let from = from.ok_or(ChangeError::NothingIndexed)?;
    if to == from {
        return Err(ChangeError::Current);
    }
    Ok((from, platform.providers.embedder_in(&to)?))
}

fn payer_of(actor: &Actor) -> Payer {
    Payer {
        user: Some(actor.user),
        role: Some(actor.role),
        assistant: None,
    }
}

/// What a change to this model would take. A few passages are embedded with it, metered on the administrator: that measures
/// its speed, and shows that it works.
///
/// # Errors
/// [`ChangeError`] if the model cannot be changed to.
pub async fn estimate(platform: &Platform, actor: &Actor, model: &str) -> Result<Estimate, ChangeError> {
    let (_, embedder) = wanted(platform, model).await?;
    let store = platform.store.as_ref();
    let volume = store.volume().await?;
    let sample = store.chunks_without("", i64::MIN, SAMPLE).await?;
    let inputs: Vec<String> = sample.into_iter().map(|chunk| chunk.text).collect();
    let count = inputs.len();
    let begun = Instant::now();
    if count > 0 {
        let clock = platform.clock.as_ref();
        embedder
            .embed(store, clock, payer_of(actor), inputs, EmbedPurpose::Document)
            .await?;
    }
    // A provider takes about as long for a full call as for a small one; the built-in embedder takes so long for each text.
    let at_once = if embedder.model.id == LOCAL_MODEL {
        count
    } else {
        EMBED_BATCH
    };
    let calls = volume.chunks.div_ceil(at_once.max(1) as u64);
    let cost = embedder.routes.first().map(|route| {
        route.tariff.cost(Charged {
            prompt: volume.tokens,
            ..Charged::default()
        })
    });
    Ok(Estimate {
        volume,
        cost: cost.unwrap_or(MicroUsd::ZERO),
        time: begun.elapsed().mul_f64(calls as f64),
        model: embedder.model,
    })
}

/// Begins to change to this model.
///
/// # Errors
/// [`ChangeError`]; nothing is changed then.
pub async fn begin(platform: &Platform, doer: &Doer, model: &str) -> Result<Change, ChangeError> {
    let (from, embedder) = wanted(platform, model).await?;
    let new = NewChange {
        id: EmbeddingChangeId::new(),
        from,
        to: embedder.model,
        started_by: doer.user,
    };
    let deed = doer.does(Action::EmbeddingChange, platform.clock.now());
    let begun = platform.store.begin_change(new, deed).await?;
    let change = begun.ok_or(ChangeError::Running)?;
    platform.job_queued.notify_one();
    Ok(change)
}

/// Calls off the running change; `false` if none is running.
///
/// # Errors
/// [`StoreError`] if the database failed.
pub async fn cancel(platform: &Platform, doer: &Doer) -> Result<bool, StoreError> {
    let deed = doer.does(Action::EmbeddingCancel, platform.clock.now());
    platform.store.cancel_change(deed).await
}

/// Works on a change for a turn, from where it was.
///
/// # Errors
/// [`WorkError::Yield`] if there is more to do; else why it did not go on.
pub async fn go_on(platform: &Arc<Platform>, lease: Lease, id: EmbeddingChangeId) -> Result<(), WorkError> {
    let store = platform.store.as_ref();
    let change = store.latest_change().await?;
    let Some(change) = change.filter(|change| change.id == id && change.phase == Phase::Running) else {
        return Ok(());
    };
    let space = change.to.space();
    let embedder = platform.providers.embedder_in(&space)?;
    let collection = Collection::from(&embedder.model);
    if platform.vectors.is_copy() {
        let made = platform.vectors.ensure(&collection).await;
        made.map_err(FillError::from)?;
    }
    let role = match change.started_by {
        Some(id) => store.find_user(id).await?.map(|(user, _)| user.role),
        None => None,
    };
    let payer = Payer {
        user: change.started_by,
        role,
        assistant: None,
    };
    let batch = if embedder.model.id == LOCAL_MODEL {
        LOCAL_BATCH
    } else {
        u32::try_from(EMBED_BATCH).unwrap_or(u32::MAX)
    };
    let begun = Instant::now();
    let mut cursor = change.cursor;
    while begun.elapsed() < TURN {
        let chunks = store.chunks_without(&space, cursor, batch).await?;
        let Some(last) = chunks.last() else {
            if cursor > 0 {
                // Files that came meanwhile may have chunks with smaller numbers.
                cursor = 0;
                continue;
            }
            let deed = Doer::platform().does(Action::EmbeddingSwitch, platform.clock.now());
            match store.switch_space(lease, id, deed).await? {
                Switched::Yes => {
                    tracing::info!(space, "questions use the new embedding model from now on");
                    platform.settings.refresh(store).await?;
                    platform.job_queued.notify_one();
                    return Ok(());
                }
                Switched::Incomplete => continue,
                Switched::Over => return Ok(()),
            }
        };
        cursor = last.number;
        let inputs = chunks.iter().map(|chunk| chunk.text.clone()).collect();
        let clock = platform.clock.as_ref();
        let vectors = embedder
            .embed(store, clock, payer, inputs, EmbedPurpose::Document)
            .await?;
        if platform.vectors.is_copy() {
            let points = points(&chunks, &vectors);
            let written = platform.vectors.upsert(&collection, &points).await;
            written.map_err(FillError::from)?;
        }
        let numbered = chunks.into_iter().map(|chunk| chunk.number).zip(vectors).collect();
        store.add_vectors(lease, id, numbered).await?;
    }
    Err(WorkError::Yield)
}

fn points(chunks: &[Unembedded], vectors: &[Pieces]) -> Vec<Point> {
    let of_chunk = |(chunk, pieces): (&Unembedded, &Pieces)| {
        let pieces = (0..).zip(pieces).map(|(piece, vector)| Point {
            chunk: chunk.chunk,
            piece,
            file: chunk.file,
            assistant: chunk.assistant,
            generation: chunk.generation,
            vector: vector.clone(),
        });
        pieces.collect::<Vec<_>>()
    };
    chunks.iter().zip(vectors).flat_map(of_chunk).collect()
}

/// Removes the vectors that a change left behind.
///
/// # Errors
/// [`WorkError`]; repeated until it succeeds.
pub async fn tidy(platform: &Platform, lease: Lease) -> Result<(), WorkError> {
    let store = platform.store.as_ref();
    if platform.vectors.is_copy() {
        for collection in store.idle_collections().await? {
            for (file, _) in store.searchable_files().await? {
                let removed = platform.vectors.delete(&collection, Scope::File(file)).await;
                removed.map_err(FillError::from)?;
            }
        }
    }
    Ok(store.drop_idle_vectors(lease).await?)
}
