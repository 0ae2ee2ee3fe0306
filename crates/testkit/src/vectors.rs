//! What every vector store must do, the embedded one and those outside alike.

use across::{
    id::{AssistantId, ChunkId, FileId},
    retrieval::vectors::{Collection, Match, Point, Scope, VectorError, VectorQuery, VectorStore},
};
use async_trait::async_trait;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

/// Of an approximate store's ten nearest, the share that must be right on average.
const RECALL: f64 = 0.95;

/// A store to be tried, and how chunks come into it: the embedded one takes them from the rows, the others are given points.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The store.
    fn store(&self) -> &dyn VectorStore;

    /// A collection of vectors of this dimension that no other test uses.
    fn collection(&self, dimensions: usize) -> Collection;

    /// Whether a search misses nothing.
    fn is_exact(&self) -> bool;

    /// An assistant.
    async fn assistant(&self) -> AssistantId;

    /// Puts a file with these chunks, each with its pieces, where searches find it; its chunks in their order.
    async fn put(
        &self,
        collection: &Collection,
        assistant: AssistantId,
        chunks: &[Vec<Vec<f32>>],
    ) -> Result<(FileId, Vec<ChunkId>), VectorError>;

    /// Removes a file.
    async fn remove(&self, collection: &Collection, file: FileId) -> Result<(), VectorError>;
}

/// A store outside.
pub struct Outside {
    /// The store.
    pub store: std::sync::Arc<dyn VectorStore>,
    /// What makes the names of this test's collections its own.
    pub space: String,
    /// Whether a search misses nothing.
    pub is_exact: bool,
}

/// The points of a file's chunks.
fn points(assistant: AssistantId, file: FileId, generation: i64, chunks: &[(ChunkId, Vec<Vec<f32>>)]) -> Vec<Point> {
    let of_chunk = |(chunk, pieces): &(ChunkId, Vec<Vec<f32>>)| {
        let chunk = *chunk;
        let point = move |(piece, vector): (u16, &Vec<f32>)| Point {
            chunk,
            piece,
            file,
            assistant,
            generation,
            vector: vector.clone(),
        };
        (0..).zip(pieces).map(point).collect::<Vec<_>>()
    };
    chunks.iter().flat_map(of_chunk).collect()
}

#[async_trait]
impl Subject for Outside {
    fn store(&self) -> &dyn VectorStore {
        self.store.as_ref()
    }

    fn collection(&self, dimensions: usize) -> Collection {
        Collection {
            space: format!("{}:{dimensions}", self.space),
            dimensions,
        }
    }

    fn is_exact(&self) -> bool {
        self.is_exact
    }

    async fn assistant(&self) -> AssistantId {
        AssistantId::new()
    }

    async fn put(
        &self,
        collection: &Collection,
        assistant: AssistantId,
        chunks: &[Vec<Vec<f32>>],
    ) -> Result<(FileId, Vec<ChunkId>), VectorError> {
        let file = FileId::new();
        let chunks: Vec<_> = chunks.iter().map(|pieces| (ChunkId::new(), pieces.clone())).collect();
        self.store.ensure(collection).await?;
        self.store
            .upsert(collection, &points(assistant, file, 1, &chunks))
            .await?;
        Ok((file, chunks.into_iter().map(|(id, _)| id).collect()))
    }

    async fn remove(&self, collection: &Collection, file: FileId) -> Result<(), VectorError> {
        self.store.delete(collection, Scope::File(file)).await
    }
}

async fn nearest(
    subject: &dyn Subject,
    collection: &Collection,
    assistant: AssistantId,
    vector: &[f32],
    limit: usize,
) -> Result<Vec<Match>, VectorError> {
    let query = VectorQuery {
        assistant,
        vector: vector.to_vec(),
        limit,
    };
    subject.store().search(collection, &query).await
}

fn files(matches: &[Match]) -> Vec<FileId> {
    matches.iter().map(|found| found.file).collect()
}

/// A search finds its own assistant's chunks alone, however near another's are.
///
/// # Errors
/// If the store fails.
pub async fn the_scope_never_leaks(subject: &dyn Subject) -> Result<(), VectorError> {
    let collection = subject.collection(4);
    let (mine, other) = (subject.assistant().await, subject.assistant().await);
    let near = vec![1.0, 0.0, 0.0, 0.0];
    let (file, _) = subject
        .put(&collection, mine, &[vec![vec![0.6, 0.8, 0.0, 0.0]]])
        .await?;
    let (theirs, _) = subject.put(&collection, other, &[vec![near.clone()]]).await?;
    assert_eq!(files(&nearest(subject, &collection, mine, &near, 9).await?), [file]);
    assert_eq!(files(&nearest(subject, &collection, other, &near, 9).await?), [theirs]);
    let nobody = nearest(subject, &collection, AssistantId::new(), &near, 9).await?;
    assert!(nobody.is_empty(), "{nobody:?}");
    assert_eq!(subject.store().ensure(&collection).await?, 2);
    Ok(())
}

