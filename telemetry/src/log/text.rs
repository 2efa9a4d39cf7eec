//! Strings from anywhere, made safe for a line: escaped for JSON, or for a terminal.

use std::fmt::{self, Write};

/// Bytes of one value at most; the rest is replaced by [`CUT`]. One careless `{:?}` of a
/// whole body must not fill the buffer that all lines share.
pub(super) const VALUE_LIMIT: usize = 16 * 1024;

const CUT: &str = "…";

/// Escapes whatever is formatted into it and stops at the limit.
#[derive(Debug)]
struct Escaped<'a> {
    out: &'a mut Vec<u8>,
    escape: fn(&mut Vec<u8>, &str),
    left: usize,
}

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let fits = text.floor_char_boundary(self.left);
        (self.escape)(self.out, &text[..fits]);
        self.left -= fits;
        if fits < text.len() {
            self.left = 0;
            self.out.extend_from_slice(CUT.as_bytes());
            // Ends the formatting: nobody goes through the rest of a huge value.
            return Err(fmt::Error);
        }
        Ok(())
    }
}

/// Appends the inside of a JSON string (RFC 8259, 7).
pub(super) fn json(out: &mut Vec<u8>, value: fmt::Arguments<'_>) {
    format(out, escape_json, value);
}

/// Appends text whose control characters cannot move a terminal's cursor or forge a line.
pub(super) fn terminal(out: &mut Vec<u8>, value: fmt::Arguments<'_>) {
    format(out, escape_terminal, value);
}

fn format(out: &mut Vec<u8>, escape: fn(&mut Vec<u8>, &str), value: fmt::Arguments<'_>) {
    let mut escaped = Escaped {
        out,
        escape,
        left: VALUE_LIMIT,
    };
    // An error is the limit, or a `Debug` that gave up: either way the line goes on.
    let _ = escaped.write_fmt(value);
}

fn escape_json(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    let mut clean_from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let escape = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..0x20 => b'u',
            _ => continue,
        };
        out.extend_from_slice(&bytes[clean_from..at]);
        clean_from = at + 1;
        out.extend_from_slice(&[b'\\', escape]);
        if escape == b'u' {
            let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
            out.extend_from_slice(&[b'0', b'0', high, low]);
        }
    }
    out.extend_from_slice(&bytes[clean_from..]);
}

fn escape_terminal(out: &mut Vec<u8>, text: &str) {
    for c in text.chars() {
        let mut utf8 = [0; 4];
        if c.is_control() {
            out.extend(c.escape_default().map(|c| c as u8));
        } else {
            out.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(with: fn(&mut Vec<u8>, fmt::Arguments<'_>), text: &str) -> String {
        let mut out = Vec::new();
        with(&mut out, format_args!("{text}"));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_character_survives_a_json_parser() {
        let all: String = (0..0x1_1000).filter_map(char::from_u32).collect();
        for part in all.chars().collect::<Vec<_>>().chunks(2_000) {
            let part: String = part.iter().collect();
            let line = format!("\"{}\"", escaped(json, &part));
            assert_eq!(serde_json::from_str::<String>(&line).unwrap(), part);
            assert!(!line.contains('\n'));
        }
    }

    #[test]
    fn terminals_get_no_commands() {
        assert_eq!(
            escaped(terminal, "a\u{1b}[2Jb\nc\u{9b}é"),
            "a\\u{1b}[2Jb\\nc\\u{9b}é"
        );
    }

    #[test]
    fn long_values_end_at_a_character() {
        let text = "é".repeat(VALUE_LIMIT);
        let cut = escaped(json, &text);
        assert_eq!(cut.len(), VALUE_LIMIT + CUT.len());
        assert!(cut.ends_with('…'));
    }
}
