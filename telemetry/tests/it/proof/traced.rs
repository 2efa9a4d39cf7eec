//! Spans of `tracing`.

use super::model::{self, Expected, Pairs};
use super::{Place, Round};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1 as proto;
use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use telemetry::context;
use tracing::field::{Empty, display};
use tracing::{Instrument, Span, info_span};

#[derive(Debug)]
struct Failure(String, Option<Box<Failure>>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|cause| cause as _)
    }
}

/// What is said about a span.
#[derive(Default)]
struct Said {
    name: Option<String>,
    kind: Option<i32>,
    ok: bool,
    failed: bool,
    description: Option<String>,
    failure: Option<String>,
    attributes: Pairs,
    events: Vec<proto::span::Event>,
    dropped_events: u32,
    links: Vec<proto::span::Link>,
    dropped_links: u32,
}

impl Round {
    /// A span that is entered.
    pub(super) fn traced(&mut self, place: &Place) {
        let (span, mut said) = self.begin();
        let within = {
            let _entered = span.enter();
            let within = self.at(place);
            self.happen(&span, &mut said, &within);
            self.inside(&within);
            self.happen(&span, &mut said, &within);
            within
        };
        let recorded = !span.is_disabled();
        drop(span);
        self.traced_ended(place, &within, said, recorded);
    }

