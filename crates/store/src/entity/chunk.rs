//! Chunks of files: text and place.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "chunks")]
pub(crate) struct Model {
    /// A small number of its own, by which the full-text index and the vector index refer to the chunk.
    #[sea_orm(primary_key)]
    pub number: i64,
    pub id: Uuid,
    pub file_id: Uuid,
    pub generation: i64,
    pub chunk_index: i32,
    pub page: Option<i32>,
    pub start_char: i32,
    pub end_char: i32,
    /// The headings it stands under.
    pub heading: Option<String>,
    pub text: String,
    /// What the text is found by: the forms of its words, separated by spaces.
    pub words: String,
    pub token_count: i32,
}

impl ActiveModelBehavior for ActiveModel {}