/// A chunk is found once, by its nearest piece; equal chunks come in the order of their ids.
///
/// # Errors
/// If the store fails.
pub async fn the_best_piece_counts_and_ties_go_by_id(subject: &dyn Subject) -> Result<(), VectorError> {
    let collection = subject.collection(4);
    let assistant = subject.assistant().await;
    let many: Vec<Vec<f32>> = (0..30u8).map(|i| vec![0.0, f32::from(i) / 100.0, 0.0, 1.0]).collect();
    let best = vec![vec![0.0, 0.0, 0.0, 1.0], vec![0.6, 0.8, 0.0, 0.0]];
    let same = vec![vec![0.8, 0.6, 0.0, 0.0]];
    let chunks = [many, best, same.clone(), same];
    let (_, ids) = subject.put(&collection, assistant, &chunks).await?;
    let found = nearest(subject, &collection, assistant, &[0.0, 1.0, 0.0, 0.0], 9).await?;
    let mut tied = [ids[2], ids[3]];
    tied.sort();
    let order: Vec<ChunkId> = found.iter().map(|found| found.chunk).collect();
    assert_eq!(order, [ids[1], tied[0], tied[1], ids[0]]);
    assert!(
        (found[0].cosine - 0.8).abs() < 1e-4 && (found[1].cosine - 0.6).abs() < 1e-4,
        "{found:?}"
    );
    // Thirty pieces of one chunk do not keep the others out.
    let ahead = nearest(subject, &collection, assistant, &[0.0, 0.0, 0.0, 1.0], 2).await?;
    assert_eq!(ahead.len(), 2, "{ahead:?}");
    Ok(())
}

/// A removed file is found no more, all others are; removing it again is well.
///
/// # Errors
/// If the store fails.
pub async fn removing_a_file_leaves_the_others(subject: &dyn Subject) -> Result<(), VectorError> {
    let collection = subject.collection(4);
    let assistant = subject.assistant().await;
    let near = vec![1.0, 0.0, 0.0, 0.0];
    let (gone, _) = subject
        .put(&collection, assistant, &[vec![near.clone()], vec![near.clone()]])
        .await?;
    let (kept, _) = subject.put(&collection, assistant, &[vec![near.clone()]]).await?;
    subject.remove(&collection, gone).await?;
    subject.remove(&collection, gone).await?;
    assert_eq!(
        files(&nearest(subject, &collection, assistant, &near, 9).await?),
        [kept]
    );
    assert_eq!(subject.store().ensure(&collection).await?, 1);
    Ok(())
}

/// A vector of another dimension is refused, in questions and in points.
///
/// # Errors
/// If the store fails.
pub async fn other_dimensions_are_refused(subject: &dyn Subject) -> Result<(), VectorError> {
    let collection = subject.collection(4);
    let assistant = subject.assistant().await;
    subject
        .put(&collection, assistant, &[vec![vec![1.0, 0.0, 0.0, 0.0]]])
        .await?;
    let asked = nearest(subject, &collection, assistant, &[1.0, 0.0, 0.0], 9).await;
    assert!(matches!(asked, Err(VectorError::Dimension { .. })), "{asked:?}");
    let odd = points(assistant, FileId::new(), 1, &[(ChunkId::new(), vec![vec![1.0; 5]])]);
    let given = subject.store().upsert(&collection, &odd).await;
    assert!(matches!(given, Err(VectorError::Dimension { .. })), "{given:?}");
    Ok(())
}

/// A thousand random vectors are found as a scan of all of them finds them: exactly, or nearly so where the store says.
///
/// # Errors
/// If the store fails.
pub async fn it_agrees_with_a_naive_scan(subject: &dyn Subject) -> Result<(), VectorError> {
    const DIMENSIONS: usize = 96;
    const ROUNDS: usize = 20;
    let mut random = StdRng::seed_from_u64(7);
    let mut unit = || {
        let vector: Vec<f32> = (0..DIMENSIONS).map(|_| random.random_range(-1.0..1.0)).collect();
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.into_iter().map(|x| x / length).collect::<Vec<_>>()
    };
    let collection = subject.collection(DIMENSIONS);
    let assistant = subject.assistant().await;
    let vectors: Vec<Vec<f32>> = (0..1_000).map(|_| unit()).collect();
    let chunks: Vec<_> = vectors.iter().map(|vector| vec![vector.clone()]).collect();
    let (_, ids) = subject.put(&collection, assistant, &chunks).await?;
    let mut right = 0;
    for _ in 0..ROUNDS {
        let query = unit();
        let cosine = |vector: &Vec<f32>| vector.iter().zip(&query).map(|(x, y)| x * y).sum::<f32>();
        let mut expected: Vec<(ChunkId, f32)> = ids.iter().copied().zip(vectors.iter().map(cosine)).collect();
        expected.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        expected.truncate(10);
        let found = nearest(subject, &collection, assistant, &query, 10).await?;
        assert_eq!(found.len(), 10);
        assert!(
            found.windows(2).all(|pair| pair[0].cosine >= pair[1].cosine),
            "{found:?}"
        );
        for found in found {
            let place = expected.iter().find(|(id, _)| *id == found.chunk);
            right += usize::from(place.is_some_and(|(_, cosine)| (found.cosine - cosine).abs() < 1e-4));
        }
    }
    let recall = right as f64 / (10 * ROUNDS) as f64;
    let least = if subject.is_exact() { 1.0 } else { RECALL };
    assert!(recall >= least, "recall {recall}");
    Ok(())
}

