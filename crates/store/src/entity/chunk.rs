//! Chunks of files: text, place and vectors.

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
    pub text: String,
    /// What the text is found by: the forms of its words, separated by spaces.
    pub words: String,
    pub token_count: i32,
    /// The embedding space of the vectors; vectors of different spaces are never compared.
    pub space: String,
    /// How many numbers one vector has.
    pub dim: i32,
    /// The vectors of the chunk's pieces one after another, 32-bit floats, little-endian.
    pub vectors: Vec<u8>,
}

impl ActiveModelBehavior for ActiveModel {}
