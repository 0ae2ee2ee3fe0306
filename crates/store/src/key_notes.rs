//! How calls with a provider's key went, noted on the key.

use across::{clock::Time, id::ApiKeyId};
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryTrait as _,
    sea_query::{Expr, UpdateStatement},
};

use crate::{
    api_keys::key_of,
    convert::storable,
    entity::api_key::{self, Column},
    error::Fault,
    notices,
    together::Together,
    transaction::Tx,
};

/// What is noted on a key that its provider refuses: it stays refused until somebody does something about it.
const REFUSALS: [&str; 2] = ["unauthorized", "no_credit"];

/// Notes on a key how a call or a trial with it ended. Administrators are told when its provider begins to refuse it, once:
/// not again until a call has gone through or another key was entered.
pub(crate) async fn note(tx: &Tx, id: ApiKeyId, problem: Option<String>, at: Time) -> Result<(), Fault> {
    let Some(problem) = problem else {
        Together::new(tx).and(&works(id, at)).run().await?;
        return Ok(());
    };
    let this = Column::Id.eq(id.uuid());
    let noted = Expr::value(storable(problem.clone()));
    let change = api_key::Entity::update_many().col_expr(Column::LastError, noted);
    if REFUSALS.contains(&problem.as_str()) {
        // Of any number of calls that were refused at the same moment, one finds it well.
        let was_well = Condition::any()
            .add(Column::LastError.is_null())
            .add(Column::LastError.is_not_in(REFUSALS));
        let began = change.clone().filter(this.clone()).filter(was_well);
        if let Some(key) = began.exec_with_returning(tx).await?.into_iter().next() {
            return notices::key_refused(tx, &key_of(&key)?, &problem, at).await;
        }
    }
    change.filter(this).exec(tx).await?;
    Ok(())
}

/// The statement that notes on a key that a call with it went through.
pub(crate) fn works(id: ApiKeyId, at: Time) -> UpdateStatement {
    let change = api_key::Entity::update_many()
        .col_expr(Column::LastError, Expr::value(None::<String>))
        .col_expr(Column::LastUsedAt, Expr::value(at))
        .filter(Column::Id.eq(id.uuid()));
    change.into_query()
}
