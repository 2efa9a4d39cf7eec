//! What each variable does, seen from outside: at a receiver, on the metrics page, on the output
//! of a process of its own. TLS is in `tls.rs`, propagators and samplers have tests beside them.

use crate::export::span;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use opentelemetry::trace::{Link, Span as _, SpanContext, TraceState, Tracer, TracerProvider};
use opentelemetry::{KeyValue, SpanId, TraceFlags, TraceId};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue as Attribute;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::collections::BTreeMap;
use std::io::Read;
use std::process::Command;
use std::time::Duration;
use telemetry::{DropReason, InitError, Service, Settings, Telemetry};
use tokio::net::TcpListener;
use tokio::sync::watch;

#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    /// Unpacked.
    body: Vec<u8>,
}

impl Request {
    fn spans(&self) -> Vec<Span> {
        let request = ExportTraceServiceRequest::decode(&self.body[..]).unwrap();
        let scopes = request.resource_spans.into_iter();
        let scopes = scopes.flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }

    fn resource(&self) -> Resource {
        let request = ExportTraceServiceRequest::decode(&self.body[..]).unwrap();
        request.resource_spans[0].resource.clone().unwrap()
    }
}

/// Takes whatever is posted to it, on any path.
#[derive(Clone)]
pub(crate) struct Receiver {
    requests: watch::Sender<Vec<Request>>,
    answers: bool,
}

impl Receiver {
    pub(crate) async fn start() -> (Receiver, String) {
        Receiver::start_that(true).await
    }

    /// It takes requests and never answers.
    pub(crate) async fn start_silent() -> (Receiver, String) {
        Receiver::start_that(false).await
    }

    async fn start_that(answers: bool) -> (Receiver, String) {
        let requests = watch::Sender::default();
        let receiver = Receiver { requests, answers };
        let app = Router::new().fallback(keep).with_state(receiver.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (receiver, address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.borrow().clone()
    }

    /// Resolves once so many requests have come.
    pub(crate) async fn arrived(&self, count: usize) {
        let mut requests = self.requests.subscribe();
        let enough = requests.wait_for(|requests| requests.len() >= count);
        enough.await.unwrap();
    }
}

async fn keep(State(receiver): State<Receiver>, uri: Uri, headers: HeaderMap, body: Bytes) {
    let packed = headers
        .get("content-encoding")
        .is_some_and(|encoding| encoding == "gzip");
    let mut bytes = body.to_vec();
    if packed {
        bytes.clear();
        let mut unpacked = flate2::read::GzDecoder::new(&body[..]);
        unpacked.read_to_end(&mut bytes).unwrap();
    }
    let request = Request {
        path: uri.path().to_owned(),
        headers,
        body: bytes,
    };
    receiver.requests.send_modify(|all| all.push(request));
    if !receiver.answers {
        std::future::pending::<()>().await;
    }
}

pub(crate) fn settings(variables: &[(&str, &str)]) -> Settings {
    let variable = |name: &str| {
        let set = variables.iter().find(|(known, _)| *known == name);
        set.map(|(_, value)| (*value).to_owned())
    };
    Settings::from_vars(variable).unwrap()
}

fn try_build(variables: &[(&str, &str)]) -> Result<Telemetry, InitError> {
    let service = Service::new("orders", "1.2.3");
    let builder = Telemetry::builder(service).settings(settings(variables));
    builder.without_subscriber().build()
}

/// What arrives when these variables are set and `work` is done.
async fn exported(variables: &[(&str, &str)], work: impl FnOnce(&Telemetry)) -> Vec<Request> {
    let (receiver, address) = Receiver::start().await;
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (*name, value.replace("RECEIVER", &address)))
        .collect();
    let mut all = vec![("OTEL_EXPORTER_OTLP_ENDPOINT", address.as_str())];
    all.retain(|(name, _)| !variables.iter().any(|(own, _)| own == name));
    all.extend(
        variables
            .iter()
            .map(|(name, value)| (*name, value.as_str())),
    );
    let telemetry = try_build(&all).unwrap();
    work(&telemetry);
    telemetry.shutdown(Duration::from_secs(10)).await;
    receiver.requests()
}

pub(crate) fn one_span(telemetry: &Telemetry) {
    span(telemetry, "/orders/7", StatusCode::OK);
}

fn texts(attributes: &[Attribute]) -> BTreeMap<String, String> {
    let text = |pair: &'_ Attribute| match pair.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        _ => None,
    };
    let texts = attributes.iter();
    texts
        .filter_map(|pair| Some((pair.key.clone(), text(pair)?)))
        .collect()
}

