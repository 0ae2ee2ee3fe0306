//! Many answers read at once, in one thread: every stream asks its next question when it has the whole answer to the last.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::process;

/// How long the longest answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often whoever watches is told that it goes on.
const TELL: Duration = Duration::from_millis(200);
/// As much of an answer's end is kept as holds its last events.
const TAIL: usize = 1024;
const STATUS: &[u8] = b"HTTP/1.1 200 ";
/// The last piece of an answer in pieces; nothing inside an event can look like it.
const END: &[u8] = b"\r\n0\r\n\r\n";

/// What the events of a server look like.
#[derive(Clone, Copy)]
pub struct Wire {
    /// What only an event with words holds.
    pub words: &'static str,
    /// What the last events of a whole answer hold.
    pub whole: &'static [&'static str],
}

/// So many streams at once.
pub struct Wave<'a> {
    /// Who is asked, as `HOST:PORT`.
    pub address: &'a str,
    /// For every stream the questions that it asks, in turn; each is asked until the next one's turn has come.
    pub streams: Vec<Vec<Vec<u8>>>,
    /// How often each question is asked before the next one.
    pub repeat: usize,
    /// The streams open evenly over this time.
    pub ramp: Duration,
    /// How long is measured, from the end of the last stream's first answer.
    pub measured: Duration,
    /// What its events look like.
    pub wire: Wire,
}

/// What whoever watches is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Moment {
    /// From here on it is measured.
    Begins,
    /// It is being measured.
    Goes,
    /// It was measured up to here.
    Ends,
}

/// What was heard.
#[derive(Debug, Default)]
pub struct Heard {
    /// From the question to the first words of its answer, of questions within the measured time.
    pub first: Vec<Duration>,
    /// From the question to the end of its answer, of the same ones.
    pub whole: Vec<Duration>,
    /// Answers that ended within the measured time.
    pub ended: usize,
    /// Questions in all, those that were not measured with them.
    pub asked: usize,
    /// What went wrong, if anything.
    pub errors: Vec<String>,
}

/// One stream.
struct Stream {
    socket: TcpStream,
    asked: usize,
    /// When the question was asked whose answer has not ended.
    since: Option<Instant>,
    first: Option<Duration>,
    is_new: bool,
    tail: Vec<u8>,
    broken: bool,
}

