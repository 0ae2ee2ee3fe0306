//! The corpus, and small documents and archives made to measure.

use std::io::{Cursor, Write};

use across_extract::Text;
use zip::write::{SimpleFileOptions, ZipWriter};

/// The namespace of Word's elements.
const WORD: &str = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";

/// A document of the corpus.
pub(crate) fn corpus(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/corpus/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The text of the page with this number, cut out by its offsets.
pub(crate) fn page(text: &Text, number: u32) -> String {
    let page = text.pages.iter().find(|page| page.number == number).unwrap();
    text.text.chars().skip(page.start).take(page.end - page.start).collect()
}

/// A zip of these entries, deflated.
pub(crate) fn archive<'a>(entries: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A Word document whose body is this XML.
pub(crate) fn docx(body: &str) -> Vec<u8> {
    archive([("word/document.xml", document(body).as_bytes())])
}

/// The main part of a Word document around this XML.
pub(crate) fn document(body: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>"#
    )
}

/// A paragraph with this text, which may hold markup.
pub(crate) fn paragraph(text: &str) -> String {
    format!(r#"<w:p><w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>"#)
}

/// A PDF of these objects, numbered from 1, the first of which is the catalog.
pub(crate) fn pdf(objects: &[String]) -> Vec<u8> {
    let mut file = String::from("%PDF-1.4\n");
    let mut index = String::from("0000000000 65535 f \n");
    for (number, object) in (1..).zip(objects) {
        index.push_str(&format!("{:010} 00000 n \n", file.len()));
        file.push_str(&format!("{number} 0 obj\n{object}\nendobj\n"));
    }
    let (start, size) = (file.len(), objects.len() + 1);
    file.push_str(&format!(
        "xref\n0 {size}\n{index}trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    ));
    file.into_bytes()
}

/// A PDF with one page for each content stream. Object 1 is the catalog, 2 the page tree, 3 the font.
pub(crate) fn pdf_of_pages(contents: &[&str]) -> Vec<u8> {
    let kids: Vec<_> = (0..contents.len())
        .map(|index| format!("{} 0 R", 4 + 2 * index))
        .collect();
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!(
            "<< /Type /Pages /Count {} /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Kids [{}] >>",
            kids.len(),
            kids.join(" ")
        ),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
    ];
    for (index, content) in contents.iter().enumerate() {
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /Contents {} 0 R >>",
            5 + 2 * index
        ));
        objects.push(format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()));
    }
    pdf(&objects)
}
