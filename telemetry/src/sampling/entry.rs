//! OpenTelemetry's own member of `tracestate`, by
//! [its specification](https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/).

use super::ratio::{Randomness, Threshold};
use crate::context::TraceState;

const KEY: &str = "ot";
/// Of the member's value, as of every other.
const MAX_LEN: usize = 256;

/// The value of `ot`: pairs of a key and a value, separated by semicolons.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a>(&'a str);

impl<'a> Entry<'a> {
    pub(super) fn of(state: &'a TraceState) -> Option<Entry<'a>> {
        state.get(KEY).map(Entry)
    }

    fn get(self, key: &str) -> Option<&'a str> {
        let mut pairs = self.0.split(';').filter_map(|pair| pair.split_once(':'));
        let value = pairs.find_map(|(name, value)| (name == key).then_some(value));
        // A space before a semicolon is gone as soon as nothing stands behind it.
        value.map(|value| value.trim_end_matches(' '))
    }

    /// How the trace was sampled so far.
    pub(super) fn threshold(self) -> Option<Threshold> {
        self.get("th").and_then(Threshold::parse)
    }

    /// There is a threshold, even if nobody can read it.
    pub(super) fn has_threshold(self) -> bool {
        self.get("th").is_some()
    }

    /// The randomness to use in the place of the trace id's.
    pub(super) fn randomness(self) -> Option<Randomness> {
        self.get("rv").and_then(Randomness::parse)
    }
}

/// The state with this threshold, or without any; all else in the member stays, the explicit
/// randomness above all.
pub(super) fn with_threshold(state: &TraceState, threshold: Option<Threshold>) -> TraceState {
    let mut value = threshold.map_or(String::new(), |threshold| format!("th:{threshold}"));
    let old = Entry::of(state).map_or("", |entry| entry.0);
    for pair in old.split(';') {
        if pair.is_empty() || pair.starts_with("th:") {
            continue;
        }
        if !value.is_empty() {
            value.push(';');
        }
        value.push_str(pair);
    }
    // No value may end with a space, and what was behind this one may be gone.
    value.truncate(value.trim_end_matches(' ').len());
    if value.is_empty() {
        state.without(KEY)
    } else if value.len() > MAX_LEN {
        // The specification would have the operation given up. A threshold that is no longer true
        // must not stay, though.
        with_threshold(state, None)
    } else {
        state.with(KEY, &value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::TraceId;

    fn threshold(digits: &str) -> Option<Threshold> {
        Threshold::parse(digits)
    }

    #[test]
    fn a_threshold_that_is_no_longer_true_goes_whatever_stands_before_it() {
        for before in ["x:1", "x:1 ", " ", "x "] {
            let state = TraceState::parse(&format!("ot={before};th:0,a=1"));
            let changed = with_threshold(&state, None);
            let threshold = Entry::of(&changed).and_then(Entry::threshold);
            assert_eq!(
                (threshold, changed.get("a")),
                (None, Some("1")),
                "{before:?}"
            );
        }
    }

    #[test]
    fn what_is_malformed_is_not_there() {
        for (state, th, rv) in [
            ("ot=th:c", threshold("c"), None),
            (
                "ot=rv:6e6d1a75832a2f;th:0",
                threshold("0"),
                Randomness::parse("6e6d1a75832a2f"),
            ),
            ("a=1,ot=p:8;r:62", None, None),
            ("ot=th:", None, None),
            ("ot=th:xyz;rv:1234", None, None),
            ("ot=th:123456789abcdef", None, None),
            ("ot=xth:c;th", None, None),
        ] {
            let state = TraceState::parse(state);
            let entry = Entry::of(&state).unwrap();
            assert_eq!(entry.threshold(), th, "{state:?}");
            assert_eq!(entry.randomness(), rv, "{state:?}");
        }
        assert!(Entry::of(&TraceState::parse("to=th:c")).is_none());
        assert_eq!(
            Randomness::parse("6e6d1a75832a2f"),
            Some(Randomness::of(TraceId(0x126e_6d1a_7583_2a2f)))
        );
    }

    #[test]
    fn other_pairs_and_members_stay() {
        for (before, digits, after) in [
            ("", Some("c"), Some("ot=th:c")),
            ("", None, None),
            ("a=1", Some("0"), Some("ot=th:0,a=1")),
            ("a=1,ot=th:8", Some("c"), Some("ot=th:c,a=1")),
            ("a=1,ot=th:8", None, Some("a=1")),
            ("ot=th:8", None, None),
            (
                "ot=rv:6e6d1a75832a2f;th:8",
                Some("c"),
                Some("ot=th:c;rv:6e6d1a75832a2f"),
            ),
            ("ot=th:zz;p:8;r:62", None, Some("ot=p:8;r:62")),
        ] {
            let changed = with_threshold(&TraceState::parse(before), digits.and_then(threshold));
            assert_eq!(changed.as_str(), after, "{before}");
        }
    }

    #[test]
    fn a_member_that_would_grow_too_long_loses_its_threshold() {
        let rest = format!("x:{}", "y".repeat(250));
        let state = TraceState::parse(&format!("ot={rest}"));
        let expected = format!("ot={rest}");
        let changed = with_threshold(&state, threshold("fd70a"));
        assert_eq!(changed.as_str(), Some(expected.as_str()));
    }
}
