//! Requests that may be sent twice are done once.

use across::{
    audit::Action,
    id::{MessageId, UserId},
    identity::user::UserStore as _,
    replay::{Answer, Claim, MAX_PER_USER, Replays as _, RequestKey},
};
use futures::future::join_all;

use crate::bench::{Bench, at, deed};

crate::contracts!(
    one_of_parallel_claims_is_fresh,
    a_done_request_is_answered_again,
    a_released_or_abandoned_claim_is_free,
    keys_of_different_requests_do_not_meet,
    the_oldest_of_too_many_go,
    old_requests_are_forgotten,
);

fn request(user: UserId, key: &str) -> RequestKey {
    RequestKey {
        user,
        method: "POST".into(),
        path: "/api/v1/conversations".into(),
        key: key.into(),
    }
}

async fn claim(bench: &Bench, request: &RequestKey, body: u8, seconds: i64) -> Claim {
    let store = &bench.store;
    store
        .claim_request(request, [body; 32], at(seconds), at(seconds + 60))
        .await
        .unwrap()
}

async fn one_of_parallel_claims_is_fresh(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let another = bench.another().await;
    let this = request(user, "key");
    let tries = (0..20).map(|i| {
        let store = if i % 2 == 0 { &*bench.store } else { &another };
        store.claim_request(&this, [1; 32], at(0), at(60))
    });
    let claims: Vec<_> = join_all(tries).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(claims.iter().filter(|claim| **claim == Claim::Fresh).count(), 1);
    assert_eq!(claims.iter().filter(|claim| **claim == Claim::Running).count(), 19);
}

async fn a_done_request_is_answered_again(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let this = request(user, "key");
    assert_eq!(claim(bench, &this, 1, 0).await, Claim::Fresh);
    assert_eq!(claim(bench, &this, 2, 0).await, Claim::Differs);
    let answer = Answer {
        status: 201,
        headers: vec![
            ("location".into(), "/x".into()),
            ("etag".into(), "\"\0\u{fffd}\"".into()),
        ],
        body: b"\0\xff{}".to_vec(),
        message: Some(MessageId::new()),
    };
    bench.store.complete_request(&this, answer.clone()).await.unwrap();
    let mut kept = answer.clone();
    kept.headers[1].1 = "\"\u{fffd}\u{fffd}\"".into();
    assert_eq!(claim(bench, &this, 1, 1).await, Claim::Done(kept.clone()));
    assert_eq!(claim(bench, &this, 2, 1).await, Claim::Differs);
    // It is done for good: neither a late failure nor a second end changes it.
    bench.store.release_request(&this).await.unwrap();
    bench.store.complete_request(&this, Answer::default()).await.unwrap();
    assert_eq!(claim(bench, &this, 1, 1_000).await, Claim::Done(kept));
}

async fn a_released_or_abandoned_claim_is_free(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let this = request(user, "key");
    assert_eq!(claim(bench, &this, 1, 0).await, Claim::Fresh);
    bench.store.release_request(&this).await.unwrap();
    assert_eq!(claim(bench, &this, 2, 1).await, Claim::Fresh);
    assert_eq!(claim(bench, &this, 2, 60).await, Claim::Running);
    assert_eq!(claim(bench, &this, 2, 61).await, Claim::Fresh, "its lease ran out");
    assert_eq!(claim(bench, &this, 2, 62).await, Claim::Running);
}

async fn keys_of_different_requests_do_not_meet(bench: &Bench) {
    let (anna, otto) = (
        bench.user("anna@example.com").await.id,
        bench.user("otto@example.com").await.id,
    );
    let this = request(anna, "key");
    let mut others = vec![request(otto, "key"), request(anna, "Key"), this.clone(), this.clone()];
    others[2].method = "PUT".into();
    others[3].path = "x".repeat(8_000);
    for one in [&this].into_iter().chain(&others) {
        assert_eq!(claim(bench, one, 1, 0).await, Claim::Fresh, "{one:?}");
    }
    // They go with their sender.
    let gone = deed(Action::UserDelete, 1);
    bench.store.delete_user(otto, None, gone).await.unwrap();
    assert_eq!(bench.query("SELECT 1 FROM request_keys").await.len(), 4);
}

async fn the_oldest_of_too_many_go(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let more = i64::try_from(MAX_PER_USER).unwrap() + 3;
    let requests: Vec<_> = (0..more).map(|i| request(user, &i.to_string())).collect();
    for (some, i) in requests.chunks(50).zip(0..) {
        let claims = some
            .iter()
            .zip(i * 50..)
            .map(|(request, second)| claim(bench, request, 1, second));
        assert!(join_all(claims).await.iter().all(|claim| *claim == Claim::Fresh));
    }
    // Claims at the same moment do not see each other; the next one removes what they left.
    assert_eq!(claim(bench, &request(user, "last"), 1, 1_500).await, Claim::Fresh);
    assert_eq!(
        bench.query("SELECT 1 FROM request_keys").await.len() as u64,
        MAX_PER_USER
    );
    assert_eq!(claim(bench, &requests[4], 2, 2_000).await, Claim::Differs);
    assert_eq!(claim(bench, &requests[0], 1, 2_000).await, Claim::Fresh);
}

async fn old_requests_are_forgotten(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let (old, new) = (request(user, "old"), request(user, "new"));
    claim(bench, &old, 1, 0).await;
    bench.store.complete_request(&old, Answer::default()).await.unwrap();
    claim(bench, &new, 1, 100).await;
    assert_eq!(bench.store.expire_requests(at(100)).await.unwrap(), 1);
    assert_eq!(claim(bench, &old, 2, 101).await, Claim::Fresh);
    assert_eq!(claim(bench, &new, 2, 101).await, Claim::Differs);
}
