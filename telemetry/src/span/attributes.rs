//! The attributes of one span, encoded as they come.

use super::encode::ATTRIBUTE;
use super::limits::Limits;
use super::pool;
use super::proto::{self, Attribute};
use std::ops::Range;

/// The field `dropped_attributes_count` of a span.
const DROPPED: u8 = 0x50;

/// The attributes of one span, encoded as they come, and other fields beside them. The memory
/// belongs to the thread's pool.
#[derive(Debug)]
pub(crate) struct Attributes {
    bytes: Vec<u8>,
    count: u32,
    dropped: u32,
}

impl Attributes {
    pub(crate) fn take() -> Attributes {
        Attributes {
            bytes: pool::take(),
            count: 0,
            dropped: 0,
        }
    }

    /// As [`take`](Self::take), when the span has some attributes from elsewhere.
    pub(crate) fn after(count: u32) -> Attributes {
        Attributes {
            count,
            ..Attributes::take()
        }
    }

    /// Adds an attribute whose key is not there yet: one that this crate writes once.
    #[inline]
    pub(crate) fn push(&mut self, limits: &Limits, key: &str, value: impl Attribute) {
        if self.count < limits.attribute_count {
            self.count += 1;
            proto::attribute_within(&mut self.bytes, ATTRIBUTE, limits, key, value);
        } else {
            self.dropped += 1;
        }
    }

    /// Sets an attribute of any key: an
    /// [earlier value is replaced](https://opentelemetry.io/docs/specs/otel/trace/api/#set-attributes).
    pub(crate) fn set(&mut self, limits: &Limits, key: &str, value: impl Attribute) {
        if let Some(earlier) = self.find(key) {
            self.bytes.drain(earlier);
            self.count -= 1;
        }
        self.push(limits, key, value);
    }

    /// Writes another length-delimited field of the span, such as a link.
    pub(crate) fn field(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
    }

    /// Appends everything, and how much is missing. The memory goes back to the pool.
    pub(crate) fn finish(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes);
        if self.dropped > 0 {
            out.push(DROPPED);
            proto::varint(out, u64::from(self.dropped));
        }
        pool::give(self.bytes);
    }

    /// Where the attribute of a key stands.
    fn find(&self, key: &str) -> Option<Range<usize>> {
        let mut at = 0;
        while let Some(&tag) = self.bytes.get(at) {
            let (len, body) = proto::read_varint(&self.bytes, at + 1)?;
            let end = body + len;
            if tag == ATTRIBUTE {
                // The key is the pair's first field.
                let (len, text) = proto::read_varint(&self.bytes, body + 1)?;
                if self.bytes.get(text..text + len)? == key.as_bytes() {
                    return Some(at..end);
                }
            }
            at = end;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::encode;
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
    use opentelemetry_proto::tonic::trace::v1::Span;
    use prost::Message;

    fn decoded(attributes: Attributes) -> (Vec<(String, Any)>, u32) {
        let mut out = Vec::new();
        attributes.finish(&mut out);
        let span = Span::decode(&*out).unwrap();
        let pairs = span.attributes.into_iter();
        let pairs = pairs.map(|pair| (pair.key, pair.value.unwrap().value.unwrap()));
        (pairs.collect(), span.dropped_attributes_count)
    }

    #[test]
    fn what_is_set_again_replaces_what_was() {
        let limits = Limits::default();
        let long = "x".repeat(300);
        let mut attributes = Attributes::take();
        attributes.set(&limits, "a", 1);
        attributes.set(&limits, "ab", long.as_str());
        attributes.field(|out| encode::name(out, "a"));
        attributes.set(&limits, &long, true);
        attributes.set(&limits, "", 1.5);
        attributes.set(&limits, "a", "one");
        attributes.set(&limits, &long, false);
        attributes.set(&limits, "ab", 2);
        attributes.set(&limits, "", 2.5);
        let expected = vec![
            ("a".to_owned(), Any::StringValue("one".to_owned())),
            (long, Any::BoolValue(false)),
            ("ab".to_owned(), Any::IntValue(2)),
            (String::new(), Any::DoubleValue(2.5)),
        ];
        assert_eq!(decoded(attributes), (expected, 0));
    }

    #[test]
    fn beyond_the_limit_attributes_are_counted_and_known_ones_still_replaced() {
        let limits = Limits {
            attribute_count: 2,
            attribute_value_length: Some(3),
            ..Limits::default()
        };
        let mut attributes = Attributes::take();
        attributes.push(&limits, "a", "größe");
        attributes.push(&limits, "b", 2);
        attributes.push(&limits, "c", 3);
        attributes.set(&limits, "d", 4);
        attributes.set(&limits, "b", 5);
        let expected = vec![
            ("a".to_owned(), Any::StringValue("grö".to_owned())),
            ("b".to_owned(), Any::IntValue(5)),
        ];
        assert_eq!(decoded(attributes), (expected, 2));
    }

    #[test]
    fn nothing_is_recorded_where_nothing_is_allowed() {
        let limits = Limits {
            attribute_count: 0,
            ..Limits::default()
        };
        let mut attributes = Attributes::take();
        attributes.push(&limits, "a", 1);
        assert_eq!(decoded(attributes), (Vec::new(), 1));
    }
}
