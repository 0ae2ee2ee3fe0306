//! Providers' keys: at most one of each provider is the one that is used, and a sealed key opens in its own row only.

use across::{
    actor::Role,
    audit::{Action, AuditLog as _, Filter as AuditFilter},
    governance::{
        meter::{Meter as _, Particulars, Payer, Reservation, Spent},
        notice::{Level, NoticeStore as _},
        usage::Purpose,
    },
    id::ApiKeyId,
    money::{MicroUsd, Price},
    page::PageRequest,
    providers::{
        key::{ApiKey, ApiKeyStore as _, Custom, KeyChange, KeyChanged, NewApiKey, sealed_name},
        model::{EmbeddingModel, ProviderKind},
    },
    secret::{MasterKey, Vault},
};
use futures::future::join_all;

use crate::bench::{Bench, at, deed};

crate::contracts!(
    a_key_comes_back_without_its_key,
    names_are_unique_within_a_provider,
    the_first_key_of_a_provider_is_used,
    exactly_one_key_stays_preferred_under_parallel_changes,
    a_removed_key_hands_over_to_the_newest_active_one,
    changes_need_the_version_they_saw,
    s46_swapped_sealed_keys_do_not_open,
    keys_are_resealed_unless_they_changed,
    calls_note_on_their_key_how_they_went,
    keys_refused_on_the_way_are_noted_and_the_one_that_worked_is_cleared,
    administrators_are_told_once_that_a_key_is_refused,
    s66_every_change_to_a_key_leaves_one_entry_without_the_key,
);

const ALL: PageRequest = PageRequest { limit: 200, offset: 0 };

fn vault() -> Vault {
    Vault::new(&MasterKey::new(&[7; 32]).unwrap(), &[]).unwrap()
}

fn new(provider: ProviderKind, name: &str) -> NewApiKey {
    let id = ApiKeyId::new();
    NewApiKey {
        id,
        provider,
        name: name.into(),
        sealed: vault().seal(&sealed_name(id), format!("sk-{name}").as_bytes()),
        hint: Some("…cdef".into()),
        is_default: false,
        is_active: true,
        custom: None,
    }
}

async fn add(bench: &Bench, key: NewApiKey, seconds: i64) -> ApiKey {
    let added = bench.store.create_key(key, deed(Action::ApiKeyCreate, seconds)).await;
    added.unwrap().unwrap()
}

async fn change(bench: &Bench, id: ApiKeyId, change: KeyChange, seconds: i64) -> KeyChanged {
    let changed = bench
        .store
        .update_key(id, change, None, deed(Action::ApiKeyUpdate, seconds));
    changed.await.unwrap()
}

async fn find(bench: &Bench, id: ApiKeyId) -> ApiKey {
    bench.store.find_key(id).await.unwrap().unwrap().key
}

async fn preferred(bench: &Bench, provider: ProviderKind) -> Vec<ApiKeyId> {
    let keys = bench.store.list_keys(Some(provider), ALL).await.unwrap().items;
    keys.into_iter()
        .filter(|key| key.is_default)
        .map(|key| key.id)
        .collect()
}

async fn a_key_comes_back_without_its_key(bench: &Bench) {
    let custom = Custom {
        base_url: "https://models.example.com/v1".into(),
        price: Some(Price {
            prompt: MicroUsd(150_000),
            completion: MicroUsd(0),
        }),
        context_length: Some(u32::MAX),
        max_tokens_param: Some("max_completion_tokens".into()),
        embedding: Some(EmbeddingModel {
            id: "nomic-embed-text".into(),
            dimensions: 768,
        }),
    };
    let key = NewApiKey {
        custom: Some(custom.clone()),
        ..new(ProviderKind::Custom, "Own server")
    };
    let sealed = key.sealed.clone();
    let added = add(bench, key, 3).await;
    assert_eq!(
        (added.provider, added.name.as_str()),
        (ProviderKind::Custom, "Own server")
    );
    assert_eq!(
        (added.custom.clone(), added.hint.as_deref()),
        (Some(custom), Some("…cdef"))
    );
    assert_eq!((added.version, added.created_at, added.last_used_at), (1, at(3), None));
    assert!(added.is_default && added.is_active);
    let found = bench.store.find_key(added.id).await.unwrap().unwrap();
    assert_eq!((found.key, found.sealed), (added.clone(), sealed));
    let other = add(bench, new(ProviderKind::OpenAi, "Other"), 4).await;
    let page = bench.store.list_keys(None, ALL).await.unwrap();
    assert_eq!((page.items, page.total), (vec![other, added.clone()], 2));
    let page = bench.store.list_keys(Some(ProviderKind::Custom), ALL).await.unwrap();
    assert_eq!((page.items, page.total), (vec![added], 1));
    assert_eq!(bench.store.find_key(ApiKeyId::new()).await.unwrap(), None);
}

