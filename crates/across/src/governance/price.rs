//! What models cost when nobody says it with the answer, and what else is known of them beforehand: the shipped table.

use std::{collections::HashMap, sync::LazyLock};

use chrono::NaiveDate;
use serde::Deserialize;

use crate::{
    clock::Time,
    money::{MicroUsd, Price, PriceSource, Rates, Tariff, Tier},
};

/// The table, with a row's place by its provider and model, and by its name at OpenRouter.
struct Table {
    rows: Vec<Listing>,
    places: HashMap<(String, String), usize>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let file: File = serde_json::from_str(include_str!("prices.json")).unwrap_or_default();
    let mut places = HashMap::new();
    for (place, row) in file.models.iter().enumerate() {
        if let Some(slug) = &row.openrouter {
            places.insert(("openrouter".to_owned(), slug.clone()), place);
        }
        if let Some(model) = &row.model {
            // Embedding models go by their maker's id at OpenRouter too, so that their vectors stay comparable.
            places.insert(("openrouter".to_owned(), model.clone()), place);
            places.insert((row.provider.clone(), model.clone()), place);
        }
    }
    Table {
        rows: file.models,
        places,
    }
});

#[derive(Default, Deserialize)]
struct File {
    models: Vec<Listing>,
}

/// Whether a model takes a sampling temperature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// It does.
    Yes,
    /// It does without reasoning only.
    WithoutReasoning,
    /// It takes it and does nothing with it.
    Ignored,
    /// It refuses the request.
    No,
}

/// A row of the table.
#[derive(Debug, Clone, Deserialize)]
pub struct Listing {
    /// Who serves it directly; `openrouter` if nobody does.
    pub provider: String,
    /// What it is called there.
    pub model: Option<String>,
    /// What it is called at OpenRouter.
    pub openrouter: Option<String>,
    rates: ListedRates,
    #[serde(default)]
    tiers: Vec<ListedTier>,
    #[serde(default)]
    changes: Vec<ListedChange>,
    /// Whether it makes vectors and does not chat.
    #[serde(default)]
    pub embeds: bool,
    /// Tokens of prompt and answer together.
    pub window: Option<u32>,
    /// Tokens of one answer at most.
    pub max_output: Option<u32>,
    /// Whether it takes a temperature, if that is known.
    pub sampling: Option<Sampling>,
    /// Whether it thinks before it answers, which costs tokens of the answer.
    #[serde(default)]
    pub reasoning: bool,
    /// The day from which it is no longer served.
    pub shutdown: Option<NaiveDate>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct ListedRates {
    prompt: MicroUsd,
    completion: MicroUsd,
    cache_read: Option<MicroUsd>,
    cache_write: Option<MicroUsd>,
    cache_write_1h: Option<MicroUsd>,
}

#[derive(Debug, Clone, Deserialize)]
struct ListedTier {
    above: u64,
    rates: ListedRates,
}

/// Announced rates, from the beginning of a day in UTC.
#[derive(Debug, Clone, Deserialize)]
struct ListedChange {
    from: NaiveDate,
    rates: ListedRates,
}

impl From<ListedRates> for Rates {
    fn from(listed: ListedRates) -> Self {
        Self {
            price: Price {
                prompt: listed.prompt,
                completion: listed.completion,
            },
            cache_read: listed.cache_read,
            cache_write: listed.cache_write,
            cache_write_1h: listed.cache_write_1h,
        }
    }
}

impl Listing {
    /// Whether it is still served.
    #[must_use]
    pub fn is_served(&self, at: Time) -> bool {
        self.shutdown.is_none_or(|day| at.date_naive() < day)
    }

    /// What it costs at a moment.
    #[must_use]
    pub fn tariff(&self, at: Time) -> Tariff {
        let begun = |change: &&ListedChange| change.from <= at.date_naive();
        let changed = self.changes.iter().filter(begun).max_by_key(|change| change.from);
        Tariff {
            rates: changed.map_or(self.rates, |change| change.rates).into(),
            tiers: self
                .tiers
                .iter()
                .map(|tier| Tier {
                    above: tier.above,
                    rates: tier.rates.into(),
                })
                .collect(),
            source: PriceSource::Table,
        }
    }
}

/// What is listed of a provider's model, if anything is.
#[must_use]
pub fn listed(provider: &str, model: &str) -> Option<&'static Listing> {
    let place = TABLE.places.get(&(provider.to_owned(), model.to_owned()))?;
    TABLE.rows.get(*place)
}

/// Where a provider's model stands in the table: smaller numbers stand before greater ones. `None` if it is not listed, or
/// no longer served at `at`.
#[must_use]
pub fn place(provider: &str, model: &str, at: Time) -> Option<usize> {
    let place = TABLE.places.get(&(provider.to_owned(), model.to_owned()))?;
    let row = TABLE.rows.get(*place)?;
    row.is_served(at).then_some(*place)
}

/// All that is listed.
pub fn all() -> impl Iterator<Item = &'static Listing> {
    TABLE.rows.iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn the_table_is_read_whole() {
        assert_eq!(all().count(), 47);
        let now = at("2026-11-23T12:00:00Z");
        let small = listed("openai", "text-embedding-3-small").unwrap();
        assert!(small.embeds);
        let price = small.tariff(now).price();
        assert_eq!((price.prompt, price.completion), (MicroUsd(20_000), MicroUsd::ZERO));
        assert_eq!(
            listed("openrouter", "text-embedding-3-small").unwrap().tariff(now),
            small.tariff(now)
        );
        assert!(listed("openai", "no-such-model").is_none());
        let opus = listed("openrouter", "anthropic/claude-opus-5.5").unwrap();
        assert_eq!(opus.model.as_deref(), Some("claude-opus-5-5"));
        assert_eq!(opus.sampling, Some(Sampling::No));
        assert_eq!(opus.tariff(now).rates.cache_write_1h, Some(MicroUsd(8_000_000)));
        assert_eq!(
            listed("openai", "gpt-6-sol").unwrap().tariff(now).tiers[0].above,
            272_000
        );
    }

    #[test]
    fn announced_prices_begin_on_their_day() {
        let argon = listed("google", "gemini-4-argon").unwrap();
        let prompt = |day| argon.tariff(at(day)).price().prompt;
        assert_eq!(prompt("2026-11-30T23:59:59Z"), MicroUsd(2_000_000));
        assert_eq!(prompt("2026-12-01T00:00:00Z"), MicroUsd(4_000_000));
    }
}
