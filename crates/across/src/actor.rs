//! Who asks: a signed-in person, and the proofs that they may do what only some may.

use crate::id::{SessionId, UserId};

/// What a person may do. Ordered: each role may do what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Chats with assistants.
    User,
    /// Also builds assistants and their knowledge.
    Manager,
    /// Also administers people, keys, quotas and settings.
    Admin,
}

impl Role {
    /// The name in columns and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Manager => "manager",
            Self::Admin => "admin",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::User, Self::Manager, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == name)
    }
}

/// Where a request comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The address.
    pub ip_address: Option<String>,
    /// The program, at most 512 characters.
    pub user_agent: Option<String>,
}

/// Who is about to do something, as the audit log names them: a person, somebody who tries to be one, or the platform
/// itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doer {
    /// The person, if it is known who.
    pub user: Option<UserId>,
    /// Their address, or the one that was tried.
    pub email: Option<String>,
    /// From where.
    pub origin: Origin,
}

impl Doer {
    /// The platform itself, and commands on its machine.
    #[must_use]
    pub fn platform() -> Self {
        Self {
            email: Some("system".to_owned()),
            ..Self::default()
        }
    }
}

/// A person whose session was verified for this very request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// The person.
    pub user: UserId,
    /// The session that the request came with.
    pub session: SessionId,
    /// The role as the database has it now, not as a token once said.
    pub role: Role,
}

impl Actor {
    /// The proof that this actor may build assistants and knowledge.
    #[must_use]
    pub fn as_manager(self) -> Option<AsManager> {
        (self.role >= Role::Manager).then_some(AsManager(self))
    }

    /// The proof that this actor may administer the platform.
    #[must_use]
    pub fn as_admin(self) -> Option<AsAdmin> {
        (self.role >= Role::Admin).then_some(AsAdmin(self))
    }
}

/// Proof that the actor is a manager or an administrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsManager(Actor);

impl AsManager {
    /// The actor this proof is about.
    #[must_use]
    pub const fn actor(self) -> Actor {
        self.0
    }
}

/// Proof that the actor is an administrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsAdmin(Actor);

impl AsAdmin {
    /// The actor this proof is about.
    #[must_use]
    pub const fn actor(self) -> Actor {
        self.0
    }
}
