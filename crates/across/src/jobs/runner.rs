//! The loop that works: claim a job, do it while saying that it is alive, record how it went, wait for the next.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use chrono::TimeDelta;
use futures::FutureExt as _;

use crate::{
    clock::Time,
    fault::StoreError,
    jobs::{
        job::{self, HEARTBEAT, LEASE, MAX_ATTEMPTS, MAX_OUTAGES, STALLED},
        queue::{Claimed, Lease, Pulse, Tries, Waits},
    },
    knowledge::ingest::WorkError,
    platform::Platform,
    work,
};

/// The longest a worker sleeps: another process may have queued something without waking it.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(5);
/// The longest that somebody outside may ask us to wait,
const LONGEST_TOLD: Duration = Duration::from_secs(60 * 60);
/// and how soon, at least and at most, a quota is asked again.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);

/// Works until the platform stops. A job in flight then is handed back and goes on at the next start.
pub async fn work(platform: Arc<Platform>) {
    while !platform.stopping.is_cancelled() {
        match platform.store.claim(platform.clock.now(), LEASE).await {
            Ok(Some(claimed)) => attempt(&platform, claimed).await,
            Ok(None) => rest(&platform).await,
            Err(error) => {
                tracing::warn!(%error, "could not look for work");
                tokio::select! {
                    () = tokio::time::sleep(LOOK_AT_LEAST_EVERY) => {}
                    () = platform.stopping.cancelled() => return,
                }
            }
        }
    }
}

/// Works until nothing is due, for tests and for commands that must not return before the work is done.
///
/// # Errors
/// [`StoreError`] if the queue could not be read.
pub async fn drain(platform: &Arc<Platform>) -> Result<(), StoreError> {
    while let Some(claimed) = platform.store.claim(platform.clock.now(), LEASE).await? {
        attempt(platform, claimed).await;
    }
    Ok(())
}

/// Sleeps until a job was queued here, the next one is due, or it is time to look again.
async fn rest(platform: &Platform) {
    let due = platform.store.next_due().await.ok().flatten();
    let until_due = due.map_or(LOOK_AT_LEAST_EVERY, |due| {
        (due - platform.clock.now()).to_std().unwrap_or_default()
    });
    tokio::select! {
        () = platform.job_queued.notified() => {}
        () = tokio::time::sleep(until_due.clamp(Duration::from_millis(20), LOOK_AT_LEAST_EVERY)) => {}
        () = platform.stopping.cancelled() => {}
    }
}

async fn attempt(platform: &Arc<Platform>, claimed: Claimed) {
    let Claimed { lease, job, attempt } = &claimed;
    let (lease, attempt) = (*lease, *attempt);
    tracing::info!(job = %lease.job, work = ?job, attempt, "job begins");
    // A job that killed the process on every earlier attempt is not tried for ever.
    let outcome = if attempt > MAX_ATTEMPTS {
        Err(WorkError::GiveUp(
            "This document could not be processed: it failed five times.".into(),
        ))
    } else {
        let work = AssertUnwindSafe(work::perform(platform, lease, job)).catch_unwind();
        tokio::select! {
            outcome = work => outcome.unwrap_or_else(|_| Err(WorkError::Retry("the job panicked".into()))),
            ended = heartbeat(platform, lease) => Err(ended),
            () = platform.stopping.cancelled() => {
                if let Err(error) = platform.store.hand_back(lease, platform.clock.now()).await {
                    tracing::warn!(%error, job = %lease.job, "could not hand a job back; its lease will run out");
                }
                return;
            }
        }
    };
    if let Err(error) = settle(platform, &claimed, outcome).await {
        tracing::warn!(%error, job = %lease.job, "could not record how a job went; its lease will run out");
    }
}

async fn settle(platform: &Platform, claimed: &Claimed, outcome: Result<(), WorkError>) -> Result<(), WorkError> {
    let Claimed { lease, job, .. } = claimed;
    let failure = match outcome {
        Ok(()) => {
            tracing::info!(job = %lease.job, "job done");
            return Ok(platform.store.finish_job(*lease).await?);
        }
        Err(WorkError::Yield) => {
            return Ok(platform.store.yield_job(*lease, platform.clock.now()).await?);
        }
        Err(failure) => failure,
    };
    let Some(tries) = platform.store.tries(*lease).await?.filter(|_| !failure.is_lost()) else {
        tracing::info!(job = %lease.job, "job lost to another worker, or no longer wanted");
        return Ok(());
    };
    let sentence = failure.to_string();
    if let Some((waits, at)) = next_try(&failure, tries, platform.clock.now()) {
        tracing::warn!(job = %lease.job, ?tries, ?waits, %at, reason = sentence, "job failed; it will be tried again");
        return Ok(platform.store.retry_job(*lease, at, waits, &sentence).await?);
    }
    tracing::warn!(job = %lease.job, ?tries, sentence, "job given up");
    work::abandon(platform, *lease, job, &sentence).await?;
    Ok(platform.store.finish_job(*lease).await?)
}

