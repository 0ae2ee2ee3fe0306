//! Knowledge files over HTTP: what is accepted, what becomes of it, what is refused.

use std::io::Write as _;

use reqwest::Method;
use serde_json::json;

use crate::harness::{Person, Server, form, text};

const GUIDE: &[u8] = include_bytes!("../../extract/tests/corpus/brand-guide.pdf");
const BRIEF: &[u8] = include_bytes!("../../extract/tests/corpus/campaign-brief.docx");
const ENCRYPTED: &[u8] = include_bytes!("../../extract/tests/corpus/password.pdf");

#[tokio::test]
async fn a_real_pdf_becomes_searchable_with_true_places() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let assistant = admin.assistant("Librarian").await;
    let file = admin.knows(&assistant, "guide.pdf", GUIDE).await;
    assert_eq!(
        (file["status"].as_str(), file["progress"].as_u64()),
        (Some("ready"), Some(100)),
        "{file}"
    );
    assert_eq!(file["chunk_count"], 3, "a chunk for each page");
    let id = text(&file["id"]);

    let (_, whole) = admin.get(&format!("/files/{id}/text")).await;
    let characters: Vec<char> = text(&whole["text"]).chars().collect();
    assert_eq!(whole["pages"].as_array().unwrap().len(), 3);
    let (_, chunks) = admin.get(&format!("/files/{id}/chunks?limit=100")).await;
    for chunk in chunks["chunks"].as_array().unwrap() {
        let (start, end) = (
            chunk["start"].as_u64().unwrap() as usize,
            chunk["end"].as_u64().unwrap() as usize,
        );
        assert_eq!(characters[start..end].iter().collect::<String>(), text(&chunk["text"]));
        let page = chunk["page"].as_u64().unwrap() as usize;
        let span = &whole["pages"][page - 1];
        assert!((span["start"].as_u64().unwrap() as usize..=span["end"].as_u64().unwrap() as usize).contains(&start));
    }

    let found = admin
        .post(
            &format!("/assistants/{assistant}/retrieval-test"),
            &json!({ "question": "How long does the Sextant lamp take to make?" }),
        )
        .await
        .1;
    assert_eq!(found["passages"][0]["kept"], true);
    assert!(
        text(&found["passages"][0]["text"]).contains("six weeks"),
        "{}",
        found["passages"][0]
    );

    let download = admin
        .request(Method::GET, &format!("/files/{id}/content"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        download.headers()["content-disposition"],
        "attachment; filename=\"guide.pdf\"; filename*=UTF-8''guide.pdf"
    );
    assert_eq!(
        download.headers()["content-security-policy"],
        "sandbox; default-src 'none'"
    );
    assert_eq!(download.bytes().await.unwrap(), GUIDE);
}

#[tokio::test]
async fn word_text_and_markdown_are_read_and_removal_is_final() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let assistant = admin.assistant("Librarian").await;
    let docx = admin.knows(&assistant, "brief.docx", BRIEF).await;
    assert_eq!(docx["status"], "ready", "{docx}");
    let note = admin
        .knows(
            &assistant,
            "note.md",
            "# Launch\n\nThe mainnet of Chainlab opens on 14 October.",
        )
        .await;
    let plain = admin
        .knows(&assistant, "הערה.txt", "הרשת נפתחת באוקטובר".as_bytes())
        .await;
    assert_eq!(
        (note["status"].as_str(), plain["filename"].as_str()),
        (Some("ready"), Some("הערה.txt"))
    );
    assert_eq!(
        admin
            .get(&format!("/files?assistant_id={assistant}&status=ready"))
            .await
            .1["total"],
        3
    );
    assert_eq!(admin.get(&format!("/assistants/{assistant}")).await.1["file_count"], 3);

    let (status, again) = admin
        .upload(
            &assistant,
            "other name.md",
            "# Launch\n\nThe mainnet of Chainlab opens on 14 October.",
        )
        .await;
    assert_eq!((status, &again["details"][0]["file_id"]), (409, &note["id"]));

    let path = format!("/files/{}", text(&note["id"]));
    assert_eq!(admin.post(&format!("{path}/reprocess"), &json!({})).await.0, 202);
    assert_eq!(admin.settled(&text(&note["id"])).await["status"], "ready");
    let question = json!({ "question": "When does the mainnet of Chainlab open?" });
    let found = admin
        .post(&format!("/assistants/{assistant}/retrieval-test"), &question)
        .await
        .1;
    assert_eq!(found["passages"][0]["file_id"], note["id"]);
    assert_eq!(admin.delete(&path).await.0, 204);
    assert_eq!(admin.delete(&path).await.0, 404);
    let found = admin
        .post(&format!("/assistants/{assistant}/retrieval-test"), &question)
        .await
        .1;
    assert!(
        found["passages"]
            .as_array()
            .unwrap()
            .iter()
            .all(|passage| passage["file_id"] != note["id"])
    );
    assert_eq!(admin.get(&format!("{path}/text")).await.0, 404);
}

