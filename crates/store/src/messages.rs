//! Messages: rows to messages, and the shape of a conversation's tree.

use std::collections::{HashMap, HashSet};

use across::{
    conversations::message::{Citation, Message, RetrievalOutcome, State, TokensUsed, Why},
    money::MicroUsd,
    page::PageRequest,
    providers::{chat::Speaker, routing::Failover},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, ExprTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    convert::{column_i32, storable},
    entity::message,
    error::Fault,
    paging::bounds,
};

const TABLE: &str = "messages";
/// Ids of one query; databases limit the values of a statement.
const IDS_PER_QUERY: usize = 1_000;

/// The role's name in the column.
pub(crate) const fn role(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::User => "user",
        Speaker::Assistant => "assistant",
    }
}

/// Who is meant by the name of a role.
pub(crate) fn speaker_of(name: &str) -> Option<Speaker> {
    [Speaker::User, Speaker::Assistant]
        .into_iter()
        .find(|speaker| role(*speaker) == name)
}

/// A citation as it is kept in its column; changing it is a migration.
#[derive(Serialize, Deserialize)]
struct KeptCitation {
    index: u32,
    file_id: Uuid,
    filename: String,
    chunk_index: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_chunk_index: Option<u32>,
    page: Option<u32>,
    start: u32,
    end: u32,
    score: f32,
    cosine: Option<f32>,
    /// Absent in answers from before headings were kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    heading: Option<String>,
    snippet: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<KeptWhy>,
}

/// Why a passage was found, as it is kept with its citation.
#[derive(Serialize, Deserialize)]
struct KeptWhy {
    vector_rank: Option<u32>,
    keyword_rank: Option<u32>,
    fused_rank: u32,
    matched_words: Vec<String>,
    threshold: f32,
}

/// Tokens as they are kept in their column; changing it is a migration.
#[derive(Serialize, Deserialize)]
struct KeptTokens {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    estimated: bool,
    /// Absent in answers from before costs were kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cost_micro_usd: Option<i64>,
}

/// The column for citations.
pub(crate) fn citations_column(citations: Vec<Citation>) -> Result<serde_json::Value, Fault> {
    let kept: Vec<KeptCitation> = citations
        .into_iter()
        .map(|citation| KeptCitation {
            index: citation.index,
            file_id: citation.file.uuid(),
            filename: storable(citation.filename),
            chunk_index: citation.chunk_index,
            last_chunk_index: Some(citation.last_chunk_index).filter(|last| *last != citation.chunk_index),
            page: citation.page,
            start: citation.start,
            end: citation.end,
            score: citation.score,
            cosine: citation.cosine,
            heading: citation.heading,
            snippet: storable(citation.snippet),
            why: citation.why.map(|why| KeptWhy {
                vector_rank: why.vector_rank,
                keyword_rank: why.keyword_rank,
                fused_rank: why.fused_rank,
                matched_words: why.matched_words.into_iter().map(storable).collect(),
                threshold: why.threshold,
            }),
        })
        .collect();
    serde_json::to_value(kept).map_err(|error| Fault::unavailable(format!("citations cannot be stored: {error}")))
}

/// The column for tokens.
pub(crate) fn tokens_column(tokens: TokensUsed) -> serde_json::Value {
    serde_json::json!(KeptTokens {
        prompt_tokens: tokens.prompt,
        completion_tokens: tokens.completion,
        total_tokens: tokens.prompt.saturating_add(tokens.completion),
        estimated: tokens.estimated,
        cost_micro_usd: tokens.cost.map(|cost| cost.0),
    })
}

/// The tokens in the column of a message.
pub(crate) fn kept_tokens(column: serde_json::Value, id: Uuid) -> Result<TokensUsed, Fault> {
    let kept: KeptTokens = serde_json::from_value(column).map_err(|_| Fault::corrupt(TABLE, "tokens_used", id))?;
    Ok(TokensUsed {
        prompt: kept.prompt_tokens,
        completion: kept.completion_tokens,
        estimated: kept.estimated,
        cost: kept.cost_micro_usd.map(MicroUsd),
    })
}

