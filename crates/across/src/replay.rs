//! Requests that may be sent twice and are done once: their keys, and the answers they got.

use async_trait::async_trait;

use crate::{
    clock::Time,
    fault::StoreError,
    id::{MessageId, UserId},
};

/// Keys of one person that are remembered at most; the oldest go first.
pub const MAX_PER_USER: u64 = 1_000;

/// A request that carries a key of its sender's making.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestKey {
    /// Who sent it.
    pub user: UserId,
    /// With which method.
    pub method: String,
    /// To which path.
    pub path: String,
    /// The key, 1–128 visible characters.
    pub key: String,
}

/// What was answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers that belong to the answer, by name.
    pub headers: Vec<(String, String)>,
    /// The body; empty if `message` says it all.
    pub body: Vec<u8>,
    /// The answer to a question, from which the body is made anew.
    pub message: Option<MessageId>,
}

/// What is known of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Nothing: it is to be done, and others with its key wait until it is.
    Fresh,
    /// It was done; this was the answer.
    Done(Answer),
    /// It is being done.
    Running,
    /// The key was used for something else.
    Differs,
}

/// Remembers requests by their keys.
#[async_trait]
pub trait Replays: Send + Sync {
    /// Claims a request until `lease_until`; a claim whose lease ran out belongs to a dead process and is claimed anew.
    /// `fingerprint` is a hash of what it asks for. Of parallel claims exactly one is [`Claim::Fresh`].
    async fn claim_request(
        &self,
        request: &RequestKey,
        fingerprint: [u8; 32],
        now: Time,
        lease_until: Time,
    ) -> Result<Claim, StoreError>;

    /// Keeps the answer to a claimed request.
    async fn complete_request(&self, request: &RequestKey, answer: Answer) -> Result<(), StoreError>;

    /// Forgets a claimed request: it failed in a way that may not happen again.
    async fn release_request(&self, request: &RequestKey) -> Result<(), StoreError>;

    /// Forgets requests from before `cutoff`; returns how many.
    async fn expire_requests(&self, cutoff: Time) -> Result<u64, StoreError>;
}
