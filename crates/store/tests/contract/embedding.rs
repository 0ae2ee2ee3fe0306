//! Changes of the embedding model: two spaces side by side, one transaction that switches, and what is removed after it.

use across::{
    audit::Action,
    fault::StoreError,
    id::{AssistantId, EmbeddingChangeId, FileId},
    jobs::{
        job::Job,
        queue::{Claimed, Lease, Queue as _},
    },
    kept::KeptValues as _,
    knowledge::{
        embedding::{Change, EmbeddingChanges as _, NewChange, Phase, Switched, Volume},
        file::KnowledgeStore as _,
    },
    providers::{model::EmbeddingModel, registry::SPACE_IN_USE},
    retrieval::vectors::{Collection, StoredVectors as _, VectorQuery, VectorStore as _},
    settings::SettingsStore as _,
};

use crate::bench::{Bench, SPACE, at, chunk, deed, words};

crate::contracts!(
    a_change_goes_from_one_space_to_the_other,
    a_file_of_before_the_switch_is_not_published_after_it,
    a_change_is_called_off_or_given_up,
);

const NEW: &str = "wide:3";

fn wide() -> EmbeddingModel {
    EmbeddingModel {
        id: "wide".into(),
        dimensions: 3,
    }
}

async fn begun(bench: &Bench, seconds: i64) -> Option<Change> {
    let new = NewChange {
        id: EmbeddingChangeId::new(),
        from: SPACE.into(),
        to: wide(),
        started_by: None,
    };
    bench
        .store
        .begin_change(new, deed(Action::EmbeddingChange, seconds))
        .await
        .unwrap()
}

async fn found(bench: &Bench, assistant: AssistantId, space: &str, vector: &[f32]) -> usize {
    let collection = Collection {
        space: space.into(),
        dimensions: vector.len(),
    };
    let query = VectorQuery {
        assistant,
        vector: vector.to_vec(),
        limit: 10,
    };
    bench.store.search(&collection, &query).await.unwrap().len()
}

/// Embeds everything that lacks vectors, every chunk in the same direction.
async fn embed(bench: &Bench, lease: Lease, change: EmbeddingChangeId) -> usize {
    let chunks = bench.store.chunks_without(NEW, 0, 100).await.unwrap();
    let vectors = chunks
        .iter()
        .map(|chunk| (chunk.number, vec![vec![0.0, 0.0, 1.0]]))
        .collect();
    bench.store.add_vectors(lease, change, vectors).await.unwrap();
    chunks.len()
}

async fn switch(bench: &Bench, lease: Lease, change: EmbeddingChangeId, seconds: i64) -> Switched {
    let switched = bench
        .store
        .switch_space(lease, change, deed(Action::EmbeddingSwitch, seconds));
    switched.await.unwrap()
}

async fn a_change_goes_from_one_space_to_the_other(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let old = [1.0, 0.0, 0.0, 0.0];
    bench.store.keep_once(SPACE_IN_USE, SPACE).await.unwrap();
    bench
        .ready(assistant, user, vec![words(0, "one"), words(1, "two")])
        .await;
    let volume = bench.store.volume().await.unwrap();
    assert_eq!(
        volume,
        Volume {
            files: 1,
            chunks: 2,
            tokens: 10
        }
    );

    let change = begun(bench, 10).await.unwrap();
    assert_eq!((change.phase, change.total, change.done), (Phase::Running, 2, 0));
    assert!(begun(bench, 11).await.is_none(), "one at a time");
    let Claimed { lease, job, .. } = bench.claim(12).await;
    assert_eq!(job, Job::ChangeEmbedding { change: change.id });
    assert_eq!(switch(bench, lease, change.id, 13).await, Switched::Incomplete);
    assert_eq!(embed(bench, lease, change.id).await, 2);
    // Again changes nothing, and so does a chunk that is gone.
    let again = vec![(1, vec![vec![0.0, 1.0, 0.0]]), (999_999, vec![vec![0.0, 1.0, 0.0]])];
    bench.store.add_vectors(lease, change.id, again).await.unwrap();
    assert_eq!(bench.store.promised_points().await.unwrap().len(), 2);
    assert_eq!(found(bench, assistant, SPACE, &old).await, 2);
    assert_eq!(bench.store.kept(SPACE_IN_USE).await.unwrap().as_deref(), Some(SPACE));

    // A file that comes meanwhile is missing, and so the switch waits for it.
    bench.ready(assistant, user, vec![words(0, "three")]).await;
    assert_eq!(switch(bench, lease, change.id, 14).await, Switched::Incomplete);
    assert_eq!(embed(bench, lease, change.id).await, 1);
    assert_eq!(switch(bench, lease, change.id, 15).await, Switched::Yes);
    assert_eq!(switch(bench, lease, change.id, 16).await, Switched::Over);
    bench.store.finish_job(lease).await.unwrap();

    assert_eq!(bench.store.kept(SPACE_IN_USE).await.unwrap().as_deref(), Some(NEW));
    let settings = bench.store.settings().await.unwrap();
    assert_eq!(settings.values["embedding_model"], "wide");
    let latest = bench.store.latest_change().await.unwrap().unwrap();
    assert_eq!((latest.phase, latest.finished_at), (Phase::Done, Some(at(15))));
    assert_eq!(found(bench, assistant, NEW, &[0.0, 0.0, 1.0]).await, 3);
    // Questions on their way still find what they look for; a minute later it is gone.
    assert_eq!(found(bench, assistant, SPACE, &old).await, 3);
    assert!(
        bench
            .store
            .claim(at(74), across::jobs::job::LEASE)
            .await
            .unwrap()
            .is_none()
    );
    let Claimed { lease, job, .. } = bench.claim(75).await;
    assert_eq!(job, Job::DropVectors);
    let idle = bench.store.idle_collections().await.unwrap();
    assert_eq!(idle.iter().map(|idle| idle.space.as_str()).collect::<Vec<_>>(), [SPACE]);
    bench.store.drop_idle_vectors(lease).await.unwrap();
    assert!(bench.store.idle_collections().await.unwrap().is_empty());
    assert_eq!(bench.store.promised_points().await.unwrap().len(), 1);
    assert_eq!(found(bench, assistant, NEW, &[0.0, 0.0, 1.0]).await, 3);
}

