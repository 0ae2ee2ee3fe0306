//! What administrators see of the platform at work: counts, the queue, the providers.

use std::collections::BTreeMap;

use across::{
    clock::Time,
    governance::{
        usage::{Filter, GroupBy},
        window::Window,
    },
    page::PageRequest,
    platform::QueuedJob,
    providers::{
        gate::{Breaker, Health},
        registry::Way,
    },
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::{
        stamp,
        usage::{UsageGroup, heaviest},
        words::{FileStatus, JobWaits, ProviderName},
    },
    error::{ApiError, ErrorBody},
    input::{Params, page},
    state::AppState,
};

/// Keys that are shown; nobody has as many.
const MAX_KEYS: u64 = 1_000;

/// How many accounts there are.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserCounts {
    total: u64,
    active: u64,
}

/// How many assistants there are.
#[derive(Serialize, ToSchema)]
pub(crate) struct AssistantCounts {
    total: u64,
    /// Archived ones.
    deleted: u64,
}

/// How many files there are.
#[derive(Serialize, ToSchema)]
pub(crate) struct FileCounts {
    /// By the name of the state; states without files are absent.
    by_status: BTreeMap<&'static str, u64>,
}

/// How the providers' keys are.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyCounts {
    active: u64,
    /// Of these, keys with which something is wrong.
    failing: u64,
}

/// The platform in figures. Days and months are those of UTC.
#[derive(Serialize, ToSchema)]
pub(crate) struct AdminStats {
    users: UserCounts,
    assistants: AssistantCounts,
    conversations: u64,
    messages_today: u64,
    files: FileCounts,
    tokens_today: u64,
    /// Dollars.
    cost_today: f64,
    /// Dollars.
    cost_month: f64,
    /// The dearest of this month, ten at most.
    top_assistants: Vec<UsageGroup>,
    /// The dearest of this month, ten at most.
    top_models: Vec<UsageGroup>,
    provider_keys: KeyCounts,
    generated_at: String,
}