async fn names_are_unique_within_a_provider(bench: &Bench) {
    let first = add(bench, new(ProviderKind::OpenAi, "Büro"), 0).await;
    let second = add(bench, new(ProviderKind::OpenAi, "Haus"), 1).await;
    let taken = bench
        .store
        .create_key(new(ProviderKind::OpenAi, "BÜRO"), deed(Action::ApiKeyCreate, 2));
    assert_eq!(taken.await.unwrap(), None);
    add(bench, new(ProviderKind::Anthropic, "Büro"), 3).await;
    let rename = |name: &str| KeyChange {
        name: Some(name.into()),
        ..KeyChange::default()
    };
    assert_eq!(change(bench, second.id, rename("büro"), 4).await, KeyChanged::Taken);
    let KeyChanged::Done(renamed) = change(bench, first.id, rename("BÜRO"), 5).await else {
        panic!("its own name in another case is free");
    };
    assert_eq!((renamed.name.as_str(), renamed.version), ("BÜRO", 2));
}

async fn the_first_key_of_a_provider_is_used(bench: &Bench) {
    let another = bench.another().await;
    let tries = (0..8).map(|i| {
        let store = if i % 2 == 0 { &*bench.store } else { &another };
        store.create_key(
            new(ProviderKind::Google, &format!("key {i}")),
            deed(Action::ApiKeyCreate, i),
        )
    });
    for added in join_all(tries).await {
        added.unwrap().unwrap();
    }
    let first = preferred(bench, ProviderKind::Google).await;
    assert_eq!(first.len(), 1);
    let wanted = NewApiKey {
        is_default: true,
        ..new(ProviderKind::Google, "wanted")
    };
    let wanted = add(bench, wanted, 10).await;
    assert_eq!(preferred(bench, ProviderKind::Google).await, [wanted.id]);
    assert_eq!(
        find(bench, first[0]).await.version,
        2,
        "losing the preference is a change"
    );
    let active = bench.store.active_keys().await.unwrap();
    assert_eq!(active.len(), 9);
    assert_eq!(active[0].key, wanted);
    assert!(
        active[1..]
            .windows(2)
            .all(|pair| pair[0].key.created_at >= pair[1].key.created_at)
    );
}

async fn exactly_one_key_stays_preferred_under_parallel_changes(bench: &Bench) {
    let mut keys = Vec::new();
    for i in 0..6 {
        keys.push(add(bench, new(ProviderKind::OpenAi, &format!("key {i}")), i).await.id);
    }
    let elsewhere = add(bench, new(ProviderKind::Anthropic, "other"), 9).await.id;
    let another = bench.another().await;
    let prefer = KeyChange {
        is_default: Some(true),
        ..KeyChange::default()
    };
    for round in 0..5 {
        let tries = keys.iter().enumerate().map(|(i, id)| {
            let store = if i % 2 == 0 { &*bench.store } else { &another };
            store.update_key(*id, prefer.clone(), None, deed(Action::ApiKeyUpdate, 10 + round))
        });
        for changed in join_all(tries).await {
            assert!(matches!(changed.unwrap(), KeyChanged::Done(_)));
        }
        assert_eq!(preferred(bench, ProviderKind::OpenAi).await.len(), 1);
    }
    assert_eq!(preferred(bench, ProviderKind::Anthropic).await, [elsewhere]);
}

