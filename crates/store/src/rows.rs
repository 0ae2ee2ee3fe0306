//! Small things that many queries need.

use sea_orm::{
    EntityTrait, QueryFilter as _, QueryTrait as _, UpdateMany,
    sea_query::{Expr, UpdateStatement},
};

use crate::{error::Fault, transaction::Tx};

/// Takes the rows that `filter` names until the end of the transaction, by an update that changes nothing: whoever wants
/// to change them waits. Returns one of them as it is now, after the wait; `None` if there is none. `any` is a column of
/// no index.
pub(crate) async fn hold<E>(tx: &Tx, any: E::Column, filter: Expr) -> Result<Option<E::Model>, Fault>
where
    E: EntityTrait,
{
    let held = taking::<E>(any, filter).exec_with_returning(tx).await?;
    Ok(held.into_iter().next())
}

/// The statement of [`hold`], to be sent together with others.
pub(crate) fn holding<E: EntityTrait>(any: E::Column, filter: Expr) -> UpdateStatement {
    taking::<E>(any, filter).into_query().returning_all().to_owned()
}

fn taking<E: EntityTrait>(any: E::Column, filter: Expr) -> UpdateMany<E> {
    E::update_many().col_expr(any, Expr::col(any)).filter(filter)
}
