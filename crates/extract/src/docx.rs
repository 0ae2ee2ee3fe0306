//! Word documents: headers, the body with its tables, lists, headings and notes, and footers.

use std::collections::BTreeMap;

use crate::archive::Archive;
use crate::docx_styles::{Numbering, Styles};
use crate::text::Draft;
use crate::xml::{Element, Step, Visitor};
use crate::{MAX_CHARS, Text, Unreadable, chart};

/// The part that makes a zip a Word document, where it usually is.
pub(crate) const DOCUMENT: &str = "word/document.xml";

/// The text of the document in reading order: headers, body with each note after the paragraph
/// that refers to it, charts, footers.
pub(crate) fn extract(bytes: &[u8]) -> Result<Text, Unreadable> {
    let mut archive = Archive::open(bytes)?;
    let main = archive.main_part(DOCUMENT)?;
    let parts = parts(&mut archive, &main)?;
    let of = |kind: &'static str| {
        parts
            .iter()
            .filter(move |(of, _)| of == kind)
            .map(|(_, name)| name.as_str())
    };

    let mut styles = Styles::default();
    for part in of("styles") {
        archive.read_xml(part, &mut styles)?;
    }
    let mut numbering = Numbering::default();
    for part in of("numbering") {
        archive.read_xml(part, &mut numbering)?;
    }
    let mut notes = Notes::new(&styles);
    for part in of("footnotes").chain(of("endnotes")) {
        archive.read_xml(part, &mut notes)?;
    }
    let mut body = Body::new(&styles, numbering, notes.found);
    let mut repeated = Vec::new();
    for part in of("header") {
        body.push_once(&mut archive, part, &mut repeated)?;
    }
    archive.read_xml(&main, &mut body)?;
    for part in of("chart") {
        body.draft = chart::read(&mut archive, part, body.draft)?;
    }
    for note in std::mem::take(&mut body.notes).into_values() {
        body.draft.push(&note)?;
        body.draft.end_line();
    }
    for part in of("footer") {
        body.push_once(&mut archive, part, &mut repeated)?;
    }
    body.draft.finish(Unreadable::NoText)
}

/// The parts that belong to the main one, as kind and name: those it relates to, or those with the usual names.
fn parts(archive: &mut Archive<'_>, main: &str) -> Result<Vec<(String, String)>, Unreadable> {
    let mut parts: Vec<(String, String)> = archive
        .relationships(main)?
        .into_iter()
        .filter_map(|other| Some((other.kind, archive.find(&other.target)?)))
        .collect();
    if parts.is_empty() {
        let usual = |name: &str| {
            let stem = name.strip_prefix("word/")?.strip_suffix(".xml")?;
            let kind = stem.trim_end_matches(|character: char| character.is_ascii_digit());
            Some((kind.to_owned(), name.to_owned()))
        };
        parts = archive.names().filter_map(usual).collect();
    }
    // By length before name, so that header10 comes after header9.
    parts.sort_unstable_by(|(kind, one), (its, other)| (one.len(), one, kind).cmp(&(other.len(), other, its)));
    parts.dedup();
    Ok(parts)
}

/// A paragraph that is open.
#[derive(Default)]
struct Paragraph {
    /// Its level if it is a heading.
    level: Option<u8>,
    /// The list it belongs to and the level there.
    list: Option<(String, usize)>,
    /// Its style hides it.
    is_hidden: bool,
    /// Its first text has come.
    has_begun: bool,
}

/// Reads a part with paragraphs.
struct Body<'a> {
    draft: Draft,
    styles: &'a Styles,
    numbering: Numbering,
    /// The notes that nothing referred to so far, by kind and id.
    notes: BTreeMap<(Kind, String), String>,
    /// Notes referred to in the open paragraph or table row, with their numbers.
    due: Vec<String>,
    /// How many notes were referred to.
    referred: usize,
    /// Paragraphs, one within the other where a text box hangs in one.
    paragraphs: Vec<Paragraph>,
    /// For each open run whether it is hidden.
    runs: Vec<bool>,
    in_paragraph_properties: bool,
    /// Open table cells, one for each level of nesting.
    cells: usize,
    /// Open text elements.
    texts: usize,
    /// A line has ended within a cell; a space is due before its next text.
    gap: bool,
}

/// The two kinds of notes, which count apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Footnote,
    Endnote,
}

