//! What becomes of the passages that a search found: judged by relevance, near duplicates left out, neighbours joined.

use std::collections::{HashMap, HashSet};

use super::{passage::Passage, words::Word};

/// Of passages beside one that is relevant enough, this share of the threshold is asked.
const FOLLOWING: f32 = 0.35;
/// Two passages are the same if they share this part of the forms of their words.
const SAME: f32 = 0.9;
/// Chunks of one passage at most.
const MAX_JOINED: u32 = 3;

/// Why a passage was kept or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Among the best and relevant enough.
    Kept,
    /// Part of a better passage, its neighbour.
    Joined,
    /// Says what a better one says.
    Duplicate,
    /// Relevant enough, but others were better.
    BeyondTopK,
    /// Not relevant enough.
    BelowThreshold,
}

/// The place of a chunk in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which chunk of the file, from 0.
    pub chunk_index: u32,
    /// Where it begins in the file's extracted text, in characters.
    pub start: u32,
    /// Where it ends, exclusive, in characters.
    pub end: u32,
}

impl From<&Passage> for Place {
    fn from(passage: &Passage) -> Self {
        Self {
            chunk_index: passage.chunk_index,
            start: passage.start,
            end: passage.end,
        }
    }
}

/// A passage that a search found, with everything that decided about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The passage; of a kept one, together with the neighbours that were found too.
    pub passage: Passage,
    /// The chunk that was found, without neighbours.
    pub hit: Place,
    /// Its place by vector, from 1.
    pub vector_rank: Option<u32>,
    /// Its place by keywords, from 1.
    pub keyword_rank: Option<u32>,
    /// Its place in the fused ranking, from 1.
    pub fused_rank: u32,
    /// Its cosine, if it was found by vector.
    pub cosine: Option<f32>,
    /// Which share of the question's words it holds, 0–1, rare ones counting more.
    pub word_share: f32,
    /// What the words say for it, 0–1: see [`InCommon::evidence`].
    pub word_evidence: f32,
    /// Those words of the question.
    pub matched_words: Vec<String>,
    /// Its calibrated relevance, 0–1.
    pub score: f32,
    /// What was decided.
    pub verdict: Verdict,
}

/// How many passages are kept, and which.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// Passages kept at most.
    pub top_k: usize,
    /// The relevance, 0–1, that the best of them must have for anything to be found.
    pub threshold: f32,
}

/// Decides about candidates in their fused order. One of the first `top_k` must reach the threshold, or nothing is found;
/// beside it the others need less, for what is asked may be spread over them.
pub fn judge(candidates: &mut [Candidate], bar: Bar) {
    let first = candidates.iter().take(bar.top_k);
    let is_found = first
        .map(|candidate| candidate.score)
        .any(|score| score >= bar.threshold);
    let mut kept: Vec<usize> = Vec::new();
    for at in 0..candidates.len() {
        let (better, rest) = candidates.split_at_mut(at);
        let Some(candidate) = rest.first_mut() else { break };
        candidate.verdict = if !is_found || candidate.score < bar.threshold * FOLLOWING {
            Verdict::BelowThreshold
        } else if kept.len() == bar.top_k {
            Verdict::BeyondTopK
        } else if kept.iter().any(|one| {
            better
                .get(*one)
                .is_some_and(|one| is_same(&one.passage, &candidate.passage))
        }) {
            Verdict::Duplicate
        } else if kept
            .iter()
            .any(|one| better.get_mut(*one).is_some_and(|one| one.take_in(&candidate.passage)))
        {
            Verdict::Joined
        } else {
            kept.push(at);
            Verdict::Kept
        };
    }
}

impl Candidate {
    /// Joins a neighbour, if it is one and there is room.
    fn take_in(&mut self, other: &Passage) -> bool {
        let chunks = |passage: &Passage| passage.last_chunk_index - passage.chunk_index + 1;
        if chunks(&self.passage) + chunks(other) > MAX_JOINED {
            return false;
        }
        match joined(&self.passage, other).or_else(|| joined(other, &self.passage)) {
            Some(both) => {
                self.passage = both;
                true
            }
            None => false,
        }
    }
}

