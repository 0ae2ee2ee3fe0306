//! The vectors of an installation: changed to another model while it is used, damaged and mended, seen by every instance.

use across_testkit::{qdrant::QdrantDouble, vendor::ScriptedVendor};
use serde_json::{Value, json};

use crate::harness::{Person, Server, database::on_each_database, eventually, text};

const SMALL: &str = "text-embedding-3-small";
const LARGE: &str = "text-embedding-3-large";
/// Paragraphs of a text that takes many calls to embed.
const MANY: usize = 400;

/// A text whose paragraphs each hold a word of their own and are a chunk of their own.
fn paragraphs(name: &str, count: usize) -> String {
    let filler = "The office keeps a record of every decision and files it under the name of whoever asked. ".repeat(3);
    let paragraphs = (0..count).map(|number| format!("Paragraph about {name}{number} only. {filler}"));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

async fn small_chunks(admin: &Person) {
    let change = json!({ "settings": { "chunk_size": 64, "chunk_overlap": 0, "rag_similarity_threshold": 0 } });
    let (status, body) = admin.patch("/settings", &change).await;
    assert_eq!(status, 200, "{body}");
}

/// File and place of the best passage.
async fn best(person: &Person, assistant: &str, question: &str) -> Option<(String, u64)> {
    let path = format!("/assistants/{assistant}/retrieval-test");
    let (status, body) = person.post(&path, &json!({ "question": question })).await;
    assert_eq!(status, 200, "{body}");
    let first = body["passages"].as_array().unwrap().first()?.clone();
    Some((text(&first["file_id"]), first["chunk_index"].as_u64().unwrap()))
}

async fn overview(admin: &Person) -> Value {
    let (status, body) = admin.get("/admin/embedding").await;
    assert_eq!(status, 200, "{body}");
    body
}

async fn vendor_settings(vendor: &ScriptedVendor) -> [(&'static str, String); 2] {
    [
        ("AI_ACROSS_OPENAI_BASE_URL", vendor.base_url.clone()),
        ("AI_ACROSS_EMBEDDING_MODEL", SMALL.to_owned()),
    ]
}

#[tokio::test]
async fn the_embedding_model_is_changed_while_questions_are_answered() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let settings = vendor_settings(&vendor).await;
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    on_each_database(&settings, async |server: &mut Server| {
        let admin = server.admin().await;
        small_chunks(&admin).await;
        let assistant = admin.assistant("Press Writer").await;
        let file = admin.knows(&assistant, "a.txt", paragraphs("zebra", MANY)).await;
        assert_eq!(file["status"], "ready", "{file}");
        let question = "What does the paragraph about zebra321 say?";
        let before = best(&admin, &assistant, question).await;
        assert!(before.is_some());
        let chunks = overview(&admin).await["chunks"].as_u64().unwrap();
        assert!(chunks >= MANY as u64, "{chunks}");

        let (status, begun) = admin.post("/admin/embedding/change", &json!({ "model": LARGE })).await;
        assert_eq!(
            (status, &begun["phase"], &begun["chunks_total"]),
            (202, &json!("running"), &json!(chunks)),
            "{begun}"
        );
        // In the middle, and the process is killed there.
        let middle = eventually(async || {
            let change = overview(&admin).await["change"].clone();
            (change["chunks_done"].as_u64() > Some(0)).then_some(change)
        })
        .await;
        assert_eq!(middle["phase"], "running", "{middle}");
        assert_eq!(best(&admin, &assistant, question).await, before);
        server.kill();
        // A lease of the dead runs out after a minute, if others may be alive; here it has.
        let database = server.database().await;
        database.execute("UPDATE jobs SET due_at = created_at").await;
        database.close().await;
        server.rise();
        let admin = server.admin().await;
        let resumed = overview(&admin).await["change"].clone();
        assert!(
            resumed["chunks_done"].as_u64() >= middle["chunks_done"].as_u64(),
            "{resumed}"
        );
        // What comes meanwhile is found before and after.
        let late = admin.knows(&assistant, "late.txt", paragraphs("giraffe", 3)).await;
        let late_question = "What does the paragraph about giraffe1 say?";
        let late_before = best(&admin, &assistant, late_question).await.unwrap();
        assert_eq!(late_before.0, text(&late["id"]));
        eventually(async || {
            assert_eq!(best(&admin, &assistant, question).await, before);
            assert_eq!(
                best(&admin, &assistant, late_question).await.as_ref(),
                Some(&late_before)
            );
            (overview(&admin).await["change"]["phase"] == "done").then_some(())
        })
        .await;
        assert_eq!(best(&admin, &assistant, question).await, before);
        assert_eq!(best(&admin, &assistant, late_question).await, Some(late_before));
        let after = overview(&admin).await;
        assert_eq!(after["current"], json!({ "id": LARGE, "dimensions": 3072 }), "{after}");
        let (_, shown) = admin.get("/settings").await;
        assert_eq!(shown["settings"]["embedding_model"], LARGE);
        let (_, usage) = admin.get("/usage?limit=100").await;
        let rows = usage["usage"].as_array().unwrap();
        assert!(
            rows.iter()
                .any(|row| row["model"] == LARGE && row["purpose"] == "embed_file"),
            "{usage}"
        );
        // Both spaces are there until the questions on their way are over; every chunk has the new one.
        let database = server.database().await;
        let without = "SELECT CAST(COUNT(*) AS TEXT) FROM chunks WHERE NOT EXISTS (SELECT 1 FROM chunk_vectors \
                       WHERE chunk_number = chunks.number AND space = 'text-embedding-3-large:3072')";
        assert_eq!(database.texts(without).await, ["0"]);
        database.close().await;
    })
    .await;
}

/// How many points the double holds of each model.
fn points(double: &QdrantDouble) -> (usize, usize) {
    (double.points("3_small"), double.points("3_large"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedding_model_is_changed_on_a_store_outside() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let double = QdrantDouble::start(None).await.unwrap();
    let settings = vendor_settings(&vendor).await;
    let mut settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    settings.extend([
        ("AI_ACROSS_VECTOR_STORE", "qdrant"),
        ("AI_ACROSS_VECTOR_URL", &double.url),
    ]);
    on_each_database(&settings, async |server: &mut Server| {
        double.lose_everything();
        let admin = server.admin().await;
        small_chunks(&admin).await;
        let assistant = admin.assistant("Press Writer").await;
        admin.knows(&assistant, "a.txt", paragraphs("zebra", MANY)).await;
        let passing = admin.knows(&assistant, "b.txt", paragraphs("okapi", 3)).await;
        let question = "What does the paragraph about zebra321 say?";
        let before = best(&admin, &assistant, question).await;
        assert!(before.is_some());
        let (held, none) = points(&double);
        assert!(held >= MANY + 3 && none == 0, "{held} {none}");

        let change = json!({ "model": LARGE });
        let (status, told) = admin.post("/admin/embedding/estimate", &change).await;
        let chunks = overview(&admin).await["chunks"].clone();
        assert_eq!((status, &told["chunks"]), (200, &chunks), "{told}");
        assert_eq!(points(&double), (held, 0), "an estimate writes nothing");
        assert_eq!(admin.post("/admin/embedding/change", &change).await.0, 202);
        eventually(async || {
            let (old, new) = points(&double);
            assert!(old >= held, "the old points stay while they are searched");
            (new > 0).then_some(())
        })
        .await;
        // A file that goes while it is in both, and one that comes.
        let passing = format!("/files/{}", text(&passing["id"]));
        assert_eq!(admin.delete(&passing).await.0, 204);
        let late = admin.knows(&assistant, "late.txt", paragraphs("giraffe", 3)).await;
        let late_question = "What does the paragraph about giraffe1 say?";
        eventually(async || {
            assert_eq!(best(&admin, &assistant, question).await, before);
            let (file, _) = best(&admin, &assistant, late_question).await.unwrap();
            assert_eq!(file, text(&late["id"]));
            (overview(&admin).await["change"]["phase"] == "done").then_some(())
        })
        .await;
        assert_eq!(overview(&admin).await["current"]["id"], LARGE);

        // The old points wait until the questions on their way are over, a minute; here it has passed.
        let database = server.database().await;
        let passed = "UPDATE jobs SET due_at = (SELECT MIN(created_at) FROM knowledge_files)";
        database.execute(passed).await;
        let promised = "SELECT CAST(COUNT(*) AS TEXT) FROM chunk_vectors WHERE space LIKE '%large%'";
        let promised: usize = database.texts(promised).await[0].parse().unwrap();
        eventually(async || (points(&double) == (0, promised)).then_some(())).await;
        let old = "SELECT CAST(COUNT(*) AS TEXT) FROM chunk_vectors WHERE space NOT LIKE '%large%'";
        eventually(async || (database.texts(old).await == ["0"]).then_some(())).await;
        database.close().await;
        assert_eq!(best(&admin, &assistant, question).await, before);
    })
    .await;
}

#[tokio::test]
async fn a_change_is_estimated_refused_and_called_off() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let settings = vendor_settings(&vendor).await;
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let server = Server::start_with(&settings).await;
    let admin = server.admin().await;
    let estimate = async |model: &str| {
        admin
            .post("/admin/embedding/estimate", &json!({ "model": model }))
            .await
    };
    let begin = async |model: &str| admin.post("/admin/embedding/change", &json!({ "model": model })).await;
    assert_eq!(begin(LARGE).await.0, 409, "nothing is indexed yet");
    let setting = |model: &str| json!({ "settings": { "embedding_model": model } });
    assert_eq!(
        admin.patch("/settings", &setting("a model that nobody has")).await.0,
        422
    );
    small_chunks(&admin).await;
    let assistant = admin.assistant("Press Writer").await;
    admin.knows(&assistant, "a.txt", paragraphs("zebra", MANY)).await;

    let (status, told) = estimate(LARGE).await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(told["model"], json!({ "id": LARGE, "dimensions": 3072 }));
    let tokens = told["tokens"].as_u64().unwrap();
    assert!(
        told["chunks"].as_u64() >= Some(MANY as u64) && tokens > 10_000,
        "{told}"
    );
    // 0.13 dollars for a million tokens, to the micro-dollar.
    let cost = told["cost"].as_f64().unwrap();
    assert!((cost - tokens as f64 * 0.13 / 1e6).abs() < 2e-6, "{told}");
    for (model, code) in [(SMALL, 409), ("a model that nobody has", 422), ("", 422)] {
        assert_eq!((estimate(model).await.0, begin(model).await.0), (code, code), "{model}");
    }
    assert_eq!(admin.patch("/settings", &setting(LARGE)).await.0, 409);
    assert_eq!(admin.delete("/admin/embedding/change").await.0, 409);

    assert_eq!(begin(LARGE).await.0, 202);
    assert_eq!(begin(LARGE).await.0, 409);
    assert_eq!(admin.delete("/admin/embedding/change").await.0, 204);
    let after = overview(&admin).await;
    assert_eq!(
        (&after["change"]["phase"], &after["current"]["id"]),
        (&json!("cancelled"), &json!(SMALL))
    );
    assert!(best(&admin, &assistant, "zebra7").await.is_some());
    let offered: Vec<_> = after["models"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| text(&model["id"]))
        .collect();
    assert!(
        offered.iter().any(|id| id == LARGE) && offered.iter().any(|id| id == "all-MiniLM-L6-v2"),
        "{offered:?}"
    );
}

#[tokio::test]
async fn a_server_of_one_s_own_embeds() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let server = Server::start_with(&[
        ("AI_ACROSS_ALLOW_PRIVATE_PROVIDERS", "true"),
        ("AI_ACROSS_EMBEDDING_MODEL", "local"),
    ])
    .await;
    let admin = server.admin().await;
    let assistant = admin.assistant("Press Writer").await;
    admin
        .knows(&assistant, "a.txt", "The launch is on the third of May in Haifa.")
        .await;
    let key = |more: Value| {
        let mut key = json!({ "provider": "custom", "name": "House", "key": "sk-house-0123456789",
                              "base_url": vendor.base_url, "embedding_model": "nomic-embed-text" });
        key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        key
    };
    let (status, refused) = admin
        .post("/api-keys", &key(json!({ "embedding_dimensions": 7 })))
        .await;
    assert_eq!(status, 422, "{refused}");
    let (status, made) = admin.post("/api-keys", &key(json!({}))).await;
    assert_eq!(
        (status, &made["embedding_model"], &made["embedding_dimensions"]),
        (201, &json!("nomic-embed-text"), &json!(1536)),
        "{made}"
    );
    let path = format!("/api-keys/{}/test", text(&made["id"]));
    assert_eq!(admin.post(&path, &Value::Null).await.1["ok"], true);
    let (status, begun) = admin
        .post("/admin/embedding/change", &json!({ "model": "nomic-embed-text" }))
        .await;
    assert_eq!(status, 202, "{begun}");
    eventually(async || (overview(&admin).await["change"]["phase"] == "done").then_some(())).await;
    assert!(best(&admin, &assistant, "When is the launch?").await.is_some());
}

#[tokio::test]
async fn r21_damaged_vectors_are_left_out_and_their_file_is_embedded_again_once() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let settings = vendor_settings(&vendor).await;
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    on_each_database(&settings, async |server: &mut Server| {
        let admin = server.admin().await;
        small_chunks(&admin).await;
        let assistant = admin.assistant("Press Writer").await;
        let file = admin.knows(&assistant, "a.txt", paragraphs("zebra", 14)).await;
        let id = text(&file["id"]);
        let database = server.database().await;
        let of = |place: usize| format!("WHERE chunk_number = (SELECT number FROM chunks WHERE chunk_index = {place})");
        for (place, cut) in [0, 1, 3, 4, 5, 1_535, 3_072, 6_140, 6_142, 6_143]
            .into_iter()
            .enumerate()
        {
            let sql = format!(
                "UPDATE chunk_vectors SET vectors = SUBSTR(vectors, 1, {cut}) {}",
                of(place)
            );
            database.execute(&sql).await;
        }
        // Flipped bits: all that is there, but not what was written.
        database
            .execute(&format!("UPDATE chunk_vectors SET checksum = checksum + 1 {}", of(10)))
            .await;
        let codes = format!("UPDATE chunk_vectors SET codes = SUBSTR(codes, 1, 700) {}", of(11));
        database.execute(&codes).await;
        let question = "What does the paragraph about zebra12 say?";
        assert_eq!(best(&admin, &assistant, question).await, Some((id.clone(), 12)));
        // It is processed again by itself, and then everything is found by its meaning.
        let whole = "SELECT CAST(COUNT(*) AS TEXT) FROM chunk_vectors WHERE LENGTH(vectors) = 6144";
        eventually(async || (database.texts(whole).await == ["14"]).then_some(())).await;
        admin.settled(&id).await;
        assert_eq!(
            best(&admin, &assistant, "What about zebra3?").await,
            Some((id.clone(), 3))
        );
        let generations = "SELECT CAST(generation AS TEXT) FROM knowledge_files";
        assert_eq!(database.texts(generations).await, ["2"]);
        database.close().await;
    })
    .await;
}

