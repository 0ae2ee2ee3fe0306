//! What a process does about those that died before it: at its start, and every now and then for others of its kind.

use std::{sync::Arc, time::Duration};

use across::{actor::Doer, audit::Action, fault::StoreError, platform::Platform};
use chrono::TimeDelta;
use tokio::time::{MissedTickBehavior, interval};

/// How often settings and keys are looked at that other processes may have changed.
const CHANGES_EVERY: Duration = Duration::from_secs(2);
/// How often answers and calls are looked for whose process died.
const DEAD_EVERY: Duration = Duration::from_secs(30);
/// How often things are removed that were kept long enough.
const OLD_EVERY: Duration = Duration::from_secs(60 * 60);
/// How long the answers to requests are kept that may be sent again.
const REQUESTS_KEPT: TimeDelta = TimeDelta::hours(24);
/// Conversations removed at a time.
const BATCH: u64 = 100;
/// Entries of the audit log removed at a time.
const ENTRIES: u64 = 5_000;

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
    let charged = platform.store.sweep_holds(now, alone).await?;
    let adopted = platform.store.adopt_stranded(now).await?;
    if released + interrupted + charged + adopted > 0 {
        tracing::info!(
            released,
            interrupted,
            charged,
            adopted,
            "took up what the last run left"
        );
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

/// Until the platform stops: takes over what other processes changed, ends answers whose writer died, charges what the dead
/// had set aside, and removes what was kept long enough.
pub async fn watch(platform: Arc<Platform>) {
    // Beside each other: a long removal must not hold up a change of settings.
    tokio::join!(
        regularly(
            &platform,
            CHANGES_EVERY,
            "look for changes by other processes",
            take_over
        ),
        regularly(&platform, DEAD_EVERY, "look for what the dead left", clear_up),
        regularly(&platform, OLD_EVERY, "remove what was kept long enough", expire),
    );
}

async fn regularly(
    platform: &Platform,
    period: Duration,
    what: &str,
    work: impl AsyncFn(&Platform) -> Result<(), StoreError>,
) {
    let mut next = interval(period);
    next.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = next.tick() => {}
            () = platform.stopping.cancelled() => return,
        }
        if let Err(error) = work(platform).await {
            tracing::warn!(%error, "could not {what}");
        }
    }
}

/// Settings and keys as other processes left them.
async fn take_over(platform: &Platform) -> Result<(), StoreError> {
    let store = platform.store.as_ref();
    platform.settings.refresh(store).await?;
    platform.providers.refresh(store, &platform.vault).await
}

async fn clear_up(platform: &Platform) -> Result<(), StoreError> {
    let (store, now) = (&platform.store, platform.clock.now());
    let interrupted = store.interrupt_abandoned(now, false).await?;
    let charged = store.sweep_holds(now, false).await?;
    if interrupted + charged > 0 {
        tracing::warn!(
            interrupted,
            charged,
            "ended answers and charged calls whose process died"
        );
    }
    Ok(())
}

async fn expire(platform: &Platform) -> Result<(), StoreError> {
    let (store, now) = (&platform.store, platform.clock.now());
    let settings = platform.settings.get();
    store.expire_throttle(now).await?;
    store.expire_requests(now - REQUESTS_KEPT).await?;
    let kept = TimeDelta::days(i64::from(settings.audit_retention_days));
    // Little by little, so that others can write in between.
    let mut audited = 0;
    while !platform.stopping.is_cancelled() {
        let deed = Doer::platform().does(Action::AuditExpire, now);
        let removed = store.expire_audit(now - kept, ENTRIES, deed).await?;
        audited += removed;
        if removed < ENTRIES {
            break;
        }
    }
    let mut conversations = 0;
    if settings.conversation_retention_days > 0 {
        let kept = TimeDelta::days(i64::from(settings.conversation_retention_days));
        while !platform.stopping.is_cancelled() {
            let removed = store.expire_conversations(now - kept, BATCH).await?;
            conversations += removed;
            if removed < BATCH {
                break;
            }
        }
    }
    if audited + conversations > 0 {
        tracing::info!(audited, conversations, "removed what was kept long enough");
    }
    Ok(())
}
