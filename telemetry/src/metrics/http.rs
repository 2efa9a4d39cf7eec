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
use super::histogram::{BOUNDS, Totals};
use super::labels::{self, Key, METHODS, NameCache, NameId, Names, SCHEMES, VERSIONS};
use super::series::{Instrument, Recorders};
use super::text::{Family, Kind, PageWriter};
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

    /// Writes the duration histogram; `place` gives the labels of a route or a peer.
    fn write_durations(
        &self,
        page: &mut PageWriter,
        name: &str,
        help: &str,
        place_labels: [&str; 2],
    ) {
        let Some(mut family) = page.family(name, Kind::Histogram, help) else {
            return;
        };
        // The series are read before the names: every name that a series uses is then there.
        let series = self.durations.snapshot();
        let (places, errors) = (self.places.all(), self.errors.all());
        for (key, totals) in series {
            if key == Key::OVERFLOW {
                write_histogram(&mut family, &[("otel_metric_overflow", "true")], &totals);
                continue;
            }
            let place = &places[key.place.index()];
            let (status, port) = (number(key.status), number(place.port));
            let labels = [
                ("http_request_method", METHODS[usize::from(key.method)]),
                ("http_response_status_code", status.as_str()),
                (place_labels[0], &*place.text),
                (place_labels[1], port.as_str()),
                (
                    "url_scheme",
                    SCHEMES
                        .get(usize::from(key.scheme))
                        .copied()
                        .unwrap_or_default(),
                ),
                (
                    "network_protocol_version",
                    VERSIONS
                        .get(usize::from(key.version))
                        .copied()
                        .unwrap_or_default(),
                ),
                (
                    "error_type",
                    &*errors[NameId::from_small(key.error).index()].text,
                ),
            ];
            write_histogram(&mut family, &labels, &totals);
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

    pub(super) fn write(&self, page: &mut PageWriter) {
        self.0.write_durations(
            page,
            "http_server_request_duration_seconds",
            "Duration of HTTP server requests.",
            ["http_route", ""],
        );
        let help = "Number of active HTTP server requests.";
        let Some(mut family) = page.family("http_server_active_requests", Kind::Gauge, help) else {
            return;
        };
        for (method, scheme, active) in self.0.active.snapshot() {
            let labels = [
                ("http_request_method", METHODS[usize::from(method)]),
                ("url_scheme", SCHEMES[usize::from(scheme)]),
            ];
            family.sample("", &labels, active);
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

    pub(super) fn write(&self, page: &mut PageWriter) {
        self.0.write_durations(
            page,
            "http_client_request_duration_seconds",
            "Duration of HTTP client requests.",
            ["server_address", "server_port"],
        );
    }
}

fn write_histogram(family: &mut Family<'_, '_>, labels: &[(&str, &str)], totals: &Totals) {
    let mut cumulative = 0;
    let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
    for ((bound, count), exemplar) in bounds.zip(totals.counts).zip(&totals.exemplars) {
        cumulative += count;
        family.bucket(labels, bound, cumulative, exemplar.as_ref());
    }
    family.sample("_sum", labels, totals.sum);
    family.sample("_count", labels, totals.count());
}

/// Zero is the absent number.
fn number(number: u16) -> String {
    if number == 0 {
        String::new()
    } else {
        number.to_string()
    }
}

fn now_nanos() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