#[tokio::test]
async fn the_resource_is_what_the_variables_say() {
    for (variables, expected) in [
        (
            vec![("OTEL_SERVICE_NAME", "named")],
            vec![("service.name", "named"), ("service.version", "1.2.3")],
        ),
        (
            vec![(
                "OTEL_RESOURCE_ATTRIBUTES",
                "a%20key=a%2Cb,service.name=other,service.version=9",
            )],
            vec![
                ("a key", "a,b"),
                ("service.name", "orders"),
                ("service.version", "1.2.3"),
            ],
        ),
        (
            vec![
                ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,host.id=h1"),
                ("OTEL_SERVICE_NAME", "named"),
                ("OTEL_ENTITIES", "host{host.id=h2}[host.name=web]"),
            ],
            vec![
                ("service.name", "named"),
                ("host.id", "h1"),
                ("host.name", "web"),
            ],
        ),
    ] {
        let requests = exported(&variables, one_span).await;
        let resource = requests[0].resource();
        let texts = texts(&resource.attributes);
        for (key, value) in expected {
            assert_eq!(texts[key], value, "{variables:?}");
        }
        // The only entity here is of a host that the resource is not about.
        assert!(resource.entity_refs.is_empty());
    }
    let entity = "service{service.name=orders}[tier=gold];host{host.id=h}@https://schemas/1";
    let requests = exported(&[("OTEL_ENTITIES", entity)], one_span).await;
    let resource = requests[0].resource();
    assert_eq!(texts(&resource.attributes)["tier"], "gold");
    let [service, host] = &resource.entity_refs[..] else {
        panic!("{:?}", resource.entity_refs)
    };
    assert_eq!((&*service.r#type, &*host.r#type), ("service", "host"));
    assert_eq!(service.id_keys, ["service.name"]);
    assert_eq!(service.description_keys, ["tier"]);
    assert_eq!(host.schema_url, "https://schemas/1");
}

#[tokio::test]
async fn nothing_is_sent_when_told_so() {
    for variables in [
        [
            ("OTEL_SDK_DISABLED", "TRUE"),
            ("OTEL_METRICS_EXPORTER", "otlp"),
        ],
        [
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_METRICS_EXPORTER", "none"),
        ],
        [
            ("OTEL_TRACES_SAMPLER", "always_off"),
            ("OTEL_LOGS_EXPORTER", "none"),
        ],
        [
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0"),
        ],
    ] {
        let requests = exported(&variables, one_span).await;
        assert!(requests.is_empty(), "{variables:?}");
    }
}

/// Each variable of OTLP, for all signals and for one, which stands before it.
#[tokio::test]
async fn each_signal_has_its_own_way() {
    let both = [("OTEL_METRICS_EXPORTER", "otlp")];
    for (own, others) in [("TRACES", "METRICS"), ("METRICS", "TRACES")] {
        let path = |signal: &str| format!("/v1/{}", signal.to_lowercase());
        let name = |suffix: &str| format!("OTEL_EXPORTER_OTLP_{own}_{suffix}");
        let (endpoint, protocol) = (name("ENDPOINT"), name("PROTOCOL"));
        let (headers, compression) = (name("HEADERS"), name("COMPRESSION"));
        let variables = [
            both[0],
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=all"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "HTTP/PROTOBUF"),
            (&endpoint, "RECEIVER/own/path"),
            (&headers, "x-tenant=a%20b"),
            (&compression, "none"),
            (&protocol, "http/json"),
        ];
        let requests = exported(&variables, one_span).await;
        let at = |path: &str| {
            let request = requests.iter().find(|request| request.path == path);
            request.unwrap_or_else(|| panic!("nothing at {path}"))
        };
        let (one, other) = (at("/own/path"), at(&path(others)));
        assert_eq!(one.headers["x-tenant"], "a b");
        assert_eq!(other.headers["x-tenant"], "all");
        assert_eq!(one.headers.get("content-encoding"), None);
        assert_eq!(other.headers["content-encoding"], "gzip");
        assert_eq!(one.headers["content-type"], "application/json");
        assert_eq!(other.headers["content-type"], "application/x-protobuf");
        let json: serde_json::Value = serde_json::from_slice(&one.body).unwrap();
        assert!(
            json.as_object()
                .unwrap()
                .keys()
                .all(|key| key.starts_with("resource"))
        );
    }
}

#[tokio::test]
async fn a_span_holds_what_its_limits_allow() {
    let record = |telemetry: &Telemetry| {
        let tracer = telemetry.tracer_provider().tracer("shop");
        let pairs = || (0..3).map(|n| KeyValue::new(format!("k{n}"), "abcdef"));
        let linked = |id: u64| {
            let (trace, span) = (TraceId::from(1), SpanId::from(id));
            SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE)
        };
        let links = [1, 2, 3].map(|id| Link::new(linked(id), pairs().collect(), 0));
        let mut span = tracer
            .span_builder("work")
            .with_attributes(pairs())
            .with_links(links.into())
            .start(&tracer);
        for name in ["a", "b", "c"] {
            span.add_event(name, pairs().collect());
        }
        span.end();
    };
    /// Attributes, their dropped ones, the length of a value; events, links and their attributes.
    type Shape = ([usize; 3], [usize; 4]);
    let cases: [(&str, &str, Shape); 9] = [
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "2", ([2, 1, 6], [3, 3, 3, 3])),
        (
            "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
            "1",
            ([1, 2, 6], [3, 3, 3, 3]),
        ),
        (
            "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            "4",
            ([3, 0, 4], [3, 3, 3, 3]),
        ),
        (
            "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            "2",
            ([3, 0, 2], [3, 3, 3, 3]),
        ),
        (
            "OTEL_SPAN_EVENT_COUNT_LIMIT",
            "1",
            ([3, 0, 6], [1, 3, 3, 3]),
        ),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "2", ([3, 0, 6], [3, 2, 3, 3])),
        (
            "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
            "1",
            ([3, 0, 6], [3, 3, 1, 3]),
        ),
        (
            "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
            "0",
            ([3, 0, 6], [3, 3, 3, 0]),
        ),
        (
            "OTEL_SPAN_EVENT_COUNT_LIMIT",
            "-1",
            ([3, 0, 6], [3, 3, 3, 3]),
        ),
    ];
    for (name, value, expected) in cases {
        let requests = exported(&[(name, value)], record).await;
        let spans = requests[0].spans();
        let span = &spans[0];
        let length = texts(&span.attributes)["k0"].len();
        let shape = (
            [
                span.attributes.len(),
                span.dropped_attributes_count as usize,
                length,
            ],
            [
                span.events.len(),
                span.links.len(),
                span.events[0].attributes.len(),
                span.links[0].attributes.len(),
            ],
        );
        assert_eq!(shape, expected, "{name}={value}");
        assert_eq!(span.events.len() + span.dropped_events_count as usize, 3);
        assert_eq!(span.links.len() + span.dropped_links_count as usize, 3);
    }
}

