//! The tree of a conversation: its paths, the head that names the active one, copies of a path, and corrections in place.

use std::collections::HashMap;

use across::{
    clock::Time,
    conversations::{
        conversation::{Conversation, MAX_CONVERSATIONS},
        message::State,
        tree::{Corrected, Fork, Forked, MessageTree, PathEnd, Said},
    },
    fault::StoreError,
    id::{ConversationId, MessageId, UserId},
    money::MicroUsd,
};
use async_trait::async_trait;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, ExprTrait as _, FromQueryResult, PaginatorTrait as _,
    QueryFilter as _, Set, Statement, Value,
};
use uuid::Uuid;

use crate::{
    SqlStore,
    conversations::{find, is_live, owned},
    convert::{column_i64, storable},
    entity::{conversation, message, usage_log},
    error::Fault,
    messages::{Tree, load_rows, message_of, place_of, speaker_of},
    rows::hold,
    transaction::Tx,
    usage::sum_of,
};

/// Messages of one statement: each has more than twenty values, and databases limit the values of a statement.
const ROWS_PER_INSERT: usize = 500;

/// The path to a message, or to the head, from its end backwards: every step is one look into the index of ids, however long
/// the conversation is. Whatever is said before a message has a lower `seq`, so that damaged rows cannot form a ring.
const PATH: &str = "\
    WITH RECURSIVE path (id, parent_id, seq, role, content, step) AS ( \
        SELECT messages.id, messages.parent_id, messages.seq, messages.role, messages.content, 1 \
        FROM conversations \
        JOIN messages ON messages.id = COALESCE($3, conversations.head_id) AND messages.conversation_id = conversations.id \
        WHERE conversations.id = $1 AND conversations.user_id = $2 \
        UNION ALL \
        SELECT messages.id, messages.parent_id, messages.seq, messages.role, messages.content, path.step + 1 \
        FROM path \
        JOIN messages ON messages.id = path.parent_id AND messages.conversation_id = $1 AND messages.seq < path.seq \
        WHERE path.step < $4 \
    ) SELECT id, parent_id, role, content FROM path ORDER BY step DESC";

/// A row of [`PATH`].
#[derive(FromQueryResult)]
struct SaidRow {
    id: Uuid,
    parent_id: Option<Uuid>,
    role: String,
    content: String,
}

fn said(row: SaidRow) -> Result<Said, Fault> {
    Ok(Said {
        speaker: speaker_of(&row.role).ok_or_else(|| Fault::corrupt("messages", "role", row.id))?,
        id: row.id.into(),
        parent: row.parent_id.map(Into::into),
        content: row.content,
    })
}

/// A message of this conversation.
pub(crate) async fn one_of(tx: &Tx, conversation: Uuid, id: Uuid) -> Result<Option<message::Model>, Fault> {
    let found = message::Entity::find_by_id(id).filter(message::Column::ConversationId.eq(conversation));
    Ok(found.one(tx).await?)
}

async fn move_head(
    tx: &Tx,
    owner: UserId,
    id: ConversationId,
    message: MessageId,
    at: Time,
) -> Result<Option<Conversation>, Fault> {
    // Held, so that no turn begins between looking for the leaf and moving there.
    let Some(row) = hold::<conversation::Entity>(tx, conversation::Column::LastSeq, owned(owner, id)).await? else {
        return Ok(None);
    };
    let tree = Tree::read(tx, row.id).await?;
    if !tree.has(message.uuid()) {
        return Ok(None);
    }
    let leaf = tree.newest_below(message.uuid());
    if row.head_id != Some(leaf) {
        let mut row: conversation::ActiveModel = row.into();
        row.head_id = Set(Some(leaf));
        row.updated_at = Set(at);
        row.update(tx).await?;
    }
    find(tx, owner, id).await
}

async fn fork(tx: &Tx, fork: Fork) -> Result<Forked, Fault> {
    let mine = owned(fork.owner, fork.from);
    let Some(row) = hold::<conversation::Entity>(tx, conversation::Column::LastSeq, mine).await? else {
        return Ok(Forked::Missing);
    };
    let tree = Tree::read(tx, row.id).await?;
    if !tree.has(fork.upto.uuid()) {
        return Ok(Forked::Missing);
    }
    if !is_live(tx, row.assistant_id).await? {
        return Ok(Forked::AssistantDeleted);
    }
    let path = load_rows(tx, &tree.path(Some(fork.upto.uuid()))).await?;
    if let Some(streaming) = path.iter().find(|row| row.status == State::Streaming.as_str()) {
        return Ok(Forked::Busy(streaming.id.into()));
    }
    let own = conversation::Entity::find()
        .filter(conversation::Column::UserId.eq(fork.owner.uuid()))
        .count(tx)
        .await?;
    if own >= MAX_CONVERSATIONS {
        return Ok(Forked::TooMany);
    }
    let ids: HashMap<Uuid, Uuid> = path.iter().map(|row| (row.id, MessageId::new().uuid())).collect();
    let mut copy: conversation::ActiveModel = row.into();
    copy.id = Set(fork.id.uuid());
    copy.head_id = Set(ids.get(&fork.upto.uuid()).copied());
    copy.last_seq = Set(column_i64(path.len()));
    copy.last_message_at = Set(path.last().map(|row| row.created_at));
    copy.active_at = Set(fork.at);
    copy.is_pinned = Set(false);
    copy.is_archived = Set(false);
    copy.is_unseen = Set(false);
    copy.created_at = Set(fork.at);
    copy.updated_at = Set(fork.at);
    // All of its values are set, whether they changed or not.
    conversation::Entity::insert(copy.reset_all())
        .exec_without_returning(tx)
        .await?;
    let mut seq = 0;
    let copies: Vec<message::ActiveModel> = path
        .into_iter()
        .map(|row| {
            seq += 1;
            copied(row, &ids, fork.id, seq)
        })
        .collect();
    for some in copies.chunks(ROWS_PER_INSERT) {
        message::Entity::insert_many(some.to_vec())
            .exec_without_returning(tx)
            .await?;
    }
    let made = find(tx, fork.owner, fork.id).await?;
    made.map(|made| Forked::Yes(Box::new(made)))
        .ok_or_else(|| Fault::corrupt("conversations", "id", fork.id))
}

