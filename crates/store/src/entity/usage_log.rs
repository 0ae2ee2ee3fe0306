//! What was used: one row for every call to a provider.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "usage_logs")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Option<Uuid>,
    pub assistant_id: Option<Uuid>,
    pub conversation_id: Option<Uuid>,
    pub message_id: Option<Uuid>,
    pub purpose: String,
    pub provider: String,
    pub model: String,
    pub prompt_tokens: i64,
    pub completion_tokens: i64,
    pub total_tokens: i64,
    /// In whole micro-dollars.
    pub cost_usd: i64,
    pub estimated: bool,
    pub cached_tokens: i64,
    pub reasoning_tokens: i64,
    pub price_source: Option<String>,
    pub upstream_id: Option<String>,
    pub answered_model: Option<String>,
    pub failover_from: Option<String>,
    pub failover_reason: Option<String>,
    /// JSON as the provider wrote it, kept as text: it is never searched.
    pub raw_usage: Option<String>,
    pub is_request: bool,
    /// The day of `created_at` in UTC, `YYYY-MM-DD`.
    pub day: String,
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
