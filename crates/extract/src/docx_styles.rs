//! What a Word document says once about its paragraphs: which styles are headings or hidden, and how its lists count.

use std::collections::BTreeMap;

use crate::Unreadable;
use crate::xml::{Element, Step, Visitor};

/// How far styles are followed that are based on one another.
const MAX_CHAIN: usize = 16;
/// The levels that a list can have.
const LEVELS: usize = 9;

/// What a style means for the text of its paragraphs or runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Style {
    /// The level of the heading, from 1.
    pub(crate) level: Option<u8>,
    /// The list its paragraphs belong to and the level there.
    pub(crate) list: Option<(String, usize)>,
    /// The text is not shown.
    pub(crate) is_hidden: bool,
}

/// A style as it is written down: what is left out comes from the one it is based on.
#[derive(Debug, Default)]
struct Definition {
    based_on: Option<String>,
    level: Option<Option<u8>>,
    list: Option<String>,
    list_level: Option<usize>,
    is_hidden: Option<bool>,
}

/// The styles of a document, read from its `styles.xml`.
#[derive(Debug, Default)]
pub(crate) struct Styles {
    known: BTreeMap<String, Definition>,
    open: Option<(String, Definition)>,
    /// The style of paragraphs that name none.
    default: Option<String>,
}

impl Styles {
    /// What the style with this id means. One that is not known means nothing.
    pub(crate) fn resolve(&self, id: &str) -> Style {
        let mut style = Style::default();
        let (mut level, mut list_level, mut is_hidden) = (None, None, None);
        let mut next = Some(id);
        for _ in 0..MAX_CHAIN {
            let Some(definition) = next.and_then(|id| self.known.get(id)) else {
                break;
            };
            level = level.or(definition.level);
            list_level = list_level.or(definition.list_level);
            is_hidden = is_hidden.or(definition.is_hidden);
            if style.list.is_none() {
                style.list = definition.list.clone().map(|list| (list, 0));
            }
            next = definition.based_on.as_deref();
        }
        style.level = level.flatten();
        style.is_hidden = is_hidden.unwrap_or_default();
        style.list = style
            .list
            .filter(|(list, _)| list != "0")
            .map(|(list, _)| (list, list_level.unwrap_or_default()));
        style
    }

    /// Whether paragraphs that name no style are hidden.
    pub(crate) fn default_is_hidden(&self) -> bool {
        self.default.as_deref().is_some_and(|id| self.resolve(id).is_hidden)
    }
}

/// The level that a style's name tells. Word keeps the English names in every language.
fn level_of_name(name: &str) -> Option<u8> {
    let name = name.to_ascii_lowercase();
    if name == "title" {
        return Some(1);
    }
    let level = name.strip_prefix("heading ")?.parse().ok()?;
    (1..=9).contains(&level).then_some(level)
}

impl Visitor for Styles {
    fn start(&mut self, element: &Element<'_>) -> Result<Step, Unreadable> {
        let value = || element.attribute("val");
        if element.name() == "style" {
            let id = element.attribute("styleId").unwrap_or_default();
            let is_paragraphs = element.attribute("type").is_none_or(|kind| kind == "paragraph");
            if is_paragraphs && matches!(element.attribute("default").as_deref(), Some("1" | "true" | "on")) {
                self.default = Some(id.clone());
            }
            self.open = Some((id, Definition::default()));
        } else if let Some((_, style)) = &mut self.open {
            match element.name() {
                "name" => style.level = value().and_then(|name| level_of_name(&name)).map(Some).or(style.level),
                "basedOn" => style.based_on = value(),
                "outlineLvl" => {
                    let level = value().and_then(|level| level.parse::<u8>().ok());
                    style.level = Some(level.filter(|level| *level < 9).map(|level| level + 1));
                }
                "numId" => style.list = value(),
                "ilvl" => style.list_level = value().and_then(|level| level.parse().ok()),
                "vanish" => style.is_hidden = Some(element.is_on()),
                "tblStylePr" => return Ok(Step::Over),
                _ => {}
            }
        }
        Ok(Step::Into)
    }

    fn end(&mut self, name: &str) -> Result<(), Unreadable> {
        if name == "style"
            && let Some((id, style)) = self.open.take()
        {
            self.known.insert(id, style);
        }
        Ok(())
    }
}

/// One level of a list.
#[derive(Debug, Clone, Default)]
struct Level {
    format: String,
    /// The label, with `%1` for the number of the first level and so on.
    label: String,
    start: Option<u32>,
}

