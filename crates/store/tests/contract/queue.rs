//! The queue: one worker for each job, leases, fences, retries.

use std::{collections::HashSet, time::Duration};

use across::{
    audit::Action,
    fault::StoreError,
    jobs::{
        job::{Job, LEASE},
        queue::{Lease, Pulse, Queue as _, Tries, Waits},
    },
    knowledge::file::{KnowledgeStore as _, Status},
    page::PageRequest,
    platform::Statistics as _,
};
use futures::{StreamExt as _, TryStreamExt as _, future::join_all, stream};

use crate::bench::{Bench, SPACE, at, deed, new_file, words};

crate::contracts!(
    a_job_is_claimed_once,
    a_lease_runs_out,
    an_old_fence_is_refused,
    failures_come_back_later,
    claimed_jobs_are_released,
    the_next_due_is_known,
    unreadable_jobs_hold_up_nobody,
    a_job_without_steps_is_stalled,
    tries_count_by_whose_fault_they_were,
);

/// A sign of life of a job that may have taken its last step long ago.
async fn pulse(bench: &Bench, lease: Lease, until: i64) -> Pulse {
    bench.store.heartbeat(lease, at(until), at(-10_000)).await.unwrap()
}

/// Queues jobs the way the product does: with files.
async fn queue(bench: &Bench, jobs: usize) {
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let files = (0..jobs).map(|i| {
        bench.store.accept_file(
            new_file(assistant, user, &format!("content {i}")),
            deed(Action::FileCreate, 0),
        )
    });
    let _: Vec<_> = stream::iter(files).buffer_unordered(8).try_collect().await.unwrap();
}

async fn a_job_is_claimed_once(bench: &Bench) {
    queue(bench, 200).await;
    let another = bench.another().await;
    let workers = (0..8).map(|i| {
        let store = if i % 2 == 0 { &*bench.store } else { &another };
        async move {
            let mut jobs = Vec::new();
            while let Some(claimed) = store.claim(at(1), LEASE).await.unwrap() {
                assert_eq!(claimed.attempt, 1);
                jobs.push(claimed.lease.job);
            }
            jobs
        }
    });
    let claimed: Vec<_> = join_all(workers).await.concat();
    assert_eq!(claimed.len(), 200);
    assert_eq!(claimed.into_iter().collect::<HashSet<_>>().len(), 200);
}

async fn a_lease_runs_out(bench: &Bench) {
    queue(bench, 1).await;
    let first = bench.claim(0).await;
    assert_eq!(bench.store.claim(at(59), LEASE).await.unwrap(), None);
    assert_eq!(pulse(bench, first.lease, 100).await, Pulse::Renewed);
    assert_eq!(bench.store.claim(at(99), LEASE).await.unwrap(), None);
    let second = bench.claim(100).await;
    assert_eq!((second.attempt, &second.job), (2, &first.job));
    assert_eq!(second.lease.job, first.lease.job);
    assert!(second.lease.fence > first.lease.fence);
    assert_eq!(pulse(bench, first.lease, 500).await, Pulse::Lost);
}

async fn an_old_fence_is_refused(bench: &Bench) {
    queue(bench, 1).await;
    let old = bench.claim(0).await.lease;
    let new = bench.claim(60).await.lease;
    let lost = |result: Result<(), StoreError>| matches!(result, Err(StoreError::LeaseLost));
    assert!(lost(bench.store.finish_job(old).await));
    assert!(lost(bench.store.retry_job(old, at(0), Waits::Retry, "x").await));
    bench.store.finish_job(new).await.unwrap();
    assert!(lost(bench.store.finish_job(new).await));
    assert_eq!(bench.store.claim(at(10_000), LEASE).await.unwrap(), None);
}

async fn failures_come_back_later(bench: &Bench) {
    queue(bench, 1).await;
    let first = bench.claim(0).await;
    bench
        .store
        .retry_job(first.lease, at(8), Waits::Retry, "no\0 answer")
        .await
        .unwrap();
    // Whoever gave it back has no right to it any more, even before it is claimed again.
    assert_eq!(pulse(bench, first.lease, 500).await, Pulse::Lost);
    assert_eq!(bench.store.claim(at(7), LEASE).await.unwrap(), None);
    assert_eq!(bench.claim(8).await.attempt, 2);
}

