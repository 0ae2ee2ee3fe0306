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

/// What a job waits for that was begun before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// It failed, and another try may go better.
    Retry,
    /// Somebody outside did not answer: a provider or a store.
    Outage,
    /// A quota has no room.
    Quota,
}

impl Waits {
    /// The name in columns and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Outage => "outage",
            Self::Quota => "quota",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::Retry, Self::Outage, Self::Quota];
        all.into_iter().find(|waits| waits.as_str() == name)
    }
}

/// How often a job was tried without a new portion of it being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// Tries that count, this one included.
    pub attempt: i32,
    /// Of the tries before this one, those in a row that failed for want of somebody outside.
    pub outages: i32,
}

/// What became of a sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulse {
    /// The lease holds on.
    Renewed,
    /// The job is still ours, but took no step for too long: give it up.
    Stalled,
    /// Another worker has it, or it is no longer wanted: stop.
    Lost,
}

/// The queue.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Takes the job that has been due for longest, until `now + lease`; `None` if nothing is due. Jobs whose lease ran
    /// out are due again. One job is never given to two workers.
    async fn claim(&self, now: Time, lease: Duration) -> Result<Option<Claimed>, StoreError>;

    /// Says that the work goes on, until `until`, if the job took a step since `since`: its claim, or any change of its
    /// file's progress.
    async fn heartbeat(&self, lease: Lease, until: Time, since: Time) -> Result<Pulse, StoreError>;

    /// How often the job was tried; `None` if the lease was lost.
    async fn tries(&self, lease: Lease) -> Result<Option<Tries>, StoreError>;

    /// The work is done, or given up: the job leaves the queue.
    async fn finish_job(&self, lease: Lease) -> Result<(), StoreError>;

    /// The work did not succeed; it is due again at `at`. Only a try that may be the job's own fault counts as one.
    /// `reason` is kept for the administrator.
    async fn retry_job(&self, lease: Lease, at: Time, waits: Waits, reason: &str) -> Result<(), StoreError>;

    /// The work was broken off by no fault of its own; it is due at once, as if it had not been tried.
    async fn hand_back(&self, lease: Lease, now: Time) -> Result<(), StoreError>;

    /// The work had its turn and is not over: it is due again at `at`, after what is due already, and its attempts count
    /// from the beginning.
    async fn yield_job(&self, lease: Lease, at: Time) -> Result<(), StoreError>;

    /// Makes every claimed job due at once. Called at start by a process that knows itself to be the only one on this
    /// database: whoever held the leases is dead.
    async fn release_all(&self, now: Time) -> Result<u64, StoreError>;

    /// When the next job will be due, if any waits.
    async fn next_due(&self) -> Result<Option<Time>, StoreError>;
}
