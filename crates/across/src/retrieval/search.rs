//! From a question to passages: embed it, rank by vector and by keyword, fuse, load, judge, keep the best.

use std::collections::{HashMap, HashSet};

use crate::{
    fault::StoreError,
    id::{AssistantId, ChunkId},
    kept::KeptValues,
    providers::{
        failure::ProviderError,
        provider::EmbedPurpose,
        registry::{EmbedderError, Providers},
    },
    retrieval::{
        fusion::{self, Weights},
        language::{self, Words},
        passage::{Passage, Passages},
        relevance::Calibration,
        vectors::{KeywordIndex, VectorQuery, VectorStore},
    },
};

/// How deep each ranking is read before fusion.
const DEPTH: usize = 50;
/// How much of the relevance the words of the question can add: a passage that holds every one of them passes the default
/// threshold if its vector is not downright contrary.
const WORDS_COUNT_FOR: f32 = 0.25;

/// How files are cut and searched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetrievalConfig {
    /// Passages kept for an answer at most.
    pub top_k: usize,
    /// Relevance below which a passage is not kept, 0–1.
    pub threshold: f32,
    /// Tokens of a chunk at most.
    pub chunk_tokens: usize,
    /// Tokens that neighbouring chunks share.
    pub chunk_overlap: usize,
}

impl Default for RetrievalConfig {
    /// The specification's values.
    fn default() -> Self {
        Self {
            top_k: 5,
            threshold: 0.7,
            chunk_tokens: 512,
            chunk_overlap: 50,
        }
    }
}

/// Why a passage was kept or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Among the best and relevant enough.
    Kept,
    /// Relevant enough, but others were better.
    BeyondTopK,
    /// Not relevant enough.
    BelowThreshold,
}

/// A passage that a search found, with everything that decided about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The passage.
    pub passage: Passage,
    /// Its place by vector, from 1.
    pub vector_rank: Option<u32>,
    /// Its place by keywords, from 1.
    pub keyword_rank: Option<u32>,
    /// Its place in the fused ranking, from 1.
    pub fused_rank: u32,
    /// Its cosine, if it was found by vector.
    pub cosine: Option<f32>,
    /// Its calibrated relevance, 0–1.
    pub score: f32,
    /// What was decided.
    pub verdict: Verdict,
}

/// Why there was no search.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// There is nothing to embed the question with.
    #[error(transparent)]
    Embedder(#[from] EmbedderError),
    /// The question could not be embedded.
    #[error(transparent)]
    Embedding(#[from] ProviderError),
    /// The database or the vector store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a search asks of what is remembered.
pub trait Index: VectorStore + KeywordIndex + Passages + KeptValues {}
impl<T: VectorStore + KeywordIndex + Passages + KeptValues + ?Sized> Index for T {}

/// Everything found for `question` in the files of `assistant`, in fused order.
///
/// # Errors
/// [`SearchError`] if the question could not be embedded or the store failed.
pub async fn search(
    index: &(impl Index + ?Sized),
    providers: &Providers,
    config: RetrievalConfig,
    assistant: AssistantId,
    question: &str,
) -> Result<Vec<Candidate>, SearchError> {
    let words = Words::of(question);
    let by_vector = async {
        let (embedder, model) = providers.embedder(index).await?;
        let vectors = embedder
            .embed(model.clone(), vec![question.to_owned()], EmbedPurpose::Query)
            .await?;
        let vector = vectors
            .into_iter()
            .next()
            .and_then(|pieces| pieces.into_iter().next())
            .unwrap_or_default();
        let query = VectorQuery {
            assistant,
            space: model.space(),
            vector,
            limit: DEPTH,
        };
        Ok::<_, SearchError>((index.nearest(&query).await?, model))
    };
    let by_keyword = async { Ok(index.with_words(assistant, &words.terms, DEPTH).await?) };
    let ((matches, model), keyword_ids) = futures::try_join!(by_vector, by_keyword)?;

    let vector_ids: Vec<ChunkId> = matches.iter().map(|found| found.chunk).collect();
    let cosines: HashMap<ChunkId, f32> = matches.iter().map(|found| (found.chunk, found.cosine)).collect();
    // A chunk that keywords found and the vectors did not is at best as near as the last that they did.
    let farthest = matches
        .last()
        .filter(|_| matches.len() == DEPTH)
        .map_or(0.0, |last| last.cosine.min(0.0));

    let weights = weights(&words, &model.id);
    let fused = fusion::fuse(&vector_ids, &keyword_ids, weights);
    let ids: Vec<ChunkId> = fused.iter().map(|entry| entry.item).collect();
    let mut passages: HashMap<ChunkId, Passage> = index
        .passages(assistant, &ids)
        .await?
        .into_iter()
        .map(|passage| (passage.chunk, passage))
        .collect();

    let calibration = Calibration::of(&model);
    let terms: HashSet<&str> = words.terms.iter().map(String::as_str).collect();
    let mut kept = 0;
    let usable = fused
        .into_iter()
        .filter_map(|entry| passages.remove(&entry.item).map(|passage| (entry, passage)));
    Ok((1u32..)
        .zip(usable)
        .map(|(fused_rank, (entry, passage))| {
            let cosine = cosines.get(&entry.item).copied();
            let score = (calibration.relevance(cosine.unwrap_or(farthest))
                + WORDS_COUNT_FOR * share_of_words(&terms, &passage.text))
            .min(1.0);
            let verdict = if score < config.threshold {
                Verdict::BelowThreshold
            } else if kept == config.top_k {
                Verdict::BeyondTopK
            } else {
                kept += 1;
                Verdict::Kept
            };
            let (vector_rank, keyword_rank) = (entry.vector_rank, entry.keyword_rank);
            Candidate {
                passage,
                vector_rank,
                keyword_rank,
                fused_rank,
                cosine,
                score,
                verdict,
            }
        })
        .collect())
}

/// How much each ranking counts. The built-in embedder learned English only: for other languages its order says little,
/// so there the words decide and the vectors break ties.
fn weights(words: &Words, model: &str) -> Weights {
    if words.is_english || !model.starts_with(crate::providers::registry::LOCAL_MODEL) {
        Weights {
            vector: 2.0,
            keyword: 1.0,
        }
    } else {
        Weights {
            vector: 1.0,
            keyword: 4.0,
        }
    }
}

/// Which share of the question's words stands in the text, 0–1; a word counts if the text has one that begins alike, so
/// that "launched" finds "launch".
fn share_of_words(terms: &HashSet<&str>, text: &str) -> f32 {
    if terms.is_empty() {
        return 0.0;
    }
    let stems: HashSet<String> = language::split(text).iter().map(|word| stem(word)).collect();
    let found = terms.iter().filter(|term| stems.contains(&stem(term))).count();
    found as f32 / terms.len() as f32
}

/// The first letters of a word: all of a short one, without the last third of a long one.
fn stem(word: &str) -> String {
    let length = word.chars().count();
    word.chars()
        .take(if length <= 4 {
            length
        } else {
            (length * 2).div_ceil(3).max(4)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_count_in_any_form() {
        let terms = HashSet::from(["launch", "validators", "mars"]);
        let share = share_of_words(&terms, "The launch was on Monday. 38 validators signed.");
        assert!((share - 2.0 / 3.0).abs() < 1e-6);
        assert_eq!(share_of_words(&HashSet::new(), "anything"), 0.0);
    }
}
