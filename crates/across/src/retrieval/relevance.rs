//! Relevance: what a passage has in common with a question, on one scale for all embedding models and languages, so that
//! the specification's threshold of 0.7 means the same for all of them.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use super::judging::InCommon;
use crate::providers::{model::EmbeddingModel, registry::LOCAL_MODEL};

/// The relevance that the calibrated point stands for: the specification's default threshold.
pub const POINT: f32 = 0.7;
/// How much the share of the question's words adds to the cosine where meaning decides.
pub const WORDS_BESIDE_MEANING: f32 = 0.3;

/// The measured points of the built-in embedder, written by `cargo xtask bench retrieval --calibrate`.
static LOCAL: LazyLock<Option<Measured>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../assets/calibration/local.json")).ok());

/// The points at which nothing of value is cut yet, by what decides.
#[derive(Debug, Deserialize)]
struct Measured {
    /// Of cosine plus weighed share of words, for questions in a language that the model knows.
    meaning: f32,
    /// Of the evidence of words alone, by language.
    words: BTreeMap<String, f32>,
    /// Of the evidence of words in languages without questions to measure by: the lowest of those measured.
    other_words: f32,
}

/// What is believed about a question's passages, and how it becomes a relevance. The built-in embedder learned English
/// only; in other languages its vectors say little, so there the words decide.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    /// Whether meaning decides; if not, the words do.
    pub by_meaning: bool,
    /// Whether its point was measured; without that it is a lenient guess.
    pub is_measured: bool,
    /// What stands for relevance 0.
    zero: f32,
    /// What stands for [`POINT`].
    point: f32,
}

impl Calibration {
    /// The one for questions in `language` (a code as in ISO 639-1) to passages embedded by `model`.
    #[must_use]
    pub fn of(model: &EmbeddingModel, language: &str) -> Self {
        let guess = |zero, point| Self {
            by_meaning: true,
            is_measured: false,
            zero,
            point,
        };
        if model.id != LOCAL_MODEL {
            // The cosines of the e5 family all lie high; those of OpenAI's third generation lie about as the built-in
            // model's, and so do most others.
            return if model.id.contains("e5-") {
                guess(0.7, 0.86)
            } else {
                guess(0.0, 0.3)
            };
        }
        let Some(measured) = LOCAL.as_ref() else {
            return guess(0.0, 0.3);
        };
        let by_meaning = language == "en";
        let words = measured.words.get(language).copied();
        Self {
            by_meaning,
            is_measured: by_meaning || words.is_some(),
            zero: 0.0,
            point: if by_meaning {
                measured.meaning
            } else {
                words.unwrap_or(measured.other_words)
            },
        }
    }

    /// The relevance, 0–1, of a passage with this cosine and these words in common with the question. It rises in a line to
    /// the calibrated point and in another one to what is as near as can be.
    #[must_use]
    pub fn relevance(self, cosine: f32, words: &InCommon) -> f32 {
        let common = if self.by_meaning {
            cosine + WORDS_BESIDE_MEANING * words.share
        } else {
            words.evidence
        };
        let relevance = if common < self.point {
            POINT * (common - self.zero) / (self.point - self.zero)
        } else {
            POINT + (1.0 - POINT) * (common - self.point) / (1.0 - self.point)
        };
        relevance.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(id: &str) -> EmbeddingModel {
        EmbeddingModel {
            id: id.into(),
            dimensions: 384,
        }
    }

    fn words(in_common: f32) -> InCommon {
        InCommon {
            share: in_common,
            evidence: in_common,
            words: Vec::new(),
        }
    }

    #[test]
    fn the_measured_points_stand_for_the_default_threshold() {
        let measured = LOCAL.as_ref().unwrap();
        let english = Calibration::of(&model(LOCAL_MODEL), "en");
        assert!((english.relevance(measured.meaning, &words(0.0)) - POINT).abs() < 1e-6);
        assert!(english.by_meaning && english.is_measured);
        assert_eq!(english.relevance(1.0, &words(1.0)), 1.0);
        assert_eq!(english.relevance(-1.0, &words(0.0)), 0.0);
        for (language, point) in &measured.words {
            let line = Calibration::of(&model(LOCAL_MODEL), language);
            assert!(!line.by_meaning && line.is_measured, "{language}");
            assert!((line.relevance(0.9, &words(*point)) - POINT).abs() < 1e-6, "{language}");
            assert!(measured.other_words <= *point, "{language}");
        }
    }

    #[test]
    fn what_was_not_measured_says_so() {
        for (id, language) in [
            (LOCAL_MODEL, "tr"),
            ("text-embedding-3-small", "en"),
            ("e5-large", "de"),
        ] {
            assert!(!Calibration::of(&model(id), language).is_measured, "{id} {language}");
        }
        assert!(Calibration::of(&model("text-embedding-3-small"), "de").by_meaning);
    }

    #[test]
    fn a_keyword_hit_alone_is_not_enough_where_meaning_decides() {
        let english = Calibration::of(&model(LOCAL_MODEL), "en");
        assert!(english.relevance(0.0, &words(1.0)) < POINT);
    }
}
