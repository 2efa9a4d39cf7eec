//! Reads the protobuf wire format (protobuf.dev/programming-guides/encoding), field by field.

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed protobuf: {0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

/// One field's value as it is on the wire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Wire<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
}

impl<'a> Wire<'a> {
    pub(crate) fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Wire::Bytes(bytes) => Ok(bytes),
            _ => Err(Malformed("expected a length-delimited field")),
        }
    }

    pub(crate) fn string(self) -> Result<String, Malformed> {
        let text = std::str::from_utf8(self.bytes()?);
        text.map(str::to_owned)
            .map_err(|_| Malformed("a string is not UTF-8"))
    }

    pub(crate) fn varint(self) -> Result<u64, Malformed> {
        match self {
            Wire::Varint(number) => Ok(number),
            _ => Err(Malformed("expected a varint field")),
        }
    }

    pub(crate) fn fixed64(self) -> Result<u64, Malformed> {
        match self {
            Wire::Fixed64(bytes) => Ok(u64::from_le_bytes(bytes)),
            _ => Err(Malformed("expected a 64-bit field")),
        }
    }

    pub(crate) fn fixed32(self) -> Result<u32, Malformed> {
        match self {
            Wire::Fixed32(bytes) => Ok(u32::from_le_bytes(bytes)),
            _ => Err(Malformed("expected a 32-bit field")),
        }
    }
}

/// The fields of one message, in the order of the wire.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn of(message: &'a [u8]) -> Fields<'a> {
        Fields { rest: message }
    }

    fn read(&mut self) -> Result<(u64, Wire<'a>), Malformed> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(self.array()?),
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).map_err(|_| Malformed("a huge length"))?;
                let bytes = self
                    .rest
                    .get(..length)
                    .ok_or(Malformed("a field is cut off"))?;
                self.rest = &self.rest[length..];
                Wire::Bytes(bytes)
            }
            5 => Wire::Fixed32(self.array()?),
            _ => return Err(Malformed("an unknown wire type")),
        };
        if key >> 3 == 0 {
            return Err(Malformed("field number 0"));
        }
        Ok((key >> 3, value))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(Malformed("a field is cut off"))?;
        self.rest = rest;
        Ok(*array)
    }

    pub(crate) fn varint(&mut self) -> Result<u64, Malformed> {
        let mut number = 0_u64;
        for (at, byte) in self.rest.iter().enumerate().take(10) {
            let bits = u64::from(byte & 0x7f);
            if at == 9 && bits > 1 {
                return Err(Malformed("a varint is too large"));
            }
            number |= bits << (7 * at);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[at + 1..];
                return Ok(number);
            }
        }
        Err(Malformed("a varint does not end"))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Wire<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padded_lengths_are_read() {
        let fields: Vec<_> = Fields::of(&[0x0a, 0x81, 0x80, 0x00, 9, 0x10, 5]).collect();
        assert_eq!(
            fields,
            [Ok((1, Wire::Bytes(&[9]))), Ok((2, Wire::Varint(5)))]
        );
    }

    #[test]
    fn broken_messages_end_with_an_error() {
        for broken in [
            &[0x0a, 5, 1][..],
            &[0x09, 1],
            &[0x80],
            &[0x0b],
            &[0x00, 0x01],
            &[
                0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
            ],
        ] {
            let fields: Vec<_> = Fields::of(broken).collect();
            assert_eq!(fields.len(), 1);
            assert!(fields[0].is_err(), "{broken:?}");
        }
    }
}
