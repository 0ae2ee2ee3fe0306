//! What an answer rests on: the passages that a search finds in the assistant's files, and what is cited of them.

use crate::{
    conversations::{
        context::{Knowledge, shorten},
        message::{Citation, Message, RetrievalOutcome, SNIPPET_CHARS, Why},
        reply::ReplyError,
    },
    governance::meter::Payer,
    id::AssistantId,
    platform::{Platform, Store},
    providers::chat::Material,
    retrieval::{
        judging::{Candidate, Verdict, joined},
        passage::Passage,
        search::{self, Found, Inquiry, SearchError},
    },
    settings::{OnRetrievalFailure, Settings},
};

/// What an answer rests on.
pub(super) struct Grounds {
    /// What the model is shown.
    pub(super) knowledge: Knowledge,
    /// The same passages, as they are cited.
    pub(super) citations: Vec<Citation>,
}

impl Grounds {
    /// Nothing: there are no files.
    pub(super) const fn none() -> Self {
        Self {
            knowledge: Knowledge {
                outcome: None,
                materials: Vec::new(),
            },
            citations: Vec::new(),
        }
    }
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
    let cite = |(candidate, index): (&Candidate, u32)| cite(candidate, index, settings.rag_similarity_threshold as f32);
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
        .flat_map(|cited| (cited.chunk_index..=cited.last_chunk_index).map(|index| (cited.file, index)))
        .collect();
    let passages = store.cited_passages(assistant, &wanted).await?;
    let material = |cited: &Citation| {
        let same = passage_of(cited, &passages)?;
        Some(Material {
            index: cited.index,
            filename: same.filename,
            page: same.page,
            heading: same.heading,
            text: same.text,
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

/// The passage that is cited, made again of its chunks; none if it is not there as it was.
fn passage_of(cited: &Citation, passages: &[Passage]) -> Option<Passage> {
    let chunk = |index| {
        let is_it = |passage: &&Passage| (passage.file, passage.chunk_index) == (cited.file, index);
        passages.iter().find(is_it)
    };
    let mut whole = chunk(cited.chunk_index)?.clone();
    for index in (cited.chunk_index..=cited.last_chunk_index).skip(1) {
        whole = joined(&whole, chunk(index)?)?;
    }
    ((whole.start, whole.end) == (cited.start, cited.end)).then_some(whole)
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
fn judge(found: Found) -> (Option<RetrievalOutcome>, Vec<Candidate>) {
    let kept: Vec<_> = found
        .candidates
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

fn cite(candidate: &Candidate, index: u32, threshold: f32) -> Citation {
    let passage = &candidate.passage;
    let words: Vec<&str> = passage.text.split_whitespace().collect();
    Citation {
        index,
        file: passage.file,
        filename: passage.filename.clone(),
        chunk_index: passage.chunk_index,
        last_chunk_index: passage.last_chunk_index,
        page: passage.page,
        start: passage.start,
        end: passage.end,
        score: candidate.score,
        cosine: candidate.cosine,
        heading: passage.heading.clone(),
        snippet: shorten(&words.join(" "), SNIPPET_CHARS),
        why: Some(Why {
            vector_rank: candidate.vector_rank,
            keyword_rank: candidate.keyword_rank,
            fused_rank: candidate.fused_rank,
            matched_words: candidate.matched_words.clone(),
            threshold,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ChunkId, FileId};

    fn chunk(file: FileId, index: u32, start: u32, text: &str) -> Passage {
        Passage {
            chunk: ChunkId::new(),
            file,
            filename: "a.txt".into(),
            chunk_index: index,
            last_chunk_index: index,
            page: None,
            start,
            end: start + text.chars().count() as u32,
            heading: None,
            text: text.into(),
            words: String::new(),
        }
    }

    #[test]
    fn joined_passages_are_found_again_unless_a_part_changed() {
        let file = FileId::new();
        let chunks = [
            chunk(file, 3, 10, "one two"),
            chunk(file, 4, 14, "two three"),
            chunk(FileId::new(), 4, 14, "other"),
        ];
        let cited = |last_chunk_index, end| Citation {
            index: 1,
            file,
            filename: "a.txt".into(),
            chunk_index: 3,
            last_chunk_index,
            page: None,
            start: 10,
            end,
            score: 0.8,
            cosine: None,
            heading: None,
            snippet: String::new(),
            why: None,
        };
        let text = |cited: &Citation, chunks: &[Passage]| passage_of(cited, chunks).map(|passage| passage.text);
        assert_eq!(text(&cited(4, 23), &chunks).as_deref(), Some("one two three"));
        assert_eq!(text(&cited(3, 17), &chunks).as_deref(), Some("one two"));
        assert_eq!(text(&cited(4, 24), &chunks), None);
        assert_eq!(text(&cited(5, 30), &chunks), None);
        assert_eq!(text(&cited(4, 23), &chunks[..1]), None);
    }
}
