//! The audit log: read and exported, never written through the interface.

use across::{
    audit::{Action, Entry, Filter},
    id::{AuditId, UserId},
};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::{
    api::stamp,
    csv,
    error::{ApiError, ErrorBody},
    input::{Ids, Params, id_field, moment, page},
    state::AppState,
};

/// Entries read at a time for an export.
const EXPORT_PAGE: u64 = 500;

/// An entry of the audit log.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(crate) struct EntryJson {
    #[schema(format = Uuid)]
    id: String,
    /// While that account exists.
    #[schema(required, format = Uuid)]
    actor_id: Option<String>,
    #[schema(required)]
    actor_email: Option<String>,
    action: String,
    resource_type: String,
    #[schema(required)]
    resource_id: Option<String>,
    /// The fields that changed, as they were.
    #[schema(required, value_type = Option<std::collections::BTreeMap<String, Value>>)]
    old_values: Option<Value>,
    /// The fields that changed, as they are now.
    #[schema(required, value_type = Option<std::collections::BTreeMap<String, Value>>)]
    new_values: Option<Value>,
    #[schema(required)]
    ip_address: Option<String>,
    #[schema(required)]
    user_agent: Option<String>,
    created_at: String,
}

impl From<Entry> for EntryJson {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id.to_string(),
            actor_id: entry.actor.map(|id| id.to_string()),
            actor_email: entry.actor_email,
            action: entry.action,
            resource_type: entry.resource_type,
            resource_id: entry.resource_id,
            old_values: entry.old_values,
            new_values: entry.new_values,
            ip_address: entry.ip_address,
            user_agent: entry.user_agent,
            created_at: stamp(entry.created_at),
        }
    }
}

/// A page of the audit log.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditList {
    audit_logs: Vec<EntryJson>,
    total: u64,
}

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    #[param(format = Uuid)]
    actor_id: Option<String>,
    /// An action's name, e.g. `assistant.update`.
    #[param(max_length = 100)]
    action: Option<String>,
    /// The kind of thing, e.g. `assistant`.
    #[param(max_length = 100)]
    resource_type: Option<String>,
    #[param(max_length = 200)]
    resource_id: Option<String>,
    /// Not before: a moment (RFC 3339) or a day of UTC.
    from: Option<String>,
    /// Before: a moment, or up to the end of a day of UTC.
    to: Option<String>,
    /// `csv` exports everything that the filter finds.
    #[param(inline)]
    format: Option<csv::Format>,
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    #[param(minimum = 0, maximum = 100_000)]
    offset: Option<i64>,
}

/// Newest first.
#[utoipa::path(get, path = "/audit", operation_id = "list_audit", tag = "audit", security(("bearer" = [])),
    params(ListQuery), responses(
    (status = 200, content((AuditList = "application/json"), (String = "text/csv"))),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn list(
    State(state): State<AppState>,
    Params(query): Params<ListQuery>,
) -> Result<Response, ApiError> {
    let actor = query.actor_id.as_deref().map(|id| id_field::<UserId>("actor_id", id));
    let filter = Filter {
        actor: actor.transpose()?,
        action: word("action", query.action, 100)?,
        resource_type: word("resource_type", query.resource_type, 100)?,
        resource_id: word("resource_id", query.resource_id, 200)?,
        from: moment("from", query.from.as_deref(), false)?,
        to: moment("to", query.to.as_deref(), true)?,
    };
    let page = page(query.limit, query.offset, 20, 100)?;
    if query.format == Some(csv::Format::Csv) {
        return Ok(export(state, filter));
    }
    let found = state.platform.store.list_audit(&filter, page).await?;
    let list = AuditList {
        audit_logs: found.items.into_iter().map(Into::into).collect(),
        total: found.total,
    };
    Ok(Json(list).into_response())
}

/// A name to filter by.
fn word(field: &str, text: Option<String>, most: usize) -> Result<Option<String>, ApiError> {
    match text {
        Some(text) if text.chars().count() > most => {
            Err(ApiError::field(field, format!("This has at most {most} characters.")))
        }
        text => Ok(text),
    }
}

/// The whole filtered log as CSV, read page by page while it is sent.
fn export(state: AppState, filter: Filter) -> Response {
    const HEADER: [&str; 11] = [
        "id",
        "created_at",
        "actor_id",
        "actor_email",
        "action",
        "resource_type",
        "resource_id",
        "old_values",
        "new_values",
        "ip_address",
        "user_agent",
    ];
    let pages = move |after: Option<(across::clock::Time, AuditId)>| {
        let (state, filter) = (state.clone(), filter.clone());
        async move {
            let entries = state.platform.store.next_audit(&filter, after, EXPORT_PAGE).await?;
            let next = entries.last().map(|entry| (entry.created_at, entry.id));
            Ok((entries.into_iter().map(row).collect(), next))
        }
    };
    csv::export("audit.csv", &HEADER, pages)
}

fn row(entry: Entry) -> Vec<String> {
    let json = |values: Option<Value>| values.map(|values| values.to_string()).unwrap_or_default();
    vec![
        entry.id.to_string(),
        stamp(entry.created_at),
        entry.actor.map(|id| id.to_string()).unwrap_or_default(),
        entry.actor_email.unwrap_or_default(),
        entry.action,
        entry.resource_type,
        entry.resource_id.unwrap_or_default(),
        json(entry.old_values),
        json(entry.new_values),
        entry.ip_address.unwrap_or_default(),
        entry.user_agent.unwrap_or_default(),
    ]
}

/// One entry.
#[utoipa::path(get, path = "/audit/{id}", operation_id = "get_audit_entry", tag = "audit", security(("bearer" = [])),
    params(("id" = String, Path, format = Uuid)), responses((status = 200, body = EntryJson),
    (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn get(
    State(state): State<AppState>,
    Ids((id,)): Ids<(AuditId,)>,
) -> Result<Json<EntryJson>, ApiError> {
    let found = state.platform.store.find_audit(id).await?;
    found.map(|entry| Json(entry.into())).ok_or_else(ApiError::not_found)
}

/// Writes down that somebody asked for what their role does not allow. It must not fail the refusal itself.
pub(crate) async fn note_denied(state: &AppState, doer: &across::actor::Doer, method: &str, route: &str) {
    let deed = doer.does(Action::AccessDenied, state.platform.clock.now());
    let mut values = Map::new();
    values.insert("method".into(), method.into());
    values.insert("route".into(), route.into());
    if let Err(error) = state.platform.store.note(deed, None, Some(values)).await {
        tracing::warn!(%error, "a refused request could not be written to the audit log");
    }
}
