//! Why a row was not read or a change not made, and how a client sees it.

use app::{Problem, with_causes};
use http::{HeaderValue, StatusCode, header};
use stores::sql::StoreError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("column {0} holds what it never may")]
    Column(&'static str),
    #[error(transparent)]
    Injected(#[from] faults::Injected),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) if error.is_busy() => {
                tracing::warn!(error = with_causes(&error), "store is busy");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "store_busy",
                    "The store is busy",
                )
                .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
            }
            Failure::Injected(injected) => injected.into(),
            failure => Self::internal(with_causes(&failure)),
        }
    }
}