async fn a_file_of_before_the_switch_is_not_published_after_it(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    bench.store.keep_once(SPACE_IN_USE, SPACE).await.unwrap();
    bench.ready(assistant, user, vec![words(0, "one")]).await;
    let (late, claimed): (FileId, Claimed) = bench.accepted(assistant, user, "late").await;
    bench
        .store
        .add_chunks(claimed.lease, late, 1, SPACE, vec![words(0, "late")])
        .await
        .unwrap();

    let change = begun(bench, 10).await.unwrap();
    let other = bench.claim(12).await;
    embed(bench, other.lease, change.id).await;
    assert_eq!(switch(bench, other.lease, change.id, 13).await, Switched::Yes);
    let refused = bench.store.publish(claimed.lease, late, 1, at(14)).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    // The repeated attempt embeds it in the space that is in use now.
    assert_eq!(bench.store.chunks_written(late, 1, NEW).await.unwrap(), 0);
    bench.store.discard_chunks(claimed.lease, late, 1).await.unwrap();
    let anew = vec![chunk(0, "late", vec![vec![0.0, 0.0, 1.0]])];
    bench.store.add_chunks(claimed.lease, late, 1, NEW, anew).await.unwrap();
    bench.store.publish(claimed.lease, late, 1, at(15)).await.unwrap();
    assert_eq!(found(bench, assistant, NEW, &[0.0, 0.0, 1.0]).await, 2);
}

async fn a_change_is_called_off_or_given_up(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    bench.store.keep_once(SPACE_IN_USE, SPACE).await.unwrap();
    bench
        .ready(assistant, user, vec![words(0, "one"), words(1, "two")])
        .await;
    let cancelled = async |seconds| {
        let cancel = bench.store.cancel_change(deed(Action::EmbeddingCancel, seconds));
        cancel.await.unwrap()
    };
    assert!(!cancelled(9).await);

    let change = begun(bench, 10).await.unwrap();
    let Claimed { lease, .. } = bench.claim(12).await;
    embed(bench, lease, change.id).await;
    assert!(cancelled(13).await);
    // Its worker learns that nobody wants its work.
    let late = bench
        .store
        .add_vectors(lease, change.id, vec![(1, vec![vec![0.0, 0.0, 1.0]])])
        .await;
    assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
    let removal = bench.claim(80).await;
    assert_eq!(removal.job, Job::DropVectors);
    bench.store.drop_idle_vectors(removal.lease).await.unwrap();
    bench.store.finish_job(removal.lease).await.unwrap();
    assert_eq!(bench.store.promised_points().await.unwrap().len(), 1);

    let change = begun(bench, 90).await.unwrap();
    let Claimed { lease, attempt, .. } = bench.claim(92).await;
    assert_eq!(attempt, 1);
    // A turn that is over, or a step that was made, begins the count of attempts anew.
    bench.store.yield_job(lease, at(93)).await.unwrap();
    let Claimed { lease, attempt, .. } = bench.claim(94).await;
    assert_eq!(attempt, 1);
    bench
        .store
        .fail_change(lease, change.id, "No credit.", at(95))
        .await
        .unwrap();
    let failed = bench.store.latest_change().await.unwrap().unwrap();
    assert_eq!(
        (failed.phase, failed.problem.as_deref()),
        (Phase::Failed, Some("No credit."))
    );
    assert_eq!(bench.store.kept(SPACE_IN_USE).await.unwrap().as_deref(), Some(SPACE));
    assert!(begun(bench, 96).await.is_some());
}
