//! Errors as clients see them.

use app::{Problem, with_causes};
use http::{HeaderValue, StatusCode, header};

use crate::domain::Invalid;
use crate::store::Failure;

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let conflict = |code, title| Self::new(StatusCode::CONFLICT, code, title);
        match failure {
            Failure::OutOfStock(products) => {
                let products: Vec<_> = products.iter().map(ToString::to_string).collect();
                conflict("out_of_stock", "Out of stock")
                    .detail(format!("too few units of {}", products.join(", ")))
            }
            Failure::Differs => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "reservation_differs",
                "The order reserved other items before",
            ),
            Failure::Unknown => Self::new(
                StatusCode::NOT_FOUND,
                "unknown_reservation",
                "There is no such reservation",
            ),
            Failure::Confirmed => conflict("reservation_confirmed", "The reservation is confirmed"),
            Failure::Released => conflict("reservation_released", "The reservation is released"),
            Failure::Expired => conflict("reservation_expired", "The reservation has expired"),
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
            failure @ (Failure::Column(_)
            | Failure::Items(_)
            | Failure::Books
            | Failure::Publish(_)
            | Failure::Store(_)) => Self::internal(with_causes(&failure)),
        }
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        let (code, title) = match invalid {
            Invalid::OnHand => ("invalid_on_hand", "The stock breaks a rule"),
            Invalid::Count | Invalid::Quantity | Invalid::Repeated => {
                ("invalid_items", "The items break a rule")
            }
        };
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, title).detail(invalid.to_string())
    }
}
