//! The doctor: healthy data passes, and whatever is broken is told in its own line.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use across_testkit::vendor::ScriptedVendor;
use sea_orm::ConnectionTrait as _;
use serde_json::json;

use crate::harness::{Server, postgres, text};

const OTHER_KEY: (&str, &str) = (
    "AI_ACROSS_SECRET_KEY",
    "b3RoZXIga2V5LCB3aGljaCBvcGVuZWQgbm90aGluZyB5ZXQ=",
);

/// What a run of the doctor came to.
struct Verdict {
    code: i32,
    lines: Vec<String>,
}

impl Verdict {
    /// The names of the checks that failed.
    fn failed(&self) -> Vec<&str> {
        let failed = self.lines.iter().filter_map(|line| line.strip_prefix("FAIL  "));
        failed.map(|line| line.split(": ").next().unwrap()).collect()
    }
}

/// An installation with a quota, a file, a question and its answer, and a stored key.
struct Patient {
    server: Server,
    vendor: ScriptedVendor,
    settings: Vec<(String, String)>,
    /// Where its database is.
    url: String,
}

impl Patient {
    async fn healthy(database: Option<String>) -> Self {
        let vendor = ScriptedVendor::start().await.unwrap();
        let mut settings = vec![
            ("AI_ACROSS_OPENAI_BASE_URL".to_owned(), vendor.base_url.clone()),
            ("AI_ACROSS_EMBEDDING_MODEL".to_owned(), "local".to_owned()),
        ];
        settings.extend(database.clone().map(|url| ("AI_ACROSS_DATABASE_URL".to_owned(), url)));
        let borrowed: Vec<_> = settings.iter().map(|(key, value)| (&**key, &**value)).collect();
        let server = Server::start_with(&borrowed).await;
        let admin = server.admin().await;
        let key = json!({ "provider": "openai", "name": "ours", "key": "sk-0123456789abcdef" });
        assert_eq!(admin.post("/api-keys", &key).await.0, 201);
        for scope in [
            json!({ "scope": "global", "daily_cost_limit": 100 }),
            json!({ "scope": "role", "scope_id": "admin", "daily_cost_limit": 100 }),
        ] {
            assert_eq!(admin.post("/quotas", &scope).await.0, 201);
        }
        let body = json!({ "name": "Press Writer", "model": "gpt-4o-mini", "max_tokens": 100 });
        let (status, made) = admin.post("/assistants", &body).await;
        assert_eq!(status, 201, "{made}");
        let assistant = text(&made["id"]);
        let file = admin
            .knows(&assistant, "a.txt", "The launch is on the third of May in Haifa.")
            .await;
        assert_eq!(file["status"], "ready", "{file}");
        let conversation = admin.conversation(&assistant).await;
        let path = format!("/conversations/{conversation}/messages");
        let (status, answer) = admin.post(&path, &json!({ "content": "When is the launch?" })).await;
        assert_eq!(status, 201, "{answer}");
        let url = database.unwrap_or_else(|| format!("sqlite://{}", server.dir.join("ai-across.db").display()));
        Self {
            server,
            vendor,
            settings,
            url,
        }
    }

    fn doctor(&self, arguments: &[&str], more: &[(&str, &str)]) -> Verdict {
        let settings = self.settings.iter().map(|(key, value)| (&**key, &**value));
        let settings: Vec<_> = settings.chain(more.iter().copied()).collect();
        doctor(&self.server.dir, arguments, &settings)
    }

    /// Runs statements on the database, behind everybody's back.
    async fn run(&self, sql: &str) {
        // What one statement switches off is to be off for the next.
        let mut one = sea_orm::ConnectOptions::new(&self.url);
        let database = sea_orm::Database::connect(one.max_connections(1).clone())
            .await
            .unwrap();
        for statement in sql.split(';') {
            database.execute_unprepared(statement).await.unwrap();
        }
        database.close().await.unwrap();
    }

    /// Breaks something by SQL, sees what the doctor says, and mends it.
    async fn with(&self, harm: &str, arguments: &[&str], expected: &str, code: i32, mend: &str) {
        self.run(harm).await;
        let verdict = self.doctor(arguments, &[]);
        assert_eq!(
            (verdict.code, verdict.failed()),
            (code, vec![expected]),
            "{harm}: {:#?}",
            verdict.lines
        );
        self.run(mend).await;
    }

