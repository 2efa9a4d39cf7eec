//! Duration and concurrency of HTTP requests, in the names and labels of the semantic
//! conventions (opentelemetry.io/docs/specs/semconv/http/http-metrics).
//!
//! Recording takes no lock once a thread has met a series. The thread's own halves of all
//! instruments live in thread-local storage, one set for each service of the process.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use super::active::{Active, ActiveCounter};
use super::exemplar::Exemplar;
use super::family::{Data, Description, Kind, Labels as Attributes, Snapshot};
use super::labels::{Key, METHODS, NameCache, NameId, Names, SCHEMES, VERSIONS};
use super::series::{Instrument, Recorders};
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
    /// As [`HttpServerMetrics::place`] gave it.
    pub(crate) route: NameId,
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

    fn error(&self, known: &mut NameCache, error_type: Option<&str>) -> u8 {
        error_type.map_or(0, |error| known.find(&self.errors, error, 0).small())
    }

    /// Counts one measurement; `key` finds its series with the thread's own memory of names.
    fn record(
        self: &Arc<Self>,
        key: impl Fn(&mut NameCache, &mut NameCache) -> Key,
        seconds: f64,
        exemplar: Option<&Exemplar>,
        active: Option<(Method, Scheme)>,
    ) {
        let recorded = self.with_local(|local| {
            let key = key(&mut local.places, &mut local.errors);
            local
                .durations
                .record(&self.durations, key, seconds, exemplar);
            if let Some((method, scheme)) = active {
                local.active.add(method as u8, scheme as u8, -1);
            }
        });
        if !recorded {
            let key = key(&mut NameCache::default(), &mut NameCache::default());
            self.durations.record_shared(key, seconds, exemplar);
            if let Some((method, scheme)) = active {
                self.active.add_shared(method as u8, scheme as u8, -1);
            }
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
        for (key, durations) in series {
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
            family.point(labels, Data::Distribution(durations));
        }
    }
}

impl HttpServerMetrics {
    pub(crate) fn new() -> Self {
        Self(Instruments::new(MAX_ROUTES))
    }

    /// The route as a label. Empty when no route matched.
    pub(crate) fn place(&self, route: &str) -> NameId {
        NameCache::default().find(&self.0.places, route, 0)
    }

    /// A request has come in. It ends with [`record`](Self::record), maybe on another thread.
    pub(crate) fn begin(&self, method: Method, scheme: Scheme) {
        let (method, scheme) = (method as u8, scheme as u8);
        if !self
            .0
            .with_local(|local| local.active.add(method, scheme, 1))
        {
            self.0.active.add_shared(method, scheme, 1);
        }
    }

    /// Counts one finished request; `exemplar` is of its span, when it was sampled.
    pub(crate) fn record(
        &self,
        labels: &ServerLabels<'_>,
        seconds: f64,
        exemplar: Option<&Exemplar>,
    ) {
        let key = |_: &mut NameCache, errors: &mut NameCache| Key {
            place: labels.route,
            status: labels.status,
            method: labels.method as u8,
            scheme: labels.scheme as u8,
            version: labels.version as u8,
            error: self.0.error(errors, labels.error_type),
        };
        let ended = Some((labels.method, labels.scheme));
        self.0.record(key, seconds, exemplar, ended);
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

    /// Counts one finished request; `exemplar` is of its span, when it was sampled.
    pub(crate) fn record(
        &self,
        labels: &ClientLabels<'_>,
        seconds: f64,
        exemplar: Option<&Exemplar>,
    ) {
        let key = |peers: &mut NameCache, errors: &mut NameCache| Key {
            place: peers.find(&self.0.places, labels.server_address, labels.server_port),
            status: labels.status,
            method: labels.method as u8,
            scheme: ABSENT,
            version: ABSENT,
            error: self.0.error(errors, labels.error_type),
        };
        self.0.record(key, seconds, exemplar, None);
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
