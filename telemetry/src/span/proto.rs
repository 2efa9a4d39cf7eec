//! The few pieces of the [protobuf wire format](https://protobuf.dev/programming-guides/encoding/)
//! that OTLP needs.

use super::limits::Limits;
use opentelemetry::{Array, StringValue, Value};

pub(crate) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn varint_len(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}

/// The number that begins at `at`, and where it ends.
pub(crate) fn read_varint(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut value = 0;
    for (i, byte) in bytes.get(at..)?.iter().enumerate().take(9) {
        value |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, at + i + 1));
        }
    }
    None
}

/// A length-delimited field.
#[inline]
pub(crate) fn bytes(out: &mut Vec<u8>, tag: u8, value: &[u8]) {
    if value.len() < 128 {
        out.extend_from_slice(&[tag, value.len() as u8]);
    } else {
        out.push(tag);
        varint(out, value.len() as u64);
    }
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
    fn size(&self, limits: &Limits) -> usize;
    /// The `AnyValue`, without tag and length.
    fn write(&self, out: &mut Vec<u8>, limits: &Limits);
}

impl Attribute for &str {
    #[inline]
    fn size(&self, limits: &Limits) -> usize {
        let len = limits.cut(self).len();
        1 + varint_len(len as u64) + len
    }

    #[inline]
    fn write(&self, out: &mut Vec<u8>, limits: &Limits) {
        bytes(out, 0x0a, limits.cut(self).as_bytes());
    }
}

impl Attribute for bool {
    fn size(&self, _limits: &Limits) -> usize {
        2
    }

    fn write(&self, out: &mut Vec<u8>, _limits: &Limits) {
        out.extend_from_slice(&[0x10, u8::from(*self)]);
    }
}

impl Attribute for i64 {
    fn size(&self, _limits: &Limits) -> usize {
        1 + varint_len(*self as u64)
    }

    fn write(&self, out: &mut Vec<u8>, _limits: &Limits) {
        out.push(0x18);
        varint(out, *self as u64);
    }
}

impl Attribute for f64 {
    fn size(&self, _limits: &Limits) -> usize {
        9
    }

    fn write(&self, out: &mut Vec<u8>, _limits: &Limits) {
        out.push(0x21);
        out.extend_from_slice(&self.to_le_bytes());
    }
}

/// Of raw bytes, a limit counts each.
impl Attribute for &[u8] {
    fn size(&self, limits: &Limits) -> usize {
        let len = limits.cut_bytes(self).len();
        1 + varint_len(len as u64) + len
    }

    fn write(&self, out: &mut Vec<u8>, limits: &Limits) {
        bytes(out, 0x3a, limits.cut_bytes(self));
    }
}

/// A value of the OpenTelemetry API.
impl Attribute for &Value {
    fn size(&self, limits: &Limits) -> usize {
        match self {
            Value::Bool(value) => value.size(limits),
            Value::I64(value) => value.size(limits),
            Value::F64(value) => value.size(limits),
            Value::String(value) => value.as_str().size(limits),
            Value::Array(array) => {
                let elements = array_len(array, limits);
                1 + varint_len(elements as u64) + elements
            }
            other => other.to_string().as_str().size(limits),
        }
    }

    fn write(&self, out: &mut Vec<u8>, limits: &Limits) {
        match self {
            Value::Bool(value) => value.write(out, limits),
            Value::I64(value) => value.write(out, limits),
            Value::F64(value) => value.write(out, limits),
            Value::String(value) => value.as_str().write(out, limits),
            Value::Array(array) => {
                out.push(0x2a);
                varint(out, array_len(array, limits) as u64);
                match array {
                    Array::Bool(values) => elements(out, values.iter().copied(), limits),
                    Array::I64(values) => elements(out, values.iter().copied(), limits),
                    Array::F64(values) => elements(out, values.iter().copied(), limits),
                    Array::String(values) => {
                        elements(out, values.iter().map(StringValue::as_str), limits);
                    }
                    // The API may grow.
                    other => elements(out, [other.to_string().as_str()].into_iter(), limits),
                }
            }
            // The API may grow.
            other => other.to_string().as_str().write(out, limits),
        }
    }
}

/// The length of an `ArrayValue`.
fn array_len(array: &Array, limits: &Limits) -> usize {
    fn sum<A: Attribute>(values: impl Iterator<Item = A>, limits: &Limits) -> usize {
        values
            .map(|value| value.size(limits))
            .map(|len| 1 + varint_len(len as u64) + len)
            .sum()
    }
    match array {
        Array::Bool(values) => sum(values.iter().copied(), limits),
        Array::I64(values) => sum(values.iter().copied(), limits),
        Array::F64(values) => sum(values.iter().copied(), limits),
        Array::String(values) => sum(values.iter().map(StringValue::as_str), limits),
        other => sum([other.to_string().as_str()].into_iter(), limits),
    }
}

