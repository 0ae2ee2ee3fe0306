//! Just enough HTTP/1.1 to own every byte: requests with a known length, answers in chunks written one by one.

use std::io;

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::sleep,
};

use super::{Answer, Recorded, Step};

/// The largest request body that is read, in bytes.
const MAX_BODY: usize = 64 * 1024 * 1024;

pub(super) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self(BufReader::new(socket))
    }

    /// The next request; `None` when the client has closed the connection.
    pub(super) async fn read_request(&mut self) -> io::Result<Option<Recorded>> {
        let Some(first) = self.line().await? else {
            return Ok(None);
        };
        let mut words = first.split(' ');
        let method = words.next().unwrap_or_default().to_owned();
        let path = words.next().unwrap_or_default().to_owned();
        let mut headers = Vec::new();
        while let Some(line) = self.line().await?.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = headers
            .iter()
            .find(|(name, _)| name == "content-length")
            .map_or("0", |(_, value)| value);
        let length = length.parse().ok().filter(|length| *length <= MAX_BODY);
        let mut body = vec![0; length.ok_or_else(|| io::Error::other("a content-length that is not usable"))?];
        self.0.read_exact(&mut body).await?;
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Ok(Some(Recorded {
            method,
            path,
            headers,
            body,
        }))
    }

    /// Writes an answer and says whether the connection goes on.
    pub(super) async fn write_answer(&mut self, answer: &Answer) -> io::Result<bool> {
        let socket = self.0.get_mut();
        let mut head = format!("HTTP/1.1 {} Scripted\r\ntransfer-encoding: chunked\r\n", answer.status);
        for (name, value) in &answer.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let is_silence = |step: &&Step| matches!(step, Step::Wait(_));
        let silent = answer.steps.iter().take_while(is_silence).count();
        let (before, steps) = answer.steps.split_at(silent);
        for step in before {
            if let Step::Wait(time) = step {
                sleep(*time).await;
            }
        }
        socket.write_all(head.as_bytes()).await?;
        for step in steps {
            match step {
                Step::Write(bytes) if bytes.is_empty() => {}
                Step::Write(bytes) => {
                    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
                    chunk.extend_from_slice(bytes);
                    chunk.extend_from_slice(b"\r\n");
                    socket.write_all(&chunk).await?;
                    socket.flush().await?;
                }
                Step::Wait(time) => sleep(*time).await,
                Step::Cut => return Ok(false),
            }
        }
        socket.write_all(b"0\r\n\r\n").await?;
        Ok(true)
    }

    async fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).await?;
        Ok((read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
    }
}