/// When a job that failed is tried again, and what it waits for; `None` if it is given up.
fn next_try(failure: &WorkError, tries: Tries, now: Time) -> Option<(Waits, Time)> {
    let after = |wait: Duration| now + TimeDelta::from_std(wait).unwrap_or_default();
    match failure {
        WorkError::Retry(_) if tries.attempt < MAX_ATTEMPTS => {
            Some((Waits::Retry, after(job::back_off(tries.attempt))))
        }
        WorkError::Outage { retry_after, .. } if tries.outages + 1 < MAX_OUTAGES => {
            let told = retry_after.unwrap_or_default().min(LONGEST_TOLD);
            Some((Waits::Outage, after(job::outage_back_off(tries.outages + 1).max(told))))
        }
        // The window may have just begun anew, and an administrator may make room before it does.
        WorkError::Wait(until, _) => Some((Waits::Quota, (*until).clamp(after(SHORTEST_WAIT), after(LONGEST_WAIT)))),
        WorkError::Retry(_)
        | WorkError::Outage { .. }
        | WorkError::GiveUp(_)
        | WorkError::Stalled
        | WorkError::Yield
        | WorkError::LeaseLost => None,
    }
}

/// Says every now and then that the job is being worked on; returns why that is over.
async fn heartbeat(platform: &Platform, lease: Lease) -> WorkError {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        let now = platform.clock.now();
        let far = |time: Duration| TimeDelta::from_std(time).unwrap_or_default();
        match platform
            .store
            .heartbeat(lease, now + far(LEASE), now - far(STALLED))
            .await
        {
            Ok(Pulse::Renewed) => {}
            Ok(Pulse::Stalled) => return WorkError::Stalled,
            Ok(Pulse::Lost) => return WorkError::LeaseLost,
            Err(error) => tracing::warn!(%error, job = %lease.job, "could not renew a job's lease"),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn who_is_to_blame_decides_how_often_a_job_is_tried() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let next = |failure: WorkError, attempt, outages| {
            next_try(&failure, Tries { attempt, outages }, now).map(|(waits, at)| (waits, (at - now).num_seconds()))
        };
        let poison = || WorkError::Retry("the job panicked".into());
        assert_eq!(next(poison(), 1, 9), Some((Waits::Retry, 2)));
        assert_eq!(next(poison(), 4, 0), Some((Waits::Retry, 128)));
        assert_eq!(next(poison(), 5, 0), None);
        let outage = |retry_after: Option<u64>| WorkError::Outage {
            reason: "nobody answers".into(),
            retry_after: retry_after.map(Duration::from_secs),
        };
        assert_eq!(next(outage(None), 5, 0), Some((Waits::Outage, 2)));
        assert_eq!(next(outage(Some(90)), 1, 0), Some((Waits::Outage, 90)));
        assert_eq!(next(outage(Some(1)), 1, 4), Some((Waits::Outage, 162)));
        assert_eq!(next(outage(Some(u64::MAX)), 1, 0), Some((Waits::Outage, 3_600)));
        assert_eq!(next(outage(None), 1, 8), Some((Waits::Outage, 420)));
        assert_eq!(next(outage(None), 1, 9), None);
        let quota = |seconds| WorkError::Wait(now + TimeDelta::seconds(seconds), "a quota has no room".into());
        assert_eq!(next(quota(200), 5, 9), Some((Waits::Quota, 200)));
        assert_eq!(next(quota(30_000), 5, 9), Some((Waits::Quota, 300)));
        assert_eq!(next(quota(-5), 5, 9), Some((Waits::Quota, 1)));
        assert_eq!(next(WorkError::GiveUp("unreadable".into()), 1, 0), None);
        assert_eq!(next(WorkError::Stalled, 1, 0), None);
    }
}
