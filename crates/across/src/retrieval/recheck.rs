//! Matches that may be used: what the vector store says, checked against the rows.

use std::collections::HashSet;

use crate::{
    id::ChunkId,
    retrieval::{
        passage::Passages,
        search::SearchError,
        vectors::{Collection, Match, VectorQuery, VectorStore as _, Vectors},
    },
};

/// What a store outside is asked for at first, in matches for each that is wanted: some may be of chunks that are gone.
const SPARE: usize = 2;
/// By how much more it is asked for when too many of them were.
const MORE: usize = 8;
/// The most that it is asked for.
const MOST: usize = 10_000;

/// The nearest chunks that can be used now. The store that is the rows is believed here, because its passages are loaded by
/// the same rule afterwards; from one outside come chunks that are deleted, replaced or another assistant's, as long as
/// removing them did not succeed or if somebody put them there. They are left out and others are asked for in their place.
pub(super) async fn nearest(
    passages: &(impl Passages + ?Sized),
    vectors: &Vectors,
    collection: &Collection,
    mut query: VectorQuery,
) -> Result<Vec<Match>, SearchError> {
    if !vectors.is_copy() {
        return Ok(vectors.search(collection, &query).await?);
    }
    let wanted = query.limit;
    query.limit = wanted.saturating_mul(SPARE);
    loop {
        let mut matches = vectors.search(collection, &query).await?;
        let is_all = matches.len() < query.limit || query.limit >= MOST;
        let ids: Vec<ChunkId> = matches.iter().map(|found| found.chunk).collect();
        let passages = passages.passages(query.assistant, &ids).await?;
        let usable: HashSet<_> = passages.iter().map(|passage| (passage.chunk, passage.file)).collect();
        let is_usable = |found: &Match| usable.contains(&(found.chunk, found.file));
        if let Some(odd) = matches.iter().find(|found| !is_usable(found)) {
            tracing::warn!(
                assistant = %query.assistant, chunk = %odd.chunk, file = %odd.file, count = ids.len() - usable.len(),
                "the vector store named chunks that this assistant does not have; they are left out"
            );
        }
        matches.retain(is_usable);
        if is_all || matches.len() >= wanted {
            matches.truncate(wanted);
            return Ok(matches);
        }
        query.limit = query.limit.saturating_mul(MORE).min(MOST);
    }
}
