//! How extracted text is gathered within its limit: cleaned up as it comes, with the places of its pages and headings.

use crate::{Heading, MAX_CHARS, MAX_HEADINGS, Page, Text, Unreadable};

/// The most blanks that stay where they follow each other. Beyond that they only keep columns apart on paper.
const MAX_BLANKS: usize = 32;
/// The most line ends that stay where they follow each other: two blank lines.
const MAX_BREAKS: usize = 3;

/// The most bytes that are looked at, blanks and all: more than any document has, and an end to those that repeat
/// what is not kept.
const MAX_SEEN: usize = 5 * MAX_CHARS;

/// Raw text on its way out of a parser. It takes a limited number of characters and then refuses, so that no document
/// makes us hold more than the limit.
#[derive(Debug)]
pub(crate) struct Sink {
    text: String,
    room: usize,
    full: bool,
}

impl Sink {
    /// An empty sink that takes up to `room` characters.
    pub(crate) fn new(room: usize) -> Self {
        Self {
            text: String::new(),
            room,
            full: false,
        }
    }

    /// Appends `part`, or nothing of it when it does not fit.
    pub(crate) fn push(&mut self, part: &str) -> Result<(), Unreadable> {
        match self.room.checked_sub(part.chars().count()) {
            Some(room) if !self.full => {
                self.room = room;
                self.text.push_str(part);
                Ok(())
            }
            _ => {
                self.full = true;
                Err(Unreadable::TooMuchText)
            }
        }
    }

    /// Whether something was refused.
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// What was taken.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// The text of a document as it grows.
///
/// It cleans up: every line end becomes `\n`, other control characters go, lines lose their trailing blanks, at most two
/// blank lines and [`MAX_BLANKS`] blanks follow each other, and no blank line begins or ends the text. Typographic
/// ligatures, which PDFs keep as one character, become the letters that people search for. Hyphens at line ends stay:
/// they may belong to the word. What is due but not yet followed by a visible character is only counted, so that a
/// document of blanks costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    text: String,
    chars: usize,
    /// Bytes that came, kept or not.
    seen: usize,
    /// Line ends since the last visible character.
    breaks: usize,
    /// Blanks since the last visible character or line end, as they came.
    blanks: String,
    /// The last character was a carriage return, whose line feed must not count again.
    after_return: bool,
    pages: Vec<Page>,
    /// The last page has no visible character yet.
    page_is_blank: bool,
    headings: Vec<Heading>,
    /// The level of the open heading and where its first visible character stands.
    heading: Option<(u8, Option<usize>)>,
}

impl Draft {
    /// How many characters still fit.
    pub(crate) fn room(&self) -> usize {
        MAX_CHARS.saturating_sub(self.chars)
    }

    /// Whether the next visible character begins a line.
    pub(crate) fn is_at_line_start(&self) -> bool {
        self.breaks > 0 || self.chars == 0
    }

    /// Appends text.
    pub(crate) fn push(&mut self, part: &str) -> Result<(), Unreadable> {
        self.seen = self.seen.saturating_add(part.len());
        if self.seen > MAX_SEEN {
            return Err(Unreadable::TooMuchText);
        }
        for character in part.chars() {
            let after_return = std::mem::replace(&mut self.after_return, character == '\r');
            match character {
                '\n' if after_return => {}
                '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => self.end_line(),
                '\t' => self.blanks.push('\t'),
                '\u{feff}' => {}
                control if control.is_control() => {}
                blank if blank.is_whitespace() => self.blanks.push(blank),
                visible => match ligature(visible) {
                    Some(letters) => letters.chars().try_for_each(|letter| self.push_visible(letter))?,
                    None => self.push_visible(visible)?,
                },
            }
            if self.blanks.len() > 4 * MAX_BLANKS {
                self.cap_blanks();
            }
        }
        Ok(())
    }

    /// Ends the line.
    pub(crate) fn end_line(&mut self) {
        self.blanks.clear();
        self.breaks += usize::from(self.chars > 0);
    }

    /// Ends the line unless nothing is on it.
    pub(crate) fn fresh_line(&mut self) {
        if !self.is_at_line_start() {
            self.end_line();
        }
        self.blanks.clear();
    }

    /// Leaves one blank line before what follows.
    pub(crate) fn blank_line(&mut self) {
        self.fresh_line();
        if self.chars > 0 {
            self.breaks = self.breaks.max(2);
        }
    }

    /// Begins the page with this number, after a blank line. A page without text takes a number and no space.
    pub(crate) fn begin_page(&mut self, number: u32) {
        self.end_page();
        self.blanks.clear();
        self.breaks = if self.chars > 0 { 2 } else { 0 };
        self.page_is_blank = true;
        self.pages.push(Page {
            number,
            start: self.chars,
            end: self.chars,
        });
    }

    fn end_page(&mut self) {
        if let Some(page) = self.pages.last_mut() {
            page.end = self.chars;
        }
    }

