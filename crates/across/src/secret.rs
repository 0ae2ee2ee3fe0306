//! Secrets: text that is never printed, keys derived from the one configured secret, and encryption at rest.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use fernet::Fernet;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Sha256, Sha384};

/// Text that must not appear in logs, errors or answers.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes charge of `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; every call is a place to look at when a secret leaks.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The configured secret key (at least 32 bytes) from which every other key is derived.
#[derive(Clone)]
pub struct MasterKey(Vec<u8>);

impl MasterKey {
    /// The fewest bytes that are accepted.
    pub const MIN_BYTES: usize = 32;

    /// Takes the configured secret; `None` if it is too short to be one.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= Self::MIN_BYTES).then(|| Self(bytes.to_vec()))
    }

    /// A 32-byte key for one purpose: HMAC-SHA-256 of the purpose under the master key.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut out = [0; 32];
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) {
            mac.update(purpose.as_bytes());
            out.copy_from_slice(&mac.finalize().into_bytes());
        }
        out
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// What could not be unsealed: another key sealed it, or it was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sealed data does not open with this secret key")]
pub struct Unsealable;

/// Authenticated encryption at rest: Fernet, with the name of the thing sealed inside, so that a sealed value copied to
/// another row does not open there. What is sealed begins with the id of the key that sealed it, so that the installation's
/// key can be changed.
pub struct Vault {
    current: Sealer,
    earlier: Vec<Sealer>,
    fingerprints: [u8; 32],
}

struct Sealer {
    /// `k` and eight hexadecimal digits; says nothing about the key itself.
    id: String,
    fernet: Fernet,
}

impl Sealer {
    fn new(key: &MasterKey) -> Option<Self> {
        let id = key.derive("ai-across vault key id v1");
        let id: String = id.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        Some(Self {
            id: format!("k{id}"),
            fernet: Fernet::new(&URL_SAFE.encode(key.derive("ai-across vault v1")))?,
        })
    }
}

/// The key's id and what follows it, of something sealed; things from before keys had ids have none.
fn parts(sealed: &str) -> (Option<&str>, &str) {
    match sealed.split_once(':') {
        Some((id, token)) => (Some(id), token),
        None => (None, sealed),
    }
}

impl Vault {
    /// A vault that seals under `current` and also opens what was sealed under the `earlier` master keys; `None` never
    /// happens with 32-byte derived keys.
    #[must_use]
    pub fn new(current: &MasterKey, earlier: &[MasterKey]) -> Option<Self> {
        Some(Self {
            current: Sealer::new(current)?,
            earlier: earlier.iter().map(Sealer::new).collect::<Option<_>>()?,
            fingerprints: current.derive("ai-across fingerprint v1"),
        })
    }

    /// Seals `plain` for the thing called `name`.
    #[must_use]
    pub fn seal(&self, name: &str, plain: &[u8]) -> String {
        let mut payload = Vec::with_capacity(name.len() + 1 + plain.len());
        payload.extend_from_slice(name.as_bytes());
        payload.push(0);
        payload.extend_from_slice(plain);
        format!("{}:{}", self.current.id, self.current.fernet.encrypt(&payload))
    }

    /// Opens what was sealed for the thing called `name`.
    ///
    /// # Errors
    /// [`Unsealable`] if none of the keys sealed it, the data was changed, or it was sealed for something else.
    pub fn open(&self, name: &str, sealed: &str) -> Result<Vec<u8>, Unsealable> {
        let (id, token) = parts(sealed);
        let payload = std::iter::once(&self.current)
            .chain(&self.earlier)
            .filter(|sealer| id.is_none_or(|id| id == sealer.id))
            .find_map(|sealer| sealer.fernet.decrypt(token).ok())
            .ok_or(Unsealable)?;
        let plain = payload
            .strip_prefix(name.as_bytes())
            .and_then(|rest| rest.strip_prefix(&[0]));
        plain.map(<[u8]>::to_vec).ok_or(Unsealable)
    }

    /// Whether this was sealed under the current key, as far as it says.
    #[must_use]
    pub fn is_current(&self, sealed: &str) -> bool {
        parts(sealed).0 == Some(self.current.id.as_str())
    }

    /// A keyed hash, for telling equal data from different data without keeping it: whoever reads it learns nothing about
    /// data that could be guessed, such as a password.
    #[must_use]
    pub fn fingerprint(&self, data: &[u8]) -> [u8; 32] {
        let mut out = [0; 32];
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.fingerprints) {
            mac.update(data);
            out.copy_from_slice(&mac.finalize().into_bytes());
        }
        out
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(…)")
    }
}

/// So many bytes nobody can guess.
#[must_use]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    std::array::from_fn(|_| rand::random())
}

/// HMAC-SHA-384 of `data` under `key` (48 bytes).
#[must_use]
pub fn hmac_sha384(key: &[u8], data: &[u8]) -> [u8; 48] {
    let mut out = [0; 48];
    if let Ok(mut mac) = Hmac::<Sha384>::new_from_slice(key) {
        mac.update(data);
        out.copy_from_slice(&mac.finalize().into_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(fill: u8) -> MasterKey {
        MasterKey::new(&[fill; 32]).unwrap()
    }

    fn vault(fill: u8) -> Vault {
        Vault::new(&key(fill), &[]).unwrap()
    }

    #[test]
    fn s47_what_an_earlier_key_sealed_opens_until_it_is_forgotten() {
        let old = vault(1).seal("pepper", b"hot");
        let both = Vault::new(&key(2), &[key(1)]).unwrap();
        assert_eq!(both.open("pepper", &old), Ok(b"hot".to_vec()));
        assert!(!both.is_current(&old));
        let new = both.seal("pepper", b"hot");
        assert!(both.is_current(&new));
        assert_eq!(vault(2).open("pepper", &new), Ok(b"hot".to_vec()));
        assert_eq!(vault(2).open("pepper", &old), Err(Unsealable));
        // Sealed before keys had ids.
        let bare = old.split_once(':').unwrap().1;
        assert_eq!(both.open("pepper", bare), Ok(b"hot".to_vec()));
        assert!(!vault(1).is_current(bare));
    }

    #[test]
    fn fingerprints_differ_by_data_and_by_key() {
        assert_eq!(vault(1).fingerprint(b"a"), vault(1).fingerprint(b"a"));
        assert_ne!(vault(1).fingerprint(b"a"), vault(1).fingerprint(b"b"));
        assert_ne!(vault(1).fingerprint(b"a"), vault(2).fingerprint(b"a"));
    }

    #[test]
    fn sealed_values_open_only_in_their_place_and_with_their_key() {
        let sealed = vault(1).seal("pepper", b"hot");
        assert_eq!(vault(1).open("pepper", &sealed), Ok(b"hot".to_vec()));
        assert_eq!(vault(1).open("other", &sealed), Err(Unsealable));
        assert_eq!(vault(2).open("pepper", &sealed), Err(Unsealable));
        assert!(!sealed.contains("hot"));
    }

    #[test]
    fn short_secrets_are_no_master_keys() {
        assert!(MasterKey::new(&[7; 31]).is_none());
    }

    #[test]
    fn secrets_are_not_printed() {
        assert!(!format!("{:?}", Secret::new("hunter2")).contains("hunter2"));
    }
}
