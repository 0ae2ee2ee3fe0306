//! Where the headings of a text stand, and which are in force at a place.

use std::ops::Range;

use across_extract::Heading;

/// Tokens of the headings above a piece at most.
pub const MAX_HEADING_TOKENS: usize = 64;
/// Characters of one heading that are kept at most; a document that calls all of its text a heading costs no more.
const MAX_HEADING_CHARS: usize = 400;
/// Bytes before a heading that may be its mark.
const MAX_MARK: usize = 16;
/// What stands between two headings of a path.
const BETWEEN: &str = " › ";

/// A heading, in bytes.
pub(super) struct Section {
    pub(super) level: u8,
    pub(super) span: Range<usize>,
}

/// The headings in bytes, without white space at the ends, each from the beginning of its line, so that a mark like
/// Markdown's goes with its words.
pub(super) fn sections(text: &str, headings: &[Heading]) -> Vec<Section> {
    let mut places = text.char_indices().map(|(byte, _)| byte);
    let mut next = 0;
    // Headings out of order are left out.
    let mut byte_of = |at: usize| {
        let byte = places.nth(at.checked_sub(next)?).unwrap_or(text.len());
        next = at + 1;
        Some(byte)
    };
    let spans = headings.iter().filter_map(|heading| {
        let (start, end) = (byte_of(heading.start)?, byte_of(heading.end)?);
        let start = start - mark_before(text.get(..start)?);
        let said = text.get(start..end)?;
        let end = start + said.trim_end().len();
        let start = start + (said.len() - said.trim_start().len());
        let level = heading.level;
        (start < end).then_some(Section {
            level,
            span: start..end,
        })
    });
    spans.collect()
}

/// Bytes of Markdown's mark at the end of `before`, if a line begins with it.
fn mark_before(before: &str) -> usize {
    let bytes = before.bytes().rev().take(MAX_MARK);
    let mark = bytes.take_while(|byte| matches!(byte, b'#' | b' ' | b'\t')).count();
    let bare = before.get(..before.len() - mark).unwrap_or_default();
    if bare.is_empty() || bare.ends_with('\n') {
        mark
    } else {
        0
    }
}

/// The headings in force, along the way through a text.
pub(super) struct Path<'a> {
    text: &'a str,
    ahead: std::iter::Peekable<std::vec::IntoIter<Section>>,
    open: Vec<Section>,
    words: Option<String>,
}

impl<'a> Path<'a> {
    pub(super) fn new(text: &'a str, sections: Vec<Section>) -> Self {
        Self {
            text,
            ahead: sections.into_iter().peekable(),
            open: Vec::new(),
            words: None,
        }
    }

    /// The path at `byte`, which never goes back.
    pub(super) fn at(&mut self, byte: usize) -> Option<String> {
        let mut moved = false;
        while let Some(section) = self.ahead.next_if(|section| section.span.start <= byte) {
            while self.open.pop_if(|open| open.level >= section.level).is_some() {}
            self.open.push(section);
            moved = true;
        }
        if moved {
            self.words = self.read();
        }
        self.words.clone()
    }

    /// As many of the innermost headings as there is room for.
    fn read(&self) -> Option<String> {
        let count = |text: &str| bpe_openai::cl100k_base().count(text);
        let mut path = String::new();
        for section in self.open.iter().rev() {
            let mark = ['#', ' ', '\t'];
            let title = self.text.get(section.span.clone())?.trim_start_matches(mark);
            let short: String = title.chars().take(MAX_HEADING_CHARS).collect();
            let title = short.split_whitespace().collect::<Vec<_>>().join(" ");
            if title.is_empty() {
                continue;
            }
            let longer = if path.is_empty() {
                shortened(title, count)
            } else {
                format!("{title}{BETWEEN}{path}")
            };
            if count(&longer) > MAX_HEADING_TOKENS {
                break;
            }
            path = longer;
        }
        (!path.is_empty()).then_some(path)
    }
}

/// The title, or the beginning of one that has too many tokens.
fn shortened(mut title: String, count: impl Fn(&str) -> usize) -> String {
    while count(&title) > MAX_HEADING_TOKENS {
        let half = title.chars().count() * 3 / 4;
        title = title.chars().take(half).collect::<String>().trim_end().to_owned();
    }
    title
}
