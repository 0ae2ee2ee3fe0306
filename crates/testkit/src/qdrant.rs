//! A double of Qdrant: as much of its REST interface as we use, written from the interface's published description and never
//! compared with a real server. It keeps points in memory, searches them exactly, and fails when it is told to.
//!
//! Where the real one is strict it is strict too: vectors of another length, unknown conditions and unknown requests are
//! refused, and a change without `wait=true` is acknowledged and not done, as the real one may not have done it yet.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
    time::sleep,
};

use crate::vendor::{Recorded, http::Connection};

/// What the double does instead of what it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It answers with this status and does nothing.
    Status(u16),
    /// It does it, and answers so much later.
    Delay(Duration),
}

/// The running double; it stops when this is dropped.
pub struct QdrantDouble {
    /// Where it listens: `http://ADDRESS`.
    pub url: String,
    state: Arc<Mutex<State>>,
    serving: AbortHandle,
}

#[derive(Default)]
struct State {
    key: Option<String>,
    collections: BTreeMap<String, Held>,
    faults: Vec<(String, Fault)>,
    calls: Vec<String>,
}

/// A collection.
#[derive(Default)]
struct Held {
    dimensions: usize,
    points: BTreeMap<String, Point>,
}

#[derive(Clone)]
struct Point {
    vector: Vec<f64>,
    payload: Value,
}

/// A status with what is wrong.
type Refusal = (u16, String);

impl QdrantDouble {
    /// Starts on a free port of the loopback interface; with a key, only requests that show it are answered.
    ///
    /// # Errors
    /// If no port can be had.
    pub async fn start(key: Option<&str>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(Mutex::new(State {
            key: key.map(str::to_owned),
            ..State::default()
        }));
        let serving = tokio::spawn(serve(listener, Arc::clone(&state))).abort_handle();
        Ok(Self { url, state, serving })
    }

    /// From now on requests whose method and path (`POST /collections/NAME/points/query`) contain `part` meet this fault.
    pub fn fail(&self, part: &str, fault: Fault) {
        told(&self.state).faults.push((part.to_owned(), fault));
    }

    /// Forgets all faults.
    pub fn heal(&self) {
        told(&self.state).faults.clear();
    }

    /// Loses every collection.
    pub fn lose_everything(&self) {
        told(&self.state).collections.clear();
    }

    /// Loses every point, and keeps the collections.
    pub fn lose_points(&self) {
        for held in told(&self.state).collections.values_mut() {
            held.points.clear();
        }
    }

    /// What is stored with the points, without their vectors.
    #[must_use]
    pub fn payloads(&self) -> Vec<Value> {
        let state = told(&self.state);
        let points = state.collections.values().flat_map(|held| held.points.values());
        points.map(|point| point.payload.clone()).collect()
    }

    /// How many points there are in the collections whose names contain `part`.
    #[must_use]
    pub fn points(&self, part: &str) -> usize {
        let state = told(&self.state);
        let named = state.collections.iter().filter(|(name, _)| name.contains(part));
        named.map(|(_, held)| held.points.len()).sum()
    }

    /// Copies every point, with other values in what is stored with it: what somebody could put there who has the key.
    pub fn forge(&self, change: &Value) {
        for held in told(&self.state).collections.values_mut() {
            let forged: Vec<(String, Point)> = held
                .points
                .iter()
                .map(|(id, point)| {
                    let mut point = point.clone();
                    for (key, value) in change.as_object().into_iter().flatten() {
                        point.payload[key] = value.clone();
                    }
                    (format!("forged-{id}"), point)
                })
                .collect();
            held.points.extend(forged);
        }
    }

    /// How many requests there were whose method and path contain `part`.
    #[must_use]
    pub fn count(&self, part: &str) -> usize {
        told(&self.state)
            .calls
            .iter()
            .filter(|call| call.contains(part))
            .count()
    }
}

impl Drop for QdrantDouble {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn told(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        connections.spawn(converse(socket, Arc::clone(&state)));
    }
}

async fn converse(socket: TcpStream, state: Arc<Mutex<State>>) -> io::Result<()> {
    let mut connection = Connection::new(socket);
    while let Some(request) = connection.read_request().await? {
        let call = format!("{} {}", request.method, request.bare_path());
        let fault = {
            let mut state = told(&state);
            state.calls.push(call.clone());
            let fault = state.faults.iter().find(|(part, _)| call.contains(part.as_str()));
            fault.map(|(_, fault)| *fault)
        };
        if let Some(Fault::Delay(time)) = fault {
            sleep(time).await;
        }
        let answer = match fault {
            Some(Fault::Status(status)) => Err((status, "told to fail".to_owned())),
            Some(Fault::Delay(_)) | None => told(&state).answer(&request),
        };
        let (status, body) = match answer {
            Ok(result) => (200, json!({"result": result, "status": "ok", "time": 0.001})),
            Err((status, error)) => (status, json!({"status": {"error": error}, "time": 0.001})),
        };
        connection.write_json(status, &body).await?;
    }
    Ok(())
}

