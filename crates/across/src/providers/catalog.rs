//! The merged list of models: one entry for each model, whoever serves it, with the ways to it in the order in which they are
//! tried. Made from the lists of all providers at once, by rules that look at nothing else.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::{
    clock::Time,
    governance::price,
    money::{MicroUsd, Price, PriceSource, Tariff},
    providers::{
        model::{Model, ProviderKind},
        names,
        registry::{Connection, Way},
        routing::Route,
    },
    settings::Settings,
};

/// The order of preference, and of the list: makers before those who pass on, those before servers of one's own, and what is
/// built in last.
const ORDER: [ProviderKind; 7] = [
    ProviderKind::OpenAi,
    ProviderKind::Anthropic,
    ProviderKind::Google,
    ProviderKind::OpenRouter,
    ProviderKind::Custom,
    ProviderKind::Offline,
    ProviderKind::Local,
];

/// The models of one connection.
pub(super) struct Listed<'a> {
    /// Whose.
    pub(super) connection: &'a Connection,
    /// What it can chat with: as it said, or as the shipped table says if it has said nothing yet.
    pub(super) models: Vec<Model>,
}

/// A model on offer.
#[derive(Clone)]
pub struct Offer {
    /// The model; its tariff is that of the first way, if anybody knows it.
    pub model: Model,
    /// The ways to it, at least one, in the order in which they are tried.
    pub routes: Vec<Route>,
    /// Every name it is found by, its id first.
    names: Vec<String>,
    /// Where it stands when nobody has chosen a default; the least is taken.
    standing: (usize, usize),
}

impl Offer {
    /// What is charged on the way that is tried first.
    #[must_use]
    pub fn tariff(&self) -> Option<&Tariff> {
        self.routes.first().map(|route| &route.tariff)
    }

    /// Whether the settings let people use it, by any of its names.
    fn is_allowed(&self, settings: &Settings) -> bool {
        self.names.iter().any(|name| settings.allows_model(name))
    }
}

/// The list of models at one time.
pub struct Catalog {
    pub(super) offers: Vec<Offer>,
    /// Every name that a model is found by, with its place among the offers.
    pub(super) places: HashMap<String, usize>,
    /// Some provider could not be asked: its models are those of an earlier answer, or those that it is known to have.
    pub stale: bool,
    /// Some provider has told nothing yet or its key does not open, so that a model which is not on the list may exist all the
    /// same.
    pub is_partial: bool,
    /// When the providers were asked; of several answers, the oldest.
    pub fetched_at: Time,
    /// When the lists were merged; prices are those of this moment.
    pub(super) merged_at: Time,
}

impl Catalog {
    /// Everything on offer.
    #[must_use]
    pub fn offers(&self) -> &[Offer] {
        &self.offers
    }

    /// The model that goes by this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Offer> {
        self.offers.get(*self.places.get(name)?)
    }

    /// The model by this name, or the default if none is named, if people may use it.
    #[must_use]
    pub fn usable(&self, name: Option<&str>, settings: &Settings) -> Option<&Offer> {
        match name {
            Some(name) => self.named(name).filter(|offer| offer.is_allowed(settings)),
            None => self.usual(settings),
        }
    }

    /// The default: what the settings name if it is on offer, else the usual one of those that people may use.
    fn usual(&self, settings: &Settings) -> Option<&Offer> {
        let named = settings.default_model.as_deref().and_then(|name| self.named(name));
        named.filter(|offer| offer.is_allowed(settings)).or_else(|| {
            let allowed = self.offers.iter().filter(|offer| offer.is_allowed(settings));
            allowed.min_by_key(|offer| offer.standing)
        })
    }

    /// What people may use, the default first.
    #[must_use]
    pub fn allowed(&self, settings: &Settings) -> Vec<&Offer> {
        let usual = self.usual(settings);
        let is_usual = |offer: &Offer| usual.is_some_and(|usual| usual.model.id == offer.model.id);
        let others = self.offers.iter().filter(|offer| offer.is_allowed(settings));
        usual
            .into_iter()
            .chain(others.filter(|offer| !is_usual(offer)))
            .collect()
    }

    /// How many models this way leads to.
    #[must_use]
    pub fn models_of(&self, way: Way) -> usize {
        let leads = |offer: &&Offer| {
            let mut ways = offer.routes.iter().map(|route| (route.provider.kind(), route.key));
            ways.any(|known| known == way)
        };
        self.offers.iter().filter(leads).count()
    }
}

