//! Values that are decided once.

use across::{fault::StoreError, kept::KeptValues};
use async_trait::async_trait;
use sea_orm::{ConnectionTrait, EntityTrait as _, Set};

use crate::{SqlStore, entity::kept_value, error::Fault};

async fn find(db: &impl ConnectionTrait, name: &str) -> Result<Option<String>, Fault> {
    Ok(kept_value::Entity::find_by_id(name).one(db).await?.map(|row| row.value))
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
}