impl<'a> Body<'a> {
    fn new(styles: &'a Styles, numbering: Numbering, notes: BTreeMap<(Kind, String), String>) -> Self {
        Self {
            draft: Draft::default(),
            styles,
            numbering,
            notes,
            due: Vec::new(),
            referred: 0,
            paragraphs: Vec::new(),
            runs: Vec::new(),
            in_paragraph_properties: false,
            cells: 0,
            texts: 0,
            gap: false,
        }
    }

    /// Word keeps a copy of the same header for each section and for first, odd and even pages.
    fn push_once(&mut self, archive: &mut Archive<'_>, part: &str, known: &mut Vec<String>) -> Result<(), Unreadable> {
        let mut own = Body::new(self.styles, Numbering::default(), BTreeMap::new());
        archive.read_xml(part, &mut own)?;
        if let Ok(Text { text, .. }) = own.draft.finish(Unreadable::NoText)
            && !known.contains(&text)
        {
            self.draft.push(&text)?;
            self.draft.end_line();
            known.push(text);
        }
        Ok(())
    }

    fn begin_paragraph(&mut self) -> Result<(), Unreadable> {
        if !self.paragraphs.is_empty() && self.cells == 0 {
            // A text box in the midst of a line.
            self.draft.end_heading();
            self.draft.fresh_line();
        }
        self.paragraphs.push(Paragraph {
            is_hidden: self.styles.default_is_hidden(),
            ..Paragraph::default()
        });
        Ok(())
    }

    fn end_paragraph(&mut self) -> Result<(), Unreadable> {
        self.draft.end_heading();
        if let Some(Paragraph {
            list: Some((list, level)),
            has_begun: false,
            ..
        }) = self.paragraphs.pop()
        {
            self.numbering.label(&list, level);
        }
        self.end_line()
    }

    /// Ends a line. A table row is one line, so the lines within its cells are only kept apart.
    fn end_line(&mut self) -> Result<(), Unreadable> {
        if self.cells > 0 {
            self.gap = true;
            return Ok(());
        }
        self.draft.end_line();
        if self.paragraphs.is_empty() {
            for note in std::mem::take(&mut self.due) {
                self.draft.push(&note)?;
                self.draft.end_line();
            }
        }
        Ok(())
    }

    /// What comes before the first text of a paragraph.
    fn begin_text(&mut self) -> Result<(), Unreadable> {
        if let Some(paragraph) = self.paragraphs.last_mut()
            && !std::mem::replace(&mut paragraph.has_begun, true)
        {
            if let Some(level) = paragraph.level
                && self.cells == 0
            {
                self.draft.begin_heading(level);
            }
            if let Some((list, level)) = &paragraph.list {
                let label = self.numbering.label(list, *level);
                if !label.is_empty() {
                    self.draft.push(&label)?;
                    self.draft.push(" ")?;
                }
            }
        }
        Ok(())
    }

    fn is_hidden(&self) -> bool {
        self.runs.last() == Some(&true) || self.paragraphs.last().is_some_and(|paragraph| paragraph.is_hidden)
    }

    /// A mark that refers to a note. Footnotes and endnotes count together: both come after their paragraph.
    fn refer(&mut self, kind: Kind, element: &Element<'_>) -> Result<(), Unreadable> {
        if let Some(note) = element.attribute("id").and_then(|id| self.notes.remove(&(kind, id))) {
            self.referred += 1;
            let number = self.referred;
            self.begin_text()?;
            self.draft.push(&format!(" [{number}]"))?;
            self.due.push(format!("[{number}] {}", note.trim_start()));
        }
        Ok(())
    }

    /// A property of the open paragraph.
    fn property(&mut self, element: &Element<'_>) {
        let (Some(paragraph), Some(value)) = (self.paragraphs.last_mut(), element.attribute("val")) else {
            return;
        };
        match element.name() {
            "pStyle" => {
                let style = self.styles.resolve(&value);
                paragraph.level = style.level;
                paragraph.list = style.list;
                paragraph.is_hidden = style.is_hidden;
            }
            "outlineLvl" => paragraph.level = value.parse().ok().filter(|level| *level < 9).map(|level: u8| level + 1),
            "numId" if value == "0" => paragraph.list = None,
            "numId" => {
                let level = paragraph.list.take().map_or(0, |(_, level)| level);
                paragraph.list = Some((value, level));
            }
            "ilvl" => {
                // It comes before the list it is about.
                let list = paragraph.list.take().map(|(list, _)| list).unwrap_or_default();
                paragraph.list = Some((list, value.parse().unwrap_or_default()));
            }
            _ => {}
        }
    }
}

