use std::borrow::Borrow;
use std::fmt;

use serde::Serialize;

/// What services, instances and documents are called: 1 to 64 of `[a-z0-9._-]`, a letter or digit
/// first. Such a name is a path segment, a metric label and a file name as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub(crate) struct Name(String);

/// The name is outside the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to 64 of [a-z0-9._-] with a letter or digit first")]
pub(crate) struct InvalidName;

impl Name {
    const MAX_LENGTH: usize = 64;

    pub(crate) fn parse(name: impl Into<String>) -> Result<Self, InvalidName> {
        let name = name.into();
        let allowed = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-')
        };
        let starts_well = name
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphanumeric());
        if starts_well && name.len() <= Self::MAX_LENGTH && name.bytes().all(allowed) {
            Ok(Self(name))
        } else {
            Err(InvalidName)
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar() {
        let longest = "a".repeat(64);
        for good in ["catalog", "jwks.members", "0", "a-b_c.d", longest.as_str()] {
            assert!(Name::parse(good).is_ok(), "{good}");
        }
        let too_long = "a".repeat(65);
        for bad in [
            "",
            ".",
            "..",
            "-a",
            "A",
            "a/b",
            "a b",
            "a%2e",
            "é",
            "a\0",
            too_long.as_str(),
        ] {
            assert_eq!(Name::parse(bad), Err(InvalidName), "{bad}");
        }
    }
}
