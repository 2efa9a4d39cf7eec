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
    /// Joined by semicolons, without white space around them; passed on unchanged.
    properties: Box<str>,
}

/// Baggage that is being read.
#[derive(Debug, Default)]
pub(super) struct List {
    members: Vec<Member>,
    bytes: usize,
}

impl List {
    /// Adds the members of one header.
    pub(super) fn read(&mut self, value: &[u8]) {
        for entry in value.split(|byte| *byte == b',') {
            if let Some(member) = std::str::from_utf8(entry).ok().and_then(Member::parse) {
                self.add(member);
            }
        }
    }

    fn add(&mut self, member: Member) {
        let bytes = self.bytes + usize::from(self.bytes > 0) + member.len();
        if bytes <= MAX_BYTES && put(&mut self.members, member) {
            self.bytes = bytes;
        }
    }

    pub(super) fn finish(self) -> Baggage {
        Baggage::from_members(self.members)
    }
}

impl Baggage {
    /// Nothing.
    pub const EMPTY: Baggage = Baggage(None);

    /// The members of a header. Bad members are left out; of a repeated key the last counts.
    #[must_use]
    pub fn parse(header: &str) -> Baggage {
        Baggage::from_headers([header.as_bytes()])
    }

    /// The members in the values of several headers, which are one list.
    pub(crate) fn from_headers<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Baggage {
        let mut list = List::default();
        for value in values {
            list.read(value);
        }
        list.finish()
    }

    /// The same baggage with `key` set to `value`; unchanged if the key is not a token or there
    /// is no room.
    #[must_use]
    pub fn with(&self, key: &str, value: &str) -> Baggage {
        self.with_properties(key, value, "")
    }

    /// The same with properties, such as `ttl=30;internal`, which travel with the value and mean
    /// what sender and receiver agreed on. Unchanged if they are malformed.
    #[must_use]
    pub fn with_properties(&self, key: &str, value: &str, properties: &str) -> Baggage {
        let Some(properties) = read_properties(properties).filter(|_| is_token(key)) else {
            return self.clone();
        };
        let mut members = self.members().to_vec();
        put(
            &mut members,
            Member {
                key: key.into(),
                value: value.into(),
                properties,
            },
        );
        let grown = Baggage::from_members(members);
        if grown.to_string().len() > MAX_BYTES {
            self.clone()
        } else {
            grown
        }
    }

    /// The same baggage without `key`.
    #[must_use]
    pub fn without(&self, key: &str) -> Baggage {
        let members = self.members().iter().filter(|member| &*member.key != key);
        Baggage::from_members(members.cloned().collect())
    }

    /// The same baggage with the members of `other`, which win.
    pub(super) fn merged(self, other: Baggage) -> Baggage {
        match (self.is_empty(), other.is_empty()) {
            (_, true) => self,
            (true, false) => other,
            (false, false) => {
                let mut list = List::default();
                for member in self.members().iter().chain(other.members()) {
                    list.add(member.clone());
                }
                list.finish()
            }
        }
    }

    /// One member from outside, where each has a header of its own.
    pub(super) fn member(key: &str, value: &str) -> Option<Baggage> {
        let baggage = Baggage::EMPTY.with(key, value);
        (!baggage.is_empty()).then_some(baggage)
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.members()
            .iter()
            .find(|member| &*member.key == key)
            .map(|member| &*member.value)
    }

