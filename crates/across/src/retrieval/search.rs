//! From a question to passages: embed it, rank by vector and by keyword, fuse, load, judge, keep the best.

use std::{collections::HashMap, time::Duration};

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
        registry::{EmbedderError, Providers},
    },
    retrieval::{
        fusion::{self, Fused, Weights},
        judging::{Bar, Candidate, InCommon, Place, Verdict, in_common, judge},
        language::Words,
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
/// How much each ranking counts where meaning decides, and how much the share of the question's words in a passage beside
/// them.
const BY_MEANING: Weights = Weights {
    vector: 3.0,
    keyword: 1.0,
};
const SHARE_BESIDE_MEANING: f64 = 0.1;
/// The same where words decide and the vectors break ties.
const BY_WORDS: Weights = Weights {
    vector: 0.5,
    keyword: 4.0,
};
const SHARE_BESIDE_WORDS: f64 = 0.5;

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

/// What a search found, and by what it was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The passages in their fused order.
    pub candidates: Vec<Candidate>,
    /// The id of the embedding model.
    pub embedding_model: String,
    /// The code of the question's language, as far as can be told.
    pub language: &'static str,
    /// How relevance was told.
    pub calibration: Calibration,
    /// What was kept at most, and by which relevance.
    pub bar: Bar,
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
) -> Result<Found, SearchError> {
    let found = tokio::time::timeout(SEARCH_TIME, rank(index, vectors, providers, inquiry)).await;
    found.unwrap_or(Err(SearchError::TooSlow))
}

async fn rank(
    index: &(impl Index + ?Sized),
    vectors: &Vectors,
    providers: &Providers,
    inquiry: Inquiry<'_>,
) -> Result<Found, SearchError> {
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

    let calibration = Calibration::of(&model, words.language);
    let (weights, worth_of_words) = if calibration.by_meaning {
        (BY_MEANING, SHARE_BESIDE_MEANING)
    } else {
        (BY_WORDS, SHARE_BESIDE_WORDS)
    };
    let ranked = fusion::fuse(&vector_ids, &keyword_ids, weights);
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

    let common = in_common(
        &words.terms,
        &found.iter().map(|(_, passage)| passage).collect::<Vec<_>>(),
    );
    let mut found: Vec<_> = found
        .into_iter()
        .zip(common)
        .map(|((entry, passage), common)| {
            let total = entry.score + worth_of_words * f64::from(common.share);
            (total, entry, passage, common)
        })
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));

    let candidate = |(fused_rank, (_, entry, passage, common)): (u32, (_, Fused<ChunkId>, _, InCommon))| {
        let cosine = cosines.get(&entry.item).copied();
        Candidate {
            hit: Place::from(&passage),
            passage,
            vector_rank: entry.vector_rank,
            keyword_rank: entry.keyword_rank,
            fused_rank,
            cosine,
            score: calibration.relevance(cosine.unwrap_or(farthest), &common),
            word_share: common.share,
            word_evidence: common.evidence,
            matched_words: common.words,
            verdict: Verdict::BelowThreshold,
        }
    };
    let mut candidates: Vec<Candidate> = (1u32..).zip(found).map(candidate).collect();
    let bar = Bar {
        top_k: config.top_k,
        threshold: config.threshold,
    };
    judge(&mut candidates, bar);
    Ok(Found {
        candidates,
        embedding_model: model.id,
        language: words.language,
        calibration,
        bar,
    })
}
