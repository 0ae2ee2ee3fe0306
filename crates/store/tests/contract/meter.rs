//! The meter: no number of calls at the same time passes a limit, and every call is charged once, where it was admitted.

use across::{
    actor::Role,
    audit::{Action, AuditLog as _, Filter as AuditFilter},
    conversations::{
        conversation::{Begun, ConversationStore as _, Dead, Ending, MessageFilter},
        message::State,
    },
    governance::{
        meter::{HOLD, Meter as _, Particulars, Payer, Reservation, Spent},
        notice::{Level, NoticeStore as _},
        quota::{Changed, Created, Current, Limit, Limits, QuotaStore as _, Scope},
        usage::{Filter, Purpose, UsageLog as _, UsageRow},
    },
    id::{QuotaId, UserId},
    money::{MicroUsd, Price},
    page::PageRequest,
};
use futures::future::join_all;

use crate::bench::{Bench, at, deed, progress, turn};

crate::contracts!(
    s62_forty_parallel_reservations_never_pass_a_ceiling,
    s62_forty_parallel_turns_never_pass_a_ceiling,
    s62_zero_allows_nothing,
    s62_the_refused_take_nothing_from_those_beside_them,
    s62_a_refusal_leaves_every_counter_as_it_was,
    s62_rates_slide_and_hold_in_parallel,
    s62_a_clock_that_jumps_back_does_not_reopen_a_window,
    s63_settling_twice_charges_once,
    s63_holds_of_the_dead_are_charged_and_released,
    s63_abandoned_answers_are_charged_once_for_what_arrived,
    s63_a_deleted_conversation_is_charged,
    a_call_over_midnight_is_charged_where_it_was_admitted,
    a_quota_made_during_the_day_knows_what_was_used,
    a_deleted_quota_does_not_hold_up_its_calls,
    quotas_that_come_and_go_miss_no_call,
    a_threshold_is_told_once_in_a_window,
    absurd_amounts_do_not_break_the_counters,
);

const ALL: PageRequest = PageRequest { limit: 200, offset: 0 };
const DAY: i64 = 24 * 60 * 60;
/// A dollar for a million tokens of the prompt, two for the answer.
const PRICE: Price = Price {
    prompt: MicroUsd(1_000_000),
    completion: MicroUsd(2_000_000),
};

fn payer(user: UserId) -> Payer {
    Payer {
        user: Some(user),
        role: Some(Role::User),
        assistant: None,
    }
}

/// A call of 100 and 200 tokens, worth 500 micro-dollars.
fn call(user: UserId, seconds: i64) -> Reservation {
    Reservation::new(payer(user), Purpose::Chat, "openai", "gpt", at(seconds)).worth(100, 200, PRICE)
}

/// What a call really used: 100 and 50 tokens, 200 micro-dollars.
fn spent(call: &Reservation) -> Spent {
    Spent {
        hold: call.id,
        payer: call.payer,
        provider: "openai".into(),
        model: "gpt-real".into(),
        prompt_tokens: 100,
        completion_tokens: 50,
        cost: PRICE.cost(100, 50),
        estimated: false,
        key: None,
        refused_keys: Vec::new(),
        more: Particulars::default(),
    }
}

async fn quota(bench: &Bench, scope: Scope, limits: Limits) -> QuotaId {
    let id = QuotaId::new();
    let limits = Limits {
        alert_threshold: 80,
        ..limits
    };
    let made = bench
        .store
        .create_quota(id, scope, limits, deed(Action::QuotaCreate, 0))
        .await;
    assert!(matches!(made.unwrap(), Created::Yes(_)));
    id
}

fn daily_cost(limit: i64) -> Limits {
    Limits {
        daily_cost: Some(MicroUsd(limit)),
        ..Limits::default()
    }
}

async fn current(bench: &Bench, id: QuotaId, seconds: i64) -> Current {
    bench.store.find_quota(id, at(seconds)).await.unwrap().unwrap().current
}

async fn rows(bench: &Bench) -> Vec<UsageRow> {
    bench.store.list_usage(&Filter::default(), ALL).await.unwrap().items
}

async fn admitted(bench: &Bench, call: &Reservation) -> bool {
    bench.store.reserve(call.clone()).await.unwrap().is_ok()
}

