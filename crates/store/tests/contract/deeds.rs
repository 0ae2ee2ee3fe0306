//! Whatever is done leaves one entry in the audit log, in the transaction of the deed itself.

use across::{
    actor::{Doer, Origin, Role},
    assistants::{AssistantStore as _, Changed},
    audit::{Action, AuditLog as _, Entry},
    id::{AssistantId, FileId, SessionId, UserId},
    identity::{
        password::PasswordHash,
        session::{NewSession, RefreshToken, Rotation, SessionStore as _},
        user::{UserChange, UserStore as _},
    },
    knowledge::file::KnowledgeStore as _,
};
use serde_json::{Value, json};

use super::audit::{all, root};
use crate::bench::{Bench, at, deed, draft, new_file, new_user, words};

crate::contracts!(
    s66_every_deed_leaves_exactly_one_entry,
    s66_a_change_that_fails_or_changes_nothing_leaves_none,
    s66_a_deed_that_cannot_be_written_down_does_not_happen,
    s66_the_reuse_of_a_token_is_written_down,
);

/// The entries that came since the log had `before`.
async fn since(bench: &Bench, before: &[Entry]) -> Vec<Entry> {
    let mut now = all(bench).await;
    now.retain(|entry| !before.iter().any(|old| old.id == entry.id));
    now
}

fn fields(values: &Option<Value>) -> Option<Vec<&str>> {
    let values = values.as_ref()?.as_object().unwrap();
    Some(values.keys().map(String::as_str).collect())
}

/// What an entry must say.
struct Expected<'a> {
    action: Action,
    resource: Option<String>,
    old: Option<&'a [&'a str]>,
    new: Option<&'a [&'a str]>,
}

fn expect<'a>(
    action: Action,
    resource: &(impl ToString + ?Sized),
    old: Option<&'a [&'a str]>,
    new: Option<&'a [&'a str]>,
) -> Expected<'a> {
    let resource = Some(resource.to_string()).filter(|resource| !resource.is_empty());
    Expected {
        action,
        resource,
        old,
        new,
    }
}

/// Does something and looks at the one entry that it leaves.
async fn leaves<T>(bench: &Bench, doer: &Doer, expected: Expected<'_>, work: impl Future<Output = T>) -> T {
    let before = all(bench).await;
    let result = work.await;
    let new = since(bench, &before).await;
    assert_eq!(new.len(), 1, "{:?}: {new:?}", expected.action);
    let entry = &new[0];
    assert_eq!(
        (entry.action.as_str(), entry.resource_type.as_str()),
        (expected.action.as_str(), expected.action.resource_type())
    );
    assert_eq!(entry.resource_id, expected.resource, "{entry:?}");
    assert_eq!((entry.actor, &entry.actor_email), (doer.user, &doer.email));
    assert_eq!(entry.ip_address, doer.origin.ip_address);
    assert_eq!(entry.user_agent.as_deref(), Some("Browser \u{fffd} 1"));
    assert_eq!(fields(&entry.old_values).as_deref(), expected.old, "{entry:?}");
    assert_eq!(fields(&entry.new_values).as_deref(), expected.new, "{entry:?}");
    assert_eq!(bench.store.find_audit(entry.id).await.unwrap().as_ref(), Some(entry));
    result
}

const USER: &[&str] = &["email", "is_active", "must_change_password", "name", "role"];
const ASSISTANT: &[&str] = &[
    "avatar_url",
    "description",
    "instructions",
    "is_deleted",
    "max_tokens",
    "model",
    "name",
    "temperature",
];
const FILE: &[&str] = &["assistant_id", "filename", "sha256", "size_bytes"];

async fn s66_every_deed_leaves_exactly_one_entry(bench: &Bench) {
    let (_, doer) = root(bench).await;
    people_leave_entries(bench, &doer).await;
    things_leave_entries(bench, &doer).await;
}

