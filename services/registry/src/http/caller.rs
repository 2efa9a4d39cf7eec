//! Who may read, and as whom one writes.

use app::Problem;
use app::auth::{Operator, ServiceCaller};
use axum::extract::FromRequestParts;
use http::request::Parts;

/// Whoever may read what the services read: the operator, or any service.
pub(crate) enum Reader {
    Operator,
    Service(String),
}

impl<S: Send + Sync> FromRequestParts<S> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if Operator::from_request_parts(parts, state).await.is_ok() {
            return Ok(Self::Operator);
        }
        // What is wrong with a service's token says more than that it is not the operator's.
        let ServiceCaller(claims) = ServiceCaller::from_request_parts(parts, state).await?;
        Ok(Self::Service(claims.iss.clone()))
    }
}

/// A service may speak for itself only.
pub(crate) fn must_be(caller: &ServiceCaller, service: &str) -> Result<(), Problem> {
    if caller.0.iss == service {
        Ok(())
    } else {
        Err(app::auth::forbidden(
            "a service registers itself and no other",
        ))
    }
}
