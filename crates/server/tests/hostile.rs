//! Hostile uploads over HTTP: names, bombs, and what is sent back. Documents that attack their parser are in `extractor.rs`.

use std::{collections::BTreeSet, fs, io::Write as _, path::Path};

use reqwest::Method;
use tokio::net::TcpListener;
use zip::write::SimpleFileOptions;

use crate::{
    extractor::pdf,
    harness::{Server, form, text},
};

const GUIDE: &[u8] = include_bytes!("../../extract/tests/corpus/brand-guide.pdf");

/// Every file below a folder, but for databases and logs, which come and go.
fn files_below(dir: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.insert(path.to_str().unwrap().to_owned());
            }
        }
    }
    found.retain(|path| !path.contains("ai-across.db") && !path.ends_with(".log"));
    found
}

#[tokio::test]
async fn s34_names_of_uploads_never_touch_the_file_system() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let assistant = admin.assistant("Librarian").await;
    let long = format!("{}.txt", "x".repeat(296));
    let names = [
        ("../../x.txt", Some("x.txt")),
        ("..\\..\\x.txt", Some("x.txt")),
        ("/x.txt", Some("x.txt")),
        ("C:\\x.txt", Some("x.txt")),
        ("a\u{0}.txt", None),
        (long.as_str(), None),
        (".", None),
        ("..", None),
        ("", None),
        ("CON", None),
        ("CON.txt", Some("CON.txt")),
        ("x%2f..%2fy.txt", Some("x%2f..%2fy.txt")),
        ("invoice\u{202e}fdp.txt", Some("invoicefdp.txt")),
        ("x.txt\u{85}", None),
        ("~/.ssh/authorized_keys.txt", Some("authorized_keys.txt")),
        ("|touch pwned;.txt", Some("|touch pwned;.txt")),
    ];
    let before = files_below(&server.dir);
    let mut made = BTreeSet::new();
    for (number, (name, shown)) in names.into_iter().enumerate() {
        let (status, body) = admin.upload(&assistant, name, format!("Sentence {number}.")).await;
        match status {
            201 => {
                let filename = text(&body["filename"]);
                assert!(
                    filename.len() <= 255 && !filename.contains(['/', '\\', '\0']),
                    "{filename:?}"
                );
                assert!(
                    shown.is_none_or(|shown| shown == filename),
                    "{name:?} became {filename:?}"
                );
                made.insert(
                    server
                        .dir
                        .join("files")
                        .join(text(&body["id"]))
                        .to_str()
                        .unwrap()
                        .to_owned(),
                );
            }
            // Not even a form with this name, no name, or a name without a kind.
            400 | 415 | 422 => assert_eq!(shown, None, "{name:?} {body}"),
            _ => panic!("{name:?} {status} {body}"),
        }
    }
    let after = files_below(&server.dir);
    let new: BTreeSet<_> = after.difference(&before).cloned().collect();
    assert_eq!(new, made, "nothing but the bytes under their ids");
}

fn archive(entries: impl IntoIterator<Item = (String, Vec<u8>)>) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        writer.write_all(&bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn document(body: &str) -> (String, Vec<u8>) {
    ("word/document.xml".to_owned(), body.as_bytes().to_vec())
}

const EMPTY: &str = "<w:document xmlns:w=\"w\"><w:body/></w:document>";

#[tokio::test]
async fn s36_bombs_stop_early_and_reach_nobody() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let assistant = admin.assistant("Librarian").await;
    // Where entities would be fetched from.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap();
    let external = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE d [<!ENTITY x SYSTEM \"http://{host}/x\"><!ENTITY % y SYSTEM \
         \"http://{host}/y\"> %y;]><w:document xmlns:w=\"w\"><w:body><w:p><w:r><w:t>&x;</w:t></w:r></w:p></w:body></w:document>"
    );
    let blanks = vec![b' '; 64 * 1024 * 1024];
    let inner = archive([document(&" ".repeat(8 * 1024 * 1024))]);
    let nested = archive(
        (0..20)
            .map(|n| (format!("word/embeddings/{n}.docx"), inner.clone()))
            .chain([document(EMPTY)]),
    );
    let crowded = archive(
        (0..100_000)
            .map(|n| (format!("word/media/{n}"), Vec::new()))
            .chain([document(EMPTY)]),
    );
    let many = archive(
        (0..4)
            .map(|n| (format!("word/footnotes{n}.xml"), blanks.clone()))
            .chain([("word/document.xml".to_owned(), blanks.clone())]),
    );
    // The first run of anything takes memory that stays.
    admin.knows(&assistant, "first.txt", "All is well.").await;
    let before = server.memory();
    let mut most = 0;
    for (name, bytes) in [
        ("external.docx", archive([document(&external)])),
        ("nested.docx", nested),
        ("crowded.docx", crowded),
        ("many.docx", many),
    ] {
        let begun = std::time::Instant::now();
        let (status, made) = admin.upload(&assistant, name, bytes).await;
        // An archive of too many entries is not even taken.
        if status != 415 {
            assert_eq!(status, 201, "{name}: {made}");
            let file = admin.settled(&text(&made["id"])).await;
            assert_eq!(file["status"], "error", "{name}: {file}");
            assert!(!text(&file["error_message"]).is_empty(), "{file}");
        }
        most = most.max(server.memory());
        // Ten seconds on a machine with nothing else to do.
        assert!(begun.elapsed().as_secs() < 30, "{name}: {:?}", begun.elapsed());
    }
    let grown = most.saturating_sub(before) / (1024 * 1024);
    assert!(grown < 300, "{grown} MiB more");
    let heard = tokio::select! {
        biased;
        heard = listener.accept() => Some(heard),
        () = std::future::ready(()) => None,
    };
    assert!(heard.is_none(), "somebody fetched an entity");
    assert_eq!(
        admin.knows(&assistant, "good.txt", "All is still well.").await["status"],
        "ready"
    );
}

