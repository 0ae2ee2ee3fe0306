//! Sessions and the rotation of their refresh tokens.

use across::{
    actor::Doer,
    audit::{Action, Deed},
    clock::Time,
    fault::StoreError,
    id::{SessionId, UserId},
    identity::{
        password::PasswordHash,
        session::{
            MAX_SESSIONS, NewSession, REFRESH_LIFETIME, REUSE_GRACE, RefreshHash, Rotation, SESSION_LIFETIME, Session,
            SessionStore,
        },
        throttle::counted_address,
        user::User,
    },
};
use async_trait::async_trait;
use chrono::TimeDelta;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, EntityTrait as _, ExprTrait as _, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _, Set,
    sea_query::{Expr, OnConflict},
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    SqlStore,
    audit::{self, Trace, Traced},
    convert::storable,
    entity::{known_address, refresh_token, session, user},
    error::Fault,
    identity::{end_sessions, user_of},
    rows::hold,
    transaction::Tx,
};

/// An address that was not used for this long is a stranger's again.
const ADDRESS_MEMORY: TimeDelta = TimeDelta::days(180);

async fn insert_token(
    tx: &Tx,
    session: &session::Model,
    hash: RefreshHash,
    parent: Option<RefreshHash>,
    now: Time,
) -> Result<(), Fault> {
    let token = refresh_token::ActiveModel {
        hash: Set(hash.0.to_vec()),
        session_id: Set(session.id),
        parent: Set(parent.map(|parent| parent.0.to_vec())),
        used_at: Set(None),
        created_at: Set(now),
        expires_at: Set(Ord::min(now + REFRESH_LIFETIME, session.ends_at)),
    };
    token.insert(tx).await?;
    Ok(())
}

