//! Knowledge files: accepted, worked on under a lease, published, processed again, deleted.

use across::{
    assistants::{self, Assistant, AssistantStore as _, Changed},
    audit::Action,
    fault::StoreError,
    id::{AssistantId, FileId},
    jobs::{
        job::{Job, LEASE},
        queue::{Lease, Queue as _},
    },
    knowledge::file::{
        Accepted, ExtractedText, Filter, KnowledgeStore as _, MAX_FILES_PER_ASSISTANT, NewChunk, Reprocess, Status,
        TextPage,
    },
    page::PageRequest,
    retrieval::passage::Passages as _,
};
use futures::{StreamExt as _, TryStreamExt as _, future::join_all, stream};

use crate::bench::{Bench, SPACE, at, deed, draft, new_file, words};

crate::contracts!(
    a_file_and_its_job_come_together,
    the_same_content_is_refused,
    there_is_a_limit,
    only_legal_steps,
    a_lost_lease_writes_nothing,
    a_repeated_job_goes_on,
    a_generation_appears_at_once,
    failure_keeps_the_old_generation,
    deleting_is_final,
    files_are_listed,
    stranded_files_get_a_job,
    uploads_of_the_same_race,
    all_files_at_rest_are_processed_again,
);

const ALL: PageRequest = PageRequest { limit: 100, offset: 0 };

async fn status(bench: &Bench, id: FileId) -> (Status, u8) {
    let (file, _) = bench.store.find_file(id).await.unwrap().unwrap();
    (file.status, file.progress)
}

/// How many files the assistant has, and how many of them nothing can be found in yet, as it and the list of all say.
async fn files_of(bench: &Bench, id: AssistantId) -> (u64, u64) {
    let files = |one: &Assistant| (one.file_count, one.reading_count);
    let found = bench.store.find_assistant(id).await.unwrap().unwrap();
    let list = bench.store.list_assistants(&assistants::Filter::default(), ALL).await;
    let list = list.unwrap().items;
    let listed = list.iter().find(|one| one.id == id).unwrap();
    assert_eq!(files(listed), files(&found));
    files(&found)
}

async fn texts(bench: &Bench, id: FileId) -> Vec<String> {
    let page = bench.store.list_chunks(id, ALL).await.unwrap().unwrap();
    assert_eq!(page.total, page.items.len() as u64);
    page.items.into_iter().map(|chunk| chunk.text).collect()
}

fn is_lost(result: &Result<(), StoreError>) -> bool {
    matches!(result, Err(StoreError::LeaseLost))
}

