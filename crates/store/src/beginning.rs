//! How a turn begins: the question that is asked, anew or in other words, and the empty answer to it; or an answer that goes
//! on. All in one transaction with what is set aside for it.

use across::{
    conversations::{
        asking::can_go_on,
        conversation::{Begun, Dead, MAX_MESSAGES, NewTurn, Question, TurnPlace, Unfit},
        message::{Message, State},
    },
    providers::chat::Speaker,
    replay::Answer,
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait as _, DatabaseTransaction, EntityTrait as _,
    FromQueryResult, PaginatorTrait as _, QueryFilter as _, QuerySelect as _, QueryTrait as _, Set, sea_query::Query,
};
use uuid::Uuid;

use crate::{
    conversations::owned,
    convert::{column_i64, fold, storable},
    entity::{assistant, conversation, message, user},
    error::Fault,
    messages::{Place, Tree, citations_column, message_of, place_of, role},
    meter,
    paging::scalar,
    replays,
    rows::hold,
    tree::one_of,
    turns::interrupt,
};

/// Records a turn, or lets an answer go on; see the port.
pub(crate) async fn begin_turn(tx: &DatabaseTransaction, turn: NewTurn) -> Result<Begun, Fault> {
    let mine = owned(turn.owner, turn.conversation);
    // Held, so that two turns of one conversation come one after the other.
    let Some(row) = hold::<conversation::Entity>(tx, conversation::Column::LastSeq, mine).await? else {
        return Ok(Begun::Missing);
    };
    let present = Present::read(tx, &row).await?;
    // Who was deactivated since they asked gets no answer, and pays for none.
    if present.owner_is_active != Some(true) {
        return Ok(Begun::Missing);
    }
    if present.assistant_is_deleted != Some(false) {
        return Ok(Begun::AssistantDeleted);
    }
    // An answer whose writer died keeps nobody waiting until somebody sweeps.
    if let Some(busy) = present.generating.map(Into::into)
        && !interrupt(tx, busy, turn.at, Dead::Expired).await?
    {
        return Ok(Begun::Busy(busy));
    }
    let is_last = matches!(turn.place, TurnPlace::End(_));
    let spot = match find_spot(tx, &row, &turn).await? {
        Ok(spot) => spot,
        Err(refusal) => return Ok(refusal),
    };
    if row.last_seq + spot.more() > MAX_MESSAGES {
        return Ok(Begun::Full);
    }
    if let Some(refusal) = meter::reserve(tx, &turn.call).await? {
        return Ok(Begun::Refused(Box::new(refusal)));
    }
    let (question, answer, head) = match spot {
        Spot::New(question, parent) => {
            let question = ask(&row, &turn, question, parent);
            let answer = answer_to(&turn, row.id, question.id.clone().take(), row.last_seq + 2)?;
            let (question, answer) = insert_both(tx, question, answer).await?;
            let head = answer.id;
            (question, answer, head)
        }
        Spot::Below(question) => {
            let answer = answer_to(&turn, row.id, Some(question.id), row.last_seq + 1)?
                .insert(tx)
                .await?;
            let head = answer.id;
            (*question, answer, head)
        }
        Spot::Again(both) => {
            let (question, answer) = *both;
            let head = head_over(tx, &row, answer.id).await?;
            (question, go_on(tx, &turn, answer).await?, head)
        }
    };
    follow(tx, row, &turn, head, &answer).await?;
    if let Some(request) = &turn.request {
        let told = Answer {
            status: 201,
            message: Some(turn.answer),
            ..Answer::default()
        };
        replays::complete(tx, request, told).await?;
    }
    let both = if is_last {
        // Nothing else follows what was the end of the conversation.
        let only = Place { index: 0, count: 1 };
        (message_of(question, only)?, message_of(answer, only)?)
    } else {
        (placed(tx, question).await?, placed(tx, answer).await?)
    };
    Ok(Begun::Yes(Box::new(both)))
}

