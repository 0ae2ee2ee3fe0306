//! How extracted text is gathered within its limit, cleaned up and divided into pages.

use std::fmt;

use crate::{MAX_CHARS, Page, Text, Unreadable};

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

    /// What was taken so far.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What was taken.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

impl fmt::Write for Sink {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.push(part).map_err(|_| fmt::Error)
    }
}

/// Joins the pages of a document and remembers where each one lies.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    text: String,
    chars: usize,
    pages: Vec<Page>,
}

impl Pages {
    /// How many characters still fit.
    pub(crate) fn room(&self) -> usize {
        MAX_CHARS.saturating_sub(self.chars)
    }

    /// Appends the next page, cleaned up. A page without text takes a number and no space. Blanks at the start of its
    /// lines go as well: they come from where the words stand on the paper.
    pub(crate) fn push(&mut self, number: u32, raw: &str) {
        let page = tidy(raw)
            .lines()
            .map(|line| line.trim_start_matches(' '))
            .collect::<Vec<_>>()
            .join("\n");
        if !page.is_empty() && !self.text.is_empty() {
            self.text.push_str("\n\n");
            self.chars += 2;
        }
        let start = self.chars;
        self.chars += page.chars().count();
        self.text.push_str(&page);
        self.pages.push(Page {
            number,
            start,
            end: self.chars,
        });
    }

    /// The document, or `blank` when no page had text.
    pub(crate) fn finish(self, blank: Unreadable) -> Result<Text, Unreadable> {
        if self.text.is_empty() {
            Err(blank)
        } else {
            Ok(Text {
                text: self.text,
                pages: self.pages,
                headings: Vec::new(),
            })
        }
    }
}

/// A document without pages, cleaned up, or `blank` when it has no text.
pub(crate) fn unpaged(raw: &str, blank: Unreadable) -> Result<Text, Unreadable> {
    let text = tidy(raw);
    if text.is_empty() {
        Err(blank)
    } else {
        Ok(Text {
            text,
            pages: Vec::new(),
            headings: Vec::new(),
        })
    }
}

/// Cleans up raw text: every line end becomes `\n`, other control characters go, lines lose their trailing blanks, at
/// most two blank lines follow each other and none begin or end the text. Typographic ligatures, which PDFs keep as one
/// character, become the letters that people search for. Hyphens at line ends stay: they may belong to the word.
fn tidy(raw: &str) -> String {
    let mut tidy = String::with_capacity(raw.len());
    let mut blank_lines = 0;
    // CRLF gives an additional empty line when split at both characters, so it is split first.
    for line in raw
        .split("\r\n")
        .flat_map(|part| part.split(['\n', '\r', '\u{b}', '\u{c}', '\u{2028}', '\u{2029}']))
    {
        let line_start = tidy.len();
        if line_start > 0 {
            tidy.extend(std::iter::repeat_n('\n', 1 + blank_lines.min(2)));
        }
        let content_start = tidy.len();
        for character in line.chars() {
            match ligature(character) {
                Some(letters) => tidy.push_str(letters),
                None if character != '\t' && character.is_ascii_control() => {}
                None => tidy.push(character),
            }
        }
        let content = tidy[content_start..].trim_end_matches([' ', '\t', '\u{a0}', '\u{feff}']);
        if content.is_empty() {
            tidy.truncate(line_start);
            blank_lines += 1;
        } else {
            tidy.truncate(content_start + content.len());
            blank_lines = 0;
        }
    }
    tidy
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

    #[test]
    fn tidy_normalises_line_ends_blanks_controls_and_ligatures() {
        let raw = "\r\n\n  A\0B \t\r\n\rC\x07\u{c}ofﬁce-\n\n\n\n\n\n wave \u{a0}\n \n";
        assert_eq!(tidy(raw), "  AB\n\nC\noffice-\n\n\n wave");
    }

    #[test]
    fn page_offsets_count_characters() {
        let mut pages = Pages::default();
        pages.push(1, "Žlutý");
        pages.push(2, " \n");
        pages.push(3, "kůň\n");
        let text = pages.finish(Unreadable::NoText).unwrap();
        assert_eq!(text.text, "Žlutý\n\nkůň");
        let spans: Vec<_> = text
            .pages
            .iter()
            .map(|page| (page.number, page.start, page.end))
            .collect();
        assert_eq!(spans, [(1, 0, 5), (2, 5, 5), (3, 7, 10)]);
    }

    #[test]
    fn a_sink_takes_exactly_its_room_in_characters() {
        let mut sink = Sink::new(4);
        assert_eq!(sink.push("žába"), Ok(()));
        assert_eq!(sink.push("!"), Err(Unreadable::TooMuchText));
        assert!(sink.is_full());
        assert_eq!(sink.text(), "žába");
    }
}