async fn claimed_jobs_are_released(bench: &Bench) {
    queue(bench, 3).await;
    let (one, two) = (bench.claim(0).await, bench.claim(0).await);
    assert_eq!(bench.store.release_all(at(1)).await.unwrap(), 2);
    assert_eq!(pulse(bench, one.lease, 100).await, Pulse::Lost);
    let mut again = HashSet::new();
    while let Some(claimed) = bench.store.claim(at(1), Duration::from_secs(5)).await.unwrap() {
        again.insert((claimed.lease.job, claimed.attempt));
    }
    assert_eq!(again.len(), 3);
    assert!(again.contains(&(one.lease.job, 2)) && again.contains(&(two.lease.job, 2)));
    assert_eq!(bench.store.release_all(at(2)).await.unwrap(), 3);
}

async fn the_next_due_is_known(bench: &Bench) {
    assert_eq!(bench.store.next_due().await.unwrap(), None);
    queue(bench, 1).await;
    assert_eq!(bench.store.next_due().await.unwrap(), Some(at(0)));
    let lease: Lease = bench.claim(5).await.lease;
    assert_eq!(bench.store.next_due().await.unwrap(), Some(at(65)));
    bench.store.retry_job(lease, at(30), Waits::Quota, "x").await.unwrap();
    assert_eq!(bench.store.next_due().await.unwrap(), Some(at(30)));
}

async fn unreadable_jobs_hold_up_nobody(bench: &Bench) {
    queue(bench, 2).await;
    let bad = bench.claim(0).await.lease.job;
    bench.store.release_all(at(-10)).await.unwrap();
    assert_eq!(
        bench
            .run("UPDATE jobs SET payload = '{\"kind\":\"unheard of\"}' WHERE attempt = 1")
            .await,
        1
    );
    let good = bench.claim(0).await;
    assert_ne!(good.lease.job, bad);
    assert!(matches!(good.job, Job::Ingest { .. }));
    assert_eq!(bench.store.claim(at(0), LEASE).await.unwrap(), None);
    // The file has lost its job, but not for long.
    assert_eq!(bench.store.adopt_stranded(at(1)).await.unwrap(), 1);
    assert!(matches!(bench.claim(1).await.job, Job::Ingest { .. }));
}

async fn a_job_without_steps_is_stalled(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let (file, claimed) = bench.accepted(assistant, user, "content").await;
    let lease = claimed.lease;
    let pulse = async |until, since| bench.store.heartbeat(lease, at(until), at(since)).await.unwrap();
    // Claimed at 0.
    assert_eq!(pulse(60, 0).await, Pulse::Renewed);
    assert_eq!(pulse(120, 1).await, Pulse::Stalled);
    bench
        .store
        .set_progress(lease, file, Status::Indexing, 40, at(100))
        .await
        .unwrap();
    assert_eq!(pulse(900, 100).await, Pulse::Renewed);
    assert_eq!(pulse(1_000, 101).await, Pulse::Stalled);
    // Given up, it writes nothing more.
    bench
        .store
        .fail_file(lease, file, "no progress", at(1_000))
        .await
        .unwrap();
    bench.store.finish_job(lease).await.unwrap();
    let late = bench
        .store
        .add_chunks(lease, file, 1, SPACE, vec![words(0, "late")])
        .await;
    assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
    assert_eq!(pulse(2_000, 0).await, Pulse::Lost);
}

async fn tries_count_by_whose_fault_they_were(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let (file, first) = bench.accepted(assistant, user, "content").await;
    let tries = async |lease| {
        let tries = bench.store.tries(lease).await.unwrap();
        tries.map(|Tries { attempt, outages }| (attempt, outages))
    };
    assert_eq!(tries(first.lease).await, Some((1, 0)));
    let mut lease = first.lease;
    for (waits, expected) in [
        (Waits::Retry, (2, 0)),
        (Waits::Outage, (2, 1)),
        (Waits::Outage, (2, 2)),
        (Waits::Quota, (2, 2)),
        (Waits::Retry, (3, 2)),
    ] {
        bench.store.retry_job(lease, at(0), waits, "x").await.unwrap();
        assert_eq!(tries(lease).await, None);
        let listed = bench
            .store
            .list_jobs(PageRequest { limit: 1, offset: 0 })
            .await
            .unwrap();
        assert_eq!(listed.items[0].waits, Some(waits));
        lease = bench.claim(0).await.lease;
        assert_eq!(tries(lease).await, Some(expected), "{waits:?}");
    }
    bench.store.hand_back(lease, at(7)).await.unwrap();
    assert_eq!(bench.store.claim(at(6), LEASE).await.unwrap(), None);
    let again = bench.claim(7).await;
    assert_eq!(again.attempt, 3);
    // What is written counts.
    bench
        .store
        .add_chunks(again.lease, file, 1, SPACE, vec![words(0, "one")])
        .await
        .unwrap();
    assert_eq!(tries(again.lease).await, Some((1, 0)));
}
