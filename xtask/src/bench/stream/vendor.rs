//! The fake provider of the streaming benchmark: OpenAI's wire, its bytes made beforehand, one thread in a process of its
//! own, so that what it costs is not counted as the product's.

use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use serde_json::{Value, json};

use super::script::{MODEL, Script, TOKENS, Vectors, request};
use crate::bench::load::{self, Connection};
use crate::{console, process, server};

/// The hidden task of `cargo xtask` that is this provider.
pub const TASK: &str = "fake-provider";
/// Time before each token. A provider that is late goes on from there: it never sends two tokens at once.
pub const PAUSE: Duration = Duration::from_millis(10);
const LISTENER: Token = Token(0);
/// How often it looks whether it is still needed.
const GLANCE: Duration = Duration::from_millis(200);

/// The running provider; dropping it ends it.
pub struct Vendor {
    child: Child,
    /// Where it listens, as `127.0.0.1:PORT`.
    pub address: String,
}

impl Vendor {
    /// Starts it as a process of its own.
    ///
    /// # Errors
    /// When it does not say where it listens.
    pub fn start() -> Result<Self> {
        let program = std::env::current_exe().context("cannot tell which program this is")?;
        let mut command = process::command(program);
        command.arg(TASK).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start the fake provider")?;
        let output = child.stdout.take().context("no pipe from the fake provider")?;
        let address = server::listening(output)?;
        Ok(Self { child, address })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How many calls it has answered so far: chats and embeddings.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn calls(&self) -> Result<(u64, u64)> {
        let mut connection = Connection::open(&self.address)?;
        connection.ask(&load::get("/counts", ""))?;
        let counts: Value = serde_json::from_slice(connection.body()).context("no counts from the fake provider")?;
        let count = |name: &str| counts[name].as_u64().with_context(|| format!("no count of {name}"));
        Ok((count("chats")?, count("embeddings")?))
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        // It ends when its input does, whatever becomes of us.
        drop(self.child.stdin.take());
        let _gone = self.child.wait();
    }
}

/// Is the fake provider until its input ends.
///
/// # Errors
/// When the system refuses a socket.
pub fn run() -> Result<()> {
    let mut desk = Desk::open()?;
    console::say(&format!("listening on http://{}", desk.listener.local_addr()?));
    let needed = std::thread::spawn(|| while std::io::stdin().read(&mut [0; 64]).is_ok_and(|read| read > 0) {});
    let mut events = Events::with_capacity(1024);
    while !needed.is_finished() && !process::interrupted() {
        desk.turn(&mut events)?;
    }
    Ok(())
}

/// Everything the provider has open.
struct Desk {
    poll: Poll,
    listener: TcpListener,
    callers: HashMap<usize, Caller>,
    next: usize,
    /// Who gets the next token and when. All pauses are equally long, so this is in order.
    due: VecDeque<(Instant, usize)>,
    script: Script,
    vectors: Vectors,
    chats: u64,
    embeddings: u64,
    room: Vec<u8>,
}

/// One connection.
struct Caller {
    stream: TcpStream,
    received: Vec<u8>,
    /// Pieces of the answer that were due so far; none while it waits for a question.
    pieces: usize,
    sent: usize,
}

impl Desk {
    fn open() -> Result<Self> {
        let poll = Poll::new()?;
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let mut listener = TcpListener::bind(address).context("no free port on 127.0.0.1")?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            callers: HashMap::new(),
            next: LISTENER.0 + 1,
            due: VecDeque::new(),
            script: Script::write(),
            vectors: Vectors::write(),
            chats: 0,
            embeddings: 0,
            room: vec![0; 64 << 10],
        })
    }

    fn turn(&mut self, events: &mut Events) -> Result<()> {
        let wait = self
            .due
            .front()
            .map(|(at, _)| at.saturating_duration_since(Instant::now()));
        match self.poll.poll(events, Some(wait.unwrap_or(GLANCE).min(GLANCE))) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            polled => polled?,
        }
        for event in events.iter() {
            if event.token() == LISTENER {
                self.accept()?;
            } else if event.is_readable() {
                self.hear(event);
            }
        }
        while let Some((at, id)) = self.due.front().copied() {
            if at > Instant::now() {
                break;
            }
            self.due.pop_front();
            self.speak(id);
        }
        Ok(())
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("the fake provider cannot take a connection"),
            };
            stream.set_nodelay(true)?;
            let id = self.next;
            self.next += 1;
            self.poll
                .registry()
                .register(&mut stream, Token(id), Interest::READABLE)?;
            let caller = Caller {
                stream,
                received: Vec::new(),
                pieces: 0,
                sent: 0,
            };
            self.callers.insert(id, caller);
        }
    }

    fn hear(&mut self, event: &Event) {
        let id = event.token().0;
        let Some(caller) = self.callers.get_mut(&id) else {
            return;
        };
        loop {
            match caller.stream.read(&mut self.room) {
                Ok(read) if read > 0 => caller.received.extend_from_slice(&self.room[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                _ => {
                    self.callers.remove(&id);
                    return;
                }
            }
        }
        while let Some((path, body)) = self
            .callers
            .get_mut(&id)
            .and_then(|caller| request(&mut caller.received))
        {
            self.answer(id, &path, &body);
        }
    }

    fn answer(&mut self, id: usize, path: &str, body: &[u8]) {
        if path.ends_with("/chat/completions") {
            self.chats += 1;
            return self.speak(id);
        }
        let answer = if path.ends_with("/embeddings") {
            self.embeddings += 1;
            self.vectors.answer(body)
        } else if path.ends_with("/models") {
            json!({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 1, "owned_by": "nobody"}]})
                .to_string()
        } else {
            json!({"chats": self.chats, "embeddings": self.embeddings}).to_string()
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        let Some(caller) = self.callers.get_mut(&id) else {
            return;
        };
        if all(&mut caller.stream, &[head.as_bytes(), answer.as_bytes()].concat()).is_err() {
            self.callers.remove(&id);
        }
    }

    /// The next piece of somebody's answer. What does not go out now goes with the next piece, or a pause later.
    fn speak(&mut self, id: usize) {
        let Some(caller) = self.callers.get_mut(&id) else {
            return;
        };
        let end = self.script.ends[caller.pieces.min(TOKENS)];
        match caller.stream.write(&self.script.bytes[caller.sent..end]) {
            Ok(written) => caller.sent += written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => {
                self.callers.remove(&id);
                return;
            }
        }
        caller.pieces += 1;
        if caller.sent == self.script.bytes.len() {
            (caller.pieces, caller.sent) = (0, 0);
        } else {
            self.due.push_back((Instant::now() + PAUSE, id));
        }
    }
}

