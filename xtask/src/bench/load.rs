//! A closed loop over HTTP: every connection sends its next request when it has the answer to the last one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::process;

/// How long every connection runs before it is counted.
pub const WARM_UP: Duration = Duration::from_millis(500);
/// How long it is counted.
pub const MEASURED: Duration = Duration::from_secs(3);
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// One kept-alive connection. It reads no more of an answer than its status and its length, so that it costs little
/// beside the server, which shares the processor with it.
pub struct Connection {
    reader: BufReader<TcpStream>,
    line: Vec<u8>,
    body: Vec<u8>,
}

impl Connection {
    /// Connects to `HOST:PORT`.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            reader: BufReader::with_capacity(64 << 10, stream),
            line: Vec::new(),
            body: Vec::new(),
        })
    }

    /// Sends a request and waits for the whole answer; returns its status.
    ///
    /// # Errors
    /// When the connection breaks, or the answer does not say how long it is.
    pub fn ask(&mut self, request: &[u8]) -> Result<u16> {
        self.reader.get_mut().write_all(request)?;
        let status = self.header()?;
        let status = status.split(|byte| *byte == b' ').nth(1).map(String::from_utf8_lossy);
        let status: u16 = status.and_then(|text| text.parse().ok()).context("no HTTP answer")?;
        let mut length = None;
        loop {
            let header = self.header()?;
            if header.is_empty() {
                break;
            }
            if let Some(value) = content_length(header) {
                length = Some(value);
            }
        }
        let length = length.with_context(|| format!("an answer {status} without a length"))?;
        self.body.resize(length, 0);
        self.reader.read_exact(&mut self.body).context("the answer broke off")?;
        Ok(status)
    }

    /// The body of the last answer.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    fn header(&mut self) -> Result<&[u8]> {
        self.line.clear();
        let read = self.reader.read_until(b'\n', &mut self.line).context("no answer")?;
        if read == 0 {
            bail!("the server closed the connection");
        }
        Ok(self.line.trim_ascii_end())
    }
}

/// The length that a line of a head tells, if it is that line.
pub fn content_length(header: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length:";
    let (name, value) = header.split_at_checked(NAME.len())?;
    let value = name.eq_ignore_ascii_case(NAME).then(|| value.trim_ascii())?;
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// A request without a body.
pub fn get(path: &str, authorization: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: bench\r\n{}\r\n", header(authorization)).into_bytes()
}

/// A request with a JSON body.
pub fn post(path: &str, authorization: &str, json: &str) -> Vec<u8> {
    let head = header(authorization);
    format!(
        "POST {path} HTTP/1.1\r\nHost: bench\r\n{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{json}",
        json.len()
    )
    .into_bytes()
}

fn header(authorization: &str) -> String {
    if authorization.is_empty() {
        return String::new();
    }
    format!("Authorization: {authorization}\r\n")
}

/// What a load came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Answers a second.
    pub rate: f64,
    /// Half of the answers took no longer, in milliseconds.
    pub p50: f64,
    /// Ninety-nine of a hundred took no longer, in milliseconds.
    pub p99: f64,
}

impl Outcome {
    /// Sums up the times of answers that came within a period.
    pub fn new(mut times: Vec<Duration>, period: Duration) -> Self {
        times.sort_unstable();
        let at = |share: f64| {
            let place = (times.len() as f64 * share).ceil() as usize;
            let time = times.get(place.saturating_sub(1)).copied().unwrap_or_default();
            time.as_secs_f64() * 1000.0
        };
        Self {
            rate: times.len() as f64 / period.as_secs_f64(),
            p50: at(0.5),
            p99: at(0.99),
        }
    }
}

/// A load: so many connections at once.
#[derive(Clone, Copy)]
pub struct Load<'a> {
    /// Who is asked, as `HOST:PORT`.
    pub address: &'a str,
    /// Connections at once.
    pub connections: usize,
    /// The status that every answer must have.
    pub expected: u16,
}

