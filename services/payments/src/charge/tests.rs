//! Many histories of one charge, in a world in which everything takes its time: processes die or
//! stop between any two steps, requests are long under way, answers are lost.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;
use crate::claim::SEND_WITHIN;

const SETTLE: i64 = 500;
const DEADLINE: i64 = 1_500;
const CHECK_AFTER: i64 = 1_000;

/// What one process is about to do.
#[derive(Debug)]
enum Stage {
    LookUp,
    Send,
    /// The call to charge ends at this time; the answer is lost, or not.
    Wait {
        end: i64,
        is_lost: bool,
    },
    GiveBack(Vec<Uuid>),
    Check {
        keep: Option<Uuid>,
        claimed: Option<Timestamp>,
        found: Option<Vec<Uuid>>,
    },
}

#[derive(Debug)]
struct Process {
    attempt: i64,
    claimed: i64,
    is_refund: bool,
    stage: Stage,
}

struct World {
    random: StdRng,
    now: i64,
    row: Option<Charge>,
    /// Charges at the bank, and whether each was given back.
    book: Vec<(Uuid, bool)>,
    /// When charges under way are booked, and their ids.
    wire: Vec<(i64, Uuid)>,
    processes: Vec<Process>,
    /// A process may be stopped between its look at the clock and the write, for any time.
    is_treacherous: bool,
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_micros(millis * 1_000)
}

fn terms() -> Terms {
    Terms {
        order_id: Uuid::nil(),
        member_id: "m".to_owned(),
        amount: Money {
            amount: 5,
            currency: app::money::Currency::Krw,
        },
    }
}

