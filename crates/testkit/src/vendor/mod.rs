//! A small HTTP server speaking vendors' dialects from a script, down to the single byte: for tests, the browser and load.
//!
//! It is OpenAI under `/v1`, OpenRouter under `/api/v1`, Google under `/v1beta`, and Anthropic where a request names a
//! version of its API.
//!
//! What it answers is decided, in this order, by
//! 1. the answers that a test has queued ([`ScriptedVendor::answer_next`]) or given for good
//!    ([`ScriptedVendor::answer_always`]), to the byte;
//! 2. the key: one with `rejected` in it is wrong, one with `unpaid` has no credit;
//! 3. for questions, the script that a test chose for the dialect ([`ScriptedVendor::answer_next_for`],
//!    [`ScriptedVendor::answer_for`]), so that one vendor fails while another answers;
//! 4. for questions, a marker such as `[[script:cut]]` in the last message of the person.
//!
//! Without any it quotes the question. [`scripts`] lists what there is to choose from.
//!
//! It counts requests ([`ScriptedVendor::count`]), notes who hangs up early ([`ScriptedVendor::closes`]), and holds answers
//! back until it is told otherwise ([`ScriptedVendor::let_through`]). Tests wait for any of this with
//! [`ScriptedVendor::until`]. All of it can be told to the program over HTTP too, see [`control`].
//!
//! As OpenRouter it names each answer in `x-generation-id` and as `gen-scripted-1`, `-2` and so on, states
//! `usage.cost` (0.15 and 0.60 dollars a million tokens of the prompt and of the answer, whatever the model), answers
//! `GET /generation`, lists more than 50 models, and does nothing with the fallbacks in `models`.

mod answer;
pub mod control;
mod dialect;
mod embedding;
pub(crate) mod http;
mod lists;
mod openrouter;
mod refusal;
pub mod scripts;
mod state;
mod talk;

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
    time::timeout,
};

pub use self::{
    answer::{Answer, Closed, Recorded, Step},
    dialect::Dialect,
};
use self::{http::Ended, state::State};

