//! Plain text files: UTF-8 and UTF-16, each with or without a byte order mark.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::str;

use encoding_rs::UTF_16LE;

use crate::decode::utf16_without_mark;
use crate::text::Draft;
use crate::{Text, Unreadable};

/// How much of a stream is decoded at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// How the characters of a text file are stored, told by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
}

/// The text of a TXT or Markdown file as it stands, Markdown marks included.
pub(crate) fn extract(mut bytes: &[u8]) -> Result<Text, Unreadable> {
    let mut draft = Draft::default();
    let mut outcome = Ok(());
    let is_text = read_text(&mut bytes, |part| match draft.push(part) {
        Ok(()) => ControlFlow::Continue(()),
        Err(full) => {
            outcome = Err(full);
            ControlFlow::Break(())
        }
    });
    outcome?;
    match is_text {
        Ok(true) => draft.finish(Unreadable::Empty),
        Ok(false) | Err(_) => Err(Unreadable::NotText),
    }
}

/// Decodes a stream in bounded memory, giving its text piece by piece, without the byte order mark, until `visit`
/// breaks off. False when the stream is not text: not valid in its encoding, with a NUL, or with more than one control
/// character in a hundred.
pub(crate) fn read_text(reader: &mut impl Read, mut visit: impl FnMut(&str) -> ControlFlow<()>) -> io::Result<bool> {
    let mut encoding = None;
    let mut pending: Vec<u8> = Vec::with_capacity(CHUNK + 4);
    let (mut characters, mut controls) = (0_u64, 0_u64);
    loop {
        let read = reader.by_ref().take(CHUNK as u64).read_to_end(&mut pending)?;
        let at_end = read < CHUNK;
        let encoding = *encoding.get_or_insert_with(|| {
            let (encoding, mark) = sniff(&pending);
            pending.drain(..mark);
            encoding
        });
        let Some((text, used)) = decode(encoding, &pending) else {
            return Ok(false);
        };
        for character in text.chars() {
            characters += 1;
            match character {
                '\0' => return Ok(false),
                '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' => {}
                other if other.is_ascii_control() => controls += 1,
                _ => {}
            }
        }
        if !text.is_empty() && visit(&text).is_break() {
            return Ok(true);
        }
        pending.drain(..used);
        if at_end {
            return Ok(pending.is_empty() && controls * 100 <= characters);
        }
    }
}

/// The encoding and the length of the byte order mark.
fn sniff(start: &[u8]) -> (Encoding, usize) {
    match start {
        [0xef, 0xbb, 0xbf, ..] => (Encoding::Utf8, 3),
        [0xff, 0xfe, ..] => (Encoding::Utf16Le, 2),
        [0xfe, 0xff, ..] => (Encoding::Utf16Be, 2),
        _ => match utf16_without_mark(start) {
            Some(encoding) if encoding == UTF_16LE => (Encoding::Utf16Le, 0),
            Some(_) => (Encoding::Utf16Be, 0),
            None => (Encoding::Utf8, 0),
        },
    }
}

/// Decodes as many whole characters as there are; gives them and the bytes they took, or `None` for invalid bytes.
fn decode(encoding: Encoding, bytes: &[u8]) -> Option<(String, usize)> {
    let unit: fn([u8; 2]) -> u16 = match encoding {
        Encoding::Utf16Le => u16::from_le_bytes,
        Encoding::Utf16Be => u16::from_be_bytes,
        Encoding::Utf8 => {
            let whole = match str::from_utf8(bytes) {
                Ok(_) => bytes.len(),
                Err(error) if error.error_len().is_none() => error.valid_up_to(),
                Err(_) => return None,
            };
            return Some((String::from_utf8(bytes[..whole].to_vec()).ok()?, whole));
        }
    };
    let mut units: Vec<u16> = bytes.as_chunks().0.iter().copied().map(unit).collect();
    // The first half of a pair waits for its second.
    if units.last().is_some_and(|last| (0xd800..0xdc00).contains(last)) {
        units.pop();
    }
    Some((String::from_utf16(&units).ok()?, units.len() * 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that gives one byte at a time, so that every character is split somewhere.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let limit = buffer.len().min(1);
            self.0.read(&mut buffer[..limit])
        }
    }

    #[test]
    fn characters_across_chunk_borders_survive() {
        let text = format!("x{}", "ě😀".repeat(CHUNK / 4));
        let utf16 = [0xff, 0xfe]
            .into_iter()
            .chain(text.encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        for bytes in [text.clone().into_bytes(), utf16] {
            let mut seen = String::new();
            let is_text = read_text(&mut Drip(&bytes), |part| {
                seen.push_str(part);
                ControlFlow::Continue(())
            });
            assert!(is_text.unwrap());
            assert_eq!(seen, text);
        }
    }
}
