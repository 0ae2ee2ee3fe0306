//! Server-sent events at byte level: bytes in, frames out. Knows nothing of vendors and of HTTP.
//!
//! Follows the WHATWG grammar with one deviation on purpose: a frame that is still open at the end of the stream is
//! delivered, because vendors end streams without the last blank line.

/// The longest line, and the most data of one frame, in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;
/// What is kept of lines that are no part of the format, in bytes.
pub const MAX_STRAY: usize = 64 * 1024;

/// One event of the stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    /// The `event:` field, if there was one.
    pub event: Option<String>,
    /// The `data:` lines, joined with line feeds.
    pub data: String,
}

/// The stream holds a line or a frame of more than [`MAX_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a line or event of the stream exceeds {MAX_BYTES} bytes")]
pub struct Oversize;

/// Splits a byte stream into frames, however the network cut it.
#[derive(Debug, Default)]
pub struct SseReader {
    /// The bytes of the line that has not ended yet.
    line: Vec<u8>,
    /// The line before ended with CR, so an LF that follows belongs to it.
    after_cr: bool,
    /// At least one line was read, so a byte order mark is text now.
    begun: bool,
    event: Option<String>,
    data: Option<String>,
    /// Lines that are neither fields nor comments, as far as they are kept.
    stray: String,
}

