//! The real binary on a fresh data directory, and people who talk to it over HTTP.

pub(crate) mod database;
pub(crate) mod raw;
pub(crate) mod upstream;
pub(crate) mod walk;

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The first administrator of every test server.
pub(crate) const ADMIN: &str = "admin@example.com";
/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse battery";
/// Long enough for a busy machine, short enough to be noticed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. It is killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) base: String,
    pub(crate) dir: PathBuf,
    environment: Vec<(String, String)>,
    _kept: Option<TempDir>,
    client: reqwest::Client,
}

impl Server {
    /// A server with an administrator.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A server with an administrator and further settings.
    pub(crate) async fn start_with(settings: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        let mut environment: Vec<(String, String)> = vec![
            ("AI_ACROSS_ADMIN_EMAIL".into(), ADMIN.into()),
            ("AI_ACROSS_ADMIN_PASSWORD".into(), PASSWORD.into()),
        ];
        environment.extend(
            settings
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
        );
        let (child, base, _) = launch(&path, &environment);
        Self {
            child,
            base,
            dir: path,
            environment,
            _kept: Some(dir),
            client: client(),
        }
    }

    /// A server that nobody has set up yet, and the token of its printed link.
    pub(crate) async fn fresh() -> (Self, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        let (child, base, mut output) = launch(&path, &[]);
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let token = line
            .trim()
            .split_once("/setup?token=")
            .expect("the set-up link")
            .1
            .to_owned();
        let server = Self {
            child,
            base,
            dir: path,
            environment: Vec::new(),
            _kept: Some(dir),
            client: client(),
        };
        (server, token)
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// A new process on the data of one that was killed.
    pub(crate) fn rise(&mut self) {
        (self.child, self.base, _) = launch(&self.dir, &self.environment);
    }

    /// `kill -9`, then a new process on the same data.
    pub(crate) async fn kill_and_restart(mut self) -> Self {
        self.kill();
        let (child, base, _) = launch(&self.dir, &self.environment);
        let environment = std::mem::take(&mut self.environment);
        Self {
            child,
            base,
            dir: self.dir.clone(),
            environment,
            _kept: self._kept.take(),
            client: client(),
        }
    }

    /// Another process on the data of one that ended, with further settings.
    pub(crate) fn start_again(mut self, settings: &[(&str, &str)]) -> Self {
        self.environment.extend(settings.iter().map(own));
        let (child, base, _) = launch(&self.dir, &self.environment);
        self.child = child;
        self.base = base;
        self
    }

    /// Ends the process as a service manager does.
    pub(crate) fn end(&mut self) {
        self.terminate();
        assert_eq!(self.exit_code(), Some(0));
    }

    /// Two servers on one PostgreSQL database of their own, if the tests were told of a PostgreSQL.
    pub(crate) async fn pair(settings: &[(&str, &str)]) -> Option<(Self, Self)> {
        let url = postgres().await?;
        let shared = [
            ("AI_ACROSS_DATABASE_URL", url.as_str()),
            ("AI_ACROSS_SECRET_KEY", "q0nq7c2pRZ6kq0G3vQ1m8WmWcYxwqk0m6sU3yJc2E5k="),
        ];
        let settings: Vec<_> = settings.iter().chain(&shared).copied().collect();
        Some((Self::start_with(&settings).await, Self::start_with(&settings).await))
    }

    /// A request of nobody in particular.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// The administrator, signed in.
    pub(crate) async fn admin(&self) -> Person {
        self.sign_in(ADMIN).await
    }

    /// Somebody with an account, signed in.
    pub(crate) async fn sign_in(&self, email: &str) -> Person {
        let body = json!({ "email": email, "password": PASSWORD });
        let answer = self
            .request(Method::POST, "/api/v1/users/login")
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{email} cannot sign in");
        let tokens: Value = answer.json().await.unwrap();
        let token = tokens["access_token"].as_str().unwrap().to_owned();
        let refresh = tokens["refresh_token"].as_str().unwrap().to_owned();
        Person {
            base: self.base.clone(),
            token,
            refresh,
            client: self.client.clone(),
        }
    }

    /// Adds an account with the command of the product.
    pub(crate) fn add_user(dir: &Path, email: &str, role: &str) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ai-across"))
            .args(["user", "add", "--email", email, "--name", "Somebody", "--role", role])
            .env_clear()
            .env("AI_ACROSS_DATA_DIR", dir)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), format!("{PASSWORD}\n").as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// A server with an administrator, a manager and two users.
    pub(crate) async fn with_people() -> (Self, People) {
        let accounts = [
            (ADMIN, "admin"),
            ("m@example.com", "manager"),
            ("u1@example.com", "user"),
            ("u2@example.com", "user"),
        ];
        let server = Self::with_accounts(&accounts, &[]).await;
        let people = People {
            admin: server.admin().await,
            manager: server.sign_in("m@example.com").await,
            user: server.sign_in("u1@example.com").await,
            other: server.sign_in("u2@example.com").await,
        };
        (server, people)
    }

