//! The contract of vector stores on the embedded one, which is the rows.

use across::{
    audit::Action,
    id::{AssistantId, ChunkId, FileId, UserId},
    knowledge::file::KnowledgeStore as _,
    page::PageRequest,
    retrieval::vectors::{Collection, VectorError, VectorStore},
};
use across_testkit::vectors::{self, Subject};
use async_trait::async_trait;

use crate::bench::{Bench, SPACE, chunk, deed};

crate::contracts!(
    the_scope_never_leaks,
    the_best_piece_counts_and_ties_go_by_id,
    removing_a_file_leaves_the_others,
    other_dimensions_are_refused,
    it_agrees_with_a_naive_scan,
    nothing_is_asked_for_or_has_no_direction,
);

macro_rules! on_the_rows {
    ($($name:ident),+) => {$(
        async fn $name(bench: &Bench) {
            let uploader = bench.user("anna@example.com").await.id;
            vectors::$name(&Rows { bench, uploader }).await.unwrap();
        }
    )+};
}

on_the_rows!(
    the_scope_never_leaks,
    the_best_piece_counts_and_ties_go_by_id,
    removing_a_file_leaves_the_others,
    other_dimensions_are_refused,
    it_agrees_with_a_naive_scan,
    nothing_is_asked_for_or_has_no_direction
);

struct Rows<'a> {
    bench: &'a Bench,
    uploader: UserId,
}

#[async_trait]
impl Subject for Rows<'_> {
    fn store(&self) -> &dyn VectorStore {
        self.bench.store.as_ref()
    }

    fn collection(&self, dimensions: usize) -> Collection {
        Collection {
            space: SPACE.into(),
            dimensions,
        }
    }

    fn is_exact(&self) -> bool {
        true
    }

    async fn assistant(&self) -> AssistantId {
        self.bench.assistant(&FileId::new().to_string()).await
    }

    async fn put(
        &self,
        _: &Collection,
        assistant: AssistantId,
        chunks: &[Vec<Vec<f32>>],
    ) -> Result<(FileId, Vec<ChunkId>), VectorError> {
        let chunks = (0..)
            .zip(chunks)
            .map(|(index, pieces)| chunk(index, "x", pieces.clone()));
        let file = self.bench.ready(assistant, self.uploader, chunks.collect()).await;
        let all = PageRequest {
            limit: 1_000,
            offset: 0,
        };
        let listed = self.bench.store.list_chunks(file, all).await.unwrap().unwrap();
        Ok((file, listed.items.into_iter().map(|chunk| chunk.id).collect()))
    }

    async fn remove(&self, _: &Collection, file: FileId) -> Result<(), VectorError> {
        let deed = deed(Action::FileDelete, 9);
        self.bench.store.delete_file(file, deed).await.unwrap();
        Ok(())
    }
}
