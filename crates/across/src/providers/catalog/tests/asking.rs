//! How often providers are asked for their models, who waits for them, and what is shown when they do not answer.

use chrono::TimeDelta;
use futures::future::join_all;

use super::{connection, fake, ids, noon, ways, world};
use crate::{
    clock::{Clock as _, Time},
    money::MicroUsd,
    providers::{
        catalog::Catalog,
        failure::{Category, ProviderError},
        model::ProviderKind,
        registry::Connection,
    },
};

#[tokio::test]
async fn nobody_is_asked_twice_in_five_minutes_and_readers_never_wait_again() {
    let openai = fake(ProviderKind::OpenAi, Some(&["gpt-4o"]));
    let world = world(vec![connection(&openai, "O")]);
    // Many who come before the first answer wait for the same one.
    openai.answers.forget_permits(1_000);
    let readers = join_all((0..50).map(|_| world.lists.catalog()));
    let (catalogs, ()) = futures::join!(readers, async { openai.answers.add_permits(1_000) });
    for catalog in catalogs {
        assert_eq!(ids(&catalog), ["gpt-4o"]);
    }
    assert_eq!(openai.asked(), 1);
    world.clock.advance(TimeDelta::seconds(299));
    world.lists.catalog().await;
    assert_eq!(openai.asked(), 1);
    // It does not answer now; readers get what there is at once, and it is asked once.
    openai.answers.forget_permits(1_000);
    openai.say(Some(&["gpt-5.5"]));
    world.clock.advance(TimeDelta::seconds(1));
    for _ in 0..20 {
        assert_eq!(ids(&*world.lists.catalog().await), ["gpt-4o"]);
        tokio::task::yield_now().await;
    }
    assert_eq!(openai.asked(), 2);
    openai.answers.add_permits(1_000);
    // Whoever waits for the answers shares them.
    let catalog = world.lists.ask_due().await;
    assert_eq!((ids(&catalog), openai.asked()), (vec!["gpt-5.5"], 2));
    let before = openai.asked();
    openai.answers.forget_permits(1_000);
    let all = join_all((0..20).map(|_| world.lists.ask_all()));
    futures::join!(all, async { openai.answers.add_permits(20) });
    assert_eq!(openai.asked(), before + 1);
}

#[tokio::test]
async fn a_failing_provider_keeps_its_models_for_a_day() {
    let openai = fake(ProviderKind::OpenAi, Some(&["gpt-of-ours"]));
    let google = fake(ProviderKind::Google, Some(&["gemini-3.8-flash"]));
    let world = world(vec![connection(&openai, "O"), connection(&google, "G")]);
    let catalog = world.lists.catalog().await;
    assert!(!catalog.stale);
    assert_eq!(catalog.fetched_at, noon());
    openai.say(None);
    world.clock.advance(TimeDelta::minutes(5));
    let catalog = world.lists.ask_due().await;
    assert!(catalog.stale);
    assert_eq!(ids(&catalog), ["gpt-of-ours", "gemini-3.8-flash"]);
    assert_eq!(catalog.fetched_at, noon(), "the oldest of what is shown");
    // It is asked again after a minute, the other one is not.
    let (ours, theirs) = (openai.asked(), google.asked());
    world.clock.advance(TimeDelta::minutes(1));
    world.lists.ask_due().await;
    assert_eq!((openai.asked(), google.asked()), (ours + 1, theirs));
    world.clock.advance(TimeDelta::hours(23));
    assert!(world.lists.ask_due().await.named("gpt-of-ours").is_some());
    world.clock.advance(TimeDelta::hours(1));
    let catalog = world.lists.ask_due().await;
    assert!(catalog.named("gpt-of-ours").is_none() && catalog.is_partial);
    openai.say(Some(&["gpt-of-ours"]));
    world.clock.advance(TimeDelta::minutes(1));
    let catalog = world.lists.ask_due().await;
    assert!(!catalog.stale && !catalog.is_partial && catalog.named("gpt-of-ours").is_some());
}

