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
        rounded_up(part(self.prompt, prompt_tokens) + part(self.completion, completion_tokens))
    }
}

/// Where a price comes from; kept with every row of the usage log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PriceSource {
    /// The provider said with the answer, or afterwards, what it charges.
    Stated,
    /// The provider's list of models, as it was then.
    Live,
    /// The price table that is shipped with this program.
    Table,
    /// An administrator.
    Administrator,
    /// Nobody knows; the configured fallback.
    Fallback,
    /// It is part of this program and costs nothing.
    BuiltIn,
}

impl PriceSource {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Stated,
        Self::Live,
        Self::Table,
        Self::Administrator,
        Self::Fallback,
        Self::BuiltIn,
    ];

    /// The name in columns and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stated => "stated",
            Self::Live => "live",
            Self::Table => "table",
            Self::Administrator => "administrator",
            Self::Fallback => "fallback",
            Self::BuiltIn => "built_in",
        }
    }

    /// The source of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == name)
    }
}

/// What a million tokens of each kind cost. What has no price of its own costs as much as the rest of the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rates {
    /// Of the prompt and of the answer.
    pub price: Price,
    /// Of the prompt, read from the provider's cache.
    pub cache_read: Option<MicroUsd>,
    /// Of the prompt, written to the provider's cache.
    pub cache_write: Option<MicroUsd>,
    /// Of the prompt, written to the provider's cache for an hour.
    pub cache_write_1h: Option<MicroUsd>,
}

impl Rates {
    /// The same for everything in the prompt.
    #[must_use]
    pub const fn flat(price: Price) -> Self {
        Self {
            price,
            cache_read: None,
            cache_write: None,
            cache_write_1h: None,
        }
    }
}

/// Tokens of one call by what they are charged as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Charged {
    /// All of the prompt, what follows included.
    pub prompt: u64,
    /// Read from the provider's cache.
    pub cached: u64,
    /// Written to it.
    pub cache_write: u64,
    /// Written to it for an hour.
    pub cache_write_1h: u64,
    /// Of the answer.
    pub completion: u64,
}

/// Other rates for the whole of a request with a long prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tier {
    /// For prompts of more tokens than this.
    pub above: u64,
    /// What is charged then.
    pub rates: Rates,
}

/// What a model costs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tariff {
    /// What is charged for most requests.
    pub rates: Rates,
    /// What is charged for long prompts, in rising order.
    pub tiers: Vec<Tier>,
    /// Who says so.
    pub source: PriceSource,
}

impl Tariff {
    /// One price for all requests.
    #[must_use]
    pub const fn flat(price: Price, source: PriceSource) -> Self {
        Self {
            rates: Rates::flat(price),
            tiers: Vec::new(),
            source,
        }
    }

    /// What most requests are charged.
    #[must_use]
    pub const fn price(&self) -> Price {
        self.rates.price
    }

    /// The rates of a request with so long a prompt.
    #[must_use]
    pub fn rates_for(&self, prompt_tokens: u64) -> Rates {
        let tier = self.tiers.iter().rev().find(|tier| prompt_tokens > tier.above);
        tier.map_or(self.rates, |tier| tier.rates)
    }

    /// What a call costs, rounded up once to a whole micro-dollar (providers' reference, section 9.2).
    #[must_use]
    pub fn cost(&self, tokens: Charged) -> MicroUsd {
        let rates = self.rates_for(tokens.prompt);
        let plain = tokens
            .prompt
            .saturating_sub(tokens.cached)
            .saturating_sub(tokens.cache_write)
            .saturating_sub(tokens.cache_write_1h);
        let prompt = rates.price.prompt;
        let parts = [
            (prompt, plain),
            (rates.cache_read.unwrap_or(prompt), tokens.cached),
            (rates.cache_write.unwrap_or(prompt), tokens.cache_write),
            (rates.cache_write_1h.unwrap_or(prompt), tokens.cache_write_1h),
            (rates.price.completion, tokens.completion),
        ];
        rounded_up(parts.into_iter().map(|(price, tokens)| part(price, tokens)).sum())
    }

    /// The price at which a call of this size is set aside: its tier, all of the prompt written to the cache.
    #[must_use]
    pub fn worst(&self, prompt_tokens: u64) -> Price {
        let rates = self.rates_for(prompt_tokens);
        let dearest = [rates.cache_write, rates.cache_write_1h].into_iter().flatten().max();
        Price {
            prompt: dearest.map_or(rates.price.prompt, |written| written.max(rates.price.prompt)),
            ..rates.price
        }
    }
}

/// What tokens cost in millionths of a micro-dollar.
fn part(price: MicroUsd, tokens: u64) -> i128 {
    i128::from(price.0.max(0)) * i128::from(tokens)
}

fn rounded_up(millionths: i128) -> MicroUsd {
    let million = i128::from(MILLION);
    MicroUsd(i64::try_from((millionths + million - 1) / million).unwrap_or(i64::MAX))
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

    #[test]
    fn long_prompts_and_caches_have_prices_of_their_own() {
        let rates = |prompt, completion, cached, written| Rates {
            price: Price {
                prompt: MicroUsd(prompt),
                completion: MicroUsd(completion),
            },
            cache_read: Some(MicroUsd(cached)),
            cache_write: Some(MicroUsd(written)),
            cache_write_1h: None,
        };
        let tariff = Tariff {
            rates: rates(2_000_000, 10_000_000, 100_000, 2_500_000),
            tiers: vec![Tier {
                above: 272_000,
                rates: rates(4_000_000, 15_000_000, 200_000, 5_000_000),
            }],
            source: PriceSource::Table,
        };
        let call = |prompt, cached, cache_write, completion| Charged {
            prompt,
            cached,
            cache_write,
            cache_write_1h: 0,
            completion,
        };
        // 100 plain at 2, 600 cached at 0.1, 300 written at 2.5, 10 answered at 10.
        assert_eq!(tariff.cost(call(1_000, 600, 300, 10)), MicroUsd(200 + 60 + 750 + 100));
        // The border itself is not long yet; beyond it all of the request is dearer.
        assert_eq!(tariff.cost(call(272_000, 0, 0, 0)), MicroUsd(544_000));
        assert_eq!(tariff.cost(call(272_001, 0, 0, 1)), MicroUsd(1_088_004 + 15));
        // What was cached can be no more than there was.
        assert_eq!(tariff.cost(call(10, 10, 0, 0)), MicroUsd(1));
        assert_eq!(tariff.worst(1_000).prompt, MicroUsd(2_500_000));
        assert_eq!(tariff.worst(300_000).prompt, MicroUsd(5_000_000));
    }
}
