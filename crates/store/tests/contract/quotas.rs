//! Quotas: one for each scope, changed only as they were seen, with what they stand at.

use across::{
    actor::Role,
    assistants::AssistantStore as _,
    audit::{Action, AuditLog as _, Filter as AuditFilter},
    governance::{
        meter::{Meter as _, Payer, Reservation},
        quota::{Changed, Created, Filter, Limits, Quota, QuotaStore as _, Scope},
        usage::Purpose,
    },
    id::{AssistantId, QuotaId, UserId},
    identity::user::UserStore as _,
    money::{MicroUsd, Price},
    page::PageRequest,
};
use futures::future::join_all;

use crate::bench::{Bench, at, deed};

crate::contracts!(
    a_quota_comes_back,
    one_scope_has_one_quota,
    scopes_that_are_not_there_are_refused,
    changes_need_the_version_they_saw,
    s66_every_change_to_a_quota_leaves_one_entry,
    lists_are_filtered_and_named,
    a_persons_quotas_are_those_over_them,
    a_quota_goes_with_its_person,
);

const ALL: PageRequest = PageRequest { limit: 200, offset: 0 };

fn limits() -> Limits {
    Limits {
        daily_cost: Some(MicroUsd(1_500_000)),
        monthly_cost: Some(MicroUsd(999_999_999_999)),
        daily_tokens: Some(0),
        monthly_tokens: Some(1_000_000_000_000),
        requests_per_min: Some(10),
        requests_per_hour: Some(100_000),
        alert_threshold: 75,
    }
}

async fn made(bench: &Bench, scope: Scope, limits: Limits, seconds: i64) -> Quota {
    let deed = deed(Action::QuotaCreate, seconds);
    match bench
        .store
        .create_quota(QuotaId::new(), scope, limits, deed)
        .await
        .unwrap()
    {
        Created::Yes(quota) => *quota,
        other => panic!("{other:?}"),
    }
}

async fn a_quota_comes_back(bench: &Bench) {
    let anna = bench.user("anna@example.com").await.id;
    let quota = made(bench, Scope::User(anna), limits(), 5).await;
    assert_eq!(
        (quota.scope, quota.scope_name.as_deref()),
        (Scope::User(anna), Some("Anna"))
    );
    assert_eq!((quota.limits, quota.version), (limits(), 1));
    assert_eq!((quota.created_at, quota.updated_at), (at(5), at(5)));
    assert_eq!(bench.store.find_quota(quota.id, at(6)).await.unwrap(), Some(quota));
    assert_eq!(bench.store.find_quota(QuotaId::new(), at(6)).await.unwrap(), None);
    let open = Limits {
        alert_threshold: 80,
        ..Limits::default()
    };
    let quota = made(bench, Scope::Global, open, 6).await;
    assert_eq!(
        (quota.scope, quota.scope_name, quota.limits),
        (Scope::Global, None, open)
    );
}

async fn one_scope_has_one_quota(bench: &Bench) {
    let another = bench.another().await;
    for scope in [Scope::Global, Scope::Role(Role::Manager)] {
        let tries = (0..10).map(|i| {
            let store = if i % 2 == 0 { &*bench.store } else { &another };
            store.create_quota(QuotaId::new(), scope, limits(), deed(Action::QuotaCreate, i))
        });
        let results: Vec<_> = join_all(tries).await.into_iter().map(Result::unwrap).collect();
        let made = results
            .iter()
            .filter(|result| matches!(result, Created::Yes(_)))
            .count();
        let refused = results.iter().filter(|result| **result == Created::Exists).count();
        assert_eq!((made, refused), (1, 9), "{scope:?}");
    }
    made(bench, Scope::Role(Role::User), limits(), 1).await;
}

async fn scopes_that_are_not_there_are_refused(bench: &Bench) {
    for scope in [Scope::User(UserId::new()), Scope::Assistant(AssistantId::new())] {
        let refused = bench
            .store
            .create_quota(QuotaId::new(), scope, limits(), deed(Action::QuotaCreate, 0))
            .await;
        assert_eq!(refused.unwrap(), Created::NoSuchScope);
    }
    assert_eq!(
        bench
            .store
            .list_quotas(&Filter::default(), ALL, at(0))
            .await
            .unwrap()
            .total,
        0
    );
}

