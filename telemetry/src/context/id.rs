//! Ids and flags of W3C Trace Context.

use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

/// 16 bytes that name a trace. `Display` is 32 lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TraceId(pub u128);

/// 8 bytes that name a span. `Display` is 16 lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct SpanId(pub u64);

/// The flags of a `traceparent`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TraceFlags(pub u8);

impl TraceId {
    /// A new random id. All of its bits are random, so [`TraceFlags::RANDOM`] goes with it.
    #[must_use]
    pub fn random() -> TraceId {
        loop {
            let id = (u128::from(random()) << 64) | u128::from(random());
            if id != 0 {
                return TraceId(id);
            }
        }
    }

    /// All zeros is not an id.
    #[must_use]
    pub fn is_valid(self) -> bool {
        self.0 != 0
    }
}

impl SpanId {
    /// A new random id.
    #[must_use]
    pub fn random() -> SpanId {
        loop {
            let id = random();
            if id != 0 {
                return SpanId(id);
            }
        }
    }

    /// All zeros is not an id.
    #[must_use]
    pub fn is_valid(self) -> bool {
        self.0 != 0
    }
}

impl TraceFlags {
    /// The trace is recorded.
    pub const SAMPLED: TraceFlags = TraceFlags(0x01);
    /// The last seven bytes of the trace id are random (Trace Context level 2).
    pub const RANDOM: TraceFlags = TraceFlags(0x02);
    /// B3 and Jaeger know a debug flag, which has to be passed on in their formats. It never
    /// leaves in another.
    pub(crate) const DEBUG: TraceFlags = TraceFlags(0x80);
    /// The caller left the decision to us, as B3 and X-Ray can. It never leaves the process.
    pub(crate) const DEFERRED: TraceFlags = TraceFlags(0x40);

    /// Whether the trace is recorded.
    #[must_use]
    pub fn is_sampled(self) -> bool {
        self.0 & Self::SAMPLED.0 != 0
    }

    /// Whether the last seven bytes of the trace id are known to be random.
    #[must_use]
    pub fn is_random(self) -> bool {
        self.0 & Self::RANDOM.0 != 0
    }

    /// The same flags, recorded or not.
    #[must_use]
    pub fn with_sampled(self, sampled: bool) -> TraceFlags {
        let others = self.0 & !(Self::SAMPLED.0 | Self::DEFERRED.0);
        TraceFlags(others | u8::from(sampled))
    }

    pub(crate) fn has(self, flag: TraceFlags) -> bool {
        self.0 & flag.0 != 0
    }

    /// The flags that Trace Context knows; all others have to be sent as zero.
    pub(crate) fn w3c(self) -> u8 {
        self.0 & (Self::SAMPLED.0 | Self::RANDOM.0)
    }
}

/// wyrand, seeded per thread from the operating system: ids need to be spread, not secret.
fn random() -> u64 {
    thread_local! {
        static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(std::thread::current().id()));
    }
    let next = |state: u64| state.wrapping_add(0xa076_1d64_78bd_642f);
    // A thread that is going away has no state left; a fresh seed serves it.
    let state = STATE.try_with(|cell| {
        let state = next(cell.get());
        cell.set(state);
        state
    });
    let state = state.unwrap_or_else(|_| next(RandomState::new().hash_one(0)));
    let product = u128::from(state) * u128::from(state ^ 0xe703_7ed1_a0b4_28db);
    ((product >> 64) as u64) ^ (product as u64)
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for TraceFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}", self.0)
    }
}

impl fmt::Debug for TraceFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_fixed_width_hex() {
        assert_eq!(TraceId(0xabc).to_string(), format!("{}abc", "0".repeat(29)));
        assert_eq!(SpanId(1).to_string(), "0000000000000001");
        assert_eq!(TraceFlags::SAMPLED.to_string(), "01");
    }

    #[test]
    fn random_ids_are_valid_and_differ() {
        let ids: std::collections::BTreeSet<_> = (0..10_000).map(|_| SpanId::random()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.is_valid()));
        assert_ne!(TraceId::random(), TraceId::random());
    }
}
