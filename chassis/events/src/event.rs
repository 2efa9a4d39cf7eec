//! Events, as they are published, sent and handled.

use std::borrow::Cow;

use app::Timestamp;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use telemetry::context::Carrier;

use crate::Failure;

/// What stands before a type on the wire: types are unique among all who send `CloudEvents`.
const PREFIX: &str = "citywatch.";

/// The body of an event.
pub trait Body: Serialize + Send + Sync {
    /// `<service>.<Name>.v<version>`, such as `orders.OrderConfirmed.v1`.
    const TYPE: &'static str;
}

/// Something that happened, as a [CloudEvent](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md).
///
/// In JSON it is one of the `CloudEvents` JSON format 1.0, with the extension attributes
/// `sequence` (its position, as text), `traceparent` and `tracestate`.
#[derive(Clone, Debug)]
pub struct Event {
    /// A UUIDv7, unique for ever.
    pub id: String,
    /// Its [`Body::TYPE`].
    pub kind: String,
    /// Who published it: `/citywatch/<service>`.
    pub source: String,
    /// What it is about; events of one subject keep their order.
    pub subject: String,
    /// When it was published.
    pub time: Timestamp,
    /// Where it stands in its service's feed.
    pub position: i64,
    /// The span that published it (W3C Trace Context).
    pub traceparent: Option<String>,
    /// What other tracing systems sent along.
    pub tracestate: Option<String>,
    /// Its body, as JSON.
    pub data: Box<RawValue>,
}

impl Event {
    /// The body.
    ///
    /// # Errors
    /// [`Failure::Event`]: it has another form. Trying again would not help.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(self.data.get())
            .map_err(|error| Failure::Event(format!("the body of {}: {error}", self.kind)))
    }

    /// Whether its body is a `B`.
    #[must_use]
    pub fn is<B: Body>(&self) -> bool {
        self.kind == B::TYPE
    }
}

/// The source of what `service` publishes.
pub(crate) fn source(service: &str) -> String {
    format!("/citywatch/{service}")
}

/// A context travels in an event by the `CloudEvents` extension for distributed tracing.
impl Carrier for Event {
    fn values<'a>(&'a self, key: &str, each: &mut dyn FnMut(&'a [u8])) {
        self.entries(&mut |name, value| {
            if name == key {
                each(value);
            }
        });
    }

    fn entries<'a>(&'a self, each: &mut dyn FnMut(&'a str, &'a [u8])) {
        for (name, value) in [
            ("traceparent", &self.traceparent),
            ("tracestate", &self.tracestate),
        ] {
            if let Some(value) = value {
                each(name, value.as_bytes());
            }
        }
    }
}

/// The wire form.
#[derive(Serialize, Deserialize)]
struct CloudEvent<'a> {
    specversion: Cow<'a, str>,
    id: Cow<'a, str>,
    source: Cow<'a, str>,
    r#type: Cow<'a, str>,
    #[serde(default)]
    subject: Cow<'a, str>,
    time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    datacontenttype: Option<Cow<'a, str>>,
    sequence: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracestate: Option<Cow<'a, str>>,
    data: Cow<'a, RawValue>,
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        CloudEvent {
            specversion: "1.0".into(),
            id: (&*self.id).into(),
            source: (&*self.source).into(),
            r#type: format!("{PREFIX}{}", self.kind).into(),
            subject: (&*self.subject).into(),
            time: self.time,
            datacontenttype: Some("application/json".into()),
            sequence: self.position.to_string().into(),
            traceparent: self.traceparent.as_deref().map(Cow::Borrowed),
            tracestate: self.tracestate.as_deref().map(Cow::Borrowed),
            data: Cow::Borrowed(&self.data),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = CloudEvent::deserialize(deserializer)?;
        if wire.specversion != "1.0" {
            return Err(D::Error::custom("not a CloudEvent 1.0"));
        }
        let kind = wire.r#type.strip_prefix(PREFIX);
        let kind = kind.ok_or_else(|| D::Error::custom("not an event of the city"))?;
        Ok(Self {
            id: wire.id.into_owned(),
            kind: kind.to_owned(),
            source: wire.source.into_owned(),
            subject: wire.subject.into_owned(),
            time: wire.time,
            position: wire.sequence.parse().map_err(D::Error::custom)?,
            traceparent: wire.traceparent.map(Cow::into_owned),
            tracestate: wire.tracestate.map(Cow::into_owned),
            data: wire.data.into_owned(),
        })
    }
}

/// A place in a service's feed. Positions have no gaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(i64);

impl Position {
    /// Before the first event.
    pub const START: Self = Self(0);

    /// That of the event which has this number.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }
}

/// What was read from a feed.
#[derive(Clone, Debug)]
pub struct Batch {
    /// In their order; none if nothing came in time.
    pub events: Vec<Event>,
    /// Of the newest event that there is.
    pub head: Position,
}

impl Batch {
    /// Where to read on: behind the last of these, or behind `after` where there are none.
    #[must_use]
    pub fn end(&self, after: Position) -> Position {
        let last = self.events.last();
        last.map_or(after, |event| Position(event.position))
    }
}
