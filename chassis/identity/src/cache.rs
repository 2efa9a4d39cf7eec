//! Tokens that have been verified, so that a signature is checked once and not at every request.

use std::collections::HashMap;
use std::sync::Arc;

use crate::Claims;

/// A bounded memory of verified tokens, keyed by the whole token.
///
/// For one thread: the gateway holds one a core. [`crate::Verifier::verify`] has its own, shared
/// between threads. Only what passed every check gets in, so nobody outside can fill it.
///
/// It holds two halves. When the young half is full, or has been young for five minutes, it
/// becomes the old one, and what was old and not asked for since is forgotten: near to
/// least-recently-used, without a list to keep, and no larger than the traffic of ten minutes.
#[derive(Debug)]
pub struct Cache {
    young: HashMap<Box<str>, Arc<Claims>>,
    old: HashMap<Box<str>, Arc<Claims>>,
    half: usize,
    generation: u64,
    /// When the halves last changed places, in seconds since 1970.
    turned: u64,
}

/// Seconds for which a half is young at most.
const YOUTH: u64 = 300;

impl Cache {
    /// A cache for at most `capacity` tokens; one takes about 1 KB.
    pub fn new(capacity: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            half: (capacity / 2).max(1),
            generation: 0,
            turned: 0,
        }
    }

    /// How many tokens it holds.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is known of this token under this generation of keys. Of an older one it knows
    /// nothing any more. Whether the token has expired is for the caller to say.
    pub(crate) fn get(&mut self, generation: u64, token: &str) -> Option<Arc<Claims>> {
        if generation != self.generation {
            self.young.clear();
            self.old.clear();
            self.generation = generation;
            return None;
        }
        if let Some(claims) = self.young.get(token) {
            return Some(Arc::clone(claims));
        }
        let (token, claims) = self.old.remove_entry(token)?;
        self.insert_young(token, Arc::clone(&claims));
        Some(claims)
    }

    /// Remembers a token that was verified under this generation of keys, `now` (in seconds since
    /// 1970).
    pub(crate) fn insert(&mut self, generation: u64, token: &str, claims: Arc<Claims>, now: u64) {
        if generation != self.generation {
            return;
        }
        if now.saturating_sub(self.turned) >= YOUTH {
            self.turned = now;
            self.turn();
        }
        self.insert_young(token.into(), claims);
    }

    /// Forgets a token.
    pub(crate) fn remove(&mut self, token: &str) {
        self.young.remove(token);
        self.old.remove(token);
    }

    fn insert_young(&mut self, token: Box<str>, claims: Arc<Claims>) {
        if self.young.len() >= self.half {
            self.turn();
        }
        self.young.insert(token, claims);
    }

    fn turn(&mut self) {
        // The emptied map is kept: its memory serves again.
        std::mem::swap(&mut self.young, &mut self.old);
        self.young.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(n: usize) -> Arc<Claims> {
        Arc::new(Claims::member(&n.to_string(), &[], 0, 60))
    }

    #[test]
    fn it_never_holds_more_than_its_capacity() {
        let mut cache = Cache::new(10);
        for n in 0..1_000 {
            cache.insert(0, &n.to_string(), claims(n), 0);
            assert!(cache.len() <= 10);
        }
        assert_eq!(cache.get(0, "999").unwrap().sub, "999");
        assert!(cache.get(0, "0").is_none());
    }

    #[test]
    fn what_nobody_asked_for_in_ten_minutes_is_forgotten() {
        let mut cache = Cache::new(1_000);
        cache.insert(0, "left", claims(0), 1_000);
        cache.insert(0, "used", claims(1), 1_000);
        cache.insert(0, "other", claims(2), 1_000 + YOUTH);
        assert!(cache.get(0, "used").is_some());
        cache.insert(0, "another", claims(3), 1_000 + 2 * YOUTH);
        assert!(cache.get(0, "left").is_none());
        assert!(cache.get(0, "used").is_some());
        assert_eq!(cache.len(), 3);
    }

    #[test]
    fn what_is_asked_for_stays() {
        let mut cache = Cache::new(10);
        cache.insert(0, "popular", claims(0), 0);
        for n in 0..1_000 {
            cache.insert(0, &n.to_string(), claims(n), 0);
            assert!(cache.get(0, "popular").is_some(), "lost after {n} others");
        }
    }

    #[test]
    fn a_new_generation_of_keys_empties_it() {
        let mut cache = Cache::new(10);
        cache.insert(0, "a", claims(1), 0);
        assert!(cache.get(1, "a").is_none());
        assert!(cache.is_empty());
        cache.insert(0, "a", claims(1), 0);
        assert!(
            cache.is_empty(),
            "a verdict under the old keys comes too late"
        );
    }
}
