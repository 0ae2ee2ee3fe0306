//! Presentations, spreadsheets, books, tables and web pages made to hurt are refused with the right reason.

use across_extract::{Kind, MAX_CHARS, MAX_ENTRIES, MAX_PAGES, MAX_XML_DEPTH, Unreadable, extract};

use crate::support::{archive, epub, pptx, shape, slide, xlsx};

fn refusal(kind: Kind, bytes: &[u8]) -> Unreadable {
    extract(kind, bytes).map(|text| text.text.len()).unwrap_err()
}

/// A good document of each kind that is an archive, with `markup` in the midst of the part that holds its text.
fn archives(markup: &str) -> [(Kind, Vec<u8>); 3] {
    let chapter = format!("<html><body><p>text{markup}</p></body></html>");
    [
        (Kind::Pptx, pptx(&[&format!("{}{markup}", shape("body", "text"))])),
        (
            Kind::Xlsx,
            xlsx(&format!(r#"<row><c t="str"><v>text</v></c></row>{markup}"#), &[]),
        ),
        (Kind::Epub, epub(&[&chapter])),
    ]
}

#[test]
fn parts_that_inflate_too_far_are_bombs() {
    let blanks = " ".repeat(4 * 1024 * 1024);
    for (kind, file) in archives(&blanks) {
        assert_eq!(refusal(kind, &file), Unreadable::ArchiveBomb, "{kind:?}");
    }
}

#[test]
fn archives_of_too_many_entries_are_bombs() {
    for (kind, file) in archives("") {
        let mut zip = zip::ZipWriter::new_append(std::io::Cursor::new(file)).unwrap();
        for number in 0..MAX_ENTRIES {
            zip.start_file(format!("e{number}"), zip::write::SimpleFileOptions::default())
                .unwrap();
        }
        let file = zip.finish().unwrap().into_inner();
        assert_eq!(refusal(kind, &file), Unreadable::ArchiveBomb, "{kind:?}");
    }
}

#[test]
fn xml_with_a_document_type_or_too_deep_is_refused() {
    let laughs = r#"<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><d>&b;</d>"#;
    let deep = "<x>".repeat(MAX_XML_DEPTH + 1);
    for part in [laughs, &deep] {
        for (kind, name) in [
            (Kind::Pptx, "ppt/presentation.xml"),
            (Kind::Xlsx, "xl/workbook.xml"),
            (Kind::Epub, "META-INF/container.xml"),
        ] {
            let file = archive([(name, part.as_bytes())]);
            assert_eq!(refusal(kind, &file), Unreadable::XmlRefused, "{kind:?}");
        }
        let file = xlsx("", &[("xl/sharedStrings.xml", part)]);
        assert_eq!(refusal(Kind::Xlsx, &file), Unreadable::XmlRefused);
    }
}

#[test]
fn broken_archives_are_damaged_and_those_of_old_office_say_so() {
    for (kind, file) in archives("") {
        assert!(extract(kind, &file).is_ok(), "{kind:?}");
        assert_eq!(refusal(kind, &file[..file.len() / 2]), Unreadable::Damaged, "{kind:?}");
        assert_eq!(refusal(kind, b""), Unreadable::Damaged, "{kind:?}");
        let other = archive([("other.xml", b"<a/>".as_slice())]);
        assert_eq!(refusal(kind, &other), Unreadable::Damaged, "{kind:?}");
    }
    for kind in [Kind::Pptx, Kind::Xlsx] {
        let ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and so on";
        assert_eq!(refusal(kind, ole), Unreadable::ProtectedOrOldOffice);
    }
}

#[test]
fn documents_without_text_say_so() {
    for (kind, file) in [
        (Kind::Pptx, pptx(&["", ""])),
        (Kind::Xlsx, xlsx("<row><c><v> </v></c></row>", &[])),
        (Kind::Epub, epub(&["<html><body><img/></body></html>"])),
        (Kind::Html, b"<html><body><script>x</script></body></html>".to_vec()),
    ] {
        assert_eq!(refusal(kind, &file), Unreadable::NoText, "{kind:?}");
    }
    assert_eq!(refusal(Kind::Csv, b" ,,\n,,\n"), Unreadable::Empty);
}

#[test]
fn slides_and_sheets_are_counted() {
    let slides = vec![""; MAX_PAGES + 1];
    let ids = r#"<p:sldId id="1" r:id="r1"/>"#.repeat(slides.len());
    let part = format!("<p:presentation>{ids}</p:presentation>");
    let file = archive([("ppt/presentation.xml", part.as_bytes())]);
    assert_eq!(refusal(Kind::Pptx, &file), Unreadable::TooManyPages);
    let sheets = r#"<sheet name="a" r:id="r1"/>"#.repeat(MAX_PAGES + 1);
    let part = format!("<workbook>{sheets}</workbook>");
    let file = archive([("xl/workbook.xml", part.as_bytes())]);
    assert_eq!(refusal(Kind::Xlsx, &file), Unreadable::TooManyPages);
}

#[test]
fn a_slide_that_is_shown_again_and_again_ends() {
    let text = "word ".repeat(100_000);
    let ids = r#"<p:sldId id="1" r:id="r1"/>"#.repeat(MAX_PAGES);
    let related = r#"<Relationships><Relationship Id="r1" Type="x/slide" Target="s.xml"/></Relationships>"#;
    let file = archive([
        (
            "ppt/presentation.xml",
            format!("<p:presentation>{ids}</p:presentation>").as_bytes(),
        ),
        ("ppt/_rels/presentation.xml.rels", related.as_bytes()),
        ("ppt/s.xml", slide(&shape("body", &text)).as_bytes()),
    ]);
    assert_eq!(refusal(Kind::Pptx, &file), Unreadable::TooMuchText);
}

#[test]
fn a_string_that_many_cells_share_ends() {
    for (string, expected) in [("word ", Unreadable::TooMuchText), ("     ", Unreadable::TooMuchText)] {
        let rows = r#"<row><c t="s"><v>0</v></c></row>"#.repeat(2_100);
        // Blanks and words that deflate badly enough not to be taken for a bomb.
        let strings = format!(
            "<sst><si><t xml:space=\"preserve\">{}</t></si></sst>",
            string.repeat(10_000)
        );
        let file = xlsx(&rows, &[("xl/sharedStrings.xml", &strings)]);
        assert_eq!(refusal(Kind::Xlsx, &file), expected);
    }
}

#[test]
fn references_do_not_leave_the_archive() {
    let container = r#"<container><rootfile full-path="../../../../etc/passwd"/></container>"#;
    let file = archive([("META-INF/container.xml", container.as_bytes())]);
    assert_eq!(refusal(Kind::Epub, &file), Unreadable::Damaged);
    let outside = r#"<Relationships><Relationship Id="r1" Type="x/worksheet" Target="file:///etc/passwd" TargetMode="External"/></Relationships>"#;
    let file = archive([
        (
            "xl/workbook.xml",
            br#"<workbook><sheet name="a" r:id="r1"/></workbook>"#.as_slice(),
        ),
        ("xl/_rels/workbook.xml.rels", outside.as_bytes()),
    ]);
    assert_eq!(refusal(Kind::Xlsx, &file), Unreadable::NoText);
}

#[test]
fn web_pages_nest_as_deeply_as_they_like() {
    for element in ["div", "ul", "table", "pre", "svg", "template", "h1"] {
        let page = format!("<p>text</p>{}", format!("<{element}>").repeat(100_000));
        assert_eq!(extract(Kind::Html, page.as_bytes()).unwrap().text, "text", "{element}");
    }
    let attributes = format!("<p {}>text", "a=b ".repeat(100_000));
    assert_eq!(extract(Kind::Html, attributes.as_bytes()).unwrap().text, "text");
}

#[test]
fn more_text_than_allowed_is_refused_in_every_format_of_text() {
    let most = "a".repeat(MAX_CHARS + 1);
    for kind in [Kind::Csv, Kind::Html, Kind::Md] {
        assert_eq!(refusal(kind, most.as_bytes()), Unreadable::TooMuchText, "{kind:?}");
    }
}

#[test]
fn binary_data_is_no_table_and_no_web_page() {
    for kind in [Kind::Csv, Kind::Html] {
        assert_eq!(refusal(kind, b"<p>a\0b</p>"), Unreadable::NotText);
        assert_eq!(refusal(kind, b"\x01\x02\x03\x04<p>"), Unreadable::NotText);
    }
}
