//! A request's head as bytes, judged before anything reads meaning into it: what two programs on a request's way could
//! read differently is refused, and so is what is too long.

/// Bytes of a request's address at most.
pub(crate) const MAX_URI: usize = 8 * 1024;
/// Bytes of all header lines at most.
pub(crate) const MAX_HEADER_BYTES: usize = 16 * 1024;
/// Header lines at most.
pub(crate) const MAX_HEADERS: usize = 100;
/// Bytes of the first line besides the address: the method, the version and blanks.
const FIRST_LINE_REST: usize = 64;

/// Why a head is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is no head, or could be read in more than one way.
    Malformed,
    /// The address is too long.
    UriTooLong,
    /// The headers are too many or too long.
    HeadersTooLarge,
}

/// A head that is whole and plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// Its bytes, with the empty line that ends it.
    pub(crate) length: u64,
    /// What comes after it.
    pub(crate) body: BodyLength,
}

/// How far the body goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyLength {
    /// So many bytes; 0 if there is no body.
    Known(u64),
    /// It comes in chunks, of which the last one ends it.
    Chunked,
}

/// Looks at a head while it arrives; no byte is looked at twice.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Where the line begins that is not complete yet.
    line: usize,
    /// Up to where no end of that line was found.
    searched: usize,
    /// Where the header lines begin, once the first line is complete.
    headers_at: Option<usize>,
    is_http_11: bool,
    headers: usize,
    hosts: usize,
    content_length: Option<u64>,
    is_chunked: bool,
}

impl Scan {
    /// Goes on with all bytes that came so far. `None`: the head is not complete yet.
    ///
    /// # Errors
    /// [`Fault`] as soon as it is certain; the head is not to be looked at further.
    pub(crate) fn go_on(&mut self, bytes: &[u8]) -> Result<Option<Head>, Fault> {
        while let Some(end) = find(bytes, b'\n', self.searched) {
            let line = bytes.get(self.line..end).unwrap_or_default();
            let Some(line) = line.strip_suffix(b"\r") else {
                return Err(Fault::Malformed);
            };
            if line.contains(&b'\r') {
                return Err(Fault::Malformed);
            }
            let is_first = self.headers_at.is_none();
            if is_first && line.is_empty() && self.line == 0 {
                // One empty line before a request is passed over, as the standard wants it.
            } else if is_first {
                self.first_line(line)?;
                self.headers_at = Some(end + 1);
            } else if line.is_empty() {
                return self.whole(end + 1).map(Some);
            } else {
                self.header(line)?;
            }
            self.line = end + 1;
            self.searched = end + 1;
            self.check_length(end + 1)?;
        }
        self.searched = bytes.len();
        self.check_length(bytes.len()).map(|()| None)
    }

    fn check_length(&self, seen: usize) -> Result<(), Fault> {
        match self.headers_at {
            None if seen - self.line > MAX_URI + FIRST_LINE_REST => Err(Fault::UriTooLong),
            Some(begin) if seen - begin > MAX_HEADER_BYTES || self.headers > MAX_HEADERS => Err(Fault::HeadersTooLarge),
            None | Some(_) => Ok(()),
        }
    }

    fn first_line(&mut self, line: &[u8]) -> Result<(), Fault> {
        let mut parts = line.split(|byte| *byte == b' ');
        let (Some(method), Some(uri), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Fault::Malformed);
        };
        if uri.len() > MAX_URI {
            return Err(Fault::UriTooLong);
        }
        self.is_http_11 = version == b"HTTP/1.1";
        let is_known = self.is_http_11 || version == b"HTTP/1.0";
        if !is_known || !is_token(method) || uri.is_empty() || uri.iter().any(u8::is_ascii_control) {
            return Err(Fault::Malformed);
        }
        Ok(())
    }

    fn header(&mut self, line: &[u8]) -> Result<(), Fault> {
        self.headers += 1;
        let colon = find(line, b':', 0).ok_or(Fault::Malformed)?;
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        // A name that begins with a blank would be a folded line: some read it as part of the one before.
        if !is_token(name) || value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return Err(Fault::Malformed);
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = str::from_utf8(value).ok().filter(|text| !text.starts_with('+'));
            let length = digits.and_then(|text| text.parse().ok()).ok_or(Fault::Malformed)?;
            if self.content_length.replace(length).is_some() {
                return Err(Fault::Malformed);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.is_chunked || !self.is_http_11 || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Fault::Malformed);
            }
            self.is_chunked = true;
        } else if name.eq_ignore_ascii_case(b"host") {
            self.hosts += 1;
        }
        Ok(())
    }

    fn whole(&self, length: usize) -> Result<Head, Fault> {
        let is_host_right = self.hosts == 1 || (self.hosts == 0 && !self.is_http_11);
        let body = match (self.content_length, self.is_chunked) {
            (Some(_), true) => return Err(Fault::Malformed),
            (None, true) => BodyLength::Chunked,
            (length, false) => BodyLength::Known(length.unwrap_or(0)),
        };
        if !is_host_right {
            return Err(Fault::Malformed);
        }
        Ok(Head {
            length: length as u64,
            body,
        })
    }
}

