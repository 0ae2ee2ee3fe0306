//! Knowledge files and where they are on their way.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "knowledge_files")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub assistant_id: Uuid,
    pub filename: String,
    pub filename_folded: String,
    pub file_type: String,
    /// Where its bytes are, below the data directory.
    pub file_path: String,
    pub size_bytes: i64,
    pub sha256: String,
    pub chunk_count: i32,
    pub status: String,
    pub progress: i32,
    pub error_message: Option<String>,
    /// The generation of chunks that is searched; 0 before the first is published.
    pub generation: i64,
    /// The newest generation that was ever begun.
    pub latest_generation: i64,
    pub uploaded_by: Option<Uuid>,
    /// Set when the file was deleted; from then on nothing finds it, and a job removes the row.
    pub deleted_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