/// A call from beginning to end.
async fn whole(bench: &Bench, user: UserId, seconds: i64) -> Reservation {
    let call = call(user, seconds);
    assert!(admitted(bench, &call).await);
    bench.store.settle(spent(&call), at(seconds + 1)).await.unwrap();
    call
}

async fn s62_forty_parallel_reservations_never_pass_a_ceiling(bench: &Bench) {
    let anna = bench.user("anna@example.com").await.id;
    // Three calls fit; the other quotas have room for more.
    let tight = quota(bench, Scope::Global, daily_cost(1_600)).await;
    let wide = quota(bench, Scope::User(anna), daily_cost(100_000)).await;
    let role = Limits {
        monthly_tokens: Some(100_000),
        ..Limits::default()
    };
    let role = quota(bench, Scope::Role(Role::User), role).await;
    let another = bench.another().await;
    let calls: Vec<_> = (0..40).map(|i| call(anna, i)).collect();
    let tries = calls.iter().enumerate().map(|(i, call)| {
        let store = if i % 2 == 0 { &*bench.store } else { &another };
        store.reserve(call.clone())
    });
    let mut passed = Vec::new();
    for (result, call) in join_all(tries).await.into_iter().zip(&calls) {
        match result.unwrap() {
            Ok(()) => passed.push(call),
            Err(refusal) => {
                assert_eq!((refusal.scope, refusal.limit), (Scope::Global, Limit::DailyCost));
                assert_eq!((refusal.amount, refusal.used), (0.0016, 0.0015));
                assert_eq!(
                    refusal.resets_at,
                    "2027-01-16T00:00:00Z".parse::<across::clock::Time>().unwrap()
                );
            }
        }
    }
    assert_eq!(passed.len(), 3);
    for id in [tight, wide, role] {
        let now = current(bench, id, 50).await;
        assert_eq!(
            (now.reserved_cost, now.reserved_tokens, now.daily_cost),
            (MicroUsd(1_500), 900, MicroUsd(0))
        );
    }
    for call in &passed {
        another.settle(spent(call), at(60)).await.unwrap();
    }
    for id in [tight, wide, role] {
        let now = current(bench, id, 70).await;
        assert_eq!((now.reserved_cost, now.reserved_tokens), (MicroUsd(0), 0));
        assert_eq!((now.daily_cost, now.daily_tokens), (MicroUsd(600), 450));
        assert_eq!((now.monthly_cost, now.monthly_tokens), (MicroUsd(600), 450));
    }
    // What was set aside and not used is free again.
    assert!(admitted(bench, &call(anna, 80)).await);
}

async fn s62_forty_parallel_turns_never_pass_a_ceiling(bench: &Bench) {
    let anna = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    quota(bench, Scope::User(anna), daily_cost(1_600)).await;
    let mut turns = Vec::new();
    for i in 0..40 {
        let mut turn = turn(anna, bench.conversation(anna, assistant).await, "q", i);
        turn.call = turn.call.worth(100, 200, PRICE);
        turns.push(turn);
    }
    let another = bench.another().await;
    let tries = turns.iter().enumerate().map(|(i, turn)| {
        let store = if i % 2 == 0 { &*bench.store } else { &another };
        store.begin_turn(turn.clone())
    });
    let mut begun = 0;
    for (result, turn) in join_all(tries).await.into_iter().zip(&turns) {
        let expected = match result.unwrap() {
            Begun::Yes(_) => {
                begun += 1;
                2
            }
            Begun::Refused(refusal) => {
                assert_eq!((refusal.scope, refusal.limit), (Scope::User(anna), Limit::DailyCost));
                0
            }
            other => panic!("{other:?}"),
        };
        let messages = bench
            .store
            .list_messages(anna, turn.conversation, MessageFilter::default(), ALL)
            .await;
        assert_eq!(messages.unwrap().unwrap().total, expected, "a refusal records nothing");
    }
    assert_eq!(begun, 3);
}