async fn a_file_and_its_job_come_together(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let (id, claimed) = bench.accepted(assistant, user, "content").await;
    let (file, archived) = bench.store.find_file(id).await.unwrap().unwrap();
    assert!(!archived);
    assert_eq!(
        (file.status, file.progress, file.generation, file.chunk_count),
        (Status::Processing, 0, 0, 0)
    );
    assert_eq!(
        (file.filename.as_str(), file.size, file.uploaded_by),
        ("content.txt", 7, Some(user))
    );
    assert_eq!(
        files_of(bench, assistant).await,
        (1, 1),
        "nothing can be found in it yet"
    );
    let renaming = bench
        .store
        .update_assistant(assistant, draft("Print"), None, deed(Action::AssistantUpdate, 1))
        .await;
    let Changed::Done(renamed) = renaming.unwrap() else {
        panic!("it could not be renamed");
    };
    assert_eq!((renamed.file_count, renamed.reading_count), (1, 1));
    assert_eq!(bench.store.known_blobs().await.unwrap(), [id]);
    assert_eq!(texts(bench, id).await, [""; 0]);
    assert_eq!(bench.store.file_text(id).await.unwrap(), None);

    let text = ExtractedText {
        text: "Ä\0B".into(),
        pages: vec![TextPage {
            number: 1,
            start: 0,
            end: 3,
        }],
    };
    bench.store.save_text(claimed.lease, id, 1, &text).await.unwrap();
    bench.store.save_text(claimed.lease, id, 1, &text).await.unwrap();
    let headed = NewChunk {
        heading: Some("Plan › Launch\0".into()),
        ..words(1, "two")
    };
    assert_eq!(headed.searchable(), "Plan › Launch\0\n\ntwo");
    bench
        .store
        .add_chunks(claimed.lease, id, 1, SPACE, vec![words(0, "one"), headed])
        .await
        .unwrap();
    bench.store.publish(claimed.lease, id, 1, at(9)).await.unwrap();
    let (file, _) = bench.store.find_file(id).await.unwrap().unwrap();
    assert_eq!(
        (file.status, file.progress, file.generation, file.chunk_count),
        (Status::Ready, 100, 1, 2)
    );
    assert_eq!(files_of(bench, assistant).await, (1, 0));
    assert_eq!(file.updated_at, at(9));
    assert_eq!(texts(bench, id).await, ["one", "two"]);
    let chunks = bench.store.list_chunks(id, ALL).await.unwrap().unwrap().items;
    let passages = bench.store.passages(assistant, &[chunks[1].id]).await.unwrap();
    let expected = Some("Plan › Launch\u{fffd}".to_owned());
    assert_eq!(
        (&chunks[0].heading, &chunks[1].heading, &passages[0].heading),
        (&None, &expected, &expected)
    );
    let kept = bench.store.file_text(id).await.unwrap().unwrap();
    assert_eq!((kept.text.as_str(), kept.pages), ("Ä\u{fffd}B", text.pages));

    bench
        .store
        .archive_assistant(assistant, None, deed(Action::AssistantDelete, 10))
        .await
        .unwrap();
    assert!(bench.store.find_file(id).await.unwrap().unwrap().1);
    let late = bench
        .store
        .accept_file(new_file(assistant, user, "late"), deed(Action::FileCreate, 0))
        .await
        .unwrap();
    assert_eq!(late, Accepted::NoAssistant);
    let nowhere = bench
        .store
        .accept_file(new_file(AssistantId::new(), user, "late"), deed(Action::FileCreate, 0))
        .await
        .unwrap();
    assert_eq!(nowhere, Accepted::NoAssistant);
}

async fn the_same_content_is_refused(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let (assistant, other) = (bench.assistant("Press").await, bench.assistant("Other").await);
    let (first, claimed) = bench.accepted(assistant, user, "same").await;
    let again = || {
        bench
            .store
            .accept_file(new_file(assistant, user, "same"), deed(Action::FileCreate, 0))
    };
    assert_eq!(again().await.unwrap(), Accepted::Duplicate(first));
    assert!(matches!(
        bench
            .store
            .accept_file(new_file(other, user, "same"), deed(Action::FileCreate, 0))
            .await
            .unwrap(),
        Accepted::Yes(_)
    ));
    bench.store.fail_file(claimed.lease, first, "bad", at(1)).await.unwrap();
    let Accepted::Yes(second) = again().await.unwrap() else {
        panic!("a file in error does not count")
    };
    assert_eq!(again().await.unwrap(), Accepted::Duplicate(second.id));
    bench
        .store
        .delete_file(second.id, deed(Action::FileDelete, 2))
        .await
        .unwrap();
    assert!(matches!(again().await.unwrap(), Accepted::Yes(_)));
}

async fn there_is_a_limit(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let (assistant, other) = (bench.assistant("Press").await, bench.assistant("Other").await);
    let files = (0..MAX_FILES_PER_ASSISTANT).map(|i| {
        bench
            .store
            .accept_file(new_file(assistant, user, &i.to_string()), deed(Action::FileCreate, 0))
    });
    let results: Vec<_> = stream::iter(files).buffer_unordered(8).try_collect().await.unwrap();
    assert!(results.iter().all(|result| matches!(result, Accepted::Yes(_))));
    let more = |to| {
        bench
            .store
            .accept_file(new_file(to, user, "one too many"), deed(Action::FileCreate, 0))
    };
    assert_eq!(more(assistant).await.unwrap(), Accepted::TooMany);
    assert!(matches!(more(other).await.unwrap(), Accepted::Yes(_)));
}

