//! How each dialect refuses a question before its first word.

use serde_json::{Value, json};

use super::{Answer, Dialect};

impl Dialect {
    /// The usual refusal of a status.
    pub(super) fn refusal(self, status: u16) -> Answer {
        let (code, message) = match status {
            400 => ("invalid_value", "Invalid value."),
            401 => ("invalid_api_key", "Incorrect API key provided."),
            402 => ("payment_required", "Insufficient credits."),
            403 => ("permission_denied", "Your key may not use this model."),
            404 => ("model_not_found", "The model does not exist."),
            408 => ("request_timeout", "The request took too long."),
            413 => ("payload_too_large", "The request is too large."),
            422 => ("unprocessable", "The request makes no sense."),
            429 => ("rate_limit_exceeded", "Rate limit reached."),
            503 | 529 => ("server_is_overloaded", "The server is overloaded."),
            _ => ("server_error", "The server had an error."),
        };
        self.refuse(status, code, message)
    }

    /// A refusal with a code and words of its own.
    pub(super) fn refuse(self, status: u16, code: &str, message: &str) -> Answer {
        let body = match self {
            Self::OpenAi => {
                let kind = if status < 500 {
                    "invalid_request_error"
                } else {
                    "server_error"
                };
                json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
            }
            Self::OpenRouter => openrouter(status, code, message),
            Self::Anthropic => {
                let error = json!({"type": anthropic(status), "message": message});
                json!({"type": "error", "error": error, "request_id": "req_1"})
            }
            Self::Gemini => {
                // A wrong key is a wrong argument to it, and a lack of credit a condition that is not met.
                let (status, details) = match status {
                    401 => (400, json!([{"reason": "API_KEY_INVALID"}])),
                    402 => (400, json!([])),
                    _ => (status, json!([])),
                };
                let word = if code == "payment_required" {
                    "FAILED_PRECONDITION"
                } else {
                    gemini(status)
                };
                let error = json!({"code": status, "message": message, "status": word, "details": details});
                return Answer::json(status, &json!({"error": error}));
            }
        };
        Answer::json(status, &body)
    }
}

fn openrouter(status: u16, code: &str, message: &str) -> Value {
    let kind = match status {
        401 => "authentication",
        429 => "rate_limit_exceeded",
        502 => "provider_unavailable",
        503 | 529 => "provider_overloaded",
        500..=599 => "server",
        _ => code,
    };
    json!({"error": {"code": status, "message": message, "metadata": {"error_type": kind}}, "user_id": "user_1"})
}

const fn anthropic(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        408 | 504 => "timeout_error",
        503 | 529 => "overloaded_error",
        500..=599 => "api_error",
        _ => "invalid_request_error",
    }
}

const fn gemini(status: u16) -> &'static str {
    match status {
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 | 529 => "UNAVAILABLE",
        408 | 504 => "DEADLINE_EXCEEDED",
        500..=599 => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}
