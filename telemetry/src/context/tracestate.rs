//! `tracestate` of [Trace Context level 2](https://www.w3.org/TR/trace-context-2/#tracestate-header).

use super::carrier::trim;
use std::sync::Arc;

/// At most this many members, as the recommendation demands.
const MAX_MEMBERS: usize = 32;
/// At most this many bytes are carried, twice what the recommendation asks for: it goes into every
/// request and every span.
const MAX_LEN: usize = 1024;
/// When a state is too long, members longer than this go first.
const LONG_MEMBER: usize = 128;

/// A valid `tracestate`, or nothing. Cheap to clone.
///
/// One malformed member, or a thirty-third, invalidates the whole. Empty members and white space
/// around members are left out, and of a repeated key all but the first, which is the latest. Beyond 1,024 bytes whole members go: those longer than 128 bytes first, then from the end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceState(Option<Arc<str>>);

impl TraceState {
    /// No state.
    pub const NONE: TraceState = TraceState(None);

    /// The state in a header.
    #[must_use]
    pub fn parse(header: &str) -> TraceState {
        TraceState::from_headers([header.as_bytes()])
    }

    /// The state in the values of several headers, which are one list.
    pub(crate) fn from_headers<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> TraceState {
        let mut list = List::new();
        for value in values {
            list.read(value);
        }
        list.finish()
    }

    /// The header's value; `None` when there is no state.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// The value of one member.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.members()
            .find_map(|member| member.strip_prefix(key)?.strip_prefix('='))
    }

    /// The same state with `key` set to `value` and moved to the front, as the recommendation asks
    /// of whoever changes a member; what no longer fits goes from the end. Unchanged if key or
    /// value is malformed.
    #[must_use]
    pub fn with(&self, key: &str, value: &str) -> TraceState {
        if !is_key(key) || !is_value(value) {
            return self.clone();
        }
        let own = format!("{key}={value}");
        let mut list = List::new();
        list.keep_first = true;
        list.push(&own);
        for member in self.members().filter(|member| !is_of(member, key)) {
            if list.count < MAX_MEMBERS {
                list.push(member);
            }
        }
        list.finish()
    }

    /// The same state without `key`.
    #[must_use]
    pub fn without(&self, key: &str) -> TraceState {
        let mut list = List::new();
        for member in self.members().filter(|member| !is_of(member, key)) {
            list.push(member);
        }
        list.finish()
    }

    fn members(&self) -> impl Iterator<Item = &str> {
        let members = self.as_str().unwrap_or_default().split(',');
        members.filter(|member| !member.is_empty())
    }
}

fn is_of(member: &str, key: &str) -> bool {
    member
        .strip_prefix(key)
        .is_some_and(|rest| rest.starts_with('='))
}

/// The members of a state that is being read or changed: slices of what they came from.
pub(super) struct List<'a> {
    members: [&'a str; MAX_MEMBERS],
    count: usize,
    bad: bool,
    /// The first member is our own: it stays, however long.
    keep_first: bool,
}

