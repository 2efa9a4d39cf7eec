//! Duration and concurrency of HTTP requests, in the names and labels of the semantic
//! conventions (opentelemetry.io/docs/specs/semconv/http/http-metrics).
//!
//! Recording takes no lock once a thread has met a series. The thread's own halves of all
//! instruments live in thread-local storage, one set for each service of the process.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use super::active::{Active, ActiveCounter};
use super::exemplar::Exemplar;
use super::family::{Data, Description, Kind, Labels as Attributes, Snapshot};
use super::labels::{self, Key, METHODS, NameCache, NameId, Names, SCHEMES, VERSIONS};
use super::series::{Instrument, Recorders};
use crate::context::SpanContext;
use crate::http::semconv::{Method, Scheme, Version};

/// Routes of one service. Templates are declared by the service, not by its callers, but
/// a gateway's change while it runs.
const MAX_ROUTES: u16 = 1_000;
/// Peers of one service: pairs of address and port. Instances that come and go with new
/// ports use them up; later ones are counted under `_OTHER`.
const MAX_PEERS: u16 = 128;
const MAX_ERRORS: u16 = 100;
/// Index of a label that a series does not have.
const ABSENT: u8 = u8::MAX;

/// What one finished server request is counted under.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServerLabels<'a> {
    /// Empty when no route matched.
    pub(crate) route: &'a str,
    pub(crate) method: Method,
    /// 0 when the request ended before its answer had a status.
    pub(crate) status: u16,
    pub(crate) version: Version,
    pub(crate) scheme: Scheme,
    pub(crate) error_type: Option<&'a str>,
}

/// What one finished client request is counted under.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientLabels<'a> {
    pub(crate) method: Method,
    pub(crate) server_address: &'a str,
    pub(crate) server_port: u16,
    /// 0 when no answer came.
    pub(crate) status: u16,
    pub(crate) error_type: Option<&'a str>,
}

/// `http.server.request.duration` and `http.server.active_requests`.
#[derive(Debug)]
pub(crate) struct HttpServerMetrics(Arc<Instruments>);

/// `http.client.request.duration`.
#[derive(Debug)]
pub(crate) struct HttpClientMetrics(Arc<Instruments>);

/// What all threads of one service share.
#[derive(Debug)]
struct Instruments {
    /// Finds a thread's own half; never used twice in a process.
    id: u64,
    durations: Instrument,
    active: Active,
    /// Routes of a server, peers of a client.
    places: Names,
    errors: Names,
}

/// One thread's halves of one service's instruments.
#[derive(Debug)]
struct Local {
    id: u64,
    shared: Weak<Instruments>,
    durations: Recorders,
    active: ActiveCounter,
    places: NameCache,
    errors: NameCache,
}

thread_local! {
    static LOCALS: RefCell<Vec<Local>> = const { RefCell::new(Vec::new()) };
}

/// The labels of one measurement, before they are looked up.
struct Labels<'a> {
    place: (&'a str, u16),
    status: u16,
    method: Method,
    scheme: Option<Scheme>,
    version: Option<Version>,
    error_type: Option<&'a str>,
}

impl Labels<'_> {
    fn key(&self, shared: &Instruments, places: &mut NameCache, errors: &mut NameCache) -> Key {
        let (text, port) = self.place;
        let error = errors.find(&shared.errors, self.error_type.unwrap_or_default(), 0);
        Key {
            place: places.find(&shared.places, text, port),
            status: self.status,
            method: labels::method(self.method.as_str()),
            scheme: self
                .scheme
                .map_or(ABSENT, |scheme| labels::scheme(scheme.as_str())),
            version: self
                .version
                .map_or(ABSENT, |version| labels::version(version.as_str())),
            error: error.small(),
        }
    }
}

