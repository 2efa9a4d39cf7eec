//! `tracestate`: kept as it came, or not at all.

use std::sync::Arc;

/// At most this many members, as the recommendation demands.
const MAX_MEMBERS: usize = 32;
/// Longer headers are not carried. The recommendation asks for at least 512.
const MAX_LEN: usize = 1024;

/// A valid `tracestate` header, or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceState(Option<Arc<str>>);

impl TraceState {
    /// No state.
    pub const NONE: TraceState = TraceState(None);

    /// The state in a header. One bad member invalidates the whole, as the recommendation says;
    /// empty members are allowed and left out.
    #[must_use]
    pub fn parse(header: &str) -> TraceState {
        let header = header.trim_matches([' ', '\t']);
        if header.is_empty() || header.len() > MAX_LEN {
            return TraceState::NONE;
        }
        let mut keys = Vec::new();
        for member in header.split(',') {
            let member = member.trim_matches([' ', '\t']);
            if member.is_empty() {
                continue;
            }
            let Some((key, value)) = member.split_once('=') else {
                return TraceState::NONE;
            };
            if !is_key(key) || !is_value(value) || keys.contains(&key) || keys.len() == MAX_MEMBERS
            {
                return TraceState::NONE;
            }
            keys.push(key);
        }
        if keys.is_empty() {
            TraceState::NONE
        } else {
            TraceState(Some(header.into()))
        }
    }

    /// The header's value; `None` when there is no state.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// The value of one member.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.as_str()?.split(',').find_map(|member| {
            let (name, value) = member.trim_matches([' ', '\t']).split_once('=')?;
            (name == key).then_some(value)
        })
    }
}

/// `simple-key`, or `tenant@system`.
fn is_key(key: &str) -> bool {
    let part = |part: &str, max: usize, digit_first: bool| {
        let mut bytes = part.bytes();
        let first = bytes
            .next()
            .is_some_and(|b| b.is_ascii_lowercase() || (digit_first && b.is_ascii_digit()));
        first
            && part.len() <= max
            && bytes.all(|b| {
                b.is_ascii_lowercase()
                    || b.is_ascii_digit()
                    || matches!(b, b'_' | b'-' | b'*' | b'/')
            })
    };
    match key.split_once('@') {
        // Level 2 lets a simple key begin with a digit.
        None => part(key, 256, true),
        Some((tenant, system)) => part(tenant, 241, true) && part(system, 14, false),
    }
}

fn is_value(value: &str) -> bool {
    !value.is_empty()
        && value.len() <= 256
        && !value.ends_with(' ')
        && value
            .bytes()
            .all(|b| (0x20..=0x7e).contains(&b) && b != b',' && b != b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_states_are_kept_as_they_came() {
        for header in ["foo=1", "foo=1,bar=2", "foo=1 , bar=2", "a=x y,b=(*)"] {
            assert_eq!(TraceState::parse(header).as_str(), Some(header));
        }
        assert_eq!(
            TraceState::parse("fw529a3039@dt=FfAe,0a=b").get("fw529a3039@dt"),
            Some("FfAe")
        );
        assert_eq!(TraceState::parse("a=1,,b=2").get("b"), Some("2"));
        assert_eq!(TraceState::parse("  a=1 ").as_str(), Some("a=1"));
    }

    #[test]
    fn one_bad_member_invalidates_the_whole() {
        let many = (0..33)
            .map(|i| format!("k{i}=1"))
            .collect::<Vec<_>>()
            .join(",");
        let long = format!("a={}", "v".repeat(257));
        for header in [
            "",
            ",",
            "foo",
            "foo=",
            "=1",
            "FOO=1",
            "foo=1,foo=2",
            "foo =1",
            "foo=1,b\u{e9}=2",
            "a@=1",
            "@a=1",
            "a@b@c=1",
            "a@1b=1",
            "foo=b=c",
            many.as_str(),
            long.as_str(),
        ] {
            assert_eq!(TraceState::parse(header), TraceState::NONE, "{header}");
        }
    }

    #[test]
    fn thirty_two_members_are_allowed() {
        let header = (0..32)
            .map(|i| format!("k{i}=1"))
            .collect::<Vec<_>>()
            .join(",");
        assert_eq!(TraceState::parse(&header).as_str(), Some(header.as_str()));
    }
}
