//! The one gate that every call to a provider outside passes: its worst case is set aside in all quotas before anything is
//! sent, and replaced by the truth in the transaction that records what became of it.

use async_trait::async_trait;
use chrono::TimeDelta;

use crate::{
    actor::Role,
    clock::Time,
    fault::StoreError,
    governance::{quota::Refusal, usage::Purpose},
    id::{ApiKeyId, AssistantId, ConversationId, HoldId, MessageId, UserId},
    money::{MicroUsd, Price, PriceSource},
};

/// How long something stays set aside without a sign of life of whoever makes the call.
pub const HOLD: TimeDelta = TimeDelta::minutes(15);

/// Whose quotas a call counts in. The platform's own work for nobody counts in everybody's only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Payer {
    /// The person.
    pub user: Option<UserId>,
    /// Their role at this moment.
    pub role: Option<Role>,
    /// The assistant.
    pub assistant: Option<AssistantId>,
}

/// A call that is about to be made, with the most that it can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Which.
    pub id: HoldId,
    /// Whose quotas it counts in.
    pub payer: Payer,
    /// What for.
    pub purpose: Purpose,
    /// Who will be called.
    pub provider: String,
    /// With which of the stored keys, if with one.
    pub key: Option<ApiKeyId>,
    /// Which model.
    pub model: String,
    /// In which conversation.
    pub conversation: Option<ConversationId>,
    /// For which answer.
    pub message: Option<MessageId>,
    /// Tokens of the prompt, as we count them.
    pub prompt_tokens: u64,
    /// Tokens of the answer at most.
    pub completion_tokens: u64,
    /// What that would cost.
    pub cost: MicroUsd,
    /// At this price, by which it is charged if nobody lives to say what it used.
    pub price: Price,
    /// When it is admitted; it counts in the windows of this moment, however long it takes.
    pub at: Time,
    /// When it is taken for dead and charged as it is.
    pub expires_at: Time,
}

impl Reservation {
    /// A call that uses nothing yet.
    #[must_use]
    pub fn new(payer: Payer, purpose: Purpose, provider: &str, model: &str, at: Time) -> Self {
        Self {
            id: HoldId::new(),
            payer,
            purpose,
            provider: provider.to_owned(),
            key: None,
            model: model.to_owned(),
            conversation: None,
            message: None,
            prompt_tokens: 0,
            completion_tokens: 0,
            cost: MicroUsd::ZERO,
            price: Price::FREE,
            at,
            expires_at: at + HOLD,
        }
    }

    /// The same call with its tokens, priced.
    #[must_use]
    pub fn worth(self, prompt_tokens: u64, completion_tokens: u64, price: Price) -> Self {
        Self {
            prompt_tokens,
            completion_tokens,
            cost: price.cost(prompt_tokens, completion_tokens),
            price,
            ..self
        }
    }

    /// Tokens in all.
    #[must_use]
    pub const fn tokens(&self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }
}

/// What is known of a call besides what it cost, for the usage log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Particulars {
    /// Tokens of the prompt that came from the provider's cache.
    pub cached_tokens: u64,
    /// Tokens of the answer that nobody saw.
    pub reasoning_tokens: u64,
    /// Where its price comes from; `None` if nothing came of it.
    pub price_source: Option<PriceSource>,
    /// The provider's name for it.
    pub upstream_id: Option<String>,
    /// The model that really answered, where its provider calls it otherwise.
    pub answered_model: Option<String>,
    /// Who should have answered, and why they did not.
    pub failover: Option<(String, String)>,
    /// The provider's own account of its tokens, JSON.
    pub raw: Option<String>,
}

/// What a call really used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// What was set aside for it.
    pub hold: HoldId,
    /// Whose quotas that was set aside in.
    pub payer: Payer,
    /// Who answered.
    pub provider: String,
    /// With which of the stored keys, if with one: a call that used something clears the note on it.
    pub key: Option<ApiKeyId>,
    /// The model that worked, by the name it was asked for.
    pub model: String,
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    pub completion_tokens: u64,
    /// What that costs.
    pub cost: MicroUsd,
    /// Counted by us because the provider did not say.
    pub estimated: bool,
    /// Keys that a provider refused on the way, each with what is wrong with it; it is noted on the key for the
    /// administrator.
    pub refused_keys: Vec<(ApiKeyId, String)>,
    /// What else is known.
    pub more: Particulars,
}

/// What a provider said afterwards about a call that was charged by estimate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// The answer it was made for.
    pub message: MessageId,
    /// The provider's name for the call.
    pub upstream_id: String,
    /// Tokens of the prompt, if they are known now.
    pub prompt_tokens: Option<u64>,
    /// Tokens of the answer, if they are known now.
    pub completion_tokens: Option<u64>,
    /// What it cost.
    pub cost: MicroUsd,
}

/// Sets aside, settles and sweeps. Answers to people are set aside by
/// [`begin_turn`](crate::conversations::conversation::ConversationStore::begin_turn) and settled by
/// [`finish`](crate::conversations::conversation::ConversationStore::finish), in the transactions of their messages.
#[async_trait]
pub trait Meter: Send + Sync {
    /// Sets a call's worst case aside in every quota that matches, or in none.
    async fn reserve(&self, call: Reservation) -> Result<Result<(), Refusal>, StoreError>;

    /// Replaces what was set aside by what was used, writes the row of the usage log, notes the use of the key, and tells
    /// whom it concerns when a quota's threshold is crossed; in one transaction. A hold that is gone was charged before:
    /// nothing happens then.
    async fn settle(&self, spent: Spent, at: Time) -> Result<(), StoreError>;

    /// Replaces the estimate of a call by what its provider said afterwards: in the row of the usage log, in the windows it
    /// counted in, and in the message's tokens; in one transaction. `false` if there is no such estimate (any more).
    async fn correct(&self, correction: Correction, at: Time) -> Result<bool, StoreError>;

    /// Charges what the dead set aside, at its worst case, with rows marked as estimated: holds that expired before `now`,
    /// or all if `everyone_is_dead`. Those of answers that are still being written are not among them. Returns how many.
    async fn sweep_holds(&self, now: Time, everyone_is_dead: bool) -> Result<u64, StoreError>;
}
