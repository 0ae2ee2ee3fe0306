//! Accounts and values that are decided once.

use across::{
    actor::Role,
    audit::Action,
    fault::StoreError,
    identity::user::{Email, UserStore as _},
    kept::KeptValues as _,
    platform::Store as _,
};
use futures::future::join_all;

use crate::bench::{Bench, at, deed, new_user};

crate::contracts!(
    accounts_come_back_whole,
    one_address_is_one_account,
    one_first_account,
    a_kept_value_stays,
    a_kept_value_is_replaced_by_who_knows_it,
    the_store_answers,
);

async fn accounts_come_back_whole(bench: &Bench) {
    assert!(!bench.store.any_user().await.unwrap());
    let mut new = new_user("Anna@Example.COM");
    new.role = Role::Manager;
    new.name = "Анна \0 Ö".into();
    let made = bench
        .store
        .create_user(new.clone(), deed(Action::UserCreate, 0))
        .await
        .unwrap();
    assert!(bench.store.any_user().await.unwrap());
    let email = Email::parse("anna@example.com").unwrap();
    let (found, hash) = bench.store.find_user_by_email(&email).await.unwrap().unwrap();
    assert_eq!(found, made);
    assert_eq!((found.id, found.role, hash), (new.id, Role::Manager, new.password));
    assert_eq!(found.name, "Анна \u{fffd} Ö");
    assert_eq!((found.created_at, found.last_login_at), (at(0), None));
    assert!(found.is_active && !found.must_change_password);
    let other = Email::parse("nobody@example.com").unwrap();
    assert_eq!(bench.store.find_user_by_email(&other).await.unwrap(), None);
}

async fn one_address_is_one_account(bench: &Bench) {
    bench.user("ÄNNA@example.com").await;
    let again = bench
        .store
        .create_user(new_user("änna@EXAMPLE.com "), deed(Action::UserCreate, 0))
        .await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    bench.user("otto@example.com").await;
}

async fn one_first_account(bench: &Bench) {
    let another = bench.another().await;
    let tries = (0..20).map(|i| {
        let store = if i % 2 == 0 { &*bench.store } else { &another };
        store.create_first_user(new_user(&format!("admin{i}@example.com")), deed(Action::UserCreate, 0))
    });
    let made: Vec<_> = join_all(tries)
        .await
        .into_iter()
        .filter_map(|result| result.unwrap())
        .collect();
    assert_eq!(made.len(), 1);
    assert!(bench.store.find_user_by_email(&made[0].email).await.unwrap().is_some());
    assert_eq!(
        bench
            .store
            .create_first_user(new_user("late@example.com"), deed(Action::UserCreate, 0))
            .await
            .unwrap(),
        None
    );
}

async fn a_kept_value_stays(bench: &Bench) {
    assert_eq!(bench.store.kept("pepper").await.unwrap(), None);
    let names: Vec<String> = (0..10).map(|i| format!("value {i}")).collect();
    let kept = join_all(names.iter().map(|value| bench.store.keep_once("pepper", value))).await;
    let first = kept[0].as_ref().unwrap();
    assert!(kept.iter().all(|value| value.as_ref().unwrap() == first));
    assert_eq!(bench.store.kept("pepper").await.unwrap().as_ref(), Some(first));
    assert_eq!(bench.store.keep_once("other", "x").await.unwrap(), "x");
}

async fn a_kept_value_is_replaced_by_who_knows_it(bench: &Bench) {
    let store = &bench.store;
    assert!(!store.replace_kept("pepper", "a", "b").await.unwrap());
    assert_eq!(store.kept("pepper").await.unwrap(), None);
    store.keep_once("pepper", "a").await.unwrap();
    assert!(!store.replace_kept("pepper", "x", "b").await.unwrap());
    let results = join_all((0..10).map(|i| async move {
        let new = format!("b{i}");
        store.replace_kept("pepper", "a", &new).await.unwrap().then_some(new)
    }))
    .await;
    let won: Vec<_> = results.into_iter().flatten().collect();
    assert_eq!(won.len(), 1);
    assert_eq!(store.kept("pepper").await.unwrap(), Some(won[0].clone()));
}

async fn the_store_answers(bench: &Bench) {
    bench.store.healthy().await.unwrap();
    assert_eq!(bench.store.is_exclusive(), bench.url.starts_with("sqlite"));
}
