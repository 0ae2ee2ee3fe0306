//! XML read as a stream: no document types, no entities of its own, and a bounded depth.

use std::io::BufRead;

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, escape};

use crate::{MAX_XML_DEPTH, Unreadable};

/// What to do with an element that begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Its content is read.
    Into,
    /// It is left out with all its content. Its end is not told.
    Over,
}

/// An element that begins.
pub(crate) struct Element<'a>(&'a BytesStart<'a>);

impl Element<'_> {
    /// Its name without prefix. Documents choose their prefixes, and some leave them out.
    pub(crate) fn name(&self) -> &str {
        self.0.local_name().into_inner()
    }

    /// The value of the attribute with this name, whatever its prefix. Broken ones are as good as none.
    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        self.find(|key, _| key == name)
    }

    /// The value of the attribute with this name and any prefix; `r:id` beside a plain `id`.
    pub(crate) fn prefixed(&self, name: &str) -> Option<String> {
        self.find(|key, has_prefix| has_prefix && key == name)
    }

    /// Whether a property that is true when its value is left out is true.
    pub(crate) fn is_on(&self) -> bool {
        !matches!(self.attribute("val").as_deref(), Some("0" | "false" | "off"))
    }

    fn find(&self, wanted: impl Fn(&str, bool) -> bool) -> Option<String> {
        let mut attributes = self.0.attributes();
        attributes
            .with_checks(false)
            .filter_map(Result::ok)
            .find(|attribute| {
                wanted(
                    attribute.key.local_name().into_inner(),
                    attribute.key.prefix().is_some(),
                )
            })
            .map(|attribute| match escape::unescape(&attribute.value) {
                Ok(value) => value.into_owned(),
                Err(_) => attribute.value.into_owned(),
            })
    }
}

/// Somebody who is told what comes in a document, in order.
pub(crate) trait Visitor {
    /// An element begins.
    fn start(&mut self, element: &Element<'_>) -> Result<Step, Unreadable>;

    /// An element ends. The name has no prefix.
    fn end(&mut self, _name: &str) -> Result<(), Unreadable> {
        Ok(())
    }

    /// Text comes, perhaps a part of what stands between two tags.
    fn text(&mut self, _text: &str) -> Result<(), Unreadable> {
        Ok(())
    }
}

/// Reads a document to its end.
///
/// # Errors
/// [`Unreadable::XmlRefused`] for a document type, an entity that XML does not define or too deep nesting,
/// [`Unreadable::Damaged`] for what is not XML, and what the visitor answers.
pub(crate) fn read(input: impl BufRead, visitor: &mut impl Visitor) -> Result<(), Unreadable> {
    let mut reader = Reader::from_reader(input);
    // `<w:tab/>` then arrives like `<w:tab></w:tab>`.
    reader.config_mut().expand_empty_elements = true;
    let mut buffer = Vec::new();
    let mut depth = 0_usize;
    let mut skipped_at = None;
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).map_err(|_| Unreadable::Damaged)? {
            Event::Start(element) => {
                depth += 1;
                if depth > MAX_XML_DEPTH {
                    return Err(Unreadable::XmlRefused);
                }
                if skipped_at.is_none() && visitor.start(&Element(&element))? == Step::Over {
                    skipped_at = Some(depth);
                }
            }
            Event::End(element) => {
                if skipped_at.is_none() {
                    visitor.end(element.local_name().into_inner())?;
                } else if skipped_at == Some(depth) {
                    skipped_at = None;
                }
                depth = depth.saturating_sub(1);
            }
            Event::Text(text) if skipped_at.is_none() => visitor.text(&text.xml10_content())?,
            Event::CData(text) if skipped_at.is_none() => visitor.text(&text.xml10_content())?,
            Event::GeneralRef(reference) => {
                let character = resolve(&reference)?;
                if skipped_at.is_none() {
                    visitor.text(character.encode_utf8(&mut [0; 4]))?;
                }
            }
            Event::DocType(_) => return Err(Unreadable::XmlRefused),
            Event::Eof => {
                return if depth == 0 { Ok(()) } else { Err(Unreadable::Damaged) };
            }
            Event::Text(_) | Event::CData(_) | Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
}

/// A character by number or one of XML's own five names. No document needs others, and declaring them is an attack.
fn resolve(reference: &BytesRef<'_>) -> Result<char, Unreadable> {
    let named = || escape::resolve_xml_entity(reference).and_then(|value| value.chars().next());
    reference
        .resolve_char_ref()
        .ok()
        .and_then(|number| number.or_else(named))
        .ok_or(Unreadable::XmlRefused)
}
