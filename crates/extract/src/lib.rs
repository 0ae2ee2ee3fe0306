//! Documents to text: what kind of document a file is, and the plain text in it, page by page where it has pages.
//!
//! The crate reads untrusted bytes and knows nothing of the product. It is pure and blocking. Its limits stop what can
//! be counted: archive size and ratio, XML depth, pages, output. A PDF can still exhaust memory or the stack inside the
//! parsers, which aborts the process, so callers run [`extract`] in a child process with resource limits.

mod archive;
mod chart;
mod csv;
mod decode;
mod docx;
mod docx_styles;
mod epub;
mod format_code;
mod html;
mod kind;
mod markdown;
mod number_format;
mod pdf;
mod pdf_layout;
mod pdf_outline;
mod pdf_repair;
mod plain;
mod pptx;
mod text;
mod unreadable;
mod xlsx;
mod xml;

use std::panic::catch_unwind;

pub use kind::{Kind, KindRefused, detect};
pub use unreadable::Unreadable;

/// The most characters a document may yield; more is [`Unreadable::TooMuchText`].
pub const MAX_CHARS: usize = 20_000_000;
/// The most pages, slides or sheets a document may have; more is [`Unreadable::TooManyPages`].
pub const MAX_PAGES: usize = 5_000;
/// The most headings that are kept; those that follow are text like any other.
pub const MAX_HEADINGS: usize = 100_000;
/// The most bytes an archive (DOCX, PPTX, XLSX, EPUB) may inflate to, all parts together.
pub const MAX_INFLATED: u64 = 200 * 1024 * 1024;
/// The most entries an archive may list.
pub const MAX_ENTRIES: usize = 2_000;
/// The most elements of a part's XML that may be open at once.
pub const MAX_XML_DEPTH: usize = 256;

/// The text of a document: `\n` line ends, no control characters but `\n` and `\t`, no trailing blanks on a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The whole text. Never blank: a document without text is [`Unreadable`].
    pub text: String,
    /// Where each page lies in `text`, in order and without gaps in the numbering. The pages of a presentation are its
    /// slides, those of a spreadsheet its sheets. Empty for formats without pages.
    pub pages: Vec<Page>,
    /// Where the headings stand in `text`, in order, at most [`MAX_HEADINGS`]. Empty where a format or a document has none.
    pub headings: Vec<Heading>,
}

/// One page of a document within [`Text::text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Page number as readers count it, from 1.
    pub number: u32,
    /// Offset of the page's first character, in characters (Unicode scalar values).
    pub start: usize,
    /// Offset after the page's last character, in characters. Equal to `start` for a page without text.
    pub end: usize,
}

/// A heading within [`Text::text`]: its words. In Markdown the marks stand before them on the same line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heading {
    /// How deep it stands: 1 for a title or chapter, to 6.
    pub level: u8,
    /// Offset of its first character, in characters (Unicode scalar values).
    pub start: usize,
    /// Offset after its last character, in characters. Always more than `start`.
    pub end: usize,
}

/// Reads the text out of a document of a known kind.
///
/// # Errors
/// [`Unreadable`] says why the document gives no text, in words for the person who uploaded it. A parser that panics
/// counts as [`Unreadable::Damaged`].
pub fn extract(kind: Kind, bytes: &[u8]) -> Result<Text, Unreadable> {
    catch_unwind(|| match kind {
        Kind::Pdf => pdf::extract(bytes),
        Kind::Docx => docx::extract(bytes),
        Kind::Txt => plain::extract(bytes),
        Kind::Md => markdown::extract(bytes),
        Kind::Pptx => pptx::extract(bytes),
        Kind::Xlsx => xlsx::extract(bytes),
        Kind::Csv => csv::extract(bytes),
        Kind::Html => html::extract(bytes),
        Kind::Epub => epub::extract(bytes),
    })
    .unwrap_or(Err(Unreadable::Damaged))
}
