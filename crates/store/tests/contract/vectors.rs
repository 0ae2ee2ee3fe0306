//! The embedded vector store: exact, within its scope, never out of date, unharmed by damaged rows.

use across::{
    audit::Action,
    id::{AssistantId, FileId},
    jobs::job::Job,
    knowledge::file::{KnowledgeStore as _, Reprocess},
    page::PageRequest,
    retrieval::{
        passage::Passages as _,
        vectors::{Collection, Match, VectorError, VectorQuery, VectorStore as _},
    },
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use crate::bench::{Bench, SPACE, at, chunk, deed};

crate::contracts!(
    agrees_with_a_naive_scan,
    the_best_piece_counts,
    the_scope_never_leaks,
    what_changes_is_seen_at_once,
    damaged_vectors_are_left_out,
    hits_are_checked_again,
    what_is_stored_is_told_as_points,
);

async fn nearest(bench: &Bench, assistant: AssistantId, vector: &[f32], limit: usize) -> Vec<Match> {
    let query = VectorQuery {
        assistant,
        vector: vector.to_vec(),
        limit,
    };
    let collection = Collection {
        space: SPACE.into(),
        dimensions: vector.len(),
    };
    bench.store.search(&collection, &query).await.unwrap()
}

async fn files(bench: &Bench, assistant: AssistantId, vector: &[f32]) -> Vec<FileId> {
    nearest(bench, assistant, vector, 100)
        .await
        .into_iter()
        .map(|found| found.file)
        .collect()
}

fn unit(random: &mut StdRng, dim: usize) -> Vec<f32> {
    let vector: Vec<f32> = (0..dim).map(|_| random.random_range(-1.0..1.0)).collect();
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.into_iter().map(|x| x / length).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

async fn agrees_with_a_naive_scan(bench: &Bench) {
    let mut random = StdRng::seed_from_u64(7);
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let vectors: Vec<Vec<f32>> = (0..1_000).map(|_| unit(&mut random, 96)).collect();
    let chunks = (0..)
        .zip(&vectors)
        .map(|(i, vector)| chunk(i, "x", vec![vector.clone()]))
        .collect();
    let file = bench.ready(assistant, user, chunks).await;
    let listed = bench
        .store
        .list_chunks(
            file,
            PageRequest {
                limit: 1_000,
                offset: 0,
            },
        )
        .await
        .unwrap()
        .unwrap();
    assert_eq!(listed.total, 1_000);

    for round in 0..20 {
        let query = unit(&mut random, 96);
        let mut expected: Vec<_> = listed
            .items
            .iter()
            .map(|chunk| (chunk.id, cosine(&vectors[chunk.index as usize], &query)))
            .collect();
        expected.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let found = nearest(bench, assistant, &query, 10).await;
        assert_eq!(found.len(), 10);
        for (found, (id, cosine)) in found.iter().zip(&expected) {
            assert_eq!(found.chunk, *id, "round {round}");
            assert!((found.cosine - cosine).abs() < 1e-5);
        }
    }
    assert_eq!(nearest(bench, assistant, &vectors[3], 2_000).await.len(), 1_000);
    assert!(nearest(bench, assistant, &vectors[3], 0).await.is_empty());
    assert!(nearest(bench, assistant, &[1.0, 0.0], 5).await.is_empty());
    assert!(nearest(bench, assistant, &[f32::NAN; 96], 5).await.is_empty());
}

async fn the_best_piece_counts(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let two = chunk(
        0,
        "two pieces",
        vec![vec![0.0, 0.0, 0.0, 1.0], vec![0.6, 0.8, 0.0, 0.0]],
    );
    let one = chunk(1, "one piece", vec![vec![0.8, 0.6, 0.0, 0.0]]);
    bench.ready(assistant, user, vec![two, one]).await;
    let found = nearest(bench, assistant, &[0.0, 1.0, 0.0, 0.0], 5).await;
    assert_eq!(found.len(), 2);
    assert!((found[0].cosine - 0.8).abs() < 1e-6 && (found[1].cosine - 0.6).abs() < 1e-6);
    // Ties go by id, which is stable.
    let (a, b) = (
        nearest(bench, assistant, &[0.0, 0.0, 1.0, 0.0], 5).await,
        nearest(bench, assistant, &[0.0, 0.0, 1.0, 0.0], 5).await,
    );
    assert_eq!(a, b);
    assert!(a[0].chunk < a[1].chunk);
}

async fn the_scope_never_leaks(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let (mine, other) = (bench.assistant("Mine").await, bench.assistant("Other").await);
    let query = [1.0, 0.0, 0.0, 0.0];
    let file = bench.ready(mine, user, vec![chunk(0, "x", vec![query.to_vec()])]).await;
    let theirs = bench
        .ready(other, user, vec![chunk(0, "x", vec![query.to_vec()])])
        .await;
    assert_eq!(files(bench, mine, &query).await, [file]);
    assert_eq!(files(bench, other, &query).await, [theirs]);
    assert!(files(bench, AssistantId::new(), &query).await.is_empty());
    let asked = VectorQuery {
        assistant: mine,
        vector: query.to_vec(),
        limit: 5,
    };
    let other = |dimensions| Collection {
        space: "other:4".into(),
        dimensions,
    };
    assert!(bench.store.search(&other(4), &asked).await.unwrap().is_empty());
    let refused = bench.store.search(&other(3), &asked).await;
    assert!(matches!(refused, Err(VectorError::Dimension { .. })), "{refused:?}");
}

async fn what_changes_is_seen_at_once(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let another = bench.another().await;
    let query = [1.0, 0.0, 0.0, 0.0];
    assert!(files(bench, assistant, &query).await.is_empty());
    let first = bench
        .ready(assistant, user, vec![chunk(0, "x", vec![query.to_vec()])])
        .await;
    assert_eq!(files(bench, assistant, &query).await, [first]);

    // A new attempt: the old chunks serve until the new ones are all there, then only the new ones.
    let old = nearest(bench, assistant, &query, 5).await[0].chunk;
    assert!(matches!(
        bench
            .store
            .reprocess(first, deed(Action::FileReprocess, 5))
            .await
            .unwrap(),
        Reprocess::Queued(_)
    ));
    let claimed = bench.claim(5).await;
    assert_eq!(
        claimed.job,
        Job::Ingest {
            file: first,
            generation: 2
        }
    );
    let new = vec![
        chunk(0, "y", vec![query.to_vec()]),
        chunk(1, "z", vec![vec![0.0, 1.0, 0.0, 0.0]]),
    ];
    bench
        .store
        .add_chunks(claimed.lease, first, 2, SPACE, new)
        .await
        .unwrap();
    assert_eq!(
        nearest(bench, assistant, &query, 5)
            .await
            .iter()
            .map(|m| m.chunk)
            .collect::<Vec<_>>(),
        [old]
    );
    bench.store.publish(claimed.lease, first, 2, at(6)).await.unwrap();
    let found = nearest(bench, assistant, &query, 5).await;
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|found| found.chunk != old));

    // Another process deletes it.
    assert!(another.delete_file(first, deed(Action::FileDelete, 7)).await.unwrap());
    assert!(files(bench, assistant, &query).await.is_empty());
}

