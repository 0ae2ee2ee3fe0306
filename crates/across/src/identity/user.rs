//! People with accounts, and what the platform asks of the place that remembers them.

use std::fmt;

use async_trait::async_trait;
use unicode_normalization::UnicodeNormalization as _;

use serde_json::{Map, Value, json};

use crate::{
    actor::Role,
    audit::{Audited, Deed},
    clock::Time,
    fault::StoreError,
    id::{SessionId, UserId},
    identity::password::PasswordHash,
    page::{Page, PageRequest},
};

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
    /// Grows with every change an administrator or its owner makes; the HTTP layer's `ETag`.
    pub version: i64,
    /// When the account was made.
    pub created_at: Time,
    /// When the account last changed.
    pub updated_at: Time,
}

impl Audited for User {
    fn audit_id(&self) -> String {
        self.id.to_string()
    }

    fn audit_values(&self) -> Map<String, Value> {
        let values = json!({
            "email": self.email.as_str(),
            "name": self.name,
            "role": self.role.as_str(),
            "is_active": self.is_active,
            "must_change_password": self.must_change_password,
        });
        values.as_object().cloned().unwrap_or_default()
    }
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
    /// Whether its owner must choose a new password before anything else.
    pub must_change_password: bool,
    /// When it is made.
    pub created_at: Time,
}

/// What changes about an account; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserChange {
    /// Its address.
    pub email: Option<Email>,
    /// Its name.
    pub name: Option<String>,
    /// Its role.
    pub role: Option<Role>,
    /// Whether it may sign in. Its sessions end when it may not any more, and the answers it waits for are stopped.
    pub is_active: Option<bool>,
    /// Whether its owner must choose a new password.
    pub must_change_password: Option<bool>,
}

/// What became of a change to one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserChanged {
    /// It happened; of a deleted account, what it was.
    Done(Box<User>),
    /// There is no such account.
    Missing,
    /// Somebody else changed it since `expected`; carries the present version.
    Stale(i64),
    /// The address is somebody else's.
    Taken,
    /// Nobody could administer the platform any more.
    LastAdmin,
}

/// Which accounts a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Words that occur in the name or the address, in any case.
    pub search: Option<String>,
    /// Of this role.
    pub role: Option<Role>,
    /// That may, or may not, sign in.
    pub is_active: Option<bool>,
}

/// Remembers people.
#[async_trait]
pub trait UserStore: Send + Sync {
    /// Whether any account exists: while none does, the platform may be set up.
    async fn any_user(&self) -> Result<bool, StoreError>;

    /// Makes the very first account; `None` if one exists already. Exactly one of any number of parallel calls succeeds.
    async fn create_first_user(&self, user: NewUser, deed: Deed) -> Result<Option<User>, StoreError>;

    /// Makes an account.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the address is taken.
    async fn create_user(&self, user: NewUser, deed: Deed) -> Result<User, StoreError>;

    /// The account with its password's hash.
    async fn find_user_by_email(&self, email: &Email) -> Result<Option<(User, PasswordHash)>, StoreError>;

    /// The account with its password's hash.
    async fn find_user(&self, id: UserId) -> Result<Option<(User, PasswordHash)>, StoreError>;

    /// Newest first.
    async fn list_users(&self, filter: &UserFilter, page: PageRequest) -> Result<Page<User>, StoreError>;

    /// Changes an account, if its version is `expected` or nothing is expected. There is an active administrator
    /// afterwards, whatever runs in parallel.
    async fn update_user(
        &self,
        id: UserId,
        change: UserChange,
        expected: Option<i64>,
        deed: Deed,
    ) -> Result<UserChanged, StoreError>;

    /// Deletes an account with its sessions, conversations and everything in them; what it used and did stays in the
    /// logs. There is an active administrator afterwards, whatever runs in parallel.
    async fn delete_user(&self, id: UserId, expected: Option<i64>, deed: Deed) -> Result<UserChanged, StoreError>;

    /// Sets an account's password and ends its sessions but `keep`; in one transaction. `false` if there is no such
    /// account, or if its password is no longer the one that was `proved`.
    async fn set_password(
        &self,
        id: UserId,
        password: PasswordHash,
        must_change: bool,
        keep: Option<SessionId>,
        proved: Option<PasswordHash>,
        deed: Deed,
    ) -> Result<bool, StoreError>;
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
