//! The same line over and over: a storm costs its first lines and one that counts the rest.
//!
//! When a database or a collector dies, one place in the code can say so a hundred thousand times a
//! second. Lines are counted for each place that logs, without a lock: places are static, so a table
//! of fixed size holds them all. What is left out is never left out silently: a summary follows
//! when the window ends, or earlier at a flush.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tracing::{Level, Metadata};

/// How many lines at `WARN` or `ERROR` one place in the code may write in a window of time. Beyond
/// it lines are left out, counted in `citywatch_log_lines_suppressed_total`, and summed up in one
/// line with a field `suppressed` when the window ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepeatLimit {
    /// Lines of one place that are written in each window.
    pub lines: u32,
    /// The window begins with the first line of that place.
    pub window: Duration,
}

/// 100 lines in 10 seconds.
impl Default for RepeatLimit {
    fn default() -> Self {
        RepeatLimit {
            lines: 100,
            window: Duration::from_secs(10),
        }
    }
}

/// Places that can be told apart. Those that find no room are not limited.
const SLOTS: usize = 1024;
/// Slots that are looked at for one place.
const PROBES: usize = 32;
/// The state of a slot is when its window began, in milliseconds, above the lines in it.
const COUNT_BITS: u32 = 24;

static SUPPRESSED: AtomicU64 = AtomicU64::new(0);

/// Lines left out so far, in the whole process.
pub(crate) fn suppressed() -> u64 {
    SUPPRESSED.load(Ordering::Relaxed)
}

/// A place in the code.
pub(super) type Place = &'static Metadata<'static>;

#[derive(Debug, Default)]
struct Slot {
    place: OnceLock<Place>,
    window: AtomicU64,
    left_out: AtomicU64,
}

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is written, after the summary of as many that were left out before.
    Write { left_out: u64 },
    /// It is left out. `first` since the last summary: somebody has to see to the next.
    LeaveOut { first: bool },
}

#[derive(Debug)]
pub(super) struct Repeats {
    lines: u64,
    window_millis: u64,
    begin: Instant,
    slots: Box<[Slot]>,
    /// A thread sees to summaries.
    pub(super) sweeping: AtomicBool,
}

impl Repeats {
    pub(super) fn new(limit: RepeatLimit) -> Repeats {
        Repeats {
            lines: u64::from(limit.lines).clamp(1, (1 << COUNT_BITS) - 1),
            window_millis: u64::try_from(limit.window.as_millis())
                .unwrap_or(u64::MAX)
                .max(1),
            begin: Instant::now(),
            slots: std::iter::repeat_with(Slot::default).take(SLOTS).collect(),
            sweeping: AtomicBool::new(false),
        }
    }

