//! Settings: all or nothing, with a revision that only grows.

use std::collections::BTreeMap;

use across::{
    audit::{Action, AuditLog as _, Filter},
    fault::StoreError,
    page::PageRequest,
    settings::{Changed, Changes, LiveSettings, Settings, SettingsStore as _, Stored},
};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::bench::{Bench, deed};

crate::contracts!(
    nothing_is_set_at_first,
    changes_come_back_and_the_revision_only_grows,
    one_of_parallel_changes_with_the_same_revision_wins,
    a_change_with_a_mistake_changes_nothing,
    s66_a_change_of_settings_is_written_down,
);

fn changes(value: Value) -> Changes {
    let Value::Object(values) = value else {
        panic!("{value}")
    };
    values
        .into_iter()
        .map(|(key, value)| (key, (value != json!("default")).then_some(value)))
        .collect()
}

async fn change(bench: &Bench, value: Value, expected: Option<i64>) -> Changed {
    let deed = deed(Action::SettingsUpdate, 5);
    bench
        .store
        .change_settings(changes(value), expected, deed)
        .await
        .unwrap()
}

fn done(changed: Changed) -> Stored {
    match changed {
        Changed::Done(stored) => stored,
        Changed::Stale(revision) => panic!("it was changed meanwhile: {revision}"),
    }
}

async fn nothing_is_set_at_first(bench: &Bench) {
    assert_eq!(bench.store.settings().await.unwrap(), Stored::default());
    assert_eq!(bench.store.settings_revision().await.unwrap(), 0);
}

async fn changes_come_back_and_the_revision_only_grows(bench: &Bench) {
    let stored = done(change(bench, json!({"app_name": "Desk\0", "rag_top_k": 7}), Some(0)).await);
    let expected = BTreeMap::from([
        ("app_name".into(), json!("Desk\u{fffd}")),
        ("rag_top_k".into(), json!(7)),
    ]);
    assert_eq!((&stored.values, stored.revision), (&expected, 2));
    assert_eq!(bench.store.settings().await.unwrap(), stored);
    assert_eq!(change(bench, json!({"rag_top_k": 8}), Some(0)).await, Changed::Stale(2));

    // Back to the default, by name or by its value: the row stays, so the revision cannot come back to what it was.
    let stored = done(change(bench, json!({"app_name": "default", "rag_top_k": 5}), Some(2)).await);
    assert_eq!((stored.values.len(), stored.revision), (0, 4));
    assert_eq!(bench.store.settings_revision().await.unwrap(), 4);
    let stored = done(
        change(
            bench,
            json!({"app_name": "default", "default_model": null, "rag_top_k": 5}),
            None,
        )
        .await,
    );
    assert_eq!(stored.revision, 4, "what is set already changes nothing");
    let stored = done(
        change(
            bench,
            json!({"default_temperature": 1, "allowed_models": ["a", "b"]}),
            None,
        )
        .await,
    );
    assert_eq!(stored.revision, 6);

    let live = LiveSettings::default();
    live.refresh(&*bench.store).await.unwrap();
    let expected = Settings {
        default_temperature: 1.0,
        allowed_models: vec!["a".into(), "b".into()],
        ..Settings::default()
    };
    assert_eq!((&*live.get(), live.revision()), (&expected, 6));
}

async fn one_of_parallel_changes_with_the_same_revision_wins(bench: &Bench) {
    let another = bench.another().await;
    let keys = [
        "rag_top_k",
        "max_upload_mb",
        "chunk_size",
        "chunk_overlap",
        "conversation_retention_days",
    ];
    let tries = keys.iter().zip(0..).map(|(key, i)| {
        let store = if i % 2 == 0 { &*bench.store } else { &another };
        let change = BTreeMap::from([((*key).to_owned(), Some(json!(11)))]);
        store.change_settings(change, Some(0), deed(Action::SettingsUpdate, 0))
    });
    let results: Vec<_> = join_all(tries).await.into_iter().map(Result::unwrap).collect();
    let won = results
        .iter()
        .filter(|result| matches!(result, Changed::Done(_)))
        .count();
    let late = results
        .iter()
        .filter(|result| matches!(result, Changed::Stale(1)))
        .count();
    assert_eq!((won, late), (1, 4), "{results:?}");
    // Without an expectation each of them happens.
    let tries = keys.iter().map(|key| {
        let change = BTreeMap::from([((*key).to_owned(), Some(json!(12)))]);
        bench
            .store
            .change_settings(change, None, deed(Action::SettingsUpdate, 1))
    });
    assert!(join_all(tries).await.into_iter().all(|result| result.is_ok()));
    assert_eq!(bench.store.settings_revision().await.unwrap(), 6);
}

async fn a_change_with_a_mistake_changes_nothing(bench: &Bench) {
    let wrong = changes(json!({"app_name": "Desk", "no_such_setting": 1}));
    let result = bench
        .store
        .change_settings(wrong, None, deed(Action::SettingsUpdate, 0))
        .await;
    assert!(matches!(result, Err(StoreError::Conflict(_))), "{result:?}");
    assert_eq!(bench.store.settings().await.unwrap(), Stored::default());
}

async fn s66_a_change_of_settings_is_written_down(bench: &Bench) {
    change(bench, json!({"app_name": "Desk", "rag_top_k": 5}), None).await;
    change(bench, json!({"app_name": "Desk"}), None).await;
    change(bench, json!({"app_name": "Late"}), Some(77)).await;
    change(bench, json!({"app_name": "default", "chunk_size": 600}), None).await;
    let page = PageRequest { limit: 10, offset: 0 };
    let log = bench.store.list_audit(&Filter::default(), page).await.unwrap();
    let mut told: Vec<_> = log
        .items
        .into_iter()
        .map(|entry| {
            assert_eq!(
                (entry.action.as_str(), entry.resource_type.as_str(), entry.resource_id),
                ("settings.update", "settings", None)
            );
            (entry.old_values, entry.new_values)
        })
        .collect();
    told.sort_by_key(|(old, _)| old.as_ref().map(Value::to_string));
    assert_eq!(
        told,
        [
            (
                Some(json!({"app_name": "AI-Across"})),
                Some(json!({"app_name": "Desk"}))
            ),
            (
                Some(json!({"app_name": "Desk", "chunk_size": 512})),
                Some(json!({"app_name": "AI-Across", "chunk_size": 600}))
            ),
        ]
    );
}
