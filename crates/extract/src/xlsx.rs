//! Spreadsheets: each sheet is a page with its name as heading, each row a line, each number as it is shown.

use std::collections::{BTreeMap, BTreeSet};

use crate::archive::Archive;
use crate::number_format::NumberFormat;
use crate::text::Draft;
use crate::xml::{Element, Step, Visitor};
use crate::{MAX_CHARS, MAX_PAGES, Text, Unreadable};

/// The part that makes a zip a spreadsheet, where it usually is.
pub(crate) const WORKBOOK: &str = "xl/workbook.xml";

/// The most formats of its own that a spreadsheet has; Excel itself allows fewer.
const MAX_FORMATS: usize = 4_096;
/// The most styles of cells; Excel allows about as many.
const MAX_STYLES: usize = 65_536;

/// The text of all sheets that are shown, in their order. Hidden ones hold what makes the others work.
pub(crate) fn extract(bytes: &[u8]) -> Result<Text, Unreadable> {
    let mut archive = Archive::open(bytes)?;
    let mut workbook = Workbook::default();
    let parts = archive.read_main(WORKBOOK, &mut workbook)?;
    if workbook.sheets.len() > MAX_PAGES {
        return Err(Unreadable::TooManyPages);
    }
    let of = |archive: &Archive<'_>, kind: &str| {
        let part = parts.values().find(|part| part.kind == kind)?;
        archive.find(&part.target)
    };
    let mut strings = SharedStrings::default();
    if let Some(part) = of(&archive, "sharedStrings") {
        archive.read_xml(&part, &mut strings)?;
    }
    let mut styles = Styles::default();
    if let Some(part) = of(&archive, "styles") {
        archive.read_xml(&part, &mut styles)?;
    }
    let formats = Formats::new(&styles, workbook.counts_from_1904);

    let mut draft = Draft::default();
    let mut number = 0;
    for (name, id) in &workbook.sheets {
        let part = parts.get(id).filter(|part| part.kind == "worksheet");
        let Some(part) = part.and_then(|part| archive.find(&part.target)) else {
            continue;
        };
        number += 1;
        draft.begin_page(number);
        draft.begin_heading(1);
        draft.push(name)?;
        draft.end_heading();
        draft.end_line();
        let mut sheet = Sheet::new(draft, &strings.strings, &formats);
        archive.read_xml(&part, &mut sheet)?;
        workbook.has_text |= sheet.has_text;
        draft = sheet.draft;
    }
    if workbook.has_text {
        draft.finish(Unreadable::NoText)
    } else {
        // Names of sheets alone, as a new file has them, say nothing.
        Err(Unreadable::NoText)
    }
}

/// Reads which sheets there are.
#[derive(Default)]
struct Workbook {
    /// Name and relationship of each sheet that is shown.
    sheets: Vec<(String, String)>,
    /// Days are counted from 1904 on, as Excel for Macintosh did.
    counts_from_1904: bool,
    has_text: bool,
}

impl Visitor for Workbook {
    fn start(&mut self, element: &Element<'_>) -> Result<Step, Unreadable> {
        match element.name() {
            "sheet" => {
                let is_hidden = matches!(element.attribute("state").as_deref(), Some("hidden" | "veryHidden"));
                if let (Some(name), Some(id), false) = (element.attribute("name"), element.prefixed("id"), is_hidden) {
                    self.sheets.push((name, id));
                }
            }
            "workbookPr" => {
                // Extensions have an element of this name as well.
                self.counts_from_1904 |= matches!(element.attribute("date1904").as_deref(), Some("1" | "true"));
            }
            _ => {}
        }
        Ok(Step::Into)
    }
}

/// Reads the strings that cells refer to by their place.
#[derive(Default)]
struct SharedStrings {
    strings: Vec<String>,
    open: String,
    texts: usize,
    chars: usize,
}

impl Visitor for SharedStrings {
    fn start(&mut self, element: &Element<'_>) -> Result<Step, Unreadable> {
        match element.name() {
            // How the word is pronounced, in Japanese.
            "rPh" => return Ok(Step::Over),
            "t" => self.texts += 1,
            _ => {}
        }
        Ok(Step::Into)
    }

