//! Conversations and the turns recorded in them. Every question names the owner, in the same statement.

use across::{
    clock::Time,
    conversations::{
        conversation::{
            Begun, Conversation, ConversationStore, Created, Dead, Ending, Filter, MAX_CONVERSATIONS, MessageFilter,
            NewTurn, Progress,
        },
        message::{Message, State},
    },
    fault::StoreError,
    id::{AssistantId, ConversationId, MessageId, UserId},
    page::{Page, PageRequest},
};
use async_trait::async_trait;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, ExprTrait as _,
    FromQueryResult, PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QueryResult, QuerySelect as _,
    QueryTrait as _, Select, Set, sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    SqlStore,
    beginning::begin_turn,
    convert::{column_i64, contains, fold, storable},
    entity::{assistant, conversation, message},
    error::Fault,
    messages::{Tree, cut, failover_column, load, message_of, place_of},
    meter::{Teller, surely},
    paging::{bounds, scalar, total_beside},
    transaction::Tx,
    turns,
};

/// The conversation, if it is this person's.
pub(crate) fn owned(owner: UserId, id: ConversationId) -> Expr {
    conversation::Column::Id
        .eq(id.uuid())
        .and(conversation::Column::UserId.eq(owner.uuid()))
}

/// The conversation in a row, with what stands in other tables.
fn conversation_from(
    row: conversation::Model,
    assistant_name: String,
    assistant_deleted: bool,
    generating: Option<MessageId>,
) -> Conversation {
    Conversation {
        id: row.id.into(),
        owner: row.user_id.into(),
        assistant: row.assistant_id.into(),
        assistant_name,
        assistant_deleted,
        title: row.title,
        message_count: row.last_seq.unsigned_abs(),
        last_message_at: row.last_message_at,
        generating,
        head: row.head_id.map(Into::into),
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

/// A row with what one statement reads beside it.
struct Found {
    row: conversation::Model,
    assistant: String,
    deleted: bool,
    generating: Option<Uuid>,
}

impl FromQueryResult for Found {
    fn from_query_result(result: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            row: conversation::Model::from_query_result(result, prefix)?,
            assistant: result.try_get(prefix, "assistant_name")?,
            deleted: result.try_get(prefix, "assistant_deleted")?,
            generating: result.try_get(prefix, "generating")?,
        })
    }
}

impl From<Found> for Conversation {
    fn from(it: Found) -> Self {
        conversation_from(it.row, it.assistant, it.deleted, it.generating.map(Into::into))
    }
}

/// The same rows, each with what is read beside it.
fn with_beside(rows: Select<conversation::Entity>) -> Select<conversation::Entity> {
    rows.expr_as(of_its_assistant(assistant::Column::Name), "assistant_name")
        .expr_as(of_its_assistant(assistant::Column::IsDeleted), "assistant_deleted")
        .expr_as(being_written(), "generating")
}

/// A row of the list.
struct Listed {
    it: Found,
    total: i64,
}

impl FromQueryResult for Listed {
    fn from_query_result(result: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            it: Found::from_query_result(result, prefix)?,
            total: result.try_get(prefix, "total")?,
        })
    }
}

/// A column of the assistant that the conversation of a row is with.
fn of_its_assistant(column: assistant::Column) -> Expr {
    let of_this = Expr::col((assistant::Entity, assistant::Column::Id))
        .equals((conversation::Entity, conversation::Column::AssistantId));
    scalar(
        assistant::Entity::find()
            .select_only()
            .column(column)
            .filter(of_this)
            .into_query(),
    )
}

/// The answer that is being written in the conversation of a row.
fn being_written() -> Expr {
    let of_this = Expr::col((message::Entity, message::Column::ConversationId))
        .equals((conversation::Entity, conversation::Column::Id));
    let streaming = message::Column::Status.eq(State::Streaming.as_str());
    let found = message::Entity::find().select_only().column(message::Column::Id);
    scalar(found.filter(of_this.and(streaming)).into_query())
}

pub(crate) async fn find(
    db: &impl ConnectionTrait,
    owner: UserId,
    id: ConversationId,
) -> Result<Option<Conversation>, Fault> {
    let one = with_beside(conversation::Entity::find().filter(owned(owner, id)));
    let found: Option<Found> = one.into_model().one(db).await?;
    Ok(found.map(Into::into))
}

/// Whether the assistant exists and is not archived.
pub(crate) async fn is_live(db: &impl ConnectionTrait, assistant: Uuid) -> Result<bool, Fault> {
    let deleted: Option<bool> = assistant::Entity::find_by_id(assistant)
        .select_only()
        .column(assistant::Column::IsDeleted)
        .into_tuple()
        .one(db)
        .await?;
    Ok(deleted == Some(false))
}

async fn create(
    tx: &Tx,
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
        is_pinned: Set(false),
        is_archived: Set(false),
        is_unseen: Set(false),
        folder_id: Set(None),
        created_at: Set(at),
        updated_at: Set(at),
    };
    row.insert(tx).await?;
    let made = find(tx, owner, id).await?;
    made.map(|made| Created::Yes(Box::new(made)))
        .ok_or_else(|| Fault::corrupt("conversations", "id", id))
}

