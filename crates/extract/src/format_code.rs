//! The codes by which spreadsheets say how numbers are shown, taken apart: ECMA-376 part 1, 18.8.31.

/// Codes longer than this are no codes.
const MAX_CODE: usize = 255;

/// One part of a format code.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Section {
    pub(crate) items: Vec<Item>,
    /// It shows a date or a time.
    pub(crate) is_date: bool,
}

/// One element of a format code.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    Literal(String),
    /// The number as short as it can be written.
    General,
    /// `0`, `#` or `?`.
    Digit(char),
    Point,
    Comma,
    Percent,
    /// `E+`: scientific notation.
    Exponent,
    /// A bar that parts a numerator from a denominator.
    Slash,
    /// A run of one of `y m d h s`, in brackets when it counts beyond its usual end.
    Date {
        letter: char,
        length: usize,
        elapsed: bool,
    },
    /// `AM/PM`.
    HalfDay,
}

/// Divides a code at its semicolons and reads each part.
pub(crate) fn sections(code: &str) -> Vec<Section> {
    let mut sections = vec![Section::default()];
    let code: String = code.chars().take(MAX_CODE).collect();
    let mut characters = code.chars().peekable();
    while let Some(character) = characters.next() {
        if character == ';' {
            sections.push(Section::default());
            continue;
        }
        let Some(section) = sections.last_mut() else { break };
        let item = match character {
            '"' => Item::Literal(characters.by_ref().take_while(|character| *character != '"').collect()),
            '\\' => Item::Literal(characters.next().map(String::from).unwrap_or_default()),
            // A blank as wide as the character that follows, and a character repeated to fill the cell.
            '_' => {
                characters.next();
                Item::Literal(" ".to_owned())
            }
            '*' => {
                characters.next();
                continue;
            }
            '@' => Item::General,
            '[' => {
                let inside: String = characters.by_ref().take_while(|character| *character != ']').collect();
                match bracketed(&inside) {
                    Some(item) => item,
                    None => continue,
                }
            }
            '0' | '#' | '?' => Item::Digit(character),
            '.' => Item::Point,
            ',' => Item::Comma,
            '%' => Item::Percent,
            '/' => Item::Slash,
            'E' | 'e' if matches!(characters.peek(), Some('+' | '-')) => {
                characters.next();
                Item::Exponent
            }
            'G' | 'g' if starts_with(&characters, "eneral") => {
                characters.nth(5);
                Item::General
            }
            'A' | 'a' if starts_with(&characters, "m/pm") => {
                characters.nth(3);
                Item::HalfDay
            }
            'A' | 'a' if starts_with(&characters, "/p") => {
                characters.nth(1);
                Item::HalfDay
            }
            'y' | 'Y' | 'm' | 'M' | 'd' | 'D' | 'h' | 'H' | 's' | 'S' => {
                let letter = character.to_ascii_lowercase();
                let mut length = 1;
                while characters.next_if(|next| next.eq_ignore_ascii_case(&letter)).is_some() {
                    length += 1;
                }
                Item::Date {
                    letter,
                    length,
                    elapsed: false,
                }
            }
            other => Item::Literal(other.to_string()),
        };
        section.is_date |= matches!(item, Item::Date { .. } | Item::HalfDay);
        section.items.push(item);
    }
    sections
}

/// What stands in brackets: elapsed time or a currency. Colours, conditions and languages show nothing.
fn bracketed(inside: &str) -> Option<Item> {
    if let Some(currency) = inside.strip_prefix('$') {
        let sign = currency.split('-').next().unwrap_or_default();
        return (!sign.is_empty()).then(|| Item::Literal(sign.to_owned()));
    }
    let letter = inside.chars().next()?.to_ascii_lowercase();
    let is_run = inside.chars().all(|character| character.eq_ignore_ascii_case(&letter));
    (is_run && matches!(letter, 'h' | 'm' | 's')).then_some(Item::Date {
        letter,
        length: inside.len(),
        elapsed: true,
    })
}

/// Whether this follows, in lower case or capitals.
fn starts_with(characters: &std::iter::Peekable<std::str::Chars<'_>>, wanted: &str) -> bool {
    let mut ahead = characters.clone();
    wanted
        .chars()
        .all(|character| ahead.next().is_some_and(|next| next.eq_ignore_ascii_case(&character)))
}