/// Merges the lists, at a moment.
pub(super) fn merge(mut lists: Vec<Listed<'_>>, fallback: Price, at: Time) -> (Vec<Offer>, HashMap<String, usize>) {
    lists.sort_by_key(|listed| preference(listed.connection));
    let router = lists
        .iter()
        .find(|listed| listed.connection.kind == ProviderKind::OpenRouter);
    let passed_on: HashMap<&str, (&Connection, &Model)> = router
        .iter()
        .flat_map(|listed| {
            let entry = |model| (listed.connection, model);
            listed.models.iter().map(move |model| (model.id.as_str(), entry(model)))
        })
        .collect();
    let mut merge = Merge {
        passed_on,
        fallback,
        at,
        offers: Vec::new(),
        places: HashMap::new(),
        others: others(&lists),
        servers: server_names(&lists),
        taken_over: HashSet::new(),
    };
    for listed in &lists {
        for model in &listed.models {
            merge.add(listed.connection, model);
        }
    }
    merge.other_names();
    (merge.offers, merge.places)
}

/// What a connection is sorted by: its kind's place in the order of preference. Ids grow with time, so of several servers of
/// one's own the one that was added first goes first.
pub(super) fn preference(connection: &Connection) -> (usize, Option<uuid::Uuid>) {
    let place = ORDER.iter().position(|kind| *kind == connection.kind);
    (place.unwrap_or(ORDER.len()), connection.key.map(|key| key.uuid()))
}

/// A merge in progress.
struct Merge<'a> {
    /// OpenRouter's models by their names there.
    passed_on: HashMap<&'a str, (&'a Connection, &'a Model)>,
    fallback: Price,
    at: Time,
    offers: Vec<Offer>,
    places: HashMap<String, usize>,
    /// How many connections list a name, or are found by it.
    others: HashMap<String, usize>,
    /// What servers of one's own are called in names of models.
    servers: HashMap<Way, String>,
    /// OpenRouter's models that are ways to a maker's.
    taken_over: HashSet<String>,
}

impl<'a> Merge<'a> {
    fn add(&mut self, connection: &'a Connection, model: &'a Model) {
        let kind = connection.kind;
        match kind {
            ProviderKind::OpenAi | ProviderKind::Anthropic | ProviderKind::Google => {
                let slug = names::at_openrouter(kind, &model.id);
                let second = slug
                    .as_ref()
                    .and_then(|slug| self.passed_on.get(slug.as_str()).copied());
                let live = second.and_then(|(_, model)| model.tariff.as_ref());
                let first = self.route(connection, model, live);
                let second = second.and_then(|(router, model)| self.route(router, model, None));
                if second.is_some() {
                    self.taken_over.extend(slug.clone());
                }
                let names = [model.id.clone()].into_iter().chain(slug).collect();
                self.offer(model, names, first.into_iter().chain(second).collect());
            }
            ProviderKind::OpenRouter if self.taken_over.contains(&model.id) => {}
            ProviderKind::OpenRouter => {
                let direct = names::at_its_maker(&model.id).map(|(_, id)| id);
                let names = [model.id.clone()].into_iter().chain(direct).collect();
                self.offer(model, names, self.route(connection, model, None).into_iter().collect());
            }
            ProviderKind::Custom => {
                let server = self.servers.get(&connection.way()).map_or("server", String::as_str);
                let long = format!("local/{server}/{}", model.id);
                let is_alone = self.others.get(&model.id).copied().unwrap_or_default() <= 1;
                let names = if is_alone {
                    vec![model.id.clone(), long]
                } else {
                    vec![long, model.id.clone()]
                };
                self.offer(model, names, self.route(connection, model, None).into_iter().collect());
            }
            ProviderKind::Offline | ProviderKind::Local => {
                let names = vec![model.id.clone()];
                self.offer(model, names, self.route(connection, model, None).into_iter().collect());
            }
        }
    }

    /// Puts a model on the list, unless another one has its name already or no way leads to it.
    fn offer(&mut self, model: &Model, names: Vec<String>, routes: Vec<Route>) {
        let (Some(id), Some(first)) = (names.first(), routes.first()) else {
            return;
        };
        if self.places.contains_key(id) {
            tracing::debug!(model = %id, "two providers list a model of this name; the first is used");
            return;
        }
        let row = price::listed(model.provider.as_str(), &model.id);
        let known = (first.tariff.source != PriceSource::Fallback).then(|| first.tariff.clone());
        self.places.insert(id.clone(), self.offers.len());
        self.offers.push(Offer {
            model: Model {
                id: id.clone(),
                context_length: model.context_length.or(row.and_then(|row| row.window)),
                max_output_tokens: first.max_output,
                tariff: known,
                ..model.clone()
            },
            standing: standing(model, self.at),
            names,
            routes,
        });
    }

    /// Makes models found by their other names, where nobody's own name is the same. What is listed first has it, but a
    /// model that goes by exactly this name at its maker goes before one that only shares it, such as a dated edition.
    fn other_names(&mut self) {
        for is_exact in [true, false] {
            for (place, offer) in self.offers.iter().enumerate() {
                let (id, kind) = (&offer.model.id, offer.model.provider);
                for name in offer.names.iter().skip(1) {
                    let maker = names::at_its_maker(name);
                    if maker.is_none_or(|maker| maker == (kind, id.clone())) || !is_exact {
                        self.places.entry(name.clone()).or_insert(place);
                    }
                }
            }
        }
    }

