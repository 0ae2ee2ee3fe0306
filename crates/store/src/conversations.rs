//! Conversations and the turns recorded in them. Every question names the owner, in the same statement.

use std::collections::HashMap;

use across::{
    clock::Time,
    conversations::{
        context::estimate_tokens,
        conversation::{
            Begun, Conversation, ConversationStore, Created, Ending, Filter, MAX_CONVERSATIONS, MAX_MESSAGES,
            MessageFilter, NewTurn,
        },
        message::{Message, State, TokensUsed},
    },
    fault::StoreError,
    id::{AssistantId, ConversationId, MessageId, UserId},
    page::{Page, PageRequest},
    providers::chat::Speaker,
};
use async_trait::async_trait;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait as _,
    ExprTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, Set, sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    SqlStore,
    convert::{contains, fold, storable},
    entity::{assistant, conversation, message},
    error::Fault,
    messages::{Place, Tree, citations_column, cut, generating, load, message_of, place_of, role, tokens_column},
    paging::rows_and_total,
    rows::hold,
};

/// What an answer says whose writer died.
const ABANDONED: (&str, &str) = (
    "ServiceUnavailableError",
    "The server was stopped while it wrote this answer. Ask again for a complete one.",
);

fn owned(owner: UserId, id: ConversationId) -> Expr {
    conversation::Column::Id
        .eq(id.uuid())
        .and(conversation::Column::UserId.eq(owner.uuid()))
}

fn streaming(id: MessageId) -> Expr {
    message::Column::Id
        .eq(id.uuid())
        .and(message::Column::Status.eq(State::Streaming.as_str()))
}

