//! Vector stores outside, as people meet them: whatever a store loses, invents, refuses or delays, an answer rests on the
//! assistant's own files as they are, or says that they could not be searched.
//!
//! What fails here on purpose is a double of Qdrant (`across_testkit::qdrant`), written from the published interface; what
//! holds on every store is tried on the real Chroma and PostgreSQL with pgvector too, where the tests were told of them.

use std::{
    process::{Command, Output},
    time::{Duration, Instant},
};

use across_testkit::{
    qdrant::{Fault, QdrantDouble},
    vendor::ScriptedVendor,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Person, Server, eventually, text};

const FACTS: &str =
    "Chainlab opens its mainnet on 14 October. 38 validators have signed, among them three European banks.";
const OTHERS: &str = "The office dog is called Bruno and sleeps under the printer.";
const QUESTION: &str = "When does the mainnet open?";
const KEY: &str = "k-0123456789";

type Settings = Vec<(&'static str, String)>;

fn qdrant(double: &QdrantDouble) -> Settings {
    vec![
        ("AI_ACROSS_VECTOR_STORE", "qdrant".into()),
        ("AI_ACROSS_VECTOR_URL", double.url.clone()),
        ("AI_ACROSS_VECTOR_API_KEY", KEY.into()),
    ]
}

fn borrowed(settings: &Settings) -> Vec<(&str, &str)> {
    settings.iter().map(|(key, value)| (*key, value.as_str())).collect()
}

async fn start(settings: &Settings) -> (Server, Person) {
    let server = Server::start_with(&borrowed(settings)).await;
    let admin = server.admin().await;
    (server, admin)
}

async fn on_a_double() -> (Server, QdrantDouble, Person) {
    let double = QdrantDouble::start(Some(KEY)).await.unwrap();
    let (server, admin) = start(&qdrant(&double)).await;
    (server, double, admin)
}

/// What an answer says of its files: how they were searched, and the cited ones.
async fn grounds(admin: &Person, assistant: &str) -> (String, Vec<String>) {
    let conversation = admin.conversation(assistant).await;
    let events = admin.ask(&conversation, QUESTION).await.all().await;
    assert_eq!(events.last().unwrap()["type"], "done", "{events:?}");
    let told = events.iter().find(|event| event["type"] == "citations");
    let Some(told) = told else {
        return ("".into(), Vec::new());
    };
    let cited = told["citations"].as_array().unwrap().iter();
    let (_, listed) = admin.get(&format!("/conversations/{conversation}/messages")).await;
    assert_eq!(
        listed["messages"][1]["retrieval"], told["retrieval"],
        "what is kept with the answer"
    );
    (
        text(&told["retrieval"]),
        cited.map(|one| text(&one["file_id"])).collect(),
    )
}

async fn vector_store(server: &Server) -> String {
    let ready = server.request(Method::GET, "/api/v1/ready").send().await.unwrap();
    assert_eq!(ready.status(), 200, "a vector store alone does not make it unready");
    text(&ready.json::<Value>().await.unwrap()["vector_store"])
}

async fn connected(server: &Server) {
    eventually(async || (vector_store(server).await == "connected").then_some(())).await;
}

fn points_of(double: &QdrantDouble, file: &Value) -> Vec<Value> {
    let payloads = double.payloads();
    payloads
        .into_iter()
        .filter(|payload| payload["file"] == file["id"])
        .collect()
}

/// Every store that the tests were told of.
#[expect(clippy::print_stderr, reason = "what is skipped is said aloud")]
#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by the environment where servers are"
)]
fn real_stores() -> Vec<Settings> {
    let named = [
        ("chroma", "TEST_CHROMA_URL"),
        ("pgvector", "TEST_PGVECTOR_URL"),
        ("qdrant", "TEST_QDRANT_URL"),
    ];
    let mut stores = Vec::new();
    for (kind, variable) in named {
        match std::env::var(variable) {
            Ok(url) if !url.is_empty() => stores.push(vec![
                ("AI_ACROSS_VECTOR_STORE", kind.to_owned()),
                ("AI_ACROSS_VECTOR_URL", url),
            ]),
            _ => {
                assert!(
                    kind == "qdrant" || std::env::var("CI").is_err(),
                    "CI must set {variable}"
                );
                eprintln!("skipped: {variable} names no server");
            }
        }
    }
    stores
}

