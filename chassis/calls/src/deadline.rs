//! The remaining budget of a request, which travels with it from service to service.
//!
//! Within a service the deadline of the request that is being served is [`current`] in its task.
//! A spawned task has none, as work that goes on when its request is over needs one of its own:
//! whoever wants to keep it says so with [`kept`].

use std::future::Future;
use std::time::{Duration, Instant};

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// The header in which the remaining budget travels: whole milliseconds, decimal. It is only
/// ever believed from inside the city; the gateway strips it from outside.
pub const TIMEOUT_HEADER: HeaderName = HeaderName::from_static("citywatch-timeout-ms");

tokio::task_local! {
    static CURRENT: Option<Deadline>;
}

/// The deadline of the request that this task serves, if it has one.
#[must_use]
pub fn current() -> Option<Deadline> {
    CURRENT.try_with(|deadline| *deadline).ok().flatten()
}

/// Runs a future under a deadline, or under the current one if that is sooner. The deadline stops
/// nothing by itself: it bounds the calls that the future makes.
pub fn within<F: Future>(
    deadline: Deadline,
    future: F,
) -> impl Future<Output = F::Output> + use<F> {
    let deadline = current().map_or(deadline, |current| current.sooner(deadline));
    CURRENT.scope(Some(deadline), future)
}

/// Runs a future under no deadline but those of its own calls, whatever is current: for work that
/// must not be given up with the request that began it.
pub fn unbounded<F: Future>(future: F) -> impl Future<Output = F::Output> + use<F> {
    CURRENT.scope(None, future)
}

/// Carries the current deadline into a task that is spawned.
pub fn kept<F: Future>(future: F) -> impl Future<Output = F::Output> + use<F> {
    CURRENT.scope(current(), future)
}

/// What time it is, for everything that is measured against a [`Deadline`]. Tests that pause the
/// runtime's clock pause this.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The moment after which nobody waits for an answer any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// A deadline `budget` after `now`.
    #[must_use]
    pub fn after(now: Instant, budget: Duration) -> Self {
        // A budget beyond what the clock can hold is as good as a day.
        let day = Duration::from_secs(86_400);
        Self(now.checked_add(budget.min(day)).unwrap_or(now))
    }

    /// The deadline that a caller sent, if it sent one that can be read.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap, now: Instant) -> Option<Self> {
        let text = headers.get(&TIMEOUT_HEADER)?.to_str().ok()?;
        let millis = text.trim().parse().ok()?;
        Some(Self::after(now, Duration::from_millis(millis)))
    }

    /// The earlier of two deadlines: a callee never waits longer than its caller does.
    #[must_use]
    pub fn sooner(self, other: Self) -> Self {
        self.min(other)
    }

    /// The moment itself, for a timer.
    #[must_use]
    pub fn instant(self) -> Instant {
        self.0
    }

    /// What is left of the budget; zero when it is over.
    #[must_use]
    pub fn remaining(self, now: Instant) -> Duration {
        self.0.saturating_duration_since(now)
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_over(self, now: Instant) -> bool {
        self.remaining(now).is_zero()
    }

    /// Writes the remaining budget into the headers of a call, replacing what was there.
    pub fn insert(self, now: Instant, headers: &mut HeaderMap) {
        let millis = u64::try_from(self.remaining(now).as_millis()).unwrap_or(u64::MAX);
        headers.insert(TIMEOUT_HEADER, HeaderValue::from(millis));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_shrinks_as_it_travels() {
        let start = Instant::now();
        let deadline = Deadline::after(start, Duration::from_millis(500));
        let mut headers = HeaderMap::new();
        deadline.insert(start + Duration::from_millis(120), &mut headers);
        assert_eq!(headers[TIMEOUT_HEADER], "380");

        let received = Deadline::from_headers(&headers, start).unwrap();
        assert_eq!(received.remaining(start), Duration::from_millis(380));
        assert!(received.is_over(start + Duration::from_millis(380)));
        assert_eq!(deadline.sooner(received), received);
    }

    #[test]
    fn what_is_over_has_nothing_left_and_does_not_wrap() {
        let start = Instant::now();
        let deadline = Deadline::after(start, Duration::ZERO);
        let later = start + Duration::from_secs(9);
        assert_eq!(deadline.remaining(later), Duration::ZERO);
        let mut headers = HeaderMap::new();
        deadline.insert(later, &mut headers);
        assert_eq!(headers[TIMEOUT_HEADER], "0");
    }

    #[test]
    fn what_cannot_be_read_is_no_deadline() {
        let now = Instant::now();
        for text in ["", "soon", "-1", "1.5", "99999999999999999999999"] {
            let mut headers = HeaderMap::new();
            headers.insert(TIMEOUT_HEADER, text.parse().unwrap());
            assert_eq!(Deadline::from_headers(&headers, now), None, "{text:?}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(TIMEOUT_HEADER, u64::MAX.into());
        assert!(Deadline::from_headers(&headers, now).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_has_the_soonest_deadline_around_it_and_a_spawned_one_only_if_asked() {
        let now = now();
        let after = |millis| Deadline::after(now, Duration::from_millis(millis));
        assert_eq!(current(), None);
        within(after(100), async {
            assert_eq!(current(), Some(after(100)));
            within(after(500), async {
                assert_eq!(current(), Some(after(100)), "nobody gets more than is left");
            })
            .await;
            within(after(20), async { assert_eq!(current(), Some(after(20))) }).await;
            unbounded(async { assert_eq!(current(), None) }).await;

            let spawned = tokio::spawn(async { current() });
            assert_eq!(spawned.await.unwrap(), None);
            let spawned = tokio::spawn(kept(async { current() }));
            assert_eq!(spawned.await.unwrap(), Some(after(100)));
        })
        .await;
        assert_eq!(current(), None);
    }
}
