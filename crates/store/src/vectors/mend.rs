//! Damaged vectors: what is left of them is removed, and their file is processed again.

use across::{audit::Deed, clock::Time, fault::StoreError, knowledge::file::Reprocess};
use sea_orm::{ColumnTrait as _, EntityTrait as _, ExprTrait as _, QueryFilter as _};
use serde_json::json;
use uuid::Uuid;

use crate::{
    SqlStore, attempts,
    audit::{Trace, Traced},
    entity::chunk_vector,
    error::Fault,
    transaction::Tx,
};

/// Vectors that are not what was once written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Damaged {
    pub(super) file: Uuid,
    /// The chunk, by its small number.
    pub(super) chunk: i64,
    pub(super) space: String,
}

/// Removes damaged vectors, so that they are found damaged once, and queues their files.
async fn mend(tx: &Tx, damaged: Vec<Damaged>, at: Time) -> Result<Traced<u64>, Fault> {
    let mut files: Vec<Uuid> = Vec::new();
    for found in damaged {
        let removed = chunk_vector::Entity::delete_many()
            .filter(
                chunk_vector::Column::ChunkNumber
                    .eq(found.chunk)
                    .and(chunk_vector::Column::Space.eq(found.space)),
            )
            .exec(tx)
            .await?;
        // Another process may have been faster, or the file is gone.
        if removed.rows_affected > 0 && !files.contains(&found.file) {
            files.push(found.file);
        }
    }
    let mut queued = 0;
    for file in files {
        let again = attempts::reprocess(tx, file.into(), at).await?.value;
        queued += u64::from(matches!(again, Reprocess::Queued(_)));
    }
    let told = Trace::default().to(json!({"files": queued, "reason": "damaged vectors"}));
    Ok(Traced::done(queued, (queued > 0).then_some(told)))
}

impl SqlStore {
    /// Has the files processed again whose vectors were found damaged.
    pub(crate) async fn mend(&self, deed: Deed) -> Result<u64, StoreError> {
        let damaged = self.segments.take_damaged();
        if damaged.is_empty() {
            return Ok(0);
        }
        let at = deed.at;
        Ok(self.db.audited(deed, move |tx| Box::pin(mend(tx, damaged, at))).await?)
    }
}