    /// The way to a model over a connection. `live` is what OpenRouter charges for it at this moment, which is what its
    /// maker does.
    fn route(&self, connection: &Connection, model: &Model, live: Option<&Tariff>) -> Option<Route> {
        let row = price::listed(connection.kind.as_str(), &model.id);
        let tariff = known_tariff(connection, &model.id, model.tariff.as_ref().or(live), self.at);
        Some(Route {
            provider: Arc::clone(connection.provider.as_ref()?),
            key: connection.key,
            model: model.id.clone(),
            tariff: tariff.unwrap_or_else(|| Tariff::flat(self.fallback, PriceSource::Fallback)),
            max_output: model.max_output_tokens.or(row.and_then(|row| row.max_output)),
            gate: Arc::clone(&connection.gate),
        })
    }
}

/// Where a model stands when nobody has chosen a default: who serves it, then its place in the shipped table.
fn standing(model: &Model, at: Time) -> (usize, usize) {
    let kind = match model.provider {
        ProviderKind::OpenAi | ProviderKind::Anthropic | ProviderKind::Google => 0,
        ProviderKind::OpenRouter => 1,
        ProviderKind::Custom => 2,
        ProviderKind::Offline | ProviderKind::Local => 3,
    };
    let place = price::place(model.provider.as_str(), &model.id, at);
    (kind, place.unwrap_or(usize::MAX))
}

/// By how many connections a name is listed or, for what OpenRouter passes on, found.
fn others(lists: &[Listed<'_>]) -> HashMap<String, usize> {
    let mut others = HashMap::new();
    for listed in lists {
        let mut names: HashSet<String> = HashSet::new();
        for model in &listed.models {
            names.insert(model.id.clone());
            match listed.connection.kind {
                ProviderKind::OpenRouter => names.extend(names::at_its_maker(&model.id).map(|(_, id)| id)),
                kind => names.extend(names::at_openrouter(kind, &model.id)),
            }
        }
        for name in names {
            *others.entry(name).or_insert(0) += 1;
        }
    }
    others
}

/// What each server of one's own is called in names of models: its key's name in small letters and digits.
fn server_names(lists: &[Listed<'_>]) -> HashMap<Way, String> {
    let mut taken = HashSet::new();
    let mut named = HashMap::new();
    for listed in lists
        .iter()
        .filter(|listed| listed.connection.kind == ProviderKind::Custom)
    {
        let words = listed.connection.name.to_lowercase();
        let words: Vec<&str> = words
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        let plain = if words.is_empty() {
            "server".to_owned()
        } else {
            words.join("-")
        };
        let mut name = plain.clone();
        let mut number = 2;
        while !taken.insert(name.clone()) {
            name = format!("{plain}-{number}");
            number += 1;
        }
        named.insert(listed.connection.way(), name);
    }
    named
}

/// What is known of a model's tariff over a connection: what the administrator said, else what lists of models say now, else
/// the shipped table.
pub(super) fn known_tariff(connection: &Connection, model: &str, stated: Option<&Tariff>, at: Time) -> Option<Tariff> {
    if connection.kind.is_built_in() {
        return Some(Tariff::flat(Price::FREE, PriceSource::BuiltIn));
    }
    let set = connection
        .price
        .map(|price| Tariff::flat(price, PriceSource::Administrator));
    let row = price::listed(connection.kind.as_str(), model).map(|row| row.tariff(at));
    // What OpenRouter gives away, its maker may charge for.
    let is_gift = |tariff: &Tariff| tariff.price() == Price::FREE && connection.kind != ProviderKind::OpenRouter;
    let stated = stated.filter(|tariff| !is_gift(tariff)).cloned();
    set.or_else(|| Some(completed(stated?, row.as_ref()))).or(row)
}

/// A stated tariff, with what the table adds if both agree on the price: lists often leave caches and long prompts out.
fn completed(mut stated: Tariff, row: Option<&Tariff>) -> Tariff {
    if let Some(row) = row.filter(|row| row.price() == stated.price()) {
        let fill = |field: &mut Option<MicroUsd>, known: Option<MicroUsd>| *field = field.or(known);
        fill(&mut stated.rates.cache_read, row.rates.cache_read);
        fill(&mut stated.rates.cache_write, row.rates.cache_write);
        fill(&mut stated.rates.cache_write_1h, row.rates.cache_write_1h);
        if stated.tiers.is_empty() {
            stated.tiers.clone_from(&row.tiers);
        }
    }
    stated
}

#[cfg(test)]
mod tests;
