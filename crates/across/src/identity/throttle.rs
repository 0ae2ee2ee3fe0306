//! Slowing down whoever guesses passwords: counters that are raised before the work, on every instance the same.

use async_trait::async_trait;
use chrono::TimeDelta;
use sha2::{Digest as _, Sha256};

use crate::{clock::Time, fault::StoreError, id::UserId, identity::user::Email};

/// The first lock after too many failures; each further one is twice as long,
pub const FIRST_LOCK: TimeDelta = TimeDelta::minutes(5);
/// up to this.
pub const LONGEST_LOCK: TimeDelta = TimeDelta::hours(1);

/// Something that failures are counted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Which. Addresses of accounts are in it as hashes only: the table is no list of who was tried.
    pub key: String,
    /// Failures that are let through within the window.
    pub limit: u32,
    /// Over which time they are counted.
    pub window: TimeDelta,
    /// Whether only attempts that failed are counted, when they have ([`Throttle::charge`]); else all are, before the work.
    /// What many people share must not be closed by their all coming at once.
    pub counts_failures_only: bool,
}

fn digest(parts: &[&str]) -> String {
    let hash = Sha256::digest(parts.join("\0").as_bytes());
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// What a sign-in from `address` as `email` is counted under. The account's own bucket does not bind addresses from which
/// its owner has signed in before, so that strangers cannot lock them out.
#[must_use]
pub fn sign_in_buckets(email: &Email, address: &str, knows_address: bool) -> Vec<Bucket> {
    let hour = TimeDelta::hours(1);
    let mut buckets = vec![Bucket {
        key: format!("pair:{}", digest(&[email.as_str(), address])),
        limit: 5,
        window: TimeDelta::minutes(5),
        counts_failures_only: false,
    }];
    buckets.extend(address_bucket(address));
    if !knows_address {
        buckets.push(Bucket {
            key: format!("email:{}", digest(&[email.as_str()])),
            limit: 30,
            window: hour,
            counts_failures_only: false,
        });
    }
    buckets
}

/// What every refused sign-in from `address` is counted under, whoever it was meant to be. An office of a hundred people that
/// signs in at nine is no guess.
#[must_use]
pub fn address_bucket(address: &str) -> Vec<Bucket> {
    vec![Bucket {
        key: format!("address:{address}"),
        limit: 50,
        window: TimeDelta::hours(1),
        counts_failures_only: true,
    }]
}

/// What a proof of the present password is counted under.
#[must_use]
pub fn proof_bucket(user: UserId) -> Vec<Bucket> {
    vec![Bucket {
        key: format!("proof:{user}"),
        limit: 5,
        window: TimeDelta::minutes(5),
        counts_failures_only: false,
    }]
}

/// The address as it is counted: of IPv6 the network, since everybody there has as many addresses as they like.
#[must_use]
pub fn counted_address(address: &str) -> String {
    match address.parse() {
        Ok(std::net::IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_none() => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Ok(std::net::IpAddr::V6(v6)) => v6
            .to_ipv4_mapped()
            .map_or_else(|| address.to_owned(), |v4| v4.to_string()),
        _ => address.to_owned(),
    }
}

/// Remembers failures.
#[async_trait]
pub trait Throttle: Send + Sync {
    /// Counts an attempt in every bucket that counts attempts, or refuses it until the time given: then nothing is counted.
    /// An attempt beyond a bucket's limit locks it, for [`FIRST_LOCK`] at first and twice as long each time within a day,
    /// [`LONGEST_LOCK`] at most. Of any number of parallel attempts no more than the limit are let through.
    async fn attempt(&self, buckets: Vec<Bucket>, now: Time) -> Result<Result<(), Time>, StoreError>;

    /// The attempt failed: counts it in the buckets that count failures only. The next attempt beyond the limit locks them.
    async fn charge(&self, buckets: Vec<Bucket>, now: Time) -> Result<(), StoreError>;

    /// The attempt was no failure: takes it back where it was counted; `cleared` buckets forget everything.
    async fn forgive(&self, buckets: Vec<Bucket>, cleared: &[String]) -> Result<(), StoreError>;

    /// Whether the owner of this account has signed in from this address before. `false` for unknown accounts.
    async fn knows_address(&self, email: &Email, address: &str) -> Result<bool, StoreError>;

    /// Removes counters that no longer say anything.
    async fn expire_throttle(&self, now: Time) -> Result<u64, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_share_a_bucket_and_networks_count_as_one() {
        let key = |email: &str| {
            sign_in_buckets(&Email::parse(email).unwrap(), "10.0.0.1", false)[0]
                .key
                .clone()
        };
        assert_eq!(key("U1@x.example"), key(" u1@X.example "));
        assert_eq!(key("u1@x.example"), key("u１@x.example"));
        assert_ne!(key("u1@x.example"), key("u2@x.example"));
        assert_eq!(
            counted_address("2001:db8:1:2:3::1"),
            counted_address("2001:db8:1:2:ffff::9")
        );
        assert_eq!(counted_address("::ffff:10.0.0.1"), "10.0.0.1");
        assert_eq!(
            sign_in_buckets(&Email::parse("a@b").unwrap(), "10.0.0.1", true).len(),
            2
        );
    }
}