async fn only_legal_steps(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let (id, claimed) = bench.accepted(assistant, user, "content").await;
    let step = |to, progress| bench.store.set_progress(claimed.lease, id, to, progress, at(1));
    step(Status::Indexing, 40).await.unwrap();
    assert_eq!(status(bench, id).await, (Status::Indexing, 40));
    // A repeated job begins again.
    step(Status::Processing, 0).await.unwrap();
    step(Status::Indexing, 255).await.unwrap();
    assert_eq!(status(bench, id).await, (Status::Indexing, 100));
    for illegal in [Status::Ready, Status::Error, Status::Uploading] {
        assert!(
            matches!(step(illegal, 1).await, Err(StoreError::Conflict(_))),
            "{illegal:?}"
        );
    }
    assert_eq!(
        bench.store.reprocess(id, deed(Action::FileReprocess, 1)).await.unwrap(),
        Reprocess::Moving
    );
    assert_eq!(
        bench
            .store
            .reprocess(FileId::new(), deed(Action::FileReprocess, 1))
            .await
            .unwrap(),
        Reprocess::Missing
    );
    bench
        .store
        .fail_file(claimed.lease, id, "Unreadable.", at(2))
        .await
        .unwrap();
    let (file, _) = bench.store.find_file(id).await.unwrap().unwrap();
    assert_eq!(
        (file.status, file.error_message.as_deref()),
        (Status::Error, Some("Unreadable."))
    );
    assert!(matches!(
        step(Status::Processing, 0).await,
        Err(StoreError::Conflict(_))
    ));
    bench.store.finish_job(claimed.lease).await.unwrap();

    let Reprocess::Queued(file) = bench.store.reprocess(id, deed(Action::FileReprocess, 3)).await.unwrap() else {
        panic!("not queued")
    };
    assert_eq!((file.status, file.error_message), (Status::Processing, None));
    let again = bench.claim(3).await;
    assert_eq!(
        again.job,
        Job::Ingest {
            file: id,
            generation: 2
        }
    );
}

async fn a_lost_lease_writes_nothing(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let (id, claimed) = bench.accepted(assistant, user, "content").await;
    let successor = bench.claim(100).await;
    let old: Lease = claimed.lease;
    let text = ExtractedText {
        text: "stale".into(),
        pages: Vec::new(),
    };
    let store = &bench.store;
    assert!(is_lost(&store.set_progress(old, id, Status::Indexing, 1, at(1)).await));
    assert!(is_lost(&store.save_text(old, id, 1, &text).await));
    assert!(is_lost(
        &store.add_chunks(old, id, 1, SPACE, vec![words(0, "stale")]).await
    ));
    assert!(is_lost(&store.discard_chunks(old, id, 1).await));
    assert!(is_lost(&store.publish(old, id, 1, at(1)).await));
    assert!(is_lost(&store.fail_file(old, id, "stale", at(1)).await));
    assert!(is_lost(&store.purge_file(old, id).await));
    assert_eq!(status(bench, id).await, (Status::Processing, 0));
    assert_eq!(store.chunks_written(id, 1, SPACE).await.unwrap(), 0);
    store
        .add_chunks(successor.lease, id, 1, SPACE, vec![words(0, "mine")])
        .await
        .unwrap();
    assert_eq!(store.chunks_written(id, 1, SPACE).await.unwrap(), 1);
}

