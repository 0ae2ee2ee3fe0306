//! From an upload to a file that is found, whatever dies on the way: kills at any moment, documents that kill, work that stops
//! moving, quotas without room.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, SystemTime},
};

use across_testkit::vendor::{Answer, ScriptedVendor};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{
        Person, Server,
        database::{Backend, Stored},
        eventually, form, text,
    },
    reliability::{ask, assistant, with_vendor},
};

/// So many paragraphs about one subject each, with a heading above each ten.
fn prose(paragraphs: usize) -> String {
    let paragraph = |number: usize| {
        let heading = if number.is_multiple_of(10) {
            format!("# Part {}\n\n", number / 10)
        } else {
            String::new()
        };
        let words = "It is spoken of at length, so that a chunk is soon full of words that say little more. ".repeat(6);
        format!("{heading}Paragraph {number} is about turbine {number}. {words}\n\n")
    };
    (0..paragraphs).map(paragraph).collect()
}

/// A server whose embedder is a vendor that plays along.
async fn with_embedder(backend: Backend, vendor: &ScriptedVendor) -> Option<Server> {
    let settings = [
        ("AI_ACROSS_OPENAI_BASE_URL", vendor.base_url.as_str()),
        ("AI_ACROSS_EMBEDDING_MODEL", "text-embedding-3-small"),
    ];
    Server::start_on(backend, &settings).await
}

/// A vendor that never answers a call for vectors.
async fn silent_vendor() -> ScriptedVendor {
    let vendor = ScriptedVendor::start().await.unwrap();
    vendor.answer_always("/embeddings", Answer::json(200, &json!({})).gated());
    vendor
}

/// The same server after a kill, with an embedder that answers.
async fn healed(mut server: Server) -> (Server, ScriptedVendor) {
    server.kill();
    let vendor = ScriptedVendor::start().await.unwrap();
    let server = server.start_again(&[("AI_ACROSS_OPENAI_BASE_URL", &vendor.base_url)]);
    (server, vendor)
}

/// On a server's database nobody knows who is dead until their leases run out.
async fn a_minute_passes(server: &Server, backend: Backend) {
    if backend == Backend::Postgres {
        let stored = server.database().await;
        stored
            .execute("UPDATE jobs SET due_at = due_at - INTERVAL '1 minute'")
            .await;
        stored.close().await;
    }
}

async fn accepted(admin: &Person, assistant: &str, name: &str, content: &str) -> String {
    let (status, file) = admin.upload(assistant, name, content).await;
    assert_eq!(status, 201, "{file}");
    text(&file["id"])
}

async fn count(stored: &Stored, what: &str) -> u64 {
    let found = stored
        .texts(&format!("SELECT CAST(COUNT(*) AS text) FROM {what}"))
        .await;
    found[0].parse().unwrap()
}

/// Kills the server, and lets the doctor look at what it left.
async fn is_sound(mut server: Server) {
    server.kill();
    let (code, told) = server.doctor();
    assert_eq!(code, Some(0), "{told}");
}

