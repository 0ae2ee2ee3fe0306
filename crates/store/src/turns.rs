//! What happens to a conversation inside one transaction: a turn begins, its answer ends, is asked to stop or is abandoned.

use across::{
    clock::Time,
    conversations::{
        context::estimate_tokens,
        conversation::{Dead, Ending},
        message::{State, TokensUsed},
    },
    id::{ConversationId, MessageId, UserId},
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, ExprTrait as _, PaginatorTrait as _,
    QueryFilter as _, QuerySelect as _, QueryTrait as _,
    sea_query::{Expr, UpdateStatement},
};
use uuid::Uuid;

use crate::{
    conversations::owned,
    convert::storable,
    entity::{conversation, message},
    error::Fault,
    messages::{failover_column, kept_failover, kept_tokens, tokens_column},
    meter::{self, Teller},
    rows::hold,
    together::Together,
    transaction::Tx,
};

/// A column that only messages have.
pub(crate) const OF_MESSAGES: &str = "stop_requested";
/// What an answer says whose writer died.
const ABANDONED: (&str, &str) = (
    "ServiceUnavailableError",
    "The server was stopped while it wrote this answer. Ask again for a complete one.",
);

/// The answer, while it is being written.
pub(crate) fn streaming(id: MessageId) -> Expr {
    message::Column::Id
        .eq(id.uuid())
        .and(message::Column::Status.eq(State::Streaming.as_str()))
}

/// Sets an answer that is being written to its end and charges what it used; `false` if it is not being written any more,
/// which leaves the message as it is, but not the bill.
pub(crate) async fn end(tx: &Tx, id: MessageId, mut ending: Ending, teller: Teller) -> Result<bool, Fault> {
    if ending.state == State::Streaming {
        return Err(Fault::conflict("an answer cannot end by being written"));
    }
    let (spent, at) = (ending.spent.take(), ending.at);
    let mut both = Together::new(tx).and(&set_ending(id, ending));
    if let Some(spent) = &spent {
        both = meter::take(both, spent);
    }
    let done = both.run().await?;
    let ended = done.having::<message::Model>(OF_MESSAGES)?.pop();
    let touched = ended.as_ref().map(|row| touched(row.conversation_id, at));
    match spent {
        Some(spent) => {
            meter::charge(tx, &done, &spent, at, teller, touched.as_ref()).await?;
        }
        None => {
            Together::new(tx).and_option(touched.as_ref()).run().await?;
        }
    }
    Ok(ended.is_some())
}

/// Sets an answer that is being written to its end.
fn set_ending(id: MessageId, ending: Ending) -> UpdateStatement {
    let (code, sentence) = ending.error.unzip();
    let change = message::Entity::update_many()
        .col_expr(message::Column::Content, Expr::value(storable(ending.content)))
        .col_expr(message::Column::Status, Expr::value(ending.state.as_str()))
        .col_expr(message::Column::ErrorCode, Expr::value(code.map(storable)))
        .col_expr(message::Column::ErrorMessage, Expr::value(sentence.map(storable)))
        .col_expr(
            message::Column::FinishReason,
            Expr::value(ending.finish_reason.map(storable)),
        )
        .col_expr(message::Column::Provider, Expr::value(ending.provider.map(storable)))
        .col_expr(
            message::Column::TokensUsed,
            Expr::value(ending.tokens.map(tokens_column)),
        )
        .col_expr(message::Column::LeaseUntil, Expr::value(None::<Time>));
    // An answer that went on keeps what was known of its beginning.
    let change = match ending.failover {
        Some(failover) => change.col_expr(message::Column::Failover, Expr::value(Some(failover_column(failover)))),
        None => change,
    };
    change.filter(streaming(id)).into_query().returning_all().to_owned()
}

/// Says with a conversation that something in it changed.
fn touched(conversation: Uuid, at: Time) -> UpdateStatement {
    let change = conversation::Entity::update_many()
        .col_expr(conversation::Column::UpdatedAt, Expr::value(at))
        .filter(conversation::Column::Id.eq(conversation));
    change.into_query()
}

/// Whether the writer of an answer must end it.
pub(crate) async fn must_stop(db: &impl ConnectionTrait, id: MessageId) -> Result<bool, Fault> {
    let asked: Option<bool> = message::Entity::find()
        .select_only()
        .column(message::Column::StopRequested)
        .filter(streaming(id))
        .into_tuple()
        .one(db)
        .await?;
    Ok(asked.unwrap_or(true))
}

