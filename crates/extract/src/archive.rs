//! Zip archives of documents: opened with every bomb counted, and the relationships by which Office files hold together.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Cursor, Read};

use zip::ZipArchive;
use zip::read::Config;
use zip::result::ZipError;
use zip::unstable::read::ZipIterable;

use crate::xml::{self, Element, Step, Visitor};
use crate::{MAX_ENTRIES, MAX_INFLATED, Unreadable};

/// The first bytes of the OLE container, which holds encrypted and old Office files.
pub(crate) const OLE_MAGIC: [u8; 8] = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];

/// Below this size any ratio is fine: small files of blanks compress well.
const RATIO_FREE: u64 = 1024 * 1024;
/// The most times a part may be larger than its compressed form.
const MAX_RATIO: u64 = 100;

/// An archive whose parts are read one after the other, against one budget of inflated bytes.
pub(crate) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    /// The names of all entries by their names in lower case: names of parts are alike whatever their case.
    names: BTreeMap<String, String>,
    /// Bytes inflated so far, all parts together.
    inflated: u64,
}

/// How one part of an Office file refers to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relationship {
    /// The name by which the part's markup refers to it.
    pub(crate) id: String,
    /// What the other part is: the last segment of the relationship's type, for example `slide`.
    pub(crate) kind: String,
    /// The other part's name in the archive.
    pub(crate) target: String,
}

impl<'a> Archive<'a> {
    /// Opens an archive that has no more entries than it may, none of which overlap.
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        if bytes.starts_with(&OLE_MAGIC) {
            return Err(Unreadable::ProtectedOrOldOffice);
        }
        // The count comes before the index, which holds every entry in memory.
        let listed = ZipIterable::try_new(Cursor::new(bytes), Config::default())
            .map_err(|error| refusal(&error))?
            .len();
        if listed > MAX_ENTRIES {
            return Err(Unreadable::ArchiveBomb);
        }
        let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| refusal(&error))?;
        if zip.len() > MAX_ENTRIES || zip.has_overlapping_entries().map_err(|error| refusal(&error))? {
            return Err(Unreadable::ArchiveBomb);
        }
        let names = zip
            .file_names()
            .filter_map(Result::ok)
            .map(|name| (name.to_ascii_lowercase(), name.into_owned()))
            .collect();
        Ok(Self {
            zip,
            names,
            inflated: 0,
        })
    }

    /// The names of all entries.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.values().map(String::as_str)
    }

    /// The entry with this name as the archive spells it.
    pub(crate) fn find(&self, part: &str) -> Option<String> {
        self.names.get(&part.to_ascii_lowercase()).cloned()
    }

    /// Reads a part of XML.
    pub(crate) fn read_xml(&mut self, part: &str, visitor: &mut impl Visitor) -> Result<(), Unreadable> {
        self.read(part, |reader| xml::read(BufReader::new(reader), visitor))
    }

    /// Reads a part of XML if the archive has it.
    pub(crate) fn read_xml_if_any(&mut self, part: &str, visitor: &mut impl Visitor) -> Result<(), Unreadable> {
        match self.find(part) {
            Some(part) => self.read_xml(&part, visitor),
            None => Ok(()),
        }
    }

    /// All bytes of a part.
    pub(crate) fn read_bytes(&mut self, part: &str) -> Result<Vec<u8>, Unreadable> {
        self.read(part, |reader| {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).map_err(|_| Unreadable::Damaged)?;
            Ok(bytes)
        })
    }

    fn read<T>(
        &mut self,
        part: &str,
        use_it: impl FnOnce(&mut dyn Read) -> Result<T, Unreadable>,
    ) -> Result<T, Unreadable> {
        let part = self.find(part).ok_or(Unreadable::Damaged)?;
        let file = self.zip.by_name(&part).map_err(|error| refusal(&error))?;
        let mut burst = false;
        let compressed = file.compressed_size();
        let mut counted = Counted {
            inner: file,
            compressed,
            part: 0,
            total: &mut self.inflated,
            burst: &mut burst,
        };
        let outcome = use_it(&mut counted);
        if burst { Err(Unreadable::ArchiveBomb) } else { outcome }
    }

    /// What the relationships of `part` lead to within the archive; those of the whole file for an empty name.
    pub(crate) fn relationships(&mut self, part: &str) -> Result<Vec<Relationship>, Unreadable> {
        let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
        let mut found = Relationships {
            folder,
            found: Vec::new(),
        };
        let slash = if folder.is_empty() { "" } else { "/" };
        self.read_xml_if_any(&format!("{folder}{slash}_rels/{name}.rels"), &mut found)?;
        Ok(found.found)
    }

    /// Reads the main part of an Office file; what it refers to, by the names it has for it.
    pub(crate) fn read_main(
        &mut self,
        usual: &str,
        visitor: &mut impl Visitor,
    ) -> Result<BTreeMap<String, Relationship>, Unreadable> {
        let main = self.main_part(usual)?;
        self.read_xml(&main, visitor)?;
        let related = self.relationships(&main)?.into_iter();
        Ok(related.map(|other| (other.id.clone(), other)).collect())
    }

    /// The name of the main part of an Office file: the one that the file says, else the `usual` one.
    pub(crate) fn main_part(&mut self, usual: &str) -> Result<String, Unreadable> {
        let said = self.relationships("")?;
        let said = said.iter().find(|other| other.kind == "officeDocument");
        said.and_then(|other| self.find(&other.target))
            .or_else(|| self.find(usual))
            .ok_or(Unreadable::Damaged)
    }
}

/// The reason that an archive gives when it cannot be read.
pub(crate) fn refusal(error: &ZipError) -> Unreadable {
    match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => Unreadable::ProtectedOrOldOffice,
        _ => Unreadable::Damaged,
    }
}

/// Joins a reference found in a part of `folder` to the name of an entry; one that begins with `/` counts from the top.
pub(crate) fn resolve(folder: &str, reference: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    let (start, reference) = match reference.strip_prefix('/') {
        Some(absolute) => ("", absolute),
        None => (folder, reference),
    };
    for segment in start.split('/').chain(reference.split('/')) {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    segments.join("/")
}

/// Gathers what a `.rels` part says.
struct Relationships<'a> {
    folder: &'a str,
    found: Vec<Relationship>,
}

impl Visitor for Relationships<'_> {
    fn start(&mut self, element: &Element<'_>) -> Result<Step, Unreadable> {
        if element.name() == "Relationship"
            && element.attribute("TargetMode").as_deref() != Some("External")
            && let (Some(id), Some(kind), Some(target)) = (
                element.attribute("Id"),
                element.attribute("Type"),
                element.attribute("Target"),
            )
        {
            self.found.push(Relationship {
                id,
                kind: kind.rsplit('/').next().unwrap_or_default().to_owned(),
                target: resolve(self.folder, &target),
            });
        }
        Ok(Step::Into)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_lead_from_their_folder_and_never_out_of_the_archive() {
        assert_eq!(resolve("ppt/slides", "../notesSlides/n1.xml"), "ppt/notesSlides/n1.xml");
        assert_eq!(resolve("ppt", "/xl/./a.xml"), "xl/a.xml");
        assert_eq!(resolve("", "../../../etc/passwd"), "etc/passwd");
    }
}
