//! The queue of background work, as the platform asks for it. Jobs enter it in the transaction of the change that needs them.

use std::time::Duration;

use async_trait::async_trait;

use crate::{clock::Time, fault::StoreError, id::JobId, jobs::job::Job};

/// The right to work on a job until it expires. The fence grows with every claim; a write that carries an old fence is
/// refused with [`StoreError::LeaseLost`], so a worker that slept through its lease cannot undo its successor's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub job: JobId,
    /// Which claim of it.
    pub fence: i64,
}

/// A job that is ours for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The right to work on it.
    pub lease: Lease,
    /// What to do.
    pub job: Job,
    /// Which try this is, from 1.
    pub attempt: i32,
}

/// The queue.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Takes the job that has been due for longest, until `now + lease`; `None` if nothing is due. Jobs whose lease ran
    /// out are due again. One job is never given to two workers.
    async fn claim(&self, now: Time, lease: Duration) -> Result<Option<Claimed>, StoreError>;

    /// Says that the work goes on, until `until`. `false` if the lease was lost: stop.
    async fn heartbeat(&self, lease: Lease, until: Time) -> Result<bool, StoreError>;

    /// The work is done, or given up: the job leaves the queue.
    async fn finish_job(&self, lease: Lease) -> Result<(), StoreError>;

    /// The work failed; it is due again at `at`. `reason` is kept for the administrator.
    async fn retry_job(&self, lease: Lease, at: Time, reason: &str) -> Result<(), StoreError>;

    /// The work had its turn and is not over: it is due again at `at`, after what is due already, and its attempts count
    /// from the beginning.
    async fn yield_job(&self, lease: Lease, at: Time) -> Result<(), StoreError>;

    /// Makes every claimed job due at once. Called at start by a process that knows itself to be the only one on this
    /// database: whoever held the leases is dead.
    async fn release_all(&self, now: Time) -> Result<u64, StoreError>;

    /// When the next job will be due, if any waits.
    async fn next_due(&self) -> Result<Option<Time>, StoreError>;
}