    /// A server with these accounts, each an email address and a role, and further settings.
    pub(crate) async fn with_accounts(accounts: &[(&str, &str)], settings: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        for (email, role) in accounts {
            Self::add_user(&path, email, role);
        }
        let environment: Vec<_> = settings.iter().map(own).collect();
        let (child, base, _) = launch(&path, &environment);
        Self {
            child,
            base,
            dir: path,
            environment,
            _kept: Some(dir),
            client: client(),
        }
    }

    /// Asks the process to end, as a service manager does.
    pub(crate) fn terminate(&self) {
        let pid = rustix::process::Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }

    /// The exit code of a process that was asked to end.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// The memory that the process holds, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kibibytes: u64 = line.trim().strip_suffix("kB").unwrap().trim().parse().unwrap();
        kibibytes * 1024
    }

    /// What the doctor says of the data: its exit code and its words.
    pub(crate) fn doctor(&self) -> (Option<i32>, String) {
        let told = Command::new(env!("CARGO_BIN_EXE_ai-across"))
            .arg("doctor")
            .env_clear()
            .env("AI_ACROSS_DATA_DIR", &self.dir)
            .envs(self.environment.iter().map(|(key, value)| (key, value)))
            .output()
            .unwrap();
        (told.status.code(), String::from_utf8(told.stdout).unwrap())
    }

    /// Everything that the server logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("stderr.log")).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What the server had to say about it; libtest shows it with the failure.
            let log = std::fs::read_to_string(self.dir.join("stderr.log")).unwrap_or_default();
            drop(std::io::Write::write_all(&mut std::io::stderr(), log.as_bytes()));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// One of each role, and a second user.
pub(crate) struct People {
    pub(crate) admin: Person,
    pub(crate) manager: Person,
    pub(crate) user: Person,
    pub(crate) other: Person,
}

fn own((key, value): &(&str, &str)) -> (String, String) {
    ((*key).to_owned(), (*value).to_owned())
}

/// The address of a new schema in the PostgreSQL that `TEST_DATABASE_URL` names, if it does.
#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by the environment where a server is"
)]
pub(crate) async fn postgres() -> Option<String> {
    let Ok(server) = std::env::var("TEST_DATABASE_URL") else {
        assert!(std::env::var("CI").is_err(), "CI must set TEST_DATABASE_URL");
        return None;
    };
    let schema = format!("server_{}", across::id::FileId::new().uuid().simple());
    let database = sea_orm::Database::connect(&server).await.unwrap();
    sea_orm::ConnectionTrait::execute_unprepared(&database, &format!("CREATE SCHEMA {schema}"))
        .await
        .unwrap();
    database.close().await.unwrap();
    let separator = if server.contains('?') { '&' } else { '?' };
    Some(format!("{server}{separator}options=-c%20search_path%3D{schema}"))
}

/// Runs a statement on a server's SQLite database, behind the server's back.
pub(crate) async fn behind_the_back(dir: &Path, sql: &str) {
    let url = format!("sqlite://{}", dir.join("ai-across.db").display());
    let database = sea_orm::Database::connect(&url).await.unwrap();
    sea_orm::ConnectionTrait::execute_unprepared(&database, sql)
        .await
        .unwrap();
    database.close().await.unwrap();
}

fn client() -> reqwest::Client {
    // The TLS library wants to be chosen even where no TLS is spoken.
    drop(rustls::crypto::ring::default_provider().install_default());
    // Idle connections are dropped before the server drops them, or a request could meet a closing door.
    let builder = reqwest::Client::builder().pool_idle_timeout(Duration::from_secs(5));
    builder.redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

fn launch(dir: &Path, environment: &[(String, String)]) -> (Child, String, BufReader<ChildStdout>) {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.join("stderr.log"))
        .unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_ai-across"))
        .arg("serve")
        .env_clear()
        .env("AI_ACROSS_LISTEN", "127.0.0.1:0")
        .env("AI_ACROSS_DATA_DIR", dir)
        // Tests send faster than people; those of the limits set their own.
        .env("AI_ACROSS_RATE_PER_USER", "0")
        .env("AI_ACROSS_RATE_PER_ADDRESS", "0")
        .envs(environment.iter().map(|(key, value)| (key, value)))
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let base = line.trim().strip_prefix("listening on ").map(str::to_owned);
    let base = base.unwrap_or_else(|| {
        panic!(
            "the server did not start: {line:?}\n{}",
            std::fs::read_to_string(dir.join("stderr.log")).unwrap()
        )
    });
    (child, base, output)
}

/// Somebody who is signed in.
#[derive(Clone)]
pub(crate) struct Person {
    base: String,
    pub(crate) token: String,
    pub(crate) refresh: String,
    client: reqwest::Client,
}

/// What came back: status and body; an empty body is null.
pub(crate) type Answer = (u16, Value);