#[tokio::test]
async fn s35_what_is_not_what_it_says_is_refused() {
    let (server, people) = Server::with_people().await;
    let manager = &people.manager;
    let assistant = manager.assistant("Librarian").await;
    let check = async |name: &str, bytes: &[u8], expected: u16| {
        let (status, body) = manager.upload(&assistant, name, bytes).await;
        assert_eq!(status, expected, "{name}: {body}");
    };
    check("page.pdf", b"<html><script>alert(1)</script></html>", 415).await;
    check("pdf.txt", GUIDE, 415).await;
    check("elf.md", b"\x7fELF\x02\x01\x01\0\0\0\0", 415).await;
    check("program.exe", b"MZ", 415).await;
    check("zip.docx", &zip(&[("readme.txt", b"hello".to_vec())]), 415).await;
    check("empty.txt", b"", 422).await;
    check("..", b"text", 422).await;
    check("large.txt", &vec![b'a'; 25 * 1024 * 1024 + 1], 413).await;
    assert_eq!(
        manager
            .upload("01890a5d-ac96-774b-bcce-b302099a8057", "a.txt", "text")
            .await
            .0,
        404
    );
    assert_eq!(manager.upload("nonsense", "a.txt", "text").await.0, 422);
    assert_eq!(people.user.upload(&assistant, "a.txt", "text").await.0, 403);
    assert_eq!(manager.get("/files").await.1["total"], 0);
    let left: Vec<_> = ["tmp", "files"]
        .iter()
        .flat_map(|dir| std::fs::read_dir(server.dir.join(dir)).into_iter().flatten())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn forms_that_lie_are_refused() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let assistant = admin.assistant("Librarian").await;
    let send = async |kind: &str, body: Vec<u8>| {
        let request = admin
            .request(Method::POST, "/files")
            .header("content-type", kind)
            .body(body);
        request.send().await.unwrap().status().as_u16()
    };
    let (kind, whole) = form(&assistant, "a.txt", b"text");
    assert_eq!(send("application/json", b"{}".to_vec()).await, 415);
    assert_eq!(send("multipart/form-data", whole.clone()).await, 400);
    assert_eq!(send(&kind, whole[..whole.len() - 12].to_vec()).await, 400);
    let part = |name: &str| format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\nx\r\n").into_bytes();
    let end = b"--B--\r\n".to_vec();
    assert_eq!(send(&kind, [part("status"), end.clone()].concat()).await, 422);
    assert_eq!(send(&kind, [part("file"), end.clone()].concat()).await, 422);
    assert_eq!(send(&kind, end).await, 422);
    let twice = [&whole[..whole.len() - 7], &form(&assistant, "b.txt", b"more").1].concat();
    assert_eq!(send(&kind, twice).await, 422);
    assert_eq!(admin.get("/files").await.1["total"], 0);
}

#[tokio::test]
async fn s36_hostile_documents_cost_one_file_and_say_why() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let assistant = admin.assistant("Librarian").await;
    let document = |xml: &str| zip(&[("word/document.xml", xml.as_bytes().to_vec())]);
    let check = async |person: &Person, name: &str, bytes: Vec<u8>, says: &str| {
        let file = person.knows(&assistant, name, bytes).await;
        let message = file["error_message"].as_str().unwrap_or_default();
        assert!(file["status"] == "error" && message.contains(says), "{name}: {file}");
    };
    check(&admin, "locked.pdf", ENCRYPTED.to_vec(), "password").await;
    check(
        &admin,
        "broken.pdf",
        b"%PDF-1.4\nnothing of the kind".to_vec(),
        "damaged",
    )
    .await;
    check(
        &admin,
        "bomb.docx",
        zip(&[("word/document.xml", vec![b' '; 210 * 1024 * 1024])]),
        "",
    )
    .await;
    let laughs =
        "<?xml version=\"1.0\"?><!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]><w:document>&b;</w:document>";
    check(&admin, "laughs.docx", document(laughs), "").await;
    check(
        &admin,
        "empty.docx",
        document("<w:document xmlns:w=\"w\"><w:body/></w:document>"),
        "",
    )
    .await;
    let arrays = format!(
        "%PDF-1.4\n1 0 obj\n{}{}\nendobj\ntrailer<</Root 1 0 R>>\n%%EOF",
        "[".repeat(200_000),
        "]".repeat(200_000)
    );
    check(&admin, "deep.pdf", arrays.into_bytes(), "").await;
    // The server lives, and good files still go through.
    assert_eq!(
        admin.knows(&assistant, "good.txt", "All is well.").await["status"],
        "ready"
    );
}

fn zip(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer
            .start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}
