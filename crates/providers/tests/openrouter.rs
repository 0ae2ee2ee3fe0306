//! OpenRouter's own features: prices in its list, charges with an answer and after it, what it is told.

use std::collections::HashMap;

use across::{
    money::{MicroUsd, Price, PriceSource, Tariff},
    providers::{
        chat::{ChatEvent, ChatRequest},
        failure::Category,
        model::ProviderKind,
        provider::EmbedPurpose,
    },
};
use across_providers::{Reach, VendorConnector};
use across_testkit::vendor::{Dialect, ScriptedVendor};
use futures::StreamExt as _;
use serde_json::json;
use url::Url;

use crate::common::{DIRECT, answer, ask, embed, names, pair_of};

#[tokio::test]
async fn openrouters_list_tells_prices_and_windows() {
    let (vendor, provider) = pair_of(ProviderKind::OpenRouter).await;
    let models = provider.models().await.unwrap();
    assert!(models.len() > 50, "{}", models.len());
    let found = |id: &str| models.iter().find(|model| model.id == id);
    let tariff = |id: &str| found(id).unwrap().tariff.clone();
    let small = Price {
        prompt: MicroUsd(150_000),
        completion: MicroUsd(600_000),
    };
    let told = tariff("openai/gpt-4o-mini").unwrap();
    assert_eq!((told.price(), told.source), (small, PriceSource::Live));
    assert_eq!(told.rates.cache_read, Some(MicroUsd(75_000)));
    let free = Tariff::flat(Price::FREE, PriceSource::Live);
    assert_eq!(tariff("scripted/small:free"), Some(free));
    assert_eq!(tariff("openrouter/auto"), None);
    assert_eq!(tariff("scripted/wordy"), None);
    for unlisted in ["scripted/painter", "scripted/expired"] {
        assert_eq!(found(unlisted), None, "{unlisted}");
    }
    assert!(found("scripted/expiring").is_some());
    let small = found("openai/gpt-4o-mini").unwrap();
    assert_eq!(
        (small.provider, small.context_length, small.max_output_tokens),
        (ProviderKind::OpenRouter, Some(200_000), Some(8000))
    );
    let opus = tariff("anthropic/claude-opus-5.5").unwrap().rates;
    assert_eq!(
        (opus.cache_read, opus.cache_write, opus.cache_write_1h),
        (
            Some(MicroUsd(200_000)),
            Some(MicroUsd(5_000_000)),
            Some(MicroUsd(8_000_000))
        )
    );
    let tiers = tariff("openai/gpt-6-sol").unwrap().tiers;
    assert_eq!((tiers.len(), tiers[0].above), (1, 272_000));
    assert_eq!(
        (
            tiers[0].rates.price.prompt,
            tiers[0].rates.cache_read,
            tiers[0].rates.cache_write
        ),
        (MicroUsd(4_000_000), Some(MicroUsd(400_000)), Some(MicroUsd(5_000_000)))
    );
    // Prices of some hours are not those of a request at any time: the dearer one holds.
    assert_eq!(tariff("scripted/night").unwrap().price().prompt, MicroUsd(1_000_000));
    assert_eq!(vendor.requests()[0].path, "/api/v1/models");
}

#[tokio::test]
async fn openrouter_learns_what_this_is_and_where_it_is_found_if_that_is_configured() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let reach = || Reach {
        stand_ins: HashMap::from([(ProviderKind::OpenRouter, Url::parse(&vendor.openrouter_url).unwrap())]),
        ..Reach::default()
    };
    let public = Url::parse("https://across.example.org/").unwrap();
    for known_as in [None, Some(&public)] {
        let connector = VendorConnector::new(reach()).unwrap().known_as(known_as);
        let (provider, _) = connector.configured(ProviderKind::OpenRouter, None).unwrap();
        answer(&*provider, ask("Hi")).await;
        let sent = vendor.requests().pop().unwrap();
        assert_eq!(sent.header("http-referer"), known_as.map(Url::as_str));
        assert_eq!(sent.header("x-openrouter-title"), Some("AI-Across"));
    }
}