impl Load<'_> {
    /// Runs for as long as is measured, after a warm-up. The `number`th request overall is made by `request`.
    ///
    /// # Errors
    /// When an answer has another status than expected, or we are interrupted.
    pub fn steady(self, request: impl Fn(usize) -> Vec<u8> + Sync) -> Result<Outcome> {
        self.run(WARM_UP, usize::MAX, &request)
    }

    /// Runs for as long as is measured, or until so many requests are answered: an installation takes only so many new
    /// rows. Its warm-up is one question for the server's health on every connection.
    ///
    /// # Errors
    /// As [`Load::steady`].
    pub fn at_most(self, requests: usize, request: impl Fn(usize) -> Vec<u8> + Sync) -> Result<Outcome> {
        self.run(Duration::ZERO, requests, &request)
    }

    fn run(self, warm_up: Duration, most: usize, request: &(impl Fn(usize) -> Vec<u8> + Sync)) -> Result<Outcome> {
        let open = (0..self.connections).map(|_| {
            let mut connection = Connection::open(self.address)?;
            connection.ask(&get("/api/v1/health", ""))?;
            Ok(connection)
        });
        let open: Vec<Connection> = open.collect::<Result<_>>()?;
        let numbers = AtomicUsize::new(0);
        let from = Instant::now() + warm_up;
        let until = from + MEASURED;
        let work = |mut connection: Connection| -> Result<Vec<(Duration, Instant)>> {
            let mut answers = Vec::new();
            while !process::interrupted() {
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                if number >= most || Instant::now() >= until {
                    return Ok(answers);
                }
                let bytes = request(number);
                let sent = Instant::now();
                let status = connection.ask(&bytes)?;
                if status != self.expected {
                    let body = String::from_utf8_lossy(connection.body());
                    bail!("{status} instead of {}: {body}", self.expected);
                }
                let answered = Instant::now();
                if sent >= from && answered <= until {
                    answers.push((answered - sent, answered));
                }
            }
            bail!("interrupted")
        };
        let answers = std::thread::scope(|scope| {
            let workers: Vec<_> = open
                .into_iter()
                .map(|connection| scope.spawn(|| work(connection)))
                .collect();
            let results = workers
                .into_iter()
                .map(|worker| worker.join().map_err(|_| anyhow!("a connection's thread died"))?);
            results.collect::<Result<Vec<_>>>()
        })?;
        let answers = answers.concat();
        // Whoever ran out of requests was done before the time was over.
        let last = answers.iter().map(|(_, answered)| *answered).max().unwrap_or(until);
        let end = if numbers.into_inner() > most { last } else { until };
        Ok(Outcome::new(
            answers.into_iter().map(|(time, _)| time).collect(),
            end - from,
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::time::Duration;

    use super::{Connection, Load, Outcome, get, post};

    /// A server that answers everything on one connection with these bytes.
    fn answering(answer: &'static str, connections: usize) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for stream in listener.incoming().take(connections) {
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let mut bytes = [0; 1024];
                    while stream.read(&mut bytes).is_ok_and(|read| read > 0)
                        && stream.write_all(answer.as_bytes()).is_ok()
                    {}
                });
            }
        });
        address
    }

    #[test]
    fn status_and_body_are_read_and_the_connection_is_used_again() {
        let address = answering("HTTP/1.1 201 Created\r\nContent-LENGTH: 5\r\nx: y\r\n\r\nhello", 1);
        let mut connection = Connection::open(&address).unwrap();
        for _ in 0..2 {
            assert_eq!(connection.ask(&get("/", "")).unwrap(), 201);
            assert_eq!(connection.body(), b"hello");
        }
    }

    #[test]
    fn another_status_and_an_answer_without_a_length_are_errors() {
        let error = |answer: &'static str| {
            let address = answering(answer, 1);
            let load = Load {
                address: &address,
                connections: 1,
                expected: 200,
            };
            load.steady(|_| get("/", "")).unwrap_err().to_string()
        };
        assert_eq!(
            error("HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy"),
            "503 instead of 200: busy"
        );
        assert!(error("HTTP/1.1 200 OK\r\n\r\n").contains("without a length"));
    }

    #[test]
    fn a_load_ends_with_its_last_request() {
        let address = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 4);
        let load = Load {
            address: &address,
            connections: 4,
            expected: 200,
        };
        let made = std::sync::atomic::AtomicUsize::new(0);
        let count = |_| {
            made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            get("/", "")
        };
        let outcome = load.at_most(100, count).unwrap();
        assert_eq!(made.into_inner(), 100);
        assert!(outcome.rate > 100.0 / super::MEASURED.as_secs_f64(), "{outcome:?}");
    }

    #[test]
    fn times_are_summed_up() {
        let times = (1..=200).rev().map(Duration::from_millis).collect();
        let outcome = Outcome::new(times, Duration::from_secs(2));
        assert_eq!((outcome.rate, outcome.p50, outcome.p99), (100.0, 100.0, 198.0));
        assert_eq!(Outcome::new(Vec::new(), Duration::from_secs(1)).rate, 0.0);
    }

    #[test]
    fn a_request_says_how_long_it_is() {
        let text = String::from_utf8(post("/a", "Bearer x", "{}")).unwrap();
        assert_eq!(
            text,
            "POST /a HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer x\r\nContent-Type: application/json\r\n\
             Content-Length: 2\r\n\r\n{}"
        );
    }
}
