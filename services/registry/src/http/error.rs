//! What the registry refuses, and how it says so.

use std::borrow::Cow;

use app::Problem;
use http::StatusCode;
use http::header::{ETAG, HeaderValue, RETRY_AFTER};
use stores::sql::StoreError;

use crate::documents::WriteError;
use crate::domain::{InvalidDocument, InvalidInstance, InvalidName, Refused};
use crate::store::PutError;

/// The registry's public error contract.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    InvalidName(#[from] InvalidName),
    #[error(transparent)]
    InvalidInstance(#[from] InvalidInstance),
    #[error("the instance is not registered, or no longer")]
    UnknownInstance,
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("there is no document of that name")]
    UnknownDocument,
    #[error("If-Match is one version in quotes, If-None-Match is *, and there is one of them")]
    InvalidPrecondition,
    #[error("the document is at another version than the expected one")]
    VersionConflict { current: Option<u64> },
    #[error(transparent)]
    InvalidDocument(#[from] InvalidDocument),
    #[error("there are too many documents")]
    TooManyDocuments,
    #[error("as many event streams are open as are allowed")]
    TooManyWatches,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<WriteError> for Error {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Invalid(invalid) => Self::InvalidDocument(invalid),
            WriteError::Put(PutError::Conflict) => Self::VersionConflict { current: None },
            WriteError::Put(PutError::TooMany) => Self::TooManyDocuments,
            WriteError::Put(PutError::Store(error)) => Self::Store(error),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let (status, code, title) = match &error {
            Error::Store(cause) if cause.is_busy() => {
                tracing::warn!(error = cause as &dyn std::error::Error, "store is busy");
                return Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "store_busy",
                    "The store is busy",
                )
                .header(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Error::Store(cause) => return Self::internal(chain(cause)),
            Error::InvalidName(_) => (StatusCode::BAD_REQUEST, "invalid_name", "Invalid name"),
            Error::InvalidInstance(_) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_instance",
                "Invalid instance",
            ),
            Error::UnknownInstance => (
                StatusCode::NOT_FOUND,
                "unknown_instance",
                "Unknown instance",
            ),
            Error::Refused(Refused::Services) => (
                StatusCode::CONFLICT,
                "too_many_services",
                "Too many services",
            ),
            Error::Refused(Refused::Instances) => (
                StatusCode::CONFLICT,
                "too_many_instances",
                "Too many instances",
            ),
            Error::UnknownDocument => (
                StatusCode::NOT_FOUND,
                "unknown_document",
                "Unknown document",
            ),
            Error::InvalidPrecondition => (
                StatusCode::BAD_REQUEST,
                "invalid_precondition",
                "Invalid precondition",
            ),
            Error::VersionConflict { .. } => (
                StatusCode::PRECONDITION_FAILED,
                "version_conflict",
                "Version conflict",
            ),
            Error::InvalidDocument(InvalidDocument::TooLong) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "document_too_large",
                "Document too large",
            ),
            Error::InvalidDocument(_) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_document",
                "Invalid document",
            ),
            Error::TooManyDocuments => (
                StatusCode::CONFLICT,
                "too_many_documents",
                "Too many documents",
            ),
            Error::TooManyWatches => (
                StatusCode::SERVICE_UNAVAILABLE,
                "too_many_watches",
                "Too many watches",
            ),
        };
        let problem = Self::new(status, code, title).detail(Cow::Owned(error.to_string()));
        match error {
            Error::TooManyWatches => problem.header(RETRY_AFTER, HeaderValue::from_static("5")),
            Error::VersionConflict {
                current: Some(version),
            } => match super::documents::etag(version) {
                Some(tag) => problem.header(ETAG, tag),
                None => problem,
            },
            _ => problem,
        }
    }
}

/// An error with its causes, for the log.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
