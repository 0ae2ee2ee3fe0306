//! A small HTTP server speaking vendors' dialects from a script, down to the single byte: for tests, the browser and load.
//!
//! It is OpenAI under `/v1`, OpenRouter under `/api/v1`, Google under `/v1beta`, and Anthropic where a request names a
//! version of its API.
//!
//! What it answers is decided, in this order, by the answers a test has queued ([`ScriptedVendor::answer_next`]) or given
//! for good ([`ScriptedVendor::answer_always`]), by the key (one with `rejected` in it is wrong, one with `unpaid` has no
//! credit), and by a marker such as `[[script:cut]]` in the last user message (see [`scripts`]). Without any it quotes
//! the question.

mod dialect;
mod embedding;
mod http;
mod lists;
pub mod scripts;

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};

use self::dialect::Dialect;

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
    /// Silence; at the beginning it comes before the head of the answer too.
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

    /// Sends whoever asked elsewhere.
    #[must_use]
    pub fn redirect(status: u16, target: &str) -> Self {
        Self::whole(status, "text/plain", "").with_header("location", target)
    }

    /// The answer after so much silence.
    #[must_use]
    pub fn after(mut self, silence: Duration) -> Self {
        self.steps.insert(0, Step::Wait(silence));
        self
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
    /// What part of a path is always answered with.
    always: Vec<(String, Answer)>,
}

/// The running server; it stops when this is dropped.
pub struct ScriptedVendor {
    /// What a client of OpenAI is configured with: `http://ADDRESS/v1`.
    pub base_url: String,
    /// What a client of OpenRouter is configured with: `http://ADDRESS/api/v1`.
    pub openrouter_url: String,
    /// What a client of Anthropic is configured with: `http://ADDRESS`.
    pub anthropic_url: String,
    /// What a client of Google is configured with: `http://ADDRESS/v1beta`.
    pub gemini_url: String,
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
        let root = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Mutex::new(Shared::default()));
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared))).abort_handle();
        Ok(Self {
            base_url: format!("{root}/v1"),
            openrouter_url: format!("{root}/api/v1"),
            gemini_url: format!("{root}/v1beta"),
            anthropic_url: root,
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

    /// Answers every request with this whose path contains `part`, unless an answer is queued. What was said last about
    /// a path holds.
    pub fn answer_always(&self, part: &str, answer: Answer) {
        lock(&self.shared).always.insert(0, (part.to_owned(), answer));
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
            let always = |shared: &Shared| {
                let fitting = shared.always.iter().find(|(part, _)| request.path.contains(part));
                fitting.map(|(_, answer)| answer.clone())
            };
            shared.queued.pop_front().or_else(|| always(&shared))
        };
        let answer = queued.unwrap_or_else(|| route(&request));
        if !connection.write_answer(&answer).await? {
            break;
        }
    }
    Ok(())
}

fn route(request: &Recorded) -> Answer {
    let path = request.path.split('?').next().unwrap_or_default();
    let is_anthropic = request.header("anthropic-version").is_some();
    let dialect = if path.starts_with("/api/v1/") {
        Dialect::OpenRouter
    } else if path.starts_with("/v1beta/") {
        Dialect::Gemini
    } else if is_anthropic {
        Dialect::Anthropic
    } else {
        Dialect::OpenAi
    };
    let bare = ["/api/v1", "/v1beta", "/v1"]
        .iter()
        .find_map(|base| path.strip_prefix(base));
    let call = (request.method.as_str(), bare.unwrap_or_default());
    // OpenRouter lists its models to anybody.
    let is_public = dialect == Dialect::OpenRouter && call == ("GET", "/models");
    let has_key = |part: &str| {
        let keys = ["authorization", "x-api-key", "x-goog-api-key"];
        let mut keys = keys.iter().filter_map(|name| request.header(name));
        !is_public && keys.any(|key| key.contains(part))
    };
    if has_key("rejected") {
        return dialect.refusal(401, "invalid_api_key", "Incorrect API key provided.");
    }
    if has_key("unpaid") {
        return dialect.refusal(402, "payment_required", "Insufficient credits.");
    }
    let chat = || scripts::answer(&dialect.read(path, &request.body));
    match (dialect, call) {
        (Dialect::OpenAi, ("GET", "/models")) => json_answer(200, &lists::openai()),
        (Dialect::OpenRouter, ("GET", "/models")) => json_answer(200, &lists::openrouter()),
        (Dialect::OpenRouter, ("GET", "/key")) => json_answer(200, &lists::openrouter_key()),
        (Dialect::Anthropic, ("GET", "/models")) => json_answer(200, &lists::anthropic(&request.path)),
        (Dialect::Gemini, ("GET", "/models")) => json_answer(200, &lists::gemini()),
        (Dialect::OpenAi | Dialect::OpenRouter, ("POST", "/chat/completions"))
        | (Dialect::Anthropic, ("POST", "/messages")) => chat(),
        (Dialect::OpenAi | Dialect::OpenRouter, ("POST", "/embeddings")) => {
            json_answer(200, &embedding::answer(&request.body))
        }
        (Dialect::Gemini, ("POST", path)) if path.ends_with(":streamGenerateContent") => chat(),
        (Dialect::Gemini, ("POST", path)) if path.ends_with(":batchEmbedContents") => {
            json_answer(200, &embedding::gemini_answer(&request.body))
        }
        (_, (method, _)) => dialect.refusal(404, "not_found", &format!("Invalid URL ({method} {path})")),
    }
}

fn json_answer(status: u16, body: &Value) -> Answer {
    Answer::whole(status, "application/json", body.to_string())
}
