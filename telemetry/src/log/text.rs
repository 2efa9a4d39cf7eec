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
        if text.len() <= self.left {
            (self.escape)(self.out, text);
            self.left -= text.len();
            return Ok(());
        }
        let fits = text.floor_char_boundary(self.left);
        (self.escape)(self.out, &text[..fits]);
        self.left = 0;
        self.out.extend_from_slice(CUT.as_bytes());
        // Ends the formatting: nobody goes through the rest of a huge value.
        Err(fmt::Error)
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
}

fn digit(nibble: u8) -> u8 {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    DIGITS[usize::from(nibble & 15)]
}

/// Decimal digits, without the machinery of `fmt`.
pub(super) fn integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends the inside of a JSON string that is at hand.
pub(super) fn json_str(out: &mut Vec<u8>, value: &str) {
    str(out, escape_json, value);
}

/// Appends a string that is at hand, without a terminal's commands.
pub(super) fn terminal_str(out: &mut Vec<u8>, value: &str) {
    str(out, escape_terminal, value);
}

fn str(out: &mut Vec<u8>, escape: fn(&mut Vec<u8>, &str), value: &str) {
    let left = VALUE_LIMIT;
    // An error is the limit: the line goes on.
    let _ = Escaped { out, escape, left }.write_str(value);
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

pub(crate) fn escape_json(out: &mut Vec<u8>, text: &str) {
    let mut bytes = text.as_bytes();
    loop {
        let clean = clean(bytes);
        out.extend_from_slice(&bytes[..clean]);
        let Some(byte) = bytes.get(clean) else { return };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => {
                out.extend_from_slice(b"\\u00");
                hex(out, &[*control]);
            }
        }
        bytes = &bytes[clean + 1..];
    }
}

/// How many bytes from the first need no escape: none of them is `"`, `\` or below 0x20. Eight at
/// a time (graphics.stanford.edu/~seander/bithacks.html, "Determine if a word has a zero byte"):
/// the lowest bit set in each mask is exact, and only that one is used.
fn clean(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let equals = |word: u64, byte: u8| {
        let zero = word ^ (ONES * u64::from(byte));
        zero.wrapping_sub(ONES) & !zero & HIGH
    };
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let dirty = control | equals(word, b'"') | equals(word, b'\\');
        if dirty != 0 {
            return at * 8 + dirty.trailing_zeros() as usize / 8;
        }
    }
    let dirty = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
    let clean = rest.iter().position(dirty).unwrap_or(rest.len());
    bytes.len() - rest.len() + clean
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

    /// Words of eight bytes and the rest after them agree with one byte at a time.
    #[test]
    fn an_escape_is_found_wherever_it_stands() {
        let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
        for length in 1..20 {
            for at in 0..length {
                for byte in 0..=255 {
                    let mut bytes = vec![b'!'; length];
                    bytes[at] = byte;
                    let expected = if plain(byte) { length } else { at };
                    assert_eq!(clean(&bytes), expected, "{bytes:?}");
                    bytes[length - 1] = b'\n';
                    let expected = if plain(bytes[at]) { length - 1 } else { at };
                    assert_eq!(clean(&bytes), expected, "{bytes:?}");
                }
            }
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