async fn s62_the_refused_take_nothing_from_those_beside_them(bench: &Bench) {
    let (anna, ben) = (
        bench.user("anna@example.com").await.id,
        bench.user("ben@example.com").await.id,
    );
    let assistant = bench.assistant("Press").await;
    quota(bench, Scope::User(anna), daily_cost(0)).await;
    let wide = quota(bench, Scope::Global, daily_cost(100_000)).await;
    let mut turns = Vec::new();
    for i in 0..20 {
        let owner = if i % 2 == 0 { anna } else { ben };
        let mut turn = turn(owner, bench.conversation(owner, assistant).await, "q", i);
        turn.call = turn.call.worth(100, 200, PRICE);
        turns.push(turn);
    }
    let tries = turns.iter().map(|turn| bench.store.begin_turn(turn.clone()));
    for (result, turn) in join_all(tries).await.into_iter().zip(&turns) {
        let (is_begun, expected) = match result.unwrap() {
            Begun::Yes(_) => (true, 2),
            Begun::Refused(_) => (false, 0),
            other => panic!("{other:?}"),
        };
        assert_eq!(is_begun, turn.owner == ben);
        let messages = bench
            .store
            .list_messages(turn.owner, turn.conversation, MessageFilter::default(), ALL)
            .await;
        assert_eq!(messages.unwrap().unwrap().total, expected);
    }
    let now = current(bench, wide, 50).await;
    assert_eq!((now.reserved_cost, now.reserved_tokens), (MicroUsd(5_000), 3_000));
}

async fn s62_zero_allows_nothing(bench: &Bench) {
    let anna = bench.user("anna@example.com").await.id;
    let none = |limits: Limits| async move {
        let id = quota(bench, Scope::Global, limits).await;
        // Even what is free.
        let mut free = call(anna, 1).worth(0, 0, Price::FREE);
        free.purpose = Purpose::Chat;
        let refused = bench.store.reserve(free).await.unwrap().unwrap_err();
        bench
            .store
            .delete_quota(id, None, deed(Action::QuotaDelete, 2))
            .await
            .unwrap();
        (refused.limit, refused.amount, refused.used)
    };
    let limits = Limits::default();
    assert_eq!(none(daily_cost(0)).await, (Limit::DailyCost, 0.0, 0.0));
    let monthly = Limits {
        monthly_tokens: Some(0),
        ..limits
    };
    assert_eq!(none(monthly).await, (Limit::MonthlyTokens, 0.0, 0.0));
    let rate = Limits {
        requests_per_hour: Some(0),
        ..limits
    };
    assert_eq!(none(rate).await, (Limit::RequestsPerHour, 0.0, 0.0));
    assert!(
        admitted(bench, &call(anna, 3)).await,
        "without a quota there is no limit"
    );
}

async fn s62_a_refusal_leaves_every_counter_as_it_was(bench: &Bench) {
    let anna = bench.user("anna@example.com").await.id;
    let global = quota(bench, Scope::Global, daily_cost(10_000)).await;
    let limits = Limits {
        daily_tokens: Some(299),
        requests_per_min: Some(1),
        ..Limits::default()
    };
    let own = quota(bench, Scope::User(anna), limits).await;
    let refused = bench.store.reserve(call(anna, 1)).await.unwrap().unwrap_err();
    assert_eq!((refused.scope, refused.limit), (Scope::User(anna), Limit::DailyTokens));
    assert_eq!(current(bench, global, 1).await, Current::default());
    assert_eq!(current(bench, own, 1).await, Current::default());
    // The request was not counted either, and nothing is left to be swept.
    assert!(admitted(bench, &call(anna, 2).worth(1, 1, PRICE)).await);
    assert_eq!(bench.store.sweep_holds(at(2), true).await.unwrap(), 1);
}

async fn s62_rates_slide_and_hold_in_parallel(bench: &Bench) {
    let anna = bench.user("anna@example.com").await.id;
    let limits = Limits {
        requests_per_min: Some(10),
        ..Limits::default()
    };
    quota(bench, Scope::User(anna), limits).await;
    let another = bench.another().await;
    let tries = (0..40).map(|i| {
        let store = if i % 2 == 0 { &*bench.store } else { &another };
        store.reserve(call(anna, 30))
    });
    let passed = join_all(tries)
        .await
        .into_iter()
        .filter(|result| matches!(result, Ok(Ok(()))));
    assert_eq!(passed.count(), 10);
    // At the beginning of the next minute all of them are still within the last sixty seconds, later half of them.
    let refused = bench.store.reserve(call(anna, 61)).await.unwrap().unwrap_err();
    assert_eq!((refused.limit, refused.amount), (Limit::RequestsPerMin, 10.0));
    assert_eq!(
        refused.resets_at,
        "2027-01-15T08:02:00Z".parse::<across::clock::Time>().unwrap()
    );
    for _ in 0..5 {
        assert!(admitted(bench, &call(anna, 90)).await);
    }
    assert!(!admitted(bench, &call(anna, 90)).await);
    // What the platform does by itself is no request.
    let title = Reservation {
        purpose: Purpose::Title,
        ..call(anna, 90)
    };
    assert!(admitted(bench, &title).await);
}

