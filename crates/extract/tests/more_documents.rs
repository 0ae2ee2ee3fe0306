//! Good presentations, spreadsheets, tables, web pages and books give what a person sees, with headings.

use across_extract::{Kind, Text, Unreadable, extract};

use crate::support::{
    archive, corpus, document, docx, epub, headings, page, paragraph, pptx, relationship, relationships, shape, slide,
    xlsx,
};

fn read(kind: Kind, bytes: &[u8]) -> Text {
    extract(kind, bytes).unwrap()
}

fn level(level: u8, words: &str) -> (u8, String) {
    (level, words.to_owned())
}

#[test]
fn slides_are_pages_in_the_order_of_the_show() {
    let table = "<p:graphicFrame><a:tbl><a:tr><a:tc><a:txBody><a:p><a:r><a:t>A</a:t></a:r></a:p><a:p><a:r><a:t>1</a:t></a:r></a:p></a:txBody></a:tc>\
        <a:tc><a:txBody><a:p><a:r><a:t>B</a:t></a:r></a:p></a:txBody></a:tc></a:tr></a:tbl></p:graphicFrame>";
    let first = [
        shape("title", "Lumen &amp; Oak"),
        shape("body", "Warm light"),
        shape("sldNum", "1"),
    ]
    .concat();
    let text = read(Kind::Pptx, &pptx(&[&first, "", table]));
    assert_eq!(text.text, "Lumen & Oak\n\nWarm light\n\nA 1\tB");
    assert_eq!(page(&text, 3), "A 1\tB");
    assert_eq!(text.pages.len(), 3);
    assert_eq!(headings(&text), [level(1, "Lumen & Oak")]);
}

