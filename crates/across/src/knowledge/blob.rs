//! The port to where files' bytes are kept. Keys are file ids that we made; no name from outside touches the file system.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::{fault::BlobError, id::FileId};

/// A blob being written. Dropping it without [`NewBlob::keep`] leaves nothing behind.
#[async_trait]
pub trait NewBlob: Send {
    /// Appends bytes.
    async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError>;

    /// Where the bytes stand on this machine while they are being written; complete after [`NewBlob::flush`].
    fn path(&self) -> &Path;

    /// Makes everything written so far readable at [`NewBlob::path`].
    async fn flush(&mut self) -> Result<(), BlobError>;

    /// Makes the blob durable under its key: synced, renamed, directory synced.
    async fn keep(self: Box<Self>, key: FileId) -> Result<(), BlobError>;
}

/// Keeps files' bytes.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Begins a new blob.
    ///
    /// # Errors
    /// [`BlobError::Full`] when the disk has less than 64 MiB or 1 % left.
    async fn create(&self) -> Result<Box<dyn NewBlob>, BlobError>;

    /// A path on this machine at which the blob can be read.
    async fn local_path(&self, key: FileId) -> Result<PathBuf, BlobError>;

    /// The blob's bytes in order.
    async fn read(&self, key: FileId) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError>;

    /// Removes the blob; an absent one is fine.
    async fn remove(&self, key: FileId) -> Result<(), BlobError>;

    /// Removes blobs older than an hour that no id in `known` names, and left-over temporary files; returns how many.
    /// A crash between keeping a blob and recording its file leaves such an orphan.
    async fn sweep(&self, known: &[FileId]) -> Result<u64, BlobError>;

    /// Whether there is room for new files.
    async fn has_room(&self) -> bool;
}