impl Person {
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}/api/v1{path}", self.base))
            .bearer_auth(&self.token)
    }

    /// The same session at another server on the same data.
    pub(crate) fn at(&self, server: &Server) -> Self {
        Self {
            base: server.base.clone(),
            ..self.clone()
        }
    }

    /// The answer with its headers.
    pub(crate) async fn told(&self, request: RequestBuilder) -> (u16, reqwest::header::HeaderMap, Value) {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.unwrap();
        (status, headers, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn answer(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap();
        (
            status,
            if body.is_empty() {
                Value::Null
            } else {
                serde_json::from_slice(&body).unwrap()
            },
        )
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.answer(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.answer(self.request(Method::PATCH, path).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.answer(self.request(Method::DELETE, path)).await
    }

    /// A new assistant's id.
    pub(crate) async fn assistant(&self, name: &str) -> String {
        let (status, body) = self.post("/assistants", &json!({ "name": name })).await;
        assert_eq!(status, 201, "{body}");
        text(&body["id"])
    }

    /// Uploads a file.
    pub(crate) async fn upload(&self, assistant: &str, name: &str, bytes: impl Into<Vec<u8>>) -> Answer {
        let (kind, body) = form(assistant, name, &bytes.into());
        self.answer(
            self.request(Method::POST, "/files")
                .header("content-type", kind)
                .body(body),
        )
        .await
    }

    /// Uploads a file that is accepted, and waits until it is ready or in error.
    pub(crate) async fn knows(&self, assistant: &str, name: &str, bytes: impl Into<Vec<u8>>) -> Value {
        let (status, body) = self.upload(assistant, name, bytes).await;
        assert_eq!(status, 201, "{body}");
        self.settled(&text(&body["id"])).await
    }

    /// The file once nothing is being done to it any more.
    pub(crate) async fn settled(&self, id: &str) -> Value {
        let path = format!("/files/{id}");
        eventually(async || {
            let (_, file) = self.get(&path).await;
            matches!(file["status"].as_str(), Some("ready" | "error")).then_some(file)
        })
        .await
    }

    /// A new conversation's id.
    pub(crate) async fn conversation(&self, assistant: &str) -> String {
        let (status, body) = self.post("/conversations", &json!({ "assistant_id": assistant })).await;
        assert_eq!(status, 201, "{body}");
        text(&body["id"])
    }

    /// Sends a message and opens the stream of its answer.
    pub(crate) async fn ask(&self, conversation: &str, content: &str) -> Stream {
        let path = format!("/conversations/{conversation}/messages");
        let body = json!({ "content": content, "stream": true });
        Stream::open(self.request(Method::POST, &path).json(&body)).await
    }

    /// Joins an answer.
    pub(crate) async fn join(&self, conversation: &str, message: &str) -> Stream {
        Stream::open(self.request(
            Method::GET,
            &format!("/conversations/{conversation}/messages/{message}/stream"),
        ))
        .await
    }
}

/// A form with an assistant and a file: its content type and its bytes.
pub(crate) fn form(assistant: &str, name: &str, bytes: &[u8]) -> (String, Vec<u8>) {
    let mut body = format!(
        "--B\r\nContent-Disposition: form-data; name=\"assistant_id\"\r\n\r\n{assistant}\r\n--B\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: application/pdf\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(bytes);
    body.extend_from_slice(b"\r\n--B--\r\n");
    ("multipart/form-data; boundary=B".into(), body)
}

/// An answer as it arrives.
pub(crate) struct Stream {
    response: reqwest::Response,
    buffer: Vec<u8>,
    /// Everything that came so far.
    pub(crate) events: Vec<Value>,
}

impl Stream {
    pub(crate) async fn open(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        if status != StatusCode::OK {
            panic!("refused: {status} {}", response.text().await.unwrap());
        }
        assert_eq!(headers["content-type"], "text/event-stream; charset=utf-8");
        Self {
            response,
            buffer: Vec::new(),
            events: Vec::new(),
        }
    }

    /// The next event; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let frame: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let frame = String::from_utf8(frame).unwrap();
                let frame = frame.trim_end();
                if frame.starts_with(':') {
                    continue;
                }
                let data = frame.strip_prefix("data: ").expect("only data lines and comments");
                let event: Value = serde_json::from_str(data).unwrap();
                self.events.push(event.clone());
                return Some(event);
            }
            let bytes = tokio::time::timeout(PATIENCE, self.response.chunk())
                .await
                .expect("the stream went silent");
            // A server that was killed breaks the connection; that is an end, too.
            self.buffer.extend_from_slice(&bytes.ok().flatten()?);
        }
    }

    /// Reads on until something of this kind came.
    pub(crate) async fn until(&mut self, kind: &str) -> Value {
        loop {
            let event = self
                .next()
                .await
                .unwrap_or_else(|| panic!("ended before {kind}: {:?}", self.events));
            if event["type"] == kind {
                return event;
            }
        }
    }

    /// Reads to the end.
    pub(crate) async fn all(mut self) -> Vec<Value> {
        while self.next().await.is_some() {}
        self.events
    }
}

/// The words of an answer.
pub(crate) fn words(events: &[Value]) -> String {
    events
        .iter()
        .filter(|event| event["type"] == "chunk")
        .map(|event| text(&event["content"]))
        .collect()
}

/// A JSON string's text.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Looks again and again until there is something, or patience ends.
pub(crate) async fn eventually<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "it did not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
