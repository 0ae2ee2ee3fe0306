//! Requests a second and their times: lists, single objects and new ones, on SQLite and PostgreSQL.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::load::{self, Load, Outcome};
use super::yardstick::{Peer, Yardstick};
use crate::client::Client;
use crate::console;
use crate::postgres::Cluster;
use crate::server::{self, Server};

/// Connections at once.
const CONNECTIONS: [usize; 3] = [1, 32, 128];
/// Rows on a page of assistants and of conversations.
pub const ROWS: [usize; 2] = [20, 50];
/// Connections in the comparison with the yardstick.
const COMPARED: usize = 16;
/// How many times the yardstick's requests a second ours are to be.
const RATIO: f64 = 10.0;
/// The slowest of a hundred creations at 32 connections on SQLite, in milliseconds.
const CREATION: f64 = 50.0;

/// Measures on SQLite beside the yardstick, if there is one, and on PostgreSQL if that is wished.
///
/// # Errors
/// When a server does not start or answers other than its contract says.
pub fn measure(binary: &Path, postgres: bool, yardstick: Option<&Path>) -> Result<Value> {
    let mut figures = json!({"yardstick": compare(binary, yardstick)?});
    let sqlite = table(|data| Bench::start(binary, data, &[]))?;
    sqlite.print("SQLite");
    figures["targets"] = targets(&figures["yardstick"], &sqlite.creations);
    figures["sqlite"] = Value::Array(sqlite.cells);
    if postgres {
        let cluster = Cluster::durable()?;
        let mut installations = 0;
        let postgres = table(|data| {
            installations += 1;
            let url = cluster.database(&format!("bench_{installations}"))?;
            Bench::start(binary, data, &[server::on_postgres(&url)])
        })?;
        postgres.print("PostgreSQL");
        figures["postgres"] = Value::Array(postgres.cells);
    }
    Ok(figures)
}

/// Measures what is only read on one installation, and every kind of creation on a new one each: an installation takes
/// only so many rows, and new ones make pages longer.
fn table(mut start: impl FnMut(&Path) -> Result<Bench>) -> Result<Table> {
    let mut table = Table::default();
    {
        let data = tempfile::tempdir()?;
        let bench = start(data.path())?;
        for kind in Kind::ALL {
            for connections in CONNECTIONS {
                table.add("list", kind, connections, bench.peer().list(kind, connections))?;
            }
            for connections in CONNECTIONS {
                table.add("get", kind, connections, bench.get(kind, connections))?;
            }
        }
    }
    for kind in Kind::ALL {
        for connections in CONNECTIONS {
            let data = tempfile::tempdir()?;
            let bench = start(data.path())?;
            table.add("create", kind, connections, bench.create(kind, connections))?;
        }
    }
    Ok(table)
}

/// What one person's pages are filled with before anything is measured.
struct Bench {
    server: Server,
    authorization: String,
    assistants: Vec<String>,
    conversations: Vec<String>,
}

impl Bench {
    fn start(binary: &Path, data: &Path, environment: &[(String, OsString)]) -> Result<Self> {
        let server = Server::start_with(binary, data, environment, None)?;
        let client = Client::sign_in(&server)?;
        // Texts as long as those of the yardstick.
        let assistant = |number: usize| {
            json!({"name": format!("Assistant {number}"),
                   "description": "Writes press releases in the house style. ".repeat(3).trim(),
                   "instructions": "You are a careful writer. Keep to the facts you were given. ".repeat(8).trim()})
        };
        let assistants = (0..ROWS[0]).map(|number| client.make("/assistants", &assistant(number)));
        let assistants: Vec<String> = assistants.collect::<Result<_>>()?;
        let conversation = |number: usize| {
            let id = &assistants[number % assistants.len()];
            json!({"assistant_id": id, "title": format!("Press release {number}")})
        };
        let conversations = (0..ROWS[1]).map(|number| client.make("/conversations", &conversation(number)));
        let conversations = conversations.collect::<Result<_>>()?;
        Ok(Self {
            authorization: format!("Bearer {}", client.token()),
            server,
            assistants,
            conversations,
        })
    }

    fn peer(&self) -> Peer<'_> {
        Peer {
            address: &self.server.address,
            authorization: &self.authorization,
        }
    }

    fn get(&self, kind: Kind, connections: usize) -> Result<Outcome> {
        let ids = match kind {
            Kind::Assistants => &self.assistants,
            Kind::Conversations => &self.conversations,
        };
        let requests: Vec<Vec<u8>> = ids
            .iter()
            .map(|id| load::get(&format!("/api/v1/{}/{id}", kind.name()), &self.authorization))
            .collect();
        self.load(connections, 200)
            .steady(|number| requests[number % requests.len()].clone())
    }

    fn create(&self, kind: Kind, connections: usize) -> Result<Outcome> {
        let path = format!("/api/v1/{}", kind.name());
        self.load(connections, 201).at_most(kind.room(), |number| {
            let body = match kind {
                Kind::Assistants => {
                    format!(r#"{{"name":"New {number}","instructions":"Keep to the facts."}}"#)
                }
                Kind::Conversations => format!(r#"{{"assistant_id":"{}"}}"#, self.assistants[0]),
            };
            load::post(&path, &self.authorization, &body)
        })
    }

    fn load(&self, connections: usize, expected: u16) -> Load<'_> {
        Load {
            address: &self.server.address,
            connections,
            expected,
        }
    }
}