async fn people_leave_entries(bench: &Bench, doer: &Doer) {
    let store = &bench.store;
    let does = |action| doer.does(action, at(5));
    let anna = new_user("anna@example.com");
    let id = anna.id;
    let expected = expect(Action::UserCreate, &id, None, Some(USER));
    leaves(bench, doer, expected, store.create_user(anna, does(Action::UserCreate)))
        .await
        .unwrap();

    let change = UserChange {
        name: Some("Ann".into()),
        role: Some(Role::User),
        is_active: Some(true),
        ..UserChange::default()
    };
    let expected = expect(Action::UserUpdate, &id, Some(&["name"]), Some(&["name"]));
    let update = store.update_user(id, change, Some(1), does(Action::UserUpdate));
    leaves(bench, doer, expected, update).await.unwrap();

    let hash = || PasswordHash("v2:new".into());
    let changed: &[&str] = &["must_change_password"];
    let expected = expect(Action::UserPasswordReset, &id, Some(changed), Some(changed));
    let reset = store.set_password(id, hash(), true, None, None, does(Action::UserPasswordReset));
    assert!(leaves(bench, doer, expected, reset).await.unwrap());
    let expected = expect(Action::UserPasswordReset, &id, None, None);
    let reset = store.set_password(id, hash(), true, None, None, does(Action::UserPasswordReset));
    assert!(leaves(bench, doer, expected, reset).await.unwrap());

    let mut sessions = Vec::new();
    for _ in 0..2 {
        let session = NewSession {
            id: SessionId::new(),
            user: id,
            refresh: RefreshToken::random().hash(),
            ip_address: None,
            user_agent: None,
            created_at: at(5),
        };
        sessions.push(session.id);
        let expected = expect(Action::UserLogin, &id, None, None);
        let begin = store.begin_session(session, None, does(Action::UserLogin));
        leaves(bench, doer, expected, begin).await.unwrap();
    }
    let expected = expect(Action::UserLogout, &id, Some(&["session_id"]), None);
    let end = store.end_session(id, sessions[0], does(Action::UserLogout));
    assert!(leaves(bench, doer, expected, end).await.unwrap());
    let expected = expect(Action::UserSessionsRevoke, &id, Some(&["sessions"]), None);
    let end = store.end_sessions_of(id, does(Action::UserSessionsRevoke));
    assert!(leaves(bench, doer, expected, end).await.unwrap());

    let expected = expect(Action::UserDelete, &id, Some(USER), None);
    let delete = store.delete_user(id, None, does(Action::UserDelete));
    leaves(bench, doer, expected, delete).await.unwrap();

    let noted = json!({"provider": "openai", "ok": false, "note": "a \0 b"});
    let Value::Object(noted) = noted else { panic!() };
    let expected = expect(Action::ApiKeyTest, "key", None, Some(&["note", "ok", "provider"]));
    let note = store.note(does(Action::ApiKeyTest), Some("key".into()), Some(noted));
    leaves(bench, doer, expected, note).await.unwrap();
}

async fn things_leave_entries(bench: &Bench, doer: &Doer) {
    let store = &bench.store;
    let does = |action| doer.does(action, at(5));
    let id = AssistantId::new();
    let expected = expect(Action::AssistantCreate, &id, None, Some(ASSISTANT));
    let create = store.create_assistant(id, draft("Press"), does(Action::AssistantCreate));
    leaves(bench, doer, expected, create).await.unwrap();
    let expected = expect(Action::AssistantUpdate, &id, Some(&["name"]), Some(&["name"]));
    let update = store.update_assistant(id, draft("Poet"), None, does(Action::AssistantUpdate));
    leaves(bench, doer, expected, update).await.unwrap();
    let state: &[&str] = &["is_deleted"];
    let expected = expect(Action::AssistantDelete, &id, Some(state), Some(state));
    let archive = store.archive_assistant(id, None, does(Action::AssistantDelete));
    leaves(bench, doer, expected, archive).await.unwrap();
    let expected = expect(Action::AssistantRestore, &id, Some(state), Some(state));
    let restore = store.restore_assistant(id, does(Action::AssistantRestore));
    leaves(bench, doer, expected, restore).await.unwrap();

    let user = doer.user.unwrap();
    let ready = bench.ready(id, user, vec![words(0, "words")]).await;
    let status: &[&str] = &["status"];
    let expected = expect(Action::FileReprocess, &ready, Some(status), Some(status));
    let again = store.reprocess(ready, does(Action::FileReprocess));
    leaves(bench, doer, expected, again).await.unwrap();
    let claimed = bench.claim(6).await;
    bench.fill(ready, &claimed, 2, vec![words(0, "words")]).await;
    let expected = expect(Action::FileReprocess, "", None, Some(&["assistant_id", "files"]));
    let again = store.reprocess_all(Some(id), false, does(Action::FileReprocess));
    assert_eq!(leaves(bench, doer, expected, again).await.unwrap(), 1);

    let file = new_file(id, user, "another");
    let file_id = file.id;
    let expected = expect(Action::FileCreate, &file_id, None, Some(FILE));
    let accept = store.accept_file(file, does(Action::FileCreate));
    leaves(bench, doer, expected, accept).await.unwrap();
    let expected = expect(Action::FileDelete, &file_id, Some(FILE), None);
    let delete = store.delete_file(file_id, does(Action::FileDelete));
    assert!(leaves(bench, doer, expected, delete).await.unwrap());
}