/// The passage of two neighbours of one page, in their order, without saying twice what both hold.
#[must_use]
pub fn joined(first: &Passage, second: &Passage) -> Option<Passage> {
    let are_neighbours = (first.file, first.page, first.last_chunk_index.checked_add(1))
        == (second.file, second.page, Some(second.chunk_index));
    if !are_neighbours || second.end < first.end {
        return None;
    }
    let mut text = first.text.clone();
    // What lies between chunks is white space; it is kept as long as it was, so that offsets stay true.
    let gap = second.start.saturating_sub(first.end) as usize;
    text.extend(std::iter::repeat_n('\n', gap));
    let overlap = first.end.saturating_sub(second.start) as usize;
    text.extend(second.text.chars().skip(overlap));
    Some(Passage {
        chunk: first.chunk,
        file: first.file,
        filename: first.filename.clone(),
        chunk_index: first.chunk_index,
        last_chunk_index: second.last_chunk_index,
        page: first.page,
        start: first.start,
        end: second.end,
        heading: first.heading.clone(),
        text,
        words: format!("{} {}", first.words, second.words),
    })
}

/// Whether two passages say the same, in nearly the same words.
fn is_same(one: &Passage, other: &Passage) -> bool {
    let (one, other) = (forms(one), forms(other));
    let shared = one.intersection(&other).count() as f32;
    let all = one.union(&other).count() as f32;
    all > 0.0 && shared >= SAME * all
}

fn forms(passage: &Passage) -> HashSet<&str> {
    passage.words.split_whitespace().collect()
}

/// What a passage has in common with a question by words.
#[derive(Debug, Clone, PartialEq)]
pub struct InCommon {
    /// The share of the question's words that stand in it, 0–1, rare words counting more (inverse document frequency among
    /// the passages found). What ranks a passage.
    pub share: f32,
    /// How much that says for an answer, 0–1: two parts of the share and one of the share of words that it says at least
    /// twice. A passage about something else holds some of the words by chance, and by chance says them once. A word that
    /// stands nowhere, which may be no more than a way of asking, weighs here as if it stood in one passage.
    pub evidence: f32,
    /// The words of the question that stand in it.
    pub words: Vec<String>,
}

/// How often the forms of a passage begin with these letters, counted for each form apart: the forms of one word of the text
/// differ, so that a form found twice was said twice.
type Beginnings = HashMap<String, usize>;

/// What each passage has in common with a question. A word stands in a passage that has one which begins alike, so that
/// "launched" finds "launch" and a German word its compound.
#[must_use]
pub fn in_common(terms: &[Word], passages: &[&Passage]) -> Vec<InCommon> {
    let held: Vec<Beginnings> = passages.iter().map(|passage| beginnings(&passage.words)).collect();
    let wanted: Vec<Vec<String>> = terms
        .iter()
        .map(|term| term.forms.iter().map(|form| beginning(form)).collect())
        .collect();
    let times = |wanted: &[String], held: &Beginnings| {
        let each = wanted.iter().filter_map(|form| held.get(form));
        each.max().copied().unwrap_or_default()
    };
    let holding: Vec<usize> = wanted
        .iter()
        .map(|wanted| held.iter().filter(|held| times(wanted, held) > 0).count())
        .collect();
    let rarity = |holding: usize| (1.0 + held.len() as f32 / (holding as f32 + 0.5)).ln();
    let weights: Vec<f32> = holding.iter().map(|holding| rarity(*holding)).collect();
    let tempered: Vec<f32> = holding.iter().map(|holding| rarity((*holding).max(1))).collect();
    let part = |weights: &[f32], counts: &[usize], least: usize| {
        let all: f32 = weights.iter().sum();
        let said = weights.iter().zip(counts).filter(|(_, count)| **count >= least);
        let found: f32 = said.map(|(weight, _)| weight).sum();
        if all > 0.0 { found / all } else { 0.0 }
    };
    let common = |held: &Beginnings| {
        let counts: Vec<usize> = wanted.iter().map(|wanted| times(wanted, held)).collect();
        let stands = terms.iter().zip(&counts).filter(|(_, count)| **count > 0);
        InCommon {
            share: part(&weights, &counts, 1),
            evidence: (2.0 * part(&tempered, &counts, 1) + part(&tempered, &counts, 2)) / 3.0,
            words: stands.map(|(term, _)| term.plain.clone()).collect(),
        }
    };
    held.iter().map(common).collect()
}