/// Question and answer in one statement.
async fn insert_both(
    tx: &DatabaseTransaction,
    question: message::ActiveModel,
    answer: message::ActiveModel,
) -> Result<(message::Model, message::Model), Fault> {
    let rows = message::Entity::insert_many([question, answer])
        .exec_with_returning(tx)
        .await?;
    match <[message::Model; 2]>::try_from(rows) {
        Ok([first, second]) if first.seq < second.seq => Ok((first, second)),
        Ok([second, first]) => Ok((first, second)),
        Err(rows) => Err(Fault::corrupt("messages", "id", rows.len())),
    }
}

/// What decides whether a turn may begin, read in one statement after the conversation is held.
#[derive(FromQueryResult)]
struct Present {
    owner_is_active: Option<bool>,
    assistant_is_deleted: Option<bool>,
    generating: Option<Uuid>,
}

impl Present {
    async fn read(tx: &DatabaseTransaction, row: &conversation::Model) -> Result<Self, Fault> {
        let owner = user::Entity::find_by_id(row.user_id)
            .select_only()
            .column(user::Column::IsActive);
        let assistant = assistant::Entity::find_by_id(row.assistant_id)
            .select_only()
            .column(assistant::Column::IsDeleted);
        let streaming = message::Entity::find()
            .select_only()
            .column(message::Column::Id)
            .filter(message::Column::ConversationId.eq(row.id))
            .filter(message::Column::Status.eq(State::Streaming.as_str()));
        let all = Query::select()
            .expr_as(scalar(owner.into_query()), "owner_is_active")
            .expr_as(scalar(assistant.into_query()), "assistant_is_deleted")
            .expr_as(scalar(streaming.into_query()), "generating")
            .to_owned();
        let found = tx.query_one(&all).await?;
        let found = found.map(|found| Self::from_query_result(&found, "")).transpose()?;
        found.ok_or_else(|| Fault::corrupt("conversations", "id", row.id))
    }
}

/// What a turn is recorded beside.
enum Spot {
    /// A new question, below this message if below one.
    New(Question, Option<Uuid>),
    /// Another answer to this question.
    Below(Box<message::Model>),
    /// This question's answer, which goes on.
    Again(Box<(message::Model, message::Model)>),
}

impl Spot {
    /// How many messages there will be more.
    const fn more(&self) -> i64 {
        match self {
            Self::New(..) => 2,
            Self::Below(_) => 1,
            Self::Again(_) => 0,
        }
    }
}

async fn find_spot(
    tx: &DatabaseTransaction,
    row: &conversation::Model,
    turn: &NewTurn,
) -> Result<Result<Spot, Begun>, Fault> {
    let unfit = |why| Ok(Err(Begun::Unfit(why)));
    match turn.place.clone() {
        TurnPlace::End(question) => Ok(Ok(Spot::New(question, row.head_id))),
        TurnPlace::Beside(old, question) => match one_of(tx, row.id, old.uuid()).await? {
            None => Ok(Err(Begun::Missing)),
            Some(old) if old.role != role(Speaker::User) => unfit(Unfit::NotAQuestion),
            Some(old) => Ok(Ok(Spot::New(question, old.parent_id))),
        },
        TurnPlace::Below { question, is_first } => {
            let Some(question) = one_of(tx, row.id, question.uuid()).await? else {
                return Ok(Err(Begun::Missing));
            };
            if question.role != role(Speaker::User) {
                return unfit(Unfit::NotAQuestion);
            }
            if is_first && has_answer(tx, &question).await? {
                return unfit(Unfit::Answered);
            }
            Ok(Ok(Spot::Below(Box::new(question))))
        }
        TurnPlace::Again => {
            let Some(answer) = one_of(tx, row.id, turn.answer.uuid()).await? else {
                return Ok(Err(Begun::Missing));
            };
            if !can_go_on(&message_of(answer.clone(), Place { index: 0, count: 1 })?) {
                return unfit(Unfit::Whole);
            }
            let question = match answer.parent_id {
                Some(question) => one_of(tx, row.id, question).await?,
                None => None,
            };
            let question = question.ok_or_else(|| Fault::corrupt("messages", "parent_id", answer.id))?;
            Ok(Ok(Spot::Again(Box::new((question, answer)))))
        }
    }
}

