//! What a post is.

use app::Timestamp;
use uuid::Uuid;

const TITLE_CHARS: usize = 120;
const BODY_CHARS: usize = 10_000;

/// Why a post is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("the title {0}")]
    Title(&'static str),
    #[error("the body {0}")]
    Body(&'static str),
}

/// What a post is about: 1 to 120 characters in any script, on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Title(String);

impl Title {
    pub(crate) fn parse(given: &str) -> Result<Self, Invalid> {
        let title = given.trim();
        if title.is_empty() {
            return Err(Invalid::Title("is empty"));
        }
        if title.chars().count() > TITLE_CHARS {
            return Err(Invalid::Title("is longer than 120 characters"));
        }
        if title.chars().any(|c| c.is_control() || reorders(c)) {
            return Err(Invalid::Title("holds control characters"));
        }
        Ok(Self(title.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a post says: 1 to 10,000 characters of plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Body(String);

impl Body {
    pub(crate) fn parse(given: &str) -> Result<Self, Invalid> {
        let body = given.trim();
        if body.is_empty() {
            return Err(Invalid::Body("is empty"));
        }
        if body.chars().count() > BODY_CHARS {
            return Err(Invalid::Body("is longer than 10,000 characters"));
        }
        let is_layout = |c| matches!(c, '\n' | '\r' | '\t');
        if body.chars().any(|c| c.is_control() && !is_layout(c)) {
            return Err(Invalid::Body("holds control characters"));
        }
        Ok(Self(body.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What would break or turn the text around a title: line and paragraph separators, bidirectional
/// overrides and isolates.
fn reorders(c: char) -> bool {
    matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// A post. It never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Post {
    pub id: Uuid,
    /// Whoever wrote it: a member's id, as their token says it.
    pub user_id: String,
    pub title: Title,
    pub body: Body,
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_of_any_script_are_kept_as_they_are() {
        for title in ["Mugs", "머그잔 후기", "🦀!", &"가".repeat(120)] {
            let parsed = Title::parse(&format!(" {title}\n")).unwrap();
            assert_eq!(parsed.as_str(), title);
        }
        for title in ["", " \n", "a\nb", "a\0", "a\u{202E}b", &"가".repeat(121)] {
            assert!(Title::parse(title).is_err(), "{title:?}");
        }
    }

    #[test]
    fn a_body_has_lines_but_nothing_hidden() {
        for body in ["one", "첫 줄\n\n둘째 줄\twith a tab", &"가".repeat(10_000)] {
            assert_eq!(Body::parse(body).unwrap().as_str(), body);
        }
        for body in ["", "\n", "a\0", "a\u{1b}[31m", &"a".repeat(10_001)] {
            assert!(Body::parse(body).is_err(), "{body:?}");
        }
    }
}
