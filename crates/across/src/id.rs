//! Typed identifiers: UUIDv7, one type per kind of thing, so that a file's id cannot be passed for a user's.

use std::{fmt, str::FromStr};

use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id. Ids made later sort later most of the time, but nothing may rely on it: clocks jump.
            #[must_use]
            pub fn new() -> Self {
                Self(fresh())
            }

            /// The bare UUID, for columns and wire forms.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            /// Reads the hyphenated lower-case form only: one thing has one name in URLs and logs.
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                let uuid = Uuid::try_parse(text)?;
                let mut buffer = Uuid::encode_buffer();
                if uuid.hyphenated().encode_lower(&mut buffer) == text {
                    Ok(Self(uuid))
                } else {
                    Uuid::try_parse("").map(Self)
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    )+};
}

ids! {
    /// A person with an account.
    UserId,
    /// One sign-in of one person: a family of rotating refresh tokens.
    SessionId,
    /// An assistant.
    AssistantId,
    /// A knowledge file.
    FileId,
    /// A piece of a file's text.
    ChunkId,
    /// A conversation of one person with one assistant.
    ConversationId,
    /// An installation: a data directory, which one process at a time holds.
    InstallationId,
    /// One message of a conversation.
    MessageId,
    /// A change of the embedding model.
    EmbeddingChangeId,
    /// A unit of background work.
    JobId,
    /// An entry of the audit log.
    AuditId,
    /// A provider's key.
    ApiKeyId,
    /// A quota.
    QuotaId,
    /// What is set aside for a call to a provider until it is known what it used.
    HoldId,
    /// A row of the usage log.
    UsageId,
    /// A notice.
    NoticeId,
    /// A folder of conversations.
    FolderId,
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that makes ids")]
fn fresh() -> Uuid {
    Uuid::now_v7()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id = FileId::new();
        assert_eq!(id.to_string().parse::<FileId>().unwrap(), id);
        assert!(id.to_string().to_uppercase().parse::<FileId>().is_err());
        assert!(id.uuid().simple().to_string().parse::<FileId>().is_err());
        assert!("nonsense".parse::<FileId>().is_err());
    }
}
