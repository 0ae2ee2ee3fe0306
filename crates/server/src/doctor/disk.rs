//! What the doctor looks at on the disk: who may read what, whether there is room, and whether files' bytes are there.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use across::{id::FileId, platform::StoredFile};
use across_store::ORPHAN_AGE;
use sha2::{Digest as _, Sha256};

use crate::config::{Config, Database, FILE_NAME, SECRET_FILE_NAME};

/// What others than the owner may do, in a file's mode.
const OTHERS: u32 = 0o077;
/// Bytes that are written to see whether writing works.
const TRIAL: [u8; 4096] = [0; 4096];

/// What we keep in the data directory, and the database if it is a file.
fn ours(config: &Config) -> Vec<PathBuf> {
    let inside = ["lock", SECRET_FILE_NAME, FILE_NAME, "files", "tmp", "snapshots"];
    let mut paths: Vec<PathBuf> = inside.iter().map(|name| config.data_dir.join(name)).collect();
    paths.insert(0, config.data_dir.clone());
    if let Database::File(path) = config.database() {
        for suffix in ["", "-wal", "-shm"] {
            let mut companion = path.clone().into_os_string();
            companion.push(suffix);
            paths.push(companion.into());
        }
    }
    paths
}

/// What others than the owner may use, each with its mode.
///
/// # Errors
/// The system's, if something cannot be looked at.
pub(super) fn open_to_others(config: &Config) -> io::Result<Vec<String>> {
    let mut open = Vec::new();
    let mut left = ours(config);
    while let Some(path) = left.pop() {
        let found = match fs::symlink_metadata(&path) {
            Ok(found) => found,
            // Not everything is there always, and a file may go while this looks.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let mode = found.permissions().mode() & 0o777;
        if mode & OTHERS != 0 && !found.is_symlink() {
            open.push(format!("{} has mode {mode:o}", path.display()));
        }
        if found.is_dir() && path != config.data_dir {
            for entry in fs::read_dir(&path)? {
                left.push(entry?.path());
            }
        }
    }
    open.sort();
    Ok(open)
}

/// Writes where files arrive, durably, and leaves nothing.
///
/// # Errors
/// The system's.
pub(super) fn try_writing(directory: &Path) -> io::Result<()> {
    // A file without a name is gone with its handle, whatever happens.
    let mut file = tempfile::tempfile_in(directory)?;
    file.write_all(&TRIAL)?;
    file.sync_all()
}

/// What is wrong with the bytes of the files in these rows, and which bytes belong to none; with `every_byte` their
/// content is looked at too.
///
/// # Errors
/// The system's, if something cannot be read.
pub(super) fn wrong_bytes(
    directory: &Path,
    rows: &[StoredFile],
    every_byte: bool,
) -> io::Result<HashMap<FileId, &'static str>> {
    let mut wrong = HashMap::new();
    for row in rows.iter().filter(|row| row.is_needed) {
        let path = directory.join(row.id.to_string());
        let problem = match fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Some("are gone"),
            Err(error) => return Err(error),
            Ok(found) if found.len() != row.size => Some("have another length than recorded"),
            Ok(_) if every_byte && sha256(&path)? != row.sha256 => Some("are not the ones that were uploaded"),
            Ok(_) => None,
        };
        wrong.extend(problem.map(|problem| (row.id, problem)));
    }
    let known: HashSet<FileId> = rows.iter().map(|row| row.id).collect();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // Files' ages are by the machine's clock, so they are compared with it; one from the future is young.
        let age = entry
            .metadata()
            .and_then(|found| found.modified())
            .map(|at| at.elapsed().unwrap_or_default());
        if !known.contains(&id) && age.is_ok_and(|age| age >= ORPHAN_AGE) {
            wrong.insert(id, "belong to no file");
        }
    }
    Ok(wrong)
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
