//! Hostile requests against the real program on both databases, made from its own description of its interface.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::client::Client;
use crate::postgres::Cluster;
use crate::server::{self, Server};
use crate::{console, paths, process, python};

/// Seconds for each database within `cargo xtask test`.
pub const SHORT: u64 = 75;
/// Seconds for each database with `--long`: an access token lives for fifteen minutes.
const LONG: u64 = 720;
/// The same requests every time, as far as time and ids allow.
pub const SEED: u64 = 20_260_101;
/// Requests of each kind for each operation in one round.
const EXAMPLES: u32 = 25;
/// What a run may add to the server's resident set, in bytes.
const GROWTH: u64 = 100 << 20;
/// What the server must never do to any request, and never accept.
const CHECKS: [&str; 6] = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
];
/// What would end the run's own session: signing out, and a new password for itself. Its own account and session are
/// spared by `xtask/python/fuzz_hooks.py` wherever other requests would name them.
const LEFT_OUT: [&str; 2] = ["/api/v1/users/logout", "/api/v1/users/password"];
const DOCUMENT: &str =
    "Opening hours.\n\nThe office opens at nine in the morning and closes at five in the afternoon.\n";

/// Fuzzes this binary, or builds the development binary and fuzzes that.
///
/// # Errors
/// When something is missing or does not build, or at any finding.
pub fn fuzz(binary: Option<PathBuf>, long: bool, seed: u64) -> Result<()> {
    let binary = match binary {
        Some(binary) => binary,
        None => {
            process::run(process::cargo().args(["build", "--package", "across-server"]))?;
            paths::target()?.join("debug/ai-across")
        }
    };
    run(&binary, if long { LONG } else { SHORT }, seed)
}

/// Fuzzes a binary on SQLite and on PostgreSQL, each fresh and each for so many seconds, and fails at any finding of either.
///
/// # Errors
/// When something is missing, or at any finding.
pub fn run(binary: &Path, seconds: u64, seed: u64) -> Result<()> {
    let programs = python::pinned("fuzz")?;
    let campaign = Campaign {
        binary,
        programs: &programs,
        seconds,
        seed,
    };
    let sqlite = campaign.on("sqlite", Vec::new());
    let cluster = Cluster::start()?;
    let postgres = campaign.on("postgres", vec![server::on_postgres(&cluster.url())]);
    let troubles: Vec<String> = [("SQLite", sqlite), ("PostgreSQL", postgres)]
        .into_iter()
        .filter_map(|(name, result)| result.err().map(|error| format!("on {name}: {error:#}")))
        .collect();
    if !troubles.is_empty() {
        bail!("{}", troubles.join("; "));
    }
    Ok(())
}

struct Campaign<'a> {
    binary: &'a Path,
    programs: &'a Path,
    seconds: u64,
    seed: u64,
}

impl Campaign<'_> {
    fn on(&self, database: &str, mut environment: Vec<(String, OsString)>) -> Result<()> {
        console::say(&format!(
            "\nfuzzing on {database}: seed {}, {} seconds",
            self.seed, self.seconds
        ));
        let folder = paths::target()?.join("fuzz").join(database);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        environment.push(("AI_ACROSS_LOG".to_owned(), "info".into()));
        let log = folder.join("server.log");
        let log_file = std::fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let data = tempfile::tempdir()?;
        let mut server = Server::start_with(self.binary, data.path(), &environment, Some(log_file))?;

        let mut client = Client::sign_in(&server)?;
        let objects = Objects::make(&mut client)?;
        let before = server.resident()?;
        let fuzzed = self.schemathesis(&folder, &server, &client, &objects);

        if !server.runs()? {
            bail!("the server died; its log is {}", log.display());
        }
        let words = std::fs::read_to_string(&log).with_context(|| format!("cannot read {}", log.display()))?;
        if let Some(line) = words.lines().find(|line| line.contains("panicked")) {
            bail!("the server panicked: {line}");
        }
        let measured = client.metrics()?;
        if let Some(line) = measured.as_deref().and_then(panics) {
            bail!("the server counted a panic: {line}");
        }
        client
            .get("/users/me")
            .context("the run lost its session, so that much of it went nowhere")?;
        let after = server.resident()?;
        console::say(&format!(
            "{database}: alive, no panic; resident set {} MB before, {} MB after",
            before >> 20,
            after >> 20
        ));
        if after.saturating_sub(before) > GROWTH {
            bail!("the server grew by {} MB", (after - before) >> 20);
        }
        fuzzed
    }

    fn schemathesis(&self, folder: &Path, server: &Server, client: &Client, objects: &Objects) -> Result<()> {
        let (config, report) = (folder.join("schemathesis.toml"), folder.join("report.json"));
        let text = toml::to_string(&self.configuration(client, objects))?;
        std::fs::write(&config, text).with_context(|| format!("cannot write {}", config.display()))?;
        let mut command = process::command(self.programs.join("schemathesis"));
        command
            .current_dir(folder)
            .arg("--config-file")
            .arg(&config)
            .args(["run", "--no-color"]);
        command.args(["--report", "json", "--report-json-path"]).arg(&report);
        command.arg(format!("http://{}/openapi.json", server.address));
        command
            .env("FUZZ_OWN_IDS", own_ids(client.token())?.join(","))
            .env("FUZZ_GIVEN_IDS", objects.ids().join(","))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONUNBUFFERED", "1");
        let status = process::wait(command.spawn().context("cannot start schemathesis")?)?;
        if !status.success() {
            bail!("findings as told above, also in {}", report.display());
        }
        Ok(())
    }

    fn configuration(&self, client: &Client, objects: &Objects) -> Value {
        let mut checks: Map<String, Value> = CHECKS
            .iter()
            .map(|check| ((*check).to_owned(), json!({"enabled": true})))
            .chain([("enabled".to_owned(), json!(false))])
            .collect();
        // A question to a provider that fails is answered with what the contract says, and a run enters keys of providers
        // that are not there, and takes the models away. Every other 5xx is a finding.
        checks["not_a_server_error"]["expected-statuses"] = json!(["2xx", "3xx", "4xx", "502", "503", "504"]);
        // A text may be so much too long that its request is too large.
        checks["negative_data_rejection"]["expected-statuses"] = json!([
            "400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "428", "429", "5xx"
        ]);
        let left_out = LEFT_OUT.map(|path| json!({"include-path": path, "enabled": false}));
        let mut operations: Vec<Value> = left_out.into();
        operations.extend(objects.operations());
        json!({
            "seed": self.seed,
            "max-time": self.seconds,
            "continue-on-failure": true,
            "request-timeout": 30,
            "warnings": false,
            "hooks": paths::root().join("xtask/python/fuzz_hooks.py"),
            "headers": {"Authorization": format!("Bearer {}", client.token())},
            "generation": {"max-examples": EXAMPLES, "database": "none"},
            "checks": checks,
            "dictionaries": objects.dictionaries(),
            "operations": operations,
        })
    }
}

