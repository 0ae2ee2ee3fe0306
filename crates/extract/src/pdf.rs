//! PDF to text, page by page, with two readers: one that follows the layout and one that survives what breaks it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pdf_extract::{Dictionary, Document, Error, Object, ObjectId, output_doc_page};

use crate::pdf_layout::Layout;
use crate::pdf_outline::{self, Outline};
use crate::text::{Draft, Sink};
use crate::{MAX_CHARS, MAX_PAGES, Text, Unreadable, pdf_repair};

/// With fewer visible characters than this a page may have been misread, and the second reader is asked as well.
const FEW: usize = 20;

/// How far up the page tree a page may inherit from.
const MAX_TREE_DEPTH: usize = 256;

/// Object ids for a page, a page tree and a catalog of our own. Files do not use them: number 0 heads the free objects.
const PAGE: ObjectId = (0, 65_533);
const CATALOG: ObjectId = (0, 65_534);
const PAGE_TREE: ObjectId = (0, 65_535);

/// The text of all pages. Pages that neither reader can read are empty as long as others have text.
pub(crate) fn extract(bytes: &[u8]) -> Result<Text, Unreadable> {
    let mut document = open(bytes)?;
    let ids: Vec<ObjectId> = document.page_iter().take(MAX_PAGES + 1).collect();
    if ids.len() > MAX_PAGES {
        return Err(Unreadable::TooManyPages);
    }
    let outline = quietly(|| Outline::new(&document)).unwrap_or_default();
    let mut draft = Draft::default();
    let mut blank = Unreadable::NoText;
    for (number, id) in (1..).zip(ids) {
        isolate(&mut document, id);
        draft.begin_page(number);
        match read_page(&document, draft.room())? {
            Some(text) => push_page(&mut draft, &text, outline.of(id))?,
            None => blank = Unreadable::Damaged,
        }
    }
    draft.finish(blank)
}

/// Appends the text of a page. Blanks at the start of its lines go: they come from where the words stand on the paper.
fn push_page(draft: &mut Draft, text: &str, titles: &[(u8, String)]) -> Result<(), Unreadable> {
    for line in text.lines() {
        if let Some(level) = pdf_outline::level(line, titles) {
            draft.begin_heading(level);
        }
        draft.push(line.trim_start_matches(' '))?;
        draft.end_heading();
        draft.end_line();
    }
    Ok(())
}

/// Opens a document, with the empty password if it is encrypted and with a rebuilt index if its own is broken.
fn open(bytes: &[u8]) -> Result<Document, Unreadable> {
    match load(bytes) {
        Err(Unreadable::Damaged) => {
            let repaired = pdf_repair::rebuild_index(bytes).ok_or(Unreadable::Damaged)?;
            let document = load(&repaired)?;
            // A file that is cut short must not pass for a shorter document.
            if pdf_repair::has_all_pages(&document) {
                Ok(document)
            } else {
                Err(Unreadable::Damaged)
            }
        }
        other => other,
    }
}

fn load(bytes: &[u8]) -> Result<Document, Unreadable> {
    let mut document = quietly(|| Document::load_mem(bytes))
        .ok_or(Unreadable::Damaged)?
        .map_err(|error| refusal(&error))?;
    // Loading tries the empty password; what is still encrypted needs another, or a handler unknown to the reader.
    if document.trailer.get(b"Encrypt").is_ok() {
        let opened = quietly(|| document.decrypt("")).is_some_and(|outcome| outcome.is_ok());
        if !opened {
            return Err(Unreadable::Encrypted);
        }
    }
    if document.page_iter().next().is_none() {
        return Err(Unreadable::Damaged);
    }
    Ok(document)
}

fn refusal(error: &Error) -> Unreadable {
    match error {
        Error::InvalidPassword | Error::Decryption(_) | Error::UnsupportedSecurityHandler(_) => Unreadable::Encrypted,
        _ => Unreadable::Damaged,
    }
}

