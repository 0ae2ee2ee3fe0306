//! Numbers over all tables, and the queue as administrators see it.

use across::{
    assistants::AssistantStore as _,
    audit::Action,
    conversations::conversation::{Begun, ConversationStore as _},
    id::ApiKeyId,
    knowledge::file::{Kind, KnowledgeStore as _, Status},
    page::PageRequest,
    platform::{Counts, Holdings, Statistics as _, Subject},
    providers::{
        key::{ApiKeyStore as _, NewApiKey},
        model::ProviderKind,
    },
};

use crate::bench::{Bench, SPACE, at, deed, turn, words};

crate::contracts!(
    everything_is_counted,
    the_queue_is_listed_oldest_first,
    knowledge_is_counted,
);

async fn everything_is_counted(bench: &Bench) {
    assert_eq!(bench.store.counts(at(0)).await.unwrap(), Counts::default());
    assert!(bench.store.files_by_status().await.unwrap().is_empty());
    let anna = bench.user("anna@example.com").await.id;
    let press = bench.assistant("Press").await;
    let old = bench.assistant("Old").await;
    bench
        .store
        .archive_assistant(old, None, deed(Action::AssistantDelete, 1))
        .await
        .unwrap();
    bench.ready(press, anna, vec![words(0, "some words")]).await;
    bench.accepted(press, anna, "more").await;
    for seconds in [10, 20] {
        let conversation = bench.conversation(anna, press).await;
        let begun = bench
            .store
            .begin_turn(turn(anna, conversation, "q", seconds))
            .await
            .unwrap();
        assert!(matches!(begun, Begun::Yes(_)));
    }
    for (name, is_active) in [("one", true), ("two", true), ("three", false)] {
        let id = ApiKeyId::new();
        let key = NewApiKey {
            id,
            provider: ProviderKind::OpenAi,
            name: name.into(),
            sealed: "sealed".into(),
            hint: None,
            is_default: false,
            is_active,
            custom: None,
        };
        bench
            .store
            .create_key(key, deed(Action::ApiKeyCreate, 1))
            .await
            .unwrap();
        if name != "one" {
            bench
                .store
                .note_key(id, Some("unauthorized".into()), at(2))
                .await
                .unwrap();
        }
    }
    let counts = bench.store.counts(at(15)).await.unwrap();
    let expected = Counts {
        users: 1,
        active_users: 1,
        assistants: 2,
        deleted_assistants: 1,
        conversations: 2,
        messages_since: 2,
        active_keys: 2,
        failing_keys: 1,
    };
    assert_eq!(counts, expected);
    let mut files = bench.store.files_by_status().await.unwrap();
    files.sort_by_key(|(status, _)| status.as_str());
    let total: u64 = files.iter().map(|(_, files)| files).sum();
    assert!(files.contains(&(Status::Ready, 1)) && total == 2, "{files:?}");
}

async fn knowledge_is_counted(bench: &Bench) {
    let anna = bench.user("anna@example.com").await.id;
    let (press, other) = (bench.assistant("Press").await, bench.assistant("Other").await);
    assert_eq!(bench.store.holdings(press).await.unwrap(), Holdings::default());
    bench.ready(press, anna, vec![words(0, "one"), words(1, "two")]).await;
    bench.ready(press, anna, vec![words(0, "three")]).await;
    bench.ready(other, anna, vec![words(0, "four")]).await;
    let (waiting, claimed) = bench.accepted(press, anna, "waiting").await;
    // What is not published is not found, and not counted.
    let unseen = vec![words(0, "unseen")];
    bench
        .store
        .add_chunks(claimed.lease, waiting, 1, SPACE, unseen)
        .await
        .unwrap();
    let expected = Holdings {
        files: vec![(Status::Processing, Kind::Txt, 1), (Status::Ready, Kind::Txt, 2)],
        bytes: 36 + 36 + 7,
        chunks: 3,
        tokens: 15,
        pages: 3,
        spaces: vec![(SPACE.to_owned(), 3)],
        last_indexed: Some(at(1)),
    };
    assert_eq!(bench.store.holdings(press).await.unwrap(), expected);
}

async fn the_queue_is_listed_oldest_first(bench: &Bench) {
    let anna = bench.user("anna@example.com").await.id;
    let press = bench.assistant("Press").await;
    let (file, claimed) = bench.accepted(press, anna, "content").await;
    bench.accepted(press, anna, "another").await;
    let all = PageRequest { limit: 10, offset: 0 };
    let page = bench.store.list_jobs(all).await.unwrap();
    assert_eq!((page.items.len(), page.total), (2, 2));
    assert!(page.items[0].created_at <= page.items[1].created_at);
    let job = page.items.iter().find(|job| job.id == claimed.lease.job).unwrap();
    assert_eq!((job.kind.as_str(), job.file), ("ingest", Some(file)));
    assert_eq!((job.is_claimed, job.attempt, job.last_error.clone()), (true, 1, None));
    let subject = Subject {
        filename: "content.txt".into(),
        assistant: press,
        assistant_name: "Press".into(),
        status: Status::Processing,
        progress: 0,
    };
    assert_eq!((job.subject.as_ref(), job.waits), (Some(&subject), None));
    let part = PageRequest { limit: 1, offset: 1 };
    let page = bench.store.list_jobs(part).await.unwrap();
    assert_eq!((page.items.len(), page.total), (1, 2));
}