/// The platform in figures.
#[utoipa::path(get, path = "/admin/stats", operation_id = "get_stats", tag = "admin",
    security(("bearer" = [])), responses(
    (status = 200, body = AdminStats), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn stats(State(state): State<AppState>) -> Result<Json<AdminStats>, ApiError> {
    let store = &state.platform.store;
    let now = state.platform.clock.now();
    let (day, month) = (Window::Day.start(now), Window::Month.start(now));
    let since = |from| Filter {
        from: Some(from),
        ..Filter::default()
    };
    let counts = store.counts(day).await?;
    let files = store.files_by_status().await?;
    let today = store.total_usage(&since(day)).await?;
    let this_month = store.total_usage(&since(month)).await?;
    Ok(Json(AdminStats {
        users: UserCounts {
            total: counts.users,
            active: counts.active_users,
        },
        assistants: AssistantCounts {
            total: counts.assistants,
            deleted: counts.deleted_assistants,
        },
        conversations: counts.conversations,
        messages_today: counts.messages_since,
        files: FileCounts {
            by_status: files.into_iter().map(|(status, n)| (status.as_str(), n)).collect(),
        },
        tokens_today: today.tokens(),
        cost_today: today.cost.dollars(),
        cost_month: this_month.cost.dollars(),
        top_assistants: heaviest(&state, month, GroupBy::Assistant).await?,
        top_models: heaviest(&state, month, GroupBy::Model).await?,
        provider_keys: KeyCounts {
            active: counts.active_keys,
            failing: counts.failing_keys,
        },
        generated_at: stamp(now),
    }))
}

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JobState {
    /// It waits for its turn.
    Waiting,
    /// Somebody works on it.
    Running,
}

/// A job in the queue.
#[derive(Serialize, ToSchema)]
#[schema(as = Job)]
pub(crate) struct JobJson {
    #[schema(format = Uuid)]
    id: String,
    kind: String,
    #[schema(format = Uuid, required)]
    file_id: Option<String>,
    /// The file's name; null when its row is gone.
    #[schema(required)]
    filename: Option<String>,
    #[schema(format = Uuid, required)]
    assistant_id: Option<String>,
    #[schema(required)]
    assistant_name: Option<String>,
    /// Where the file is.
    #[schema(required)]
    status: Option<FileStatus>,
    /// How far the file is, 0–100.
    #[schema(required)]
    progress: Option<u8>,
    state: JobState,
    /// What it waits for since its last try; null if it was not tried, or somebody works on it.
    #[schema(required)]
    waits_for: Option<JobWaits>,
    /// How often it was tried since it last came further.
    attempts: i32,
    /// Why the last attempt failed.
    #[schema(required)]
    last_error: Option<String>,
    /// When its turn comes, or until when somebody works on it without a sign of life.
    due_at: String,
    created_at: String,
}

impl From<QueuedJob> for JobJson {
    fn from(job: QueuedJob) -> Self {
        let subject = job.subject;
        Self {
            id: job.id.to_string(),
            kind: job.kind,
            file_id: job.file.map(|file| file.to_string()),
            assistant_id: subject.as_ref().map(|subject| subject.assistant.to_string()),
            status: subject.as_ref().map(|subject| subject.status.into()),
            progress: subject.as_ref().map(|subject| subject.progress),
            waits_for: job.waits.map(Into::into),
            state: if job.is_claimed {
                JobState::Running
            } else {
                JobState::Waiting
            },
            attempts: job.attempt,
            assistant_name: subject.as_ref().map(|subject| subject.assistant_name.clone()),
            filename: subject.map(|subject| subject.filename),
            last_error: job.last_error,
            due_at: stamp(job.due_at),
            created_at: stamp(job.created_at),
        }
    }
}

/// A page of the queue.
#[derive(Serialize, ToSchema)]
pub(crate) struct JobList {
    jobs: Vec<JobJson>,
    total: u64,
}

/// Which jobs.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct JobQuery {
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    #[param(minimum = 0, maximum = 100_000)]
    offset: Option<i64>,
}

/// The queue of background work, oldest first.
#[utoipa::path(get, path = "/admin/jobs", operation_id = "list_jobs", tag = "admin",
    security(("bearer" = [])), params(JobQuery), responses(
    (status = 200, body = JobList), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn jobs(
    State(state): State<AppState>,
    Params(query): Params<JobQuery>,
) -> Result<Json<JobList>, ApiError> {
    let page = page(query.limit, query.offset, 20, 100)?;
    let found = state.platform.store.list_jobs(page).await?;
    Ok(Json(JobList {
        jobs: found.items.into_iter().map(Into::into).collect(),
        total: found.total,
    }))
}

/// Where a way to a provider comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProviderSource {
    /// A key that an administrator stored.
    Key,
    /// The process's configuration.
    Configuration,
    /// Part of this program.
    BuiltIn,
}

/// Whether calls go to a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BreakerState {
    /// They do.
    Closed,
    /// They do not for a while, because too many failed in a row.
    Open,
    /// One call tries whether the provider is well again.
    HalfOpen,
}

/// A way to a provider, and how it is. How calls went is what the process that answers knows from its own calls since it
/// began; other processes on the same database know other calls.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProviderHealth {
    provider: ProviderName,
    source: ProviderSource,
    /// The stored key it uses.
    #[schema(format = Uuid, required)]
    key_id: Option<String>,
    #[schema(required)]
    key_name: Option<String>,
    /// Whether calls go this way now: of several keys of a provider one is used.
    is_used: bool,
    /// When a call last went through with the stored key, in any process.
    #[schema(required)]
    last_used_at: Option<String>,
    /// What was wrong the last time, in a word: with the stored key until a call goes through, else with a call.
    #[schema(required)]
    last_error: Option<String>,
    /// When a call last failed.
    #[schema(required)]
    last_error_at: Option<String>,
    /// When an answer last began.
    #[schema(required)]
    last_success_at: Option<String>,
    /// Milliseconds that answers usually take to begin: the median of the last ones.
    #[schema(required)]
    latency_ms: Option<u64>,
    breaker: BreakerState,
    /// When a call may try again, while none does.
    #[schema(required)]
    retry_at: Option<String>,
    /// Until when the provider is not called because its account has no credit.
    #[schema(required)]
    paused_until: Option<String>,
    /// Calls in progress.
    calls: usize,
    /// How many models are on offer this way now.
    models: usize,
}
/// All of them.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProviderHealthList {
    providers: Vec<ProviderHealth>,
    total: usize,
}