async fn a_removed_key_hands_over_to_the_newest_active_one(bench: &Bench) {
    let first = add(bench, new(ProviderKind::OpenAi, "first"), 0).await;
    let second = add(bench, new(ProviderKind::OpenAi, "second"), 1).await;
    let idle = NewApiKey {
        is_active: false,
        ..new(ProviderKind::OpenAi, "idle")
    };
    let idle = add(bench, idle, 2).await;
    let remove = |id| bench.store.delete_key(id, None, deed(Action::ApiKeyDelete, 5));
    assert_eq!(remove(first.id).await.unwrap(), KeyChanged::Done(Box::new(first)));
    assert_eq!(preferred(bench, ProviderKind::OpenAi).await, [second.id]);
    remove(second.id).await.unwrap();
    assert!(preferred(bench, ProviderKind::OpenAi).await.is_empty());
    assert!(bench.store.active_keys().await.unwrap().is_empty());
    assert_eq!(find(bench, idle.id).await, idle);
    assert_eq!(remove(second.id).await.unwrap(), KeyChanged::Missing);
}

async fn changes_need_the_version_they_saw(bench: &Bench) {
    let key = add(bench, new(ProviderKind::OpenAi, "key"), 0).await;
    let store = &bench.store;
    let stop = KeyChange {
        is_active: Some(false),
        ..KeyChange::default()
    };
    let update = |expected| store.update_key(key.id, stop.clone(), expected, deed(Action::ApiKeyUpdate, 1));
    assert!(matches!(update(Some(1)).await.unwrap(), KeyChanged::Done(_)));
    assert_eq!(update(Some(1)).await.unwrap(), KeyChanged::Stale(2));
    let KeyChanged::Done(same) = update(None).await.unwrap() else {
        panic!("nothing stands against it");
    };
    assert_eq!(
        (same.version, same.is_active),
        (2, false),
        "what changes nothing is no change"
    );
    let remove = |expected| store.delete_key(key.id, expected, deed(Action::ApiKeyDelete, 2));
    assert_eq!(remove(Some(1)).await.unwrap(), KeyChanged::Stale(2));
    assert!(matches!(remove(Some(2)).await.unwrap(), KeyChanged::Done(_)));
    assert_eq!(update(None).await.unwrap(), KeyChanged::Missing);
}

async fn s46_swapped_sealed_keys_do_not_open(bench: &Bench) {
    let first = add(bench, new(ProviderKind::OpenAi, "first"), 0).await;
    let second = add(bench, new(ProviderKind::Anthropic, "second"), 1).await;
    let vault = vault();
    let open = |id: ApiKeyId| {
        let vault = &vault;
        async move {
            let sealed = bench.store.find_key(id).await.unwrap().unwrap().sealed;
            vault.open(&sealed_name(id), &sealed)
        }
    };
    assert_eq!(open(first.id).await.unwrap(), b"sk-first");
    assert_eq!(open(second.id).await.unwrap(), b"sk-second");
    let stored = |id| async move { bench.store.find_key(id).await.unwrap().unwrap().sealed };
    let (one, two) = (stored(first.id).await, stored(second.id).await);
    let swap = format!("UPDATE api_keys SET encrypted_key = CASE provider WHEN 'openai' THEN '{two}' ELSE '{one}' END");
    assert_eq!(bench.run(&swap).await, 2);
    assert!(open(first.id).await.is_err());
    assert!(open(second.id).await.is_err());
}

async fn keys_are_resealed_unless_they_changed(bench: &Bench) {
    let first = add(bench, new(ProviderKind::OpenAi, "first"), 0).await;
    let second = add(bench, new(ProviderKind::OpenAi, "second"), 1).await;
    let sealed = bench.store.sealed_keys().await.unwrap();
    assert_eq!(sealed.len(), 2);
    let typed = KeyChange {
        sealed: Some(("typed anew".into(), None)),
        ..KeyChange::default()
    };
    change(bench, second.id, typed, 2).await;
    let resealed = sealed.into_iter().map(|(id, old)| (id, old, format!("resealed {id}")));
    bench.store.reseal_keys(resealed.collect()).await.unwrap();
    let stored = |id| async move { bench.store.find_key(id).await.unwrap().unwrap() };
    let moved = stored(first.id).await;
    assert_eq!(moved.sealed, format!("resealed {}", first.id));
    assert_eq!(moved.key, first, "nothing else changed");
    assert_eq!(stored(second.id).await.sealed, "typed anew");
}

