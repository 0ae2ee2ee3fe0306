//! The real program: how it starts, refuses, answers to the system, and ends.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStdout, Command},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ai-across");
/// Bytes of a page of a database file.
const PAGE: usize = 4096;
/// Long enough for any step on a busy machine; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

fn command(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .kill_on_drop(true);
    command
}

/// What a run that ends by itself says.
async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    let output = tokio::time::timeout(PATIENCE, command(arguments, variables).output()).await;
    let Output { status, stdout, stderr } = output.expect("the program should have ended").unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// A program that serves.
struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Running {
    async fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = tokio::time::timeout(PATIENCE, lines.next_line())
            .await
            .unwrap()
            .unwrap();
        let first = first.expect("a line that says where it listens");
        let address = first
            .strip_prefix("listening on http://")
            .expect("the address")
            .to_owned();
        Self { child, lines, address }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let client = across_providers::http::client(&Default::default()).unwrap();
        let answer = client
            .get(format!("http://{}{path}", self.address))
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Asks it to end; the exit code and everything it logged.
    async fn end(self) -> (Option<i32>, String) {
        let pid = Pid::from_raw(self.child.id().unwrap().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let output = tokio::time::timeout(PATIENCE, self.child.wait_with_output())
            .await
            .unwrap()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }
}

/// An empty directory and the arguments that make the program use it on a free port.
fn place() -> (TempDir, String) {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data").to_str().unwrap().to_owned();
    (parent, path)
}

fn serving(data: &str) -> [&str; 5] {
    ["serve", "--listen", "127.0.0.1:0", "--data-dir", data]
}

fn modes(directory: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = vec![(
        directory.to_owned(),
        fs::metadata(directory).unwrap().permissions().mode() & 0o777,
    )];
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(modes(&path));
        } else {
            found.push((path.clone(), fs::metadata(&path).unwrap().permissions().mode() & 0o777));
        }
    }
    found
}

#[tokio::test]
async fn it_starts_on_nothing_serves_and_ends_well() {
    let (_parent, data) = place();
    // The loosest umask that it could be started under.
    let mut first = Command::new("/bin/sh");
    first
        .args(["-c", "umask 000; exec \"$0\" \"$@\"", PROGRAM])
        .args(serving(&data))
        .env_clear()
        .kill_on_drop(true);
    let mut running = Running::start(first).await;
    let link = running.lines.next_line().await.unwrap().unwrap();
    let expected = format!("set up at http://{}/setup?token=", running.address);
    assert!(
        link.strip_prefix(&expected).is_some_and(|token| token.len() >= 40),
        "{link}"
    );
    assert_eq!(running.get("/api/v1/health").await.0, 200);
    assert_eq!(running.get("/api/v1/ready").await.0, 200);
    let page = running.get("/").await;
    assert!(page.0 == 200 && page.1.contains("<!doctype html>"), "{page:?}");
    for (path, mode) in modes(Path::new(&data)) {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, expected, "{}", path.display());
    }

    let (code, _, error) = run(&serving(&data), &[]).await;
    assert_eq!(code, 3, "{error}");
    assert!(
        error.contains("another AI-Across") && error.contains("/lock"),
        "{error}"
    );
    assert_eq!(running.get("/api/v1/health").await.0, 200);

    let key = fs::read_to_string(Path::new(&data).join("secret.key")).unwrap();
    let (code, log) = running.end().await;
    assert_eq!(code, Some(0), "{log}");
    let events: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().any(|event| event["message"] == "ended"), "{log}");
    assert!(!log.contains(key.trim()) && !log.contains(link.rsplit('=').next().unwrap()));

    let again = Running::start(command(&serving(&data), &[])).await;
    assert_eq!(fs::read_to_string(Path::new(&data).join("secret.key")).unwrap(), key);
    assert_eq!(again.end().await.0, Some(0));
    let (_other_parent, other) = place();
    assert_eq!(
        Running::start(command(&serving(&other), &[])).await.end().await.0,
        Some(0)
    );
    assert_ne!(fs::read_to_string(Path::new(&other).join("secret.key")).unwrap(), key);
}

#[tokio::test]
async fn data_is_not_touched_without_its_key() {
    let (_parent, data) = place();
    assert_eq!(
        Running::start(command(&serving(&data), &[])).await.end().await.0,
        Some(0)
    );
    let wrong = ("AI_ACROSS_SECRET_KEY", "q0nq7c2pRZ6kq0G3vQ1m8WmWcYxwqk0m6sU3yJc2E5k=");
    let (code, out, error) = run(&serving(&data), &[wrong]).await;
    assert_eq!((code, out.as_str()), (3, ""), "{error}");
    assert!(
        error.contains("not the one this data was made with") && !error.contains(wrong.1),
        "{error}"
    );

    let key_file = Path::new(&data).join("secret.key");
    let key = fs::read_to_string(&key_file).unwrap();
    fs::remove_file(&key_file).unwrap();
    let (code, _, error) = run(&serving(&data), &[]).await;
    assert_eq!(code, 3, "{error}");
    assert!(error.contains("is gone") && !key_file.exists(), "{error}");
    let given = ("AI_ACROSS_SECRET_KEY", key.trim());
    assert_eq!(
        Running::start(command(&serving(&data), &[given])).await.end().await.0,
        Some(0)
    );
}

