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
/// another row does not open there.
pub struct Vault(Fernet);

impl Vault {
    /// A vault under the given master key; `None` never happens with a 32-byte derived key.
    #[must_use]
    pub fn new(key: &MasterKey) -> Option<Self> {
        Fernet::new(&URL_SAFE.encode(key.derive("ai-across vault v1"))).map(Self)
    }

    /// Seals `plain` for the thing called `name`.
    #[must_use]
    pub fn seal(&self, name: &str, plain: &[u8]) -> String {
        let mut payload = Vec::with_capacity(name.len() + 1 + plain.len());
        payload.extend_from_slice(name.as_bytes());
        payload.push(0);
        payload.extend_from_slice(plain);
        self.0.encrypt(&payload)
    }

    /// Opens what was sealed for the thing called `name`.
    ///
    /// # Errors
    /// [`Unsealable`] if the key is another, the data was changed, or it was sealed for something else.
    pub fn open(&self, name: &str, sealed: &str) -> Result<Vec<u8>, Unsealable> {
        let payload = self.0.decrypt(sealed).map_err(|_| Unsealable)?;
        let plain = payload
            .strip_prefix(name.as_bytes())
            .and_then(|rest| rest.strip_prefix(&[0]));
        plain.map(<[u8]>::to_vec).ok_or(Unsealable)
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

    fn vault(fill: u8) -> Vault {
        Vault::new(&MasterKey::new(&[fill; 32]).unwrap()).unwrap()
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
