//! A line for machines: one JSON object, written from front to back without a detour.

use std::error::Error;
use std::fmt::Debug;

use tracing::field::{Field, Visit};

use super::error::Causes;
use super::head::{Head, Members};
use super::text;

/// A field that has the name of a member that every line has goes under this plus its name.
const RENAMED: &[u8] = b"field.";

/// Starts a line. Fields follow, then [`Fields::finish`].
pub(super) fn open<'a>(line: &'a mut Vec<u8>, head: &Head<'_>) -> Fields<'a> {
    line.extend_from_slice(b"{\"timestamp\":\"");
    line.extend_from_slice(&head.timestamp);
    line.extend_from_slice(b"\",\"level\":\"");
    line.extend_from_slice(head.level.as_str().as_bytes());
    line.extend_from_slice(b"\",\"target\":\"");
    text::json_str(line, head.target);
    line.extend_from_slice(b"\",\"service\":\"");
    head.service.write(line, text::json_str);
    line.push(b'"');
    if let Some((trace_id, span_id, _)) = head.ids {
        line.extend_from_slice(b",\"trace_id\":\"");
        text::hex(line, &trace_id.0.to_be_bytes());
        line.extend_from_slice(b"\",\"span_id\":\"");
        text::hex(line, &span_id.0.to_be_bytes());
        line.push(b'"');
    }
    Fields {
        line,
        has_message: false,
    }
}

/// Writes an event's fields as members of the line's object.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    line: &'a mut Vec<u8>,
    has_message: bool,
}

impl Fields<'_> {
    pub(super) fn finish(self) {
        // Whoever reads lines relies on it.
        if !self.has_message {
            self.line.extend_from_slice(b",\"message\":\"\"");
        }
        self.line.extend_from_slice(b"}\n");
    }

    fn name(&mut self, name: &str) {
        self.line.extend_from_slice(b",\"");
        match name {
            // Only the first: a member stands once.
            "message" if !self.has_message => self.has_message = true,
            "timestamp" | "level" | "target" | "message" | "service" | "trace_id" | "span_id" => {
                self.line.extend_from_slice(RENAMED);
            }
            _ => {}
        }
        text::json_str(self.line, name);
        self.line.extend_from_slice(b"\":");
    }

    fn quoted(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
        self.name(name);
        self.line.push(b'"');
        write(self.line);
        self.line.push(b'"');
    }
}

impl Members for Fields<'_> {
    fn text(&mut self, name: &str, value: &str) {
        self.quoted(name, |line| text::json_str(line, value));
    }

    fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        text::integer(self.line, value);
    }
}

impl Visit for Fields<'_> {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.name(field.name());
        text::integer(self.line, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field.name(), value);
    }

    // 128 bits as strings: parsers read numbers into 64.
    fn record_i128(&mut self, field: &Field, value: i128) {
        self.quoted(field.name(), |line| text::integer(line, value));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.quoted(field.name(), |line| text::integer(line, value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.name(field.name());
            text::json(self.line, format_args!("{value:?}"));
        } else {
            // JSON has no such numbers.
            self.quoted(field.name(), |line| {
                text::json(line, format_args!("{value}"));
            });
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.name(field.name());
        let word: &[u8] = if value { b"true" } else { b"false" };
        self.line.extend_from_slice(word);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field.name(), value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.quoted(field.name(), |line| {
            text::json(line, format_args!("{}", Causes(value)));
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.quoted(field.name(), |line| {
            text::json(line, format_args!("{value:?}"));
        });
    }
}