    /// A future within a span, polled some times and dropped, done or not.
    pub(super) fn future(&mut self, place: &Place) {
        let (span, mut said) = self.begin();
        let within = span.in_scope(|| self.at(place));
        let (steps, polls) = (self.random.below(4), self.random.below(5));
        let mut left = steps;
        let handle = span.clone();
        let (round, heard) = (&mut *self, &mut said);
        let inner = within.clone();
        let work = poll_fn(move |_| {
            assert_eq!(round.at(&inner).context, inner.context);
            round.happen(&handle, heard, &inner);
            round.inside(&inner);
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            Poll::Pending
        });
        {
            let mut work = pin!(work.instrument(span));
            for _ in 0..polls {
                if work
                    .as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()))
                    .is_ready()
                {
                    break;
                }
            }
        }
        self.traced_ended(place, &within, said, true);
    }

    /// Where we are, as the crate says it; checked against where we should be when it ends.
    fn at(&self, place: &Place) -> Place {
        Place {
            context: context::current().unwrap(),
            ..place.clone()
        }
    }

    fn begin(&mut self) -> (Span, Said) {
        let random = &mut self.random;
        let text = random.maybe(super::Random::text);
        let int = random.maybe(super::Random::int);
        let wide = random.maybe(super::Random::next);
        let float = random.maybe(super::Random::float);
        let truth = random.maybe(|random| random.one_in(2));
        let bytes = random.maybe(|random| random.text().into_bytes());
        let shown = random.maybe(super::Random::text);
        let span = info_span!(
            "step",
            text = text.as_deref(),
            int,
            wide,
            float,
            truth,
            bytes = bytes.as_deref(),
            shown = shown.as_ref().map(debug),
            late = Empty,
            huge = Empty,
            error = Empty,
            error.type = Empty,
            otel.name = Empty,
            otel.kind = Empty,
            otel.status_code = Empty,
            otel.status_description = Empty,
        );
        let model = &self.model;
        let mut said = Said {
            attributes: Pairs::new(model.limits.attribute_count),
            ..Said::default()
        };
        let mut set = |key: &str, value: Option<Any>| {
            if let Some(value) = value {
                said.attributes.set(key, value);
            }
        };
        set("text", text.map(|text| model.text(&text)));
        set("int", int.map(Any::IntValue));
        set(
            "wide",
            wide.map(|wide| match i64::try_from(wide) {
                Ok(wide) => Any::IntValue(wide),
                Err(_) => model.text(&wide.to_string()),
            }),
        );
        set("float", float.map(Any::DoubleValue));
        set("truth", truth.map(Any::BoolValue));
        set("bytes", bytes.map(|bytes| model.bytes(&bytes)));
        set(
            "shown",
            shown.map(|shown| model.text(&format!("{shown:?}"))),
        );
        (span, said)
    }

    /// Things said about a span while it goes on.
    fn happen(&mut self, span: &Span, said: &mut Said, within: &Place) {
        for _ in 0..self.random.below(4) {
            let text = self.random.text();
            match self.random.below(11) {
                0 => {
                    span.record("late", &*text);
                    said.attributes.set("late", self.model.text(&text));
                }
                1 => {
                    let huge = i128::from(self.random.int()) << self.random.below(40);
                    span.record("huge", huge);
                    let value = i64::try_from(huge).map(Any::IntValue);
                    let value = value.unwrap_or_else(|_| self.model.text(&huge.to_string()));
                    said.attributes.set("huge", value);
                }
                2 => {
                    let error = self.failure();
                    span.record("error", &error as &(dyn Error + 'static));
                    let value = self.model.text(&causes(&error).join(": "));
                    said.attributes.set("error", value);
                }
                3 => {
                    span.record("text", display(&text));
                    said.attributes.set("text", self.model.text(&text));
                }
                4 => {
                    span.record("otel.name", &*text);
                    said.name = Some(text);
                }
                5 => {
                    let kinds = [("CLIENT", 3), ("producer", 4), ("consumer", 5), ("odd", 1)];
                    let (name, kind) = self.random.pick(&kinds);
                    span.record("otel.kind", name);
                    said.kind = Some(kind);
                }
                6 => {
                    let failed = self.random.one_in(2);
                    span.record("otel.status_code", if failed { "Error" } else { "OK" });
                    (said.failed, said.ok) = (failed, !failed);
                }
                7 => {
                    span.record("otel.status_description", &*text);
                    said.description = Some(text);
                }
                8 => self.follow(span, said, within),
                9 => self.fail(span, said),
                _ => self.log(span, said),
            }
        }
    }

    fn follow(&mut self, span: &Span, said: &mut Said, within: &Place) {
        span.follows_from(span);
        if said.links.len() < self.model.limits.link_count as usize {
            let context = &within.context;
            said.links.push(proto::span::Link {
                trace_id: context.trace_id.0.to_be_bytes().to_vec(),
                span_id: context.span_id.0.to_be_bytes().to_vec(),
                trace_state: context.tracestate.as_str().unwrap_or_default().to_owned(),
                flags: model::flags(context.flags.0, false),
                ..proto::span::Link::default()
            });
        } else {
            said.dropped_links += 1;
        }
    }

    fn fail(&mut self, span: &Span, said: &mut Said) {
        let (error, attempt) = (self.failure(), self.random.int());
        tracing::error!(parent: span, error = &error as &(dyn Error + 'static), attempt);
        let causes = causes(&error);
        let stack = (causes.len() > 1).then(|| causes.join("\nCaused by: "));
        let text = |text: &str| self.model.text(text);
        let all = [
            Some(("exception.message", text(&causes[0]))),
            stack.map(|stack| ("exception.stacktrace", text(&stack))),
            Some(("attempt", Any::IntValue(attempt))),
        ];
        self.event(said, "exception", all.into_iter().flatten().collect());
        said.failure = Some(causes[0].clone());
        if !said.attributes.has("error.type") {
            said.attributes.set("error.type", self.model.text("_OTHER"));
        }
    }

    fn log(&mut self, span: &Span, said: &mut Said) {
        let (message, text, number) = (self.random.text(), self.random.text(), self.random.float());
        tracing::info!(parent: span, number, text, "{message}");
        let all = vec![
            ("level", self.model.text("INFO")),
            ("number", Any::DoubleValue(number)),
            ("text", self.model.text(&text)),
        ];
        self.event(said, &message, all);
    }

    fn event(&self, said: &mut Said, name: &str, attributes: Vec<(&str, Any)>) {
        if said.events.len() >= self.model.limits.event_count as usize {
            said.dropped_events += 1;
            return;
        }
        let mut pairs = Pairs::new(self.model.limits.event_attribute_count);
        for (key, value) in attributes {
            pairs.set(key, value);
        }
        said.events.push(proto::span::Event {
            name: name.to_owned(),
            attributes: pairs.pairs,
            dropped_attributes_count: pairs.dropped,
            ..proto::span::Event::default()
        });
    }

    fn failure(&mut self) -> Failure {
        let cause = |random: &mut super::Random| Box::new(Failure(random.text(), None));
        let cause = self.random.maybe(cause);
        Failure(self.random.text(), cause)
    }

    fn traced_ended(&mut self, place: &Place, within: &Place, said: Said, made: bool) {
        let (outer, inner) = (&place.context, &within.context);
        assert_eq!((outer.trace_id, outer.flags), (inner.trace_id, inner.flags));
        if !outer.flags.is_sampled() {
            assert_eq!(outer.span_id, inner.span_id);
            return;
        }
        assert!(made && outer.span_id != inner.span_id);
        let mut span = model::span(inner, Some((outer.span_id.0, false)));
        span.trace_state = outer.tracestate.as_str().unwrap_or_default().to_owned();
        span.name = said.name.unwrap_or("step".to_owned());
        span.kind = said.kind.unwrap_or(1);
        span.attributes = said.attributes.pairs;
        span.dropped_attributes_count = said.attributes.dropped;
        span.events = said.events;
        span.dropped_events_count = said.dropped_events;
        span.links = said.links;
        span.dropped_links_count = said.dropped_links;
        span.status = match (said.ok, said.failed, said.failure) {
            (true, ..) => Some(proto::Status {
                code: 1,
                message: String::new(),
            }),
            (_, true, failure) => {
                let description = said.description.or(failure);
                Some(model::error(&description.unwrap_or_default()))
            }
            (_, _, failure) => failure.map(|failure| model::error(&failure)),
        };
        self.model.expect(Expected {
            span,
            ..Expected::default()
        });
    }
}

fn causes(error: &Failure) -> Vec<String> {
    let cause = error.1.as_ref().map(|cause| cause.0.clone());
    std::iter::once(error.0.clone()).chain(cause).collect()
}
