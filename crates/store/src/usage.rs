//! The usage log: lists, exports and sums. Its rows are written by the meter.

use std::collections::HashMap;

use across::{
    clock::Time,
    fault::StoreError,
    governance::{
        meter::Particulars,
        usage::{Filter, Group, GroupBy, Purpose, Total, UsageLog, UsageRow},
    },
    id::{UsageId, UserId},
    money::{MicroUsd, PriceSource},
    page::{Page, PageRequest},
};
use async_trait::async_trait;
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _, ExprTrait as _, QueryFilter as _,
    QueryOrder as _, QueryResult, QuerySelect as _, QueryTrait as _, Select, sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    SqlStore,
    convert::{column_i64, storable},
    counters::natural,
    entity::usage_log::{self, Column},
    error::Fault,
    paging::rows_and_total,
    scopes::{assistant_names, people},
};

const TABLE: &str = "usage_logs";
/// Ids of one query; databases limit the values of a statement.
const IDS_PER_QUERY: usize = 1_000;

/// Sums of columns.
#[derive(Default)]
pub(crate) struct Sums {
    pub(crate) requests: i64,
    pub(crate) prompt_tokens: i64,
    pub(crate) completion_tokens: i64,
    pub(crate) cost: i64,
}

impl Sums {
    fn read(row: &QueryResult) -> Result<Self, DbErr> {
        Ok(Self {
            requests: row.try_get("", "requests")?,
            prompt_tokens: row.try_get("", "prompt_tokens")?,
            completion_tokens: row.try_get("", "completion_tokens")?,
            cost: row.try_get("", "cost")?,
        })
    }

    fn total(&self) -> Total {
        Total {
            requests: natural(self.requests),
            prompt_tokens: natural(self.prompt_tokens),
            completion_tokens: natural(self.completion_tokens),
            cost: MicroUsd(self.cost),
        }
    }
}

/// The sums over the rows that are counted.
fn sums(counted: Condition) -> Select<usage_log::Entity> {
    let sum = |column: Expr| column.sum().if_null(0).cast_as("BIGINT");
    let request = Expr::case(Column::IsRequest.eq(true), 1).finally(0);
    usage_log::Entity::find()
        .select_only()
        .filter(counted)
        .column_as(sum(request.into()), "requests")
        .column_as(sum(Expr::col(Column::PromptTokens)), "prompt_tokens")
        .column_as(sum(Expr::col(Column::CompletionTokens)), "completion_tokens")
        .column_as(sum(Expr::col(Column::CostUsd)), "cost")
}

async fn rows(db: &impl ConnectionTrait, select: Select<usage_log::Entity>) -> Result<Vec<QueryResult>, Fault> {
    Ok(db.query_all(&select.into_query()).await?)
}

/// One sum over all rows that are counted.
pub(crate) async fn sum_of(db: &impl ConnectionTrait, counted: Condition) -> Result<Sums, Fault> {
    let row = rows(db, sums(counted)).await?.into_iter().next();
    Ok(row.map(|row| Sums::read(&row)).transpose()?.unwrap_or_default())
}

fn wanted(filter: &Filter) -> Condition {
    Condition::all()
        .add_option(filter.from.map(|from| Column::CreatedAt.gte(from)))
        .add_option(filter.to.map(|to| Column::CreatedAt.lt(to)))
        .add_option(filter.user.map(|user| Column::UserId.eq(user.uuid())))
        .add_option(
            filter
                .assistant
                .map(|assistant| Column::AssistantId.eq(assistant.uuid())),
        )
        .add_option(filter.model.clone().map(|model| Column::Model.eq(storable(model))))
}

fn list(filter: &Filter) -> Select<usage_log::Entity> {
    usage_log::Entity::find()
        .filter(wanted(filter))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
}

fn row_of(row: usage_log::Model) -> Result<UsageRow, Fault> {
    let purpose = Purpose::parse(&row.purpose).ok_or_else(|| Fault::corrupt(TABLE, "purpose", row.id))?;
    let source = match row.price_source.as_deref() {
        Some(name) => Some(PriceSource::parse(name).ok_or_else(|| Fault::corrupt(TABLE, "price_source", row.id))?),
        None => None,
    };
    Ok(UsageRow {
        id: row.id.into(),
        user: row.user_id.map(Into::into),
        assistant: row.assistant_id.map(Into::into),
        conversation: row.conversation_id.map(Into::into),
        message: row.message_id.map(Into::into),
        purpose,
        provider: row.provider,
        model: row.model,
        prompt_tokens: natural(row.prompt_tokens),
        completion_tokens: natural(row.completion_tokens),
        cost: MicroUsd(row.cost_usd),
        estimated: row.estimated,
        more: Particulars {
            cached_tokens: natural(row.cached_tokens),
            reasoning_tokens: natural(row.reasoning_tokens),
            price_source: source,
            upstream_id: row.upstream_id,
            answered_model: row.answered_model,
            failover: row.failover_from.zip(row.failover_reason),
            raw: row.raw_usage,
        },
        created_at: row.created_at,
    })
}