impl Wave<'_> {
    /// Opens the streams and keeps them open until enough is measured; then every answer is read to its end.
    ///
    /// # Errors
    /// When the system refuses sockets, an answer takes a minute, or we are interrupted. Streams that break are no error
    /// here: they are told in what was heard.
    pub fn run(&self, mut watch: impl FnMut(Moment) -> Result<()>) -> Result<Heard> {
        let mut poll = Poll::new()?;
        let mut streams = self.open(&poll)?;
        let mut events = Events::with_capacity(1024);
        let mut heard = Heard::default();
        let started = Instant::now();
        let (mut opened, mut told) = (0, started);
        // When the measured time began and when it ended.
        let (mut from, mut until) = (None, None);
        loop {
            while opened < streams.len() && started.elapsed() >= self.ramp * opened as u32 / streams.len() as u32 {
                self.ask(&mut streams[opened], opened, &mut heard);
                opened += 1;
            }
            match poll.poll(&mut events, Some(Duration::from_millis(1))) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                polled => polled?,
            }
            for event in events.iter() {
                let number = event.token().0;
                if self.hear(&mut streams[number], from, until, &mut heard) && until.is_none() {
                    self.ask(&mut streams[number], number, &mut heard);
                }
            }
            let now = Instant::now();
            if from.is_none() && streams.iter().all(|stream| stream.asked > 1 || stream.broken) {
                from = Some(now);
                watch(Moment::Begins)?;
            }
            if until.is_none() && from.is_some_and(|from| now >= from + self.measured) {
                until = Some(now);
                watch(Moment::Ends)?;
            }
            if until.is_some() && streams.iter().all(|stream| stream.since.is_none()) {
                return Ok(heard);
            }
            if now > told + TELL {
                told = now;
                if from.is_some() && until.is_none() {
                    watch(Moment::Goes)?;
                }
                let stuck = |stream: &Stream| stream.since.is_some_and(|since| now > since + PATIENCE);
                if process::interrupted() || streams.iter().any(stuck) {
                    bail!(
                        "gave up: interrupted, or an answer took longer than {} s",
                        PATIENCE.as_secs()
                    );
                }
            }
        }
    }

    /// All connections, before anything is asked.
    fn open(&self, poll: &Poll) -> Result<Vec<Stream>> {
        let address: SocketAddr = self.address.parse().context("no address to ask")?;
        let open = |number: usize| {
            let socket =
                std::net::TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
            socket.set_nodelay(true)?;
            socket.set_nonblocking(true)?;
            let mut socket = TcpStream::from_std(socket);
            poll.registry()
                .register(&mut socket, Token(number), Interest::READABLE)?;
            Ok(Stream {
                socket,
                asked: 0,
                since: None,
                first: None,
                is_new: false,
                tail: Vec::with_capacity(4 * TAIL),
                broken: false,
            })
        };
        (0..self.streams.len()).map(open).collect()
    }

    fn ask(&self, stream: &mut Stream, number: usize, heard: &mut Heard) {
        let questions = &self.streams[number];
        let question = &questions[(stream.asked / self.repeat).min(questions.len() - 1)];
        stream.tail.clear();
        (stream.first, stream.is_new) = (None, true);
        stream.asked += 1;
        heard.asked += 1;
        stream.since = Some(Instant::now());
        // A question is shorter than what a socket takes at once.
        match stream.socket.write(question) {
            Ok(written) if written == question.len() => {}
            written => stream.fail(format!("a question could not be sent: {written:?}"), heard),
        }
    }

    /// Reads what is there; `true` if the answer has ended well.
    fn hear(&self, stream: &mut Stream, from: Option<Instant>, until: Option<Instant>, heard: &mut Heard) -> bool {
        let mut room = [0; 16 << 10];
        loop {
            let read = match stream.socket.read(&mut room) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Ok(read) if read > 0 => read,
                Ok(_) if stream.broken => return false,
                read => {
                    stream.fail(format!("an answer broke off: {read:?}"), heard);
                    return false;
                }
            };
            let Some(since) = stream.since else { continue };
            stream.tail.extend_from_slice(&room[..read]);
            if stream.is_new && stream.tail.len() >= STATUS.len() {
                stream.is_new = false;
                if !stream.tail.starts_with(STATUS) {
                    let told = String::from_utf8_lossy(&stream.tail).into_owned();
                    let lines = [told.lines().next(), told.lines().last()];
                    let [status, body] = lines.map(Option::unwrap_or_default);
                    stream.fail(format!("refused: {status}: {body}"), heard);
                    return false;
                }
            }
            if stream.first.is_none() && holds(&stream.tail, self.wire.words) {
                stream.first = Some(since.elapsed());
            }
            if stream.tail.ends_with(END) {
                return self.end(stream, since, (from, until), heard);
            }
            if stream.first.is_some() && stream.tail.len() > 3 * TAIL {
                stream.tail.drain(..stream.tail.len() - TAIL);
            }
        }
    }

    fn end(
        &self,
        stream: &mut Stream,
        since: Instant,
        (from, until): (Option<Instant>, Option<Instant>),
        heard: &mut Heard,
    ) -> bool {
        let is_whole = self.wire.whole.iter().all(|part| holds(&stream.tail, part));
        let Some(first) = stream.first.filter(|_| is_whole) else {
            stream.fail(
                format!("no whole answer: {}", String::from_utf8_lossy(&stream.tail)),
                heard,
            );
            return false;
        };
        stream.since = None;
        if from.is_some_and(|from| since >= from) {
            heard.first.push(first);
            heard.whole.push(since.elapsed());
        }
        heard.ended += usize::from(from.is_some() && until.is_none());
        true
    }
}

impl Stream {
    fn fail(&mut self, reason: String, heard: &mut Heard) {
        (self.broken, self.since) = (true, None);
        heard.errors.push(reason);
    }
}

fn holds(text: &[u8], part: &str) -> bool {
    text.windows(part.len()).any(|window| window == part.as_bytes())
}
