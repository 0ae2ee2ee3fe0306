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
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, FromQueryResult, IntoActiveModel as _,
    PaginatorTrait as _, QueryFilter as _, QuerySelect as _, QueryTrait as _, Set,
    sea_query::{Expr, Query, SelectStatement, UpdateStatement},
};
use uuid::Uuid;

use crate::{
    conversations::owned,
    convert::{column_i64, fold, storable},
    entity::{assistant, conversation, message, user},
    error::Fault,
    messages::{Place, Tree, citations_column, message_of, place_of, role},
    meter::Claimed,
    paging::scalar,
    replays,
    rows::holding,
    scopes::{OF_QUOTAS, counting, in_order},
    together::Together,
    transaction::Tx,
    tree::one_of,
    turns::interrupt,
};

/// Records a turn, or lets an answer go on; see the port.
pub(crate) async fn begin_turn(tx: &Tx, turn: NewTurn) -> Result<Begun, Fault> {
    let mine = owned(turn.owner, turn.conversation);
    let rows = Together::new(tx)
        // Held, so that two turns of one conversation come one after the other.
        .and(&holding::<conversation::Entity>(conversation::Column::LastSeq, mine))
        .and(&Present::of(&turn))
        .and(counting(&turn.call.payer).as_query())
        .run()
        .await?;
    let Some(row) = rows.having::<conversation::Model>(OF_CONVERSATIONS)?.pop() else {
        return Ok(Begun::Missing);
    };
    let present = rows.having::<Present>(OF_PRESENT)?.pop();
    let present = present.ok_or_else(|| Fault::corrupt("conversations", "id", row.id))?;
    let quotas = in_order(rows.having(OF_QUOTAS)?);
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
    let claimed = Claimed::of(quotas, &turn.call)?;
    let last = Together::new(tx);
    let (question, answer, head, last) = match spot {
        Spot::New(question, parent) => {
            let question = ask(&row, &turn, question, parent);
            let answer = answer_to(&turn, row.id, Some(question.id), row.last_seq + 2)?;
            let both = [question.clone(), answer.clone()].map(inserted);
            let insert = message::Entity::insert_many(both);
            let head = answer.id;
            (question, answer, head, last.and(insert.as_query()))
        }
        Spot::Below(question) => {
            let answer = answer_to(&turn, row.id, Some(question.id), row.last_seq + 1)?;
            let insert = message::Entity::insert(inserted(answer.clone()));
            let head = answer.id;
            (*question, answer, head, last.and(insert.as_query()))
        }
        Spot::Again(both) => {
            let (question, answer) = *both;
            let head = head_over(tx, &row, answer.id).await?;
            (question, go_on(tx, &turn, answer).await?, head, last)
        }
    };
    let last = last.and(&followed(&row, &turn, head, &answer));
    let rows = claimed.set_aside(last, &turn.call).run().await?;
    if let Some(refusal) = claimed.refused(&rows, turn.at)? {
        tx.take_back();
        return Ok(Begun::Refused(Box::new(refusal)));
    }
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

/// All values of a message, to be inserted.
fn inserted(row: message::Model) -> message::ActiveModel {
    row.into_active_model().reset_all()
}

/// A column that only conversations have.
const OF_CONVERSATIONS: &str = "last_seq";
/// A column that only [`Present`] has.
const OF_PRESENT: &str = "assistant_is_deleted";

/// What decides whether a turn may begin, read after the conversation is held.
#[derive(FromQueryResult)]
struct Present {
    owner_is_active: Option<bool>,
    assistant_is_deleted: Option<bool>,
    generating: Option<Uuid>,
}

impl Present {
    fn of(turn: &NewTurn) -> SelectStatement {
        let owner = user::Entity::find_by_id(turn.owner.uuid())
            .select_only()
            .column(user::Column::IsActive);
        let its_assistant = conversation::Entity::find_by_id(turn.conversation.uuid())
            .select_only()
            .column(conversation::Column::AssistantId);
        let assistant = assistant::Entity::find()
            .select_only()
            .column(assistant::Column::IsDeleted)
            .filter(assistant::Column::Id.in_subquery(its_assistant.into_query()));
        let streaming = message::Entity::find()
            .select_only()
            .column(message::Column::Id)
            .filter(message::Column::ConversationId.eq(turn.conversation.uuid()))
            .filter(message::Column::Status.eq(State::Streaming.as_str()));
        Query::select()
            .expr_as(scalar(owner.into_query()), "owner_is_active")
            .expr_as(scalar(assistant.into_query()), OF_PRESENT)
            .expr_as(scalar(streaming.into_query()), "generating")
            .to_owned()
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

async fn find_spot(tx: &Tx, row: &conversation::Model, turn: &NewTurn) -> Result<Result<Spot, Begun>, Fault> {
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

async fn has_answer(tx: &Tx, question: &message::Model) -> Result<bool, Fault> {
    let answers = message::Entity::find()
        .filter(message::Column::ParentId.eq(question.id))
        .filter(message::Column::Role.eq(role(Speaker::Assistant)));
    Ok(answers.count(tx).await? > 0)
}

fn ask(row: &conversation::Model, turn: &NewTurn, question: Question, parent: Option<Uuid>) -> message::Model {
    message::Model {
        id: question.id.uuid(),
        conversation_id: row.id,
        parent_id: parent,
        seq: row.last_seq + 1,
        role: role(Speaker::User).to_owned(),
        content: storable(question.content),
        model: None,
        provider: None,
        status: State::Complete.as_str().to_owned(),
        error_code: None,
        error_message: None,
        finish_reason: None,
        tokens_used: None,
        citations: serde_json::json!([]),
        retrieval: None,
        stop_requested: false,
        lease_until: None,
        failover: None,
        paid_bytes: 0,
        writer: None,
        edited_at: None,
        created_at: turn.at,
    }
}

fn answer_to(turn: &NewTurn, conversation: Uuid, question: Option<Uuid>, seq: i64) -> Result<message::Model, Fault> {
    Ok(message::Model {
        id: turn.answer.uuid(),
        conversation_id: conversation,
        parent_id: question,
        seq,
        role: role(Speaker::Assistant).to_owned(),
        content: String::new(),
        model: Some(storable(turn.model.clone())),
        provider: Some(turn.call.provider.clone()),
        status: State::Streaming.as_str().to_owned(),
        error_code: None,
        error_message: None,
        finish_reason: None,
        tokens_used: None,
        citations: citations_column(turn.citations.clone())?,
        retrieval: turn.retrieval.map(|outcome| outcome.as_str().to_owned()),
        stop_requested: false,
        lease_until: Some(turn.lease_until),
        failover: None,
        paid_bytes: 0,
        writer: Some(turn.writer.to_string()),
        edited_at: None,
        created_at: turn.at,
    })
}

/// Lets an answer go on: what it says so far is paid for, and stays what it is.
async fn go_on(tx: &Tx, turn: &NewTurn, answer: message::Model) -> Result<message::Model, Fault> {
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
async fn head_over(tx: &Tx, row: &conversation::Model, answer: Uuid) -> Result<Uuid, Fault> {
    let tree = Tree::read(tx, row.id).await?;
    if let Some(head) = row.head_id.filter(|_| tree.path(row.head_id).contains(&answer)) {
        return Ok(head);
    }
    Ok(tree.newest_below(answer))
}

/// Says with the conversation that it went on.
fn followed(row: &conversation::Model, turn: &NewTurn, head: Uuid, answer: &message::Model) -> UpdateStatement {
    use conversation::Column;
    let mut change = conversation::Entity::update_many()
        .col_expr(Column::HeadId, Expr::value(head))
        .col_expr(Column::ActiveAt, Expr::value(turn.at))
        .col_expr(Column::UpdatedAt, Expr::value(turn.at));
    if let Some(title) = turn.title.clone().filter(|_| row.title.is_empty()) {
        change = change
            .col_expr(Column::TitleFolded, Expr::value(fold(&title)))
            .col_expr(Column::Title, Expr::value(storable(title)));
    }
    if answer.seq > row.last_seq {
        change = change
            .col_expr(Column::LastSeq, Expr::value(answer.seq))
            .col_expr(Column::LastMessageAt, Expr::value(turn.at));
    }
    change.filter(Column::Id.eq(row.id)).into_query()
}

async fn placed(tx: &Tx, row: message::Model) -> Result<Message, Fault> {
    let place = place_of(tx, &row).await?;
    message_of(row, place)
}
