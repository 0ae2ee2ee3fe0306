//! Accounts that are changed and deleted; there is always somebody who administers the platform.

use across::{
    actor::Role,
    audit::Action,
    conversations::conversation::ConversationStore as _,
    governance::quota::{Limits, QuotaStore as _, Scope},
    id::{QuotaId, SessionId, UserId},
    identity::{
        password::PasswordHash,
        session::{NewSession, RefreshToken, SessionStore as _},
        user::{Email, NewUser, User, UserChange, UserChanged, UserFilter, UserStore as _},
    },
    knowledge::file::KnowledgeStore as _,
    page::PageRequest,
};
use across_store::SqlStore;
use futures::future::join_all;

use crate::bench::{Bench, at, deed, new_user, turn, words};

crate::contracts!(
    accounts_change_by_version,
    accounts_are_listed_and_found,
    s16_of_parallel_first_accounts_one_is_made_each_time,
    s26_two_administrators_cannot_remove_each_other,
    s07_a_new_password_ends_the_other_sessions,
    s05_who_is_deactivated_is_signed_out_and_stopped,
    s69_with_an_account_go_its_sessions_chats_and_quotas,
);

async fn make(store: &SqlStore, email: &str, role: Role) -> User {
    let new = NewUser {
        role,
        ..new_user(email)
    };
    store.create_user(new, deed(Action::UserCreate, 0)).await.unwrap()
}

async fn session(bench: &Bench, user: UserId) -> SessionId {
    let id = SessionId::new();
    let session = NewSession {
        id,
        user,
        refresh: RefreshToken::random().hash(),
        ip_address: None,
        user_agent: None,
        created_at: at(0),
    };
    bench
        .store
        .begin_session(session, None, deed(Action::UserLogin, 0))
        .await
        .unwrap();
    id
}

async fn update(store: &SqlStore, id: UserId, change: UserChange, expected: Option<i64>) -> UserChanged {
    let deed = deed(Action::UserUpdate, 9);
    store.update_user(id, change, expected, deed).await.unwrap()
}

async fn delete(store: &SqlStore, id: UserId, expected: Option<i64>) -> UserChanged {
    let deed = deed(Action::UserDelete, 9);
    store.delete_user(id, expected, deed).await.unwrap()
}

fn named(name: &str) -> UserChange {
    UserChange {
        name: Some(name.into()),
        ..UserChange::default()
    }
}

fn role(role: Role) -> UserChange {
    UserChange {
        role: Some(role),
        ..UserChange::default()
    }
}

fn inactive() -> UserChange {
    UserChange {
        is_active: Some(false),
        ..UserChange::default()
    }
}

async fn accounts_change_by_version(bench: &Bench) {
    let store = &bench.store;
    let anna = bench.user("anna@example.com").await;
    bench.user("otto@example.com").await;
    assert_eq!(anna.version, 1);
    let change = UserChange {
        email: Email::parse("ANNA@example.org"),
        name: Some("Ännchen \0".into()),
        role: Some(Role::Manager),
        is_active: None,
        must_change_password: Some(true),
    };
    let UserChanged::Done(changed) = update(store, anna.id, change, Some(1)).await else {
        panic!("it was to change")
    };
    assert_eq!(
        (
            changed.email.as_str(),
            changed.name.as_str(),
            changed.role,
            changed.must_change_password
        ),
        ("anna@example.org", "Ännchen \u{fffd}", Role::Manager, true)
    );
    assert_eq!(
        (changed.version, changed.updated_at, changed.created_at),
        (2, at(9), at(0))
    );
    let (found, _) = store.find_user(anna.id).await.unwrap().unwrap();
    assert_eq!(found, *changed);
    assert_eq!(update(store, anna.id, named("X"), Some(1)).await, UserChanged::Stale(2));
    assert_eq!(delete(store, anna.id, Some(1)).await, UserChanged::Stale(2));
    let taken = UserChange {
        email: Email::parse("OTTO@example.com"),
        ..UserChange::default()
    };
    assert_eq!(update(store, anna.id, taken, None).await, UserChanged::Taken);
    let nobody = UserId::new();
    assert_eq!(update(store, nobody, named("X"), None).await, UserChanged::Missing);
    assert_eq!(delete(store, nobody, None).await, UserChanged::Missing);
    // What changes nothing makes no new version.
    assert_eq!(
        update(store, anna.id, role(Role::Manager), Some(2)).await,
        UserChanged::Done(changed)
    );
    let password = PasswordHash("v2:new".into());
    // Whoever proved a password that is no longer the account's changes nothing.
    let stale = Some(PasswordHash("v2:older".into()));
    let change = deed(Action::UserPasswordChange, 9);
    let set = store.set_password(anna.id, password.clone(), false, None, stale, change);
    assert!(!set.await.unwrap());
    let set = store.set_password(
        anna.id,
        password.clone(),
        false,
        None,
        None,
        deed(Action::UserPasswordReset, 10),
    );
    assert!(set.await.unwrap());
    let (found, hash) = store.find_user(anna.id).await.unwrap().unwrap();
    assert_eq!(
        (found.version, found.must_change_password, hash),
        (3, false, password.clone())
    );
    let set = store.set_password(nobody, password, false, None, None, deed(Action::UserPasswordReset, 10));
    assert!(!set.await.unwrap());
}

