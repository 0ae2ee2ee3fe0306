//! Word documents: the text of the body, tables, notes, headers and footers out of the zip, with every bomb counted.

use std::io::{self, BufReader, Cursor, Read};

use quick_xml::events::{BytesRef, Event};
use quick_xml::{Reader, escape};
use zip::ZipArchive;
use zip::read::{Config, ZipFile};
use zip::result::ZipError;
use zip::unstable::read::ZipIterable;

use crate::text::{Sink, unpaged};
use crate::{MAX_CHARS, MAX_ENTRIES, MAX_INFLATED, MAX_XML_DEPTH, Text, Unreadable};

/// The part that makes a zip a Word document.
pub(crate) const DOCUMENT: &str = "word/document.xml";

/// The first bytes of the OLE container, which holds encrypted and old Word files.
pub(crate) const OLE_MAGIC: [u8; 8] = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];

/// Below this size any ratio is fine: small files of blanks compress well.
const RATIO_FREE: u64 = 1024 * 1024;
/// The most times a part may be larger than its compressed form.
const MAX_RATIO: u64 = 100;

/// The text of the document in reading order: headers, body, footnotes, endnotes, footers.
pub(crate) fn extract(bytes: &[u8]) -> Result<Text, Unreadable> {
    if bytes.starts_with(&OLE_MAGIC) {
        return Err(Unreadable::ProtectedOrOldWord);
    }
    let mut archive = open(bytes)?;
    let parts = parts(&archive)?;
    let mut inflated = 0;
    let mut sink = Sink::new(MAX_CHARS);
    let mut headings: Vec<String> = Vec::new();
    for part in parts {
        let file = archive.by_name(&part).map_err(|error| refusal(&error))?;
        if is_repeated(&part) {
            // Word keeps a copy of the same header for each section and for first, odd and even pages.
            let mut own = Sink::new(MAX_CHARS);
            read_part(file, &mut inflated, &mut own)?;
            if !headings.iter().any(|known| known == own.text()) {
                sink.push(own.text())?;
                headings.push(own.into_text());
            }
        } else {
            read_part(file, &mut inflated, &mut sink)?;
        }
        sink.push("\n")?;
    }
    unpaged(sink.text(), Unreadable::NoText)
}

fn open(bytes: &[u8]) -> Result<ZipArchive<Cursor<&[u8]>>, Unreadable> {
    // The count comes before the index, which holds every entry in memory.
    let listed = ZipIterable::try_new(Cursor::new(bytes), Config::default())
        .map_err(|error| refusal(&error))?
        .len();
    if listed > MAX_ENTRIES {
        return Err(Unreadable::ArchiveBomb);
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| refusal(&error))?;
    if archive.len() > MAX_ENTRIES || archive.has_overlapping_entries().map_err(|error| refusal(&error))? {
        return Err(Unreadable::ArchiveBomb);
    }
    Ok(archive)
}

fn refusal(error: &ZipError) -> Unreadable {
    match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => Unreadable::ProtectedOrOldWord,
        _ => Unreadable::Damaged,
    }
}

/// The names of the parts that hold text, in reading order.
fn parts(archive: &ZipArchive<Cursor<&[u8]>>) -> Result<Vec<String>, Unreadable> {
    let mut parts: Vec<(u8, String)> = archive
        .file_names()
        .filter_map(Result::ok)
        .filter_map(|name| Some((rank(&name)?, name.into_owned())))
        .collect();
    // By length before name, so that header10 comes after header9.
    parts.sort_unstable_by(|(a, one), (b, other)| (a, one.len(), one).cmp(&(b, other.len(), other)));
    if parts.iter().any(|(_, name)| name == DOCUMENT) {
        Ok(parts.into_iter().map(|(_, name)| name).collect())
    } else {
        Err(Unreadable::Damaged)
    }
}

fn rank(name: &str) -> Option<u8> {
    let stem = name.strip_prefix("word/")?.strip_suffix(".xml")?;
    match stem.trim_end_matches(|character: char| character.is_ascii_digit()) {
        "header" => Some(0),
        "document" if name == DOCUMENT => Some(1),
        "footnotes" => Some(2),
        "endnotes" => Some(3),
        "footer" => Some(4),
        _ => None,
    }
}

fn is_repeated(part: &str) -> bool {
    matches!(rank(part), Some(0 | 4))
}

