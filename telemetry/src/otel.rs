//! The OpenTelemetry API as a second way in: its spans nest under ours and go the same way.

use crate::context::current::Current;
use crate::context::{Baggage, SpanId, TraceId};
use crate::core::{self, Core};
use crate::settings::Limits;
use crate::span::encode::{self, ATTRIBUTE, Kind, Parent};
use crate::span::proto;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{
    Link, SpanContext, SpanKind, Status, TraceContextExt, TraceFlags, TraceState,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    IdGenerator, SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample, Span, SpanData,
    SpanProcessor,
};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One of our contexts as the OpenTelemetry API sees it.
pub(crate) fn context(current: &Current) -> Context {
    let context = Context::new().with_remote_span_context(span_context(current));
    match &current.carried {
        Some(carried) if !carried.baggage.is_empty() => with_baggage(&context, &carried.baggage),
        _ => context,
    }
}

/// The OpenTelemetry API's current context with another span.
pub(crate) fn child_context(current: &Current) -> Context {
    Context::map_current(|context| context.with_remote_span_context(span_context(current)))
}

fn span_context(current: &Current) -> SpanContext {
    let state = current
        .carried
        .as_ref()
        .and_then(|carried| carried.tracestate.as_str());
    let state = state
        .and_then(|state| TraceState::from_str(state).ok())
        .unwrap_or_default();
    SpanContext::new(
        current.trace_id.0.into(),
        current.span_id.0.into(),
        TraceFlags::new(current.flags.0),
        false,
        state,
    )
}

/// The same context with our baggage in the place of its own.
pub(crate) fn with_baggage(context: &Context, baggage: &Baggage) -> Context {
    let members = baggage
        .iter()
        .map(|(key, value)| KeyValue::new(key.to_owned(), value.to_owned()));
    context.with_cleared_baggage().with_baggage(members)
}

/// A provider whose spans end up in the pipeline of `core`.
pub(crate) fn tracer_provider(core: &Arc<Core>, resource: Resource) -> SdkTracerProvider {
    SdkTracerProvider::builder()
        .with_resource(resource)
        .with_id_generator(Ids)
        .with_sampler(Decide {
            core: Arc::clone(core),
        })
        .with_span_processor(Encode {
            core: Arc::clone(core),
        })
        .build()
}

#[derive(Debug)]
struct Ids;

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> opentelemetry::TraceId {
        TraceId::random().0.into()
    }

    fn new_span_id(&self) -> opentelemetry::SpanId {
        SpanId::random().0.into()
    }
}

/// Within a trace its decision stands; a trace that begins is decided by our sampler.
#[derive(Debug, Clone)]
struct Decide {
    core: Arc<Core>,
}

impl ShouldSample for Decide {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: opentelemetry::TraceId,
        _name: &str,
        _kind: &SpanKind,
        _attributes: &[KeyValue],
        _links: &[Link],
    ) -> SamplingResult {
        let span = parent.map(|parent| parent.span().span_context().clone());
        let span = span.filter(SpanContext::is_valid);
        let sampled = match &span {
            Some(span) => span.is_sampled(),
            None => self
                .core
                .sample(TraceId(u128::from_be_bytes(trace_id.to_bytes())), None),
        };
        let decision = if sampled && self.core.is_recording() {
            SamplingDecision::RecordAndSample
        } else {
            SamplingDecision::Drop
        };
        let trace_state = span
            .map(|span| span.trace_state().clone())
            .unwrap_or_default();
        SamplingResult {
            decision,
            attributes: Vec::new(),
            trace_state,
        }
    }
}

#[derive(Debug)]
struct Encode {
    core: Arc<Core>,
}

impl SpanProcessor for Encode {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        let scope = core::scope(
            span.instrumentation_scope.name(),
            span.instrumentation_scope.version().unwrap_or_default(),
        );
        let limits = self.core.limits();
        self.core
            .spool
            .push(&scope, |out| encode_span(out, limits, &span));
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

fn encode_span(out: &mut Vec<u8>, limits: &Limits, span: &SpanData) {
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
        crate::context::TraceFlags(context.trace_flags().to_u8()),
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
    for attribute in &span.attributes {
        let key = attribute.key.as_str();
        proto::attribute_within(out, ATTRIBUTE, limits, key, &attribute.value);
    }
    for event in &span.events.events {
        let mut message = Vec::new();
        message.push(0x09);
        message.extend_from_slice(&nanos(event.timestamp).to_le_bytes());
        proto::bytes(&mut message, 0x12, event.name.as_bytes());
        for attribute in &event.attributes {
            let key = attribute.key.as_str();
            proto::attribute_within(&mut message, 0x1a, limits, key, &attribute.value);
        }
        proto::bytes(out, 0x5a, &message);
    }
    for link in &span.links.links {
        let linked = crate::context::SpanContext {
            trace_id: TraceId(u128::from_be_bytes(link.span_context.trace_id().to_bytes())),
            span_id: SpanId(u64::from_be_bytes(link.span_context.span_id().to_bytes())),
            flags: crate::context::TraceFlags(link.span_context.trace_flags().to_u8()),
            tracestate: crate::context::TraceState::parse(
                &link.span_context.trace_state().header(),
            ),
        };
        encode::link(out, &linked, link.span_context.is_remote());
    }
    match &span.status {
        Status::Unset => {}
        Status::Ok => encode::ok_status(out),
        Status::Error { description } => encode::error_status(out, description),
    }
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