impl Instruments {
    fn new(max_places: u16) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            durations: Instrument::default(),
            active: Active::default(),
            places: Names::new(max_places),
            errors: Names::new(MAX_ERRORS),
        })
    }

    /// Runs `own` with this thread's halves. `false` when the thread has none any more: its
    /// storage is being torn down and something that lived there is still measuring.
    fn with_local(self: &Arc<Self>, own: impl FnOnce(&mut Local)) -> bool {
        LOCALS
            .try_with(|locals| {
                let Ok(mut locals) = locals.try_borrow_mut() else {
                    return false;
                };
                let at = locals.iter().position(|local| local.id == self.id);
                let at = at.unwrap_or_else(|| {
                    locals.retain(|local| local.shared.strong_count() > 0);
                    locals.push(Local {
                        id: self.id,
                        shared: Arc::downgrade(self),
                        durations: Recorders::default(),
                        active: self.active.join(),
                        places: NameCache::default(),
                        errors: NameCache::default(),
                    });
                    locals.len() - 1
                });
                own(&mut locals[at]);
                true
            })
            .unwrap_or(false)
    }

    fn record(self: &Arc<Self>, labels: &Labels<'_>, seconds: f64, span: Option<&SpanContext>) {
        let exemplar = span.map(|span| Exemplar {
            trace_id: span.trace_id.0,
            span_id: span.span_id.0,
            value: seconds,
            at_nanos: now_nanos(),
        });
        let exemplar = exemplar.as_ref();
        let recorded = self.with_local(|local| {
            let key = labels.key(self, &mut local.places, &mut local.errors);
            local
                .durations
                .record(&self.durations, key, seconds, exemplar);
        });
        if !recorded {
            let key = labels.key(self, &mut NameCache::default(), &mut NameCache::default());
            self.durations.record_shared(key, seconds, exemplar);
        }
    }

    fn active(self: &Arc<Self>, method: Method, scheme: Scheme, delta: i64) {
        let method = labels::method(method.as_str());
        let scheme = labels::scheme(scheme.as_str());
        if !self.with_local(|local| local.active.add(method, scheme, delta)) {
            self.active.add_shared(method, scheme, delta);
        }
    }

    /// Adds the duration histogram; `place` names the labels of a route or a peer.
    fn gather_durations(
        &self,
        all: &mut Snapshot,
        name: &'static str,
        help: &'static str,
        place_labels: [&'static str; 2],
    ) {
        let description = Description::new(Kind::Histogram, name, "s", help);
        let Some(family) = all.family(description) else {
            return;
        };
        // The series are read before the names: every name that a series uses is then there.
        let series = self.durations.snapshot();
        let (places, errors) = (self.places.all(), self.errors.all());
        let of =
            |list: &[&'static str], at: u8| list.get(usize::from(at)).copied().unwrap_or_default();
        for (key, totals) in series {
            let labels = if key == Key::OVERFLOW {
                Attributes::none().with("otel.metric.overflow", "true")
            } else {
                let place = &places[key.place.index()];
                let error = &errors[NameId::from_small(key.error).index()];
                Attributes::none()
                    .with("http.request.method", of(&METHODS, key.method))
                    .with("http.response.status_code", key.status)
                    .with(place_labels[0], Arc::clone(&place.text))
                    .with(place_labels[1], place.port)
                    .with("url.scheme", of(&SCHEMES, key.scheme))
                    .with("network.protocol.version", of(&VERSIONS, key.version))
                    .with("error.type", Arc::clone(&error.text))
            };
            family.point(labels, Data::Distribution(totals.into()));
        }
    }
}

impl HttpServerMetrics {
    pub(crate) fn new() -> Self {
        Self(Instruments::new(MAX_ROUTES))
    }

    /// Counts one finished request; `exemplar` is the span, when it was sampled.
    pub(crate) fn record(
        &self,
        labels: ServerLabels<'_>,
        seconds: f64,
        exemplar: Option<&SpanContext>,
    ) {
        let labels = Labels {
            place: (labels.route, 0),
            status: labels.status,
            method: labels.method,
            scheme: Some(labels.scheme),
            version: Some(labels.version),
            error_type: labels.error_type,
        };
        self.0.record(&labels, seconds, exemplar);
    }

    /// +1 when a request starts, -1 when it ends, maybe on another thread.
    pub(crate) fn active(&self, method: Method, scheme: Scheme, delta: i64) {
        self.0.active(method, scheme, delta);
    }

    pub(super) fn gather(&self, all: &mut Snapshot) {
        self.0.gather_durations(
            all,
            "http.server.request.duration",
            "Duration of HTTP server requests.",
            ["http.route", ""],
        );
        let description = Description::new(
            Kind::UpDownCounter,
            "http.server.active_requests",
            "{request}",
            "Number of active HTTP server requests.",
        );
        let Some(family) = all.family(description) else {
            return;
        };
        for (method, scheme, active) in self.0.active.snapshot() {
            let labels = Attributes::none()
                .with("http.request.method", METHODS[usize::from(method)])
                .with("url.scheme", SCHEMES[usize::from(scheme)]);
            family.number(labels, active);
        }
    }
}

impl HttpClientMetrics {
    pub(crate) fn new() -> Self {
        Self(Instruments::new(MAX_PEERS))
    }

    /// Counts one finished request; `exemplar` is the span, when it was sampled.
    pub(crate) fn record(
        &self,
        labels: ClientLabels<'_>,
        seconds: f64,
        exemplar: Option<&SpanContext>,
    ) {
        let labels = Labels {
            place: (labels.server_address, labels.server_port),
            status: labels.status,
            method: labels.method,
            scheme: None,
            version: None,
            error_type: labels.error_type,
        };
        self.0.record(&labels, seconds, exemplar);
    }

    pub(super) fn gather(&self, all: &mut Snapshot) {
        self.0.gather_durations(
            all,
            "http.client.request.duration",
            "Duration of HTTP client requests.",
            ["server.address", "server.port"],
        );
    }
}

fn now_nanos() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
