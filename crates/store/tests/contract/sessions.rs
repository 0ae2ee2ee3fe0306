//! Sessions and the rotation of refresh tokens.

use across::{
    actor::Doer,
    audit::Action,
    clock::Time,
    fault::StoreError,
    id::{SessionId, UserId},
    identity::{
        password::PasswordHash,
        session::{MAX_SESSIONS, NewSession, RefreshHash, RefreshToken, Rotation, SessionStore as _},
        user::UserStore as _,
    },
};
use futures::future::join_all;

use crate::bench::{Bench, at, deed};

crate::contracts!(
    a_session_knows_its_person,
    a_token_is_exchanged_for_the_next,
    two_tabs_may_race,
    reuse_ends_the_session,
    reuse_after_the_child_was_used_ends_it_too,
    time_ends_sessions,
    many_refreshes_at_once,
    the_oldest_of_too_many_ends,
    the_inactive_are_nobody,
    s08_a_person_sees_and_ends_their_own_sessions_only,
);

fn token() -> RefreshHash {
    RefreshToken::random().hash()
}

async fn begin(bench: &Bench, user: UserId, when: Time) -> (SessionId, RefreshHash) {
    let (id, refresh) = (SessionId::new(), token());
    let session = NewSession {
        id,
        user,
        refresh,
        ip_address: Some("127.0.0.1".into()),
        user_agent: Some("Browser".into()),
        created_at: when,
    };
    bench
        .store
        .begin_session(session, None, deed(Action::UserLogin, 0))
        .await
        .unwrap();
    (id, refresh)
}

async fn rotate(bench: &Bench, presented: RefreshHash, seconds: i64) -> (Rotation, RefreshHash) {
    let next = token();
    (
        bench
            .store
            .rotate(presented, next, Doer::platform(), at(seconds))
            .await
            .unwrap(),
        next,
    )
}

fn is_rotated(rotation: &Rotation, of: SessionId) -> bool {
    matches!(rotation, Rotation::Rotated { session, .. } if *session == of)
}

async fn a_session_knows_its_person(bench: &Bench) {
    let user = bench.user("anna@example.com").await;
    let refresh = token();
    let id = SessionId::new();
    let session = NewSession {
        id,
        user: user.id,
        refresh,
        ip_address: None,
        user_agent: None,
        created_at: at(7),
    };
    let (_, hash) = bench.store.find_user_by_email(&user.email).await.unwrap().unwrap();
    // A password that is another one by the time the session would begin opens nothing.
    let other = Some(PasswordHash("v2:another".into()));
    let begun = bench
        .store
        .begin_session(session.clone(), other, deed(Action::UserLogin, 7))
        .await;
    assert!(matches!(begun, Err(StoreError::Conflict(_))), "{begun:?}");
    assert_eq!(bench.store.session_user(id, at(8)).await.unwrap(), None);
    bench
        .store
        .begin_session(session, Some(hash), deed(Action::UserLogin, 7))
        .await
        .unwrap();
    let found = bench.store.session_user(id, at(8)).await.unwrap().unwrap();
    assert_eq!((found.id, found.last_login_at), (user.id, Some(at(7))));

    let (other, _) = begin(bench, user.id, at(9)).await;
    let logout = || deed(Action::UserLogout, 9);
    assert!(bench.store.end_session(user.id, id, logout()).await.unwrap());
    assert_eq!(bench.store.session_user(id, at(10)).await.unwrap(), None);
    assert!(bench.store.session_user(other, at(10)).await.unwrap().is_some());
    assert_eq!(rotate(bench, refresh, 10).await.0, Rotation::Unknown);
    assert!(bench.store.end_sessions_of(user.id, logout()).await.unwrap());
    assert_eq!(bench.store.session_user(other, at(10)).await.unwrap(), None);
}

async fn a_token_is_exchanged_for_the_next(bench: &Bench) {
    let user = bench.user("anna@example.com").await;
    let (session, mut current) = begin(bench, user.id, at(0)).await;
    for i in 1..5 {
        let (rotation, next) = rotate(bench, current, i * 900).await;
        let Rotation::Rotated {
            session: of,
            user: whose,
            ends_at,
        } = rotation
        else {
            panic!("{rotation:?}")
        };
        assert_eq!((of, whose.id, ends_at), (session, user.id, at(30 * 86_400)));
        current = next;
    }
    assert_eq!(rotate(bench, token(), 0).await.0, Rotation::Unknown);
}

async fn two_tabs_may_race(bench: &Bench) {
    let user = bench.user("anna@example.com").await;
    let (session, first) = begin(bench, user.id, at(0)).await;
    let (one, _) = rotate(bench, first, 100).await;
    let (two, second) = rotate(bench, first, 110).await;
    assert!(is_rotated(&one, session) && is_rotated(&two, session));
    assert!(is_rotated(&rotate(bench, second, 111).await.0, session));
}

async fn reuse_ends_the_session(bench: &Bench) {
    let user = bench.user("anna@example.com").await;
    let (session, first) = begin(bench, user.id, at(0)).await;
    let (_, second) = rotate(bench, first, 100).await;
    assert_eq!(rotate(bench, first, 111).await.0, Rotation::Reused(session));
    assert_eq!(rotate(bench, second, 112).await.0, Rotation::Unknown);
    assert_eq!(bench.store.session_user(session, at(112)).await.unwrap(), None);
}

