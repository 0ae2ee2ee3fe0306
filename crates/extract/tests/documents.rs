//! Good documents give their text, in order, with the pages where they are.

use across_extract::{Kind, Text, Unreadable, extract};

use crate::support::{archive, corpus, document, docx, page, paragraph, pdf_of_pages};

#[test]
fn a_long_manual_gives_every_page_its_own_text() {
    let manual = extract(Kind::Pdf, &corpus("nettle-manual.pdf")).unwrap();
    assert_eq!(manual.pages.len(), 111);
    assert!(page(&manual, 2).contains("This manual is placed in the public domain."));
    let eax = page(&manual, 50);
    assert!(eax.contains("7.4.1 EAX"), "{eax}");
    assert!(eax.contains("specific functions for EAX using AES-128"), "{eax}");
    assert!(!manual.text.contains(['ﬁ', 'ﬀ', 'ﬂ']), "ligatures stay unsearchable");
    assert_tidy(&manual);
}

#[test]
fn pages_lie_next_to_each_other_in_characters() {
    for name in ["brand-guide.pdf", "nettle-manual.pdf"] {
        let text = extract(Kind::Pdf, &corpus(name)).unwrap();
        assert_eq!(text.pages.last().unwrap().end, text.text.chars().count());
        for (number, pair) in (1..).zip(text.pages.windows(2)) {
            assert_eq!((pair[0].number, pair[1].number), (number, number + 1));
            assert!(pair[0].start <= pair[0].end);
            assert!(pair[1].start == pair[0].end + 2 || pair[1].start == pair[1].end);
        }
    }
}

#[test]
fn accented_letters_and_tables_of_a_pdf_survive() {
    let guide = extract(Kind::Pdf, &corpus("brand-guide.pdf")).unwrap();
    assert_eq!(guide.pages.len(), 3);
    assert!(page(&guide, 1).starts_with("Lumen & Oak: brand guide\n"));
    assert!(page(&guide, 2).contains("Sextant 245 EUR"));
    assert!(page(&guide, 3).contains("Příliš žluťoučký\nkůň úpěl ďábelské ódy."));
    assert_tidy(&guide);
}

#[test]
fn a_pdf_with_only_an_owner_password_reads_like_the_open_one() {
    let open = extract(Kind::Pdf, &corpus("brand-guide.pdf"));
    assert_eq!(extract(Kind::Pdf, &corpus("owner-password-only.pdf")), open);
}

#[test]
fn a_pdf_that_needs_a_password_says_so() {
    let refused = extract(Kind::Pdf, &corpus("password.pdf")).unwrap_err();
    assert_eq!(refused, Unreadable::Encrypted);
    assert_eq!(
        refused.to_string(),
        "This PDF is protected by a password. Upload a version without one."
    );
}

#[test]
fn a_scan_says_that_it_has_no_text() {
    let refused = extract(Kind::Pdf, &corpus("scan.pdf")).unwrap_err();
    assert_eq!(refused, Unreadable::NoText);
    assert_eq!(
        refused.to_string(),
        "No text found. Upload a version with selectable text."
    );
}

#[test]
fn a_blank_page_between_others_keeps_its_number() {
    let contents = [
        "BT /F1 12 Tf 50 700 Td (Before) Tj ET",
        "",
        "BT /F1 12 Tf 50 700 Td (After) Tj ET",
    ];
    let text = extract(Kind::Pdf, &pdf_of_pages(&contents)).unwrap();
    assert_eq!(text.text, "Before\n\nAfter");
    let spans: Vec<_> = text
        .pages
        .iter()
        .map(|page| (page.number, page.start, page.end))
        .collect();
    assert_eq!(spans, [(1, 0, 6), (2, 6, 6), (3, 8, 13)]);
}

#[test]
fn a_page_that_breaks_the_layout_reader_is_read_by_the_other() {
    // The layout reader panics on an unknown colour space; the page before it must stay, too.
    let contents = [
        "BT /F1 12 Tf 50 700 Td (A first page that is quite in order.) Tj ET",
        "/Nowhere cs BT /F1 12 Tf 50 700 Td (A second page that is not.) Tj ET",
    ];
    let text = extract(Kind::Pdf, &pdf_of_pages(&contents)).unwrap();
    assert_eq!(
        text.text,
        "A first page that is quite in order.\n\nA second page that is not."
    );
}

#[test]
fn a_pdf_with_a_wrong_index_is_read_all_the_same() {
    let good = corpus("brand-guide.pdf");
    let at = good.windows(9).rposition(|window| window == b"startxref").unwrap();
    let broken = [&good[..at], b"startxref\n7\n%%EOF\n"].concat();
    assert_eq!(extract(Kind::Pdf, &broken), extract(Kind::Pdf, &good));
}

