//! Migrations: from nothing to now, twice, by several at once; a newer database is refused.

use std::os::unix::fs::PermissionsExt as _;

use across_store::{OpenError, Options, SqlStore};
use futures::future::join_all;

use crate::bench::Bench;

async fn migrates(bench: Bench) {
    assert_eq!(bench.store.pending().await.unwrap().len(), 11);
    bench.store.migrate().await.unwrap();
    assert!(bench.store.pending().await.unwrap().is_empty());
    bench.store.migrate().await.unwrap();
    bench.user("anna@example.com").await;

    bench
        .run("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_from_the_future', 0)")
        .await;
    for refused in [bench.store.migrate().await, bench.store.pending().await.map(|_| ())] {
        match refused {
            Err(OpenError::NewerSchema(name)) => assert_eq!(name, "m9999_from_the_future"),
            other => panic!("{other:?}"),
        }
    }
    bench.tidy().await;
}

#[tokio::test]
async fn sqlite_migrates() {
    migrates(Bench::sqlite_bare().await).await;
}

#[tokio::test]
async fn postgres_migrates() {
    if let Some(bench) = Bench::postgres_bare().await {
        migrates(bench).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_processes_migrate_a_server_at_once() {
    if let Some(bench) = Bench::postgres_bare().await {
        let stores = [bench.another().await, bench.another().await, bench.another().await];
        for result in join_all(stores.iter().map(SqlStore::migrate)).await {
            result.unwrap();
        }
        bench.user("anna@example.com").await;
        bench.tidy().await;
    }
}

#[tokio::test]
async fn the_file_is_private() {
    let bench = Bench::sqlite().await;
    bench.user("anna@example.com").await;
    let data = bench.dir.path().join("data");
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for name in ["across.db", "across.db-wal", "across.db-shm"] {
        assert_eq!(mode(&data.join(name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn addresses_that_lead_nowhere_are_refused() {
    for bad in [
        "",
        "mysql://localhost/x",
        "sqlite://",
        "sqlite:///tmp/x?mode=rwc",
        "across.db",
    ] {
        let result = SqlStore::open(bad, Options::default()).await;
        assert!(matches!(result.err(), Some(OpenError::BadUrl(_))), "{bad:?}");
    }
    let result = SqlStore::open("sqlite:///proc/nowhere/x.db", Options::default()).await;
    assert!(matches!(result.err(), Some(OpenError::File(..))));
    let result = SqlStore::open("postgres://nobody@127.0.0.1:1/x", Options::default()).await;
    assert!(matches!(result.err(), Some(OpenError::Unreachable(_))));
}
