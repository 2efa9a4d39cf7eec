//! Trace and span ids, as OTLP and Jaeger write them.

use std::fmt;

/// 16 bytes, big-endian; zero is no id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TraceId(pub u128);

/// 8 bytes, big-endian; zero is no id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SpanId(pub u64);

impl TraceId {
    /// An id of exactly 16 bytes that is not zero.
    pub(crate) fn from_wire(bytes: &[u8]) -> Option<Self> {
        let id = u128::from_be_bytes(bytes.try_into().ok()?);
        (id != 0).then_some(TraceId(id))
    }

    /// 1 to 32 hexadecimal digits in either case, as Jaeger reads them: short ids are the low
    /// bits.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let hex = (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
        if !hex {
            return None;
        }
        u128::from_str_radix(text, 16).ok().map(TraceId)
    }
}

/// 16 digits when the high half is zero, else 32, as Jaeger prints them.
impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 >> 64 == 0 {
            write!(f, "{:016x}", self.0)
        } else {
            write!(f, "{:032x}", self.0)
        }
    }
}

impl SpanId {
    /// An id of exactly 8 bytes that is not zero.
    pub(crate) fn from_wire(bytes: &[u8]) -> Option<Self> {
        let id = u64::from_be_bytes(bytes.try_into().ok()?);
        (id != 0).then_some(SpanId(id))
    }

    /// A parent's id: absent, 8 zero bytes (both mean: no parent) or a proper id.
    pub(crate) fn parent_from_wire(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(SpanId(0));
        }
        bytes.try_into().ok().map(u64::from_be_bytes).map(SpanId)
    }

    pub(crate) fn is_none(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_ids_print_and_parse_as_in_jaeger() {
        assert_eq!(TraceId(0xff).to_string(), "00000000000000ff");
        assert_eq!(
            TraceId(1 << 64).to_string(),
            "00000000000000010000000000000000"
        );
        assert_eq!(TraceId::from_hex("FF"), Some(TraceId(0xff)));
        assert_eq!(TraceId::from_hex(&"f".repeat(32)), Some(TraceId(u128::MAX)));
        for bad in ["", "xyz", "+1", &"0".repeat(33), "0x1", "한"] {
            assert_eq!(TraceId::from_hex(bad), None, "{bad}");
        }
    }

    #[test]
    fn wire_ids_have_one_length_and_are_not_zero() {
        assert_eq!(TraceId::from_wire(&[0; 16]), None);
        assert_eq!(TraceId::from_wire(&[1; 15]), None);
        assert_eq!(SpanId::from_wire(&[0; 8]), None);
        assert_eq!(
            SpanId::from_wire(&[0, 0, 0, 0, 0, 0, 0, 9]),
            Some(SpanId(9))
        );
        assert_eq!(SpanId::parent_from_wire(&[]), Some(SpanId(0)));
        assert_eq!(SpanId::parent_from_wire(&[0; 8]), Some(SpanId(0)));
        assert_eq!(SpanId::parent_from_wire(&[1; 3]), None);
    }
}