async fn s62_a_clock_that_jumps_back_does_not_reopen_a_window(bench: &Bench) {
    let anna = bench.user("anna@example.com").await.id;
    let id = quota(bench, Scope::Global, daily_cost(600)).await;
    assert!(admitted(bench, &call(anna, 0)).await);
    assert!(!admitted(bench, &call(anna, 1)).await);
    // Tomorrow has room of its own; back from there, today has not.
    assert!(admitted(bench, &call(anna, DAY)).await);
    assert!(!admitted(bench, &call(anna, DAY + 1)).await);
    assert!(!admitted(bench, &call(anna, 2)).await);
    assert!(!admitted(bench, &call(anna, -3_600)).await);
    assert_eq!(current(bench, id, 2).await.reserved_cost, MicroUsd(500));
    // Sweeping forgets old minutes and hours only.
    bench.store.sweep_holds(at(40 * DAY), true).await.unwrap();
    assert!(!admitted(bench, &call(anna, 3)).await);
}

async fn s63_settling_twice_charges_once(bench: &Bench) {
    let anna = bench.user("anna@example.com").await.id;
    let id = quota(bench, Scope::Global, daily_cost(10_000)).await;
    let call = call(anna, 0);
    assert!(admitted(bench, &call).await);
    let another = bench.another().await;
    let settled = (0..10).map(|i| {
        let store = if i % 2 == 0 { &*bench.store } else { &another };
        store.settle(spent(&call), at(5))
    });
    assert!(join_all(settled).await.iter().all(Result::is_ok));
    let rows = rows(bench).await;
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!(
        (row.user, row.purpose, row.estimated),
        (Some(anna), Purpose::Chat, false)
    );
    assert_eq!((row.provider.as_str(), row.model.as_str()), ("openai", "gpt-real"));
    assert_eq!(
        (row.prompt_tokens, row.completion_tokens, row.cost),
        (100, 50, MicroUsd(200))
    );
    assert_eq!(row.created_at, at(0), "it counts where it was admitted");
    let now = current(bench, id, 6).await;
    assert_eq!((now.daily_cost, now.reserved_cost), (MicroUsd(200), MicroUsd(0)));
    assert_eq!(bench.store.sweep_holds(at(DAY), true).await.unwrap(), 0);
}

async fn s63_holds_of_the_dead_are_charged_and_released(bench: &Bench) {
    let anna = bench.user("anna@example.com").await.id;
    // Also without any quota.
    let early = call(anna, 0);
    assert!(admitted(bench, &early).await);
    let id = quota(bench, Scope::Global, daily_cost(10_000)).await;
    let late = call(anna, 600);
    assert!(admitted(bench, &late).await);
    let assistant = bench.assistant("Press").await;
    let mut writing = turn(anna, bench.conversation(anna, assistant).await, "q", 0);
    writing.call = writing.call.worth(100, 200, PRICE);
    assert!(matches!(bench.store.begin_turn(writing).await.unwrap(), Begun::Yes(_)));

    let end = HOLD.num_seconds();
    assert_eq!(bench.store.sweep_holds(at(end), false).await.unwrap(), 0);
    let another = bench.another().await;
    let (one, two) = tokio::join!(
        bench.store.sweep_holds(at(end + 1), false),
        another.sweep_holds(at(end + 1), false)
    );
    assert_eq!(one.unwrap() + two.unwrap(), 1, "one of both charges it");
    let only = rows(bench).await;
    assert_eq!(only.len(), 1);
    assert!(only[0].estimated);
    assert_eq!(
        (only[0].prompt_tokens, only[0].completion_tokens, only[0].cost),
        (100, 200, MicroUsd(500))
    );
    // Whoever was only slow finds it charged.
    bench.store.settle(spent(&early), at(end + 2)).await.unwrap();
    assert_eq!(rows(bench).await.len(), 1);

    assert_eq!(bench.store.sweep_holds(at(end + 1), true).await.unwrap(), 1);
    let now = current(bench, id, 700).await;
    assert_eq!(now.daily_cost, MicroUsd(1_000));
    assert_eq!(
        now.reserved_cost,
        MicroUsd(500),
        "the answer that is being written is not swept"
    );
    assert_eq!(bench.store.interrupt_abandoned(at(0), Dead::Everyone).await.unwrap(), 1);
    let now = current(bench, id, 700).await;
    assert_eq!(
        (now.daily_cost, now.reserved_cost),
        (MicroUsd(1_100), MicroUsd(0)),
        "no word arrived"
    );
}

