//! Tables in text files: fields between commas, semicolons, tabs or bars, perhaps in quotes. Each record becomes a line.

use crate::decode::decode;
use crate::text::Draft;
use crate::{Text, Unreadable};

/// What may stand between two fields, the likeliest first.
const DELIMITERS: [char; 4] = [',', ';', '\t', '|'];
/// How many records are looked at to find the delimiter.
const SAMPLE_RECORDS: usize = 50;
/// How many characters are looked at to find the delimiter.
const SAMPLE: usize = 64 * 1024;

/// The records of the table as lines, their fields kept apart by tabs.
pub(crate) fn extract(bytes: &[u8]) -> Result<Text, Unreadable> {
    let text = decode(bytes, None).ok_or(Unreadable::NotText)?;
    let (text, delimiter) = match stated(&text) {
        Some((rest, delimiter)) => (rest, delimiter),
        None => (text.as_ref(), sniff(&text)),
    };
    let mut draft = Draft::default();
    let mut parser = Parser::new(delimiter);
    for character in text.chars() {
        match parser.next(character) {
            Some(Token::Character(character)) => {
                // A line break within a field keeps its words apart and the record on one line.
                let character = if character == '\n' || character == '\r' {
                    ' '
                } else {
                    character
                };
                draft.push(character.encode_utf8(&mut [0; 4]))?;
            }
            Some(Token::EndOfField) => draft.push("\t")?,
            Some(Token::EndOfRecord) => draft.end_line(),
            None => {}
        }
    }
    draft.finish(Unreadable::Empty)
}

/// The delimiter that Excel reads from a first line like `sep=;`, and what follows it.
fn stated(text: &str) -> Option<(&str, char)> {
    let (line, rest) = text.split_once('\n')?;
    let mut characters = line.trim_end_matches('\r').strip_prefix("sep=")?.chars();
    let delimiter = characters.next()?;
    characters.next().is_none().then_some((rest, delimiter))
}

/// The delimiter that gives the most records the same number of fields, more than one; a comma where none does.
fn sniff(text: &str) -> char {
    let sample = text.char_indices().nth(SAMPLE).map_or(text, |(end, _)| &text[..end]);
    let mut best = (0, ',');
    for delimiter in DELIMITERS {
        let mut parser = Parser::new(delimiter);
        let mut counts = vec![0_usize];
        for character in sample.chars() {
            match parser.next(character) {
                Some(Token::EndOfField) => {
                    if let Some(count) = counts.last_mut() {
                        *count += 1;
                    }
                }
                Some(Token::EndOfRecord) if counts.len() > SAMPLE_RECORDS => break,
                Some(Token::EndOfRecord) => counts.push(0),
                Some(Token::Character(_)) | None => {}
            }
        }
        let agreeing = |fields: usize| counts.iter().filter(|count| **count == fields).count();
        let agreeing = counts
            .iter()
            .filter(|fields| **fields > 0)
            .map(|fields| agreeing(*fields))
            .max();
        if let Some(records) = agreeing
            && records > best.0
        {
            best = (records, delimiter);
        }
    }
    best.1
}

/// What a character of the file means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Character(char),
    EndOfField,
    EndOfRecord,
}

/// Reads one character after the other, by RFC 4180 and tolerant of what it forbids.
struct Parser {
    delimiter: char,
    /// The field is in quotes that are open.
    quoted: bool,
    /// The last character was a quote within a quoted field: it closes it unless another follows.
    after_quote: bool,
    /// Nothing of the field has come.
    at_start: bool,
    /// The last character was a carriage return.
    after_return: bool,
}

impl Parser {
    fn new(delimiter: char) -> Self {
        Self {
            delimiter,
            quoted: false,
            after_quote: false,
            at_start: true,
            after_return: false,
        }
    }

    fn next(&mut self, character: char) -> Option<Token> {
        let after_return = std::mem::replace(&mut self.after_return, character == '\r');
        if self.quoted {
            return match (character, std::mem::take(&mut self.after_quote)) {
                ('"', false) => {
                    self.after_quote = true;
                    None
                }
                (other, false) => Some(Token::Character(other)),
                ('"', true) => Some(Token::Character('"')),
                (other, true) => {
                    self.quoted = false;
                    self.unquoted(other, false)
                }
            };
        }
        self.unquoted(character, after_return)
    }

    fn unquoted(&mut self, character: char, after_return: bool) -> Option<Token> {
        let was_at_start = std::mem::replace(&mut self.at_start, false);
        match character {
            '"' if was_at_start => {
                self.quoted = true;
                None
            }
            '\n' if after_return => {
                self.at_start = true;
                None
            }
            '\n' | '\r' => {
                self.at_start = true;
                Some(Token::EndOfRecord)
            }
            delimiter if delimiter == self.delimiter => {
                self.at_start = true;
                Some(Token::EndOfField)
            }
            other => Some(Token::Character(other)),
        }
    }
}