fn names(dir: &std::path::Path) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn r01_kills_during_uploads_leave_no_row_without_bytes_and_no_file_twice() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let mut server = with_embedder(Backend::Sqlite, &vendor).await.unwrap();
    let mut admin = server.admin().await;
    let assistant = admin.assistant("Librarian").await;
    // A mebibyte each with little to embed.
    let send = async |admin: &Person, number: usize| {
        let content = format!("{}Turbine {number} turns.", " ".repeat(1024 * 1024));
        let (kind, body) = form(&assistant, &format!("{number}.txt"), content.as_bytes());
        let request = admin
            .request(Method::POST, "/files")
            .header("content-type", kind)
            .header("idempotency-key", format!("upload-{number}"));
        let response = request.body(body).send().await.ok()?;
        let status = response.status().as_u16();
        Some((status, response.json::<Value>().await.ok()?))
    };
    for round in 0..6 {
        let uploads = join_all((0..20).map(|number| send(&admin, number)));
        let kill = async {
            // Somewhere among them.
            tokio::time::sleep(Duration::from_millis(20 + 70 * round)).await;
            server.kill();
        };
        let (answers, ()) = tokio::join!(uploads, kill);
        for (status, body) in answers.into_iter().flatten() {
            assert!(matches!(status, 201 | 409 | 429 | 503), "{status} {body}");
        }
        server = server.start_again(&[]);
        admin = admin.at(&server);
        let kept = names(&server.dir.join("files"));
        let (_, listed) = admin.get("/files?limit=100").await;
        for file in listed["files"].as_array().unwrap() {
            let id = text(&file["id"]);
            assert!(kept.contains(&id), "the file {id} has no bytes");
        }
    }
    // Whoever repeats a request gets the file there is, once those who died while answering are given up.
    let stored = server.database().await;
    stored
        .execute("UPDATE request_keys SET lease_until = '2020-01-01 00:00:00+00:00' WHERE status IS NULL")
        .await;
    stored.close().await;
    for number in 0..20 {
        let (status, body) = eventually(async || {
            let answer = send(&admin, number).await;
            answer.filter(|(status, _)| !matches!(status, 429 | 503))
        })
        .await;
        assert!(
            status == 201 || body["details"][0]["file_id"].is_string(),
            "{status} {body}"
        );
    }
    let (_, listed) = admin.get("/files?limit=100").await;
    let files = listed["files"].as_array().unwrap();
    let distinct: BTreeSet<_> = files.iter().map(|file| text(&file["filename"])).collect();
    assert_eq!((files.len(), distinct.len()), (20, 20), "{listed}");
    let known: BTreeSet<_> = files.iter().map(|file| text(&file["id"])).collect();
    for id in &known {
        assert_eq!(admin.settled(id).await["status"], "ready");
    }
    // What the dead left behind is old.
    server.kill();
    let (kept, arriving) = (server.dir.join("files"), server.dir.join("tmp"));
    let long_ago = SystemTime::UNIX_EPOCH;
    for dir in [&kept, &arriving] {
        for entry in fs::read_dir(dir).unwrap() {
            let file = fs::File::options().append(true).open(entry.unwrap().path()).unwrap();
            file.set_modified(long_ago).unwrap();
        }
    }
    let server = server.start_again(&[]);
    eventually(async || (names(&arriving).is_empty() && names(&kept) == known).then_some(())).await;
    is_sound(server).await;
}

#[tokio::test]
async fn r02_kills_during_indexing_leave_every_chunk_once() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let vendor = ScriptedVendor::start().await.unwrap();
        let Some(mut server) = with_embedder(backend, &vendor).await else {
            continue;
        };
        let mut admin = server.admin().await;
        let assistant = admin.assistant("Librarian").await;
        let id = accepted(&admin, &assistant, "turbines.md", &prose(900)).await;
        for beyond in [0, 11, 40, 70] {
            eventually(async || {
                let (_, file) = admin.get(&format!("/files/{id}")).await;
                (file["status"] == "ready" || file["progress"].as_u64() > Some(beyond)).then_some(())
            })
            .await;
            server = server.kill_and_restart().await;
            a_minute_passes(&server, backend).await;
            admin = admin.at(&server);
        }
        let file = admin.settled(&id).await;
        assert_eq!(file["status"], "ready", "{file}");
        let chunks = file["chunk_count"].as_u64().unwrap();
        assert!(chunks > 200, "{chunks}");
        let (_, listed) = admin.get(&format!("/files/{id}/chunks?limit=1")).await;
        assert_eq!(listed["total"], json!(chunks));
        let stored = server.database().await;
        assert_eq!(count(&stored, "chunks").await, chunks);
        assert_eq!(count(&stored, "jobs").await, 0);
        stored.close().await;
        is_sound(server).await;
    }
}

