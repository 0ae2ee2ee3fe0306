//! What kind of document a file is: its name must say so and its content must agree.

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::ControlFlow;

use thiserror::Error;
use zip::read::Config;
use zip::result::ZipError;
use zip::unstable::read::ZipIterable;

use crate::archive::OLE_MAGIC;
use crate::decode::utf16_without_mark;
use crate::{MAX_ENTRIES, docx, epub, plain, pptx, xlsx};

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
    /// Office Open XML presentation, as PowerPoint writes it since 2007.
    Pptx,
    /// Office Open XML spreadsheet, as Excel writes it since 2007.
    Xlsx,
    /// A table in a text file.
    Csv,
    /// A web page.
    Html,
    /// An electronic book.
    Epub,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Pdf,
        Self::Docx,
        Self::Txt,
        Self::Md,
        Self::Pptx,
        Self::Xlsx,
        Self::Csv,
        Self::Html,
        Self::Epub,
    ];

    /// The name of the kind, which is also its usual file name extension.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Docx => "docx",
            Self::Txt => "txt",
            Self::Md => "md",
            Self::Pptx => "pptx",
            Self::Xlsx => "xlsx",
            Self::Csv => "csv",
            Self::Html => "html",
            Self::Epub => "epub",
        }
    }

    /// The kind with this name; case does not matter.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(name))
    }

    /// The kind of files whose names end so, without the dot; case does not matter. Some kinds have several endings.
    pub fn of_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "htm" | "xhtml" => Some(Self::Html),
            "markdown" => Some(Self::Md),
            name => Self::parse(name),
        }
    }

    /// The media type to serve such a file with.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Self::Txt => "text/plain; charset=utf-8",
            Self::Md => "text/markdown; charset=utf-8",
            Self::Pptx => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            // These two say themselves, or leave open, how their characters are stored.
            Self::Csv => "text/csv",
            Self::Html => "text/html",
            Self::Epub => "application/epub+zip",
        }
    }
}

/// Why a file is not accepted. `Display` is for the person who uploads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KindRefused {
    /// The name ends in none of the known extensions.
    #[error("This type of file is not supported. Upload a PDF, DOCX, TXT, MD, PPTX, XLSX, CSV, HTML or EPUB file.")]
    UnknownExtension,
    /// Named .pdf without a PDF header.
    #[error("This file is not a PDF although its name says so. Export it as PDF and upload it again.")]
    NotAPdf,
    /// Named .docx without the structure of one.
    #[error("This file is not a Word document although its name says so. Save it as .docx and upload it again.")]
    NotADocx,
    /// Named .pptx without the structure of one.
    #[error("This file is not a presentation although its name says so. Save it as .pptx and upload it again.")]
    NotAPptx,
    /// Named .xlsx without the structure of one.
    #[error("This file is not a spreadsheet although its name says so. Save it as .xlsx and upload it again.")]
    NotAnXlsx,
    /// Named .epub without the structure of one.
    #[error("This file is not an EPUB book although its name says so. Convert it to EPUB and upload it again.")]
    NotAnEpub,
    /// Named .html without the markup of one.
    #[error("This file is not a web page although its name says so. Upload it under its true name.")]
    NotHtml,
    /// Named as an Office file but in the OLE container, which holds encrypted and old ones.
    #[error(
        "This Office file is protected by a password or saved in an old format (.doc, .ppt, .xls). \
         Save it as .docx, .pptx or .xlsx without a password and upload it again."
    )]
    ProtectedOrOldOffice,
    /// Named .txt, .md or .csv but not text.
    #[error("This file is not plain text in UTF-8 or UTF-16. Save it as UTF-8 text and upload it again.")]
    NotText,
    /// Named .txt, .md or .csv but an HTML or SVG document.
    #[error("This file is an HTML or SVG document, not plain text. Upload HTML as .html, or its text as .txt or .md.")]
    Markup,
    /// Named as text but in another format that happens to be text.
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
    let Some(kind) = Kind::of_extension(extension) else {
        return Ok(Err(KindRefused::UnknownExtension));
    };
    file.seek(SeekFrom::Start(0))?;
    let refused = match kind {
        Kind::Pdf => refuse_pdf(file),
        Kind::Docx => refuse_archive(file, docx::DOCUMENT, KindRefused::NotADocx),
        Kind::Pptx => refuse_archive(file, pptx::PRESENTATION, KindRefused::NotAPptx),
        Kind::Xlsx => refuse_archive(file, xlsx::WORKBOOK, KindRefused::NotAnXlsx),
        Kind::Txt | Kind::Md => read_text(file).map(refuse_text),
        Kind::Csv => read_any_text(file).map(refuse_text),
        Kind::Html => refuse_html(file),
        // The standard wants the media type in the first entry, uncompressed. Books that put it elsewhere are many.
        Kind::Epub => refuse_archive(file, epub::CONTAINER, KindRefused::NotAnEpub),
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

fn refuse_archive(
    file: &mut (impl Read + Seek),
    main_part: &str,
    refusal: KindRefused,
) -> io::Result<Option<KindRefused>> {
    let mut start = Vec::new();
    file.take(OLE_MAGIC.len() as u64).read_to_end(&mut start)?;
    if start == OLE_MAGIC {
        return Ok(Some(KindRefused::ProtectedOrOldOffice));
    }
    if !start.starts_with(b"PK\x03\x04") {
        return Ok(Some(refusal));
    }
    // The list of entries is walked and never held: it may be as long as the file. Each step seeks, which empties the
    // buffer, so a small one is the fast one.
    match lists_part(BufReader::with_capacity(512, file), main_part) {
        Ok(true) => Ok(None),
        Ok(false) => Ok(Some(refusal)),
        Err(ZipError::Io(error)) if !is_about_content(&error) => Err(error),
        Err(_) => Ok(Some(refusal)),
    }
}

fn lists_part(file: impl Read + Seek, part: &str) -> Result<bool, ZipError> {
    let mut archive = ZipIterable::try_new(file, Config::default())?;
    for entry in archive.files()?.take(MAX_ENTRIES) {
        if is_part(entry?.name_raw(), part) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether an entry is the part, as it is usually named or with a number: Office on the web writes `document2.xml`.
/// Which of them the file means, its relationships tell; they are read where the text is.
fn is_part(name: &[u8], part: &str) -> bool {
    let Some(stem) = part.strip_suffix(".xml") else {
        return false;
    };
    let (name, stem) = (name.to_ascii_lowercase(), stem.to_ascii_lowercase());
    let number = name
        .strip_prefix(stem.as_bytes())
        .and_then(|rest| rest.strip_suffix(b".xml"));
    number.is_some_and(|number| number.iter().all(u8::is_ascii_digit))
}

/// Whether a failed read is the fault of the bytes rather than of the disk: offsets beyond the end, for example.
fn is_about_content(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
    )
}

/// Why this is not a plain text, by its start and by whether all of it is text.
fn refuse_text((head, is_text): (String, bool)) -> Option<KindRefused> {
    let start = head.trim_start();
    if is_disguised(start) {
        Some(KindRefused::OtherFormat)
    } else if !is_text {
        Some(KindRefused::NotText)
    } else if is_markup(start) {
        Some(KindRefused::Markup)
    } else {
        None
    }
}

fn refuse_html(file: &mut (impl Read + Seek)) -> io::Result<Option<KindRefused>> {
    let (head, is_text) = read_any_text(file)?;
    let start = head.trim_start().to_ascii_lowercase();
    let is_page = is_text && !is_disguised(&start) && has_html(&start);
    Ok((!is_page).then_some(KindRefused::NotHtml))
}

fn is_disguised(start: &str) -> bool {
    DISGUISES.iter().any(|magic| {
        start
            .get(..magic.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(magic))
    })
}

/// The start of a text, and whether the whole file is one in UTF-8 or UTF-16.
fn read_text(file: &mut impl Read) -> io::Result<(String, bool)> {
    let mut head = String::new();
    let is_text = plain::read_text(file, |part| {
        if head.len() < HEAD {
            head.extend(part.chars().take(HEAD));
        }
        ControlFlow::Continue(())
    })?;
    Ok((head, is_text))
}

/// The start of a text, and whether the whole file is one in any encoding: those before Unicode have no zeros and as few
/// control characters, too. What is not Latin in the start is not told right; markup is.
fn read_any_text(file: &mut (impl Read + Seek)) -> io::Result<(String, bool)> {
    let mut start = Vec::new();
    file.by_ref().take(HEAD as u64).read_to_end(&mut start)?;
    file.seek(SeekFrom::Start(0))?;
    let is_utf16 = start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]);
    if is_utf16 || utf16_without_mark(&start).is_some() {
        return read_text(file);
    }
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start);
    let head = String::from_utf8_lossy(start).into_owned();
    let (mut bytes, mut controls) = (0_u64, 0_u64);
    let mut buffer = [0; 8 * 1024];
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => return Ok((head, controls * 100 <= bytes)),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        for byte in buffer.iter().take(read) {
            bytes += 1;
            match byte {
                0 => return Ok((head, false)),
                b'\t' | b'\n' | b'\r' | 0xb | 0xc => {}
                other => controls += u64::from(other.is_ascii_control()),
            }
        }
    }
}

