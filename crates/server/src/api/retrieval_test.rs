//! A look at what an assistant's files say to a question, with everything that decided about it.

use across::{
    governance::meter::Payer,
    id::AssistantId,
    retrieval::{
        judging::{Candidate, Verdict},
        search::{self, Inquiry},
    },
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::{
        ratio,
        words::{FoundReason, Retrieval},
    },
    auth::Principal,
    error::{ApiError, ErrorBody},
    input::{Body, Ids},
    state::AppState,
};

/// A question to try on an assistant's files.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetrievalTest {
    #[schema(min_length = 1, max_length = 2_000)]
    question: String,
}

/// A passage that was found, with everything that decided about it.
#[derive(Serialize, ToSchema)]
pub(crate) struct FoundPassage {
    #[schema(format = Uuid)]
    file_id: String,
    filename: String,
    chunk_index: u32,
    #[schema(required)]
    page: Option<u32>,
    /// Where it begins in the extracted text, in characters.
    start: u32,
    /// Where it ends, exclusive.
    end: u32,
    /// The headings it stands under, the outermost first.
    #[schema(required)]
    heading: Option<String>,
    text: String,
    /// The last chunk that it holds: the same one, unless neighbours were joined.
    last_chunk_index: u32,
    /// The chunk that was found, without joined neighbours, and where it begins and ends.
    hit_chunk_index: u32,
    hit_start: u32,
    hit_end: u32,
    /// Its place by meaning, from 1.
    #[schema(required)]
    vector_rank: Option<u32>,
    /// Its place by words, from 1.
    #[schema(required)]
    keyword_rank: Option<u32>,
    /// Its place in both together, from 1.
    fused_rank: u32,
    #[schema(required)]
    cosine: Option<f64>,
    /// Which share of the question's words stands in it, 0–1, rare ones counting more.
    word_share: f64,
    /// What these words say for it, 0–1: two parts of the share of words that it holds and one of those that it says at least
    /// twice, where a word that stands nowhere weighs as if it stood in one passage. Where words decide, relevance goes by this.
    word_evidence: f64,
    /// Those words.
    matched_words: Vec<String>,
    /// Calibrated relevance, 0–1.
    score: f64,
    /// Whether a chat would get it.
    kept: bool,
    /// Why, or why not.
    reason: FoundReason,
}

impl From<Candidate> for FoundPassage {
    fn from(candidate: Candidate) -> Self {
        let passage = candidate.passage;
        Self {
            file_id: passage.file.to_string(),
            filename: passage.filename,
            chunk_index: passage.chunk_index,
            page: passage.page,
            start: passage.start,
            end: passage.end,
            heading: passage.heading,
            text: passage.text,
            last_chunk_index: passage.last_chunk_index,
            hit_chunk_index: candidate.hit.chunk_index,
            hit_start: candidate.hit.start,
            hit_end: candidate.hit.end,
            vector_rank: candidate.vector_rank,
            keyword_rank: candidate.keyword_rank,
            fused_rank: candidate.fused_rank,
            cosine: candidate.cosine.map(ratio),
            word_share: ratio(candidate.word_share),
            word_evidence: ratio(candidate.word_evidence),
            matched_words: candidate.matched_words,
            score: ratio(candidate.score),
            kept: candidate.verdict == Verdict::Kept,
            reason: candidate.verdict.into(),
        }
    }
}

/// What a question finds, best first.
#[derive(Serialize, ToSchema)]
pub(crate) struct FoundPassages {
    passages: Vec<FoundPassage>,
    total: usize,
    /// Whether anything was found that a chat would get: `ok` or `none`.
    outcome: Retrieval,
    /// The relevance that the best passage must have.
    threshold: f64,
    /// Passages that a chat gets at most.
    top_k: usize,
    /// What embedded the question.
    embedding_model: String,
    /// Whether relevance was measured for this model and language; if not, it is a lenient guess.
    calibrated: bool,
    /// The code of the question's language, as far as can be told.
    language: String,
}

/// What a question would find in this assistant's files, and why. No model is asked.
#[utoipa::path(post, path = "/assistants/{id}/retrieval-test", operation_id = "test_retrieval", tag = "assistants",
    security(("bearer" = [])), params(("id" = String, Path)),
    request_body = RetrievalTest, responses((status = 200, body = FoundPassages), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
    (status = 422, body = ErrorBody), (status = 429, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub(crate) async fn retrieval_test(
    State(state): State<AppState>,
    principal: Principal,
    Ids((id,)): Ids<(AssistantId,)>,
    Body(body): Body<RetrievalTest>,
) -> Result<Json<FoundPassages>, ApiError> {
    let question = body.question.trim();
    if !(1..=2_000).contains(&question.chars().count()) {
        return Err(ApiError::field("question", "A question has 1 to 2,000 characters."));
    }
    let platform = &state.platform;
    platform
        .store
        .find_assistant(id)
        .await?
        .ok_or_else(ApiError::not_found)?;
    let inquiry = Inquiry {
        assistant: id,
        question,
        payer: Payer {
            user: Some(principal.actor.user),
            role: Some(principal.actor.role),
            assistant: Some(id),
        },
        settings: &platform.settings.get(),
        clock: platform.clock.as_ref(),
    };
    let found = search::search(platform.store.as_ref(), &platform.vectors, &platform.providers, inquiry).await;
    let found = found.map_err(|error| ApiError::search(error, platform.clock.now()))?;
    let passages: Vec<_> = found.candidates.into_iter().map(FoundPassage::from).collect();
    Ok(Json(FoundPassages {
        total: passages.len(),
        outcome: if passages.iter().any(|passage| passage.kept) {
            Retrieval::Ok
        } else {
            Retrieval::None
        },
        passages,
        threshold: ratio(found.bar.threshold),
        top_k: found.bar.top_k,
        embedding_model: found.embedding_model,
        calibrated: found.calibration.is_measured,
        language: found.language.to_owned(),
    }))
}
