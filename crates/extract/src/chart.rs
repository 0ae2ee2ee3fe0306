//! Charts of Office files: titles, and the names of what is drawn. Their numbers are drawn, not written.

use std::collections::BTreeSet;

use crate::Unreadable;
use crate::archive::Archive;
use crate::text::Draft;
use crate::xml::{Element, Step, Visitor};

/// Appends what a chart says, one line for each name.
pub(crate) fn read(archive: &mut Archive<'_>, part: &str, draft: Draft) -> Result<Draft, Unreadable> {
    let mut chart = Chart {
        draft,
        seen: BTreeSet::new(),
        open: String::new(),
        in_strings: false,
        texts: 0,
    };
    chart.draft.blank_line();
    archive.read_xml(part, &mut chart)?;
    chart.draft.blank_line();
    Ok(chart.draft)
}

struct Chart {
    draft: Draft,
    /// Names that were said. Each series repeats those of the categories.
    seen: BTreeSet<String>,
    open: String,
    in_strings: bool,
    /// Open text elements.
    texts: usize,
}

impl Visitor for Chart {
    fn start(&mut self, element: &Element<'_>) -> Result<Step, Unreadable> {
        match element.name() {
            "Fallback" | "extLst" => return Ok(Step::Over),
            "strCache" => self.in_strings = true,
            "v" if self.in_strings => self.texts += 1,
            "t" => self.texts += 1,
            _ => {}
        }
        Ok(Step::Into)
    }

    fn end(&mut self, name: &str) -> Result<(), Unreadable> {
        match name {
            "strCache" => self.in_strings = false,
            "v" if self.in_strings => self.texts = self.texts.saturating_sub(1),
            "t" => self.texts = self.texts.saturating_sub(1),
            _ => {}
        }
        if matches!(name, "p" | "pt") && !self.open.is_empty() {
            let name = std::mem::take(&mut self.open);
            if !self.seen.contains(&name) {
                self.draft.push(&name)?;
                self.draft.end_line();
                self.seen.insert(name);
            }
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Unreadable> {
        if self.texts > 0 {
            self.open.push_str(text);
        }
        Ok(())
    }
}