async fn changes_need_the_version_they_saw(bench: &Bench) {
    let quota = made(bench, Scope::Global, limits(), 0).await;
    let store = &bench.store;
    let tighter = Limits {
        daily_cost: None,
        requests_per_min: Some(1),
        ..limits()
    };
    let update =
        |expected, seconds| store.update_quota(quota.id, tighter, expected, deed(Action::QuotaUpdate, seconds));
    let Changed::Done(changed) = update(Some(1), 5).await.unwrap() else {
        panic!("the version was right");
    };
    assert_eq!(
        (changed.limits, changed.version, changed.updated_at),
        (tighter, 2, at(5))
    );
    assert_eq!(store.find_quota(quota.id, at(5)).await.unwrap().unwrap(), *changed);
    assert_eq!(update(Some(1), 6).await.unwrap(), Changed::Stale(2));
    // What changes nothing is no change.
    assert_eq!(update(None, 7).await.unwrap(), Changed::Done(changed));
    let delete = |expected| store.delete_quota(quota.id, expected, deed(Action::QuotaDelete, 8));
    assert_eq!(delete(Some(1)).await.unwrap(), Changed::Stale(2));
    assert!(matches!(delete(Some(2)).await.unwrap(), Changed::Done(_)));
    assert_eq!(delete(None).await.unwrap(), Changed::Missing);
    assert_eq!(update(None, 9).await.unwrap(), Changed::Missing);
}

async fn s66_every_change_to_a_quota_leaves_one_entry(bench: &Bench) {
    let store = &bench.store;
    let quota = made(bench, Scope::Global, limits(), 1).await;
    let refused = store.create_quota(QuotaId::new(), Scope::Global, limits(), deed(Action::QuotaCreate, 2));
    assert_eq!(refused.await.unwrap(), Created::Exists);
    let tighter = Limits {
        daily_cost: Some(MicroUsd(500_000)),
        ..limits()
    };
    for (limits, expected, seconds) in [(tighter, Some(1), 3), (tighter, Some(2), 4), (limits(), Some(1), 5)] {
        store
            .update_quota(quota.id, limits, expected, deed(Action::QuotaUpdate, seconds))
            .await
            .unwrap();
    }
    store
        .delete_quota(quota.id, Some(1), deed(Action::QuotaDelete, 6))
        .await
        .unwrap();
    store
        .delete_quota(quota.id, None, deed(Action::QuotaDelete, 7))
        .await
        .unwrap();
    let wanted = AuditFilter {
        resource_type: Some("quota".into()),
        ..AuditFilter::default()
    };
    let mut entries = store.list_audit(&wanted, ALL).await.unwrap().items;
    entries.reverse();
    let seen: Vec<_> = entries
        .iter()
        .map(|entry| (entry.action.as_str(), entry.created_at))
        .collect();
    assert_eq!(
        seen,
        [
            ("quota.create", at(1)),
            ("quota.update", at(3)),
            ("quota.delete", at(7))
        ]
    );
    for entry in &entries {
        assert_eq!(entry.resource_id, Some(quota.id.to_string()));
        assert_eq!(entry.actor_email.as_deref(), Some("root@example.com"));
        assert_eq!(entry.ip_address.as_deref(), Some("192.0.2.7"));
        assert_eq!(entry.user_agent.as_deref(), Some("contract tests"));
    }
    let values = |value: &Option<serde_json::Value>| value.as_ref().map(|value| value["daily_cost_limit"].clone());
    let changes: Vec<_> = entries
        .iter()
        .map(|entry| (values(&entry.old_values), values(&entry.new_values)))
        .collect();
    let number = |dollars: f64| Some(serde_json::json!(dollars));
    assert_eq!(
        changes,
        [(None, number(1.5)), (number(1.5), number(0.5)), (number(0.5), None)]
    );
}

