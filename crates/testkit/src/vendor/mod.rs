//! A small HTTP server speaking OpenAI's dialect from a script, down to the single byte: for tests, the browser and load.
//!
//! What it answers is decided, in this order, by the answers a test has queued ([`ScriptedVendor::answer_next`]) and by a
//! marker such as `[[script:cut]]` in the last user message (see [`scripts`]). Without either it quotes the question.

mod embedding;
mod http;
pub mod scripts;

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};

/// Requests remembered at most, so that a load test does not fill the memory.
const REMEMBERED: usize = 1000;

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The headers in their order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; `null` if it is no JSON.
    pub body: Value,
}

impl Recorded {
    /// The first header of this (lower-case) name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// One step of an answer's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// These bytes in one chunk of the transfer, flushed.
    Write(Vec<u8>),
    /// Silence.
    Wait(Duration),
    /// The connection is closed in the middle; steps after it are not reached.
    Cut,
}

/// An answer, to the byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers beyond those of the transfer.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub steps: Vec<Step>,
}

impl Answer {
    /// An answer with a whole body.
    #[must_use]
    pub fn whole(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self {
            status,
            headers,
            steps: vec![Step::Write(body.into())],
        }
    }

    /// A stream of events from these steps.
    #[must_use]
    pub fn stream(steps: Vec<Step>) -> Self {
        let headers = vec![("content-type".to_owned(), "text/event-stream; charset=utf-8".to_owned())];
        Self {
            status: 200,
            headers,
            steps,
        }
    }

    /// The answer with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

#[derive(Default)]
struct Shared {
    requests: VecDeque<Recorded>,
    queued: VecDeque<Answer>,
}

/// The running server; it stops when this is dropped.
pub struct ScriptedVendor {
    /// What a client is configured with: `http://ADDRESS/v1`.
    pub base_url: String,
    shared: Arc<Mutex<Shared>>,
    serving: AbortHandle,
}

impl ScriptedVendor {
    /// Starts a server on a free port of the loopback interface.
    ///
    /// # Errors
    /// If no port can be had.
    pub async fn start() -> io::Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Starts a server at `address`.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub async fn start_at(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let base_url = format!("http://{}/v1", listener.local_addr()?);
        let shared = Arc::new(Mutex::new(Shared::default()));
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared))).abort_handle();
        Ok(Self {
            base_url,
            shared,
            serving,
        })
    }

    /// The requests so far, the last thousand of them.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        lock(&self.shared).requests.iter().cloned().collect()
    }

    /// Answers the next request that has no answer queued yet with this, whatever it asks.
    pub fn answer_next(&self, answer: Answer) {
        lock(&self.shared).queued.push_back(answer);
    }
}

impl Drop for ScriptedVendor {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Accepts connections until aborted; the connections end with it.
async fn serve(listener: TcpListener, shared: Arc<Mutex<Shared>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A connection that failed before it was accepted is the client's loss alone.
                if let Ok((socket, _)) = accepted {
                    connections.spawn(talk(socket, Arc::clone(&shared)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Answers the requests of one connection. A client that goes away ends it, which is no failure here.
async fn talk(socket: TcpStream, shared: Arc<Mutex<Shared>>) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut connection = http::Connection::new(socket);
    while let Some(request) = connection.read_request().await? {
        let queued = {
            let mut shared = lock(&shared);
            if shared.requests.len() == REMEMBERED {
                shared.requests.pop_front();
            }
            shared.requests.push_back(request.clone());
            shared.queued.pop_front()
        };
        let answer = queued.unwrap_or_else(|| route(&request));
        if !connection.write_answer(&answer).await? {
            break;
        }
    }
    Ok(())
}

fn route(request: &Recorded) -> Answer {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/v1/models") => json_answer(200, &models()),
        ("POST", "/v1/chat/completions") => scripts::answer(&request.body),
        ("POST", "/v1/embeddings") => json_answer(200, &embedding::answer(&request.body)),
        (method, path) => {
            let message = format!("Invalid URL ({method} {path})");
            json_answer(
                404,
                &json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": null}}),
            )
        }
    }
}

fn models() -> Value {
    let model = |id| json!({"id": id, "object": "model", "created": 1_790_000_000, "owned_by": "scripted"});
    let data: Vec<Value> = [
        "gpt-4o-mini",
        "gpt-4o",
        "text-embedding-3-small",
        "text-embedding-3-large",
    ]
    .map(model)
    .into();
    json!({"object": "list", "data": data})
}

fn json_answer(status: u16, body: &Value) -> Answer {
    Answer::whole(status, "application/json", body.to_string())
}
