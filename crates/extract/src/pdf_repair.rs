//! A new index for a PDF whose own is broken, as careless programs write them: the objects are found by their headers.

use std::collections::BTreeMap;
use std::fmt::Write;

use pdf_extract::{Document, Object};

/// More objects than any real document has; the numbers beyond are junk.
const MAX_OBJECT: u32 = 8_388_607;

/// A copy of the file with a cross-reference table of all objects found in it appended, or `None` when there is no
/// catalog to start from. Encrypted files are left alone: their keys are in the index that is lost.
pub(crate) fn rebuild_index(bytes: &[u8]) -> Option<Vec<u8>> {
    let start = find(bytes, b"%PDF-")?;
    let bytes = &bytes[start..];
    if find(bytes, b"/Encrypt").is_some() {
        return None;
    }
    let objects = objects(bytes);
    let (root, root_generation) = root(bytes).or_else(|| catalog(bytes, &objects))?;
    let size = objects.last_key_value()?.0 + 1;

    let mut index = String::from("\nxref\n0 1\n0000000000 65535 f \n");
    for (number, (generation, offset)) in &objects {
        writeln!(index, "{number} 1\n{offset:010} {generation:05} n ").ok()?;
    }
    writeln!(index, "trailer\n<< /Size {size} /Root {root} {root_generation} R >>").ok()?;
    writeln!(index, "startxref\n{}\n%%EOF", bytes.len() + 1).ok()?;
    Some([bytes, index.as_bytes()].concat())
}

/// Whether the page tree leads to as many pages as it counts.
pub(crate) fn has_all_pages(document: &Document) -> bool {
    let counted = document
        .catalog()
        .and_then(|catalog| catalog.get_deref(b"Pages", document))
        .and_then(Object::as_dict)
        .and_then(|tree| tree.get_deref(b"Count", document))
        .and_then(Object::as_i64);
    counted.is_ok_and(|count| usize::try_from(count) == Ok(document.page_iter().count()))
}

/// Number, generation and offset of each object; where a number comes twice, the later one is the newer version.
fn objects(bytes: &[u8]) -> BTreeMap<u32, (u16, usize)> {
    let mut objects = BTreeMap::new();
    for position in positions(bytes, b" obj") {
        let (before, generation) = split_number(&bytes[..position]);
        let (before_number, number) = split_number(before.trim_ascii_end());
        let (Some(generation), Some(number)) = (generation, number) else {
            continue;
        };
        let Ok(generation) = u16::try_from(generation) else {
            continue;
        };
        if before.len() != before.trim_ascii_end().len() && (1..=MAX_OBJECT).contains(&number) {
            objects.insert(number, (generation, before_number.len()));
        }
    }
    objects
}

/// The document root that the last readable trailer names, in either of its forms.
fn root(bytes: &[u8]) -> Option<(u32, u32)> {
    let position = positions(bytes, b"/Root").last()?;
    let text = bytes.get(position + 5..)?;
    let text = std::str::from_utf8(&text[..text.len().min(32)]).unwrap_or_default();
    let mut parts = text.split_ascii_whitespace();
    let number = parts.next()?.parse().ok()?;
    let generation = parts.next()?.parse().ok()?;
    parts.next()?.starts_with('R').then_some((number, generation))
}

/// The last object that says it is a catalog.
fn catalog(bytes: &[u8], objects: &BTreeMap<u32, (u16, usize)>) -> Option<(u32, u32)> {
    let by_offset: BTreeMap<usize, (u32, u16)> = objects
        .iter()
        .map(|(number, (generation, offset))| (*offset, (*number, *generation)))
        .collect();
    let position = positions(bytes, b"/Catalog").last()?;
    let (number, generation) = by_offset.range(..position).next_back()?.1;
    Some((*number, u32::from(*generation)))
}

/// What comes before the number at the end of `bytes`, and the number.
fn split_number(bytes: &[u8]) -> (&[u8], Option<u32>) {
    let digits = bytes
        .iter()
        .rev()
        .take(10)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (before, number) = bytes.split_at(bytes.len() - digits);
    (
        before,
        std::str::from_utf8(number).ok().and_then(|number| number.parse().ok()),
    )
}

fn positions<'a>(bytes: &'a [u8], needle: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    bytes
        .windows(needle.len())
        .enumerate()
        .filter(move |(_, window)| *window == needle)
        .map(|(position, _)| position)
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    positions(bytes, needle).next()
}