fn ending(call: &Reservation) -> Ending {
    Ending {
        content: "An answer".into(),
        state: State::Complete,
        error: None,
        finish_reason: Some("stop".into()),
        provider: Some("openai".into()),
        failover: None,
        tokens: None,
        spent: Some(spent(call)),
        at: at(9),
    }
}

async fn s63_abandoned_answers_are_charged_once_for_what_arrived(bench: &Bench) {
    let anna = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let id = quota(bench, Scope::Global, daily_cost(10_000)).await;
    let mut turn = turn(anna, bench.conversation(anna, assistant).await, "q", 0);
    turn.call = turn.call.worth(100, 200, PRICE);
    let (call, answer) = (turn.call.clone(), turn.answer);
    assert!(matches!(bench.store.begin_turn(turn).await.unwrap(), Begun::Yes(_)));
    bench
        .store
        .checkpoint(answer, progress("Some words of an answer", 60))
        .await
        .unwrap();
    assert_eq!(bench.store.interrupt_abandoned(at(61), Dead::Expired).await.unwrap(), 1);
    let only = rows(bench).await;
    assert_eq!(
        (only.len(), only[0].estimated, only[0].message),
        (1, true, Some(answer))
    );
    assert_eq!(
        (only[0].prompt_tokens, only[0].completion_tokens, only[0].cost),
        (100, 5, MicroUsd(110))
    );
    // Its writer was only slow: the message stays, and nothing is charged twice.
    bench.store.finish(answer, ending(&call)).await.unwrap();
    assert_eq!(bench.store.sweep_holds(at(DAY), true).await.unwrap(), 0);
    assert_eq!(rows(bench).await.len(), 1);
    let now = current(bench, id, 90).await;
    assert_eq!((now.daily_cost, now.reserved_cost), (MicroUsd(110), MicroUsd(0)));
}

async fn s63_a_deleted_conversation_is_charged(bench: &Bench) {
    let anna = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let conversation = bench.conversation(anna, assistant).await;
    let mut turn = turn(anna, conversation, "q", 0);
    turn.call.payer.assistant = Some(assistant);
    let (call, answer) = (turn.call.clone(), turn.answer);
    assert!(matches!(bench.store.begin_turn(turn).await.unwrap(), Begun::Yes(_)));
    assert!(bench.store.delete_conversation(anna, conversation).await.unwrap());
    bench.store.finish(answer, ending(&call)).await.unwrap();
    let only = rows(bench).await;
    assert_eq!(only.len(), 1);
    assert_eq!((only[0].conversation, only[0].message), (None, Some(answer)));
    assert_eq!((only[0].assistant, only[0].user), (Some(assistant), Some(anna)));
    assert_eq!(only[0].cost, MicroUsd(200));
}

async fn a_call_over_midnight_is_charged_where_it_was_admitted(bench: &Bench) {
    let anna = bench.user("anna@example.com").await.id;
    let id = quota(bench, Scope::Global, daily_cost(600)).await;
    // The tests' time begins at eight in the morning; this is a second before midnight.
    let midnight = 16 * 60 * 60;
    let call = call(anna, midnight - 1);
    assert!(admitted(bench, &call).await);
    bench.store.settle(spent(&call), at(midnight + 30)).await.unwrap();
    assert_eq!(current(bench, id, midnight - 1).await.daily_cost, MicroUsd(200));
    let next = current(bench, id, midnight + 30).await;
    assert_eq!((next.daily_cost, next.reserved_cost), (MicroUsd(0), MicroUsd(0)));
    assert_eq!(next.monthly_cost, MicroUsd(200));
    assert!(admitted(bench, &self::call(anna, midnight + 31)).await);
}