/// Everything that is measured on one database.
#[derive(Default)]
struct Table {
    rows: Vec<[String; 5]>,
    cells: Vec<Value>,
    /// The slowest of a hundred creations at 32 connections.
    creations: Vec<(Kind, f64)>,
}

impl Table {
    fn add(&mut self, what: &str, kind: Kind, connections: usize, outcome: Result<Outcome>) -> Result<()> {
        let outcome = outcome.with_context(|| format!("{what} {} at {connections} connections", kind.name()))?;
        if what == "create" && connections == 32 {
            self.creations.push((kind, outcome.p99));
        }
        self.rows.push([
            format!("{what} {}", kind.name()),
            connections.to_string(),
            format!("{:.0}", outcome.rate),
            format!("{:.2}", outcome.p50),
            format!("{:.2}", outcome.p99),
        ]);
        self.cells.push(cell(what, kind, connections, outcome));
        Ok(())
    }

    fn print(&self, database: &str) {
        console::say(&format!("\n{database}"));
        let head = ["request", "connections", "requests/s", "p50 ms", "p99 ms"];
        console::say(&console::table(head, &self.rows));
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A page of twenty.
    Assistants,
    /// A page of fifty.
    Conversations,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Assistants, Self::Conversations];

    /// Its name in paths and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Assistants => "assistants",
            Self::Conversations => "conversations",
        }
    }

    /// New ones that a fresh installation certainly takes.
    const fn room(self) -> usize {
        match self {
            Self::Assistants => 450,
            Self::Conversations => 15_000,
        }
    }

    /// Rows on its page.
    pub const fn rows(self) -> usize {
        match self {
            Self::Assistants => ROWS[0],
            Self::Conversations => ROWS[1],
        }
    }
}

fn cell(what: &str, kind: Kind, connections: usize, outcome: Outcome) -> Value {
    json!({"what": what, "kind": kind.name(), "connections": connections, "requests_per_second": outcome.rate,
           "p50_ms": outcome.p50, "p99_ms": outcome.p99})
}

/// Our lists and the yardstick's, one after the other in the same minute on the same machine.
fn compare(binary: &Path, yardstick: Option<&Path>) -> Result<Value> {
    let Some(yardstick) = yardstick else {
        console::complain(
            "SKIPPED: the comparison with the FastAPI yardstick needs its folder; name it with --yardstick or AI_ACROSS_YARDSTICK",
        );
        return Ok(json!("skipped: no folder was named"));
    };
    let yardstick = Yardstick::start(yardstick, None)?;
    let data = tempfile::tempdir()?;
    let bench = Bench::start(binary, data.path(), &[])?;
    let mut rows = Vec::new();
    let mut cells = Vec::new();
    for kind in Kind::ALL {
        bench.peer().check(kind)?.context("the product has no such list")?;
        if yardstick.peer().check(kind)?.is_none() {
            console::complain(&format!("SKIPPED: the yardstick has no list of {}", kind.name()));
            cells.push(json!({"kind": kind.name(), "skipped": "the yardstick has no such list"}));
            continue;
        }
        let (ours, theirs) = (
            bench.peer().list(kind, COMPARED)?,
            yardstick.peer().list(kind, COMPARED)?,
        );
        if theirs.rate <= 0.0 {
            bail!("the yardstick answered nothing");
        }
        let ratio = ours.rate / theirs.rate;
        rows.push([
            format!("list {}", kind.name()),
            format!("{:.0}", ours.rate),
            format!("{:.0}", theirs.rate),
            format!("{ratio:.1}"),
        ]);
        cells.push(json!({"kind": kind.name(), "connections": COMPARED, "rows": kind.rows(), "ratio": ratio,
                          "ours": cell("list", kind, COMPARED, ours), "yardstick": cell("list", kind, COMPARED, theirs)}));
    }
    console::say(&format!(
        "\nbeside the FastAPI yardstick, {COMPARED} connections, SQLite"
    ));
    let head = ["request", "ours/s", "yardstick/s", "ratio"];
    console::say(&console::table(head, &rows));
    Ok(Value::Array(cells))
}

/// Says of every target whether it was met.
fn targets(compared: &Value, creations: &[(Kind, f64)]) -> Value {
    let mut targets = Vec::new();
    for cell in compared.as_array().into_iter().flatten() {
        if let (Some(kind), Some(ratio)) = (cell["kind"].as_str(), cell["ratio"].as_f64()) {
            let target = format!("list {kind} at least {RATIO} times the yardstick");
            targets.push(super::target(&target, ratio, ratio >= RATIO));
        }
    }
    for (kind, p99) in creations {
        let target = format!(
            "create {}: p99 at 32 connections at most {CREATION} ms on SQLite",
            kind.name()
        );
        targets.push(super::target(&target, *p99, *p99 <= CREATION));
    }
    Value::Array(targets)
}