async fn accounts_are_listed_and_found(bench: &Bench) {
    for (i, (email, name, role)) in [
        ("anna@example.com", "Änna Groß", Role::Admin),
        ("otto@example.com", "Otto 100%", Role::User),
        ("eva@agency.example", "Eva", Role::User),
    ]
    .into_iter()
    .enumerate()
    {
        let new = NewUser {
            name: name.into(),
            role,
            created_at: at(i as i64),
            ..new_user(email)
        };
        bench.store.create_user(new, deed(Action::UserCreate, 0)).await.unwrap();
    }
    let otto = bench
        .store
        .find_user_by_email(&Email::parse("otto@example.com").unwrap())
        .await
        .unwrap()
        .unwrap()
        .0;
    update(&bench.store, otto.id, inactive(), None).await;
    let list = |search: &str, role, is_active| {
        let filter = UserFilter {
            search: (!search.is_empty()).then(|| search.to_owned()),
            role,
            is_active,
        };
        async move {
            let page = PageRequest { limit: 2, offset: 0 };
            let page = bench.store.list_users(&filter, page).await.unwrap();
            let names: Vec<String> = page.items.into_iter().map(|user| user.name).collect();
            (names.join(", "), page.total)
        }
    };
    let expect = |names: &str, total| (names.to_owned(), total);
    assert_eq!(list("", None, None).await, expect("Eva, Otto 100%", 3));
    assert_eq!(list("ÄNNA", None, None).await, expect("Änna Groß", 1));
    assert_eq!(list("EXAMPLE.com", None, None).await, expect("Otto 100%, Änna Groß", 2));
    assert_eq!(list("100%", None, None).await, expect("Otto 100%", 1));
    assert_eq!(list("_", None, None).await, expect("", 0));
    assert_eq!(list("", Some(Role::User), None).await, expect("Eva, Otto 100%", 2));
    assert_eq!(list("", Some(Role::User), Some(true)).await, expect("Eva", 1));
    assert_eq!(list("", None, Some(false)).await, expect("Otto 100%", 1));
    // A new name is found, the old one is not.
    update(&bench.store, otto.id, named("Karl"), None).await;
    assert_eq!(list("karl", None, None).await, expect("Karl", 1));
    assert_eq!(list("100%", None, None).await, expect("", 0));
}

async fn s16_of_parallel_first_accounts_one_is_made_each_time(bench: &Bench) {
    let another = bench.another().await;
    for round in 0..20 {
        let tries = (0..4).map(|i| {
            let store = if i % 2 == 0 { &*bench.store } else { &another };
            let new = new_user(&format!("admin{round}.{i}@example.com"));
            store.create_first_user(new, deed(Action::UserCreate, 0))
        });
        let made: Vec<_> = join_all(tries).await.into_iter().filter_map(Result::unwrap).collect();
        assert_eq!(made.len(), 1, "round {round}");
        bench.run("DELETE FROM users").await;
    }
}

/// Takes an administrator away, in one of three ways.
async fn remove(store: &SqlStore, id: UserId, way: i32) -> UserChanged {
    match way {
        0 => update(store, id, role(Role::User), None).await,
        1 => update(store, id, inactive(), None).await,
        _ => delete(store, id, None).await,
    }
}

async fn s26_two_administrators_cannot_remove_each_other(bench: &Bench) {
    let another = bench.another().await;
    let here = &*bench.store;
    for round in 0..50 {
        let one = make(here, &format!("one{round}@example.com"), Role::Admin).await.id;
        let two = make(here, &format!("two{round}@example.com"), Role::Admin).await.id;
        let (first, second) = tokio::join!(remove(here, one, round % 3), remove(&another, two, round / 3 % 3));
        let won = [&first, &second]
            .iter()
            .filter(|changed| matches!(changed, UserChanged::Done(_)))
            .count();
        let refused = [&first, &second]
            .iter()
            .filter(|changed| ***changed == UserChanged::LastAdmin)
            .count();
        assert_eq!((won, refused), (1, 1), "round {round}: {first:?} {second:?}");
        let admins = "SELECT 1 FROM users WHERE role = 'admin' AND is_active";
        assert_eq!(bench.query(admins).await.len(), 1, "round {round}");
        // Who is left makes way for the next round.
        bench.run("DELETE FROM users").await;
    }
    let only = make(here, "only@example.com", Role::Admin).await.id;
    assert_eq!(delete(here, only, None).await, UserChanged::LastAdmin);
    let renamed = update(here, only, named("Somebody"), None).await;
    assert!(matches!(renamed, UserChanged::Done(_)));
}

