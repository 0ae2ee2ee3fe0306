//! A file is what its name and its content agree on, or it is refused in words.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use across_extract::{Kind, KindRefused, detect};

use crate::support::{archive, corpus, docx, epub, paragraph, pptx, shape, xlsx};

fn kind_of(name: &str, content: &[u8]) -> Result<Kind, KindRefused> {
    detect(name, &mut Cursor::new(content)).unwrap()
}

#[test]
fn good_files_are_known_whatever_the_case_of_their_extension() {
    assert_eq!(kind_of("guide.pdf", &corpus("brand-guide.pdf")), Ok(Kind::Pdf));
    assert_eq!(
        kind_of("Brief v1.2.DOCX", &corpus("campaign-brief.docx")),
        Ok(Kind::Docx)
    );
    assert_eq!(kind_of("notes.txt", "Žlutý kůň\n".as_bytes()), Ok(Kind::Txt));
    assert_eq!(kind_of("notes.Md", b"# Title\n\n<b>bold</b> & 5 < 6"), Ok(Kind::Md));
    assert_eq!(kind_of("utf16.txt", b"\xff\xfeA\0B\0"), Ok(Kind::Txt));
    assert_eq!(kind_of("notes.markdown", b"# Title"), Ok(Kind::Md));
    assert_eq!(kind_of("talk.pptx", &pptx(&[&shape("title", "A")])), Ok(Kind::Pptx));
    assert_eq!(kind_of("budget.XLSX", &xlsx("", &[])), Ok(Kind::Xlsx));
    assert_eq!(kind_of("book.epub", &epub(&["<p>A</p>"])), Ok(Kind::Epub));
    assert_eq!(kind_of("prices.csv", b"a;b\ncaf\xe9;1\n"), Ok(Kind::Csv));
    for name in ["page.html", "page.HTM", "page.xhtml"] {
        assert_eq!(kind_of(name, b"<!DOCTYPE html><p>caf\xe9"), Ok(Kind::Html));
        assert_eq!(kind_of(name, "Hello <b>you</b>".as_bytes()), Ok(Kind::Html));
    }
}

#[test]
fn kinds_have_names_that_lead_back_to_them() {
    for kind in Kind::ALL {
        assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        assert!(kind.media_type().contains('/'));
    }
    assert_eq!(Kind::parse("exe"), None);
}

#[test]
fn other_extensions_are_refused_whatever_the_content() {
    for name in ["guide.doc", "guide", "pdf", "guide.pdf.exe", ".", ""] {
        assert_eq!(
            kind_of(name, &corpus("brand-guide.pdf")),
            Err(KindRefused::UnknownExtension),
            "{name}"
        );
    }
}

#[test]
fn a_pdf_needs_its_header_near_the_start() {
    let good = corpus("brand-guide.pdf");
    let behind = |junk: usize| [vec![b' '; junk], good.clone()].concat();
    assert_eq!(kind_of("a.pdf", &behind(1019)), Ok(Kind::Pdf));
    assert_eq!(kind_of("a.pdf", &behind(1020)), Err(KindRefused::NotAPdf));
    assert_eq!(
        kind_of("a.pdf", b"<html><body>Hello</body></html>"),
        Err(KindRefused::NotAPdf)
    );
    assert_eq!(kind_of("a.pdf", b""), Err(KindRefused::NotAPdf));
    assert_eq!(kind_of("polyglot.pdf", b"<html><!-- %PDF-1.7 -->"), Ok(Kind::Pdf));
}

