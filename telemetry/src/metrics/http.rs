//! Duration, concurrency and body sizes of HTTP requests, in the names and labels of the semantic
//! conventions (opentelemetry.io/docs/specs/semconv/http/http-metrics).
//!
//! Recording takes no lock once a thread has met a series. The thread's own halves of all
//! instruments are kept with what else it keeps of each service of the process.

use std::cell::RefCell;
use std::hint::cold_path;
use std::sync::Arc;

use super::active::{Active, ActiveCounter};
use super::exemplar::Exemplar;
use super::family::{Data, Description, Distribution, Kind, Labels as Attributes, Snapshot};
use super::histogram::{Bytes, Seconds};
use super::labels::{Key, NameCache, NameId, Names, OTHER, SCHEMES, VERSIONS};
use super::series::{Instrument, Recorders};
use crate::http::methods::{Method, Methods};
use crate::http::options::Options;
use crate::http::semconv::{Scheme, Version};
use crate::settings::HistogramAggregation;

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
    /// Of the answer.
    pub(crate) version: Option<Version>,
    pub(crate) error_type: Option<&'a str>,
}

/// What was measured of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finished<'a> {
    pub(crate) seconds: f64,
    /// Of its span, if that is one to be shown.
    pub(crate) exemplar: Option<&'a Exemplar>,
    /// `None` unless the service wants them.
    pub(crate) sizes: Option<&'a BodySizes>,
}

/// Bytes of the bodies of one request, as far as they are known.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BodySizes {
    pub(crate) request: Option<u64>,
    pub(crate) response: Option<u64>,
}

/// `http.server.request.duration`, `http.server.active_requests`, and the body sizes.
#[derive(Debug)]
pub(crate) struct HttpServerMetrics(Instruments);

/// `http.client.request.duration`, and the body sizes.
#[derive(Debug)]
pub(crate) struct HttpClientMetrics(Instruments);

/// What all threads of one service share.
#[derive(Debug)]
struct Instruments {
    durations: Instrument<Seconds>,
    /// Of requests and of responses, if the service wants them.
    sizes: Option<[Instrument<Bytes>; 2]>,
    active: Active,
    methods: Arc<Methods>,
    /// Routes of a server, peers of a client.
    places: Names,
    errors: Names,
}

/// One thread's halves of a service's instruments, for requests that come in or that go out.
#[derive(Debug, Default)]
pub(crate) struct HttpHalves {
    durations: Recorders<Seconds>,
    sizes: [Recorders<Bytes>; 2],
    places: NameCache,
    errors: NameCache,
}

impl Instruments {
    fn new(max_places: u16, http: &Options, aggregation: HistogramAggregation) -> Self {
        Self {
            durations: Instrument::new(aggregation),
            sizes: http
                .body_sizes
                .then(|| [(); 2].map(|()| Instrument::new(aggregation))),
            active: Active::new(http.methods.len()),
            methods: Arc::clone(&http.methods),
            places: Names::new(max_places),
            errors: Names::new(MAX_ERRORS),
        }
    }

    fn error(&self, known: &mut NameCache, error_type: Option<&str>) -> u8 {
        error_type.map_or(0, |error| self.known_error(known, error))
    }

    #[cold]
    fn known_error(&self, known: &mut NameCache, error: &str) -> u8 {
        known.find(&self.errors, error, 0).small()
    }

    /// Counts one request; `key` finds its series with the thread's own memory of names. A thread
    /// that is going away has no halves any more.
    #[inline]
    fn record(
        &self,
        halves: Option<&RefCell<HttpHalves>>,
        key: impl Fn(&mut NameCache, &mut NameCache) -> Key,
        finished: Finished<'_>,
    ) {
        let Some(halves) = halves else {
            cold_path();
            let key = key(&mut NameCache::default(), &mut NameCache::default());
            return self.record_shared(key, finished);
        };
        let mut halves = halves.borrow_mut();
        let HttpHalves {
            durations,
            places,
            errors,
            ..
        } = &mut *halves;
        let key = key(places, errors);
        durations.record(&self.durations, key, finished.seconds, finished.exemplar);
        if finished.sizes.is_some() {
            self.record_sizes(&mut halves, key, finished);
        }
    }

    #[inline(never)]
    fn record_sizes(&self, halves: &mut HttpHalves, key: Key, finished: Finished<'_>) {
        self.each_size(finished, |at, sizes, bytes, exemplar| {
            halves.sizes[at].record(sizes, key, bytes, exemplar);
        });
    }

    #[cold]
    fn record_shared(&self, key: Key, finished: Finished<'_>) {
        self.durations
            .record_shared(key, finished.seconds, finished.exemplar);
        self.each_size(finished, |_, sizes, bytes, exemplar| {
            sizes.record_shared(key, bytes, exemplar);
        });
    }

    /// The sizes that are known, each with its instrument and the instrument's place.
    #[inline]
    fn each_size(
        &self,
        finished: Finished<'_>,
        mut record: impl FnMut(usize, &Instrument<Bytes>, f64, Option<&Exemplar>),
    ) {
        let (Some(instruments), Some(sizes)) = (&self.sizes, finished.sizes) else {
            return;
        };
        let sizes = [sizes.request, sizes.response];
        for (at, (instrument, bytes)) in instruments.iter().zip(sizes).enumerate() {
            let Some(bytes) = bytes else { continue };
            // Exact up to eight pebibytes.
            let value = bytes as f64;
            let exemplar = finished
                .exemplar
                .map(|exemplar| Exemplar { value, ..*exemplar });
            record(at, instrument, value, exemplar.as_ref());
        }
    }

