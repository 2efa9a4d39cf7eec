//! Every variable that is read: the source of `docs/environment.md` and of what errors expect.

/// One line of the page.
pub(super) struct Row {
    /// The variables; where there are several, those of one signal stand before that of all.
    pub(super) names: &'static [&'static str],
    /// What it does here.
    pub(super) what: &'static str,
    /// What happens without it.
    pub(super) default: &'static str,
    /// Values that are understood.
    pub(super) accepted: &'static str,
    /// Where this crate departs from the specification, and why; mostly empty.
    pub(super) differs: &'static str,
}

/// A part of the page.
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) rows: &'static [Row],
}

const fn row(
    names: &'static [&'static str],
    what: &'static str,
    default: &'static str,
    accepted: &'static str,
) -> Row {
    Row {
        names,
        what,
        default,
        accepted,
        differs: "",
    }
}

impl Row {
    const fn differs(mut self, how: &'static str) -> Row {
        self.differs = how;
        self
    }
}

const MILLIS: &str = "a whole number of milliseconds";
const TIMEOUT: &str = "a whole number of milliseconds, 0 for no limit";
const COUNT: &str = "a whole number";
const POSITIVE: &str = "a whole number, 1 or more";
const TEXT: &str = "any text";
const FILE: &str = "the path of a file in PEM format";
const STDOUT: &str = "`logging` is deprecated and `otlp/stdout` in development; both are taken for \
                      `console`, which writes what `otlp/stdout` is specified to write";

/// What a value of this variable should have been.
pub(super) fn accepted(name: &str) -> &'static str {
    let mut rows = GROUPS.iter().flat_map(|group| group.rows);
    rows.find(|row| row.names.contains(&name))
        .map_or("another value", |row| row.accepted)
}

