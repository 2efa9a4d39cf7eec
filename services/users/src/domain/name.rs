use crate::error::Error;

const MAX_CHARS: usize = 80;

/// What a member is called by: 1 to 80 characters in any script, on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(String);

impl Name {
    pub(crate) fn parse(given: &str) -> Result<Self, Error> {
        let name = given.trim();
        if name.is_empty() {
            return Err(Error::InvalidName("is empty"));
        }
        if name.chars().count() > MAX_CHARS {
            return Err(Error::InvalidName("is longer than 80 characters"));
        }
        if name.chars().any(is_hidden) {
            return Err(Error::InvalidName("holds control characters"));
        }
        Ok(Self(name.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters, and those that reorder or break the text around a name when it is shown:
/// line and paragraph separators, bidirectional overrides and isolates.
fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_script_are_kept_as_they_are() {
        for name in [
            "Mina",
            "김민아",
            "Zoë O’Neill-Smith",
            "🦀",
            &"가".repeat(80),
        ] {
            assert_eq!(Name::parse(&format!(" {name} ")).unwrap().as_str(), name);
        }
    }

    #[test]
    fn what_cannot_be_shown_on_one_line_is_refused() {
        for name in [
            "",
            "  ",
            "a\nb",
            "a\0",
            "a\u{202E}b",
            "a\u{2028}b",
            &"가".repeat(81),
        ] {
            assert!(Name::parse(name).is_err(), "{name:?}");
        }
    }
}