#[tokio::test]
async fn r40_every_instance_sees_what_another_changed() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let settings = vendor_settings(&vendor).await;
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let Some((one, other)) = Server::pair(&settings).await else {
        return;
    };
    let admin = one.admin().await;
    small_chunks(&admin).await;
    let there = admin.at(&other);
    let assistant = admin.assistant("Press Writer").await;
    let first = text(&admin.knows(&assistant, "a.txt", paragraphs("zebra", 5)).await["id"]);
    let (zebra, giraffe) = ("What about zebra3?", "What about giraffe2?");
    assert_eq!(best(&there, &assistant, zebra).await, Some((first.clone(), 3)));
    let second = text(&admin.knows(&assistant, "b.txt", paragraphs("giraffe", 5)).await["id"]);
    assert_eq!(best(&there, &assistant, giraffe).await, Some((second.clone(), 2)));
    // Processed again with other chunks: the other instance follows.
    let (status, body) = admin
        .patch("/settings", &json!({ "settings": { "chunk_size": 2048 } }))
        .await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(
        admin.post(&format!("/files/{first}/reprocess"), &Value::Null).await.0,
        202
    );
    eventually(async || {
        let found = best(&there, &assistant, zebra).await;
        assert!(found.is_some(), "something is found at every moment");
        (found == Some((first.clone(), 0))).then_some(())
    })
    .await;
    assert_eq!(admin.delete(&format!("/files/{first}")).await.0, 204);
    assert_eq!(best(&there, &assistant, giraffe).await, Some((second.clone(), 2)));
    assert_ne!(best(&there, &assistant, zebra).await.map(|(file, _)| file), Some(first));
    // A change of the model on one is a change on both.
    assert_eq!(
        admin
            .post("/admin/embedding/change", &json!({ "model": LARGE }))
            .await
            .0,
        202
    );
    eventually(async || {
        assert_eq!(best(&there, &assistant, giraffe).await, Some((second.clone(), 2)));
        (overview(&there).await["change"]["phase"] == "done").then_some(())
    })
    .await;
    assert_eq!(best(&there, &assistant, giraffe).await, Some((second, 2)));
}
