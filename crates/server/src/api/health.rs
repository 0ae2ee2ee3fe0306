//! Whether the process lives, and whether it should get work.

use std::time::Duration;

use across::retrieval::vectors::VectorStore as _;
use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::{api::stamp, error::ErrorBody, state::AppState};

/// How long a vector store outside may take to say that it is well: whoever asks waits for the rest of the answer.
const STORE_TIME: Duration = Duration::from_secs(1);

/// The process lives.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    status: &'static str,
    timestamp: String,
}

/// Alive; asks nothing of the database.
#[utoipa::path(get, path = "/health", tag = "health", responses((status = 200, body = Health)))]
pub(crate) async fn health(State(state): State<AppState>) -> Json<Health> {
    Json(Health {
        status: "healthy",
        timestamp: stamp(state.platform.clock.now()),
    })
}

/// Whether everything that an answer needs is there.
#[derive(Serialize, ToSchema)]
pub(crate) struct Ready {
    status: &'static str,
    database: &'static str,
    vector_store: &'static str,
    storage: &'static str,
}

/// Ready for work: recovered, not draining, database and disk there.
#[utoipa::path(get, path = "/ready", tag = "health",
    responses((status = 200, body = Ready), (status = 503, description = "Not ready", body = Ready)))]
pub(crate) async fn ready(State(state): State<AppState>) -> (StatusCode, Json<Ready>) {
    let platform = &state.platform;
    let database = platform.store.healthy().await.is_ok();
    let vectors = timeout(STORE_TIME, platform.vectors.health()).await;
    let vectors = matches!(vectors, Ok(Ok(())));
    let room = platform.blobs.has_room().await;
    let is_ready = database && room && state.ready.is_ready();
    let answer = Ready {
        status: if is_ready { "ready" } else { "not_ready" },
        database: if database { "connected" } else { "disconnected" },
        vector_store: if vectors { "connected" } else { "unavailable" },
        storage: if room { "ok" } else { "full" },
    };
    (
        if is_ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        },
        Json(answer),
    )
}

/// What was counted since the process started, for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "health", security(("bearer" = [])), responses(
    (status = 200, body = String, content_type = "text/plain"), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 429, body = ErrorBody)))]
pub(crate) async fn metrics(State(state): State<AppState>) -> Response {
    let mut response = state.metrics.text(state.platform.live.count()).into_response();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
