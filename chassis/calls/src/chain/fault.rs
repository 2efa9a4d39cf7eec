use faults::{Injected, Point};
use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next, Result};
use telemetry::http::ErrorType;

use super::Journey;
use crate::deadline;
use crate::error::{CallErrorKind, Failed, kind_of};

/// The last before the transport: where a fault may strike in its place. To every link before it
/// an injected fault looks as a real one does.
pub(crate) struct Fault {
    pub(crate) point: Point,
}

#[async_trait::async_trait]
impl Middleware for Fault {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let journey = Journey::of(extensions);
        let deadline = journey.deadline;
        if let Some(why) = journey.unsent {
            return failed(why, extensions);
        }
        if let Some(address) = journey.address {
            let url = request.url_mut();
            // Both fail only for URLs without a host, which ours have.
            let _ = url.set_ip_host(address.ip());
            let _ = url.set_port(Some(address.port()));
        }
        match self.point.pass().await {
            // A process that was stopped until now must not send: nobody waits for this any more, and
            // another may have taken it over.
            Ok(()) if deadline.is_over(deadline::now()) => {
                failed(CallErrorKind::Timeout, extensions)
            }
            Ok(()) => match next.run(request, extensions).await {
                Ok(response) => Ok(response),
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "attempt failed");
                    failed(kind_of(&error), extensions)
                }
            },
            Err(Injected::Status(status)) => {
                let mut answer = http::Response::new(Vec::new());
                *answer.status_mut() = status;
                Ok(answer.into())
            }
            Err(Injected::Refused) => failed(CallErrorKind::Refused, extensions),
            Err(Injected::Reset) => failed(CallErrorKind::Reset, extensions),
        }
    }
}

/// The attempt's span says the same as the error.
fn failed(kind: CallErrorKind, extensions: &Extensions) -> Result<Response> {
    if let Some(error_type) = extensions.get::<ErrorType>() {
        error_type.set(kind.error_type());
    }
    Err(Failed(kind).into())
}