/// Deletes conversations that nobody used since `cutoff`, a portion of them.
async fn expire(tx: &Tx, cutoff: Time, limit: u64) -> Result<u64, Fault> {
    let old = || {
        let answered = message::Entity::find()
            .select_only()
            .column(message::Column::ConversationId)
            .filter(message::Column::Status.eq(State::Streaming.as_str()))
            .into_query();
        conversation::Column::ActiveAt
            .lt(cutoff)
            .and(conversation::Column::Id.not_in_subquery(answered))
    };
    let ids: Vec<Uuid> = conversation::Entity::find()
        .select_only()
        .column(conversation::Column::Id)
        .filter(old())
        .order_by_asc(conversation::Column::ActiveAt)
        .limit(column_i64(limit).unsigned_abs())
        .into_tuple()
        .all(tx)
        .await?;
    if ids.is_empty() {
        return Ok(0);
    }
    // Somebody may have gone on with one meanwhile, so the age is looked at once more.
    let deleted = conversation::Entity::delete_many()
        .filter(conversation::Column::Id.is_in(ids).and(old()))
        .exec(tx)
        .await?;
    Ok(deleted.rows_affected)
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
        let (limit, offset) = bounds(page);
        let rows: Vec<Listed> = with_beside(list.clone())
            .expr_as(total_beside(&list, conversation::Column::Id), "total")
            .limit(limit)
            .offset(offset)
            .into_model()
            .all(self.db.reader())
            .await
            .map_err(Fault::from)?;
        let total = match rows.first() {
            Some(first) => first.total.unsigned_abs(),
            // Beyond the end there is no row to carry it.
            None => list.count(self.db.reader()).await.map_err(Fault::from)?,
        };
        let items = rows.into_iter().map(|Listed { it, .. }| it.into()).collect();
        Ok(Page { items, total })
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

    async fn retitle_conversation(
        &self,
        id: ConversationId,
        old: &str,
        new: &str,
        at: Time,
    ) -> Result<bool, StoreError> {
        let (old, new) = (storable(old.to_owned()), new.to_owned());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let changed = conversation::Entity::update_many()
                    .col_expr(conversation::Column::TitleFolded, Expr::value(fold(&new)))
                    .col_expr(conversation::Column::Title, Expr::value(storable(new)))
                    .col_expr(conversation::Column::UpdatedAt, Expr::value(at))
                    .filter(conversation::Column::Id.eq(id.uuid()))
                    .filter(conversation::Column::Title.eq(old))
                    .exec(tx)
                    .await?;
                Ok(changed.rows_affected > 0)
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

    async fn begin_turn(&self, turn: NewTurn) -> Result<Begun, StoreError> {
        let begin = |turn: NewTurn| self.db.write(move |tx| Box::pin(begin_turn(tx, turn)));
        surely(|| async { Ok(begin(turn.clone()).await?) }).await
    }

    async fn checkpoint(&self, id: MessageId, progress: Progress) -> Result<bool, StoreError> {
        let content = storable(progress.content);
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let saved = message::Entity::update_many()
                    .col_expr(message::Column::Content, Expr::value(content))
                    .col_expr(message::Column::Provider, Expr::value(progress.provider))
                    .col_expr(message::Column::LeaseUntil, Expr::value(progress.lease_until))
                    .filter(turns::streaming(id));
                // An answer that goes on keeps what was known of its beginning.
                let saved = match progress.failover.map(failover_column) {
                    Some(failover) => saved.col_expr(message::Column::Failover, Expr::value(Some(failover))),
                    None => saved,
                };
                let saved = saved.exec_with_returning(tx).await?;
                Ok(saved.first().is_none_or(|row| row.stop_requested))
            })
        });
        Ok(write.await?)
    }

    async fn stop_requested(&self, id: MessageId) -> Result<bool, StoreError> {
        Ok(turns::must_stop(self.db.reader(), id).await?)
    }

    async fn finish(&self, id: MessageId, ending: Ending) -> Result<(), StoreError> {
        let end = |ending: Ending| {
            self.db
                .write(move |tx| Box::pin(turns::end(tx, id, ending, Teller::Caller)))
        };
        surely(|| async { Ok(end(ending.clone()).await?) }).await?;
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
            .write(move |tx| Box::pin(turns::request_stop(tx, owner, conversation, message)))
            .await?)
    }

    async fn expire_conversations(&self, cutoff: Time, limit: u64) -> Result<u64, StoreError> {
        Ok(self.db.write(move |tx| Box::pin(expire(tx, cutoff, limit))).await?)
    }

    async fn interrupt_abandoned(&self, now: Time, dead: Dead) -> Result<u64, StoreError> {
        let mut interrupted = 0;
        for id in turns::abandoned(self.db.reader(), now, dead).await? {
            let end = || self.db.write(move |tx| Box::pin(turns::interrupt(tx, id, now, dead)));
            interrupted += u64::from(surely(|| async { Ok(end().await?) }).await?);
        }
        Ok(interrupted)
    }
}