async fn a_repeated_job_goes_on(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let (id, claimed) = bench.accepted(assistant, user, "content").await;
    let store = &bench.store;
    let add = |chunks| store.add_chunks(claimed.lease, id, 1, SPACE, chunks);
    add((0..3).map(|i| words(i, "a")).collect()).await.unwrap();
    add(vec![words(4, "after a gap")]).await.unwrap();
    assert_eq!(store.chunks_written(id, 1, SPACE).await.unwrap(), 3);
    assert_eq!(store.chunks_written(id, 1, "other").await.unwrap(), 0);
    assert_eq!(store.chunks_written(id, 2, SPACE).await.unwrap(), 0);
    add(vec![words(2, "again"), words(3, "b")]).await.unwrap();
    assert_eq!(store.chunks_written(id, 1, SPACE).await.unwrap(), 5);
    store.publish(claimed.lease, id, 1, at(1)).await.unwrap();
    assert_eq!(texts(bench, id).await, ["a", "a", "again", "b", "after a gap"]);
    // What is published cannot be changed by whoever still holds the lease; publishing it again is fine.
    assert!(matches!(add(vec![words(0, "x")]).await, Err(StoreError::Conflict(_))));
    assert!(matches!(
        store.discard_chunks(claimed.lease, id, 1).await,
        Err(StoreError::Conflict(_))
    ));
    store.publish(claimed.lease, id, 1, at(2)).await.unwrap();
    assert_eq!(texts(bench, id).await.len(), 5);
    let bad = vec![crate::bench::chunk(0, "x", vec![vec![f32::NAN]])];
    assert!(matches!(
        store.add_chunks(claimed.lease, id, 2, SPACE, bad).await,
        Err(StoreError::Conflict(_))
    ));
}

async fn a_generation_appears_at_once(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let file = bench
        .ready(assistant, user, vec![words(0, "old one"), words(1, "old two")])
        .await;
    bench
        .store
        .reprocess(file, deed(Action::FileReprocess, 3))
        .await
        .unwrap();
    let claimed = bench.claim(3).await;
    let many: Vec<_> = (0..1_200).map(|i| words(i, "new")).collect();
    bench
        .store
        .add_chunks(claimed.lease, file, 2, SPACE, many)
        .await
        .unwrap();
    assert_eq!(texts(bench, file).await, ["old one", "old two"]);
    assert_eq!(files_of(bench, assistant).await, (1, 0), "it is found as it was");
    assert_eq!(
        bench.store.file_text(file).await.unwrap().unwrap().text,
        "old oneold two"
    );
    bench.store.publish(claimed.lease, file, 2, at(4)).await.unwrap();
    let page = bench
        .store
        .list_chunks(
            file,
            PageRequest {
                limit: 2,
                offset: 1_199,
            },
        )
        .await
        .unwrap()
        .unwrap();
    assert_eq!((page.total, page.items.len(), page.items[0].index), (1_200, 1, 1_199));
    assert_eq!(bench.run("DELETE FROM chunks WHERE generation = 1").await, 0);
    assert_eq!(bench.store.find_file(file).await.unwrap().unwrap().0.chunk_count, 1_200);
}

async fn failure_keeps_the_old_generation(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let file = bench.ready(assistant, user, vec![words(0, "old")]).await;
    bench
        .store
        .reprocess(file, deed(Action::FileReprocess, 3))
        .await
        .unwrap();
    let claimed = bench.claim(3).await;
    bench
        .store
        .add_chunks(claimed.lease, file, 2, SPACE, vec![words(0, "half")])
        .await
        .unwrap();
    bench.store.fail_file(claimed.lease, file, "No.", at(4)).await.unwrap();
    bench.store.finish_job(claimed.lease).await.unwrap();
    assert_eq!(texts(bench, file).await, ["old"]);
    assert_eq!(status(bench, file).await.0, Status::Error);
    assert_eq!(bench.store.chunks_written(file, 2, SPACE).await.unwrap(), 0);
    // The next attempt is a generation of its own.
    bench
        .store
        .reprocess(file, deed(Action::FileReprocess, 5))
        .await
        .unwrap();
    assert_eq!(bench.claim(5).await.job, Job::Ingest { file, generation: 3 });
}

