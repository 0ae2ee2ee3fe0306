//! Bytes to characters where files do not say how their characters are stored, as CSV from Excel and old web pages.

use std::borrow::Cow;
use std::collections::BTreeSet;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// How many bytes are looked at to guess an encoding.
const SAMPLE: usize = 256 * 1024;

/// The text in `bytes`, or `None` when they are no text. A byte order mark decides; then valid UTF-8 is UTF-8, then what
/// the file itself declares, then what the letters look like.
pub(crate) fn decode<'a>(bytes: &'a [u8], declared: Option<&'static Encoding>) -> Option<Cow<'a, str>> {
    let text = if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        let rest = bytes.get(mark..).unwrap_or_default();
        encoding.decode_without_bom_handling_and_without_replacement(rest)?
    } else if let Some(encoding) = utf16_without_mark(bytes) {
        encoding.decode_without_bom_handling_and_without_replacement(bytes)?
    } else if let Ok(text) = str::from_utf8(bytes) {
        Cow::Borrowed(text)
    } else {
        let encoding = declared
            .filter(|encoding| *encoding != UTF_8)
            .unwrap_or_else(|| guess(bytes));
        encoding.decode_without_bom_handling(bytes).0
    };
    is_text(&text).then_some(text)
}

/// UTF-16 without a byte order mark where nothing else can be meant: zero bytes stand on one side of the pairs only, on
/// many of them, as the letters of Latin and the blanks of every language have them, and the other values on that side are
/// few, because a text keeps to few scripts.
pub(crate) fn utf16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let start = bytes.get(..bytes.len().min(SAMPLE)).unwrap_or_default();
    let pairs = start.as_chunks::<2>().0;
    let (first, second): (Vec<u8>, Vec<u8>) = pairs.iter().map(|[first, second]| (*first, *second)).unzip();
    if are_upper_halves(&second) && !first.contains(&0) {
        Some(UTF_16LE)
    } else if are_upper_halves(&first) && !second.contains(&0) {
        Some(UTF_16BE)
    } else {
        None
    }
}

fn are_upper_halves(bytes: &[u8]) -> bool {
    let zeros = bytes.iter().filter(|byte| **byte == 0).count();
    let values: BTreeSet<&u8> = bytes.iter().collect();
    // A few characters prove nothing unless most of them are Latin.
    let least = if bytes.len() < 64 {
        bytes.len() / 2
    } else {
        bytes.len() / 10
    };
    zeros > least && values.len() <= 5
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    let sample = bytes.get(..bytes.len().min(SAMPLE)).unwrap_or_default();
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    if detector.feed(sample, true) {
        detector.guess(None, Utf8Detection::Deny)
    } else {
        WINDOWS_1252
    }
}

/// Text has no zero characters and at most one other control character in a hundred.
fn is_text(text: &str) -> bool {
    let (mut characters, mut controls) = (0_u64, 0_u64);
    for character in text.chars() {
        characters += 1;
        match character {
            '\0' => return false,
            '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' => {}
            '\u{fffd}' => controls += 1,
            other if other.is_control() => controls += 1,
            _ => {}
        }
    }
    controls * 100 <= characters
}
