//! The vectors of a chunk in one embedding space. Two spaces stand side by side while the embedding model is changed.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "chunk_vectors")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub number: i64,
    /// The chunk, by its small number.
    pub chunk_number: i64,
    /// Vectors of different spaces are never compared.
    pub space: String,
    /// How many numbers one vector has.
    pub dim: i32,
    /// What the copy in memory is made of; it stands before `vectors`, so that reading it alone touches a quarter of the
    /// bytes.
    pub codes: Vec<u8>,
    /// The vectors of the chunk's pieces one after another, 32-bit floats, little-endian.
    pub vectors: Vec<u8>,
    /// CRC-32 of `vectors`.
    pub checksum: i64,
}

impl ActiveModelBehavior for ActiveModel {}
