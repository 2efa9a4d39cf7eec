//! What can be said of the stack: where its pages are, and who is paged.

use app::settings::Secret;

/// Its section in the settings.
pub(crate) const SECTION: &str = "stack";

pub(crate) const ABOUT: &str = "the programs that `citywatch up --stack` runs beside the city";

app::settings! {
    /// The collector, Jaeger, Prometheus and Alertmanager beside the city.
    pub(crate) struct Settings {
        /// Where Prometheus listens. Port 0 is any free port, here and below.
        boot prometheus_listen: String = "127.0.0.1:9090".into(),
        /// Where Alertmanager listens.
        boot alertmanager_listen: String = "127.0.0.1:9093".into(),
        /// Where Jaeger's page and API listen; 16686 is the observatory's.
        boot jaeger_listen: String = "127.0.0.1:16687".into(),
        /// Where the collector takes OTLP over gRPC; 4317 is the observatory's.
        boot collector_otlp_grpc_listen: String = "127.0.0.1:0".into(),
        /// Where the collector takes OTLP over HTTP; 4318 is the observatory's.
        boot collector_otlp_http_listen: String = "127.0.0.1:0".into(),
        /// URL of the webhook that alerts are posted to, as `--pager` says too. Empty: nobody is
        /// told, and alerts are seen on Alertmanager's page alone.
        secret pager_url: Secret = Secret::default(),
        /// URL of the webhook that is posted to every minute while all is well enough to tell:
        /// whoever listens there pages when it falls silent. Empty: nobody is told.
        secret heartbeat_url: Secret = Secret::default(),
    }
}
