//! Which products go together, and how often.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How often two products came together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) times: i64,
    /// Position of the last event that counted them: of two as frequent pairs the fresher is kept.
    pub(crate) last: i64,
}

/// Which products came together in some events.
#[derive(Debug, Default)]
pub(crate) struct Ties(BTreeMap<Uuid, BTreeMap<Uuid, Counted>>);

impl Ties {
    /// Both came together in the event at `position`, which is the last so far.
    pub(crate) fn add(&mut self, one: Uuid, other: Uuid, position: i64) {
        for (one, other) in [(one, other), (other, one)] {
            let counted = self.0.entry(one).or_default().entry(other).or_default();
            counted.times += 1;
            counted.last = position;
        }
    }

    /// Each of the distinct products came together with each other one.
    pub(crate) fn add_all(&mut self, products: &[Uuid], position: i64) {
        for (at, one) in products.iter().enumerate() {
            for other in &products[at + 1..] {
                self.add(*one, *other, position);
            }
        }
    }

    /// All that came together with another.
    pub(crate) fn products(&self) -> impl Iterator<Item = &Uuid> {
        self.0.keys()
    }

    /// What came together with this one.
    pub(crate) fn of(&self, product: Uuid) -> impl Iterator<Item = (Uuid, Counted)> {
        let others = self.0.get(&product).into_iter().flatten();
        others.map(|(other, counted)| (*other, *counted))
    }
}

/// One of a product's pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(i64, i64, i64)", into = "(i64, i64, i64)")]
pub(crate) struct Pair {
    /// The other product's number.
    pub(crate) other: i64,
    pub(crate) counted: Counted,
}

impl From<(i64, i64, i64)> for Pair {
    fn from((other, times, last): (i64, i64, i64)) -> Self {
        let counted = Counted { times, last };
        Self { other, counted }
    }
}

impl From<Pair> for (i64, i64, i64) {
    fn from(pair: Pair) -> Self {
        (pair.other, pair.counted.times, pair.counted.last)
    }
}

/// What goes together with one product.
///
/// It keeps its strongest pairs: it may have twice as many as it is to keep, and then the weaker
/// half goes, so that a new pair has some time to grow (lossy counting, Manku and Motwani 2002). A
/// count is therefore of those times that are remembered: never more than there were.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Pairs(Vec<Pair>);

impl Pairs {
    pub(crate) fn from_json(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    pub(crate) fn to_json(&self) -> String {
        // Numbers are always JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(crate) fn others(&self) -> impl Iterator<Item = i64> {
        self.0.iter().map(|pair| pair.other)
    }

    /// It came together with the other so often more.
    pub(crate) fn add(&mut self, other: i64, counted: Counted) {
        if let Some(known) = self.0.iter_mut().find(|pair| pair.other == other) {
            known.counted.times += counted.times;
            known.counted.last = counted.last;
        } else {
            self.0.push(Pair { other, counted });
        }
    }

    pub(crate) fn forget(&mut self, other: i64) {
        self.0.retain(|pair| pair.other != other);
    }

    /// Lets the weaker go if there are more than twice as many as are kept; how many it were.
    pub(crate) fn weed(&mut self, kept: usize) -> usize {
        let all = self.0.len();
        if all > kept.saturating_mul(2) {
            self.0.sort_unstable_by_key(strength);
            self.0.truncate(kept);
        }
        all - self.0.len()
    }

    /// The most frequent first.
    pub(crate) fn by_strength(mut self) -> Vec<Pair> {
        self.0.sort_unstable_by_key(strength);
        self.0
    }
}

fn strength(pair: &Pair) -> Reverse<(i64, i64, Reverse<i64>)> {
    let Counted { times, last } = pair.counted;
    Reverse((times, last, Reverse(pair.other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(times: i64, last: i64) -> Counted {
        Counted { times, last }
    }

    #[test]
    fn products_of_an_order_are_tied_in_both_directions() {
        let [a, b, c] = [1, 2, 3].map(Uuid::from_u128);
        let mut ties = Ties::default();
        ties.add_all(&[a, b, c], 7);
        ties.add_all(&[a, b], 9);
        ties.add_all(&[c], 11);
        assert_eq!(
            ties.of(a).collect::<Vec<_>>(),
            [(b, counted(2, 9)), (c, counted(1, 7))]
        );
        assert_eq!(
            ties.of(c).collect::<Vec<_>>(),
            [(a, counted(1, 7)), (b, counted(1, 7))]
        );
        assert_eq!(ties.products().copied().collect::<Vec<_>>(), [a, b, c]);
    }

    #[test]
    fn the_weaker_half_goes_when_there_are_twice_as_many() {
        let mut pairs = Pairs::default();
        for (other, times) in [(1, 2), (2, 5), (3, 1), (4, 2)] {
            pairs.add(other, counted(times, other));
        }
        assert_eq!(pairs.weed(2), 0, "no more than twice as many");
        pairs.add(5, counted(1, 5));
        pairs.add(3, counted(3, 6));
        assert_eq!(pairs.weed(2), 3);
        // 1 and 4 were as frequent as each other, and weaker.
        assert_eq!(pairs.to_json(), "[[2,5,2],[3,4,6]]");
        pairs.forget(2);
        assert_eq!(pairs.others().collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn of_as_frequent_ones_the_fresher_is_the_stronger() {
        let pairs = Pairs::from_json("[[9,1,4],[8,1,4],[7,2,1],[6,1,5]]").unwrap();
        let order: Vec<_> = pairs.by_strength().iter().map(|pair| pair.other).collect();
        assert_eq!(order, [7, 6, 8, 9]);
    }
}
