//! Cuts a text into chunks of at most so many tokens that overlap a little, at headings and at the ends of pages, paragraphs
//! and sentences where there are any, and keeps where each chunk stands. Every step is one pass: hostile texts of any shape
//! cost no more than others of their length.

mod headings;

use across_extract::{Heading, Page};

pub use self::headings::MAX_HEADING_TOKENS;
use self::headings::{Path, Section, sections};

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Its words, without white space at the ends.
    pub text: &'a str,
    /// The headings in force where it begins, the outermost first, at most [`MAX_HEADING_TOKENS`] tokens of them.
    pub heading: Option<String>,
    /// The page it begins on.
    pub page: Option<u32>,
    /// Where it begins, in characters of the whole text.
    pub start: u32,
    /// Where it ends, exclusive, in characters.
    pub end: u32,
    /// How many tokens its words have (cl100k).
    pub tokens: u32,
}

/// How good a place is to cut a text, best last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    /// Between two characters.
    Character,
    /// Between two words.
    Word,
    /// At the end of a line.
    Line,
    /// At the end of a sentence.
    Sentence,
    /// At an empty line.
    Paragraph,
    /// Before a heading.
    Heading,
    /// At the end of a page.
    Page,
}

/// Where a token ends that is also the boundary of a character.
struct Boundary {
    /// Offset in bytes.
    byte: usize,
    /// How many tokens lie before it.
    tokens: u32,
    cut: Cut,
}

/// A document that is about to be cut.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    /// All of its text.
    pub text: &'a str,
    /// Where its pages lie, if it has any.
    pub pages: &'a [Page],
    /// Its headings, in order.
    pub headings: &'a [Heading],
}

/// Cuts a document into pieces of at most `max_tokens` tokens (cl100k); neighbours share about `overlap` tokens, but nothing
/// across a heading or a page. The same document always gives the same pieces. Only a single character of more tokens than
/// `max_tokens` makes a piece that is larger.
///
/// The text is encoded once, at the first piece, and every piece once more, since white space at its ends was encoded with
/// it. A cut is made in the last half of a window, at the best kind of place that occurs there, as late as possible; a
/// heading is looked for in the last three quarters.
pub fn pieces(document: Document<'_>, max_tokens: usize, overlap: usize) -> impl Iterator<Item = Piece<'_>> {
    let max_tokens = max_tokens.max(1);
    let sections = sections(document.text, document.headings);
    let mut cutter = Cutter {
        text: document.text,
        pages: document.pages,
        boundaries: boundaries(document.text, document.pages, &sections),
        chars: CharCounter::new(document.text),
        path: Path::new(document.text, sections),
        max_tokens,
        overlap: overlap.min(max_tokens / 2),
        from: Some(0),
    };
    std::iter::from_fn(move || cutter.next())
}

/// A cut in progress.
struct Cutter<'a> {
    text: &'a str,
    pages: &'a [Page],
    /// The first is the text's beginning, the last its end.
    boundaries: Vec<Boundary>,
    chars: CharCounter<'a>,
    path: Path<'a>,
    max_tokens: usize,
    overlap: usize,
    /// The boundary at which the next piece begins; none at the end.
    from: Option<usize>,
}

