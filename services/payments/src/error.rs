//! Why a request was not granted: the service's public errors.

use app::{Problem, with_causes};
use events::PublishError;
use http::{HeaderValue, StatusCode, header};
use stores::sql::StoreError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the bank declined the charge")]
    Declined,
    #[error("the key is voided")]
    Voided,
    #[error("the key was used for another charge")]
    Differs,
    #[error("what became of the charge is not known yet")]
    ChargePending,
    #[error("what became of the refund is not known yet")]
    RefundPending,
    #[error("there is no such charge")]
    UnknownCharge,
    #[error("{0}")]
    Invalid(&'static str),
    #[error("column {0} holds what no charge may have")]
    Column(&'static str),
    #[error(transparent)]
    Injected(#[from] faults::Injected),
    #[error("nobody could be told")]
    Publish(#[source] PublishError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Store(error) => Self::Store(error),
            error => Self::Publish(error),
        }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let soon =
            |problem: Self| problem.header(header::RETRY_AFTER, HeaderValue::from_static("1"));
        match failure {
            Failure::Declined => Self::new(
                StatusCode::PAYMENT_REQUIRED,
                "payment_declined",
                "The bank declined the payment",
            ),
            Failure::Voided => Self::new(
                StatusCode::CONFLICT,
                "charge_voided",
                "The key was voided or refunded and is never charged again",
            ),
            Failure::Differs => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "charge_differs",
                "The key was used for another charge",
            ),
            Failure::ChargePending => soon(Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "payment_pending",
                "What became of the charge is not known yet",
            ))
            .detail("ask again with the same key"),
            Failure::RefundPending => soon(Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "refund_pending",
                "What became of the refund is not known yet",
            ))
            .detail("ask again with the same key"),
            Failure::UnknownCharge => Self::new(
                StatusCode::NOT_FOUND,
                "unknown_charge",
                "There is no such charge",
            ),
            Failure::Invalid(why) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_charge",
                "The charge breaks a rule",
            )
            .detail(why),
            Failure::Store(error) if error.is_busy() => {
                tracing::warn!(error = with_causes(&error), "store is busy");
                soon(Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "store_busy",
                    "The store is busy",
                ))
            }
            failure @ (Failure::Column(_)
            | Failure::Injected(_)
            | Failure::Publish(_)
            | Failure::Store(_)) => Self::internal(with_causes(&failure)),
        }
    }
}
