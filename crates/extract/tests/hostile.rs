//! Files made to hurt are refused with the right reason, before they cost much.

use std::io::{Cursor, Write};

use across_extract::{Kind, MAX_CHARS, MAX_ENTRIES, MAX_PAGES, MAX_XML_DEPTH, Unreadable, detect, extract};
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::support::{archive, corpus, document, docx, paragraph, pdf, pdf_of_pages};

fn refusal(kind: Kind, bytes: &[u8]) -> Unreadable {
    extract(kind, bytes).map(|text| text.text.len()).unwrap_err()
}

/// A part of `size` bytes of blanks before the body.
fn swollen(size: usize) -> Vec<u8> {
    let (start, end) = (
        document("").replace("</w:body></w:document>", ""),
        "</w:body></w:document>",
    );
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .start_file("word/document.xml", SimpleFileOptions::default())
        .unwrap();
    writer.write_all(start.as_bytes()).unwrap();
    let blanks = vec![b' '; 1024 * 1024];
    for _ in 0..size / blanks.len() {
        writer.write_all(&blanks).unwrap();
    }
    writer.write_all(paragraph("text").as_bytes()).unwrap();
    writer.write_all(end.as_bytes()).unwrap();
    writer.finish().unwrap().into_inner()
}

#[test]
fn a_part_that_inflates_too_far_is_a_bomb() {
    assert_eq!(refusal(Kind::Docx, &swollen(64 * 1024 * 1024)), Unreadable::ArchiveBomb);
}

#[test]
fn a_bomb_in_a_part_that_is_not_read_costs_nothing() {
    let blanks = vec![b' '; 8 * 1024 * 1024];
    let body = document(&paragraph("text"));
    let file = archive([
        ("word/media/image1.png", blanks.as_slice()),
        ("word/document.xml", body.as_bytes()),
    ]);
    assert_eq!(extract(Kind::Docx, &file).unwrap().text, "text");
}

#[test]
fn an_archive_of_too_many_entries_is_a_bomb() {
    let body = document(&paragraph("text"));
    let with_entries = |count: usize| {
        let names: Vec<_> = (1..count).map(|number| format!("e{number}")).collect();
        let others = names.iter().map(|name| (name.as_str(), b"".as_slice()));
        archive([("word/document.xml", body.as_bytes())].into_iter().chain(others))
    };
    assert_eq!(extract(Kind::Docx, &with_entries(MAX_ENTRIES)).unwrap().text, "text");
    let file = with_entries(MAX_ENTRIES + 1);
    assert_eq!(detect("a.docx", &mut Cursor::new(&file)).unwrap(), Ok(Kind::Docx));
    assert_eq!(refusal(Kind::Docx, &file), Unreadable::ArchiveBomb);
}

#[test]
fn overlapping_entries_are_a_bomb() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .start_file("word/document.xml", SimpleFileOptions::default())
        .unwrap();
    writer.write_all(document(&paragraph("text")).as_bytes()).unwrap();
    writer
        .shallow_copy_file("word/document.xml", "word/header1.xml")
        .unwrap();
    let file = writer.finish().unwrap().into_inner();
    assert_eq!(refusal(Kind::Docx, &file), Unreadable::ArchiveBomb);
}

#[test]
fn declared_entities_are_refused_before_they_expand() {
    let laughs = r#"<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><d><t>&b;</t></d>"#;
    let outside = r#"<?xml version="1.0"?><!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><d><t>&x;</t></d>"#;
    for part in [laughs, outside] {
        let file = archive([("word/document.xml", part.as_bytes())]);
        assert_eq!(refusal(Kind::Docx, &file), Unreadable::XmlRefused);
    }
    assert_eq!(
        refusal(Kind::Docx, &docx(&paragraph("&unheard;"))),
        Unreadable::XmlRefused
    );
}

#[test]
fn xml_may_nest_to_the_limit_and_no_deeper() {
    // Document and body, paragraph, run and text are open as well.
    let nested = |depth: usize| {
        docx(&format!(
            "{}{}{}",
            "<w:x>".repeat(depth),
            paragraph("deep"),
            "</w:x>".repeat(depth)
        ))
    };
    assert_eq!(extract(Kind::Docx, &nested(MAX_XML_DEPTH - 5)).unwrap().text, "deep");
    assert_eq!(refusal(Kind::Docx, &nested(MAX_XML_DEPTH - 4)), Unreadable::XmlRefused);
    assert_eq!(
        refusal(Kind::Docx, &docx(&"<w:x>".repeat(100_000))),
        Unreadable::XmlRefused
    );
}

