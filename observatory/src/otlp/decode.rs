//! One stored span in full, read when somebody asks for it.
//!
//! A span was accepted by the walk, which skips attributes, events and links: these may still
//! be damaged. Decoding never fails; it keeps what it could read and says that the rest is
//! [`Span::damaged`].

use std::borrow::Cow;

use super::value::AnyValue;
use super::wire::{Fields, Malformed};
use crate::store::{SpanId, TraceId};

#[derive(Debug, Default)]
pub(crate) struct Span<'a> {
    pub trace_state: Cow<'a, str>,
    pub name: Cow<'a, str>,
    pub flags: u32,
    pub attributes: Vec<Attribute<'a>>,
    pub events: Vec<Event<'a>>,
    pub links: Vec<Link<'a>>,
    pub status_message: Cow<'a, str>,
    /// Some of it could not be read.
    pub damaged: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Attribute<'a> {
    pub key: Cow<'a, str>,
    pub value: AnyValue<'a>,
}

#[derive(Debug, Default)]
pub(crate) struct Event<'a> {
    pub time: u64,
    pub name: Cow<'a, str>,
    pub attributes: Vec<Attribute<'a>>,
}

#[derive(Debug, Default)]
pub(crate) struct Link<'a> {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub attributes: Vec<Attribute<'a>>,
}

#[derive(Debug, Default)]
pub(crate) struct Scope<'a> {
    pub name: Cow<'a, str>,
    pub version: Cow<'a, str>,
    pub attributes: Vec<Attribute<'a>>,
}

pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

impl<'a> Span<'a> {
    pub(crate) fn decode(raw: &'a [u8]) -> Self {
        let mut span = Span::default();
        span.damaged = span.read(raw).is_err();
        span
    }

    fn read(&mut self, raw: &'a [u8]) -> Result<(), Malformed> {
        let mut fields = Fields::of(raw);
        let mut damage = Ok(());
        while let Some((number, value)) = fields.next()? {
            // Damage inside one attribute leaves the others readable.
            let field = match number {
                3 => value.bytes().map(|bytes| self.trace_state = text(bytes)),
                5 => value.bytes().map(|bytes| self.name = text(bytes)),
                9 => value
                    .bytes()
                    .and_then(|bytes| attribute(bytes, &mut self.attributes)),
                11 => value
                    .bytes()
                    .and_then(|bytes| event(bytes, &mut self.events)),
                13 => value.bytes().and_then(|bytes| link(bytes, &mut self.links)),
                15 => value.bytes().and_then(|bytes| self.read_status(bytes)),
                16 => value.fixed32().map(|flags| self.flags = flags),
                _ => Ok(()),
            };
            damage = damage.and(field);
        }
        damage
    }

    fn read_status(&mut self, message: &'a [u8]) -> Result<(), Malformed> {
        let mut fields = Fields::of(message);
        while let Some((number, value)) = fields.next()? {
            if number == 2 {
                self.status_message = text(value.bytes()?);
            }
        }
        Ok(())
    }
}

impl<'a> Scope<'a> {
    pub(crate) fn decode(raw: &'a [u8]) -> Self {
        let mut scope = Scope::default();
        let mut fields = Fields::of(raw);
        while let Ok(Some((number, value))) = fields.next() {
            let Ok(bytes) = value.bytes() else { continue };
            match number {
                1 => scope.name = text(bytes),
                2 => scope.version = text(bytes),
                3 => {
                    let _ = attribute(bytes, &mut scope.attributes);
                }
                _ => {}
            }
        }
        scope
    }
}

/// The attributes of a resource.
pub(crate) fn resource_attributes(raw: &[u8]) -> Vec<Attribute<'_>> {
    let mut attributes = Vec::new();
    let mut fields = Fields::of(raw);
    while let Ok(Some((number, value))) = fields.next() {
        if let (1, Ok(bytes)) = (number, value.bytes()) {
            let _ = attribute(bytes, &mut attributes);
        }
    }
    attributes
}

fn attribute<'a>(message: &'a [u8], into: &mut Vec<Attribute<'a>>) -> Result<(), Malformed> {
    let (key, value) = super::value::key_value(message)?;
    into.push(Attribute {
        key: text(key),
        value,
    });
    Ok(())
}

fn event<'a>(message: &'a [u8], into: &mut Vec<Event<'a>>) -> Result<(), Malformed> {
    let mut event = Event::default();
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => event.time = value.fixed64()?,
            2 => event.name = text(value.bytes()?),
            3 => attribute(value.bytes()?, &mut event.attributes)?,
            _ => {}
        }
    }
    into.push(event);
    Ok(())
}

fn link<'a>(message: &'a [u8], into: &mut Vec<Link<'a>>) -> Result<(), Malformed> {
    let mut link = Link::default();
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            // An id of the wrong length points nowhere: the link stays, with an empty id.
            1 => link.trace_id = TraceId::from_wire(value.bytes()?).unwrap_or_default(),
            2 => link.span_id = SpanId::from_wire(value.bytes()?).unwrap_or_default(),
            4 => attribute(value.bytes()?, &mut link.attributes)?,
            _ => {}
        }
    }
    into.push(link);
    Ok(())
}
