//! People with accounts, and what the platform asks of the place that remembers them.

use std::fmt;

use async_trait::async_trait;
use unicode_normalization::UnicodeNormalization as _;

use crate::{actor::Role, clock::Time, fault::StoreError, id::UserId, identity::password::PasswordHash};

/// An e-mail address in its canonical form: trimmed, NFKC, lower-case. Two spellings of one address are one account.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

impl Email {
    /// Reads an address as people write it; `None` if it cannot be one (3–254 characters, one `@` with text on both
    /// sides, no white space or control characters).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let canonical: String = text.trim().nfkc().flat_map(char::to_lowercase).collect();
        let length = canonical.chars().count();
        let (local, domain) = canonical.split_once('@')?;
        let well_formed = (3..=254).contains(&length)
            && !local.is_empty()
            && !domain.is_empty()
            && !domain.contains('@')
            && !canonical.chars().any(|c| c.is_whitespace() || c.is_control());
        well_formed.then_some(Self(canonical))
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Email({})", self.0)
    }
}

/// A person with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Who.
    pub id: UserId,
    /// Where mail reaches them, and what they sign in with.
    pub email: Email,
    /// What they are called, 1–100 characters.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Whether they may sign in at all.
    pub is_active: bool,
    /// Whether they must choose a new password before anything else.
    pub must_change_password: bool,
    /// When they last signed in.
    pub last_login_at: Option<Time>,
    /// When the account was made.
    pub created_at: Time,
    /// When the account last changed.
    pub updated_at: Time,
}

/// An account about to be made.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Its id.
    pub id: UserId,
    /// Its address.
    pub email: Email,
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Its password's hash.
    pub password: PasswordHash,
    /// When it is made.
    pub created_at: Time,
}

/// Remembers people.
#[async_trait]
pub trait UserStore: Send + Sync {
    /// Whether any account exists: while none does, the platform may be set up.
    async fn any_user(&self) -> Result<bool, StoreError>;

    /// Makes the very first account; `None` if one exists already. Exactly one of any number of parallel calls succeeds.
    async fn create_first_user(&self, user: NewUser) -> Result<Option<User>, StoreError>;

    /// Makes an account.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the address is taken.
    async fn create_user(&self, user: NewUser) -> Result<User, StoreError>;

    /// The account with its password's hash.
    async fn find_user_by_email(&self, email: &Email) -> Result<Option<(User, PasswordHash)>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(Email::parse(text).as_ref().map(Email::as_str), expected, "{text:?}");
    }

    #[test]
    fn spellings_of_one_address_are_one() {
        check("anna@example.com", Some("anna@example.com"));
        check("  Anna@EXAMPLE.com ", Some("anna@example.com"));
        check("anna@example.com", Some("anna@example.com"));
    }

    #[test]
    fn what_cannot_be_an_address_is_refused() {
        for bad in ["", "@", "a@", "@b", "a b@c", "a@b@c", "a\u{0}@b", "ab"] {
            check(bad, None);
        }
        check(&format!("{}@b", "a".repeat(253)), None);
    }
}
