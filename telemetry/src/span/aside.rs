//! Events of a span that is somewhere else.
//!
//! Code that is called within a span knows the span's ids, but not the span: that is in a request's
//! future, in the registry of `tracing`, or on another thread. What such code has to say waits here
//! until the span ends. Nothing is done at a span's end while nothing waits.

use super::attributes::{Attributes, OfEvent};
use super::body::Body;
use super::limits::Limits;
use crate::context::SpanId;
use crate::sync::lock;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Spans with something waiting. What is said of a span that has ended already is pushed out by
/// what comes later.
const MAX_SPANS: usize = 1_024;

static ASIDE: Aside = Aside::new();

#[derive(Debug)]
struct Aside {
    spans: Mutex<VecDeque<(SpanId, Body)>>,
    /// How many wait, to be read without the lock.
    waiting: AtomicUsize,
}

/// Keeps an event for the end of its span; `at` is in nanoseconds since the Unix epoch.
pub(crate) fn event(
    span: SpanId,
    limits: &Limits,
    at: u64,
    name: &str,
    attributes: Attributes<OfEvent>,
) {
    ASIDE.add(span, |body| body.event(limits, at, name, attributes));
}

/// Writes what waits for a span that ends.
#[inline]
pub(super) fn finish(span: SpanId, out: &mut Vec<u8>) {
    // Whoever has spoken within the span has done so before its end, so this sees it.
    if ASIDE.waiting.load(Ordering::Relaxed) != 0 {
        ASIDE.take(span, out);
    }
}

impl Aside {
    const fn new() -> Aside {
        Aside {
            spans: Mutex::new(VecDeque::new()),
            waiting: AtomicUsize::new(0),
        }
    }

    fn add(&self, span: SpanId, say: impl FnOnce(&mut Body)) {
        let mut spans = lock(&self.spans);
        let known = spans.iter().rposition(|(waiting, _)| *waiting == span);
        let at = known.unwrap_or_else(|| {
            if spans.len() == MAX_SPANS {
                spans.pop_front();
            }
            spans.push_back((span, Body::new()));
            spans.len() - 1
        });
        say(&mut spans[at].1);
        self.waiting.store(spans.len(), Ordering::Relaxed);
    }

    #[cold]
    fn take(&self, span: SpanId, out: &mut Vec<u8>) {
        let mut spans = lock(&self.spans);
        let found = spans.iter().rposition(|(waiting, _)| *waiting == span);
        let found = found.and_then(|at| spans.remove(at));
        self.waiting.store(spans.len(), Ordering::Relaxed);
        drop(spans);
        if let Some((_, body)) = found {
            body.finish(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::trace::v1::Span;
    use prost::Message;

    fn say(aside: &Aside, span: SpanId, name: &str) {
        let limits = Limits::default();
        aside.add(span, |body| {
            body.event(&limits, 1, name, Attributes::empty());
        });
    }

    #[test]
    fn a_span_gets_its_own_events_once() {
        let aside = Aside::new();
        let (one, other) = (SpanId(1), SpanId(2));
        for (span, name) in [(one, "a"), (other, "b"), (one, "c")] {
            say(&aside, span, name);
        }
        let names = |span| -> Vec<String> {
            let mut out = Vec::new();
            aside.take(span, &mut out);
            let span = Span::decode(&*out).unwrap();
            span.events.into_iter().map(|event| event.name).collect()
        };
        assert_eq!(names(one), ["a", "c"]);
        assert_eq!(names(one), [""; 0]);
        assert_eq!(names(other), ["b"]);
        assert_eq!(aside.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_nobody_fetches_is_pushed_out() {
        let aside = Aside::new();
        for id in 0..2 * MAX_SPANS as u64 {
            say(&aside, SpanId(id), "lost");
        }
        assert_eq!(aside.waiting.load(Ordering::Relaxed), MAX_SPANS);
    }
}