async fn a_quota_made_during_the_day_knows_what_was_used(bench: &Bench) {
    let (anna, otto) = (
        bench.user("anna@example.com").await.id,
        bench.user("otto@example.com").await.id,
    );
    let assistant = bench.assistant("Press").await;
    whole(bench, anna, -DAY).await;
    whole(bench, anna, -60).await;
    whole(bench, otto, -50).await;
    let mut for_assistant = call(otto, -40);
    for_assistant.payer.assistant = Some(assistant);
    assert!(admitted(bench, &for_assistant).await);
    bench.store.settle(spent(&for_assistant), at(-39)).await.unwrap();
    let running = call(anna, -30);
    assert!(admitted(bench, &running).await);

    let used = |scope: Scope| async move {
        let id = quota(bench, scope, daily_cost(10_000)).await;
        let now = current(bench, id, 0).await;
        (id, now.daily_cost.0, now.monthly_cost.0, now.daily_tokens)
    };
    let (own, daily, monthly, tokens) = used(Scope::User(anna)).await;
    assert_eq!((daily, monthly, tokens), (200, 400, 150));
    let (_, daily, monthly, tokens) = used(Scope::Global).await;
    assert_eq!((daily, monthly, tokens), (600, 800, 450));
    let (_, daily, monthly, _) = used(Scope::Role(Role::User)).await;
    assert_eq!((daily, monthly), (600, 800));
    let (admins, daily, monthly, _) = used(Scope::Role(Role::Admin)).await;
    assert_eq!((daily, monthly), (0, 0));
    let (_, daily, monthly, _) = used(Scope::Assistant(assistant)).await;
    assert_eq!((daily, monthly), (200, 200));

    // A call that was in progress counts when it ends.
    bench.store.settle(spent(&running), at(5)).await.unwrap();
    let now = current(bench, own, 6).await;
    assert_eq!(
        (now.daily_cost, now.reserved_cost, now.reserved_tokens),
        (MicroUsd(400), MicroUsd(0), 0)
    );
    assert_eq!(current(bench, admins, 6).await, Current::default());
}

async fn a_deleted_quota_does_not_hold_up_its_calls(bench: &Bench) {
    let anna = bench.user("anna@example.com").await.id;
    let id = quota(bench, Scope::Global, daily_cost(10_000)).await;
    let call = call(anna, 0);
    assert!(admitted(bench, &call).await);
    let gone = bench
        .store
        .delete_quota(id, None, deed(Action::QuotaDelete, 1))
        .await
        .unwrap();
    assert!(matches!(gone, Changed::Done(_)));
    let again = quota(bench, Scope::Global, daily_cost(10_000)).await;
    bench.store.settle(spent(&call), at(2)).await.unwrap();
    let now = current(bench, again, 3).await;
    assert_eq!((now.daily_cost, now.reserved_cost), (MicroUsd(200), MicroUsd(0)));
    assert_eq!(rows(bench).await.len(), 1);
}

async fn quotas_that_come_and_go_miss_no_call(bench: &Bench) {
    let anna = bench.user("anna@example.com").await.id;
    let another = bench.another().await;
    let calls = (0..8).map(|worker| {
        let store = if worker % 2 == 0 { &*bench.store } else { &another };
        async move {
            for second in 0..20 {
                let call = call(anna, worker * 20 + second);
                assert_eq!(store.reserve(call.clone()).await.unwrap(), Ok(()));
                store.settle(spent(&call), at(worker * 20 + second)).await.unwrap();
            }
        }
    });
    let changes = async {
        for _ in 0..6 {
            let id = quota(bench, Scope::Global, Limits::default()).await;
            let gone = bench.store.delete_quota(id, None, deed(Action::QuotaDelete, 1)).await;
            assert!(matches!(gone.unwrap(), Changed::Done(_)));
        }
        quota(bench, Scope::Global, Limits::default()).await
    };
    let (_, last) = tokio::join!(join_all(calls), changes);
    assert_eq!(rows(bench).await.len(), 160);
    let now = current(bench, last, 200).await;
    assert_eq!((now.daily_cost, now.daily_tokens), (MicroUsd(160 * 200), 160 * 150));
    assert_eq!(now.monthly_cost, now.daily_cost);
    assert_eq!((now.reserved_cost, now.reserved_tokens), (MicroUsd(0), 0));
}

