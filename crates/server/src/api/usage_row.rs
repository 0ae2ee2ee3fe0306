//! A call to a provider as the usage log shows and exports it.

use across::{governance::usage::UsageRow, money::PriceSource};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::{
    stamp,
    words::{PriceOrigin, Purpose},
};

/// The columns of an export. They are only ever added to at the end: programs count on their places.
pub(crate) const HEADER: [&str; 20] = [
    "id",
    "created_at",
    "user_id",
    "assistant_id",
    "conversation_id",
    "message_id",
    "purpose",
    "provider",
    "model",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cost_usd",
    "estimated",
    "cached_tokens",
    "reasoning_tokens",
    "price_source",
    "answered_model",
    "failover_from",
    "failover_reason",
];

/// A call to a provider.
#[derive(Serialize, ToSchema)]
#[schema(as = UsageRow)]
pub(crate) struct RowJson {
    #[schema(format = Uuid)]
    id: String,
    #[schema(format = Uuid, required)]
    user_id: Option<String>,
    #[schema(format = Uuid, required)]
    assistant_id: Option<String>,
    #[schema(format = Uuid, required)]
    conversation_id: Option<String>,
    #[schema(format = Uuid, required)]
    message_id: Option<String>,
    purpose: Purpose,
    provider: String,
    model: String,
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    /// Dollars.
    cost_usd: f64,
    /// Counted by the platform because the provider did not say.
    estimated: bool,
    /// Tokens of the prompt that came from the provider's cache.
    cached_tokens: u64,
    /// Tokens of the answer that nobody saw.
    reasoning_tokens: u64,
    /// Where its price comes from; null if nothing came of it, or nobody lived to say.
    #[schema(required)]
    price_source: Option<PriceOrigin>,
    /// The model that answered, where its provider calls it otherwise.
    #[schema(required)]
    answered_model: Option<String>,
    /// Who should have answered instead.
    #[schema(required)]
    failover_from: Option<String>,
    /// Why they did not, in a word.
    #[schema(required)]
    failover_reason: Option<String>,
    created_at: String,
}

impl From<UsageRow> for RowJson {
    fn from(row: UsageRow) -> Self {
        let (failover_from, failover_reason) = row.more.failover.unzip();
        Self {
            id: row.id.to_string(),
            user_id: row.user.map(|id| id.to_string()),
            assistant_id: row.assistant.map(|id| id.to_string()),
            conversation_id: row.conversation.map(|id| id.to_string()),
            message_id: row.message.map(|id| id.to_string()),
            purpose: row.purpose.into(),
            provider: row.provider,
            model: row.model,
            prompt_tokens: row.prompt_tokens,
            completion_tokens: row.completion_tokens,
            total_tokens: row.prompt_tokens.saturating_add(row.completion_tokens),
            cost_usd: row.cost.dollars(),
            estimated: row.estimated,
            cached_tokens: row.more.cached_tokens,
            reasoning_tokens: row.more.reasoning_tokens,
            price_source: row.more.price_source.map(Into::into),
            answered_model: row.more.answered_model,
            failover_from,
            failover_reason,
            created_at: stamp(row.created_at),
        }
    }
}

/// The cells of a call, under [`HEADER`].
pub(crate) fn cells(row: UsageRow) -> Vec<String> {
    let purpose = row.purpose.as_str().to_owned();
    let source = row.more.price_source.map_or("", PriceSource::as_str).to_owned();
    let row = RowJson::from(row);
    vec![
        row.id,
        row.created_at,
        row.user_id.unwrap_or_default(),
        row.assistant_id.unwrap_or_default(),
        row.conversation_id.unwrap_or_default(),
        row.message_id.unwrap_or_default(),
        purpose,
        row.provider,
        row.model,
        row.prompt_tokens.to_string(),
        row.completion_tokens.to_string(),
        row.total_tokens.to_string(),
        row.cost_usd.to_string(),
        row.estimated.to_string(),
        row.cached_tokens.to_string(),
        row.reasoning_tokens.to_string(),
        source,
        row.answered_model.unwrap_or_default(),
        row.failover_from.unwrap_or_default(),
        row.failover_reason.unwrap_or_default(),
    ]
}
