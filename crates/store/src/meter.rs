//! The meter: what a call may use at most is set aside in every counter it counts in, and replaced by what it used.

use std::collections::HashSet;

use across::{
    actor::Role,
    clock::Time,
    fault::StoreError,
    governance::{
        meter::{Correction, Meter, Particulars, Payer, Reservation, Spent},
        quota::{Claim, Held, Limits, Refusal, claims},
        usage::Purpose,
        window::Window,
    },
    id::{MessageId, QuotaId, UsageId},
    money::{MicroUsd, Price},
};
use async_trait::async_trait;
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, FromQueryResult, QueryFilter as _, QuerySelect as _,
    QueryTrait as _, Set,
    sea_query::{InsertStatement, Query, UpdateStatement},
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    SqlStore,
    convert::storable,
    corrections,
    counters::{Change, OF_COUNTERS, before, by_place, changing, counted, natural},
    entity::{assistant, conversation, message, quota_counter, quota_hold, usage_log, usage_quota},
    error::Fault,
    key_notes,
    notices::alert,
    paging::scalar,
    scopes::{OF_QUOTAS, counting, in_order, limits_of, matching, scope_of},
    together::{Rows, Together},
    transaction::Tx,
};

const TABLE: &str = "quota_holds";
/// How often a change is tried that meets the deletion of what it refers to.
const TRIES: u32 = 3;

/// Sets a call's worst case aside in every quota that matches, or takes back what the transaction did.
pub(crate) async fn reserve(tx: &Tx, call: &Reservation) -> Result<Option<Refusal>, Fault> {
    let claimed = Claimed::of(matching(tx, &call.payer).await?, call)?;
    let rows = claimed.set_aside(Together::new(tx), call).run().await?;
    let refused = claimed.refused(&rows, call.at)?;
    if refused.is_some() {
        tx.take_back();
    }
    Ok(refused)
}

/// The quotas that a call counts in, and what is set aside for it in each.
pub(crate) struct Claimed {
    quotas: Vec<usage_quota::Model>,
    claims: Vec<Claim>,
}

impl Claimed {
    /// What is to be set aside in these quotas.
    pub(crate) fn of(quotas: Vec<usage_quota::Model>, call: &Reservation) -> Result<Self, Fault> {
        let limits = quotas
            .iter()
            .map(|row| Ok((row.id.into(), limits_of(row)?)))
            .collect::<Result<Vec<(QuotaId, Limits)>, Fault>>()?;
        let claims = claims(&limits, call);
        Ok(Self { quotas, claims })
    }

    /// Adds what sets it aside and records it. Whether it may be is judged afterwards, by [`Self::refused`]: from here on
    /// nobody else can change these counters, so that of any number of calls at the same time each sees what the ones before
    /// it took.
    pub(crate) fn set_aside<'t>(&self, together: Together<'t>, call: &Reservation) -> Together<'t> {
        together
            .and(&recorded(call, &self.quotas))
            .and_option(changing(self.claims.iter().map(Change::set_aside).collect()).as_ref())
            .and_option(before(&self.claims, call.at).as_ref())
    }

    /// Why the call may not be made, if it may not: then what was set aside for it is to be taken back.
    pub(crate) fn refused(&self, rows: &Rows, at: Time) -> Result<Option<Refusal>, Fault> {
        let is_claimed = |row: &quota_counter::Model| {
            let it = |claim: &Claim| claim.quota.uuid() == row.quota_id && claim.starts_at == row.starts_at;
            let mut claims = self.claims.iter();
            claims.any(|claim| it(claim) && claim.window.as_str() == row.window)
        };
        let all = rows.having::<quota_counter::Model>(OF_COUNTERS)?;
        let (counters, before): (Vec<_>, Vec<_>) = all.into_iter().partition(is_claimed);
        let (counters, before) = (by_place(counters), by_place(before));
        for claim in &self.claims {
            let place = (claim.quota.uuid(), claim.window.as_str().to_owned());
            let row = counters
                .get(&place)
                .ok_or_else(|| Fault::corrupt("quota_counters", "window", claim.quota))?;
            let own = Change::set_aside(claim);
            let number = |requests: i64| u32::try_from(natural(requests)).unwrap_or(u32::MAX);
            let held = Held {
                cost: MicroUsd(row.cost + row.held_cost - own.held_cost),
                tokens: natural(row.tokens + row.held_tokens - own.held_tokens),
                requests: number(row.requests - own.requests),
                requests_before: number(before.get(&place).map_or(0, |row| row.requests)),
            };
            let Some((limit, amount, used)) = claim.refused_by(held, at) else {
                continue;
            };
            let quota = self.quotas.iter().find(|row| row.id == claim.quota.uuid());
            let scope = quota.map(scope_of).transpose()?;
            return Ok(Some(Refusal {
                scope: scope.ok_or_else(|| Fault::corrupt("quota_counters", "quota_id", claim.quota))?,
                limit,
                amount,
                used,
                resets_at: claim.window.end(at),
            }));
        }
        Ok(None)
    }
}

