//! Panics as lines, with the ids of the request that they hit.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, Location, PanicHookInfo};
use std::sync::Once;
use std::thread;
use std::time::Duration;

use tracing::{Level, field};

use super::layer;
use super::lines::LineWriter;

/// How long a thread that panics waits for its line to be written: it may be the last one of the
/// process.
const PATIENCE: Duration = Duration::from_millis(100);

/// From now on a panic is a line at `ERROR` with the target `panic`, in the words of the
/// [conventions](https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-logs/). Where no
/// line comes of it, whoever was told of panics before is told again: by default that is stderr.
pub(crate) fn log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !write(info) {
                before(info);
            }
        }));
    });
}

/// False when no line is with the sink: filtered, left out as a repeat, or still waiting.
fn write(info: &PanicHookInfo<'_>) -> bool {
    let before = layer::written();
    let thread = thread::current();
    let backtrace = Backtrace::capture();
    let captured = backtrace.status() == BacktraceStatus::Captured;
    tracing::event!(
        target: "panic",
        Level::ERROR,
        {
            "exception.type" = "panic",
            "exception.message" = message(info.payload()),
            "exception.stacktrace" = captured.then(|| field::display(&backtrace)),
            "code.file.path" = info.location().map(Location::file),
            "code.line.number" = info.location().map(Location::line),
            "thread.name" = thread.name()
        },
        "a thread panicked"
    );
    let written = before.is_some() && before < layer::written();
    written && LineWriter::stdout_if_used().is_some_and(|lines| lines.flush(PATIENCE))
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
