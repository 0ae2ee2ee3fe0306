//! Background work that waits or is being done.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "jobs")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub kind: String,
    /// The file that the work is about; no foreign key, since purging a file removes its row before its job.
    pub file_id: Option<Uuid>,
    pub payload: Json,
    /// When the job may be taken; for a claimed one, when its lease runs out.
    pub due_at: DateTimeUtc,
    pub is_claimed: bool,
    /// Tries that count since the work last came further.
    pub attempt: i32,
    /// Tries in a row that failed for want of somebody outside.
    pub outages: i32,
    /// What it waits for since its last try.
    pub waits_for: Option<String>,
    /// When it was claimed or last took a step.
    pub moved_at: Option<DateTimeUtc>,
    /// Grows with every claim; a write that carries an old one is refused.
    pub fence: i64,
    pub last_error: Option<String>,
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
