//! Messages of the conversations, a tree by `parent_id`.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "messages")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub conversation_id: Uuid,
    pub parent_id: Option<Uuid>,
    pub seq: i64,
    pub role: String,
    pub content: String,
    pub model: Option<String>,
    pub provider: Option<String>,
    pub status: String,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub finish_reason: Option<String>,
    pub tokens_used: Option<Json>,
    pub citations: Json,
    pub retrieval: Option<String>,
    pub stop_requested: bool,
    /// Until when an answer being written belongs to its writer without a sign of life.
    pub lease_until: Option<DateTimeUtc>,
    /// Who answered in whose place, and why.
    pub failover: Option<Json>,
    /// How much of the text was paid for before the answer went on.
    pub paid_bytes: i64,
    /// The installation's process that writes it.
    pub writer: Option<String>,
    pub edited_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