/// Counts what comes out of the inflater and stops it at the limits.
struct Counted<'a, R> {
    inner: R,
    /// Compressed size of this part, in bytes.
    compressed: u64,
    /// Bytes of this part so far.
    part: u64,
    /// Bytes of all parts so far.
    total: &'a mut u64,
    burst: &'a mut bool,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.part += read as u64;
        *self.total += read as u64;
        let swollen = self.part > RATIO_FREE && self.part > self.compressed.saturating_mul(MAX_RATIO);
        if swollen || *self.total > MAX_INFLATED {
            *self.burst = true;
            return Err(io::Error::other("the archive bursts its limits"));
        }
        Ok(read)
    }
}

fn read_part(file: ZipFile<'_, Cursor<&[u8]>>, inflated: &mut u64, sink: &mut Sink) -> Result<(), Unreadable> {
    let mut burst = false;
    let compressed = file.compressed_size();
    let counted = Counted {
        inner: file,
        compressed,
        part: 0,
        total: inflated,
        burst: &mut burst,
    };
    let outcome = read_xml(Reader::from_reader(BufReader::new(counted)), sink);
    if burst { Err(Unreadable::ArchiveBomb) } else { outcome }
}

/// Where in the markup the reader is.
#[derive(Default)]
struct Place {
    /// Elements open now.
    depth: usize,
    /// The depth of the element whose content is left out.
    skipped_at: Option<usize>,
    /// Open table cells, one for each level of nesting.
    cells: usize,
    /// Open text elements.
    texts: usize,
    /// A line has ended within a cell; a space is due before its next text.
    gap: bool,
}

fn read_xml(mut reader: Reader<impl io::BufRead>, sink: &mut Sink) -> Result<(), Unreadable> {
    // `<w:tab/>` then arrives like `<w:tab></w:tab>`.
    reader.config_mut().expand_empty_elements = true;
    let mut buffer = Vec::new();
    let mut place = Place::default();
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).map_err(|_| Unreadable::Damaged)? {
            Event::Start(element) => {
                place.depth += 1;
                if place.depth > MAX_XML_DEPTH {
                    return Err(Unreadable::XmlRefused);
                }
                place.start(element.local_name().as_ref(), sink)?;
            }
            Event::End(element) => {
                place.end(element.local_name().as_ref(), sink)?;
                if place.skipped_at == Some(place.depth) {
                    place.skipped_at = None;
                }
                place.depth = place.depth.saturating_sub(1);
            }
            Event::Text(text) => place.text(&text.xml10_content(), sink)?,
            Event::CData(text) => place.text(&text.xml10_content(), sink)?,
            Event::GeneralRef(reference) => place.text(resolve(&reference)?.encode_utf8(&mut [0; 4]), sink)?,
            Event::DocType(_) => return Err(Unreadable::XmlRefused),
            Event::Eof => {
                return if place.depth == 0 {
                    Ok(())
                } else {
                    Err(Unreadable::Damaged)
                };
            }
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
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

impl Place {
    fn text(&mut self, text: &str, sink: &mut Sink) -> Result<(), Unreadable> {
        if self.texts == 0 || self.skipped_at.is_some() {
            return Ok(());
        }
        if std::mem::take(&mut self.gap) {
            sink.push(" ")?;
        }
        sink.push(text)
    }

    fn start(&mut self, name: &str, sink: &mut Sink) -> Result<(), Unreadable> {
        if self.skipped_at.is_some() {
            return Ok(());
        }
        match name {
            // Formatting (whose tabs are tab stops), field codes, what tracked changes took away, and the fallback that
            // repeats a drawing's text for old programs.
            "pPr" | "rPr" | "instrText" | "delText" | "delInstrText" | "moveFrom" | "Fallback" => {
                self.skipped_at = Some(self.depth);
            }
            "t" => self.texts += 1,
            "tc" => self.cells += 1,
            "tab" | "ptab" => sink.push("\t")?,
            "br" | "cr" => self.end_line(sink)?,
            "noBreakHyphen" => sink.push("-")?,
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, name: &str, sink: &mut Sink) -> Result<(), Unreadable> {
        if self.skipped_at.is_some() {
            return Ok(());
        }
        match name {
            "t" => self.texts = self.texts.saturating_sub(1),
            "p" => self.end_line(sink)?,
            "tc" => {
                self.cells = self.cells.saturating_sub(1);
                self.gap = false;
                sink.push("\t")?;
            }
            "tr" => self.end_line(sink)?,
            _ => {}
        }
        Ok(())
    }

    /// Ends a line. A table row is one line, so the lines within its cells are only kept apart.
    fn end_line(&mut self, sink: &mut Sink) -> Result<(), Unreadable> {
        if self.cells > 0 {
            self.gap = true;
            Ok(())
        } else {
            sink.push("\n")
        }
    }
}
