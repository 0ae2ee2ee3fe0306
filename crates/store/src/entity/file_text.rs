//! The extracted text of each generation of a file.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "file_texts")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub file_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub generation: i64,
    pub text: String,
    /// Where each page lies: `[[number, start, end], …]`.
    pub pages: Json,
}

impl ActiveModelBehavior for ActiveModel {}