#[tokio::test]
async fn batches_and_queues_are_as_large_as_told() {
    let five = |telemetry: &Telemetry| (0..5).for_each(|_| one_span(telemetry));
    let requests = exported(&[("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")], five).await;
    let sizes: Vec<_> = requests
        .iter()
        .map(|request| request.spans().len())
        .collect();
    assert_eq!(sizes.iter().sum::<usize>(), 5);
    assert!(sizes.iter().all(|size| *size <= 2), "{sizes:?}");

    // Nobody listens there.
    let dead = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    let queue = ("OTEL_BSP_MAX_QUEUE_SIZE", "2");
    let batch = ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1");
    let telemetry = try_build(&[dead, queue, batch]).unwrap();
    (0..50).for_each(|_| one_span(&telemetry));
    let counts = telemetry.counts();
    assert!(counts.queued <= 2, "{counts:?}");
    assert!(
        counts.dropped_for(DropReason::QueueFull) >= 40,
        "{counts:?}"
    );

    let given_up = ("OTEL_BSP_EXPORT_TIMEOUT", "1");
    let delay = ("OTEL_BSP_SCHEDULE_DELAY", "1");
    let telemetry = try_build(&[dead, given_up, delay]).unwrap();
    one_span(&telemetry);
    let lost = async {
        while telemetry.counts().dropped_for(DropReason::RetriesExhausted) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), lost)
        .await
        .unwrap();
}