/// What is there before the first request, so that many of them reach further than "not found".
struct Objects {
    assistant: String,
    file: String,
    conversation: String,
    message: String,
}

impl Objects {
    fn make(client: &mut Client) -> Result<Self> {
        let assistant = client.assistant("Opening hours")?;
        let file = client.upload(&assistant, "hours.txt", DOCUMENT)?;
        client.wait_until_ready(&assistant)?;
        let conversation = client.make("/conversations", &json!({"assistant_id": assistant}))?;
        let question = json!({"content": "When does the office open?", "stream": false});
        client.post(&format!("/conversations/{conversation}/messages"), &question)?;
        let listed = client.get(&format!("/conversations/{conversation}/messages"))?;
        let message = listed["messages"][1]["id"].as_str();
        Ok(Self {
            assistant,
            file,
            conversation,
            message: message.context("no answer in the new conversation")?.to_owned(),
        })
    }

    fn ids(&self) -> [&str; 4] {
        [&self.assistant, &self.file, &self.conversation, &self.message]
    }

    fn dictionaries(&self) -> Value {
        json!({
            "assistants": {"values": [self.assistant]}, "files": {"values": [self.file]},
            "conversations": {"values": [self.conversation]}, "messages": {"values": [self.message]},
        })
    }

    /// Most requests about something are about what is there.
    fn operations(&self) -> Vec<Value> {
        let known = |dictionary: &str| json!({"dictionary": dictionary, "probability": 0.8});
        let of = |path: &str, parameters: Value| json!({"include-path-regex": path, "parameters": parameters});
        vec![
            of("^/api/v1/assistants/[{]", json!({"path.id": known("assistants")})),
            of("^/api/v1/files/[{]", json!({"path.id": known("files")})),
            of(
                "^/api/v1/conversations/[{][^/]*[}](/[a-z]*)?$",
                json!({"path.id": known("conversations")}),
            ),
            of(
                "^/api/v1/conversations/.*mid",
                json!({"path.id": known("conversations"), "path.mid": known("messages")}),
            ),
            json!({"include-path": "/api/v1/conversations", "include-method": "POST",
                   "parameters": {"body.assistant_id": known("assistants")}}),
        ]
    }
}

/// The account and the session that a token names.
fn own_ids(token: &str) -> Result<Vec<String>> {
    let claims = token.split('.').nth(1).context("the access token is no JWT")?;
    let claims = URL_SAFE_NO_PAD.decode(claims).context("the access token is no JWT")?;
    let claims: Map<String, Value> = serde_json::from_slice(&claims).context("the access token holds no claims")?;
    let ids = claims.values().filter_map(Value::as_str).filter(|text| is_id(text));
    let ids: Vec<String> = ids.map(str::to_lowercase).collect();
    if ids.is_empty() {
        bail!("the access token names neither an account nor a session");
    }
    Ok(ids)
}

fn is_id(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// The line of the metrics that counts panics, if there were any.
fn panics(metrics: &str) -> Option<&str> {
    let counts = |line: &&str| {
        let (name, count) = line.rsplit_once(' ').unwrap_or_default();
        !line.starts_with('#') && name.contains("panic") && count.parse::<f64>().is_ok_and(|count| count > 0.0)
    };
    metrics.lines().find(counts)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::{own_ids, panics};

    #[test]
    fn the_ids_of_account_and_session_are_read_from_the_token() {
        let claims = r#"{"sub":"0192F0C1-0000-7000-8000-000000000001","sid":"0192f0c1-0000-7000-8000-000000000002","typ":"access","exp":1}"#;
        let token = format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims));
        let mut ids = own_ids(&token).unwrap();
        ids.sort();
        assert_eq!(
            ids,
            [
                "0192f0c1-0000-7000-8000-000000000001",
                "0192f0c1-0000-7000-8000-000000000002"
            ]
        );
        assert!(own_ids("opaque").is_err());
        assert!(own_ids(&format!("e30.{}.sig", URL_SAFE_NO_PAD.encode("{}"))).is_err());
    }

    #[test]
    fn a_counted_panic_is_found() {
        let metrics =
            "# HELP panics_total Handlers that panicked\npanics_total{route=\"/files\"} 0\nrequests_total 7\n";
        assert_eq!(panics(metrics), None);
        let counted = metrics.replace("} 0", "} 1");
        assert_eq!(panics(&counted), Some("panics_total{route=\"/files\"} 1"));
    }
}