#[tokio::test]
async fn openrouter_is_asked_for_a_temperature_only_where_its_list_knows_of_one() {
    let (vendor, provider) = pair_of(ProviderKind::OpenRouter).await;
    let request = |model: &str| ChatRequest {
        model: model.to_owned(),
        ..ask("Hi")
    };
    let models = ["scripted/no-temperature", "openai/gpt-4o-mini"];
    for model in models {
        answer(&*provider, request(model)).await;
    }
    provider.models().await.unwrap();
    for model in models {
        answer(&*provider, request(model)).await;
    }
    let asked = vendor.requests().into_iter().filter(|sent| sent.method == "POST");
    let sent: Vec<bool> = asked.map(|sent| names(&sent.body).contains(&"temperature")).collect();
    assert_eq!(sent, [true, true, false, true]);
}

#[tokio::test]
async fn openrouter_says_what_an_answer_cost_with_it_and_afterwards() {
    let (vendor, provider) = pair_of(ProviderKind::OpenRouter).await;
    let items = answer(&*provider, ask("[[script:pace-30-0]]")).await;
    let Some(Ok(ChatEvent::Started { upstream_id, model, .. })) = items.first() else {
        panic!("{items:?}")
    };
    assert_eq!((upstream_id.as_deref(), model), (Some("gen-scripted-1"), &None));
    let Some(Ok(ChatEvent::Usage(usage))) = items.iter().find(|item| matches!(item, Ok(ChatEvent::Usage(_)))) else {
        panic!("{items:?}")
    };
    // 0.15 and 0.60 dollars a million tokens, in micro-dollars, rounded up.
    let expected = (usage.input_total * 15 + usage.output_total * 60).div_ceil(100);
    assert_eq!(usage.cost.map(|cost| cost.0.unsigned_abs()), Some(expected));
    assert!(usage.raw.as_ref().unwrap().contains("is_byok"));

    assert!(provider.keeps_accounts());
    vendor.account_after(1);
    assert_eq!(provider.accounted("gen-scripted-1").await.unwrap(), None);
    let account = provider.accounted("gen-scripted-1").await.unwrap().unwrap();
    assert_eq!(Some(account.cost), usage.cost);
    assert_eq!(account.prompt_tokens, Some(usage.input_total));
    assert_eq!(account.completion_tokens, Some(usage.output_total));
    assert_eq!(provider.accounted("gen-of-somebody-else").await.unwrap(), None);

    // However early it breaks off, its name is known.
    for script in ["cut-head", "cut-0", "stall-0"] {
        vendor.answer_for(Dialect::OpenRouter, script);
        let mut stream = provider.chat(ask("Hi")).await.unwrap();
        let first = stream.next().await;
        let named = matches!(
            &first,
            Some(Ok(ChatEvent::Started {
                upstream_id: Some(_),
                ..
            }))
        );
        assert!(named || script == "cut-head", "{script}: {first:?}");
    }
    for kind in DIRECT.into_iter().filter(|kind| *kind != ProviderKind::OpenRouter) {
        let (_vendor, provider) = pair_of(kind).await;
        assert!(!provider.keeps_accounts());
        assert_eq!(
            provider.accounted("x").await.unwrap_err().category,
            Category::Unsupported
        );
    }
}

#[tokio::test]
async fn openrouters_embeddings_are_those_of_their_maker() {
    let (vendor, provider) = pair_of(ProviderKind::OpenRouter).await;
    let request = || embed("text-embedding-3-small", 1536, &["some words"], EmbedPurpose::Query);
    let routed = provider.embed(request()).await.unwrap();
    let sent = vendor.requests().remove(0);
    assert_eq!(
        (sent.path.as_str(), &sent.body["model"]),
        ("/api/v1/embeddings", &json!("openai/text-embedding-3-small"))
    );
    let (_direct_vendor, direct) = pair_of(ProviderKind::OpenAi).await;
    assert_eq!(direct.embed(request()).await.unwrap().vectors, routed.vectors);
}