#[tokio::test]
async fn r02_a_document_that_kills_every_time_is_given_up_and_can_be_retried() {
    let vendor = silent_vendor().await;
    let mut server = with_embedder(Backend::Sqlite, &vendor).await.unwrap();
    let admin = server.admin().await;
    let assistant = admin.assistant("Librarian").await;
    let id = accepted(&admin, &assistant, "poison.txt", "Turbine 1 turns.").await;
    for deaths in 1..=5 {
        assert!(
            vendor
                .until(|vendor| vendor.count("POST /v1/embeddings") >= deaths)
                .await
        );
        server = server.kill_and_restart().await;
    }
    let file = admin.at(&server).settled(&id).await;
    let message = text(&file["error_message"]);
    assert!(file["status"] == "error" && message.contains("five times"), "{file}");
    assert_eq!(vendor.count("POST /v1/embeddings"), 5);
    let (server, _vendor) = healed(server).await;
    let admin = admin.at(&server);
    assert_eq!(admin.post(&format!("/files/{id}/reprocess"), &json!({})).await.0, 202);
    let file = admin.settled(&id).await;
    assert_eq!(
        (&file["status"], &file["error_message"]),
        (&json!("ready"), &Value::Null)
    );
    is_sound(server).await;
}

#[tokio::test]
async fn r03_a_kill_while_a_file_is_processed_again_leaves_the_old_answers() {
    let (server, _vendor, admin) = with_vendor(&[]).await;
    let assistant = assistant(&admin).await;
    let known = admin.knows(&assistant, "turbines.md", prose(60)).await;
    assert_eq!(known["status"], "ready", "{known}");
    let id = text(&known["id"]);
    let cited = async |admin: &Person| {
        let outcome = ask(admin, &assistant, "What is said about turbine 37?").await;
        assert_eq!(outcome.end().0, "done", "{:?}", outcome.events);
        let cited = outcome.kept["citations"].clone();
        assert!(!cited.as_array().unwrap().is_empty(), "{}", outcome.kept);
        cited
    };
    let before = cited(&admin).await;
    assert_eq!(admin.post(&format!("/files/{id}/reprocess"), &json!({})).await.0, 202);
    eventually(async || {
        let (_, file) = admin.get(&format!("/files/{id}")).await;
        (file["progress"].as_u64() > Some(10)).then_some(())
    })
    .await;
    let server = server.kill_and_restart().await;
    let admin = admin.at(&server);
    assert_eq!(cited(&admin).await, before);
    assert_eq!(admin.settled(&id).await["status"], "ready");
    assert_eq!(cited(&admin).await, before);
    is_sound(server).await;
}

#[tokio::test]
async fn r10_fifty_queued_files_go_on_after_a_kill() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let vendor = silent_vendor().await;
        let Some(server) = with_embedder(backend, &vendor).await else {
            continue;
        };
        let admin = server.admin().await;
        let assistant = admin.assistant("Librarian").await;
        for number in 0..50 {
            accepted(
                &admin,
                &assistant,
                &format!("{number}.txt"),
                &format!("Turbine {number} turns."),
            )
            .await;
        }
        assert!(vendor.until(|vendor| vendor.at_gate() == 2).await, "two are worked on");
        let (server, _vendor) = healed(server).await;
        a_minute_passes(&server, backend).await;
        let admin = admin.at(&server);
        eventually(async || {
            let (_, ready) = admin.get("/files?status=ready").await;
            (ready["total"] == json!(50)).then_some(())
        })
        .await;
        is_sound(server).await;
    }
}

#[tokio::test]
async fn the_end_of_the_process_gives_a_try_back() {
    let vendor = silent_vendor().await;
    let mut server = with_embedder(Backend::Sqlite, &vendor).await.unwrap();
    let admin = server.admin().await;
    let assistant = admin.assistant("Librarian").await;
    accepted(&admin, &assistant, "a.txt", "Turbine 1 turns.").await;
    assert!(vendor.until(|vendor| vendor.at_gate() == 1).await);
    server.end();
    let stored = server.database().await;
    let left = "SELECT CAST(attempt AS text) || ' ' || CAST(is_claimed AS text) FROM jobs";
    assert_eq!(stored.texts(left).await, ["0 0"]);
    stored.close().await;
}