#[test]
fn broken_word_files_are_damaged() {
    let good = corpus("campaign-brief.docx");
    assert_eq!(refusal(Kind::Docx, &good[..good.len() / 2]), Unreadable::Damaged);
    assert_eq!(refusal(Kind::Docx, &docx("<w:p><w:r></w:p>")), Unreadable::Damaged);
    let cut = document(&paragraph("text")).replace("</w:body></w:document>", "");
    assert_eq!(
        refusal(Kind::Docx, &archive([("word/document.xml", cut.as_bytes())])),
        Unreadable::Damaged
    );
    assert_eq!(
        refusal(Kind::Docx, &archive([("other.xml", b"<a/>".as_slice())])),
        Unreadable::Damaged
    );
    assert_eq!(refusal(Kind::Docx, b""), Unreadable::Damaged);
}

#[test]
fn word_files_without_text_or_with_a_password_say_so() {
    assert_eq!(refusal(Kind::Docx, &docx("<w:p/>")), Unreadable::NoText);
    let ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and so on";
    assert_eq!(refusal(Kind::Docx, ole), Unreadable::ProtectedOrOldOffice);
}

#[test]
fn a_pdf_cut_short_is_damaged_and_not_a_shorter_document() {
    for name in ["brand-guide.pdf", "nettle-manual.pdf"] {
        let good = corpus(name);
        for part in [4, 2] {
            assert_eq!(
                refusal(Kind::Pdf, &good[..good.len() / part]),
                Unreadable::Damaged,
                "{name} 1/{part}"
            );
        }
    }
}

#[test]
fn what_is_no_pdf_is_damaged() {
    for content in [
        b"".as_slice(),
        b"%PDF-1.7",
        b"<html>no</html>",
        b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF",
    ] {
        assert_eq!(refusal(Kind::Pdf, content), Unreadable::Damaged);
    }
}

#[test]
fn a_pdf_has_at_most_so_many_pages() {
    let contents = vec!["BT /F1 12 Tf (x) Tj ET"; MAX_PAGES + 1];
    assert_eq!(refusal(Kind::Pdf, &pdf_of_pages(&contents)), Unreadable::TooManyPages);
    let most = extract(Kind::Pdf, &pdf_of_pages(&contents[..MAX_PAGES])).unwrap();
    assert_eq!(most.pages.len(), MAX_PAGES);
}

#[test]
fn a_page_tree_that_bites_its_tail_ends() {
    let file = pdf(&[
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Count 2 /Kids [2 0 R 2 0 R] >>".to_owned(),
    ]);
    assert_eq!(refusal(Kind::Pdf, &file), Unreadable::Damaged);
}

#[test]
fn a_page_whose_parents_run_in_a_circle_is_read() {
    let content = "BT /F1 12 Tf 50 700 Td (Round and round) Tj ET";
    let file = pdf(&[
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Count 1 /Parent 6 0 R /Kids [3 0 R] >>".to_owned(),
        "<< /Type /Page /Parent 6 0 R /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>".to_owned(),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
        "<< /Type /Pages /Parent 2 0 R >>".to_owned(),
    ]);
    assert_eq!(extract(Kind::Pdf, &file).unwrap().text, "Round and round");
}

#[test]
fn deeply_nested_arrays_do_not_exhaust_the_stack() {
    let file = pdf(&[
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!(
            "<< /Type /Pages /Count 0 /Kids {}{} >>",
            "[".repeat(200_000),
            "]".repeat(200_000)
        ),
    ]);
    assert_eq!(refusal(Kind::Pdf, &file), Unreadable::Damaged);
}

#[test]
fn more_text_than_allowed_is_refused_in_every_format() {
    let most = "a".repeat(MAX_CHARS);
    assert_eq!(extract(Kind::Txt, most.as_bytes()).unwrap().text.len(), MAX_CHARS);
    assert_eq!(
        refusal(Kind::Txt, format!("{most}a").as_bytes()),
        Unreadable::TooMuchText
    );
    // Stored rather than deflated, so that the ratio has nothing to say.
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    writer.start_file("word/document.xml", stored).unwrap();
    writer
        .write_all(document(&paragraph(&format!("{most}a"))).as_bytes())
        .unwrap();
    let file = writer.finish().unwrap().into_inner();
    assert_eq!(refusal(Kind::Docx, &file), Unreadable::TooMuchText);
}

#[test]
fn binary_and_blank_text_files_are_refused() {
    assert_eq!(refusal(Kind::Txt, b"a\0b"), Unreadable::NotText);
    assert_eq!(refusal(Kind::Md, b"caf\xe9"), Unreadable::NotText);
    assert_eq!(refusal(Kind::Txt, b" \r\n\t\n"), Unreadable::Empty);
    assert_eq!(refusal(Kind::Md, b""), Unreadable::Empty);
}
