//! The outline of a PDF, which readers show beside the pages: it tells which lines are headings.

use std::collections::{BTreeMap, BTreeSet};

use encoding_rs::{UTF_8, UTF_16BE, WINDOWS_1252};
use pdf_extract::{Dictionary, Document, Object, ObjectId};

/// The most entries of an outline, or names of places, that are looked at.
const MAX_ENTRIES: usize = 10_000;
/// The most letters and digits of a number or a word like “Chapter” that a line has before the title.
const MAX_PREFIX: usize = 12;

/// The entries of an outline by the page to which they lead, in order, with their levels from 1.
#[derive(Default)]
pub(crate) struct Outline {
    pages: BTreeMap<ObjectId, Vec<(u8, String)>>,
}

impl Outline {
    /// Reads the outline. What is broken in it is left out.
    pub(crate) fn new(document: &Document) -> Self {
        let mut outline = Self::default();
        let Ok(catalog) = document.catalog() else {
            return outline;
        };
        let Some(root) = dictionary(document, catalog, b"Outlines") else {
            return outline;
        };
        let places = places(document, catalog);
        let mut seen = BTreeSet::new();
        let mut open: Vec<(u8, ObjectId)> = reference(root, b"First").map(|first| (1, first)).into_iter().collect();
        while let Some((level, id)) = open.pop() {
            if !seen.insert(id) || seen.len() > MAX_ENTRIES {
                continue;
            }
            let Ok(entry) = document.get_dictionary(id) else {
                continue;
            };
            // The next entry waits until those below this one are read.
            open.extend(reference(entry, b"Next").map(|next| (level, next)));
            open.extend(reference(entry, b"First").map(|first| (level.saturating_add(1).min(6), first)));
            let title = entry.get_deref(b"Title", document).ok().and_then(text);
            if let (Some(title), Some(page)) = (title, page(document, entry, &places)) {
                outline.pages.entry(page).or_default().push((level, plain(&title)));
            }
        }
        outline
    }

    /// The titles of a page's headings.
    pub(crate) fn of(&self, page: ObjectId) -> &[(u8, String)] {
        self.pages.get(&page).map_or(&[], Vec::as_slice)
    }
}

/// The level of the heading that a line is, if it is one of `titles`: the title, perhaps with its number before it.
pub(crate) fn level(line: &str, titles: &[(u8, String)]) -> Option<u8> {
    if titles.is_empty() {
        return None;
    }
    let line = plain(line);
    let is_title = |title: &str| {
        let before = line.strip_suffix(title)?;
        let counts = before.is_empty() || before.contains(|character: char| character.is_numeric());
        (counts && before.chars().count() <= MAX_PREFIX).then_some(())
    };
    let found = titles
        .iter()
        .find(|(_, title)| !title.is_empty() && is_title(title).is_some());
    found.map(|(level, _)| *level)
}

/// Letters and digits alone: blanks and signs differ between a title and its line.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|character| character.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

fn reference(dictionary: &Dictionary, key: &[u8]) -> Option<ObjectId> {
    dictionary.get(key).and_then(Object::as_reference).ok()
}

fn dictionary<'a>(document: &'a Document, of: &'a Dictionary, key: &[u8]) -> Option<&'a Dictionary> {
    of.get_deref(key, document).and_then(Object::as_dict).ok()
}

/// A string in one of the three ways in which PDFs store them; the oldest nearly is windows-1252.
fn text(object: &Object) -> Option<String> {
    let bytes = object.as_str().ok()?;
    let (encoding, rest) = match bytes {
        [0xfe, 0xff, rest @ ..] => (UTF_16BE, rest),
        [0xef, 0xbb, 0xbf, rest @ ..] => (UTF_8, rest),
        other => (WINDOWS_1252, other),
    };
    Some(encoding.decode_without_bom_handling(rest).0.into_owned())
}

/// The page to which an entry leads, directly, by an action or by a name.
fn page(document: &Document, entry: &Dictionary, places: &BTreeMap<Vec<u8>, ObjectId>) -> Option<ObjectId> {
    let place = entry.get_deref(b"Dest", document).ok().or_else(|| {
        let action = dictionary(document, entry, b"A")?;
        action.get_deref(b"D", document).ok()
    })?;
    match place {
        Object::String(name, _) | Object::Name(name) => places.get(name).copied(),
        other => page_of_place(document, other),
    }
}

/// The page that a place names first, which may be wrapped in a dictionary.
fn page_of_place(document: &Document, place: &Object) -> Option<ObjectId> {
    let place = match place {
        Object::Dictionary(wrapped) => wrapped.get_deref(b"D", document).ok()?,
        other => other,
    };
    place.as_array().ok()?.first()?.as_reference().ok()
}

/// The pages of all places with names, from either of the two lists.
fn places(document: &Document, catalog: &Dictionary) -> BTreeMap<Vec<u8>, ObjectId> {
    let mut places = BTreeMap::new();
    for (name, place) in dictionary(document, catalog, b"Dests").into_iter().flatten() {
        if let Ok((_, place)) = document.dereference(place)
            && let Some(page) = page_of_place(document, place)
        {
            places.insert(name.clone(), page);
        }
    }
    let names = dictionary(document, catalog, b"Names");
    let root = names.and_then(|names| dictionary(document, names, b"Dests"));
    let mut open: Vec<&Dictionary> = root.into_iter().collect();
    let mut seen = 0;
    while let Some(node) = open.pop() {
        seen += 1;
        if seen > MAX_ENTRIES || places.len() > MAX_ENTRIES {
            break;
        }
        if let Ok(kids) = node.get_deref(b"Kids", document).and_then(Object::as_array) {
            let kids = kids.iter().take(MAX_ENTRIES).filter_map(|kid| kid.as_reference().ok());
            open.extend(kids.filter_map(|kid| document.get_dictionary(kid).ok()));
        }
        if let Ok(names) = node.get_deref(b"Names", document).and_then(Object::as_array) {
            for [name, place] in names.as_chunks().0 {
                if let (Ok(name), Ok((_, place))) = (name.as_str(), document.dereference(place))
                    && let Some(page) = page_of_place(document, place)
                {
                    places.insert(name.to_vec(), page);
                }
            }
        }
    }
    places
}
