//! Small things that many queries need.

use sea_orm::{DatabaseTransaction, EntityTrait, QueryFilter as _, sea_query::Expr};

use crate::error::Fault;

/// Takes the rows that `filter` names until the end of the transaction, by an update that changes nothing: whoever wants
/// to change them waits. `false` if there is none.
pub(crate) async fn hold<E>(tx: &DatabaseTransaction, any: E::Column, filter: Expr) -> Result<bool, Fault>
where
    E: EntityTrait,
{
    let result = E::update_many()
        .col_expr(any, Expr::col(any))
        .filter(filter)
        .exec(tx)
        .await?;
    Ok(result.rows_affected > 0)
}