    fn end(&mut self, name: &str) -> Result<(), Unreadable> {
        match name {
            "t" => self.texts = self.texts.saturating_sub(1),
            "si" => self.strings.push(std::mem::take(&mut self.open)),
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Unreadable> {
        if self.texts > 0 {
            self.chars += text.chars().count();
            if self.chars > MAX_CHARS {
                return Err(Unreadable::TooMuchText);
            }
            self.open.push_str(text);
        }
        Ok(())
    }
}

/// Reads how numbers are shown.
#[derive(Default)]
struct Styles {
    codes: BTreeMap<u32, String>,
    /// For each style of cells the id of its format.
    cells: Vec<u32>,
    in_cell_formats: bool,
}

/// The formats of all styles of cells.
struct Formats {
    /// For each style the id of its format.
    cells: Vec<u32>,
    by_id: BTreeMap<u32, NumberFormat>,
    /// What shows a number as it is.
    general: NumberFormat,
}

impl Formats {
    fn new(styles: &Styles, counts_from_1904: bool) -> Self {
        let format = |id: u32| match styles.codes.get(&id) {
            Some(code) => Some(NumberFormat::new(code, counts_from_1904)),
            None => NumberFormat::built_in(id, counts_from_1904),
        };
        let ids: BTreeSet<u32> = styles.cells.iter().copied().collect();
        Self {
            cells: styles.cells.clone(),
            by_id: ids.into_iter().filter_map(|id| Some((id, format(id)?))).collect(),
            general: NumberFormat::new("General", counts_from_1904),
        }
    }

    fn of(&self, style: usize) -> &NumberFormat {
        let own = self.cells.get(style).and_then(|id| self.by_id.get(id));
        own.unwrap_or(&self.general)
    }
}

impl Visitor for Styles {
    fn start(&mut self, element: &Element<'_>) -> Result<Step, Unreadable> {
        let id = || element.attribute("numFmtId").and_then(|id| id.parse().ok());
        match element.name() {
            "numFmt" => {
                if let (Some(id), Some(code)) = (id(), element.attribute("formatCode"))
                    && self.codes.len() < MAX_FORMATS
                {
                    self.codes.insert(id, code);
                }
            }
            "cellXfs" => self.in_cell_formats = true,
            "xf" if self.in_cell_formats && self.cells.len() < MAX_STYLES => self.cells.push(id().unwrap_or_default()),
            _ => {}
        }
        Ok(Step::Into)
    }

    fn end(&mut self, name: &str) -> Result<(), Unreadable> {
        if name == "cellXfs" {
            self.in_cell_formats = false;
        }
        Ok(())
    }
}

/// Reads the rows of a sheet.
struct Sheet<'a> {
    draft: Draft,
    strings: &'a [String],
    formats: &'a Formats,
    /// What the value of the open cell is, as `t` says.
    kind: String,
    style: usize,
    value: String,
    in_value: bool,
    in_inline: bool,
    has_text: bool,
}

impl<'a> Sheet<'a> {
    fn new(draft: Draft, strings: &'a [String], formats: &'a Formats) -> Self {
        Self {
            draft,
            strings,
            formats,
            kind: String::new(),
            style: 0,
            value: String::new(),
            in_value: false,
            in_inline: false,
            has_text: false,
        }
    }

    fn end_cell(&mut self) -> Result<(), Unreadable> {
        let value = std::mem::take(&mut self.value);
        let format = self.formats.of(self.style);
        let shown = match self.kind.as_str() {
            "s" => {
                let place: Option<usize> = value.trim().parse().ok();
                place
                    .and_then(|place| self.strings.get(place))
                    .cloned()
                    .unwrap_or_default()
            }
            "b" if value.trim() == "1" => "TRUE".to_owned(),
            "b" => "FALSE".to_owned(),
            "inlineStr" | "str" | "e" | "d" => value,
            _ => match (value.trim().parse::<f64>(), format) {
                (Ok(number), format) if number.is_finite() => format.show(number),
                _ => value,
            },
        };
        self.has_text |= !shown.trim().is_empty();
        // A line break within a cell keeps its words apart and the row on one line.
        self.draft.push(&shown.replace(['\n', '\r'], " "))?;
        if !shown.is_empty() {
            self.draft.push("\t")?;
        }
        Ok(())
    }
}

impl Visitor for Sheet<'_> {
    fn start(&mut self, element: &Element<'_>) -> Result<Step, Unreadable> {
        match element.name() {
            // What is printed around the rows, rules for entering data, and the like.
            "f" | "rPh" | "headerFooter" | "dataValidations" | "conditionalFormatting" | "extLst" => {
                return Ok(Step::Over);
            }
            "c" => {
                self.kind = element.attribute("t").unwrap_or_default();
                let style = element.attribute("s").and_then(|style| style.parse().ok());
                self.style = style.unwrap_or_default();
                self.value.clear();
            }
            "v" => self.in_value = true,
            "is" => self.in_inline = true,
            "t" if self.in_inline => self.in_value = true,
            _ => {}
        }
        Ok(Step::Into)
    }

    fn end(&mut self, name: &str) -> Result<(), Unreadable> {
        match name {
            "v" | "t" => self.in_value = false,
            "is" => self.in_inline = false,
            "c" => self.end_cell()?,
            "row" => self.draft.end_line(),
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Unreadable> {
        if self.in_value {
            if self.value.len() + text.len() > 4 * MAX_CHARS {
                return Err(Unreadable::TooMuchText);
            }
            self.value.push_str(text);
        }
        Ok(())
    }
}