/// Who answered in whose place, as it is kept in its column; changing it is a migration.
#[derive(Serialize, Deserialize)]
struct KeptFailover {
    from: String,
    to: String,
    reason: String,
    extra_cost_percent: Option<i32>,
}

/// Who answered in whose place, from the column of a message.
pub(crate) fn kept_failover(column: Option<serde_json::Value>, id: Uuid) -> Result<Option<Failover>, Fault> {
    let kept: Option<KeptFailover> = column
        .map(serde_json::from_value)
        .transpose()
        .map_err(|_| Fault::corrupt(TABLE, "failover", id))?;
    Ok(kept.map(|kept| Failover {
        from: kept.from,
        to: kept.to,
        reason: kept.reason,
        extra_cost_percent: kept.extra_cost_percent,
    }))
}

/// The column for who answered in whose place.
pub(crate) fn failover_column(failover: Failover) -> serde_json::Value {
    serde_json::json!(KeptFailover {
        from: failover.from,
        to: failover.to,
        reason: failover.reason,
        extra_cost_percent: failover.extra_cost_percent,
    })
}

/// Where a message stands among its siblings.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) index: u32,
    pub(crate) count: u32,
}

/// The message in a row.
pub(crate) fn message_of(row: message::Model, place: Place) -> Result<Message, Fault> {
    let id = row.id;
    let kept: Vec<KeptCitation> =
        serde_json::from_value(row.citations).map_err(|_| Fault::corrupt(TABLE, "citations", id))?;
    let tokens = row.tokens_used.map(|kept| kept_tokens(kept, id)).transpose()?;
    let retrieval = match row.retrieval {
        Some(name) => Some(RetrievalOutcome::parse(&name).ok_or_else(|| Fault::corrupt(TABLE, "retrieval", id))?),
        None => None,
    };
    Ok(Message {
        id: id.into(),
        conversation: row.conversation_id.into(),
        parent: row.parent_id.map(Into::into),
        sibling_index: place.index,
        sibling_count: place.count,
        seq: row.seq,
        speaker: speaker_of(&row.role).ok_or_else(|| Fault::corrupt(TABLE, "role", id))?,
        content: row.content,
        model: row.model,
        provider: row.provider,
        state: State::parse(&row.status).ok_or_else(|| Fault::corrupt(TABLE, "status", id))?,
        error: row.error_code.map(|code| (code, row.error_message.unwrap_or_default())),
        finish_reason: row.finish_reason,
        tokens,
        failover: kept_failover(row.failover, id)?,
        citations: kept.into_iter().map(citation_of).collect(),
        retrieval,
        edited_at: row.edited_at,
        created_at: row.created_at,
    })
}

fn citation_of(kept: KeptCitation) -> Citation {
    Citation {
        index: kept.index,
        file: kept.file_id.into(),
        filename: kept.filename,
        chunk_index: kept.chunk_index,
        last_chunk_index: kept.last_chunk_index.unwrap_or(kept.chunk_index),
        page: kept.page,
        start: kept.start,
        end: kept.end,
        score: kept.score,
        cosine: kept.cosine,
        heading: kept.heading,
        snippet: kept.snippet,
        why: kept.why.map(|why| Why {
            vector_rank: why.vector_rank,
            keyword_rank: why.keyword_rank,
            fused_rank: why.fused_rank,
            matched_words: why.matched_words,
            threshold: why.threshold,
        }),
    }
}

/// The shape of a conversation: every message's parent, in the order of their `seq`.
pub(crate) struct Tree(Vec<(Uuid, Option<Uuid>)>);

impl Tree {
    /// Reads the shape.
    pub(crate) async fn read(db: &impl ConnectionTrait, conversation: Uuid) -> Result<Self, Fault> {
        let nodes = message::Entity::find()
            .select_only()
            .columns([message::Column::Id, message::Column::ParentId])
            .filter(message::Column::ConversationId.eq(conversation))
            .order_by_asc(message::Column::Seq)
            .into_tuple()
            .all(db)
            .await?;
        Ok(Self(nodes))
    }

    /// Whether a message is one of this conversation.
    pub(crate) fn has(&self, message: Uuid) -> bool {
        self.0.iter().any(|(id, _)| *id == message)
    }

