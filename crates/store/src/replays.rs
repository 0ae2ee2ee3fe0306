//! Requests that carry a key, claimed by inserting their row.

use across::{
    clock::Time,
    fault::StoreError,
    replay::{Answer, Claim, MAX_PER_USER, Replays, RequestKey},
};
use async_trait::async_trait;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, ExprTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, Set,
    TryInsertResult, sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    SqlStore,
    convert::{narrow, storable, storable_json},
    entity::request_key,
    error::Fault,
    rows::hold,
    transaction::Tx,
};

/// Characters of a path that are kept: an index takes no more, and no path of ours is as long.
const LONGEST_PATH: usize = 500;
/// A claim finds the row of a request that is released at the same moment gone; then it tries once more.
const TRIES: usize = 3;
/// Old requests that one claim removes at most.
const SURPLUS: u64 = 100;

type Place = (Uuid, String, String, String);

fn place_of(request: &RequestKey) -> Place {
    (
        request.user.uuid(),
        storable(request.method.clone()),
        storable(request.path.chars().take(LONGEST_PATH).collect()),
        storable(request.key.clone()),
    )
}

fn row_at((user, method, path, key): Place) -> Expr {
    request_key::Column::UserId
        .eq(user)
        .and(request_key::Column::Method.eq(method))
        .and(request_key::Column::Path.eq(path))
        .and(request_key::Column::Key.eq(key))
}

fn answer_of(row: request_key::Model, status: i32) -> Result<Answer, Fault> {
    let corrupt = || Fault::corrupt("request_keys", "headers", &row.key);
    let headers = match row.headers.clone() {
        Some(headers) => serde_json::from_value(headers).map_err(|_| corrupt())?,
        None => Vec::new(),
    };
    Ok(Answer {
        status: narrow(status, "request_keys", "status", &row.key)?,
        headers,
        body: row.body.unwrap_or_default(),
        message: row.message_id.map(Into::into),
    })
}

/// Removes the oldest requests of a person beyond the number that is remembered.
async fn trim(tx: &Tx, user: Uuid) -> Result<(), Fault> {
    let surplus: Vec<Place> = request_key::Entity::find()
        .select_only()
        .columns([
            request_key::Column::UserId,
            request_key::Column::Method,
            request_key::Column::Path,
            request_key::Column::Key,
        ])
        .filter(request_key::Column::UserId.eq(user))
        .order_by_desc(request_key::Column::CreatedAt)
        .order_by_desc(request_key::Column::Key)
        .offset(MAX_PER_USER)
        .limit(SURPLUS)
        .into_tuple()
        .all(tx)
        .await?;
    for place in surplus {
        request_key::Entity::delete_many()
            .filter(row_at(place))
            .exec(tx)
            .await?;
    }
    Ok(())
}

async fn claim(tx: &Tx, place: Place, fingerprint: Vec<u8>, now: Time, lease_until: Time) -> Result<Claim, Fault> {
    for _ in 0..TRIES {
        let row = request_key::ActiveModel {
            user_id: Set(place.0),
            method: Set(place.1.clone()),
            path: Set(place.2.clone()),
            key: Set(place.3.clone()),
            fingerprint: Set(fingerprint.clone()),
            status: Set(None),
            headers: Set(None),
            body: Set(None),
            message_id: Set(None),
            lease_until: Set(lease_until),
            created_at: Set(now),
        };
        let inserted = request_key::Entity::insert(row)
            .on_conflict_do_nothing_on([
                request_key::Column::UserId,
                request_key::Column::Method,
                request_key::Column::Path,
                request_key::Column::Key,
            ])
            .exec_without_returning(tx)
            .await?;
        if matches!(inserted, TryInsertResult::Inserted(1)) {
            trim(tx, place.0).await?;
            return Ok(Claim::Fresh);
        }
        let this = row_at(place.clone());
        let Some(row) = hold::<request_key::Entity>(tx, request_key::Column::LeaseUntil, this.clone()).await? else {
            continue;
        };
        if row.fingerprint != fingerprint {
            return Ok(Claim::Differs);
        }
        if let Some(status) = row.status {
            return Ok(Claim::Done(answer_of(row, status)?));
        }
        if row.lease_until > now {
            return Ok(Claim::Running);
        }
        request_key::Entity::update_many()
            .col_expr(request_key::Column::LeaseUntil, Expr::value(lease_until))
            .col_expr(request_key::Column::CreatedAt, Expr::value(now))
            .filter(this)
            .exec(tx)
            .await?;
        return Ok(Claim::Fresh);
    }
    Ok(Claim::Running)
}

/// Keeps the answer to a claimed request.
pub(crate) async fn complete(tx: &Tx, request: &RequestKey, answer: Answer) -> Result<(), Fault> {
    let headers = storable_json(serde_json::json!(answer.headers));
    let body = (!answer.body.is_empty()).then_some(answer.body);
    request_key::Entity::update_many()
        .col_expr(request_key::Column::Status, Expr::value(i32::from(answer.status)))
        .col_expr(request_key::Column::Headers, Expr::value(headers))
        .col_expr(request_key::Column::Body, Expr::value(body))
        .col_expr(
            request_key::Column::MessageId,
            Expr::value(answer.message.map(|message| message.uuid())),
        )
        .filter(row_at(place_of(request)).and(request_key::Column::Status.is_null()))
        .exec(tx)
        .await?;
    Ok(())
}

#[async_trait]
impl Replays for SqlStore {
    async fn claim_request(
        &self,
        request: &RequestKey,
        fingerprint: [u8; 32],
        now: Time,
        lease_until: Time,
    ) -> Result<Claim, StoreError> {
        let (place, fingerprint) = (place_of(request), fingerprint.to_vec());
        Ok(self
            .db
            .write(move |tx| Box::pin(claim(tx, place, fingerprint, now, lease_until)))
            .await?)
    }

    async fn complete_request(&self, request: &RequestKey, answer: Answer) -> Result<(), StoreError> {
        let request = request.clone();
        let write = self
            .db
            .write(move |tx| Box::pin(async move { complete(tx, &request, answer).await }));
        Ok(write.await?)
    }

    async fn release_request(&self, request: &RequestKey) -> Result<(), StoreError> {
        let place = place_of(request);
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                request_key::Entity::delete_many()
                    .filter(row_at(place).and(request_key::Column::Status.is_null()))
                    .exec(tx)
                    .await?;
                Ok(())
            })
        });
        Ok(write.await?)
    }

    async fn expire_requests(&self, cutoff: Time) -> Result<u64, StoreError> {
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let deleted = request_key::Entity::delete_many()
                    .filter(request_key::Column::CreatedAt.lt(cutoff))
                    .exec(tx)
                    .await?;
                Ok(deleted.rows_affected)
            })
        });
        Ok(write.await?)
    }
}