impl<'a> Cutter<'a> {
    fn next(&mut self) -> Option<Piece<'a>> {
        loop {
            let from = self.from?;
            let start = self.boundaries.get(from).filter(|start| start.byte < self.text.len())?;
            let start = (start.byte, start.tokens as usize);
            let (to, text, tokens) = self.fit(from, start)?;
            self.from = (to + 1 < self.boundaries.len()).then(|| self.next_start(from, to));
            if text.is_empty() {
                continue;
            }
            let whole = self.text.get(start.0..).unwrap_or_default();
            let byte = start.0 + (whole.len() - whole.trim_start().len());
            let begin = self.chars.at(byte);
            return Some(Piece {
                text,
                heading: self.path.at(byte),
                page: page_of(self.pages, begin),
                start: narrow(begin),
                end: narrow(begin + text.chars().count()),
                tokens: narrow(tokens),
            });
        }
    }

    /// Where the piece that begins at `from` ends, its words, and how many tokens they have.
    fn fit(&self, from: usize, (byte, tokens): (usize, usize)) -> Option<(usize, &'a str, usize)> {
        let full = self.past(tokens + self.max_tokens).saturating_sub(1);
        // A single character of more tokens than a chunk holds still has to go somewhere.
        let mut last = full.max(from + 1).min(self.boundaries.len() - 1);
        loop {
            let to = self.best_cut(from, last, tokens);
            let text = self.text.get(byte..self.boundaries.get(to)?.byte)?.trim();
            let counted = bpe_openai::cl100k_base().count(text);
            // Alone, words may be encoded otherwise than with what stood around them.
            let excess = counted.saturating_sub(self.max_tokens);
            if excess == 0 || to == from + 1 {
                return Some((to, text, counted));
            }
            last = to.saturating_sub(excess).max(from + 1);
        }
    }

    /// How many boundaries lie no more than `tokens` tokens into the text.
    fn past(&self, tokens: usize) -> usize {
        self.boundaries.partition_point(|b| b.tokens as usize <= tokens)
    }

    fn cut(&self, index: usize) -> Cut {
        self.boundaries.get(index).map_or(Cut::Character, |b| b.cut)
    }

    /// Where a piece ends that may reach to `last`. It never crosses into the next page: what stands there is to be cited
    /// with that page.
    fn best_cut(&self, from: usize, last: usize, tokens: usize) -> usize {
        if let Some(page_end) = (from + 1..=last).find(|index| self.cut(*index) == Cut::Page) {
            return page_end;
        }
        if last == self.boundaries.len() - 1 {
            return last;
        }
        // From the first boundary with at least so many tokens.
        let window = |least: usize| self.past(tokens + least - 1).max(from + 1)..=last;
        let quarter = self.max_tokens.div_ceil(4);
        let heading = window(quarter).rev().find(|index| self.cut(*index) == Cut::Heading);
        heading
            .or_else(|| window(self.max_tokens.div_ceil(2)).max_by_key(|index| (self.cut(*index), *index)))
            .unwrap_or(last)
    }

    /// Where the next piece begins: about `overlap` tokens before the end, at the beginning of a sentence if one begins
    /// there, else of a word. Always at least a quarter of a window after this piece's beginning, so that no text is cut
    /// into more pieces than it has room for.
    fn next_start(&self, from: usize, to: usize) -> usize {
        if self.cut(to) >= Cut::Heading {
            return to;
        }
        let tokens = |index: usize| self.boundaries.get(index).map_or(0, |b| b.tokens as usize);
        let least = tokens(from) + self.max_tokens.div_ceil(4);
        let earliest = (tokens(to).saturating_sub(self.overlap)).max(least);
        let earliest = self.past(earliest.saturating_sub(1)).max(from + 1);
        let heading = (earliest..to).rev().find(|index| self.cut(*index) >= Cut::Heading);
        let kind = |wanted: Cut| (earliest..to).find(|index| self.cut(*index) >= wanted);
        let begin = heading.or_else(|| kind(Cut::Sentence)).or_else(|| kind(Cut::Word));
        begin.unwrap_or(to)
    }
}

/// Every place between two tokens where the text may be cut, the beginning and the end included.
fn boundaries(text: &str, pages: &[Page], sections: &[Section]) -> Vec<Boundary> {
    let tokenizer = bpe_openai::cl100k_base();
    let mut page_ends = pages.iter().map(|page| page.end).peekable();
    let mut chars = CharCounter::new(text);
    let mut gaps = Gaps::new(text, sections);
    let mut found = vec![Boundary {
        byte: 0,
        tokens: 0,
        cut: Cut::Page,
    }];
    let mut byte = 0;
    for (before, token) in tokenizer.encode(text).into_iter().enumerate() {
        byte += tokenizer.bpe.token_len(token);
        if !text.is_char_boundary(byte) {
            continue;
        }
        let mut cut = gaps.cut(byte);
        if page_ends.peek().is_some_and(|end| chars.at(byte) >= *end) {
            while page_ends.next_if(|end| chars.chars >= *end).is_some() {}
            cut = Cut::Page;
        }
        found.push(Boundary {
            byte,
            tokens: narrow(before + 1),
            cut,
        });
    }
    found
}

