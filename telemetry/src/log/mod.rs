//! Log lines with the ids of the request they belong to, and a filter that changes live.
//!
//! Lines leave by a [`LineWriter`]: nothing that logs ever waits for whoever reads.

mod error;
mod filter;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod head;
mod human;
mod json;
mod layer;
mod lines;
mod output;
pub(crate) mod panics;
mod record;
pub(crate) mod records;
mod repeats;
#[cfg(test)]
mod tests;
mod text;
mod time;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

pub(crate) use self::error::Causes;
pub use self::filter::FilterError;
use self::filter::{FilterHandle, LiveFilter};
use self::human::Screen;
pub use self::lines::LineWriter;
use self::output::{Form, Output};
use self::records::Records;
pub use self::repeats::RepeatLimit;
use self::repeats::Repeats;
pub(crate) use self::repeats::suppressed;
pub(crate) use self::text::{escape_json, hex};
pub use self::time::{Timestamp, rfc3339};
use crate::settings::Settings;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// [`Human`](Format::Human) if standard output is a terminal, [`Json`](Format::Json) if not.
    #[default]
    Auto,
    /// One JSON object a line, for machines.
    Json,
    /// Readable on a terminal. It is not for machines: its form may change.
    Human,
}

/// What can be done with a log that runs.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    filter: FilterHandle,
    output: Arc<Output>,
}

impl Handle {
    /// Replaces the filter for all services of the process.
    pub(crate) fn set_filter(&self, directives: &str) -> Result<(), FilterError> {
        self.filter.set(directives)
    }

    /// Exports what is logged outside any request, if that is signed by `service`.
    pub(crate) fn export_to(&self, service: &str, records: &Arc<Records>) {
        if *service == *self.output.service {
            self.output.home.get_or_init(|| Arc::downgrade(records));
        }
    }

    /// Whether the filter has to see spans come and go.
    pub(crate) fn follows_spans(&self) -> bool {
        self.filter.follows_spans()
    }

    /// Sums up the lines that were left out as repeats.
    pub(crate) fn sum_up(&self) {
        self.output.sum_up();
    }
}

/// The log layer for lines on stdout. `service` names lines outside any request; inside one, the
/// service of the current context is named.
pub(crate) fn layer<S>(
    settings: &Settings,
    service: &str,
) -> Result<(impl Layer<S> + Send + Sync + 'static, Handle), FilterError>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let screen = Screen::stdout();
    let form = match settings.log_format {
        Format::Auto if screen.columns.is_none() => Form::Json,
        Format::Json => Form::Json,
        Format::Auto | Format::Human => Form::Human(screen),
    };
    layer_to(LineWriter::stdout(), form, settings, service)
}

/// Waits for the lines on their way to stdout without blocking the runtime, at most for `timeout`.
pub(crate) async fn flush_stdout(timeout: Duration) {
    let Some(lines) = LineWriter::stdout_if_used() else {
        return;
    };
    let (done, flushed) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("log-flush".to_owned());
    let started = thread.spawn(move || done.send(lines.flush(timeout)));
    if started.is_ok() {
        // Ends by itself at the timeout.
        let _ = flushed.await;
    }
}

/// The same layer with any sink.
fn layer_to<S>(
    lines: LineWriter,
    form: Form,
    settings: &Settings,
    service: &str,
) -> Result<(impl Layer<S> + Send + Sync + 'static, Handle), FilterError>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let (live, filter) = LiveFilter::new(&settings.log_filter, settings.log_level)?;
    let output = Arc::new(Output {
        form,
        lines,
        service: service.into(),
        repeats: settings.log_repeats.map(Repeats::new),
        home: OnceLock::new(),
    });
    let layer = layer::LogLayer {
        output: Arc::clone(&output),
    };
    Ok((layer.with_filter(live), Handle { filter, output }))
}
