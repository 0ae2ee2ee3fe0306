//! The usage log: every sum equals its rows, exports miss nothing, and what was used outlives who used it.

use std::collections::HashMap;

use across::{
    actor::Role,
    audit::Action,
    governance::{
        meter::{Meter as _, Particulars, Payer, Reservation, Spent},
        usage::{Filter, Group, GroupBy, Purpose, Total, UsageLog as _, UsageRow},
    },
    id::{AssistantId, UserId},
    identity::user::UserStore as _,
    money::MicroUsd,
    page::PageRequest,
};

use crate::bench::{Bench, at, deed};

crate::contracts!(
    sums_equal_the_rows,
    groups_are_named_and_ordered,
    filters_narrow_lists_and_sums,
    exports_miss_nothing,
    what_was_used_outlives_the_account,
);

const ALL: PageRequest = PageRequest { limit: 200, offset: 0 };
const DAY: i64 = 24 * 60 * 60;

struct Use<'a> {
    user: Option<UserId>,
    assistant: Option<AssistantId>,
    purpose: Purpose,
    model: &'a str,
    tokens: (u64, u64),
    cost: i64,
    seconds: i64,
}

async fn used(bench: &Bench, what: Use<'_>) {
    let payer = Payer {
        user: what.user,
        role: what.user.map(|_| Role::User),
        assistant: what.assistant,
    };
    let call = Reservation::new(payer, what.purpose, "openai", what.model, at(what.seconds));
    let spent = Spent {
        hold: call.id,
        payer: call.payer,
        provider: "openai".into(),
        model: what.model.into(),
        prompt_tokens: what.tokens.0,
        completion_tokens: what.tokens.1,
        cost: MicroUsd(what.cost),
        estimated: false,
        key: None,
        refused_keys: Vec::new(),
        more: Particulars::default(),
    };
    bench.store.reserve(call).await.unwrap().unwrap();
    bench.store.settle(spent, at(what.seconds + 5)).await.unwrap();
}

struct Scene {
    anna: UserId,
    otto: UserId,
    press: AssistantId,
}

/// Two people, an assistant, two models, three days, and some work for nobody.
async fn scene(bench: &Bench) -> Scene {
    let anna = bench.user("anna@example.com").await.id;
    let otto = bench.user("otto@example.com").await.id;
    let press = bench.assistant("Press").await;
    for i in 0..30_i64 {
        let user = [Some(anna), Some(otto), None][usize::try_from(i % 3).unwrap()];
        let purpose = if user.is_none() {
            Purpose::EmbedFile
        } else {
            Purpose::Chat
        };
        let what = Use {
            user,
            assistant: (i % 2 == 0).then_some(press),
            purpose: if i % 5 == 4 { Purpose::Title } else { purpose },
            model: if i % 4 == 0 { "big" } else { "small" },
            tokens: (u64::try_from(i).unwrap() * 7, u64::try_from(i).unwrap()),
            cost: i * i,
            seconds: (i % 3) * DAY + i / 6,
        };
        used(bench, what).await;
    }
    Scene { anna, otto, press }
}

async fn rows(bench: &Bench, filter: &Filter) -> Vec<UsageRow> {
    let page = bench.store.list_usage(filter, ALL).await.unwrap();
    assert_eq!(page.total, page.items.len() as u64);
    page.items
}

fn sum<'a>(rows: impl IntoIterator<Item = &'a UsageRow>) -> Total {
    let mut total = Total::default();
    for row in rows {
        total.requests += u64::from(row.purpose == Purpose::Chat);
        total.prompt_tokens += row.prompt_tokens;
        total.completion_tokens += row.completion_tokens;
        total.cost += row.cost;
    }
    total
}

fn key(row: &UsageRow, by: GroupBy) -> String {
    match by {
        GroupBy::Day => row.created_at.format("%Y-%m-%d").to_string(),
        GroupBy::User => row.user.map(|id| id.to_string()).unwrap_or_default(),
        GroupBy::Assistant => row.assistant.map(|id| id.to_string()).unwrap_or_default(),
        GroupBy::Model => row.model.clone(),
    }
}

