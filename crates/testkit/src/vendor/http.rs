//! Just enough HTTP/1.1 to own every byte: requests with a known length, answers in chunks written one by one.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::sleep,
};

use super::{Answer, Recorded, Step, state::State};

/// The largest request body that is read, in bytes.
const MAX_BODY: usize = 64 * 1024 * 1024;

pub(crate) struct Connection {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

/// How the writing of an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It is whole, and the connection goes on.
    Whole,
    /// The script closed the connection, or the other side did when it had everything.
    Cut,
    /// The other side closed the connection after so many chunks.
    Left(usize),
}

impl Connection {
    pub(crate) fn new(socket: TcpStream) -> Self {
        let (reader, writer) = socket.into_split();
        Self {
            reader: BufReader::new(reader),
            writer,
        }
    }

    /// The next request; `None` when the client has closed the connection.
    pub(crate) async fn read_request(&mut self) -> io::Result<Option<Recorded>> {
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
        self.reader.read_exact(&mut body).await?;
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Ok(Some(Recorded {
            method,
            path,
            headers,
            body,
        }))
    }

    /// Writes an answer that is JSON, all of it at once.
    pub(crate) async fn write_json(&mut self, status: u16, body: &Value) -> io::Result<()> {
        let body = body.to_string();
        let whole = format!(
            "HTTP/1.1 {status} Scripted\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.writer.write_all(whole.as_bytes()).await
    }

    /// Writes an answer, unless the other side leaves before it is whole.
    pub(super) async fn write_answer(&mut self, answer: &Answer, state: &State) -> Ended {
        let (chunks, place) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let ended = tokio::select! {
            ended = write(&mut self.writer, answer, state, (&chunks, &place)) => ended.ok(),
            () = left(&mut self.reader) => None,
        };
        ended.unwrap_or_else(|| {
            let rest = answer.steps.get(place.load(Ordering::Relaxed)..).unwrap_or_default();
            // Whoever has all that is said need not wait for the silence after it.
            if rest.iter().all(|step| matches!(step, Step::Wait(_))) {
                Ended::Cut
            } else {
                Ended::Left(chunks.load(Ordering::Relaxed))
            }
        })
    }

    async fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        let read = self.reader.read_line(&mut line).await?;
        Ok((read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

async fn write(
    socket: &mut OwnedWriteHalf,
    answer: &Answer,
    state: &State,
    (chunks, place): (&AtomicUsize, &AtomicUsize),
) -> io::Result<Ended> {
    let mut head = format!("HTTP/1.1 {} Scripted\r\ntransfer-encoding: chunked\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let is_before = |step: &&Step| !matches!(step, Step::Write(_));
    let silent = answer.steps.iter().take_while(is_before).count();
    let (before, steps) = answer.steps.split_at(silent);
    for step in before {
        if !rest(step, state).await {
            return Ok(Ended::Cut);
        }
        place.fetch_add(1, Ordering::Relaxed);
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
                chunks.fetch_add(1, Ordering::Relaxed);
            }
            other => {
                if !rest(other, state).await {
                    return Ok(Ended::Cut);
                }
            }
        }
        place.fetch_add(1, Ordering::Relaxed);
    }
    socket.write_all(b"0\r\n\r\n").await?;
    Ok(Ended::Whole)
}

/// Takes a step that writes nothing, and says whether the answer goes on.
async fn rest(step: &Step, state: &State) -> bool {
    match step {
        Step::Wait(time) => sleep(*time).await,
        Step::Gate => state.pass_gate().await,
        Step::Stall => std::future::pending().await,
        Step::Write(_) => {}
        Step::Cut => return false,
    }
    true
}

/// Ends when the other side closes the connection.
async fn left(reader: &mut BufReader<OwnedReadHalf>) {
    if reader.fill_buf().await.is_ok_and(|bytes| !bytes.is_empty()) {
        // The next request is there already; whoever sends it is there too.
        std::future::pending::<()>().await;
    }
}