async fn has_answer(tx: &DatabaseTransaction, question: &message::Model) -> Result<bool, Fault> {
    let answers = message::Entity::find()
        .filter(message::Column::ParentId.eq(question.id))
        .filter(message::Column::Role.eq(role(Speaker::Assistant)));
    Ok(answers.count(tx).await? > 0)
}

fn ask(row: &conversation::Model, turn: &NewTurn, question: Question, parent: Option<Uuid>) -> message::ActiveModel {
    message::ActiveModel {
        id: Set(question.id.uuid()),
        conversation_id: Set(row.id),
        parent_id: Set(parent),
        seq: Set(row.last_seq + 1),
        role: Set(role(Speaker::User).to_owned()),
        content: Set(storable(question.content)),
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
    }
}

fn answer_to(
    turn: &NewTurn,
    conversation: Uuid,
    question: Option<Uuid>,
    seq: i64,
) -> Result<message::ActiveModel, Fault> {
    Ok(message::ActiveModel {
        id: Set(turn.answer.uuid()),
        conversation_id: Set(conversation),
        parent_id: Set(question),
        seq: Set(seq),
        role: Set(role(Speaker::Assistant).to_owned()),
        content: Set(String::new()),
        model: Set(Some(storable(turn.model.clone()))),
        provider: Set(Some(turn.call.provider.clone())),
        status: Set(State::Streaming.as_str().to_owned()),
        error_code: Set(None),
        error_message: Set(None),
        finish_reason: Set(None),
        tokens_used: Set(None),
        citations: Set(citations_column(turn.citations.clone())?),
        retrieval: Set(turn.retrieval.map(|outcome| outcome.as_str().to_owned())),
        stop_requested: Set(false),
        lease_until: Set(Some(turn.lease_until)),
        failover: Set(None),
        paid_bytes: Set(0),
        writer: Set(Some(turn.writer.to_string())),
        edited_at: Set(None),
        created_at: Set(turn.at),
    })
}

/// Lets an answer go on: what it says so far is paid for, and stays what it is.
async fn go_on(tx: &DatabaseTransaction, turn: &NewTurn, answer: message::Model) -> Result<message::Model, Fault> {
    let paid = column_i64(answer.content.len());
    let mut answer: message::ActiveModel = answer.into();
    answer.status = Set(State::Streaming.as_str().to_owned());
    answer.error_code = Set(None);
    answer.error_message = Set(None);
    answer.finish_reason = Set(None);
    answer.stop_requested = Set(false);
    answer.lease_until = Set(Some(turn.lease_until));
    answer.writer = Set(Some(turn.writer.to_string()));
    answer.paid_bytes = Set(paid);
    Ok(answer.update(tx).await?)
}

/// The head, if it is this answer or follows it; else what follows the answer and is newest.
async fn head_over(tx: &DatabaseTransaction, row: &conversation::Model, answer: Uuid) -> Result<Uuid, Fault> {
    let tree = Tree::read(tx, row.id).await?;
    if let Some(head) = row.head_id.filter(|_| tree.path(row.head_id).contains(&answer)) {
        return Ok(head);
    }
    Ok(tree.newest_below(answer))
}

/// Says with the conversation that it went on.
async fn follow(
    tx: &DatabaseTransaction,
    row: conversation::Model,
    turn: &NewTurn,
    head: Uuid,
    answer: &message::Model,
) -> Result<(), Fault> {
    let title = turn.title.clone().filter(|_| row.title.is_empty());
    let is_longer = answer.seq > row.last_seq;
    let mut row: conversation::ActiveModel = row.into();
    if let Some(title) = title {
        row.title_folded = Set(fold(&title));
        row.title = Set(storable(title));
    }
    row.head_id = Set(Some(head));
    if is_longer {
        row.last_seq = Set(answer.seq);
        row.last_message_at = Set(Some(turn.at));
    }
    row.active_at = Set(turn.at);
    row.updated_at = Set(turn.at);
    row.update(tx).await?;
    Ok(())
}

async fn placed(tx: &DatabaseTransaction, row: message::Model) -> Result<Message, Fault> {
    let place = place_of(tx, &row).await?;
    message_of(row, place)
}