async fn sums_equal_the_rows(bench: &Bench) {
    scene(bench).await;
    let filter = Filter::default();
    let rows = rows(bench, &filter).await;
    assert_eq!(rows.len(), 30);
    assert_eq!(bench.store.total_usage(&filter).await.unwrap(), sum(&rows));
    for by in [GroupBy::Day, GroupBy::User, GroupBy::Assistant, GroupBy::Model] {
        for split in [false, true] {
            let mut expected: HashMap<(String, Option<String>), Vec<&UsageRow>> = HashMap::new();
            for row in &rows {
                let split = (split && by != GroupBy::Model).then(|| row.model.clone());
                expected.entry((key(row, by), split)).or_default().push(row);
            }
            let groups = bench.store.sum_usage(&filter, by, split).await.unwrap();
            assert_eq!(groups.len(), expected.len(), "{by:?}");
            for group in groups {
                let rows = &expected[&(group.key.clone(), group.split.clone())];
                assert_eq!(group.total, sum(rows.iter().copied()), "{by:?} {group:?}");
            }
        }
    }
    let nothing = Filter {
        model: Some("unheard of".into()),
        ..filter
    };
    assert_eq!(bench.store.total_usage(&nothing).await.unwrap(), Total::default());
    assert!(
        bench
            .store
            .sum_usage(&nothing, GroupBy::Day, true)
            .await
            .unwrap()
            .is_empty()
    );
}

async fn groups_are_named_and_ordered(bench: &Bench) {
    let scene = scene(bench).await;
    let groups = |by| async move { bench.store.sum_usage(&Filter::default(), by, false).await.unwrap() };
    let days: Vec<_> = groups(GroupBy::Day).await.into_iter().map(|group| group.key).collect();
    assert_eq!(days, ["2027-01-15", "2027-01-16", "2027-01-17"]);
    let dearest_first = |groups: &[Group]| groups.windows(2).all(|pair| pair[0].total.cost >= pair[1].total.cost);
    let people = groups(GroupBy::User).await;
    assert!(dearest_first(&people), "{people:?}");
    let named = |groups: &[Group], key: &str| {
        let group = groups.iter().find(|group| group.key == key).unwrap();
        group.label.clone()
    };
    assert_eq!(named(&people, &scene.anna.to_string()).as_deref(), Some("Anna"));
    assert_eq!(named(&people, ""), None);
    let assistants = groups(GroupBy::Assistant).await;
    assert_eq!(named(&assistants, &scene.press.to_string()).as_deref(), Some("Press"));
    assert!(dearest_first(&groups(GroupBy::Model).await));
    let of = bench
        .store
        .usage_of(&[scene.otto, UserId::new()], at(DAY))
        .await
        .unwrap();
    let filter = Filter {
        user: Some(scene.otto),
        from: Some(at(DAY)),
        ..Filter::default()
    };
    assert_eq!(of, [(scene.otto, sum(&rows(bench, &filter).await))]);
}

async fn filters_narrow_lists_and_sums(bench: &Bench) {
    let scene = scene(bench).await;
    let all = rows(bench, &Filter::default()).await;
    let (first, last) = (all[20].created_at, all[3].created_at);
    let filter = Filter {
        from: Some(first),
        to: Some(last),
        ..Filter::default()
    };
    let expected: Vec<_> = all
        .iter()
        .filter(|row| row.created_at >= first && row.created_at < last)
        .cloned()
        .collect();
    assert_eq!(rows(bench, &filter).await, expected);
    assert_eq!(bench.store.total_usage(&filter).await.unwrap(), sum(&expected));
    let filter = Filter {
        user: Some(scene.anna),
        assistant: Some(scene.press),
        model: Some("small".into()),
        ..Filter::default()
    };
    let narrow = rows(bench, &filter).await;
    assert!(!narrow.is_empty());
    assert!(
        narrow
            .iter()
            .all(|row| { row.user == Some(scene.anna) && row.assistant == Some(scene.press) && row.model == "small" })
    );
    assert_eq!(bench.store.total_usage(&filter).await.unwrap(), sum(&narrow));
}

async fn exports_miss_nothing(bench: &Bench) {
    scene(bench).await;
    let filter = Filter::default();
    let all = rows(bench, &filter).await;
    assert!(all.windows(2).all(|pair| pair[0].created_at >= pair[1].created_at));
    // Several rows share a moment, so that the pages must not lose or repeat any of them.
    assert!(all.windows(2).any(|pair| pair[0].created_at == pair[1].created_at));
    let mut exported: Vec<UsageRow> = Vec::new();
    loop {
        let after = exported.last().map(|row| (row.created_at, row.id));
        let next = bench.store.next_usage(&filter, after, 4).await.unwrap();
        if next.is_empty() {
            break;
        }
        exported.extend(next);
    }
    assert_eq!(exported, all);
}

async fn what_was_used_outlives_the_account(bench: &Bench) {
    let scene = scene(bench).await;
    let before = rows(bench, &Filter::default()).await;
    bench
        .store
        .delete_user(scene.anna, None, deed(Action::UserDelete, 9 * DAY))
        .await
        .unwrap();
    assert_eq!(rows(bench, &Filter::default()).await, before);
    let people = bench
        .store
        .sum_usage(&Filter::default(), GroupBy::User, false)
        .await
        .unwrap();
    let gone = people.iter().find(|group| group.key == scene.anna.to_string()).unwrap();
    assert_eq!(gone.label, None);
}
