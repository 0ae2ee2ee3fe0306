//! A released migration never changes: its hash stands in `crates/store/migrations.lock`.

use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::Violation;
use crate::stamp::hex;

const LOCK: &str = "crates/store/migrations.lock";
const FOLDER: &str = "crates/store/src/migration";

/// Compares every file that the lock lists; without a lock nothing was released yet.
///
/// # Errors
/// When the lock or a migration cannot be read.
pub fn check(root: &Path) -> Result<Vec<Violation>> {
    let lock = match std::fs::read_to_string(root.join(LOCK)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {LOCK}")),
    };
    let mut violations = Vec::new();
    for (number, line) in lock.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut tell = |message: String| violations.push(Violation::new(LOCK, number + 1, message));
        let Some((hash, name)) = line.split_once(char::is_whitespace) else {
            tell("a line is `sha256  filename`: write it so".to_owned());
            continue;
        };
        let name = name.trim();
        match std::fs::read(root.join(FOLDER).join(name)) {
            Ok(bytes) if hex(&Sha256::digest(&bytes)) == hash.to_lowercase() => {}
            Ok(_) => tell(format!(
                "{FOLDER}/{name} is released and was changed: restore it and add a new migration"
            )),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                tell(format!("{FOLDER}/{name} is released and is missing: restore it"));
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read {FOLDER}/{name}")),
        }
    }
    Ok(violations)
}

#[cfg(test)]
mod tests {
    use super::{FOLDER, LOCK, check};

    fn lines(lock: Option<&str>) -> Vec<usize> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join(FOLDER)).unwrap();
        std::fs::write(folder.path().join(FOLDER).join("a.rs"), "abc").unwrap();
        if let Some(lock) = lock {
            std::fs::write(folder.path().join(LOCK), lock).unwrap();
        }
        check(folder.path())
            .unwrap()
            .into_iter()
            .map(|violation| violation.line)
            .collect()
    }

    #[test]
    fn a_released_migration_is_as_it_was() {
        let good = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a.rs\n";
        assert!(lines(None).is_empty());
        assert!(lines(Some(good)).is_empty());
        assert_eq!(lines(Some(&good.replace("ba78", "ba79"))), [1]);
        assert_eq!(
            lines(Some(&format!("# released\n{}", good.replace("a.rs", "gone.rs")))),
            [2]
        );
        assert_eq!(lines(Some("nonsense")), [1]);
    }
}
