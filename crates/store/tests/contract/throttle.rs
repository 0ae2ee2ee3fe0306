//! Failures are counted before the work, lock what they are counted for, and are forgotten in time.

use across::{
    audit::Action,
    clock::Time,
    id::SessionId,
    identity::{
        session::{NewSession, RefreshToken, SessionStore as _},
        throttle::{Bucket, FIRST_LOCK, LONGEST_LOCK, Throttle as _, address_bucket, sign_in_buckets},
        user::Email,
    },
};
use chrono::TimeDelta;
use futures::future::join_all;

use crate::bench::{Bench, at, deed};

crate::contracts!(
    s11_of_parallel_attempts_no_more_than_the_limit_pass,
    s11_each_lock_is_twice_as_long_and_a_quiet_day_forgets_them,
    s11_a_success_is_taken_back_and_clears_what_it_proves,
    s11_a_refused_attempt_counts_nowhere,
    s11_an_address_is_known_after_a_sign_in,
    s11_of_an_address_only_failures_are_counted,
    old_counters_are_removed,
);

fn bucket(key: &str) -> Vec<Bucket> {
    vec![Bucket {
        key: key.into(),
        limit: 5,
        window: TimeDelta::minutes(5),
        counts_failures_only: false,
    }]
}

async fn attempt(bench: &Bench, buckets: Vec<Bucket>, seconds: i64) -> Result<(), Time> {
    bench.store.attempt(buckets, at(seconds)).await.unwrap()
}

async fn s11_of_parallel_attempts_no_more_than_the_limit_pass(bench: &Bench) {
    let another = bench.another().await;
    let email = Email::parse("anna@example.com").unwrap();
    let tries = (0..50).map(|i| {
        let store = if i % 2 == 0 { &*bench.store } else { &another };
        store.attempt(sign_in_buckets(&email, "10.0.0.1", false), at(0))
    });
    let results: Vec<_> = join_all(tries).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 5);
    let locked = Err(at(0) + FIRST_LOCK);
    assert_eq!(results.iter().filter(|result| **result == locked).count(), 45);
    // Other pairs are not locked with it; the lock ends when it said.
    let elsewhere = sign_in_buckets(&email, "10.0.0.2", false);
    assert_eq!(attempt(bench, elsewhere, 1).await, Ok(()));
    let pair = || sign_in_buckets(&email, "10.0.0.1", false);
    assert_eq!(attempt(bench, pair(), 299).await, locked);
    assert_eq!(attempt(bench, pair(), 300).await, Ok(()));
}

async fn s11_each_lock_is_twice_as_long_and_a_quiet_day_forgets_them(bench: &Bench) {
    let mut now = 0;
    for minutes in [5, 10, 20, 40, 60, 60] {
        for _ in 0..5 {
            assert_eq!(attempt(bench, bucket("pair"), now).await, Ok(()));
        }
        let until = at(now) + TimeDelta::minutes(minutes);
        assert_eq!(attempt(bench, bucket("pair"), now).await, Err(until));
        assert_eq!(attempt(bench, bucket("pair"), now + minutes * 60 - 1).await, Err(until));
        now += minutes * 60;
    }
    now += 86_400;
    for _ in 0..5 {
        assert_eq!(attempt(bench, bucket("pair"), now).await, Ok(()));
    }
    assert_eq!(attempt(bench, bucket("pair"), now).await, Err(at(now) + FIRST_LOCK));
    // A clock that was set back locks nobody out for longer than a lock can last.
    let back = now - 3 * 86_400;
    assert_eq!(attempt(bench, bucket("pair"), back).await, Ok(()));
}

async fn s11_a_success_is_taken_back_and_clears_what_it_proves(bench: &Bench) {
    for _ in 0..20 {
        assert_eq!(attempt(bench, bucket("pair"), 0).await, Ok(()));
        bench.store.forgive(bucket("pair"), &[]).await.unwrap();
    }
    for _ in 0..4 {
        assert_eq!(attempt(bench, bucket("pair"), 1).await, Ok(()));
    }
    // Two kinds are counted; the success clears one and takes itself back from the other.
    let both = || [bucket("pair"), bucket("email")].concat();
    assert_eq!(attempt(bench, both(), 2).await, Ok(()));
    bench.store.forgive(both(), &["pair".into()]).await.unwrap();
    for _ in 0..5 {
        assert_eq!(attempt(bench, both(), 3).await, Ok(()));
    }
    assert_eq!(attempt(bench, both(), 3).await, Err(at(3) + FIRST_LOCK));
    // What is forgiven without having been counted goes below nothing nowhere.
    bench.store.forgive(bucket("new"), &["newer".into()]).await.unwrap();
}

