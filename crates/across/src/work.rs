//! The one `match` from a job to the operation that does it.

use std::sync::Arc;

use crate::{
    jobs::{job::Job, queue::Lease},
    knowledge::{
        ingest::{self, WorkError},
        reembed,
    },
    platform::Platform,
};

/// Does a job once.
///
/// # Errors
/// [`WorkError`] says whether to try again.
pub async fn perform(platform: &Arc<Platform>, lease: Lease, job: &Job) -> Result<(), WorkError> {
    match *job {
        Job::Ingest { file, generation } => ingest::ingest(platform, lease, file, generation).await,
        Job::PurgeFile { file } => ingest::purge(platform, lease, file).await,
        Job::ChangeEmbedding { change } => reembed::go_on(platform, lease, change).await,
        Job::DropVectors => reembed::tidy(platform, lease).await,
    }
}

/// Records that a job failed for good; `sentence` is for the owner of the thing it worked on.
///
/// # Errors
/// [`WorkError`] if that could not be recorded.
pub async fn abandon(platform: &Platform, lease: Lease, job: &Job, sentence: &str) -> Result<(), WorkError> {
    match *job {
        Job::Ingest { file, generation } => {
            let found = platform.store.find_file(file).await?;
            // What is published can be found; only what it replaced could not be removed everywhere.
            if found.is_some_and(|(file, _)| file.generation >= generation) {
                return Ok(());
            }
            let now = platform.clock.now();
            Ok(platform.store.fail_file(lease, file, sentence, now).await?)
        }
        Job::ChangeEmbedding { change } => Ok(platform
            .store
            .fail_change(lease, change, sentence, platform.clock.now())
            .await?),
        // Whatever could not be removed is never found again; the next sweep of blobs takes the bytes, the next change of
        // the embedding model the vectors.
        Job::PurgeFile { .. } | Job::DropVectors => Ok(()),
    }
}
