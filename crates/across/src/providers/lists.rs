//! Every provider's list of models as last known, asked for again when it has grown old, and the catalogue merged from them.
//! Readers take what there is; nobody but those who ask waits for a vendor.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::TimeDelta;

use crate::{
    clock::{Clock, Time},
    governance::price,
    money::Price,
    providers::{
        catalog::{Catalog, Listed, merge},
        model::{Model, ProviderKind},
        provider::Provider,
        registry::{Connection, Way},
    },
};

/// How old a list may be before it is asked for again.
const AGE: TimeDelta = TimeDelta::minutes(5);
/// How long after a failure.
const AGE_OF_FAILURE: TimeDelta = TimeDelta::minutes(1);
/// How long after the provider said that it does not have a model that is on it.
const AGE_IN_DOUBT: TimeDelta = TimeDelta::seconds(10);
/// How long the list of a provider that fails is shown.
const KEPT: TimeDelta = TimeDelta::hours(24);
/// How long a provider may take to list its models.
const LIST_TIME: Duration = Duration::from_secs(5);

/// The lists of the connections that there are now.
pub(super) struct Lists {
    clock: Arc<dyn Clock>,
    fallback: Price,
    /// Never held while anybody is waited for.
    state: Mutex<State>,
    /// Held by whoever asks vendors, so that they are asked once.
    flight: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    connections: Arc<Vec<Connection>>,
    lists: HashMap<Way, List>,
    /// `None` until the first round of asking is over.
    catalog: Option<Arc<Catalog>>,
    /// How many rounds were made in which everybody was asked.
    whole_rounds: u64,
}

/// One connection's list.
#[derive(Default)]
struct List {
    /// What it said last, and when.
    known: Option<(Vec<Model>, Time)>,
    /// When it was last asked.
    asked_at: Option<Time>,
    /// It did not answer then.
    is_failing: bool,
}

impl List {
    fn is_due(&self, connection: &Connection, now: Time) -> bool {
        let age = match () {
            () if connection.gate.is_list_in_doubt() => AGE_IN_DOUBT,
            () if self.is_failing => AGE_OF_FAILURE,
            () => AGE,
        };
        // A clock that was set back must not keep a list for ever.
        self.asked_at.is_none_or(|asked| (now - asked).abs() >= age)
    }

    /// The list as it may be shown.
    fn shown(&self, now: Time) -> Option<&(Vec<Model>, Time)> {
        let known = self.known.as_ref();
        known.filter(|(_, at)| !self.is_failing || now - *at < KEPT)
    }
}

/// What there is for a reader.
enum Look {
    /// The catalogue.
    Fresh(Arc<Catalog>),
    /// The catalogue, with lists in it that are to be asked for again.
    Old(Arc<Catalog>),
    /// Nobody has been asked yet.
    Nothing,
}

