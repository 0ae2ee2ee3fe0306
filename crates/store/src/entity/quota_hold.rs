//! What is set aside for calls in progress; a row goes when its call is charged.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "quota_holds")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Option<Uuid>,
    pub role: Option<String>,
    pub assistant_id: Option<Uuid>,
    pub purpose: String,
    pub provider: String,
    pub api_key_id: Option<Uuid>,
    pub model: String,
    pub conversation_id: Option<Uuid>,
    pub message_id: Option<Uuid>,
    pub prompt_tokens: i64,
    pub completion_tokens: i64,
    pub prompt_price: i64,
    pub completion_price: i64,
    pub cost: i64,
    /// The ids of the quotas in whose counters it is set aside.
    pub quotas: Json,
    pub reserved_at: DateTimeUtc,
    pub expires_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