    /// What follows is a heading of this level, from 1 to 6, until [`Self::end_heading`]. Headings do not nest.
    pub(crate) fn begin_heading(&mut self, level: u8) {
        self.heading = Some((level.clamp(1, 6), None));
    }

    /// Ends the open heading, if there is one. One without visible characters was none.
    pub(crate) fn end_heading(&mut self) {
        if let Some((level, Some(start))) = self.heading.take()
            && self.headings.len() < MAX_HEADINGS
        {
            self.headings.push(Heading {
                level,
                start,
                end: self.chars,
            });
        }
    }

    /// The document, or `blank` when nothing visible came.
    pub(crate) fn finish(mut self, blank: Unreadable) -> Result<Text, Unreadable> {
        self.end_heading();
        self.end_page();
        if self.text.is_empty() {
            Err(blank)
        } else {
            Ok(Text {
                text: self.text,
                pages: self.pages,
                headings: self.headings,
            })
        }
    }

    fn push_visible(&mut self, character: char) -> Result<(), Unreadable> {
        // Blank lines at the top of a page belong to neither page.
        let breaks = if self.page_is_blank { 2 } else { MAX_BREAKS };
        let breaks = self.breaks.min(breaks);
        self.cap_blanks();
        let due = breaks + self.blanks.chars().count();
        if due + 1 > self.room() {
            return Err(Unreadable::TooMuchText);
        }
        self.text.extend(std::iter::repeat_n('\n', breaks));
        if self.page_is_blank {
            self.page_is_blank = false;
            if let Some(page) = self.pages.last_mut() {
                page.start = self.chars + breaks;
            }
        }
        self.text.push_str(&self.blanks);
        self.chars += due;
        if let Some((_, start @ None)) = &mut self.heading {
            *start = Some(self.chars);
        }
        self.text.push(character);
        self.chars += 1;
        self.breaks = 0;
        self.blanks.clear();
        Ok(())
    }

    fn cap_blanks(&mut self) {
        if let Some((end, _)) = self.blanks.char_indices().nth(MAX_BLANKS) {
            self.blanks.truncate(end);
        }
    }
}

/// The letters of a Latin ligature.
fn ligature(character: char) -> Option<&'static str> {
    Some(match character {
        '\u{fb00}' => "ff",
        '\u{fb01}' => "fi",
        '\u{fb02}' => "fl",
        '\u{fb03}' => "ffi",
        '\u{fb04}' => "ffl",
        '\u{fb05}' | '\u{fb06}' => "st",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tidy(raw: &str) -> String {
        let mut draft = Draft::default();
        draft.push(raw).unwrap();
        draft.finish(Unreadable::Empty).unwrap().text
    }

    #[test]
    fn a_draft_tidies_line_ends_blanks_controls_and_ligatures() {
        let raw = "\r\n\n  A\0B \t\r\n\rC\x07\u{c}ofﬁce-\n\n\n\n\n\n wave \u{a0}\n \n";
        assert_eq!(tidy(raw), "  AB\n\nC\noffice-\n\n\n wave");
    }

    #[test]
    fn runs_of_blanks_are_capped() {
        let raw = format!("a{}b{}\nc", " ".repeat(1_000_000), "\u{2003}".repeat(1_000_000));
        assert_eq!(tidy(&raw), format!("a{}b\nc", " ".repeat(MAX_BLANKS)));
    }

    #[test]
    fn page_offsets_count_characters() {
        let mut draft = Draft::default();
        for (number, page) in (1..).zip(["Žlutý", " \n", "\n\n\nkůň\n"]) {
            draft.begin_page(number);
            draft.push(page).unwrap();
        }
        let text = draft.finish(Unreadable::NoText).unwrap();
        assert_eq!(text.text, "Žlutý\n\nkůň");
        let spans: Vec<_> = text
            .pages
            .iter()
            .map(|page| (page.number, page.start, page.end))
            .collect();
        assert_eq!(spans, [(1, 0, 5), (2, 5, 5), (3, 7, 10)]);
    }

    #[test]
    fn headings_are_where_their_visible_characters_are() {
        let mut draft = Draft::default();
        draft.push("Žár\n").unwrap();
        draft.begin_heading(9);
        draft.push(" \n Dva slova \n").unwrap();
        draft.end_heading();
        draft.begin_heading(1);
        draft.push(" \n").unwrap();
        draft.end_heading();
        let text = draft.finish(Unreadable::NoText).unwrap();
        let (start, end) = (text.headings[0].start, text.headings[0].end);
        assert_eq!((text.headings.len(), text.headings[0].level), (1, 6));
        assert_eq!(
            text.text.chars().skip(start).take(end - start).collect::<String>(),
            "Dva slova"
        );
    }

    #[test]
    fn a_sink_takes_exactly_its_room_in_characters() {
        let mut sink = Sink::new(4);
        assert_eq!(sink.push("žába"), Ok(()));
        assert_eq!(sink.push("!"), Err(Unreadable::TooMuchText));
        assert!(sink.is_full());
        assert_eq!(sink.into_text(), "žába");
    }
}