/// The statement that records what is set aside for a call.
fn recorded(call: &Reservation, quotas: &[usage_quota::Model]) -> InsertStatement {
    let row = quota_hold::ActiveModel {
        id: Set(call.id.uuid()),
        user_id: Set(call.payer.user.map(|id| id.uuid())),
        role: Set(call.payer.role.map(|role| role.as_str().to_owned())),
        assistant_id: Set(call.payer.assistant.map(|id| id.uuid())),
        purpose: Set(call.purpose.as_str().to_owned()),
        provider: Set(call.provider.clone()),
        api_key_id: Set(call.key.map(|id| id.uuid())),
        model: Set(storable(call.model.clone())),
        conversation_id: Set(call.conversation.map(|id| id.uuid())),
        message_id: Set(call.message.map(|id| id.uuid())),
        prompt_tokens: Set(counted(call.prompt_tokens)),
        completion_tokens: Set(counted(call.completion_tokens)),
        prompt_price: Set(call.price.prompt.0),
        completion_price: Set(call.price.completion.0),
        cost: Set(counted(call.cost.0)),
        quotas: Set(json!(quotas.iter().map(|row| row.id).collect::<Vec<_>>())),
        reserved_at: Set(call.at),
        expires_at: Set(call.expires_at),
    };
    quota_hold::Entity::insert(row).into_query()
}

/// What was set aside for an answer.
pub(crate) async fn hold_of(tx: &Tx, message: MessageId) -> Result<Option<quota_hold::Model>, Fault> {
    let row = quota_hold::Entity::find()
        .filter(quota_hold::Column::MessageId.eq(message.uuid()))
        .one(tx)
        .await?;
    Ok(row)
}

/// Who tells what a call used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Teller {
    /// Whoever made it, and knows whether its key works.
    Caller,
    /// Nobody: whoever made it is dead.
    Sweep,
}

/// A column that only what was set aside has.
const OF_HOLDS: &str = "expires_at";
/// A column that only what stands beside it has.
const STANDING: &str = "standing_assistant";

/// Replaces what was set aside by what was used; see the port. `false` if it was charged before.
pub(crate) async fn settle(tx: &Tx, spent: &Spent, at: Time, teller: Teller) -> Result<bool, Fault> {
    let taken = take(Together::new(tx), spent).run().await?;
    charge(tx, &taken, spent, at, teller, None).await
}

/// Conversation and assistant of a call, as far as they still exist.
#[derive(Default, FromQueryResult)]
struct Standing {
    standing_conversation: Option<Uuid>,
    standing_assistant: Option<Uuid>,
}

/// Adds what removes what was set aside, with what else [`charge`] has to know. Whoever removes the row charges it;
/// everybody else finds it gone.
pub(crate) fn take<'t>(together: Together<'t>, spent: &Spent) -> Together<'t> {
    let this = || quota_hold::Column::Id.eq(spent.hold.uuid());
    let of_this = |column| {
        quota_hold::Entity::find()
            .select_only()
            .column(column)
            .filter(this())
            .into_query()
    };
    let conversation = conversation::Entity::find()
        .select_only()
        .column(conversation::Column::Id)
        .filter(conversation::Column::Id.in_subquery(of_this(quota_hold::Column::ConversationId)));
    let assistant = assistant::Entity::find()
        .select_only()
        .column(assistant::Column::Id)
        .filter(assistant::Column::Id.in_subquery(of_this(quota_hold::Column::AssistantId)));
    let standing = Query::select()
        .expr_as(scalar(conversation.into_query()), "standing_conversation")
        .expr_as(scalar(assistant.into_query()), STANDING)
        .to_owned();
    let taken = quota_hold::Entity::delete_many().filter(this());
    together
        .and(&standing)
        .and(counting(&spent.payer).as_query())
        .and(taken.into_query().returning_all())
}