#[tokio::test]
async fn zipkin_gets_its_own_json_beside_otlp() {
    let variables = [
        ("OTEL_TRACES_EXPORTER", "zipkin,otlp"),
        ("OTEL_EXPORTER_ZIPKIN_ENDPOINT", "RECEIVER/api/v2/spans"),
        ("OTEL_EXPORTER_ZIPKIN_TIMEOUT", "5000"),
    ];
    let requests = exported(&variables, one_span).await;
    let at = |path: &str| {
        requests
            .iter()
            .find(|request| request.path == path)
            .unwrap()
    };
    assert_eq!(at("/v1/traces").spans().len(), 1);
    let zipkin = at("/api/v2/spans");
    assert_eq!(zipkin.headers["content-type"], "application/json");
    let spans: serde_json::Value = serde_json::from_slice(&zipkin.body).unwrap();
    assert_eq!(spans[0]["kind"], "SERVER");
    assert_eq!(spans[0]["localEndpoint"]["serviceName"], "orders");
    assert_eq!(spans[0]["tags"]["http.response.status_code"], "200");
}

#[tokio::test]
async fn prometheus_pulls_from_a_listener_of_its_own() {
    let variables = |port| {
        [
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_METRICS_EXPORTER", "prometheus"),
            ("OTEL_EXPORTER_PROMETHEUS_HOST", "127.0.0.1"),
            ("OTEL_EXPORTER_PROMETHEUS_PORT", port),
        ]
    };
    let telemetry = try_build(&variables("0")).unwrap();
    one_span(&telemetry);
    let address = telemetry.prometheus_address().unwrap();
    assert!(address.ip().is_loopback());
    let client = reqwest::Client::new();
    let page = client.get(format!("http://{address}/metrics"));
    let page = page.send().await.unwrap();
    let content_type = page.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(
        content_type.starts_with("text/plain; version=0.0.4"),
        "{content_type}"
    );
    let text = page.text().await.unwrap();
    assert!(
        text.contains("http_server_request_duration_seconds_count{"),
        "{text}"
    );
    for (method, path, status) in [("GET", "/", 404), ("POST", "/metrics", 405)] {
        let request = client.request(method.parse().unwrap(), format!("http://{address}{path}"));
        assert_eq!(request.send().await.unwrap().status(), status);
    }
    let error = try_build(&variables(&address.port().to_string())).unwrap_err();
    assert!(
        error.to_string().contains("OTEL_EXPORTER_PROMETHEUS_PORT"),
        "{error}"
    );
    drop(telemetry);
    while client
        .get(format!("http://{address}/metrics"))
        .send()
        .await
        .is_ok()
    {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn methods_that_are_not_known_are_other() {
    let known = ("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "POST,get");
    let requests = exported(&[known], one_span).await;
    let spans = requests[0].spans();
    let attributes = texts(&spans[0].attributes);
    assert_eq!(attributes["http.request.method"], "_OTHER");
    assert_eq!(attributes["http.request.method_original"], "GET");
    assert_eq!(spans[0].name, "HTTP /orders/{id}");
}

#[tokio::test]
async fn metrics_are_pushed_as_told() {
    let push = |preference: &'static str| {
        [
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_METRICS_EXPORTER", "otlp"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "60000"),
            ("OTEL_METRIC_EXPORT_TIMEOUT", "5000"),
            (
                "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
                preference,
            ),
        ]
    };
    for (preference, temporality) in [("cumulative", 2), ("Delta", 1), ("lowmemory", 1)] {
        let requests = exported(&push(preference), one_span).await;
        let metrics = requests.iter().flat_map(|request| {
            let request = ExportMetricsServiceRequest::decode(&request.body[..]).unwrap();
            let scopes = request.resource_metrics.into_iter();
            let scopes = scopes.flat_map(|resource| resource.scope_metrics);
            scopes.flat_map(|scope| scope.metrics)
        });
        let duration = metrics
            .filter(|metric| metric.name == "http.server.request.duration")
            .find_map(|metric| match metric.data {
                Some(Data::Histogram(histogram)) => Some(histogram),
                _ => None,
            });
        let histogram = duration.unwrap();
        assert_eq!(
            histogram.aggregation_temporality, temporality,
            "{preference}"
        );
    }
}

const CHILD: &str = "TELEMETRY_TEST_ENVIRONMENT_CHILD";

/// A whole process with this environment; what it wrote to standard output.
async fn process(variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "environment::a_process_of_its_own",
            "--nocapture",
        ])
        .env_remove("RUST_LOG")
        .env(CHILD, "1")
        .envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{stdout}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    stdout
}

