//! How spans leave.

use super::env::Environment;
use super::{Otlp, SettingsError, otlp};
use crate::export::signal::Signal;
use http::Uri;
use std::time::Duration;

/// How spans leave. With no exporter at all nothing is recorded; contexts still travel.
#[derive(Debug, Clone, PartialEq)]
pub struct TracesSettings {
    /// `OTEL_TRACES_EXPORTER=otlp`, `OTEL_EXPORTER_OTLP_*`.
    pub otlp: Option<Otlp>,
    /// `OTEL_TRACES_EXPORTER=console`: to stdout, each request as one line of OTLP's JSON.
    pub console: bool,
    /// `OTEL_TRACES_EXPORTER=zipkin`, `OTEL_EXPORTER_ZIPKIN_*`.
    pub zipkin: Option<Zipkin>,
    /// `OTEL_BSP_*` and the bound in bytes.
    pub queue: Queue,
}

/// An endpoint of [Zipkin's API](https://zipkin.io/zipkin-api/), version 2 in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zipkin {
    /// Whole URL, by default `http://localhost:9411/api/v2/spans`.
    pub endpoint: Uri,
    /// Of one attempt.
    pub timeout: Duration,
}

impl Default for Zipkin {
    fn default() -> Self {
        Zipkin {
            endpoint: Uri::from_static("http://localhost:9411/api/v2/spans"),
            timeout: Duration::from_secs(10),
        }
    }
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
            console: false,
            zipkin: None,
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
    Console,
    Zipkin,
    None,
}

pub(super) fn read(env: &Environment<'_>) -> Result<TracesSettings, SettingsError> {
    let words = [
        ("otlp", Exporter::Otlp),
        ("console", Exporter::Console),
        ("logging", Exporter::Console),
        ("otlp/stdout", Exporter::Console),
        ("zipkin", Exporter::Zipkin),
        ("none", Exporter::None),
    ];
    let exporters = env.list_of("OTEL_TRACES_EXPORTER", &words);
    let exporters = exporters.unwrap_or(vec![Exporter::Otlp]);
    let (otlp, zipkin) = (otlp::read(env, Signal::Traces)?, zipkin(env)?);
    Ok(TracesSettings {
        otlp: exporters.contains(&Exporter::Otlp).then_some(otlp),
        console: exporters.contains(&Exporter::Console),
        zipkin: exporters.contains(&Exporter::Zipkin).then_some(zipkin),
        queue: queue(env, "BSP", Queue::default()),
    })
}

fn zipkin(env: &Environment<'_>) -> Result<Zipkin, SettingsError> {
    const ENDPOINT: &str = "OTEL_EXPORTER_ZIPKIN_ENDPOINT";
    let defaults = Zipkin::default();
    let endpoint = match env.text(ENDPOINT) {
        None => defaults.endpoint,
        Some(url) => otlp::url(ENDPOINT, &url, &url)?,
    };
    let timeout = env.timeout("OTEL_EXPORTER_ZIPKIN_TIMEOUT");
    Ok(Zipkin {
        endpoint,
        timeout: timeout.unwrap_or(defaults.timeout),
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
            env.ignore(&batch_name, &batch.to_string());
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