impl Visitor for Body<'_> {
    fn start(&mut self, element: &Element<'_>) -> Result<Step, Unreadable> {
        match element.name() {
            // Field codes, what tracked changes took away or how it looked before, tab stops, and the fallback that
            // repeats a drawing's text for old programs.
            "instrText" | "del" | "delText" | "delInstrText" | "moveFrom" | "Fallback" | "pPrChange" | "rPrChange"
            | "tabs" | "sectPr" => return Ok(Step::Over),
            "pPr" => self.in_paragraph_properties = true,
            "p" => self.begin_paragraph()?,
            "r" if !self.in_paragraph_properties => self.runs.push(false),
            "vanish" if !self.in_paragraph_properties => {
                if let Some(run) = self.runs.last_mut() {
                    *run = element.is_on();
                }
            }
            "rStyle" if !self.in_paragraph_properties => {
                let style = element.attribute("val").map(|style| self.styles.resolve(&style));
                if let (Some(run), Some(style)) = (self.runs.last_mut(), style) {
                    *run |= style.is_hidden;
                }
            }
            _ if self.in_paragraph_properties => self.property(element),
            "t" => self.texts += 1,
            "tc" => self.cells += 1,
            "tab" | "ptab" if !self.is_hidden() => self.draft.push("\t")?,
            "br" | "cr" if self.cells > 0 => self.gap = true,
            "br" | "cr" if !self.is_hidden() => self.draft.end_line(),
            "noBreakHyphen" => self.draft.push("-")?,
            "footnoteReference" => self.refer(Kind::Footnote, element)?,
            "endnoteReference" => self.refer(Kind::Endnote, element)?,
            _ => {}
        }
        Ok(Step::Into)
    }

    fn end(&mut self, name: &str) -> Result<(), Unreadable> {
        match name {
            "pPr" => self.in_paragraph_properties = false,
            "p" => self.end_paragraph()?,
            "r" if !self.in_paragraph_properties => {
                self.runs.pop();
            }
            "t" => self.texts = self.texts.saturating_sub(1),
            "tc" => {
                self.cells = self.cells.saturating_sub(1);
                self.gap = false;
                self.draft.push("\t")?;
            }
            "tr" => self.end_line()?,
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Unreadable> {
        if self.texts == 0 || self.is_hidden() {
            return Ok(());
        }
        if std::mem::take(&mut self.gap) {
            self.draft.push(" ")?;
        }
        self.begin_text()?;
        self.draft.push(text)
    }
}

/// Reads a part of notes, each of which is a small body.
struct Notes<'a> {
    body: Body<'a>,
    open: Option<(Kind, String)>,
    found: BTreeMap<(Kind, String), String>,
    chars: usize,
}

impl<'a> Notes<'a> {
    fn new(styles: &'a Styles) -> Self {
        Self {
            body: Body::new(styles, Numbering::default(), BTreeMap::new()),
            open: None,
            found: BTreeMap::new(),
            chars: 0,
        }
    }
}

impl Visitor for Notes<'_> {
    fn start(&mut self, element: &Element<'_>) -> Result<Step, Unreadable> {
        let kind = match element.name() {
            "footnote" => Kind::Footnote,
            "endnote" => Kind::Endnote,
            _ => return self.body.start(element),
        };
        self.open = Some((kind, element.attribute("id").unwrap_or_default()));
        Ok(Step::Into)
    }

    fn end(&mut self, name: &str) -> Result<(), Unreadable> {
        if !matches!(name, "footnote" | "endnote") {
            return self.body.end(name);
        }
        let draft = std::mem::take(&mut self.body.draft);
        if let (Some(id), Ok(Text { text, .. })) = (self.open.take(), draft.finish(Unreadable::NoText)) {
            self.chars += text.chars().count();
            if self.chars > MAX_CHARS {
                return Err(Unreadable::TooMuchText);
            }
            self.found.insert(id, text);
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Unreadable> {
        self.body.text(text)
    }
}
