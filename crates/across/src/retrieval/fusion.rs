//! Weighted reciprocal rank fusion of two rankings (Cormack, Clarke, Büttcher 2009): `Σ weight / (K + rank)`.

use std::{collections::HashMap, hash::Hash};

/// Softens the difference between neighbouring ranks. The usual 60 makes a first place worth little more than a tenth
/// and was measured to harm natural questions; of 3, 5, 7, 10, 15, 20 and 60 this served them best (`docs/retrieval.md`).
const K: f64 = 7.0;

/// One thing's places in the two rankings, from 1, and what they are worth together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fused<T> {
    /// The thing.
    pub item: T,
    /// Its place by vector.
    pub vector_rank: Option<u32>,
    /// Its place by keywords.
    pub keyword_rank: Option<u32>,
    /// The sum of what its places are worth.
    pub score: f64,
}

/// Fuses two rankings, best first. Ties keep the vector ranking's order, then the keyword ranking's.
pub fn fuse<T: Copy + Eq + Hash>(by_vector: &[T], by_keyword: &[T], weights: Weights) -> Vec<Fused<T>> {
    let mut fused: Vec<Fused<T>> = Vec::with_capacity(by_vector.len() + by_keyword.len());
    let mut places = HashMap::new();
    for (rank, item) in (1u32..).zip(by_vector) {
        places.insert(*item, fused.len());
        fused.push(Fused {
            item: *item,
            vector_rank: Some(rank),
            keyword_rank: None,
            score: worth(weights.vector, rank),
        });
    }
    for (rank, item) in (1u32..).zip(by_keyword) {
        if let Some(entry) = places.get(item).and_then(|place| fused.get_mut(*place)) {
            entry.keyword_rank = Some(rank);
            entry.score += worth(weights.keyword, rank);
        } else {
            fused.push(Fused {
                item: *item,
                vector_rank: None,
                keyword_rank: Some(rank),
                score: worth(weights.keyword, rank),
            });
        }
    }
    fused.sort_by(|a, b| b.score.total_cmp(&a.score));
    fused
}

/// How much each ranking counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// The vector ranking.
    pub vector: f64,
    /// The keyword ranking.
    pub keyword: f64,
}

fn worth(weight: f64, rank: u32) -> f64 {
    weight / (K + f64::from(rank))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(by_vector: &[char], by_keyword: &[char], vector: f64, expected: &str) {
        let fused = fuse(by_vector, by_keyword, Weights { vector, keyword: 1.0 });
        assert_eq!(fused.into_iter().map(|entry| entry.item).collect::<String>(), expected);
    }

    #[test]
    fn agreement_wins_and_weights_decide_the_rest() {
        check(&['a', 'b', 'c'], &['b', 'c'], 2.0, "bca");
        check(&['a', 'b', 'c'], &['c'], 1.0, "cab");
        check(&['a', 'b'], &['x', 'y'], 2.0, "abxy");
        check(&['a', 'b'], &['x', 'y'], 0.5, "xyab");
        check(&[], &['x'], 2.0, "x");
        check(&[], &[], 2.0, "");
    }
}
