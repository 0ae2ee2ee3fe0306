//! Every vendor's refusals in one classification, decided once from status, code and message (providers' reference, section 8).

use std::time::Duration;

use crate::providers::model::ProviderKind;

/// What kind of failure it is; decides what is retried and what the reader is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    /// The key is wrong or may not do this.
    AuthBad,
    /// The account has no credit left.
    NoCredit,
    /// Too many requests.
    RateLimited,
    /// The provider has no capacity now.
    Overloaded,
    /// The provider failed inside.
    Upstream,
    /// Nothing came in time.
    Timeout,
    /// The provider could not be reached: the request never got there.
    Network,
    /// The model does not exist (any more).
    ModelGone,
    /// The prompt exceeds the model's window.
    TooLong,
    /// A parameter is not accepted; carries no name, the message does.
    BadParam,
    /// The provider refused the content.
    Blocked,
    /// The request is too large.
    TooLarge,
    /// Any other refusal of the request.
    BadRequest,
    /// The answer could not be understood.
    Malformed,
    /// The connection broke after the request was sent, before the answer ended or even began.
    Cut,
    /// This provider cannot do what was asked of it.
    Unsupported,
}

impl Category {
    /// The reason in a word, for notices, the usage log and administrators.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthBad => "auth",
            Self::NoCredit => "no_credit",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout",
            Self::Network => "unreachable",
            Self::ModelGone => "model_gone",
            Self::TooLong | Self::TooLarge => "too_long",
            Self::Blocked => "blocked",
            Self::BadParam | Self::BadRequest | Self::Unsupported => "refused",
            Self::Upstream | Self::Malformed | Self::Cut => "failed",
        }
    }

    /// Whether it speaks of the provider's own health, not of the request, the key or how much was asked.
    #[must_use]
    pub const fn is_of_the_provider(self) -> bool {
        matches!(
            self,
            Self::Overloaded | Self::Upstream | Self::Timeout | Self::Network | Self::Malformed | Self::Cut
        )
    }

    /// Whether another provider of the same model may be asked instead (providers' reference, section 8.2): not if the same
    /// question would be refused there for the same reason, and never to get around a refusal of the content.
    #[must_use]
    pub const fn may_fall_back(self) -> bool {
        !matches!(
            self,
            Self::TooLong | Self::TooLarge | Self::BadParam | Self::BadRequest | Self::Blocked | Self::Unsupported
        )
    }
}

/// A provider's failure. `message` is for the log: it may hold keys or prompts and is never shown to people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} failed ({category:?}, status {status:?}, code {code:?}): {message}", provider.as_str())]
pub struct ProviderError {
    /// Who failed.
    pub provider: ProviderKind,
    /// What kind of failure.
    pub category: Category,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// The provider's own code.
    pub code: Option<String>,
    /// The provider's own words, shortened.
    pub message: String,
    /// When to try again, if it said so.
    pub retry_after: Option<Duration>,
}

impl ProviderError {
    /// A failure without an HTTP answer behind it.
    pub fn local(provider: ProviderKind, category: Category, message: impl Into<String>) -> Self {
        Self {
            provider,
            category,
            status: None,
            code: None,
            message: message.into(),
            retry_after: None,
        }
    }

    /// What this failure says about the key, in a word for the administrator; `None` if it says nothing.
    #[must_use]
    pub const fn key_problem(&self) -> Option<&'static str> {
        match self.category {
            Category::AuthBad => Some("unauthorized"),
            Category::NoCredit => Some("no_credit"),
            _ => None,
        }
    }

    /// Whether trying again may help.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self.category,
            Category::RateLimited
                | Category::Overloaded
                | Category::Upstream
                | Category::Timeout
                | Category::Network
                | Category::Malformed
                | Category::Cut
        )
    }
}

/// Decides the category of a refusal from its HTTP status, the vendor's codes (all of them, in any order) and its message.
#[must_use]
pub fn classify(status: Option<u16>, code: &str, message: &str) -> Category {
    let code = code.to_ascii_lowercase();
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| code.contains(word) || message.contains(word));
    let code_is = |words: &[&str]| words.iter().any(|word| code.contains(word));

    // OpenRouter's 402 for too much under way at once, which passes.
    if code_is(&["in_flight_budget"]) {
        return Category::RateLimited;
    }
    if says(&[
        "insufficient_quota",
        "credit_balance",
        "credit balance",
        "spend limit",
        "payment_required",
    ]) || code_is(&["billing_error", "failed_precondition"])
    {
        return Category::NoCredit;
    }
    if says(&[
        "context_length_exceeded",
        "exceed_context_size",
        "token_limit_exceeded",
        "prompt is too long",
        "exceeds the maximum number of tokens",
        "maximum context length",
        "maximum model length",
    ]) || code_is(&["max_tokens_exceeded", "string_too_long"])
    {
        return Category::TooLong;
    }
    // Google's answer to a wrong key has status 400.
    if code_is(&["api_key_invalid"]) {
        return Category::AuthBad;
    }
    if code_is(&[
        "content_policy",
        "content_filter",
        "invalid_prompt",
        "moderation",
        "flagged_input",
        "refusal",
    ]) {
        return Category::Blocked;
    }
    if code_is(&[
        "model_deprecated",
        "no_endpoints",
        "free_variant_ended",
        "model_not_found",
    ]) {
        return Category::ModelGone;
    }
    if code_is(&["unsupported_parameter", "unsupported_value"]) {
        return Category::BadParam;
    }
    match status {
        Some(401) => Category::AuthBad,
        Some(402) => Category::NoCredit,
        Some(403) if says(&["moderation", "flagged", "guardrail"]) => Category::Blocked,
        Some(403) => Category::AuthBad,
        Some(404) => Category::ModelGone,
        Some(413) => Category::TooLarge,
        Some(429) => Category::RateLimited,
        Some(503 | 529) => Category::Overloaded,
        Some(408 | 409 | 500..=599) => Category::Upstream,
        Some(400..=499) => Category::BadRequest,
        _ => by_code(&code),
    }
}