#[test]
fn junk_before_the_pdf_header_does_no_harm() {
    let good = corpus("brand-guide.pdf");
    let shifted = [b"<!-- downloaded -->\n".as_slice(), &good].concat();
    assert_eq!(extract(Kind::Pdf, &shifted), extract(Kind::Pdf, &good));
}

#[test]
fn a_word_document_gives_headers_tables_notes_and_entities() {
    let brief = extract(Kind::Docx, &corpus("campaign-brief.docx")).unwrap();
    let expected = "\
Lumen & Oak – campaign brief
Spring campaign <2027>
The claim is “Read longer”. R&D confirmed: 40 000 hours of light & no flicker.
Deadline:\t14 March
Strict
Channel\tBudget\tOwner
Print & post\t12 000 EUR\tJana Nováková
Radio\t8 500 EUR\tPetr
The table shows the budget of the first quarter. [1]
[1] VAT is 21\u{a0}% & not included; see §\u{a0}3.
Launch on Tuesday in week 11
Internal use only";
    assert_eq!(brief.text, expected);
    assert!(brief.pages.is_empty());
}

#[test]
fn word_markup_that_is_not_text_stays_out() {
    let body = concat!(
        r#"<w:p><w:pPr><w:tabs><w:tab w:val="left"/></w:tabs></w:pPr><w:pPr/>"#,
        "<w:r><w:t>Kept</w:t><w:tab/><w:t>too</w:t><w:noBreakHyphen/><w:t>day</w:t></w:r>",
        "<w:r><w:instrText>PAGE</w:instrText></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>",
        "<w:moveFrom><w:r><w:t>moved</w:t></w:r></w:moveFrom></w:p>",
        r#"<mc:AlternateContent xmlns:mc="m"><mc:Choice><w:p><w:r><w:t>Box</w:t></w:r></w:p></mc:Choice>"#,
        "<mc:Fallback><w:p><w:r><w:t>Box</w:t></w:r></w:p></mc:Fallback></mc:AlternateContent>",
        "<w:p><w:r><w:t>a&lt;b&#x41;&amp;<![CDATA[<c>]]></w:t><!-- aside --></w:r></w:p>",
    );
    assert_eq!(
        extract(Kind::Docx, &docx(body)).unwrap().text,
        "Kept\ttoo-day\nBox\na<bA&<c>"
    );
}

#[test]
fn repeated_headers_come_once_and_parts_in_reading_order() {
    let part = |text: &str| document(&paragraph(text));
    let (body, head, foot) = (part("Body"), part("Head"), part("Foot"));
    let note = format!(
        r#"<w:endnotes xmlns:w="w"><w:endnote w:id="1">{}</w:endnote></w:endnotes>"#,
        paragraph("Note")
    );
    let tenth = part("Tenth");
    let file = archive([
        ("word/footer1.xml", foot.as_bytes()),
        ("word/endnotes.xml", note.as_bytes()),
        ("word/header10.xml", tenth.as_bytes()),
        ("word/header2.xml", head.as_bytes()),
        ("word/document.xml", body.as_bytes()),
        ("word/header1.xml", head.as_bytes()),
        ("word/comments.xml", b"not even xml <"),
    ]);
    let text = extract(Kind::Docx, &file).unwrap().text;
    assert_eq!(
        text.split_whitespace().collect::<Vec<_>>(),
        ["Head", "Tenth", "Body", "Note", "Foot"]
    );
}

#[test]
fn text_files_in_every_encoding_give_the_same_text() {
    let text = "# Žárovky\r\n\r\n\r\n\r\n\r\n- 😀 teplá  \r\n";
    let utf16 = |mark: [u8; 2], unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
        mark.into_iter().chain(text.encode_utf16().flat_map(unit)).collect()
    };
    let files = [
        text.as_bytes().to_vec(),
        [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        utf16([0xff, 0xfe], u16::to_le_bytes),
        utf16([0xfe, 0xff], u16::to_be_bytes),
    ];
    for file in files {
        for kind in [Kind::Txt, Kind::Md] {
            let read = extract(kind, &file).unwrap();
            assert_eq!(read.text, "# Žárovky\n\n\n- 😀 teplá");
            assert!(read.pages.is_empty());
        }
    }
}

#[test]
fn every_reason_has_a_code_of_its_own_that_leads_back_to_it() {
    for reason in Unreadable::ALL {
        assert_eq!(Unreadable::from_code(reason.code()), Some(reason));
        assert!(reason.to_string().ends_with('.'));
    }
    assert_eq!(Unreadable::from_code("unheard_of"), None);
}

fn assert_tidy(text: &Text) {
    assert!(!text.text.contains("\n\n\n\n"));
    assert!(text.text.lines().all(|line| line == line.trim_end()));
    assert!(
        !text
            .text
            .contains(|character: char| character.is_ascii_control() && character != '\n' && character != '\t')
    );
}
