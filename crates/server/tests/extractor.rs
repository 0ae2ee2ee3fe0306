//! The child that reads documents: it reads large ones, hostile ones end it alone, and failures are told apart.

use std::{fs, io::Write as _, time::Duration};

use across::knowledge::extractor::{ExtractError, Extractor as _};
use across_extract::{Kind, Unreadable};
use across_server::extractor::ChildExtractor;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ai-across");
/// Long enough for any document here on a busy machine.
const PATIENCE: Duration = Duration::from_secs(100);

/// A PDF of these objects, numbered from 1, the first of which is the catalog.
pub(crate) fn pdf(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut file = b"%PDF-1.4\n".to_vec();
    let mut index = String::from("0000000000 65535 f \n");
    for (number, object) in (1..).zip(objects) {
        index.push_str(&format!("{:010} 00000 n \n", file.len()));
        file.extend_from_slice(format!("{number} 0 obj\n").as_bytes());
        file.extend_from_slice(object);
        file.extend_from_slice(b"\nendobj\n");
    }
    let (start, size) = (file.len(), objects.len() + 1);
    let end = format!("xref\n0 {size}\n{index}trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n");
    file.extend_from_slice(end.as_bytes());
    file
}

fn stream(dictionary: &str, content: &[u8]) -> Vec<u8> {
    [
        format!("<< {dictionary} /Length {} >>\nstream\n", content.len()).as_bytes(),
        content,
        b"\nendstream",
    ]
    .concat()
}

/// A PDF whose pages have these contents, followed by more objects, the first of which has the number returned.
fn pages(contents: &[Vec<u8>], more: impl FnOnce(usize) -> Vec<Vec<u8>>) -> Vec<u8> {
    let kids: String = (0..contents.len())
        .map(|page| format!("{} 0 R ", 4 + 2 * page))
        .collect();
    let first = 4 + 2 * contents.len();
    let resources = format!("<< /Font << /F1 3 0 R >> /XObject << /X {first} 0 R >> >>");
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        format!(
            "<< /Type /Pages /Count {} /MediaBox [0 0 595 842] /Resources {resources} /Kids [{kids}] >>",
            contents.len()
        )
        .into_bytes(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_vec(),
    ];
    for (page, content) in contents.iter().enumerate() {
        objects.push(format!("<< /Type /Page /Parent 2 0 R /Contents {} 0 R >>", 5 + 2 * page).into_bytes());
        objects.push(content.clone());
    }
    objects.extend(more(first));
    pdf(&objects)
}

/// A form that draws the form with the number `next`, twice.
fn form(next: usize) -> Vec<u8> {
    let resources = format!("/Resources << /XObject << /X {next} 0 R >> >>");
    stream(
        &format!("/Type /XObject /Subtype /Form /BBox [0 0 9 9] {resources}"),
        b"/X Do /X Do",
    )
}

fn prose(page: usize) -> Vec<u8> {
    let lines = (0..40).map(|line| {
        format!(
            "BT /F1 12 Tf 50 {} Td (Page {page}, line {line} of it.) Tj ET\n",
            800 - 14 * line
        )
    });
    stream("", lines.collect::<String>().as_bytes())
}

async fn extract(with: &ChildExtractor, document: &[u8]) -> Result<across_extract::Text, ExtractError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(document).unwrap();
    with.extract(Kind::Pdf, file.path()).await
}

fn reason(result: Result<across_extract::Text, ExtractError>) -> Unreadable {
    match result {
        Err(ExtractError::Unreadable(reason)) => reason,
        Err(ExtractError::Unavailable(error)) => panic!("{error}"),
        Ok(text) => panic!("{} characters", text.text.len()),
    }
}

#[tokio::test]
async fn the_child_reads_large_documents_within_its_limits() {
    let extractor = ChildExtractor::new(PROGRAM.into(), PATIENCE);
    let contents: Vec<_> = (1..=100).map(prose).collect();
    let text = extract(&extractor, &pages(&contents, |_| Vec::new())).await.unwrap();
    assert_eq!(text.pages.len(), 100);
    let last = text.pages[99];
    let words: String = text.text.chars().skip(last.start).take(last.end - last.start).collect();
    assert!(words.contains("Page 100, line 39"), "{words}");
}

#[tokio::test]
async fn s37_hostile_documents_end_their_child_alone() {
    let extractor = ChildExtractor::new(PROGRAM.into(), PATIENCE);
    let nested = format!(
        "<< /Type /Pages /Count 0 /Kids {}{} >>",
        "[".repeat(200_000),
        "]".repeat(200_000)
    );
    let deep = pdf(&[b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(), nested.into_bytes()]);
    assert_eq!(reason(extract(&extractor, &deep).await), Unreadable::Damaged);

    // A form that draws itself fills the stack.
    let call = stream("", b"/X Do");
    let circle = pages(std::slice::from_ref(&call), |first| vec![form(first)]);
    assert_eq!(reason(extract(&extractor, &circle).await), Unreadable::TooComplex);

    // A page that inflates to a gibibyte fills the memory: the same mebibyte of blanks again and again.
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    deflate.write_all(&vec![b' '; 1024 * 1024]).unwrap();
    deflate.flush().unwrap();
    let content = [b"\x78\x01".as_slice(), &deflate.get_ref().repeat(1024)].concat();
    let bomb = pages(&[stream("/Filter /FlateDecode", &content)], |_| Vec::new());
    assert_eq!(reason(extract(&extractor, &bomb).await), Unreadable::TooComplex);

    // Forty forms that each draw the next one twice never end.
    let hasty = ChildExtractor::new(PROGRAM.into(), Duration::from_secs(1));
    let endless = pages(&[call], |first| {
        (1..=40)
            .map(|next| form(first + next))
            .chain([stream("", b"")])
            .collect()
    });
    assert_eq!(reason(extract(&hasty, &endless).await), Unreadable::TooComplex);

    let fine = extract(&extractor, &pages(&[prose(1)], |_| Vec::new())).await.unwrap();
    assert!(fine.text.contains("Page 1, line 0"));
}

#[tokio::test]
async fn a_child_that_talks_without_end_or_not_at_all_is_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let document = directory.path().join("document");
    fs::write(&document, "").unwrap();
    let with = |script: &str| {
        // Written by another process: a file that this one had open for writing may be inherited by the child of another
        // test for a moment, and cannot be run then.
        let program = directory.path().join("program");
        let mut writer = std::process::Command::new("/bin/sh");
        writer.args(["-c", "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$0\" && chmod 700 \"$0\""]);
        assert!(writer.arg(&program).arg(script).status().unwrap().success());
        ChildExtractor::new(program, PATIENCE)
    };
    let endless = with("exec yes").extract(Kind::Pdf, &document).await;
    assert_eq!(reason(endless), Unreadable::TooComplex);
    for script in ["exit 1", "kill -TERM $$", "echo nonsense"] {
        let failed = with(script).extract(Kind::Pdf, &document).await;
        assert!(matches!(failed, Err(ExtractError::Unavailable(_))), "{script}");
    }
    assert_eq!(
        reason(with("kill -KILL $$").extract(Kind::Pdf, &document).await),
        Unreadable::TooComplex
    );
    let missing = ChildExtractor::new(directory.path().join("missing"), PATIENCE)
        .extract(Kind::Pdf, &document)
        .await;
    assert!(matches!(missing, Err(ExtractError::Unavailable(_))));
    let gone = with("exit 0").extract(Kind::Pdf, &directory.path().join("gone")).await;
    assert!(matches!(gone, Err(ExtractError::Unavailable(_))));
}