impl SseReader {
    /// A reader at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes and appends the frames they complete to `frames`.
    ///
    /// # Errors
    /// [`Oversize`]; what was complete before it is in `frames`, and the stream cannot be read further.
    pub fn push(&mut self, bytes: &[u8], frames: &mut Vec<Frame>) -> Result<(), Oversize> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if std::mem::take(&mut self.after_cr) && rest.first() == Some(&b'\n') {
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                return self.keep(rest);
            };
            let (piece, after) = rest.split_at(end);
            self.keep(piece)?;
            self.after_cr = after.first() == Some(&b'\r');
            rest = after.get(1..).unwrap_or_default();
            self.end_line(frames)?;
        }
        Ok(())
    }

    /// Ends the stream and returns the frame that was still open, if any, which may be truncated; and the lines that are
    /// neither fields nor comments, at most [`MAX_STRAY`] bytes of them, which some servers' errors are.
    #[must_use]
    pub fn finish(mut self) -> (Option<Frame>, String) {
        let mut frames = Vec::new();
        // An oversize end is a truncated end: nothing of it is delivered.
        if !self.line.is_empty() && self.end_line(&mut frames).is_err() {
            return (None, self.stray);
        }
        self.dispatch(&mut frames);
        (frames.pop(), self.stray)
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), Oversize> {
        if self.line.len() + bytes.len() > MAX_BYTES {
            return Err(Oversize);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self, frames: &mut Vec<Frame>) -> Result<(), Oversize> {
        // A whole line is decoded at once, so a character that the network cut in two is whole again.
        let decoded = String::from_utf8_lossy(&self.line).into_owned();
        self.line.clear();
        let line = if std::mem::replace(&mut self.begun, true) {
            decoded.as_str()
        } else {
            decoded.strip_prefix('\u{feff}').unwrap_or(&decoded)
        };
        if line.is_empty() {
            self.dispatch(frames);
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => self.add_data(value)?,
            "event" => self.event = Some(value.to_owned()),
            // The first is that of a comment.
            "" | "id" | "retry" => {}
            _ if self.stray.len() + line.len() < MAX_STRAY => {
                self.stray.push_str(line);
                self.stray.push('\n');
            }
            _ => {}
        }
        Ok(())
    }

    fn add_data(&mut self, value: &str) -> Result<(), Oversize> {
        match &mut self.data {
            Some(data) => {
                data.push('\n');
                data.push_str(value);
            }
            None => self.data = Some(value.to_owned()),
        }
        if self.data.as_ref().is_some_and(|data| data.len() > MAX_BYTES) {
            Err(Oversize)
        } else {
            Ok(())
        }
    }

    fn dispatch(&mut self, frames: &mut Vec<Frame>) {
        let event = self.event.take();
        if let Some(data) = self.data.take() {
            frames.push(Frame { event, data });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<Frame> {
        let mut reader = SseReader::new();
        let mut frames = Vec::new();
        for piece in pieces {
            reader.push(piece, &mut frames).unwrap();
        }
        frames.extend(reader.finish().0);
        frames
    }

    fn data(frames: &[Frame]) -> Vec<&str> {
        frames.iter().map(|frame| frame.data.as_str()).collect()
    }

    const STREAM: &str = ": hello\r\n\r\nevent: ping\r\ndata: {\"a\":\"שלום 👋🏽\"}\r\n\r\ndata:b\rdata: c\r\rdata:  d\n\nid: 7\n\ndata: e";

    #[test]
    fn every_cut_gives_the_same_frames() {
        let whole = read(&[STREAM.as_bytes()]);
        assert_eq!(data(&whole), ["{\"a\":\"שלום 👋🏽\"}", "b\nc", " d", "e"]);
        assert_eq!(
            whole.iter().map(|frame| frame.event.as_deref()).collect::<Vec<_>>(),
            [Some("ping"), None, None, None]
        );
        for cut in 0..=STREAM.len() {
            let (left, right) = STREAM.as_bytes().split_at(cut);
            assert_eq!(read(&[left, right]), whole, "cut at {cut}");
        }
        assert_eq!(
            read(&STREAM.as_bytes().chunks(1).collect::<Vec<_>>()),
            whole,
            "byte by byte"
        );
    }

    #[test]
    fn all_line_ends_mean_the_same() {
        for end in ["\n", "\r\n", "\r"] {
            let stream = "data: a\ndata: b\n\n\ndata: c\n\n".replace('\n', end);
            assert_eq!(data(&read(&[stream.as_bytes()])), ["a\nb", "c"], "{end:?}");
        }
    }

    #[test]
    fn separators_of_text_are_not_line_ends() {
        let frames = read(&["data: a\u{2028}b\u{85}c\u{b}d\n\n".as_bytes()]);
        assert_eq!(data(&frames), ["a\u{2028}b\u{85}c\u{b}d"]);
    }

    #[test]
    fn one_byte_order_mark_is_dropped_at_the_start_only() {
        assert_eq!(
            data(&read(&["\u{feff}data: a\n\ndata: \u{feff}b\n\n".as_bytes()])),
            ["a", "\u{feff}b"]
        );
        assert!(read(&["\n\u{feff}data: a\n\n".as_bytes()]).is_empty());
    }

    #[test]
    fn a_frame_without_data_is_dropped_with_its_event() {
        let frames = read(&[b"event: x\n\ndata: y\n\n"]);
        assert_eq!(
            frames,
            [Frame {
                event: None,
                data: "y".into()
            }]
        );
        assert_eq!(data(&read(&[b"data\n\ndata:\n\n"])), ["", ""]);
    }

    #[test]
    fn invalid_utf8_spoils_a_character_and_not_the_stream() {
        assert_eq!(data(&read(&[b"data: a\xffb\n\ndata: c\n\n"])), ["a\u{fffd}b", "c"]);
    }

    #[test]
    fn lines_outside_the_format_are_kept_in_bounds() {
        let mut reader = SseReader::new();
        let mut frames = Vec::new();
        reader
            .push(
                b"id: 1\nretry: 2\n: ping\n{\n  \"error\": {}\n}\n\ndata: a",
                &mut frames,
            )
            .unwrap();
        let (open, stray) = reader.finish();
        assert_eq!(
            (open.unwrap().data.as_str(), stray.as_str()),
            ("a", "{\n  \"error\": {}\n}\n")
        );

        let mut reader = SseReader::new();
        for _ in 0..100_000 {
            reader.push(b"never ending\n", &mut frames).unwrap();
        }
        assert!(reader.finish().1.len() < MAX_STRAY);
    }

    #[test]
    fn sizes_are_limited() {
        let mut frames = Vec::new();
        let mut reader = SseReader::new();
        reader.push(b"data: first\n\ndata: ", &mut frames).unwrap();
        let long = vec![b'x'; MAX_BYTES - 6];
        assert_eq!(reader.push(&long, &mut frames), Ok(()));
        assert_eq!(reader.push(b"x", &mut frames), Err(Oversize));
        assert_eq!(data(&frames), ["first"]);

        let mut reader = SseReader::new();
        let line = format!("data: {}\n", "x".repeat(MAX_BYTES / 4));
        let pushed: Vec<_> = (0..5).map(|_| reader.push(line.as_bytes(), &mut frames)).collect();
        assert!(pushed.contains(&Err(Oversize)), "an event of many lines is limited too");
    }
}
