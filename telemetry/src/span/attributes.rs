//! Attributes, encoded as they come.

use super::encode;
use super::limits::Limits;
use super::pool;
use super::proto::{self, Attribute};
use std::fmt;
use std::hint::cold_path;
use std::marker::PhantomData;
use std::ops::Range;

/// What has attributes.
pub(crate) trait Owner {
    /// The tag of its attributes.
    const ATTRIBUTE: u8;
    /// The tag of its `dropped_attributes_count`.
    const DROPPED: u8;
    /// How many it may have.
    fn limit(limits: &Limits) -> u32;
}

#[derive(Debug)]
pub(crate) struct OfSpan;
#[derive(Debug)]
pub(crate) struct OfEvent;
#[derive(Debug)]
pub(crate) struct OfLink;

impl Owner for OfSpan {
    const ATTRIBUTE: u8 = encode::ATTRIBUTE;
    const DROPPED: u8 = 0x50;
    #[inline]
    fn limit(limits: &Limits) -> u32 {
        limits.attribute_count
    }
}

impl Owner for OfEvent {
    const ATTRIBUTE: u8 = 0x1a;
    const DROPPED: u8 = 0x20;
    fn limit(limits: &Limits) -> u32 {
        limits.event_attribute_count
    }
}

impl Owner for OfLink {
    const ATTRIBUTE: u8 = 0x22;
    const DROPPED: u8 = 0x28;
    fn limit(limits: &Limits) -> u32 {
        limits.link_attribute_count
    }
}

/// The attributes of a span, an event or a link, encoded as they come, and other fields beside
/// them. The memory belongs to the thread's pool.
#[derive(Debug)]
pub(crate) struct Attributes<O = OfSpan> {
    bytes: Vec<u8>,
    count: u32,
    dropped: u32,
    owner: PhantomData<O>,
}

impl Attributes {
    /// Those of a span.
    pub(crate) fn take() -> Attributes {
        Attributes::empty()
    }

    /// As [`take`](Self::take), when the span has some attributes from elsewhere, as far as the
    /// limit admits them.
    pub(crate) fn after(limits: &Limits, count: u32) -> Attributes {
        let kept = count.min(limits.attribute_count);
        Attributes {
            count: kept,
            dropped: count - kept,
            ..Attributes::take()
        }
    }
}

impl<O: Owner> Attributes<O> {
    pub(crate) fn empty() -> Self {
        Attributes {
            bytes: pool::take(),
            count: 0,
            dropped: 0,
            owner: PhantomData,
        }
    }

    /// Adds an attribute whose key is not there yet: one that this crate writes once.
    #[inline]
    pub(crate) fn push(&mut self, limits: &Limits, key: &str, value: impl Attribute) {
        if self.count < O::limit(limits) {
            self.count += 1;
            proto::attribute_within(&mut self.bytes, O::ATTRIBUTE, limits, key, value);
        } else {
            self.dropped += 1;
        }
    }

    /// As [`push`](Self::push), for the few attributes that nearly every span of a kind has: more
    /// code, and less to do.
    #[inline(always)]
    pub(crate) fn text(&mut self, limits: &Limits, key: &'static str, text: &str) {
        let text = limits.cut(text);
        if key.len() + text.len() <= proto::SHORT && self.count < O::limit(limits) {
            self.count += 1;
            proto::short_text(&mut self.bytes, O::ATTRIBUTE, key, text);
        } else {
            self.long_text(limits, key, text);
        }
    }

    #[cold]
    fn long_text(&mut self, limits: &Limits, key: &'static str, text: &str) {
        self.push(limits, key, text);
    }

    /// The same of a number.
    #[inline(always)]
    pub(crate) fn number(&mut self, limits: &Limits, key: &'static str, number: u16) {
        if self.count < O::limit(limits) {
            self.count += 1;
            proto::short_number(&mut self.bytes, O::ATTRIBUTE, key, number);
        } else {
            cold_path();
            self.dropped += 1;
        }
    }

    /// Sets an attribute of any key: an
    /// [earlier value is replaced](https://opentelemetry.io/docs/specs/otel/trace/api/#set-attributes).
    pub(crate) fn set(&mut self, limits: &Limits, key: &str, value: impl Attribute) {
        self.remove(key);
        self.push(limits, key, value);
    }

    /// The same for something that is text only once it is written.
    pub(crate) fn set_text(&mut self, limits: &Limits, key: &str, text: fmt::Arguments<'_>) {
        // Whoever writes the text may record something on the way, so the memory is its own.
        let mut written = pool::Buffer::limited(limits.attribute_value_length);
        written.write(text);
        self.set(limits, key, written.as_str());
    }

    /// Sets each attribute of another span part.
    pub(crate) fn merge(&mut self, limits: &Limits, later: Self) {
        let mut at = 0;
        while let Some((field, key)) = later.next(at) {
            at = field.end;
            let Some(key) = key else { continue };
            self.remove_bytes(&later.bytes[key]);
            if self.count < O::limit(limits) {
                self.count += 1;
                self.bytes.extend_from_slice(&later.bytes[field]);
            } else {
                self.dropped += 1;
            }
        }
        self.dropped += later.dropped;
        pool::give(later.bytes);
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.find(key.as_bytes()).is_some()
    }

