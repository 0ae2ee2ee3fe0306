//! Notices: what happened that somebody should know, until they dismiss it.

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::{
    clock::Time,
    fault::StoreError,
    id::{NoticeId, UserId},
    page::{Page, PageRequest},
};

/// How much a notice matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Good to know.
    Info,
    /// Something will stop working if nothing is done.
    Warning,
    /// Something stopped working.
    Error,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Error];

    /// The name in columns and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// The level of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == name)
    }
}

/// A notice. Administrators see all of them, and everybody those that concern them.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Which.
    pub id: NoticeId,
    /// What happened, e.g. `quota.alert`.
    pub kind: String,
    /// How much it matters.
    pub level: Level,
    /// A sentence for people.
    pub message: String,
    /// Particulars, for pages that say it in their own words.
    pub details: Map<String, Value>,
    /// Whom it concerns; `None`: the administrators only.
    pub user: Option<UserId>,
    /// When it happened.
    pub created_at: Time,
}

/// Remembers notices, and who has dismissed them.
#[async_trait]
pub trait NoticeStore: Send + Sync {
    /// What this person has not dismissed, newest first: what concerns them, and everything if they are an administrator.
    async fn list_notices(&self, user: UserId, is_admin: bool, page: PageRequest) -> Result<Page<Notice>, StoreError>;

    /// Dismisses it for this person; `false` if they could not see it.
    async fn dismiss_notice(&self, user: UserId, is_admin: bool, id: NoticeId, at: Time) -> Result<bool, StoreError>;
}