    /// The newest message below this one; the message itself if nothing follows it. What is newest is a leaf, since whatever
    /// follows a message is newer.
    pub(crate) fn newest_below(&self, message: Uuid) -> Uuid {
        let mut below = HashSet::from([message]);
        let mut newest = message;
        for (id, parent) in &self.0 {
            if parent.is_some_and(|parent| below.contains(&parent)) {
                below.insert(*id);
                newest = *id;
            }
        }
        newest
    }

    /// Every message, oldest first.
    pub(crate) fn all(&self) -> Vec<Uuid> {
        self.0.iter().map(|(id, _)| *id).collect()
    }

    /// The messages from the root to `head`.
    pub(crate) fn path(&self, head: Option<Uuid>) -> Vec<Uuid> {
        let parents: HashMap<Uuid, Option<Uuid>> = self.0.iter().copied().collect();
        let mut path = Vec::new();
        let mut next = head;
        // A path is never longer than the tree; damaged rows that form a ring end here.
        while let Some(id) = next.filter(|id| parents.contains_key(id) && path.len() < self.0.len()) {
            path.push(id);
            next = parents.get(&id).copied().flatten();
        }
        path.reverse();
        path
    }

    /// Where each message stands among its siblings.
    pub(crate) fn places(&self) -> HashMap<Uuid, Place> {
        let mut counts: HashMap<Option<Uuid>, u32> = HashMap::with_capacity(self.0.len());
        let mut places = HashMap::with_capacity(self.0.len());
        for (id, parent) in &self.0 {
            let count = counts.entry(*parent).or_default();
            places.insert(
                *id,
                Place {
                    index: *count,
                    count: 0,
                },
            );
            *count += 1;
        }
        for (id, parent) in &self.0 {
            if let (Some(place), Some(count)) = (places.get_mut(id), counts.get(parent)) {
                place.count = *count;
            }
        }
        places
    }
}

/// The part of a list of ids that a page asks for.
pub(crate) fn cut(ids: &[Uuid], page: PageRequest) -> &[Uuid] {
    let (limit, offset) = bounds(page);
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(ids.len());
    let end = start
        .saturating_add(usize::try_from(limit).unwrap_or(usize::MAX))
        .min(ids.len());
    &ids[start..end]
}

/// The rows with these ids, in this order.
pub(crate) async fn load_rows(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<message::Model>, Fault> {
    let mut rows = HashMap::with_capacity(ids.len());
    for some in ids.chunks(IDS_PER_QUERY) {
        let found = message::Entity::find()
            .filter(message::Column::Id.is_in(some.iter().copied()))
            .all(db)
            .await?;
        rows.extend(found.into_iter().map(|row| (row.id, row)));
    }
    Ok(ids.iter().filter_map(|id| rows.remove(id)).collect())
}

/// The messages with these ids, in this order.
pub(crate) async fn load(db: &impl ConnectionTrait, tree: &Tree, ids: &[Uuid]) -> Result<Vec<Message>, Fault> {
    let places = tree.places();
    let rows = load_rows(db, ids).await?.into_iter();
    let known = rows.filter_map(|row| Some((*places.get(&row.id)?, row)));
    known.map(|(place, row)| message_of(row, place)).collect()
}

/// Where one message stands, without reading the whole tree.
pub(crate) async fn place_of(db: &impl ConnectionTrait, row: &message::Model) -> Result<Place, Fault> {
    let same_parent = match row.parent_id {
        Some(parent) => message::Column::ParentId.eq(parent),
        None => message::Column::ParentId.is_null(),
    };
    let siblings: Vec<Uuid> = message::Entity::find()
        .select_only()
        .column(message::Column::Id)
        .filter(message::Column::ConversationId.eq(row.conversation_id).and(same_parent))
        .order_by_asc(message::Column::Seq)
        .into_tuple()
        .all(db)
        .await?;
    let index = siblings.iter().position(|id| *id == row.id).unwrap_or_default();
    Ok(Place {
        index: column_i32(index).unsigned_abs(),
        count: column_i32(siblings.len()).unsigned_abs(),
    })
}
