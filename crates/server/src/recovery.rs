//! What a process does about those that died before it: at its start, and every now and then for others of its kind.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use across::{actor::Doer, audit::Action, conversations::conversation::Dead, fault::StoreError, platform::Platform};
use chrono::TimeDelta;
use futures::FutureExt as _;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

/// How often settings and keys are looked at that other processes may have changed.
const CHANGES_EVERY: Duration = Duration::from_secs(2);
/// How often answers and calls are looked for whose process died.
const DEAD_EVERY: Duration = Duration::from_secs(30);
/// How often things are removed that were kept long enough.
const OLD_EVERY: Duration = Duration::from_secs(60 * 60);
/// How often files are looked for that belong to nothing; those of an hour ago are removed.
const ORPHANS_EVERY: Duration = Duration::from_secs(10 * 60);
/// How long the answers to requests are kept that may be sent again.
const REQUESTS_KEPT: TimeDelta = TimeDelta::hours(24);
/// Conversations removed at a time.
const BATCH: u64 = 100;
/// Entries of the audit log removed at a time.
const ENTRIES: u64 = 5_000;

/// The pause before work that panicked begins again; twice as long each time,
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// but no longer than this. Work that went well for so long begins with the first pause again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Does work of the background to its end, or until the platform stops: work that panics begins again after a pause. The
/// panic itself is logged and counted where all are.
pub async fn kept_up<F: Future<Output = ()>>(what: &str, stopping: &CancellationToken, work: impl FnMut() -> F) {
    kept_up_with((FIRST_PAUSE, LONGEST_PAUSE), what, stopping, work).await;
}

async fn kept_up_with<F: Future<Output = ()>>(
    (first, longest): (Duration, Duration),
    what: &str,
    stopping: &CancellationToken,
    mut work: impl FnMut() -> F,
) {
    let mut pause = first;
    loop {
        let begun = Instant::now();
        if AssertUnwindSafe(work()).catch_unwind().await.is_ok() {
            return;
        }
        if begun.elapsed() >= longest {
            pause = first;
        }
        tracing::error!(
            what,
            ?pause,
            "work of the background panicked; it begins again after a pause"
        );
        tokio::select! {
            () = sleep(pause) => {}
            () = stopping.cancelled() => return,
        }
        pause = (pause * 2).min(longest);
    }
}

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
    let dead = if alone {
        Dead::Everyone
    } else {
        Dead::Installation(platform.installation)
    };
    let interrupted = platform.store.interrupt_abandoned(now, dead).await?;
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
async fn sweep(platform: &Platform) -> Result<(), StoreError> {
    let known = platform.store.known_blobs().await?;
    match platform.blobs.sweep(&known).await {
        Ok(0) => {}
        Ok(removed) => tracing::info!(removed, "removed files that belonged to nothing"),
        Err(error) => tracing::warn!(%error, "could not look for files that belong to nothing"),
    }
    Ok(())
}

/// Until the platform stops: takes over what other processes changed, ends answers whose writer died, charges what the dead
/// had set aside, and removes what was kept long enough.
pub async fn watch(platform: Arc<Platform>) {
    let stopping = &platform.stopping;
    let (changes, dead, old, orphans) = (
        "look for changes by other processes",
        "look for what the dead left",
        "remove what was kept long enough",
        "look for files that belong to nothing",
    );
    // Beside each other: a long removal must not hold up a change of settings, nor a bug in one the others.
    tokio::join!(
        kept_up(changes, stopping, || regularly(
            &platform,
            CHANGES_EVERY,
            changes,
            take_over
        )),
        kept_up(dead, stopping, || regularly(&platform, DEAD_EVERY, dead, clear_up)),
        kept_up(old, stopping, || regularly(&platform, OLD_EVERY, old, expire)),
        kept_up(orphans, stopping, || regularly(
            &platform,
            ORPHANS_EVERY,
            orphans,
            sweep
        )),
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
    platform.providers.refresh(store, &platform.vault).await?;
    mend(platform).await
}

/// Has files processed again whose vectors were found damaged.
async fn mend(platform: &Platform) -> Result<(), StoreError> {
    let deed = Doer::platform().does(Action::FileReprocess, platform.clock.now());
    let queued = platform.store.mend_vectors(deed).await?;
    if queued > 0 {
        tracing::warn!(queued, "files with damaged vectors are processed again");
        platform.job_queued.notify_one();
    }
    Ok(())
}

async fn clear_up(platform: &Platform) -> Result<(), StoreError> {
    let (store, now) = (&platform.store, platform.clock.now());
    let interrupted = store.interrupt_abandoned(now, Dead::Expired).await?;
    let charged = store.sweep_holds(now, false).await?;
    let adopted = store.adopt_stranded(now).await?;
    if interrupted + charged + adopted > 0 {
        tracing::warn!(
            interrupted,
            charged,
            adopted,
            "ended answers and charged calls whose process died, and took up files without a job"
        );
    }
    if adopted > 0 {
        platform.job_queued.notify_one();
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;
    use crate::middleware::watch_panics;

    #[tokio::test]
    async fn r48_work_that_panics_is_counted_and_begins_again_later_each_time() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let counts = metrics::set_default_local_recorder(&recorder);
        watch_panics();
        let starts = Cell::new(Vec::new());
        let work = || {
            let mut all = starts.take();
            all.push(Instant::now());
            let is_last = all.len() == 6;
            starts.set(all);
            async move { assert!(is_last, "a bug") }
        };
        let pauses = (Duration::from_millis(4), Duration::from_millis(16));
        kept_up_with(pauses, "the test's work", &CancellationToken::new(), work).await;
        let starts = starts.take();
        let waited: Vec<_> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let at_least = [4, 8, 16, 16, 16].map(Duration::from_millis);
        assert!(
            waited.len() == 5 && waited.iter().zip(at_least).all(|(waited, least)| *waited >= least),
            "{waited:?}"
        );
        drop(counts);
        assert!(recorder.handle().render().contains("ai_across_panics_total 5"));
    }

    #[tokio::test]
    async fn r48_it_does_not_begin_again_when_the_platform_stops() {
        let stopping = CancellationToken::new();
        stopping.cancel();
        let runs = Cell::new(0);
        let work = || {
            runs.set(runs.get() + 1);
            async { panic!("a bug") }
        };
        kept_up("the test's work", &stopping, work).await;
        assert_eq!(runs.get(), 1);
    }
}