#[tokio::test]
async fn everything_wrong_with_the_configuration_is_said_at_once() {
    let (parent, data) = place();
    let variables = [
        ("AI_ACROSS_SECRET_KEY", "changeme"),
        ("AI_ACROSS_LISTEN", "everywhere"),
        ("AI_ACROSS_LOGFORMAT", "json"),
        ("AI_ACROSS_ADMIN_PASSWORD", "hunter2 hunter2"),
    ];
    let (code, _, error) = run(&["--data-dir", &data], &variables).await;
    assert_eq!(code, 2, "{error}");
    for name in [
        "AI_ACROSS_SECRET_KEY",
        "AI_ACROSS_LISTEN",
        "AI_ACROSS_LOGFORMAT",
        "AI_ACROSS_ADMIN_EMAIL",
    ] {
        assert!(error.contains(&format!("  {name}: ")), "{error}");
    }
    assert!(
        error.contains("AI_ACROSS_LOG_FORMAT?") && !error.contains("hunter2"),
        "{error}"
    );
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    for secret in ["", "0123456789abcdefghijklmnopqrstu", &"x".repeat(64)] {
        let (code, _, error) = run(&["--data-dir", &data], &[("AI_ACROSS_SECRET_KEY", secret)]).await;
        assert_eq!(code, 2, "{error}");
    }
    assert_eq!(run(&["serve", "--port", "8000"], &[]).await.0, 2);
}

#[tokio::test]
async fn the_configured_administrator_is_made_once() {
    let (_parent, data) = place();
    let administrator = [
        ("AI_ACROSS_ADMIN_EMAIL", "anna@example.com"),
        ("AI_ACROSS_ADMIN_PASSWORD", "correct horse battery"),
    ];
    for _ in 0..2 {
        let mut running = Running::start(command(&serving(&data), &administrator)).await;
        let client = across_providers::http::client(&Default::default()).unwrap();
        let body = serde_json::json!({"email": "anna@example.com", "password": "correct horse battery"});
        let login = format!("http://{}/api/v1/users/login", running.address);
        assert_eq!(
            client.post(login).json(&body).send().await.unwrap().status().as_u16(),
            200
        );
        let pid = Pid::from_raw(running.child.id().unwrap().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        assert_eq!(running.lines.next_line().await.unwrap(), None, "no set-up link");
        assert_eq!(running.child.wait().await.unwrap().code(), Some(0));
    }
    let weak = [
        ("AI_ACROSS_ADMIN_EMAIL", "anna@example.com"),
        ("AI_ACROSS_ADMIN_PASSWORD", "password1234"),
    ];
    let (code, _, error) = run(&serving(&data), &weak).await;
    assert!(code == 2 && error.contains("most common"), "{error}");
}

#[tokio::test]
async fn commands_print_what_they_promise() {
    let (parent, data) = place();
    let secrets = [
        ("AI_ACROSS_SECRET_KEY", "q0nq7c2pRZ6kq0G3vQ1m8WmWcYxwqk0m6sU3yJc2E5k="),
        ("OPENAI_API_KEY", "sk-hunter2"),
        ("AI_ACROSS_DATABASE_URL", "postgres://anna:hunter2@db/across"),
        ("AI_ACROSS_ADMIN_EMAIL", "anna@example.com"),
        ("AI_ACROSS_ADMIN_PASSWORD", "hunter2 hunter2 hunter2"),
    ];
    let (code, out, error) = run(&["config", "--data-dir", &data], &secrets).await;
    assert_eq!(code, 0, "{error}");
    assert!(!out.contains("hunter2") && !out.contains(secrets[0].1), "{out}");
    assert!(out.contains("openai_api_key = \"********\"  # environment"), "{out}");
    assert!(
        out.contains("# argument") && out.contains("docs = true  # default"),
        "{out}"
    );
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0, "it only prints");

    let (code, out, _) = run(&["openapi"], &[]).await;
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(code == 0 && out.ends_with("}\n") && document["paths"]["/api/v1/health"].is_object());

    let (code, out, _) = run(&["completions", "bash"], &[]).await;
    assert!(code == 0 && out.contains("--data-dir") && out.contains("migrate"));
    let (code, out, _) = run(&["--help"], &[]).await;
    assert!(
        code == 0 && !out.contains("extract") && !out.contains("--example"),
        "{out}"
    );
}

