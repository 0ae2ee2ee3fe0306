//! Failures of the infrastructure, without any vendor's types. "Not found" is not among them: ports answer it with `None`.

/// A field that is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field's name in the contract.
    pub field: &'static str,
    /// A sentence for the person who filled it in.
    pub message: String,
}

/// A database operation that did not happen.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A rule of uniqueness or state forbids it; the text names the rule.
    #[error("conflict: {0}")]
    Conflict(&'static str),
    /// The database was locked by others for longer than the wait allows.
    #[error("the database is busy")]
    Busy,
    /// The disk is full; nothing was changed.
    #[error("no space left for the database")]
    Full,
    /// The database cannot be reached or answered with an error.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// A stored value has a shape that this version never writes; the text names table, column and id.
    #[error("damaged data: {0}")]
    Corrupt(String),
    /// The job's lease was lost to another worker; whatever this one still wanted to write is refused.
    #[error("the lease on this job was lost")]
    LeaseLost,
}

/// A file operation that did not happen.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The disk is full, or so close to it that new files are refused.
    #[error("no space left for files")]
    Full,
    /// There is no such blob.
    #[error("no such blob")]
    Missing,
    /// Reading or writing failed.
    #[error("file storage failed: {0}")]
    Io(#[from] std::io::Error),
}
