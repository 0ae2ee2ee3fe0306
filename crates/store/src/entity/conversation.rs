//! Conversations.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "conversations")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub assistant_id: Uuid,
    pub user_id: Uuid,
    pub title: String,
    pub title_folded: String,
    /// The leaf of the active path.
    pub head_id: Option<Uuid>,
    /// The `seq` of the newest message; since messages are never removed singly, also their number.
    pub last_seq: i64,
    pub last_message_at: Option<DateTimeUtc>,
    /// When something was last said, or when the conversation began: what lists are ordered by.
    pub active_at: DateTimeUtc,
    pub is_pinned: bool,
    pub is_archived: bool,
    pub is_unseen: bool,
    pub folder_id: Option<Uuid>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
