//! Who has used how much, for all cores: sharded, each shard under its own short lock, and never
//! more keys than it was given room for.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::{Decision, Pace};

const SHARDS: usize = 64;
/// How many entries are looked at to find one worth giving up, when a shard is full.
const SAMPLE: usize = 16;

/// Whose rate, in which class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    class: u64,
    who: u128,
}

impl Key {
    /// The key of an address or a part of one.
    pub(crate) fn address(class: u64, address: u128) -> Self {
        Self {
            class,
            who: address,
        }
    }
}

/// The budgets of all keys.
#[derive(Debug)]
pub(crate) struct RateTable {
    epoch: Instant,
    hasher: RandomState,
    room: usize,
    shards: Vec<Mutex<Shard>>,
}

#[derive(Debug, Default)]
struct Shard {
    due: HashMap<Key, u64>,
}

impl RateTable {
    /// A table for at most `keys` keys.
    pub(crate) fn new(keys: usize, epoch: Instant) -> Self {
        Self {
            epoch,
            hasher: RandomState::new(),
            room: keys.div_ceil(SHARDS).max(1),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// The key of a member.
    pub(crate) fn member(&self, class: u64, member: &str) -> Key {
        let who = u128::from(self.hasher.hash_one(member)) << 64
            | u128::from(self.hasher.hash_one((member, 1_u8)));
        Key { class, who }
    }

    /// Takes one request from the key's budget, if there is room for it.
    pub(crate) fn take(&self, key: Key, pace: Pace, now: Instant) -> Decision {
        let now = now.saturating_duration_since(self.epoch).as_nanos();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        let hash = self.hasher.hash_one(key);
        let shard = &self.shards[usize::try_from(hash >> 58).unwrap_or(0) % SHARDS];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(due) = shard.due.get_mut(&key) {
            return pace.decide(due, now);
        }
        if shard.due.len() >= self.room {
            shard.make_room(now);
        }
        let mut due = 0;
        let decision = pace.decide(&mut due, now);
        shard.due.insert(key, due);
        decision
    }

    /// Keys remembered now.
    pub(crate) fn len(&self) -> usize {
        let length = |shard: &Mutex<Shard>| {
            shard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .due
                .len()
        };
        self.shards.iter().map(length).sum()
    }
}

impl Shard {
    /// Forgets everyone whose budget is whole; if there is nobody, of a few keys the one that
    /// is soonest whole again. A flood of new keys can therefore not free a busy one cheaply.
    fn make_room(&mut self, now: u64) {
        let before = self.due.len();
        self.due.retain(|_, due| *due > now);
        if self.due.len() < before {
            return;
        }
        let sample = self.due.iter().take(SAMPLE);
        if let Some(key) = sample.min_by_key(|(_, due)| **due).map(|(key, _)| *key) {
            self.due.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Rate;
    use std::time::Duration;

    fn pace() -> Pace {
        Pace::new(Rate {
            requests: 1,
            seconds: 1,
            burst: 2,
        })
        .unwrap()
    }

    #[test]
    fn each_key_has_its_own_budget_and_each_class_too() {
        let now = Instant::now();
        let table = RateTable::new(1000, now);
        let one = Key::address(1, 1);
        assert!(table.take(one, pace(), now).allowed);
        assert!(table.take(one, pace(), now).allowed);
        assert!(!table.take(one, pace(), now).allowed);
        assert!(table.take(Key::address(1, 2), pace(), now).allowed);
        assert!(table.take(Key::address(2, 1), pace(), now).allowed);
        assert!(table.take(table.member(3, "1"), pace(), now).allowed);
        assert!(
            table
                .take(one, pace(), now + Duration::from_secs(1))
                .allowed
        );
    }

    #[test]
    fn all_threads_share_one_budget() {
        let now = Instant::now();
        let table = RateTable::new(1000, now);
        let pace = Pace::new(Rate {
            requests: 1,
            seconds: 1,
            burst: 100,
        })
        .unwrap();
        let key = table.member(3, "m");
        let count = || {
            (0..100)
                .filter(|_| table.take(key, pace, now).allowed)
                .count()
        };
        let passed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(passed, 100);
    }

    #[test]
    fn a_flood_of_keys_does_not_grow_the_table_nor_free_who_is_limited() {
        let now = Instant::now();
        let table = RateTable::new(1_000, now);
        let busy = Key::address(1, u128::MAX);
        while table.take(busy, pace(), now).allowed {}
        for who in 0..20_000 {
            table.take(Key::address(1, who), pace(), now);
        }
        assert!(table.len() <= 1_024, "{}", table.len());
        assert!(
            !table.take(busy, pace(), now).allowed,
            "two of budget outlast one"
        );
    }

    #[test]
    fn who_is_whole_again_is_forgotten_first() {
        let now = Instant::now();
        let table = RateTable::new(64, now);
        for who in 0..10_000 {
            table.take(Key::address(1, who), pace(), now);
        }
        let full = table.len();
        let later = now + Duration::from_secs(10);
        for who in 0..10_000 {
            table.take(Key::address(1, who << 20), pace(), later);
        }
        assert!(table.len() <= full.max(64));
    }
}
