//! Who is asked, how often, and who instead.

use std::sync::Mutex;

use async_trait::async_trait;
use futures::StreamExt as _;

use super::*;
use crate::{
    clock::{ManualClock, Time},
    money::{MicroUsd, Price},
    providers::{
        chat::{Speaker, Turn, Usage},
        provider::{EmbedRequest, Embeddings},
    },
};

/// What one attempt comes to.
enum Attempt {
    Refused(ProviderError),
    Answered(Vec<Result<ChatEvent, ProviderError>>),
}

/// A provider that answers as it is told, attempt by attempt.
struct Scripted {
    kind: ProviderKind,
    attempts: Mutex<VecDeque<Attempt>>,
    asked: Mutex<Vec<(ChatRequest, Instant)>>,
}

#[async_trait]
impl Provider for Scripted {
    fn kind(&self) -> ProviderKind {
        self.kind
    }

    async fn chat(&self, request: ChatRequest) -> Result<ChatStream, ProviderError> {
        self.asked.lock().unwrap().push((request, Instant::now()));
        match self.attempts.lock().unwrap().pop_front() {
            Some(Attempt::Refused(error)) => Err(error),
            Some(Attempt::Answered(events)) => Ok(Box::pin(stream::iter(events))),
            None => panic!("asked more often than expected"),
        }
    }

    async fn embed(&self, _: EmbedRequest) -> Result<Embeddings, ProviderError> {
        Err(self.failure(Category::Unsupported))
    }

    async fn models(&self) -> Result<Vec<Model>, ProviderError> {
        Ok(Vec::new())
    }
}

impl Scripted {
    fn new(kind: ProviderKind, attempts: Vec<Attempt>) -> Arc<Self> {
        Arc::new(Self {
            kind,
            attempts: Mutex::new(attempts.into()),
            asked: Mutex::default(),
        })
    }

    fn failure(&self, category: Category) -> ProviderError {
        ProviderError::local(self.kind, category, "scripted")
    }

