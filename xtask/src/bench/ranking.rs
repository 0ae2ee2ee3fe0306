//! From passages with their ranks to recall and mean reciprocal rank.

use serde_json::{Value, json};

use super::questions::Question;

/// An order in which the passages of one answer can be read.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// By keyword search alone.
    Keyword,
    /// By meaning alone.
    Vector,
    /// By both together.
    Hybrid,
    /// What a chat would be given, in its order.
    Kept,
}

impl Order {
    /// All of them, in the order of the tables.
    pub const ALL: [Self; 4] = [Self::Keyword, Self::Vector, Self::Hybrid, Self::Kept];

    /// Its name in tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keyword => "keyword",
            Self::Vector => "vector",
            Self::Hybrid => "hybrid",
            Self::Kept => "kept",
        }
    }

    /// The passages that this order ranks, best first.
    fn rank(self, passages: &[Value]) -> Vec<&Value> {
        let key = match self {
            Self::Keyword => "keyword_rank",
            Self::Vector => "vector_rank",
            Self::Hybrid => "fused_rank",
            Self::Kept => return passages.iter().filter(|passage| passage["kept"] == true).collect(),
        };
        let ranked = passages
            .iter()
            .filter_map(|passage| Some((passage[key].as_u64()?, passage)));
        let mut ranked: Vec<(u64, &Value)> = ranked.collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.into_iter().map(|(_, passage)| passage).collect()
    }

    /// The place, from 1, of the first passage that answers the question.
    pub fn first_right(self, question: &Question, passages: &[Value]) -> Option<usize> {
        let ranked = self.rank(passages);
        let is_right = |passage: &&Value| match self {
            // What a chat would be given includes the neighbours that were joined.
            Self::Kept => question.is_answered_by(passage),
            Self::Keyword | Self::Vector | Self::Hybrid => question.is_answered_by_hit(passage),
        };
        ranked.iter().position(is_right).map(|place| place + 1)
    }
}

/// Shares of questions, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Answered by the first passage.
    pub at_1: f64,
    /// Answered by one of the first five.
    pub at_5: f64,
    /// Mean of 1 / place of the first right passage, 0 beyond the tenth.
    pub mrr_10: f64,
}

impl Figures {
    /// From the place of the first right passage of each question.
    pub fn new(places: &[Option<usize>]) -> Self {
        let mean = |value: &dyn Fn(usize) -> f64| {
            let sum: f64 = places.iter().flatten().map(|place| value(*place)).sum();
            sum / places.len().max(1) as f64
        };
        let within = |place: usize, limit: usize| if place <= limit { 1.0 } else { 0.0 };
        Self {
            at_1: mean(&|place| within(place, 1)),
            at_5: mean(&|place| within(place, 5)),
            mrr_10: mean(&|place| within(place, 10) / place as f64),
        }
    }

    /// As JSON.
    pub fn json(self) -> Value {
        json!({"recall_at_1": self.at_1, "recall_at_5": self.at_5, "mrr_at_10": self.mrr_10})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Figures, Order};
    use crate::bench::questions::Question;

    #[test]
    fn each_order_finds_the_right_passage_at_its_own_place() {
        let question = Question {
            text: String::new(),
            file: None,
            marks: vec!["right".into()],
            kind: None,
        };
        let passages = [
            json!({"text": "wrong", "hit_end": 5, "vector_rank": 2, "keyword_rank": 1, "fused_rank": 1, "kept": true}),
            json!({"text": "right", "hit_end": 5, "vector_rank": 1, "keyword_rank": null, "fused_rank": 2, "kept": true}),
            json!({"text": "wrong", "hit_end": 5, "vector_rank": 3, "keyword_rank": 2, "fused_rank": 3, "kept": false}),
        ];
        let places = Order::ALL.map(|order| order.first_right(&question, &passages));
        assert_eq!(places, [None, Some(1), Some(2), Some(2)]);
    }

    #[test]
    fn figures_count_missing_answers_as_nothing() {
        let figures = Figures::new(&[Some(1), Some(4), Some(20), None]);
        assert_eq!(
            figures,
            Figures {
                at_1: 0.25,
                at_5: 0.5,
                mrr_10: (1.0 + 0.25) / 4.0
            }
        );
        assert_eq!(
            Figures::new(&[]),
            Figures {
                at_1: 0.0,
                at_5: 0.0,
                mrr_10: 0.0
            }
        );
    }
}
