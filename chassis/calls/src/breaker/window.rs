use std::time::Instant;

const BUCKETS: usize = 10;

/// The last ten seconds, counted in buckets of exactly one second each.
#[derive(Debug)]
pub(super) struct Window {
    epoch: Instant,
    /// The bucket of second `s` since the epoch is at `s % 10`.
    buckets: [Bucket; BUCKETS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    second: u64,
    totals: Totals,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) calls: u32,
    pub(super) failures: u32,
}

impl Window {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            epoch: now,
            buckets: [Bucket::default(); BUCKETS],
        }
    }

    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.epoch).as_secs()
    }

    pub(super) fn record(&mut self, failed: bool, now: Instant) {
        let second = self.second(now);
        let index = usize::try_from(second % BUCKETS as u64).unwrap_or(0);
        let bucket = &mut self.buckets[index];
        if bucket.second != second {
            *bucket = Bucket {
                second,
                totals: Totals::default(),
            };
        }
        bucket.totals.calls += 1;
        bucket.totals.failures += u32::from(failed);
    }

    /// Of this second and the nine before it. What is older is not counted, however long ago the
    /// last call was.
    pub(super) fn totals(&self, now: Instant) -> Totals {
        let second = self.second(now);
        let recent = self.buckets.iter().filter(|bucket| {
            let age = second.checked_sub(bucket.second);
            age.is_some_and(|age| age < BUCKETS as u64)
        });
        recent.fold(Totals::default(), |sum, bucket| Totals {
            calls: sum.calls + bucket.totals.calls,
            failures: sum.failures + bucket.totals.failures,
        })
    }
}
