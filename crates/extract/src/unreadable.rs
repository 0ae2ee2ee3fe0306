//! The reasons a document gives no text, each as a sentence for the person who uploaded it and as a stable code.

use thiserror::Error;

/// Why a document cannot be turned into text. `Display` is one or two plain sentences that say what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// A PDF that opens only with a password.
    #[error("This PDF is protected by a password. Upload a version without one.")]
    Encrypted,
    /// An Office file in the OLE container: encrypted, or the format before 2007. Both look the same from outside.
    #[error(
        "This Office file is protected by a password or saved in an old format (.doc, .ppt, .xls). \
         Save it as .docx, .pptx or .xlsx without a password and upload it again."
    )]
    ProtectedOrOldOffice,
    /// A book whose chapters are encrypted, as shops sell them.
    #[error("This book is protected against copying. Upload a version without protection.")]
    ProtectedBook,
    /// Pages without a text layer, as scans are, or an Office file of pictures.
    #[error("No text found. Upload a version with selectable text.")]
    NoText,
    /// A text file of nothing but blanks.
    #[error("This file contains no text. Upload one that does.")]
    Empty,
    /// The structure of the file is broken, for example because it is cut short.
    #[error("This file is damaged and cannot be read. Save it anew in the program it comes from and upload it again.")]
    Damaged,
    /// More than [`MAX_PAGES`](crate::MAX_PAGES) pages, slides or sheets.
    #[error("This document has more than 5,000 pages. Split it and upload the parts.")]
    TooManyPages,
    /// More than [`MAX_CHARS`](crate::MAX_CHARS) characters.
    #[error("This document holds more than 20 million characters. Split it and upload the parts.")]
    TooMuchText,
    /// An archive that unpacks to far more than a document can need, or has too many or overlapping entries.
    #[error(
        "This file unpacks to far more data than a document needs and was refused. \
         Save it anew in the program it comes from and upload it again."
    )]
    ArchiveBomb,
    /// XML that declares its own document type or entities, or nests too deeply.
    #[error(
        "This file contains markup that is not allowed in documents and was refused. \
         Save it anew in the program it comes from and upload it again."
    )]
    XmlRefused,
    /// Bytes that are neither UTF-8 nor UTF-16 with a byte order mark, or binary data.
    #[error("This file is not plain text in UTF-8 or UTF-16. Save it as UTF-8 text and upload it again.")]
    NotText,
    /// The reader ran out of its time or memory, or crashed. [`extract`](crate::extract) never answers this; it is for
    /// the caller that runs it in a limited child process.
    #[error(
        "This document is too complex to be read with the time and memory allowed. \
         Simplify or split it and upload it again."
    )]
    TooComplex,
}

impl Unreadable {
    /// Every reason, in the order of declaration.
    pub const ALL: [Self; 12] = [
        Self::Encrypted,
        Self::ProtectedOrOldOffice,
        Self::ProtectedBook,
        Self::NoText,
        Self::Empty,
        Self::Damaged,
        Self::TooManyPages,
        Self::TooMuchText,
        Self::ArchiveBomb,
        Self::XmlRefused,
        Self::NotText,
        Self::TooComplex,
    ];

    /// The stable name under which the reason crosses a process boundary.
    pub fn code(self) -> &'static str {
        match self {
            Self::Encrypted => "encrypted",
            Self::ProtectedOrOldOffice => "protected_or_old_office",
            Self::ProtectedBook => "protected_book",
            Self::NoText => "no_text",
            Self::Empty => "empty",
            Self::Damaged => "damaged",
            Self::TooManyPages => "too_many_pages",
            Self::TooMuchText => "too_much_text",
            Self::ArchiveBomb => "archive_bomb",
            Self::XmlRefused => "xml_refused",
            Self::NotText => "not_text",
            Self::TooComplex => "too_complex",
        }
    }

    /// The reason with this [`code`](Self::code), if there is one.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}