/// A message as it stands in the copy: the same words, said in another conversation.
fn copied(
    row: message::Model,
    ids: &HashMap<Uuid, Uuid>,
    conversation: ConversationId,
    seq: i64,
) -> message::ActiveModel {
    let (id, parent) = (row.id, row.parent_id);
    let mut copy: message::ActiveModel = row.into();
    copy.id = Set(ids.get(&id).copied().unwrap_or(id));
    copy.conversation_id = Set(conversation.uuid());
    copy.parent_id = Set(parent.and_then(|parent| ids.get(&parent).copied()));
    copy.seq = Set(seq);
    copy.stop_requested = Set(false);
    copy.lease_until = Set(None);
    copy.paid_bytes = Set(0);
    copy.writer = Set(None);
    copy.reset_all()
}

async fn correct(
    tx: &Tx,
    owner: UserId,
    id: ConversationId,
    message: MessageId,
    content: String,
    at: Time,
) -> Result<Corrected, Fault> {
    // Held, so that no answer goes on between looking at it and correcting it.
    let Some(row) = hold::<conversation::Entity>(tx, conversation::Column::LastSeq, owned(owner, id)).await? else {
        return Ok(Corrected::Missing);
    };
    let Some(found) = one_of(tx, row.id, message.uuid()).await? else {
        return Ok(Corrected::Missing);
    };
    if !is_live(tx, row.assistant_id).await? {
        return Ok(Corrected::AssistantDeleted);
    }
    if found.status == State::Streaming.as_str() {
        return Ok(Corrected::Busy);
    }
    let mut found: message::ActiveModel = found.into();
    found.content = Set(storable(content));
    found.edited_at = Set(Some(at));
    let found = found.update(tx).await?;
    let mut row: conversation::ActiveModel = row.into();
    row.updated_at = Set(at);
    row.update(tx).await?;
    let place = place_of(tx, &found).await?;
    Ok(Corrected::Yes(Box::new(message_of(found, place)?)))
}

impl SqlStore {
    async fn path(&self, owner: UserId, id: ConversationId, end: PathEnd, limit: u64) -> Result<Vec<Said>, Fault> {
        let reader = self.db.reader();
        let end = match end {
            PathEnd::Head => None,
            PathEnd::At(message) => Some(message.uuid()),
        };
        let values: [Value; 4] = [
            id.uuid().into(),
            owner.uuid().into(),
            end.into(),
            column_i64(limit).into(),
        ];
        let statement = Statement::from_sql_and_values(reader.get_database_backend(), PATH, values);
        let rows = SaidRow::find_by_statement(statement).all(reader).await?;
        rows.into_iter().map(said).collect()
    }

    async fn cost_of(&self, owner: UserId, id: ConversationId) -> Result<MicroUsd, Fault> {
        let counted = usage_log::Column::ConversationId
            .eq(id.uuid())
            .and(usage_log::Column::UserId.eq(owner.uuid()));
        let sums = sum_of(self.db.reader(), counted.into()).await?;
        Ok(MicroUsd(sums.cost))
    }
}

#[async_trait]
impl MessageTree for SqlStore {
    async fn path_to(
        &self,
        owner: UserId,
        conversation: ConversationId,
        end: PathEnd,
        limit: u64,
    ) -> Result<Vec<Said>, StoreError> {
        Ok(self.path(owner, conversation, end, limit).await?)
    }

    async fn move_head(
        &self,
        owner: UserId,
        conversation: ConversationId,
        message: MessageId,
        at: Time,
    ) -> Result<Option<Conversation>, StoreError> {
        let write = self
            .db
            .write(move |tx| Box::pin(move_head(tx, owner, conversation, message, at)));
        Ok(write.await?)
    }

    async fn fork_conversation(&self, wanted: Fork) -> Result<Forked, StoreError> {
        Ok(self.db.write(move |tx| Box::pin(fork(tx, wanted))).await?)
    }

    async fn correct_message(
        &self,
        owner: UserId,
        conversation: ConversationId,
        message: MessageId,
        content: String,
        at: Time,
    ) -> Result<Corrected, StoreError> {
        let write = self
            .db
            .write(move |tx| Box::pin(correct(tx, owner, conversation, message, content, at)));
        Ok(write.await?)
    }

    async fn conversation_cost(&self, owner: UserId, conversation: ConversationId) -> Result<MicroUsd, StoreError> {
        Ok(self.cost_of(owner, conversation).await?)
    }
}
