//! What a threshold of relevance costs and what it refuses: computed again from what the server tells of every passage.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::questions::Question;

/// As in the product: of passages beside one that is relevant enough this share of the threshold is asked.
const FOLLOWING: f64 = 0.35;
/// As in the product: what the share of words adds to the cosine where meaning decides.
const WORDS_BESIDE_MEANING: f64 = 0.3;
/// Passages of an answer, by default.
const TOP_K: usize = 5;
/// Shares of questions that a calibrated point may cost where meaning decides, and where words do.
const COST_BY_MEANING: f64 = 0.005;
const COST_BY_WORDS: f64 = 0.015;

/// One passage of one question, as far as a threshold is concerned.
#[derive(Clone, Copy)]
pub struct Seen {
    /// Its relevance as the server tells it.
    score: f64,
    /// What the relevance was made of: cosine and words, or words alone.
    common: f64,
    is_right: bool,
}

/// The passages of one question, best first.
pub struct Sight {
    passages: Vec<Seen>,
    /// Whether it may be used to choose a point; the others show what the choice is worth.
    pub is_even: bool,
}

impl Sight {
    /// From what the server tells, in its order.
    pub fn new(question: &Question, passages: &[Value], by_meaning: bool, is_even: bool) -> Self {
        let seen = |passage: &Value| {
            let number = |key: &str| passage[key].as_f64().unwrap_or_default();
            Seen {
                score: number("score"),
                common: if by_meaning {
                    number("cosine") + WORDS_BESIDE_MEANING * number("word_share")
                } else {
                    number("word_evidence")
                },
                is_right: question.is_answered_by_hit(passage),
            }
        };
        Self {
            passages: passages.iter().map(seen).collect(),
            is_even,
        }
    }

    /// Whether anything is found at this threshold of `value`.
    fn finds(&self, value: impl Fn(&Seen) -> f64, threshold: f64) -> bool {
        self.passages.iter().take(TOP_K).any(|seen| value(seen) >= threshold)
    }

    /// Whether the right passage is among those that are kept at this threshold of `value`.
    fn is_answered(&self, value: impl Fn(&Seen) -> f64, threshold: f64) -> bool {
        let mut kept = self.passages.iter().filter(|seen| value(seen) >= threshold * FOLLOWING);
        self.finds(&value, threshold) && kept.by_ref().take(TOP_K).any(|seen| seen.is_right)
    }
}

/// One point of the curve.
pub struct Point {
    /// The threshold of relevance.
    pub threshold: f64,
    /// The share of questions whose answer is among the kept passages.
    pub answered: f64,
    /// The share of foreign questions that find nothing.
    pub refused: f64,
}

/// The curve of one set, from no threshold at all upwards.
pub fn curve(own: &[Sight], foreign: &[Sight]) -> Vec<Point> {
    let thresholds = [0.0, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85];
    let point = |threshold| Point {
        threshold,
        answered: share(own, |sight| sight.is_answered(|seen| seen.score, threshold)),
        refused: share(foreign, |sight| !sight.finds(|seen| seen.score, threshold)),
    };
    thresholds.map(point).into()
}

/// The curve as JSON.
pub fn json(points: &[Point]) -> Value {
    let point =
        |point: &Point| json!({"threshold": point.threshold, "answered": point.answered, "refused": point.refused});
    points.iter().map(point).collect()
}

/// The highest point, in hundredths, that costs no more than is allowed of the questions to choose by.
pub fn calibrated(sights: &[Sight], by_meaning: bool) -> f64 {
    let even: Vec<&Sight> = sights.iter().filter(|sight| sight.is_even).collect();
    let answered = |point: f64| {
        even.iter()
            .filter(|sight| sight.is_answered(|seen| seen.common, point))
            .count() as f64
    };
    let allowed = if by_meaning { COST_BY_MEANING } else { COST_BY_WORDS };
    let least = answered(0.0) - allowed * even.len() as f64;
    let points = (1..100).map(|hundredths| f64::from(hundredths) / 100.0);
    points
        .take_while(|point| answered(*point) >= least)
        .last()
        .unwrap_or_default()
}

/// Writes the points of the built-in embedder: the lowest of each kind, by language where words decide.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, points: &[(bool, &str, f64)]) -> Result<()> {
    let least = |points: &mut dyn Iterator<Item = f64>| points.fold(1.0, f64::min);
    let meaning = least(&mut points.iter().filter(|point| point.0).map(|point| point.2));
    let by_words = || points.iter().filter(|point| !point.0);
    let words: BTreeMap<&str, f64> = by_words().map(|point| (point.1, point.2)).collect();
    let other = least(&mut by_words().map(|point| point.2));
    let document = json!({"model": "local", "meaning": meaning, "words": words, "other_words": other});
    std::fs::write(path, format!("{document:#}\n")).with_context(|| format!("cannot write {}", path.display()))
}

fn share(sights: &[Sight], is_so: impl Fn(&Sight) -> bool) -> f64 {
    sights.iter().filter(|sight| is_so(sight)).count() as f64 / sights.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::{Seen, Sight, calibrated, curve};

    fn sight(passages: &[(f64, bool)], is_even: bool) -> Sight {
        let seen = |(score, is_right): &(f64, bool)| Seen {
            score: *score,
            common: *score,
            is_right: *is_right,
        };
        Sight {
            passages: passages.iter().map(seen).collect(),
            is_even,
        }
    }

    #[test]
    fn one_good_passage_carries_others_and_foreign_questions_are_refused() {
        let own = [sight(&[(0.9, false), (0.28, true)], true), sight(&[(0.62, true)], true)];
        let foreign = [sight(&[(0.58, false)], true), sight(&[], true)];
        let at = |threshold: f64| {
            let points = curve(&own, &foreign);
            let point = points
                .into_iter()
                .find(|point| (point.threshold - threshold).abs() < 1e-9)
                .unwrap();
            (point.answered, point.refused)
        };
        assert_eq!(at(0.0), (1.0, 0.5));
        assert_eq!(at(0.6), (1.0, 1.0));
        assert_eq!(at(0.7), (0.5, 1.0));
        assert_eq!(at(0.85), (0.0, 1.0));
    }

    #[test]
    fn the_point_is_chosen_on_the_even_half_alone() {
        let mut sights: Vec<Sight> = (0..100).map(|_| sight(&[(0.5, true)], true)).collect();
        sights.push(sight(&[(0.2, true)], false));
        assert!((calibrated(&sights, true) - 0.5).abs() < 1e-9);
        sights.extend((0..2).map(|_| sight(&[(0.3, true)], true)));
        assert!((calibrated(&sights, true) - 0.3).abs() < 1e-9);
        assert!((calibrated(&sights, false) - 0.3).abs() < 1e-9);
    }
}
