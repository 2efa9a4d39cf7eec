//! Which calls are made again, and when.

use std::time::Duration;

use http::StatusCode;
use http::header::RETRY_AFTER;
use reqwest::Response;

use crate::edges::Retry;
use crate::error::{CallErrorKind, kind_of};

/// Attempts in all.
const ATTEMPTS: u32 = 3;
/// Before the first retry it is waited for up to this long; before each further up to twice that.
const FIRST_BACKOFF: Duration = Duration::from_millis(25);

/// What came of an attempt, as far as it matters to whether it is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered {
        status: StatusCode,
        retry_after: Option<Duration>,
    },
    Failed(CallErrorKind),
}

impl Outcome {
    pub(crate) fn of(result: &reqwest_middleware::Result<Response>) -> Self {
        match result {
            Ok(response) => Self::Answered {
                status: response.status(),
                retry_after: retry_after(response),
            },
            Err(error) => Self::Failed(kind_of(error)),
        }
    }

    /// The callee may have received it.
    pub(crate) fn may_have_reached(self) -> bool {
        match self {
            Self::Answered { .. } => true,
            Self::Failed(kind) => kind.may_have_reached(),
        }
    }

    /// An answer that is not the callee's failure.
    pub(crate) fn is_success(self) -> bool {
        match self {
            Self::Answered { status, .. } => !status.is_server_error(),
            Self::Failed(_) => false,
        }
    }

    /// Another attempt may go better.
    fn is_transient(self) -> bool {
        match self {
            Self::Answered { status, .. } => {
                status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::Failed(kind) => matches!(
                kind,
                CallErrorKind::Refused
                    | CallErrorKind::Connect
                    | CallErrorKind::Reset
                    | CallErrorKind::Timeout
            ),
        }
    }

    /// How long the callee wants to be left alone.
    pub(crate) fn wanted_pause(self) -> Duration {
        match self {
            Self::Answered { retry_after, .. } => retry_after.unwrap_or_default(),
            Self::Failed(_) => Duration::ZERO,
        }
    }
}

/// Whether a call of which `number` attempts were made before this may be made once more, its
/// budget aside.
pub(crate) fn again(retry: Retry, outcome: Outcome, number: u32) -> bool {
    retry == Retry::Idempotent && number + 1 < ATTEMPTS && outcome.is_transient()
}

/// Full jitter: anything up to a limit that doubles with each retry (M. Brooker, "Exponential
/// Backoff And Jitter", 2015). `drawn` is what spreads it.
pub(crate) fn backoff(number: u32, drawn: u64) -> Duration {
    let most = FIRST_BACKOFF.saturating_mul(1 << number.min(8));
    let nanos = (u128::from(drawn) * most.as_nanos()) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// `Retry-After` in seconds. Its other form, a date, is not for clocks that differ.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16) -> Outcome {
        Outcome::Answered {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: None,
        }
    }

    #[test]
    fn what_may_go_better_is_made_again_and_nothing_else() {
        use CallErrorKind as K;
        let all = [
            (answered(200), false),
            (answered(201), false),
            (answered(304), false),
            (answered(402), false),
            (answered(404), false),
            (answered(409), false),
            (answered(429), true),
            (answered(500), true),
            (answered(502), true),
            (answered(503), true),
            (answered(504), true),
            (Outcome::Failed(K::Refused), true),
            (Outcome::Failed(K::Connect), true),
            (Outcome::Failed(K::Reset), true),
            (Outcome::Failed(K::Timeout), true),
            (Outcome::Failed(K::NoInstance), false),
            (Outcome::Failed(K::CircuitOpen), false),
            (Outcome::Failed(K::RetryBudget), false),
            (Outcome::Failed(K::Deadline), false),
            (Outcome::Failed(K::Answer), false),
            (Outcome::Failed(K::Request), false),
        ];
        for (outcome, wanted) in all {
            assert_eq!(again(Retry::Idempotent, outcome, 0), wanted, "{outcome:?}");
            assert_eq!(again(Retry::Idempotent, outcome, 1), wanted, "{outcome:?}");
            assert!(
                !again(Retry::Idempotent, outcome, 2),
                "three attempts are all"
            );
            assert!(!again(Retry::None, outcome, 0), "{outcome:?}");
        }
    }

    #[test]
    fn a_backoff_is_anything_up_to_a_limit_that_doubles() {
        for (number, most) in [(0, 25), (1, 50), (2, 100), (200, 6400)] {
            let most = Duration::from_millis(most);
            assert_eq!(backoff(number, 0), Duration::ZERO);
            let half = backoff(number, 1 << 63);
            assert_eq!(half, most / 2);
            let longest = backoff(number, u64::MAX);
            assert!(longest < most && longest > most - Duration::from_micros(1));
        }
    }

    #[test]
    fn a_pause_is_wanted_in_seconds() {
        for (text, wanted) in [
            (Some("2"), 2),
            (Some(" 7 "), 7),
            (Some("Wed, 21 Oct 2026 07:28:00 GMT"), 0),
            (Some("-1"), 0),
            (Some(""), 0),
            (None, 0),
        ] {
            let mut answer = http::Response::new(Vec::new());
            if let Some(text) = text {
                answer
                    .headers_mut()
                    .insert(RETRY_AFTER, text.parse().unwrap());
            }
            let outcome = Outcome::of(&Ok(answer.into()));
            assert_eq!(
                outcome.wanted_pause(),
                Duration::from_secs(wanted),
                "{text:?}"
            );
        }
    }
}
