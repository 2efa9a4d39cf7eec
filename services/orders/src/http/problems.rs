//! Errors as clients see them.

use app::{Problem, with_causes};
use axum::http::{HeaderValue, StatusCode, header};

use crate::domain::Unorderable;
use crate::placing::Refusal;
use crate::store::StoreFailure;

impl From<StoreFailure> for Problem {
    fn from(failure: StoreFailure) -> Self {
        match failure {
            StoreFailure::UnknownOrder => Self::new(
                StatusCode::NOT_FOUND,
                "unknown_order",
                "There is no such order",
            ),
            StoreFailure::Injected(injected) => injected.into(),
            StoreFailure::Store(error) if error.is_busy() => {
                tracing::warn!(error = with_causes(&error), "store is busy");
                unavailable("store_busy", "The store is busy")
            }
            failure @ (StoreFailure::KeyTaken
            | StoreFailure::Fenced
            | StoreFailure::Column(_)
            | StoreFailure::Event(_)
            | StoreFailure::Publish(_)
            | StoreFailure::Store(_)) => Self::internal(with_causes(&failure)),
        }
    }
}

impl From<Unorderable> for Problem {
    fn from(error: Unorderable) -> Self {
        let (code, title) = match error {
            Unorderable::CartEmpty => ("cart_empty", "The cart is empty"),
            Unorderable::UnknownProduct(_) => ("unknown_product", "A product is no longer sold"),
            Unorderable::MixedCurrencies => ("mixed_currencies", "Prices in several currencies"),
            Unorderable::TotalTooLarge => ("total_too_large", "The total is too large"),
        };
        unprocessable(code, title).detail(error.to_string())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::KeyReused => unprocessable(
                "idempotency_key_reused",
                "The Idempotency-Key was used for another request",
            )
            .detail("a key stands for one request: send another key with another body"),
            Refusal::KeyInUse => Self::new(
                StatusCode::CONFLICT,
                "idempotency_key_in_use",
                "The first request with this Idempotency-Key is not answered yet",
            )
            .header(header::RETRY_AFTER, SOON),
            Refusal::Unorderable(error) => error.into(),
            Refusal::Cart(error) => {
                tracing::warn!(%error, "the cart cannot be read");
                unavailable("cart_unavailable", "The cart cannot be read")
                    .detail("nothing was ordered; the key can be used again")
            }
            Refusal::Catalog(error) => {
                tracing::warn!(%error, "the prices cannot be asked for");
                unavailable("catalog_unavailable", "The prices cannot be asked for")
                    .detail("nothing was ordered; the key can be used again")
            }
            Refusal::Store(failure) => failure.into(),
        }
    }
}

const SOON: HeaderValue = HeaderValue::from_static("1");

fn unavailable(code: &'static str, title: &'static str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, title).header(header::RETRY_AFTER, SOON)
}

pub(super) fn unprocessable(code: &'static str, title: &'static str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, title)
}

pub(super) fn bad_request(code: &'static str, title: &'static str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, code, title)
}
