//! Spans of the OpenTelemetry API.

use super::model::{self, Expected, Pairs, Scope};
use super::{Place, Round};
use opentelemetry::trace::{
    Link, Span as _, SpanContext, SpanKind, Status, TraceContextExt, TraceFlags, TraceState,
    Tracer, TracerProvider,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::trace::v1 as proto;
use std::time::{Duration, SystemTime};
use telemetry::SpanContext as Ours;

const KINDS: [(SpanKind, i32); 5] = [
    (SpanKind::Internal, 1),
    (SpanKind::Server, 2),
    (SpanKind::Client, 3),
    (SpanKind::Producer, 4),
    (SpanKind::Consumer, 5),
];

impl Round {
    pub(super) fn api_span(&mut self, place: &Place) {
        let scope = InstrumentationScope::builder("library")
            .with_version("2")
            .with_schema_url("https://example.org/schema")
            .with_attributes([KeyValue::new("pool", 3)]);
        let provider = self.telemetry.tracer_provider();
        let tracer = provider.tracer_with_scope(scope.build());
        let kind = self.random.below(5) as usize;
        let times = self.random.maybe(|random| {
            let start = SystemTime::UNIX_EPOCH + Duration::from_nanos(random.next() >> 3);
            (start, start + Duration::from_nanos(random.next() >> 20))
        });
        let mut set = self.pairs(8);
        let mut links = self.links();
        let name = self.random.text();
        let mut builder = tracer
            .span_builder(name.clone())
            .with_kind(KINDS[kind].0.clone())
            .with_attributes(set.clone())
            .with_links(links.clone());
        if let Some((start, _)) = times {
            builder = builder.with_start_time(start);
        }
        let mut span = builder.start(&tracer);
        let context = span.span_context().clone();
        let mut events = Vec::new();
        for _ in 0..self.random.below(4) {
            let event = (self.random.text(), SystemTime::now(), self.pairs(4));
            span.add_event_with_timestamp(event.0.clone(), event.1, event.2.clone());
            events.push(event);
        }
        for pair in self.pairs(5) {
            span.set_attribute(pair.clone());
            set.push(pair);
        }
        for link in self.links() {
            span.add_link(link.span_context.clone(), link.attributes.clone());
            links.push(link);
        }
        let status = self.status(&mut span);
        if self.random.one_in(2) {
            let context = Context::current_with_span(span);
            let _attached = context.clone().attach();
            self.inside(&self.below(place, &context.span().span_context().clone()));
            match times {
                Some((_, end)) => context.span().end_with_timestamp(end),
                None => context.span().end(),
            }
        } else if let Some((_, end)) = times {
            span.end_with_timestamp(end);
        } else {
            drop(span);
        }
        if !place.context.flags.is_sampled() {
            return;
        }
        let below = self.below(place, &context);
        let mut span = model::span(&below.context, Some((place.context.span_id.0, false)));
        span.name = name;
        span.kind = KINDS[kind].1;
        if let Some((start, end)) = times {
            span.start_time_unix_nano = model::unix_nanos(start);
            span.end_time_unix_nano = model::unix_nanos(end);
        }
        let limits = self.model.limits;
        let attributes = self.within(&set, limits.attribute_count);
        span.attributes = attributes.pairs;
        span.dropped_attributes_count = attributes.dropped;
        let kept = events.iter().take(limits.event_count as usize);
        span.events = kept
            .map(|(name, at, pairs)| {
                let attributes = self.within(pairs, limits.event_attribute_count);
                proto::span::Event {
                    time_unix_nano: if times.is_some() {
                        model::unix_nanos(*at)
                    } else {
                        0
                    },
                    name: name.clone(),
                    attributes: attributes.pairs,
                    dropped_attributes_count: attributes.dropped,
                }
            })
            .collect();
        span.dropped_events_count = (events.len() - span.events.len()) as u32;
        let kept = links.iter().take(limits.link_count as usize);
        span.links = kept.map(|link| self.link(link)).collect();
        span.dropped_links_count = (links.len() - span.links.len()) as u32;
        span.status = status;
        self.model.expect(Expected {
            span,
            scope: Scope::Library,
            timed: times.is_some(),
            any_of: None,
        });
    }

    /// Within an API span; only what we know of it ourselves.
    fn below(&self, place: &Place, context: &SpanContext) -> Place {
        Place {
            context: Ours {
                span_id: telemetry::context::SpanId(u64::from_be_bytes(
                    context.span_id().to_bytes(),
                )),
                ..place.context.clone()
            },
            ..place.clone()
        }
    }

    fn pairs(&mut self, most: u64) -> Vec<KeyValue> {
        let count = self.random.below(most);
        let keys = ["", "a", "b", "größe", "😀"];
        let random = &mut self.random;
        (0..count)
            .map(|_| {
                let key = if random.one_in(2) {
                    random.pick(&keys).to_owned()
                } else {
                    random.text()
                };
                KeyValue::new(key, random.value())
            })
            .collect()
    }

    fn links(&mut self) -> Vec<Link> {
        let count = self.random.below(4);
        (0..count)
            .map(|_| {
                let state = TraceState::from_key_value([("vendor", "1"), ("other", "x y")]);
                let context = SpanContext::new(
                    self.random.trace_id().0.into(),
                    self.random.span_id().0.into(),
                    TraceFlags::new(self.random.below(4) as u8),
                    self.random.one_in(2),
                    self.random.maybe(|_| state.unwrap()).unwrap_or_default(),
                );
                Link::new(context, self.pairs(4), 0)
            })
            .collect()
    }

    fn status(&mut self, span: &mut impl opentelemetry::trace::Span) -> Option<proto::Status> {
        let description = self.random.text();
        let failed = self.random.one_in(3);
        if failed {
            span.set_status(Status::error(description.clone()));
        }
        if self.random.one_in(4) {
            span.set_status(Status::Ok);
            return Some(proto::Status {
                code: 1,
                message: String::new(),
            });
        }
        failed.then(|| model::error(&description))
    }

    /// The SDK keeps the first so many; of those with the same key the last one counts.
    fn within(&self, set: &[KeyValue], limit: u32) -> Pairs {
        let mut pairs = Pairs::new(limit);
        for pair in set.iter().take(limit as usize) {
            pairs.set(pair.key.as_str(), self.model.value(&pair.value));
        }
        pairs.dropped = set.len().saturating_sub(limit as usize) as u32;
        pairs
    }

    fn link(&self, link: &Link) -> proto::span::Link {
        let context = &link.span_context;
        let attributes = self.within(&link.attributes, self.model.limits.link_attribute_count);
        proto::span::Link {
            trace_id: context.trace_id().to_bytes().to_vec(),
            span_id: context.span_id().to_bytes().to_vec(),
            trace_state: context.trace_state().header(),
            attributes: attributes.pairs,
            dropped_attributes_count: attributes.dropped,
            flags: model::flags(context.trace_flags().to_u8(), context.is_remote()),
        }
    }
}
