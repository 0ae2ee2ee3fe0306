//! The letters of a PDF page put into lines by where they stand, and lines of Hebrew and Arabic into the order of reading.

use pdf_extract::{MediaBox, OutputDev, OutputError, Transform};

use crate::text::Sink;

/// A gap of more than this part of the font's size is a blank.
const BLANK: f64 = 0.1;
/// A step down of more than this part of the font's size is a new line, where the letters also begin further left.
const LINE: f64 = 0.5;
/// A step down of more than this part of the font's size is a new line in any case.
const PARAGRAPH: f64 = 1.5;

/// A letter, or letters that are drawn as one.
struct Glyph {
    letters: String,
    start: f64,
    end: f64,
    size: f64,
}

/// Takes the letters as they are drawn. Lines, words and blanks are told by the rules of `pdf_extract::PlainTextOutput`,
/// except in lines with letters that run from right to left: programs draw those in any order, so that only their places
/// tell how they follow each other.
pub(crate) struct Layout<'a> {
    sink: &'a mut Sink,
    /// The open line as it came.
    line: String,
    /// The open line's letters with their places.
    glyphs: Vec<Glyph>,
    runs_left: bool,
    last_end: f64,
    last_y: f64,
    begins_word: bool,
}

impl<'a> Layout<'a> {
    /// Writes the text of one page to `sink`.
    pub(crate) fn new(sink: &'a mut Sink) -> Self {
        Self {
            sink,
            line: String::new(),
            glyphs: Vec::new(),
            runs_left: false,
            last_end: 100_000.0,
            last_y: 0.0,
            begins_word: false,
        }
    }

    fn end_line(&mut self) -> Result<(), OutputError> {
        let line = if self.runs_left {
            logical(&mut self.glyphs)
        } else {
            std::mem::take(&mut self.line)
        };
        self.line.clear();
        self.glyphs.clear();
        self.runs_left = false;
        self.sink
            .push(&line)
            .map_err(|_| OutputError::FormatError(std::fmt::Error))
    }
}

impl OutputDev for Layout<'_> {
    fn begin_page(
        &mut self,
        _number: u32,
        _media_box: &MediaBox,
        _art_box: Option<(f64, f64, f64, f64)>,
    ) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_page(&mut self) -> Result<(), OutputError> {
        self.end_line()
    }

    fn output_character(
        &mut self,
        place: &Transform,
        width: f64,
        _spacing: f64,
        font_size: f64,
        letters: &str,
    ) -> Result<(), OutputError> {
        // The side of a square as large as the font's.
        let wide = font_size * (place.m11 + place.m21);
        let high = font_size * (place.m12 + place.m22);
        let size = (wide * high).sqrt();
        let (x, y) = (place.m31, -place.m32);
        let step = (y - self.last_y).abs();
        let runs_left = letters.chars().any(runs_left);
        if (self.runs_left || runs_left) && step > size * LINE && !self.glyphs.is_empty() {
            self.end_line()?;
            self.line.push('\n');
        } else if self.begins_word {
            if step > size * PARAGRAPH {
                self.end_line()?;
                self.line.push('\n');
            }
            if x < self.last_end && step > size * LINE {
                self.end_line()?;
                self.line.push('\n');
            }
            if x > self.last_end + size * BLANK {
                self.line.push(' ');
            }
        }
        self.line.push_str(letters);
        let end = x + width * size;
        // Lines by the older rules begin with their line end, those by places are given it when they are put in order.
        if self.glyphs.is_empty() && self.line.starts_with('\n') {
            let breaks = "\n".to_owned();
            self.glyphs.push(Glyph {
                letters: breaks,
                start: f64::NEG_INFINITY,
                end: f64::NEG_INFINITY,
                size,
            });
        }
        self.glyphs.push(Glyph {
            letters: letters.to_owned(),
            start: x,
            end,
            size,
        });
        self.runs_left |= runs_left;
        self.begins_word = false;
        self.last_y = y;
        self.last_end = end;
        Ok(())
    }

    fn begin_word(&mut self) -> Result<(), OutputError> {
        self.begins_word = true;
        Ok(())
    }

    fn end_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), OutputError> {
        Ok(())
    }
}

/// Hebrew, Arabic and their neighbours, and the shapes that fonts have for their letters.
fn runs_left(letter: char) -> bool {
    matches!(letter, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}') && !letter.is_numeric()
}

fn runs_right(letter: char) -> bool {
    letter.is_alphanumeric() && !runs_left(letter)
}

/// The letters of a line in the order of reading. The line runs in the direction of most of its letters; within it words
/// that run the other way, and numbers, keep theirs.
fn logical(glyphs: &mut [Glyph]) -> String {
    glyphs.sort_by(|one, other| one.start.total_cmp(&other.start));
    let mut units: Vec<&str> = Vec::new();
    let mut line_end = "";
    let mut last_end = f64::INFINITY;
    for glyph in glyphs.iter() {
        if glyph.letters == "\n" {
            line_end = "\n";
            continue;
        }
        if glyph.start > last_end + glyph.size * BLANK {
            units.push(" ");
        }
        last_end = glyph.end;
        units.push(&glyph.letters);
    }
    let count = |wanted: fn(char) -> bool| units.iter().filter(|unit| unit.chars().any(wanted)).count();
    let (left, right) = (count(runs_left), count(runs_right));
    if left >= right {
        units.reverse();
        turn(&mut units, runs_right, runs_left);
    } else {
        turn(&mut units, runs_left, runs_right);
    }
    let mut line = line_end.to_owned();
    line.extend(units);
    line
}

/// Turns each run round that begins and ends with `wanted` letters and has none of the `others`.
fn turn(units: &mut [&str], wanted: fn(char) -> bool, others: fn(char) -> bool) {
    let mut run: Option<(usize, usize)> = None;
    for place in 0..=units.len() {
        let unit = units.get(place).copied();
        let is = |which: fn(char) -> bool| unit.is_some_and(|unit| unit.chars().any(which));
        if is(wanted) {
            run = Some((run.map_or(place, |(start, _)| start), place + 1));
        } else if (is(others) || unit.is_none())
            && let Some((start, end)) = run.take()
            && let Some(run) = units.get_mut(start..end)
        {
            run.reverse();
        }
    }
}
