//! OTLP's bytes as OTLP's JSON, by the
//! [mapping](https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): that of protobuf
//! with lowerCamelCase names, enums as numbers, and trace and span ids in hex.
//!
//! Telemetry is encoded once, as protobuf; whoever wants JSON pays for it here.

pub(super) mod schema;

use super::message::values;
use super::signal::Signal;
use crate::log::{escape_json, hex};
use crate::wire::{Fields, Wire};
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use schema::{Field, Is, Message};
use std::io::Write as _;

/// An `Export…ServiceRequest` in JSON, on one line. What is malformed is left out.
pub(crate) fn to_json(signal: Signal, request: &[u8]) -> Vec<u8> {
    let message = match signal {
        Signal::Traces => &schema::TRACES,
        Signal::Metrics => &schema::METRICS,
        Signal::Logs => &schema::LOGS,
    };
    let mut out = Vec::with_capacity(2 * request.len());
    object(&mut out, message, request);
    out
}

fn object(out: &mut Vec<u8>, message: &Message, bytes: &[u8]) {
    out.push(b'{');
    let start = out.len();
    for field in message.0 {
        let before = out.len();
        if before > start {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(field.name.as_bytes());
        out.extend_from_slice(b"\":");
        let written = match field.many {
            true => array(out, field, bytes),
            // Of several the last counts, as protobuf has it.
            false => values(bytes, field.number)
                .last()
                .is_some_and(|wire| value(out, &field.is, wire).is_some()),
        };
        if !written {
            out.truncate(before);
        }
    }
    out.push(b'}');
}

/// The elements of a repeated field; false if there is none.
fn array(out: &mut Vec<u8>, field: &Field, bytes: &[u8]) -> bool {
    out.push(b'[');
    let start = out.len();
    let mut element = |wire| {
        let before = out.len();
        if before > start {
            out.push(b',');
        }
        if value(out, &field.is, wire).is_none() {
            out.truncate(before);
        }
    };
    for wire in values(bytes, field.number) {
        match (wire, &field.is) {
            (Wire::Bytes(packed), Is::Double | Is::Fixed64) => {
                let (numbers, _) = packed.as_chunks();
                numbers
                    .iter()
                    .for_each(|number| element(Wire::Fixed64(*number)));
            }
            (Wire::Bytes(packed), Is::Count) => {
                let mut rest = Fields::of(packed);
                while let Ok(number) = rest.varint() {
                    element(Wire::Varint(number));
                }
            }
            _ => element(wire),
        }
    }
    let any = out.len() > start;
    out.push(b']');
    any
}

/// None if the wire has something else than the schema says.
fn value(out: &mut Vec<u8>, is: &Is, wire: Wire<'_>) -> Option<()> {
    // Writing to memory does not fail.
    match is {
        Is::Message(message) => object(out, message, wire.bytes().ok()?),
        Is::Text => text(out, &String::from_utf8_lossy(wire.bytes().ok()?)),
        Is::Hex => {
            out.push(b'"');
            hex(out, wire.bytes().ok()?);
            out.push(b'"');
        }
        Is::Base64 => {
            let _ = write!(
                out,
                "\"{}\"",
                Base64Display::new(wire.bytes().ok()?, &STANDARD)
            );
        }
        Is::Bool => {
            let _ = write!(out, "{}", wire.varint().ok()? != 0);
        }
        Is::Number => {
            let _ = write!(out, "{}", wire.varint().ok()?);
        }
        Is::Fixed32 => {
            let _ = write!(out, "{}", wire.fixed32().ok()?);
        }
        Is::ZigZag => {
            let bits = wire.varint().ok()?;
            let number = (bits >> 1).cast_signed() ^ -(bits & 1).cast_signed();
            let _ = write!(out, "{number}");
        }
        Is::Count => {
            let _ = write!(out, "\"{}\"", wire.varint().ok()?);
        }
        Is::Int64 => {
            let _ = write!(out, "\"{}\"", wire.varint().ok()?.cast_signed());
        }
        Is::Fixed64 => {
            let _ = write!(out, "\"{}\"", wire.fixed64().ok()?);
        }
        Is::SFixed64 => {
            let _ = write!(out, "\"{}\"", wire.fixed64().ok()?.cast_signed());
        }
        Is::Double => double(out, f64::from_bits(wire.fixed64().ok()?)),
    }
    Some(())
}

/// A string with its quotes.
pub(super) fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escape_json(out, text);
    out.push(b'"');
}

/// What JSON has no number for is a string, as protobuf has it.
pub(super) fn double(out: &mut Vec<u8>, number: f64) {
    let _ = match number {
        _ if number.is_nan() => write!(out, "\"NaN\""),
        f64::INFINITY => write!(out, "\"Infinity\""),
        f64::NEG_INFINITY => write!(out, "\"-Infinity\""),
        _ => write!(out, "{number:?}"),
    };
}

#[cfg(test)]
mod tests;
