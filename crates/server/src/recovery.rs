//! What a process does about those that died before it: at its start, and every now and then for others of its kind.

use std::{sync::Arc, time::Duration};

use across::{fault::StoreError, platform::Platform};
use tokio::time::{MissedTickBehavior, interval};

/// How often answers are looked for whose writer died.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Takes up what the last process left: its jobs are due again, its half-written answers are ended with what they have,
/// files without a job get one. Must be over before the first request, whose answer it would take for a dead one.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub async fn recover(platform: &Platform) -> Result<(), StoreError> {
    let alone = platform.store.is_exclusive();
    let now = platform.clock.now();
    let released = if alone {
        platform.store.release_all(now).await?
    } else {
        0
    };
    let interrupted = platform.store.interrupt_abandoned(now, alone).await?;
    let adopted = platform.store.adopt_stranded(now).await?;
    if released + interrupted + adopted > 0 {
        tracing::info!(released, interrupted, adopted, "took up what the last run left");
    }
    Ok(())
}

/// Removes files' bytes that no file owns. Only old ones go, so it may run beside everything else.
pub async fn sweep(platform: Arc<Platform>) {
    let swept = async {
        let known = platform.store.known_blobs().await.map_err(|error| error.to_string())?;
        platform.blobs.sweep(&known).await.map_err(|error| error.to_string())
    };
    match swept.await {
        Ok(0) => {}
        Ok(removed) => tracing::info!(removed, "removed files that belonged to nothing"),
        Err(error) => tracing::warn!(error, "could not look for files that belong to nothing"),
    }
}

/// Ends answers whose writer died, in this process or another, until the platform stops.
pub async fn watch(platform: Arc<Platform>) {
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = look.tick() => {}
            () = platform.stopping.cancelled() => return,
        }
        match platform.store.interrupt_abandoned(platform.clock.now(), false).await {
            Ok(0) => {}
            Ok(interrupted) => tracing::warn!(interrupted, "ended answers whose writer died"),
            Err(error) => tracing::warn!(%error, "could not look for answers whose writer died"),
        }
    }
}
