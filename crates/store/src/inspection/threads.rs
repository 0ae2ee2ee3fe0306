//! Whether the messages of every conversation follow each other.

use std::collections::HashMap;

use across::platform::Findings;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DatabaseTransaction, DbErr, EntityTrait as _, ExprTrait as _, JoinType,
    QueryResult, QuerySelect as _,
    sea_query::{Alias, Expr, Query},
};
use uuid::Uuid;

use crate::{
    entity::{conversation, message},
    error::Fault,
};

/// Messages whose parent is not where it must be, as text.
async fn astray(db: &DatabaseTransaction) -> Result<Vec<String>, Fault> {
    let (own, parent) = (Alias::new("own"), Alias::new("parent"));
    let of = |table: &Alias, column: message::Column| Expr::col((table.clone(), column));
    let wrong = of(&parent, message::Column::Id)
        .is_null()
        .or(of(&parent, message::Column::ConversationId).ne(of(&own, message::Column::ConversationId)))
        .or(of(&parent, message::Column::Seq).gte(of(&own, message::Column::Seq)))
        .or(of(&own, message::Column::Role)
            .eq("assistant")
            .and(of(&parent, message::Column::Role).ne("user")));
    let is_child = of(&own, message::Column::ParentId).is_not_null();
    let is_answer = of(&own, message::Column::Role).eq("assistant");
    let question = Query::select()
        .column((own.clone(), message::Column::Id))
        .from_as(message::Entity, own.clone())
        .join_as(
            JoinType::LeftJoin,
            message::Entity,
            parent.clone(),
            of(&parent, message::Column::Id).eq(of(&own, message::Column::ParentId)),
        )
        .and_where(
            is_child
                .and(wrong)
                .or(of(&own, message::Column::ParentId).is_null().and(is_answer)),
        )
        .to_owned();
    let rows = db.query_all(&question).await?;
    let name = |row: &QueryResult| {
        let id: Uuid = row.try_get("", "id")?;
        Ok(format!("the message {id} does not follow a message that it may follow"))
    };
    rows.iter().map(name).collect::<Result<_, DbErr>>().map_err(Fault::from)
}

pub(super) async fn check(db: &DatabaseTransaction) -> Result<Findings, Fault> {
    let conversations: Vec<(Uuid, i64)> = conversation::Entity::find()
        .select_only()
        .columns([conversation::Column::Id, conversation::Column::LastSeq])
        .into_tuple()
        .all(db)
        .await?;
    let seq = || Expr::col(message::Column::Seq);
    let runs: Vec<(Uuid, i64, i64, i64)> = message::Entity::find()
        .select_only()
        .column(message::Column::ConversationId)
        .column_as(message::Column::Id.count(), "messages")
        .column_as(seq().min(), "first")
        .column_as(seq().max(), "last")
        .group_by(message::Column::ConversationId)
        .into_tuple()
        .all(db)
        .await?;
    let runs: HashMap<Uuid, (i64, i64, i64)> = runs
        .into_iter()
        .map(|(id, messages, first, last)| (id, (messages, first, last)))
        .collect();
    let mut found = Findings {
        looked_at: conversations.len() as u64,
        faults: astray(db).await?,
    };
    for (id, last_seq) in conversations {
        // A number is given once within a conversation, so that so many between 1 and the last leave no gap.
        let expected = if last_seq == 0 {
            None
        } else {
            Some((last_seq, 1, last_seq))
        };
        if runs.get(&id).copied() != expected {
            found.faults.push(format!(
                "the messages of the conversation {id} are not numbered 1 to {last_seq}"
            ));
        }
    }
    Ok(found)
}
