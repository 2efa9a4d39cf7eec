//! W3C Baggage: named values that follow a request.

use std::fmt::{self, Write as _};
use std::sync::Arc;

/// At most this many members are kept, and this many bytes written.
const MAX_MEMBERS: usize = 64;
const MAX_BYTES: usize = 8192;

/// Named values that follow a request through every service. Cheap to clone.
///
/// Bounded on every way in: 64 members and 8,192 bytes; what goes beyond is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Baggage(Option<Arc<[Member]>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    key: Box<str>,
    /// Percent-decoded.
    value: Box<str>,
    /// As it came, without the leading semicolon; passed on unchanged.
    properties: Box<str>,
}

impl Baggage {
    /// Nothing.
    pub const EMPTY: Baggage = Baggage(None);

    /// The members of a header. Bad members are left out; of a repeated key the last counts.
    #[must_use]
    pub fn parse(header: &str) -> Baggage {
        let mut members = Vec::new();
        let mut bytes = 0;
        for entry in header.split(',') {
            if bytes + entry.len() > MAX_BYTES {
                break;
            }
            if let Some(member) = Member::parse(entry) {
                bytes += entry.len() + 1;
                put(&mut members, member);
            }
        }
        Baggage::from_members(members)
    }

    /// The same baggage with `key` set to `value`; unchanged if the key is not a token or there
    /// is no room.
    #[must_use]
    pub fn with(&self, key: &str, value: &str) -> Baggage {
        if !is_token(key) {
            return self.clone();
        }
        let mut members = self.members().to_vec();
        put(
            &mut members,
            Member {
                key: key.into(),
                value: value.into(),
                properties: "".into(),
            },
        );
        let grown = Baggage::from_members(members);
        if grown.to_string().len() > MAX_BYTES {
            self.clone()
        } else {
            grown
        }
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.members()
            .iter()
            .find(|member| &*member.key == key)
            .map(|member| &*member.value)
    }

    /// Keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members()
            .iter()
            .map(|member| (&*member.key, &*member.value))
    }

    /// There is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Undoes the percent encoding of a value, here and in what borrows the format.
    pub(crate) fn decode(value: &str) -> String {
        percent_decode(value)
    }

    fn members(&self) -> &[Member] {
        self.0.as_deref().unwrap_or_default()
    }

    fn from_members(members: Vec<Member>) -> Baggage {
        if members.is_empty() {
            Baggage::EMPTY
        } else {
            Baggage(Some(members.into()))
        }
    }
}

fn put(members: &mut Vec<Member>, member: Member) {
    if let Some(old) = members.iter_mut().find(|old| old.key == member.key) {
        *old = member;
    } else if members.len() < MAX_MEMBERS {
        members.push(member);
    }
}

/// The header's value.
impl fmt::Display for Baggage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, member) in self.members().iter().enumerate() {
            if i > 0 {
                f.write_char(',')?;
            }
            f.write_str(&member.key)?;
            f.write_char('=')?;
            for byte in member.value.bytes() {
                if is_octet(byte) && byte != b'%' {
                    f.write_char(char::from(byte))?;
                } else {
                    write!(f, "%{byte:02X}")?;
                }
            }
            if !member.properties.is_empty() {
                write!(f, ";{}", member.properties)?;
            }
        }
        Ok(())
    }
}

impl Member {
    fn parse(entry: &str) -> Option<Member> {
        let (pair, properties) = entry.split_once(';').unwrap_or((entry, ""));
        let (key, value) = pair.split_once('=')?;
        let (key, value) = (trim(key), trim(value));
        let properties = trim(properties);
        let text = properties
            .bytes()
            .all(|b| is_octet(b) || matches!(b, b';' | b' ' | b'\t'));
        if !is_token(key) || !text || !value.bytes().all(is_octet) {
            return None;
        }
        let value = percent_decode(value).into();
        Some(Member {
            key: key.into(),
            value,
            properties: properties.into(),
        })
    }
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// RFC 7230 token.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// `baggage-octet`.
fn is_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}

/// What is not UTF-8 after decoding becomes U+FFFD, as the recommendation says.
fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = (bytes[at] == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten();
        match digits.and_then(|d| Some((hex(d[0])? << 4) | hex(d[1])?)) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    match String::from_utf8(out) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_encoded() {
        let baggage = Baggage::parse("userId=Am%C3%A9lie, serverNode=DF%2028 , flag=false;p=1;q");
        assert_eq!(baggage.get("userId"), Some("Amélie"));
        assert_eq!(baggage.get("serverNode"), Some("DF 28"));
        assert_eq!(
            baggage.to_string(),
            "userId=Am%C3%A9lie,serverNode=DF%2028,flag=false;p=1;q"
        );
    }

    #[test]
    fn bad_members_are_left_out() {
        for (header, kept) in [
            ("", ""),
            ("a", ""),
            ("a=1,b", "a=1"),
            ("a b=1,c=2", "c=2"),
            ("a=\"1\",c=2", "c=2"),
            ("=1,c=2", "c=2"),
            ("a=1,a=2", "a=2"),
            ("a=", "a="),
            ("a=b=c", "a=b=c"),
            ("a=%zz", "a=%25zz"),
            ("a=%ff", "a=%EF%BF%BD"),
        ] {
            assert_eq!(Baggage::parse(header).to_string(), kept, "{header}");
        }
    }

    #[test]
    fn it_is_bounded() {
        let many = (0..100)
            .map(|i| format!("k{i}=1"))
            .collect::<Vec<_>>()
            .join(",");
        assert_eq!(Baggage::parse(&many).iter().count(), 64);
        let long = format!("a=1,b={}", "x".repeat(9000));
        assert_eq!(Baggage::parse(&long).to_string(), "a=1");
        let full = Baggage::parse("a=1").with("b", &"x".repeat(9000));
        assert_eq!(full.to_string(), "a=1");
    }

    #[test]
    fn with_replaces_and_refuses_bad_keys() {
        let baggage = Baggage::EMPTY
            .with("a", "1")
            .with("a", "2, three")
            .with("b c", "3");
        assert_eq!(baggage.to_string(), "a=2%2C%20three");
    }
}
