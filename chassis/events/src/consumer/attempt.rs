//! One attempt at an event, as its trace and the metrics tell of it.

use std::time::Duration;

use telemetry::AttributeValue;
use telemetry::context::InCurrent;
use telemetry::messaging::{Call, Destination};

use super::metrics::{Metrics, Outcome};
use crate::Event;

/// Most bytes of a reason that are kept.
const MAX_REASON: usize = 500;

/// Begins attempts at the events of one feed.
#[derive(Clone)]
pub(super) struct Attempts {
    pub(super) destination: Destination,
    /// The service that handles them.
    pub(super) group: &'static str,
    pub(super) feed: &'static str,
    pub(super) metrics: Metrics,
}

/// An attempt under way: a span that continues the trace of whoever published the event.
pub(super) struct Attempt {
    call: Call,
    number: u32,
}

impl Attempts {
    /// Begins the attempt with this number.
    pub(super) fn begin(&self, event: &Event, number: u32) -> Attempt {
        let queued = event.time.elapsed();
        let process = self.destination.process("process").group(self.group);
        let process = process.message_id(&event.id).message(event);
        let process = process.body_size(event.data.get().len() as u64);
        let mut call = process.queued_for(queued).start();
        let span = call.span_mut();
        span.set_attribute("citywatch.event.type", &*event.kind);
        span.set_attribute("citywatch.event.subject", &*event.subject);
        span.set_attribute("citywatch.event.queue_ms", millis(queued));
        span.set_attribute("citywatch.event.attempt", i64::from(number));
        Attempt { call, number }
    }

    /// The event had its effect.
    pub(super) fn handled(&self, attempt: Attempt, event: &Event) {
        let seconds = event.time.elapsed().as_secs_f64();
        self.metrics.queued(self.feed, seconds);
        self.ended(event, Outcome::Handled);
        attempt.call.finish();
    }

    /// The event has to wait for something else.
    pub(super) fn later(&self, mut attempt: Attempt, event: &Event, reason: &str) {
        self.ended(event, Outcome::Later);
        attempt.give_reason(reason);
        attempt.call.fail("later");
    }

    /// The event failed, and is tried again.
    pub(super) fn failed(&self, mut attempt: Attempt, event: &Event, reason: &str) {
        self.ended(event, Outcome::Failed);
        attempt.give_reason(reason);
        attempt.call.fail("event_failed");
    }

    /// The event failed for the last time.
    pub(super) fn dead(&self, mut attempt: Attempt, event: &Event, reason: &str) {
        self.ended(event, Outcome::Dead);
        attempt.give_reason(reason);
        let attempts = AttributeValue::from(i64::from(attempt.number));
        let said = [
            ("citywatch.event.reason", shortened(reason).into()),
            ("citywatch.event.attempts", attempts),
        ];
        let span = attempt.call.span_mut();
        span.add_event("citywatch.event.dead_letter", said);
        attempt.call.fail("dead_letter");
    }

    /// It is put behind an event that failed: nothing was attempted.
    pub(super) fn waits(&self, event: &Event) {
        self.ended(event, Outcome::Waiting);
    }

    fn ended(&self, event: &Event, outcome: Outcome) {
        self.metrics.ended(self.feed, &event.kind, outcome);
    }
}

impl Attempt {
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Works on the event within its trace.
    pub(super) fn within<F: Future>(&self, work: F) -> InCurrent<F> {
        self.call.in_scope(work)
    }

    /// It was made together with others: the time is that of all, and its statements are theirs.
    pub(super) fn was_one_of(&mut self, many: usize) {
        let many = i64::try_from(many).unwrap_or(i64::MAX);
        let span = self.call.span_mut();
        span.set_attribute("citywatch.event.together", many);
    }

    /// What was done is undone, through no fault of the event's; it is taken again.
    pub(super) fn undone(mut self) {
        let span = self.call.span_mut();
        span.set_attribute("citywatch.event.undone", true);
        self.call.finish();
    }

    /// It is not known, or does not matter, what came of it: another instance may have done it.
    pub(super) fn interrupted(self, why: &'static str) {
        self.call.fail(why);
    }

    fn give_reason(&mut self, reason: &str) {
        let span = self.call.span_mut();
        span.set_attribute("citywatch.event.reason", shortened(reason));
    }
}

/// As much of a reason as is kept.
pub(super) fn shortened(reason: &str) -> &str {
    let mut end = reason.len().min(MAX_REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_between_letters() {
        assert_eq!(shortened("no"), "no");
        let long = "집".repeat(400);
        assert_eq!(shortened(&long).chars().count(), MAX_REASON / 3);
    }
}