async fn calls_note_on_their_key_how_they_went(bench: &Bench) {
    let anna = bench.user("anna@example.com").await.id;
    let key = add(bench, new(ProviderKind::OpenAi, "key"), 0).await.id;
    let ends = |tokens: u64, problem: Option<&'static str>, seconds: i64| async move {
        let payer = Payer {
            user: Some(anna),
            role: Some(Role::User),
            assistant: None,
        };
        let call = Reservation {
            key: Some(key),
            ..Reservation::new(payer, Purpose::Chat, "openai", "gpt", at(seconds))
        };
        let spent = Spent {
            hold: call.id,
            payer: call.payer,
            provider: "openai".into(),
            model: "gpt".into(),
            prompt_tokens: tokens,
            completion_tokens: tokens,
            cost: MicroUsd::ZERO,
            estimated: false,
            key: Some(key),
            refused_keys: problem.map(|problem| (key, problem.to_owned())).into_iter().collect(),
            more: Particulars::default(),
        };
        bench.store.reserve(call).await.unwrap().unwrap();
        bench.store.settle(spent, at(seconds + 1)).await.unwrap();
        let key = find(bench, key).await;
        assert_eq!((key.version, key.updated_at), (1, at(0)), "a note is no change");
        (key.last_used_at, key.last_error)
    };
    assert_eq!(
        ends(0, Some("unauthorized"), 1).await,
        (None, Some("unauthorized".into()))
    );
    assert_eq!(
        ends(0, None, 2).await,
        (None, Some("unauthorized".into())),
        "the network failed"
    );
    assert_eq!(ends(5, None, 3).await, (Some(at(4)), None));
    assert_eq!(
        ends(0, Some("no credit"), 5).await,
        (Some(at(4)), Some("no credit".into()))
    );
    bench.store.note_key(key, None, at(8)).await.unwrap();
    let tried = find(bench, key).await;
    assert_eq!(
        (tried.last_used_at, tried.last_error, tried.version),
        (Some(at(8)), None, 1)
    );
    bench
        .store
        .note_key(key, Some("unreachable".into()), at(9))
        .await
        .unwrap();
    // Another key is innocent of what was wrong with the earlier one.
    let typed = KeyChange {
        sealed: Some(("another".into(), Some("…wxyz".into()))),
        ..KeyChange::default()
    };
    let KeyChanged::Done(changed) = change(bench, key, typed, 10).await else {
        panic!("the key is there");
    };
    assert_eq!((changed.last_error, changed.hint.as_deref()), (None, Some("…wxyz")));
}

async fn s66_every_change_to_a_key_leaves_one_entry_without_the_key(bench: &Bench) {
    let key = add(bench, new(ProviderKind::OpenAi, "key"), 1).await;
    let retyped = KeyChange {
        sealed: Some(("another seal".into(), None)),
        ..KeyChange::default()
    };
    change(bench, key.id, retyped, 2).await;
    let renamed = KeyChange {
        name: Some("New name".into()),
        ..KeyChange::default()
    };
    change(bench, key.id, renamed.clone(), 3).await;
    change(bench, key.id, renamed, 4).await;
    bench
        .store
        .delete_key(key.id, Some(1), deed(Action::ApiKeyDelete, 5))
        .await
        .unwrap();
    bench
        .store
        .delete_key(key.id, None, deed(Action::ApiKeyDelete, 6))
        .await
        .unwrap();
    let wanted = AuditFilter {
        resource_type: Some("api_key".into()),
        ..AuditFilter::default()
    };
    let mut entries = bench.store.list_audit(&wanted, ALL).await.unwrap().items;
    entries.reverse();
    let seen: Vec<_> = entries
        .iter()
        .map(|entry| (entry.action.as_str(), entry.created_at))
        .collect();
    assert_eq!(
        seen,
        [
            ("api_key.create", at(1)),
            ("api_key.update", at(2)),
            ("api_key.update", at(3)),
            ("api_key.delete", at(6))
        ]
    );
    let text = format!("{entries:?}");
    assert!(!text.contains("seal"), "{text}");
    let values = |i: usize| {
        (
            entries[i].old_values.clone().unwrap(),
            entries[i].new_values.clone().unwrap(),
        )
    };
    let hidden = serde_json::json!({ "key": "[redacted]" });
    assert_eq!(values(1), (hidden.clone(), hidden));
    assert_eq!(values(2).1, serde_json::json!({ "name": "New name" }));
    assert_eq!(entries[0].new_values.as_ref().unwrap()["key"], "[redacted]");
}

