//! From a question to passages: embed it, rank by vector and by keyword, fuse, load, judge, keep the best.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use crate::{
    clock::Clock,
    fault::StoreError,
    governance::{
        meter::{Meter, Payer},
        quota::Refusal,
    },
    id::{AssistantId, ChunkId},
    kept::KeptValues,
    providers::{
        embedder::EmbedError,
        failure::ProviderError,
        provider::EmbedPurpose,
        registry::{EmbedderError, LOCAL_MODEL, Providers},
    },
    retrieval::{
        fusion::{self, Fused, Weights},
        language::{self, Words},
        passage::{Passage, Passages},
        recheck,
        relevance::Calibration,
        vectors::{Collection, KeywordIndex, VectorError, VectorQuery, Vectors},
    },
    settings::Settings,
};

/// How deep each ranking is read before fusion.
const DEPTH: usize = 50;
/// How long a search may take in all, embedding the question included.
const SEARCH_TIME: Duration = Duration::from_secs(5);

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

impl From<&Settings> for RetrievalConfig {
    fn from(settings: &Settings) -> Self {
        Self {
            top_k: settings.rag_top_k as usize,
            threshold: settings.rag_similarity_threshold as f32,
            chunk_tokens: settings.chunk_size as usize,
            chunk_overlap: settings.chunk_overlap as usize,
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
    /// A quota has no room for embedding the question.
    #[error("a quota has no room for this call")]
    Refused(Box<Refusal>),
    /// The vector store failed.
    #[error(transparent)]
    Vectors(#[from] VectorError),
    /// It took longer than a question can wait.
    #[error("the search took longer than {} s", SEARCH_TIME.as_secs())]
    TooSlow,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<EmbedError> for SearchError {
    fn from(error: EmbedError) -> Self {
        match error {
            EmbedError::Provider(error) => Self::Embedding(error),
            EmbedError::Refused(refusal) => Self::Refused(refusal),
            EmbedError::Store(error) => Self::Store(error),
        }
    }
}

/// A question to the files of an assistant.
#[derive(Clone, Copy)]
pub struct Inquiry<'a> {
    /// Whose files.
    pub assistant: AssistantId,
    /// The question.
    pub question: &'a str,
    /// Whose quotas pay for embedding it.
    pub payer: Payer,
    /// How it is searched.
    pub settings: &'a Settings,
    /// The time.
    pub clock: &'a dyn Clock,
}

/// What a search asks of what is remembered.
pub trait Index: KeywordIndex + Passages + KeptValues + Meter {}
impl<T: KeywordIndex + Passages + KeptValues + Meter + ?Sized> Index for T {}

/// Everything found for a question in the files of an assistant, in fused order. What words alone would find is not passed
/// off as an answer when the vectors cannot be asked.
///
/// # Errors
/// [`SearchError`] if the question could not be embedded, a store failed, or all of it took too long.
pub async fn search(
    index: &(impl Index + ?Sized),
    vectors: &Vectors,
    providers: &Providers,
    inquiry: Inquiry<'_>,
) -> Result<Vec<Candidate>, SearchError> {
    let found = tokio::time::timeout(SEARCH_TIME, rank(index, vectors, providers, inquiry)).await;
    found.unwrap_or(Err(SearchError::TooSlow))
}

async fn rank(
    index: &(impl Index + ?Sized),
    vectors: &Vectors,
    providers: &Providers,
    inquiry: Inquiry<'_>,
) -> Result<Vec<Candidate>, SearchError> {
    let Inquiry {
        assistant,
        question,
        payer,
        settings,
        clock,
    } = inquiry;
    let config = RetrievalConfig::from(settings);
    let words = Words::of(question);
    let by_vector = async {
        let embedder = providers.embedder(index, &settings.embedding_model).await?;
        let embedded = embedder
            .embed(index, clock, payer, vec![question.to_owned()], EmbedPurpose::Query)
            .await?;
        let model = embedder.model;
        let vector = embedded
            .into_iter()
            .next()
            .and_then(|pieces| pieces.into_iter().next())
            .unwrap_or_default();
        let collection = Collection::from(&model);
        let query = VectorQuery {
            assistant,
            vector,
            limit: DEPTH,
        };
        Ok::<_, SearchError>((recheck::nearest(index, vectors, &collection, query).await?, model))
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

    let trust = if words.is_english || model.id != LOCAL_MODEL {
        Trust::MEANING
    } else {
        Trust::WORDS
    };
    let ranked = fusion::fuse(&vector_ids, &keyword_ids, trust.ranks);
    let ids: Vec<ChunkId> = ranked.iter().map(|entry| entry.item).collect();
    let mut passages: HashMap<ChunkId, Passage> = index
        .passages(assistant, &ids)
        .await?
        .into_iter()
        .map(|passage| (passage.chunk, passage))
        .collect();
    let found: Vec<(Fused<ChunkId>, Passage)> = ranked
        .into_iter()
        .filter_map(|entry| passages.remove(&entry.item).map(|passage| (entry, passage)))
        .collect();

    let shares = shares_of_words(&words.terms, found.iter().map(|(_, passage)| passage.text.as_str()));
    let mut found: Vec<_> = found.into_iter().zip(shares).collect();
    let total = |((entry, _), share): &((Fused<ChunkId>, Passage), f32)| entry.score + trust.words * f64::from(*share);
    found.sort_by(|a, b| total(b).total_cmp(&total(a)));

    let calibration = Calibration::of(&model);
    let mut kept = 0;
    let judged = (1u32..).zip(found).map(|(fused_rank, ((entry, passage), share))| {
        let cosine = cosines.get(&entry.item).copied();
        let score = trust.relevance(calibration.relevance(cosine.unwrap_or(farthest)), share);
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
    });
    Ok(judged.collect())
}

/// What is believed about a question's passages: what they mean, or the words they hold. The built-in embedder learned
/// English only; in other languages its vectors say little, so there the words decide and the vectors break ties.
struct Trust {
    /// How much each ranking counts.
    ranks: Weights,
    /// How much the share of the question's words that stand in a passage counts beside the rankings.
    words: f64,
    by_meaning: bool,
}

impl Trust {
    const MEANING: Self = Self {
        ranks: Weights {
            vector: 3.0,
            keyword: 1.0,
        },
        words: 0.1,
        by_meaning: true,
    };
    const WORDS: Self = Self {
        ranks: Weights {
            vector: 0.25,
            keyword: 4.0,
        },
        words: 0.3,
        by_meaning: false,
    };

    /// The relevance, 0–1, of a passage with this calibrated cosine that holds this share of the question's words. With
    /// all of them it passes the default threshold unless its vector is downright contrary; where words decide, it passes
    /// with about a sixteenth of their weight.
    fn relevance(&self, calibrated_cosine: f32, share: f32) -> f32 {
        let relevance = if self.by_meaning {
            calibrated_cosine + 0.25 * share
        } else {
            0.68 + 0.32 * share
        };
        relevance.min(1.0)
    }
}

/// Which share of the question's words stands in each text, 0–1, rare words counting more (inverse document frequency
/// among these texts). A word counts if the text has one that begins alike, so that "launched" finds "launch".
fn shares_of_words<'a>(terms: &[String], texts: impl Iterator<Item = &'a str>) -> Vec<f32> {
    let stems_of = |text: &str| {
        language::split(text)
            .iter()
            .map(|word| stem(word))
            .collect::<HashSet<_>>()
    };
    let texts: Vec<HashSet<String>> = texts.map(stems_of).collect();
    let wanted: HashSet<String> = terms.iter().map(|term| stem(term)).collect();
    let weigh = |wanted: &String| {
        let holding = texts.iter().filter(|stems| stems.contains(wanted)).count();
        (1.0 + texts.len() as f32 / (holding as f32 + 0.5)).ln()
    };
    // In a fixed order: sums of floats depend on it.
    let mut weights: Vec<(&String, f32)> = wanted.iter().map(|wanted| (wanted, weigh(wanted))).collect();
    weights.sort_by(|a, b| a.0.cmp(b.0));
    let all: f32 = weights.iter().map(|(_, weight)| weight).sum();
    let share = |stems: &HashSet<String>| {
        let found: f32 = weights
            .iter()
            .filter(|(wanted, _)| stems.contains(*wanted))
            .map(|(_, weight)| weight)
            .sum();
        if all > 0.0 { found / all } else { 0.0 }
    };
    texts.iter().map(share).collect()
}

/// The first four letters of a word: what its forms have in common, in most languages. Of four to seven, four served
/// retrieval best in every language it is measured in.
fn stem(word: &str) -> String {
    word.chars().take(4).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_count_in_any_form_and_rare_ones_more() {
        let terms = ["launch", "validators", "mars"].map(str::to_owned);
        let texts = [
            "The launch was on Monday.",
            "A launch. 38 validators signed.",
            "Launching soon.",
            "Nothing.",
        ];
        let shares = shares_of_words(&terms, texts.into_iter());
        assert!(shares[1] > shares[0] && shares[0] > 0.0, "{shares:?}");
        assert_eq!((shares[0], shares[3]), (shares[2], 0.0));
        // Of two words the rarer one counts more.
        assert!(shares[1] - shares[0] > shares[0]);
        assert_eq!(shares_of_words(&[], ["anything"].into_iter()), [0.0]);
    }
}