/// Asks for answers being written in a conversation to stop.
pub(crate) async fn request_stop(
    tx: &Tx,
    owner: UserId,
    id: ConversationId,
    only: Option<MessageId>,
) -> Result<Option<Vec<MessageId>>, Fault> {
    if conversation::Entity::find().filter(owned(owner, id)).count(tx).await? == 0 {
        return Ok(None);
    }
    let mut wanted = Condition::all()
        .add(message::Column::ConversationId.eq(id.uuid()))
        .add(message::Column::Status.eq(State::Streaming.as_str()));
    if let Some(only) = only {
        wanted = wanted.add(message::Column::Id.eq(only.uuid()));
    }
    let running: Vec<Uuid> = message::Entity::find()
        .select_only()
        .column(message::Column::Id)
        .filter(wanted.clone())
        .into_tuple()
        .all(tx)
        .await?;
    if !running.is_empty() {
        message::Entity::update_many()
            .col_expr(message::Column::StopRequested, Expr::value(true))
            .filter(wanted)
            .exec(tx)
            .await?;
    }
    Ok(Some(running.into_iter().map(Into::into).collect()))
}

fn written_by(dead: Dead, now: Time) -> Condition {
    let streaming = Condition::all().add(message::Column::Status.eq(State::Streaming.as_str()));
    let expired = message::Column::LeaseUntil.lt(now);
    match dead {
        Dead::Expired => streaming.add(expired),
        Dead::Installation(id) => streaming.add(expired.or(message::Column::Writer.eq(id.to_string()))),
        Dead::Everyone => streaming,
    }
}

/// The answers whose writer died; see the port.
pub(crate) async fn abandoned(db: &impl ConnectionTrait, now: Time, dead: Dead) -> Result<Vec<MessageId>, Fault> {
    let ids: Vec<Uuid> = message::Entity::find()
        .select_only()
        .column(message::Column::Id)
        .filter(written_by(dead, now))
        .into_tuple()
        .all(db)
        .await?;
    Ok(ids.into_iter().map(Into::into).collect())
}

/// Ends one answer whose writer died, in a transaction of its own; `false` if its writer gave a sign of life or ended it
/// meanwhile.
pub(crate) async fn interrupt(tx: &Tx, id: MessageId, now: Time, dead: Dead) -> Result<bool, Fault> {
    let still = written_by(dead, now).add(message::Column::Id.eq(id.uuid()));
    // Held, so that a sign of life comes before this or too late.
    let Some(row) = hold::<message::Entity>(tx, message::Column::StopRequested, still.into()).await? else {
        return Ok(false);
    };
    // What an answer that went on had said before is paid for.
    let paid = usize::try_from(row.paid_bytes).unwrap_or_default();
    let completion = estimate_tokens(row.content.get(paid..).unwrap_or_default());
    let before = row.tokens_used.map(|kept| kept_tokens(kept, row.id)).transpose()?;
    let held = meter::hold_of(tx, id).await?;
    let (tokens, spent) = match held {
        Some(hold) => {
            let spent = meter::estimated(&hold, completion)?;
            let tokens = TokensUsed {
                prompt: spent.prompt_tokens,
                completion,
                estimated: true,
                cost: Some(spent.cost),
            };
            (tokens, Some(spent))
        }
        // What was asked is known; the frame around it is not, so this is the least that was used.
        None => {
            let question = match row.parent_id {
                Some(parent) => message::Entity::find_by_id(parent).one(tx).await?,
                None => None,
            };
            let tokens = TokensUsed {
                prompt: question.map_or(0, |question| estimate_tokens(&question.content)),
                completion,
                estimated: true,
                cost: None,
            };
            (tokens, None)
        }
    };
    let ending = Ending {
        content: row.content,
        state: State::Interrupted,
        error: Some((ABANDONED.0.to_owned(), ABANDONED.1.to_owned())),
        finish_reason: None,
        provider: row.provider,
        failover: kept_failover(row.failover, row.id)?,
        tokens: Some(before.map_or(tokens, |before| before.and(tokens))),
        spent,
        at: now,
    };
    end(tx, id, ending, Teller::Sweep).await
}
