//! Checks of OpenTelemetry's own member of `tracestate`.

use super::entry::{Entry, with_threshold};
use super::ratio::{Randomness, Ratio, Threshold};
use crate::context::TraceState;

/// A threshold is written and read again, and a new one leaves the randomness as it was. The
/// first line is the member's value, the second a ratio.
pub(crate) fn state(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.lines();
    let value = lines.next().unwrap_or_default();
    let state = TraceState::NONE.with("other", "x").with("ot", value);
    let entry = |state| Entry::of(state).and_then(Entry::threshold);
    let randomness = |state| Entry::of(state).and_then(Entry::randomness);
    if let Some(threshold) = entry(&state) {
        assert!(Threshold::ZERO <= threshold);
        assert_eq!(Threshold::parse(&threshold.to_string()), Some(threshold));
    }
    let ratio = lines.next().and_then(|ratio| ratio.parse::<Ratio>().ok());
    let threshold = ratio.and_then(Ratio::threshold);
    if let Some(threshold) = threshold {
        assert_eq!(Threshold::parse(&threshold.to_string()), Some(threshold));
    }
    let changed = with_threshold(&state, threshold);
    // One that has no room is left out: a wrong one must not stay.
    assert!(entry(&changed).is_none_or(|seen| Some(seen) == threshold));
    assert_eq!(randomness(&changed), randomness(&state));
    assert_eq!(changed.get("other"), Some("x"));
    if value.is_empty() {
        assert_eq!(entry(&changed), threshold);
    }
    if let Some(randomness) = Randomness::parse(value) {
        assert!(Threshold::ZERO.takes(randomness));
    }
}
