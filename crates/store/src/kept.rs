//! Values that are decided once, and the rows in which transactions meet that must come one after the other.

use across::{fault::StoreError, kept::KeptValues};
use async_trait::async_trait;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, ExprTrait as _, QueryFilter as _, Set,
    sea_query::{Expr, OnConflict},
};

use crate::{SqlStore, entity::kept_value, error::Fault, transaction::Tx};

async fn find(db: &impl ConnectionTrait, name: &str) -> Result<Option<String>, Fault> {
    Ok(kept_value::Entity::find_by_id(name).one(db).await?.map(|row| row.value))
}

/// Takes the row of that name, made if absent, until the end of the transaction: whoever else wants it waits. It is for
/// names that hold no value.
pub(crate) async fn hold_name(tx: &Tx, name: &'static str) -> Result<(), Fault> {
    let meeting = kept_value::ActiveModel {
        name: Set(name.to_owned()),
        value: Set(String::new()),
    };
    kept_value::Entity::insert(meeting)
        .on_conflict(
            OnConflict::column(kept_value::Column::Name)
                .update_column(kept_value::Column::Value)
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

#[async_trait]
impl KeptValues for SqlStore {
    async fn keep_once(&self, name: &str, fresh: &str) -> Result<String, StoreError> {
        let (name, fresh) = (name.to_owned(), fresh.to_owned());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let row = kept_value::ActiveModel {
                    name: Set(name.clone()),
                    value: Set(fresh),
                };
                kept_value::Entity::insert(row)
                    .on_conflict_do_nothing_on([kept_value::Column::Name])
                    .exec_without_returning(tx)
                    .await?;
                find(tx, &name)
                    .await?
                    .ok_or_else(|| Fault::corrupt("kept_values", "value", name))
            })
        });
        Ok(write.await?)
    }

    async fn kept(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(find(self.db.reader(), name).await?)
    }

    async fn replace_kept(&self, name: &str, old: &str, new: &str) -> Result<bool, StoreError> {
        let (name, old, new) = (name.to_owned(), old.to_owned(), new.to_owned());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let replaced = kept_value::Entity::update_many()
                    .col_expr(kept_value::Column::Value, Expr::value(new))
                    .filter(kept_value::Column::Name.eq(name).and(kept_value::Column::Value.eq(old)))
                    .exec(tx)
                    .await?;
                Ok(replaced.rows_affected > 0)
            })
        });
        Ok(write.await?)
    }
}
