//! What is counted and measured, and the text in which Prometheus reads it.
//!
//! Labels come from lists that the program itself writes: patterns of routes, known methods, names in the code. What a
//! client or a model chooses never becomes one, so the number of series stays small and none tells of a person.

use std::time::Duration;

use across::{
    governance::usage::Purpose,
    money::MicroUsd,
    providers::{gate::Observer, model::ProviderKind},
};
use axum::http::{Method, StatusCode};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::{MissedTickBehavior, interval};

const REQUESTS: &str = "ai_across_http_requests_total";
const DURATION: &str = "ai_across_http_request_duration_seconds";
const PANICS: &str = "ai_across_panics_total";
const ANSWERS: &str = "ai_across_answers_being_written";
const CONNECTIONS: &str = "ai_across_connections";
const CONNECTIONS_REFUSED: &str = "ai_across_connections_refused_total";
const RATE_LIMITED: &str = "ai_across_rate_limited_total";
const PROVIDER_CALLS: &str = "ai_across_provider_calls_total";
const PROVIDER_FIRST_WORD: &str = "ai_across_provider_first_word_seconds";
const PROVIDER_TOKENS: &str = "ai_across_provider_tokens_total";
const PROVIDER_COST: &str = "ai_across_provider_cost_micro_usd_total";
const MEMORY: &str = "process_resident_memory_bytes";
const STARTED: &str = "process_start_time_seconds";
const BUILD: &str = "ai_across_build_info";

/// Upper bounds in seconds of the classes of durations. One series for each and each route, so they are few.
const DURATIONS: [f64; 8] = [0.005, 0.02, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];
/// The same for the time that providers' answers take to begin.
const FIRST_WORDS: [f64; 8] = [0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];
/// How often measured durations are sorted into their classes; until then each takes a few bytes.
const UPKEEP: Duration = Duration::from_secs(5);

/// Reads everything that was counted so far.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Begins to count in this process; `started` is the present time in seconds since 1970.
    ///
    /// # Errors
    /// [`BuildError`] if this process counts already.
    pub fn start(started: i64) -> Result<Self, BuildError> {
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Full(DURATION.to_owned()), &DURATIONS)?
            .set_buckets_for_metric(Matcher::Full(PROVIDER_FIRST_WORD.to_owned()), &FIRST_WORDS)?
            .install_recorder()?;
        describe();
        gauge!(STARTED).set(started as f64);
        gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        // What has not happened yet is 0 and not absent.
        counter!(PANICS).absolute(0);
        gauge!(CONNECTIONS).set(0.0);
        counter!(CONNECTIONS_REFUSED).absolute(0);
        for refused_for in [RefusedFor::User, RefusedFor::Address] {
            counter!(RATE_LIMITED, "by" => refused_for.name()).absolute(0);
        }
        Ok(Self(handle))
    }

    /// Keeps what was measured small, for ever.
    pub async fn upkeep(self) {
        let mut ticks = interval(UPKEEP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.0.run_upkeep();
        }
    }

    /// All series as text, with the number of answers that are being written.
    pub(crate) fn text(&self, answers: usize) -> String {
        gauge!(ANSWERS).set(answers as f64);
        if let Some(bytes) = resident_memory() {
            gauge!(MEMORY).set(bytes as f64);
        }
        self.0.render()
    }
}

fn describe() {
    describe_counter!(
        REQUESTS,
        "Requests answered, by route pattern, method and class of status."
    );
    describe_histogram!(
        DURATION,
        "Seconds from a request's head to the head of its answer, by route pattern."
    );
    describe_counter!(PANICS, "Panics anywhere in the process; each is a bug.");
    describe_gauge!(ANSWERS, "Answers that models are writing.");
    describe_gauge!(CONNECTIONS, "Open connections.");
    describe_counter!(CONNECTIONS_REFUSED, "Connections refused because there were too many.");
    describe_counter!(
        RATE_LIMITED,
        "Requests refused because a user or an address sent too many."
    );
    describe_counter!(
        PROVIDER_CALLS,
        "Calls of providers, each attempt for itself, by provider and outcome."
    );
    describe_histogram!(
        PROVIDER_FIRST_WORD,
        "Seconds from a provider's call to the first word of its answer, or to its vectors, by provider."
    );
    describe_counter!(
        PROVIDER_TOKENS,
        "Tokens of provider calls, by provider, purpose and direction."
    );
    describe_counter!(
        PROVIDER_COST,
        "Millionths of a US dollar of provider calls, by provider and purpose."
    );
    describe_gauge!(MEMORY, "Resident memory in bytes.");
    describe_gauge!(STARTED, "When the process started, in seconds since 1970.");
    describe_gauge!(BUILD, "1, with the version of the program.");
}

