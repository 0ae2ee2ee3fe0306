//! Failures that are counted, each kind in a row of its own that an attempt holds while it is judged.

use across::{
    clock::Time,
    fault::StoreError,
    identity::{
        throttle::{Bucket, FIRST_LOCK, LONGEST_LOCK, Throttle},
        user::Email,
    },
};
use async_trait::async_trait;
use chrono::TimeDelta;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, ExprTrait as _, IntoActiveModel as _,
    PaginatorTrait as _, QueryFilter as _, QuerySelect as _, QueryTrait as _,
    sea_query::{Expr, OnConflict},
};

use crate::{
    SqlStore,
    convert::{column_i32, storable},
    entity::{known_address, throttle_counter as counter, user},
    error::Fault,
    transaction::Tx,
};

/// How far the clocks of requests may be apart: they are read before the counter is taken, and on several machines. A request
/// that looks a little older than the window belongs into it, or parallel guesses would reset their own count.
const SKEW: TimeDelta = TimeDelta::minutes(1);
/// How long earlier locks make the next one longer.
const MEMORY: TimeDelta = TimeDelta::days(1);

/// The counter of a bucket, made if absent, held until the end of the transaction.
async fn take(tx: &Tx, key: &str, now: Time) -> Result<counter::Model, Fault> {
    let fresh = counter::Model {
        bucket: storable(key.to_owned()),
        failures: 0,
        window_start: now,
        locked_until: None,
        locks: 0,
        updated_at: now,
    };
    // The update changes nothing and only takes the row.
    let same = Expr::col((counter::Entity, counter::Column::Failures));
    counter::Entity::insert(fresh.clone().into_active_model().reset_all())
        .on_conflict(
            OnConflict::column(counter::Column::Bucket)
                .value(counter::Column::Failures, same)
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    counter::Entity::find_by_id(fresh.bucket.clone())
        .one(tx)
        .await?
        .ok_or_else(|| Fault::corrupt("throttle_counters", "bucket", fresh.bucket))
}

/// The counter as it stands at `now`: an old window, an old lock and what a clock that was set back left are forgotten.
fn at_present(row: counter::Model, window: TimeDelta, now: Time) -> counter::Model {
    let (mut failures, mut window_start) = (row.failures, row.window_start);
    if now + SKEW < window_start || now - window_start >= window {
        (failures, window_start) = (0, now);
    }
    let is_recent = |until: &Time| *until + MEMORY > now && *until - now <= LONGEST_LOCK;
    let locked_until = row.locked_until.filter(is_recent);
    counter::Model {
        failures,
        window_start,
        locked_until,
        locks: locked_until.map_or(0, |_| row.locks),
        ..row
    }
}

/// How long a lock is after so many earlier ones.
fn lock_length(locks: i32) -> TimeDelta {
    let doubled = 2_i32.saturating_pow(locks.clamp(0, 16).unsigned_abs());
    Ord::min(FIRST_LOCK * doubled, LONGEST_LOCK)
}

async fn keep(tx: &Tx, row: counter::Model) -> Result<(), Fault> {
    let row = row.into_active_model().reset_all();
    counter::Entity::update(row).exec(tx).await?;
    Ok(())
}

async fn attempt(tx: &Tx, mut buckets: Vec<Bucket>, now: Time) -> Result<Result<(), Time>, Fault> {
    // Always in the same order, so that two attempts never wait for each other in a circle.
    buckets.sort_by(|one, other| one.key.cmp(&other.key));
    buckets.dedup_by(|one, other| one.key == other.key);
    let (mut counters, mut refused_until) = (Vec::with_capacity(buckets.len()), None);
    for bucket in buckets {
        // Everybody behind an address looks at its counter: they wait for each other only if it is about to be locked.
        if bucket.counts_failures_only {
            let seen = counter::Entity::find_by_id(storable(bucket.key.clone()))
                .one(tx)
                .await?;
            let seen = seen.map(|seen| at_present(seen, bucket.window, now));
            let is_full = |seen: &counter::Model| seen.failures >= column_i32(bucket.limit);
            if !seen.as_ref().is_some_and(is_full) {
                let until = seen.and_then(|seen| seen.locked_until);
                refused_until = Ord::max(refused_until, until.filter(|until| *until > now));
                continue;
            }
        }
        let mut row = at_present(take(tx, &bucket.key, now).await?, bucket.window, now);
        row.updated_at = now;
        let open = row.locked_until.is_none_or(|until| until <= now);
        if open && row.failures >= column_i32(bucket.limit) {
            // After the lock a new window begins, so that whoever waited is looked at.
            row.locked_until = Some(now + lock_length(row.locks));
            row.locks = row.locks.saturating_add(1);
            row.failures = 0;
            keep(tx, row.clone()).await?;
        }
        refused_until = Ord::max(refused_until, row.locked_until.filter(|until| *until > now));
        if !bucket.counts_failures_only {
            counters.push(row);
        }
    }
    if let Some(until) = refused_until {
        return Ok(Err(until));
    }
    for mut row in counters {
        row.failures += 1;
        keep(tx, row).await?;
    }
    Ok(Ok(()))
}

async fn charge(tx: &Tx, mut buckets: Vec<Bucket>, now: Time) -> Result<(), Fault> {
    buckets.retain(|bucket| bucket.counts_failures_only);
    buckets.sort_by(|one, other| one.key.cmp(&other.key));
    for bucket in buckets {
        let mut row = at_present(take(tx, &bucket.key, now).await?, bucket.window, now);
        row.failures += 1;
        row.updated_at = now;
        keep(tx, row).await?;
    }
    Ok(())
}

async fn forgive(tx: &Tx, buckets: Vec<Bucket>, cleared: Vec<String>) -> Result<(), Fault> {
    let counted = buckets.into_iter().filter(|bucket| !bucket.counts_failures_only);
    let mut keys: Vec<String> = counted.map(|bucket| bucket.key).collect();
    keys.extend(cleared.iter().cloned());
    keys.sort();
    keys.dedup();
    for key in keys {
        let forget = cleared.contains(&key);
        let this = counter::Column::Bucket.eq(storable(key));
        if forget {
            counter::Entity::delete_many().filter(this).exec(tx).await?;
        } else {
            let one_less = Expr::col(counter::Column::Failures).sub(1);
            counter::Entity::update_many()
                .col_expr(counter::Column::Failures, one_less)
                .filter(this.and(counter::Column::Failures.gt(0)))
                .exec(tx)
                .await?;
        }
    }
    Ok(())
}

#[async_trait]
impl Throttle for SqlStore {
    async fn attempt(&self, buckets: Vec<Bucket>, now: Time) -> Result<Result<(), Time>, StoreError> {
        Ok(self.db.write(move |tx| Box::pin(attempt(tx, buckets, now))).await?)
    }

    async fn charge(&self, buckets: Vec<Bucket>, now: Time) -> Result<(), StoreError> {
        Ok(self.db.write(move |tx| Box::pin(charge(tx, buckets, now))).await?)
    }

    async fn forgive(&self, buckets: Vec<Bucket>, cleared: &[String]) -> Result<(), StoreError> {
        let cleared = cleared.to_vec();
        Ok(self.db.write(move |tx| Box::pin(forgive(tx, buckets, cleared))).await?)
    }

    async fn knows_address(&self, email: &Email, address: &str) -> Result<bool, StoreError> {
        let owner = user::Entity::find()
            .select_only()
            .column(user::Column::Id)
            .filter(user::Column::Email.eq(email.as_str()))
            .into_query();
        let known = known_address::Entity::find().filter(
            known_address::Column::UserId
                .in_subquery(owner)
                .and(known_address::Column::IpAddress.eq(storable(address.to_owned()))),
        );
        Ok(known.count(self.db.reader()).await.map_err(Fault::from)? > 0)
    }

    async fn expire_throttle(&self, now: Time) -> Result<u64, StoreError> {
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                // No window is longer than that, and every lock is over well before.
                let silent = counter::Column::UpdatedAt.lt(now - MEMORY - LONGEST_LOCK);
                let deleted = counter::Entity::delete_many().filter(silent).exec(tx).await?;
                Ok(deleted.rows_affected)
            })
        });
        Ok(write.await?)
    }
}
