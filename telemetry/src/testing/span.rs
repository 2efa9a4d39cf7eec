//! A span as a test reads it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::context::{SpanId, TraceId};

/// A finished span, as it was sent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Span {
    /// The trace it belongs to.
    pub trace_id: TraceId,
    /// Its own id.
    pub span_id: SpanId,
    /// The span that caused it; `None` for the first of a trace.
    pub parent_span_id: Option<SpanId>,
    /// W3C flags, and in bits 8 and 9 whether the parent is in another process.
    pub flags: u32,
    /// `tracestate`.
    pub trace_state: String,
    /// Its name.
    pub name: String,
    /// What it is for its neighbours.
    pub kind: Kind,
    /// Start in nanoseconds since the Unix epoch.
    pub start_nanos: u64,
    /// End in nanoseconds since the Unix epoch.
    pub end_nanos: u64,
    /// What is said about it.
    pub attributes: BTreeMap<String, Value>,
    /// Attributes that a limit has left out.
    pub dropped_attributes: u32,
    /// What happened during it.
    pub events: Vec<Event>,
    /// Events that a limit has left out.
    pub dropped_events: u32,
    /// Spans that have to do with it without having caused it.
    pub links: Vec<Link>,
    /// Links that a limit has left out.
    pub dropped_links: u32,
    /// How it ended.
    pub status: Status,
    /// The service that sent it.
    pub resource: BTreeMap<String, Value>,
    /// The name of the instrumentation scope.
    pub scope: String,
}

impl Span {
    /// `service.name` of the sender; empty if it did not say.
    #[must_use]
    pub fn service(&self) -> &str {
        self.resource
            .get("service.name")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// An attribute as text, if it is there and is text.
    #[must_use]
    pub fn text(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute)?.as_str()
    }

    /// An attribute as a whole number, if it is there and is one.
    #[must_use]
    pub fn number(&self, attribute: &str) -> Option<i64> {
        match self.attributes.get(attribute)? {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The one event of this name.
    ///
    /// # Panics
    /// If there is none, or more than one.
    #[must_use]
    #[track_caller]
    pub fn event(&self, name: &str) -> &Event {
        let found: Vec<_> = self.events.iter().filter(|e| e.name == name).collect();
        match found[..] {
            [event] => event,
            _ => panic!(
                "expected one event {name:?} of span {:?}, its events are {:#?}",
                self.name, self.events
            ),
        }
    }

    /// It has a link to another span.
    #[must_use]
    pub fn links_to(&self, other: &Span) -> bool {
        let other = (other.trace_id, other.span_id);
        let mut links = self.links.iter();
        links.any(|link| (link.trace_id, link.span_id) == other)
    }

    /// From start to end.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.end_nanos.saturating_sub(self.start_nanos))
    }

    /// It ended with an error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        matches!(self.status, Status::Error(_))
    }
}

/// What a span is for its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Kind {
    /// It did not say.
    #[default]
    Unspecified,
    /// A step within a service.
    Internal,
    /// The callee's side of a request.
    Server,
    /// The caller's side of a request.
    Client,
    /// Sends a message.
    Producer,
    /// Works on a message.
    Consumer,
}

impl Kind {
    pub(super) fn from_number(number: u64) -> Kind {
        match number {
            1 => Kind::Internal,
            2 => Kind::Server,
            3 => Kind::Client,
            4 => Kind::Producer,
            5 => Kind::Consumer,
            _ => Kind::Unspecified,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Unspecified => "unspecified",
            Kind::Internal => "internal",
            Kind::Server => "server",
            Kind::Client => "client",
            Kind::Producer => "producer",
            Kind::Consumer => "consumer",
        })
    }
}

/// How a span ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Status {
    /// It did not say.
    #[default]
    Unset,
    /// Declared to be well.
    Ok,
    /// Failed, with a description that may be empty.
    Error(String),
}

/// Something that happened during a span.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Event {
    /// When, in nanoseconds since the Unix epoch.
    pub at_nanos: u64,
    /// What.
    pub name: String,
    /// What is said about it.
    pub attributes: BTreeMap<String, Value>,
    /// Attributes that a limit has left out.
    pub dropped_attributes: u32,
}

impl Event {
    /// An attribute as text, if it is there and is text.
    #[must_use]
    pub fn text(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute)?.as_str()
    }
}

/// A reference to another span.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Link {
    /// Its trace.
    pub trace_id: TraceId,
    /// Its id.
    pub span_id: SpanId,
    /// Its `tracestate`.
    pub trace_state: String,
    /// Its W3C flags, and in bits 8 and 9 whether it is in another process.
    pub flags: u32,
    /// What is said about the link.
    pub attributes: BTreeMap<String, Value>,
    /// Attributes that a limit has left out.
    pub dropped_attributes: u32,
}

/// An attribute's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// None was set.
    Empty,
    /// Text.
    String(String),
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Double(f64),
    /// A list.
    Array(Vec<Value>),
    /// Values by name.
    Map(BTreeMap<String, Value>),
    /// Raw bytes.
    Bytes(Vec<u8>),
}

impl Value {
    /// The text, if it is text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::String(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Int(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Value {
        Value::Bool(truth)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Value {
        Value::Double(number)
    }
}
