//! What a provider says afterwards about a call that was charged by estimate takes the estimate's place.

use across::{
    actor::Role,
    clock::Time,
    conversations::message::TokensUsed,
    governance::{
        meter::{Correction, Payer},
        window::Window,
    },
    money::{MicroUsd, PriceSource},
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, ExprTrait as _, PaginatorTrait as _, QueryFilter as _,
    Set,
};

use crate::{
    convert::storable,
    counters::{Change, change, counted, natural},
    entity::{message, quota_counter, usage_log, user},
    error::Fault,
    messages::{kept_tokens, tokens_column},
    notices::alert,
    rows::hold,
    scopes::matching,
    transaction::Tx,
};

/// See the port.
pub(crate) async fn correct(tx: &Tx, correction: &Correction, at: Time) -> Result<bool, Fault> {
    use usage_log::Column;
    let this = Column::MessageId
        .eq(correction.message.uuid())
        .and(Column::UpstreamId.eq(storable(correction.upstream_id.clone())))
        .and(Column::Estimated.eq(true));
    // Held, so that of two who correct it one finds nothing to correct.
    let Some(row) = hold::<usage_log::Entity>(tx, Column::Estimated, this).await? else {
        return Ok(false);
    };
    let prompt = correction.prompt_tokens.map_or(row.prompt_tokens, counted);
    let completion = correction.completion_tokens.map_or(row.completion_tokens, counted);
    let cost = counted(correction.cost.0);
    let more_cost = cost - row.cost_usd;
    let (more_prompt, more_completion) = (prompt - row.prompt_tokens, completion - row.completion_tokens);
    recount(tx, &row, more_cost, more_prompt + more_completion, at).await?;
    let mut changed: usage_log::ActiveModel = row.into();
    changed.prompt_tokens = Set(prompt);
    changed.completion_tokens = Set(completion);
    changed.total_tokens = Set(prompt + completion);
    changed.cost_usd = Set(cost);
    changed.estimated = Set(false);
    changed.price_source = Set(Some(PriceSource::Stated.as_str().to_owned()));
    changed.update(tx).await?;
    tell(tx, correction, more_cost, more_prompt, more_completion).await?;
    Ok(true)
}

/// Changes the counters that counted a row, in the windows it counted in.
async fn recount(tx: &Tx, row: &usage_log::Model, more_cost: i64, more_tokens: i64, at: Time) -> Result<(), Fault> {
    let role = match row.user_id {
        Some(id) => user::Entity::find_by_id(id).one(tx).await?.map(|user| user.role),
        None => None,
    };
    let payer = Payer {
        user: row.user_id.map(Into::into),
        role: role.as_deref().and_then(Role::parse),
        assistant: row.assistant_id.map(Into::into),
    };
    let quotas = matching(tx, &payer).await?;
    let mut changes = Vec::with_capacity(quotas.len() * 2);
    for quota in &quotas {
        for window in [Window::Day, Window::Month] {
            let place = (quota.id, window.as_str().to_owned(), window.start(row.created_at));
            // A quota that did not count the call when it was made does not count its correction.
            if quota_counter::Entity::find_by_id(place).count(tx).await? > 0 {
                changes.push(Change {
                    cost: more_cost,
                    tokens: more_tokens,
                    ..Change::none(quota.id.into(), window, row.created_at)
                });
            }
        }
    }
    if changes.is_empty() {
        return Ok(());
    }
    let counters = change(tx, changes).await?;
    for quota in &quotas {
        for window in [Window::Day, Window::Month] {
            if let Some(counter) = counters.get(&(quota.id, window.as_str().to_owned())) {
                alert(tx, quota, window, counter, at).await?;
            }
        }
    }
    Ok(())
}

/// Says the same with the message, if it still exists.
async fn tell(
    tx: &Tx,
    correction: &Correction,
    more_cost: i64,
    more_prompt: i64,
    more_completion: i64,
) -> Result<(), Fault> {
    let id = correction.message.uuid();
    let Some(row) = message::Entity::find_by_id(id).one(tx).await? else {
        return Ok(());
    };
    let Some(told) = row.tokens_used.clone().map(|kept| kept_tokens(kept, id)).transpose()? else {
        return Ok(());
    };
    let still_estimated = usage_log::Entity::find()
        .filter(
            usage_log::Column::MessageId
                .eq(id)
                .and(usage_log::Column::Estimated.eq(true)),
        )
        .count(tx)
        .await?;
    let sum = |told: u64, more: i64| natural(counted(told) + more);
    let tokens = TokensUsed {
        prompt: sum(told.prompt, more_prompt),
        completion: sum(told.completion, more_completion),
        estimated: still_estimated > 0,
        cost: told.cost.map(|cost| MicroUsd(cost.0 + more_cost)),
    };
    let mut changed: message::ActiveModel = row.into();
    changed.tokens_used = Set(Some(tokens_column(tokens)));
    changed.update(tx).await?;
    Ok(())
}
