//! How long a process that died waits: doubling from 50 ms, and from there again once it stood.

use std::time::Duration;

pub(crate) const FIRST: Duration = Duration::from_millis(50);
pub(crate) const LONGEST: Duration = Duration::from_secs(5);
/// A process that ran this long was well; its next death starts from [`FIRST`].
pub(crate) const STABLE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self { next: FIRST }
    }

    /// The wait after a run that lasted `ran`.
    pub(crate) fn after(&mut self, ran: Duration) -> Duration {
        if ran >= STABLE {
            self.next = FIRST;
        }
        let wait = self.next;
        self.next = (wait * 2).min(LONGEST);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_its_cap_and_starts_again_after_a_stable_run() {
        let mut backoff = Backoff::new();
        let brief = Duration::from_millis(3);
        let waits: Vec<u128> = (0..9).map(|_| backoff.after(brief).as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(backoff.after(STABLE), FIRST);
        assert_eq!(backoff.after(brief), FIRST * 2);
    }
}
