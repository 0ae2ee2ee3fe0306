//! The merged list of models, with providers that say what they are told to: who has which name, who is tried in which order,
//! and what it costs there.

mod asking;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use tokio::sync::Semaphore;

use crate::{
    clock::{ManualClock, Time},
    id::ApiKeyId,
    money::{MicroUsd, Price, PriceSource, Tariff},
    providers::{
        catalog::{Catalog, Offer},
        chat::{ChatRequest, ChatStream},
        failure::{Category, ProviderError},
        gate::Gate,
        lists::Lists,
        model::{Model, ProviderKind},
        provider::{EmbedRequest, Embeddings, Provider},
        registry::Connection,
    },
    settings::Settings,
};

const FALLBACK: Price = Price {
    prompt: MicroUsd(5_000_000),
    completion: MicroUsd(15_000_000),
};

/// A provider that lists what it is told to.
struct Fake {
    kind: ProviderKind,
    says: Mutex<Option<Vec<Model>>>,
    asked: AtomicUsize,
    /// A permit for every answer.
    answers: Semaphore,
}

#[async_trait]
impl Provider for Fake {
    fn kind(&self) -> ProviderKind {
        self.kind
    }

    async fn chat(&self, _: ChatRequest) -> Result<ChatStream, ProviderError> {
        Err(ProviderError::local(self.kind, Category::Unsupported, ""))
    }

    async fn embed(&self, _: EmbedRequest) -> Result<Embeddings, ProviderError> {
        Err(ProviderError::local(self.kind, Category::Unsupported, ""))
    }

    async fn models(&self) -> Result<Vec<Model>, ProviderError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.answers.acquire().await.unwrap().forget();
        let says = self.says.lock().unwrap().clone();
        says.ok_or_else(|| ProviderError::local(self.kind, Category::Upstream, "down"))
    }
}

impl Fake {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn say(&self, models: Option<&[&str]>) {
        let models = models.map(|ids| ids.iter().map(|id| model(self.kind, id)).collect());
        *self.says.lock().unwrap() = models;
    }
}

fn model(kind: ProviderKind, id: &str) -> Model {
    Model {
        id: id.to_owned(),
        name: id.to_owned(),
        provider: kind,
        context_length: None,
        max_output_tokens: None,
        tariff: None,
    }
}

/// A provider that lists these, `None` if it is down.
fn fake(kind: ProviderKind, ids: Option<&[&str]>) -> Arc<Fake> {
    let fake = Fake {
        kind,
        says: Mutex::default(),
        asked: AtomicUsize::new(0),
        answers: Semaphore::new(1_000),
    };
    fake.say(ids);
    Arc::new(fake)
}

fn connection(fake: &Arc<Fake>, name: &str) -> Connection {
    let key = (!fake.kind.is_built_in()).then(ApiKeyId::new);
    Connection {
        kind: fake.kind,
        key,
        name: name.to_owned(),
        is_keyed: key.is_some(),
        provider: Some(Arc::clone(fake) as _),
        embeds: Vec::new(),
        price: None,
        gate: Arc::new(Gate::default()),
    }
}