#[test]
fn notes_follow_their_slide_and_hidden_slides_stay_out() {
    let notes = format!(
        "<p:notes>{}{}</p:notes>",
        shape("sldImg", "picture"),
        shape("body", "Say it slowly")
    );
    let order = r#"<p:presentation><p:sldIdLst><p:sldId id="2" r:id="b"/><p:sldId id="1" r:id="a"/></p:sldIdLst></p:presentation>"#;
    let related = relationships(&[
        relationship("a", "slide", "slides/one.xml"),
        relationship("b", "slide", "slides/two.xml"),
    ]);
    let noted = relationships(&[relationship("n", "notesSlide", "../notes/n.xml")]);
    let hidden = slide(&shape("title", "Draft")).replace("<p:sld>", r#"<p:sld show="0">"#);
    let main = relationships(&[relationship("m", "officeDocument", "ppt/presentation2.xml")]);
    let file = archive([
        ("_rels/.rels", main.as_bytes()),
        ("ppt/presentation2.xml", order.as_bytes()),
        ("ppt/_rels/presentation2.xml.rels", related.as_bytes()),
        ("ppt/slides/one.xml", slide(&shape("ctrTitle", "Shown")).as_bytes()),
        ("ppt/slides/_rels/one.xml.rels", noted.as_bytes()),
        ("ppt/notes/n.xml", notes.as_bytes()),
        ("ppt/slides/two.xml", hidden.as_bytes()),
    ]);
    let text = read(Kind::Pptx, &file);
    assert_eq!(
        (text.text.as_str(), page(&text, 2).as_str()),
        ("Shown\n\nSay it slowly", "Shown\n\nSay it slowly")
    );
    assert_eq!(page(&text, 1), "");
}

#[test]
fn cells_are_found_as_they_are_shown() {
    let rows = r#"<row><c t="s"><v>1</v></c><c t="s"><v>0</v></c></row>
        <row><c t="inlineStr"><is><t>Print</t></is></c><c s="1"><v>0.125</v></c><c s="2"><v>45306</v></c><c t="b"><v>1</v></c></row>
        <row><c t="str"><f>A1&amp;"x"</f><v>sum</v></c><c><v>1234.50</v></c><c t="e"><v>#N/A</v></c><c s="3"><v>-1234.5</v></c></row>"#;
    let strings =
        "<sst><si><r><t>Bud</t></r><r><t>get</t></r><rPh><t>yosan</t></rPh></si><si><t>Line\nbreak</t></si></sst>";
    let styles = r##"<styleSheet><numFmts><numFmt numFmtId="170" formatCode="d.m.yyyy"/><numFmt numFmtId="171" formatCode="#,##0.00\ &quot;EUR&quot;"/></numFmts>
        <cellStyleXfs><xf numFmtId="9"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="10"/><xf numFmtId="170"/><xf numFmtId="171"/></cellXfs></styleSheet>"##;
    let text = read(
        Kind::Xlsx,
        &xlsx(rows, &[("xl/sharedStrings.xml", strings), ("xl/styles.xml", styles)]),
    );
    assert_eq!(
        text.text,
        "Budget\nLine break\tBudget\nPrint\t12.50%\t15.1.2024\tTRUE\nsum\t1234.5\t#N/A\t-1,234.50 EUR"
    );
    assert_eq!((text.pages.len(), text.pages[0].number), (1, 1));
    assert_eq!(headings(&text), [level(1, "Budget")]);
}

#[test]
fn tables_in_text_files_are_read_whatever_parts_their_fields() {
    for (file, expected) in [
        (
            "a,b\r\n\"x, y\",\"say \"\"hi\"\"\nthere\"\r\n",
            "a\tb\nx, y\tsay \"hi\" there",
        ),
        ("name;price\nlamp;1,5\noak;2,5\n", "name\tprice\nlamp\t1,5\noak\t2,5"),
        ("a\tb\nc\td", "a\tb\nc\td"),
        ("a|b\nc|d", "a\tb\nc\td"),
        ("sep=;\r\na;b,c", "a\tb,c"),
        ("alone\nlines", "alone\nlines"),
    ] {
        assert_eq!(read(Kind::Csv, file.as_bytes()).text, expected, "{file:?}");
    }
}

#[test]
fn tables_from_excel_keep_their_letters() {
    // "שם;מחיר" and more in windows-1255, "Příliš žluťoučký" in windows-1250.
    let hebrew = b"\xf9\xed;\xee\xe7\xe9\xf8\n\xee\xf0\xe5\xf8\xfa \xf9\xe5\xec\xe7\xef;120\n\xeb\xe9\xf1\xe0 \xf0\xe5\xe7;340\n";
    assert_eq!(
        read(Kind::Csv, hebrew).text,
        "שם\tמחיר\nמנורת שולחן\t120\nכיסא נוח\t340"
    );
    let utf16: Vec<u8> = "jméno\tcena\nlampa\t1"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(read(Kind::Csv, &utf16).text, "jméno\tcena\nlampa\t1");
    assert_eq!(read(Kind::Txt, &utf16).text, "jméno\tcena\nlampa\t1");
}

#[test]
fn a_web_page_gives_what_a_browser_shows() {
    let html = r#"<!DOCTYPE html><html><head><title>No</title><style>p{}</style><script>if (a<b) "</p>"</script></head>
        <body><h1>Lumen &amp; <em>Oak</em></h1><p>Warm
        light,&nbsp;every  <a href="x">day</a>.<br>Second line<p>Next
        <ul><li>One<li><p>Two</p><ol start=3><li>Three</ol></ul>
        <table><tr><th>Item</th><th>Price</th></tr><tr><td>Lamp</td><td><p>12</p><p>EUR</p></td></tr></table>
        <pre>  kept
   as is</pre><template>no</template><div hidden>no<div>no</div></div><svg><text>no</text></svg>
        <h3>Last</h3>end</body></html>"#;
    let text = read(Kind::Html, html.as_bytes());
    let expected = "Lumen & Oak\n\nWarm light,\u{a0}every day.\nSecond line\n\nNext\n\n- One\n- Two\n3. Three\n\n\
        Item\tPrice\nLamp\t12 EUR\n\n  kept\n   as is\n\nLast\n\nend";
    assert_eq!(text.text, expected);
    assert_eq!(headings(&text), [level(1, "Lumen & Oak"), level(3, "Last")]);
}

#[test]
fn a_web_page_says_how_its_letters_are_stored() {
    let page = b"<html><meta charset=\"windows-1255\"><body>\xf9\xec\xe5\xed</body></html>";
    assert_eq!(read(Kind::Html, page).text, "שלום");
    let page = b"<?xml version='1.0' encoding='iso-8859-2'?><html xmlns='http://www.w3.org/1999/xhtml'><script src='x'/><body>\xbelu\xbb</body></html>";
    assert_eq!(read(Kind::Html, page).text, "žluť");
}

#[test]
fn chapters_come_in_the_order_of_the_spine() {
    let chapter = |title: &str| {
        format!(
            "<?xml version=\"1.0\"?><!DOCTYPE html><html xmlns=\"http://www.w3.org/1999/xhtml\"><head><title/></head><body><h2>{title}</h2><p>Text of {title}.</p></body></html>"
        )
    };
    let text = read(Kind::Epub, &epub(&[&chapter("One"), &chapter("Two")]));
    assert_eq!(text.text, "One\n\nText of One.\n\nTwo\n\nText of Two.");
    assert_eq!(headings(&text), [level(2, "One"), level(2, "Two")]);
}

#[test]
fn a_book_that_is_protected_says_so() {
    let file = epub(&["<p>x</p>"]);
    let mut zip = zip::ZipWriter::new_append(std::io::Cursor::new(file)).unwrap();
    zip.start_file("META-INF/encryption.xml", zip::write::SimpleFileOptions::default())
        .unwrap();
    let part = r#"<encryption><CipherReference URI="OPS/chapter%201.xhtml"/></encryption>"#;
    std::io::Write::write_all(&mut zip, part.as_bytes()).unwrap();
    let file = zip.finish().unwrap().into_inner();
    assert_eq!(extract(Kind::Epub, &file), Err(Unreadable::ProtectedBook));
}

#[test]
fn word_headings_are_known_by_style_and_outline() {
    let styles = r#"<w:styles xmlns:w="w"><w:style w:type="paragraph" w:styleId="Nadpis1"><w:name w:val="heading 1"/></w:style>
        <w:style w:type="paragraph" w:styleId="Mine"><w:basedOn w:val="Nadpis1"/></w:style>
        <w:style w:type="character" w:styleId="Ghost"><w:rPr><w:vanish/></w:rPr></w:style></w:styles>"#;
    let styled =
        |properties: &str, text: &str| format!("<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>");
    let body = [
        styled(r#"<w:pStyle w:val="Mine"/>"#, "Chapter"),
        styled(r#"<w:outlineLvl w:val="2"/>"#, "Section"),
        styled(r#"<w:pStyle w:val="Mine"/><w:outlineLvl w:val="9"/>"#, "Body"),
        "<w:p><w:pPr><w:rPr><w:vanish/></w:rPr></w:pPr><w:r><w:t>Seen</w:t></w:r><w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r><w:r><w:rPr><w:rStyle w:val=\"Ghost\"/></w:rPr><w:t>ghost</w:t></w:r></w:p>".to_owned(),
    ]
    .concat();
    let file = archive([
        ("word/document.xml", document(&body).as_bytes()),
        ("word/styles.xml", styles.as_bytes()),
    ]);
    let text = read(Kind::Docx, &file);
    assert_eq!(text.text, "Chapter\nSection\nBody\nSeen");
    assert_eq!(headings(&text), [level(1, "Chapter"), level(3, "Section")]);
}

#[test]
fn word_lists_are_numbered_as_they_are_shown() {
    let numbering = r#"<w:numbering xmlns:w="w"><w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:start w:val="3"/><w:numFmt w:val="decimal"/><w:lvlText w:val="§ %1"/></w:lvl>
        <w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1.%2)"/></w:lvl></w:abstractNum>
        <w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val=""/></w:lvl></w:abstractNum>
        <w:num w:numId="7"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="8"><w:abstractNumId w:val="1"/></w:num></w:numbering>"#;
    let item = |list: u8, level: u8, text: &str| {
        format!(
            "<w:p><w:pPr><w:numPr><w:ilvl w:val=\"{level}\"/><w:numId w:val=\"{list}\"/></w:numPr></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"
        )
    };
    let body = [
        item(7, 0, "A"),
        item(7, 1, "B"),
        item(7, 1, "C"),
        item(7, 0, "D"),
        item(7, 1, "E"),
        item(8, 0, "F"),
        item(0, 0, "G"),
    ]
    .concat();
    let file = archive([
        ("word/document.xml", document(&body).as_bytes()),
        ("word/numbering.xml", numbering.as_bytes()),
    ]);
    assert_eq!(
        read(Kind::Docx, &file).text,
        "§ 3 A\n3.a) B\n3.b) C\n§ 4 D\n4.a) E\n- F\nG"
    );
}

#[test]
fn markdown_headings_are_known() {
    let text = read(
        Kind::Md,
        "Title\n=====\n\n```\n# code\n```\n\n## Part ##\n\ntext".as_bytes(),
    );
    assert_eq!(headings(&text), [level(1, "Title"), level(2, "Part")]);
}

#[test]
fn blanks_without_end_cost_nothing() {
    let text = read(Kind::Docx, &docx(&paragraph(&format!("a{}b", " ".repeat(100_000)))));
    assert_eq!(text.text.len(), 34);
}

#[test]
fn hebrew_and_arabic_of_a_pdf_come_in_the_order_of_reading() {
    let text = read(Kind::Pdf, &corpus("hebrew.pdf"));
    let expected = "\
מדריך המותג
שלום עולם, זה מסמך בדיקה עם מספר 123 ומילה English באמצע.
מחיר המנורה 45.50 שקלים בשנת 2027.
مرحبا بالعالم هذا نص عربي";
    assert_eq!(text.text, expected);
}

#[test]
fn the_outline_of_a_pdf_tells_its_headings() {
    let manual = headings(&read(Kind::Pdf, &corpus("nettle-manual.pdf")));
    for heading in [level(1, "1 Introduction"), level(3, "7.4.1 EAX")] {
        assert!(manual.contains(&heading), "{heading:?} in {manual:?}");
    }
    assert!(manual.len() >= 40, "{manual:?}");
}
