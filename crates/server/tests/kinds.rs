//! Every kind of document on its whole way: uploaded, cut under its headings, found, cited, and sent to the model.

use std::{fmt::Write as _, io::Write as _};

use across_testkit::vendor::ScriptedVendor;
use serde_json::{Value, json};

use crate::{
    chat::with_vendor,
    harness::{Person, text},
};

/// The heading under which every document says what it knows.
const HEADING: &str = "Lamps & lights";
const QUESTION: &str = "How long does the Sextant lamp take to make?";
const FACT: &str = "The Sextant lamp takes six weeks to make, and the glass comes from Bohemia.";
/// Enough to part the heading from the fact, so that only what was kept of it can bring them together.
const PARAGRAPHS: usize = 12;

/// What stands between heading and fact.
fn filler() -> impl Iterator<Item = String> {
    (1..=PARAGRAPHS).map(|number| {
        format!("Note {number}: the workshop closes at noon on Fridays and the yard is swept before anybody goes home.")
    })
}

/// All of the document but its heading.
fn body() -> Vec<String> {
    filler().chain([FACT.to_owned()]).collect()
}

/// A zip of these parts, not deflated.
fn archive(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, content) in parts {
        writer.start_file(*name, stored).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;")
}

/// The body of a web page or of a book's chapter.
fn web() -> String {
    let paragraphs: String = body().iter().map(|words| format!("<p>{words}</p>")).collect();
    format!("<body><h1>{}</h1>{paragraphs}</body>", escaped(HEADING))
}

fn html() -> Vec<u8> {
    format!("<!DOCTYPE html><html><head><title>No</title></head>{}</html>", web()).into_bytes()
}

fn epub() -> Vec<u8> {
    let chapter = format!("<html xmlns=\"http://www.w3.org/1999/xhtml\">{}</html>", web());
    archive(&[
        ("mimetype", "application/epub+zip"),
        (
            "META-INF/container.xml",
            r#"<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>"#,
        ),
        (
            "OPS/book.opf",
            r#"<package><manifest><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="a"/></spine></package>"#,
        ),
        ("OPS/a.xhtml", &chapter),
    ])
}

const RELATED: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