impl<'a> List<'a> {
    pub(super) fn new() -> List<'a> {
        List {
            members: [""; MAX_MEMBERS],
            count: 0,
            bad: false,
            keep_first: false,
        }
    }

    /// Adds the members of one header.
    pub(super) fn read(&mut self, value: &'a [u8]) {
        for member in value.split(|byte| *byte == b',') {
            let member = trim(member);
            if member.is_empty() {
                continue;
            }
            match std::str::from_utf8(member).ok().filter(|m| is_member(m)) {
                Some(member) if self.has_key_of(member) => {}
                Some(member) if self.count < MAX_MEMBERS => self.push(member),
                _ => self.bad = true,
            }
        }
    }

    fn push(&mut self, member: &'a str) {
        self.members[self.count] = member;
        self.count += 1;
    }

    fn has_key_of(&self, member: &str) -> bool {
        let key = member.split('=').next().unwrap_or_default();
        self.kept().iter().any(|member| is_of(member, key))
    }

    fn kept(&self) -> &[&'a str] {
        &self.members[..self.count]
    }

    /// Length of the header.
    fn len(&self) -> usize {
        let members: usize = self.kept().iter().map(|member| member.len()).sum();
        members + self.count.saturating_sub(1)
    }

    fn remove(&mut self, at: usize) {
        self.members.copy_within(at + 1..self.count, at);
        self.count -= 1;
    }

    fn truncate(&mut self) {
        let first = usize::from(self.keep_first);
        while self.len() > MAX_LEN {
            let long = self.kept()[first..]
                .iter()
                .rposition(|member| member.len() > LONG_MEMBER);
            self.remove(long.map_or(self.count - 1, |at| first + at));
        }
    }

    pub(super) fn finish(mut self) -> TraceState {
        if self.bad || self.count == 0 {
            return TraceState::NONE;
        }
        self.truncate();
        let mut buffer = [0; MAX_LEN];
        let mut len = 0;
        for (i, member) in self.kept().iter().enumerate() {
            if i > 0 {
                buffer[len] = b',';
                len += 1;
            }
            buffer[len..len + member.len()].copy_from_slice(member.as_bytes());
            len += member.len();
        }
        // Members are whole strings, so the text is one as well.
        TraceState(std::str::from_utf8(&buffer[..len]).ok().map(Arc::from))
    }
}

fn is_member(member: &str) -> bool {
    member
        .split_once('=')
        .is_some_and(|(key, value)| is_key(key) && is_value(value))
}