async fn s07_a_new_password_ends_the_other_sessions(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let other = bench.user("otto@example.com").await.id;
    let (kept, ended, strange) = (
        session(bench, user).await,
        session(bench, user).await,
        session(bench, other).await,
    );
    let lives = |id| async move { bench.store.session_user(id, at(1)).await.unwrap().is_some() };
    let set = |keep| {
        let deed = deed(Action::UserPasswordChange, 1);
        bench
            .store
            .set_password(user, PasswordHash("v2:new".into()), false, keep, None, deed)
    };
    assert!(set(Some(kept)).await.unwrap());
    assert_eq!(
        (lives(kept).await, lives(ended).await, lives(strange).await),
        (true, false, true)
    );
    assert!(set(None).await.unwrap());
    assert_eq!((lives(kept).await, lives(strange).await), (false, true));
}

async fn s05_who_is_deactivated_is_signed_out_and_stopped(bench: &Bench) {
    let (anna, otto) = (
        bench.user("anna@example.com").await.id,
        bench.user("otto@example.com").await.id,
    );
    let assistant = bench.assistant("Press").await;
    let mut answers = Vec::new();
    for user in [anna, otto] {
        let conversation = bench.conversation(user, assistant).await;
        let turn = turn(user, conversation, "Hello", 0);
        answers.push(turn.answer);
        bench.store.begin_turn(turn).await.unwrap();
    }
    let (hers, his) = (session(bench, anna).await, session(bench, otto).await);
    assert!(matches!(
        update(&bench.store, anna, inactive(), None).await,
        UserChanged::Done(_)
    ));
    assert_eq!(bench.store.session_user(hers, at(1)).await.unwrap(), None);
    assert!(bench.store.session_user(his, at(1)).await.unwrap().is_some());
    assert!(bench.store.stop_requested(answers[0]).await.unwrap());
    assert!(!bench.store.stop_requested(answers[1]).await.unwrap());
    let late = NewSession {
        id: SessionId::new(),
        user: anna,
        refresh: RefreshToken::random().hash(),
        ip_address: None,
        user_agent: None,
        created_at: at(2),
    };
    let entered = bench.store.begin_session(late, None, deed(Action::UserLogin, 2)).await;
    assert!(
        entered.is_err(),
        "the password was looked at before the account was closed"
    );
    // Her sessions do not come back with her.
    let active = UserChange {
        is_active: Some(true),
        ..UserChange::default()
    };
    update(&bench.store, anna, active, None).await;
    assert_eq!(bench.store.session_user(hers, at(3)).await.unwrap(), None);
}

async fn s69_with_an_account_go_its_sessions_chats_and_quotas(bench: &Bench) {
    const MARKER: &str = "the secret of the marzipan";
    let (anna, otto) = (
        bench.user("anna@example.com").await.id,
        bench.user("otto@example.com").await.id,
    );
    let assistant = bench.assistant("Press").await;
    for user in [anna, otto] {
        session(bench, user).await;
        let conversation = bench.conversation(user, assistant).await;
        let said = if user == anna { MARKER } else { "Hello" };
        bench.store.begin_turn(turn(user, conversation, said, 0)).await.unwrap();
        let limits = Limits {
            daily_tokens: Some(1_000),
            alert_threshold: 80,
            ..Limits::default()
        };
        let scope = Scope::User(user);
        let deed = deed(Action::QuotaCreate, 0);
        bench
            .store
            .create_quota(QuotaId::new(), scope, limits, deed)
            .await
            .unwrap();
    }
    let file = bench.ready(assistant, anna, vec![words(0, "knowledge stays")]).await;
    assert!(matches!(delete(&bench.store, anna, None).await, UserChanged::Done(_)));
    assert!(bench.store.find_user(anna).await.unwrap().is_none());
    for (table, left) in [
        ("sessions", 1),
        ("refresh_tokens", 1),
        ("conversations", 1),
        ("messages", 2),
        ("usage_quotas", 1),
        ("knowledge_files", 1),
        ("chunks", 1),
    ] {
        assert_eq!(
            bench.query(&format!("SELECT 1 FROM {table}")).await.len(),
            left,
            "{table}"
        );
    }
    let (file, _) = bench.store.find_file(file).await.unwrap().unwrap();
    assert_eq!(file.uploaded_by, None);
    if bench.url.starts_with("sqlite") {
        bench.query("PRAGMA wal_checkpoint(TRUNCATE)").await;
        for name in ["across.db", "across.db-wal"] {
            let bytes = std::fs::read(bench.dir.path().join("data").join(name)).unwrap();
            let found = bytes.windows(MARKER.len()).any(|window| window == MARKER.as_bytes());
            assert!(!found, "{name} still holds what was said");
        }
    }
}
