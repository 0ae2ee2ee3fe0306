//! Changes of the embedding model. At most one is running.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "embedding_changes")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub from_space: String,
    pub to_model: String,
    pub to_dim: i32,
    pub phase: String,
    pub chunks_total: i64,
    pub chunks_done: i64,
    /// The number of the chunk up to which all were looked at.
    pub position: i64,
    pub started_by: Option<Uuid>,
    pub problem: Option<String>,
    pub started_at: DateTimeUtc,
    pub finished_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
