//! How spans leave.

use super::env::Environment;
use super::{Otlp, SettingsError, otlp};
use crate::export::signal::Signal;
use std::time::Duration;

/// How spans leave. With no exporter at all nothing is recorded; contexts still travel.
#[derive(Debug, Clone, PartialEq)]
pub struct TracesSettings {
    /// `OTEL_TRACES_EXPORTER=otlp`, `OTEL_EXPORTER_OTLP_*`.
    pub otlp: Option<Otlp>,
    /// `OTEL_BSP_*` and the bound in bytes.
    pub queue: Queue,
}

/// The bounds between a record's end and its delivery; a record is a span or a log record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// Bytes that wait at most; beyond it records are dropped and counted.
    pub max_bytes: usize,
    /// `OTEL_BSP_MAX_QUEUE_SIZE`, `OTEL_BLRP_MAX_QUEUE_SIZE`: records that wait at most, if set.
    pub max_records: Option<u64>,
    /// `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`, `OTEL_BLRP_MAX_EXPORT_BATCH_SIZE`: records in one request
    /// at most.
    pub max_batch_records: u64,
    /// `OTEL_BSP_SCHEDULE_DELAY`, `OTEL_BLRP_SCHEDULE_DELAY`: a record waits no longer for company.
    pub schedule_delay: Duration,
    /// `OTEL_BSP_EXPORT_TIMEOUT`, `OTEL_BLRP_EXPORT_TIMEOUT`: a request is tried again for no
    /// longer than this.
    pub retry_for: Duration,
}

impl Default for TracesSettings {
    fn default() -> Self {
        TracesSettings {
            otlp: Some(Otlp::default()),
            queue: Queue::default(),
        }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Queue {
            max_bytes: 8 * 1024 * 1024,
            max_records: None,
            max_batch_records: 512,
            schedule_delay: Duration::from_secs(5),
            retry_for: Duration::from_secs(300),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exporter {
    Otlp,
    None,
}

pub(super) fn read(env: &Environment<'_>) -> Result<TracesSettings, SettingsError> {
    let words = [("otlp", Exporter::Otlp), ("none", Exporter::None)];
    let exporters = env.list_of("OTEL_TRACES_EXPORTER", "otlp or none", &words);
    let exporters = exporters.unwrap_or(vec![Exporter::Otlp]);
    let otlp = otlp::read(env, Signal::Traces)?;
    Ok(TracesSettings {
        otlp: exporters.contains(&Exporter::Otlp).then_some(otlp),
        queue: queue(env, "BSP", Queue::default()),
    })
}

/// The bounds that the variables of a batch processor set.
pub(super) fn queue(env: &Environment<'_>, processor: &str, defaults: Queue) -> Queue {
    let name = |suffix: &str| format!("OTEL_{processor}_{suffix}");
    let batch_name = name("MAX_EXPORT_BATCH_SIZE");
    let max_records = env.integer(&name("MAX_QUEUE_SIZE"), 1);
    let most = max_records.unwrap_or(u64::MAX);
    let batch = env.integer(&batch_name, 1).filter(|batch| {
        let fits = *batch <= most;
        if !fits {
            let expected = "no more than the variable that ends with MAX_QUEUE_SIZE";
            env.ignore(&batch_name, &batch.to_string(), expected);
        }
        fits
    });
    // Without any delay the exporter would never rest.
    let delay = env.duration(&name("SCHEDULE_DELAY"));
    let delay = delay.map(|delay| delay.max(Duration::from_millis(1)));
    Queue {
        max_bytes: defaults.max_bytes,
        max_records,
        max_batch_records: batch.unwrap_or(defaults.max_batch_records.min(most)),
        schedule_delay: delay.unwrap_or(defaults.schedule_delay),
        retry_for: env
            .timeout(&name("EXPORT_TIMEOUT"))
            .unwrap_or(defaults.retry_for),
    }
}
