//! Protobuf's wire format, read in place.
//!
//! One message is a run of fields; nothing is copied and nothing is allocated. It knows no
//! schema: who reads a message says which field numbers it wants and skips the others.
//! Format: <https://protobuf.dev/programming-guides/encoding/>.

/// Groups nest on the wire; deeper than this is hostile (the reference decoders stop at 100).
const MAX_GROUP_DEPTH: u32 = 100;

/// Why bytes are not a protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// A field says that it is longer than what is left.
    #[error("message ends inside a field")]
    Truncated,
    /// A varint of more than ten bytes, or one that overflows.
    #[error("varint is too long")]
    Varint,
    /// Field number 0, or one above 2^29 - 1.
    #[error("field number is out of range")]
    FieldNumber,
    /// A wire type that does not exist, or one that the field cannot have.
    #[error("field has the wrong wire type")]
    WireType,
    /// Groups or values nested too deeply, or a group that is not closed.
    #[error("nesting is too deep or not closed")]
    Nesting,
}

/// One field's content, still on the wire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
    /// A group, which no OTLP message has: skipped whole.
    Group,
}

impl<'a> Value<'a> {
    pub(crate) fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(Malformed::WireType),
        }
    }

    pub(crate) fn varint(self) -> Result<u64, Malformed> {
        match self {
            Value::Varint(value) => Ok(value),
            _ => Err(Malformed::WireType),
        }
    }

    pub(crate) fn fixed64(self) -> Result<u64, Malformed> {
        match self {
            Value::Fixed64(value) => Ok(value),
            _ => Err(Malformed::WireType),
        }
    }

    pub(crate) fn fixed32(self) -> Result<u32, Malformed> {
        match self {
            Value::Fixed32(value) => Ok(value),
            _ => Err(Malformed::WireType),
        }
    }
}

/// The fields of one message, in the order of the wire.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn of(message: &'a [u8]) -> Self {
        Fields { rest: message }
    }

    /// The next field's number and content, `None` at the end of the message.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (number, wire_type) = self.key()?;
        let value = match wire_type {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).map_err(|_| Malformed::Truncated)?;
                Value::Bytes(self.take(length)?)
            }
            3 => {
                self.skip_group(number)?;
                Value::Group
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(Malformed::WireType),
        };
        Ok(Some((number, value)))
    }

    fn key(&mut self) -> Result<(u32, u8), Malformed> {
        let key = u32::try_from(self.varint()?).map_err(|_| Malformed::FieldNumber)?;
        match key >> 3 {
            0 => Err(Malformed::FieldNumber),
            number => Ok((number, (key & 7) as u8)),
        }
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for (index, byte) in self.rest.iter().take(10).enumerate() {
            // The tenth byte holds the 64th bit alone.
            if index == 9 && *byte > 1 {
                return Err(Malformed::Varint);
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 {
            Malformed::Truncated
        } else {
            Malformed::Varint
        })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(*array)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Iterative, so that depth costs no stack.
    fn skip_group(&mut self, number: u32) -> Result<(), Malformed> {
        let mut open = vec![number];
        while let Some(innermost) = open.last() {
            let (number, wire_type) = self.key()?;
            match wire_type {
                0 => {
                    self.varint()?;
                }
                1 => {
                    self.take(8)?;
                }
                2 => {
                    let length = self.varint()?;
                    self.take(usize::try_from(length).map_err(|_| Malformed::Truncated)?)?;
                }
                3 if open.len() as u32 >= MAX_GROUP_DEPTH => return Err(Malformed::Nesting),
                3 => open.push(number),
                4 if number == *innermost => drop(open.pop()),
                4 => return Err(Malformed::Nesting),
                5 => {
                    self.take(4)?;
                }
                _ => return Err(Malformed::WireType),
            }
        }
        Ok(())
    }
}

/// Appends a varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a length-delimited field.
pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_varint(out, u64::from(number << 3 | 2));
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a varint field; zero is the default and is left out, as proto3 says.
pub(crate) fn put_uint(out: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        put_varint(out, u64::from(number << 3));
        put_varint(out, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(message: &[u8]) -> Result<Vec<(u32, Value<'_>)>, Malformed> {
        let mut fields = Fields::of(message);
        let mut found = Vec::new();
        while let Some(field) = fields.next()? {
            found.push(field);
        }
        Ok(found)
    }

    #[test]
    fn every_wire_type_is_read() {
        let message = [
            0x08, 0x96, 0x01, // 1: varint 150
            0x11, 1, 0, 0, 0, 0, 0, 0, 0, // 2: fixed64
            0x1a, 2, b'h', b'i', // 3: bytes
            0x25, 7, 0, 0, 0, // 4: fixed32
            0x2b, 0x08, 0x01, 0x33, 0x34, 0x2c, // 5: a group with a group in it
        ];
        let expected = vec![
            (1, Value::Varint(150)),
            (2, Value::Fixed64(1)),
            (3, Value::Bytes(b"hi")),
            (4, Value::Fixed32(7)),
            (5, Value::Group),
        ];
        assert_eq!(all(&message), Ok(expected));
    }

    #[test]
    fn damage_is_named() {
        let cases: [(&[u8], Malformed); 10] = [
            (&[0x08], Malformed::Truncated),
            (&[0x08, 0x80], Malformed::Truncated),
            (&[0x0a, 0x05, 1, 2], Malformed::Truncated),
            (
                &[
                    0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
                ],
                Malformed::Truncated,
            ),
            (
                &[
                    0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02,
                ],
                Malformed::Varint,
            ),
            (&[0x00, 0x01], Malformed::FieldNumber),
            (&[0x0e, 0x01], Malformed::WireType),
            (&[0x0c], Malformed::WireType),
            (&[0x0b, 0x14], Malformed::Nesting),
            (&[0x0b; 101], Malformed::Nesting),
        ];
        for (message, expected) in cases {
            assert_eq!(all(message), Err(expected), "{message:02x?}");
        }
    }

    #[test]
    fn varints_round_trip() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = vec![0x08];
            put_varint(&mut out, value);
            assert_eq!(all(&out), Ok(vec![(1, Value::Varint(value))]));
        }
    }
}
