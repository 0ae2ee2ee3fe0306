//! What kinds of background work there are. Their JSON is stored: changing it is a migration.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{EmbeddingChangeId, FileId};

/// One unit of background work; every kind is safe to repeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Job {
    /// Makes a file's text searchable: extract, chunk, embed, publish one generation of its chunks.
    Ingest {
        /// The file.
        #[serde(with = "file_id")]
        file: FileId,
        /// Which generation of its chunks is being made.
        generation: i64,
    },
    /// Removes what is left of a deleted file: chunks, text, blob, row.
    PurgeFile {
        /// The file.
        #[serde(with = "file_id")]
        file: FileId,
    },
    /// Embeds every chunk anew for a change of the embedding model, and switches when none is missing.
    ChangeEmbedding {
        /// The change.
        #[serde(with = "change_id")]
        change: EmbeddingChangeId,
    },
    /// Removes the vectors that a change of the embedding model left behind.
    DropVectors,
}

/// Times a job is tried before it is given up.
pub const MAX_ATTEMPTS: i32 = 5;
/// How long a claimed job stays claimed without a heartbeat.
pub const LEASE: Duration = Duration::from_secs(60);
/// How often a running job says that it is alive.
pub const HEARTBEAT: Duration = Duration::from_secs(20);

/// How long to wait before attempt number `attempt` + 1: 2 s, 8 s, 32 s, 128 s.
#[must_use]
pub fn back_off(attempt: i32) -> Duration {
    Duration::from_secs(2 * 4u64.pow(attempt.clamp(1, 5).unsigned_abs() - 1))
}

mod file_id {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use uuid::Uuid;

    use crate::id::FileId;

    pub(super) fn serialize<S: Serializer>(id: &FileId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FileId, D::Error> {
        Uuid::deserialize(deserializer).map(FileId::from)
    }
}

mod change_id {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use uuid::Uuid;

    use crate::id::EmbeddingChangeId;

    pub(super) fn serialize<S: Serializer>(id: &EmbeddingChangeId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<EmbeddingChangeId, D::Error> {
        Uuid::deserialize(deserializer).map(EmbeddingChangeId::from)
    }
}
