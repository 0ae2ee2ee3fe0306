//! What a vendor says when it refuses or fails, read from every shape that its JSON comes in.

use std::time::Duration;

use across::{
    providers::{
        failure::{Category, ProviderError, classify},
        model::ProviderKind,
    },
    secret::Secret,
};
use serde_json::Value;

use crate::{
    http::{shorten, without_key},
    retry_after::{NEVER, duration},
};

/// What a server says went wrong.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The code that says most.
    pub(crate) code: Option<String>,
    /// All codes, types and reasons that it gives, a blank between two.
    pub(crate) codes: String,
    pub(crate) param: Option<String>,
    pub(crate) message: String,
    /// A status inside the body, which gateways set when the HTTP status is already sent.
    pub(crate) status: Option<u16>,
    /// When to ask again, where the body says so.
    pub(crate) retry_after: Option<Duration>,
    /// The server's own word on whether asking again soon makes sense.
    pub(crate) again: Option<bool>,
}

impl Refusal {
    /// The refusal in a JSON answer, if it is one: `error` as object or string, `detail`, or `message` on top level.
    pub(crate) fn find(body: &Value) -> Option<Self> {
        let error = body.get("error").filter(|error| !error.is_null());
        if error.is_some() || body.get("detail").is_some() || body.get("object").is_some_and(|object| object == "error")
        {
            return Some(Self::read(body));
        }
        None
    }

    /// Reads a body that is known to be a refusal.
    pub(crate) fn read(body: &Value) -> Self {
        // Google wraps some of its errors in a list of one.
        let body = body.as_array().and_then(|list| list.first()).unwrap_or(body);
        let error = body.get("error").filter(|error| !error.is_null());
        let source = error.filter(|error| error.is_object()).unwrap_or(body);
        let word = |field: &str| source.get(field).and_then(Value::as_str).map(str::to_owned);
        let number = source
            .get("code")
            .and_then(Value::as_u64)
            .and_then(|code| u16::try_from(code).ok());
        let metadata = |field: &str| source.get("metadata")?.get(field).filter(|value| !value.is_null());
        let metadata_word = |field: &str| metadata(field)?.as_str().map(str::to_owned);
        let availability = |field: &str| source.get("availability")?.get(field);
        let details = || source.get("details").and_then(Value::as_array).into_iter().flatten();
        let detail = |field: &str| details().find_map(|detail| detail.get(field)?.as_str());
        let message = word("message")
            .or_else(|| error.and_then(Value::as_str).map(str::to_owned))
            .or_else(|| {
                body.get("detail")
                    .map(|detail| detail.as_str().map_or_else(|| detail.to_string(), str::to_owned))
            })
            .or_else(|| body.get("message").and_then(Value::as_str).map(str::to_owned))
            .unwrap_or_else(|| body.to_string());
        // A quota of the day is not there again in a few seconds, whatever the wait that comes with it.
        let is_daily = details().any(|detail| {
            let violations = detail.get("violations").and_then(Value::as_array);
            let mut ids = violations
                .into_iter()
                .flatten()
                .filter_map(|one| one.get("quotaId")?.as_str());
            ids.any(|id| id.contains("PerDay"))
        });
        let codes = [
            // OpenRouter's limit on what may be under way at once passes; a lack of credit does not.
            metadata_word("limit_source"),
            word("code"),
            metadata_word("error_type"),
            availability("code").and_then(Value::as_str).map(str::to_owned),
            detail("reason").map(str::to_owned),
            word("type"),
            word("status"),
        ];
        let mut codes: Vec<String> = codes.into_iter().flatten().filter(|code| !code.is_empty()).collect();
        // What it names was found in the question, so the question is what it refuses.
        if metadata("flagged_input").is_some()
            || metadata("reasons").is_some_and(|reasons| reasons != &Value::Array(Vec::new()))
        {
            codes.push("flagged_input".to_owned());
        }
        let again = availability("retryable").and_then(Value::as_bool);
        let wait = detail("retryDelay").and_then(duration);
        let told = availability("retry_after").and_then(Value::as_f64);
        Self {
            code: codes.first().cloned(),
            codes: codes.join(" "),
            param: word("param"),
            message,
            status: number.filter(|status| (400..600).contains(status)),
            retry_after: wait
                .or_else(|| Duration::try_from_secs_f64(told?).ok())
                .filter(|_| !is_daily),
            again: if is_daily { Some(false) } else { again },
        }
    }

    /// The same without the key.
    pub(crate) fn without_key(self, key: Option<&Secret>) -> Self {
        Self {
            code: self.code.map(|code| without_key(&code, key)),
            codes: without_key(&self.codes, key),
            param: self.param.map(|param| without_key(&param, key)),
            message: without_key(&self.message, key),
            ..self
        }
    }

