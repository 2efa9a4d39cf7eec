//! What a span says beyond its name: attributes, events, links, status.

use super::attributes::{Attributes, OfEvent, OfLink, Owner};
use super::encode;
use super::limits::Limits;
use super::proto;
use crate::context::SpanContext;

const EVENT: u8 = 0x5a;
const DROPPED_EVENTS: u8 = 0x60;
const LINK: u8 = 0x6a;
const DROPPED_LINKS: u8 = 0x70;

/// What a span says beyond its name, kept within the limits.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) attributes: Attributes,
    events: Tally,
    links: Tally,
    status: Status,
}

/// How a span ended.
#[derive(Debug, Default)]
pub(crate) enum Status {
    #[default]
    Unset,
    Ok,
    /// With a description, which may be empty.
    Error(String),
}

#[derive(Debug, Default)]
struct Tally {
    kept: u32,
    dropped: u32,
}

impl Tally {
    fn admits(&mut self, limit: u32) -> bool {
        let admits = self.kept < limit;
        if admits {
            self.kept += 1;
        } else {
            self.dropped += 1;
        }
        admits
    }

    fn finish(&self, out: &mut Vec<u8>, tag: u8) {
        if self.dropped > 0 {
            out.push(tag);
            proto::varint(out, u64::from(self.dropped));
        }
    }
}

impl Body {
    pub(crate) fn new() -> Body {
        Body {
            attributes: Attributes::take(),
            events: Tally::default(),
            links: Tally::default(),
            status: Status::Unset,
        }
    }

    /// Adds an event; `at` is in nanoseconds since the Unix epoch.
    pub(crate) fn event(
        &mut self,
        limits: &Limits,
        at: u64,
        name: &str,
        attributes: Attributes<OfEvent>,
    ) {
        if self.events.admits(limits.event_count) {
            let head = |out: &mut Vec<u8>| {
                out.push(0x09);
                out.extend_from_slice(&at.to_le_bytes());
                proto::bytes(out, 0x12, name.as_bytes());
            };
            let len = 9 + 1 + proto::varint_len(name.len() as u64) + name.len();
            self.part(EVENT, len, head, attributes);
        }
    }

    /// Adds a link to another span; `remote` if that belongs to another process.
    pub(crate) fn link(
        &mut self,
        limits: &Limits,
        context: &SpanContext,
        remote: bool,
        attributes: Attributes<OfLink>,
    ) {
        if self.links.admits(limits.link_count) {
            let len = encode::link_len(context);
            let head = |out: &mut Vec<u8>| encode::link_fields(out, context, remote);
            self.part(LINK, len, head, attributes);
        }
    }

    fn part<O: Owner>(
        &mut self,
        tag: u8,
        len: usize,
        head: impl FnOnce(&mut Vec<u8>),
        attributes: Attributes<O>,
    ) {
        self.attributes.field(|out| {
            out.push(tag);
            proto::varint(out, (len + attributes.size()) as u64);
            head(out);
            attributes.finish(out);
        });
    }

    /// Events and links that were left out before they came here.
    #[cfg(any(test, feature = "opentelemetry-sdk"))]
    pub(crate) fn dropped(&mut self, events: u32, links: u32) {
        self.events.dropped += events;
        self.links.dropped += links;
    }

    /// Says how the span ended:
    /// [well is final, and unset says nothing](https://opentelemetry.io/docs/specs/otel/trace/api/#set-status).
    pub(crate) fn status(&mut self, status: Status) {
        match (&self.status, &status) {
            (Status::Ok, _) | (_, Status::Unset) => {}
            _ => self.status = status,
        }
    }

    /// Appends everything, and how much is missing.
    pub(crate) fn finish(self, out: &mut Vec<u8>) {
        self.attributes.finish(out);
        self.events.finish(out, DROPPED_EVENTS);
        self.links.finish(out, DROPPED_LINKS);
        match &self.status {
            Status::Unset => {}
            Status::Ok => encode::ok_status(out),
            Status::Error(description) => encode::error_status(out, description),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{SpanId, TraceFlags, TraceId, TraceState};
    use opentelemetry_proto::tonic::trace::v1::{Span, status::StatusCode};
    use prost::Message;

    fn decoded(body: Body) -> Span {
        let mut out = Vec::new();
        body.finish(&mut out);
        Span::decode(&*out).unwrap()
    }

    #[test]
    fn events_and_links_are_kept_within_limits() {
        let limits = Limits {
            event_count: 2,
            link_count: 1,
            event_attribute_count: 1,
            link_attribute_count: 0,
            ..Limits::default()
        };
        let link = SpanContext {
            trace_id: TraceId(7),
            span_id: SpanId(8),
            flags: TraceFlags(3),
            tracestate: TraceState::parse("a=1"),
        };
        let mut body = Body::new();
        let long = "n".repeat(500);
        for name in ["one", &long, "three"] {
            let mut attributes = Attributes::empty();
            attributes.push(&limits, "a", name);
            attributes.push(&limits, "b", 2);
            body.event(&limits, 5, name, attributes);
            let mut attributes = Attributes::empty();
            attributes.push(&limits, "a", 1);
            body.link(&limits, &link, true, attributes);
            body.attributes.set(&limits, "a", name);
        }
        body.dropped(2, 3);
        body.attributes.dropped(1);
        let span = decoded(body);
        let names: Vec<_> = span
            .events
            .iter()
            .map(|event| event.name.as_str())
            .collect();
        assert_eq!(names, ["one", &long]);
        assert_eq!(span.events[1].time_unix_nano, 5);
        assert_eq!(span.events[1].attributes.len(), 1);
        assert_eq!(span.events[1].dropped_attributes_count, 1);
        assert_eq!(span.dropped_events_count, 1 + 2);
        assert_eq!(span.links.len(), 1);
        assert_eq!(span.links[0].trace_id, 7_u128.to_be_bytes());
        assert_eq!(span.links[0].span_id, 8_u64.to_be_bytes());
        assert_eq!(span.links[0].trace_state, "a=1");
        assert_eq!(span.links[0].flags, 0x303);
        assert_eq!(span.links[0].dropped_attributes_count, 1);
        assert_eq!(span.dropped_links_count, 2 + 3);
        assert_eq!(span.attributes.len(), 1);
        assert_eq!(span.dropped_attributes_count, 1);
    }

    #[test]
    fn well_is_final_and_unset_says_nothing() {
        let error = || Status::Error("broken".to_owned());
        let well = StatusCode::Ok;
        for (order, code, message) in [
            (vec![error(), Status::Unset], StatusCode::Error, "broken"),
            (vec![error(), Status::Ok], well, ""),
            (vec![Status::Ok, error(), Status::Unset], well, ""),
            (vec![Status::Unset], StatusCode::Unset, ""),
        ] {
            let mut body = Body::new();
            for status in order {
                body.status(status);
            }
            let status = decoded(body).status.unwrap_or_default();
            assert_eq!((status.code(), status.message.as_str()), (code, message));
        }
    }
}
