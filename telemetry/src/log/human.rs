//! A line for people: short time, level, service, then what happened; the rest stays in the
//! background.
//!
//! Times are UTC. On a terminal of less than [`WIDE`] columns, lines below `WARN` are without their
//! target and show the first digits of the trace's id only; a warning is worth a second row.

use std::error::Error;
use std::fmt::{self, Debug};
use std::io::{self, IsTerminal};

use tracing::Level;
use tracing::field::{Field, Visit};

use super::error::Causes;
use super::head::{Head, Members};
use super::text;
use crate::context::TraceId;

const DIM: &[u8] = b"\x1b[2m";
const PLAIN: &[u8] = b"\x1b[0m";

/// Columns from which on a line has room for everything.
const WIDE: u16 = 120;
/// Assumed when the terminal does not tell.
const USUAL: u16 = 80;
/// Messages of services with names up to this long stand below each other.
const SERVICE: usize = 8;
/// Bytes of a trace's id in its short form.
const SHORT_ID: usize = 4;

/// What lines are looked at on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Screen {
    pub(super) colours: bool,
    /// Asked for each line, terminals are resized; `None` for a pipe or a file.
    pub(super) columns: Option<fn() -> u16>,
}

impl Screen {
    /// Standard output. Colours only on a terminal, never under `NO_COLOR` (<https://no-color.org>).
    pub(super) fn stdout() -> Screen {
        let terminal = io::stdout().is_terminal();
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Screen {
            colours: terminal && !refused,
            columns: terminal.then_some(columns),
        }
    }
}

fn columns() -> u16 {
    let size = rustix::termios::tcgetwinsize(io::stdout());
    let columns = size.map_or(0, |size| size.ws_col);
    if columns == 0 { USUAL } else { columns }
}

/// Starts a line: time, level, service. Fields follow, then [`Fields::finish`].
pub(super) fn open<'a>(line: &'a mut Vec<u8>, head: &Head<'a>, screen: Screen) -> Fields<'a> {
    let columns = screen.columns.map(|columns| columns());
    let roomy = columns.is_none_or(|columns| columns >= WIDE) || head.level <= Level::WARN;
    let mut fields = Fields {
        line,
        colours: screen.colours,
        target: roomy.then_some(head.target),
        trace_id: head.ids.map(|(trace_id, ..)| trace_id),
        roomy,
    };
    // Files are read on another day.
    let time: &[u8] = if columns.is_some() {
        &head.timestamp[11..23]
    } else {
        &head.timestamp
    };
    fields.dim(time);
    fields.line.push(b' ');
    fields.style(colour(head.level));
    let level = head.level.as_str().as_bytes();
    fields.line.extend_from_slice(&b"     "[level.len()..]);
    fields.line.extend_from_slice(level);
    fields.style(PLAIN);
    fields.line.push(b' ');
    let start = fields.line.len();
    head.service.write(fields.line, text::terminal_str);
    let width = fields.line.len() - start;
    let pad = SERVICE.saturating_sub(width);
    fields.line.extend(std::iter::repeat_n(b' ', pad));
    fields
}

fn colour(level: Level) -> &'static [u8] {
    match level {
        Level::ERROR => b"\x1b[31m",
        Level::WARN => b"\x1b[33m",
        Level::INFO => b"\x1b[32m",
        _ => b"\x1b[36m",
    }
}

/// Writes the message as it is and other fields as `name=value`.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    line: &'a mut Vec<u8>,
    colours: bool,
    target: Option<&'a str>,
    trace_id: Option<TraceId>,
    roomy: bool,
}

impl Fields<'_> {
    pub(super) fn finish(mut self) {
        self.style(DIM);
        if let Some(target) = self.target {
            self.line.push(b' ');
            text::terminal_str(self.line, target);
        }
        if let Some(trace_id) = self.trace_id {
            let id = trace_id.0.to_be_bytes();
            let shown = if self.roomy { id.len() } else { SHORT_ID };
            self.line.extend_from_slice(b" trace=");
            text::hex(self.line, &id[..shown]);
        }
        self.style(PLAIN);
        self.line.push(b'\n');
    }

    fn style(&mut self, code: &[u8]) {
        if self.colours {
            self.line.extend_from_slice(code);
        }
    }

    fn dim(&mut self, text: &[u8]) {
        self.style(DIM);
        self.line.extend_from_slice(text);
        self.style(PLAIN);
    }

    fn value(&mut self, name: &str, value: fmt::Arguments<'_>) {
        self.line.push(b' ');
        if name == "message" {
            text::terminal(self.line, value);
            return;
        }
        self.style(DIM);
        text::terminal_str(self.line, name);
        self.line.push(b'=');
        self.style(PLAIN);
        let start = self.line.len();
        text::terminal(self.line, value);
        // Or nobody could tell where it ends.
        if self.line[start..].contains(&b' ') || self.line.len() == start {
            self.line.insert(start, b'"');
            self.line.push(b'"');
        }
    }
}

impl Members for Fields<'_> {
    fn text(&mut self, name: &str, value: &str) {
        self.value(name, format_args!("{value}"));
    }

    fn number(&mut self, name: &str, value: u64) {
        self.value(name, format_args!("{value}"));
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.value(field.name(), format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.value(field.name(), format_args!("{}", Causes(value)));
    }

    /// Numbers and booleans too.
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.value(field.name(), format_args!("{value:?}"));
    }
}