    /// The properties of `key`, joined by semicolons; empty if it has none.
    #[must_use]
    pub fn properties(&self, key: &str) -> Option<&str> {
        self.members()
            .iter()
            .find(|member| &*member.key == key)
            .map(|member| &*member.properties)
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

    /// The percent encoding of a value, likewise.
    pub(super) fn encode(value: &str) -> String {
        let mut out = String::with_capacity(value.len());
        // A string takes everything.
        let _ = write_encoded(&mut out, value);
        out
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

/// Whether there was room.
fn put(members: &mut Vec<Member>, member: Member) -> bool {
    if let Some(old) = members.iter_mut().find(|old| old.key == member.key) {
        *old = member;
    } else if members.len() < MAX_MEMBERS {
        members.push(member);
    } else {
        return false;
    }
    true
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
            write_encoded(f, &member.value)?;
            if !member.properties.is_empty() {
                write!(f, ";{}", member.properties)?;
            }
        }
        Ok(())
    }
}

fn write_encoded(out: &mut impl fmt::Write, value: &str) -> fmt::Result {
    for byte in value.bytes() {
        if is_plain(byte) {
            out.write_char(char::from(byte))?;
        } else {
            write!(out, "%{byte:02X}")?;
        }
    }
    Ok(())
}

impl Member {
    fn parse(entry: &str) -> Option<Member> {
        let (pair, properties) = entry.split_once(';').unwrap_or((entry, ""));
        let (key, value) = pair.split_once('=')?;
        let (key, value) = (trim(key), trim(value));
        if !is_token(key) || !value.bytes().all(is_octet) {
            return None;
        }
        Some(Member {
            key: key.into(),
            value: percent_decode(value).into(),
            properties: read_properties(properties)?,
        })
    }

    /// Bytes in a header.
    fn len(&self) -> usize {
        let value = self.value.bytes();
        let value: usize = value.map(|byte| if is_plain(byte) { 1 } else { 3 }).sum();
        let properties = match self.properties.len() {
            0 => 0,
            len => 1 + len,
        };
        self.key.len() + 1 + value + properties
    }
}

/// `key` or `key=value`, joined by semicolons; `None` if malformed.
fn read_properties(text: &str) -> Option<Box<str>> {
    if trim(text).is_empty() {
        return Some(Box::default());
    }
    let mut out = String::with_capacity(text.len());
    for property in text.split(';') {
        let (key, value) = match property.split_once('=') {
            Some((key, value)) => (trim(key), Some(trim(value))),
            None => (trim(property), None),
        };
        if !is_token(key) || !value.unwrap_or_default().bytes().all(is_octet) {
            return None;
        }
        if !out.is_empty() {
            out.push(';');
        }
        out.push_str(key);
        if let Some(value) = value {
            out.push('=');
            out.push_str(value);
        }
    }
    Some(out.into())
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

/// A byte of a value that is sent as it is. A plus sign may be, but the official SDK for Python
/// reads it as a space.
fn is_plain(byte: u8) -> bool {
    is_octet(byte) && !matches!(byte, b'%' | b'+')
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
            ("a=1\u{e9},b=2", "b=2"),
            ("a\t=\t1 ; p = 1\t;q ,b=2", "a=1;p=1;q,b=2"),
            ("a=1;p q,b=2", "b=2"),
            ("a=1;,b=2;p;", "a=1"),
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
        let (first, second) = many.split_at(many.find(",k50=").unwrap());
        let both = Baggage::from_headers([first.as_bytes(), second.as_bytes()]);
        assert_eq!(both, Baggage::parse(&many));
        let exact = format!("a={}", "x".repeat(8190));
        assert_eq!(Baggage::parse(&exact).to_string(), exact);
        // Longer once it is encoded.
        let grows = format!("a={}", "%".repeat(4000));
        assert!(Baggage::parse(&grows).is_empty());
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
        let more = baggage.with_properties("b", "1", "ttl=30; internal");
        assert_eq!(more.properties("b"), Some("ttl=30;internal"));
        assert_eq!(more.with_properties("b", "2", "=;"), more);
        assert_eq!(more.without("a").to_string(), "b=1;ttl=30;internal");
        assert!(more.without("a").without("b").is_empty());
    }

    #[test]
    fn of_two_the_later_wins_and_the_bounds_hold() {
        let merged = Baggage::parse("a=1,b=2").merged(Baggage::parse("b=3,c=4"));
        assert_eq!(merged.to_string(), "a=1,b=3,c=4");
        let half = |key| Baggage::EMPTY.with(key, &"x".repeat(5000));
        assert_eq!(half("a").merged(half("b")), half("a"));
    }
}