    /// Decides about one more line of `place`.
    pub(super) fn admit(&self, place: Place) -> Verdict {
        if *place.level() > Level::WARN {
            return Verdict::Write { left_out: 0 };
        }
        match self.slot(place) {
            Some(slot) => self.admit_at(slot, self.now()),
            None => Verdict::Write { left_out: 0 },
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn slot(&self, place: Place) -> Option<&Slot> {
        // Fibonacci hashing: metadata are statics that stand side by side.
        let address = std::ptr::from_ref(place).addr() as u64;
        let first = (address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize;
        (first..first + PROBES)
            .map(|at| &self.slots[at % SLOTS])
            .find(|slot| std::ptr::eq(*slot.place.get_or_init(|| place), place))
    }

    fn admit_at(&self, slot: &Slot, now: u64) -> Verdict {
        let mut state = slot.window.load(Ordering::Relaxed);
        loop {
            let count = state & ((1 << COUNT_BITS) - 1);
            let begins = count == 0 || now >= self.end(state);
            if !begins && count >= self.lines {
                SUPPRESSED.fetch_add(1, Ordering::Relaxed);
                let first = slot.left_out.fetch_add(1, Ordering::SeqCst) == 0;
                return Verdict::LeaveOut { first };
            }
            let next = if begins {
                now << COUNT_BITS | 1
            } else {
                state + 1
            };
            let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
            match slot
                .window
                .compare_exchange_weak(state, next, success, failure)
            {
                Ok(_) => {
                    let left_out = if begins { slot.take() } else { 0 };
                    return Verdict::Write { left_out };
                }
                Err(now_there) => state = now_there,
            }
        }
    }

    /// Hands what was left out in windows that are over to `summarise`, or all of it. Gives the
    /// time until the next of the others ends.
    pub(super) fn sweep(&self, all: bool, summarise: impl FnMut(Place, u64)) -> Option<Duration> {
        self.sweep_at(self.now(), all, summarise)
            .map(Duration::from_millis)
    }

    fn sweep_at(&self, now: u64, all: bool, mut summarise: impl FnMut(Place, u64)) -> Option<u64> {
        let mut next = None;
        for slot in &self.slots {
            let Some(place) = slot.place.get() else {
                continue;
            };
            if slot.left_out.load(Ordering::SeqCst) == 0 {
                continue;
            }
            let left = self
                .end(slot.window.load(Ordering::Relaxed))
                .saturating_sub(now);
            if left > 0 && !all {
                next = Some(next.map_or(left, |next: u64| next.min(left)));
                continue;
            }
            match slot.take() {
                0 => {}
                left_out => summarise(place, left_out),
            }
        }
        next
    }

    /// When the window of a slot's state ends.
    fn end(&self, state: u64) -> u64 {
        (state >> COUNT_BITS).saturating_add(self.window_millis)
    }
}

impl Slot {
    fn take(&self) -> u64 {
        self.left_out.swap(0, Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;
    use tracing::callsite;
    use tracing::callsite::Callsite;
    use tracing::metadata::Kind;

    fn places() -> [Place; 2] {
        let warn = callsite!(name: "first", kind: Kind::EVENT, level: Level::WARN, fields: message);
        let info =
            callsite!(name: "second", kind: Kind::EVENT, level: Level::INFO, fields: message);
        [warn.metadata(), info.metadata()]
    }

    fn repeats(lines: u32) -> Repeats {
        Repeats::new(RepeatLimit {
            lines,
            window: Duration::from_millis(100),
        })
    }

    #[test]
    fn a_window_has_its_lines_and_the_next_says_what_was_left_out() {
        let repeats = repeats(2);
        let slot = repeats.slot(places()[0]).unwrap();
        let verdicts = [5, 6, 7, 104, 105].map(|now| repeats.admit_at(slot, now));
        assert_eq!(
            verdicts,
            [
                Verdict::Write { left_out: 0 },
                Verdict::Write { left_out: 0 },
                Verdict::LeaveOut { first: true },
                Verdict::LeaveOut { first: false },
                Verdict::Write { left_out: 2 },
            ]
        );
    }

    #[test]
    fn a_window_that_nobody_follows_is_summed_up_by_a_sweep() {
        let repeats = repeats(1);
        let [place, _] = places();
        let slot = repeats.slot(place).unwrap();
        for now in 0..8 {
            repeats.admit_at(slot, now);
        }
        let mut seen = Vec::new();
        let mut sweep = |now, all| {
            let next = repeats.sweep_at(now, all, |place, count| seen.push((place.name(), count)));
            (next, seen.len())
        };
        assert_eq!(sweep(98, false), (Some(2), 0));
        assert_eq!(sweep(100, false), (None, 1));
        assert_eq!(sweep(300, true), (None, 1));
        assert_eq!(seen, [("first", 7)]);
    }

    #[test]
    fn levels_below_warn_are_not_limited() {
        let repeats = repeats(1);
        for _ in 0..1000 {
            assert_eq!(repeats.admit(places()[1]), Verdict::Write { left_out: 0 });
        }
    }

    #[test]
    fn no_line_of_many_threads_is_lost_count_of() {
        let repeats = repeats(10);
        let slot = repeats.slot(places()[0]).unwrap();
        let (written, summed) = (AtomicU32::new(0), AtomicU64::new(0));
        let (written, summed) = (&written, &summed);
        let now = &AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        let at = now.fetch_add(1, Ordering::Relaxed) / 50;
                        if let Verdict::Write { left_out } = repeats.admit_at(slot, at) {
                            written.fetch_add(1, Ordering::Relaxed);
                            summed.fetch_add(left_out, Ordering::Relaxed);
                        }
                        if at.is_multiple_of(37) {
                            repeats.sweep_at(at, false, |_, count| {
                                summed.fetch_add(count, Ordering::Relaxed);
                            });
                        }
                    }
                });
            }
        });
        repeats.sweep_at(0, true, |_, count| {
            summed.fetch_add(count, Ordering::Relaxed);
        });
        let written = u64::from(written.load(Ordering::Relaxed));
        assert_eq!(written + summed.load(Ordering::Relaxed), 80_000);
        assert!(written < 1_000, "{written}");
    }
}
