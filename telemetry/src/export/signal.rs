//! What OTLP carries. The three services differ in a name and in what they count; their requests
//! have the same shape: a resource, its scopes, the scopes' items.

/// One of OTLP's services, as
/// [defined](https://github.com/open-telemetry/opentelemetry-proto/tree/main/opentelemetry/proto/collector).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    /// Items are data points.
    Metrics,
    /// Items are log records.
    Logs,
}

impl Signal {
    /// The path of the gRPC method. HTTP has its path in the endpoint.
    pub(super) const fn grpc_method(self) -> &'static str {
        match self {
            Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        }
    }

    /// The signal in log lines and errors.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Metrics => "metrics",
            Signal::Logs => "logs",
        }
    }
}