    /// The failure in the platform's terms. `status` is the HTTP status unless that said success.
    pub(crate) fn into_error(self, provider: ProviderKind, status: Option<u16>) -> ProviderError {
        let status = status.or(self.status);
        let mut category = classify(status, &self.codes, &self.message);
        if category == Category::BadRequest && self.param.is_some() {
            category = Category::BadParam;
        }
        ProviderError {
            provider,
            category,
            status,
            code: self.code,
            message: shorten(&self.message),
            retry_after: if self.again == Some(false) {
                Some(NEVER)
            } else {
                self.retry_after
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn refusals_are_found_in_every_shape() {
        let cases = [
            (
                json!({"error": {"message": "m", "type": "t", "code": "c", "param": "p"}}),
                "m",
                Some("c"),
            ),
            (
                json!({"error": {"message": "m", "type": "t", "code": null}}),
                "m",
                Some("t"),
            ),
            (
                json!({"error": {"message": "m", "code": 502, "metadata": {"error_type": "provider_unavailable"}}}),
                "m",
                Some("provider_unavailable"),
            ),
            (json!({"error": "plain"}), "plain", None),
            (json!({"detail": "Not Found"}), "Not Found", None),
            (
                json!({"detail": [{"loc": ["body", "max_tokens"]}]}),
                r#"[{"loc":["body","max_tokens"]}]"#,
                None,
            ),
            (
                json!({"object": "error", "message": "m", "type": "t", "code": 400}),
                "m",
                Some("t"),
            ),
            (
                json!({"type": "error", "error": {"type": "overloaded_error", "message": "m"}, "request_id": "req_1"}),
                "m",
                Some("overloaded_error"),
            ),
            (
                json!({"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}),
                "m",
                Some("API_KEY_INVALID"),
            ),
        ];
        for (body, message, code) in cases {
            let found = Refusal::find(&body).unwrap();
            assert_eq!(
                (found.message.as_str(), found.code.as_deref()),
                (message, code),
                "{body}"
            );
        }
        assert_eq!(Refusal::find(&json!({"error": null, "choices": []})), None);
        assert_eq!(Refusal::find(&json!({"choices": [], "usage": null})), None);
    }

    #[test]
    fn google_says_in_the_body_when_to_come_back() {
        let refusal = |quota: &str| {
            let details = json!([{"violations": [{"quotaId": quota}]}, {"retryDelay": "1.5s"}]);
            let error = json!({"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED", "details": details});
            Refusal::read(&json!([{"error": error}]))
        };
        let minute = refusal("GenerateRequestsPerMinutePerProject");
        assert_eq!(
            (minute.retry_after, minute.again),
            (Some(Duration::from_millis(1500)), None)
        );
        assert_eq!(
            minute.into_error(ProviderKind::Google, None).category,
            Category::RateLimited
        );
        let daily = refusal("GenerateRequestsPerDayPerProject");
        assert_eq!((daily.retry_after, daily.again), (None, Some(false)));
        let told = daily.into_error(ProviderKind::Google, None);
        assert_eq!((told.category, told.retry_after), (Category::RateLimited, Some(NEVER)));
    }

    #[test]
    fn openrouter_says_whether_a_model_will_be_there_again() {
        let told = |status: u16, availability: &Value| {
            let error = json!({"code": status, "message": "m", "availability": availability});
            Refusal::read(&json!({"error": error})).into_error(ProviderKind::OpenRouter, Some(status))
        };
        let soon = told(
            503,
            &json!({"code": "capacity_exhausted", "retryable": true, "retry_after": 7}),
        );
        assert_eq!(
            (soon.category, soon.retry_after),
            (Category::Overloaded, Some(Duration::from_secs(7)))
        );
        let never = told(
            404,
            &json!({"code": "model_deprecated", "retryable": false, "retry_after": null}),
        );
        assert_eq!((never.category, never.retry_after), (Category::ModelGone, Some(NEVER)));
        assert_eq!(never.code.as_deref(), Some("model_deprecated"));
    }

    #[test]
    fn what_was_flagged_was_refused_for_its_content() {
        let category = |metadata: &Value| {
            let error = json!({"code": 403, "message": "Forbidden", "metadata": metadata});
            Refusal::read(&json!({"error": error}))
                .into_error(ProviderKind::OpenRouter, Some(403))
                .category
        };
        assert_eq!(
            category(&json!({"reasons": ["violence"], "flagged_input": "…"})),
            Category::Blocked
        );
        assert_eq!(category(&json!({"reasons": []})), Category::AuthBad);
        let error =
            json!({"code": "server_error", "message": "m", "metadata": {"error_type": "content_policy_violation"}});
        let found = Refusal::read(&json!({"error": error})).into_error(ProviderKind::OpenRouter, None);
        assert_eq!(found.category, Category::Blocked, "the second code is looked at too");
    }

    #[test]
    fn a_full_budget_of_calls_under_way_is_no_lack_of_credit() {
        let body = |metadata: &Value| json!({"error": {"code": 402, "message": "m", "metadata": metadata}});
        let category = |metadata: &Value| {
            Refusal::read(&body(metadata))
                .into_error(ProviderKind::OpenRouter, Some(402))
                .category
        };
        assert_eq!(category(&json!({"error_type": "payment_required"})), Category::NoCredit);
        assert_eq!(
            category(&json!({"error_type": "payment_required", "limit_source": "openrouter_in_flight_budget"})),
            Category::RateLimited
        );
    }
}