/// The row of vectors of the only file's chunk.
fn of_chunk(index: usize) -> String {
    format!("chunk_number = (SELECT number FROM chunks WHERE chunk_index = {index})")
}

async fn damaged_vectors_are_left_out(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let query = [0.5, 0.5, 0.5, 0.5];
    let chunks = (0..6).map(|i| chunk(i, "x", vec![query.to_vec()])).collect();
    bench.ready(assistant, user, chunks).await;
    let bytes = |hex: &str| {
        if bench.url.starts_with("sqlite") {
            format!("x'{hex}'")
        } else {
            format!("'\\x{hex}'")
        }
    };
    // Cut short, empty, not a number, all zero; all before anything is in memory.
    for (index, damage) in [
        bytes("0000803f00"),
        bytes(""),
        bytes("0000c07f00000000000000000000803f"),
        bytes(&"00".repeat(16)),
    ]
    .iter()
    .enumerate()
    {
        let sql = format!("UPDATE chunk_vectors SET vectors = {damage} WHERE {}", of_chunk(index));
        assert_eq!(bench.run(&sql).await, 1);
    }
    let found = nearest(bench, assistant, &query, 10).await;
    assert_eq!(found.len(), 2);
    // Damaged after the copy was made.
    bench
        .run(&format!(
            "UPDATE chunk_vectors SET vectors = {} WHERE {}",
            bytes("00"),
            of_chunk(5)
        ))
        .await;
    assert_eq!(nearest(bench, assistant, &query, 10).await.len(), 1);
    bench.store.health().await.unwrap();
}