/// Charges what was taken, if it was; `besides` is done in any case.
pub(crate) async fn charge(
    tx: &Tx,
    taken: &Rows,
    spent: &Spent,
    at: Time,
    teller: Teller,
    besides: Option<&UpdateStatement>,
) -> Result<bool, Fault> {
    let Some(hold) = taken.having::<quota_hold::Model>(OF_HOLDS)?.pop() else {
        Together::new(tx).and_option(besides).run().await?;
        return Ok(false);
    };
    let purpose = Purpose::parse(&hold.purpose).ok_or_else(|| Fault::corrupt(TABLE, "purpose", hold.id))?;
    let standing = taken.having::<Standing>(STANDING)?.pop().unwrap_or_default();
    let quotas = in_order(taken.having(OF_QUOTAS)?);
    // A call that used nothing says nothing about its key.
    let is_telling = teller == Teller::Caller && (spent.prompt_tokens > 0 || spent.completion_tokens > 0);
    let works = spent.key.filter(|_| is_telling).map(|key| key_notes::works(key, at));
    // What was refused on the way is noted first: it may have been the same key.
    let (now, later) = if spent.refused_keys.is_empty() {
        (works, None)
    } else {
        (None, works)
    };
    let counters = Together::new(tx)
        // Conversations before counters, as where a turn begins, so that nobody waits in a circle.
        .and_option(besides)
        .and(&logged(&hold, &standing, purpose, spent))
        .and_option(changing(corrections(&hold, purpose, spent, &quotas)?).as_ref())
        .and_option(now.as_ref())
        .run()
        .await?;
    let counters = by_place(counters.having(OF_COUNTERS)?);
    for quota in &quotas {
        for window in [Window::Day, Window::Month] {
            if let Some(counter) = counters.get(&(quota.id, window.as_str().to_owned())) {
                alert(tx, quota, window, counter, at).await?;
            }
        }
    }
    if teller == Teller::Caller {
        for (key, problem) in &spent.refused_keys {
            key_notes::note(tx, *key, Some(problem.clone()), at).await?;
        }
    }
    Together::new(tx).and_option(later.as_ref()).run().await?;
    Ok(true)
}

/// How the counters of today's quotas change: those it was set aside in give that back, and quotas made meanwhile count
/// what they would have counted.
fn corrections(
    hold: &quota_hold::Model,
    purpose: Purpose,
    spent: &Spent,
    quotas: &[usage_quota::Model],
) -> Result<Vec<Change>, Fault> {
    let claimed: HashSet<Uuid> =
        serde_json::from_value(hold.quotas.clone()).map_err(|_| Fault::corrupt(TABLE, "quotas", hold.id))?;
    let mut changes = Vec::with_capacity(quotas.len() * 2);
    for quota in quotas {
        for window in [Window::Day, Window::Month] {
            let is_claimed = claimed.contains(&quota.id);
            changes.push(Change {
                quota: quota.id.into(),
                window,
                starts_at: window.start(hold.reserved_at),
                cost: counted(spent.cost.0),
                tokens: counted(spent.prompt_tokens.saturating_add(spent.completion_tokens)),
                requests: if is_claimed { 0 } else { i64::from(purpose.is_request()) },
                held_cost: if is_claimed { -hold.cost } else { 0 },
                held_tokens: if is_claimed {
                    -counted(hold.prompt_tokens + hold.completion_tokens)
                } else {
                    0
                },
            });
        }
    }
    Ok(changes)
}

/// Writes the row of the usage log, with conversation and assistant as far as they still exist.
fn logged(hold: &quota_hold::Model, standing: &Standing, purpose: Purpose, spent: &Spent) -> InsertStatement {
    let (prompt, completion) = (counted(spent.prompt_tokens), counted(spent.completion_tokens));
    let more = &spent.more;
    let (from, reason) = more.failover.clone().unzip();
    let row = usage_log::ActiveModel {
        id: Set(UsageId::new().uuid()),
        user_id: Set(hold.user_id),
        assistant_id: Set(standing.standing_assistant),
        conversation_id: Set(standing.standing_conversation),
        message_id: Set(hold.message_id),
        purpose: Set(hold.purpose.clone()),
        provider: Set(storable(spent.provider.clone())),
        model: Set(storable(spent.model.clone())),
        prompt_tokens: Set(prompt),
        completion_tokens: Set(completion),
        total_tokens: Set(prompt + completion),
        cost_usd: Set(counted(spent.cost.0)),
        estimated: Set(spent.estimated),
        cached_tokens: Set(counted(more.cached_tokens)),
        reasoning_tokens: Set(counted(more.reasoning_tokens)),
        price_source: Set(more.price_source.map(|source| source.as_str().to_owned())),
        upstream_id: Set(more.upstream_id.clone().map(storable)),
        answered_model: Set(more.answered_model.clone().map(storable)),
        failover_from: Set(from),
        failover_reason: Set(reason),
        raw_usage: Set(more.raw.clone().map(storable)),
        is_request: Set(purpose.is_request()),
        day: Set(hold.reserved_at.format("%Y-%m-%d").to_string()),
        created_at: Set(hold.reserved_at),
    };
    usage_log::Entity::insert(row).into_query()
}

