//! Spans of an OpenTelemetry SDK, written as ours are.

use super::scopes::Scopes;
use crate::context::{SpanId, TraceFlags, TraceId};
use crate::core::Alive;
use crate::settings::Limits;
use crate::span::attributes::{Attributes, Owner};
use crate::span::body::{self, Body};
use crate::span::encode::{self, Kind, Parent};
use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Takes spans when they end.
#[derive(Debug)]
pub(crate) struct Encode {
    core: Arc<Alive>,
    scopes: Scopes,
}

impl Encode {
    pub(crate) fn new(core: &Arc<Alive>) -> Encode {
        Encode {
            core: Arc::clone(core),
            scopes: Scopes::default(),
        }
    }
}

impl SpanProcessor for Encode {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() || !self.core.is_recording() {
            return;
        }
        let scope = self.scopes.get(&span.instrumentation_scope);
        let body = body(self.core.limits(), &span);
        self.core.spool.push(&scope, |out| {
            head(out, &span);
            body.finish(out);
        });
    }

    /// Delivery is the pipeline's: see `Telemetry::flush`.
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    /// The pipeline outlives this provider: see `Telemetry::shutdown`.
    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

fn head(out: &mut Vec<u8>, span: &SpanData) {
    let context = &span.span_context;
    let state = context.trace_state().header();
    encode::ids(
        out,
        TraceId(u128::from_be_bytes(context.trace_id().to_bytes())),
        SpanId(u64::from_be_bytes(context.span_id().to_bytes())),
        (!state.is_empty()).then_some(state.as_str()),
        Parent {
            span_id: SpanId(u64::from_be_bytes(span.parent_span_id.to_bytes())),
            remote: span.parent_span_is_remote,
        },
        TraceFlags(context.trace_flags().to_u8()),
    );
    encode::times(out, nanos(span.start_time), nanos(span.end_time));
    encode::name(out, &span.name);
    encode::kind(
        out,
        match span.span_kind {
            SpanKind::Internal => Kind::Internal,
            SpanKind::Server => Kind::Server,
            SpanKind::Client => Kind::Client,
            SpanKind::Producer => Kind::Producer,
            SpanKind::Consumer => Kind::Consumer,
        },
    );
}

fn body(limits: &Limits, span: &SpanData) -> Body {
    let mut body = Body::new();
    set_all(
        &mut body.attributes,
        limits,
        &span.attributes,
        span.dropped_attributes_count,
    );
    for event in &span.events.events {
        let mut attributes = Attributes::empty();
        let dropped = event.dropped_attributes_count;
        set_all(&mut attributes, limits, &event.attributes, dropped);
        body.event(limits, nanos(event.timestamp), &event.name, attributes);
    }
    for link in &span.links.links {
        let mut attributes = Attributes::empty();
        let dropped = link.dropped_attributes_count;
        set_all(&mut attributes, limits, &link.attributes, dropped);
        let (linked, remote) = (
            super::provider::ours(&link.span_context),
            link.span_context.is_remote(),
        );
        body.link(limits, &linked, remote, attributes);
    }
    body.dropped(span.events.dropped_count, span.links.dropped_count);
    body.status(match &span.status {
        Status::Unset => body::Status::Unset,
        Status::Ok => body::Status::Ok,
        Status::Error { description } => body::Status::Error(description.clone().into_owned()),
    });
    body
}

/// The SDK keeps each value of a key that is set several times; the last one counts.
fn set_all<O: Owner>(
    attributes: &mut Attributes<O>,
    limits: &Limits,
    values: &[KeyValue],
    dropped: u32,
) {
    for KeyValue { key, value, .. } in values {
        attributes.set(limits, key.as_str(), value);
    }
    attributes.dropped(dropped);
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
