//! Plausible products for a store that is empty: the same seed gives the same products, ids and
//! all, so that a test or a load run can be repeated.

mod shelves;

use app::Timestamp;
use app::money::{Currency, Money};
use uuid::Builder;

use crate::domain::{Localized, Product};
use shelves::{Noun, Pair, SHELVES, Shelf};

/// 2026-01-01T00:00:00Z. Each product is a minute younger than the one before.
const FIRST_MILLIS: u64 = 1_767_225_600_000;
const STEP_MILLIS: u64 = 60_000;

/// `count` products, spread evenly over the categories.
pub(crate) fn products(seed: u64, count: usize) -> Vec<Product> {
    let mut random = SplitMix(seed);
    // Each shelf deals from a shuffled deck, so no two products have the same name.
    let mut decks: Vec<_> = SHELVES
        .iter()
        .map(|shelf| Deck::new(shelf, &mut random))
        .collect();
    (0..count)
        .map(|n| {
            let at = n % decks.len();
            let (name, noun) = decks[at].deal();
            product(
                &SHELVES[at],
                name,
                &SHELVES[at].nouns[noun],
                n as u64,
                &mut random,
            )
        })
        .collect()
}

fn product(shelf: &Shelf, name: Localized, noun: &Noun, n: u64, random: &mut SplitMix) -> Product {
    let millis = FIRST_MILLIS + n * STEP_MILLIS;
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&random.next().to_be_bytes());
    bytes[8..].copy_from_slice(&random.next().to_be_bytes()[..2]);
    let first = random.below(shelf.facts.len());
    let second = (first + 1 + random.below(shelf.facts.len() - 1)) % shelf.facts.len();
    let (first, second) = (shelf.facts[first], shelf.facts[second]);
    let (low, high) = noun.thousands;
    let thousands = low + random.below((high - low + 1) as usize) as i64;
    Product {
        id: Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid(),
        description: Localized {
            ko: format!("{} {} {}", noun.about.0, first.0, second.0),
            en: format!("{} {} {}", noun.about.1, first.1, second.1),
        },
        name,
        category: shelf.category.to_owned(),
        price: Money {
            // 12,900 and 13,000 are prices; 12,417 is not.
            amount: thousands * 1_000 - [0, 100][random.below(2)],
            currency: Currency::Krw,
        },
        in_stock: true,
        version: 1,
        updated_at: Timestamp::from_micros(i64::try_from(millis * 1_000).unwrap_or(i64::MAX)),
    }
}

/// Every adjective with every noun, shuffled; when all are dealt, the next generation.
struct Deck {
    shelf: &'static Shelf,
    cards: Vec<(usize, usize)>,
    dealt: usize,
}

impl Deck {
    fn new(shelf: &'static Shelf, random: &mut SplitMix) -> Self {
        let nouns = 0..shelf.nouns.len();
        let mut cards: Vec<_> = nouns
            .flat_map(|noun| (0..shelf.adjectives.len()).map(move |adjective| (adjective, noun)))
            .collect();
        for end in (1..cards.len()).rev() {
            cards.swap(end, random.below(end + 1));
        }
        Self {
            shelf,
            cards,
            dealt: 0,
        }
    }

    fn deal(&mut self) -> (Localized, usize) {
        let generation = self.dealt / self.cards.len() + 1;
        let (adjective, noun) = self.cards[self.dealt % self.cards.len()];
        self.dealt += 1;
        let (adjective, named) = (
            self.shelf.adjectives[adjective],
            self.shelf.nouns[noun].name,
        );
        let mut name = Localized {
            ko: joined(adjective, named, |pair| pair.0),
            en: joined(adjective, named, |pair| pair.1),
        };
        if generation > 1 {
            name.ko.push_str(&format!(" {generation}세대"));
            name.en.push_str(&format!(" Gen {generation}"));
        }

        (name, noun)
    }
}

fn joined(adjective: Pair, noun: Pair, language: fn(Pair) -> &'static str) -> String {
    format!("{} {}", language(adjective), language(noun))
}

/// SplitMix64, <https://prng.di.unimi.it/splitmix64.c>: a generator that never changes, unlike
/// one from a library.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Less than `bound`, which is small: the bias is too small to see.
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::products;

    #[test]
    fn the_same_seed_gives_the_same_products() {
        let once = products(7, 300);
        assert_eq!(once, products(7, 300));
        assert_eq!(once[..40], products(7, 40));
        assert_ne!(once, products(8, 300));
    }

    #[test]
    fn products_are_distinct_and_plausible() {
        let many = products(1, 3_000);
        let names: BTreeSet<_> = many.iter().flat_map(|p| [&p.name.ko, &p.name.en]).collect();
        assert_eq!(names.len(), 6_000);
        let ids: Vec<_> = many.iter().map(|p| p.id).collect();
        assert!(ids.is_sorted() && ids.iter().all(|id| id.get_version_num() == 7));
        let categories: BTreeSet<_> = many.iter().map(|p| p.category.as_str()).collect();
        assert_eq!(categories.len(), 10);
        for product in many {
            assert!(
                (900..3_000_000).contains(&product.price.amount),
                "{product:?}"
            );
            assert_eq!(product.price.amount % 100, 0);
        }
    }
}
