use std::sync::Arc;
use std::time::Duration;

use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next, Result};

use super::Journey;
use crate::breaker::Verdict;
use crate::callee::Callee;
use crate::deadline;
use crate::error::CallErrorKind;
use crate::policy::Policies;
use crate::retries::Outcome;

/// The breaker's link: chooses an endpoint whose breaker lets the attempt through, and tells the
/// breaker what came of it.
pub(crate) struct Guard {
    pub(crate) callee: Arc<Callee>,
    pub(crate) policies: Policies,
    /// Of the edge.
    pub(crate) deadline: Duration,
}

#[async_trait::async_trait]
impl Middleware for Guard {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let callee = &self.callee;
        let start = deadline::now();
        let journey = Journey::of(extensions);
        if journey.unsent.is_some() {
            return next.run(request, extensions).await;
        }
        let left = journey.deadline.remaining(start);
        let seat = if left.is_zero() {
            Err(CallErrorKind::Deadline)
        } else {
            callee.seat(&journey.tried, start)
        };
        let seat = match seat {
            Ok(seat) => seat,
            Err(why) => {
                callee.metrics.refused(callee.name, why);
                journey.unsent = Some(why);
                return next.run(request, extensions).await;
            }
        };
        callee.metrics.sent(callee.name);
        journey.sent = true;
        journey.address = seat.address();
        if let Some(address) = journey.address {
            journey.tried.push(address);
            // The name and the port are what spans say; a link behind them puts the address in.
            let _ = request.url_mut().set_port(Some(address.port()));
        }
        let result = next.run(request, extensions).await;
        let outcome = Outcome::of(&result);
        let now = deadline::now();
        match outcome {
            Outcome::Failed(CallErrorKind::Refused | CallErrorKind::Connect) => seat.refused(now),
            Outcome::Failed(CallErrorKind::Timeout | CallErrorKind::Request) => {}
            Outcome::Failed(_) | Outcome::Answered { .. } => seat.accepted(),
        }
        let patient = left >= self.deadline / 2;
        seat.end(verdict(outcome, patient), &(self.policies)().breaker, now);
        result
    }
}

/// What an outcome says of the endpoint. Running into a deadline that a hasty caller had cut short
/// says nothing.
fn verdict(outcome: Outcome, patient: bool) -> Verdict {
    match outcome {
        Outcome::Answered { status, .. } if status.is_server_error() => Verdict::Failure,
        Outcome::Answered { .. } | Outcome::Failed(CallErrorKind::Answer) => Verdict::Success,
        Outcome::Failed(CallErrorKind::Timeout) if !patient => Verdict::Unknown,
        Outcome::Failed(CallErrorKind::Request) => Verdict::Unknown,
        Outcome::Failed(_) => Verdict::Failure,
    }
}
