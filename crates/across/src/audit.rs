//! Who did what: every change carries a [`Deed`], and the place that makes the change writes the entry with it.

use async_trait::async_trait;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::{
    actor::Doer,
    clock::Time,
    fault::StoreError,
    id::{AuditId, UserId},
    page::{Page, PageRequest},
};

/// Characters of one value that are kept; of a longer one its beginning and its hash.
pub const VALUE_MAX: usize = 1_000;
/// What stands in the log for a secret.
pub const REDACTED: &str = "[redacted]";

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// What can be done; the word before the dot is the kind of thing it was done to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action { $($(#[$doc])* $name,)+ }

        impl Action {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The name in columns and on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

actions! {
    /// An assistant was made.
    AssistantCreate = "assistant.create",
    /// An assistant was changed.
    AssistantUpdate = "assistant.update",
    /// An assistant was archived.
    AssistantDelete = "assistant.delete",
    /// An archived assistant was brought back.
    AssistantRestore = "assistant.restore",
    /// A file was uploaded.
    FileCreate = "file.create",
    /// A file was removed.
    FileDelete = "file.delete",
    /// A file, or many, are to be indexed again.
    FileReprocess = "file.reprocess",
    /// An account was made.
    UserCreate = "user.create",
    /// An account was changed.
    UserUpdate = "user.update",
    /// An account was deleted.
    UserDelete = "user.delete",
    /// Somebody signed in.
    UserLogin = "user.login",
    /// A sign-in was refused.
    UserLoginFailed = "user.login_failed",
    /// A sign-in was refused unseen, because of too many failures.
    UserLoginThrottled = "user.login_throttled",
    /// Somebody signed out.
    UserLogout = "user.logout",
    /// A used refresh token came back; its session was ended.
    UserRefreshReused = "user.refresh_reused",
    /// Somebody chose a new password.
    UserPasswordChange = "user.password_change",
    /// Somebody gave a wrong present password when choosing a new one.
    UserPasswordFailed = "user.password_failed",
    /// An administrator set a new password.
    UserPasswordReset = "user.password_reset",
    /// Sessions were ended by their owner or an administrator.
    UserSessionsRevoke = "user.sessions_revoke",
    /// A provider's key was added.
    ApiKeyCreate = "api_key.create",
    /// A provider's key was changed.
    ApiKeyUpdate = "api_key.update",
    /// A provider's key was removed.
    ApiKeyDelete = "api_key.delete",
    /// A provider's key was tried.
    ApiKeyTest = "api_key.test",
    /// A quota was made.
    QuotaCreate = "quota.create",
    /// A quota was changed.
    QuotaUpdate = "quota.update",
    /// A quota was removed.
    QuotaDelete = "quota.delete",
    /// A quota's alert threshold was crossed.
    QuotaAlert = "quota.alert",
    /// Settings were changed.
    SettingsUpdate = "settings.update",
    /// A change of the embedding model was begun.
    EmbeddingChange = "embedding.change",
    /// A change of the embedding model was called off.
    EmbeddingCancel = "embedding.cancel",
    /// What a change of the embedding model would take was looked at, with a trial of the model.
    EmbeddingEstimate = "embedding.estimate",
    /// A change of the embedding model was complete: questions use the new one.
    EmbeddingSwitch = "embedding.switch",
    /// The list of models was asked for anew.
    ModelRefresh = "model.refresh",
    /// Somebody asked for what their role does not allow.
    AccessDenied = "access.denied",
    /// Entries older than the retention were removed.
    AuditExpire = "audit.expire",
}

impl Action {
    /// The action of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.as_str() == name)
    }

    /// The kind of thing it is done to.
    #[must_use]
    pub fn resource_type(self) -> &'static str {
        self.as_str().split('.').next().unwrap_or_default()
    }
}

/// Something that is about to be done, and by whom. Port methods that change things ask for one, so that a change without
/// an entry does not compile; whoever makes the change adds what it was done to and the values before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// What.
    pub action: Action,
    /// By whom.
    pub doer: Doer,
    /// When.
    pub at: Time,
}

impl Doer {
    /// Says that this person does something now.
    #[must_use]
    pub fn does(&self, action: Action, at: Time) -> Deed {
        Deed {
            action,
            doer: self.clone(),
            at,
        }
    }
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Which.
    pub id: AuditId,
    /// Who did it, while that account exists.
    pub actor: Option<UserId>,
    /// Their address then, or the one that was tried.
    pub actor_email: Option<String>,
    /// What; names of later versions are kept as they are.
    pub action: String,
    /// The kind of thing it was done to.
    pub resource_type: String,
    /// Which one.
    pub resource_id: Option<String>,
    /// What was there before, of the fields that changed.
    pub old_values: Option<Value>,
    /// What is there now, of the fields that changed.
    pub new_values: Option<Value>,
    /// From where.
    pub ip_address: Option<String>,
    /// With what.
    pub user_agent: Option<String>,
    /// When.
    pub created_at: Time,
}

