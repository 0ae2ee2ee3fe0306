//! Small things that many queries need.

use sea_orm::{DatabaseTransaction, EntityTrait, QueryFilter as _, sea_query::Expr};

use crate::error::Fault;

/// Takes the rows that `filter` names until the end of the transaction, by an update that changes nothing: whoever wants
/// to change them waits. Returns one of them as it is now, after the wait; `None` if there is none. `any` is a column of
/// no index.
pub(crate) async fn hold<E>(tx: &DatabaseTransaction, any: E::Column, filter: Expr) -> Result<Option<E::Model>, Fault>
where
    E: EntityTrait,
{
    let held = E::update_many()
        .col_expr(any, Expr::col(any))
        .filter(filter)
        .exec_with_returning(tx)
        .await?;
    Ok(held.into_iter().next())
}
