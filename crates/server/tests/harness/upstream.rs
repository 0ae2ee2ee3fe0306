//! A vendor in OpenAI's dialect whose answers are written by the test itself, word by word and when it wants: for what depends
//! on how far an answer is.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::AbortHandle,
    time::timeout,
};

use super::PATIENCE;

/// The vendor; it stops when this is dropped, its calls do not.
pub(crate) struct Upstream {
    pub(crate) base_url: String,
    calls: mpsc::UnboundedReceiver<Call>,
    serving: AbortHandle,
}

/// A question that waits for its answer.
pub(crate) struct Call {
    pub(crate) body: Value,
    socket: BufReader<TcpStream>,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (ask, calls) = mpsc::unbounded_channel();
        let serving = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(hear(socket, ask.clone()));
            }
        });
        Self {
            base_url,
            calls,
            serving: serving.abort_handle(),
        }
    }

    /// The next question.
    pub(crate) async fn call(&mut self) -> Call {
        let call = timeout(PATIENCE, self.calls.recv()).await;
        call.expect("nobody asked").expect("the vendor stands")
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Reads one request of a connection: models are listed, and questions are handed to the test.
async fn hear(socket: TcpStream, ask: mpsc::UnboundedSender<Call>) -> Option<()> {
    let mut socket = BufReader::new(socket);
    let mut first = String::new();
    socket.read_line(&mut first).await.ok()?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        socket.read_line(&mut line).await.ok()?;
        let line = line.trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    socket.read_exact(&mut body).await.ok()?;
    if first.contains("/chat/completions") {
        let body = serde_json::from_slice(&body).ok()?;
        return ask.send(Call { body, socket }).ok();
    }
    let models =
        json!({ "object": "list", "data": [{ "id": "gpt-4o-mini", "object": "model", "owned_by": "openai" }] });
    let models = models.to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{models}", models.len());
    socket.get_mut().write_all(answer.as_bytes()).await.ok()
}

impl Call {
    /// Sends bytes of the answer; nobody may be there to take them any more.
    async fn send(&mut self, bytes: &str) {
        drop(self.socket.get_mut().write_all(bytes.as_bytes()).await);
    }

    async fn event(&mut self, event: &Value) {
        self.send(&format!("data: {event}\n\n")).await;
    }

    /// Consents to answer.
    pub(crate) async fn begin(&mut self) {
        self.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
            .await;
    }

    /// Says some words.
    pub(crate) async fn say(&mut self, words: &str) {
        let delta = json!({ "choices": [{ "index": 0, "delta": { "content": words } }] });
        self.event(&delta).await;
    }

    /// Ends the answer, with a count of its tokens.
    pub(crate) async fn finish(mut self, prompt: u64, completion: u64) {
        self.event(&json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] }))
            .await;
        self.event(&json!({ "choices": [], "usage": {
            "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion } }))
            .await;
        self.send("data: [DONE]\n\n").await;
        drop(self.socket.get_mut().shutdown().await);
    }

    /// Waits until whoever asked has closed the connection.
    pub(crate) async fn closed(&mut self) {
        let mut rest = Vec::new();
        let end = timeout(PATIENCE, self.socket.read_to_end(&mut rest)).await;
        drop(end.expect("the question should be withdrawn"));
    }
}