fn find(bytes: &[u8], wanted: u8, from: usize) -> Option<usize> {
    let place = bytes.get(from..)?.iter().position(|byte| *byte == wanted)?;
    Some(from + place)
}

/// Whether these are the characters of which methods and header names are made.
fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict, which must be the same however the bytes arrive.
    fn judge(text: &str) -> Result<Option<Head>, Fault> {
        let whole = Scan::default().go_on(text.as_bytes());
        let mut scan = Scan::default();
        let mut single = Ok(None);
        for end in 1..=text.len() {
            single = scan.go_on(&text.as_bytes()[..end]);
            if single != Ok(None) {
                break;
            }
        }
        assert_eq!(whole, single, "{text:?}");
        whole
    }

    #[test]
    fn plain_heads_pass_with_the_length_of_their_body() {
        for (text, body) in [
            ("GET / HTTP/1.1\r\nhost: x\r\n\r\n", BodyLength::Known(0)),
            ("\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n", BodyLength::Known(0)),
            ("GET / HTTP/1.0\r\n\r\n", BodyLength::Known(0)),
            (
                "POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n",
                BodyLength::Known(12),
            ),
            (
                "POST / HTTP/1.1\r\nhost: x\r\nTransfer-Encoding: Chunked\r\n\r\n",
                BodyLength::Chunked,
            ),
        ] {
            let length = text.len() as u64;
            assert_eq!(judge(text), Ok(Some(Head { length, body })), "{text:?}");
        }
        assert_eq!(judge("GET / HTTP/1.1\r\nhost: x\r\n"), Ok(None));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for text in [
            "GET / HTTP/1.1\nhost: x\n\n",
            "GET / HTTP/1.1\r\nhost: x\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\na: b\r\n c\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\ncontent-length : 1\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\ncontent-length: +1\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1, 1\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
            "GET / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\na: b\0\r\n\r\n",
            "GET  / HTTP/1.1\r\nhost: x\r\n\r\n",
            "GET /a b HTTP/1.1\r\nhost: x\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\n",
            "\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
            "hello\r\n",
        ] {
            assert_eq!(judge(text), Err(Fault::Malformed), "{text:?}");
        }
    }

    #[test]
    fn heads_end_where_they_are_too_long() {
        let head = |uri: usize, headers: usize, value: usize| {
            let headers = format!("a: {}\r\n", "x".repeat(value)).repeat(headers);
            format!("GET /{} HTTP/1.1\r\nhost: x\r\n{headers}\r\n", "u".repeat(uri))
        };
        assert!(judge(&head(MAX_URI - 1, MAX_HEADERS - 1, 100)).is_ok());
        assert_eq!(judge(&head(MAX_URI, 0, 0)), Err(Fault::UriTooLong));
        assert_eq!(judge(&"x".repeat(MAX_URI + 100)), Err(Fault::UriTooLong));
        assert_eq!(judge(&head(1, MAX_HEADERS, 1)), Err(Fault::HeadersTooLarge));
        assert_eq!(judge(&head(1, 1, MAX_HEADER_BYTES)), Err(Fault::HeadersTooLarge));
        let endless = format!("GET / HTTP/1.1\r\na: {}", "x".repeat(MAX_HEADER_BYTES));
        assert_eq!(judge(&endless), Err(Fault::HeadersTooLarge));
    }
}
