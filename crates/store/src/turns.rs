//! What happens to a conversation inside one transaction: a turn begins, its answer ends, is asked to stop or is abandoned.

use across::{
    clock::Time,
    conversations::{
        context::estimate_tokens,
        conversation::{Begun, Ending, MAX_MESSAGES, NewTurn},
        message::{State, TokensUsed},
    },
    id::{ConversationId, MessageId, UserId},
    providers::chat::Speaker,
    replay::Answer,
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait as _,
    ExprTrait as _, PaginatorTrait as _, QueryFilter as _, QuerySelect as _, Set, sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    conversations::{is_live, owned},
    convert::{fold, storable},
    entity::{conversation, message, user},
    error::Fault,
    messages::{
        Place, citations_column, failover_column, generating, kept_failover, message_of, place_of, role, tokens_column,
    },
    meter::{self, Teller},
    replays,
    rows::hold,
};

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

/// Records a question and its empty answer after the conversation's head.
pub(crate) async fn begin_turn(tx: &DatabaseTransaction, turn: NewTurn) -> Result<Begun, Fault> {
    let mine = owned(turn.owner, turn.conversation);
    // Held, so that two turns of one conversation come one after the other.
    let Some(row) = hold::<conversation::Entity>(tx, conversation::Column::LastSeq, mine).await? else {
        return Ok(Begun::Missing);
    };
    // Who was deactivated since they asked gets no answer, and pays for none.
    let owner = user::Column::Id.eq(row.user_id).and(user::Column::IsActive.eq(true));
    if user::Entity::find().filter(owner).count(tx).await? == 0 {
        return Ok(Begun::Missing);
    }
    if !is_live(tx, row.assistant_id).await? {
        return Ok(Begun::AssistantDeleted);
    }
    if let Some(busy) = generating(tx, vec![row.id]).await?.remove(&row.id) {
        return Ok(Begun::Busy(busy));
    }
    if row.last_seq + 2 > MAX_MESSAGES {
        return Ok(Begun::Full);
    }
    if let Some(refusal) = meter::reserve(tx, &turn.call).await? {
        return Ok(Begun::Refused(Box::new(refusal)));
    }

    let question = message::ActiveModel {
        id: Set(turn.question.uuid()),
        conversation_id: Set(row.id),
        parent_id: Set(row.head_id),
        seq: Set(row.last_seq + 1),
        role: Set(role(Speaker::User).to_owned()),
        content: Set(storable(turn.content)),
        model: Set(None),
        provider: Set(None),
        status: Set(State::Complete.as_str().to_owned()),
        error_code: Set(None),
        error_message: Set(None),
        finish_reason: Set(None),
        tokens_used: Set(None),
        citations: Set(serde_json::json!([])),
        retrieval: Set(None),
        stop_requested: Set(false),
        lease_until: Set(None),
        failover: Set(None),
        paid_bytes: Set(0),
        writer: Set(None),
        edited_at: Set(None),
        created_at: Set(turn.at),
    };
    let answer = message::ActiveModel {
        id: Set(turn.answer.uuid()),
        parent_id: Set(Some(turn.question.uuid())),
        seq: Set(row.last_seq + 2),
        role: Set(role(Speaker::Assistant).to_owned()),
        content: Set(String::new()),
        model: Set(Some(storable(turn.model))),
        provider: Set(Some(turn.call.provider.clone())),
        status: Set(State::Streaming.as_str().to_owned()),
        citations: Set(citations_column(turn.citations)?),
        retrieval: Set(turn.retrieval.map(|outcome| outcome.as_str().to_owned())),
        lease_until: Set(Some(turn.lease_until)),
        ..question.clone()
    };
    let (question, answer) = (question.insert(tx).await?, answer.insert(tx).await?);

    let title = turn.title.filter(|_| row.title.is_empty());
    let mut row: conversation::ActiveModel = row.into();
    if let Some(title) = title {
        row.title_folded = Set(fold(&title));
        row.title = Set(storable(title));
    }
    row.head_id = Set(Some(answer.id));
    row.last_seq = Set(answer.seq);
    row.last_message_at = Set(Some(turn.at));
    row.active_at = Set(turn.at);
    row.updated_at = Set(turn.at);
    row.update(tx).await?;

    if let Some(request) = &turn.request {
        let told = Answer {
            status: 201,
            message: Some(turn.answer),
            ..Answer::default()
        };
        replays::complete(tx, request, told).await?;
    }

    let place = place_of(tx, &question).await?;
    // Nothing else can follow a question this new.
    let (question, answer) = (
        message_of(question, place)?,
        message_of(answer, Place { index: 0, count: 1 })?,
    );
    Ok(Begun::Yes(Box::new((question, answer))))
}

