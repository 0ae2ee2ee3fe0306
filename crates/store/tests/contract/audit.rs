//! The audit log: nobody touches an entry once it is made, and the list shows them all.

use across::{
    actor::{Doer, Origin, Role},
    audit::{Action, AuditLog as _, Entry, Filter},
    id::AuditId,
    identity::user::{NewUser, User, UserStore as _},
    page::PageRequest,
};
use serde_json::{Map, json};

use crate::bench::{Bench, at, deed, new_user};

crate::contracts!(
    s67_entries_are_neither_changed_nor_removed,
    s67_only_what_is_older_than_the_retention_goes,
    an_entry_outlives_its_actor,
    entries_are_listed_found_and_exported,
);

const ALL: PageRequest = PageRequest { limit: 100, offset: 0 };

/// An administrator, and what they do things as.
pub(super) async fn root(bench: &Bench) -> (User, Doer) {
    let new = NewUser {
        role: Role::Admin,
        ..new_user("root@example.com")
    };
    let first = bench.store.create_first_user(new, deed(Action::UserCreate, -100));
    let user = first.await.unwrap().unwrap();
    let doer = Doer {
        user: Some(user.id),
        email: Some(user.email.to_string()),
        origin: Origin {
            ip_address: Some("203.0.113.9".into()),
            user_agent: Some("Browser \0 1".into()),
        },
    };
    (user, doer)
}

/// The log, newest first.
pub(super) async fn all(bench: &Bench) -> Vec<Entry> {
    bench.store.list_audit(&Filter::default(), ALL).await.unwrap().items
}

async fn s67_entries_are_neither_changed_nor_removed(bench: &Bench) {
    let (user, doer) = root(bench).await;
    let note = doer.does(Action::ModelRefresh, at(0));
    bench.store.note(note, None, None).await.unwrap();
    let before = all(bench).await;
    let mut attacks = vec![
        "UPDATE audit_logs SET action = 'nothing'",
        "UPDATE audit_logs SET actor_id = NULL",
        "UPDATE audit_logs SET actor_id = NULL, action = 'nothing'",
        "UPDATE audit_logs SET created_at = created_at",
        "DELETE FROM audit_logs",
        "DELETE FROM audit_logs WHERE action = 'model.refresh'",
    ];
    attacks.push(if bench.url.starts_with("sqlite") {
        "INSERT OR REPLACE INTO audit_logs SELECT id, NULL, NULL, 'nothing', 'x', NULL, NULL, NULL, NULL, NULL, \
         created_at FROM audit_logs"
    } else {
        "TRUNCATE audit_logs"
    });
    for attack in attacks {
        let refused = bench.tries(attack).await;
        assert!(
            refused
                .as_ref()
                .is_err_and(|error| error.contains("entries of the audit log")),
            "{attack}: {refused:?}"
        );
    }
    assert_eq!(all(bench).await, before);
    assert_eq!(before[0].actor, Some(user.id));
}

async fn s67_only_what_is_older_than_the_retention_goes(bench: &Bench) {
    let doer = Doer::platform();
    for seconds in [0, 10, 20] {
        let note = doer.does(Action::ModelRefresh, at(seconds));
        bench.store.note(note, None, None).await.unwrap();
    }
    let expire = |seconds| {
        let deed = doer.does(Action::AuditExpire, at(100));
        bench.store.expire_audit(at(seconds), 1_000, deed)
    };
    assert_eq!(expire(0).await.unwrap(), 0);
    assert_eq!(all(bench).await.len(), 3, "nothing is told of nothing");
    assert_eq!(expire(20).await.unwrap(), 2);
    let left = all(bench).await;
    let actions: Vec<_> = left.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["audit.expire", "model.refresh"]);
    assert_eq!(left[0].new_values.as_ref().unwrap()["removed"], 2);
    assert_eq!(left[1].created_at, at(20));
    // The door is closed again.
    assert!(bench.query("SELECT 1 FROM audit_retention").await.is_empty());
    assert!(bench.tries("DELETE FROM audit_logs").await.is_err());
    // Two instances do it at once.
    let another = bench.another().await;
    let (one, two) = tokio::join!(
        expire(50),
        another.expire_audit(at(50), 1_000, doer.does(Action::AuditExpire, at(100)))
    );
    assert_eq!(one.unwrap() + two.unwrap(), 1);
}

