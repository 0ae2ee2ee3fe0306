//! Providers' keys, sealed.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub provider: String,
    pub name: String,
    pub name_folded: String,
    /// What only the vault opens.
    pub encrypted_key: String,
    pub key_hint: Option<String>,
    pub is_default: bool,
    pub is_active: bool,
    pub base_url: Option<String>,
    /// Micro-dollars for a million tokens.
    pub prompt_price: Option<i64>,
    pub completion_price: Option<i64>,
    pub context_length: Option<i64>,
    pub max_tokens_param: Option<String>,
    pub embedding_model: Option<String>,
    pub embedding_dimensions: Option<i64>,
    pub last_used_at: Option<DateTimeUtc>,
    pub last_error: Option<String>,
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