/// The worst case of a call, as used by nobody knows how much of it.
fn worst(hold: &quota_hold::Model) -> Result<Spent, Fault> {
    let role = hold
        .role
        .as_deref()
        .map(|role| Role::parse(role).ok_or_else(|| Fault::corrupt(TABLE, "role", hold.id)));
    Ok(Spent {
        hold: hold.id.into(),
        payer: Payer {
            user: hold.user_id.map(Into::into),
            role: role.transpose()?,
            assistant: hold.assistant_id.map(Into::into),
        },
        provider: hold.provider.clone(),
        key: hold.api_key_id.map(Into::into),
        model: hold.model.clone(),
        prompt_tokens: natural(hold.prompt_tokens),
        completion_tokens: natural(hold.completion_tokens),
        cost: MicroUsd(hold.cost),
        estimated: true,
        refused_keys: Vec::new(),
        more: Particulars::default(),
    })
}

/// An answer of which so many tokens arrived before whoever wrote it died.
pub(crate) fn estimated(hold: &quota_hold::Model, completion_tokens: u64) -> Result<Spent, Fault> {
    let price = Price {
        prompt: MicroUsd(hold.prompt_price),
        completion: MicroUsd(hold.completion_price),
    };
    let prompt_tokens = natural(hold.prompt_tokens);
    Ok(Spent {
        completion_tokens,
        cost: price.cost(prompt_tokens, completion_tokens),
        ..worst(hold)?
    })
}

impl SqlStore {
    async fn reserve_once(&self, call: Reservation) -> Result<Option<Refusal>, StoreError> {
        let write = self
            .db
            .write(move |tx| Box::pin(async move { reserve(tx, &call).await }));
        Ok(write.await?)
    }

    async fn settle_once(&self, spent: Spent, at: Time, teller: Teller) -> Result<bool, StoreError> {
        let write = self
            .db
            .write(move |tx| Box::pin(async move { settle(tx, &spent, at, teller).await }));
        Ok(write.await?)
    }

    async fn settle_surely(&self, spent: &Spent, at: Time, teller: Teller) -> Result<bool, StoreError> {
        surely(|| self.settle_once(spent.clone(), at, teller)).await
    }
}

/// Does a change once more if a quota, conversation or person that it refers to was deleted in that very moment: the next
/// time it sees that they are gone.
pub(crate) async fn surely<T, W>(work: impl Fn() -> W) -> Result<T, StoreError>
where
    W: Future<Output = Result<T, StoreError>>,
{
    for _ in 1..TRIES {
        match work().await {
            Err(StoreError::Conflict(_)) => {}
            done => return done,
        }
    }
    work().await
}

#[async_trait]
impl Meter for SqlStore {
    async fn reserve(&self, call: Reservation) -> Result<Result<(), Refusal>, StoreError> {
        let refused = surely(|| self.reserve_once(call.clone())).await?;
        Ok(refused.map_or(Ok(()), Err))
    }

    async fn settle(&self, spent: Spent, at: Time) -> Result<(), StoreError> {
        self.settle_surely(&spent, at, Teller::Caller).await?;
        Ok(())
    }

    async fn correct(&self, correction: Correction, at: Time) -> Result<bool, StoreError> {
        let correct = || {
            let correction = correction.clone();
            self.db
                .write(move |tx| Box::pin(async move { corrections::correct(tx, &correction, at).await }))
        };
        surely(|| async { Ok(correct().await?) }).await
    }

    async fn sweep_holds(&self, now: Time, everyone_is_dead: bool) -> Result<u64, StoreError> {
        let being_written = message::Entity::find()
            .select_only()
            .column(message::Column::Id)
            .filter(message::Column::Status.eq("streaming"))
            .into_query();
        let mut dead = Condition::all().add(
            Condition::any()
                .add(quota_hold::Column::MessageId.is_null())
                .add(quota_hold::Column::MessageId.not_in_subquery(being_written)),
        );
        if !everyone_is_dead {
            dead = dead.add(quota_hold::Column::ExpiresAt.lt(now));
        }
        let holds = quota_hold::Entity::find()
            .filter(dead)
            .all(self.db.reader())
            .await
            .map_err(Fault::from)?;
        let mut charged = 0;
        for hold in holds {
            charged += u64::from(self.settle_surely(&worst(&hold)?, now, Teller::Sweep).await?);
        }
        self.forget_rates(now).await?;
        Ok(charged)
    }
}
