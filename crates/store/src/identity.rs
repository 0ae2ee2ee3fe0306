//! Accounts.

use across::{
    actor::Role,
    audit::Deed,
    clock::Time,
    conversations::message::State,
    fault::StoreError,
    governance::quota::Scope,
    id::{SessionId, UserId},
    identity::{
        password::PasswordHash,
        user::{Email, NewUser, User, UserChange, UserChanged, UserFilter, UserStore},
    },
    page::{Page, PageRequest},
};
use async_trait::async_trait;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, ExprTrait as _,
    PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _, Set, sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    SqlStore,
    audit::{Trace, Traced},
    convert::{contains, fold, storable},
    entity::{conversation, message, session, usage_quota, user},
    error::Fault,
    kept::hold_name,
    paging::rows_and_total,
    rows::hold,
    transaction::Tx,
};

/// The row in which everything meets that could leave no administrator, or make two first ones.
const ADMINISTRATORS: &str = "first user";
/// The rule of uniqueness of addresses.
const TAKEN: &str = "an account with this email exists";

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
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

fn with_password(row: user::Model) -> Result<(User, PasswordHash), Fault> {
    let hash = PasswordHash(row.password_hash.clone());
    Ok((user_of(row)?, hash))
}

fn searched(name: &str, email: &Email) -> String {
    fold(&format!("{name}\n{email}"))
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

async fn insert_user(tx: &Tx, new: NewUser) -> Result<User, Fault> {
    let row = user::ActiveModel {
        id: Set(new.id.uuid()),
        search_folded: Set(searched(&new.name, &new.email)),
        email: Set(new.email.as_str().to_owned()),
        password_hash: Set(new.password.0),
        name: Set(storable(new.name)),
        role: Set(new.role.as_str().to_owned()),
        is_active: Set(true),
        must_change_password: Set(new.must_change_password),
        last_login_at: Set(None),
        version: Set(1),
        created_at: Set(new.created_at),
        updated_at: Set(new.created_at),
    };
    user_of(row.insert(tx).await.map_err(|error| Fault::or_conflict(error, TAKEN))?)
}

/// The account, held until the end of the transaction.
async fn hold_user(tx: &Tx, id: UserId) -> Result<Option<user::Model>, Fault> {
    hold::<user::Entity>(tx, user::Column::MustChangePassword, user::Column::Id.eq(id.uuid())).await
}

/// Whether somebody else than this account can administer the platform.
async fn another_admin(tx: &Tx, id: UserId) -> Result<bool, Fault> {
    let others = user::Entity::find().filter(
        user::Column::Role
            .eq(Role::Admin.as_str())
            .and(user::Column::IsActive.eq(true))
            .and(user::Column::Id.ne(id.uuid())),
    );
    Ok(others.count(tx).await? > 0)
}

/// Ends the sessions of a person but `keep`; how many.
pub(crate) async fn end_sessions(tx: &Tx, user: UserId, keep: Option<SessionId>) -> Result<u64, Fault> {
    let mut ended = Condition::all().add(session::Column::UserId.eq(user.uuid()));
    if let Some(keep) = keep {
        ended = ended.add(session::Column::Id.ne(keep.uuid()));
    }
    let deleted = session::Entity::delete_many().filter(ended).exec(tx).await?;
    Ok(deleted.rows_affected)
}

/// Asks every answer that is being written to this person to stop.
async fn stop_answers(tx: &Tx, user: UserId) -> Result<(), Fault> {
    let own = conversation::Entity::find()
        .select_only()
        .column(conversation::Column::Id)
        .filter(conversation::Column::UserId.eq(user.uuid()))
        .into_query();
    message::Entity::update_many()
        .col_expr(message::Column::StopRequested, Expr::value(true))
        .filter(
            message::Column::Status
                .eq(State::Streaming.as_str())
                .and(message::Column::ConversationId.in_subquery(own)),
        )
        .exec(tx)
        .await?;
    Ok(())
}

async fn update(
    tx: &Tx,
    id: UserId,
    change: UserChange,
    expected: Option<i64>,
    at: Time,
) -> Result<Traced<UserChanged>, Fault> {
    if change.role.is_some() || change.is_active.is_some() {
        hold_name(tx, ADMINISTRATORS).await?;
    }
    let Some(row) = hold_user(tx, id).await? else {
        return Ok(Traced::nothing(UserChanged::Missing));
    };
    if expected.is_some_and(|expected| expected != row.version) {
        return Ok(Traced::nothing(UserChanged::Stale(row.version)));
    }
    let old = user_of(row.clone())?;
    let mut new = User {
        email: change.email.unwrap_or_else(|| old.email.clone()),
        name: change.name.map_or_else(|| old.name.clone(), storable),
        role: change.role.unwrap_or(old.role),
        is_active: change.is_active.unwrap_or(old.is_active),
        must_change_password: change.must_change_password.unwrap_or(old.must_change_password),
        ..old.clone()
    };
    if new == old {
        return Ok(Traced::nothing(UserChanged::Done(Box::new(old))));
    }
    let administers = |user: &User| user.is_active && user.role == Role::Admin;
    if administers(&old) && !administers(&new) && !another_admin(tx, id).await? {
        return Ok(Traced::nothing(UserChanged::LastAdmin));
    }
    new.version += 1;
    new.updated_at = at;
    let mut changed: user::ActiveModel = row.into();
    changed.search_folded = Set(searched(&new.name, &new.email));
    changed.email = Set(new.email.as_str().to_owned());
    changed.name = Set(new.name.clone());
    changed.role = Set(new.role.as_str().to_owned());
    changed.is_active = Set(new.is_active);
    changed.must_change_password = Set(new.must_change_password);
    changed.version = Set(new.version);
    changed.updated_at = Set(at);
    changed
        .update(tx)
        .await
        .map_err(|error| Fault::or_conflict(error, TAKEN))?;
    if old.is_active && !new.is_active {
        end_sessions(tx, id, None).await?;
        stop_answers(tx, id).await?;
    }
    let trace = Trace::changed(&old, &new);
    Ok(Traced::done(UserChanged::Done(Box::new(new)), trace))
}

async fn delete(tx: &Tx, id: UserId, expected: Option<i64>) -> Result<Traced<UserChanged>, Fault> {
    hold_name(tx, ADMINISTRATORS).await?;
    let Some(row) = hold_user(tx, id).await? else {
        return Ok(Traced::nothing(UserChanged::Missing));
    };
    if expected.is_some_and(|expected| expected != row.version) {
        return Ok(Traced::nothing(UserChanged::Stale(row.version)));
    }
    let was = user_of(row)?;
    if was.is_active && was.role == Role::Admin && !another_admin(tx, id).await? {
        return Ok(Traced::nothing(UserChanged::LastAdmin));
    }
    // Sessions, conversations with their messages, folders and keys of requests go with the row. They go before the quota:
    // an answer that ends takes its conversation first and the counters after it.
    user::Entity::delete_by_id(id.uuid()).exec(tx).await?;
    let (scope, scope_id) = (Scope::User(id).kind(), id.to_string());
    usage_quota::Entity::delete_many()
        .filter(
            usage_quota::Column::Scope
                .eq(scope)
                .and(usage_quota::Column::ScopeId.eq(scope_id)),
        )
        .exec(tx)
        .await?;
    let trace = Trace::removed(&was);
    Ok(Traced::done(UserChanged::Done(Box::new(was)), trace))
}

async fn set_password(
    tx: &Tx,
    id: UserId,
    password: PasswordHash,
    must_change: bool,
    keep: Option<SessionId>,
    proved: Option<PasswordHash>,
    at: Time,
) -> Result<Traced<bool>, Fault> {
    let Some(row) = hold_user(tx, id).await? else {
        return Ok(Traced::nothing(false));
    };
    if proved.is_some_and(|hash| hash.0 != row.password_hash) {
        return Ok(Traced::nothing(false));
    }
    let old = user_of(row.clone())?;
    let version = row.version + 1;
    let mut changed: user::ActiveModel = row.into();
    changed.password_hash = Set(password.0);
    changed.must_change_password = Set(must_change);
    changed.version = Set(version);
    changed.updated_at = Set(at);
    let new = user_of(changed.update(tx).await?)?;
    end_sessions(tx, id, keep).await?;
    // The password itself is nothing to write down, so that there is an entry even where nothing else changed.
    let trace = Trace::changed(&old, &new).unwrap_or_else(|| Trace::of(&id));
    Ok(Traced::done(true, trace))
}

#[async_trait]
impl UserStore for SqlStore {
    async fn any_user(&self) -> Result<bool, StoreError> {
        Ok(any_user(self.db.reader()).await?)
    }

    async fn create_first_user(&self, new: NewUser, deed: Deed) -> Result<Option<User>, StoreError> {
        let write = self.db.audited(deed, move |tx| {
            Box::pin(async move {
                // Both see no account until one commits; the second waits here for the first.
                hold_name(tx, ADMINISTRATORS).await?;
                if any_user(tx).await? {
                    return Ok(Traced::nothing(None));
                }
                let user = insert_user(tx, new).await?;
                let trace = Trace::made(&user);
                Ok(Traced::done(Some(user), trace))
            })
        });
        Ok(write.await?)
    }

    async fn create_user(&self, new: NewUser, deed: Deed) -> Result<User, StoreError> {
        let write = self.db.audited(deed, move |tx| {
            Box::pin(async move {
                let user = insert_user(tx, new).await?;
                let trace = Trace::made(&user);
                Ok(Traced::done(user, trace))
            })
        });
        Ok(write.await?)
    }

    async fn find_user_by_email(&self, email: &Email) -> Result<Option<(User, PasswordHash)>, StoreError> {
        let row = user::Entity::find()
            .filter(user::Column::Email.eq(email.as_str()))
            .one(self.db.reader())
            .await;
        Ok(row.map_err(Fault::from)?.map(with_password).transpose()?)
    }

    async fn find_user(&self, id: UserId) -> Result<Option<(User, PasswordHash)>, StoreError> {
        let row = user::Entity::find_by_id(id.uuid()).one(self.db.reader()).await;
        Ok(row.map_err(Fault::from)?.map(with_password).transpose()?)
    }

    async fn list_users(&self, filter: &UserFilter, page: PageRequest) -> Result<Page<User>, StoreError> {
        let mut wanted = Condition::all();
        for word in filter.search.iter().flat_map(|search| search.split_whitespace()) {
            wanted = wanted.add(contains(user::Column::SearchFolded, word));
        }
        if let Some(role) = filter.role {
            wanted = wanted.add(user::Column::Role.eq(role.as_str()));
        }
        if let Some(active) = filter.is_active {
            wanted = wanted.add(user::Column::IsActive.eq(active));
        }
        let list = user::Entity::find()
            .filter(wanted)
            .order_by_desc(user::Column::CreatedAt)
            .order_by_desc(user::Column::Id);
        let snapshot = self.db.snapshot().await?;
        let (rows, total) = rows_and_total(&snapshot, list, user::Column::Id, page).await?;
        Ok(Page {
            items: rows.into_iter().map(user_of).collect::<Result<_, _>>()?,
            total,
        })
    }

    async fn update_user(
        &self,
        id: UserId,
        change: UserChange,
        expected: Option<i64>,
        deed: Deed,
    ) -> Result<UserChanged, StoreError> {
        let at = deed.at;
        let write = self
            .db
            .audited(deed, move |tx| Box::pin(update(tx, id, change, expected, at)));
        match write.await.map_err(StoreError::from) {
            Err(StoreError::Conflict(TAKEN)) => Ok(UserChanged::Taken),
            other => other,
        }
    }

    async fn delete_user(&self, id: UserId, expected: Option<i64>, deed: Deed) -> Result<UserChanged, StoreError> {
        Ok(self
            .db
            .audited(deed, move |tx| Box::pin(delete(tx, id, expected)))
            .await?)
    }

    async fn set_password(
        &self,
        id: UserId,
        password: PasswordHash,
        must_change: bool,
        keep: Option<SessionId>,
        proved: Option<PasswordHash>,
        deed: Deed,
    ) -> Result<bool, StoreError> {
        let at = deed.at;
        Ok(self
            .db
            .audited(deed, move |tx| {
                Box::pin(set_password(tx, id, password, must_change, keep, proved, at))
            })
            .await?)
    }
}
