//! The value of the `traceresponse` header, without an allocation for each answer.

use bytes::BytesMut;
use http::HeaderValue;
use std::cell::RefCell;

/// How many values share a block of memory. An answer that lives long keeps its block alive.
const SHARED: usize = 32;
const LEN: usize = 55;

thread_local! {
    static BLOCK: RefCell<BytesMut> = RefCell::default();
}

/// The header's value: hexadecimal digits and dashes.
pub(super) fn value(text: &[u8; LEN]) -> HeaderValue {
    let bytes = BLOCK.try_with(|block| {
        let mut block = block.borrow_mut();
        if block.capacity() < LEN {
            // Takes the same memory again if nobody reads in it any more.
            block.reserve(SHARED * LEN);
        }
        block.extend_from_slice(text);
        block.split().freeze()
    });
    let value = match bytes {
        Ok(bytes) => HeaderValue::from_maybe_shared(bytes),
        // A thread that is going away.
        Err(_) => HeaderValue::from_bytes(text),
    };
    value.unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_share_memory_stay_apart() {
        let texts: Vec<[u8; LEN]> = (0..200).map(|i| [b'0' + (i % 10) as u8; LEN]).collect();
        let values: Vec<_> = texts.iter().map(value).collect();
        for (value, text) in values.iter().zip(&texts) {
            assert_eq!(value.as_bytes(), text);
        }
    }
}