#[tokio::test]
async fn migrating_is_a_command_of_its_own() {
    let (_parent, data) = place();
    let check = ["migrate", "--check", "--data-dir", &data];
    assert_eq!(run(&check, &[]).await.0, 1);
    assert!(!Path::new(&data).exists(), "a check makes nothing");
    let (code, _, error) = run(&["migrate", "--data-dir", &data], &[]).await;
    assert_eq!(code, 0, "{error}");
    let (code, out, error) = run(&check, &[]).await;
    assert_eq!((code, out.as_str()), (0, "The database is up to date.\n"), "{error}");
    let running = Running::start(command(&serving(&data), &[])).await;
    assert_eq!(
        run(&["migrate", "--data-dir", &data], &[]).await.0,
        3,
        "not below a running server"
    );
    assert_eq!(running.end().await.0, Some(0));
}

/// A database file without any table, as SQLite writes it.
fn empty_database() -> Vec<u8> {
    let mut page = vec![0; PAGE];
    page[..16].copy_from_slice(b"SQLite format 3\0");
    // Page size; written and read with a write-ahead log; the fixed payload fractions.
    page[16..24].copy_from_slice(&[0x10, 0, 2, 2, 0, 64, 32, 32]);
    // The change counter, the size in pages and the version that both are valid for.
    (page[27], page[31], page[95]) = (1, 1, 1);
    // Schema format 4, UTF-8.
    (page[47], page[59]) = (4, 1);
    // A leaf without cells, its content beginning at the end of the page.
    page[100] = 13;
    page[105] = 0x10;
    page
}

/// A database file whose one table, the list of migrations, stands on an overwritten page.
fn damaged_database() -> Vec<u8> {
    let sql = b"CREATE TABLE seaql_migrations (version, applied_at)";
    let name = b"seaql_migrations";
    let text = |bytes: &[u8]| 13 + 2 * bytes.len() as u8;
    let mut record = vec![6, text(b"table"), text(name), text(name), 1, text(sql)];
    for part in [b"table".as_slice(), name, name, &[2], sql] {
        record.extend_from_slice(part);
    }
    let cell = [&[record.len() as u8, 1], record.as_slice()].concat();
    let start = PAGE - cell.len();
    let mut file = empty_database();
    file[start..].copy_from_slice(&cell);
    // The schema's cookie, two pages in all, one cell and where it begins.
    (file[43], file[31], file[104]) = (1, 2, 1);
    file[105..107].copy_from_slice(&(start as u16).to_be_bytes());
    file[108..110].copy_from_slice(&(start as u16).to_be_bytes());
    file.extend_from_slice(&[0xa5; PAGE]);
    file
}

/// A data directory with this database in it.
fn place_with(database: &[u8]) -> (TempDir, String) {
    let (parent, data) = place();
    fs::create_dir(&data).unwrap();
    fs::write(Path::new(&data).join("ai-across.db"), database).unwrap();
    (parent, data)
}

#[tokio::test]
async fn existing_data_is_copied_before_a_migration() {
    let (_parent, data) = place_with(&empty_database());
    let copies = || {
        fs::read_dir(Path::new(&data).join("snapshots"))
            .unwrap()
            .map(|it| it.unwrap().path())
    };
    for _ in 0..2 {
        let (code, _, error) = run(&["migrate", "--data-dir", &data], &[]).await;
        assert_eq!(code, 0, "{error}");
        // The second time there is nothing to migrate, so nothing to copy.
        assert_eq!(copies().count(), 1);
    }
    let copy = copies().next().unwrap();
    assert!(copy.to_str().unwrap().contains("-before-m0001"), "{}", copy.display());
    assert!(fs::read(copy.join("ai-across.db")).unwrap() == empty_database());
}

#[tokio::test]
async fn a_damaged_database_is_refused_and_left_as_it_is() {
    for damaged in [damaged_database(), vec![0xa5; 2 * PAGE]] {
        let (_parent, data) = place_with(&damaged);
        let (code, _, error) = run(&serving(&data), &[]).await;
        assert_eq!(code, 3, "{error}");
        assert!(error.contains("backup") && error.contains("ai-across.db"), "{error}");
        assert!(
            fs::read(Path::new(&data).join("ai-across.db")).unwrap() == damaged,
            "the file was changed"
        );
    }
}

/// Sends bytes as they are, and returns everything that comes back until the server closes.
async fn raw(address: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may refuse before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("the server should close");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn heads_are_bounded_in_size_and_time() {
    let (_parent, data) = place();
    let running = Running::start(command(&serving(&data), &[])).await;
    let request =
        |headers: &str| format!("GET /api/v1/health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
    assert!(
        raw(&running.address, request("").as_bytes())
            .await
            .starts_with("HTTP/1.1 200")
    );
    let many: String = (0..200).map(|number| format!("x-{number}: y\r\n")).collect();
    let large = format!("x: {}\r\n", "y".repeat(32 * 1024));
    for headers in [many, large] {
        let answer = raw(&running.address, request(&headers).as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    let began = Instant::now();
    raw(&running.address, b"GET /api/v1/health HTTP/1.1\r\nhost: x\r\n").await;
    assert!((5..30).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert_eq!(running.end().await.0, Some(0));
}
