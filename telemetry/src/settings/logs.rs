//! How log records leave, besides the lines on stdout.

use super::env::Environment;
use super::traces::queue;
use super::{Otlp, Queue, SettingsError, limits, otlp};
use crate::export::signal::Signal;
use std::time::Duration;

/// How log records leave, besides the lines on stdout.
#[derive(Debug, Clone, PartialEq)]
pub struct LogsSettings {
    /// `OTEL_LOGS_EXPORTER=otlp`, `OTEL_EXPORTER_OTLP_*`. By default nowhere.
    pub otlp: Option<Otlp>,
    /// `OTEL_LOGS_EXPORTER=console`: to stdout, each request as one line of OTLP's JSON.
    pub console: bool,
    /// `OTEL_BLRP_*` and the bound in bytes.
    pub queue: Queue,
    /// `OTEL_LOGRECORD_*`.
    pub limits: LogLimits,
}

/// What one log record may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimits {
    /// Attributes; further ones are dropped and counted in the record.
    pub attribute_count: u32,
    /// Characters of a text; longer ones are cut. None: as long as they are.
    pub attribute_value_length: Option<usize>,
}

impl Default for LogLimits {
    fn default() -> Self {
        LogLimits {
            attribute_count: 128,
            attribute_value_length: None,
        }
    }
}

impl Default for LogsSettings {
    fn default() -> Self {
        LogsSettings {
            otlp: None,
            console: false,
            queue: Queue {
                schedule_delay: Duration::from_secs(1),
                ..Queue::default()
            },
            limits: LogLimits::default(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exporter {
    Otlp,
    Console,
    None,
}

pub(super) fn read(env: &Environment<'_>) -> Result<LogsSettings, SettingsError> {
    let defaults = LogsSettings::default();
    let words = [
        ("otlp", Exporter::Otlp),
        ("console", Exporter::Console),
        ("logging", Exporter::Console),
        ("otlp/stdout", Exporter::Console),
        ("none", Exporter::None),
    ];
    let exporters = env.list_of("OTEL_LOGS_EXPORTER", &words);
    let exporters = exporters.unwrap_or_default();
    let otlp = otlp::read(env, Signal::Logs)?;
    Ok(LogsSettings {
        otlp: exporters.contains(&Exporter::Otlp).then_some(otlp),
        console: exporters.contains(&Exporter::Console),
        queue: queue(env, "BLRP", defaults.queue),
        limits: limits::logs(env),
    })
}
