//! Accounts, and values that are made once.

use across::{
    actor::Role,
    fault::StoreError,
    identity::{
        password::PasswordHash,
        user::{Email, NewUser, User, UserStore},
    },
};
use async_trait::async_trait;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QuerySelect as _,
    Set, sea_query::OnConflict,
};
use uuid::Uuid;

use crate::{
    SqlStore,
    convert::storable,
    entity::{kept_value, user},
    error::Fault,
};

/// The row in which parallel first accounts meet.
const FIRST_USER: &str = "first user";

/// The account in a row.
pub(crate) fn user_of(row: user::Model) -> Result<User, Fault> {
    Ok(User {
        email: Email::parse(&row.email).ok_or_else(|| Fault::corrupt("users", "email", row.id))?,
        role: Role::parse(&row.role).ok_or_else(|| Fault::corrupt("users", "role", row.id))?,
        id: row.id.into(),
        name: row.name,
        is_active: row.is_active,
        must_change_password: row.must_change_password,
        last_login_at: row.last_login_at,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

async fn any_user(db: &impl ConnectionTrait) -> Result<bool, Fault> {
    let any: Option<Uuid> = user::Entity::find()
        .select_only()
        .column(user::Column::Id)
        .into_tuple()
        .one(db)
        .await?;
    Ok(any.is_some())
}

async fn insert_user(db: &impl ConnectionTrait, new: NewUser) -> Result<User, Fault> {
    let row = user::ActiveModel {
        id: Set(new.id.uuid()),
        email: Set(new.email.as_str().to_owned()),
        password_hash: Set(new.password.0),
        name: Set(storable(new.name)),
        role: Set(new.role.as_str().to_owned()),
        is_active: Set(true),
        must_change_password: Set(false),
        last_login_at: Set(None),
        created_at: Set(new.created_at),
        updated_at: Set(new.created_at),
    };
    user_of(
        row.insert(db)
            .await
            .map_err(|error| Fault::or_conflict(error, "an account with this email exists"))?,
    )
}

#[async_trait]
impl UserStore for SqlStore {
    async fn any_user(&self) -> Result<bool, StoreError> {
        Ok(any_user(self.db.reader()).await?)
    }

    async fn create_first_user(&self, new: NewUser) -> Result<Option<User>, StoreError> {
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                // Both see no account until one commits; the second waits here for the first.
                let meeting = kept_value::ActiveModel {
                    name: Set(FIRST_USER.to_owned()),
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
                if any_user(tx).await? {
                    Ok(None)
                } else {
                    insert_user(tx, new).await.map(Some)
                }
            })
        });
        Ok(write.await?)
    }

    async fn create_user(&self, new: NewUser) -> Result<User, StoreError> {
        Ok(self
            .db
            .write(move |tx| Box::pin(async move { insert_user(tx, new).await }))
            .await?)
    }

    async fn find_user_by_email(&self, email: &Email) -> Result<Option<(User, PasswordHash)>, StoreError> {
        let row = user::Entity::find()
            .filter(user::Column::Email.eq(email.as_str()))
            .one(self.db.reader())
            .await;
        let Some(row) = row.map_err(Fault::from)? else {
            return Ok(None);
        };
        let hash = PasswordHash(row.password_hash.clone());
        Ok(Some((user_of(row)?, hash)))
    }
}