pub(super) static GROUPS: &[Group] = &[
    Group {
        title: "General",
        rows: &[
            row(
                &["OTEL_SDK_DISABLED"],
                "Nothing is recorded or exported, for no signal; contexts still travel as \
                 `OTEL_PROPAGATORS` says.",
                "false",
                "true or false",
            )
            .differs(
                "the metrics page that the service itself shows, and log lines, stay: they are \
                 not the SDK's",
            ),
            row(
                &["OTEL_ENTITIES"],
                "Entities that the resource is about: their attributes join the resource where \
                 nothing else has set them, and each is referred to by its type and keys.",
                "none",
                "type{id_key=id_value}[key=value]@schema_url;...",
            ),
            row(
                &["OTEL_RESOURCE_ATTRIBUTES"],
                "Attributes of the resource, percent-decoded. What code sets wins.",
                "none",
                "key=value,key=value",
            ),
            row(
                &["OTEL_SERVICE_NAME"],
                "`service.name`. Wins over the name in code and over `OTEL_RESOURCE_ATTRIBUTES`.",
                "the name in code",
                TEXT,
            ),
            row(
                &["OTEL_LOG_LEVEL"],
                "The least severe log lines of this crate itself, in place of what `RUST_LOG` \
                 says about them.",
                "info",
                "none, error, warn, info, debug or trace",
            ),
            row(
                &["OTEL_PROPAGATORS"],
                "How contexts come in and go out, each once, in this order.",
                "tracecontext,baggage",
                "a list of tracecontext, baggage, b3, b3multi, jaeger, xray and ottrace, or none",
            ),
            row(
                &["OTEL_TRACES_SAMPLER"],
                "Which traces are recorded.",
                "parentbased_always_on",
                "always_on, always_off or traceidratio, each also after parentbased_",
            )
            .differs(
                "`jaeger_remote` and `xray` are refused: they ask a vendor's server, and anything \
                 in their place could be costly or blind",
            ),
            row(
                &["OTEL_TRACES_SAMPLER_ARG"],
                "The ratio of `traceidratio`.",
                "1.0",
                "a number from 0 to 1",
            ),
            row(
                &["OTEL_CONFIG_FILE", "OTEL_EXPERIMENTAL_CONFIG_FILE"],
                "Refused.",
                "none",
                "it unset: configuration files are not read, set variables instead",
            )
            .differs(
                "a file would have to replace every other variable; telemetry that ignores it \
                 would be set up otherwise than was told",
            ),
            row(
                &["RUST_LOG"],
                "Which log lines are written, in the grammar of \
                 `tracing_subscriber::EnvFilter`. Not of the specification.",
                "info",
                "directives such as info,shop=debug",
            ),
            row(
                &["OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"],
                "The HTTP methods that are recorded by name, case-sensitive; all others are \
                 `_OTHER`. Replaces the default list.",
                "GET,HEAD,POST,PUT,DELETE,CONNECT,OPTIONS,TRACE,PATCH,QUERY",
                "a list of 31 methods at most",
            ),
        ],
    },
    Group {
        title: "Spans on their way out",
        rows: &[
            row(
                &["OTEL_TRACES_EXPORTER"],
                "Where spans go; to each that is listed, one after the other: one that is away holds \
                 up the rest. The console takes lines of up to 1 MiB.",
                "otlp",
                "a list of otlp, console and zipkin, or none",
            )
            .differs(STDOUT),
            row(
                &["OTEL_BSP_SCHEDULE_DELAY"],
                "A span waits no longer than this for others to travel with.",
                "5000",
                MILLIS,
            )
            .differs("0 is 1: the exporter has to rest at times"),
            row(
                &["OTEL_BSP_EXPORT_TIMEOUT"],
                "A request, with all its attempts, is given up after this time.",
                "300000",
                TIMEOUT,
            )
            .differs(
                "the specification's default is 30000: here memory is bounded by bytes, and a \
                 collector's restart should cost no spans",
            ),
            row(
                &["OTEL_BSP_MAX_QUEUE_SIZE"],
                "Spans that wait at most; further ones are dropped and counted.",
                "no limit in spans, 8 MiB in bytes",
                POSITIVE,
            )
            .differs(
                "the specification's default is 2048: here the queue is bounded by bytes, which \
                 is what a process runs out of",
            ),
            row(
                &["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"],
                "Spans in one request at most.",
                "512, or `OTEL_BSP_MAX_QUEUE_SIZE` if that is less",
                "a whole number from 1 to the queue's size",
            ),
        ],
    },
    Group {
        title: "What a span may hold",
        rows: &[
            row(
                &["OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"],
                "Characters of a text in an attribute of a span or log record; longer ones are \
                 cut.",
                "no limit",
                COUNT,
            ),
            row(
                &["OTEL_ATTRIBUTE_COUNT_LIMIT"],
                "Attributes of a span or log record; further ones are dropped and counted in it.",
                "128",
                COUNT,
            ),
            row(
                &["OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"],
                "As `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT`, for spans.",
                "`OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT`",
                COUNT,
            ),
            row(
                &["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"],
                "As `OTEL_ATTRIBUTE_COUNT_LIMIT`, for spans.",
                "`OTEL_ATTRIBUTE_COUNT_LIMIT`",
                COUNT,
            ),
            row(
                &["OTEL_SPAN_EVENT_COUNT_LIMIT"],
                "Events of a span; further ones are dropped and counted in it.",
                "128",
                COUNT,
            ),
            row(
                &["OTEL_SPAN_LINK_COUNT_LIMIT"],
                "Links of a span; further ones are dropped and counted in it.",
                "128",
                COUNT,
            ),
            row(
                &["OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"],
                "Attributes of one event; further ones are dropped and counted in it.",
                "128",
                COUNT,
            ),
            row(
                &["OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"],
                "Attributes of one link; further ones are dropped and counted in it.",
                "128",
                COUNT,
            ),
        ],
    },
    Group {
        title: "Metrics on their way out",
        rows: &[
            row(
                &["OTEL_METRICS_EXPORTER"],
                "Where metrics go besides the page that the service shows; to each that is listed.",
                "none",
                "a list of otlp, console and prometheus, or none",
            )
            .differs(
                "the specification's default is `otlp`: here it is asked for, because all metrics \
                 are on the page already",
            ),
            row(
                &["OTEL_METRIC_EXPORT_INTERVAL"],
                "From the start of one push to the start of the next.",
                "60000",
                MILLIS,
            )
            .differs("0 is 1: the exporter has to rest at times"),
            row(
                &["OTEL_METRIC_EXPORT_TIMEOUT"],
                "A push, with all its attempts, is given up after this time.",
                "30000",
                TIMEOUT,
            ),
            row(
                &["OTEL_METRICS_EXEMPLAR_FILTER"],
                "Which measurements may become exemplars.",
                "trace_based",
                "always_on, always_off or trace_based",
            ),
            row(
                &["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"],
                "What pushed counters and histograms count from: the start, or the last push.",
                "cumulative",
                "cumulative, delta or lowmemory",
            ),
            row(
                &["OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"],
                "How histograms are pushed. The page keeps their bounds, and so does what is \
                 registered with the `prometheus` crate.",
                "explicit_bucket_histogram",
                "explicit_bucket_histogram or base2_exponential_bucket_histogram",
            ),
            row(
                &["OTEL_EXPORTER_PROMETHEUS_HOST"],
                "With `OTEL_METRICS_EXPORTER=prometheus`: the host whose `/metrics` is served.",
                "localhost",
                "a host name or an address",
            ),
            row(
                &["OTEL_EXPORTER_PROMETHEUS_PORT"],
                "With `OTEL_METRICS_EXPORTER=prometheus`: its port. 0 takes any that is free, \
                 which `Telemetry::prometheus_address` tells.",
                "9464",
                "a port, 0 to 65535",
            ),
        ],
    },
    Group {
        title: "Log records on their way out",
        rows: &[
            row(
                &["OTEL_LOGS_EXPORTER"],
                "Where log records go besides the lines on stdout; to each that is listed.",
                "none",
                "a list of otlp and console, or none",
            )
            .differs(
                "the specification's default is `otlp`: here it is asked for, because every line \
                 is on stdout already",
            ),
            row(
                &["OTEL_BLRP_SCHEDULE_DELAY"],
                "A record waits no longer than this for others to travel with.",
                "1000",
                MILLIS,
            )
            .differs("0 is 1: the exporter has to rest at times"),
            row(
                &["OTEL_BLRP_EXPORT_TIMEOUT"],
                "A request, with all its attempts, is given up after this time.",
                "300000",
                TIMEOUT,
            )
            .differs("as `OTEL_BSP_EXPORT_TIMEOUT`"),
            row(
                &["OTEL_BLRP_MAX_QUEUE_SIZE"],
                "Records that wait at most; further ones are dropped and counted.",
                "no limit in records, 8 MiB in bytes",
                POSITIVE,
            )
            .differs("as `OTEL_BSP_MAX_QUEUE_SIZE`"),
            row(
                &["OTEL_BLRP_MAX_EXPORT_BATCH_SIZE"],
                "Records in one request at most.",
                "512, or `OTEL_BLRP_MAX_QUEUE_SIZE` if that is less",
                "a whole number from 1 to the queue's size",
            ),
            row(
                &["OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT"],
                "As `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT`, for log records.",
                "`OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT`",
                COUNT,
            ),
            row(
                &["OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT"],
                "As `OTEL_ATTRIBUTE_COUNT_LIMIT`, for log records.",
                "`OTEL_ATTRIBUTE_COUNT_LIMIT`",
                COUNT,
            ),
        ],
    },
    Group {
        title: "OTLP",
        rows: &[
            row(
                &[
                    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
                    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
                    "OTEL_EXPORTER_OTLP_ENDPOINT",
                ],
                "Where OTLP goes. To the endpoint of all signals HTTP appends `v1/traces`, \
                 `v1/metrics` or `v1/logs`; that of one signal is used as it is. gRPC also takes \
                 `host:port`.",
                "http://localhost:4318, with gRPC http://localhost:4317",
                "a URL that begins with http:// or https://, without user and password",
            ),
            row(
                &[
                    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
                    "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
                    "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL",
                    "OTEL_EXPORTER_OTLP_PROTOCOL",
                ],
                "How OTLP travels.",
                "http/protobuf",
                "grpc, http/protobuf or http/json",
            ),
            row(
                &[
                    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
                    "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
                    "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
                    "OTEL_EXPORTER_OTLP_HEADERS",
                ],
                "Headers of each request, percent-decoded. Never written to a log line.",
                "none",
                "key=value,key=value",
            ),
            row(
                &[
                    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
                    "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT",
                    "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT",
                    "OTEL_EXPORTER_OTLP_TIMEOUT",
                ],
                "How long one attempt may take.",
                "10000",
                TIMEOUT,
            ),
            row(
                &[
                    "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
                    "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION",
                    "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION",
                    "OTEL_EXPORTER_OTLP_COMPRESSION",
                ],
                "How request bodies are packed.",
                "none",
                "gzip or none",
            ),
            row(
                &[
                    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
                    "OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE",
                    "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE",
                    "OTEL_EXPORTER_OTLP_CERTIFICATE",
                ],
                "Certificates that the collector's must be signed by, instead of those that the \
                 system trusts.",
                "what the system trusts",
                FILE,
            ),
            row(
                &[
                    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
                    "OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE",
                    "OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE",
                    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
                ],
                "The certificate shown to the collector. Needs its key as well.",
                "none",
                FILE,
            ),
            row(
                &[
                    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
                    "OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY",
                    "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY",
                    "OTEL_EXPORTER_OTLP_CLIENT_KEY",
                ],
                "The private key of that certificate.",
                "none",
                FILE,
            ),
            row(
                &[
                    "OTEL_EXPORTER_OTLP_TRACES_INSECURE",
                    "OTEL_EXPORTER_OTLP_METRICS_INSECURE",
                    "OTEL_EXPORTER_OTLP_LOGS_INSECURE",
                    "OTEL_EXPORTER_OTLP_INSECURE",
                ],
                "Whether gRPC to an endpoint without scheme goes without TLS.",
                "false",
                "true or false",
            ),
        ],
    },
    Group {
        title: "Zipkin",
        rows: &[
            row(
                &["OTEL_EXPORTER_ZIPKIN_ENDPOINT"],
                "With `OTEL_TRACES_EXPORTER=zipkin`: where spans are posted, as JSON of version 2. \
                 Deprecated by the specification.",
                "http://localhost:9411/api/v2/spans",
                "a URL that begins with http:// or https://, without user and password",
            ),
            row(
                &["OTEL_EXPORTER_ZIPKIN_TIMEOUT"],
                "How long one attempt may take.",
                "10000",
                TIMEOUT,
            ),
        ],
    },
];
