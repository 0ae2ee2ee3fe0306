//! Whether the server answers others while many people sign in: hashing passwords is slow on purpose.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use serde_json::{Value, json};

use super::load::{self, Connection, Outcome};
use crate::server::{PASSWORD, Server};
use crate::{console, process};

/// People who sign in at the same moment.
const LOGINS: usize = 200;
/// The slowest of a hundred answers of GET /health meanwhile, in milliseconds.
const HEALTH: f64 = 50.0;
/// Time until someone who was put off tries again.
const AGAIN: Duration = Duration::from_secs(1);
/// Time between two questions for the server's health; a monitor asks less often.
const PAUSE: Duration = Duration::from_millis(5);

/// Signs in two hundred times at once and asks for the server's health until all have their answer.
///
/// # Errors
/// When the server does not start, or refuses a sign-in.
pub fn measure(binary: &Path) -> Result<Value> {
    let data = tempfile::tempdir()?;
    let server = Server::start(binary, data.path())?;
    // Somebody else at another address each, so that nobody is taken for one who guesses. None of them has an account, and
    // each costs the same hash as one who has.
    let login = |number: usize| {
        let body = json!({"email": format!("person{number}@example.com"), "password": PASSWORD}).to_string();
        let from = format!(
            "X-Forwarded-For: 10.1.{}.{}\r\nContent-Type:",
            number / 200,
            number % 200
        );
        let request = String::from_utf8_lossy(&load::post("/api/v1/users/login", "", &body)).into_owned();
        request.replacen("Content-Type:", &from, 1).into_bytes()
    };
    let mut open: Vec<Connection> = (0..LOGINS)
        .map(|_| Connection::open(&server.address))
        .collect::<Result<_>>()?;
    let mut watcher = Connection::open(&server.address)?;
    let done = AtomicBool::new(false);
    let started = Instant::now();
    let (logins, health) = std::thread::scope(|scope| {
        let health = scope.spawn(|| watch(&mut watcher, &done));
        let workers: Vec<_> = open
            .iter_mut()
            .enumerate()
            .map(|(number, connection)| scope.spawn(move || sign_in(connection, &login(number))))
            .collect();
        let died = || anyhow!("a connection's thread died");
        let logins = workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_| died())?)
            .collect::<Result<Vec<(Duration, usize)>>>();
        done.store(true, Ordering::SeqCst);
        let health = health.join().map_err(|_| died()).flatten();
        Ok::<_, anyhow::Error>((logins?, health?))
    })?;
    let period = started.elapsed();
    let (times, put_off): (Vec<Duration>, Vec<usize>) = logins.into_iter().unzip();
    let (asked, put_off) = (health.len(), put_off.iter().sum::<usize>());
    let (logins, health) = (Outcome::new(times, period), Outcome::new(health, period));
    let row = |what: &str, count: usize, outcome: Outcome| {
        let time = |value: f64| format!("{value:.2}");
        [what.to_owned(), count.to_string(), time(outcome.p50), time(outcome.p99)]
    };
    let rows = [
        row("sign-in", LOGINS, logins),
        row("GET /health meanwhile", asked, health),
    ];
    console::say(&console::table(["request", "answers", "p50 ms", "p99 ms"], &rows));
    console::say(&format!(
        "{LOGINS} sign-ins in {:.1} s; put off with 503 and tried again {put_off} times",
        period.as_secs_f64()
    ));
    let target = format!("GET /health: p99 below {HEALTH} ms while {LOGINS} people sign in");
    Ok(json!({
        "logins": {"count": LOGINS, "put_off": put_off, "per_second": logins.rate, "p50_ms": logins.p50, "p99_ms": logins.p99},
        "health": {"count": asked, "p50_ms": health.p50, "p99_ms": health.p99},
        "targets": [super::target(&target, health.p99, health.p99 < HEALTH)],
    }))
}

/// As people do who are told that too many sign in at once: they try again until they are in. Returns the time until
/// their answer, and how often they were put off.
fn sign_in(connection: &mut Connection, login: &[u8]) -> Result<(Duration, usize)> {
    let sent = Instant::now();
    let mut put_off = 0;
    while !process::interrupted() {
        match connection.ask(login)? {
            401 => return Ok((sent.elapsed(), put_off)),
            503 => put_off += 1,
            status => bail!(
                "a sign-in was answered {status}: {}",
                String::from_utf8_lossy(connection.body())
            ),
        }
        std::thread::sleep(AGAIN);
    }
    bail!("interrupted")
}

fn watch(connection: &mut Connection, done: &AtomicBool) -> Result<Vec<Duration>> {
    let request = load::get("/api/v1/health", "");
    let mut times = Vec::new();
    while !done.load(Ordering::SeqCst) && !process::interrupted() {
        let sent = Instant::now();
        let status = connection.ask(&request)?;
        if status != 200 {
            bail!("GET /health was answered {status}");
        }
        times.push(sent.elapsed());
        std::thread::sleep(PAUSE);
    }
    Ok(times)
}
