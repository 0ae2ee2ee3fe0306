//! Vector stores outside: PostgreSQL with pgvector, Chroma, Qdrant.
//!
//! Each keeps a copy of the vectors whose truth are the rows of the database, and no text. It can be lost, emptied or
//! exchanged at any time: it is filled again from the rows without embedding anything again. The embedded store, which is
//! the rows, is exact and serves most installations; one of these is worth its keep beyond a million vectors, or where it
//! runs already.
//!
//! Opening one calls nobody: a server that is down when the program starts is one that is down later.

mod chroma;
mod pgvector;
mod qdrant;
mod rest;

use std::{fmt::Write as _, sync::Arc, time::Duration};

use across::{
    id::{ChunkId, FileId},
    retrieval::vectors::{Collection, Match, VectorError, VectorStore, by_chunk},
    secret::Secret,
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::Url;

/// How long a server may take for one request.
const PATIENCE: Duration = Duration::from_secs(5);
/// Numbers of the vectors in one request, some 8 MB of JSON.
const NUMBERS_PER_REQUEST: usize = 400_000;
/// What a server is asked for at first, in pieces for each chunk that is wanted.
const PIECES: usize = 4;
/// The most that a server is asked for.
const MOST: usize = 40_000;

/// Which store, and where it is.
#[derive(Debug, Clone)]
pub enum Choice {
    /// PostgreSQL with the extension `vector`, 0.5 or newer: `postgres://USER:PASSWORD@HOST/NAME`.
    Pgvector(Secret),
    /// Chroma, interface v2, with the token that it asks for, if any.
    Chroma(Url, Option<Secret>),
    /// Qdrant, 1.10 or newer, with the key that it asks for, if any.
    Qdrant(Url, Option<Secret>),
}

/// The store, without calling it.
///
/// # Errors
/// [`VectorError::Refused`] if the address is none or TLS cannot be set up.
pub fn open(choice: &Choice) -> Result<Arc<dyn VectorStore>, VectorError> {
    Ok(match choice {
        Choice::Pgvector(url) => Arc::new(pgvector::Pgvector::new(url)?),
        Choice::Chroma(url, key) => Arc::new(chroma::Chroma::new(url, key.clone())?),
        Choice::Qdrant(url, key) => Arc::new(qdrant::Qdrant::new(url, key.clone())?),
    })
}

/// What a collection is called on a server: letters, digits and underscores, at most 63, readable, and another one for every
/// space and dimension.
fn name(collection: &Collection) -> String {
    const READABLE: usize = 36;
    let readable = collection.space.chars().take(READABLE);
    let readable: String = readable
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '_'
            }
        })
        .collect();
    let hash = Sha256::digest(format!("{}\n{}", collection.space, collection.dimensions));
    let mut name = format!("ai_across_{readable}_");
    for byte in hash.iter().take(8) {
        // Writing to a text does not fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// How many points of this collection go into one request.
fn batch(collection: &Collection) -> usize {
    (NUMBERS_PER_REQUEST / collection.dimensions.max(1)).clamp(1, 1_000)
}

/// Asks for pieces until they are of enough chunks: a chunk has several, and only its best counts.
struct Asking {
    limit: usize,
    /// How many pieces to ask for now.
    count: usize,
}

impl Asking {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            count: limit.saturating_mul(PIECES).min(MOST),
        }
    }

    /// The matches, if what came is enough; `came` counts what could not be read too.
    fn enough(&mut self, came: usize, pieces: Vec<Match>) -> Option<Vec<Match>> {
        let is_all = came < self.count || self.count >= MOST;
        let matches = by_chunk(pieces, self.limit);
        if is_all || matches.len() >= self.limit {
            return Some(matches);
        }
        self.count = self.count.saturating_mul(PIECES).min(MOST);
        None
    }
}

/// The match in what was stored with a point. Whatever else lies in the collection was not put there by us.
fn match_of(stored: Option<&Value>, cosine: Option<f64>) -> Option<Match> {
    let id = |key: &str| stored?.get(key)?.as_str();
    let found = (|| {
        Some(Match {
            chunk: id("chunk")?.parse::<ChunkId>().ok()?,
            file: id("file")?.parse::<FileId>().ok()?,
            cosine: cosine.filter(|cosine| cosine.is_finite())?.clamp(-1.0, 1.0) as f32,
        })
    })();
    if found.is_none() {
        tracing::warn!("the vector store named a point that is none of ours; it is left out");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_of_one_collection_each() {
        let named = |space: &str, dimensions| {
            name(&Collection {
                space: space.into(),
                dimensions,
            })
        };
        let local = named("sentence-transformers/all-MiniLM-L6-v2 int8:384", 384);
        assert!(
            local.starts_with("ai_across_sentence_transformers_all_minilm_"),
            "{local}"
        );
        assert!(local.len() <= 63 && named(&"ש".repeat(90), 3).len() <= 63);
        assert_ne!(named("a:3", 3), named("a:3", 4));
        assert_ne!(named("a:3", 3), named("a_3", 3));
    }

    #[test]
    fn more_is_asked_for_until_enough_chunks_came() {
        let piece = |chunk: u128| Match {
            chunk: uuid::Uuid::from_u128(chunk).into(),
            file: uuid::Uuid::from_u128(1).into(),
            cosine: 0.5,
        };
        let mut asking = Asking::new(2);
        assert_eq!(asking.count, 8);
        assert_eq!(asking.enough(8, vec![piece(1); 8]), None);
        assert_eq!(asking.count, 32);
        assert_eq!(asking.enough(31, vec![piece(1); 31]).map(|all| all.len()), Some(1));
        assert_eq!(
            Asking::new(2)
                .enough(8, vec![piece(1), piece(2), piece(3)])
                .map(|all| all.len()),
            Some(2)
        );
    }
}
