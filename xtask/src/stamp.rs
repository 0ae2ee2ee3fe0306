//! Work that is done again only when what goes into it changed.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::console;

/// Does the work unless the stamp says that it was done for exactly these inputs. The stamp lies inside what the work
/// makes, so that whoever removes or rebuilds that by hand removes the stamp with it.
///
/// # Errors
/// When the work fails, an input cannot be read or the stamp cannot be written.
pub fn renew(stamp: &Path, inputs: &[PathBuf], what: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let wanted = fingerprint(inputs)?;
    if std::fs::read_to_string(stamp).is_ok_and(|found| found == wanted) {
        console::say(&format!("{what}: up to date"));
        return Ok(());
    }
    work()?;
    std::fs::write(stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

/// SHA-256 over names and contents; a missing file counts as such, so that its coming is a change.
fn fingerprint(files: &[PathBuf]) -> Result<String> {
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.as_os_str().as_encoded_bytes());
        match std::fs::read(file) {
            Ok(bytes) => {
                hash.update(bytes.len().to_le_bytes());
                hash.update(bytes);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => hash.update("missing"),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
        }
    }
    Ok(hex(&hash.finalize()))
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::renew;

    #[test]
    fn work_is_done_once_for_the_same_inputs_and_again_after_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let (stamp, input) = (folder.path().join("stamp"), folder.path().join("input"));
        let done = Cell::new(0);
        let once = || {
            renew(&stamp, std::slice::from_ref(&input), "test", || {
                done.set(done.get() + 1);
                Ok(())
            })
            .unwrap();
            done.get()
        };
        assert_eq!((once(), once()), (1, 1));
        std::fs::write(&input, "one").unwrap();
        assert_eq!((once(), once()), (2, 2));
        std::fs::write(&input, "two").unwrap();
        assert_eq!((once(), once()), (3, 3));
        std::fs::remove_file(&stamp).unwrap();
        assert_eq!(once(), 4);
    }

    #[test]
    fn failed_work_leaves_no_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let stamp = folder.path().join("stamp");
        assert!(renew(&stamp, &[], "test", || anyhow::bail!("broken")).is_err());
        assert!(!stamp.exists());
    }
}
