//! What a database says when something fails, in the product's words.

use std::error::Error as _;

use across::fault::StoreError;
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, SqlErr, sqlx};

/// A [`StoreError`] inside this crate: database errors turn into it by `?`, and it into a `StoreError` at the ports.
#[derive(Debug)]
pub(crate) struct Fault(StoreError);

impl Fault {
    /// A rule of uniqueness or state forbids it.
    pub(crate) const fn conflict(rule: &'static str) -> Self {
        Self(StoreError::Conflict(rule))
    }

    /// A stored value that this version never writes.
    pub(crate) fn corrupt(table: &str, column: &str, id: impl std::fmt::Display) -> Self {
        Self(StoreError::Corrupt(format!("{table}.{column} of {id}")))
    }

    /// The database cannot do its work.
    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self(StoreError::Unavailable(reason.into()))
    }

    /// The same fault once more, for everyone who waited for the same commit.
    pub(crate) fn again(&self) -> Self {
        Self(match &self.0 {
            StoreError::Conflict(rule) => StoreError::Conflict(rule),
            StoreError::Busy => StoreError::Busy,
            StoreError::Full => StoreError::Full,
            StoreError::Unavailable(reason) => StoreError::Unavailable(reason.clone()),
            StoreError::Corrupt(place) => StoreError::Corrupt(place.clone()),
            StoreError::LeaseLost => StoreError::LeaseLost,
        })
    }

    /// Whether nothing is wrong that waiting or making room could not mend.
    pub(crate) const fn is_passing(&self) -> bool {
        !matches!(self.0, StoreError::Unavailable(_))
    }

    /// This fault, unless a rule of uniqueness was broken: then the conflict that the caller can name.
    pub(crate) fn or_conflict(error: DbErr, rule: &'static str) -> Self {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => Self::conflict(rule),
            _ => error.into(),
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        fault.0
    }
}

impl From<DbErr> for Fault {
    fn from(error: DbErr) -> Self {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => return Self::conflict("it exists already"),
            Some(SqlErr::ForeignKeyConstraintViolation(_)) => {
                return Self::conflict("what it belongs to does not exist");
            }
            _ => {}
        }
        let inner = match &error {
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => return Self(StoreError::Busy),
            DbErr::Conn(RuntimeErr::SqlxError(inner))
            | DbErr::Exec(RuntimeErr::SqlxError(inner))
            | DbErr::Query(RuntimeErr::SqlxError(inner)) => inner,
            DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. } => {
                return Self(StoreError::Corrupt(error.to_string()));
            }
            _ => return Self::unavailable(error.to_string()),
        };
        match inner.as_ref() {
            sqlx::Error::PoolTimedOut => Self(StoreError::Busy),
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self(StoreError::Corrupt(inner.to_string())),
            sqlx::Error::Database(reported) => match reported.code().as_deref().map(meaning) {
                Some(Meaning::Busy) => Self(StoreError::Busy),
                Some(Meaning::Full) => Self(StoreError::Full),
                _ => Self::unavailable(inner.to_string()),
            },
            sqlx::Error::Io(cause) if cause.kind() == std::io::ErrorKind::StorageFull => Self(StoreError::Full),
            _ => {
                let cause = inner.source().map(|cause| format!(": {cause}")).unwrap_or_default();
                Self::unavailable(format!("{inner}{cause}"))
            }
        }
    }
}

enum Meaning {
    Busy,
    Full,
    Other,
}

/// What an error code stands for. One database's codes are numbers of up to four digits whose last byte is the class, the
/// other's are five characters (SQLSTATE), so that neither can be taken for the other.
fn meaning(code: &str) -> Meaning {
    match code {
        // Serialization failure, deadlock, lock not available, statement timeout.
        "40001" | "40P01" | "55P03" | "57014" => Meaning::Busy,
        "53100" => Meaning::Full,
        _ => match code.parse::<u32>() {
            // "busy" and "locked", then "full".
            Ok(number) if number < 10_000 && matches!(number & 0xff, 5 | 6) => Meaning::Busy,
            Ok(number) if number < 10_000 && number & 0xff == 13 => Meaning::Full,
            _ => Meaning::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_keep_apart() {
        for busy in ["5", "6", "517", "261", "40001", "40P01", "55P03", "57014"] {
            assert!(matches!(meaning(busy), Meaning::Busy), "{busy}");
        }
        for full in ["13", "53100"] {
            assert!(matches!(meaning(full), Meaning::Full), "{full}");
        }
        // An I/O error of fsync, a broken constraint, too many connections.
        for other in ["1034", "10", "275", "53300", "23505"] {
            assert!(matches!(meaning(other), Meaning::Other), "{other}");
        }
    }
}