/// Which entries a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// By this person.
    pub actor: Option<UserId>,
    /// Of this action.
    pub action: Option<String>,
    /// Done to this kind of thing.
    pub resource_type: Option<String>,
    /// Done to this one.
    pub resource_id: Option<String>,
    /// Not before this moment.
    pub from: Option<Time>,
    /// Before this moment.
    pub to: Option<Time>,
}

/// Something whose changes are written down.
pub trait Audited {
    /// Its id, as text.
    fn audit_id(&self) -> String;

    /// Its fields by their names in the contract; secrets as [`REDACTED`].
    fn audit_values(&self) -> Map<String, Value>;
}

/// What is written of a change: only the fields that differ, long texts cut.
#[must_use]
pub fn difference(old: &Map<String, Value>, new: &Map<String, Value>) -> (Map<String, Value>, Map<String, Value>) {
    let pick = |from: &Map<String, Value>, other: &Map<String, Value>| {
        let differing = from.iter().filter(|(name, value)| other.get(*name) != Some(*value));
        differing.map(|(name, value)| (name.clone(), cut(value))).collect()
    };
    (pick(old, new), pick(new, old))
}

/// All fields, long texts cut: for things that begin or end.
#[must_use]
pub fn whole(values: &Map<String, Value>) -> Map<String, Value> {
    values.iter().map(|(name, value)| (name.clone(), cut(value))).collect()
}

/// A long text as its beginning and its hash, so that two of them can still be told apart.
fn cut(value: &Value) -> Value {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => value.to_string(),
        Value::Null | Value::Bool(_) | Value::Number(_) => return value.clone(),
    };
    if text.chars().count() <= VALUE_MAX {
        return value.clone();
    }
    let beginning: String = text.chars().take(VALUE_MAX).collect();
    let hash: String = Sha256::digest(text.as_bytes())
        .iter()
        .take(8)
        .map(|b| format!("{b:02x}"))
        .collect();
    Value::String(format!("{beginning}… (sha256 {hash})"))
}

/// Remembers what was done. Nothing in it can be changed or removed, but for entries that are older than the retention.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Writes down something that changed nothing in the database itself: a refused sign-in, a test of a key.
    async fn note(
        &self,
        deed: Deed,
        resource: Option<String>,
        values: Option<Map<String, Value>>,
    ) -> Result<(), StoreError>;

    /// Newest first.
    async fn list_audit(&self, filter: &Filter, page: PageRequest) -> Result<Page<Entry>, StoreError>;

    /// The entries after `after` in the order newest first, at most `limit`: for exports of any length, without a total.
    async fn next_audit(
        &self,
        filter: &Filter,
        after: Option<(Time, AuditId)>,
        limit: u64,
    ) -> Result<Vec<Entry>, StoreError>;

    /// One entry.
    async fn find_audit(&self, id: AuditId) -> Result<Option<Entry>, StoreError>;

    /// Removes the oldest entries from before `cutoff`, at most `limit`, and writes down how many; nothing is written if
    /// there were none.
    async fn expire_audit(&self, cutoff: Time, limit: u64, deed: Deed) -> Result<u64, StoreError>;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn only_what_changed_is_written_and_long_texts_are_cut() {
        let long = "x".repeat(5_000);
        let old = map(&json!({"name": "A", "model": null, "instructions": long}));
        let new = map(&json!({"name": "B", "model": null, "instructions": format!("{long}y")}));
        let (before, after) = difference(&old, &new);
        assert_eq!(before.keys().collect::<Vec<_>>(), ["instructions", "name"]);
        assert_eq!(after["name"], "B");
        let (one, two) = (
            before["instructions"].as_str().unwrap(),
            after["instructions"].as_str().unwrap(),
        );
        assert!(one.chars().count() < 1_100 && one != two, "the hash tells them apart");
    }

    #[test]
    fn every_action_names_its_kind_of_thing() {
        for action in Action::ALL {
            assert_eq!(Action::parse(action.as_str()), Some(*action));
            assert!(!action.resource_type().is_empty() && action.as_str().contains('.'));
        }
    }
}
