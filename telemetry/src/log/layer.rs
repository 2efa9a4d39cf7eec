//! Events of `tracing` as lines.

use std::cell::RefCell;
use std::error::Error;
use std::fmt::{self, Debug};
use std::io::Write;
use std::time::SystemTime;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::Context;

use super::lines::LineWriter;
use super::{Format, text, time};
use crate::context::{SpanId, TraceId, current};

/// Members that every line has; a field of the same name goes under [`RENAMED`] plus it.
const RESERVED: [&str; 7] = [
    "timestamp",
    "level",
    "target",
    "message",
    "service",
    "trace_id",
    "span_id",
];
const RENAMED: &str = "field.";

/// Writes each event as one line.
#[derive(Debug)]
pub(super) struct LogLayer {
    pub(super) format: Format,
    pub(super) lines: LineWriter,
    /// Named on lines outside any request.
    pub(super) service: Box<str>,
    pub(super) colours: bool,
}

/// Buffers of one thread, used again for each line.
#[derive(Debug, Default)]
struct Buffers {
    line: Vec<u8>,
    message: Vec<u8>,
    fields: Vec<u8>,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

impl<S: Subscriber> tracing_subscriber::Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let shared = BUFFERS.try_with(|buffers| match buffers.try_borrow_mut() {
            Ok(mut buffers) => {
                self.write(event, &mut buffers);
                true
            }
            Err(_) => false,
        });
        // A value whose `Debug` logs, or a thread that is going away.
        if shared != Ok(true) {
            self.write(event, &mut Buffers::default());
        }
    }
}

impl LogLayer {
    fn write(&self, event: &Event<'_>, buffers: &mut Buffers) {
        let Buffers {
            line,
            message,
            fields,
        } = buffers;
        line.clear();
        message.clear();
        fields.clear();
        event.record(&mut Fields {
            format: self.format,
            message,
            fields,
        });
        let metadata = event.metadata();
        let current = current::get();
        let head = Head {
            level: *metadata.level(),
            target: metadata.target(),
            service: current
                .as_ref()
                .map_or(&*self.service, |c| c.core.service().name()),
            ids: current
                .as_ref()
                .map(|current| (current.trace_id, current.span_id)),
        };
        match self.format {
            Format::Json => json_line(line, &head, message, fields),
            Format::Human => human_line(line, &head, message, fields, self.colours),
        }
        self.lines.write(line);
    }
}

/// What every line has.
struct Head<'a> {
    level: Level,
    target: &'a str,
    service: &'a str,
    ids: Option<(TraceId, SpanId)>,
}

fn json_line(line: &mut Vec<u8>, head: &Head<'_>, message: &[u8], fields: &[u8]) {
    line.extend_from_slice(b"{\"timestamp\":\"");
    line.extend_from_slice(&time::rfc3339(SystemTime::now()));
    line.extend_from_slice(b"\",\"level\":\"");
    line.extend_from_slice(head.level.as_str().as_bytes());
    line.extend_from_slice(b"\",\"target\":\"");
    text::json(line, format_args!("{}", head.target));
    line.extend_from_slice(b"\",\"message\":\"");
    line.extend_from_slice(message);
    line.extend_from_slice(b"\",\"service\":\"");
    text::json(line, format_args!("{}", head.service));
    line.push(b'"');
    if let Some((trace_id, span_id)) = head.ids {
        push(
            line,
            format_args!(",\"trace_id\":\"{trace_id}\",\"span_id\":\"{span_id}\""),
        );
    }
    line.extend_from_slice(fields);
    line.extend_from_slice(b"}\n");
}

fn human_line(line: &mut Vec<u8>, head: &Head<'_>, message: &[u8], fields: &[u8], colours: bool) {
    let (colour, dim, plain) = match (colours, head.level) {
        (false, _) => ("", "", ""),
        (true, Level::ERROR) => ("\u{1b}[31m", "\u{1b}[2m", "\u{1b}[0m"),
        (true, Level::WARN) => ("\u{1b}[33m", "\u{1b}[2m", "\u{1b}[0m"),
        (true, Level::INFO) => ("\u{1b}[32m", "\u{1b}[2m", "\u{1b}[0m"),
        (true, _) => ("\u{1b}[36m", "\u{1b}[2m", "\u{1b}[0m"),
    };
    line.extend_from_slice(dim.as_bytes());
    line.extend_from_slice(&time::rfc3339(SystemTime::now()));
    let Head {
        level,
        target,
        service,
        ids,
    } = head;
    push(line, format_args!("{plain} {colour}{level:>5}{plain} "));
    text::terminal(line, format_args!("{service}"));
    line.extend_from_slice(dim.as_bytes());
    line.push(b' ');
    text::terminal(line, format_args!("{target}"));
    push(line, format_args!(":{plain} "));
    line.extend_from_slice(message);
    line.extend_from_slice(fields);
    if let Some((trace_id, _)) = ids {
        push(line, format_args!(" {dim}trace_id={trace_id}{plain}"));
    }
    line.push(b'\n');
}

fn push(line: &mut Vec<u8>, arguments: fmt::Arguments<'_>) {
    // Writing to a Vec cannot fail.
    let _ = line.write_fmt(arguments);
}

/// Writes the message and the other fields into buffers of their own: the message has a
/// place at the front of the line, wherever it stands among the fields.
struct Fields<'a> {
    format: Format,
    message: &'a mut Vec<u8>,
    fields: &'a mut Vec<u8>,
}

impl Fields<'_> {
    /// A value that is written as it is: a number or a boolean.
    fn bare(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if field.name() == "message" {
            push(self.message, value);
            return;
        }
        self.name(field.name());
        push(self.fields, value);
    }

    fn string(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let escape = match self.format {
            Format::Json => text::json,
            Format::Human => text::terminal,
        };
        if field.name() == "message" {
            escape(self.message, value);
            return;
        }
        self.name(field.name());
        let quote: &[u8] = if self.format == Format::Json {
            b"\""
        } else {
            b""
        };
        self.fields.extend_from_slice(quote);
        escape(self.fields, value);
        self.fields.extend_from_slice(quote);
    }

    fn name(&mut self, name: &str) {
        match self.format {
            Format::Json => {
                let prefix = if RESERVED.contains(&name) {
                    RENAMED
                } else {
                    ""
                };
                self.fields.extend_from_slice(b",\"");
                text::json(self.fields, format_args!("{prefix}{name}"));
                self.fields.extend_from_slice(b"\":");
            }
            Format::Human => {
                self.fields.push(b' ');
                text::terminal(self.fields, format_args!("{name}"));
                self.fields.push(b'=');
            }
        }
    }
}

impl Visit for Fields<'_> {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.bare(field, format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.bare(field, format_args!("{value}"));
    }

    // 128 bits as strings: parsers read numbers into 64.
    fn record_i128(&mut self, field: &Field, value: i128) {
        self.string(field, format_args!("{value}"));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.string(field, format_args!("{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.bare(field, format_args!("{value:?}"));
        } else {
            // JSON has no such numbers.
            self.string(field, format_args!("{value}"));
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.bare(field, format_args!("{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.string(field, format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.string(field, format_args!("{}", Causes(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.string(field, format_args!("{value:?}"));
    }
}

/// An error and what caused it, outermost first.
struct Causes<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