/// The category of a failure that has no status, since that of the answer said that all was well.
fn by_code(code: &str) -> Category {
    let is = |words: &[&str]| words.iter().any(|word| code.contains(word));
    match () {
        // It was not said in the terms of any vendor.
        () if code.trim().is_empty() => Category::Malformed,
        () if is(&["rate_limit", "slow_down", "resource_exhausted"]) => Category::RateLimited,
        () if is(&["provider_unavailable", "model_unavailable_upstream"]) => Category::Upstream,
        () if is(&["overloaded", "unavailable", "capacity_exhausted"]) => Category::Overloaded,
        () if is(&["authentication", "invalid_api_key", "permission"]) => Category::AuthBad,
        () if is(&["not_found", "model_gone"]) => Category::ModelGone,
        () if is(&["timeout", "deadline_exceeded"]) => Category::Timeout,
        () if is(&["too_large"]) => Category::TooLarge,
        () if is(&[
            "invalid_request",
            "invalid_argument",
            "unprocessable",
            "precondition",
            "invalid_image",
        ]) =>
        {
            Category::BadRequest
        }
        () => Category::Upstream,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, code: &str, message: &str, expected: Category) {
        assert_eq!(
            classify(Some(status), code, message),
            expected,
            "{status} {code} {message}"
        );
    }

    #[test]
    fn each_refusal_has_one_category() {
        check(401, "invalid_api_key", "", Category::AuthBad);
        check(403, "", "country not supported", Category::AuthBad);
        check(403, "", "input was flagged", Category::Blocked);
        check(429, "rate_limit_exceeded", "", Category::RateLimited);
        check(429, "insufficient_quota", "", Category::NoCredit);
        check(400, "context_length_exceeded", "", Category::TooLong);
        check(400, "exceed_context_size_error", "", Category::TooLong);
        check(400, "unsupported_value", "temperature", Category::BadParam);
        check(400, "", "what is this", Category::BadRequest);
        check(404, "model_not_found", "", Category::ModelGone);
        check(503, "", "Loading model", Category::Overloaded);
        check(529, "overloaded_error", "", Category::Overloaded);
        check(524, "", "", Category::Upstream);
        check(408, "", "", Category::Upstream);
        check(409, "", "", Category::Upstream);
        check(404, "404 no_endpoints", "", Category::ModelGone);
        check(400, "model_deprecated", "", Category::ModelGone);
        check(429, "free_variant_ended", "", Category::ModelGone);
        check(400, "invalid_request max_tokens_exceeded", "", Category::TooLong);
        check(400, "invalid_request string_too_long", "", Category::TooLong);
        check(
            400,
            "BadRequestError",
            "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
            Category::TooLong,
        );
        check(400, "invalid_request_error content_filter", "", Category::Blocked);
        check(403, "403 flagged_input", "", Category::Blocked);
        check(502, "refusal", "", Category::Blocked);
        check(500, "server_error", "", Category::Upstream);
        check(402, "openrouter_in_flight_budget", "", Category::RateLimited);
        check(
            400,
            "invalid_request_error",
            "Your credit balance is too low",
            Category::NoCredit,
        );
        check(400, "API_KEY_INVALID", "API key not valid.", Category::AuthBad);
        check(400, "FAILED_PRECONDITION", "Enable billing.", Category::NoCredit);
        check(
            400,
            "INVALID_ARGUMENT",
            "The input token count (9) exceeds the maximum number of tokens allowed (8).",
            Category::TooLong,
        );
        assert_eq!(classify(None, "invalid_request_error", "no"), Category::BadRequest);
        assert_eq!(classify(None, "timeout_error", ""), Category::Timeout);
        assert_eq!(classify(None, "server_error", "died"), Category::Upstream);
        assert_eq!(
            classify(None, "server_error provider_unavailable", ""),
            Category::Upstream
        );
        assert_eq!(classify(None, "provider_overloaded", ""), Category::Overloaded);
        assert_eq!(
            classify(None, "", "Unexpected endpoint or method."),
            Category::Malformed
        );
    }
}