    /// Adds the histograms; `place_labels` name a route or a peer.
    fn gather(
        &self,
        all: &mut Snapshot,
        [duration, request, response]: [(&'static str, &'static str); 3],
        place_labels: [&'static str; 2],
    ) {
        let durations = self.durations.snapshot();
        self.gather_one(all, duration, "s", durations, place_labels);
        if let Some([of_requests, of_responses]) = &self.sizes {
            self.gather_one(all, request, "By", of_requests.snapshot(), place_labels);
            self.gather_one(all, response, "By", of_responses.snapshot(), place_labels);
        }
    }

    fn gather_one(
        &self,
        all: &mut Snapshot,
        (name, help): (&'static str, &'static str),
        unit: &'static str,
        series: Vec<(Key, Distribution)>,
        place_labels: [&'static str; 2],
    ) {
        let description = Description::new(Kind::Histogram, name, unit, help);
        let Some(family) = all.family(description) else {
            return;
        };
        // The series were read before the names: every name that a series uses is then there.
        let (places, errors) = (self.places.all(), self.errors.all());
        let of =
            |list: &[&'static str], at: u8| list.get(usize::from(at)).copied().unwrap_or_default();
        for (key, values) in series {
            let labels = if key == Key::OVERFLOW {
                Attributes::none().with("otel.metric.overflow", "true")
            } else {
                let place = &places[key.place.index()];
                let error = &errors[NameId::from_small(key.error).index()];
                Attributes::none()
                    .with("http.request.method", self.method(key.method))
                    .with("http.response.status_code", key.status)
                    .with(place_labels[0], Arc::clone(&place.text))
                    .with(place_labels[1], place.port)
                    .with("url.scheme", of(&SCHEMES, key.scheme))
                    .with("network.protocol.version", of(&VERSIONS, key.version))
                    .with("error.type", Arc::clone(&error.text))
            };
            family.point(labels, Data::Distribution(values));
        }
    }

    fn method(&self, index: u8) -> Arc<str> {
        let known = self.methods.label(index);
        known.unwrap_or_else(|| Arc::from(OTHER))
    }
}

impl HttpServerMetrics {
    pub(crate) fn new(http: &Options, aggregation: HistogramAggregation) -> Self {
        Self(Instruments::new(MAX_ROUTES, http, aggregation))
    }

    /// The route as a label. Empty when no route matched.
    pub(crate) fn place(&self, route: &str) -> NameId {
        NameCache::default().find(&self.0.places, route, 0)
    }

    /// The calling thread's numbers of requests in flight. A request may end on another thread.
    pub(crate) fn join_active(&self) -> ActiveCounter {
        self.0.active.join()
    }

    /// A request has ended on a thread that has no such numbers any more.
    #[cold]
    pub(crate) fn end_shared(&self, method: Method, scheme: Scheme) {
        let (method, scheme) = (method.index(), scheme as u8);
        self.0.active.add_shared(method, scheme, -1);
    }

    /// Counts one finished request.
    #[inline]
    pub(crate) fn record(
        &self,
        halves: Option<&RefCell<HttpHalves>>,
        labels: &ServerLabels<'_>,
        finished: Finished<'_>,
    ) {
        let key = |_: &mut NameCache, errors: &mut NameCache| Key {
            place: labels.route,
            status: labels.status,
            method: labels.method.index(),
            scheme: labels.scheme as u8,
            version: labels.version as u8,
            error: self.0.error(errors, labels.error_type),
        };
        self.0.record(halves, key, finished);
    }

    pub(super) fn gather(&self, all: &mut Snapshot) {
        let names = [
            (
                "http.server.request.duration",
                "Duration of HTTP server requests.",
            ),
            (
                "http.server.request.body.size",
                "Size of HTTP server request bodies.",
            ),
            (
                "http.server.response.body.size",
                "Size of HTTP server response bodies.",
            ),
        ];
        self.0.gather(all, names, ["http.route", ""]);
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
                .with("http.request.method", self.0.method(method))
                .with("url.scheme", SCHEMES[usize::from(scheme)]);
            family.number(labels, active);
        }
    }
}

impl HttpClientMetrics {
    pub(crate) fn new(http: &Options, aggregation: HistogramAggregation) -> Self {
        Self(Instruments::new(MAX_PEERS, http, aggregation))
    }

    /// Counts one finished request.
    pub(crate) fn record(
        &self,
        halves: Option<&RefCell<HttpHalves>>,
        labels: &ClientLabels<'_>,
        finished: Finished<'_>,
    ) {
        let key = |peers: &mut NameCache, errors: &mut NameCache| Key {
            place: peers.find(&self.0.places, labels.server_address, labels.server_port),
            status: labels.status,
            method: labels.method.index(),
            scheme: ABSENT,
            version: labels.version.map_or(ABSENT, |version| version as u8),
            error: self.0.error(errors, labels.error_type),
        };
        self.0.record(halves, key, finished);
    }

    pub(super) fn gather(&self, all: &mut Snapshot) {
        let names = [
            (
                "http.client.request.duration",
                "Duration of HTTP client requests.",
            ),
            (
                "http.client.request.body.size",
                "Size of HTTP client request bodies.",
            ),
            (
                "http.client.response.body.size",
                "Size of HTTP client response bodies.",
            ),
        ];
        self.0.gather(all, names, ["server.address", "server.port"]);
    }
}