/// Level 2 has no structure for multi-tenant keys any more: `@` may stand anywhere but first.
fn is_key(key: &str) -> bool {
    key.len() <= 256
        && key.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && key.bytes().all(|b| {
            b.is_ascii_lowercase()
                || b.is_ascii_digit()
                || matches!(b, b'_' | b'-' | b'*' | b'/' | b'@')
        })
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

    fn numbered(count: usize) -> String {
        let members: Vec<_> = (0..count).map(|i| format!("k{i}=1")).collect();
        members.join(",")
    }

    fn parsed(header: &str) -> Option<String> {
        TraceState::parse(header).as_str().map(str::to_owned)
    }

    #[test]
    fn good_states_are_kept_without_empty_members_and_white_space() {
        for (header, kept) in [
            ("foo=1", "foo=1"),
            ("foo=1,bar=2", "foo=1,bar=2"),
            ("foo=1 \t , \t bar=2, \t baz=3", "foo=1,bar=2,baz=3"),
            ("  a=1\t", "a=1"),
            ("a=1,,b=2,\t,", "a=1,b=2"),
            ("a=x y,b=(*)", "a=x y,b=(*)"),
            // Leading spaces are part of a value, trailing ones are not.
            ("a=  x ,b=2", "a=  x,b=2"),
            ("fw529a3039@dt=FfAe,0a=b", "fw529a3039@dt=FfAe,0a=b"),
            ("a@=1,a@b@c=2,0@0=3", "a@=1,a@b@c=2,0@0=3"),
            ("foo=1,bar=2,foo=3", "foo=1,bar=2"),
        ] {
            assert_eq!(parsed(header).as_deref(), Some(kept), "{header}");
        }
        let state = TraceState::parse("foo@bar=1,foo=2, f=3");
        assert_eq!(state.get("foo"), Some("2"));
        assert_eq!(state.get("f"), Some("3"));
        assert_eq!(state.get("fo"), None);
    }

    #[test]
    fn one_bad_member_invalidates_the_whole() {
        let many = numbered(33);
        let long = format!("a={}", "v".repeat(257));
        for header in [
            "",
            ",",
            " \t ",
            "foo",
            "foo=",
            "=1",
            "FOO=1",
            "foo =1",
            "foo.bar=1",
            "foo=1,b\u{e9}=2",
            "foo=\u{e9}",
            "foo=a\tb",
            "@a=1",
            "_a=1",
            "foo=b=c",
            many.as_str(),
            long.as_str(),
        ] {
            assert_eq!(parsed(header), None, "{header}");
        }
        assert_eq!(
            TraceState::from_headers([b"a=1".as_slice(), b"b=\xff"]),
            TraceState::NONE
        );
    }

    #[test]
    fn several_headers_are_one_list() {
        let headers = [b"a=1".as_slice(), b"", b"b=2 ,", b"c=3"];
        let state = TraceState::from_headers(headers);
        assert_eq!(state.as_str(), Some("a=1,b=2,c=3"));
        let twice = TraceState::from_headers([b"a=1".as_slice(), b"a=2"]);
        assert_eq!(twice.as_str(), Some("a=1"));
    }

    #[test]
    fn lengths_are_as_the_grammar_has_them() {
        let ok = |key: String| TraceState::parse(&format!("{key}=1")).as_str().is_some();
        assert!(ok("z".repeat(256)));
        assert!(!ok("z".repeat(257)));
        assert!(ok(format!("{}@{}", "t".repeat(241), "v".repeat(14))));
        assert!(ok(format!("t@{}", "v".repeat(15))));
        assert!(!ok(format!("{}@v", "t".repeat(255))));
        assert!(parsed(&format!("a={}", "v".repeat(256))).is_some());
        assert_eq!(parsed(&numbered(32)), Some(numbered(32)));
    }

    #[test]
    fn what_is_too_long_loses_long_members_first_and_then_the_last() {
        let full = format!("a={}", "v".repeat(100));
        let long = format!("long={}", "v".repeat(200));
        let members: Vec<_> = (0..9)
            .map(|i| full.replace('a', &format!("a{i}")))
            .collect();
        let all = members.join(",");
        assert!(all.len() <= MAX_LEN && all.len() + long.len() > MAX_LEN);
        assert_eq!(parsed(&format!("{long},{all}")), Some(all.clone()));
        assert_eq!(
            parsed(&format!("{all},b={}", "v".repeat(100))),
            Some(all.clone())
        );
        // The recommendation asks for 512 characters at least.
        assert_eq!(parsed(&all[..515]).map(|kept| kept.len()), Some(515));
    }

    #[test]
    fn a_member_that_changes_comes_first() {
        let state = TraceState::parse("a=1,ot=th:8,b=2");
        assert_eq!(state.with("ot", "th:c").as_str(), Some("ot=th:c,a=1,b=2"));
        assert_eq!(
            state.with("new", "1").as_str(),
            Some("new=1,a=1,ot=th:8,b=2")
        );
        assert_eq!(state.with("A", "1"), state);
        assert_eq!(state.with("a", "x,y"), state);
        assert_eq!(state.without("ot").as_str(), Some("a=1,b=2"));
        assert_eq!(TraceState::parse("ot=1").without("ot"), TraceState::NONE);
        assert_eq!(
            TraceState::NONE.with("ot", "th:0").as_str(),
            Some("ot=th:0")
        );
        let full = TraceState::parse(&numbered(32)).with("ot", "th:0");
        let text = full.as_str().unwrap();
        assert_eq!(text.split(',').count(), 32);
        assert!(text.starts_with("ot=th:0,k0=1,"));
        assert!(!text.contains("k31="));
        // A replaced member needs no other's room.
        let again = full.with("ot", "th:8");
        assert!(again.get("k30").is_some());
    }

    /// Whatever is read is valid, and reading it again changes nothing.
    #[test]
    fn reading_is_stable() {
        let pieces = [
            "a=1", "b=2", " ", "\t", ",", "=", "@", "A", "ot=th:c", "\u{e9}", "0z=x y",
        ];
        let mut seed = 42_u64;
        for _ in 0..20_000 {
            let mut header = String::new();
            for _ in 0..8 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                header.push_str(pieces[(seed >> 33) as usize % pieces.len()]);
            }
            let state = TraceState::parse(&header);
            let text = state.as_str().unwrap_or_default();
            assert_eq!(TraceState::parse(text), state, "{header:?}");
            let changed = state.with("ot", "th:0");
            assert_eq!(changed.get("ot"), Some("th:0"));
            assert_eq!(changed.without("ot"), state.without("ot"));
        }
    }
}
