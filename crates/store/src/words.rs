//! The forms of the chunks' words, made anew when the analyser has changed since they were made.

use across::{knowledge::file::searchable, retrieval::words};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, Set,
    sea_query::{Expr, OnConflict},
};

use crate::{
    SqlStore,
    entity::{chunk, kept_value},
    error::Fault,
};

/// The name under which the version of the analyser is kept that made the forms.
const VERSION: &str = "analyser of words";
/// Chunks of one transaction.
const BATCH: u64 = 500;

impl SqlStore {
    /// Makes the forms of all chunks anew unless this version of the analyser made them. Interrupted, it is done again.
    pub(crate) async fn renew_words(&self) -> Result<(), Fault> {
        let current = words::VERSION.to_string();
        let kept = kept_value::Entity::find_by_id(VERSION).one(self.db.reader()).await?;
        if kept.is_some_and(|kept| kept.value == current) {
            return Ok(());
        }
        let mut done = 0;
        loop {
            let mut indexer = words::Indexer::default();
            let some: Vec<(i64, Option<String>, String)> = chunk::Entity::find()
                .select_only()
                .columns([chunk::Column::Number, chunk::Column::Heading, chunk::Column::Text])
                .filter(chunk::Column::Number.gt(done))
                .order_by_asc(chunk::Column::Number)
                .limit(BATCH)
                .into_tuple()
                .all(self.db.reader())
                .await?;
            let Some((last, ..)) = some.last() else { break };
            done = *last;
            let forms: Vec<(i64, String)> = some
                .into_iter()
                .map(|(number, heading, text)| (number, indexer.indexed(&searchable(heading.as_deref(), &text))))
                .collect();
            let write = self.db.write(move |tx| {
                Box::pin(async move {
                    for (number, forms) in forms {
                        chunk::Entity::update_many()
                            .col_expr(chunk::Column::Words, Expr::value(forms))
                            .filter(chunk::Column::Number.eq(number))
                            .exec(tx)
                            .await?;
                    }
                    Ok(())
                })
            });
            write.await?;
        }
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let row = kept_value::ActiveModel {
                    name: Set(VERSION.to_owned()),
                    value: Set(current),
                };
                kept_value::Entity::insert(row)
                    .on_conflict(
                        OnConflict::column(kept_value::Column::Name)
                            .update_column(kept_value::Column::Value)
                            .to_owned(),
                    )
                    .exec_without_returning(tx)
                    .await?;
                Ok(())
            })
        });
        write.await
    }
}
