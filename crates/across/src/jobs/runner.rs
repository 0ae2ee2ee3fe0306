//! The loop that works: claim a job, do it while saying that it is alive, record how it went, wait for the next.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt as _;

use crate::{
    fault::StoreError,
    jobs::{
        job::{self, HEARTBEAT, LEASE, MAX_ATTEMPTS},
        queue::{Claimed, Lease},
    },
    knowledge::ingest::WorkError,
    platform::Platform,
    work,
};

/// The longest a worker sleeps: another process may have queued something without waking it.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(5);

/// Works until the platform stops. A job in flight then is left to its lease and goes on at the next start.
pub async fn work(platform: Arc<Platform>) {
    while !platform.stopping.is_cancelled() {
        match platform.store.claim(platform.clock.now(), LEASE).await {
            Ok(Some(claimed)) => {
                tokio::select! {
                    () = attempt(&platform, claimed) => {}
                    () = platform.stopping.cancelled() => return,
                }
            }
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
            () = heartbeat(platform, lease) => Err(WorkError::LeaseLost),
        }
    };
    if let Err(error) = settle(platform, &claimed, outcome).await {
        tracing::warn!(%error, job = %lease.job, "could not record how a job went; its lease will run out");
    }
}

async fn settle(platform: &Platform, claimed: &Claimed, outcome: Result<(), WorkError>) -> Result<(), WorkError> {
    let Claimed { lease, job, attempt } = claimed;
    match outcome {
        Ok(()) => tracing::info!(job = %lease.job, "job done"),
        Err(WorkError::LeaseLost) => {
            tracing::info!(job = %lease.job, "job lost to another worker, or no longer wanted");
            return Ok(());
        }
        Err(WorkError::Yield) => {
            return Ok(platform.store.yield_job(*lease, platform.clock.now()).await?);
        }
        Err(WorkError::Retry(reason) | WorkError::Outage(reason)) if *attempt < MAX_ATTEMPTS => {
            tracing::warn!(job = %lease.job, attempt, reason, "job failed; it will be tried again");
            let delay = chrono::TimeDelta::from_std(job::back_off(*attempt)).unwrap_or_default();
            return Ok(platform
                .store
                .retry_job(*lease, platform.clock.now() + delay, &reason)
                .await?);
        }
        Err(WorkError::Wait(until, reason)) if *attempt < MAX_ATTEMPTS => {
            tracing::warn!(job = %lease.job, attempt, reason, %until, "job waits");
            return Ok(platform.store.retry_job(*lease, until, &reason).await?);
        }
        Err(
            WorkError::Retry(sentence)
            | WorkError::Outage(sentence)
            | WorkError::Wait(_, sentence)
            | WorkError::GiveUp(sentence),
        ) => {
            tracing::warn!(job = %lease.job, attempt, sentence, "job given up");
            work::abandon(platform, *lease, job, &sentence).await?;
        }
    }
    Ok(platform.store.finish_job(*lease).await?)
}

/// Says every now and then that the job is being worked on; returns when somebody else has it.
async fn heartbeat(platform: &Platform, lease: Lease) {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        let until = platform.clock.now() + chrono::TimeDelta::from_std(LEASE).unwrap_or_default();
        match platform.store.heartbeat(lease, until).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::warn!(%error, job = %lease.job, "could not renew a job's lease"),
        }
    }
}
