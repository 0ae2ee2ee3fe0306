//! Assistants; archived ones keep their row.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "assistants")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub description: Option<String>,
    /// Name and description, folded, for searches that ignore case.
    pub search_folded: String,
    pub instructions: String,
    pub model: Option<String>,
    pub temperature: f64,
    pub max_tokens: i32,
    pub avatar_url: Option<String>,
    pub is_deleted: bool,
    pub version: i64,
    /// Grows whenever what can be found in its files changes; copies in memory carry the number they were made at.
    pub index_generation: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