/// Alone it does nothing: it is what [`process`] runs.
#[tokio::test]
async fn a_process_of_its_own() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let telemetry = telemetry::init(Service::new("orders", "1.2.3")).unwrap();
    one_span(&telemetry);
    tracing::warn!(a = "abcdef", b = "abcdef", c = "abcdef", "sold");
    telemetry.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn the_console_gets_a_line_of_otlp_for_each_signal() {
    let stdout = process(&[
        ("OTEL_TRACES_EXPORTER", "console"),
        ("OTEL_METRICS_EXPORTER", "console"),
        ("OTEL_LOGS_EXPORTER", "otlp/stdout"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
    ])
    .await;
    let of = |start: &str| {
        let line = stdout
            .lines()
            .find_map(|line| Some(&line[line.find(start)?..]));
        line.unwrap_or_else(|| panic!("no {start} in {stdout}"))
            .to_owned()
    };
    let spans: ExportTraceServiceRequest = serde_json::from_str(&of("{\"resourceSpans\"")).unwrap();
    assert_eq!(spans.resource_spans[0].scope_spans[0].spans.len(), 1);
    let metrics: ExportMetricsServiceRequest =
        serde_json::from_str(&of("{\"resourceMetrics\"")).unwrap();
    assert!(
        !metrics.resource_metrics[0].scope_metrics[0]
            .metrics
            .is_empty()
    );
    let logs: ExportLogsServiceRequest = serde_json::from_str(&of("{\"resourceLogs\"")).unwrap();
    assert!(!logs.resource_logs[0].scope_logs[0].log_records.is_empty());
    // What was ignored is said.
    let warning = "variable is ignored";
    assert!(
        stdout
            .lines()
            .any(|line| line.contains(warning) && line.contains("many"))
    );
    let quiet = process(&[
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_LOG_LEVEL", "error"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
    ])
    .await;
    assert!(
        quiet.contains("sold") && !quiet.contains(warning),
        "{quiet}"
    );
}

#[tokio::test]
async fn log_records_leave_as_told() {
    for (limits, attributes, length) in [
        (vec![("OTEL_ATTRIBUTE_COUNT_LIMIT", "2")], 2, 6),
        (
            vec![
                ("OTEL_ATTRIBUTE_COUNT_LIMIT", "2"),
                ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "1"),
                ("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "3"),
            ],
            1,
            3,
        ),
    ] {
        let (receiver, address) = Receiver::start().await;
        let endpoint = format!("{address}/logs");
        let mut variables = vec![
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_LOGS_EXPORTER", "otlp"),
            ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "x-tenant=logs"),
            ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "5000"),
            ("OTEL_BLRP_MAX_QUEUE_SIZE", "100"),
            ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "1"),
            ("OTEL_BLRP_SCHEDULE_DELAY", "50"),
            ("OTEL_BLRP_EXPORT_TIMEOUT", "5000"),
        ];
        variables.extend(limits);
        process(&variables).await;
        let requests = receiver.requests();
        let records: Vec<_> = requests
            .iter()
            .map(|request| {
                assert_eq!(request.path, "/logs");
                assert_eq!(request.headers["x-tenant"], "logs");
                assert_eq!(request.headers["content-encoding"], "gzip");
                let request = ExportLogsServiceRequest::decode(&request.body[..]).unwrap();
                let records = request.resource_logs.into_iter();
                let records = records.flat_map(|resource| resource.scope_logs);
                let records: Vec<_> = records.flat_map(|scope| scope.log_records).collect();
                assert_eq!(records.len(), 1);
                records[0].clone()
            })
            .collect();
        let sold = records.iter().find(|record| {
            let body = record.body.as_ref().unwrap().value.clone();
            body == Some(Value::StringValue("sold".to_owned()))
        });
        let sold = sold.unwrap();
        assert_eq!(sold.attributes.len(), attributes);
        assert!(sold.dropped_attributes_count > 0);
        let texts = texts(&sold.attributes);
        assert!(texts.values().all(|text| text.len() <= length), "{texts:?}");
    }
}
