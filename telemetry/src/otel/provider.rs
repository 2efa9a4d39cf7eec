//! A provider of tracers whose spans end up in our pipeline.

use super::processor::Encode;
use crate::context::{self, SpanId, TraceId};
use crate::core::{Alive, Core};
use crate::sampling::{Decision, Subject};
use opentelemetry::trace::{Link, SpanContext, SpanKind, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    IdGenerator, SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample, SpanLimits,
};
use std::sync::Arc;

/// A provider whose spans end up in the pipeline of `core`.
pub(crate) fn tracer_provider(core: &Arc<Alive>, resource: Resource) -> SdkTracerProvider {
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

/// The same decision as for spans of our own.
#[derive(Debug, Clone)]
struct Decide {
    core: Arc<Alive>,
}

impl Decide {
    fn decide(
        &self,
        parent: Option<&SpanContext>,
        trace_id: opentelemetry::TraceId,
        subject: Subject<'_>,
    ) -> Decision {
        match parent {
            Some(parent) if parent.is_remote() => {
                let caller = ours(parent);
                self.core.sample(caller.trace_id, Some(&caller), || subject)
            }
            Some(parent) if self.core.sampling().keeps_local() => Decision {
                sampled: parent.is_sampled(),
                tracestate: None,
            },
            Some(parent) => self.core.sample_within(&ours(parent), || subject),
            None => {
                let trace_id = TraceId(u128::from_be_bytes(trace_id.to_bytes()));
                self.core.sample(trace_id, None, || subject)
            }
        }
    }
}

impl ShouldSample for Decide {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: opentelemetry::TraceId,
        name: &str,
        _kind: &SpanKind,
        attributes: &[KeyValue],
        _links: &[Link],
    ) -> SamplingResult {
        let parent = parent.map(|parent| parent.span().span_context().clone());
        let parent = parent.filter(SpanContext::is_valid);
        let text = |key: &str| {
            let attribute = attributes.iter().find(|known| known.key.as_str() == key);
            attribute.map(|known| known.value.as_str())
        };
        // What a request is for, if it is one.
        let route = text("http.route").or_else(|| text("url.path"));
        let subject = Subject {
            route: route.as_deref().unwrap_or(name),
            method: &text("http.request.method").unwrap_or_default(),
        };
        let decision = self.decide(parent.as_ref(), trace_id, subject);
        let trace_state = match &decision.tracestate {
            Some(state) => super::theirs(state),
            None => parent
                .map(|parent| parent.trace_state().clone())
                .unwrap_or_default(),
        };
        SamplingResult {
            decision: if decision.sampled && self.core.is_recording() {
                SamplingDecision::RecordAndSample
            } else {
                SamplingDecision::Drop
            },
            attributes: Vec::new(),
            trace_state,
        }
    }
}

/// A context of the OpenTelemetry API as one of ours.
pub(super) fn ours(context: &SpanContext) -> context::SpanContext {
    context::SpanContext {
        trace_id: TraceId(u128::from_be_bytes(context.trace_id().to_bytes())),
        span_id: SpanId(u64::from_be_bytes(context.span_id().to_bytes())),
        flags: context::TraceFlags(context.trace_flags().to_u8()),
        tracestate: context::TraceState::parse(&context.trace_state().header()),
    }
}
