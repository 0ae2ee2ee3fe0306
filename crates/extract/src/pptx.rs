//! Presentations: each slide is a page, in the order of the show, with its title as heading and the speaker's notes.

use crate::archive::{Archive, Relationship};
use crate::text::Draft;
use crate::xml::{Element, Step, Visitor};
use crate::{MAX_PAGES, Text, Unreadable, chart};

/// The part that makes a zip a presentation, where it usually is.
pub(crate) const PRESENTATION: &str = "ppt/presentation.xml";

/// The text of all slides that are shown. A hidden one keeps its number and has no text.
pub(crate) fn extract(bytes: &[u8]) -> Result<Text, Unreadable> {
    let mut archive = Archive::open(bytes)?;
    let mut slides = Slides::default();
    let parts = archive.read_main(PRESENTATION, &mut slides)?;
    if slides.ids.len() > MAX_PAGES {
        return Err(Unreadable::TooManyPages);
    }
    let mut draft = Draft::default();
    for (number, id) in (1..).zip(&slides.ids) {
        draft.begin_page(number);
        let part = parts.get(id).filter(|part| part.kind == "slide");
        if let Some(part) = part.and_then(|part| archive.find(&part.target)) {
            draft = slide(&mut archive, &part, draft)?;
        }
    }
    draft.finish(Unreadable::NoText)
}

/// Appends a slide, what its charts and diagrams say, and its notes.
fn slide(archive: &mut Archive<'_>, part: &str, draft: Draft) -> Result<Draft, Unreadable> {
    let mut reader = Shapes::new(draft, Part::Slide);
    archive.read_xml(part, &mut reader)?;
    if reader.is_hidden {
        return Ok(reader.draft);
    }
    let related = archive.relationships(part)?;
    let of = |kind: &'static str| related.iter().filter(move |other: &&Relationship| other.kind == kind);
    for other in of("chart") {
        if let Some(other) = archive.find(&other.target) {
            reader.draft = chart::read(archive, &other, reader.draft)?;
        }
    }
    for (other, as_part) in of("diagramData")
        .map(|other| (other, Part::Diagram))
        .chain(of("notesSlide").map(|other| (other, Part::Notes)))
    {
        if let Some(other) = archive.find(&other.target) {
            reader = Shapes::new(reader.draft, as_part);
            reader.draft.blank_line();
            archive.read_xml(&other, &mut reader)?;
        }
    }
    Ok(reader.draft)
}

/// Reads the ids of the slides in the order of the show.
#[derive(Default)]
struct Slides {
    ids: Vec<String>,
}

impl Visitor for Slides {
    fn start(&mut self, element: &Element<'_>) -> Result<Step, Unreadable> {
        if element.name() == "sldId" {
            self.ids.extend(element.prefixed("id"));
        }
        Ok(Step::Into)
    }
}

/// Which kind of part is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Slide,
    Diagram,
    /// Of which only the notes themselves are read: the rest repeats the slide.
    Notes,
}

/// What a shape is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Title,
    Other,
    LeftOut,
    /// The author hid it.
    Hidden,
}

/// Reads the shapes of a part in the order in which they lie.
struct Shapes {
    draft: Draft,
    part: Part,
    is_hidden: bool,
    role: Role,
    /// Open table cells.
    cells: usize,
    /// Open text elements.
    texts: usize,
    /// A line has ended within a cell; a space is due before its next text.
    gap: bool,
}

impl Shapes {
    fn new(draft: Draft, part: Part) -> Self {
        Self {
            draft,
            part,
            is_hidden: false,
            role: Role::Other,
            cells: 0,
            texts: 0,
            gap: false,
        }
    }

    fn role(&self, placeholder: &str) -> Role {
        match (self.part, placeholder) {
            (Part::Notes, "body") => Role::Other,
            (Part::Notes, _) | (_, "sldNum" | "dt" | "hdr" | "sldImg") => Role::LeftOut,
            (Part::Slide, "title" | "ctrTitle") => Role::Title,
            _ => Role::Other,
        }
    }

    /// Ends a line. A table row is one line, so the lines within its cells are only kept apart.
    fn end_line(&mut self) {
        if self.cells > 0 {
            self.gap = true;
        } else {
            self.draft.end_line();
        }
    }
}

impl Visitor for Shapes {
    fn start(&mut self, element: &Element<'_>) -> Result<Step, Unreadable> {
        match element.name() {
            "sld"
                if element
                    .attribute("show")
                    .is_some_and(|show| matches!(show.as_str(), "0" | "false")) =>
            {
                self.is_hidden = true;
                return Ok(Step::Over);
            }
            // The fallback repeats a drawing's text for old programs.
            "Fallback" => return Ok(Step::Over),
            "sp" => {
                self.role = if self.part == Part::Notes {
                    Role::LeftOut
                } else {
                    Role::Other
                }
            }
            "ph" if self.role != Role::Hidden => {
                self.role = self.role(element.attribute("type").as_deref().unwrap_or("obj"));
            }
            "cNvPr" if matches!(element.attribute("hidden").as_deref(), Some("1" | "true")) => {
                self.role = Role::Hidden;
            }
            "txBody" if matches!(self.role, Role::LeftOut | Role::Hidden) => return Ok(Step::Over),
            "txBody" if self.role == Role::Title => self.draft.begin_heading(1),
            "t" => self.texts += 1,
            "tc" => self.cells += 1,
            "tab" => self.draft.push("\t")?,
            "br" => self.end_line(),
            _ => {}
        }
        Ok(Step::Into)
    }

    fn end(&mut self, name: &str) -> Result<(), Unreadable> {
        match name {
            "txBody" => self.draft.end_heading(),
            "sp" | "graphicFrame" => {
                self.role = Role::Other;
                self.draft.blank_line();
            }
            "t" => self.texts = self.texts.saturating_sub(1),
            "p" => self.end_line(),
            "tc" => {
                self.cells = self.cells.saturating_sub(1);
                self.gap = false;
                self.draft.push("\t")?;
            }
            "tr" => self.end_line(),
            // Each box of a diagram.
            "pt" => self.draft.fresh_line(),
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Unreadable> {
        if self.texts == 0 {
            return Ok(());
        }
        if std::mem::take(&mut self.gap) {
            self.draft.push(" ")?;
        }
        self.draft.push(text)
    }
}
