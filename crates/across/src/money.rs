//! Money in whole micro-dollars, and what tokens cost.

use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// Micro-dollars in a dollar, and tokens in the unit that prices are given for.
const MILLION: i64 = 1_000_000;

/// An amount of US dollars in whole micro-dollars, so that sums do not drift.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MicroUsd(pub i64);

impl MicroUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From dollars with at most six decimals; `None` if there are more, or if it is negative, not a number or beyond
    /// `most` dollars.
    #[must_use]
    pub fn from_dollars(dollars: f64, most: f64) -> Option<Self> {
        if !(0.0..=most).contains(&dollars) {
            return None;
        }
        let micro = (dollars * MILLION as f64).round();
        // Six decimals survive the way through a float; a seventh does not.
        let exact = (micro / MILLION as f64 - dollars).abs() < 1e-9;
        exact.then_some(Self(micro as i64))
    }

    /// In dollars, for the wire.
    #[must_use]
    pub fn dollars(self) -> f64 {
        self.0 as f64 / MILLION as f64
    }
}

impl Add for MicroUsd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for MicroUsd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for MicroUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// What a million tokens of a model cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Price {
    /// Of the prompt.
    pub prompt: MicroUsd,
    /// Of the answer.
    pub completion: MicroUsd,
}

impl Price {
    /// No charge: what runs inside the house.
    pub const FREE: Self = Self {
        prompt: MicroUsd::ZERO,
        completion: MicroUsd::ZERO,
    };

    /// What so many tokens cost, rounded up once to a whole micro-dollar.
    #[must_use]
    pub fn cost(self, prompt_tokens: u64, completion_tokens: u64) -> MicroUsd {
        let part = |price: MicroUsd, tokens: u64| i128::from(price.0.max(0)) * i128::from(tokens);
        let total = part(self.prompt, prompt_tokens) + part(self.completion, completion_tokens);
        let million = i128::from(MILLION);
        let rounded = (total + million - 1) / million;
        MicroUsd(i64::try_from(rounded).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_have_six_decimals_and_a_range() {
        let parse = |dollars| MicroUsd::from_dollars(dollars, 1e6);
        assert_eq!(parse(0.000_021), Some(MicroUsd(21)));
        assert_eq!(parse(999_999.999_999), Some(MicroUsd(999_999_999_999)));
        assert_eq!(parse(0.0), Some(MicroUsd::ZERO));
        for bad in [-0.1, 1e6 + 1.0, 0.000_000_1, f64::NAN, f64::INFINITY] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(MicroUsd(21).dollars(), 0.000_021);
    }

    #[test]
    fn a_call_is_rounded_up_once_and_never_to_nothing() {
        let price = Price {
            prompt: MicroUsd(150_000),
            completion: MicroUsd(600_000),
        };
        assert_eq!(price.cost(0, 0), MicroUsd(0));
        assert_eq!(price.cost(1, 0), MicroUsd(1));
        assert_eq!(price.cost(10, 5), MicroUsd(5));
        assert_eq!(price.cost(1_000_000, 1_000_000), MicroUsd(750_000));
        assert_eq!(price.cost(u64::MAX, u64::MAX), MicroUsd(i64::MAX));
        assert_eq!(Price::FREE.cost(1_000, 1_000), MicroUsd::ZERO);
    }
}
