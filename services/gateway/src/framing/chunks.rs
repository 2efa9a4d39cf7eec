//! Follows a chunked body (RFC 9112, 7.1) to its end, without looking at its data.

/// How far a chunked body has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chunks {
    Size {
        size: u64,
        digits: bool,
        extension: bool,
    },
    Data(u64),
    /// The line end after the data of a chunk.
    End,
    Trailers {
        line: usize,
    },
}

/// What some bytes did to a body.
pub(super) enum Step<'a> {
    /// All bytes belong to it, and it goes on.
    Goes,
    /// It ended before these bytes.
    Ends(&'a [u8]),
    /// It is not chunked as it should be.
    Broken,
}

impl Chunks {
    pub(super) fn new() -> Self {
        Self::Size {
            size: 0,
            digits: false,
            extension: false,
        }
    }

    pub(super) fn feed<'a>(&mut self, mut bytes: &'a [u8]) -> Step<'a> {
        while let Some(byte) = bytes.first() {
            if let Self::Data(left) = self {
                let taken = bytes
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= taken as u64;
                bytes = &bytes[taken..];
                if *left == 0 {
                    *self = Self::End;
                }
                continue;
            }
            let last = matches!(self, Self::Trailers { line: 0 }) && *byte == b'\n';
            bytes = &bytes[1..];
            if last {
                return Step::Ends(bytes);
            }
            match self.after(*byte) {
                Some(next) => *self = next,
                None => return Step::Broken,
            }
        }
        Step::Goes
    }

    fn after(&self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (
                Self::Size {
                    size, digits: true, ..
                },
                b'\n',
            ) if *size > 0 => Self::Data(*size),
            (Self::Size { digits: true, .. } | Self::Trailers { .. }, b'\n') => {
                Self::Trailers { line: 0 }
            }
            (
                Self::Size {
                    size,
                    digits,
                    extension: true,
                },
                _,
            ) => Self::Size {
                size: *size,
                digits: *digits,
                extension: true,
            },
            (Self::Size { size, digits, .. }, byte) => match char::from(byte).to_digit(16) {
                Some(digit) => Self::Size {
                    size: size.checked_mul(16)? + u64::from(digit),
                    digits: true,
                    extension: false,
                },
                None if *digits => Self::Size {
                    size: *size,
                    digits: true,
                    extension: true,
                },
                None => return None,
            },
            (Self::End, b'\r') => Self::End,
            (Self::End, b'\n') => Self::new(),
            (Self::Trailers { line }, b'\r') => Self::Trailers { line: *line },
            (Self::Trailers { line }, _) => Self::Trailers {
                line: line.saturating_add(1),
            },
            (Self::End | Self::Data(_), _) => return None,
        })
    }
}