async fn s11_a_refused_attempt_counts_nowhere(bench: &Bench) {
    for _ in 0..5 {
        assert_eq!(attempt(bench, bucket("pair"), 0).await, Ok(()));
    }
    for _ in 0..20 {
        let both = [bucket("pair"), bucket("email")].concat();
        assert!(attempt(bench, both, 1).await.is_err());
    }
    for _ in 0..5 {
        assert_eq!(attempt(bench, bucket("email"), 2).await, Ok(()));
    }
    assert!(attempt(bench, bucket("email"), 2).await.is_err());
    // The window is over: what was counted in it is forgotten.
    assert_eq!(attempt(bench, bucket("other"), 0).await, Ok(()));
    for _ in 0..5 {
        assert_eq!(attempt(bench, bucket("other"), 300).await, Ok(()));
    }
}

async fn s11_an_address_is_known_after_a_sign_in(bench: &Bench) {
    let user = bench.user("anna@example.com").await;
    let knows = |email: &'static str, address: &'static str| async move {
        let email = Email::parse(email).unwrap();
        bench.store.knows_address(&email, address).await.unwrap()
    };
    assert!(!knows("anna@example.com", "10.0.0.1").await);
    let enter = |address: &str, seconds| {
        let session = NewSession {
            id: SessionId::new(),
            user: user.id,
            refresh: RefreshToken::random().hash(),
            ip_address: Some(address.into()),
            user_agent: None,
            created_at: at(seconds),
        };
        bench
            .store
            .begin_session(session, None, deed(Action::UserLogin, seconds))
    };
    enter("10.0.0.1", 0).await.unwrap();
    enter("2001:db8:1:2::7", 1).await.unwrap();
    enter("10.0.0.1", 2).await.unwrap();
    assert!(knows("anna@example.com", "10.0.0.1").await);
    assert!(
        knows("anna@example.com", "2001:db8:1:2::/64").await,
        "networks are counted as one"
    );
    assert!(!knows("anna@example.com", "10.0.0.2").await);
    assert!(!knows("otto@example.com", "10.0.0.1").await);
    enter("10.0.0.3", 200 * 86_400).await.unwrap();
    assert!(!knows("anna@example.com", "10.0.0.1").await, "half a year is long");
}

async fn s11_of_an_address_only_failures_are_counted(bench: &Bench) {
    let another = bench.another().await;
    let store = |number: usize| {
        if number.is_multiple_of(2) {
            &*bench.store
        } else {
            &another
        }
    };
    let address = || address_bucket("10.0.0.1");
    // An office at nine: all of them at once, before anybody's password was looked at.
    let all = join_all((0..120).map(|number| store(number).attempt(address(), at(0)))).await;
    assert!(all.into_iter().all(|tried| tried.unwrap().is_ok()));
    for _ in 0..120 {
        bench.store.forgive(address(), &[]).await.unwrap();
    }
    for charged in join_all((0..49).map(|number| store(number).charge(address(), at(1)))).await {
        charged.unwrap();
    }
    assert_eq!(attempt(bench, address(), 2).await, Ok(()));
    // Being right takes nothing back of what others got wrong.
    bench.store.forgive(address(), &[]).await.unwrap();
    bench.store.charge(address(), at(3)).await.unwrap();
    let locked = Err(at(4) + FIRST_LOCK);
    let all = join_all((0..20).map(|number| store(number).attempt(address(), at(4)))).await;
    assert!(
        all.into_iter().all(|tried| tried.unwrap() == locked),
        "one lock, not one for each"
    );
    // Nobody from there is looked at, whoever they say they are; others are.
    let email = Email::parse("anna@example.com").unwrap();
    let from = |address| sign_in_buckets(&email, address, true);
    assert_eq!(attempt(bench, from("10.0.0.1"), 5).await, locked);
    assert_eq!(attempt(bench, from("10.0.0.2"), 5).await, Ok(()));
    assert_eq!(attempt(bench, from("10.0.0.1"), 304).await, Ok(()));
}

async fn old_counters_are_removed(bench: &Bench) {
    attempt(bench, address_bucket("10.0.0.1"), 0).await.unwrap();
    bench.store.charge(address_bucket("10.0.0.1"), at(0)).await.unwrap();
    attempt(bench, bucket("pair"), 80_000).await.unwrap();
    let day_and_lock = 86_400 + LONGEST_LOCK.num_seconds();
    assert_eq!(bench.store.expire_throttle(at(day_and_lock)).await.unwrap(), 0);
    assert_eq!(bench.store.expire_throttle(at(day_and_lock + 1)).await.unwrap(), 1);
}
