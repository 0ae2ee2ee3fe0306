//! Assistants: changed, archived, restored, found.

use across::{
    assistants::{Assistant, AssistantStore as _, Changed, Draft, Filter},
    audit::Action,
    id::AssistantId,
    page::PageRequest,
};
use futures::future::join_all;

use crate::bench::{Bench, at, deed, draft};

crate::contracts!(
    what_was_made_comes_back,
    versions_guard_changes,
    archived_ones_vanish_and_come_back,
    lists_are_ordered_and_cut,
    searches_ignore_case_and_patterns,
    one_of_many_changes_wins,
);

const ALL: PageRequest = PageRequest { limit: 100, offset: 0 };

fn done(changed: Changed) -> Assistant {
    match changed {
        Changed::Done(assistant) => *assistant,
        other => panic!("{other:?}"),
    }
}

async fn names(bench: &Bench, search: &str) -> Vec<String> {
    let filter = Filter {
        search: Some(search.into()),
        include_deleted: false,
    };
    let page = bench.store.list_assistants(&filter, ALL).await.unwrap();
    assert_eq!(page.total, page.items.len() as u64);
    page.items.into_iter().map(|assistant| assistant.draft.name).collect()
}

async fn what_was_made_comes_back(bench: &Bench) {
    let id = AssistantId::new();
    let full = Draft {
        model: Some("m".into()),
        avatar_url: Some("data:x".into()),
        temperature: 1.3,
        ..draft("Press")
    };
    let made = bench
        .store
        .create_assistant(id, full.clone(), deed(Action::AssistantCreate, 3))
        .await
        .unwrap();
    assert_eq!(
        (&made.draft, made.version, made.file_count, made.is_deleted),
        (&full, 1, 0, false)
    );
    assert_eq!((made.created_at, made.updated_at), (at(3), at(3)));
    assert_eq!(bench.store.find_assistant(id).await.unwrap(), Some(made));
    assert_eq!(bench.store.find_assistant(AssistantId::new()).await.unwrap(), None);
}

async fn versions_guard_changes(bench: &Bench) {
    let id = bench.assistant("Press").await;
    let store = &bench.store;
    let changed = done(
        store
            .update_assistant(id, draft("Poet"), Some(1), deed(Action::AssistantUpdate, 5))
            .await
            .unwrap(),
    );
    assert_eq!(
        (changed.draft.name.as_str(), changed.version, changed.updated_at),
        ("Poet", 2, at(5))
    );
    assert_eq!(
        store
            .update_assistant(id, draft("Late"), Some(1), deed(Action::AssistantUpdate, 6))
            .await
            .unwrap(),
        Changed::Stale(2)
    );
    assert_eq!(
        store
            .archive_assistant(id, Some(1), deed(Action::AssistantDelete, 6))
            .await
            .unwrap(),
        Changed::Stale(2)
    );
    assert_eq!(
        done(
            store
                .update_assistant(id, draft("Any"), None, deed(Action::AssistantUpdate, 7))
                .await
                .unwrap()
        )
        .version,
        3
    );
    let nobody = AssistantId::new();
    assert_eq!(
        store
            .update_assistant(nobody, draft("X"), None, deed(Action::AssistantUpdate, 7))
            .await
            .unwrap(),
        Changed::Missing
    );
}

async fn archived_ones_vanish_and_come_back(bench: &Bench) {
    let id = bench.assistant("Press").await;
    let store = &bench.store;
    assert_eq!(
        store
            .restore_assistant(id, deed(Action::AssistantRestore, 1))
            .await
            .unwrap(),
        Changed::WrongState
    );
    assert!(
        done(
            store
                .archive_assistant(id, None, deed(Action::AssistantDelete, 2))
                .await
                .unwrap()
        )
        .is_deleted
    );
    assert_eq!(
        store
            .archive_assistant(id, None, deed(Action::AssistantDelete, 3))
            .await
            .unwrap(),
        Changed::Missing
    );
    assert_eq!(
        store
            .update_assistant(id, draft("X"), None, deed(Action::AssistantUpdate, 3))
            .await
            .unwrap(),
        Changed::WrongState
    );
    assert!(names(bench, "").await.is_empty());
    let all = Filter {
        search: None,
        include_deleted: true,
    };
    assert_eq!(store.list_assistants(&all, ALL).await.unwrap().items[0].id, id);
    assert!(store.find_assistant(id).await.unwrap().unwrap().is_deleted);
    assert!(
        !done(
            store
                .restore_assistant(id, deed(Action::AssistantRestore, 4))
                .await
                .unwrap()
        )
        .is_deleted
    );
    assert_eq!(names(bench, "").await, ["Press"]);
}

async fn lists_are_ordered_and_cut(bench: &Bench) {
    for i in 0..7 {
        bench
            .store
            .create_assistant(
                AssistantId::new(),
                draft(&format!("A {i}")),
                deed(Action::AssistantCreate, i),
            )
            .await
            .unwrap();
    }
    let page = |limit, offset| async move {
        let page = bench
            .store
            .list_assistants(&Filter::default(), PageRequest { limit, offset })
            .await
            .unwrap();
        assert_eq!(page.total, 7);
        page.items
            .into_iter()
            .map(|assistant| assistant.draft.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(page(3, 0).await, ["A 6", "A 5", "A 4"]);
    assert_eq!(page(3, 6).await, ["A 0"]);
    assert!(page(3, 7).await.is_empty());
    assert!(page(3, u64::MAX).await.is_empty());
}

async fn searches_ignore_case_and_patterns(bench: &Bench) {
    for (i, name) in ["ÄRZTE 100%", "under_score", "Press \\ Writer", "ﬁnance"]
        .into_iter()
        .enumerate()
    {
        bench
            .store
            .create_assistant(
                AssistantId::new(),
                draft(name),
                deed(Action::AssistantCreate, -(i as i64)),
            )
            .await
            .unwrap();
    }
    for (search, expected) in [
        ("ärzte", vec!["ÄRZTE 100%"]),
        ("100%", vec!["ÄRZTE 100%"]),
        ("%%%%", vec![]),
        ("_", vec!["under_score"]),
        ("\\", vec!["Press \\ Writer"]),
        ("WRITER press", vec!["Press \\ Writer"]),
        ("releases writer", vec!["Press \\ Writer"]),
        ("finance", vec!["ﬁnance"]),
        ("' OR 1=1 --", vec![]),
        ("nothing like it", vec![]),
    ] {
        assert_eq!(names(bench, search).await, expected, "{search:?}");
    }
    assert_eq!(names(bench, "RELEASES").await.len(), 4);
    assert!(names(bench, &"_".repeat(100_000)).await.is_empty());
}

async fn one_of_many_changes_wins(bench: &Bench) {
    let id = bench.assistant("Press").await;
    let another = bench.another().await;
    let tries = (0..10).map(|i| {
        let store = if i % 2 == 0 { &*bench.store } else { &another };
        store.update_assistant(id, draft(&format!("By {i}")), Some(1), deed(Action::AssistantUpdate, 1))
    });
    let won = join_all(tries)
        .await
        .into_iter()
        .filter(|result| matches!(result, Ok(Changed::Done(_))))
        .count();
    assert_eq!(won, 1);
    assert_eq!(bench.store.find_assistant(id).await.unwrap().unwrap().version, 2);
}
