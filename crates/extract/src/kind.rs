//! What kind of document a file is: its name must say so and its content must agree.

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::ControlFlow;

use thiserror::Error;
use zip::read::Config;
use zip::result::ZipError;
use zip::unstable::read::ZipIterable;

use crate::docx::{DOCUMENT, OLE_MAGIC};
use crate::{MAX_ENTRIES, plain};

/// Readers accept a PDF whose header comes after some junk, within this many bytes.
const PDF_HEADER_WITHIN: u64 = 1024;

/// How many bytes of a text file are looked at to see whether it is markup or another format in disguise.
const HEAD: usize = 4096;

/// The beginnings of formats that are text or may pass for it. Other binary formats betray themselves by their bytes.
const DISGUISES: [&str; 7] = [
    "%PDF-",
    "PK\u{3}\u{4}",
    "\u{7f}ELF",
    "GIF87a",
    "GIF89a",
    "{\\rtf",
    "%!PS",
];

/// The kinds of documents that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Portable Document Format.
    Pdf,
    /// Office Open XML text document, as Word writes it since 2007.
    Docx,
    /// Plain text.
    Txt,
    /// Markdown.
    Md,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Pdf, Self::Docx, Self::Txt, Self::Md];

    /// The name of the kind, which is also its file name extension.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Docx => "docx",
            Self::Txt => "txt",
            Self::Md => "md",
        }
    }

    /// The kind with this name; case does not matter.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(name))
    }

    /// The media type to serve such a file with.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Self::Txt => "text/plain; charset=utf-8",
            Self::Md => "text/markdown; charset=utf-8",
        }
    }
}

/// Why a file is not accepted. `Display` is for the person who uploads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KindRefused {
    /// The name ends in none of the known extensions.
    #[error("This type of file is not supported. Upload a PDF, DOCX, TXT or MD file.")]
    UnknownExtension,
    /// Named .pdf without a PDF header.
    #[error("This file is not a PDF although its name says so. Export it as PDF and upload it again.")]
    NotAPdf,
    /// Named .docx without the structure of one.
    #[error("This file is not a Word document although its name says so. Save it as .docx and upload it again.")]
    NotADocx,
    /// Named .docx but in the OLE container, which holds encrypted and old Word files.
    #[error(
        "This Word file is protected by a password or saved in the old .doc format. \
         Save it as .docx without a password and upload it again."
    )]
    ProtectedOrOldWord,
    /// Named .txt or .md but not text.
    #[error("This file is not plain text in UTF-8 or UTF-16. Save it as UTF-8 text and upload it again.")]
    NotText,
    /// Named .txt or .md but an HTML or SVG document.
    #[error("This file is an HTML or SVG document, not plain text. Save its text as .txt or .md and upload that.")]
    Markup,
    /// Named .txt or .md but in another format that happens to be text.
    #[error(
        "This file is in another format than its name says. Upload it under its true name or save it as plain text."
    )]
    OtherFormat,
}

/// Decides what a file is, by the extension of its name and by its content together. The whole of a text file is read,
/// in bounded memory; afterwards the file stands at its start.
///
/// # Errors
/// The outer error is a failure to read the file; the inner one refuses it.
pub fn detect(filename: &str, file: &mut (impl Read + Seek)) -> io::Result<Result<Kind, KindRefused>> {
    let extension = filename.rsplit_once('.').map_or("", |(_, extension)| extension);
    let Some(kind) = Kind::parse(extension) else {
        return Ok(Err(KindRefused::UnknownExtension));
    };
    file.seek(SeekFrom::Start(0))?;
    let refused = match kind {
        Kind::Pdf => refuse_pdf(file),
        Kind::Docx => refuse_docx(file),
        Kind::Txt | Kind::Md => refuse_text(file),
    }?;
    file.seek(SeekFrom::Start(0))?;
    Ok(refused.map_or(Ok(kind), Err))
}

fn refuse_pdf(file: &mut impl Read) -> io::Result<Option<KindRefused>> {
    let mut start = Vec::new();
    file.take(PDF_HEADER_WITHIN).read_to_end(&mut start)?;
    let found = start.windows(5).any(|window| window == b"%PDF-");
    Ok((!found).then_some(KindRefused::NotAPdf))
}

fn refuse_docx(file: &mut (impl Read + Seek)) -> io::Result<Option<KindRefused>> {
    let mut start = Vec::new();
    file.take(OLE_MAGIC.len() as u64).read_to_end(&mut start)?;
    if start == OLE_MAGIC {
        return Ok(Some(KindRefused::ProtectedOrOldWord));
    }
    if !start.starts_with(b"PK\x03\x04") {
        return Ok(Some(KindRefused::NotADocx));
    }
    // The list of entries is walked and never held: it may be as long as the file. Each step seeks, which empties the
    // buffer, so a small one is the fast one.
    match lists_document(BufReader::with_capacity(512, file)) {
        Ok(true) => Ok(None),
        Ok(false) => Ok(Some(KindRefused::NotADocx)),
        Err(ZipError::Io(error)) if !is_about_content(&error) => Err(error),
        Err(_) => Ok(Some(KindRefused::NotADocx)),
    }
}

fn lists_document(file: impl Read + Seek) -> Result<bool, ZipError> {
    let mut archive = ZipIterable::try_new(file, Config::default())?;
    for entry in archive.files()?.take(MAX_ENTRIES) {
        if entry?.name_raw() == DOCUMENT.as_bytes() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a failed read is the fault of the bytes rather than of the disk: offsets beyond the end, for example.
fn is_about_content(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
    )
}

fn refuse_text(file: &mut impl Read) -> io::Result<Option<KindRefused>> {
    let mut head = String::new();
    let is_text = plain::read_text(file, |part| {
        if head.len() < HEAD {
            head.extend(part.chars().take(HEAD));
        }
        ControlFlow::Continue(())
    })?;
    let start = head.trim_start();
    Ok(if DISGUISES.iter().any(|magic| start.starts_with(magic)) {
        Some(KindRefused::OtherFormat)
    } else if !is_text {
        Some(KindRefused::NotText)
    } else if is_markup(start) {
        Some(KindRefused::Markup)
    } else {
        None
    })
}

/// Whether a text begins as an HTML or SVG document does, after any XML declaration, comments and document type.
/// Markdown may begin with single HTML elements and stays Markdown.
fn is_markup(start: &str) -> bool {
    let start = start.to_ascii_lowercase();
    let mut rest = start.as_str();
    loop {
        rest = rest.trim_start();
        let (end, length) = if rest.starts_with("<!--") {
            (rest.find("-->"), 3)
        } else if rest.starts_with("<?") {
            (rest.find("?>"), 2)
        } else if let Some(doctype) = rest.strip_prefix("<!doctype") {
            let name = doctype.trim_start();
            if name.starts_with("html") || name.starts_with("svg") {
                return true;
            }
            (rest.find('>'), 1)
        } else {
            let name = rest.strip_prefix('<').unwrap_or_default();
            let name = name
                .split(|character: char| !character.is_alphanumeric() && character != ':')
                .next();
            let name = name.unwrap_or_default();
            return matches!(
                name.rsplit(':').next(),
                Some("html" | "svg" | "head" | "body" | "script")
            );
        };
        match end.and_then(|end| rest.get(end + length..)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
}