    /// Some were left out before they came here.
    #[cfg(any(test, feature = "opentelemetry-sdk"))]
    pub(crate) fn dropped(&mut self, count: u32) {
        self.dropped += count;
    }

    /// Writes another length-delimited field, such as a link.
    pub(crate) fn field(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
    }

    /// The length of everything, and of the number that says how much is missing.
    pub(super) fn size(&self) -> usize {
        let dropped = match self.dropped {
            0 => 0,
            dropped => 1 + proto::varint_len(u64::from(dropped)),
        };
        self.bytes.len() + dropped
    }

    /// Appends everything, and how much is missing. The memory goes back to the pool.
    pub(crate) fn finish(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes);
        if self.dropped > 0 {
            out.push(O::DROPPED);
            proto::varint(out, u64::from(self.dropped));
        }
        pool::give(self.bytes);
    }

    fn remove(&mut self, key: &str) {
        self.remove_bytes(key.as_bytes());
    }

    fn remove_bytes(&mut self, key: &[u8]) {
        if let Some(earlier) = self.find(key) {
            self.bytes.drain(earlier);
            self.count -= 1;
        }
    }

    /// Where the attribute of a key stands.
    fn find(&self, wanted: &[u8]) -> Option<Range<usize>> {
        let mut at = 0;
        while let Some((field, key)) = self.next(at) {
            if key.is_some_and(|key| &self.bytes[key] == wanted) {
                return Some(field);
            }
            at = field.end;
        }
        None
    }

    /// The field that begins at `at`, and its key if it is an attribute.
    fn next(&self, at: usize) -> Option<(Range<usize>, Option<Range<usize>>)> {
        let tag = *self.bytes.get(at)?;
        let (len, body) = proto::read_varint(&self.bytes, at + 1)?;
        let key = if tag == O::ATTRIBUTE {
            // It is the pair's first field.
            let (len, key) = proto::read_varint(&self.bytes, body + 1)?;
            Some(key..key + len)
        } else {
            None
        };
        Some((at..body + len, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
    use opentelemetry_proto::tonic::trace::v1::Span;
    use prost::Message;

    fn decoded(attributes: Attributes) -> (Vec<(String, Any)>, u32) {
        let mut out = Vec::new();
        let size = attributes.size();
        attributes.finish(&mut out);
        assert_eq!(out.len(), size);
        let span = Span::decode(&*out).unwrap();
        let pairs = span.attributes.into_iter();
        let pairs = pairs.map(|pair| (pair.key, pair.value.unwrap().value.unwrap()));
        (pairs.collect(), span.dropped_attributes_count)
    }

    fn pair(key: &str, value: Any) -> (String, Any) {
        (key.to_owned(), value)
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
        attributes.set_text(&limits, "a", format_args!("{}", "one"));
        attributes.set(&limits, &long, false);
        attributes.set(&limits, "ab", 2);
        attributes.set(&limits, "", 2.5);
        assert!(attributes.has("ab") && !attributes.has("abc"));
        let expected = vec![
            pair("a", Any::StringValue("one".to_owned())),
            pair(&long, Any::BoolValue(false)),
            pair("ab", Any::IntValue(2)),
            pair("", Any::DoubleValue(2.5)),
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
        attributes.set_text(&limits, "a", format_args!("{}{}", "öü", "ß".repeat(1000)));
        let expected = vec![
            pair("b", Any::IntValue(5)),
            pair("a", Any::StringValue("öüß".to_owned())),
        ];
        assert_eq!(decoded(attributes), (expected, 2));
    }

    #[test]
    fn constant_keys_say_the_same() {
        let limits = Limits {
            attribute_count: 400,
            ..Limits::default()
        };
        let mut attributes = Attributes::take();
        let mut expected = Vec::new();
        for len in 0..200 {
            let text = "x".repeat(len);
            attributes.text(&limits, "key", &text);
            expected.push(pair("key", Any::StringValue(text)));
        }
        for number in [0, 1, 127, 128, 443, 16_383, 16_384, u16::MAX] {
            attributes.number(&limits, "key", number);
            expected.push(pair("key", Any::IntValue(number.into())));
        }
        assert_eq!(decoded(attributes), (expected, 0));
        let limits = Limits {
            attribute_count: 1,
            attribute_value_length: Some(1),
            ..limits
        };
        let mut attributes = Attributes::take();
        attributes.text(&limits, "a", "xy");
        attributes.text(&limits, "b", "x");
        attributes.number(&limits, "c", 1);
        let expected = vec![pair("a", Any::StringValue("x".to_owned()))];
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

    #[test]
    fn what_came_later_wins_when_two_are_merged() {
        let limits = Limits {
            attribute_count: 3,
            ..Limits::default()
        };
        let (mut attributes, mut later) = (Attributes::take(), Attributes::take());
        attributes.push(&limits, "a", 1);
        attributes.push(&limits, "b", 1);
        for key in ["b", "c", "d", "dropped already"] {
            later.push(&limits, key, 2);
        }
        attributes.merge(&limits, later);
        let expected = vec![
            pair("a", Any::IntValue(1)),
            pair("b", Any::IntValue(2)),
            pair("c", Any::IntValue(2)),
        ];
        assert_eq!(decoded(attributes), (expected, 2));
    }
}
