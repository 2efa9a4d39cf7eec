use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use discovery::Advertise;

use super::Secret;

crate::settings! {
    /// What every service can be told, in its own section or, for all at once, in `city`.
    pub struct Common validated by usable {
        /// Address of the public listener. Empty: the service's own default, which is port 0
        /// (any free port, found through the registry) for most.
        boot listen: String = String::new(),
        /// Address of the admin listener: `/livez`, `/readyz`, `/metrics`, `/openapi.json`,
        /// `/faults`.
        boot admin_listen: String = "127.0.0.1:0".into(),
        /// Where others reach this instance: a host, or host:port, as the registry is to hand out.
        /// Empty: where it listens; if that is every interface (0.0.0.0), the one that leads to
        /// the registry.
        boot advertise: Advertise = Advertise::Listener,
        /// Base address of the registry. Empty: no discovery and no documents.
        boot registry_url: String = String::new(),
        /// Addresses of services by name, for a city without registry.
        boot instances: BTreeMap<String, Vec<SocketAddr>> = BTreeMap::new(),
        /// Folder for stores, keys and the last known documents.
        boot data_dir: PathBuf = PathBuf::from(".citywatch"),
        /// File with this service's own Ed25519 key (PKCS#8 PEM). Empty: it cannot identify
        /// itself to others.
        boot service_key_file: PathBuf = PathBuf::new(),
        /// Token that lets an operator change state. Empty: no operator is let in.
        secret operator_token: Secret = Secret::default(),
        /// Whether the operator may make the service fail on purpose, by `/faults` of the admin
        /// listener.
        boot faults_enabled: bool = false,
        /// Log filter: a level, or `target=level` pairs separated by commas.
        live log: String = "info".into(),
        /// Longest time that a request may take, in milliseconds; then 504.
        live request_timeout_ms: u64 = 10_000,
        /// Retries of calls to other services, in percent of the calls; where these are few, one a
        /// second. 0: no call is made again. 100 and more: no budget, every call that fails is made
        /// again as often as its edge allows.
        live retry_budget_percent: u32 = 8,
        /// Share of failed calls within ten seconds at which an endpoint's circuit breaker opens,
        /// in percent. 0: never.
        live breaker_failure_percent: u32 = 50,
        /// Failed calls in a row at which an endpoint's circuit breaker opens. 0: never.
        live breaker_consecutive_failures: u32 = 5,
        /// How often an event is tried before it is a dead letter.
        live events_attempts: u32 = 5,
        /// Time after the first failed attempt at an event, in milliseconds; it doubles with each
        /// further one.
        live events_backoff_ms: u64 = 200,
        /// Longest time between two attempts at an event, in milliseconds.
        live events_backoff_max_ms: u64 = 30_000,
        /// How long published events are kept for those who read them, in hours.
        live events_retention_hours: u64 = 168,
        /// How much of published events is kept for those who read them, in MiB.
        live events_retention_mib: u64 = 256,
        /// Largest request body, in bytes; then 413.
        boot max_body_bytes: usize = 65_536,
        /// Time that requests in flight get to end when the service stops, in milliseconds.
        boot drain_timeout_ms: u64 = 5_000,
        /// Time that telemetry gets to deliver what is queued when the service stops, in
        /// milliseconds.
        boot telemetry_shutdown_ms: u64 = 2_000,
        /// Threads of the asynchronous runtime. 0: one a core.
        boot worker_threads: usize = 0,
    }
}

fn usable(common: &Common) -> Result<(), String> {
    if common.request_timeout_ms == 0 {
        return Err("`request_timeout_ms` must be at least 1".to_owned());
    }
    if common.breaker_failure_percent > 100 {
        return Err("`breaker_failure_percent` must be at most 100".to_owned());
    }
    super::in_ranges([
        ("events_attempts", common.events_attempts.into(), 1, 1_000),
        ("events_backoff_ms", common.events_backoff_ms, 1, 3_600_000),
        (
            "events_backoff_max_ms",
            common.events_backoff_max_ms,
            common.events_backoff_ms,
            86_400_000,
        ),
        (
            "events_retention_hours",
            common.events_retention_hours,
            1,
            87_600,
        ),
        (
            "events_retention_mib",
            common.events_retention_mib,
            1,
            1_048_576,
        ),
    ])
}

impl Common {
    /// The terms of calls to other services.
    pub(crate) fn call_policy(&self) -> calls::Policy {
        calls::Policy {
            retry_budget_percent: self.retry_budget_percent,
            breaker: calls::Rules {
                failure_percent: self.breaker_failure_percent,
                consecutive_failures: self.breaker_consecutive_failures,
            },
        }
    }
}