/// A `.rels` part of one relationship.
fn related(kind: &str, target: &str) -> String {
    format!(r#"<Relationships><Relationship Id="r1" Type="{RELATED}/{kind}" Target="{target}"/></Relationships>"#)
}

fn pptx() -> Vec<u8> {
    let shape = |placeholder: &str, paragraphs: &[String]| {
        let mut words = String::new();
        for paragraph in paragraphs {
            write!(words, "<a:p><a:r><a:t>{}</a:t></a:r></a:p>", escaped(paragraph)).unwrap();
        }
        format!(
            r#"<p:sp><p:nvSpPr><p:nvPr><p:ph type="{placeholder}"/></p:nvPr></p:nvSpPr><p:txBody>{words}</p:txBody></p:sp>"#
        )
    };
    let shapes = [shape("title", &[HEADING.to_owned()]), shape("body", &body())].concat();
    archive(&[
        (
            "ppt/presentation.xml",
            r#"<p:presentation><p:sldIdLst><p:sldId id="256" r:id="r1"/></p:sldIdLst></p:presentation>"#,
        ),
        ("ppt/_rels/presentation.xml.rels", &related("slide", "slides/a.xml")),
        (
            "ppt/slides/a.xml",
            &format!("<p:sld><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>"),
        ),
    ])
}

/// The name of a sheet is the heading of its rows.
fn xlsx() -> Vec<u8> {
    let mut rows = String::new();
    for words in body() {
        write!(rows, r#"<row><c t="str"><v>{words}</v></c><c><v>7</v></c></row>"#).unwrap();
    }
    let name = escaped(HEADING);
    archive(&[
        (
            "xl/workbook.xml",
            &format!(r#"<workbook><sheets><sheet name="{name}" sheetId="1" r:id="r1"/></sheets></workbook>"#),
        ),
        ("xl/_rels/workbook.xml.rels", &related("worksheet", "worksheets/a.xml")),
        (
            "xl/worksheets/a.xml",
            &format!("<worksheet><sheetData>{rows}</sheetData></worksheet>"),
        ),
    ])
}

/// The first row of a table names its columns, which is not a heading.
fn csv() -> Vec<u8> {
    let rows: String = body().iter().map(|words| format!("\"{words}\";7\n")).collect();
    format!("note;number\n{rows}").into_bytes()
}

/// The passage that a search kept and that holds the fact, which stands far from the heading.
async fn found(admin: &Person, assistant: &str, file: &Value) -> Value {
    let path = format!("/assistants/{assistant}/retrieval-test");
    let (status, told) = admin.post(&path, &json!({ "question": QUESTION })).await;
    assert_eq!(status, 200, "{told}");
    let passages = told["passages"].as_array().unwrap();
    let found = passages
        .iter()
        .find(|passage| passage["kept"] == true && text(&passage["text"]).contains(FACT));
    let found = found.unwrap_or_else(|| panic!("not found: {told}"));
    assert_eq!(found["file_id"], file["id"], "{found}");
    found.clone()
}

/// The system prompt of the last chat that the vendor got.
fn prompt(vendor: &ScriptedVendor) -> String {
    let requests = vendor.requests();
    let chat = requests
        .iter()
        .rfind(|request| request.path.ends_with("/chat/completions"));
    text(&chat.unwrap().body["messages"][0]["content"])
}

#[tokio::test]
async fn a_fact_of_every_kind_is_found_cited_and_sent_with_its_heading() {
    let (server, vendor) = with_vendor().await;
    let admin = server.admin().await;
    let cut = json!({ "settings": { "chunk_size": 64, "chunk_overlap": 0 } });
    assert_eq!(admin.patch("/settings", &cut).await.0, 200);
    let documents = [
        ("lamps.pptx", pptx(), json!(HEADING), json!(1)),
        ("lamps.xlsx", xlsx(), json!(HEADING), json!(1)),
        ("lamps.csv", csv(), Value::Null, Value::Null),
        ("lamps.html", html(), json!(HEADING), Value::Null),
        ("lamps.epub", epub(), json!(HEADING), Value::Null),
    ];
    for (name, bytes, heading, page) in documents {
        let assistant = admin.assistant(name).await;
        let file = admin.knows(&assistant, name, bytes).await;
        assert_eq!(file["status"], "ready", "{file}");

        let path = format!("/files/{}/chunks?limit=100", text(&file["id"]));
        let (_, listed) = admin.get(&path).await;
        let chunks = listed["chunks"].as_array().unwrap();
        let holding: Vec<_> = chunks
            .iter()
            .filter(|chunk| text(&chunk["text"]).contains(FACT))
            .collect();
        let [chunk] = holding.as_slice() else {
            panic!("{name}: {listed}");
        };
        assert!(
            chunk["index"].as_u64() > Some(1),
            "{name}: far from the heading: {chunk}"
        );
        assert!(!text(&chunk["text"]).contains(HEADING), "{name}: {chunk}");
        assert_eq!((&chunk["heading"], &chunk["page"]), (&heading, &page), "{name}");

        let passage = found(&admin, &assistant, &file).await;
        assert_eq!(
            (&passage["heading"], &passage["hit_chunk_index"], &passage["page"]),
            (&heading, &chunk["index"], &page),
            "{name}"
        );

        let conversation = admin.conversation(&assistant).await;
        let events = admin.ask(&conversation, QUESTION).await.all().await;
        let told = events.iter().find(|event| event["type"] == "citations").unwrap();
        let citation = &told["citations"][0];
        assert_eq!(
            (&citation["file_id"], &citation["filename"]),
            (&file["id"], &json!(name)),
            "{told}"
        );
        assert_eq!((&citation["heading"], &citation["page"]), (&heading, &page), "{name}");
        let (_, kept) = admin.get(&format!("/conversations/{conversation}/messages")).await;
        assert_eq!(kept["messages"][1]["citations"], told["citations"], "{name}");

        let page = page.as_u64().map(|page| format!(", page {page}")).unwrap_or_default();
        let heading = heading
            .as_str()
            .map(|heading| format!(", {heading}"))
            .unwrap_or_default();
        let prompt = prompt(&vendor);
        let source = format!("[1] {name}{page}{heading}\n");
        assert!(prompt.contains(&source) && prompt.contains(FACT), "{name}: {prompt}");
    }
}
