use identity::Jwks;
use serde_json::Value;

use super::{Name, Timestamp};

/// Public keys of the members' tokens, written by `users`.
pub(crate) const MEMBER_KEYS: &str = "jwks.members";
/// Public keys of the services' own tokens.
pub(crate) const SERVICE_KEYS: &str = "jwks.services";

/// There is one a service and few beside; what asks for more writes data, not configuration.
pub(crate) const MAX_DOCUMENTS: usize = 256;
/// A document's length, as compact JSON.
const MAX_VALUE_BYTES: usize = 64 * 1024;

/// One version of a configuration document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Document {
    pub(crate) name: Name,
    /// 1 for the first, one more with every change.
    pub(crate) version: u64,
    pub(crate) updated_at: Timestamp,
    /// `operator`, a service's name, or a member's id.
    pub(crate) updated_by: String,
    pub(crate) value: Value,
}

/// What a write expects to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    Any,
    Absent,
    Version(u64),
}

impl Expect {
    /// Whether what is there, if anything, is what was expected.
    pub(crate) fn is_met_by(self, current: Option<u64>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => current.is_none(),
            Self::Version(version) => current == Some(version),
        }
    }
}

/// Nobody could use such a document.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidDocument {
    #[error("a document is a JSON object")]
    NotAnObject,
    #[error("a document is at most {MAX_VALUE_BYTES} bytes of compact JSON")]
    TooLong,
    #[error("a document named jwks.* is a JSON Web Key Set")]
    NotKeys,
}

/// Checks a value before it is stored, and returns its compact JSON.
pub(crate) fn check_value(name: &Name, value: &Value) -> Result<String, InvalidDocument> {
    if !value.is_object() {
        return Err(InvalidDocument::NotAnObject);
    }
    let json = value.to_string();
    if json.len() > MAX_VALUE_BYTES {
        return Err(InvalidDocument::TooLong);
    }
    if is_protected(name) && serde_json::from_str::<Jwks>(&json).is_err() {
        return Err(InvalidDocument::NotKeys);
    }
    Ok(json)
}

/// Whose tokens are believed is not for an administrator of the shop to say: whoever steals an
/// admin's session must not become every service.
pub(crate) fn is_protected(name: &Name) -> bool {
    name.as_str().starts_with("jwks.")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn name(name: &str) -> Name {
        Name::parse(name).unwrap()
    }

    #[test]
    fn settings_are_objects_and_keys_are_keys() {
        assert!(check_value(&name("catalog"), &json!({ "page_limit": 20 })).is_ok());
        for odd in [json!(null), json!([]), json!("text"), json!(1)] {
            let refused = check_value(&name("catalog"), &odd);
            assert_eq!(refused, Err(InvalidDocument::NotAnObject), "{odd}");
        }
        assert!(check_value(&name("jwks.members"), &json!({ "keys": [] })).is_ok());
        let no_keys = check_value(&name("jwks.members"), &json!({ "page_limit": 20 }));
        assert_eq!(no_keys, Err(InvalidDocument::NotKeys));
    }

    #[test]
    fn a_value_has_a_longest_length() {
        let of_length = |length: usize| json!({ "a": "x".repeat(length - r#"{"a":""}"#.len()) });
        assert!(check_value(&name("city"), &of_length(MAX_VALUE_BYTES)).is_ok());
        let longer = check_value(&name("city"), &of_length(MAX_VALUE_BYTES + 1));
        assert_eq!(longer, Err(InvalidDocument::TooLong));
    }

    #[test]
    fn expectations() {
        for (expect, current, met) in [
            (Expect::Any, None, true),
            (Expect::Any, Some(3), true),
            (Expect::Absent, None, true),
            (Expect::Absent, Some(1), false),
            (Expect::Version(3), Some(3), true),
            (Expect::Version(3), Some(4), false),
            (Expect::Version(1), None, false),
        ] {
            assert_eq!(expect.is_met_by(current), met, "{expect:?} {current:?}");
        }
    }
}