/// Makes a copy of `page` the only page of the document. Both readers walk the page tree anew for each page they are
/// asked for, which would take quadratic time.
fn isolate(document: &mut Document, page: ObjectId) {
    let page = standalone(document, page);
    let tree = Dictionary::from_iter([
        ("Type", Object::Name(b"Pages".to_vec())),
        ("Count", Object::Integer(1)),
        ("Kids", Object::Array(vec![Object::Reference(PAGE)])),
    ]);
    let catalog = Dictionary::from_iter([
        ("Type", Object::Name(b"Catalog".to_vec())),
        ("Pages", Object::Reference(PAGE_TREE)),
    ]);
    document.objects.insert(PAGE, Object::Dictionary(page));
    document.objects.insert(PAGE_TREE, Object::Dictionary(tree));
    document.objects.insert(CATALOG, Object::Dictionary(catalog));
    document.trailer.set("Root", Object::Reference(CATALOG));
}

/// A copy of a page that has what it inherits and no parents: one reader finds only part of what is inherited, the
/// other never comes back from parents that form a circle, and panics without a media box.
fn standalone(document: &Document, page: ObjectId) -> Dictionary {
    let (mut resources, mut media_box) = (None, None);
    let mut node = document.get_dictionary(page).ok();
    let mut copy = node.cloned().unwrap_or_default();
    for _ in 0..MAX_TREE_DEPTH {
        let Some(dictionary) = node else { break };
        resources = resources.or_else(|| dictionary.get(b"Resources").ok());
        media_box = media_box.or_else(|| dictionary.get(b"MediaBox").ok());
        let parent = dictionary.get(b"Parent").and_then(Object::as_reference);
        node = parent.and_then(|id| document.get_dictionary(id)).ok();
    }
    let letter = || Object::Array([0, 0, 612, 792].map(Object::Integer).to_vec());
    copy.set(
        "Resources",
        resources
            .cloned()
            .unwrap_or_else(|| Object::Dictionary(Dictionary::new())),
    );
    copy.set("MediaBox", media_box.cloned().unwrap_or_else(letter));
    copy.remove(b"Parent");
    copy
}

/// The text of the only page, from the reader that finds more, or `None` when neither can read it.
fn read_page(document: &Document, room: usize) -> Result<Option<String>, Unreadable> {
    let by_layout = by_layout(document, room)?;
    if by_layout.as_deref().is_some_and(|text| visible(text) >= FEW) {
        return Ok(by_layout);
    }
    let by_operators = by_operators(document, room)?;
    let better = match (&by_layout, &by_operators) {
        (Some(first), Some(second)) => visible(first) >= visible(second),
        (first, _) => first.is_some(),
    };
    Ok(if better { by_layout } else { by_operators })
}

fn visible(text: &str) -> usize {
    text.chars()
        .filter(|character| !character.is_whitespace() && !character.is_control())
        .count()
}

/// Places each character to find words and lines. The better text, but it panics on documents it does not understand.
fn by_layout(document: &Document, room: usize) -> Result<Option<String>, Unreadable> {
    let mut sink = Sink::new(room.min(MAX_CHARS));
    let outcome = quietly(|| output_doc_page(document, &mut Layout::new(&mut sink), 1));
    if sink.is_full() {
        return Err(Unreadable::TooMuchText);
    }
    Ok(matches!(outcome, Some(Ok(()))).then(|| sink.into_text()))
}

/// Takes the strings in the order in which they are drawn. Sturdier; words may run together.
fn by_operators(document: &Document, room: usize) -> Result<Option<String>, Unreadable> {
    let Some(chunks) = quietly(|| document.extract_text_chunks(&[1])) else {
        return Ok(None);
    };
    let mut sink = Sink::new(room);
    let mut broken = false;
    for chunk in chunks {
        match chunk {
            Ok(text) => sink.push(&text)?,
            Err(_) => broken = true,
        }
    }
    let text = sink.into_text();
    Ok((!broken || visible(&text) > 0).then_some(text))
}

/// Runs a parser; `None` when it panics.
fn quietly<T>(parse: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(parse)).ok()
}
