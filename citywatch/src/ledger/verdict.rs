//! What is judged, and what came out.

use std::collections::BTreeMap;

use serde::Serialize;

/// What must hold of every order, whatever broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Invariant {
    /// An order that was acknowledged is there; a confirmed one was paid and left the shelves.
    NoLost,
    /// One key, one order; one order, one charge.
    NoDuplicate,
    /// No order, charge or sale that nobody asked for.
    NoPhantom,
    /// What an order cost is what was taken, once; nothing if it was not confirmed.
    MoneyConserved,
    /// What was put on the shelves is there, is held, or was sold to a confirmed order.
    StockConserved,
    /// Every order and every event has come to its end.
    AllTerminal,
    /// An order whose answer was lost happened as a whole or not at all.
    AllOrNothing,
    /// A confirmed order has one parcel, and no other order has any.
    ShippedOnce,
    /// A member was told once of all that became of an order.
    ToldOnce,
    /// What was bought together was counted once.
    CountedOnce,
}

impl Invariant {
    pub(crate) const ALL: [Self; 10] = [
        Self::NoLost,
        Self::NoDuplicate,
        Self::NoPhantom,
        Self::MoneyConserved,
        Self::StockConserved,
        Self::AllTerminal,
        Self::AllOrNothing,
        Self::ShippedOnce,
        Self::ToldOnce,
        Self::CountedOnce,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::NoLost => "no_lost",
            Self::NoDuplicate => "no_duplicate",
            Self::NoPhantom => "no_phantom",
            Self::MoneyConserved => "money_conserved",
            Self::StockConserved => "stock_conserved",
            Self::AllTerminal => "all_terminal",
            Self::AllOrNothing => "all_or_nothing",
            Self::ShippedOnce => "shipped_once",
            Self::ToldOnce => "told_once",
            Self::CountedOnce => "counted_once",
        }
    }

    pub(crate) const fn means(self) -> &'static str {
        match self {
            Self::NoLost => "what was acknowledged is there, paid and off the shelves",
            Self::NoDuplicate => "one key, one order; one order, one charge",
            Self::NoPhantom => "nothing happened that nobody asked for",
            Self::MoneyConserved => "taken = the totals of confirmed orders, to the unit",
            Self::StockConserved => "initial + adjusted = on hand + held + sold, by product",
            Self::AllTerminal => "every order and event has come to its end, nothing is held",
            Self::AllOrNothing => "orders without an answer happened wholly or not at all",
            Self::ShippedOnce => "a confirmed order has one parcel, no other has any",
            Self::ToldOnce => "its member was told once of what became of an order",
            Self::CountedOnce => "a product is counted once for each order that it was in",
        }
    }
}

/// One thing that should not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Violation {
    pub(crate) invariant: Invariant,
    /// An order, a key or a product.
    pub(crate) subject: String,
    pub(crate) detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<String>,
}

/// How much was judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Keys, by what became of them.
    pub(crate) keys: u64,
    pub(crate) acknowledged: u64,
    pub(crate) failed: u64,
    pub(crate) unknown: u64,
    /// Unknown ones of which an order came.
    pub(crate) unknown_done: u64,
    /// Orders of people without a journal.
    pub(crate) strangers: u64,
    pub(crate) confirmed: u64,
    pub(crate) cancelled: u64,
    pub(crate) charges: u64,
    pub(crate) refunds: u64,
    /// Charges of an order beyond its first, all given back.
    pub(crate) surplus_refunded: u64,
    /// What the bank keeps, by currency.
    pub(crate) taken: BTreeMap<String, i64>,
    pub(crate) products: u64,
    pub(crate) sold: i64,
    /// Shipments, whatever their state.
    pub(crate) parcels: u64,
    /// Messages to members.
    pub(crate) messages: u64,
    /// Events that somebody has not taken yet.
    pub(crate) behind: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) counts: Counts,
    pub(crate) violations: Vec<Violation>,
}

impl Verdict {
    pub(crate) fn of(&self, invariant: Invariant) -> usize {
        let of = |violation: &&Violation| violation.invariant == invariant;
        self.violations.iter().filter(of).count()
    }
}