fn objects<const N: usize>(objects: [&str; N]) -> Vec<Vec<u8>> {
    objects.map(|object| object.as_bytes().to_vec()).into()
}

#[tokio::test]
async fn s37_hostile_documents_leave_the_process_and_other_files_alone() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let assistant = admin.assistant("Librarian").await;
    let catalog = "<< /Type /Catalog /Pages 2 0 R >>";
    let words = "<< /Length 40 >>\nstream\nBT /F1 12 Tf 50 700 Td <00410042> Tj ET  \nendstream";
    let circle = pdf(&objects([
        catalog,
        "<< /Type /Pages /Count 2 /Kids [3 0 R 2 0 R] >>",
        "<< /Type /Pages /Parent 2 0 R /Count 1 /Kids [2 0 R] >>",
    ]));
    let wide = pdf(&objects([
        catalog,
        "<< /Type /Pages /Count 1 /MediaBox [0 0 595 842] /Kids [3 0 R] >>",
        "<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        words,
        "<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /DescendantFonts [6 0 R] >>",
        "<< /Type /Font /Subtype /CIDFontType2 /BaseFont /X /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) \
         /Supplement 0 >> /W [0 2147483647 1000 2147483648 4294967295 500] >>",
    ]));
    let kids: String = (0..100_000).map(|page| format!("{} 0 R ", page + 3)).collect();
    let mut crowd = objects([catalog, &format!("<< /Type /Pages /Count 100000 /Kids [{kids}] >>")]);
    crowd.extend((0..100_000).map(|_| b"<< /Type /Page /Parent 2 0 R >>".to_vec()));
    let mut waiting = Vec::new();
    for (name, bytes) in [("circle.pdf", circle), ("wide.pdf", wide), ("crowd.pdf", pdf(&crowd))] {
        let (status, file) = admin.upload(&assistant, name, bytes).await;
        assert_eq!(status, 201, "{file}");
        waiting.push((name, text(&file["id"])));
    }
    let good = admin.knows(&assistant, "good.txt", "All is well.").await;
    assert_eq!(good["status"], "ready", "{good}");
    for (name, id) in waiting {
        let file = admin.settled(&id).await;
        // Wide letters may be read: what matters is that nothing was made of two billion widths.
        assert!(file["status"] == "error" || name == "wide.pdf", "{name}: {file}");
    }
    assert!(!server.log().contains("panicked"), "the process itself took no harm");
    assert_eq!(admin.get("/health").await.0, 200);
}

#[tokio::test]
async fn s39_stored_files_are_inert_when_fetched() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let assistant = admin.assistant("Librarian").await;
    let script =
        |name: &str| format!("# {name}\n\n<script>alert(1)</script>\n\n<img src=x onerror=alert(1)><p>x").into_bytes();
    let polyglot = [GUIDE, b"\n<html><script>alert(1)</script></html>"].concat();
    for (name, bytes, kind) in [
        ("page.md", script("md"), "text/markdown; charset=utf-8"),
        ("page.txt", script("txt"), "text/plain; charset=utf-8"),
        ("page.csv", script("csv"), "text/csv"),
        ("page.html", script("html"), "text/html"),
        ("both.pdf", polyglot, "application/pdf"),
    ] {
        let (status, file) = admin.upload(&assistant, name, bytes.clone()).await;
        assert_eq!(status, 201, "{file}");
        let path = format!("/files/{}/content", text(&file["id"]));
        let response = admin.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), kind);
        assert_eq!(header("content-security-policy"), "sandbox; default-src 'none'");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert!(header("content-disposition").starts_with("attachment; "), "{name}");
        assert_eq!(response.bytes().await.unwrap(), bytes);
    }
    // A name that would end the header is encoded.
    let (kind, body) = form(&assistant, "a%22%0D%0A;b.md", b"Another sentence.");
    let request = admin.request(Method::POST, "/files").header("content-type", kind);
    let file: serde_json::Value = request.body(body).send().await.unwrap().json().await.unwrap();
    let path = format!("/files/{}/content", text(&file["id"]));
    let response = admin.request(Method::GET, &path).send().await.unwrap();
    let disposition = response.headers()["content-disposition"].to_str().unwrap();
    let (_, encoded) = disposition.split_once("filename*=UTF-8''").unwrap();
    assert!(
        encoded
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"%._-".contains(&byte)),
        "{disposition}"
    );
}