async fn lists_are_filtered_and_named(bench: &Bench) {
    let anna = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let scopes = [
        Scope::Global,
        Scope::Role(Role::User),
        Scope::User(anna),
        Scope::Assistant(assistant),
    ];
    for (i, scope) in scopes.into_iter().enumerate() {
        made(bench, scope, limits(), i as i64).await;
    }
    let page = bench.store.list_quotas(&Filter::default(), ALL, at(9)).await.unwrap();
    let listed: Vec<_> = page
        .items
        .iter()
        .map(|quota| (quota.scope, quota.scope_name.as_deref()))
        .collect();
    assert_eq!(
        listed,
        [
            (Scope::Assistant(assistant), Some("Press")),
            (Scope::User(anna), Some("Anna")),
            (Scope::Role(Role::User), None),
            (Scope::Global, None)
        ]
    );
    assert_eq!(page.total, 4);
    let wanted = |scope: &str, id: Option<String>| Filter {
        scope: Some(scope.into()),
        scope_id: id,
    };
    let count = |filter: Filter| async move { bench.store.list_quotas(&filter, ALL, at(9)).await.unwrap().total };
    assert_eq!(count(wanted("user", None)).await, 1);
    assert_eq!(count(wanted("user", Some(anna.to_string()))).await, 1);
    assert_eq!(count(wanted("user", Some(assistant.to_string()))).await, 0);
    assert_eq!(count(wanted("role", Some("user\0".into()))).await, 0);
    let part = PageRequest { limit: 1, offset: 3 };
    let page = bench.store.list_quotas(&Filter::default(), part, at(9)).await.unwrap();
    assert_eq!(
        (page.items.len(), page.total, page.items[0].scope),
        (1, 4, Scope::Global)
    );
}

async fn a_persons_quotas_are_those_over_them(bench: &Bench) {
    let (anna, otto) = (
        bench.user("anna@example.com").await.id,
        bench.user("otto@example.com").await.id,
    );
    let assistant = bench.assistant("Press").await;
    for scope in [
        Scope::Global,
        Scope::Role(Role::User),
        Scope::Role(Role::Admin),
        Scope::User(anna),
        Scope::User(otto),
        Scope::Assistant(assistant),
    ] {
        made(
            bench,
            scope,
            Limits {
                alert_threshold: 80,
                ..Limits::default()
            },
            0,
        )
        .await;
    }
    let payer = Payer {
        user: Some(anna),
        role: Some(Role::User),
        assistant: None,
    };
    let price = Price {
        prompt: MicroUsd(1_000_000),
        completion: MicroUsd::ZERO,
    };
    let call = Reservation::new(payer, Purpose::Chat, "openai", "gpt", at(1)).worth(7, 0, price);
    bench.store.reserve(call).await.unwrap().unwrap();
    let mut over = bench.store.quotas_over(anna, Role::User, at(2)).await.unwrap();
    over.sort_by_key(|quota| quota.scope.kind());
    let scopes: Vec<_> = over.iter().map(|quota| quota.scope).collect();
    assert_eq!(scopes, [Scope::Global, Scope::Role(Role::User), Scope::User(anna)]);
    assert!(over.iter().all(|quota| quota.current.reserved_cost == MicroUsd(7)));
    assert_eq!(
        bench.store.quotas_over(otto, Role::Manager, at(2)).await.unwrap().len(),
        2
    );
}

async fn a_quota_goes_with_its_person(bench: &Bench) {
    let anna = bench.user("anna@example.com").await.id;
    made(bench, Scope::User(anna), limits(), 0).await;
    let archived = bench.assistant("Press").await;
    let kept = made(bench, Scope::Assistant(archived), limits(), 0).await;
    bench
        .store
        .archive_assistant(archived, None, deed(Action::AssistantDelete, 1))
        .await
        .unwrap();
    bench
        .store
        .delete_user(anna, None, deed(Action::UserDelete, 1))
        .await
        .unwrap();
    let page = bench.store.list_quotas(&Filter::default(), ALL, at(2)).await.unwrap();
    assert_eq!(page.items.iter().map(|quota| quota.id).collect::<Vec<_>>(), [kept.id]);
}
