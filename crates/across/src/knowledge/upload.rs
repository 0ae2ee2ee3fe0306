//! Accepting a file: its bytes stream to disk under a limit, its kind is decided by its content, and only then is it recorded.

use std::sync::Arc;

use across_extract::KindRefused;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use unicode_normalization::UnicodeNormalization as _;

use crate::{
    actor::{AsManager, Doer},
    audit::Action,
    fault::{BlobError, StoreError},
    id::{AssistantId, FileId},
    knowledge::{
        blob::NewBlob,
        file::{Accepted, KnowledgeFile, NewFile},
    },
    platform::Platform,
    settings::Settings,
};

/// Bytes of a displayed file name at most.
pub const MAX_NAME_BYTES: usize = 255;

/// Why a file is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// It has more bytes than allowed.
    #[error("The file is larger than {0} MB.")]
    TooLarge(u32),
    /// It has none.
    #[error("The file is empty.")]
    Empty,
    /// Nothing is left of its name after cleaning.
    #[error("The file needs a name.")]
    NoName,
    /// It is not what its name says, or not of a kind that is read.
    #[error(transparent)]
    WrongKind(#[from] KindRefused),
    /// It could be read, but files of its kind are not wanted.
    #[error("Files of this kind are not allowed here. Allowed are: {0}.")]
    NotAllowed(String),
    /// No such assistant, or it is archived.
    #[error("no such assistant")]
    NoAssistant,
    /// The assistant has the same content already.
    #[error("This assistant already has a file with the same content.")]
    Duplicate(FileId),
    /// There are as many files as there may be.
    #[error("There are as many files as allowed. Remove some first.")]
    TooMany,
    /// The disk failed or is full.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A file that is arriving. Dropped before [`Upload::finish`], it leaves nothing behind.
pub struct Upload {
    platform: Arc<Platform>,
    by: AsManager,
    doer: Doer,
    settings: Arc<Settings>,
    assistant: AssistantId,
    filename: String,
    blob: Box<dyn NewBlob>,
    hash: Sha256,
    size: u64,
}

impl Upload {
    /// Begins to receive a file.
    ///
    /// # Errors
    /// [`UploadError`] if the assistant is not there, the name is unusable or the disk is full.
    pub async fn begin(
        platform: &Arc<Platform>,
        by: AsManager,
        doer: Doer,
        assistant: AssistantId,
        filename: &str,
    ) -> Result<Self, UploadError> {
        let found = platform.store.find_assistant(assistant).await?;
        if found.is_none_or(|found| found.is_deleted) {
            return Err(UploadError::NoAssistant);
        }
        let filename = display_name(filename).ok_or(UploadError::NoName)?;
        let blob = platform.blobs.create().await?;
        Ok(Self {
            platform: Arc::clone(platform),
            by,
            doer,
            settings: platform.settings.get(),
            assistant,
            filename,
            blob,
            hash: Sha256::new(),
            size: 0,
        })
    }

    /// Receives the next bytes.
    ///
    /// # Errors
    /// [`UploadError::TooLarge`] as soon as the limit is passed, whatever length was declared.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), UploadError> {
        self.size += bytes.len() as u64;
        if self.size > self.settings.max_upload_bytes() {
            return Err(UploadError::TooLarge(self.settings.max_upload_mb));
        }
        self.hash.update(&bytes);
        Ok(self.blob.write(bytes).await?)
    }

    /// SHA-256 of what arrived so far.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    /// The name that it will be shown under.
    #[must_use]
    pub fn filename(&self) -> &str {
        &self.filename
    }

    /// Looks at what arrived, makes it durable, records it and queues its processing.
    ///
    /// # Errors
    /// [`UploadError`]; nothing is left behind then.
    pub async fn finish(mut self) -> Result<KnowledgeFile, UploadError> {
        if self.size == 0 {
            return Err(UploadError::Empty);
        }
        self.blob.flush().await?;
        let (path, name) = (self.blob.path().to_owned(), self.filename.clone());
        let detect = move || across_extract::detect(&name, &mut std::fs::File::open(path)?);
        let kind = tokio::task::spawn_blocking(detect)
            .await
            .map_err(std::io::Error::other)
            .flatten();
        let kind = kind.map_err(BlobError::Io)??;
        if !self
            .settings
            .allowed_file_types
            .iter()
            .any(|allowed| allowed == kind.as_str())
        {
            return Err(UploadError::NotAllowed(self.settings.allowed_file_types.join(", ")));
        }
        let file = NewFile {
            id: FileId::new(),
            assistant: self.assistant,
            filename: self.filename,
            kind,
            size: self.size,
            sha256: self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
            uploaded_by: self.by.actor().user,
            created_at: self.platform.clock.now(),
        };
        let id = file.id;
        // The blob first: a file that is recorded has its bytes. A crash in between leaves an orphan that the sweep takes.
        self.blob.keep(id).await?;
        let deed = self.doer.does(Action::FileCreate, file.created_at);
        let refused = match self.platform.store.accept_file(file, deed).await {
            Ok(Accepted::Yes(file)) => {
                self.platform.job_queued.notify_one();
                return Ok(*file);
            }
            Ok(Accepted::NoAssistant) => UploadError::NoAssistant,
            Ok(Accepted::Duplicate(existing)) => UploadError::Duplicate(existing),
            Ok(Accepted::TooMany) => UploadError::TooMany,
            Err(error) => error.into(),
        };
        if let Err(error) = self.platform.blobs.remove(id).await {
            tracing::warn!(%error, file = %id, "could not remove a refused file; the sweep will");
        }
        Err(refused)
    }
}

/// The name to show: without folders, control and direction-changing characters, in NFC, at most 255 bytes with its
/// extension kept. `None` if nothing is left.
fn display_name(name: &str) -> Option<String> {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = base
        .nfc()
        .filter(|c| !c.is_control() && !overrides_direction(*c))
        .collect();
    let clean = clean.trim();
    if clean.is_empty() || clean.chars().all(|c| c == '.') {
        return None;
    }
    if clean.len() <= MAX_NAME_BYTES {
        return Some(clean.to_owned());
    }
    let (stem, extension) = clean
        .rsplit_once('.')
        .filter(|(_, ext)| ext.len() <= 16)
        .unwrap_or((clean, ""));
    let room = MAX_NAME_BYTES - extension.len() - 1;
    let mut cut = room.min(stem.len());
    while !stem.is_char_boundary(cut) {
        cut -= 1;
    }
    Some(format!("{}.{extension}", stem.get(..cut)?))
}

/// Characters that make "exe.pdf" of "fdp.exe" on a screen.
fn overrides_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: Option<&str>) {
        assert_eq!(display_name(name).as_deref(), expected, "{name:?}");
    }

    #[test]
    fn names_are_for_display_only() {
        check("brief v3.pdf", Some("brief v3.pdf"));
        check("../../etc/passwd.txt", Some("passwd.txt"));
        check("C:\\docs\\הודעה.docx", Some("הודעה.docx"));
        check("a\u{0}\u{1b}[31mb.pdf", Some("a[31mb.pdf"));
        check("invoice\u{202e}fdp.exe", Some("invoicefdp.exe"));
        check("..", None);
        check("dir/", None);
        check(" \n ", None);
        let long = display_name(&format!("{}.pdf", "ש".repeat(300))).unwrap();
        assert!(long.len() <= MAX_NAME_BYTES && long.ends_with(".pdf"));
    }
}