/// Whether the start of a text, in lower case, is that of a web page: it begins as one, or has an element as pages have.
fn has_html(start: &str) -> bool {
    const ELEMENTS: [&str; 20] = [
        "a", "b", "body", "br", "div", "em", "h1", "h2", "h3", "head", "html", "li", "meta", "ol", "p", "span",
        "strong", "table", "title", "ul",
    ];
    if first_element(start) == Some("svg") {
        return false;
    }
    is_markup(start)
        || start.split('<').skip(1).any(|tag| {
            let name = tag.split(|character: char| !character.is_ascii_alphanumeric()).next();
            tag.contains('>') && name.is_some_and(|name| ELEMENTS.contains(&name))
        })
}

/// Whether a text begins as an HTML or SVG document does. Markdown may begin with single HTML elements and stays Markdown.
fn is_markup(start: &str) -> bool {
    matches!(
        first_element(&start.to_ascii_lowercase()),
        Some("html" | "svg" | "head" | "body" | "script")
    )
}

/// The name without prefix of the element with which a text in lower case begins, after any XML declaration, comments and
/// document type. The document type of a web page or a drawing says it already.
fn first_element(start: &str) -> Option<&str> {
    let mut rest = start;
    loop {
        rest = rest.trim_start();
        let (end, length) = if rest.starts_with("<!--") {
            (rest.find("-->"), 3)
        } else if rest.starts_with("<?") {
            (rest.find("?>"), 2)
        } else if let Some(doctype) = rest.strip_prefix("<!doctype") {
            let name = doctype.trim_start();
            if let Some(name) = ["html", "svg"].into_iter().find(|known| name.starts_with(known)) {
                return Some(name);
            }
            (rest.find('>'), 1)
        } else {
            let name = rest.strip_prefix('<')?;
            let name = name
                .split(|character: char| !character.is_alphanumeric() && character != ':')
                .next()?;
            return name.rsplit(':').next();
        };
        rest = rest.get(end? + length..)?;
    }
}
