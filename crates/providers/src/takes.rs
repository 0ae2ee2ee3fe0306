//! Parameters that not every model takes: what is known of a model beforehand, and what a refusal teaches.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use across::providers::{
    failure::{Category, ProviderError},
    model::ProviderKind,
};

use crate::{
    endpoint::{Accepted, Ask, Endpoint, Refused},
    known,
};

/// Which optional parameters a request holds. Vendors and models differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Takes {
    /// What the length limit is called where that differs.
    pub(crate) length: LengthName,
    pub(crate) temperature: bool,
    /// OpenAI's wish for a count at the end of a stream.
    pub(crate) stream_options: bool,
    /// OpenAI's wish for a stream without padding.
    pub(crate) no_padding: bool,
    /// Anthropic's mark at the end of what may be kept in its cache.
    pub(crate) cache_control: bool,
}

/// The name of the length limit in OpenAI's dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LengthName {
    /// OpenAI's today.
    MaxCompletionTokens,
    /// OpenAI's once, and most other servers'.
    MaxTokens,
}

impl Takes {
    /// What is tried first with a model of which no more is known than who serves it.
    pub(crate) fn of(kind: ProviderKind, model: &str) -> Self {
        Self {
            length: LengthName::MaxTokens,
            temperature: known::takes_temperature(kind, model),
            stream_options: true,
            no_padding: false,
            cache_control: true,
        }
    }

    /// The same without what was refused; `None` if the refusal is about something else.
    fn without(self, refused: &Refused) -> Option<Self> {
        let error = &refused.error;
        if !matches!(error.category, Category::BadParam | Category::BadRequest) {
            return None;
        }
        let words = refused.param.as_deref().unwrap_or(&error.message);
        let mut next = self;
        match first_named(words)? {
            "temperature" => next.temperature = false,
            "include_obfuscation" => next.no_padding = false,
            "stream_options" => next.stream_options = false,
            "cache_control" => next.cache_control = false,
            "max_completion_tokens" => next.length = LengthName::MaxTokens,
            "max_tokens" => next.length = LengthName::MaxCompletionTokens,
            _ => {}
        }
        (next != self).then_some(next)
    }
}

/// The parameter that stands first in a vendor's words ("Unsupported parameter: 'max_tokens' … use 'max_…' instead").
fn first_named(words: &str) -> Option<&'static str> {
    const NAMES: [&str; 5] = [
        "max_completion_tokens",
        "max_tokens",
        "temperature",
        "stream_options",
        "cache_control",
    ];
    // It is a part of `stream_options`, and goes alone.
    if words.contains("include_obfuscation") {
        return Some("include_obfuscation");
    }
    let found = NAMES.into_iter().filter_map(|name| Some((words.find(name)?, name)));
    found.min().map(|(_, name)| name)
}

/// What models turned out to take, so that a refused parameter costs one request and not one for each message.
#[derive(Debug, Default)]
pub(crate) struct Learned(Mutex<HashMap<String, Takes>>);

impl Learned {
    fn of(&self, model: &str) -> Option<Takes> {
        let learned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        learned.get(model).copied()
    }

    fn keep(&self, model: &str, takes: Takes) {
        let mut learned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        learned.insert(model.to_owned(), takes);
    }

    /// Asks for an answer, once more if a parameter is refused that can be left out or renamed, and no more than that.
    pub(crate) async fn ask<'q>(
        &self,
        endpoint: &Endpoint,
        model: &str,
        usual: Takes,
        question: impl Fn(Takes) -> Result<Ask<'q>, ProviderError> + Sync,
    ) -> Result<Accepted, ProviderError> {
        let first = self.of(model).unwrap_or(usual);
        let refused = match endpoint.send(&question(first)?).await {
            Ok(accepted) => return Ok(accepted),
            Err(refused) => refused,
        };
        let second = first.without(&refused).ok_or(refused.error)?;
        match endpoint.send(&question(second)?).await {
            Ok(accepted) => {
                self.keep(model, second);
                Ok(accepted)
            }
            Err(refused) => {
                // Another parameter: the next answer is asked for without both.
                if let Some(third) = second.without(&refused) {
                    self.keep(model, third);
                }
                Err(refused.error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(category: Category, param: Option<&str>, message: &str) -> Refused {
        Refused {
            error: ProviderError::local(ProviderKind::OpenAi, category, message),
            param: param.map(str::to_owned),
        }
    }

    #[test]
    fn a_refusal_takes_away_what_it_names_and_nothing_else() {
        let takes = Takes {
            no_padding: true,
            ..Takes::of(ProviderKind::OpenAi, "gpt-4o")
        };
        let without = |param, message| takes.without(&refused(Category::BadParam, param, message));
        assert_eq!(
            without(Some("temperature"), "no").map(|next| next.temperature),
            Some(false)
        );
        let padding = without(Some("stream_options.include_obfuscation"), "no").unwrap();
        assert_eq!((padding.no_padding, padding.stream_options), (false, true));
        let renamed = without(
            None,
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
        );
        assert_eq!(renamed.map(|next| next.length), Some(LengthName::MaxCompletionTokens));
        assert_eq!(without(Some("messages"), "temperature"), None);
        assert_eq!(
            takes.without(&refused(Category::RateLimited, Some("temperature"), "no")),
            None
        );
        let cold = Takes {
            temperature: false,
            ..takes
        };
        assert_eq!(
            cold.without(&refused(Category::BadParam, Some("temperature"), "no")),
            None
        );
    }
}