#[test]
fn a_docx_needs_its_main_part() {
    let spreadsheet = archive([("xl/workbook.xml", b"<workbook/>".as_slice())]);
    assert_eq!(kind_of("a.docx", &spreadsheet), Err(KindRefused::NotADocx));
    assert_eq!(
        kind_of("a.docx", &corpus("brand-guide.pdf")),
        Err(KindRefused::NotADocx)
    );
    assert_eq!(kind_of("a.docx", b"PK\x03\x04 and no more"), Err(KindRefused::NotADocx));
    assert_eq!(kind_of("a.docx", b""), Err(KindRefused::NotADocx));
    let mut cut = docx(&paragraph("text"));
    cut.truncate(cut.len() / 2);
    assert_eq!(kind_of("a.docx", &cut), Err(KindRefused::NotADocx));
    let ole = [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".as_slice(), &[0; 504]].concat();
    assert_eq!(kind_of("a.docx", &ole), Err(KindRefused::ProtectedOrOldOffice));
}

#[test]
fn archives_and_web_pages_do_not_pass_for_one_another() {
    let document = docx(&paragraph("text"));
    let all = [
        ("a.docx", KindRefused::NotADocx, document.clone()),
        ("a.pptx", KindRefused::NotAPptx, pptx(&[""])),
        ("a.xlsx", KindRefused::NotAnXlsx, xlsx("", &[])),
        ("a.epub", KindRefused::NotAnEpub, epub(&[""])),
    ];
    for (name, refusal, own) in &all {
        assert!(kind_of(name, own).is_ok(), "{name}");
        for (other, _, content) in all.iter().filter(|(other, ..)| other != name) {
            assert_eq!(kind_of(name, content), Err(*refusal), "{other} as {name}");
            assert_eq!(kind_of("a.html", content), Err(KindRefused::NotHtml), "{other}");
        }
        assert_eq!(kind_of(name, b""), Err(*refusal));
        assert_eq!(kind_of(name, &own[..own.len() / 2]), Err(*refusal));
        assert_eq!(kind_of("a.csv", own), Err(KindRefused::OtherFormat), "{name}");
    }
    for content in [
        "just words",
        "1 < 2",
        "<svg xmlns='x'><a>b</a></svg>",
        "%PDF-1.4 <p>",
        "a\0<p>",
        "",
    ] {
        assert_eq!(
            kind_of("a.html", content.as_bytes()),
            Err(KindRefused::NotHtml),
            "{content}"
        );
    }
    assert_eq!(kind_of("a.csv", b"<html><table><tr><td>1"), Err(KindRefused::Markup));
    assert_eq!(kind_of("a.csv", b"a\0b"), Err(KindRefused::NotText));
    assert_eq!(kind_of("a.csv", &[0x1a; 200]), Err(KindRefused::NotText));
}

#[test]
fn text_must_be_text() {
    let elf = [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 57]].concat();
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    for content in [
        &elf,
        png.as_slice(),
        b"a\0b",
        b"caf\xe9",
        b"\xff\xfeA",
        b"\xff\xfe\x00\xd8",
        b"\x01\x02\x03\x04ab",
    ] {
        assert_eq!(kind_of("a.md", content), Err(KindRefused::NotText), "{content:?}");
    }
    // Far into the file, too.
    let late = [vec![b'a'; 300_000], vec![0]].concat();
    assert_eq!(kind_of("a.txt", &late), Err(KindRefused::NotText));
}

#[test]
fn other_formats_do_not_pass_for_text() {
    for content in ["%PDF-1.4\n1 0 obj\n", "\u{feff} %PDF-1.4", "{\\rtf1 Hello}", "GIF89a;"] {
        assert_eq!(
            kind_of("a.txt", content.as_bytes()),
            Err(KindRefused::OtherFormat),
            "{content}"
        );
    }
}

#[test]
fn web_documents_do_not_pass_for_text() {
    let documents = [
        "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "<?xml version=\"1.0\"?>\n<!-- made by hand -->\n<svg:svg/>",
        "\n\n<!DOCTYPE HTML>\n<title>x</title>",
        "<HTML><body>x</body></HTML>",
        "<script>alert(1)</script>",
        "<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"x\">",
    ];
    for content in documents {
        assert_eq!(
            kind_of("a.txt", content.as_bytes()),
            Err(KindRefused::Markup),
            "{content}"
        );
    }
    for content in [
        "<p align=\"center\">A readme</p>\n# <html> explained",
        "<!-- draft -->\nText",
        "a <svg> is",
        "<",
        "<!--",
    ] {
        assert_eq!(kind_of("a.md", content.as_bytes()), Ok(Kind::Md), "{content}");
    }
}

#[test]
fn a_file_that_was_looked_at_stands_at_its_start() {
    for name in ["brand-guide.pdf", "campaign-brief.docx"] {
        let mut file = Cursor::new(corpus(name));
        file.seek(SeekFrom::End(0)).unwrap();
        assert!(detect(name, &mut file).unwrap().is_ok());
        assert_eq!(file.position(), 0);
    }
}

/// A disk that fails.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the disk is gone"))
    }
}

impl Seek for Broken {
    fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
        Ok(0)
    }
}

#[test]
fn a_failing_disk_is_not_blamed_on_the_file() {
    for name in [
        "a.pdf", "a.docx", "a.txt", "a.pptx", "a.xlsx", "a.csv", "a.html", "a.epub",
    ] {
        assert_eq!(detect(name, &mut Broken).unwrap_err().to_string(), "the disk is gone");
    }
}
