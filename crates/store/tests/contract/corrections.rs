//! What is known of a call besides its tokens: what its provider says of it afterwards, who answered in whose place, and
//! which keys were refused on the way.

use across::{
    actor::Role,
    audit::Action,
    conversations::{
        conversation::{Begun, ConversationStore as _, Dead, Ending, Progress},
        message::{Message, State, TokensUsed},
    },
    governance::{
        meter::{Correction, Meter as _, Particulars, Spent},
        quota::{Limits, QuotaStore as _, Scope},
        usage::{Filter, UsageLog as _, UsageRow},
    },
    id::{AssistantId, ConversationId, MessageId, QuotaId, UserId},
    money::{MicroUsd, Price, PriceSource},
    page::PageRequest,
    platform::Inspection as _,
    providers::routing::Failover,
};
use futures::future::join_all;

use crate::bench::{Bench, at, deed, progress, turn};

crate::contracts!(
    s63_an_estimate_is_corrected_once,
    what_was_not_estimated_is_not_corrected,
    a_correction_outlives_the_conversation,
    who_answered_in_whose_place_is_kept,
    what_is_known_of_a_call_is_read_back,
);

const ALL: PageRequest = PageRequest { limit: 200, offset: 0 };
/// A dollar for a million tokens of the prompt, two for the answer.
const PRICE: Price = Price {
    prompt: MicroUsd(1_000_000),
    completion: MicroUsd(2_000_000),
};

struct Scene {
    anna: UserId,
    assistant: AssistantId,
    conversation: ConversationId,
    quotas: Vec<QuotaId>,
}

async fn scene(bench: &Bench) -> Scene {
    let anna = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let conversation = bench.conversation(anna, assistant).await;
    let mut quotas = Vec::new();
    for scope in [
        Scope::Global,
        Scope::Role(Role::User),
        Scope::User(anna),
        Scope::Assistant(assistant),
    ] {
        let id = QuotaId::new();
        let limits = Limits {
            daily_cost: Some(MicroUsd(100_000)),
            monthly_tokens: Some(100_000),
            alert_threshold: 80,
            ..Limits::default()
        };
        let made = deed(Action::QuotaCreate, 0);
        bench.store.create_quota(id, scope, limits, made).await.unwrap();
        quotas.push(id);
    }
    Scene {
        anna,
        assistant,
        conversation,
        quotas,
    }
}

fn failover() -> Failover {
    Failover {
        from: "anthropic".into(),
        to: "openrouter".into(),
        reason: "overloaded".into(),
        extra_cost_percent: Some(6),
    }
}