/// The lists of a document, read from its `numbering.xml`, and how far each has counted.
#[derive(Debug, Default)]
pub(crate) struct Numbering {
    /// The levels of each abstract list.
    levels: BTreeMap<(String, usize), Level>,
    /// The abstract list of each list.
    lists: BTreeMap<String, String>,
    /// Where lists begin anew.
    restarts: BTreeMap<(String, usize), u32>,
    /// The last number of each level of each abstract list.
    counts: BTreeMap<String, [Option<u32>; LEVELS]>,
    open_abstract: Option<String>,
    open_list: Option<String>,
    open_level: usize,
}

impl Numbering {
    /// Counts one paragraph of a list and gives the label that stands before it; empty where there is none.
    pub(crate) fn label(&mut self, list: &str, level: usize) -> String {
        let level = level.min(LEVELS - 1);
        let Some(of) = self.lists.get(list).cloned() else {
            return String::new();
        };
        let counts = self.counts.entry(of.clone()).or_default();
        for upper in 0..=level {
            if let Some(restart) = self.restarts.remove(&(list.to_owned(), upper))
                && let Some(count) = counts.get_mut(upper)
            {
                *count = restart.checked_sub(1);
            }
        }
        let levels: Vec<Level> = (0..=level)
            .map(|level| self.levels.get(&(of.clone(), level)).cloned().unwrap_or_default())
            .collect();
        for (number, (count, of_level)) in counts.iter_mut().zip(&levels).enumerate() {
            let start = of_level.start.unwrap_or(1);
            if number == level {
                *count = Some(count.map_or(start, |count| count.saturating_add(1)));
            } else {
                count.get_or_insert(start);
            }
        }
        counts.iter_mut().skip(level + 1).for_each(|count| *count = None);
        let Some(own) = levels.last() else {
            return String::new();
        };
        if own.format == "bullet" {
            return "-".to_owned();
        }
        let mut label = own.label.clone();
        for (number, (count, of_level)) in counts.iter().zip(&levels).enumerate() {
            let count = count.unwrap_or(1);
            label = label.replace(&format!("%{}", number + 1), &written(count, &of_level.format));
        }
        label
    }
}

/// A number in one of the ways that lists count. Rare ones are counted in digits.
fn written(number: u32, format: &str) -> String {
    match format {
        "none" => String::new(),
        "lowerLetter" | "upperLetter" if (1..=26 * 4).contains(&number) => {
            let letter = char::from_u32(u32::from(b'a') + (number - 1) % 26).unwrap_or('a');
            let letters = letter.to_string().repeat(((number - 1) / 26 + 1) as usize);
            if format == "upperLetter" {
                letters.to_uppercase()
            } else {
                letters
            }
        }
        "lowerRoman" => roman(number).to_lowercase(),
        "upperRoman" => roman(number),
        "decimalZero" => format!("{number:02}"),
        _ => number.to_string(),
    }
}

fn roman(mut number: u32) -> String {
    const SIGNS: [(u32, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    if !(1..4000).contains(&number) {
        return number.to_string();
    }
    let mut roman = String::new();
    for (value, sign) in SIGNS {
        while number >= value {
            roman.push_str(sign);
            number -= value;
        }
    }
    roman
}

impl Visitor for Numbering {
    fn start(&mut self, element: &Element<'_>) -> Result<Step, Unreadable> {
        let value = || element.attribute("val");
        match element.name() {
            "abstractNum" => self.open_abstract = element.attribute("abstractNumId"),
            "num" => self.open_list = element.attribute("numId"),
            "lvl" | "lvlOverride" => {
                let level = element.attribute("ilvl").and_then(|level| level.parse().ok());
                self.open_level = level.unwrap_or_default();
                if element.name() == "lvl" && self.open_abstract.is_none() {
                    // A whole level redefined for one list: rare, and the shared definition is close enough.
                    return Ok(Step::Over);
                }
            }
            "start" | "numFmt" | "lvlText" => {
                if let (Some(of), Some(value)) = (&self.open_abstract, value()) {
                    let level = self.levels.entry((of.clone(), self.open_level)).or_default();
                    match element.name() {
                        "start" => level.start = value.parse().ok(),
                        "numFmt" => level.format = value,
                        _ => level.label = value.chars().take(64).collect(),
                    }
                }
            }
            "abstractNumId" => {
                if let (Some(list), Some(of)) = (&self.open_list, value()) {
                    self.lists.insert(list.clone(), of);
                }
            }
            "startOverride" => {
                if let (Some(list), Some(start)) = (&self.open_list, value().and_then(|start| start.parse().ok())) {
                    self.restarts.insert((list.clone(), self.open_level), start);
                }
            }
            _ => {}
        }
        Ok(Step::Into)
    }

    fn end(&mut self, name: &str) -> Result<(), Unreadable> {
        match name {
            "abstractNum" => self.open_abstract = None,
            "num" => self.open_list = None,
            _ => {}
        }
        Ok(())
    }
}
