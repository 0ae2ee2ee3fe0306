//! Notices: administrators see all, a person what concerns them, and each dismisses for themselves.

use across::{
    actor::Role,
    audit::Action,
    governance::{
        meter::{Meter as _, Particulars, Payer, Reservation, Spent},
        notice::{Level, Notice, NoticeStore as _},
        quota::{Limits, QuotaStore as _, Scope},
        usage::Purpose,
    },
    id::{NoticeId, QuotaId, UserId},
    identity::user::UserStore as _,
    money::MicroUsd,
    page::PageRequest,
};

use crate::bench::{Bench, at, deed};

crate::contracts!(
    people_see_what_concerns_them,
    each_dismisses_for_themselves,
    a_notice_goes_with_its_person,
);

const ALL: PageRequest = PageRequest { limit: 200, offset: 0 };

/// Uses up all of somebody's quota, or everybody's.
async fn exhaust(bench: &Bench, scope: Scope, user: UserId, seconds: i64) {
    let limits = Limits {
        daily_tokens: Some(100),
        alert_threshold: 50,
        ..Limits::default()
    };
    bench
        .store
        .create_quota(QuotaId::new(), scope, limits, deed(Action::QuotaCreate, 0))
        .await
        .unwrap();
    let payer = Payer {
        user: Some(user),
        role: Some(Role::User),
        assistant: None,
    };
    let call = Reservation::new(payer, Purpose::Chat, "openai", "gpt", at(seconds));
    let spent = Spent {
        hold: call.id,
        payer: call.payer,
        provider: "openai".into(),
        model: "gpt".into(),
        prompt_tokens: 100,
        completion_tokens: 0,
        cost: MicroUsd::ZERO,
        estimated: false,
        key: None,
        refused_keys: Vec::new(),
        more: Particulars::default(),
    };
    bench.store.reserve(call).await.unwrap().unwrap();
    bench.store.settle(spent, at(seconds)).await.unwrap();
}

async fn seen(bench: &Bench, user: UserId, is_admin: bool) -> Vec<Notice> {
    let page = bench.store.list_notices(user, is_admin, ALL).await.unwrap();
    assert_eq!(page.total, page.items.len() as u64);
    page.items
}

struct Scene {
    anna: UserId,
    otto: UserId,
    root: UserId,
}

async fn scene(bench: &Bench) -> Scene {
    let scene = Scene {
        anna: bench.user("anna@example.com").await.id,
        otto: bench.user("otto@example.com").await.id,
        root: bench.user("root@example.com").await.id,
    };
    exhaust(bench, Scope::User(scene.anna), scene.anna, 1).await;
    exhaust(bench, Scope::Global, scene.otto, 2).await;
    scene
}

async fn people_see_what_concerns_them(bench: &Bench) {
    let scene = scene(bench).await;
    let all = seen(bench, scene.root, true).await;
    let whom: Vec<_> = all.iter().map(|notice| (notice.user, notice.level)).collect();
    assert_eq!(
        whom,
        [(None, Level::Error), (Some(scene.anna), Level::Error)],
        "newest first"
    );
    assert_eq!(all[0].message, "The daily token limit of everyone is 200 % used.");
    assert_eq!(all[1].details["used"], 100);
    assert_eq!(all[1].details["resets_at"], "2027-01-16T00:00:00Z");
    assert_eq!(seen(bench, scene.anna, false).await, [all[1].clone()]);
    assert!(seen(bench, scene.otto, false).await.is_empty());
    let part = PageRequest { limit: 1, offset: 1 };
    let page = bench.store.list_notices(scene.root, true, part).await.unwrap();
    assert_eq!((page.items, page.total), (vec![all[1].clone()], 2));
}

async fn each_dismisses_for_themselves(bench: &Bench) {
    let scene = scene(bench).await;
    let [global, own]: [Notice; 2] = seen(bench, scene.root, true).await.try_into().unwrap();
    let dismiss = |user, is_admin, id| bench.store.dismiss_notice(user, is_admin, id, at(9));
    assert!(!dismiss(scene.otto, false, own.id).await.unwrap(), "it is not theirs");
    assert!(!dismiss(scene.anna, false, global.id).await.unwrap());
    assert!(!dismiss(scene.root, true, NoticeId::new()).await.unwrap());
    assert!(dismiss(scene.root, true, own.id).await.unwrap());
    assert_eq!(seen(bench, scene.root, true).await, [global]);
    assert_eq!(seen(bench, scene.anna, false).await.len(), 1);
    assert!(dismiss(scene.anna, false, own.id).await.unwrap());
    assert!(
        dismiss(scene.anna, false, own.id).await.unwrap(),
        "twice is as good as once"
    );
    assert!(seen(bench, scene.anna, false).await.is_empty());
}

async fn a_notice_goes_with_its_person(bench: &Bench) {
    let scene = scene(bench).await;
    bench
        .store
        .delete_user(scene.anna, None, deed(Action::UserDelete, 5))
        .await
        .unwrap();
    let left = seen(bench, scene.root, true).await;
    assert_eq!(left.iter().map(|notice| notice.user).collect::<Vec<_>>(), [None]);
}
