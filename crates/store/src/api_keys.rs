//! Providers' keys, as the vault sealed them.

use across::{
    audit::{Deed, REDACTED},
    clock::Time,
    fault::StoreError,
    id::ApiKeyId,
    money::{MicroUsd, Price},
    page::{Page, PageRequest},
    providers::{
        key::{ApiKey, ApiKeyStore, Custom, KeyChange, KeyChanged, NewApiKey, Sealed},
        model::{EmbeddingModel, ProviderKind},
    },
};
use async_trait::async_trait;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, ExprTrait as _,
    IntoActiveModel as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _, Set, sea_query::Expr,
};
use serde_json::{Map, json};
use uuid::Uuid;

use crate::{
    SqlStore,
    audit::{Trace, Traced},
    convert::{column_i64, fold, narrow, storable},
    entity::api_key::{self, Column},
    error::Fault,
    kept::hold_name,
    key_notes::note,
    paging::rows_and_total,
    rows::hold,
    transaction::Tx,
};

const TABLE: &str = "api_keys";
/// The row that changes to keys wait for: which key is the one that is used is decided by all of them together.
const TURNSTILE: &str = "api_keys";
/// In the audit log: from which key, or to which, the default went by a change of another one.
const MOVED_FROM: &str = "default_taken_from";
const MOVED_TO: &str = "default_given_to";

fn custom_of(row: &api_key::Model) -> Result<Option<Custom>, Fault> {
    let Some(base_url) = row.base_url.clone() else {
        return Ok(None);
    };
    let price = match (row.prompt_price, row.completion_price) {
        (None, None) => None,
        (prompt, completion) => Some(Price {
            prompt: MicroUsd(prompt.unwrap_or_default()),
            completion: MicroUsd(completion.unwrap_or_default()),
        }),
    };
    let context_length = row
        .context_length
        .map(|tokens| narrow(tokens, TABLE, "context_length", row.id));
    Ok(Some(Custom {
        base_url,
        price,
        context_length: context_length.transpose()?,
        max_tokens_param: row.max_tokens_param.clone(),
        embedding: match (&row.embedding_model, row.embedding_dimensions) {
            (Some(id), Some(dimensions)) => Some(EmbeddingModel {
                id: id.clone(),
                dimensions: narrow(dimensions, TABLE, "embedding_dimensions", row.id)?,
            }),
            _ => None,
        },
    }))
}

