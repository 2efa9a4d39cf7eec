use std::sync::Arc;

use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next, Result};
use telemetry::http::{ErrorType, ResendCount};

use super::Journey;
use crate::callee::Callee;
use crate::deadline;
use crate::edges::Retry as Allowed;
use crate::error::{CallErrorKind, Failed};
use crate::policy::Policies;
use crate::retries::{self, Outcome};

/// Makes a call again if its edge allows that and it may help, while the retry budget and the
/// deadline last.
pub(crate) struct Retry {
    pub(crate) callee: Arc<Callee>,
    pub(crate) allowed: Allowed,
    pub(crate) policies: Policies,
}

#[async_trait::async_trait]
impl Middleware for Retry {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let callee = &self.callee;
        callee.metrics.called(callee.name);
        let percent = (self.policies)().retry_budget_percent;
        let allowed = if percent == 0 {
            Allowed::None
        } else {
            self.allowed
        };
        let mut number = 0;
        loop {
            let result = attempt(&request, number, extensions, &next).await;
            let outcome = Outcome::of(&result);
            if number > 0 {
                callee.metrics.retried(callee.name, outcome.is_success());
            }
            let now = deadline::now();
            let journey = Journey::of(extensions);
            journey.reached |= outcome.may_have_reached();
            if number == 0 && journey.sent {
                callee.earn(percent, now);
            }
            if !retries::again(allowed, outcome, number) {
                return result;
            }
            let wait = if !outcome.may_have_reached() && callee.has_another(&journey.tried) {
                outcome.wanted_pause()
            } else {
                callee.backoff(number).max(outcome.wanted_pause())
            };
            if wait >= journey.deadline.remaining(now) {
                return result;
            }
            number += 1;
            if percent < 100 && !callee.spend(now) {
                callee
                    .metrics
                    .refused(callee.name, CallErrorKind::RetryBudget);
                Journey::of(extensions).unsent = Some(CallErrorKind::RetryBudget);
                let refused = attempt(&request, number, extensions, &next).await;
                // Any answer is better than none.
                return result.or(refused);
            }
            tokio::time::sleep(wait).await;
        }
    }
}

async fn attempt(
    request: &Request,
    number: u32,
    extensions: &mut Extensions,
    next: &Next<'_>,
) -> Result<Response> {
    // Bodies of calls are in memory: each can be sent again.
    let request = request.try_clone().ok_or(Failed(CallErrorKind::Request))?;
    extensions.insert(ResendCount(number));
    extensions.insert(ErrorType::default());
    next.clone().run(request, extensions).await
}
