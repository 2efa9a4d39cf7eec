//! The few pieces of the [protobuf wire format](https://protobuf.dev/programming-guides/encoding/)
//! that OTLP needs.

use opentelemetry::{Array, Value};

/// Attribute values longer than this are cut at a character's border.
const MAX_VALUE: usize = 4096;

pub(crate) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint_len(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}

/// A length-delimited field.
pub(crate) fn bytes(out: &mut Vec<u8>, tag: u8, value: &[u8]) {
    out.push(tag);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// A message whose length is known only after it is written: the length takes `N` bytes, padded
/// with continuation bits. `None`, with `out` as before, if it does not fit.
pub(crate) fn message<const N: usize>(
    out: &mut Vec<u8>,
    tag: u8,
    write: impl FnOnce(&mut Vec<u8>),
) -> Option<()> {
    let start = out.len();
    out.push(tag);
    let at = out.len();
    out.extend_from_slice(&[0; N]);
    write(out);
    let len = out.len() - at - N;
    if len >> (7 * N) != 0 {
        out.truncate(start);
        return None;
    }
    patch(&mut out[at..at + N], len);
    Some(())
}

/// Writes a length over a placeholder of as many bytes.
pub(crate) fn patch(placeholder: &mut [u8], len: usize) {
    let last = placeholder.len() - 1;
    for (i, byte) in placeholder.iter_mut().enumerate() {
        *byte = (len >> (7 * i)) as u8 & 0x7f | if i < last { 0x80 } else { 0 };
    }
}

/// A value that an attribute can have: a number or a reference.
pub(crate) trait Attribute: Copy {
    /// The length of its `AnyValue`.
    fn len(&self) -> usize;
    /// The `AnyValue`, without tag and length.
    fn write(&self, out: &mut Vec<u8>);
}

fn cut(text: &str) -> &str {
    if text.len() > MAX_VALUE {
        &text[..text.floor_char_boundary(MAX_VALUE)]
    } else {
        text
    }
}

impl Attribute for &str {
    fn len(&self) -> usize {
        let len = cut(self).len();
        1 + varint_len(len as u64) + len
    }

    fn write(&self, out: &mut Vec<u8>) {
        bytes(out, 0x0a, cut(self).as_bytes());
    }
}

impl Attribute for bool {
    fn len(&self) -> usize {
        2
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[0x10, u8::from(*self)]);
    }
}

impl Attribute for i64 {
    fn len(&self) -> usize {
        1 + varint_len(*self as u64)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(0x18);
        varint(out, *self as u64);
    }
}

impl Attribute for f64 {
    fn len(&self) -> usize {
        9
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(0x21);
        out.extend_from_slice(&self.to_le_bytes());
    }
}

/// A value of the OpenTelemetry API. Rare beside our own, so its length is found by writing it.
impl Attribute for &Value {
    fn len(&self) -> usize {
        let mut out = Vec::new();
        self.write(&mut out);
        out.len()
    }

    fn write(&self, out: &mut Vec<u8>) {
        fn list<A: Attribute>(out: &mut Vec<u8>, values: impl Iterator<Item = A>) {
            let mut array = Vec::new();
            for value in values {
                array.push(0x0a);
                varint(&mut array, value.len() as u64);
                value.write(&mut array);
            }
            bytes(out, 0x2a, &array);
        }
        match self {
            Value::Bool(value) => value.write(out),
            Value::I64(value) => value.write(out),
            Value::F64(value) => value.write(out),
            Value::String(value) => value.as_str().write(out),
            Value::Array(Array::Bool(values)) => list(out, values.iter().copied()),
            Value::Array(Array::I64(values)) => list(out, values.iter().copied()),
            Value::Array(Array::F64(values)) => list(out, values.iter().copied()),
            Value::Array(Array::String(values)) => {
                list(out, values.iter().map(opentelemetry::StringValue::as_str));
            }
            // Both enums may grow.
            other => other.to_string().as_str().write(out),
        }
    }
}

/// A `KeyValue` as the field `tag`.
pub(crate) fn attribute(out: &mut Vec<u8>, tag: u8, key: &str, value: impl Attribute) {
    let any = value.len();
    let pair = 1 + varint_len(key.len() as u64) + key.len() + 1 + varint_len(any as u64) + any;
    out.push(tag);
    varint(out, pair as u64);
    bytes(out, 0x0a, key.as_bytes());
    out.push(0x12);
    varint(out, any as u64);
    value.write(out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
    use opentelemetry_proto::tonic::common::v1::{ArrayValue, KeyValue};
    use prost::Message;

    fn decoded(value: impl Attribute) -> Any {
        let mut out = Vec::new();
        attribute(&mut out, 0x0a, "key", value);
        let pair = KeyValue::decode_length_delimited(&out[1..]).unwrap();
        assert_eq!(pair.key, "key");
        pair.value.unwrap().value.unwrap()
    }

    #[test]
    fn values_decode_to_what_they_were() {
        for value in [0, 1, 127, 128, 16_383, 16_384, i64::MAX, -1, i64::MIN] {
            assert_eq!(decoded(value), Any::IntValue(value));
        }
        assert_eq!(decoded(true), Any::BoolValue(true));
        assert_eq!(decoded(1.5), Any::DoubleValue(1.5));
        for len in [0, 1, 127, 128, 4096] {
            let text = "x".repeat(len);
            assert_eq!(decoded(text.as_str()), Any::StringValue(text));
        }
        let list = Value::Array(vec![1_i64, -2].into());
        let Any::ArrayValue(ArrayValue { values }) = decoded(&list) else {
            panic!("not a list")
        };
        assert_eq!(values[1].value, Some(Any::IntValue(-2)));
    }

    #[test]
    fn long_values_are_cut_at_a_character() {
        let Any::StringValue(text) = decoded("é".repeat(5000).as_str()) else {
            panic!("no text")
        };
        assert_eq!(text.len(), 4096);
        let Any::StringValue(text) = decoded(format!("a{}", "é".repeat(5000)).as_str()) else {
            panic!("no text")
        };
        assert_eq!(text.len(), 4095);
    }

    #[test]
    fn a_message_that_does_not_fit_leaves_no_trace() {
        let mut out = vec![7];
        assert_eq!(
            message::<1>(&mut out, 0x0a, |out| out.extend([0; 128])),
            None
        );
        assert_eq!(out, [7]);
        assert_eq!(
            message::<1>(&mut out, 0x0a, |out| out.extend([1; 2])),
            Some(())
        );
        assert_eq!(out, [7, 0x0a, 2, 1, 1]);
        let mut out = Vec::new();
        message::<3>(&mut out, 0x0a, |out| out.push(9));
        assert_eq!(out, [0x0a, 0x81, 0x80, 0x00, 9]);
    }
}