pub(crate) fn key_of(row: &api_key::Model) -> Result<ApiKey, Fault> {
    Ok(ApiKey {
        id: row.id.into(),
        provider: ProviderKind::parse(&row.provider).ok_or_else(|| Fault::corrupt(TABLE, "provider", row.id))?,
        name: row.name.clone(),
        hint: row.key_hint.clone(),
        is_default: row.is_default,
        is_active: row.is_active,
        custom: custom_of(row)?,
        last_used_at: row.last_used_at,
        last_error: row.last_error.clone(),
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

fn sealed_of(row: api_key::Model) -> Result<Sealed, Fault> {
    Ok(Sealed {
        key: key_of(&row)?,
        sealed: row.encrypted_key,
    })
}

fn set_custom(row: &mut api_key::Model, custom: Custom) {
    row.prompt_price = custom.price.map(|price| price.prompt.0);
    row.completion_price = custom.price.map(|price| price.completion.0);
    row.context_length = custom.context_length.map(i64::from);
    row.max_tokens_param = custom.max_tokens_param.map(storable);
    let embedding = custom.embedding;
    row.embedding_dimensions = embedding.as_ref().map(|model| column_i64(model.dimensions));
    row.embedding_model = embedding.map(|model| storable(model.id));
    row.base_url = Some(storable(custom.base_url));
}

async fn is_named(
    db: &impl ConnectionTrait,
    provider: &str,
    folded: &str,
    but: Option<ApiKeyId>,
) -> Result<bool, Fault> {
    let same = Condition::all()
        .add(Column::Provider.eq(provider))
        .add(Column::NameFolded.eq(folded))
        .add_option(but.map(|id| Column::Id.ne(id.uuid())));
    Ok(api_key::Entity::find().filter(same).count(db).await? > 0)
}

/// Takes the preference from the key of this provider that has it; `false` if none had.
async fn clear_default(tx: &Tx, provider: &str, at: Time) -> Result<Option<Uuid>, Fault> {
    let cleared = api_key::Entity::update_many()
        .col_expr(Column::IsDefault, Expr::value(false))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .col_expr(Column::UpdatedAt, Expr::value(at))
        .filter(Column::Provider.eq(provider).and(Column::IsDefault.eq(true)))
        .exec_with_returning(tx)
        .await?;
    Ok(cleared.into_iter().next().map(|row| row.id))
}

/// Says in the entry of one key which other one stopped, or began, to be the one that is used.
fn tell_moved(trace: &mut Trace, name: &str, other: Option<Uuid>) {
    if let Some(other) = other {
        let values = trace.new.get_or_insert_with(Map::new);
        values.insert(name.to_owned(), json!(other.to_string()));
    }
}

async fn create(tx: &Tx, key: NewApiKey, at: Time) -> Result<Traced<Option<ApiKey>>, Fault> {
    hold_name(tx, TURNSTILE).await?;
    let provider = key.provider.as_str();
    let folded = fold(&key.name);
    if is_named(tx, provider, &folded, None).await? {
        return Ok(Traced::nothing(None));
    }
    let others = api_key::Entity::find().filter(Column::Provider.eq(provider));
    let is_default = key.is_default || others.count(tx).await? == 0;
    let moved_from = if is_default {
        clear_default(tx, provider, at).await?
    } else {
        None
    };
    let mut row = api_key::Model {
        id: key.id.uuid(),
        provider: provider.to_owned(),
        name: storable(key.name),
        name_folded: folded,
        encrypted_key: key.sealed,
        key_hint: key.hint.map(storable),
        is_default,
        is_active: key.is_active,
        base_url: None,
        prompt_price: None,
        completion_price: None,
        context_length: None,
        max_tokens_param: None,
        embedding_model: None,
        embedding_dimensions: None,
        last_used_at: None,
        last_error: None,
        version: 1,
        created_at: at,
        updated_at: at,
    };
    if let Some(custom) = key.custom {
        set_custom(&mut row, custom);
    }
    let made = key_of(&row.into_active_model().reset_all().insert(tx).await?)?;
    let mut trace = Trace::made(&made);
    tell_moved(&mut trace, MOVED_FROM, moved_from);
    Ok(Traced::done(Some(made), trace))
}

/// The row, kept for the rest of the transaction, if it may be changed.
async fn taken(tx: &Tx, id: ApiKeyId, expected: Option<i64>) -> Result<Result<api_key::Model, KeyChanged>, Fault> {
    hold_name(tx, TURNSTILE).await?;
    // Held as well, since calls that end note on it how they went.
    let Some(row) = hold::<api_key::Entity>(tx, Column::Name, Column::Id.eq(id.uuid())).await? else {
        return Ok(Err(KeyChanged::Missing));
    };
    if expected.is_some_and(|expected| expected != row.version) {
        return Ok(Err(KeyChanged::Stale(row.version)));
    }
    Ok(Ok(row))
}

async fn update(
    tx: &Tx,
    id: ApiKeyId,
    change: KeyChange,
    expected: Option<i64>,
    at: Time,
) -> Result<Traced<KeyChanged>, Fault> {
    let old = match taken(tx, id, expected).await? {
        Ok(row) => row,
        Err(refused) => return Ok(Traced::nothing(refused)),
    };
    let before = key_of(&old)?;
    let provider = old.provider.clone();
    let mut row = old.clone();
    if let Some(name) = change.name {
        row.name_folded = fold(&name);
        row.name = storable(name);
        if is_named(tx, &provider, &row.name_folded, Some(id)).await? {
            return Ok(Traced::nothing(KeyChanged::Taken));
        }
    }
    let is_rekeyed = change.sealed.is_some();
    if let Some((sealed, hint)) = change.sealed {
        row.encrypted_key = sealed;
        row.key_hint = hint.map(storable);
        row.last_error = None;
    }
    row.is_default = change.is_default.unwrap_or(old.is_default);
    row.is_active = change.is_active.unwrap_or(old.is_active);
    if let Some(custom) = change.custom {
        set_custom(&mut row, custom);
    }
    if row == old {
        return Ok(Traced::nothing(KeyChanged::Done(Box::new(before))));
    }
    let moved_from = if row.is_default && !old.is_default {
        clear_default(tx, &provider, at).await?
    } else {
        None
    };
    row.version = old.version + 1;
    row.updated_at = at;
    let after = key_of(&row.into_active_model().reset_all().update(tx).await?)?;
    let mut trace = Trace::changed(&before, &after).unwrap_or_else(|| Trace::of(&id));
    if is_rekeyed {
        // Both keys look the same in the log; that there is another one is the change.
        for values in [&mut trace.old, &mut trace.new] {
            values
                .get_or_insert_with(Map::new)
                .insert("key".to_owned(), json!(REDACTED));
        }
    }
    tell_moved(&mut trace, MOVED_FROM, moved_from);
    Ok(Traced::done(KeyChanged::Done(Box::new(after)), trace))
}

async fn delete(tx: &Tx, id: ApiKeyId, expected: Option<i64>, at: Time) -> Result<Traced<KeyChanged>, Fault> {
    let row = match taken(tx, id, expected).await? {
        Ok(row) => row,
        Err(refused) => return Ok(Traced::nothing(refused)),
    };
    let gone = key_of(&row)?;
    api_key::Entity::delete_by_id(row.id).exec(tx).await?;
    let mut moved_to = None;
    if row.is_default {
        let next = api_key::Entity::find()
            .filter(
                Column::Provider
                    .eq(row.provider.as_str())
                    .and(Column::IsActive.eq(true)),
            )
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Id)
            .one(tx)
            .await?;
        if let Some(next) = next {
            let version = next.version + 1;
            moved_to = Some(next.id);
            let mut next = next.into_active_model();
            next.is_default = Set(true);
            next.version = Set(version);
            next.updated_at = Set(at);
            next.update(tx).await?;
        }
    }
    let mut trace = Trace::removed(&gone);
    tell_moved(&mut trace, MOVED_TO, moved_to);
    Ok(Traced::done(KeyChanged::Done(Box::new(gone)), trace))
}

#[async_trait]
impl ApiKeyStore for SqlStore {
    async fn create_key(&self, key: NewApiKey, deed: Deed) -> Result<Option<ApiKey>, StoreError> {
        let at = deed.at;
        let write = self.db.audited(deed, move |tx| Box::pin(create(tx, key, at)));
        Ok(write.await?)
    }

    async fn list_keys(&self, provider: Option<ProviderKind>, page: PageRequest) -> Result<Page<ApiKey>, StoreError> {
        let of = provider.map(|provider| Column::Provider.eq(provider.as_str()));
        let list = api_key::Entity::find()
            .filter(Condition::all().add_option(of))
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Id);
        let snapshot = self.db.snapshot().await?;
        let (rows, total) = rows_and_total(&snapshot, list, Column::Id, page).await?;
        let items = rows.iter().map(key_of).collect::<Result<_, Fault>>()?;
        Ok(Page { items, total })
    }

    async fn find_key(&self, id: ApiKeyId) -> Result<Option<Sealed>, StoreError> {
        let row = api_key::Entity::find_by_id(id.uuid()).one(self.db.reader()).await;
        Ok(row.map_err(Fault::from)?.map(sealed_of).transpose()?)
    }

    async fn update_key(
        &self,
        id: ApiKeyId,
        change: KeyChange,
        expected: Option<i64>,
        deed: Deed,
    ) -> Result<KeyChanged, StoreError> {
        let at = deed.at;
        let write = self
            .db
            .audited(deed, move |tx| Box::pin(update(tx, id, change, expected, at)));
        Ok(write.await?)
    }

    async fn delete_key(&self, id: ApiKeyId, expected: Option<i64>, deed: Deed) -> Result<KeyChanged, StoreError> {
        let at = deed.at;
        let write = self.db.audited(deed, move |tx| Box::pin(delete(tx, id, expected, at)));
        Ok(write.await?)
    }

    async fn active_keys(&self) -> Result<Vec<Sealed>, StoreError> {
        let rows = api_key::Entity::find()
            .filter(Column::IsActive.eq(true))
            .order_by_desc(Column::IsDefault)
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Id)
            .all(self.db.reader())
            .await
            .map_err(Fault::from)?;
        Ok(rows.into_iter().map(sealed_of).collect::<Result<_, Fault>>()?)
    }

    async fn note_key(&self, id: ApiKeyId, problem: Option<String>, at: Time) -> Result<(), StoreError> {
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                note(tx, id, problem, at).await?;
                Ok(())
            })
        });
        Ok(write.await?)
    }

    async fn sealed_keys(&self) -> Result<Vec<(ApiKeyId, String)>, StoreError> {
        let rows = api_key::Entity::find()
            .order_by_asc(Column::Id)
            .all(self.db.reader())
            .await
            .map_err(Fault::from)?;
        Ok(rows.into_iter().map(|row| (row.id.into(), row.encrypted_key)).collect())
    }

    async fn reseal_keys(&self, resealed: Vec<(ApiKeyId, String, String)>) -> Result<(), StoreError> {
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                hold_name(tx, TURNSTILE).await?;
                for (id, old, new) in resealed {
                    api_key::Entity::update_many()
                        .col_expr(Column::EncryptedKey, Expr::value(new))
                        .filter(Column::Id.eq(id.uuid()).and(Column::EncryptedKey.eq(old)))
                        .exec(tx)
                        .await?;
                }
                Ok(())
            })
        });
        Ok(write.await?)
    }
}