/// How often the commonest form of each beginning stands among these forms.
fn beginnings(forms: &str) -> Beginnings {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for form in forms.split_whitespace() {
        *counts.entry(form).or_default() += 1;
    }
    let mut most = Beginnings::with_capacity(counts.len());
    for (form, count) in counts {
        let most = most.entry(beginning(form)).or_default();
        *most = count.max(*most);
    }
    most
}

/// The first four letters of a form: what is left of the differences between words that mean the same. Of three rules,
/// whole forms, beginnings of words and beginnings of forms, this one served every language best.
fn beginning(form: &str) -> String {
    form.chars().take(4).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::{ChunkId, FileId},
        retrieval::words::{asked, indexed},
    };

    fn passage(file: FileId, index: u32, start: u32, text: &str) -> Passage {
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
            words: indexed(text),
        }
    }

    fn candidates(passages: Vec<(Passage, f32)>) -> Vec<Candidate> {
        let candidate = |((passage, score), fused_rank): ((Passage, f32), u32)| Candidate {
            hit: Place::from(&passage),
            passage,
            vector_rank: None,
            keyword_rank: None,
            fused_rank,
            cosine: None,
            word_share: 0.0,
            word_evidence: 0.0,
            matched_words: Vec::new(),
            score,
            verdict: Verdict::BeyondTopK,
        };
        passages.into_iter().zip(1..).map(candidate).collect()
    }

    fn verdicts(passages: Vec<(Passage, f32)>, top_k: usize, threshold: f32) -> Vec<Verdict> {
        let mut candidates = candidates(passages);
        judge(&mut candidates, Bar { top_k, threshold });
        candidates.iter().map(|candidate| candidate.verdict).collect()
    }

    #[test]
    fn one_good_passage_lets_others_in_and_without_one_nothing_is_found() {
        use Verdict::{BelowThreshold, BeyondTopK, Kept};
        let of = |scores: &[f32]| {
            let one = |(at, score): (usize, &f32)| (passage(FileId::new(), 0, 0, &format!("number {at}")), *score);
            scores.iter().enumerate().map(one).collect::<Vec<_>>()
        };
        assert_eq!(verdicts(of(&[0.3, 0.71, 0.2]), 5, 0.7), [Kept, Kept, BelowThreshold]);
        assert_eq!(verdicts(of(&[0.69, 0.5]), 5, 0.7), [BelowThreshold, BelowThreshold]);
        assert_eq!(verdicts(of(&[0.9, 0.9, 0.9]), 2, 0.7), [Kept, Kept, BeyondTopK]);
        // What would not be among the kept ones anyway cannot let others in.
        assert_eq!(verdicts(of(&[0.6, 0.9]), 1, 0.7), [BelowThreshold, BelowThreshold]);
        assert_eq!(verdicts(of(&[0.0, 0.0]), 1, 0.0), [Kept, BeyondTopK]);
    }

    #[test]
    fn neighbours_become_one_passage_with_true_offsets_and_free_a_place() {
        let text: Vec<char> = ('a'..='z').chain('a'..='z').collect();
        let part = |index, start: usize, end: usize, file| {
            passage(file, index, start as u32, &text[start..end].iter().collect::<String>())
        };
        let (file, other) = (FileId::new(), FileId::new());
        // The second overlaps the first by two letters; between second and third stood one white space.
        let found = vec![
            (part(1, 8, 20, file), 0.9),
            (part(0, 0, 10, file), 0.8),
            (part(2, 21, 30, file), 0.8),
            (part(3, 28, 40, file), 0.8),
            (part(5, 41, 50, file), 0.8),
            (part(4, 30, 41, other), 0.8),
        ];
        let mut found = candidates(found);
        judge(
            &mut found,
            Bar {
                top_k: 3,
                threshold: 0.7,
            },
        );
        let of = |verdict| {
            found
                .iter()
                .filter(|one| one.verdict == verdict)
                .map(|one| one.fused_rank)
                .collect::<Vec<_>>()
        };
        assert_eq!(of(Verdict::Joined), [2, 3]);
        assert_eq!(of(Verdict::Kept), [1, 4, 5]);
        let whole = &found[0];
        assert_eq!((whole.passage.chunk_index, whole.passage.last_chunk_index), (0, 2));
        assert_eq!((whole.passage.start, whole.passage.end), (0, 30));
        let expected: String = text[..20].iter().chain(&['\n']).chain(&text[21..30]).collect();
        assert_eq!(whole.passage.text, expected);
        assert_eq!((whole.hit.chunk_index, whole.hit.start, whole.hit.end), (1, 8, 20));
    }

    #[test]
    fn pages_and_files_stay_apart() {
        let (file, other) = (FileId::new(), FileId::new());
        let first = passage(file, 0, 0, "one");
        assert!(joined(&first, &passage(file, 1, 3, "two")).is_some());
        assert!(joined(&first, &passage(file, 2, 3, "two")).is_none());
        assert!(joined(&first, &passage(other, 1, 3, "two")).is_none());
        let next_page = Passage {
            page: Some(2),
            ..passage(file, 1, 3, "two")
        };
        assert!(joined(&first, &next_page).is_none());
    }

    #[test]
    fn what_was_said_already_is_not_said_again() {
        let text = "The office in Haifa opens at nine and closes at five on every day of the week but Saturday.";
        let found = vec![
            (passage(FileId::new(), 0, 0, text), 0.9),
            (passage(FileId::new(), 0, 0, &text.to_uppercase()), 0.9),
            (
                passage(FileId::new(), 0, 0, &text.replace("Haifa", "Akko and in other towns")),
                0.9,
            ),
        ];
        use Verdict::{Duplicate, Kept};
        assert_eq!(verdicts(found, 5, 0.7), [Kept, Duplicate, Kept]);
    }

    #[test]
    fn words_count_in_any_form_and_rare_ones_more() {
        let terms = asked("launch validators mars", "en");
        let texts = [
            "The launch was on Monday.",
            "A launch. 38 validators signed.",
            "Launching soon.",
            "Nothing.",
        ];
        let passages = texts.map(|text| passage(FileId::new(), 0, 0, text));
        let common = in_common(&terms, &passages.iter().collect::<Vec<_>>());
        let shares: Vec<f32> = common.iter().map(|common| common.share).collect();
        assert!(shares[1] > shares[0] && shares[0] > 0.0, "{shares:?}");
        assert_eq!((shares[0], shares[3]), (shares[2], 0.0));
        assert_eq!(common[1].words, ["launch", "validators"]);
        // Of two words the rarer one counts more.
        assert!(shares[1] - shares[0] > shares[0]);
        let nothing = InCommon {
            share: 0.0,
            evidence: 0.0,
            words: Vec::new(),
        };
        assert_eq!(in_common(&[], &[&passages[0]]), [nothing]);
    }

    #[test]
    fn words_said_again_are_better_evidence_and_ways_of_asking_take_little_from_it() {
        let of = |question: &str| {
            let texts = [
                "The launch was on Monday.",
                "The launch was on Monday. Launching it again took a year.",
            ];
            let passages = texts.map(|text| passage(FileId::new(), 0, 0, text));
            let common = in_common(&asked(question, "en"), &passages.iter().collect::<Vec<_>>());
            [
                (common[0].share, common[0].evidence),
                (common[1].share, common[1].evidence),
            ]
        };
        let [once, twice] = of("launch");
        assert_eq!((once.0, twice.0), (1.0, 1.0));
        assert!(
            (once.1 - 2.0 / 3.0).abs() < 1e-6 && (twice.1 - 1.0).abs() < 1e-6,
            "{once:?} {twice:?}"
        );
        let [once, twice] = of("whereabouts of the launch");
        assert!(
            once.0 < once.1 * 1.5 && once.1 < twice.1 && twice.1 < 1.0,
            "{once:?} {twice:?}"
        );
    }
}
