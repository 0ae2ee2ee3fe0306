//! Memory while idle, and after the built-in embedder was loaded by a document and a question.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::client::Client;
use crate::console;
use crate::server::Server;

/// How long the server is left alone before its memory is read.
const SETTLE: Duration = Duration::from_secs(3);
const DOCUMENT: &str =
    "Opening hours.\n\nThe office opens at nine in the morning and closes at five in the afternoon.\n";

/// Reads the resident set at both moments.
///
/// # Errors
/// When the server does not start or refuses the document.
pub fn measure(binary: &Path) -> Result<Value> {
    let data = tempfile::tempdir()?;
    let server = Server::start(binary, data.path())?;
    std::thread::sleep(SETTLE);
    let idle = server.resident()?;
    let mut client = Client::sign_in(&server)?;
    let assistant = client.assistant("Memory")?;
    client.upload(&assistant, "hours.txt", DOCUMENT)?;
    client.wait_until_ready(&assistant)?;
    client.passages(&assistant, "When does the office open?")?;
    let used = server.resident()?;
    let row = |what: &str, bytes: u64| [what.to_owned(), format!("{:.1}", bytes as f64 / 1e6)];
    let rows = [
        row("idle, 3 s after start", idle),
        row("after the embedder was used", used),
    ];
    console::say(&console::table(["resident set", "MB"], &rows));
    Ok(json!({"idle_bytes": idle, "embedder_used_bytes": used}))
}