/// The resident set; `None` where the system does not tell.
fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Counts a request that was answered; `route` is the pattern that matched, if one did.
pub(crate) fn request(route: Option<&str>, method: &Method, status: StatusCode, took: Duration) {
    // The catch-all of the API is where unknown addresses end.
    let route = route.filter(|route| !route.contains("{*")).unwrap_or("other");
    let class = match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    };
    counter!(REQUESTS, "route" => route.to_owned(), "method" => method_name(method), "status" => class).increment(1);
    histogram!(DURATION, "route" => route.to_owned()).record(took);
}

/// Methods can be invented; only those that exist are told apart.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Whose requests were too many.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RefusedFor {
    /// A signed-in user's.
    User,
    /// An address's.
    Address,
}

impl RefusedFor {
    const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Address => "address",
        }
    }
}

pub(crate) fn rate_limited(refused_for: RefusedFor) {
    counter!(RATE_LIMITED, "by" => refused_for.name()).increment(1);
}

/// Counts a panic; called by the hook that also logs it.
pub(crate) fn panicked() {
    counter!(PANICS).increment(1);
}

pub(crate) fn connection_refused() {
    counter!(CONNECTIONS_REFUSED).increment(1);
}

/// Counts as an open connection until it is dropped.
pub(crate) struct OpenConnection(());

impl OpenConnection {
    pub(crate) fn new() -> Self {
        gauge!(CONNECTIONS).increment(1.0);
        Self(())
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        gauge!(CONNECTIONS).decrement(1.0);
    }
}

/// Counts the calls of providers. Labels are the names of providers, purposes and outcomes in the code, never ones that an
/// operator, a person or a model chose.
pub struct ProviderCalls;

impl Observer for ProviderCalls {
    fn called(&self, provider: ProviderKind, outcome: &'static str, first_word: Option<Duration>) {
        let provider = provider.as_str();
        counter!(PROVIDER_CALLS, "provider" => provider, "outcome" => outcome).increment(1);
        if let Some(after) = first_word {
            histogram!(PROVIDER_FIRST_WORD, "provider" => provider).record(after);
        }
    }

    fn charged(&self, provider: ProviderKind, purpose: Purpose, sent: u64, received: u64, cost: MicroUsd) {
        let (provider, purpose) = (provider.as_str(), purpose.as_str());
        for (direction, tokens) in [("sent", sent), ("received", received)] {
            counter!(PROVIDER_TOKENS, "provider" => provider, "purpose" => purpose, "direction" => direction)
                .increment(tokens);
        }
        let cost = u64::try_from(cost.0).unwrap_or_default();
        counter!(PROVIDER_COST, "provider" => provider, "purpose" => purpose).increment(cost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s68_nothing_that_a_client_invents_becomes_a_label() {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            for number in 0..100 {
                let invented = Method::from_bytes(format!("M{number}").as_bytes()).unwrap();
                request(None, &invented, StatusCode::METHOD_NOT_ALLOWED, Duration::ZERO);
            }
            request(
                Some("/api/{*path}"),
                &Method::GET,
                StatusCode::NOT_FOUND,
                Duration::ZERO,
            );
            request(Some("/api/v1/files/{id}"), &Method::GET, StatusCode::OK, Duration::ZERO);
            ProviderCalls.called(ProviderKind::OpenAi, "ok", Some(Duration::from_secs(1)));
            ProviderCalls.charged(ProviderKind::OpenAi, Purpose::Chat, 10, 5, MicroUsd(42));
        });
        let text = recorder.handle().render();
        let counted: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with("ai_across_http_requests_total{"))
            .collect();
        assert_eq!(counted.len(), 3, "{text}");
        for line in [
            "ai_across_http_requests_total{route=\"other\",method=\"other\",status=\"4xx\"} 100",
            "ai_across_provider_calls_total{provider=\"openai\",outcome=\"ok\"} 1",
            "ai_across_provider_first_word_seconds_count{provider=\"openai\"} 1",
            "ai_across_provider_tokens_total{provider=\"openai\",purpose=\"chat\",direction=\"received\"} 5",
            "ai_across_provider_cost_micro_usd_total{provider=\"openai\",purpose=\"chat\"} 42",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
