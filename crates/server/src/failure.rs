//! Why the process ends without having done its work, and with which exit code.

use std::process::ExitCode;

/// Why the process ends without having done its work. The text is for the operator: what happened and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It failed while working; trying again may help.
    #[error("{0}")]
    Working(String),
    /// The command or the configuration is wrong.
    #[error("{0}")]
    Usage(String),
    /// The data must not be touched: newer schema, other key, held by another process, damaged.
    #[error("{0}")]
    Refused(String),
}

impl Failure {
    /// The exit code that tells scripts which kind it is.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Working(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused(_) => 3,
        })
    }
}