    fn assert_healthy(&self) {
        for arguments in [&[][..], &["--deep"]] {
            let verdict = self.doctor(arguments, &[]);
            assert_eq!((verdict.code, verdict.failed().len()), (0, 0), "{:#?}", verdict.lines);
        }
    }

    fn blob(&self) -> PathBuf {
        let mut files = fs::read_dir(self.server.dir.join("files")).unwrap();
        files.next().unwrap().unwrap().path()
    }

    /// What breaks alike on every database.
    async fn breaks_in_the_database(&self) {
        let none: &[&str] = &[];
        for (harm, expected, mend) in [
            (
                "UPDATE quota_counters SET cost = cost + 1 WHERE \"window\" = 'day'",
                "quotas",
                "UPDATE quota_counters SET cost = cost - 1 WHERE \"window\" = 'day'",
            ),
            (
                "UPDATE quota_counters SET held_tokens = 5 WHERE \"window\" = 'month'",
                "quotas",
                "UPDATE quota_counters SET held_tokens = 0 WHERE \"window\" = 'month'",
            ),
            (
                "UPDATE usage_logs SET total_tokens = total_tokens + 1 WHERE purpose = 'chat'",
                "quotas",
                "UPDATE usage_logs SET total_tokens = total_tokens - 1 WHERE purpose = 'chat'",
            ),
            (
                "CREATE TABLE spare AS SELECT number, vectors FROM chunk_vectors; \
                 UPDATE chunk_vectors SET vectors = substr(vectors, 1, 8)",
                "vectors",
                "UPDATE chunk_vectors SET vectors = (SELECT vectors FROM spare WHERE spare.number = chunk_vectors.number); \
                 DROP TABLE spare",
            ),
            (
                "UPDATE chunks SET generation = generation + 1",
                "vectors",
                "UPDATE chunks SET generation = generation - 1",
            ),
            (
                "UPDATE messages SET status = 'streaming', lease_until = NULL WHERE role = 'assistant'",
                "work in progress",
                "UPDATE messages SET status = 'complete' WHERE role = 'assistant'",
            ),
            (
                "UPDATE knowledge_files SET status = 'indexing'",
                "work in progress",
                "UPDATE knowledge_files SET status = 'ready'",
            ),
            (
                "UPDATE messages SET seq = 9 WHERE role = 'assistant'",
                "conversations",
                "UPDATE messages SET seq = 2 WHERE role = 'assistant'",
            ),
            (
                "CREATE TABLE spare AS SELECT id, parent_id FROM messages; \
                 UPDATE messages SET parent_id = id WHERE role = 'assistant'",
                "conversations",
                "UPDATE messages SET parent_id = (SELECT parent_id FROM spare WHERE spare.id = messages.id); \
                 DROP TABLE spare",
            ),
            (
                "UPDATE sessions SET created_at = '2199-01-01 00:00:00+00:00'",
                "clock",
                "UPDATE sessions SET created_at = '2026-01-01 00:00:00+00:00'",
            ),
            (
                "CREATE TABLE spare AS SELECT * FROM usage_quotas WHERE scope = 'role'; \
                 UPDATE spare SET scope_id = 'user', id = (SELECT id FROM users); \
                 INSERT INTO usage_quotas SELECT * FROM spare",
                "audit log",
                "DELETE FROM usage_quotas WHERE id IN (SELECT id FROM users); DROP TABLE spare",
            ),
        ] {
            self.with(harm, none, expected, 1, mend).await;
        }
        let unknown = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_from_the_future', 0)";
        let known = "DELETE FROM seaql_migrations WHERE version = 'm9999_from_the_future'";
        self.with(unknown, none, "database", 3, known).await;
        let forgotten = "CREATE TABLE spare AS SELECT * FROM seaql_migrations; DELETE FROM seaql_migrations";
        let learned = "INSERT INTO seaql_migrations SELECT * FROM spare; DROP TABLE spare";
        self.with(forgotten, none, "database", 1, learned).await;
    }
}

