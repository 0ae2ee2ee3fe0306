//! What an answer rests on: the passages that a search finds in the assistant's files, and what is cited of them.

use crate::{
    conversations::{
        context::{Knowledge, shorten},
        message::{Citation, Message, RetrievalOutcome, SNIPPET_CHARS},
        reply::ReplyError,
    },
    governance::meter::Payer,
    id::AssistantId,
    platform::{Platform, Store},
    providers::chat::Material,
    retrieval::search::{self, Candidate, Inquiry, SearchError, Verdict},
    settings::{OnRetrievalFailure, Settings},
};

/// What an answer rests on.
pub(super) struct Grounds {
    /// What the model is shown.
    pub(super) knowledge: Knowledge,
    /// The same passages, as they are cited.
    pub(super) citations: Vec<Citation>,
}

/// What the files say about a question.
pub(super) async fn search(
    platform: &Platform,
    settings: &Settings,
    payer: Payer,
    assistant: AssistantId,
    question: &str,
) -> Result<Grounds, ReplyError> {
    let (outcome, kept) = retrieve(platform, settings, payer, assistant, question).await?;
    Ok(Grounds {
        knowledge: Knowledge {
            outcome,
            materials: materials(&kept),
        },
        citations: kept.iter().zip(1..).map(cite).collect(),
    })
}

/// The passages that an answer rests on already, under the numbers by which it cites them. One that is not there any more as
/// it was, because its file was deleted or is another now, is left out, and the others keep their numbers.
pub(super) async fn again(store: &dyn Store, assistant: AssistantId, answer: &Message) -> Result<Grounds, ReplyError> {
    let wanted: Vec<_> = answer
        .citations
        .iter()
        .map(|cited| (cited.file, cited.chunk_index))
        .collect();
    let passages = store.cited_passages(assistant, &wanted).await?;
    let material = |cited: &Citation| {
        let same = passages.iter().find(|passage| {
            (passage.file, passage.chunk_index, passage.start, passage.end)
                == (cited.file, cited.chunk_index, cited.start, cited.end)
        })?;
        Some(Material {
            index: cited.index,
            filename: same.filename.clone(),
            page: same.page,
            heading: same.heading.clone(),
            text: same.text.clone(),
        })
    };
    Ok(Grounds {
        knowledge: Knowledge {
            outcome: answer.retrieval,
            materials: answer.citations.iter().filter_map(material).collect(),
        },
        // What was recorded with the answer stays.
        citations: Vec::new(),
    })
}

/// Searches the assistant's files. A search that fails or takes too long is said and survived, unless the administrator
/// wants no answers without the files.
async fn retrieve(
    platform: &Platform,
    settings: &Settings,
    payer: Payer,
    assistant: AssistantId,
    question: &str,
) -> Result<(Option<RetrievalOutcome>, Vec<Candidate>), ReplyError> {
    let store = platform.store.as_ref();
    if !store.has_knowledge(assistant).await? {
        return Ok((None, Vec::new()));
    }
    let inquiry = Inquiry {
        assistant,
        question,
        payer,
        settings,
        clock: platform.clock.as_ref(),
    };
    let problem = match search::search(store, &platform.vectors, &platform.providers, inquiry).await {
        Ok(found) => return Ok(judge(found)),
        Err(SearchError::Refused(refusal)) => return Err(ReplyError::Quota(refusal)),
        Err(error) => error.to_string(),
    };
    match settings.rag_on_failure {
        OnRetrievalFailure::Degrade => {
            tracing::warn!(problem, %assistant, "retrieval failed; answering without the files");
            Ok((Some(RetrievalOutcome::Unavailable), Vec::new()))
        }
        OnRetrievalFailure::Fail => {
            tracing::warn!(problem, %assistant, "retrieval failed; refusing to answer without the files");
            Err(ReplyError::NoRetrieval)
        }
    }
}

/// What is kept of a search's result.
fn judge(found: Vec<Candidate>) -> (Option<RetrievalOutcome>, Vec<Candidate>) {
    let kept: Vec<_> = found
        .into_iter()
        .filter(|candidate| candidate.verdict == Verdict::Kept)
        .collect();
    let outcome = if kept.is_empty() {
        RetrievalOutcome::None
    } else {
        RetrievalOutcome::Ok
    };
    (Some(outcome), kept)
}

fn materials(kept: &[Candidate]) -> Vec<Material> {
    let material = |(candidate, index): (&Candidate, u32)| Material {
        index,
        filename: candidate.passage.filename.clone(),
        page: candidate.passage.page,
        heading: candidate.passage.heading.clone(),
        text: candidate.passage.text.clone(),
    };
    kept.iter().zip(1..).map(material).collect()
}

fn cite((candidate, index): (&Candidate, u32)) -> Citation {
    let passage = &candidate.passage;
    let words: Vec<&str> = passage.text.split_whitespace().collect();
    Citation {
        index,
        file: passage.file,
        filename: passage.filename.clone(),
        chunk_index: passage.chunk_index,
        page: passage.page,
        start: passage.start,
        end: passage.end,
        score: candidate.score,
        cosine: candidate.cosine,
        heading: passage.heading.clone(),
        snippet: shorten(&words.join(" "), SNIPPET_CHARS),
    }
}
