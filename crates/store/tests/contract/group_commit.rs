//! Writes that share commits: all of them durable, none harmed by another, none lost with its caller.

use std::time::Duration;

use across::{
    audit::Action,
    fault::StoreError,
    identity::user::{Email, UserFilter, UserStore as _},
    kept::KeptValues as _,
    page::PageRequest,
};
use futures::future::join_all;
use sea_orm::{ConnectionTrait as _, Database, TransactionTrait as _};

use crate::bench::{Bench, deed, new_user};

crate::contracts!(
    parallel_writes_are_all_there,
    a_failing_write_harms_no_other,
    a_caller_may_go_away,
    a_reader_may_go_away,
);

fn email(i: usize) -> Email {
    Email::parse(&format!("user{i}@example.com")).unwrap()
}

async fn parallel_writes_are_all_there(bench: &Bench) {
    let writes = (0..100).map(|i| {
        bench
            .store
            .create_user(new_user(&format!("user{i}@example.com")), deed(Action::UserCreate, 0))
    });
    for result in join_all(writes).await {
        result.unwrap();
    }
    let fresh = bench.another().await;
    for i in 0..100 {
        assert!(fresh.find_user_by_email(&email(i)).await.unwrap().is_some(), "user {i}");
    }
}

async fn a_failing_write_harms_no_other(bench: &Bench) {
    // Every address twice, so that half of each group fails.
    let writes = (0..60).map(|i| {
        bench.store.create_user(
            new_user(&format!("user{}@example.com", i % 30)),
            deed(Action::UserCreate, 0),
        )
    });
    let results = join_all(writes).await;
    let conflicts = results
        .iter()
        .filter(|result| matches!(result, Err(StoreError::Conflict(_))))
        .count();
    assert_eq!(
        (conflicts, results.iter().filter(|result| result.is_ok()).count()),
        (30, 30)
    );
    for i in 0..30 {
        assert!(
            bench.store.find_user_by_email(&email(i)).await.unwrap().is_some(),
            "user {i}"
        );
    }
}

async fn a_caller_may_go_away(bench: &Bench) {
    let writes: Vec<_> = (0..40)
        .map(|i| {
            let store = bench.store.clone();
            tokio::spawn(async move {
                store
                    .create_user(new_user(&format!("user{i}@example.com")), deed(Action::UserCreate, 0))
                    .await
            })
        })
        .collect();
    for (i, write) in writes.into_iter().enumerate() {
        if i % 2 == 0 {
            write.abort();
        } else {
            write.await.unwrap().unwrap();
            assert!(
                bench.store.find_user_by_email(&email(i)).await.unwrap().is_some(),
                "user {i}"
            );
        }
    }
    assert_eq!(bench.store.keep_once("after", "all").await.unwrap(), "all");
}

/// A reader who goes away while its transaction begins must not leave that open for the next one.
async fn a_reader_may_go_away(bench: &Bench) {
    let page = PageRequest { limit: 10, offset: 0 };
    let list = || {
        let store = bench.store.clone();
        async move { store.list_users(&UserFilter::default(), page).await }
    };
    for _ in 0..20 {
        let reads: Vec<_> = (0..20).map(|_| tokio::spawn(list())).collect();
        for (i, read) in reads.into_iter().enumerate() {
            if i % 3 == 0 {
                read.await.unwrap().unwrap();
            } else {
                tokio::task::yield_now().await;
                read.abort();
            }
        }
    }
    for _ in 0..30 {
        list().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_locking_the_file_is_waited_for_but_not_for_ever() {
    let bench = Bench::sqlite().await;
    let other = Database::connect(&bench.url).await.unwrap();
    let lock = other.begin().await.unwrap();
    lock.execute_unprepared("UPDATE users SET name = name").await.unwrap();

    let started = std::time::Instant::now();
    let writes = (0..10).map(|i| {
        bench
            .store
            .create_user(new_user(&format!("user{i}@example.com")), deed(Action::UserCreate, 0))
    });
    for result in join_all(writes).await {
        assert!(matches!(result, Err(StoreError::Busy)), "{result:?}");
    }
    let waited = started.elapsed();
    // One wait for all of them, with room for a machine that has other things to do.
    assert!(waited < Duration::from_secs(20), "{waited:?}");
    assert_eq!(bench.store.find_user_by_email(&email(1)).await.unwrap(), None);

    lock.rollback().await.unwrap();
    bench.user("user1@example.com").await;
}