impl World {
    fn new(seed: u64, is_treacherous: bool) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            now: 1_000_000,
            row: None,
            book: Vec::new(),
            wire: Vec::new(),
            processes: Vec::new(),
            is_treacherous,
        }
    }

    fn times(&self) -> Times {
        Times {
            now: at(self.now),
            settle: Duration::from_millis(SETTLE.unsigned_abs()),
            check_after: Duration::from_millis(CHECK_AFTER.unsigned_abs()),
        }
    }

    fn lease(&self) -> Lease {
        Lease::at("i", at(self.now), self.times().settle)
    }

    fn wait(&mut self, millis: i64) {
        self.now += millis;
        let (now, book) = (self.now, &mut self.book);
        self.wire.retain(|(arrival, id)| {
            if *arrival <= now {
                book.push((*id, false));
            }
            *arrival > now
        });
    }

    fn kept(&self) -> Vec<Uuid> {
        let kept = self.book.iter().filter(|(_, refunded)| !refunded);
        kept.map(|(id, _)| *id).collect()
    }

    fn give_back(&mut self, ids: &[Uuid]) {
        for (id, refunded) in &mut self.book {
            *refunded |= ids.contains(id);
        }
    }

    fn acts(&mut self, step: &Step) {
        let Some(charge) = self.row.as_ref().filter(|_| *step == Step::Claimed) else {
            return;
        };
        let is_refund = charge.state != State::Asked;
        let is_first = charge.attempt == 1;
        self.processes.push(Process {
            attempt: charge.attempt,
            claimed: self.now,
            is_refund,
            stage: if is_first { Stage::Send } else { Stage::LookUp },
        });
    }

    fn charge(&mut self) {
        let lease = self.lease();
        let step = match &mut self.row {
            Some(charge) => charge.charge(&terms(), &lease),
            None => {
                self.row = Some(Charge::asked(Uuid::nil(), terms(), &lease));
                Step::Claimed
            }
        };
        self.acts(&step);
    }

    fn refund(&mut self) {
        let lease = self.lease();
        let step = match &mut self.row {
            Some(charge) => charge.refund(&lease),
            None => {
                self.row = Some(Charge::tombstone(Uuid::nil(), &lease));
                Step::Done
            }
        };
        self.acts(&step);
    }

    /// What the background tasks find to do.
    fn sweep(&mut self) {
        let lease = self.lease();
        let Some(row) = &mut self.row else { return };
        let step = row.claim(&lease);
        let is_due = row.due_at.is_none() && row.check_at.is_some_and(|due| due <= lease.now);
        let stage = is_due.then(|| {
            row.check_at = Some(lease.until);
            Stage::Check {
                keep: row.kept(),
                claimed: row.check_at,
                found: None,
            }
        });
        let attempt = row.attempt;
        self.acts(&step);
        if let Some(stage) = stage {
            self.processes.push(Process {
                attempt,
                claimed: self.now,
                is_refund: false,
                stage,
            });
        }
    }

    fn learn(&mut self, attempt: i64, outcome: Outcome) {
        let times = self.times();
        if let Some(row) = &mut self.row {
            row.learn(attempt, outcome, times);
        }
    }

    fn look_up(&self) -> Option<Outcome> {
        let kept = self.kept();
        let id = *kept.first()?;
        let more = kept.len() > 1;
        Some(Outcome::Captured { id, more })
    }

    /// The process's next step; none when it has come to its end.
    fn step(&mut self, mut process: Process) -> Option<Process> {
        let attempt = process.attempt;
        match process.stage {
            Stage::LookUp if self.random.random_bool(0.1) => {
                if process.is_refund {
                    let times = self.times();
                    self.row
                        .as_mut()?
                        .give_back(attempt, GivenBack::Unknown, times);
                } else {
                    self.learn(attempt, Outcome::NotSent);
                }
                return None;
            }
            Stage::LookUp if process.is_refund => process.stage = Stage::GiveBack(self.kept()),
            Stage::LookUp => match self.look_up() {
                Some(outcome) => {
                    self.learn(attempt, outcome);
                    return None;
                }
                None => process.stage = Stage::Send,
            },
            Stage::Send => {
                let within = i64::try_from(SEND_WITHIN.as_millis()).unwrap();
                let is_stopped = self.is_treacherous && self.random.random_bool(0.3);
                if self.now - process.claimed >= within && !is_stopped {
                    self.learn(attempt, Outcome::NotSent);
                    return None;
                }
                let stopped = if is_stopped {
                    self.random.random_range(0..20_000)
                } else {
                    0
                };
                let end = self.now + stopped + self.random.random_range(0..=DEADLINE);
                if self.random.random_bool(0.7) {
                    let booked = self.random.random_range(self.now + stopped..=end + SETTLE);
                    self.wire.push((booked, Uuid::now_v7()));
                } else if self.random.random_bool(0.3) {
                    process.stage = Stage::Wait { end, is_lost: true };
                    self.wait(1);
                    self.learn(attempt, Outcome::Declined);
                    return None;
                }
                let is_lost = self.random.random_bool(0.5);
                process.stage = Stage::Wait { end, is_lost };
            }
            Stage::Wait { end, .. } if self.now < end => {}
            Stage::Wait { is_lost, .. } => {
                let found = self.look_up().filter(|_| !is_lost);
                self.learn(attempt, found.unwrap_or(Outcome::Unknown));
                return None;
            }
            Stage::GiveBack(ids) => {
                self.give_back(&ids);
                let is_lost = self.random.random_bool(0.2);
                let own = self
                    .row
                    .as_ref()?
                    .bank_id
                    .or(self.book.first().map(|b| b.0));
                let outcome = match own {
                    _ if is_lost => GivenBack::Unknown,
                    Some(id) => GivenBack::Refunded(id),
                    None => GivenBack::Nothing,
                };
                let times = self.times();
                self.row.as_mut()?.give_back(attempt, outcome, times);
                return None;
            }
            Stage::Check {
                found: None,
                keep,
                claimed,
            } => {
                let found = Some(self.kept());
                process.stage = Stage::Check {
                    keep,
                    claimed,
                    found,
                };
            }
            Stage::Check {
                found: Some(mut found),
                keep,
                claimed,
            } => {
                found.retain(|id| Some(*id) != keep);
                self.give_back(&found);
                let times = self.times();
                let row = self.row.as_mut()?;
                if row.check_at == claimed {
                    row.check_at = row.next_check(times);
                    row.checks += 1;
                }
                return None;
            }
        }
        Some(process)
    }

    fn live(&mut self, may_die: bool) {
        let mut processes = std::mem::take(&mut self.processes);
        while let Some(process) = processes.pop() {
            if may_die && self.random.random_bool(0.1) {
                continue;
            }
            if may_die && self.random.random_bool(0.3) {
                self.processes.push(process);
                continue;
            }
            let next = self.step(process);
            self.processes.extend(next);
        }
    }

    fn history(&mut self) {
        for _ in 0..self.random.random_range(5..60) {
            match self.random.random_range(0..10) {
                0..3 => self.charge(),
                3 => self.refund(),
                4 => self.sweep(),
                _ => {
                    let long = [1, 100, 1_000, 6_000][self.random.random_range(0..4)];
                    let millis = self.random.random_range(0..=long);
                    self.wait(millis);
                }
            }
            self.live(true);
        }
        // Nothing dies any more, and everything is looked for.
        let rests = |world: &Self| {
            let row = world.row.as_ref();
            let done = row.is_none_or(|row| row.due_at.is_none() && row.check_at.is_none());
            done && world.processes.is_empty() && world.wire.is_empty()
        };
        for _ in 0..20_000 {
            if rests(self) {
                return;
            }
            self.sweep();
            self.live(false);
            self.wait(400);
        }
        panic!("never at rest: {:?} {:?}", self.row, self.processes);
    }

    fn assert_right(&self, about: &str) {
        let kept = self.kept();
        let Some(row) = &self.row else {
            assert!(kept.is_empty(), "{about}");
            return;
        };
        assert_eq!(
            kept,
            row.kept().into_iter().collect::<Vec<_>>(),
            "{about}: {row:?}"
        );
    }
}

#[test]
fn whatever_dies_and_whatever_is_lost_a_key_is_charged_once_at_most() {
    let mut charged = 0;
    for seed in 0..4_000 {
        let mut world = World::new(seed, false);
        world.history();
        world.assert_right(&format!("seed {seed}"));
        assert!(world.book.len() <= 1, "seed {seed}: {:?}", world.book);
        charged += world.book.len();
    }
    assert!(charged > 1_000, "too few to prove anything: {charged}");
}

/// What no claim can fence is repaired.
#[test]
fn a_process_that_is_stopped_right_before_it_writes_costs_nobody_anything_in_the_end() {
    let mut duplicates = 0;
    for seed in 0..4_000 {
        let mut world = World::new(seed, true);
        world.history();
        world.assert_right(&format!("seed {seed}"));
        duplicates += usize::from(world.book.len() > 1);
    }
    assert!(duplicates > 100, "too few to prove anything: {duplicates}");
}