/// The white space of a text, walked through once. Tokens carry white space at their beginning, so a run of it may lie before
/// and after a boundary; all boundaries of a run are of one kind.
struct Gaps<'a> {
    text: &'a str,
    /// Where headings begin, but for those that follow another at once.
    begins: Vec<usize>,
    /// Where headings end.
    ends: Vec<usize>,
    /// Where the run ends that was looked at last, and its kind.
    end: usize,
    cut: Cut,
}

impl<'a> Gaps<'a> {
    fn new(text: &'a str, sections: &[Section]) -> Self {
        let ends: Vec<usize> = sections.iter().map(|section| section.span.end).collect();
        let before = std::iter::once(None).chain(ends.iter().map(Some));
        let begins = sections.iter().zip(before).filter_map(|(section, before)| {
            let start = section.span.start;
            let between = before.map(|before| text.get(*before..start).unwrap_or_default());
            let follows = between.is_some_and(|between| between.trim().is_empty());
            (!follows).then_some(start)
        });
        Self {
            text,
            begins: begins.collect(),
            ends,
            end: 0,
            cut: Cut::Character,
        }
    }

    /// What ends at this place, which never goes back.
    fn cut(&mut self, byte: usize) -> Cut {
        if byte <= self.end {
            return self.cut;
        }
        let (before, after) = self.text.split_at(byte);
        // A run that reached back over the boundary before this one would have been looked at there.
        let said = before.trim_end();
        let gap = said.len()..byte + (after.len() - after.trim_start().len());
        if gap.is_empty() {
            let is_end = ends_sentence_without_gap(before, after);
            return if is_end { Cut::Sentence } else { Cut::Character };
        }
        let lines = self.text.get(gap.clone()).map_or(0, |gap| gap.matches('\n').count());
        self.end = gap.end;
        self.cut = if self.begins.binary_search(&gap.end).is_ok() {
            Cut::Heading
        } else if self.ends.binary_search(&gap.start).is_ok() {
            // A heading is not parted from its text.
            Cut::Word
        } else if lines >= 2 {
            Cut::Paragraph
        } else if ends_sentence(said) {
            Cut::Sentence
        } else if lines == 1 {
            Cut::Line
        } else {
            Cut::Word
        };
        self.cut
    }
}

const ENDS: [char; 10] = ['.', '!', '?', '…', '。', '！', '？', '؟', '׃', '।'];
const CLOSING: [char; 8] = [')', '"', '”', '»', '’', '」', '』', '）'];

fn ends_sentence(said: &str) -> bool {
    said.trim_end_matches(CLOSING).ends_with(ENDS)
}

/// Scripts that write without spaces end sentences without them.
fn ends_sentence_without_gap(before: &str, after: &str) -> bool {
    let open = before.strip_suffix(CLOSING).unwrap_or(before);
    open.ends_with(['。', '！', '？']) && !after.starts_with(CLOSING) && !after.starts_with(ENDS)
}

fn page_of(pages: &[Page], at: usize) -> Option<u32> {
    let index = pages.partition_point(|page| page.end <= at);
    pages.get(index).or(pages.last()).map(|page| page.number)
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Turns byte offsets into character offsets, walking the text once as long as offsets grow.
struct CharCounter<'a> {
    text: &'a str,
    byte: usize,
    chars: usize,
}

impl<'a> CharCounter<'a> {
    const fn new(text: &'a str) -> Self {
        let (byte, chars) = (0, 0);
        Self { text, byte, chars }
    }

    fn at(&mut self, byte: usize) -> usize {
        if byte < self.byte {
            (self.byte, self.chars) = (0, 0);
        }
        self.chars += self
            .text
            .get(self.byte..byte)
            .map_or(0, |passed| passed.chars().count());
        self.byte = byte;
        self.chars
    }
}

#[cfg(test)]
mod tests;
