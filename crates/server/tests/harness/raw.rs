//! HTTP as bytes, for what no decent client would send.

use std::collections::HashMap;

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::timeout,
};

use super::{PATIENCE, Server};

/// A connection to a server.
pub(crate) struct Raw(BufReader<TcpStream>);

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl RawAnswer {
    /// The name of the refusal in the body.
    pub(crate) fn error(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"));
        super::text(&body["error"])
    }
}

impl Raw {
    pub(crate) async fn connect(server: &Server) -> Self {
        let address = server.base.strip_prefix("http://").unwrap();
        Self(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    /// Sends bytes; a server that refuses may close before it took them all.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        drop(self.0.get_mut().write_all(bytes.as_ref()).await);
    }

    /// The next answer; `None` if the server closed the connection.
    pub(crate) async fn answer(&mut self) -> Option<RawAnswer> {
        timeout(PATIENCE, self.read()).await.expect("no answer came")
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let count = self.0.read_line(&mut line).await.ok()?;
        (count > 0).then(|| line.trim_end().to_owned())
    }

    async fn read(&mut self) -> Option<RawAnswer> {
        let first = self.line().await?;
        let status = first
            .strip_prefix("HTTP/1.1 ")
            .or_else(|| first.strip_prefix("HTTP/1.0 "));
        let status = status
            .and_then(|rest| rest.get(..3))
            .unwrap_or_else(|| panic!("{first:?}"));
        let status = status.parse().unwrap();
        let mut headers = HashMap::new();
        while let Some(line) = self.line().await.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{line:?}"));
            headers.insert(name.to_owned(), value.to_owned());
        }
        let length = headers
            .get("content-length")
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.ok()?;
        let body = String::from_utf8(body).unwrap();
        Some(RawAnswer { status, headers, body })
    }

    /// Waits until the server closes the connection; what it still sends is passed over.
    pub(crate) async fn closed(&mut self) {
        let mut rest = Vec::new();
        let end = timeout(PATIENCE, self.0.read_to_end(&mut rest)).await;
        drop(end.expect("the server should close"));
    }
}

/// Sends bytes on a connection of their own and returns the answer, after which the server must close.
pub(crate) async fn refused(server: &Server, bytes: impl AsRef<[u8]>) -> RawAnswer {
    let mut raw = Raw::connect(server).await;
    raw.send(bytes).await;
    let answer = raw.answer().await.expect("an answer before the end");
    raw.closed().await;
    answer
}