/// How long [`ScriptedVendor::until`] waits for what does not come.
const LIMIT: Duration = Duration::from_secs(30);

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
    state: Arc<State>,
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
        let state = Arc::new(State::new());
        let serving = tokio::spawn(serve(listener, Arc::clone(&state))).abort_handle();
        Ok(Self {
            base_url: format!("{root}/v1"),
            openrouter_url: format!("{root}/api/v1"),
            gemini_url: format!("{root}/v1beta"),
            anthropic_url: root,
            state,
            serving,
        })
    }

    /// The requests so far, the last thousand of them.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.state.told().requests.iter().cloned().collect()
    }

    /// How many requests there were so far of this method and path, e.g. `GET /api/v1/models`; queries do not matter.
    #[must_use]
    pub fn count(&self, call: &str) -> usize {
        self.state.told().counts.get(call).copied().unwrap_or_default()
    }

    /// The connections that the other side closed before their answer was whole, in the order in which they were closed.
    #[must_use]
    pub fn closes(&self) -> Vec<Closed> {
        self.state.told().closes.clone()
    }

    /// How many connections there were so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.connections()
    }

    /// How many connections answered a request and wait for the next one now.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.state.idle()
    }

    /// How many answers wait at the gate now: those of [`Step::Gate`] and of the scripts `gate` and `gate-N`.
    #[must_use]
    pub fn at_gate(&self) -> usize {
        self.state.at_gate()
    }

    /// Lets so many answers pass the gate, those that wait there first; `usize::MAX` opens it for good.
    pub fn let_through(&self, answers: usize) {
        self.state.let_through(answers);
    }

    /// Waits until something is so, and says whether it became so within half a minute.
    pub async fn until(&self, is_so: impl Fn(&Self) -> bool) -> bool {
        let mut changes = self.state.changes();
        let waiting = async {
            while !is_so(self) {
                if changes.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        timeout(LIMIT, waiting).await.is_ok()
    }

    /// Answers the next request that has no answer queued yet with this, whatever it asks.
    pub fn answer_next(&self, answer: Answer) {
        self.state.told().queued.push_back(answer);
    }

    /// Answers every request with this whose path contains `part`, unless an answer is queued. What was said last about
    /// a path holds.
    pub fn answer_always(&self, part: &str, answer: Answer) {
        self.state.told().always.insert(0, (part.to_owned(), answer));
    }

    /// Answers every question in this dialect as a script says, whatever its marker; see [`scripts`].
    pub fn answer_for(&self, dialect: Dialect, script: &str) {
        self.state.told().scripts.insert(dialect, script.to_owned());
    }

    /// Answers the next question in this dialect that has no script queued yet as a script says.
    pub fn answer_next_for(&self, dialect: Dialect, script: &str) {
        let mut told = self.state.told();
        told.next_scripts
            .entry(dialect)
            .or_default()
            .push_back(script.to_owned());
    }

    /// Answers questions in this dialect by their markers again.
    pub fn answer_as_asked(&self, dialect: Dialect) {
        self.state.told().scripts.remove(&dialect);
    }

    /// Lets OpenRouter say so often of each answer that it does not know yet what it cost.
    pub fn account_after(&self, denials: u32) {
        self.state.told().accounted_after = denials;
    }
}

impl Drop for ScriptedVendor {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Accepts connections until aborted; the connections end with it.
async fn serve(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A connection that failed before it was accepted is the client's loss alone.
                if let Ok((socket, _)) = accepted {
                    connections.spawn(talk(socket, Arc::clone(&state)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Answers the requests of one connection. A client that goes away ends it, which is no failure here.
async fn talk(socket: TcpStream, state: Arc<State>) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut connection = http::Connection::new(socket);
    state.connected();
    let mut waiting = None;
    while let Some(request) = connection.read_request().await? {
        drop(waiting.take());
        let answer = match control::answer(&request, &state) {
            Some(answer) => answer,
            None => {
                state.arrived(&request);
                respond(&request, &state)
            }
        };
        match connection.write_answer(&answer, &state).await {
            Ended::Whole => waiting = Some(state.waits()),
            Ended::Cut => break,
            Ended::Left(chunks) => {
                state.closed(Closed {
                    path: request.bare_path().to_owned(),
                    at: Instant::now(),
                    chunks,
                });
                break;
            }
        }
    }
    Ok(())
}

fn respond(request: &Recorded, state: &State) -> Answer {
    let mut told = state.told();
    let always = told.always.iter().find(|(part, _)| request.path.contains(part));
    let always = always.map(|(_, answer)| answer.clone());
    if let Some(answer) = told.queued.pop_front().or(always) {
        return answer;
    }
    let path = request.bare_path();
    let dialect = Dialect::of(request);
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
        return dialect.refusal(401);
    }
    if has_key("unpaid") {
        return dialect.refusal(402);
    }
    let mut chat = || {
        let next = told.next_scripts.get_mut(&dialect).and_then(|next| next.pop_front());
        let script = next.or_else(|| told.scripts.get(&dialect).cloned());
        told.named += 1;
        let asked = dialect.read(path, &request.body, told.named);
        scripts::answer(&asked, script.as_deref(), &mut told.generations)
    };
    match (dialect, call) {
        (Dialect::OpenAi, ("GET", "/models")) => Answer::json(200, &lists::openai()),
        (Dialect::OpenRouter, ("GET", "/models")) => Answer::whole(200, "application/json", lists::OPENROUTER),
        (Dialect::OpenRouter, ("GET", "/key")) => Answer::json(200, &lists::openrouter_key()),
        (Dialect::OpenRouter, ("GET", "/generation")) => openrouter::generation(&request.path, &mut told),
        (Dialect::Anthropic, ("GET", "/models")) => Answer::json(200, &lists::anthropic(&request.path)),
        (Dialect::Gemini, ("GET", "/models")) => Answer::json(200, &lists::gemini()),
        (Dialect::OpenAi | Dialect::OpenRouter, ("POST", "/chat/completions"))
        | (Dialect::Anthropic, ("POST", "/messages")) => chat(),
        (Dialect::OpenAi | Dialect::OpenRouter, ("POST", "/embeddings")) => {
            Answer::json(200, &embedding::answer(&request.body))
        }
        (Dialect::Gemini, ("POST", path)) if path.ends_with(":streamGenerateContent") => chat(),
        (Dialect::Gemini, ("POST", path)) if path.ends_with(":batchEmbedContents") => {
            Answer::json(200, &embedding::gemini_answer(&request.body))
        }
        (_, (method, _)) => dialect.refuse(404, "not_found", &format!("Invalid URL ({method} {path})")),
    }
}
