/// Longest key, in characters.
const MAX: usize = 255;

/// An idempotency key: whoever repeats a request under the same key gets the same answer
/// (draft-ietf-httpapi-idempotency-key-header).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key(String);

/// It is empty, too long, or holds more than visible ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key is 1 to {MAX} visible ASCII characters")]
pub(crate) struct InvalidKey;

impl Key {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, InvalidKey> {
        if !(1..=MAX).contains(&text.len()) || !text.iter().all(u8::is_ascii_graphic) {
            return Err(InvalidKey);
        }
        String::from_utf8(text.to_vec())
            .map(Self)
            .map_err(|_| InvalidKey)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidKey, Key};

    #[test]
    fn only_visible_ascii_is_a_key() {
        for good in ["a", "\"8e03978e\"", &"x".repeat(255)] {
            assert_eq!(Key::parse(good.as_bytes()).unwrap().as_str(), good);
        }
        for bad in ["", " ", "a b", "a\t", "열쇠", &"x".repeat(256)] {
            assert_eq!(Key::parse(bad.as_bytes()), Err(InvalidKey), "{bad:?}");
        }
    }
}