async fn reuse_after_the_child_was_used_ends_it_too(bench: &Bench) {
    let user = bench.user("anna@example.com").await;
    let (session, first) = begin(bench, user.id, at(0)).await;
    let (_, second) = rotate(bench, first, 100).await;
    let (_, third) = rotate(bench, second, 101).await;
    assert_eq!(rotate(bench, first, 102).await.0, Rotation::Reused(session));
    assert_eq!(rotate(bench, third, 103).await.0, Rotation::Unknown);
}

async fn time_ends_sessions(bench: &Bench) {
    let user = bench.user("anna@example.com").await;
    let day = 86_400;
    let (_, unused) = begin(bench, user.id, at(0)).await;
    assert_eq!(rotate(bench, unused, 7 * day).await.0, Rotation::Unknown);

    let (session, mut current) = begin(bench, user.id, at(0)).await;
    for i in 1..=5 {
        let (rotation, next) = rotate(bench, current, i * 6 * day - 1).await;
        assert!(is_rotated(&rotation, session), "day {}: {rotation:?}", i * 6);
        current = next;
    }
    assert!(
        bench
            .store
            .session_user(session, at(30 * day - 1))
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(bench.store.session_user(session, at(30 * day)).await.unwrap(), None);
    assert_eq!(rotate(bench, current, 30 * day).await.0, Rotation::Unknown);

    // A clock that jumped back harms nobody.
    let (session, first) = begin(bench, user.id, at(10 * day)).await;
    let (_, second) = rotate(bench, first, 10 * day + 5).await;
    assert!(is_rotated(&rotate(bench, first, 8 * day).await.0, session));
    assert!(is_rotated(&rotate(bench, second, 8 * day + 1).await.0, session));
}

async fn many_refreshes_at_once(bench: &Bench) {
    let user = bench.user("anna@example.com").await;
    let (session, first) = begin(bench, user.id, at(0)).await;
    let results = join_all((0..20).map(|_| rotate(bench, first, 100))).await;
    assert!(results.iter().all(|(rotation, _)| is_rotated(rotation, session)));
    assert!(is_rotated(&rotate(bench, results[7].1, 101).await.0, session));
    assert_eq!(rotate(bench, first, 102).await.0, Rotation::Reused(session));
}

async fn the_oldest_of_too_many_ends(bench: &Bench) {
    let user = bench.user("anna@example.com").await;
    let mut sessions = Vec::new();
    for i in 0..MAX_SESSIONS as i64 + 2 {
        sessions.push(begin(bench, user.id, at(i)).await.0);
    }
    for (i, session) in sessions.into_iter().enumerate() {
        let lives = bench.store.session_user(session, at(100)).await.unwrap().is_some();
        assert_eq!(lives, i >= 2, "session {i}");
    }
}

async fn the_inactive_are_nobody(bench: &Bench) {
    let user = bench.user("anna@example.com").await;
    let (session, first) = begin(bench, user.id, at(0)).await;
    assert_eq!(bench.run("UPDATE users SET is_active = FALSE").await, 1);
    assert_eq!(bench.store.session_user(session, at(1)).await.unwrap(), None);
    assert_eq!(rotate(bench, first, 1).await.0, Rotation::Unknown);
}

async fn s08_a_person_sees_and_ends_their_own_sessions_only(bench: &Bench) {
    let (anna, otto) = (
        bench.user("anna@example.com").await.id,
        bench.user("otto@example.com").await.id,
    );
    let day = 86_400;
    let (old, _) = begin(bench, anna, at(0)).await;
    let (used, token) = begin(bench, anna, at(1)).await;
    let (new, _) = begin(bench, anna, at(2)).await;
    let (other, _) = begin(bench, otto, at(3)).await;
    assert!(is_rotated(&rotate(bench, token, 100).await.0, used));
    let list = |user, seconds| async move {
        let sessions = bench.store.list_sessions(user, at(seconds)).await.unwrap();
        sessions.iter().map(|session| session.id).collect::<Vec<_>>()
    };
    assert_eq!(list(anna, 101).await, [used, new, old]);
    assert_eq!(list(otto, 101).await, [other]);
    let sessions = bench.store.list_sessions(anna, at(101)).await.unwrap();
    assert_eq!((sessions[0].created_at, sessions[0].last_used_at), (at(1), at(100)));
    assert_eq!(
        (sessions[0].ip_address.as_deref(), sessions[0].user_agent.as_deref()),
        (Some("127.0.0.1"), Some("Browser"))
    );
    // Seven days without use end a session, thirty days end any.
    assert_eq!(list(anna, 7 * day + 50).await, [used]);
    assert_eq!(list(otto, 30 * day + 3).await, []);

    let end = |user, session| {
        bench
            .store
            .end_session(user, session, deed(Action::UserSessionsRevoke, 200))
    };
    assert!(!end(anna, other).await.unwrap());
    assert!(end(anna, new).await.unwrap());
    assert!(!end(anna, new).await.unwrap());
    assert_eq!(list(anna, 201).await, [used, old]);
    let revoke = || deed(Action::UserSessionsRevoke, 300);
    assert!(bench.store.end_sessions_of(anna, revoke()).await.unwrap());
    assert!(bench.store.end_sessions_of(anna, revoke()).await.unwrap());
    assert!(!bench.store.end_sessions_of(UserId::new(), revoke()).await.unwrap());
    assert_eq!((list(anna, 301).await.len(), list(otto, 301).await.len()), (0, 1));
}