async fn hits_are_checked_again(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let (mine, other) = (bench.assistant("Mine").await, bench.assistant("Other").await);
    assert!(!bench.store.has_knowledge(mine).await.unwrap());
    let file = bench
        .ready(mine, user, vec![chunk(0, "the text", vec![vec![1.0, 0.0, 0.0, 0.0]])])
        .await;
    assert!(bench.store.has_knowledge(mine).await.unwrap());
    let ids: Vec<_> = nearest(bench, mine, &[1.0, 0.0, 0.0, 0.0], 5)
        .await
        .iter()
        .map(|m| m.chunk)
        .collect();
    let passages = bench.store.passages(mine, &ids).await.unwrap();
    assert_eq!(passages.len(), 1);
    let passage = &passages[0];
    assert_eq!(
        (passage.chunk, passage.file, passage.text.as_str()),
        (ids[0], file, "the text")
    );
    assert_eq!(
        (passage.chunk_index, passage.page, passage.start, passage.end),
        (0, Some(1), 0, 50)
    );
    assert!(passage.filename.ends_with(".txt"));

    assert!(bench.store.passages(other, &ids).await.unwrap().is_empty());
    assert!(bench.store.passages(mine, &[]).await.unwrap().is_empty());
    bench
        .store
        .delete_file(file, deed(Action::FileDelete, 3))
        .await
        .unwrap();
    assert!(bench.store.passages(mine, &ids).await.unwrap().is_empty());
    assert!(!bench.store.has_knowledge(mine).await.unwrap());
}

async fn what_is_stored_is_told_as_points(bench: &Bench) {
    use across::retrieval::vectors::StoredVectors as _;

    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    assert!(bench.store.promised_points().await.unwrap().is_empty());
    let pieces = vec![vec![0.0, 0.0, 0.0, 1.0], vec![0.6, 0.8, 0.0, 0.0]];
    let chunks = vec![
        chunk(0, "two", pieces.clone()),
        chunk(1, "one", vec![pieces[0].clone()]),
    ];
    let file = bench.ready(assistant, user, chunks).await;
    let collection = Collection {
        space: SPACE.into(),
        dimensions: 4,
    };
    let promised = bench.store.promised_points().await.unwrap();
    assert_eq!(promised, [(collection.clone(), 3)]);
    assert_eq!(bench.store.ensure(&collection).await.unwrap(), 3);
    assert_eq!(
        bench.store.collections_of(file).await.unwrap(),
        std::slice::from_ref(&collection)
    );
    assert_eq!(bench.store.searchable_files().await.unwrap(), [(file, 1)]);

    let (first, next) = bench.store.points_of(file, 1, 0, 1).await.unwrap();
    let (second, end) = bench.store.points_of(file, 1, next.unwrap(), 5).await.unwrap();
    assert_eq!(end, None);
    let told: Vec<_> = first
        .iter()
        .chain(&second)
        .map(|(_, point)| (point.piece, point.vector.clone()))
        .collect();
    assert_eq!(
        told,
        [(0, pieces[0].clone()), (1, pieces[1].clone()), (0, pieces[0].clone())]
    );
    assert!(
        first
            .iter()
            .all(|(of, point)| (of, point.file, point.assistant) == (&collection, file, assistant))
    );
    assert_eq!(first[0].1.chunk, first[1].1.chunk);

    bench
        .store
        .delete_file(file, deed(Action::FileDelete, 9))
        .await
        .unwrap();
    assert!(bench.store.promised_points().await.unwrap().is_empty());
    assert!(bench.store.searchable_files().await.unwrap().is_empty());
    assert!(bench.store.points_of(file, 1, 0, 5).await.unwrap().0.is_empty());
    // Until they are purged, whoever removes the copies must know where they are.
    assert_eq!(bench.store.collections_of(file).await.unwrap(), [collection]);
}