fn doctor(directory: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Verdict {
    let output = Command::new(env!("CARGO_BIN_EXE_ai-across"))
        .arg("doctor")
        .args(arguments)
        .env_clear()
        .env("AI_ACROSS_DATA_DIR", directory)
        .env("AI_ACROSS_LOG", "off")
        .envs(settings.iter().copied())
        .output();
    let Output { status, stdout, stderr } = output.unwrap();
    let code = status.code().unwrap();
    let told = String::from_utf8(stderr).unwrap();
    assert_eq!(code == 0, told.is_empty(), "{told}");
    Verdict {
        code,
        lines: String::from_utf8(stdout).unwrap().lines().map(str::to_owned).collect(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn healthy_data_passes_beside_a_server_and_after_it() {
    let mut patient = Patient::healthy(None).await;
    patient.assert_healthy();
    patient.server.end();
    let database = patient.server.dir.join("ai-across.db");
    let before = fs::read(&database).unwrap();
    patient.assert_healthy();
    assert!(fs::read(&database).unwrap() == before, "looking changes nothing");
    let again = patient.server.start_again(&[]);
    assert_eq!(again.admin().await.get("/ready").await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_breaks_in_the_database_is_told() {
    let mut patient = Patient::healthy(None).await;
    patient.server.end();
    patient.breaks_in_the_database().await;
    patient.assert_healthy();

    let deep = &["--deep"];
    let orphan = "PRAGMA foreign_keys = OFF; INSERT INTO notice_dismissals VALUES (x'01', x'02', '2026-01-01')";
    let gone = "PRAGMA foreign_keys = OFF; DELETE FROM notice_dismissals";
    patient.with(orphan, deep, "integrity", 3, gone).await;
    let unguarded = "DROP TRIGGER audit_logs_are_not_changed";
    patient.with(unguarded, &[], "audit log", 1, "SELECT 1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_breaks_on_a_database_server_is_told() {
    let Some(url) = postgres().await else { return };
    let mut patient = Patient::healthy(Some(url)).await;
    patient.assert_healthy();
    patient.server.end();
    patient.breaks_in_the_database().await;
    patient.assert_healthy();

    let unproved = "ALTER TABLE usage_logs ADD CONSTRAINT later CHECK (cost_usd >= 0) NOT VALID";
    let proved = "ALTER TABLE usage_logs VALIDATE CONSTRAINT later";
    patient.with(unproved, &["--deep"], "integrity", 1, proved).await;
    let unguarded = "ALTER TABLE audit_logs DISABLE TRIGGER audit_logs_stay";
    let guarded = "ALTER TABLE audit_logs ENABLE TRIGGER audit_logs_stay";
    patient.with(unguarded, &[], "audit log", 1, guarded).await;
    let elsewhere = ("AI_ACROSS_DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing");
    let verdict = patient.doctor(&[], &[elsewhere]);
    assert_eq!((verdict.code, verdict.failed()), (1, vec!["database"]));
    patient.assert_healthy();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_breaks_on_the_disk_is_told() {
    let mut patient = Patient::healthy(None).await;
    patient.server.end();
    let (blob, deep): (_, &[&str]) = (patient.blob(), &["--deep"]);
    let aside = patient.server.dir.join("aside");

    fs::rename(&blob, &aside).unwrap();
    assert_eq!(patient.doctor(&[], &[]).failed(), ["files"]);
    fs::rename(&aside, &blob).unwrap();

    let bytes = fs::read(&blob).unwrap();
    let mut other = bytes.clone();
    other[0] ^= 1;
    fs::write(&blob, &other).unwrap();
    assert_eq!(patient.doctor(&[], &[]).code, 0, "only --deep reads every byte");
    assert_eq!(patient.doctor(deep, &[]).failed(), ["files"]);
    fs::write(&blob, &other[1..]).unwrap();
    assert_eq!(patient.doctor(&[], &[]).failed(), ["files"]);
    fs::write(&blob, &bytes).unwrap();

    let orphan = blob.with_file_name("0190a0b0-0000-7000-8000-000000000001");
    fs::write(&orphan, "nobody's").unwrap();
    fs::set_permissions(&orphan, Permissions::from_mode(0o600)).unwrap();
    assert_eq!(patient.doctor(&[], &[]).code, 0, "it may be on its way");
    let file = fs::File::options().write(true).open(&orphan).unwrap();
    let old = file.metadata().unwrap().modified().unwrap() - std::time::Duration::from_secs(2 * 60 * 60);
    file.set_modified(old).unwrap();
    assert_eq!(patient.doctor(&[], &[]).failed(), ["files"]);
    fs::remove_file(&orphan).unwrap();

    for (path, open, private) in [
        (blob.clone(), 0o644, 0o600),
        (patient.server.dir.join("secret.key"), 0o640, 0o600),
        (patient.server.dir.join("ai-across.db"), 0o604, 0o600),
        (patient.server.dir.clone(), 0o755, 0o700),
    ] {
        fs::set_permissions(&path, Permissions::from_mode(open)).unwrap();
        let verdict = patient.doctor(&[], &[]);
        assert_eq!(
            (verdict.code, verdict.failed()),
            (1, vec!["data directory"]),
            "{}",
            path.display()
        );
        fs::set_permissions(&path, Permissions::from_mode(private)).unwrap();
    }
    patient.assert_healthy();

    // What was written last must be in the file itself, not beside it. Its middle is pages of tables or indexes.
    patient.run("PRAGMA wal_checkpoint(TRUNCATE)").await;
    let database = patient.server.dir.join("ai-across.db");
    let mut pages = fs::read(&database).unwrap();
    let middle = pages.len() / 2;
    pages[middle..middle + 4096 * 4].fill(0xa5);
    fs::write(&database, &pages).unwrap();
    let verdict = patient.doctor(deep, &[]);
    assert_eq!(verdict.code, 3, "{:#?}", verdict.lines);
    assert!(fs::read(&database).unwrap() == pages);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s47_the_key_of_other_data_is_told() {
    let mut patient = Patient::healthy(None).await;
    patient.server.end();
    let verdict = patient.doctor(&[], &[OTHER_KEY]);
    assert_eq!((verdict.code, verdict.failed()), (3, vec!["secret key"]));
    let key_file = patient.server.dir.join("secret.key");
    let key = fs::read_to_string(&key_file).unwrap();
    fs::remove_file(&key_file).unwrap();
    let verdict = patient.doctor(&[], &[]);
    assert_eq!((verdict.code, verdict.failed()), (3, vec!["secret key"]));
    assert!(!key_file.exists());
    fs::write(&key_file, key).unwrap();
    fs::set_permissions(&key_file, Permissions::from_mode(0o600)).unwrap();
    let harm = "UPDATE api_keys SET encrypted_key = 'k00000000:nothing'";
    patient.with(harm, &[], "secret key", 1, "DELETE FROM api_keys").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn providers_that_do_not_answer_are_told() {
    let mut patient = Patient::healthy(None).await;
    patient.server.end();
    let nowhere = ("AI_ACROSS_OPENAI_BASE_URL", "http://127.0.0.1:1/v1");
    assert_eq!(patient.doctor(&[], &[nowhere]).code, 0, "only --deep calls anybody");
    let verdict = patient.doctor(&["--deep"], &[nowhere]);
    assert_eq!((verdict.code, verdict.failed().len()), (1, 1), "{:#?}", verdict.lines);
    assert!(
        verdict.failed()[0].starts_with("provider openai (key "),
        "{:#?}",
        verdict.lines
    );
    patient.run("DELETE FROM api_keys").await;
    let verdict = patient.doctor(&["--deep"], &[nowhere]);
    assert_eq!(verdict.failed(), ["provider openai"]);
    drop(patient.vendor);
}

#[test]
fn where_there_is_nothing_nothing_is_made() {
    let parent = tempfile::tempdir().unwrap();
    let nowhere = parent.path().join("data");
    let verdict = doctor(&nowhere, &[], &[]);
    assert_eq!((verdict.code, verdict.failed()), (1, vec!["data directory"]));
    assert!(!nowhere.exists());
    fs::create_dir(&nowhere).unwrap();
    fs::set_permissions(&nowhere, Permissions::from_mode(0o700)).unwrap();
    let verdict = doctor(&nowhere, &[], &[]);
    assert_eq!((verdict.code, verdict.failed()), (1, vec!["database"]));
    assert_eq!(fs::read_dir(&nowhere).unwrap().count(), 0);
    let verdict = doctor(&nowhere, &[], &[("AI_ACROSS_LISTEN", "everywhere")]);
    assert_eq!((verdict.code, verdict.failed()), (2, vec!["configuration"]));
}
