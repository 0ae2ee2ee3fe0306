//! What a vector store outside holds: filled from the rows without embedding anything again, and rid of what is gone. With
//! the embedded store, which is the rows, there is nothing to do.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    fault::StoreError,
    id::FileId,
    platform::Platform,
    retrieval::vectors::{Collection, Point, Scope, VectorError, VectorStore as _},
};

/// Chunks whose vectors are read at a time.
const CHUNKS: u32 = 200;
/// How long a start waits to learn whether the store is complete.
const LOOK: Duration = Duration::from_secs(2);
/// How often a store that was complete is counted again: somebody may have emptied it.
const LOOK_EVERY: Duration = Duration::from_secs(10 * 60);
/// How often filling begins again while the store cannot be reached; twice as long each time,
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// but no longer than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Why a store was not filled or cleaned.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    /// The vector store failed.
    #[error(transparent)]
    Vectors(#[from] VectorError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was written into a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filled {
    /// Files whose points were written.
    pub files: u64,
    /// The points.
    pub points: u64,
}

/// Writes the points of one generation of a file, which is about to be published. A collection that turns out to hold fewer
/// points than the published files promise was lost: the store is not searched before it was filled again.
///
/// # Errors
/// [`FillError`]; what was written stays and is written again by the next attempt.
pub async fn file(platform: &Platform, file: FileId, generation: i64) -> Result<(), FillError> {
    if !platform.vectors.is_copy() {
        return Ok(());
    }
    let promised = platform.store.promised_points().await?;
    for collection in platform.store.collections_of(file).await? {
        let held = platform.vectors.ensure(&collection).await?;
        let own = promised.iter().find(|(other, _)| *other == collection);
        if own.is_some_and(|(_, promised)| held < *promised) {
            platform.vectors.set_lost();
            platform.refill.notify_one();
        }
    }
    write(platform, file, generation).await.map(drop)
}

/// Writes the points of one generation of a file into collections that are there; how many.
async fn write(platform: &Platform, file: FileId, generation: i64) -> Result<u64, FillError> {
    let (mut from, mut written) = (Some(0), 0);
    while let Some(at) = from {
        let (points, next) = platform.store.points_of(file, generation, at, CHUNKS).await?;
        let mut by_collection: BTreeMap<Collection, Vec<Point>> = BTreeMap::new();
        for (collection, point) in points {
            by_collection.entry(collection).or_default().push(point);
        }
        for (collection, points) in by_collection {
            platform.vectors.upsert(&collection, &points).await?;
            written += points.len() as u64;
        }
        from = next;
    }
    // Its purge may have run before the last of them were written.
    if platform.store.find_file(file).await?.is_none() {
        forget(platform, file, Scope::File(file)).await?;
    }
    Ok(written)
}

/// Writes the points of every file that can be found, and removes those of their earlier generations. Files that come or go
/// meanwhile are dealt with by their own jobs.
///
/// # Errors
/// [`FillError`]; what was written stays, and beginning anew writes it again.
pub async fn everything(platform: &Platform) -> Result<Filled, FillError> {
    for (collection, _) in platform.store.promised_points().await? {
        platform.vectors.ensure(&collection).await?;
    }
    let mut filled = Filled::default();
    for (id, generation) in platform.store.searchable_files().await? {
        filled.points += write(platform, id, generation).await?;
        filled.files += 1;
        forget(platform, id, Scope::OtherGenerations(id, generation)).await?;
    }
    platform.vectors.set_complete(true);
    Ok(filled)
}

/// Whether the store holds at least as many points as the rows promise; makes collections that are missing.
///
/// # Errors
/// [`FillError`] if that cannot be known now.
pub async fn is_complete(platform: &Platform) -> Result<bool, FillError> {
    let mut is_complete = true;
    for (collection, promised) in platform.store.promised_points().await? {
        let held = platform.vectors.ensure(&collection).await?;
        if held < promised {
            tracing::warn!(
                space = collection.space,
                held,
                promised,
                "the vector store lacks points; it is filled from the database"
            );
            is_complete = false;
        }
    }
    Ok(is_complete)
}

/// Lets the store be searched if it is complete: what a start waits for, so that its first answers have their files.
pub async fn look(platform: &Platform) {
    let looked = tokio::time::timeout(LOOK, is_complete(platform)).await;
    platform.vectors.set_complete(matches!(looked, Ok(Ok(true))));
}

/// Until the platform stops: fills a store that lacks points, at the start, whenever that is noticed, and looks every now and
/// then. Until it is full it is not searched, so that nothing is silently not found.
pub async fn keep_complete(platform: &Platform) {
    if !platform.vectors.is_copy() {
        return;
    }
    let mut pause = FIRST_PAUSE;
    loop {
        let rest = match complete(platform).await {
            Ok(()) => {
                pause = FIRST_PAUSE;
                LOOK_EVERY
            }
            Err(error) => {
                tracing::warn!(%error, ?pause, "the vector store cannot be used yet; answers do without the files");
                let this = pause;
                pause = (pause * 2).min(LONGEST_PAUSE);
                this
            }
        };
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = platform.refill.notified() => {}
            () = platform.stopping.cancelled() => return,
        }
    }
}

async fn complete(platform: &Platform) -> Result<(), FillError> {
    if !platform.vectors.is_lost() && is_complete(platform).await? {
        platform.vectors.set_complete(true);
        return Ok(());
    }
    platform.vectors.set_lost();
    let Filled { files, points } = everything(platform).await?;
    tracing::info!(files, points, "filled the vector store from the database");
    Ok(())
}

/// Removes a file's points from every collection that it can have any in.
///
/// # Errors
/// [`FillError`]; to be repeated until it succeeds.
pub async fn forget(platform: &Platform, file: FileId, scope: Scope) -> Result<(), FillError> {
    if !platform.vectors.is_copy() {
        return Ok(());
    }
    let mut collections = platform.store.collections_of(file).await?;
    // An attempt that was given up left no rows behind, and perhaps points.
    let in_use = platform.providers.space_in_use(platform.store.as_ref()).await?;
    collections.extend(in_use.as_deref().and_then(Collection::named));
    collections.sort();
    collections.dedup();
    for collection in collections {
        platform.vectors.delete(&collection, scope).await?;
    }
    Ok(())
}
