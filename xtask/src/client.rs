//! The API as the administrator of a benchmark or a fuzz run uses it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::Response;

use crate::process;
use crate::server::{EMAIL, PASSWORD, Server};

/// The separator of multipart bodies; no document holds it.
const BOUNDARY: &str = "ai-across-benchmark-6f1d0c";
/// How long the documents of one assistant may take to become searchable.
const INDEXING: Duration = Duration::from_secs(3600);

/// A client without an account: enough to ask whether the server is there.
pub fn agent() -> Agent {
    let config = Agent::config_builder().http_status_as_error(false).proxy(None);
    config.timeout_global(Some(Duration::from_secs(120))).build().into()
}

/// A signed-in administrator.
pub struct Client {
    agent: Agent,
    base: String,
    token: String,
}

impl Client {
    /// Signs in.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn sign_in(server: &Server) -> Result<Self> {
        let mut client = Self {
            agent: agent(),
            base: format!("http://{}/api/v1", server.address),
            token: String::new(),
        };
        client.renew()?;
        Ok(client)
    }

    /// Signs in again: an access token lives for minutes, a benchmark for longer.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn renew(&mut self) -> Result<()> {
        let answer = self.post("/users/login", &json!({"email": EMAIL, "password": PASSWORD}))?;
        answer["access_token"]
            .as_str()
            .context("no access_token in the answer to login")?
            .clone_into(&mut self.token);
        Ok(())
    }

    /// The access token, for requests that are made elsewhere.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Makes an assistant and returns its id.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn assistant(&self, name: &str) -> Result<String> {
        self.make("/assistants", &json!({"name": name, "instructions": ""}))
    }

    /// Makes an object of any kind and returns its id.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn make(&self, path: &str, body: &Value) -> Result<String> {
        let answer = self.post(path, body)?;
        Ok(answer["id"]
            .as_str()
            .with_context(|| format!("no id in the answer to POST {path}"))?
            .to_owned())
    }

    /// Uploads a document and returns its id.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn upload(&self, assistant: &str, filename: &str, content: impl AsRef<[u8]>) -> Result<String> {
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"assistant_id\"\r\n\r\n{assistant}\r\n\
             --{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{filename}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        let end = format!("\r\n--{BOUNDARY}--\r\n");
        let body = [head.as_bytes(), content.as_ref(), end.as_bytes()].concat();
        let request = self
            .agent
            .post(format!("{}/files", self.base))
            .header("Authorization", self.authorization());
        let request = request.content_type(format!("multipart/form-data; boundary={BOUNDARY}"));
        answer(&format!("upload of {filename}"), request.send(body.as_slice()))?["id"]
            .as_str()
            .map(str::to_owned)
            .with_context(|| format!("no id in the answer to the upload of {filename}"))
    }

    /// Waits until all files of an assistant are searchable.
    ///
    /// # Errors
    /// When one of them ends in `error`, or they take longer than an hour.
    pub fn wait_until_ready(&mut self, assistant: &str) -> Result<()> {
        let (started, mut renewed) = (Instant::now(), Instant::now());
        loop {
            if renewed.elapsed() > Duration::from_secs(300) {
                self.renew()?;
                renewed = Instant::now();
            }
            let listed = self.get(&format!("/files?assistant_id={assistant}&limit=100"))?;
            let files = listed["files"].as_array().context("no list of files in the answer")?;
            if let Some(file) = files.iter().find(|file| file["status"] == "error") {
                bail!("{} could not be indexed: {}", file["filename"], file["error_message"]);
            }
            if !files.is_empty() && files.iter().all(|file| file["status"] == "ready") {
                return Ok(());
            }
            if process::interrupted() || started.elapsed() > INDEXING {
                bail!("gave up waiting for the documents to be indexed");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// All passages considered for a question, as the server tells them.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn passages(&self, assistant: &str, question: &str) -> Result<Vec<Value>> {
        let path = format!("/assistants/{assistant}/retrieval-test");
        let mut answer = self.post(&path, &json!({"question": question}))?;
        match answer["passages"].take() {
            Value::Array(passages) => Ok(passages),
            _ => bail!("no passages in the answer to retrieval-test"),
        }
    }

    /// What a path of the API answers, as JSON.
    ///
    /// # Errors
    /// When the server refuses or answers something else.
    pub fn get(&self, path: &str) -> Result<Value> {
        let request = self
            .agent
            .get(format!("{}{path}", self.base))
            .header("Authorization", self.authorization());
        answer(path, request.call())
    }

    /// What a path of the API answers to a JSON body, as JSON.
    ///
    /// # Errors
    /// When the server refuses or answers something else.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let mut request = self.agent.post(format!("{}{path}", self.base));
        if !self.token.is_empty() {
            request = request.header("Authorization", self.authorization());
        }
        answer(path, request.send_json(body))
    }

    /// The events of the stream that answers a JSON body.
    ///
    /// # Errors
    /// When the server refuses or answers something else.
    pub fn events(&self, path: &str, body: &Value) -> Result<Vec<Value>> {
        let request = self.agent.post(format!("{}{path}", self.base));
        let request = request.header("Authorization", self.authorization());
        let text = text(path, request.send_json(body))?;
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|event| serde_json::from_str(event).with_context(|| format!("{path}: an event is not JSON: {event}")))
            .collect()
    }

    /// What a path of the API answers to a change in JSON, as JSON.
    ///
    /// # Errors
    /// When the server refuses or answers something else.
    pub fn patch(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self.agent.patch(format!("{}{path}", self.base));
        answer(
            path,
            request.header("Authorization", self.authorization()).send_json(body),
        )
    }

    /// Deletes what stands at a path of the API.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn delete(&self, path: &str) -> Result<()> {
        let request = self.agent.delete(format!("{}{path}", self.base));
        text(path, request.header("Authorization", self.authorization()).call()).map(drop)
    }

    /// The server's figures about itself, if it has any.
    ///
    /// # Errors
    /// When it does not answer or refuses.
    pub fn metrics(&self) -> Result<Option<String>> {
        let root = self.base.trim_end_matches("/api/v1");
        let request = self
            .agent
            .get(format!("{root}/metrics"))
            .header("Authorization", self.authorization());
        let mut response = request.call().context("/metrics: no answer")?;
        match response.status().as_u16() {
            404 => Ok(None),
            200 => Ok(Some(
                response
                    .body_mut()
                    .read_to_string()
                    .context("/metrics: the answer broke off")?,
            )),
            status => bail!("/metrics: {status}"),
        }
    }

    fn authorization(&self) -> String {
        format!("Bearer {}", self.token)
    }
}

fn answer(what: &str, result: Result<Response<ureq::Body>, ureq::Error>) -> Result<Value> {
    let text = text(what, result)?;
    serde_json::from_str(&text).with_context(|| format!("{what}: the answer is not JSON: {text}"))
}

fn text(what: &str, result: Result<Response<ureq::Body>, ureq::Error>) -> Result<String> {
    let mut response = result.with_context(|| format!("{what}: no answer"))?;
    let text = response
        .body_mut()
        .read_to_string()
        .with_context(|| format!("{what}: the answer broke off"))?;
    if !response.status().is_success() {
        bail!("{what}: {} {text}", response.status());
    }
    Ok(text)
}
