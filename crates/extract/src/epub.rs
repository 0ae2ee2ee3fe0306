//! Electronic books: the chapters in the order in which they are read, each of them a web page.

use std::collections::{BTreeMap, BTreeSet};

use crate::archive::{Archive, resolve};
use crate::decode::decode;
use crate::text::Draft;
use crate::xml::{Element, Step, Visitor};
use crate::{Text, Unreadable, html};

/// The part that makes a zip a book: it says where the book's own description is.
pub(crate) const CONTAINER: &str = "META-INF/container.xml";
/// The part that says which parts are encrypted.
const ENCRYPTION: &str = "META-INF/encryption.xml";

/// The text of the chapters. A book has no pages of its own: they depend on the screen.
pub(crate) fn extract(bytes: &[u8]) -> Result<Text, Unreadable> {
    let mut archive = Archive::open(bytes)?;
    let mut container = Container::default();
    archive.read_xml(CONTAINER, &mut container)?;
    let package = container.package.ok_or(Unreadable::Damaged)?;
    let folder = package.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut book = Book::default();
    archive.read_xml(&package, &mut book)?;
    let mut encrypted = Encrypted::default();
    archive.read_xml_if_any(ENCRYPTION, &mut encrypted)?;

    let mut draft = Draft::default();
    let mut seen = BTreeSet::new();
    for id in &book.spine {
        let Some(href) = book.pages.get(id) else { continue };
        let part = resolve(folder, &unescape(href.split('#').next().unwrap_or_default()));
        if encrypted.parts.contains(&part) {
            return Err(Unreadable::ProtectedBook);
        }
        // A chapter that is missing does not make the others unreadable.
        let Some(part) = archive.find(&part) else { continue };
        if !seen.insert(part.clone()) {
            continue;
        }
        let chapter = archive.read_bytes(&part)?;
        if let Some(chapter) = decode(&chapter, html::declared(&chapter)) {
            draft.blank_line();
            html::read(&chapter, &mut draft)?;
        }
    }
    draft.finish(Unreadable::NoText)
}

/// Resolves the `%20` of a reference. What is no UTF-8 afterwards stays as it was.
fn unescape(reference: &str) -> String {
    let mut bytes = Vec::with_capacity(reference.len());
    let mut rest = reference.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let value = after
            .get(..2)
            .filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        match value {
            Some(value) => {
                bytes.push(value);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| reference.to_owned())
}

/// Finds the book's own description.
#[derive(Default)]
struct Container {
    package: Option<String>,
}

impl Visitor for Container {
    fn start(&mut self, element: &Element<'_>) -> Result<Step, Unreadable> {
        if element.name() == "rootfile" && self.package.is_none() {
            self.package = element.attribute("full-path").map(|path| resolve("", &path));
        }
        Ok(Step::Into)
    }
}

/// Reads what parts there are and in which order they come.
#[derive(Default)]
struct Book {
    /// The reference to each part that is a page, by its id.
    pages: BTreeMap<String, String>,
    /// The ids of the parts in reading order.
    spine: Vec<String>,
}

impl Visitor for Book {
    fn start(&mut self, element: &Element<'_>) -> Result<Step, Unreadable> {
        match element.name() {
            "item" => {
                let media_type = element.attribute("media-type").unwrap_or_default();
                // The list of contents repeats the headings.
                let properties = element.attribute("properties").unwrap_or_default();
                let is_contents = properties.split_ascii_whitespace().any(|property| property == "nav");
                if let (Some(id), Some(href), false) = (element.attribute("id"), element.attribute("href"), is_contents)
                    && matches!(
                        media_type.as_str(),
                        "application/xhtml+xml" | "text/html" | "text/x-oeb1-document"
                    )
                {
                    self.pages.insert(id, href);
                }
            }
            "itemref" => self.spine.extend(element.attribute("idref")),
            _ => {}
        }
        Ok(Step::Into)
    }
}

/// Reads which parts are encrypted. Fonts often are, and harm nobody.
#[derive(Default)]
struct Encrypted {
    parts: BTreeSet<String>,
}

impl Visitor for Encrypted {
    fn start(&mut self, element: &Element<'_>) -> Result<Step, Unreadable> {
        if element.name() == "CipherReference"
            && let Some(reference) = element.attribute("URI")
        {
            self.parts.insert(resolve("", &unescape(&reference)));
        }
        Ok(Step::Into)
    }
}
