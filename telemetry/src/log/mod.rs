//! Log lines with the ids of the request they belong to, and a filter that changes live.
//!
//! Lines leave by a [`LineWriter`]: nothing that logs ever waits for whoever reads.

mod error;
mod filter;
mod head;
mod human;
mod json;
mod layer;
mod lines;
#[cfg(test)]
mod tests;
mod text;
mod time;

use std::io::IsTerminal;
use std::time::Duration;

use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

pub use self::filter::FilterError;
pub(crate) use self::filter::FilterHandle;
use self::filter::LiveFilter;
pub use self::lines::LineWriter;
pub(crate) use self::text::{escape_json, hex};
pub use self::time::{Timestamp, rfc3339};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// One JSON object a line, for machines.
    #[default]
    Json,
    /// Readable on a terminal.
    Human,
}

/// The log layer for lines on stdout. `service` names lines outside any request; inside one, the
/// service of the current context is named.
pub(crate) fn layer<S>(
    format: Format,
    directives: &str,
    service: &str,
) -> Result<(impl Layer<S> + Send + Sync + 'static, FilterHandle), FilterError>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    layer_to(LineWriter::stdout(), format, directives, service, colours)
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
    format: Format,
    directives: &str,
    service: &str,
    colours: bool,
) -> Result<(impl Layer<S> + Send + Sync + 'static, FilterHandle), FilterError>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let (filter, handle) = LiveFilter::new(directives)?;
    let layer = layer::LogLayer {
        format,
        lines,
        service: service.into(),
        colours,
    };
    Ok((layer.with_filter(filter), handle))
}