/// S-27 without an attacker, and what an upload, a new attempt and a removal do on a store.
async fn an_assistant_knows_its_own_files_alone(settings: &Settings) {
    let (server, admin) = start(settings).await;
    let (mine, other) = (
        admin.assistant("Press Writer").await,
        admin.assistant("Quizmaster").await,
    );
    let first = admin.knows(&mine, "first.md", FACTS).await;
    let second = admin.knows(&other, "second.md", FACTS).await;
    assert_eq!(
        (first["status"].as_str(), second["status"].as_str()),
        (Some("ready"), Some("ready"))
    );
    admin.knows(&mine, "others.md", OTHERS).await;
    assert_eq!(
        grounds(&admin, &mine).await,
        ("ok".into(), vec![text(&first["id"])]),
        "{settings:?}"
    );
    assert_eq!(grounds(&admin, &other).await, ("ok".into(), vec![text(&second["id"])]));

    let path = format!("/files/{}", text(&first["id"]));
    assert_eq!(admin.post(&format!("{path}/reprocess"), &json!({})).await.0, 202);
    admin.settled(&text(&first["id"])).await;
    assert_eq!(grounds(&admin, &mine).await, ("ok".into(), vec![text(&first["id"])]));
    assert_eq!(admin.delete(&path).await.0, 204);
    assert_eq!(grounds(&admin, &mine).await, ("none".into(), vec![]));
    assert_eq!(vector_store(&server).await, "connected");
    let (code, told) = server.doctor();
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("vector store"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s_27_every_store_keeps_assistants_apart() {
    an_assistant_knows_its_own_files_alone(&vec![]).await;
    let double = QdrantDouble::start(Some(KEY)).await.unwrap();
    an_assistant_knows_its_own_files_alone(&qdrant(&double)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s_27_real_servers_keep_assistants_apart() {
    for settings in real_stores() {
        an_assistant_knows_its_own_files_alone(&settings).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s_27_what_a_store_invents_is_not_believed() {
    let (server, double, admin) = on_a_double().await;
    let (mine, other) = (
        admin.assistant("Press Writer").await,
        admin.assistant("Quizmaster").await,
    );
    let first = admin.knows(&mine, "first.md", FACTS).await;
    admin.knows(&other, "second.md", FACTS).await;
    double.forge(&json!({"assistant": mine}));
    assert_eq!(grounds(&admin, &mine).await, ("ok".into(), vec![text(&first["id"])]));
    assert!(server.log().contains("named chunks that this assistant does not have"));
    double.forge(&json!({"file": 7, "chunk": "../../etc/passwd"}));
    assert_eq!(grounds(&admin, &mine).await, ("ok".into(), vec![text(&first["id"])]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s_28_deleted_and_replaced_files_are_never_found_again() {
    let (server, double, admin) = on_a_double().await;
    let assistant = admin.assistant("Press Writer").await;
    let gone = admin.knows(&assistant, "first.md", FACTS).await;
    let kept = admin.knows(&assistant, "others.md", OTHERS).await;
    assert!(points_of(&double, &gone).iter().all(|point| point["generation"] == 1));
    let path = format!("/files/{}", text(&gone["id"]));
    admin.post(&format!("{path}/reprocess"), &json!({})).await;
    admin.settled(&text(&gone["id"])).await;
    eventually(async || {
        let points = points_of(&double, &gone);
        (!points.is_empty() && points.iter().all(|point| point["generation"] == 2)).then_some(())
    })
    .await;

    double.fail("/points/delete", Fault::Status(500));
    assert_eq!(admin.delete(&path).await.0, 204);
    assert_eq!(grounds(&admin, &assistant).await, ("none".into(), vec![]));
    assert!(!points_of(&double, &gone).is_empty(), "the store still has them");
    let server = server.kill_and_restart().await;
    let admin = server.admin().await;
    connected(&server).await;
    assert_eq!(grounds(&admin, &assistant).await, ("none".into(), vec![]));
    // An assistant that was archived comes back without the deleted file.
    let own = format!("/assistants/{assistant}");
    assert_eq!(admin.delete(&own).await.0, 204);
    let restored = admin.post(&format!("{own}/restore"), &json!({})).await;
    assert_eq!(restored.0, 200, "{restored:?}");
    assert_eq!(grounds(&admin, &assistant).await, ("none".into(), vec![]));
    double.heal();
    eventually(async || points_of(&double, &gone).is_empty().then_some(())).await;
    assert!(!points_of(&double, &kept).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_18_without_the_store_an_answer_says_so_or_is_refused() {
    let (server, double, admin) = on_a_double().await;
    let assistant = admin.assistant("Press Writer").await;
    admin.knows(&assistant, "first.md", FACTS).await;
    for fault in [Fault::Status(500), Fault::Delay(Duration::from_secs(30))] {
        double.fail("/points/query", fault);
        let begun = Instant::now();
        // The words alone would find the file; that is not passed off as a search.
        assert_eq!(
            grounds(&admin, &assistant).await,
            ("unavailable".into(), vec![]),
            "{fault:?}"
        );
        assert!(
            begun.elapsed() < Duration::from_secs(8),
            "{fault:?}: {:?}",
            begun.elapsed()
        );
        let begun = Instant::now();
        let path = format!("/assistants/{assistant}/retrieval-test");
        let (status, told) = admin.post(&path, &json!({ "question": QUESTION })).await;
        assert_eq!(
            (status, &told["error"]),
            (503, &json!("ServiceUnavailableError")),
            "{told}"
        );
        assert!(begun.elapsed() < Duration::from_secs(7));
        double.heal();
    }
    double.fail("", Fault::Status(503));
    assert_eq!(vector_store(&server).await, "unavailable");

    let (status, told) = admin
        .patch("/settings", &json!({ "settings": { "rag_on_failure": "fail" } }))
        .await;
    assert_eq!(status, 200, "{told}");
    let (_, before) = admin.get("/usage?limit=100").await;
    let conversation = admin.conversation(&assistant).await;
    let path = format!("/conversations/{conversation}/messages");
    let (status, told) = admin.post(&path, &json!({ "content": QUESTION })).await;
    assert_eq!(
        (status, &told["error"]),
        (503, &json!("ServiceUnavailableError")),
        "{told}"
    );
    assert_eq!(admin.get(&path).await.1["messages"], json!([]), "nothing is stored");
    assert_eq!(
        admin.get("/usage?limit=100").await.1["total"],
        before["total"],
        "nothing is charged"
    );
    double.heal();
    assert_eq!(grounds(&admin, &assistant).await.0, "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_19_a_file_waits_for_the_store_also_over_a_kill() {
    let (server, double, admin) = on_a_double().await;
    let assistant = admin.assistant("Press Writer").await;
    double.fail("", Fault::Status(500));
    let (status, file) = admin.upload(&assistant, "first.md", FACTS.as_bytes()).await;
    assert_eq!(status, 201, "{file}");
    let id = text(&file["id"]);
    eventually(async || server.log().contains("The vector store did not answer").then_some(())).await;
    let (_, waiting) = admin.get(&format!("/files/{id}")).await;
    assert!(
        matches!(waiting["status"].as_str(), Some("indexing" | "processing")),
        "{waiting}"
    );
    let server = server.kill_and_restart().await;
    let admin = server.admin().await;
    assert_eq!(vector_store(&server).await, "unavailable");
    double.heal();
    assert_eq!(admin.settled(&id).await["status"], "ready");
    connected(&server).await;
    assert_eq!(grounds(&admin, &assistant).await, ("ok".into(), vec![id]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_20_a_lost_or_emptied_store_is_filled_again_without_embedding() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let double = QdrantDouble::start(Some(KEY)).await.unwrap();
    let mut settings = qdrant(&double);
    settings.extend([
        ("AI_ACROSS_OPENAI_BASE_URL", vendor.base_url.clone()),
        ("OPENAI_API_KEY", "sk-test-marker-0123456789".into()),
        ("AI_ACROSS_EMBEDDING_MODEL", "text-embedding-3-small".into()),
    ]);
    let (mut server, admin) = start(&settings).await;
    let assistant = admin.assistant("Press Writer").await;
    let file = admin.knows(&assistant, "first.md", FACTS).await;
    let embedded = || vendor.count("POST /v1/embeddings");
    let before = embedded();
    let held = double.payloads().len();
    for lose in [QdrantDouble::lose_everything, QdrantDouble::lose_points] {
        server.kill();
        lose(&double);
        double.fail("PUT /collections/", Fault::Status(500));
        server = server.start_again(&[]);
        let admin = server.admin().await;
        assert_eq!(vector_store(&server).await, "unavailable");
        assert_eq!(grounds(&admin, &assistant).await.0, "unavailable");
        double.heal();
        connected(&server).await;
        assert_eq!(double.payloads().len(), held);
        let (outcome, cited) = grounds(&admin, &assistant).await;
        assert!(outcome == "none" || cited == [text(&file["id"])], "{outcome} {cited:?}");
    }
    // Each answer embedded its question, and nothing else was embedded.
    assert!(embedded() <= before + 4, "{} after {before}", embedded());

    // Lost while the server runs: the next question notices, the next upload mends.
    double.lose_everything();
    let admin = server.admin().await;
    assert_eq!(grounds(&admin, &assistant).await.0, "unavailable");
    admin.knows(&assistant, "others.md", OTHERS).await;
    eventually(async || (points_of(&double, &file).len() == held).then_some(())).await;
    connected(&server).await;
    assert_ne!(grounds(&admin, &assistant).await.0, "unavailable");
}

fn reindex(server: &Server, settings: &Settings, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_ai-across"))
        .arg("reindex")
        .args(arguments)
        .env_clear()
        .env("AI_ACROSS_DATA_DIR", &server.dir)
        .envs(borrowed(settings))
        .output()
        .unwrap();
    let told = [stdout, stderr].concat();
    (status.code(), String::from_utf8(told).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_changed_by_setting_it_or_filled_by_command() {
    let (mut server, admin) = start(&vec![]).await;
    let assistant = admin.assistant("Press Writer").await;
    let file = admin.knows(&assistant, "first.md", FACTS).await;
    let double = QdrantDouble::start(Some(KEY)).await.unwrap();
    let settings = qdrant(&double);
    let (code, told) = reindex(&server, &settings, &[]);
    assert_eq!(code, Some(3), "somebody serves: {told}");
    server.end();
    for _ in 0..2 {
        let (code, told) = reindex(&server, &settings, &[]);
        assert_eq!(code, Some(0), "{told}");
        let points = double.payloads().len();
        assert!(
            points > 0 && told.contains(&format!("filled qdrant with {points} points of 1 files")),
            "{told}"
        );
    }
    let (code, told) = reindex(&server, &vec![], &[]);
    assert!(code == Some(0) && told.contains("nothing to fill"), "{told}");
    let (code, told) = reindex(&server, &settings, &["--store", "embedded"]);
    assert!(code == Some(0) && told.contains("nothing to fill"), "{told}");
    assert_eq!(reindex(&server, &settings, &["--store", "pinecone"]).0, Some(2));
    assert_eq!(reindex(&server, &vec![], &["--store", "chroma"]).0, Some(2));
    double.fail("", Fault::Status(500));
    let (code, told) = reindex(&server, &settings, &[]);
    assert!(
        code == Some(1) && told.contains("vector store is not available"),
        "{told}"
    );
    double.heal();

    double.lose_everything();
    let server = server.start_again(&borrowed(&settings));
    let admin = server.admin().await;
    connected(&server).await;
    assert_eq!(
        grounds(&admin, &assistant).await,
        ("ok".into(), vec![text(&file["id"])])
    );
    assert!(double.count("/points/query") > 0);
}
