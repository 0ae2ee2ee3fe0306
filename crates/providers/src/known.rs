//! What is known of vendors' models beforehand: the shipped table, and for names it does not hold, how they begin.

use across::{
    clock::Time,
    governance::price::{self, Listing, Sampling},
    providers::model::{Model, ProviderKind},
};

/// How the names of Anthropic's models begin that take a temperature; its later ones refuse it.
const ANTHROPIC_WITH_TEMPERATURE: [&str; 9] = [
    "claude-2",
    "claude-3",
    "claude-haiku-4",
    "claude-opus-4-0",
    "claude-opus-4-1",
    "claude-opus-4-2",
    "claude-opus-4-5",
    "claude-opus-4-6",
    "claude-sonnet-4",
];

/// What the table says of a vendor's model, under its own name or that without the day of its release.
pub(crate) fn listed(kind: ProviderKind, model: &str) -> Option<&'static Listing> {
    price::listed(kind.as_str(), model).or_else(|| price::listed(kind.as_str(), undated(model)?))
}

/// `gpt-4o-2024-08-06` or `claude-haiku-4-5-20251001` without the day.
fn undated(model: &str) -> Option<&str> {
    let is_number = |text: &str, digits: usize| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    let (before, last) = model.rsplit_once('-')?;
    if is_number(last, 8) {
        return Some(before);
    }
    let (before, month) = before.rsplit_once('-').filter(|_| is_number(last, 2))?;
    let (before, year) = before.rsplit_once('-').filter(|_| is_number(month, 2))?;
    is_number(year, 4).then_some(before)
}

/// Whether a temperature may be sent to the model. One that would change nothing is not.
pub(crate) fn takes_temperature(kind: ProviderKind, model: &str) -> bool {
    match listed(kind, model).and_then(|listing| listing.sampling) {
        Some(sampling) => sampling == Sampling::Yes || kind == ProviderKind::OpenRouter,
        None => match kind {
            ProviderKind::OpenAi => !reasons(kind, model),
            ProviderKind::Anthropic => ANTHROPIC_WITH_TEMPERATURE.iter().any(|start| model.starts_with(start)),
            // OpenRouter leaves out what a model does not take; of other servers nothing is known.
            _ => true,
        },
    }
}

/// Whether the model thinks before it answers, and so takes OpenAI's newer parameters.
pub(crate) fn reasons(kind: ProviderKind, model: &str) -> bool {
    listed(kind, model).map_or_else(
        || kind == ProviderKind::OpenAi && (is_of_the_o_series(model) || begins_any(model, &["gpt-5", "gpt-6"])),
        |listing| listing.reasoning,
    )
}

/// `o1`, `o3-mini` and the like.
pub(crate) fn is_of_the_o_series(model: &str) -> bool {
    model.starts_with('o') && model.as_bytes().get(1).is_some_and(u8::is_ascii_digit)
}

/// Whether Anthropic's model thinks without being asked to, at the expense of the answer's length.
pub(crate) fn thinks_unasked(model: &str) -> bool {
    let is_of_this_version = undated(model).unwrap_or(model).ends_with("-5-5");
    is_of_this_version || model.starts_with("claude-fable")
}

/// Fills in what a vendor's list does not tell of its models, and leaves out those that are no longer served.
pub(crate) fn completed(models: impl IntoIterator<Item = Model>, now: Time) -> Vec<Model> {
    let alive = models.into_iter().filter_map(|model| {
        let Some(listing) = listed(model.provider, &model.id) else {
            return Some(model);
        };
        if listing.shutdown.is_some_and(|day| day <= now.date_naive()) {
            return None;
        }
        Some(Model {
            context_length: model.context_length.or(listing.window),
            max_output_tokens: model.max_output_tokens.or(listing.max_output),
            ..model
        })
    });
    alive.collect()
}

fn begins_any(model: &str, starts: &[&str]) -> bool {
    starts.iter().any(|start| model.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temperature_goes_only_where_it_does_something() {
        use ProviderKind::{Anthropic, Custom, Google, OpenAi, OpenRouter};
        let taken = [
            (OpenAi, "gpt-4o-mini"),
            (OpenAi, "gpt-4o-2024-08-06"),
            (OpenAi, "gpt-3.5-turbo"),
            (Anthropic, "claude-3-5-haiku-20241022"),
            (Anthropic, "claude-haiku-4-5-20251001"),
            (Anthropic, "claude-sonnet-4-6"),
            (Anthropic, "claude-opus-4-20250514"),
            (Google, "gemini-2.5-flash"),
            (Google, "gemini-of-tomorrow"),
            (OpenRouter, "openai/gpt-6.1-sol"),
            (Custom, "gpt-6"),
        ];
        for (kind, model) in taken {
            assert!(takes_temperature(kind, model), "{kind:?} {model}");
        }
        let refused = [
            (OpenAi, "gpt-6-sol"),
            (OpenAi, "gpt-6.1-sol-2026-10-01"),
            (OpenAi, "gpt-5.1"),
            (OpenAi, "gpt-6.9-luna"),
            (OpenAi, "o3-mini"),
            (Anthropic, "claude-opus-4-7"),
            (Anthropic, "claude-opus-4-8"),
            (Anthropic, "claude-sonnet-5-5"),
            (Anthropic, "claude-fable-9"),
            (Google, "gemini-3.8-flash"),
        ];
        for (kind, model) in refused {
            assert!(!takes_temperature(kind, model), "{kind:?} {model}");
        }
    }

    #[test]
    fn the_day_of_a_release_is_no_part_of_a_name() {
        assert_eq!(undated("claude-haiku-4-5-20251001"), Some("claude-haiku-4-5"));
        assert_eq!(undated("gpt-4o-2024-08-06"), Some("gpt-4o"));
        for model in ["gpt-4o", "claude-haiku-4-5", "gpt-4-08-06", "20251001", "o3-mini"] {
            assert_eq!(undated(model), None, "{model}");
        }
        assert!(thinks_unasked("claude-sonnet-5-5-20260601") && thinks_unasked("claude-fable-5-1"));
        assert!(!thinks_unasked("claude-opus-5") && !thinks_unasked("claude-haiku-4-5"));
    }

    #[test]
    fn models_are_not_listed_beyond_their_last_day() {
        let model = |id: &str| Model {
            id: id.to_owned(),
            name: id.to_owned(),
            provider: ProviderKind::OpenAi,
            context_length: None,
            max_output_tokens: None,
            tariff: None,
        };
        let on = |day: &str| {
            let found = completed(
                ["gpt-5-mini", "gpt-6-sol", "unheard-of"].map(model),
                day.parse().unwrap(),
            );
            found
                .into_iter()
                .map(|model| (model.id, model.context_length))
                .collect::<Vec<_>>()
        };
        let rest = [
            ("gpt-6-sol".to_owned(), Some(1_050_000)),
            ("unheard-of".to_owned(), None),
        ];
        assert_eq!(on("2026-12-10T23:59:59Z").len(), 3);
        assert_eq!(on("2026-12-11T00:00:00Z"), rest);
    }
}