const fn column_of(by: GroupBy) -> Column {
    match by {
        GroupBy::Day => Column::Day,
        GroupBy::User => Column::UserId,
        GroupBy::Assistant => Column::AssistantId,
        GroupBy::Model => Column::Model,
    }
}

/// The name of the column that a group is split by.
const SPLIT: &str = "split_by";

/// A group's key as text, and as the id it may be.
fn key_of(row: &QueryResult, by: GroupBy) -> Result<(String, Option<Uuid>), DbErr> {
    Ok(match by {
        GroupBy::Day | GroupBy::Model => (row.try_get("", "key")?, None),
        GroupBy::User | GroupBy::Assistant => {
            let id: Option<Uuid> = row.try_get("", "key")?;
            (id.map(|id| id.to_string()).unwrap_or_default(), id)
        }
    })
}

impl SqlStore {
    async fn groups(&self, filter: &Filter, by: GroupBy, split: bool) -> Result<Vec<Group>, Fault> {
        let snapshot = self.db.snapshot().await?;
        let mut select = sums(wanted(filter))
            .column_as(column_of(by), "key")
            .group_by(column_of(by));
        // Models are not split by themselves.
        let split = split && by != GroupBy::Model;
        if split {
            select = select.column_as(Column::Model, SPLIT).group_by(Column::Model);
        }
        let mut groups = Vec::new();
        for row in rows(&snapshot, select).await? {
            let (key, id) = key_of(&row, by)?;
            let split = if split { Some(row.try_get("", SPLIT)?) } else { None };
            let total = Sums::read(&row)?.total();
            let label = None;
            groups.push((
                id,
                Group {
                    key,
                    label,
                    split,
                    total,
                },
            ));
        }
        let mut ids: Vec<Uuid> = groups.iter().filter_map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut names: HashMap<Uuid, String> = HashMap::new();
        for some in ids.chunks(IDS_PER_QUERY) {
            match by {
                GroupBy::User => names.extend(people(&snapshot, some.to_vec()).await?),
                GroupBy::Assistant => names.extend(assistant_names(&snapshot, some.to_vec()).await?),
                GroupBy::Day | GroupBy::Model => {}
            }
        }
        let mut groups: Vec<Group> = groups
            .into_iter()
            .map(|(id, group)| Group {
                label: id.and_then(|id| names.get(&id).cloned()),
                ..group
            })
            .collect();
        groups.sort_by(|a, b| {
            let dearer = if by == GroupBy::Day {
                a.key.cmp(&b.key)
            } else {
                std::cmp::Ordering::Equal
            };
            dearer
                .then_with(|| b.total.cost.cmp(&a.total.cost))
                .then_with(|| b.total.tokens().cmp(&a.total.tokens()))
                .then_with(|| (&a.key, &a.split).cmp(&(&b.key, &b.split)))
        });
        Ok(groups)
    }

    async fn used_by(&self, users: &[UserId], from: Time) -> Result<Vec<(UserId, Total)>, Fault> {
        let mut used = Vec::new();
        for some in users.chunks(IDS_PER_QUERY) {
            let counted = Condition::all()
                .add(Column::CreatedAt.gte(from))
                .add(Column::UserId.is_in(some.iter().map(|user| user.uuid())));
            let select = sums(counted).column_as(Column::UserId, "key").group_by(Column::UserId);
            for row in rows(self.db.reader(), select).await? {
                let user: Uuid = row.try_get("", "key")?;
                used.push((user.into(), Sums::read(&row)?.total()));
            }
        }
        Ok(used)
    }
}

#[async_trait]
impl UsageLog for SqlStore {
    async fn list_usage(&self, filter: &Filter, page: PageRequest) -> Result<Page<UsageRow>, StoreError> {
        let snapshot = self.db.snapshot().await?;
        let (rows, total) = rows_and_total(&snapshot, list(filter), Column::Id, page).await?;
        let items = rows.into_iter().map(row_of).collect::<Result<_, Fault>>()?;
        Ok(Page { items, total })
    }

    async fn next_usage(
        &self,
        filter: &Filter,
        after: Option<(Time, UsageId)>,
        limit: u64,
    ) -> Result<Vec<UsageRow>, StoreError> {
        let mut list = list(filter).limit(column_i64(limit).unsigned_abs());
        if let Some((time, id)) = after {
            let earlier = Column::CreatedAt.lt(time);
            let tied = Column::CreatedAt.eq(time).and(Column::Id.lt(id.uuid()));
            list = list.filter(earlier.or(tied));
        }
        let rows = list.all(self.db.reader()).await.map_err(Fault::from)?;
        Ok(rows.into_iter().map(row_of).collect::<Result<_, Fault>>()?)
    }

    async fn sum_usage(&self, filter: &Filter, by: GroupBy, split: bool) -> Result<Vec<Group>, StoreError> {
        Ok(self.groups(filter, by, split).await?)
    }

    async fn total_usage(&self, filter: &Filter) -> Result<Total, StoreError> {
        Ok(sum_of(self.db.reader(), wanted(filter)).await?.total())
    }

    async fn usage_of(&self, users: &[UserId], from: Time) -> Result<Vec<(UserId, Total)>, StoreError> {
        Ok(self.used_by(users, from).await?)
    }
}
