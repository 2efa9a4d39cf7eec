//! What every part of one service's telemetry shares.

use crate::context::{Propagators, SpanContext, TraceId};
use crate::cores::{self, CoreId};
use crate::export::report::Report;
use crate::export::spool::Spool;
use crate::http::head::Heads;
use crate::http::options::Options;
use crate::log::records::Records;
use crate::metrics::{Metrics, MetricsPage};
use crate::sampling::{Beginning, Decision, Sampling, Subject};
use crate::service::Service;
use crate::settings::{Limits, Settings};
use crate::span;
use opentelemetry::InstrumentationScope;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// The version of the semantic conventions whose names are used.
pub(crate) const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";

/// One service's telemetry, without what only its owner needs.
#[derive(Debug)]
pub(crate) struct Core {
    id: CoreId,
    service: Service,
    sampling: Sampling,
    propagators: Propagators,
    limits: Limits,
    /// False when nothing is exported; contexts travel all the same.
    recording: bool,
    /// How long the exporter may go on once nobody needs this any more.
    last_words: std::time::Duration,
    scope: Arc<[u8]>,
    pub(crate) http: Options,
    /// Somebody may look at the OpenTelemetry API's current context.
    speaks_otel: AtomicBool,
    pub(crate) heads: Heads,
    pub(crate) spool: Arc<Spool>,
    pub(crate) metrics: Metrics,
    /// Where log records go, if they leave by OTLP.
    pub(crate) records: Option<Arc<Records>>,
}

/// What becomes of each signal.
pub(crate) struct Signals {
    pub(crate) spool: Arc<Spool>,
    pub(crate) metrics: Metrics,
    pub(crate) records: Option<Arc<Records>>,
}

impl Core {
    pub(crate) fn new(
        service: Service,
        settings: &Settings,
        recording: bool,
        last_words: std::time::Duration,
        http: Options,
        signals: Signals,
    ) -> Core {
        let Signals {
            spool,
            metrics,
            records,
        } = signals;
        let scope = scope("citywatch-telemetry", env!("CARGO_PKG_VERSION"));
        Core {
            id: CoreId::next(),
            service,
            sampling: Sampling::new(&settings.sampler),
            propagators: settings.propagators,
            limits: settings.limits,
            recording,
            last_words,
            scope,
            heads: Heads::new(&http.methods),
            http,
            speaks_otel: AtomicBool::new(settings.opentelemetry_context),
            spool,
            metrics,
            records,
        }
    }

    pub(crate) fn id(&self) -> CoreId {
        self.id
    }

    pub(crate) fn service(&self) -> &Service {
        &self.service
    }

    pub(crate) fn propagators(&self) -> Propagators {
        self.propagators
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Our own instrumentation scope, as field 1 of `ScopeSpans` and `ScopeMetrics`.
    pub(crate) fn scope(&self) -> Arc<[u8]> {
        Arc::clone(&self.scope)
    }

    pub(crate) fn is_recording(&self) -> bool {
        self.recording
    }

    /// What becomes of a span that begins a trace here, or goes on with a caller's.
    #[inline]
    pub(crate) fn sample<'a>(
        &self,
        trace_id: TraceId,
        caller: Option<&SpanContext>,
        subject: impl FnOnce() -> Subject<'a>,
    ) -> Decision {
        let beginning = Beginning {
            trace_id,
            parent: caller,
            remote: true,
        };
        self.sampling.decide(&beginning, subject)
    }

    /// What becomes of a span within another one of this process.
    pub(crate) fn sample_within<'a>(
        &self,
        parent: &SpanContext,
        subject: impl FnOnce() -> Subject<'a>,
    ) -> Decision {
        let beginning = Beginning {
            trace_id: parent.trace_id,
            parent: Some(parent),
            remote: false,
        };
        self.sampling.decide(&beginning, subject)
    }

    pub(crate) fn sampling(&self) -> &Sampling {
        &self.sampling
    }

    /// From now on the OpenTelemetry API's current context follows ours.
    #[cfg(feature = "opentelemetry-sdk")]
    pub(crate) fn speak_otel(&self) {
        if !self.speaks_otel.swap(true, Ordering::Relaxed) {
            crate::context::current::attach_late();
        }
    }

    #[inline]
    pub(crate) fn speaks_otel(&self) -> bool {
        self.speaks_otel.load(Ordering::Relaxed)
    }

    /// What each signal's way out says about itself.
    pub(crate) fn reports(&self) -> Vec<Report> {
        let records = self.records.iter().map(|records| records.report());
        std::iter::once(self.spool.report())
            .chain(records)
            .chain(self.metrics.report())
            .collect()
    }

    /// All metrics in the form that `accept` prefers.
    pub(crate) fn metrics_page(&self, accept: Option<&str>) -> MetricsPage {
        self.metrics.page(accept, &self.reports())
    }

    /// Writes a span of our own scope.
    pub(crate) fn record(&self, write: impl FnOnce(&mut Vec<u8>)) {
        self.spool.push(&self.scope, write);
    }
}

/// The core as those hold it who can begin something: handles, edges, layers. Spans under way, and
/// memory that is kept for the next ones, hold no more than the core.
#[derive(Debug)]
pub(crate) struct Alive(Arc<Core>);

impl Alive {
    pub(crate) fn new(core: Core) -> Arc<Alive> {
        let alive = Arc::new(Alive(Arc::new(core)));
        cores::announce(&alive);
        alive
    }
}

impl Deref for Alive {
    type Target = Arc<Core>;

    fn deref(&self) -> &Arc<Core> {
        &self.0
    }
}

/// Nothing can begin any more: the exporter goes on for a moment, then ends.
impl Drop for Alive {
    fn drop(&mut self) {
        self.spool.close(Instant::now() + self.last_words);
    }
}

/// A scope that follows our version of the semantic conventions.
pub(crate) fn scope(name: &'static str, version: &'static str) -> Arc<[u8]> {
    let scope = InstrumentationScope::builder(name)
        .with_version(version)
        .with_schema_url(SCHEMA_URL);
    span::scope::encode(&scope.build())
}