async fn deleting_is_final(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let (id, claimed) = bench.accepted(assistant, user, "content").await;
    bench
        .store
        .add_chunks(claimed.lease, id, 1, SPACE, vec![words(0, "x")])
        .await
        .unwrap();
    assert!(bench.store.delete_file(id, deed(Action::FileDelete, 1)).await.unwrap());
    assert!(!bench.store.delete_file(id, deed(Action::FileDelete, 2)).await.unwrap());
    assert!(
        !bench
            .store
            .delete_file(FileId::new(), deed(Action::FileDelete, 2))
            .await
            .unwrap()
    );

    let store = &bench.store;
    assert!(is_lost(&store.publish(claimed.lease, id, 1, at(2)).await));
    assert!(is_lost(&store.finish_job(claimed.lease).await));
    assert_eq!(store.find_file(id).await.unwrap(), None);
    assert_eq!(store.list_chunks(id, ALL).await.unwrap(), None);
    assert_eq!(store.file_text(id).await.unwrap(), None);
    assert_eq!(
        store.reprocess(id, deed(Action::FileReprocess, 2)).await.unwrap(),
        Reprocess::Missing
    );
    assert_eq!(store.list_files(&Filter::default(), ALL).await.unwrap().total, 0);
    assert_eq!(files_of(bench, assistant).await, (0, 0));
    assert!(store.known_blobs().await.unwrap().is_empty());

    let purge = bench.claim(2).await;
    assert_eq!(purge.job, Job::PurgeFile { file: id });
    store.purge_file(purge.lease, id).await.unwrap();
    store.purge_file(purge.lease, id).await.unwrap();
    store.finish_job(purge.lease).await.unwrap();
    assert_eq!(store.claim(at(10_000), LEASE).await.unwrap(), None);
    assert_eq!(bench.run("DELETE FROM knowledge_files").await, 0);
    assert_eq!(bench.run("DELETE FROM chunks").await, 0);
}

async fn files_are_listed(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let (assistant, other) = (bench.assistant("Press").await, bench.assistant("Other").await);
    for (i, (to, name)) in [(assistant, "Ärzte 100%"), (assistant, "b_c"), (other, "ärzte two")]
        .into_iter()
        .enumerate()
    {
        let mut file = new_file(to, user, name);
        file.created_at = at(i as i64);
        bench
            .store
            .accept_file(file, deed(Action::FileCreate, 0))
            .await
            .unwrap();
    }
    bench
        .store
        .archive_assistant(other, None, deed(Action::AssistantDelete, 9))
        .await
        .unwrap();
    let names = |filter: Filter| async move {
        let page = bench.store.list_files(&filter, ALL).await.unwrap();
        assert_eq!(page.total, page.items.len() as u64);
        page.items.into_iter().map(|file| file.filename).collect::<Vec<_>>()
    };
    let base = || Filter {
        include_archived: true,
        ..Filter::default()
    };
    assert_eq!(names(base()).await, ["ärzte two.txt", "b_c.txt", "Ärzte 100%.txt"]);
    assert_eq!(names(Filter::default()).await, ["b_c.txt", "Ärzte 100%.txt"]);
    assert_eq!(
        names(Filter {
            assistant: Some(other),
            ..base()
        })
        .await,
        ["ärzte two.txt"]
    );
    assert_eq!(
        names(Filter {
            search: Some("ÄRZTE".into()),
            ..base()
        })
        .await
        .len(),
        2
    );
    assert_eq!(
        names(Filter {
            search: Some("0%".into()),
            ..base()
        })
        .await,
        ["Ärzte 100%.txt"]
    );
    assert_eq!(
        names(Filter {
            search: Some("_".into()),
            ..base()
        })
        .await,
        ["b_c.txt"]
    );
    assert_eq!(
        names(Filter {
            status: Some(Status::Processing),
            ..base()
        })
        .await
        .len(),
        3
    );
    assert_eq!(
        names(Filter {
            status: Some(Status::Ready),
            ..base()
        })
        .await,
        [""; 0]
    );
}