impl Lists {
    pub(super) fn new(connections: Vec<Connection>, fallback: Price, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            fallback,
            state: Mutex::new(State {
                connections: Arc::new(connections),
                ..State::default()
            }),
            flight: tokio::sync::Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is charged for models whose price nobody knows.
    pub(super) const fn fallback(&self) -> Price {
        self.fallback
    }

    pub(super) fn connections(&self) -> Arc<Vec<Connection>> {
        Arc::clone(&self.state().connections)
    }

    /// Takes over other connections; what those `changed` said before is forgotten. The catalogue shows it at once.
    pub(super) fn connect(&self, connections: Vec<Connection>, changed: &[Way]) {
        let now = self.clock.now();
        let mut state = self.state();
        let is_here = |way: &Way| connections.iter().any(|connection| connection.way() == *way);
        state.lists.retain(|way, _| is_here(way) && !changed.contains(way));
        state.connections = Arc::new(connections);
        if state.catalog.is_some() {
            state.merge(self.fallback, now);
        }
    }

    /// The catalogue as it is, if anybody has been asked yet.
    pub(super) fn at_hand(&self) -> Option<Arc<Catalog>> {
        match self.look() {
            Look::Fresh(catalog) | Look::Old(catalog) => Some(catalog),
            Look::Nothing => None,
        }
    }

    fn look(&self) -> Look {
        let now = self.clock.now();
        let mut state = self.state();
        let Some(mut catalog) = state.catalog.clone() else {
            return Look::Nothing;
        };
        let merged_at = catalog.merged_at;
        // Prices change with the day, and lists become too old to be shown.
        if (now - merged_at).abs() >= AGE || now.date_naive() != merged_at.date_naive() {
            catalog = state.merge(self.fallback, now);
        }
        if state.due(now).next().is_some() {
            Look::Old(catalog)
        } else {
            Look::Fresh(catalog)
        }
    }

    /// The catalogue. Waits for vendors only if none has been asked yet; what has grown old is asked for meanwhile.
    pub(super) async fn catalog(self: &Arc<Self>) -> Arc<Catalog> {
        match self.look() {
            Look::Fresh(catalog) => catalog,
            Look::Old(catalog) => {
                self.ask_meanwhile();
                catalog
            }
            Look::Nothing => self.ask_due().await,
        }
    }

    /// Asks for the lists that are due, in a task of its own, unless somebody asks already.
    pub(super) fn ask_meanwhile(self: &Arc<Self>) {
        if self.flight.try_lock().is_ok() {
            let lists = Arc::clone(self);
            tokio::spawn(async move { lists.ask_due().await });
        }
    }

    /// Asks for the lists that are due; whoever comes while they are asked for waits for the same answers.
    pub(super) async fn ask_due(&self) -> Arc<Catalog> {
        let _flight = self.flight.lock().await;
        let now = self.clock.now();
        let due: Vec<Connection> = self.state().due(now).cloned().collect();
        self.ask(due).await
    }

    /// Asks everybody now; whoever comes meanwhile shares the answers.
    pub(super) async fn ask_all(&self) -> Arc<Catalog> {
        let before = self.state().whole_rounds;
        let _flight = self.flight.lock().await;
        let (rounds, connections) = {
            let state = self.state();
            (state.whole_rounds, Arc::clone(&state.connections))
        };
        if rounds > before {
            return self.ask(Vec::new()).await;
        }
        let catalog = self.ask(connections.to_vec()).await;
        self.state().whole_rounds += 1;
        catalog
    }

    /// Asks these, and merges what they say with what the others have said.
    async fn ask(&self, connections: Vec<Connection>) -> Arc<Catalog> {
        let asked = connections.into_iter().filter_map(|connection| {
            let provider = connection.provider.clone()?;
            connection.gate.list_is_asked_for();
            Some(async move {
                let answer = tokio::time::timeout(LIST_TIME, provider.models()).await;
                (connection.way(), provider, answer)
            })
        });
        let answers = futures::future::join_all(asked).await;
        let now = self.clock.now();
        let mut state = self.state();
        for (way, provider, answer) in answers {
            // A connection that was changed meanwhile is not what this is the list of.
            if !state.is_present(way, &provider) {
                continue;
            }
            let list = state.lists.entry(way).or_default();
            list.asked_at = Some(now);
            let problem = match answer {
                Ok(Ok(models)) => {
                    list.known = Some((models, now));
                    None
                }
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("it took too long".to_owned()),
            };
            list.is_failing = problem.is_some();
            if let Some(problem) = problem {
                tracing::warn!(problem, provider = way.0.as_str(), "could not list models");
            }
        }
        state.merge(self.fallback, now)
    }
}

impl State {
    /// The connections whose lists are to be asked for.
    fn due(&self, now: Time) -> impl Iterator<Item = &Connection> {
        self.connections.iter().filter(move |connection| {
            let list = self.lists.get(&connection.way());
            connection.provider.is_some() && list.is_none_or(|list| list.is_due(connection, now))
        })
    }

    fn is_present(&self, way: Way, provider: &Arc<dyn Provider>) -> bool {
        let same = |known: &Arc<dyn Provider>| Arc::ptr_eq(known, provider);
        let mut here = self.connections.iter().filter(|connection| connection.way() == way);
        here.any(|connection| connection.provider.as_ref().is_some_and(same))
    }

    fn merge(&mut self, fallback: Price, now: Time) -> Arc<Catalog> {
        let (mut stale, mut is_partial, mut fetched_at) = (false, false, now);
        let connections = Arc::clone(&self.connections);
        let mut lists = Vec::with_capacity(connections.len());
        for connection in connections.iter() {
            if connection.provider.is_none() {
                (stale, is_partial) = (true, true);
                continue;
            }
            let list = self.lists.get(&connection.way());
            stale |= list.is_none_or(|list| list.is_failing);
            let models = match list.and_then(|list| list.shown(now)) {
                Some((models, at)) => {
                    fetched_at = fetched_at.min(*at);
                    models.clone()
                }
                None => {
                    is_partial = true;
                    from_table(connection.kind, now)
                }
            };
            lists.push(Listed { connection, models });
        }
        let (offers, places) = merge(lists, fallback, now);
        let catalog = Arc::new(Catalog {
            offers,
            places,
            stale,
            is_partial,
            fetched_at,
            merged_at: now,
        });
        self.catalog = Some(Arc::clone(&catalog));
        catalog
    }
}

/// The models that the shipped table knows a provider to have, for as long as it has not said so itself: an outage must not
/// make models unknown.
fn from_table(kind: ProviderKind, now: Time) -> Vec<Model> {
    let served = price::all().filter(|row| !row.embeds && row.is_served(now));
    let named = served.filter_map(|row| match kind {
        ProviderKind::OpenRouter => Some((row, row.openrouter.clone()?)),
        _ if row.provider == kind.as_str() => Some((row, row.model.clone()?)),
        _ => None,
    });
    let model = |(row, id): (&price::Listing, String)| Model {
        name: id.clone(),
        id,
        provider: kind,
        context_length: row.window,
        max_output_tokens: row.max_output,
        tariff: None,
    };
    named.map(model).collect()
}