impl State {
    fn answer(&mut self, request: &Recorded) -> Result<Value, Refusal> {
        if self
            .key
            .as_deref()
            .is_some_and(|key| request.header("api-key") != Some(key))
        {
            return Err((
                401,
                "Must provide an API key or an Authorization bearer token".to_owned(),
            ));
        }
        let waits = request.path.contains("wait=true");
        let words: Vec<&str> = request.bare_path().trim_start_matches('/').split('/').collect();
        let body = &request.body;
        match (request.method.as_str(), words.as_slice()) {
            ("GET", ["collections"]) => {
                let names: Vec<Value> = self.collections.keys().map(|name| json!({"name": name})).collect();
                Ok(json!({"collections": names}))
            }
            ("GET", ["collections", name]) => {
                let held = self.held(name)?;
                Ok(json!({
                    "status": "green",
                    "points_count": held.points.len(),
                    "config": {"params": {"vectors": {"size": held.dimensions, "distance": "Cosine"}}},
                }))
            }
            ("PUT", ["collections", name]) => self.make(name, body),
            ("PUT", ["collections", name, "index"]) => {
                self.held(name)?;
                match body["field_schema"].as_str() {
                    Some("keyword") if body["field_name"].is_string() => Ok(done()),
                    _ => Err((400, "Format error in JSON body".to_owned())),
                }
            }
            ("PUT", ["collections", name, "points"]) => self.held(name)?.upsert(body, waits),
            ("POST", ["collections", name, "points", "query"]) => self.held(name)?.query(body),
            ("POST", ["collections", name, "points", "count"]) => Ok(json!({"count": self.held(name)?.points.len()})),
            ("POST", ["collections", name, "points", "delete"]) => self.held(name)?.delete(body, waits),
            _ => Err((404, "Not found".to_owned())),
        }
    }

    fn held(&mut self, name: &str) -> Result<&mut Held, Refusal> {
        let missing = || (404, format!("Not found: Collection `{name}` doesn't exist!"));
        self.collections.get_mut(name).ok_or_else(missing)
    }

    fn make(&mut self, name: &str, body: &Value) -> Result<Value, Refusal> {
        if self.collections.contains_key(name) {
            return Err((409, format!("Wrong input: Collection `{name}` already exists!")));
        }
        let vectors = &body["vectors"];
        let size = vectors["size"].as_u64().and_then(|size| usize::try_from(size).ok());
        match (size, vectors["distance"].as_str()) {
            (Some(dimensions @ 1..=65_536), Some("Cosine")) => {
                let held = Held {
                    dimensions,
                    ..Held::default()
                };
                self.collections.insert(name.to_owned(), held);
                Ok(Value::Bool(true))
            }
            _ => Err((400, "Format error in JSON body".to_owned())),
        }
    }
}

fn done() -> Value {
    json!({"operation_id": 1, "status": "completed"})
}

impl Held {
    fn vector(&self, given: &Value) -> Result<Vec<f64>, Refusal> {
        let numbers: Option<Vec<f64>> = given.as_array().into_iter().flatten().map(Value::as_f64).collect();
        let vector = numbers.ok_or((400, "Format error in JSON body: not a number".to_owned()))?;
        if vector.len() == self.dimensions {
            return Ok(vector);
        }
        let (expected, got) = (self.dimensions, vector.len());
        Err((
            400,
            format!("Wrong input: Vector dimension error: expected dim: {expected}, got {got}"),
        ))
    }

    fn upsert(&mut self, body: &Value, waits: bool) -> Result<Value, Refusal> {
        let given = body["points"]
            .as_array()
            .ok_or((400, "Format error in JSON body: no points".to_owned()))?;
        let mut points = Vec::with_capacity(given.len());
        for point in given {
            let id = point["id"].as_str().filter(|id| id.len() == 36);
            let id = id.ok_or((400, "Format error in JSON body: an id is no UUID".to_owned()))?;
            let vector = self.vector(&point["vector"])?;
            let payload = point["payload"].clone();
            points.push((id.to_owned(), Point { vector, payload }));
        }
        if waits {
            self.points.extend(points);
        }
        Ok(done())
    }

    fn query(&self, body: &Value) -> Result<Value, Refusal> {
        let wanted = self.vector(&body["query"])?;
        let limit = body["limit"].as_u64().and_then(|limit| usize::try_from(limit).ok());
        let mut found = Vec::new();
        for (id, point) in &self.points {
            if meets(&body["filter"], &point.payload)? {
                found.push((cosine(&wanted, &point.vector), id, &point.payload));
            }
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        found.truncate(limit.unwrap_or(10));
        let told = |payload: &Value| match &body["with_payload"] {
            Value::Bool(true) => payload.clone(),
            Value::Array(keys) => keys
                .iter()
                .filter_map(|key| Some((key.as_str()?.to_owned(), payload.get(key.as_str()?)?.clone())))
                .collect(),
            _ => Value::Null,
        };
        let points: Vec<Value> = found
            .into_iter()
            .map(|(score, id, payload)| json!({"id": id, "version": 1, "score": score, "payload": told(payload)}))
            .collect();
        Ok(json!({"points": points}))
    }

    fn delete(&mut self, body: &Value, waits: bool) -> Result<Value, Refusal> {
        let mut kept = BTreeMap::new();
        for (id, point) in &self.points {
            if !meets(&body["filter"], &point.payload)? {
                kept.insert(id.clone(), point.clone());
            }
        }
        if waits {
            self.points = kept;
        }
        Ok(done())
    }
}

/// Whether a payload meets a filter of exact matches.
fn meets(filter: &Value, payload: &Value) -> Result<bool, Refusal> {
    let unknown = || (400, "Format error in JSON body: unknown filter".to_owned());
    let clauses = filter
        .as_object()
        .filter(|clauses| !clauses.is_empty())
        .ok_or_else(unknown)?;
    for (clause, conditions) in clauses {
        let negated = match clause.as_str() {
            "must" => false,
            "must_not" => true,
            _ => return Err(unknown()),
        };
        for condition in conditions.as_array().ok_or_else(unknown)? {
            let key = condition["key"].as_str().ok_or_else(unknown)?;
            let value = condition["match"].get("value").ok_or_else(unknown)?;
            if (payload.get(key) == Some(value)) == negated {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
