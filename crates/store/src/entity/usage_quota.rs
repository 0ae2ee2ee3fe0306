//! Quotas.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "usage_quotas")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub scope: String,
    /// The role's name or the id; empty for everybody's.
    pub scope_id: String,
    /// In micro-dollars, like every cost.
    pub daily_cost_limit: Option<i64>,
    pub monthly_cost_limit: Option<i64>,
    pub daily_token_limit: Option<i64>,
    pub monthly_token_limit: Option<i64>,
    pub requests_per_min: Option<i32>,
    pub requests_per_hour: Option<i32>,
    pub alert_threshold: i32,
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
