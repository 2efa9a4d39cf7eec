//! A line for people at a terminal.

use std::error::Error;
use std::fmt::{self, Debug};

use tracing::Level;
use tracing::field::{Field, Visit};

use super::error::Causes;
use super::head::{Head, Members};
use super::text;
use crate::context::TraceId;

const DIM: &[u8] = b"\x1b[2m";
const PLAIN: &[u8] = b"\x1b[0m";

/// Starts a line: time, level, service, target. Fields follow, then [`Fields::finish`].
pub(super) fn open<'a>(line: &'a mut Vec<u8>, head: &Head<'_>, colours: bool) -> Fields<'a> {
    let mut fields = Fields {
        line,
        colours,
        trace_id: head.ids.map(|(trace_id, ..)| trace_id),
    };
    fields.style(DIM);
    fields.line.extend_from_slice(&head.timestamp);
    fields.style(PLAIN);
    fields.line.push(b' ');
    fields.style(colour(head.level));
    let level = head.level.as_str().as_bytes();
    fields.line.extend_from_slice(&b"     "[level.len()..]);
    fields.line.extend_from_slice(level);
    fields.style(PLAIN);
    fields.line.push(b' ');
    head.service.write(fields.line, text::terminal_str);
    fields.style(DIM);
    fields.line.push(b' ');
    text::terminal_str(fields.line, head.target);
    fields.line.push(b':');
    fields.style(PLAIN);
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
    trace_id: Option<TraceId>,
}

impl Fields<'_> {
    pub(super) fn finish(mut self) {
        if let Some(trace_id) = self.trace_id {
            self.line.push(b' ');
            self.style(DIM);
            self.line.extend_from_slice(b"trace_id=");
            text::hex(self.line, &trace_id.0.to_be_bytes());
            self.style(PLAIN);
        }
        self.line.push(b'\n');
    }

    fn style(&mut self, code: &[u8]) {
        if self.colours {
            self.line.extend_from_slice(code);
        }
    }

    fn value(&mut self, name: &str, value: fmt::Arguments<'_>) {
        self.line.push(b' ');
        if name != "message" {
            text::terminal_str(self.line, name);
            self.line.push(b'=');
        }
        text::terminal(self.line, value);
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
