//! Files' bytes on disk: written under a temporary name, synced, renamed, and their directory synced. Keys are our own
//! ids, so no name from outside touches the file system.

use std::{
    collections::HashSet,
    fs,
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use across::{
    fault::BlobError,
    id::FileId,
    knowledge::blob::{Blobs, NewBlob},
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream::BoxStream};
use tokio::io::AsyncWriteExt as _;
use tokio_util::io::ReaderStream;

/// New files are refused when less than this is left on the disk, in bytes…
const RESERVE: u64 = 64 * 1024 * 1024;
/// …or less than this part of it.
const RESERVE_PART: u64 = 100;
/// What is younger may still be on its way into the database.
pub const ORPHAN_AGE: Duration = Duration::from_secs(60 * 60);
/// Bytes that are read at a time.
const READ: usize = 64 * 1024;

/// Blobs in a directory of this machine.
#[derive(Debug, Clone)]
pub struct LocalBlobs {
    files: Arc<Path>,
    tmp: Arc<Path>,
}

impl LocalBlobs {
    /// Keeps blobs below the data directory `dir`, in `files/` and, while they arrive, in `tmp/`; both are made if absent
    /// and readable by nobody else.
    ///
    /// # Errors
    /// [`BlobError::Io`] if they cannot be made or belong to somebody else.
    pub fn open(dir: &Path) -> Result<Self, BlobError> {
        let private = |name: &str| -> io::Result<Arc<Path>> {
            let path = dir.join(name);
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
            Ok(path.into())
        };
        Ok(Self {
            files: private("files")?,
            tmp: private("tmp")?,
        })
    }

    fn path(&self, key: FileId) -> PathBuf {
        self.files.join(key.to_string())
    }
}

fn blob_error(error: io::Error) -> BlobError {
    match error.kind() {
        ErrorKind::NotFound => BlobError::Missing,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => BlobError::Full,
        _ => BlobError::Io(error),
    }
}

/// Runs file-system calls that block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, BlobError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
        .map_err(blob_error)
}

/// Whether the disk below `path` has more than its reserve left: 64 MiB and 1 % of it.
///
/// # Errors
/// The system's, if it does not say.
pub fn room_at(path: &Path) -> io::Result<bool> {
    let disk = rustix::fs::statvfs(path)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let whole = disk.f_blocks.saturating_mul(disk.f_frsize);
    Ok(free >= RESERVE && free >= whole / RESERVE_PART)
}

/// Makes the entries of a directory durable.
fn sync_dir(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

/// A blob in `tmp/`; removed when dropped, unless it was kept.
struct Arriving {
    file: tokio::fs::File,
    path: PathBuf,
    files: Arc<Path>,
    kept: bool,
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "a temporary file was left behind");
        }
    }
}

#[async_trait]
impl NewBlob for Arriving {
    async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        self.file.write_all(&bytes).await.map_err(blob_error)
    }

    fn path(&self) -> &Path {
        &self.path
    }

    async fn flush(&mut self) -> Result<(), BlobError> {
        self.file.flush().await.map_err(blob_error)
    }

    async fn keep(mut self: Box<Self>, key: FileId) -> Result<(), BlobError> {
        self.flush().await?;
        self.file.sync_all().await.map_err(blob_error)?;
        let (from, to, files) = (
            self.path.clone(),
            self.files.join(key.to_string()),
            Arc::clone(&self.files),
        );
        blocking(move || {
            fs::rename(from, to)?;
            sync_dir(&files)
        })
        .await?;
        self.kept = true;
        Ok(())
    }
}

#[async_trait]
impl Blobs for LocalBlobs {
    async fn create(&self) -> Result<Box<dyn NewBlob>, BlobError> {
        let path = self.tmp.join(FileId::new().to_string());
        let (target, tmp) = (path.clone(), Arc::clone(&self.tmp));
        let file = blocking(move || {
            use std::os::unix::fs::OpenOptionsExt as _;
            if !room_at(&tmp)? {
                return Err(ErrorKind::StorageFull.into());
            }
            fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(target)
        })
        .await?;
        Ok(Box::new(Arriving {
            file: tokio::fs::File::from_std(file),
            path,
            files: Arc::clone(&self.files),
            kept: false,
        }))
    }

    async fn local_path(&self, key: FileId) -> Result<PathBuf, BlobError> {
        let path = self.path(key);
        let there = path.clone();
        blocking(move || fs::metadata(there)).await?;
        Ok(path)
    }

    async fn read(&self, key: FileId) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError> {
        let file = tokio::fs::File::open(self.path(key)).await.map_err(blob_error)?;
        Ok(ReaderStream::with_capacity(file, READ)
            .map(|read| read.map_err(blob_error))
            .boxed())
    }

    async fn remove(&self, key: FileId) -> Result<(), BlobError> {
        let path = self.path(key);
        let files = Arc::clone(&self.files);
        blocking(move || match fs::remove_file(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => sync_dir(&files),
        })
        .await
    }

    async fn sweep(&self, known: &[FileId]) -> Result<u64, BlobError> {
        let known: HashSet<FileId> = known.iter().copied().collect();
        let (files, tmp) = (Arc::clone(&self.files), Arc::clone(&self.tmp));
        blocking(move || {
            let orphans = remove_old(&files, |name| name.parse().is_ok_and(|id| !known.contains(&id)))?;
            Ok(orphans + remove_old(&tmp, |_| true)?)
        })
        .await
    }

    async fn has_room(&self) -> bool {
        let files = Arc::clone(&self.files);
        blocking(move || room_at(&files)).await.unwrap_or(false)
    }
}

/// Removes files of a directory that are older than [`ORPHAN_AGE`] and whose name `is_orphan` accepts. What was not put
/// there by us has another kind of name and stays.
fn remove_old(directory: &Path, is_orphan: impl Fn(&str) -> bool) -> io::Result<u64> {
    let mut removed = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let wanted = name
            .to_str()
            .is_some_and(|name| name.parse::<FileId>().is_ok() && is_orphan(name));
        // Files' ages are by the machine's clock, so they are compared with it; one from the future is young.
        let age = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .map(|at| at.elapsed().unwrap_or_default());
        if !wanted || !age.is_ok_and(|age| age >= ORPHAN_AGE) {
            continue;
        }
        match fs::remove_file(entry.path()) {
            Ok(()) => removed += 1,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}
