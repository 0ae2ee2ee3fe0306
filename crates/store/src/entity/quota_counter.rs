//! What a quota's windows hold: spent, and set aside for calls in progress.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "quota_counters")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub quota_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub window: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub starts_at: DateTimeUtc,
    pub cost: i64,
    pub tokens: i64,
    pub requests: i64,
    pub held_cost: i64,
    pub held_tokens: i64,
    /// Whether somebody was told that the threshold is crossed.
    pub is_alerted: bool,
}

impl ActiveModelBehavior for ActiveModel {}