/// Writes all of an answer that nobody measures, however long it takes.
fn all(stream: &mut TcpStream, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(1)),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use mio::Events;
    use serde_json::{Value, json};

    use super::super::script::{DIMENSIONS, TOKENS};
    use super::Desk;
    use crate::bench::load::{Connection, post};
    use crate::bench::stream::DIRECT;
    use crate::bench::stream::chats::{Heard, Moment, Wave, Wire};

    /// Talks to the provider at its address while it runs in a thread.
    fn with_provider<T>(talk: impl FnOnce(&str) -> T) -> T {
        let mut desk = Desk::open().unwrap();
        let address = desk.listener.local_addr().unwrap().to_string();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut events = Events::with_capacity(16);
                while !done.load(Ordering::SeqCst) {
                    desk.turn(&mut events).unwrap();
                }
            });
            let result = talk(&address);
            done.store(true, Ordering::SeqCst);
            result
        })
    }

    fn listen(address: &str, path: &str, wire: Wire) -> (Heard, Vec<Moment>) {
        let wave = Wave {
            address,
            streams: vec![vec![post(path, "", "{}")]; 3],
            repeat: 1,
            ramp: Duration::from_millis(10),
            measured: Duration::from_millis(700),
            wire,
        };
        let mut moments = Vec::new();
        let heard = wave.run(|moment| {
            moments.push(moment);
            Ok(())
        });
        (heard.unwrap(), moments)
    }

    #[test]
    fn every_stream_gets_all_tokens_one_after_the_other() {
        let (heard, moments) = with_provider(|address| listen(address, "/v1/chat/completions", DIRECT));
        assert_eq!(heard.errors, Vec::<String>::new());
        assert!(heard.asked >= 6 && !heard.first.is_empty(), "{heard:?}");
        let least = super::PAUSE * TOKENS as u32;
        assert!(heard.whole.iter().all(|time| *time >= least), "{heard:?}");
        assert!(heard.first.iter().all(|time| *time >= super::PAUSE), "{heard:?}");
        assert_eq!(
            (moments.first(), moments.last()),
            (Some(&Moment::Begins), Some(&Moment::Ends))
        );
    }

    #[test]
    fn an_answer_that_is_not_whole_is_told() {
        let other = Wire {
            whole: &["data: never"],
            ..DIRECT
        };
        let (heard, _) = with_provider(|address| listen(address, "/v1/chat/completions", other));
        assert_eq!(heard.errors.len(), 3);
        assert!(heard.errors[0].contains("no whole answer"), "{heard:?}");
    }

    #[test]
    fn every_text_gets_a_vector_and_chats_are_counted() {
        let (answer, counts): (Value, Value) = with_provider(|address| {
            listen(address, "/v1/chat/completions", DIRECT);
            let mut connection = Connection::open(address).unwrap();
            let mut ask = |path: &str, body: &str| {
                assert_eq!(connection.ask(&post(path, "", body)).unwrap(), 200);
                serde_json::from_slice(connection.body()).unwrap()
            };
            (ask("/v1/embeddings", r#"{"input":["a","b"]}"#), ask("/counts", ""))
        });
        assert_eq!(answer["data"].as_array().map(Vec::len), Some(2));
        assert_eq!(
            answer["data"][1]["embedding"].as_array().map(Vec::len),
            Some(DIMENSIONS)
        );
        assert_eq!(counts["embeddings"], json!(1));
        assert!(counts["chats"].as_u64() >= Some(6), "{counts}");
    }
}
