//! A provider of tracers whose spans end up in our pipeline.

use super::processor::Encode;
use crate::context::{SpanId, TraceId};
use crate::core::Core;
use opentelemetry::trace::{Link, SpanContext, SpanKind, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    IdGenerator, SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample, SpanLimits,
};
use std::sync::Arc;

/// A provider whose spans end up in the pipeline of `core`.
pub(crate) fn tracer_provider(core: &Arc<Core>, resource: Resource) -> SdkTracerProvider {
    SdkTracerProvider::builder()
        .with_resource(resource)
        .with_id_generator(Ids)
        .with_sampler(Decide {
            core: Arc::clone(core),
        })
        .with_span_limits(limits(core))
        .with_span_processor(Encode::new(core))
        .build()
}

/// What can be kept from the start: the rest is cut when a span is written.
fn limits(core: &Core) -> SpanLimits {
    let limits = core.limits();
    SpanLimits {
        max_attributes_per_span: limits.attribute_count,
        max_events_per_span: limits.event_count,
        max_links_per_span: limits.link_count,
        max_attributes_per_event: limits.event_attribute_count,
        max_attributes_per_link: limits.link_attribute_count,
    }
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