#[tokio::test]
async fn who_never_answered_has_the_models_of_the_table_that_are_still_served() {
    let openai = fake(ProviderKind::OpenAi, None);
    let router = fake(ProviderKind::OpenRouter, None);
    let house = fake(ProviderKind::Custom, None);
    let all = vec![
        connection(&openai, "O"),
        connection(&router, "R"),
        connection(&house, "H"),
    ];
    let world = world(all);
    let catalog = world.lists.catalog().await;
    assert!(catalog.stale && catalog.is_partial);
    let sol = catalog.named("gpt-6.1-sol").unwrap();
    assert_eq!(ways(sol).len(), 2);
    assert_eq!(sol.model.context_length, Some(1_050_000));
    assert!(catalog.named("text-embedding-3-small").is_none());
    assert!(catalog.named("gpt-5-mini").is_some());
    assert!(
        catalog
            .offers()
            .iter()
            .all(|offer| offer.model.provider != ProviderKind::Custom)
    );
    // Its last day is over.
    world.clock.advance(TimeDelta::days(30));
    assert!(world.lists.ask_due().await.named("gpt-5-mini").is_none());
}

#[tokio::test]
async fn a_change_of_keys_shows_at_once_and_asks_the_new_ones_only() {
    let openai = fake(ProviderKind::OpenAi, Some(&["gpt-4o"]));
    let house = fake(ProviderKind::Custom, Some(&["llama"]));
    let (ours, own) = (connection(&openai, "O"), connection(&house, "House"));
    let world = world(vec![ours.clone()]);
    world.lists.catalog().await;
    world.lists.connect(vec![ours.clone(), own.clone()], &[]);
    assert!(world.lists.at_hand().unwrap().is_partial);
    let catalog = world.lists.ask_due().await;
    assert_eq!(ids(&catalog), ["gpt-4o", "llama"]);
    assert_eq!((openai.asked(), house.asked()), (1, 1));
    // Removed, its models are gone without anybody being asked.
    world.lists.connect(vec![own.clone()], &[]);
    assert_eq!(ids(&world.lists.at_hand().unwrap()), ["llama"]);
    // Another key in its place, or another address: what the former said counts no more.
    world.lists.connect(vec![own.clone()], &[own.way()]);
    assert_eq!(ids(&world.lists.at_hand().unwrap()), [""; 0]);
    // A key that does not open serves nobody.
    let shut = Connection { provider: None, ..own };
    world.lists.connect(vec![shut], &[]);
    let catalog = world.lists.ask_due().await;
    assert!(catalog.stale && catalog.is_partial && catalog.offers().is_empty());
}

#[tokio::test]
async fn a_model_that_is_gone_has_the_list_asked_for_again() {
    let openai = fake(ProviderKind::OpenAi, Some(&["gpt-4o", "gpt-5.5"]));
    let connection = connection(&openai, "O");
    let world = world(vec![connection.clone()]);
    world.lists.catalog().await;
    let gone = ProviderError::local(ProviderKind::OpenAi, Category::ModelGone, "");
    let mut pass = connection.gate.pass(world.clock.now()).await.unwrap();
    pass.failed(&gone, world.clock.now());
    drop(pass);
    openai.say(Some(&["gpt-4o"]));
    world.clock.advance(TimeDelta::seconds(10));
    assert_eq!(ids(&*world.lists.ask_due().await), ["gpt-4o"]);
    assert_eq!(openai.asked(), 2);
    world.clock.advance(TimeDelta::seconds(10));
    world.lists.ask_due().await;
    assert_eq!(openai.asked(), 2, "asked once for each doubt");
}

#[tokio::test]
async fn announced_prices_hold_from_their_day_on() {
    let google = fake(ProviderKind::Google, Some(&["gemini-4-argon"]));
    let world = world(vec![connection(&google, "G")]);
    let prompt = |catalog: &Catalog| catalog.named("gemini-4-argon").unwrap().routes[0].tariff.price().prompt;
    assert_eq!(prompt(&*world.lists.catalog().await), MicroUsd(2_000_000));
    let midnight: Time = "2026-12-01T00:00:00Z".parse().unwrap();
    world
        .clock
        .advance(midnight - world.clock.now() - TimeDelta::seconds(1));
    assert_eq!(prompt(&*world.lists.catalog().await), MicroUsd(2_000_000));
    world.clock.advance(TimeDelta::seconds(1));
    assert_eq!(prompt(&world.lists.at_hand().unwrap()), MicroUsd(4_000_000));
}