fn noon() -> Time {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

struct World {
    clock: Arc<ManualClock>,
    lists: Arc<Lists>,
}

fn world(connections: Vec<Connection>) -> World {
    let clock = Arc::new(ManualClock::new(noon()));
    let lists = Arc::new(Lists::new(connections, FALLBACK, Arc::clone(&clock) as _));
    World { clock, lists }
}

/// What is on offer when these were asked.
async fn merged(connections: Vec<Connection>) -> Arc<Catalog> {
    world(connections).lists.catalog().await
}

fn ids(catalog: &Catalog) -> Vec<&str> {
    catalog.offers().iter().map(|offer| offer.model.id.as_str()).collect()
}

/// The ways to a model: who, and what it is called there.
fn ways(offer: &Offer) -> Vec<(ProviderKind, &str)> {
    let routes = offer.routes.iter();
    routes
        .map(|route| (route.provider.kind(), route.model.as_str()))
        .collect()
}

fn flat(prompt: i64, completion: i64) -> Tariff {
    let price = Price {
        prompt: MicroUsd(prompt),
        completion: MicroUsd(completion),
    };
    Tariff::flat(price, PriceSource::Live)
}

#[tokio::test]
async fn a_model_of_a_maker_and_of_openrouter_is_one_with_two_ways_and_both_names() {
    let openai = fake(ProviderKind::OpenAi, Some(&["gpt-6.1-sol", "gpt-7-new"]));
    let anthropic = fake(
        ProviderKind::Anthropic,
        Some(&["claude-haiku-4-5-20251001", "claude-haiku-4-5"]),
    );
    let google = fake(ProviderKind::Google, Some(&["gemini-3.8-flash"]));
    let router = fake(
        ProviderKind::OpenRouter,
        Some(&[
            "openai/gpt-6.1-sol",
            "openai/gpt-6.1-sol:free",
            "anthropic/claude-haiku-4.5",
            "google/gemini-3.8-flash",
            "google/gemma-3-27b-it",
            "qwen/qwen3",
            "openai/gpt-5.5",
        ]),
    );
    // The order of preference does not depend on the age of keys.
    let catalog = merged(vec![
        connection(&router, "R"),
        connection(&google, "G"),
        connection(&anthropic, "A"),
        connection(&openai, "O"),
    ])
    .await;
    assert_eq!(
        ids(&catalog),
        [
            "gpt-6.1-sol",
            "gpt-7-new",
            "claude-haiku-4-5-20251001",
            "claude-haiku-4-5",
            "gemini-3.8-flash",
            "openai/gpt-6.1-sol:free",
            "google/gemma-3-27b-it",
            "qwen/qwen3",
            "openai/gpt-5.5",
        ]
    );
    for name in ["gpt-6.1-sol", "openai/gpt-6.1-sol"] {
        let offer = catalog.named(name).unwrap();
        assert_eq!(offer.model.id, "gpt-6.1-sol");
        assert_eq!(
            ways(offer),
            [
                (ProviderKind::OpenAi, "gpt-6.1-sol"),
                (ProviderKind::OpenRouter, "openai/gpt-6.1-sol")
            ]
        );
    }
    // The undated edition has the shared name; the dated one is a model of its own.
    let haiku = catalog.named("anthropic/claude-haiku-4.5").unwrap();
    assert_eq!((haiku.model.id.as_str(), haiku.routes.len()), ("claude-haiku-4-5", 2));
    assert_eq!(catalog.named("claude-haiku-4-5-20251001").unwrap().routes.len(), 2);
    assert_eq!(
        ways(catalog.named("gpt-7-new").unwrap()),
        [(ProviderKind::OpenAi, "gpt-7-new")]
    );
    // What the maker does not list goes over OpenRouter, by either name.
    for name in ["openai/gpt-5.5", "gpt-5.5"] {
        let offer = catalog.named(name).unwrap();
        assert_eq!(offer.model.id, "openai/gpt-5.5");
        assert_eq!(ways(offer), [(ProviderKind::OpenRouter, "openai/gpt-5.5")]);
    }
    assert!(catalog.named("gemma-3-27b-it").is_none());
    assert!(catalog.named("gpt-6.1-sol:free").is_none());
}

#[tokio::test]
async fn settings_mean_a_model_by_any_of_its_names() {
    let openai = fake(ProviderKind::OpenAi, Some(&["gpt-5.5", "gpt-6.1-sol"]));
    let router = fake(ProviderKind::OpenRouter, Some(&["openai/gpt-6.1-sol", "qwen/qwen3"]));
    let catalog = merged(vec![connection(&openai, "O"), connection(&router, "R")]).await;
    let settings = Settings {
        allowed_models: vec!["openai/gpt-6.1-sol".into(), "qwen/qwen3".into()],
        default_model: Some("qwen/qwen3".into()),
        ..Settings::default()
    };
    let usable = |name: Option<&str>| catalog.usable(name, &settings).map(|offer| offer.model.id.as_str());
    assert_eq!(usable(Some("gpt-6.1-sol")), Some("gpt-6.1-sol"));
    assert_eq!(usable(Some("openai/gpt-6.1-sol")), Some("gpt-6.1-sol"));
    assert_eq!(usable(Some("gpt-5.5")), None);
    assert_eq!(usable(None), Some("qwen/qwen3"));
    let allowed = catalog.allowed(&settings);
    let allowed: Vec<_> = allowed.iter().map(|offer| offer.model.id.as_str()).collect();
    assert_eq!(allowed, ["qwen/qwen3", "gpt-6.1-sol"]);
}

#[tokio::test]
async fn servers_of_ones_own_never_take_the_name_of_another_model() {
    let openai = fake(ProviderKind::OpenAi, Some(&["gpt-4o"]));
    let router = fake(ProviderKind::OpenRouter, Some(&["qwen/qwen3", "openai/gpt-5.5"]));
    let first = fake(
        ProviderKind::Custom,
        Some(&["llama3:8b", "gpt-4o", "qwen/qwen3", "gpt-5.5", "org/only/here"]),
    );
    let second = fake(ProviderKind::Custom, Some(&["llama3:8b", "offline"]));
    let third = fake(ProviderKind::Custom, Some(&["llama3:8b"]));
    let offline = fake(ProviderKind::Offline, Some(&["offline"]));
    let (one, two, three) = (
        connection(&first, "GPU box"),
        connection(&second, "gpu-box"),
        connection(&third, "שרת"),
    );
    let catalog = merged(vec![
        connection(&offline, ""),
        three,
        two,
        one.clone(),
        connection(&openai, "O"),
        connection(&router, "R"),
    ])
    .await;
    assert_eq!(
        ids(&catalog),
        [
            "gpt-4o",
            "qwen/qwen3",
            "openai/gpt-5.5",
            "local/gpu-box/llama3:8b",
            "local/gpu-box/gpt-4o",
            "local/gpu-box/qwen/qwen3",
            "local/gpu-box/gpt-5.5",
            "org/only/here",
            "local/gpu-box-2/llama3:8b",
            "local/gpu-box-2/offline",
            "local/שרת/llama3:8b",
            "offline",
        ]
    );
    let kind = |name: &str| catalog.named(name).unwrap().model.provider;
    assert_eq!(kind("gpt-4o"), ProviderKind::OpenAi);
    assert_eq!(kind("qwen/qwen3"), ProviderKind::OpenRouter);
    assert_eq!(kind("gpt-5.5"), ProviderKind::OpenRouter);
    assert_eq!(kind("offline"), ProviderKind::Offline);
    // A name that several servers share means the oldest of them, and each is asked for the model by its own name.
    assert_eq!(catalog.named("llama3:8b").unwrap().model.id, "local/gpu-box/llama3:8b");
    let qwen = catalog.named("local/gpu-box/qwen/qwen3").unwrap();
    assert_eq!(ways(qwen), [(ProviderKind::Custom, "qwen/qwen3")]);
    assert_eq!(qwen.routes[0].key, one.key);
    // The long name is good while the short one is its own, so that it can be chosen for good.
    assert_eq!(
        catalog.named("local/gpu-box/org/only/here").unwrap().model.id,
        "org/only/here"
    );
}

#[tokio::test]
async fn each_way_has_a_price_and_says_where_it_is_from() {
    let openai = fake(
        ProviderKind::OpenAi,
        Some(&["gpt-6.1-sol", "gpt-5.5", "gpt-4o", "gpt-nobody-knows"]),
    );
    let router = fake(ProviderKind::OpenRouter, None);
    let listed = |id: &str, tariff| Model {
        tariff,
        ..model(ProviderKind::OpenRouter, id)
    };
    *router.says.lock().unwrap() = Some(vec![
        listed("openai/gpt-6.1-sol", Some(flat(3_000_000, 9_000_000))),
        listed("openai/gpt-5.5", Some(flat(0, 0))),
        listed("openrouter/auto", None),
        listed("openai/gpt-4o", Some(flat(2_500_000, 10_000_000))),
        listed("scripted/small:free", Some(flat(0, 0))),
    ]);
    let house = fake(ProviderKind::Custom, Some(&["llama"]));
    let price = Price {
        prompt: MicroUsd(7),
        completion: MicroUsd(8),
    };
    let house = Connection {
        price: Some(price),
        ..connection(&house, "House")
    };
    let offline = fake(ProviderKind::Offline, Some(&["offline"]));
    let all = vec![
        connection(&openai, "O"),
        connection(&router, "R"),
        house,
        connection(&offline, ""),
    ];
    let catalog = merged(all).await;
    let tariffs = |id: &str| -> Vec<(i64, PriceSource)> {
        let routes = catalog.named(id).unwrap().routes.iter();
        routes
            .map(|route| (route.tariff.price().prompt.0, route.tariff.source))
            .collect()
    };
    use PriceSource::{Administrator, BuiltIn, Fallback, Live, Table};
    // What OpenRouter charges now is what the maker charges now.
    assert_eq!(tariffs("gpt-6.1-sol"), [(3_000_000, Live), (3_000_000, Live)]);
    // But what it gives away is not free at the maker's.
    assert_eq!(tariffs("gpt-5.5"), [(5_000_000, Table), (0, Live)]);
    assert_eq!(tariffs("gpt-nobody-knows"), [(FALLBACK.prompt.0, Fallback)]);
    assert_eq!(tariffs("openrouter/auto"), [(FALLBACK.prompt.0, Fallback)]);
    assert_eq!(tariffs("scripted/small:free"), [(0, Live)]);
    assert_eq!(tariffs("llama"), [(7, Administrator)]);
    assert_eq!(tariffs("offline"), [(0, BuiltIn)]);
    // Caches are known from the table where both agree on the price.
    let known = &catalog.named("gpt-4o").unwrap().routes[0].tariff;
    assert_eq!(
        (known.source, known.rates.cache_read),
        (Live, Some(MicroUsd(1_250_000)))
    );
    // So is what the list does not say of the model.
    let sol = catalog.named("gpt-6.1-sol").unwrap();
    assert_eq!(
        (sol.model.context_length, sol.routes[0].max_output),
        (Some(1_050_000), Some(128_000))
    );
    assert_eq!(catalog.named("gpt-nobody-knows").unwrap().model.tariff, None);
}

#[tokio::test]
async fn without_a_choice_the_default_is_the_first_of_the_table_at_its_maker() {
    let openai = fake(
        ProviderKind::OpenAi,
        Some(&["gpt-brand-new", "gpt-5.4-mini", "gpt-5.5"]),
    );
    let router = fake(ProviderKind::OpenRouter, Some(&["qwen/qwen3", "openai/gpt-6-astra"]));
    let house = fake(ProviderKind::Custom, Some(&["llama"]));
    let offline = fake(ProviderKind::Offline, Some(&["offline"]));
    let mut all = vec![
        connection(&offline, ""),
        connection(&house, "House"),
        connection(&router, "R"),
        connection(&openai, "O"),
    ];
    for expected in ["gpt-5.5", "openai/gpt-6-astra", "llama", "offline"] {
        let catalog = merged(all.clone()).await;
        let usual = catalog.usable(None, &Settings::default()).unwrap();
        assert_eq!(usual.model.id, expected);
        all.pop();
    }
    assert!(merged(all).await.usable(None, &Settings::default()).is_none());
}