async fn a_threshold_is_told_once_in_a_window(bench: &Bench) {
    let anna = bench.user("anna@example.com").await.id;
    let limits = Limits {
        daily_cost: Some(MicroUsd(2_000)),
        monthly_tokens: Some(3_000),
        ..Limits::default()
    };
    let id = quota(bench, Scope::User(anna), limits).await;
    let told = || async {
        let wanted = AuditFilter {
            action: Some("quota.alert".into()),
            ..AuditFilter::default()
        };
        let entries = bench.store.list_audit(&wanted, ALL).await.unwrap().items;
        let notices = bench.store.list_notices(anna, false, ALL).await.unwrap().items;
        assert_eq!(entries.len(), notices.len());
        (entries, notices)
    };
    for second in 0..7 {
        whole(bench, anna, second).await;
    }
    assert!(told().await.1.is_empty(), "1 400 of 2 000 is less than 80 %");
    // Four more pass it, three of them at the same time.
    let mut calls = Vec::new();
    for second in 10..13 {
        calls.push(call(anna, second));
        bench.store.settle(spent(&calls[0]), at(second)).await.unwrap();
    }
    let small: Vec<_> = calls.into_iter().map(|call| call.worth(10, 10, PRICE)).collect();
    for call in &small {
        assert!(admitted(bench, call).await);
    }
    let another = bench.another().await;
    let settled = small.iter().enumerate().map(|(i, call)| {
        let store = if i % 2 == 0 { &*bench.store } else { &another };
        store.settle(spent(call), at(20))
    });
    assert!(join_all(settled).await.iter().all(Result::is_ok));
    let (entries, notices) = told().await;
    assert_eq!(notices.len(), 1);
    let (entry, notice) = (&entries[0], &notices[0]);
    assert_eq!((entry.actor, entry.actor_email.as_deref()), (None, Some("system")));
    assert_eq!(
        (entry.resource_type.as_str(), entry.resource_id.clone()),
        ("quota", Some(id.to_string()))
    );
    assert_eq!((notice.kind.as_str(), notice.user), ("quota.alert", Some(anna)));
    assert_eq!(notice.details["limit"], "daily_cost_limit");
    assert_eq!(notice.details["scope_name"], "Anna");
    assert_eq!(entry.new_values.as_ref().unwrap()["limit"], "daily_cost_limit");
    assert_eq!(notice.level, Level::Warning);
    assert_eq!(notice.message, "The daily cost limit of “Anna” is 80 % used.");

    // The next day begins anew; the month's own threshold comes when its time has come.
    for second in 0..8 {
        whole(bench, anna, DAY + second).await;
    }
    let (_, notices) = told().await;
    let limits: Vec<_> = notices.iter().map(|notice| notice.details["limit"].clone()).collect();
    assert_eq!(notices.len(), 3, "{limits:?}");
    assert_eq!(limits.iter().filter(|limit| *limit == "daily_cost_limit").count(), 2);
    assert_eq!(limits.iter().filter(|limit| *limit == "monthly_token_limit").count(), 1);
}

async fn absurd_amounts_do_not_break_the_counters(bench: &Bench) {
    let anna = bench.user("anna@example.com").await.id;
    let id = quota(bench, Scope::Global, Limits::default()).await;
    for second in 0..3 {
        let huge = call(anna, second).worth(u64::MAX, u64::MAX, PRICE);
        assert!(admitted(bench, &huge).await);
        let all = Spent {
            prompt_tokens: u64::MAX,
            completion_tokens: u64::MAX,
            cost: MicroUsd(i64::MAX),
            ..spent(&huge)
        };
        bench.store.settle(all, at(second)).await.unwrap();
    }
    let now = current(bench, id, 5).await;
    assert!(now.daily_cost > MicroUsd(1_000_000_000) && now.daily_tokens > 1_000_000_000);
    assert_eq!((now.reserved_cost, now.reserved_tokens), (MicroUsd(0), 0));
    assert_eq!(bench.store.total_usage(&Filter::default()).await.unwrap().requests, 3);
}