/// A question for nothing, and one without direction, find nothing and are no failures.
///
/// # Errors
/// If the store fails.
pub async fn nothing_is_asked_for_or_has_no_direction(subject: &dyn Subject) -> Result<(), VectorError> {
    let collection = subject.collection(4);
    let assistant = subject.assistant().await;
    subject
        .put(&collection, assistant, &[vec![vec![1.0, 0.0, 0.0, 0.0]]])
        .await?;
    for (vector, limit) in [([1.0, 0.0, 0.0, 0.0], 0), ([0.0; 4], 5), ([f32::NAN, 0.0, 0.0, 0.0], 5)] {
        let found = nearest(subject, &collection, assistant, &vector, limit).await?;
        assert!(found.is_empty(), "{vector:?}");
    }
    subject.store().health().await
}

/// For stores outside: what is written twice is there once, in its later form; a generation, a file or an assistant is
/// removed with nothing else.
///
/// # Errors
/// If the store fails.
pub async fn copies_can_be_written_again_and_removed(subject: &Outside) -> Result<(), VectorError> {
    let collection = subject.collection(3);
    let store = subject.store.as_ref();
    let (assistant, other) = (AssistantId::new(), AssistantId::new());
    let (file, second) = (FileId::new(), FileId::new());
    let chunk = (ChunkId::new(), vec![vec![1.0, 0.0, 0.0], vec![0.0, 1.0, 0.0]]);
    assert_eq!(store.ensure(&collection).await?, 0);
    store.upsert(&collection, &[]).await?;
    for _ in 0..2 {
        store
            .upsert(&collection, &points(assistant, file, 1, std::slice::from_ref(&chunk)))
            .await?;
        assert_eq!(store.ensure(&collection).await?, 2);
    }
    let moved = (chunk.0, vec![vec![0.0, 0.0, 1.0]]);
    store.upsert(&collection, &points(assistant, file, 1, &[moved])).await?;
    let found = nearest(subject, &collection, assistant, &[0.0, 0.0, 1.0], 9).await?;
    assert!(found.len() == 1 && found[0].cosine > 0.999, "{found:?}");

    let newer = (ChunkId::new(), vec![vec![1.0, 0.0, 0.0]]);
    store
        .upsert(&collection, &points(assistant, file, 2, std::slice::from_ref(&newer)))
        .await?;
    let besides = (ChunkId::new(), vec![vec![1.0, 0.0, 0.0]]);
    store
        .upsert(
            &collection,
            &points(assistant, second, 1, std::slice::from_ref(&besides)),
        )
        .await?;
    let theirs = (ChunkId::new(), vec![vec![1.0, 0.0, 0.0]]);
    store
        .upsert(&collection, &points(other, FileId::new(), 1, &[theirs]))
        .await?;
    store.delete(&collection, Scope::OtherGenerations(file, 2)).await?;
    let found = nearest(subject, &collection, assistant, &[1.0, 0.0, 0.0], 9).await?;
    let mut expected = [newer.0, besides.0];
    expected.sort();
    assert_eq!(found.iter().map(|found| found.chunk).collect::<Vec<_>>(), expected);
    store.delete(&collection, Scope::Assistant(assistant)).await?;
    assert_eq!(store.ensure(&collection).await?, 1);
    assert_eq!(
        nearest(subject, &collection, other, &[1.0, 0.0, 0.0], 9).await?.len(),
        1
    );
    Ok(())
}

/// For stores outside: a collection that is not there is never taken for an empty one, and there is nothing to remove in it.
///
/// # Errors
/// If the store fails.
pub async fn a_missing_collection_is_not_an_empty_one(subject: &Outside) -> Result<(), VectorError> {
    let collection = subject.collection(5);
    let asked = nearest(subject, &collection, AssistantId::new(), &[1.0; 5], 9).await;
    assert!(matches!(asked, Err(VectorError::Unavailable(_))), "{asked:?}");
    let lost = points(
        AssistantId::new(),
        FileId::new(),
        1,
        &[(ChunkId::new(), vec![vec![1.0; 5]])],
    );
    let given = subject.store.upsert(&collection, &lost).await;
    assert!(matches!(given, Err(VectorError::Unavailable(_))), "{given:?}");
    subject.store.delete(&collection, Scope::File(FileId::new())).await
}
