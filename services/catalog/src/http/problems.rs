//! Errors as clients see them.

use app::{Problem, with_causes};
use http::{HeaderValue, StatusCode, header};

use crate::domain::Invalid;
use crate::search::{FollowError, IndexError};
use crate::store::StoreFailure;

impl From<StoreFailure> for Problem {
    fn from(failure: StoreFailure) -> Self {
        match failure {
            StoreFailure::UnknownProduct => Self::new(
                StatusCode::NOT_FOUND,
                "unknown_product",
                "There is no such product",
            ),
            StoreFailure::UnknownCategory => unprocessable("unknown_category", "Unknown category")
                .detail("`GET /api/categories` lists them"),
            StoreFailure::Version(current) => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "version_conflict",
                "Someone else edited the product",
            )
            .header(header::ETAG, super::etag::of(current)),
            StoreFailure::Store(error) if error.is_busy() => {
                tracing::warn!(error = with_causes(&error), "store is busy");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "store_busy",
                    "The store is busy",
                )
                .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
            }
            StoreFailure::Injected(injected) => injected.into(),
            failure @ (StoreFailure::Column(_)
            | StoreFailure::Publish(_)
            | StoreFailure::Store(_)) => Self::internal(with_causes(&failure)),
        }
    }
}

impl From<IndexError> for Problem {
    fn from(error: IndexError) -> Self {
        Self::internal(with_causes(&error))
    }
}

impl From<FollowError> for Problem {
    fn from(error: FollowError) -> Self {
        Self::internal(with_causes(&error))
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        unprocessable("invalid_product", "The product breaks a rule").detail(invalid.to_string())
    }
}

fn unprocessable(code: &'static str, title: &'static str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, title)
}

pub(super) fn bad_request(code: &'static str, title: &'static str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, code, title)
}