fn elements<A: Attribute>(out: &mut Vec<u8>, values: impl Iterator<Item = A>, limits: &Limits) {
    for value in values {
        out.push(0x0a);
        varint(out, value.size(limits) as u64);
        value.write(out, limits);
    }
}

/// A `KeyValue` as the field `tag`, whatever its length.
pub(crate) fn attribute(out: &mut Vec<u8>, tag: u8, key: &str, value: impl Attribute) {
    attribute_within(out, tag, &Limits::default(), key, value);
}

/// A `KeyValue` as the field `tag`, its text no longer than the limit.
#[inline]
pub(crate) fn attribute_within(
    out: &mut Vec<u8>,
    tag: u8,
    limits: &Limits,
    key: &str,
    value: impl Attribute,
) {
    let any = value.size(limits);
    // The usual case, in which every length fits into one byte.
    if key.len() + any < 124 {
        let (pair, key_len) = ((key.len() + any + 4) as u8, key.len() as u8);
        out.extend_from_slice(&[tag, pair, 0x0a, key_len]);
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(&[0x12, any as u8]);
        value.write(out, limits);
    } else {
        long_attribute(out, tag, limits, key, value);
    }
}

/// The longest key and text, together, that [`short_text`] can write.
pub(super) const SHORT: usize = 121;

/// A `KeyValue` of text as the field `tag`. Where the key is a constant it becomes part of the code.
#[inline(always)]
pub(super) fn short_text(out: &mut Vec<u8>, tag: u8, key: &'static str, text: &str) {
    let pair = (key.len() + text.len() + 6) as u8;
    out.extend_from_slice(&[tag, pair, 0x0a, key.len() as u8]);
    out.extend_from_slice(key.as_bytes());
    let len = text.len() as u8;
    out.extend_from_slice(&[0x12, len + 2, 0x0a, len]);
    out.extend_from_slice(text.as_bytes());
}

/// The same of a number.
#[inline(always)]
pub(super) fn short_number(out: &mut Vec<u8>, tag: u8, key: &'static str, number: u16) {
    let [low, middle, high] =
        [number & 0x7f, number >> 7 & 0x7f, number >> 14].map(|bits| bits as u8);
    // Always three bytes: a varint may have continuation bits in front of zeros.
    out.extend_from_slice(&[tag, (key.len() + 8) as u8, 0x0a, key.len() as u8]);
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(&[0x12, 4, 0x18, low | 0x80, middle | 0x80, high]);
}

#[cold]
#[inline(never)]
fn long_attribute(out: &mut Vec<u8>, tag: u8, limits: &Limits, key: &str, value: impl Attribute) {
    let any = value.size(limits);
    let pair = 1 + varint_len(key.len() as u64) + key.len() + 1 + varint_len(any as u64) + any;
    out.push(tag);
    varint(out, pair as u64);
    bytes(out, 0x0a, key.as_bytes());
    out.push(0x12);
    varint(out, any as u64);
    value.write(out, limits);
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
        for len in [0, 1, 127, 128, 5000] {
            let text = "x".repeat(len);
            assert_eq!(decoded(text.as_str()), Any::StringValue(text));
        }
        assert_eq!(decoded(&[0_u8, 255][..]), Any::BytesValue(vec![0, 255]));
        let list = Value::Array(vec![1_i64, -2].into());
        let Any::ArrayValue(ArrayValue { values }) = decoded(&list) else {
            panic!("not a list")
        };
        assert_eq!(values[1].value, Some(Any::IntValue(-2)));
    }

    #[test]
    fn each_text_of_a_list_is_cut() {
        let limits = Limits {
            attribute_value_length: Some(2),
            ..Limits::default()
        };
        let list = Value::Array(vec!["é😀x".into(), StringValue::from("a")].into());
        let mut out = Vec::new();
        attribute_within(&mut out, 0x0a, &limits, "key", &list);
        let pair = KeyValue::decode_length_delimited(&out[1..]).unwrap();
        let Some(Any::ArrayValue(ArrayValue { values })) = pair.value.unwrap().value else {
            panic!("not a list")
        };
        let texts = ["é😀", "a"].map(|text| Some(Any::StringValue(text.to_owned())));
        assert!(values.iter().map(|value| &value.value).eq(&texts));
    }

    #[test]
    fn lengths_beyond_one_byte_are_exact() {
        for key in [0, 1, 100, 118, 119, 120, 121, 122, 123, 127, 128, 16_384] {
            for value in [0, 1, 2, 127, 128, 16_383, 16_384, 2_097_152] {
                let (key, value) = ("k".repeat(key), "v".repeat(value));
                let mut out = Vec::new();
                attribute(&mut out, 0x0a, &key, value.as_str());
                let mut rest = &out[1..];
                let pair = KeyValue::decode_length_delimited(&mut rest).unwrap();
                assert!(rest.is_empty());
                assert_eq!(pair.key, key);
                assert_eq!(pair.value.unwrap().value, Some(Any::StringValue(value)));
            }
        }
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
