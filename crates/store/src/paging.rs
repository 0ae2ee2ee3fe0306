//! A page of a list and the list's total, from one snapshot.

use across::page::PageRequest;
use sea_orm::{
    DatabaseTransaction, EntityTrait, PaginatorTrait as _, QuerySelect as _, QueryTrait as _, Select,
    sea_query::{Asterisk, Expr, Func, Query, SelectStatement},
};

use crate::{convert::column_i64, error::Fault};

/// The rows of `list` (filtered and ordered already) that `page` asks for, and how many there are in all. Taken inside a
/// transaction that sees one state of the database.
pub(crate) async fn rows_and_total<E>(
    snapshot: &DatabaseTransaction,
    list: Select<E>,
    key: E::Column,
    page: PageRequest,
) -> Result<(Vec<E::Model>, u64), Fault>
where
    E: EntityTrait,
    E::Model: Send + Sync,
{
    let total = list.clone().select_only().column(key).count(snapshot).await?;
    let (limit, offset) = bounds(page);
    if offset >= total {
        return Ok((Vec::new(), total));
    }
    let rows = list.limit(limit).offset(offset).all(snapshot).await?;
    Ok((rows, total))
}

/// How many rows `list` has in all, as a column of each of its rows: one statement sees one state of the database without a
/// transaction around it.
pub(crate) fn total_beside<E>(list: &Select<E>, key: E::Column) -> Expr
where
    E: EntityTrait,
{
    let counted = list.clone().select_only().column(key).into_query();
    let total = Query::select()
        .expr(Func::count(Expr::col(Asterisk)))
        .from_subquery(counted, "counted")
        .to_owned();
    scalar(total)
}

/// A statement that gives one value, as a value of another one.
pub(crate) fn scalar(statement: SelectStatement) -> Expr {
    Expr::SubQuery(None, Box::new(statement.into()))
}

/// Limit and offset that both databases can take.
pub(crate) fn bounds(page: PageRequest) -> (u64, u64) {
    (
        column_i64(page.limit).unsigned_abs(),
        column_i64(page.offset).unsigned_abs(),
    )
}