#[tokio::test]
async fn a_job_that_makes_no_progress_is_given_up_and_retry_works() {
    let vendor = silent_vendor().await;
    let server = with_embedder(Backend::Sqlite, &vendor).await.unwrap();
    let admin = server.admin().await;
    let assistant = admin.assistant("Librarian").await;
    let id = accepted(&admin, &assistant, "stuck.txt", "Turbine 1 turns.").await;
    assert!(vendor.until(|vendor| vendor.at_gate() == 1).await);
    // As if a quarter of an hour had passed since its last step.
    let stored = server.database().await;
    stored
        .execute("UPDATE jobs SET moved_at = '2020-01-01 00:00:00+00:00'")
        .await;
    stored.close().await;
    let file = admin.settled(&id).await;
    assert_eq!(
        (&file["status"], &file["error_message"]),
        (&json!("error"), &json!("Processing made no progress. Try again."))
    );
    assert_eq!(admin.get("/admin/jobs").await.1["total"], 0);
    let (server, _vendor) = healed(server).await;
    let admin = admin.at(&server);
    let failed = json!({ "status": "error" });
    assert_eq!(
        admin.post("/files/reprocess-all", &failed).await,
        (202, json!({ "queued": 1 }))
    );
    assert_eq!(admin.settled(&id).await["status"], "ready");
    assert_eq!(
        admin.post("/files/reprocess-all", &failed).await,
        (202, json!({ "queued": 0 }))
    );
    assert_eq!(
        admin
            .post("/files/reprocess-all", &json!({ "status": "ready" }))
            .await
            .0,
        422
    );
    is_sound(server).await;
}

#[tokio::test]
async fn the_queue_says_what_a_file_waits_for() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let server = with_embedder(Backend::Sqlite, &vendor).await.unwrap();
    let admin = server.admin().await;
    let assistant = admin.assistant("Librarian").await;
    let limit = json!({ "scope": "global", "daily_token_limit": 3 });
    let (status, quota) = admin.post("/quotas", &limit).await;
    assert_eq!(status, 201, "{quota}");
    let id = accepted(&admin, &assistant, "wide.txt", "Turbine 1 turns day and night.").await;
    let job = eventually(async || {
        let (_, jobs) = admin.get("/admin/jobs").await;
        let job = jobs["jobs"][0].clone();
        (job["waits_for"] == json!("quota")).then_some(job)
    })
    .await;
    let seen = |name: &str| job[name].clone();
    assert_eq!(
        [
            "file_id",
            "filename",
            "assistant_id",
            "assistant_name",
            "status",
            "progress",
            "state",
            "attempts"
        ]
        .map(seen),
        [
            json!(id),
            json!("wide.txt"),
            json!(assistant),
            json!("Librarian"),
            json!("indexing"),
            json!(10),
            json!("waiting"),
            json!(0)
        ],
        "{job}"
    );
    assert!(text(&job["last_error"]).contains("quota"), "{job}");
    assert_eq!(admin.get(&format!("/files/{id}")).await.1["status"], "indexing");
    assert_eq!(vendor.count("POST /v1/embeddings"), 0);
}

