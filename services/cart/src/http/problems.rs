//! Errors as clients see them.

use app::{Problem, with_causes};
use faults::Injected;
use http::{HeaderValue, StatusCode, header};

use crate::domain::QUANTITY_MAX;
use crate::store::StoreFailure;

impl From<StoreFailure> for Problem {
    fn from(failure: StoreFailure) -> Self {
        match failure {
            StoreFailure::Full(full) => {
                unprocessable("cart_full", "The cart is full").detail(full.to_string())
            }
            StoreFailure::Contended => busy(&failure),
            StoreFailure::Store(ref error) if error.is_busy() => busy(&failure),
            StoreFailure::Injected(Injected::Status(status)) => {
                Self::new(status, "injected", "A fault was injected")
            }
            StoreFailure::Store(_)
            | StoreFailure::Unreadable { .. }
            | StoreFailure::Floor
            | StoreFailure::Injected(_) => Self::internal(with_causes(&failure)),
        }
    }
}

fn busy(failure: &StoreFailure) -> Problem {
    tracing::warn!(error = with_causes(failure), "store is busy");
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "store_busy",
        "The store is busy",
    )
    .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
}

pub(super) fn invalid_quantity() -> Problem {
    unprocessable("invalid_quantity", "Invalid quantity")
        .detail(format!("`quantity` must lie between 1 and {QUANTITY_MAX}"))
}

fn unprocessable(code: &'static str, title: &'static str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, title)
}