/// Sets an answer that is being written to its end and charges what it used; `false` if it is not being written any more,
/// which leaves the message as it is, but not the bill.
pub(crate) async fn end(tx: &DatabaseTransaction, id: MessageId, mut ending: Ending) -> Result<bool, Fault> {
    let (spent, at) = (ending.spent.take(), ending.at);
    let ended = set_ending(tx, id, ending).await?;
    if let Some(spent) = spent {
        meter::settle(tx, &spent, at, Teller::Caller).await?;
    }
    Ok(ended)
}

async fn set_ending(tx: &DatabaseTransaction, id: MessageId, ending: Ending) -> Result<bool, Fault> {
    if ending.state == State::Streaming {
        return Err(Fault::conflict("an answer cannot end by being written"));
    }
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
        .col_expr(
            message::Column::Failover,
            Expr::value(ending.failover.map(failover_column)),
        )
        .col_expr(message::Column::LeaseUntil, Expr::value(None::<Time>));
    let Some(row) = change.filter(streaming(id)).exec_with_returning(tx).await?.pop() else {
        return Ok(false);
    };
    conversation::Entity::update_many()
        .col_expr(conversation::Column::UpdatedAt, Expr::value(ending.at))
        .filter(conversation::Column::Id.eq(row.conversation_id))
        .exec(tx)
        .await?;
    Ok(true)
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
    tx: &DatabaseTransaction,
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

fn dead(now: Time, everyone: bool) -> Condition {
    let streaming = Condition::all().add(message::Column::Status.eq(State::Streaming.as_str()));
    if everyone {
        streaming
    } else {
        streaming.add(message::Column::LeaseUntil.lt(now))
    }
}

/// The answers whose writer died; see the port.
pub(crate) async fn abandoned(db: &impl ConnectionTrait, now: Time, everyone: bool) -> Result<Vec<MessageId>, Fault> {
    let ids: Vec<Uuid> = message::Entity::find()
        .select_only()
        .column(message::Column::Id)
        .filter(dead(now, everyone))
        .into_tuple()
        .all(db)
        .await?;
    Ok(ids.into_iter().map(Into::into).collect())
}

/// Ends one answer whose writer died, in a transaction of its own; `false` if its writer gave a sign of life or ended it
/// meanwhile.
pub(crate) async fn interrupt(
    tx: &DatabaseTransaction,
    id: MessageId,
    now: Time,
    everyone: bool,
) -> Result<bool, Fault> {
    let still = dead(now, everyone).add(message::Column::Id.eq(id.uuid()));
    // Held, so that a sign of life comes before this or too late.
    let Some(row) = hold::<message::Entity>(tx, message::Column::StopRequested, still.into()).await? else {
        return Ok(false);
    };
    let completion = estimate_tokens(&row.content);
    let held = meter::hold_of(tx, id).await?;
    let (tokens, spent) = match held {
        Some(hold) => {
            let spent = meter::estimated(&hold, completion);
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
        tokens: Some(tokens),
        spent: None,
        at: now,
    };
    let interrupted = set_ending(tx, id, ending).await?;
    if let Some(spent) = spent.filter(|_| interrupted) {
        meter::settle(tx, &spent, now, Teller::Sweep).await?;
    }
    Ok(interrupted)
}