async fn s66_a_change_that_fails_or_changes_nothing_leaves_none(bench: &Bench) {
    let (user, doer) = root(bench).await;
    let store = &bench.store;
    let does = |action| doer.does(action, at(5));
    let assistant = bench.assistant("Press").await;
    let file = bench.accepted(assistant, user.id, "same").await.0;
    let before = all(bench).await;

    assert!(
        store
            .create_user(new_user("root@example.com"), does(Action::UserCreate))
            .await
            .is_err()
    );
    let second = store.create_first_user(new_user("x@example.com"), does(Action::UserCreate));
    assert_eq!(second.await.unwrap(), None);
    for (id, expected) in [(UserId::new(), None), (user.id, Some(77)), (user.id, None)] {
        let demotion = UserChange {
            role: Some(Role::User),
            ..UserChange::default()
        };
        store
            .update_user(id, demotion, expected, does(Action::UserUpdate))
            .await
            .unwrap();
        store.delete_user(id, expected, does(Action::UserDelete)).await.unwrap();
    }
    let same = UserChange {
        name: Some(user.name.clone()),
        ..UserChange::default()
    };
    store
        .update_user(user.id, same, None, does(Action::UserUpdate))
        .await
        .unwrap();
    let nobody = UserId::new();
    let hash = PasswordHash("v2:x".into());
    let set = store.set_password(nobody, hash, true, None, None, does(Action::UserPasswordReset));
    assert!(!set.await.unwrap());
    let end = store.end_session(user.id, SessionId::new(), does(Action::UserLogout));
    assert!(!end.await.unwrap());
    assert!(!store.end_sessions_of(nobody, does(Action::UserLogout)).await.unwrap());
    let unchanged = store.update_assistant(assistant, draft("Press"), None, does(Action::AssistantUpdate));
    assert!(matches!(unchanged.await.unwrap(), Changed::Done(_)));
    let stale = store.update_assistant(assistant, draft("X"), Some(77), does(Action::AssistantUpdate));
    assert_eq!(stale.await.unwrap(), Changed::Stale(2));
    let wrong = store.restore_assistant(assistant, does(Action::AssistantRestore));
    assert_eq!(wrong.await.unwrap(), Changed::WrongState);
    let missing = store.archive_assistant(AssistantId::new(), None, does(Action::AssistantDelete));
    assert_eq!(missing.await.unwrap(), Changed::Missing);
    store
        .accept_file(new_file(assistant, user.id, "same"), does(Action::FileCreate))
        .await
        .unwrap();
    store.reprocess(file, does(Action::FileReprocess)).await.unwrap();
    assert_eq!(
        store
            .reprocess_all(None, false, does(Action::FileReprocess))
            .await
            .unwrap(),
        0
    );
    let delete = store.delete_file(FileId::new(), does(Action::FileDelete));
    assert!(!delete.await.unwrap());
    assert_eq!(since(bench, &before).await, []);
}

async fn s66_a_deed_that_cannot_be_written_down_does_not_happen(bench: &Bench) {
    let (_, doer) = root(bench).await;
    let column = if bench.url.starts_with("sqlite") {
        "ALTER TABLE audit_logs RENAME COLUMN action TO act"
    } else {
        "ALTER TABLE audit_logs ADD CONSTRAINT nothing CHECK (action = 'x') NOT VALID"
    };
    bench.run(column).await;
    let id = AssistantId::new();
    let create = bench
        .store
        .create_assistant(id, draft("Press"), doer.does(Action::AssistantCreate, at(1)));
    assert!(create.await.is_err());
    assert_eq!(bench.store.find_assistant(id).await.unwrap(), None);
}

async fn s66_the_reuse_of_a_token_is_written_down(bench: &Bench) {
    let user = bench.user("anna@example.com").await;
    let (first, second) = (RefreshToken::random().hash(), RefreshToken::random().hash());
    let session = NewSession {
        id: SessionId::new(),
        user: user.id,
        refresh: first,
        ip_address: None,
        user_agent: None,
        created_at: at(0),
    };
    let id = session.id;
    bench
        .store
        .begin_session(session, None, deed(Action::UserLogin, 0))
        .await
        .unwrap();
    let doer = Doer {
        user: None,
        email: None,
        origin: Origin {
            ip_address: Some("198.51.100.1".into()),
            user_agent: Some("thief".into()),
        },
    };
    let rotate = |seconds| bench.store.rotate(first, second, doer.clone(), at(seconds));
    assert!(matches!(rotate(10).await.unwrap(), Rotation::Rotated { .. }));
    let before = all(bench).await;
    let third = RefreshToken::random().hash();
    let reused = bench.store.rotate(first, third, doer.clone(), at(100)).await.unwrap();
    assert_eq!(reused, Rotation::Reused(id));
    let new = since(bench, &before).await;
    let [entry] = new.as_slice() else { panic!("{new:?}") };
    assert_eq!(entry.action, "user.refresh_reused");
    assert_eq!(
        (entry.actor, entry.actor_email.as_deref()),
        (Some(user.id), Some("anna@example.com"))
    );
    assert_eq!(entry.resource_id, Some(user.id.to_string()));
    assert_eq!(
        (entry.ip_address.as_deref(), entry.user_agent.as_deref()),
        (Some("198.51.100.1"), Some("thief"))
    );
    assert_eq!(entry.old_values, Some(json!({"session_id": id.to_string()})));
}
