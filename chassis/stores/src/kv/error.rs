use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a store could not be opened or an operation failed.
///
/// The messages are for logs; none is fit for a client.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum KvError {
    /// The URL names an engine or a form that is not supported.
    #[error("store URL is not supported: {0}")]
    Url(String),
    /// The file or its folder could not be made.
    #[error("store file {path} cannot be prepared", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Arc<io::Error>,
    },
    /// Another process has the file open.
    #[error(
        "store file {path} is in use by another process: this engine serves one instance, \
         and for more `store_url` must name an engine that is shared",
        path = .0.display()
    )]
    InUse(PathBuf),
    /// The file is damaged or was made by another program.
    #[error("store file {path} cannot be opened", path = .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The engine's own words.
        source: Arc<redb::DatabaseError>,
    },
    /// The operation did not get its turn in time; trying again later may help.
    #[error("store is busy")]
    Busy,
    /// The store takes no more operations; its last error was logged.
    #[error("store is closed")]
    Closed,
    /// All else.
    #[error("store failed")]
    Failed(#[source] Arc<redb::Error>),
}

impl KvError {
    /// Whether trying again later may help.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy)
    }

    pub(super) fn of_engine(error: impl Into<redb::Error>) -> Self {
        Self::Failed(Arc::new(error.into()))
    }

    /// What telemetry calls it: `error.type`.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Closed => "closed",
            Self::Failed(error) => match &**error {
                redb::Error::Io(_) | redb::Error::PreviousIo => "io",
                redb::Error::Corrupted(_) => "corrupted",
                _ => "_OTHER",
            },
            Self::Url(_) | Self::File { .. } | Self::InUse(_) | Self::Open { .. } => "_OTHER",
        }
    }
}