async fn keys_refused_on_the_way_are_noted_and_the_one_that_worked_is_cleared(bench: &Bench) {
    let anna = bench.user("anna@example.com").await.id;
    let refused = add(bench, new(ProviderKind::OpenAi, "refused"), 0).await.id;
    let worked = add(bench, new(ProviderKind::OpenRouter, "worked"), 0).await.id;
    let problem = Some("no credit".to_owned());
    bench.store.note_key(worked, problem, at(1)).await.unwrap();
    let payer = Payer {
        user: Some(anna),
        role: Some(Role::User),
        assistant: None,
    };
    let call = Reservation {
        key: Some(refused),
        ..Reservation::new(payer, Purpose::Chat, "openai", "gpt", at(2))
    };
    let spent = Spent {
        hold: call.id,
        payer: call.payer,
        provider: "openrouter".into(),
        model: "gpt".into(),
        prompt_tokens: 5,
        completion_tokens: 5,
        cost: MicroUsd::ZERO,
        estimated: false,
        key: Some(worked),
        refused_keys: vec![(refused, "unauthorized".into())],
        more: Particulars::default(),
    };
    bench.store.reserve(call).await.unwrap().unwrap();
    bench.store.settle(spent, at(3)).await.unwrap();
    let (refused, worked) = (find(bench, refused).await, find(bench, worked).await);
    assert_eq!(
        (refused.last_used_at, refused.last_error.as_deref()),
        (None, Some("unauthorized"))
    );
    assert_eq!((worked.last_used_at, worked.last_error), (Some(at(3)), None));
}

async fn administrators_are_told_once_that_a_key_is_refused(bench: &Bench) {
    let another = bench.another().await;
    let anna = bench.user("anna@example.com").await.id;
    let key = add(bench, new(ProviderKind::OpenAi, "Main"), 0).await.id;
    let told = async || {
        let to_administrators = bench.store.list_notices(anna, true, ALL).await.unwrap().items;
        let messages = to_administrators.into_iter().map(|notice| {
            assert_eq!(
                (notice.kind.as_str(), notice.level, notice.user),
                ("provider.key", Level::Error, None)
            );
            assert_eq!(notice.details["key_id"], key.to_string());
            notice.message
        });
        messages.collect::<Vec<_>>()
    };
    let note = async |problem: Option<&str>, seconds| {
        let notes = (0..8).map(|number: usize| {
            let store = if number.is_multiple_of(2) {
                &*bench.store
            } else {
                &another
            };
            store.note_key(key, problem.map(str::to_owned), at(seconds))
        });
        join_all(notes).await.into_iter().for_each(Result::unwrap);
    };
    // What passes by itself is no news.
    note(Some("unreachable"), 1).await;
    assert!(told().await.is_empty());
    note(Some("unauthorized"), 2).await;
    let rejected = "The key “Main” is rejected by OpenAI. Replace it.";
    assert_eq!(told().await, [rejected]);
    note(Some("unauthorized"), 3).await;
    note(Some("no_credit"), 4).await;
    assert_eq!(told().await.len(), 1, "it was refused before");
    note(None, 5).await;
    note(Some("no_credit"), 6).await;
    let unpaid = "The account behind the key “Main” has no credit left at OpenAI.";
    assert_eq!(told().await, [unpaid, rejected]);
    assert!(
        bench
            .store
            .list_notices(anna, false, ALL)
            .await
            .unwrap()
            .items
            .is_empty()
    );
}