/// Notes that a person has signed in from an address, as the throttle counts it.
async fn remember_address(tx: &Tx, user: Uuid, address: &str, now: Time) -> Result<(), Fault> {
    known_address::Entity::delete_many()
        .filter(
            known_address::Column::UserId
                .eq(user)
                .and(known_address::Column::LastUsedAt.lt(now - ADDRESS_MEMORY)),
        )
        .exec(tx)
        .await?;
    let row = known_address::ActiveModel {
        user_id: Set(user),
        ip_address: Set(storable(counted_address(address))),
        last_used_at: Set(now),
    };
    known_address::Entity::insert(row)
        .on_conflict(
            OnConflict::columns([known_address::Column::UserId, known_address::Column::IpAddress])
                .update_column(known_address::Column::LastUsedAt)
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

async fn begin(tx: &Tx, new: NewSession, proved: Option<PasswordHash>) -> Result<Traced<()>, Fault> {
    let (user, now) = (new.user.uuid(), new.created_at);
    let change = user::Entity::update_many().col_expr(user::Column::LastLoginAt, Expr::value(now));
    // An account that was closed, or given another password, while this one was looked at gets no session.
    let mut may_enter = Condition::all()
        .add(user::Column::Id.eq(user))
        .add(user::Column::IsActive.eq(true));
    if let Some(hash) = proved {
        may_enter = may_enter.add(user::Column::PasswordHash.eq(hash.0));
    }
    if change.filter(may_enter).exec(tx).await?.rows_affected == 0 {
        return Err(Fault::conflict("this account may not sign in"));
    }
    if let Some(address) = &new.ip_address {
        remember_address(tx, user, address, now).await?;
    }

    // The ones that nobody can use any more, then the oldest beyond the limit.
    session::Entity::delete_many()
        .filter(session::Column::UserId.eq(user).and(session::Column::EndsAt.lte(now)))
        .exec(tx)
        .await?;
    let surplus: Vec<Uuid> = session::Entity::find()
        .select_only()
        .column(session::Column::Id)
        .filter(session::Column::UserId.eq(user))
        .order_by_desc(session::Column::CreatedAt)
        .order_by_desc(session::Column::Id)
        .offset(MAX_SESSIONS as u64 - 1)
        .limit(i64::MAX.unsigned_abs())
        .into_tuple()
        .all(tx)
        .await?;
    if !surplus.is_empty() {
        session::Entity::delete_many()
            .filter(session::Column::Id.is_in(surplus))
            .exec(tx)
            .await?;
    }

    let row = session::ActiveModel {
        id: Set(new.id.uuid()),
        user_id: Set(user),
        ip_address: Set(new.ip_address.map(storable)),
        user_agent: Set(new.user_agent.map(storable)),
        created_at: Set(now),
        last_used_at: Set(now),
        ends_at: Set(now + SESSION_LIFETIME),
    };
    let row = row.insert(tx).await?;
    insert_token(tx, &row, new.refresh, None, now).await?;
    Ok(Traced::done((), Trace::of(&user)))
}

async fn rotate(tx: &Tx, presented: RefreshHash, next: RefreshHash, doer: Doer, now: Time) -> Result<Rotation, Fault> {
    let find = || refresh_token::Entity::find_by_id(presented.0.to_vec()).one(tx);
    let Some(token) = find().await? else {
        return Ok(Rotation::Unknown);
    };
    // Uses of one session's tokens happen one after another; what was read before the wait is read again.
    let this = session::Column::Id.eq(token.session_id);
    let row = hold::<session::Entity>(tx, session::Column::LastUsedAt, this).await?;
    let (Some(row), Some(token)) = (row, find().await?) else {
        return Ok(Rotation::Unknown);
    };
    if token.expires_at <= now || row.ends_at <= now {
        return Ok(Rotation::Unknown);
    }
    let owner = user::Entity::find_by_id(row.user_id)
        .filter(user::Column::IsActive.eq(true))
        .one(tx)
        .await?;
    let Some(owner) = owner else {
        return Ok(Rotation::Unknown);
    };

    if let Some(used_at) = token.used_at {
        let child_used = refresh_token::Entity::find()
            .filter(
                refresh_token::Column::Parent
                    .eq(token.hash.clone())
                    .and(refresh_token::Column::UsedAt.is_not_null()),
            )
            .one(tx)
            .await?;
        if child_used.is_some() || now - used_at > REUSE_GRACE {
            session::Entity::delete_by_id(row.id).exec(tx).await?;
            let deed = Doer {
                user: Some(owner.id.into()),
                email: Some(owner.email),
                ..doer
            }
            .does(Action::UserRefreshReused, now);
            let ended = Trace::of(&owner.id).from(json!({"session_id": row.id}));
            audit::insert(tx, deed, ended).await?;
            return Ok(Rotation::Reused(row.id.into()));
        }
    } else {
        refresh_token::Entity::update_many()
            .col_expr(refresh_token::Column::UsedAt, Expr::value(now))
            .filter(refresh_token::Column::Hash.eq(token.hash))
            .exec(tx)
            .await?;
    }
    insert_token(tx, &row, next, Some(presented), now).await?;
    session::Entity::update_many()
        .col_expr(session::Column::LastUsedAt, Expr::value(now))
        .filter(session::Column::Id.eq(row.id))
        .exec(tx)
        .await?;
    // Expired ones are refused as unknown anyway.
    refresh_token::Entity::delete_many()
        .filter(
            refresh_token::Column::SessionId
                .eq(row.id)
                .and(refresh_token::Column::ExpiresAt.lte(now)),
        )
        .exec(tx)
        .await?;
    Ok(Rotation::Rotated {
        session: row.id.into(),
        user: Box::new(user_of(owner)?),
        ends_at: row.ends_at,
    })
}

#[async_trait]
impl SessionStore for SqlStore {
    async fn begin_session(
        &self,
        session: NewSession,
        proved: Option<PasswordHash>,
        deed: Deed,
    ) -> Result<(), StoreError> {
        Ok(self
            .db
            .audited(deed, move |tx| Box::pin(begin(tx, session, proved)))
            .await?)
    }

    async fn session_user(&self, session: SessionId, now: Time) -> Result<Option<User>, StoreError> {
        let living = session::Entity::find()
            .select_only()
            .column(session::Column::UserId)
            .filter(
                session::Column::Id
                    .eq(session.uuid())
                    .and(session::Column::EndsAt.gt(now)),
            )
            .into_query();
        let owner = user::Entity::find()
            .filter(
                Condition::all()
                    .add(user::Column::Id.in_subquery(living))
                    .add(user::Column::IsActive.eq(true)),
            )
            .one(self.db.reader())
            .await;
        Ok(owner.map_err(Fault::from)?.map(user_of).transpose()?)
    }

    async fn rotate(
        &self,
        presented: RefreshHash,
        next: RefreshHash,
        doer: Doer,
        now: Time,
    ) -> Result<Rotation, StoreError> {
        Ok(self
            .db
            .write(move |tx| Box::pin(rotate(tx, presented, next, doer, now)))
            .await?)
    }

    async fn list_sessions(&self, user: UserId, now: Time) -> Result<Vec<Session>, StoreError> {
        // A session whose last refresh token ran out cannot be used again, though its row is still there.
        let living = session::Column::UserId
            .eq(user.uuid())
            .and(session::Column::EndsAt.gt(now))
            .and(session::Column::LastUsedAt.gt(now - REFRESH_LIFETIME));
        let rows = session::Entity::find()
            .filter(living)
            .order_by_desc(session::Column::LastUsedAt)
            .order_by_desc(session::Column::Id)
            .all(self.db.reader())
            .await
            .map_err(Fault::from)?;
        let convert = |row: session::Model| Session {
            id: row.id.into(),
            ip_address: row.ip_address,
            user_agent: row.user_agent,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
        };
        Ok(rows.into_iter().map(convert).collect())
    }

    async fn end_session(&self, user: UserId, session: SessionId, deed: Deed) -> Result<bool, StoreError> {
        let write = self.db.audited(deed, move |tx| {
            Box::pin(async move {
                let own = session::Column::Id
                    .eq(session.uuid())
                    .and(session::Column::UserId.eq(user.uuid()));
                let deleted = session::Entity::delete_many().filter(own).exec(tx).await?;
                let ended = deleted.rows_affected > 0;
                let told = Trace::of(&user).from(json!({"session_id": session.to_string()}));
                Ok(Traced::done(ended, ended.then_some(told)))
            })
        });
        Ok(write.await?)
    }

    async fn end_sessions_of(&self, user: UserId, deed: Deed) -> Result<bool, StoreError> {
        let write = self.db.audited(deed, move |tx| {
            Box::pin(async move {
                if user::Entity::find_by_id(user.uuid()).count(tx).await? == 0 {
                    return Ok(Traced::nothing(false));
                }
                let ended = end_sessions(tx, user, None).await?;
                let told = Trace::of(&user).from(json!({"sessions": ended}));
                Ok(Traced::done(true, (ended > 0).then_some(told)))
            })
        });
        Ok(write.await?)
    }
}
