//! One model, two names: what its maker calls it and what OpenRouter does (providers' reference, section 11).

use crate::{governance::price, providers::model::ProviderKind};

/// Models with open weights, which their makers do not serve under these names.
const OPEN_WEIGHTS: [&str; 2] = ["gpt-oss", "gemma"];

/// What OpenRouter calls a model of this maker: the shipped table says it, else the rule of its maker. `None` if OpenRouter
/// does not have this provider's models.
#[must_use]
pub fn at_openrouter(maker: ProviderKind, id: &str) -> Option<String> {
    if let Some(slug) = price::listed(maker.as_str(), id).and_then(|row| row.openrouter.clone()) {
        return Some(slug);
    }
    match maker {
        _ if is_open(id) => None,
        ProviderKind::OpenAi => Some(format!("openai/{id}")),
        ProviderKind::Anthropic => Some(format!("anthropic/{}", dotted(undated(id)))),
        ProviderKind::Google => Some(format!("google/{}", id.strip_prefix("models/").unwrap_or(id))),
        ProviderKind::OpenRouter | ProviderKind::Custom | ProviderKind::Offline | ProviderKind::Local => None,
    }
}

/// Who makes the model that OpenRouter calls so, and what they call it. `None` if nobody but OpenRouter serves it: variants
/// such as `:free`, aliases with `~`, open weights and other makers.
#[must_use]
pub fn at_its_maker(slug: &str) -> Option<(ProviderKind, String)> {
    if slug.starts_with('~') || slug.contains(':') {
        return None;
    }
    let row = price::listed(ProviderKind::OpenRouter.as_str(), slug);
    if let Some(row) = row.filter(|row| row.openrouter.as_deref() == Some(slug)) {
        return ProviderKind::parse(&row.provider).zip(row.model.clone());
    }
    match slug.split_once('/')? {
        (_, id) if is_open(id) => None,
        ("openai", id) => Some((ProviderKind::OpenAi, id.to_owned())),
        ("anthropic", id) => Some((ProviderKind::Anthropic, id.replace('.', "-"))),
        ("google", id) => Some((ProviderKind::Google, id.to_owned())),
        _ => None,
    }
}

fn is_open(id: &str) -> bool {
    let id = id.strip_prefix("models/").unwrap_or(id);
    OPEN_WEIGHTS.iter().any(|start| id.starts_with(start))
}

fn is_number(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

/// Without the day of its release, as in `claude-haiku-4-5-20251001`.
fn undated(id: &str) -> &str {
    match id.rsplit_once('-') {
        Some((rest, day)) if day.len() == 8 && is_number(day) => rest,
        _ => id,
    }
}

/// With a dot between the numbers of its version: `claude-opus-5-5` is `claude-opus-5.5`.
fn dotted(id: &str) -> String {
    let mut dotted = String::with_capacity(id.len());
    let mut before = "";
    for part in id.split('-') {
        if !dotted.is_empty() {
            dotted.push(if is_number(before) && is_number(part) { '.' } else { '-' });
        }
        dotted.push_str(part);
        before = part;
    }
    dotted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_lead_to_each_other() {
        for (maker, id, slug) in [
            (ProviderKind::OpenAi, "gpt-6.1-sol", "openai/gpt-6.1-sol"),
            (ProviderKind::OpenAi, "gpt-7-new", "openai/gpt-7-new"),
            (ProviderKind::Anthropic, "claude-opus-5-5", "anthropic/claude-opus-5.5"),
            (ProviderKind::Anthropic, "claude-sonnet-5", "anthropic/claude-sonnet-5"),
            (ProviderKind::Anthropic, "claude-opus-9-1", "anthropic/claude-opus-9.1"),
            (ProviderKind::Google, "gemini-3.8-flash", "google/gemini-3.8-flash"),
            (ProviderKind::Google, "gemini-9-flash", "google/gemini-9-flash"),
        ] {
            assert_eq!(at_openrouter(maker, id).as_deref(), Some(slug));
            assert_eq!(at_its_maker(slug), Some((maker, id.to_owned())));
        }
        for (id, slug) in [
            ("claude-haiku-4-5-20251001", "anthropic/claude-haiku-4.5"),
            ("claude-3-5-haiku-20241022", "anthropic/claude-3.5-haiku"),
            ("claude-3-opus-20240229", "anthropic/claude-3-opus"),
        ] {
            assert_eq!(at_openrouter(ProviderKind::Anthropic, id).as_deref(), Some(slug));
        }
        let slug = at_openrouter(ProviderKind::Google, "models/gemini-9-pro");
        assert_eq!(slug.as_deref(), Some("google/gemini-9-pro"));
    }

    #[test]
    fn what_openrouter_alone_serves_has_one_name() {
        for slug in [
            "openai/gpt-4o:extended",
            "google/gemini-3.8-flash:free",
            "~anthropic/claude-sonnet-latest",
            "openai/gpt-oss-120b",
            "google/gemma-3-27b-it",
            "deepseek/deepseek-v4.1-flash",
            "qwen/anything",
            "gpt-4o",
        ] {
            assert_eq!(at_its_maker(slug), None, "{slug}");
        }
        assert_eq!(at_openrouter(ProviderKind::Google, "models/gemma-3-27b-it"), None);
        assert_eq!(at_openrouter(ProviderKind::OpenAi, "gpt-oss-20b"), None);
        assert_eq!(at_openrouter(ProviderKind::Custom, "gpt-4o"), None);
    }
}
