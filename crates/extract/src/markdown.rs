//! Markdown: its text as it stands, marks included, and where its headings are.

use crate::{Heading, MAX_HEADINGS, Text, Unreadable, plain};

/// The text of a Markdown file with its headings by CommonMark 0.31: lines that begin with `#`, and paragraphs underlined
/// with `=` or `-`. A heading's span is its words without these marks.
pub(crate) fn extract(bytes: &[u8]) -> Result<Text, Unreadable> {
    let mut text = plain::extract(bytes)?;
    text.headings = headings(&text.text);
    Ok(text)
}

/// What a line may belong to.
enum Block {
    /// Neither of the others.
    Other,
    /// A paragraph that began at this offset in characters.
    Paragraph { start: usize },
    /// A code block fenced by at least so many of this character.
    Fence { mark: char, length: usize },
    /// The properties that some programs write before the text, until the next `---`.
    FrontMatter,
}

fn headings(text: &str) -> Vec<Heading> {
    let mut headings = Vec::new();
    let mut block = Block::Other;
    let mut offset = 0;
    let mut paragraph_end = 0;
    for (number, line) in text.split('\n').enumerate() {
        let length = line.chars().count();
        let content = line.trim_start_matches(' ');
        let indent = line.len() - content.len();
        let start = offset + indent;
        block = match block {
            Block::Fence { mark, length } if closes(content, mark, length) && indent < 4 => Block::Other,
            Block::FrontMatter if line == "---" || line == "..." => Block::Other,
            kept @ (Block::Fence { .. } | Block::FrontMatter) => kept,
            _ if number == 0 && line == "---" => Block::FrontMatter,
            _ if content.is_empty() => Block::Other,
            Block::Other if indent >= 4 || content.starts_with('\t') => Block::Other,
            earlier => {
                if let Some((mark, length)) = opens(content) {
                    Block::Fence { mark, length }
                } else if let Some((level, skip, words)) = marked(content) {
                    push(&mut headings, level, start + skip, words);
                    Block::Other
                } else if let (Block::Paragraph { start: first }, Some(level)) = (&earlier, underline(content)) {
                    push(&mut headings, level, *first, paragraph_end - first);
                    Block::Other
                } else if let Block::Paragraph { .. } = earlier {
                    earlier
                } else if is_container(content) || is_rule(content) {
                    Block::Other
                } else {
                    Block::Paragraph { start }
                }
            }
        };
        offset += length;
        paragraph_end = offset;
        offset += 1;
    }
    headings
}

fn push(headings: &mut Vec<Heading>, level: u8, start: usize, length: usize) {
    if length > 0 && headings.len() < MAX_HEADINGS {
        headings.push(Heading {
            level,
            start,
            end: start + length,
        });
    }
}

/// The fence that a line opens.
fn opens(content: &str) -> Option<(char, usize)> {
    let mark = content.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let length = content.chars().take_while(|character| *character == mark).count();
    // Backticks with more of them on the line are code within it.
    let rest = content.get(length..).unwrap_or_default();
    (length >= 3 && !(mark == '`' && rest.contains('`'))).then_some((mark, length))
}

fn closes(content: &str, mark: char, length: usize) -> bool {
    let content = content.trim_end();
    content.chars().all(|character| character == mark) && content.len() >= length
}

/// The level of a heading marked with `#`, how many characters precede its words, and how many the words have.
fn marked(content: &str) -> Option<(u8, usize, usize)> {
    let level = content.bytes().take_while(|byte| *byte == b'#').count();
    let rest = content.get(level..)?;
    if !(1..=6).contains(&level) || !(rest.is_empty() || rest.starts_with([' ', '\t'])) {
        return None;
    }
    let words = rest.trim_start();
    let skip = level + rest.chars().count() - words.chars().count();
    let words = words.trim_end();
    let open = words.trim_end_matches('#');
    let words = if open.is_empty() || open.ends_with([' ', '\t']) {
        open.trim_end()
    } else {
        words
    };
    Some((u8::try_from(level).ok()?, skip, words.chars().count()))
}

/// The level of the heading that a line underlines.
fn underline(content: &str) -> Option<u8> {
    let content = content.trim_end();
    if content.chars().all(|character| character == '=') {
        Some(1)
    } else if content.chars().all(|character| character == '-') {
        Some(2)
    } else {
        None
    }
}

/// Whether a line begins a quotation, a list or a table: what stands on it is no paragraph that can be underlined.
fn is_container(content: &str) -> bool {
    let digits = content.bytes().take_while(u8::is_ascii_digit).count();
    let ordered = digits > 0
        && content
            .get(digits..)
            .is_some_and(|rest| rest.starts_with(". ") || rest.starts_with(") "));
    ordered || content.starts_with(['>', '|']) || ["- ", "* ", "+ "].iter().any(|mark| content.starts_with(mark))
}

/// Whether a line is a thematic break.
fn is_rule(content: &str) -> bool {
    ['-', '*', '_'].iter().any(|mark| {
        content.matches(*mark).count() >= 3 && content.chars().all(|character| character == *mark || character == ' ')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_marked_or_underlined_and_never_code() {
        let text = "---\ntitle: x\n---\n# Žlutý kůň #\n##No\n```sh\n# comment\n```\nTwo\nlines\n===\n\n- item\n---\n\n    # code\n###### Six ##no\ntext\n\n---\n~~~\nOpen\n---";
        let found: Vec<(u8, String)> = headings(text)
            .iter()
            .map(|heading| {
                let words = text.chars().skip(heading.start).take(heading.end - heading.start);
                (heading.level, words.collect())
            })
            .collect();
        let expected = [(1, "Žlutý kůň"), (1, "Two\nlines"), (6, "Six ##no")];
        let expected = expected.map(|(level, words)| (level, words.to_owned()));
        assert_eq!(found, expected);
    }
}
