//! OTLP's `AnyValue`: what an attribute holds.
//!
//! Arrays and key-value lists stay on the wire until they are written out as text, so that a
//! value made of a million empty elements costs a million bytes of text and no tree.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::decode::text;
use super::wire::{Fields, Malformed};

/// Deeper values end as `null`; the collector's own decoders stop near here as well.
const MAX_DEPTH: usize = 64;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum AnyValue<'a> {
    Empty,
    String(Cow<'a, str>),
    Bool(bool),
    Int(i64),
    Double(f64),
    /// An `ArrayValue` message, not yet read.
    Array(&'a [u8]),
    /// A `KeyValueList` message, not yet read.
    Map(&'a [u8]),
    Bytes(&'a [u8]),
}

/// Key and value of a `KeyValue` message.
pub(crate) fn key_value(message: &[u8]) -> Result<(&[u8], AnyValue<'_>), Malformed> {
    let mut key = &[][..];
    let mut found = AnyValue::Empty;
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => key = value.bytes()?,
            2 => found = AnyValue::decode(value.bytes()?)?,
            _ => {}
        }
    }
    Ok((key, found))
}

impl<'a> AnyValue<'a> {
    pub(crate) fn decode(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut found = AnyValue::Empty;
        let mut fields = Fields::of(message);
        // A oneof: the last one wins.
        while let Some((number, value)) = fields.next()? {
            found = match number {
                1 => AnyValue::String(text(value.bytes()?)),
                2 => AnyValue::Bool(value.varint()? != 0),
                3 => AnyValue::Int(value.varint()?.cast_signed()),
                4 => AnyValue::Double(f64::from_bits(value.fixed64()?)),
                5 => AnyValue::Array(value.bytes()?),
                6 => AnyValue::Map(value.bytes()?),
                7 => AnyValue::Bytes(value.bytes()?),
                _ => continue,
            };
        }
        Ok(found)
    }

    /// The value as text, as the OpenTelemetry collector prints it: searches compare these.
    pub(crate) fn to_text(&self) -> Cow<'_, str> {
        match self {
            AnyValue::Empty => Cow::Borrowed(""),
            AnyValue::String(string) => Cow::Borrowed(string),
            AnyValue::Bool(true) => Cow::Borrowed("true"),
            AnyValue::Bool(false) => Cow::Borrowed("false"),
            AnyValue::Int(int) => Cow::Owned(int.to_string()),
            AnyValue::Double(double) => Cow::Owned(double_text(*double)),
            AnyValue::Bytes(bytes) => Cow::Owned(BASE64.encode(bytes)),
            AnyValue::Array(_) | AnyValue::Map(_) => {
                let mut out = String::new();
                self.write_json(&mut out, 0);
                Cow::Owned(out)
            }
        }
    }

    fn write_json(&self, out: &mut String, depth: usize) {
        match self {
            _ if depth > MAX_DEPTH => out.push_str("null"),
            AnyValue::Empty => out.push_str("null"),
            AnyValue::String(string) => write_json_string(out, string),
            AnyValue::Bool(_) | AnyValue::Int(_) => out.push_str(&self.to_text()),
            AnyValue::Double(double) if double.is_finite() => out.push_str(&double_text(*double)),
            AnyValue::Double(_) | AnyValue::Bytes(_) => write_json_string(out, &self.to_text()),
            AnyValue::Array(message) => {
                out.push('[');
                let mut first = true;
                let mut fields = Fields::of(message);
                while let Ok(Some((number, value))) = fields.next() {
                    let (1, Ok(bytes)) = (number, value.bytes()) else {
                        continue;
                    };
                    if !std::mem::take(&mut first) {
                        out.push(',');
                    }
                    AnyValue::decode(bytes)
                        .unwrap_or(AnyValue::Empty)
                        .write_json(out, depth + 1);
                }
                out.push(']');
            }
            AnyValue::Map(message) => {
                let mut entries = Vec::new();
                let mut fields = Fields::of(message);
                while let Ok(Some((number, value))) = fields.next() {
                    if let (1, Ok(bytes)) = (number, value.bytes())
                        && let Ok(entry) = key_value(bytes)
                    {
                        entries.push(entry);
                    }
                }
                // Stable order, so that two equal maps are equal as text.
                entries.sort_by_key(|(key, _)| *key);
                out.push('{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_json_string(out, &text(key));
                    out.push(':');
                    value.write_json(out, depth + 1);
                }
                out.push('}');
            }
        }
    }
}

/// A double as Go and JavaScript print it: plain between 1e-6 and 1e21, else with an exponent.
fn double_text(double: f64) -> String {
    if double.is_nan() {
        return "NaN".to_owned();
    }
    if double.is_infinite() {
        return if double > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let size = double.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{double:e}");
        // Rust leaves out the plus sign of an exponent.
        return match text.split_once('e') {
            Some((digits, exponent)) if !exponent.starts_with('-') => {
                format!("{digits}e+{exponent}")
            }
            _ => text,
        };
    }
    double.to_string()
}

fn write_json_string(out: &mut String, string: &str) {
    out.push('"');
    for character in string.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => drop(write!(out, "\\u{:04x}", u32::from(control))),
            plain => out.push(plain),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::wire::{put_bytes, put_varint};

    #[test]
    fn doubles_read_as_in_other_languages() {
        let cases = [
            (0.0, "0"),
            (72.0, "72"),
            (72.5, "72.5"),
            (-1.25, "-1.25"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
        ];
        for (double, expected) in cases {
            assert_eq!(double_text(double), expected);
        }
    }

    #[test]
    fn values_nested_without_end_stay_finite() {
        let mut message = Vec::new();
        put_bytes(&mut message, 1, b"x");
        for _ in 0..10_000 {
            let mut array = Vec::new();
            put_bytes(&mut array, 1, &message);
            let mut value = Vec::new();
            put_bytes(&mut value, 5, &array);
            message = value;
            if message.len() > 1 << 20 {
                break;
            }
        }
        let text = AnyValue::decode(&message).unwrap().to_text().into_owned();
        assert!(
            text.starts_with("[[[[") && text.contains("null") && text.len() < 200,
            "{text}"
        );
    }

    #[test]
    fn maps_and_arrays_are_json_with_sorted_keys() {
        let entry = |key: &str, value: &[u8]| {
            let mut out = Vec::new();
            put_bytes(&mut out, 1, key.as_bytes());
            put_bytes(&mut out, 2, value);
            out
        };
        let mut int = Vec::new();
        put_varint(&mut int, 3 << 3);
        put_varint(&mut int, 7);
        let mut string = Vec::new();
        put_bytes(&mut string, 1, "a\"\u{1}한".as_bytes());
        let mut map = Vec::new();
        put_bytes(&mut map, 1, &entry("z", &int));
        put_bytes(&mut map, 1, &entry("a", &string));
        let mut value = Vec::new();
        put_bytes(&mut value, 6, &map);
        let text = AnyValue::decode(&value).unwrap().to_text().into_owned();
        assert_eq!(text, "{\"a\":\"a\\\"\\u0001한\",\"z\":7}");
    }
}