#[tokio::test]
async fn a_provider_that_asks_for_time_gets_it_and_the_file_does_not_fail() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let server = with_embedder(Backend::Sqlite, &vendor).await.unwrap();
    let admin = server.admin().await;
    let assistant = admin.assistant("Librarian").await;
    let busy = Answer::json(
        429,
        &json!({ "error": { "message": "later", "code": "rate_limit_exceeded" } }),
    );
    vendor.answer_always("/embeddings", busy.with_header("retry-after", "900"));
    let id = accepted(&admin, &assistant, "a.txt", "Turbine 1 turns.").await;
    let job = eventually(async || {
        let (_, jobs) = admin.get("/admin/jobs").await;
        let job = jobs["jobs"][0].clone();
        (job["waits_for"] == json!("outage")).then_some(job)
    })
    .await;
    let time = |value: &Value| chrono::DateTime::parse_from_rfc3339(&text(value)).unwrap();
    let wait = time(&job["due_at"]) - time(&job["created_at"]);
    assert!((900..960).contains(&wait.num_seconds()), "{job}");
    assert_eq!((&job["attempts"], vendor.count("POST /v1/embeddings")), (&json!(0), 1));
    assert_eq!(admin.get(&format!("/files/{id}")).await.1["status"], "indexing");
}

#[tokio::test]
async fn an_embedder_that_stumbles_once_costs_no_try() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let server = with_embedder(Backend::Sqlite, &vendor).await.unwrap();
    let admin = server.admin().await;
    let assistant = admin.assistant("Librarian").await;
    // The list of models may be asked for as well; only calls for vectors take this.
    let id = {
        vendor.answer_always(
            "/embeddings",
            Answer::json(500, &json!({ "error": { "message": "oops" } })),
        );
        let id = accepted(&admin, &assistant, "a.txt", "Turbine 1 turns.").await;
        assert!(vendor.until(|vendor| vendor.count("POST /v1/embeddings") == 1).await);
        id
    };
    let (_, jobs) = admin.get("/admin/jobs").await;
    assert_eq!(jobs["jobs"][0]["attempts"], 1, "{jobs}");
    assert!(vendor.until(|vendor| vendor.count("POST /v1/embeddings") == 2).await);
    let (_, jobs) = admin.get("/admin/jobs").await;
    assert_eq!(
        (&jobs["jobs"][0]["attempts"], &jobs["jobs"][0]["last_error"]),
        (&json!(1), &Value::Null),
        "{jobs}"
    );
    assert_eq!(admin.get(&format!("/files/{id}")).await.1["status"], "indexing");
}

#[tokio::test]
async fn knowledge_is_told_in_figures() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let server = with_embedder(Backend::Sqlite, &vendor).await.unwrap();
    let admin = server.admin().await;
    let assistant = admin.assistant("Librarian").await;
    let path = format!("/assistants/{assistant}/knowledge");
    let (status, empty) = admin.get(&path).await;
    assert_eq!(status, 200, "{empty}");
    assert_eq!(
        (&empty["files"]["total"], &empty["last_indexed_at"]),
        (&json!(0), &Value::Null)
    );
    let guide = include_bytes!("../../extract/tests/corpus/brand-guide.pdf");
    let pdf = admin.knows(&assistant, "guide.pdf", guide.as_slice()).await;
    let note = admin.knows(&assistant, "note.md", "# Launch\n\nOn 14 October.").await;
    assert_eq!(note["chunk_count"], 1, "{note}");
    let bad = admin
        .knows(&assistant, "bad.pdf", "%PDF-1.4\nnothing of the kind")
        .await;
    assert_eq!(bad["status"], "error");
    let (_, told) = admin.get(&path).await;
    let bytes: u64 = [&pdf, &note, &bad]
        .iter()
        .map(|file| file["size_bytes"].as_u64().unwrap())
        .sum();
    assert_eq!(told["files"]["by_status"], json!({ "ready": 2, "error": 1 }));
    assert_eq!(told["files"]["by_type"], json!({ "pdf": 2, "md": 1 }));
    assert_eq!(
        ["bytes", "chunks", "pages"].map(|name| told[name].as_u64().unwrap()),
        [bytes, 4, 3],
        "{told}"
    );
    assert!(told["tokens"].as_u64() > Some(100), "{told}");
    assert_eq!(told["embedding_spaces"][0]["chunks"], 4, "{told}");
    assert!(
        text(&told["embedding_spaces"][0]["space"]).contains("text-embedding-3-small"),
        "{told}"
    );
    assert_eq!(told["last_indexed_at"], note["updated_at"]);
}
