//! Files that assistants know: accepted, extracted, chunked, embedded, found again, deleted.

pub mod blob;
pub mod chunk;
pub mod embedding;
pub mod extractor;
pub mod file;
pub mod fill;
pub mod ingest;
pub mod reembed;
pub mod upload;