fn particulars() -> Particulars {
    Particulars {
        cached_tokens: 40,
        reasoning_tokens: 7,
        price_source: Some(PriceSource::Live),
        upstream_id: Some("gen-1".into()),
        answered_model: Some("gpt-2026-11-01".into()),
        failover: Some(("anthropic".into(), "overloaded".into())),
        raw: Some(r#"{"prompt_tokens":100}"#.into()),
    }
}

/// An answer of 100 and 50 tokens, 200 micro-dollars; the answer's id.
async fn answered(bench: &Bench, scene: &Scene, estimated: bool) -> MessageId {
    let mut turn = turn(scene.anna, scene.conversation, "q", 0);
    turn.call.payer.assistant = Some(scene.assistant);
    turn.call = turn.call.worth(100, 200, PRICE);
    let (hold, payer, answer) = (turn.call.id, turn.call.payer, turn.answer);
    assert!(matches!(bench.store.begin_turn(turn).await.unwrap(), Begun::Yes(_)));
    let spent = Spent {
        hold,
        payer,
        provider: "openrouter".into(),
        key: None,
        model: "gpt".into(),
        prompt_tokens: 100,
        completion_tokens: 50,
        cost: PRICE.cost(100, 50),
        estimated,
        refused_keys: Vec::new(),
        more: particulars(),
    };
    let ending = Ending {
        content: "An answer".into(),
        state: State::Stopped,
        error: None,
        finish_reason: Some("stopped".into()),
        provider: Some("openrouter".into()),
        failover: Some(failover()),
        tokens: Some(TokensUsed {
            prompt: 100,
            completion: 50,
            estimated,
            cost: Some(MicroUsd(200)),
        }),
        spent: Some(spent),
        at: at(9),
    };
    bench.store.finish(answer, ending).await.unwrap();
    answer
}

fn told(message: MessageId) -> Correction {
    Correction {
        message,
        upstream_id: "gen-1".into(),
        prompt_tokens: Some(120),
        completion_tokens: Some(90),
        cost: MicroUsd(333),
    }
}

async fn only_row(bench: &Bench) -> UsageRow {
    let rows = bench.store.list_usage(&Filter::default(), ALL).await.unwrap().items;
    assert_eq!(rows.len(), 1);
    rows.into_iter().next().unwrap()
}

async fn message(bench: &Bench, scene: &Scene, id: MessageId) -> Message {
    let found = bench.store.find_message(scene.anna, scene.conversation, id).await;
    found.unwrap().unwrap()
}

/// What the doctor says of the counters.
async fn faults(bench: &Bench) -> Vec<String> {
    bench.store.counters(at(100)).await.unwrap().faults
}

async fn s63_an_estimate_is_corrected_once(bench: &Bench) {
    let scene = scene(bench).await;
    let answer = answered(bench, &scene, true).await;
    let another = bench.another().await;
    let corrections = (0..6).map(|i| {
        let store = if i % 2 == 0 { &*bench.store } else { &another };
        store.correct(told(answer), at(20))
    });
    let corrected = join_all(corrections).await;
    let corrected = corrected.into_iter().filter(|done| *done.as_ref().unwrap()).count();
    assert_eq!(corrected, 1, "whoever comes later finds nothing to correct");

    let row = only_row(bench).await;
    assert_eq!(
        (row.prompt_tokens, row.completion_tokens, row.cost, row.estimated),
        (120, 90, MicroUsd(333), false)
    );
    assert_eq!(row.more.price_source, Some(PriceSource::Stated));
    assert_eq!(
        message(bench, &scene, answer).await.tokens,
        Some(TokensUsed {
            prompt: 120,
            completion: 90,
            estimated: false,
            cost: Some(MicroUsd(333)),
        })
    );
    for quota in &scene.quotas {
        let now = bench.store.find_quota(*quota, at(30)).await.unwrap().unwrap().current;
        assert_eq!((now.daily_cost, now.monthly_cost), (MicroUsd(333), MicroUsd(333)));
        assert_eq!((now.daily_tokens, now.monthly_tokens), (210, 210));
    }
    assert_eq!(faults(bench).await, Vec::<String>::new());
}

async fn what_was_not_estimated_is_not_corrected(bench: &Bench) {
    let scene = scene(bench).await;
    let answer = answered(bench, &scene, false).await;
    assert!(!bench.store.correct(told(answer), at(20)).await.unwrap());
    let elsewhere = Correction {
        upstream_id: "gen-2".into(),
        ..told(answer)
    };
    assert!(!bench.store.correct(elsewhere, at(20)).await.unwrap());
    assert!(!bench.store.correct(told(MessageId::new()), at(20)).await.unwrap());
    let row = only_row(bench).await;
    assert_eq!((row.prompt_tokens, row.cost), (100, MicroUsd(200)));
    assert_eq!(faults(bench).await, Vec::<String>::new());
}

async fn a_correction_outlives_the_conversation(bench: &Bench) {
    let scene = scene(bench).await;
    let answer = answered(bench, &scene, true).await;
    let deleted = bench.store.delete_conversation(scene.anna, scene.conversation).await;
    assert!(deleted.unwrap());
    // What was not told again stays as it was estimated.
    let only_cost = Correction {
        prompt_tokens: None,
        completion_tokens: None,
        ..told(answer)
    };
    assert!(bench.store.correct(only_cost, at(20)).await.unwrap());
    let row = only_row(bench).await;
    assert_eq!(
        (row.prompt_tokens, row.completion_tokens, row.cost),
        (100, 50, MicroUsd(333))
    );
    assert_eq!(faults(bench).await, Vec::<String>::new());
}

async fn who_answered_in_whose_place_is_kept(bench: &Bench) {
    let scene = scene(bench).await;
    let begun = turn(scene.anna, scene.conversation, "q", 0);
    let answer = begun.answer;
    assert!(matches!(bench.store.begin_turn(begun).await.unwrap(), Begun::Yes(_)));
    assert_eq!(message(bench, &scene, answer).await.failover, None);
    let far = Progress {
        provider: "openrouter".into(),
        failover: Some(failover()),
        ..progress("Half", 60)
    };
    assert!(!bench.store.checkpoint(answer, far).await.unwrap());
    let half = message(bench, &scene, answer).await;
    assert_eq!(
        (half.failover, half.provider.as_deref(), half.content.as_str()),
        (Some(failover()), Some("openrouter"), "Half")
    );
    // Its writer dies: what is known of it stays.
    assert_eq!(bench.store.interrupt_abandoned(at(61), Dead::Expired).await.unwrap(), 1);
    assert_eq!(message(bench, &scene, answer).await.failover, Some(failover()));
    let answer = answered(bench, &scene, false).await;
    assert_eq!(message(bench, &scene, answer).await.failover, Some(failover()));
}

async fn what_is_known_of_a_call_is_read_back(bench: &Bench) {
    let scene = scene(bench).await;
    let answer = answered(bench, &scene, true).await;
    let row = only_row(bench).await;
    assert_eq!(row.more, particulars());
    assert_eq!((row.message, row.provider.as_str()), (Some(answer), "openrouter"));
    assert_eq!((row.user, row.assistant), (Some(scene.anna), Some(scene.assistant)));
}
