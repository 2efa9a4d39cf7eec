use std::io;
use std::path::PathBuf;

use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::migrate::MigrateError;

use super::schema::Schema;
use super::{Constraint, ConstraintKind};

/// Why a store could not be opened or a statement failed.
///
/// The messages are for logs; none is fit for a client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The URL names an engine or a form that is not supported.
    #[error("store URL is not supported: {0}")]
    Url(String),
    /// The database file or its folder could not be made.
    #[error("store file {path} cannot be prepared", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The schema was made by a newer program; migrations only go forward.
    #[error("store has schema version {0}, which this program does not know")]
    Newer(i64),
    /// A migration failed, or one that was applied has changed since.
    #[error("store cannot be migrated")]
    Migrate(#[source] MigrateError),
    /// A constraint is violated.
    #[error("{constraint}")]
    Constraint {
        /// Which.
        constraint: Constraint,
        /// The engine's own words.
        source: sqlx::Error,
    },
    /// No connection or lock was to be had in time; trying again later may help.
    #[error("store is busy")]
    Busy(#[source] sqlx::Error),
    /// All else.
    #[error("store failed")]
    Database(#[source] sqlx::Error),
}

impl StoreError {
    /// The violated constraint, if that is what went wrong.
    #[must_use]
    pub fn constraint(&self) -> Option<&Constraint> {
        match self {
            Self::Constraint { constraint, .. } => Some(constraint),
            _ => None,
        }
    }

    /// Whether trying again later may help.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy(_))
    }

    pub(super) fn of_statement(
        error: sqlx::Error,
        schema: &Schema,
        operation: &str,
        collection: &str,
    ) -> Self {
        let Some(database) = error.as_database_error() else {
            return Self::from(error);
        };
        match kind_of(database) {
            Some(kind) => {
                let name = schema.name_of(kind, database.message(), operation, collection);
                Self::Constraint {
                    constraint: Constraint { kind, name },
                    source: error,
                }
            }
            None => Self::from(error),
        }
    }
}

/// For errors outside [`Sql::run`](super::Sql::run), such as a column that cannot be read. A
/// violated constraint stays without its name here.
impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return Self::Busy(error);
        }
        let Some(database) = error.as_database_error() else {
            return Self::Database(error);
        };
        if let Some(kind) = kind_of(database) {
            return Self::Constraint {
                constraint: Constraint { kind, name: None },
                source: error,
            };
        }
        if is_busy(database) {
            return Self::Busy(error);
        }
        Self::Database(error)
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
                Self::Newer(version)
            }
            other => Self::Migrate(other),
        }
    }
}

fn kind_of(error: &dyn DatabaseError) -> Option<ConstraintKind> {
    match error.kind() {
        ErrorKind::UniqueViolation => Some(ConstraintKind::Unique),
        ErrorKind::CheckViolation => Some(ConstraintKind::Check),
        ErrorKind::ForeignKeyViolation => Some(ConstraintKind::ForeignKey),
        ErrorKind::NotNullViolation => Some(ConstraintKind::NotNull),
        _ => None,
    }
}

/// `SQLITE_BUSY` (5) and `SQLITE_LOCKED` (6) with their extended codes, whose low byte is the
/// primary code: <https://www.sqlite.org/rescode.html>.
pub(super) fn is_busy(error: &dyn DatabaseError) -> bool {
    let code = error.code().and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

/// Turns a named constraint into an error of the domain.
pub trait ResultExt<T> {
    /// If the constraint called `name` is violated, the error of the domain; any other error
    /// stays what it is.
    ///
    /// # Errors
    /// The error of the domain, or the store's own.
    fn on_constraint<E>(self, name: &str, error: impl FnOnce() -> E) -> Result<T, E>
    where
        E: From<StoreError>;
}

impl<T> ResultExt<T> for Result<T, StoreError> {
    fn on_constraint<E>(self, name: &str, error: impl FnOnce() -> E) -> Result<T, E>
    where
        E: From<StoreError>,
    {
        self.map_err(|failure| {
            let violated = failure.constraint().and_then(|c| c.name.as_deref());
            if violated == Some(name) {
                error()
            } else {
                E::from(failure)
            }
        })
    }
}
