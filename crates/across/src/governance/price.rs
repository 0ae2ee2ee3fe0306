//! What models cost when nobody says it with the answer: the shipped price table, and a fallback that is never nothing.

use std::{collections::HashMap, sync::LazyLock};

use serde::Deserialize;

use crate::money::{MicroUsd, Price};

/// Published prices of the direct providers and their names at OpenRouter; see the file for the day they were listed.
static LISTED: LazyLock<HashMap<(String, String), Price>> = LazyLock::new(|| {
    let table: Table = serde_json::from_str(include_str!("prices.json")).unwrap_or_default();
    let mut prices = HashMap::new();
    for row in table.models {
        let price = Price {
            prompt: row.prompt,
            completion: row.completion,
        };
        if let Some(slug) = row.openrouter {
            prices.insert(("openrouter".to_owned(), slug), price);
            // Embedding models go by their maker's id there too, so that their vectors stay comparable.
            prices.insert(("openrouter".to_owned(), row.model.clone()), price);
        }
        prices.insert((row.provider, row.model), price);
    }
    prices
});

#[derive(Default, Deserialize)]
struct Table {
    models: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    provider: String,
    model: String,
    openrouter: Option<String>,
    prompt: MicroUsd,
    completion: MicroUsd,
}

/// The listed price of a provider's model, if it is listed.
#[must_use]
pub fn listed(provider: &str, model: &str) -> Option<Price> {
    LISTED.get(&(provider.to_owned(), model.to_owned())).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_whole() {
        assert!(LISTED.len() > 50, "{}", LISTED.len());
        let small = listed("openai", "text-embedding-3-small").unwrap();
        assert_eq!((small.prompt, small.completion), (MicroUsd(20_000), MicroUsd::ZERO));
        assert_eq!(listed("openrouter", "text-embedding-3-small"), Some(small));
        assert_eq!(listed("openai", "no-such-model"), None);
    }
}
