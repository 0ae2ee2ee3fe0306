//! The data directory: private to this user, held by one process, and copied before a migration changes it.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use across::id::InstallationId;
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    config::{FILE_NAME, SECRET_FILE_NAME},
    failure::Failure,
};

/// Files that we keep there under names of our own; a directory with any of these is ours.
const OURS: [&str; 4] = ["lock", SECRET_FILE_NAME, FILE_NAME, "ai-across.db"];

/// The name of the file that holds the name of the installation.
const INSTALLATION_FILE_NAME: &str = "installation";

/// The data directory, held by this process for as long as this value lives.
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the directory if it is absent, keeps others out, and takes its lock.
    ///
    /// # Errors
    /// [`Failure::Refused`] if another process holds it, or it is somebody else's; [`Failure::Working`] if it cannot be
    /// used.
    pub fn hold(path: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| {
            let path = path.display();
            Failure::Working(format!(
                "the data directory {path} cannot be used: {error}. Make sure that it belongs to this user, or choose \
                 another with --data-dir."
            ))
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed)?;
        if fs::metadata(path).map_err(failed)?.permissions().mode() & 0o077 != 0 {
            if !is_ours(path).map_err(failed)? {
                return Err(Failure::Refused(format!(
                    "{} holds other things than AI-Across's data, and others may read it. Choose an empty directory \
                     with --data-dir.",
                    path.display()
                )));
            }
            fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(failed)?;
        }
        let lock_path = path.join("lock");
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path);
        let lock = lock.map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(Failure::Refused(format!(
                "another AI-Across uses this data directory (it holds {}). Stop it first, or choose another directory \
                 with --data-dir.",
                lock_path.display()
            ))),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which installation this is: made once, and the same for whatever process holds the directory after this one.
    ///
    /// # Errors
    /// [`Failure::Working`] if it can neither be read nor written.
    pub fn installation(&self) -> Result<InstallationId, Failure> {
        let path = self.path.join(INSTALLATION_FILE_NAME);
        let find = || {
            match fs::read_to_string(&path) {
                Ok(text) => {
                    // One that cannot be read is replaced: nothing but the end of dead answers depends on it.
                    if let Ok(known) = text.trim().parse() {
                        return Ok(known);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            let made = InstallationId::new();
            let mut file = tempfile::NamedTempFile::new_in(&self.path)?;
            writeln!(file, "{made}")?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            File::open(&self.path)?.sync_all()?;
            Ok(made)
        };
        find().map_err(|error: io::Error| Failure::Working(format!("{} cannot be used: {error}", path.display())))
    }

    /// The secret key kept here, if one is.
    ///
    /// # Errors
    /// [`Failure::Working`] if it cannot be read.
    pub fn secret_key(&self) -> Result<Option<String>, Failure> {
        let path = self.path.join(SECRET_FILE_NAME);
        let read = fs::read_to_string(&path).and_then(|text| {
            fs::set_permissions(&path, Permissions::from_mode(0o600))?;
            Ok(text.trim().to_owned())
        });
        match read {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::Working(format!("{} cannot be read: {error}", path.display()))),
        }
    }

    /// Makes a secret key and keeps it here, durable before it is used.
    ///
    /// # Errors
    /// [`Failure::Working`] if it cannot be written.
    pub fn make_secret_key(&self) -> Result<String, Failure> {
        let key = STANDARD.encode(rand::random::<[u8; 32]>());
        let path = self.path.join(SECRET_FILE_NAME);
        let write = || {
            // Made beside its place with mode 0600, so that a crash leaves no half key.
            let mut file = tempfile::NamedTempFile::new_in(&self.path)?;
            writeln!(file, "{key}")?;
            file.as_file().sync_all()?;
            file.persist_noclobber(&path)?;
            File::open(&self.path)?.sync_all()
        };
        write()
            .map_err(|error: io::Error| Failure::Working(format!("{} cannot be written: {error}", path.display())))?;
        tracing::info!(path = %path.display(), "made the secret key; keep a copy of it with your backups");
        Ok(key)
    }

    /// Copies a database file that nobody is writing, with its log, to `snapshots/NAME`; returns where that is.
    ///
    /// # Errors
    /// [`Failure::Working`] if there is no room, for example; nothing is left behind then.
    pub fn snapshot(&self, database: &Path, name: &str) -> Result<PathBuf, Failure> {
        let target = self.path.join("snapshots").join(name);
        let write = || {
            let parent = self.path.join("snapshots");
            DirBuilder::new().recursive(true).mode(0o700).create(&parent)?;
            let partial = tempfile::tempdir_in(&parent)?;
            for source in [database.to_owned(), with_suffix(database, "-wal")] {
                let Some(file_name) = source.file_name() else { continue };
                let copy = partial.path().join(file_name);
                match fs::copy(&source, &copy) {
                    Ok(_) => File::open(&copy)?.sync_all()?,
                    Err(error) if error.kind() == io::ErrorKind::NotFound && source != database => {}
                    Err(error) => return Err(error),
                }
            }
            fs::rename(partial.keep(), &target)?;
            File::open(&parent)?.sync_all()
        };
        write().map_err(|error: io::Error| {
            Failure::Working(format!(
                "the database must be migrated, and the copy of it in {} that is made before cannot be written: {error}. \
                 Nothing was changed.",
                target.display()
            ))
        })?;
        Ok(target)
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Whether the directory is empty but for what a new file system has and our own output, or holds something that we keep.
fn is_ours(path: &Path) -> io::Result<bool> {
    let names: Vec<OsString> = fs::read_dir(path)?
        .map(|entry| entry.map(|it| it.file_name()))
        .collect::<Result<_, _>>()?;
    let all_new = names
        .iter()
        .all(|name| name == "lost+found" || Path::new(name).extension().is_some_and(|it| it == "log"));
    Ok(all_new || OURS.iter().any(|ours| path.join(ours).is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn one_process_holds_it_and_nobody_else_reads_it() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let held = DataDir::hold(&path).unwrap();
        assert_eq!((mode(&path), mode(&path.join("lock"))), (0o700, 0o600));
        let refused = DataDir::hold(&path).err().unwrap();
        assert!(
            matches!(&refused, Failure::Refused(text) if text.contains("lock")),
            "{refused}"
        );
        drop(held);
        assert!(DataDir::hold(&path).is_ok());
    }

    #[test]
    fn the_key_is_made_once_and_private() {
        let parent = tempfile::tempdir().unwrap();
        let held = DataDir::hold(parent.path()).unwrap();
        assert_eq!(held.secret_key().unwrap(), None);
        let key = held.make_secret_key().unwrap();
        assert_eq!(held.secret_key().unwrap().as_ref(), Some(&key));
        assert_eq!(mode(&parent.path().join(SECRET_FILE_NAME)), 0o600);
        assert!(held.make_secret_key().is_err());
        assert_eq!(held.secret_key().unwrap(), Some(key));
    }

    #[test]
    fn the_installation_keeps_its_name() {
        let parent = tempfile::tempdir().unwrap();
        let held = DataDir::hold(parent.path()).unwrap();
        let name = held.installation().unwrap();
        drop(held);
        let held = DataDir::hold(parent.path()).unwrap();
        assert_eq!(held.installation().unwrap(), name);
        let path = parent.path().join(INSTALLATION_FILE_NAME);
        assert_eq!(mode(&path), 0o600);
        fs::write(&path, "spoilt").unwrap();
        let renamed = held.installation().unwrap();
        assert_ne!(renamed, name);
        assert_eq!(held.installation().unwrap(), renamed);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(DataDir::hold(other.path()).unwrap().installation().unwrap(), renamed);
    }

    #[test]
    fn open_directories_of_others_are_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), Permissions::from_mode(0o755)).unwrap();
        fs::write(parent.path().join("thesis.tex"), "").unwrap();
        assert!(matches!(DataDir::hold(parent.path()).err(), Some(Failure::Refused(_))));
        assert_eq!(mode(parent.path()), 0o755);
        fs::write(parent.path().join(FILE_NAME), "").unwrap();
        assert!(DataDir::hold(parent.path()).is_ok());
        assert_eq!(mode(parent.path()), 0o700);
    }

    #[test]
    fn a_snapshot_is_whole_or_absent() {
        let parent = tempfile::tempdir().unwrap();
        let held = DataDir::hold(parent.path()).unwrap();
        let database = parent.path().join("ai-across.db");
        assert!(held.snapshot(&database, "gone").is_err());
        fs::write(&database, "data").unwrap();
        fs::write(with_suffix(&database, "-wal"), "log").unwrap();
        let target = held.snapshot(&database, "before").unwrap();
        assert_eq!(fs::read(target.join("ai-across.db")).unwrap(), b"data");
        assert_eq!(fs::read(target.join("ai-across.db-wal")).unwrap(), b"log");
        assert_eq!(fs::read_dir(parent.path().join("snapshots")).unwrap().count(), 1);
    }
}
