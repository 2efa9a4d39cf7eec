//! What the shop's shelves hold, Korean and English side by side: one file a shelf.

mod beauty;
mod books;
mod electronics;
mod fashion;
mod food;
mod home;
mod kitchen;
mod sports;
mod stationery;
mod toys;

/// Korean and English.
pub(super) type Pair = (&'static str, &'static str);

pub(super) struct Noun {
    pub(super) name: Pair,
    /// One sentence about it.
    pub(super) about: Pair,
    /// Lowest and highest price, in thousands of won.
    pub(super) thousands: (i64, i64),
}

pub(super) struct Shelf {
    pub(super) category: &'static str,
    pub(super) adjectives: &'static [Pair],
    pub(super) nouns: &'static [Noun],
    /// Sentences that are true of anything on the shelf.
    pub(super) facts: &'static [Pair],
}

const fn noun(name: Pair, about: Pair, low: i64, high: i64) -> Noun {
    Noun {
        name,
        about,
        thousands: (low, high),
    }
}

pub(super) const SHELVES: [Shelf; 10] = [
    electronics::SHELF,
    kitchen::SHELF,
    home::SHELF,
    fashion::SHELF,
    beauty::SHELF,
    sports::SHELF,
    books::SHELF,
    toys::SHELF,
    food::SHELF,
    stationery::SHELF,
];
