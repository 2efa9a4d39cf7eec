//! Seconds since the epoch, the unit of every time in a token (`NumericDate`, RFC 7519 section 2).

use std::time::{SystemTime, UNIX_EPOCH};

/// Now; a clock before 1970 counts as 1970, which lets no token in that a right clock refuses
/// as not yet valid.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}
