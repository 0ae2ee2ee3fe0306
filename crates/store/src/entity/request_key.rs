//! Requests that carried a key, and the answers they got.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "request_keys")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub method: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub path: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// A hash of what was asked for.
    pub fingerprint: Vec<u8>,
    /// Set when the request is done.
    pub status: Option<i32>,
    /// `[[name, value], …]`.
    pub headers: Option<Json>,
    pub body: Option<Vec<u8>>,
    pub message_id: Option<Uuid>,
    /// Until when a request that is not done belongs to whoever claimed it.
    pub lease_until: DateTimeUtc,
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