    fn times(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn refused(category: Category) -> Attempt {
    Attempt::Refused(ProviderError::local(ProviderKind::OpenAi, category, "scripted"))
}

fn told_to_wait(seconds: u64) -> Attempt {
    Attempt::Refused(ProviderError {
        retry_after: Some(Duration::from_secs(seconds)),
        ..ProviderError::local(ProviderKind::OpenAi, Category::RateLimited, "scripted")
    })
}

fn started() -> ChatEvent {
    ChatEvent::Started {
        provider: ProviderKind::OpenAi,
        upstream_id: None,
        model: None,
    }
}

fn text(words: &str) -> ChatEvent {
    ChatEvent::Text(words.to_owned())
}

fn answered(words: &str) -> Attempt {
    Attempt::Answered(vec![
        Ok(started()),
        Ok(text(words)),
        Ok(ChatEvent::Finish(FinishReason::Stop)),
    ])
}

fn key() -> ApiKeyId {
    "0190a0b0-0000-7000-8000-000000000001".parse().unwrap()
}

fn route(provider: &Arc<Scripted>, prompt: i64, key: Option<ApiKeyId>) -> Route {
    let price = Price {
        prompt: MicroUsd(prompt),
        completion: MicroUsd(prompt),
    };
    Route {
        provider: Arc::<Scripted>::clone(provider),
        key,
        model: format!("{}-name", provider.kind.as_str()),
        tariff: Tariff::flat(price, PriceSource::Table),
        max_output: Some(50),
        gate: Arc::default(),
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::new(Time::from_timestamp(1_800_000_000, 0).unwrap()))
}

fn served(routes: Vec<Route>) -> Served {
    Served {
        model: Model {
            id: "m".into(),
            name: "M".into(),
            provider: ProviderKind::OpenAi,
            context_length: None,
            max_output_tokens: None,
            tariff: None,
        },
        routes,
    }
}

/// What came of an answer: its events without words for who was asked, its words, and its failure.
async fn run(routes: Vec<Route>) -> (Vec<Step>, String, Option<Category>) {
    let request = ChatRequest {
        model: "m".into(),
        system: None,
        turns: vec![Turn {
            speaker: Speaker::User,
            text: "What is new?".into(),
        }],
        materials: Vec::new(),
        temperature: 0.5,
        max_output: 100,
    };
    let items: Vec<_> = answer(served(routes), request, clock()).collect().await;
    let (mut steps, mut words, mut failure) = (Vec::new(), String::new(), None);
    for item in items {
        assert!(failure.is_none(), "nothing comes after a failure");
        match item {
            Ok(Step::Event(ChatEvent::Text(more))) => words.push_str(&more),
            Ok(Step::Asked(_)) => {}
            Ok(step) => steps.push(step),
            Err(error) => failure = Some(error.category),
        }
    }
    (steps, words, failure)
}

fn failovers(steps: &[Step]) -> Vec<Failover> {
    let failover = |step: &Step| match step {
        Step::Failover(failover) => Some(failover.clone()),
        _ => None,
    };
    steps.iter().filter_map(failover).collect()
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_asked_three_times_with_growing_pauses() {
    for category in [
        Category::RateLimited,
        Category::Overloaded,
        Category::Upstream,
        Category::Network,
    ] {
        let direct = Scripted::new(
            ProviderKind::OpenAi,
            vec![refused(category), refused(category), answered("Hello")],
        );
        let (_, words, failure) = run(vec![route(&direct, 1, None)]).await;
        assert_eq!((words.as_str(), failure), ("Hello", None), "{category:?}");
        let asked = direct.asked.lock().unwrap();
        let pauses: Vec<u128> = asked.windows(2).map(|two| (two[1].1 - two[0].1).as_millis()).collect();
        assert!(
            (500..=751).contains(&pauses[0]) && (1_500..=2_251).contains(&pauses[1]),
            "{pauses:?}"
        );
        assert_eq!(asked[0].0.model, "openai-name");
        assert_eq!(asked[0].0.max_output, 50, "no more than the model can write there");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_will_not_change_is_asked_once_and_gone_around_only_where_that_helps() {
    let once = [
        (Category::AuthBad, true),
        (Category::NoCredit, true),
        (Category::ModelGone, true),
        (Category::Timeout, true),
        (Category::Blocked, false),
        (Category::TooLong, false),
        (Category::TooLarge, false),
        (Category::BadParam, false),
        (Category::BadRequest, false),
    ];
    for (category, goes_on) in once {
        let direct = Scripted::new(ProviderKind::OpenAi, vec![refused(category)]);
        let other = Scripted::new(ProviderKind::OpenRouter, vec![answered("Hello")]);
        let (steps, words, failure) = run(vec![route(&direct, 100, None), route(&other, 105, None)]).await;
        assert_eq!(
            (direct.times(), other.times()),
            (1, usize::from(goes_on)),
            "{category:?}"
        );
        if goes_on {
            let expected = Failover {
                from: "openai".into(),
                to: "openrouter".into(),
                reason: category.as_str().into(),
                // Both are rounded up to the same micro-dollar.
                extra_cost_percent: Some(0),
            };
            assert_eq!(failovers(&steps), [expected]);
            assert!(
                matches!(steps[0], Step::Failover(_)),
                "before everything of the answer: {steps:?}"
            );
            assert_eq!((words.as_str(), failure), ("Hello", None));
        } else {
            assert_eq!((words.as_str(), failure), ("", Some(category)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn four_attempts_are_made_in_all_and_the_first_way_is_what_is_told() {
    let busy = || refused(Category::Overloaded);
    let direct = Scripted::new(ProviderKind::OpenAi, vec![busy(), busy(), busy()]);
    let other = Scripted::new(ProviderKind::OpenRouter, vec![refused(Category::Upstream)]);
    let (steps, _, failure) = run(vec![route(&direct, 1, None), route(&other, 1, None)]).await;
    assert_eq!((direct.times(), other.times()), (3, 1));
    assert_eq!(failure, Some(Category::Overloaded));
    assert!(failovers(&steps).is_empty(), "nobody answered in its place");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_twenty_seconds() {
    let began = Instant::now();
    let direct = Scripted::new(ProviderKind::OpenAi, vec![told_to_wait(12), told_to_wait(12)]);
    let (_, _, failure) = run(vec![route(&direct, 1, None)]).await;
    assert_eq!((direct.times(), failure), (2, Some(Category::RateLimited)));
    assert!(began.elapsed() < Duration::from_secs(14));
    let direct = Scripted::new(ProviderKind::OpenAi, vec![told_to_wait(3_600)]);
    let (_, _, failure) = run(vec![route(&direct, 1, None)]).await;
    assert_eq!((direct.times(), failure), (1, Some(Category::RateLimited)));
}

#[tokio::test(start_paused = true)]
async fn after_the_first_word_nothing_is_asked_again() {
    let broken = Err(ProviderError::local(
        ProviderKind::OpenAi,
        Category::Overloaded,
        "scripted",
    ));
    let direct = Scripted::new(
        ProviderKind::OpenAi,
        vec![Attempt::Answered(vec![Ok(started()), Ok(text("Hel")), broken])],
    );
    let other = Scripted::new(ProviderKind::OpenRouter, vec![]);
    let (_, words, failure) = run(vec![route(&direct, 1, None), route(&other, 1, None)]).await;
    assert_eq!((words.as_str(), failure), ("Hel", Some(Category::Overloaded)));
    assert_eq!((direct.times(), other.times()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_began_is_asked_for_once_more_and_then_elsewhere() {
    let nothing = || Attempt::Answered(vec![Ok(started()), Ok(ChatEvent::Usage(Usage::default()))]);
    let empty = || Attempt::Answered(vec![Ok(started()), Ok(ChatEvent::Finish(FinishReason::Stop))]);
    for begin in [nothing, empty] {
        let direct = Scripted::new(ProviderKind::OpenAi, vec![begin(), begin()]);
        let other = Scripted::new(ProviderKind::OpenRouter, vec![answered("Hello")]);
        let (steps, words, failure) = run(vec![route(&direct, 1, None), route(&other, 1, None)]).await;
        assert_eq!((direct.times(), other.times()), (2, 1));
        assert_eq!((words.as_str(), failure), ("Hello", None));
        assert_eq!(failovers(&steps)[0].reason, "failed");
        let starts = steps
            .iter()
            .filter(|step| matches!(step, Step::Event(ChatEvent::Started { .. })));
        assert_eq!(starts.count(), 1, "what came of the attempts before is not passed on");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejected_key_is_told_and_a_provider_without_credit_is_not_asked_for_a_while() {
    let direct = Scripted::new(ProviderKind::OpenAi, vec![refused(Category::NoCredit)]);
    let other = Scripted::new(ProviderKind::OpenRouter, vec![answered("One"), answered("Two")]);
    let routes = vec![route(&direct, 1, Some(key())), route(&other, 2_000_000, None)];
    let (steps, _, _) = run(routes.clone()).await;
    assert_eq!(steps[0], Step::KeyRefused(key(), "no_credit"));
    let (steps, words, _) = run(routes).await;
    assert_eq!((direct.times(), words.as_str()), (1, "Two"));
    assert_eq!(failovers(&steps)[0].reason, "paused");
}

#[tokio::test(start_paused = true)]
async fn how_much_more_it_costs_is_told_only_where_both_prices_are_known() {
    let ask = async |prompt, source| {
        let direct = Scripted::new(ProviderKind::OpenAi, vec![refused(Category::AuthBad)]);
        let other = Scripted::new(ProviderKind::OpenRouter, vec![answered("Hello")]);
        let mut routes = vec![route(&direct, 100_000_000, None), route(&other, prompt, None)];
        routes[1].tariff.source = source;
        failovers(&run(routes).await.0)[0].extra_cost_percent
    };
    assert_eq!(ask(105_000_000, PriceSource::Live).await, Some(5));
    assert_eq!(ask(50_000_000, PriceSource::Live).await, Some(-50));
    assert_eq!(ask(105_000_000, PriceSource::Fallback).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_without_an_ending_counts_against_its_provider() {
    let cut = || Attempt::Answered(vec![Ok(text("Hel"))]);
    let direct = Scripted::new(ProviderKind::OpenAi, (0..5).map(|_| cut()).collect());
    let other = Scripted::new(ProviderKind::OpenRouter, vec![answered("Hello")]);
    let routes = vec![route(&direct, 1, None), route(&other, 1, None)];
    for _ in 0..5 {
        let (_, words, failure) = run(routes.clone()).await;
        assert_eq!(
            (words.as_str(), failure),
            ("Hel", None),
            "the reader of the steps sees that no ending came"
        );
    }
    let (steps, words, _) = run(routes).await;
    assert_eq!((direct.times(), words.as_str()), (5, "Hello"));
    assert_eq!(failovers(&steps)[0].reason, "overloaded");
}