async fn an_entry_outlives_its_actor(bench: &Bench) {
    let (user, doer) = root(bench).await;
    bench
        .store
        .note(doer.does(Action::ModelRefresh, at(0)), None, None)
        .await
        .unwrap();
    let new = NewUser {
        role: Role::Admin,
        ..new_user("next@example.com")
    };
    bench
        .store
        .create_user(new, doer.does(Action::UserCreate, at(1)))
        .await
        .unwrap();
    // Even the one who does it may be the one who is gone: then the address says who it was.
    bench
        .store
        .delete_user(user.id, None, doer.does(Action::UserDelete, at(2)))
        .await
        .unwrap();
    let entries = all(bench).await;
    assert_eq!(entries.len(), 4);
    for entry in &entries[..3] {
        assert_eq!(
            (entry.actor, entry.actor_email.as_deref()),
            (None, Some("root@example.com"))
        );
    }
    assert_eq!(bench.store.find_audit(AuditId::new()).await.unwrap(), None);
}

async fn entries_are_listed_found_and_exported(bench: &Bench) {
    let (user, doer) = root(bench).await;
    let note = |action, resource: &'static str, seconds| {
        let deed = if seconds % 2 == 0 {
            doer.does(action, at(seconds))
        } else {
            deed(action, seconds)
        };
        bench.store.note(
            deed,
            Some(resource.into()),
            Some(Map::from_iter([("n".into(), json!(seconds))])),
        )
    };
    // Several at one moment, so that the order within it matters.
    for seconds in [1, 2, 2, 2, 3, 3, 4] {
        let action = if seconds < 3 {
            Action::ApiKeyTest
        } else {
            Action::ModelRefresh
        };
        note(action, if seconds == 4 { "b" } else { "a" }, seconds)
            .await
            .unwrap();
    }
    let count = |filter: Filter| async move {
        let page = bench.store.list_audit(&filter, ALL).await.unwrap();
        assert_eq!(page.total, page.items.len() as u64);
        page.total
    };
    let none = Filter::default;
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(count(none()).await, 8);
    assert_eq!(
        count(Filter {
            actor: Some(user.id),
            ..none()
        })
        .await,
        4
    );
    assert_eq!(
        count(Filter {
            action: text("model.refresh"),
            ..none()
        })
        .await,
        3
    );
    assert_eq!(
        count(Filter {
            resource_type: text("api_key"),
            ..none()
        })
        .await,
        4
    );
    assert_eq!(
        count(Filter {
            resource_type: text("model"),
            resource_id: text("b"),
            ..none()
        })
        .await,
        1
    );
    assert_eq!(
        count(Filter {
            from: Some(at(2)),
            to: Some(at(4)),
            ..none()
        })
        .await,
        5
    );

    let whole = all(bench).await;
    assert!(
        whole
            .windows(2)
            .all(|pair| (pair[0].created_at, pair[0].id) > (pair[1].created_at, pair[1].id))
    );
    let (mut exported, mut after) = (Vec::new(), None);
    loop {
        let some = bench.store.next_audit(&none(), after, 3).await.unwrap();
        let Some(last) = some.last() else { break };
        after = Some((last.created_at, last.id));
        exported.extend(some);
    }
    assert_eq!(exported, whole);
    let page = PageRequest { limit: 2, offset: 7 };
    let page = bench.store.list_audit(&none(), page).await.unwrap();
    assert_eq!((page.items.as_slice(), page.total), (&whole[7..], 8));
}
