//! Memory that is used again: attribute buffers per thread, and short text on the stack.

use std::cell::RefCell;
use std::fmt::{self, Write as _};

const MAX_POOLED: usize = 64;
const MAX_CAPACITY: usize = 16 * 1024;

thread_local! {
    static POOL: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer.
pub(crate) fn take() -> Vec<u8> {
    let pooled = POOL.try_with(|pool| pool.borrow_mut().pop()).ok().flatten();
    pooled.unwrap_or_else(|| Vec::with_capacity(512))
}

/// Gives a buffer back to this thread.
pub(crate) fn give(mut buffer: Vec<u8>) {
    if buffer.capacity() > MAX_CAPACITY {
        return;
    }
    buffer.clear();
    let _ = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if pool.len() < MAX_POOLED {
            pool.push(buffer);
        }
    });
}

/// Text that is written once and read once; longer than allowed, the rest is not even written.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    /// In bytes; the last character may exceed it.
    limit: usize,
}

impl Buffer {
    /// Holds at least as many characters.
    pub(crate) fn limited(characters: Option<usize>) -> Buffer {
        Buffer {
            bytes: take(),
            limit: characters.map_or(usize::MAX, |characters| characters.saturating_mul(4)),
        }
    }

    pub(crate) fn write(&mut self, text: fmt::Arguments<'_>) {
        // Fails when the text is full, or when what is written does; what is there stays.
        let _ = self.write_fmt(text);
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap_or_default()
    }
}

impl fmt::Write for Buffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.bytes.len() > self.limit {
            return Err(fmt::Error);
        }
        self.bytes.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        give(std::mem::take(&mut self.bytes));
    }
}

/// Text of at most 64 bytes, such as an address; what does not fit is cut.
#[derive(Debug)]
pub(crate) struct Text {
    bytes: [u8; 64],
    len: usize,
}

impl Default for Text {
    fn default() -> Self {
        Text {
            bytes: [0; 64],
            len: 0,
        }
    }
}

impl Text {
    pub(crate) fn write(&mut self, value: impl fmt::Display) {
        // Fails only when the text is full.
        let _ = write!(Fill(self), "{value}");
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

struct Fill<'a>(&'a mut Text);

impl fmt::Write for Fill<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let Text { bytes, len } = &mut *self.0;
        let room = bytes.len() - *len;
        let text = &text[..text.floor_char_boundary(room)];
        bytes[*len..*len + text.len()].copy_from_slice(text.as_bytes());
        *len += text.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_a_character() {
        let mut text = Text::default();
        text.write("é".repeat(40));
        assert_eq!(text.as_str(), "é".repeat(32));
        text.write("x");
        assert_eq!(text.as_str().len(), 64);
    }
}
