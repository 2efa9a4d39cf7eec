//! The formats in which a context travels, and the order in which a service uses them.

mod b3;
mod jaeger;
mod ottrace;
mod w3c;
mod xray;

use super::{Baggage, Carrier, CarrierMut, SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use std::fmt;

pub(crate) use w3c::extract_tracestate;
pub use w3c::{extract, extract_baggage, inject, inject_baggage};

/// One format of `OTEL_PROPAGATORS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Propagator {
    /// `tracecontext`: `traceparent` and `tracestate`.
    TraceContext = 1,
    /// `baggage`.
    Baggage = 2,
    /// `b3`: reads B3 in one header and in several, writes one.
    B3 = 3,
    /// `b3multi`: reads B3 in one header and in several, writes several.
    B3Multi = 4,
    /// `jaeger`: `uber-trace-id`, and baggage in `uberctx-*`.
    Jaeger = 5,
    /// `xray`: `x-amzn-trace-id`.
    XRay = 6,
    /// `ottrace`: `ot-tracer-*`, and baggage in `ot-baggage-*`.
    OtTrace = 7,
}

impl Propagator {
    /// All there are.
    pub const ALL: [Propagator; 7] = [
        Propagator::TraceContext,
        Propagator::Baggage,
        Propagator::B3,
        Propagator::B3Multi,
        Propagator::Jaeger,
        Propagator::XRay,
        Propagator::OtTrace,
    ];

    /// Its name in `OTEL_PROPAGATORS`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Propagator::TraceContext => "tracecontext",
            Propagator::Baggage => "baggage",
            Propagator::B3 => "b3",
            Propagator::B3Multi => "b3multi",
            Propagator::Jaeger => "jaeger",
            Propagator::XRay => "xray",
            Propagator::OtTrace => "ottrace",
        }
    }
}

/// Which formats are read and written, in order (`OTEL_PROPAGATORS`); each at most once.
///
/// Of several contexts the last that is found counts; baggage of several formats is put together.
/// All are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Propagators(
    /// Four bits each, the first in the lowest; zero is the end.
    u32,
);

impl Propagators {
    /// Nothing is read or written (`none`).
    pub const NONE: Propagators = Propagators(0);

    /// `traceparent`, `tracestate` and `baggage`.
    pub const W3C: Propagators = Propagators::NONE
        .and(Propagator::TraceContext)
        .and(Propagator::Baggage);

    /// These and one more at the end; nothing changes if it is there already.
    #[must_use]
    pub const fn and(self, propagator: Propagator) -> Propagators {
        let mut shift = 0;
        loop {
            let entry = (self.0 >> shift) & 0xf;
            if entry == propagator as u32 {
                return self;
            }
            if entry == 0 {
                return Propagators(self.0 | ((propagator as u32) << shift));
            }
            shift += 4;
        }
    }

    /// In order.
    pub fn iter(self) -> impl Iterator<Item = Propagator> {
        let entries = (0..8).map(move |at| (self.0 >> (4 * at)) & 0xf);
        entries
            .take_while(|entry| *entry != 0)
            .filter_map(|entry| Propagator::ALL.get(entry as usize - 1).copied())
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn contains(self, propagator: Propagator) -> bool {
        self.iter().any(|known| known == propagator)
    }

    /// The caller's context and baggage.
    ///
    /// A context without a span's id is no parent: in B3 a caller may say no more than whether the
    /// trace that begins here is recorded, which its flags do. See [`SpanContext::is_valid`].
    pub fn extract(self, carrier: &impl Carrier) -> (Option<SpanContext>, Baggage) {
        let (mut context, mut baggage) = (None, Baggage::EMPTY);
        for propagator in self.iter() {
            let (found, carried) = match propagator {
                Propagator::TraceContext => (extract(carrier), Baggage::EMPTY),
                Propagator::Baggage => (None, extract_baggage(carrier)),
                Propagator::B3 | Propagator::B3Multi => (b3::extract(carrier), Baggage::EMPTY),
                Propagator::Jaeger => jaeger::extract(carrier),
                Propagator::XRay => (xray::extract(carrier), Baggage::EMPTY),
                Propagator::OtTrace => ottrace::extract(carrier),
            };
            // What finds nothing, or only a decision, does not erase a parent.
            if let Some(found) = found
                && (found.is_valid() || context.is_none())
            {
                context = Some(found);
            }
            baggage = baggage.merged(carried);
        }
        (context, baggage)
    }

    /// Writes a context, if it is valid, and baggage, if there is any.
    pub fn inject(self, context: &SpanContext, baggage: &Baggage, carrier: &mut impl CarrierMut) {
        for propagator in self.iter() {
            match propagator {
                Propagator::TraceContext => inject(context, carrier),
                Propagator::Baggage => inject_baggage(baggage, carrier),
                Propagator::B3 => b3::inject(context, carrier),
                Propagator::B3Multi => b3::inject_multi(context, carrier),
                Propagator::Jaeger => jaeger::inject(context, baggage, carrier),
                Propagator::XRay => xray::inject(context, carrier),
                Propagator::OtTrace => ottrace::inject(context, baggage, carrier),
            }
        }
    }
}

impl Default for Propagators {
    fn default() -> Self {
        Propagators::W3C
    }
}

/// In this order, each once.
impl FromIterator<Propagator> for Propagators {
    fn from_iter<I: IntoIterator<Item = Propagator>>(propagators: I) -> Self {
        let propagators = propagators.into_iter();
        propagators.fold(Propagators::NONE, Propagators::and)
    }
}

/// The names, in order.
impl fmt::Debug for Propagators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Whether a header, its name in lowercase, carries context or baggage in any of the formats. An
/// edge that takes these from a stranger's request keeps them from whoever is behind it and reads
/// another format than the edge does.
#[must_use]
pub fn carries_context(header: &str) -> bool {
    const PREFIXES: [&str; 4] = [
        b3::PREFIX,
        jaeger::BAGGAGE_PREFIX,
        ottrace::PREFIX,
        ottrace::BAGGAGE_PREFIX,
    ];
    match header {
        w3c::TRACEPARENT
        | w3c::TRACESTATE
        | w3c::BAGGAGE
        | b3::B3
        | jaeger::TRACE_ID
        | jaeger::BAGGAGE
        | xray::TRACE_ID => true,
        other => PREFIXES.iter().any(|prefix| other.starts_with(prefix)),
    }
}

/// What the formats without a `tracestate` say.
fn context(trace_id: u128, span_id: u64, flags: TraceFlags) -> Option<SpanContext> {
    let context = SpanContext {
        trace_id: TraceId(trace_id),
        span_id: SpanId(span_id),
        flags,
        tracestate: TraceState::NONE,
    };
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests;