/// Every stored key, and what the configuration and the program offer, with how each is. Calls, times and breakers are those
/// of the process that answers, since it began. No provider is asked for this.
#[utoipa::path(get, path = "/admin/providers", operation_id = "list_providers", tag = "admin",
    security(("bearer" = [])), responses(
    (status = 200, body = ProviderHealthList), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn providers(State(state): State<AppState>) -> Result<Json<ProviderHealthList>, ApiError> {
    let platform = &state.platform;
    let all = PageRequest {
        limit: MAX_KEYS,
        offset: 0,
    };
    let keys = platform.store.list_keys(None, all).await?.items;
    // Nobody is asked for it: this page is for when a provider does not answer.
    let catalog = platform.providers.catalog_at_hand();
    let models = |way: Way| catalog.as_ref().map_or(0, |catalog| catalog.models_of(way));
    let used = platform.providers.ways();
    let health_of = |way: Way| used.iter().find(|(known, _)| *known == way).map(|(_, health)| health);
    let stored = keys.into_iter().map(|key| {
        let way = (key.provider, Some(key.id));
        let row = ProviderHealth::of(way, health_of(way), models(way));
        ProviderHealth {
            key_name: Some(key.name),
            last_used_at: key.last_used_at.map(stamp),
            last_error: key.last_error.or(row.last_error),
            ..row
        }
    });
    let without_key = used.iter().filter(|((_, key), _)| key.is_none());
    let others = without_key.map(|(way, health)| ProviderHealth::of(*way, Some(health), models(*way)));
    let providers: Vec<_> = stored.chain(others).collect();
    Ok(Json(ProviderHealthList {
        total: providers.len(),
        providers,
    }))
}

impl ProviderHealth {
    /// A way as far as this process knows it; without `health`, one that is not used.
    fn of((kind, key): Way, health: Option<&Health>, models: usize) -> Self {
        let (breaker, retry_at) = match health.map(|health| health.breaker) {
            None | Some(Breaker::Closed) => (BreakerState::Closed, None),
            Some(Breaker::Open(until)) => (BreakerState::Open, Some(stamp(until))),
            Some(Breaker::HalfOpen) => (BreakerState::HalfOpen, None),
        };
        let time = |of: fn(&Health) -> Option<Time>| health.and_then(of).map(stamp);
        let latency = health.and_then(|health| health.latency);
        Self {
            provider: kind.into(),
            source: match key {
                Some(_) => ProviderSource::Key,
                None if kind.is_built_in() => ProviderSource::BuiltIn,
                None => ProviderSource::Configuration,
            },
            key_id: key.map(|id| id.to_string()),
            key_name: None,
            is_used: health.is_some(),
            last_used_at: None,
            last_error: health.and_then(|health| health.last_error).map(str::to_owned),
            last_error_at: time(|health| health.last_error_at),
            last_success_at: time(|health| health.last_success_at),
            latency_ms: latency.map(|latency| u64::try_from(latency.as_millis()).unwrap_or(u64::MAX)),
            breaker,
            retry_at,
            paused_until: time(|health| health.paused_until),
            calls: health.map_or(0, |health| health.calls),
            models,
        }
    }
}
