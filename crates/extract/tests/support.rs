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

/// A relationship as `.rels` parts list them.
pub(crate) fn relationship(id: &str, kind: &str, target: &str) -> String {
    format!(
        r#"<Relationship Id="{id}" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}" Target="{target}"/>"#
    )
}

/// A `.rels` part of these relationships.
pub(crate) fn relationships(relationships: &[String]) -> String {
    format!("<Relationships>{}</Relationships>", relationships.concat())
}

/// A presentation whose slides have these shapes.
pub(crate) fn pptx(slides: &[&str]) -> Vec<u8> {
    let mut parts = Vec::new();
    let mut related = Vec::new();
    let mut ids = String::new();
    for (number, shapes) in (1..).zip(slides) {
        related.push(relationship(
            &format!("r{number}"),
            "slide",
            &format!("slides/slide{number}.xml"),
        ));
        ids.push_str(&format!(r#"<p:sldId id="{}" r:id="r{number}"/>"#, 255 + number));
        parts.push((format!("ppt/slides/slide{number}.xml"), slide(shapes)));
    }
    parts.push((
        "ppt/presentation.xml".to_owned(),
        format!("<p:presentation><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>"),
    ));
    parts.push(("ppt/_rels/presentation.xml.rels".to_owned(), relationships(&related)));
    archive(parts.iter().map(|(name, part)| (name.as_str(), part.as_bytes())))
}

/// A slide of these shapes.
pub(crate) fn slide(shapes: &str) -> String {
    format!("<p:sld><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>")
}

/// A shape with one paragraph, which is a placeholder of this type.
pub(crate) fn shape(placeholder: &str, text: &str) -> String {
    format!(
        r#"<p:sp><p:nvSpPr><p:nvPr><p:ph type="{placeholder}"/></p:nvPr></p:nvSpPr><p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"#
    )
}

/// A spreadsheet of one sheet with these rows, and what else the archive holds.
pub(crate) fn xlsx(rows: &str, others: &[(&str, &str)]) -> Vec<u8> {
    let related = relationships(&[
        relationship("r1", "worksheet", "worksheets/sheet1.xml"),
        relationship("r2", "worksheet", "/xl/worksheets/sheet2.xml"),
        relationship("r3", "sharedStrings", "sharedStrings.xml"),
        relationship("r4", "styles", "styles.xml"),
    ]);
    let sheet = format!("<worksheet><sheetData>{rows}</sheetData></worksheet>");
    let mut parts = vec![
        (
            "xl/workbook.xml",
            r#"<workbook><sheets><sheet name="Hidden" state="hidden" r:id="r2"/><sheet name="Budget" sheetId="7" r:id="r1"/></sheets></workbook>"#,
        ),
        ("xl/_rels/workbook.xml.rels", &related),
        ("xl/worksheets/sheet1.xml", &sheet),
        (
            "xl/worksheets/sheet2.xml",
            r#"<worksheet><row><c t="str"><v>secret</v></c></row></worksheet>"#,
        ),
    ];
    parts.extend(others);
    archive(parts.into_iter().map(|(name, part)| (name, part.as_bytes())))
}

/// A book of these chapters.
pub(crate) fn epub(chapters: &[&str]) -> Vec<u8> {
    let mut parts = vec![
        ("mimetype".to_owned(), "application/epub+zip".to_owned()),
        (
            "META-INF/container.xml".to_owned(),
            r#"<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>"#.to_owned(),
        ),
    ];
    let (mut items, mut spine) = (String::new(), String::new());
    for (number, chapter) in (1..).zip(chapters) {
        items.push_str(&format!(
            r#"<item id="c{number}" href="chapter%20{number}.xhtml" media-type="application/xhtml+xml"/>"#
        ));
        spine.push_str(&format!(r#"<itemref idref="c{number}"/>"#));
        parts.push((format!("OPS/chapter {number}.xhtml"), (*chapter).to_owned()));
    }
    parts.push((
        "OPS/book.opf".to_owned(),
        format!("<package><manifest>{items}</manifest><spine>{spine}</spine></package>"),
    ));
    archive(parts.iter().map(|(name, part)| (name.as_str(), part.as_bytes())))
}

/// The words of each heading with its level.
pub(crate) fn headings(text: &Text) -> Vec<(u8, String)> {
    let words = |start: usize, end: usize| text.text.chars().skip(start).take(end - start).collect();
    text.headings
        .iter()
        .map(|heading| (heading.level, words(heading.start, heading.end)))
        .collect()
}
