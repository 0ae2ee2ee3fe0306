//! JSON as vendors really send it.

use serde_json::Value;

/// Reads JSON. A lone half of a surrogate pair, which some servers send where they cut an emoji in two, becomes U+FFFD
/// instead of spoiling all that stands around it.
pub(crate) fn parse(text: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(text).or_else(|error| match mended(text) {
        Some(mended) => serde_json::from_slice(&mended),
        None => Err(error),
    })
}

/// The text with every lone surrogate replaced; `None` if it holds none.
fn mended(text: &[u8]) -> Option<Vec<u8>> {
    let mut mended = text.to_vec();
    let mut at = 0;
    let mut changed = false;
    while let Some(byte) = text.get(at) {
        at += match (byte, escaped(text, at)) {
            (_, Some(0xd800..=0xdbff)) if matches!(escaped(text, at + 6), Some(0xdc00..=0xdfff)) => 12,
            (_, Some(0xd800..=0xdfff)) => {
                if let Some(digits) = mended.get_mut(at + 2..at + 6) {
                    digits.copy_from_slice(b"fffd");
                    changed = true;
                }
                6
            }
            // What follows a backslash belongs to it, another backslash too.
            (b'\\', _) => 2,
            _ => 1,
        };
    }
    changed.then_some(mended)
}

/// The number of an escape `\uXXXX` that begins here.
fn escaped(text: &[u8], at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lone_surrogates_cost_a_character_and_no_more() {
        let cases = [
            (r#""a\ud83db""#, "a\u{fffd}b"),
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""\udc4b\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83d\ud83d\udc4b""#, "\u{fffd}👋"),
            (r#""\ud83d\udc4b\uD83D""#, "👋\u{fffd}"),
            (r#""\\ud83d\ud83d\n""#, "\\ud83d\u{fffd}\n"),
            (r#""\ud83d\\""#, "\u{fffd}\\"),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text.as_bytes()).unwrap(), Value::from(expected), "{text}");
        }
        assert!(parse(br#""\ud83""#).is_err());
        assert!(parse(br#"{"a": \ud83d}"#).is_err());
        assert!(parse(b"").is_err());
    }
}
