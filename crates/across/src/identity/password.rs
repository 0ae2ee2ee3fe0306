//! Passwords: the policy, and bcrypt at cost 12 over a peppered pre-hash, off the asynchronous threads.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use tokio::sync::Semaphore;

use crate::secret::{Secret, hmac_sha384};

/// Cost of bcrypt.
pub const COST: u32 = 12;
/// Fewest characters of a new password.
pub const MIN_CHARS: usize = 12;
/// Most characters of a password.
pub const MAX_CHARS: usize = 128;
/// Most bytes of a password.
pub const MAX_BYTES: usize = 512;
/// Hashes that may wait for their turn; more is an attack or an accident, and is refused.
const QUEUE: usize = 32;
/// Says which form of pre-hash stands behind a stored hash, so that a newer form can come later.
const PREFIX: &str = "v1:";

/// The hash of nobody's password, at the same cost, for sign-ins to accounts that do not exist.
const NOBODY: &str = "v1:$2b$12$WApznUPhDubN0oeveSXHp.Rk0rMSUDOFkmpeRLYSZtOQMlwfnuXHS";

/// A stored password: form, cost and salt are inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

/// Why a new password is not accepted; each is a sentence for the person who chose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weak {
    /// Too few characters.
    #[error("Use at least 12 characters. Several words are fine.")]
    Short,
    /// Too many characters or bytes.
    #[error("Use at most 128 characters.")]
    Long,
    /// It holds a NUL character.
    #[error("A password cannot hold a NUL character.")]
    Nul,
    /// Everybody's first guess.
    #[error("This password is among the most common ones. Choose another.")]
    Common,
    /// It is the account's address or name, or the product's.
    #[error("A password cannot be your email, your name or the name of this platform.")]
    Personal,
}

/// Whether `password` may be chosen by the person with this address and name.
///
/// # Errors
/// The first rule it breaks.
pub fn check_policy(password: &str, email: &str, name: &str) -> Result<(), Weak> {
    let chars = password.chars().count();
    let folded = password.trim().to_lowercase();
    if password.contains('\0') {
        Err(Weak::Nul)
    } else if chars < MIN_CHARS {
        Err(Weak::Short)
    } else if chars > MAX_CHARS || password.len() > MAX_BYTES {
        Err(Weak::Long)
    } else if COMMON.lines().any(|common| common == folded) || is_one_character(&folded) {
        Err(Weak::Common)
    } else if [email, name, "ai-across"]
        .iter()
        .any(|taken| folded == taken.trim().to_lowercase())
    {
        Err(Weak::Personal)
    } else {
        Ok(())
    }
}

/// The common passwords of twelve characters and more; shorter ones are refused anyway.
const COMMON: &str = include_str!("common-passwords.txt");

fn is_one_character(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|first| chars.all(|c| c == first))
}

/// Too many people are signing in at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many sign-ins at once")]
pub struct HasherBusy;

/// Hashes and verifies passwords, at most one per processor at a time.
pub struct PasswordHasher {
    pepper: Vec<u8>,
    running: Semaphore,
    waiting: Semaphore,
}

impl PasswordHasher {
    /// A hasher with the installation's pepper, running at most `parallel` hashes at a time.
    #[must_use]
    pub fn new(pepper: Vec<u8>, parallel: usize) -> Self {
        Self {
            pepper,
            running: Semaphore::new(parallel.max(1)),
            waiting: Semaphore::new(parallel.max(1) + QUEUE),
        }
    }

    /// The form in which `password` is stored.
    ///
    /// # Errors
    /// [`HasherBusy`] if too many wait already.
    pub async fn hash(&self, password: &Secret) -> Result<PasswordHash, HasherBusy> {
        let prepared = self.prepare(password);
        let hash = self.run(move || bcrypt::hash(prepared, COST)).await?;
        hash.map(|hash| PasswordHash(format!("{PREFIX}{hash}")))
            .map_err(|_| HasherBusy)
    }

    /// Whether `password` is the one behind `stored`. Without a stored hash the same work is done for nothing, so that
    /// the time does not tell whether an account exists.
    ///
    /// # Errors
    /// [`HasherBusy`] if too many wait already.
    pub async fn verify(&self, password: &Secret, stored: Option<&PasswordHash>) -> Result<bool, HasherBusy> {
        let known = stored.is_some();
        let stored = stored.map_or(NOBODY, |hash| hash.0.as_str());
        let Some(stored) = stored.strip_prefix(PREFIX).map(str::to_owned) else {
            return Ok(false);
        };
        let prepared = self.prepare(password);
        let matches = self.run(move || bcrypt::verify(prepared, &stored)).await?;
        Ok(matches.unwrap_or(false) && known)
    }

    /// bcrypt reads only 72 bytes; the keyed hash makes every byte of the password count and is 64 characters long.
    fn prepare(&self, password: &Secret) -> String {
        STANDARD_NO_PAD.encode(hmac_sha384(&self.pepper, password.expose().as_bytes()))
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, HasherBusy> {
        let _place = self.waiting.try_acquire().map_err(|_| HasherBusy)?;
        let _turn = self.running.acquire().await.map_err(|_| HasherBusy)?;
        tokio::task::spawn_blocking(work).await.map_err(|_| HasherBusy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(password: &str, expected: Result<(), Weak>) {
        assert_eq!(
            check_policy(password, "anna@example.com", "Anna Constantinopoulou"),
            expected,
            "{password:?}"
        );
    }

    #[test]
    fn length_and_the_common_list_are_the_whole_policy() {
        check("correct horse battery", Ok(()));
        check("password1234", Err(Weak::Common));
        check("PassWord1234", Err(Weak::Common));
        check("aaaaaaaaaaaaaaaa", Err(Weak::Common));
        check("elevenchars", Err(Weak::Short));
        check(&"x y".repeat(50), Err(Weak::Long));
        check("anna constantinopoulou", Err(Weak::Personal));
        check("with a \0 inside it", Err(Weak::Nul));
        check("            spaces", Ok(()));
    }

    #[test]
    fn the_hash_of_nobody_costs_what_a_real_one_does() {
        let parts: bcrypt::HashParts = NOBODY.strip_prefix(PREFIX).unwrap().parse().unwrap();
        assert_eq!(parts.get_cost(), COST);
        assert!(!bcrypt::verify("anything", NOBODY.strip_prefix(PREFIX).unwrap()).unwrap());
    }

    #[tokio::test]
    async fn every_byte_counts_and_so_does_the_pepper() {
        let hasher = PasswordHasher::new(vec![1; 32], 2);
        let long = "0123456789".repeat(9);
        let hash = hasher.hash(&Secret::new(format!("{long}a"))).await.unwrap();
        assert!(
            hasher
                .verify(&Secret::new(format!("{long}a")), Some(&hash))
                .await
                .unwrap()
        );
        assert!(
            !hasher
                .verify(&Secret::new(format!("{long}b")), Some(&hash))
                .await
                .unwrap()
        );
        let other = PasswordHasher::new(vec![2; 32], 2);
        assert!(
            !other
                .verify(&Secret::new(format!("{long}a")), Some(&hash))
                .await
                .unwrap()
        );
        assert!(!hasher.verify(&Secret::new("anything"), None).await.unwrap());
    }
}
