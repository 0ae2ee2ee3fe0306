//! Files' bytes on disk.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{Duration, SystemTime},
};

use across::{fault::BlobError, id::FileId, knowledge::blob::Blobs as _};
use across_store::LocalBlobs;
use bytes::Bytes;
use futures::TryStreamExt as _;

async fn keep(blobs: &LocalBlobs, key: FileId, content: &[u8]) {
    let mut new = blobs.create().await.unwrap();
    for part in content.chunks(1_000) {
        new.write(Bytes::copy_from_slice(part)).await.unwrap();
    }
    new.keep(key).await.unwrap();
}

fn count(dir: &Path, name: &str) -> usize {
    fs::read_dir(dir.join(name)).unwrap().count()
}

#[expect(clippy::disallowed_methods, reason = "files' ages are by the machine's clock")]
fn make_old(path: &Path) {
    File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_modified(SystemTime::now() - Duration::from_secs(7_200))
        .unwrap();
}

#[tokio::test]
async fn bytes_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = LocalBlobs::open(dir.path()).unwrap();
    let (key, content) = (FileId::new(), vec![7u8; 300_001]);
    keep(&blobs, key, &content).await;
    let parts: Vec<Bytes> = blobs.read(key).await.unwrap().try_collect().await.unwrap();
    assert_eq!(parts.concat(), content);
    let path = blobs.local_path(key).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), content);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (
            mode(&path),
            mode(&dir.path().join("files")),
            mode(&dir.path().join("tmp"))
        ),
        (0o600, 0o700, 0o700)
    );
    assert_eq!(count(dir.path(), "tmp"), 0);
    assert!(blobs.has_room().await);

    blobs.remove(key).await.unwrap();
    blobs.remove(key).await.unwrap();
    assert!(matches!(blobs.local_path(key).await, Err(BlobError::Missing)));
    assert!(matches!(blobs.read(key).await.err(), Some(BlobError::Missing)));
    assert_eq!(count(dir.path(), "files"), 0);
}

#[tokio::test]
async fn what_arrives_can_be_read_and_is_gone_if_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = LocalBlobs::open(dir.path()).unwrap();
    let mut new = blobs.create().await.unwrap();
    new.write(Bytes::from_static(b"half a file")).await.unwrap();
    new.flush().await.unwrap();
    assert_eq!(fs::read(new.path()).unwrap(), b"half a file");
    drop(new);
    assert_eq!((count(dir.path(), "tmp"), count(dir.path(), "files")), (0, 0));
}

#[tokio::test]
async fn only_old_orphans_are_swept() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = LocalBlobs::open(dir.path()).unwrap();
    let (known, orphan, young) = (FileId::new(), FileId::new(), FileId::new());
    for key in [known, orphan, young] {
        keep(&blobs, key, b"x").await;
    }
    for key in [known, orphan] {
        make_old(&blobs.local_path(key).await.unwrap());
    }
    let left = dir.path().join("tmp").join(FileId::new().to_string());
    fs::write(&left, b"left by a crash").unwrap();
    make_old(&left);
    let strange = dir.path().join("files/notes.txt");
    fs::write(&strange, b"not ours").unwrap();
    make_old(&strange);
    let arriving = blobs.create().await.unwrap();

    assert_eq!(blobs.sweep(&[known]).await.unwrap(), 2);
    assert!(blobs.local_path(known).await.is_ok() && blobs.local_path(young).await.is_ok());
    assert!(matches!(blobs.local_path(orphan).await, Err(BlobError::Missing)));
    assert!(!left.exists() && strange.exists() && arriving.path().exists());
    assert_eq!(blobs.sweep(&[known]).await.unwrap(), 0);
}