async fn conversations_of(
    db: &impl ConnectionTrait,
    rows: Vec<conversation::Model>,
) -> Result<Vec<Conversation>, Fault> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let assistants: Vec<(Uuid, String, bool)> = assistant::Entity::find()
        .select_only()
        .columns([
            assistant::Column::Id,
            assistant::Column::Name,
            assistant::Column::IsDeleted,
        ])
        .filter(assistant::Column::Id.is_in(rows.iter().map(|row| row.assistant_id)))
        .into_tuple()
        .all(db)
        .await?;
    let assistants: HashMap<Uuid, (String, bool)> = assistants
        .into_iter()
        .map(|(id, name, deleted)| (id, (name, deleted)))
        .collect();
    let generating = generating(db, rows.iter().map(|row| row.id).collect()).await?;
    let convert = |row: conversation::Model| {
        let assistant = assistants.get(&row.assistant_id);
        let (name, deleted) = assistant.ok_or_else(|| Fault::corrupt("conversations", "assistant_id", row.id))?;
        Ok(Conversation {
            id: row.id.into(),
            owner: row.user_id.into(),
            assistant: row.assistant_id.into(),
            assistant_name: name.clone(),
            assistant_deleted: *deleted,
            title: row.title,
            message_count: row.last_seq.unsigned_abs(),
            last_message_at: row.last_message_at,
            generating: generating.get(&row.id).copied(),
            head: row.head_id.map(Into::into),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    };
    rows.into_iter().map(convert).collect()
}

async fn find(db: &impl ConnectionTrait, owner: UserId, id: ConversationId) -> Result<Option<Conversation>, Fault> {
    let row = conversation::Entity::find().filter(owned(owner, id)).one(db).await?;
    Ok(conversations_of(db, row.into_iter().collect()).await?.pop())
}

async fn is_live(db: &impl ConnectionTrait, assistant: Uuid) -> Result<bool, Fault> {
    let deleted: Option<bool> = assistant::Entity::find_by_id(assistant)
        .select_only()
        .column(assistant::Column::IsDeleted)
        .into_tuple()
        .one(db)
        .await?;
    Ok(deleted == Some(false))
}

async fn create(
    tx: &DatabaseTransaction,
    id: ConversationId,
    owner: UserId,
    assistant: AssistantId,
    title: String,
    at: Time,
) -> Result<Created, Fault> {
    if !is_live(tx, assistant.uuid()).await? {
        return Ok(Created::NoAssistant);
    }
    let own = conversation::Entity::find()
        .filter(conversation::Column::UserId.eq(owner.uuid()))
        .count(tx)
        .await?;
    if own >= MAX_CONVERSATIONS {
        return Ok(Created::TooMany);
    }
    let row = conversation::ActiveModel {
        id: Set(id.uuid()),
        assistant_id: Set(assistant.uuid()),
        user_id: Set(owner.uuid()),
        title_folded: Set(fold(&title)),
        title: Set(storable(title)),
        head_id: Set(None),
        last_seq: Set(0),
        last_message_at: Set(None),
        active_at: Set(at),
        created_at: Set(at),
        updated_at: Set(at),
    };
    let row = row.insert(tx).await?;
    let made = conversations_of(tx, vec![row]).await?.pop();
    made.map(|made| Created::Yes(Box::new(made)))
        .ok_or_else(|| Fault::corrupt("conversations", "id", id))
}

async fn begin_turn(tx: &DatabaseTransaction, turn: NewTurn) -> Result<Begun, Fault> {
    let mine = owned(turn.owner, turn.conversation);
    // Held, so that two turns of one conversation come one after the other.
    let Some(row) = hold::<conversation::Entity>(tx, conversation::Column::LastSeq, mine).await? else {
        return Ok(Begun::Missing);
    };
    if !is_live(tx, row.assistant_id).await? {
        return Ok(Begun::AssistantDeleted);
    }
    if let Some(busy) = generating(tx, vec![row.id]).await?.remove(&row.id) {
        return Ok(Begun::Busy(busy));
    }
    if row.last_seq + 2 > MAX_MESSAGES {
        return Ok(Begun::Full);
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
        status: Set(State::Streaming.as_str().to_owned()),
        citations: Set(citations_column(turn.citations)?),
        retrieval: Set(turn.retrieval.map(|outcome| outcome.as_str().to_owned())),
        lease_until: Set(Some(turn.lease_until)),
        ..question.clone()
    };
    let (question, answer) = (question.insert(tx).await?, answer.insert(tx).await?);

    let untitled = row.title.is_empty();
    let mut row: conversation::ActiveModel = row.into();
    if untitled {
        row.title_folded = Set(fold(&turn.title));
        row.title = Set(storable(turn.title));
    }
    row.head_id = Set(Some(answer.id));
    row.last_seq = Set(answer.seq);
    row.last_message_at = Set(Some(turn.at));
    row.active_at = Set(turn.at);
    row.updated_at = Set(turn.at);
    row.update(tx).await?;

    let (asked, answered) = (place_of(tx, &question).await?, place_of(tx, &answer).await?);
    Ok(Begun::Yes(Box::new((
        message_of(question, asked)?,
        message_of(answer, answered)?,
    ))))
}

/// Sets an answer that is being written to its end; `false` if it is not being written any more.
async fn end(tx: &DatabaseTransaction, id: MessageId, ending: Ending) -> Result<bool, Fault> {
    if ending.state == State::Streaming {
        return Err(Fault::conflict("an answer cannot end by being written"));
    }
    let (code, sentence) = ending.error.unzip();
    let mut change = message::Entity::update_many()
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
    if let Some(model) = ending.model {
        change = change.col_expr(message::Column::Model, Expr::value(storable(model)));
    }
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
async fn must_stop(db: &impl ConnectionTrait, id: MessageId) -> Result<bool, Fault> {
    let asked: Option<bool> = message::Entity::find()
        .select_only()
        .column(message::Column::StopRequested)
        .filter(streaming(id))
        .into_tuple()
        .one(db)
        .await?;
    Ok(asked.unwrap_or(true))
}

async fn request_stop(
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

async fn interrupt(tx: &DatabaseTransaction, now: Time, everyone: bool) -> Result<u64, Fault> {
    let mut dead = Condition::all().add(message::Column::Status.eq(State::Streaming.as_str()));
    if !everyone {
        dead = dead.add(message::Column::LeaseUntil.lt(now));
    }
    let abandoned = message::Entity::find().filter(dead.clone()).all(tx).await?;
    let mut interrupted = 0;
    for row in abandoned {
        // Its writer may have given a sign of life or ended it meanwhile.
        let still = dead.clone().add(message::Column::Id.eq(row.id));
        if message::Entity::find().filter(still).count(tx).await? == 0 {
            continue;
        }
        // What was asked is known; the frame around it is not, so this is the least that was used.
        let question = match row.parent_id {
            Some(parent) => message::Entity::find_by_id(parent).one(tx).await?,
            None => None,
        };
        let tokens = TokensUsed {
            prompt: question.map_or(0, |question| estimate_tokens(&question.content)),
            completion: estimate_tokens(&row.content),
            estimated: true,
        };
        let ending = Ending {
            content: row.content,
            state: State::Interrupted,
            error: Some((ABANDONED.0.to_owned(), ABANDONED.1.to_owned())),
            finish_reason: None,
            provider: row.provider,
            model: None,
            tokens: Some(tokens),
            at: now,
        };
        interrupted += u64::from(end(tx, row.id.into(), ending).await?);
    }
    Ok(interrupted)
}

impl SqlStore {
    async fn messages_page(
        &self,
        owner: UserId,
        id: ConversationId,
        filter: MessageFilter,
        page: PageRequest,
    ) -> Result<Option<Page<Message>>, Fault> {
        let snapshot = self.db.snapshot().await?;
        let Some(row) = conversation::Entity::find()
            .filter(owned(owner, id))
            .one(&snapshot)
            .await?
        else {
            return Ok(None);
        };
        let tree = Tree::read(&snapshot, row.id).await?;
        let mut ids = if filter.all_branches {
            tree.all()
        } else {
            tree.path(row.head_id)
        };
        if filter.descending {
            ids.reverse();
        }
        let items = load(&snapshot, &tree, cut(&ids, page)).await?;
        Ok(Some(Page {
            items,
            total: ids.len() as u64,
        }))
    }

    async fn path_end(&self, id: ConversationId, limit: u64) -> Result<Vec<Message>, Fault> {
        let snapshot = self.db.snapshot().await?;
        let Some(row) = conversation::Entity::find_by_id(id.uuid()).one(&snapshot).await? else {
            return Ok(Vec::new());
        };
        let tree = Tree::read(&snapshot, row.id).await?;
        let ids = tree.path(row.head_id);
        let from = ids.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
        load(&snapshot, &tree, &ids[from..]).await
    }

    async fn message(
        &self,
        owner: UserId,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, Fault> {
        let snapshot = self.db.snapshot().await?;
        if conversation::Entity::find()
            .filter(owned(owner, conversation))
            .count(&snapshot)
            .await?
            == 0
        {
            return Ok(None);
        }
        let row = message::Entity::find_by_id(id.uuid())
            .filter(message::Column::ConversationId.eq(conversation.uuid()))
            .one(&snapshot)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let place = place_of(&snapshot, &row).await?;
        Ok(Some(message_of(row, place)?))
    }
}

#[async_trait]
impl ConversationStore for SqlStore {
    async fn create_conversation(
        &self,
        id: ConversationId,
        owner: UserId,
        assistant: AssistantId,
        title: &str,
        at: Time,
    ) -> Result<Created, StoreError> {
        let title = title.to_owned();
        Ok(self
            .db
            .write(move |tx| Box::pin(create(tx, id, owner, assistant, title, at)))
            .await?)
    }

    async fn find_conversation(&self, owner: UserId, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
        Ok(find(self.db.reader(), owner, id).await?)
    }

    async fn list_conversations(
        &self,
        owner: UserId,
        filter: &Filter,
        page: PageRequest,
    ) -> Result<Page<Conversation>, StoreError> {
        let mut wanted = Condition::all().add(conversation::Column::UserId.eq(owner.uuid()));
        if let Some(assistant) = filter.assistant {
            wanted = wanted.add(conversation::Column::AssistantId.eq(assistant.uuid()));
        }
        if let Some(search) = &filter.search {
            wanted = wanted.add(contains(conversation::Column::TitleFolded, search));
        }
        let list = conversation::Entity::find()
            .filter(wanted)
            .order_by_desc(conversation::Column::ActiveAt)
            .order_by_desc(conversation::Column::Id);
        let snapshot = self.db.snapshot().await?;
        let (rows, total) = rows_and_total(&snapshot, list, conversation::Column::Id, page).await?;
        Ok(Page {
            items: conversations_of(&snapshot, rows).await?,
            total,
        })
    }

    async fn rename_conversation(
        &self,
        owner: UserId,
        id: ConversationId,
        title: &str,
        at: Time,
    ) -> Result<Option<Conversation>, StoreError> {
        let title = title.to_owned();
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                conversation::Entity::update_many()
                    .col_expr(conversation::Column::TitleFolded, Expr::value(fold(&title)))
                    .col_expr(conversation::Column::Title, Expr::value(storable(title)))
                    .col_expr(conversation::Column::UpdatedAt, Expr::value(at))
                    .filter(owned(owner, id))
                    .exec(tx)
                    .await?;
                find(tx, owner, id).await
            })
        });
        Ok(write.await?)
    }

    async fn delete_conversation(&self, owner: UserId, id: ConversationId) -> Result<bool, StoreError> {
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let deleted = conversation::Entity::delete_many()
                    .filter(owned(owner, id))
                    .exec(tx)
                    .await?;
                Ok(deleted.rows_affected > 0)
            })
        });
        Ok(write.await?)
    }

    async fn list_messages(
        &self,
        owner: UserId,
        id: ConversationId,
        filter: MessageFilter,
        page: PageRequest,
    ) -> Result<Option<Page<Message>>, StoreError> {
        Ok(self.messages_page(owner, id, filter, page).await?)
    }

    async fn find_message(
        &self,
        owner: UserId,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, StoreError> {
        Ok(self.message(owner, conversation, id).await?)
    }

    async fn active_path(&self, id: ConversationId, limit: u64) -> Result<Vec<Message>, StoreError> {
        Ok(self.path_end(id, limit).await?)
    }

    async fn begin_turn(&self, turn: NewTurn) -> Result<Begun, StoreError> {
        Ok(self.db.write(move |tx| Box::pin(begin_turn(tx, turn))).await?)
    }

    async fn checkpoint(&self, id: MessageId, content: &str, lease_until: Time) -> Result<bool, StoreError> {
        let content = storable(content.to_owned());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let saved = message::Entity::update_many()
                    .col_expr(message::Column::Content, Expr::value(content))
                    .col_expr(message::Column::LeaseUntil, Expr::value(lease_until))
                    .filter(streaming(id))
                    .exec_with_returning(tx)
                    .await?;
                Ok(saved.first().is_none_or(|row| row.stop_requested))
            })
        });
        Ok(write.await?)
    }

    async fn stop_requested(&self, id: MessageId) -> Result<bool, StoreError> {
        Ok(must_stop(self.db.reader(), id).await?)
    }

    async fn finish(&self, id: MessageId, ending: Ending) -> Result<(), StoreError> {
        self.db.write(move |tx| Box::pin(end(tx, id, ending))).await?;
        Ok(())
    }

    async fn request_stop(
        &self,
        owner: UserId,
        conversation: ConversationId,
        message: Option<MessageId>,
    ) -> Result<Option<Vec<MessageId>>, StoreError> {
        Ok(self
            .db
            .write(move |tx| Box::pin(request_stop(tx, owner, conversation, message)))
            .await?)
    }

    async fn interrupt_abandoned(&self, now: Time, everyone_is_dead: bool) -> Result<u64, StoreError> {
        Ok(self
            .db
            .write(move |tx| Box::pin(interrupt(tx, now, everyone_is_dead)))
            .await?)
    }
}