async fn stranded_files_get_a_job(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let ready = bench.ready(assistant, user, vec![words(0, "x")]).await;
    let (moving, _) = bench.accepted(assistant, user, "moving").await;
    let (deleted, _) = bench.accepted(assistant, user, "deleted").await;
    bench
        .store
        .delete_file(deleted, deed(Action::FileDelete, 1))
        .await
        .unwrap();
    assert_eq!(bench.store.adopt_stranded(at(2)).await.unwrap(), 0);
    bench.run("DELETE FROM jobs").await;
    assert_eq!(bench.store.adopt_stranded(at(2)).await.unwrap(), 2);
    assert_eq!(bench.store.adopt_stranded(at(2)).await.unwrap(), 0);
    let jobs = [bench.claim(2).await.job, bench.claim(2).await.job];
    assert!(jobs.contains(&Job::Ingest {
        file: moving,
        generation: 1
    }));
    assert!(jobs.contains(&Job::PurgeFile { file: deleted }));
    assert_eq!(status(bench, ready).await.0, Status::Ready);
}

async fn uploads_of_the_same_race(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let another = bench.another().await;
    let uploads = (0..10).map(|i| {
        let store = if i % 2 == 0 { &*bench.store } else { &another };
        store.accept_file(new_file(assistant, user, "same"), deed(Action::FileCreate, 0))
    });
    let results = join_all(uploads).await;
    assert_eq!(
        results
            .iter()
            .filter(|result| matches!(result, Ok(Accepted::Yes(_))))
            .count(),
        1
    );
    assert_eq!(
        results
            .iter()
            .filter(|result| matches!(result, Ok(Accepted::Duplicate(_))))
            .count(),
        9
    );
}

async fn all_files_at_rest_are_processed_again(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let (press, poet) = (bench.assistant("Press").await, bench.assistant("Poet").await);
    let ready = bench.ready(press, user, vec![words(0, "one"), words(1, "two")]).await;
    let elsewhere = bench.ready(poet, user, vec![words(0, "three")]).await;
    let deleted = bench.ready(press, user, vec![words(0, "four")]).await;
    let gone = deed(Action::FileDelete, 2);
    bench.store.delete_file(deleted, gone).await.unwrap();
    let purge = bench.claim(2).await;
    bench.store.finish_job(purge.lease).await.unwrap();
    let (moving, claimed) = bench.accepted(press, user, "moving").await;
    let again = |assistant, seconds| {
        bench
            .store
            .reprocess_all(assistant, false, deed(Action::FileReprocess, seconds))
    };
    assert_eq!(again(Some(press), 3).await.unwrap(), 1);
    assert_eq!(status(bench, ready).await, (Status::Processing, 0));
    assert_eq!(status(bench, elsewhere).await.0, Status::Ready);
    assert_eq!(
        texts(bench, ready).await,
        ["one", "two"],
        "the old chunks serve meanwhile"
    );
    let job = bench.claim(4).await;
    assert_eq!(
        job.job,
        Job::Ingest {
            file: ready,
            generation: 2
        }
    );
    bench.fill(ready, &job, 2, vec![words(0, "new")]).await;
    assert_eq!(texts(bench, ready).await, ["new"]);
    // One that failed is at rest as well; files of archived assistants are not left out.
    bench
        .store
        .fail_file(claimed.lease, moving, "unreadable", at(5))
        .await
        .unwrap();
    bench.store.finish_job(claimed.lease).await.unwrap();
    let archived = deed(Action::AssistantDelete, 5);
    bench.store.archive_assistant(poet, None, archived).await.unwrap();
    let failed = deed(Action::FileReprocess, 6);
    assert_eq!(bench.store.reprocess_all(Some(poet), true, failed).await.unwrap(), 0);
    let failed = deed(Action::FileReprocess, 6);
    assert_eq!(bench.store.reprocess_all(None, true, failed).await.unwrap(), 1);
    assert_eq!(again(None, 6).await.unwrap(), 2);
    assert_eq!(again(None, 6).await.unwrap(), 0);
    let (file, _) = bench.store.find_file(moving).await.unwrap().unwrap();
    assert_eq!((file.status, file.error_message), (Status::Processing, None));
}
