//! From what the witnesses say to what was violated. Nothing here asks anybody anything.
//!
//! The shoppers' journal says who was promised what, the bank's book who paid, inventory what
//! left the shelves. What the orders service says of itself only tells which orders are at rest,
//! and how one ended that its shopper never saw end.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use app::money::Money;

use super::evidence::{Claim, Evidence, Kind, Reservation, Stated};
use super::verdict::{Invariant, Verdict, Violation};
use crate::journal::{Item, Op, Record};
use aftermath::Ended;

mod aftermath;

/// What the journal says of one key.
#[derive(Debug, Default)]
struct Asked<'a> {
    /// Orders that it was answered with: one, if all is well.
    orders: BTreeSet<&'a str>,
    last: Option<&'a Record>,
    wanted: Vec<Item>,
    invoked: usize,
    failed: usize,
    trace: Option<&'a str>,
}

impl Asked<'_> {
    /// Every attempt was answered that nothing was started.
    fn is_failed(&self) -> bool {
        self.orders.is_empty() && self.failed > 0 && self.failed == self.invoked
    }
}

/// What the bank did for one order.
#[derive(Debug, Default)]
struct Paid {
    charges: u64,
    refunds: u64,
    net: i64,
    currency: Option<String>,
    mixed: bool,
}

/// How an order ended, as far as anybody was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Confirmed,
    Cancelled,
    Open,
}

fn end(status: &str) -> End {
    match status {
        "confirmed" | "shipped" | "delivered" => End::Confirmed,
        "cancelled" => End::Cancelled,
        _ => End::Open,
    }
}

/// Judges. With `strangers`, orders that no journal knows are people's own affair; otherwise
/// they are phantoms.
pub(crate) fn judge(evidence: &Evidence, strangers: bool) -> Verdict {
    let mut court = Court::new(evidence);
    court.keys();
    court.unmatched(strangers);
    court.orders();
    court.shelves();
    court.aftermath();
    court.verdict
}

/// An order under judgement.
#[derive(Clone, Debug, Default)]
struct Case<'a> {
    /// The last that its shopper was told.
    told: Option<&'a Record>,
    /// Its answer was lost: neither promise nor refusal.
    unanswered: bool,
    trace: Option<&'a str>,
}

struct Court<'a> {
    evidence: &'a Evidence,
    asked: BTreeMap<&'a str, Asked<'a>>,
    paid: HashMap<&'a str, Paid>,
    claims: HashMap<&'a str, &'a Reservation>,
    stated: HashMap<&'a str, &'a Stated>,
    cases: BTreeMap<&'a str, Case<'a>>,
    /// Sold to confirmed orders, by product.
    sold: BTreeMap<&'a str, i64>,
    ended: BTreeMap<&'a str, Ended<'a>>,
    verdict: Verdict,
}

impl<'a> Court<'a> {
    fn new(evidence: &'a Evidence) -> Self {
        let mut asked: BTreeMap<&str, Asked<'_>> = BTreeMap::new();
        for record in &evidence.journal {
            let asked = asked.entry(&record.key).or_default();
            asked.trace = record.trace.as_deref().or(asked.trace);
            match record.op {
                Op::Invoke => {
                    asked.invoked += 1;
                    let mut wanted = record.items.clone();
                    wanted.sort_unstable();
                    asked.wanted = wanted;
                }
                Op::Ok => {
                    asked.orders.extend(record.order_id.as_deref());
                    // A repeat is answered with what was stored first, perhaps long outdated.
                    let news = |status: &str| end(status) != End::Open;
                    let told = asked.last.and_then(|last| last.status.as_deref());
                    if !told.is_some_and(news) || record.status.as_deref().is_some_and(news) {
                        asked.last = Some(record);
                    }
                }
                Op::Fail => asked.failed += 1,
                Op::Info => {}
            }
        }
        let mut paid: HashMap<&str, Paid> = HashMap::new();
        for line in &evidence.book {
            let paid = paid.entry(&line.reference).or_default();
            paid.mixed |= paid
                .currency
                .as_ref()
                .is_some_and(|known| *known != line.currency);
            paid.currency = Some(line.currency.clone());
            match line.kind {
                Kind::Charge => {
                    paid.charges += 1;
                    paid.net += line.amount;
                }
                Kind::Refund => {
                    paid.refunds += 1;
                    paid.net -= line.amount;
                }
            }
        }
        let claims = evidence.reservations.iter();
        let stated = evidence.orders.iter();
        Self {
            evidence,
            asked,
            paid,
            claims: claims
                .map(|claim| (claim.order_id.as_str(), claim))
                .collect(),
            stated: stated.map(|order| (order.id.as_str(), order)).collect(),
            cases: BTreeMap::new(),
            sold: BTreeMap::new(),
            ended: BTreeMap::new(),
            verdict: Verdict::default(),
        }
    }

    fn violated(
        &mut self,
        invariant: Invariant,
        subject: &str,
        trace: Option<&str>,
        detail: impl Into<String>,
    ) {
        self.verdict.violations.push(Violation {
            invariant,
            subject: subject.to_owned(),
            detail: detail.into(),
            trace: trace.map(str::to_owned),
        });
    }

    /// One key, one order, and no order under two keys.
    fn keys(&mut self) {
        let mut owners: HashMap<&'a str, &'a str> = HashMap::new();
        let mut doubled = Vec::new();
        for (key, asked) in &self.asked {
            let counts = &mut self.verdict.counts;
            counts.keys += 1;
            if !asked.orders.is_empty() {
                counts.acknowledged += 1;
            } else if asked.is_failed() {
                counts.failed += 1;
            } else {
                counts.unknown += 1;
            }
            if asked.orders.len() > 1 {
                let orders: Vec<&str> = asked.orders.iter().copied().collect();
                doubled.push((*key, asked.trace, format!("orders {}", orders.join(", "))));
            }
            for order in &asked.orders {
                if let Some(other) = owners.insert(order, key) {
                    doubled.push((*order, asked.trace, format!("keys {other} and {key}")));
                }
                let case = Case {
                    told: asked
                        .last
                        .filter(|last| last.order_id.as_deref() == Some(order)),
                    unanswered: false,
                    trace: asked.trace,
                };
                self.cases.insert(order, case);
            }
        }
        for (subject, trace, detail) in doubled {
            self.violated(Invariant::NoDuplicate, subject, trace, detail);
        }
    }

    /// Orders that no answer named: those of unanswered keys, by what was in the cart; the rest
    /// nobody asked for.
    fn unmatched(&mut self, strangers: bool) {
        let mut open: HashMap<&[Item], Vec<Option<&'a str>>> = HashMap::new();
        for asked in self.asked.values() {
            if asked.orders.is_empty() && !asked.is_failed() {
                open.entry(&asked.wanted).or_default().push(asked.trace);
            }
        }
        let names = self.paid.keys().chain(self.claims.keys());
        let unmatched: BTreeSet<&'a str> = names
            .chain(self.stated.keys())
            .copied()
            .filter(|order| !self.cases.contains_key(order))
            .collect();
        let mut found = Vec::new();
        for order in unmatched {
            let mut items = self
                .claims
                .get(order)
                .map(|claim| claim.items.clone())
                .unwrap_or_default();
            items.sort_unstable();
            match open.get_mut(items.as_slice()).and_then(Vec::pop) {
                Some(trace) => found.push((order, Some(trace))),
                None => found.push((order, None)),
            }
        }
        // What left no claim could be any of those that are still unanswered.
        let mut spare: Vec<Option<&'a str>> = open.into_values().flatten().collect();
        let mut phantoms = Vec::new();
        for (order, trace) in found {
            let has_claim = self
                .claims
                .get(order)
                .is_some_and(|claim| !claim.items.is_empty());
            let trace = trace.or_else(|| if has_claim { None } else { spare.pop() });
            let known = trace.is_some();
            let counts = &mut self.verdict.counts;
            if known {
                counts.unknown_done += 1;
            } else {
                counts.strangers += 1;
                phantoms.push(order);
            }
            let case = Case {
                told: None,
                unanswered: true,
                trace: trace.flatten(),
            };
            self.cases.insert(order, case);
        }
        if !strangers {
            for order in phantoms {
                let detail = "no journal knows this order";
                self.violated(Invariant::NoPhantom, order, None, detail);
            }
        }
    }

    fn orders(&mut self) {
        let mut expected: BTreeMap<String, i64> = BTreeMap::new();
        let mut taken: BTreeMap<String, i64> = BTreeMap::new();
        for (order, case) in self.cases.clone() {
            let paid = self.paid.remove(order).unwrap_or_default();
            let counts = &mut self.verdict.counts;
            counts.charges += paid.charges;
            counts.refunds += paid.refunds;
            if let Some(currency) = &paid.currency {
                *taken.entry(currency.clone()).or_default() += paid.net;
            }
            if let Some(total) = self.order(order, &case, &paid) {
                *expected
                    .entry(total.currency.code().to_owned())
                    .or_default() += total.amount;
            }
        }
        // Each order may be right and the sum still wrong: an order that is not in the book at
        // all has no line that could be blamed.
        let currencies: BTreeSet<&String> = taken.keys().chain(expected.keys()).collect();
        let differ: Vec<(String, i64, i64)> = currencies
            .into_iter()
            .map(|currency| {
                let of = |sums: &BTreeMap<String, i64>| sums.get(currency).copied().unwrap_or(0);
                (currency.clone(), of(&taken), of(&expected))
            })
            .filter(|(_, taken, expected)| taken != expected)
            .collect();
        for (currency, taken, expected) in differ {
            let detail = format!("the book keeps {taken}, confirmed orders cost {expected}");
            self.violated(Invariant::MoneyConserved, &currency, None, detail);
        }
        self.verdict.counts.taken = taken;
    }

    /// Judges one order; gives its total if it is confirmed.
    fn order(&mut self, order: &'a str, case: &Case<'a>, paid: &Paid) -> Option<Money> {
        use Invariant::{
            AllOrNothing, AllTerminal, MoneyConserved, NoDuplicate, NoLost, StockConserved,
        };
        let trace = case.trace;
        let stated = self.stated.get(order).copied();
        let claim = self.claims.get(order).copied();
        let claimed = claim.map(|claim| claim.state);
        let sold = claimed == Some(Claim::Confirmed);
        let told = case.told.and_then(|told| told.status.as_deref());
        let ended = [told, stated.map(|stated| stated.status.as_str())]
            .into_iter()
            .flatten()
            .map(end)
            .find(|end| *end != End::Open)
            .unwrap_or(End::Open);
        let known = Ended {
            end: ended,
            refunded: paid.refunds > 0,
            trace,
        };
        self.ended.insert(order, known);
        if stated.is_none() && !case.unanswered {
            self.violated(NoLost, order, trace, "acknowledged, and unknown to orders");
        }
        if paid.mixed {
            self.violated(MoneyConserved, order, trace, "two currencies");
        }
        let live = paid.charges.saturating_sub(paid.refunds);
        if live > 1 {
            let detail = format!("charged {} times, refunded {}", paid.charges, paid.refunds);
            self.violated(NoDuplicate, order, trace, detail);
        } else if paid.charges > 1 {
            self.verdict.counts.surplus_refunded += paid.charges - 1;
        }
        let total = case
            .told
            .and_then(|told| told.amount)
            .or(stated.map(|stated| stated.total));
        // Without an answer there was no promise to keep, only a half to avoid.
        let half = if case.unanswered {
            AllOrNothing
        } else {
            NoLost
        };
        match ended {
            End::Confirmed => {
                self.verdict.counts.confirmed += 1;
                if live == 0 {
                    self.violated(half, order, trace, "confirmed, and never paid");
                } else if total.is_some_and(|total| total.amount != paid.net) && live == 1 {
                    let total = total.map_or(0, |total| total.amount);
                    let detail = format!("costs {total}, and {} was taken", paid.net);
                    self.violated(MoneyConserved, order, trace, detail);
                }
                if !sold {
                    let detail = format!("confirmed, and its stock is {}", state(claimed));
                    self.violated(half, order, trace, detail);
                }
                self.sell(order, case, claim);
            }
            End::Cancelled | End::Open => {
                if ended == End::Cancelled {
                    self.verdict.counts.cancelled += 1;
                } else if stated.is_some() {
                    let detail = match told {
                        Some(_) => "acknowledged, and still open",
                        None => "still open",
                    };
                    self.violated(AllTerminal, order, trace, detail);
                }
                let (money, stock) = match ended {
                    End::Open if case.unanswered => (AllOrNothing, AllOrNothing),
                    _ => (MoneyConserved, StockConserved),
                };
                if paid.net != 0 {
                    let detail = format!("not confirmed, and {} was kept", paid.net);
                    self.violated(money, order, trace, detail);
                }
                if sold {
                    self.violated(stock, order, trace, "not confirmed, and its stock is sold");
                }
            }
        }
        if claimed == Some(Claim::Held) {
            self.violated(AllTerminal, order, trace, "its stock is still held");
        }
        total.filter(|_| ended == End::Confirmed)
    }

    /// Counts what a confirmed order bought: what its shopper saw, or else what was claimed.
    fn sell(&mut self, order: &'a str, case: &Case<'a>, claim: Option<&'a Reservation>) {
        let seen = case
            .told
            .map(|told| told.items.as_slice())
            .filter(|items| !items.is_empty());
        let claimed = claim.map(|claim| claim.items.as_slice());
        if let (Some(seen), Some(claimed)) = (seen, claimed) {
            let [mut one, mut other] = [seen.to_vec(), claimed.to_vec()];
            one.sort_unstable();
            other.sort_unstable();
            if one != other {
                let detail = "other items left the shelves than were ordered";
                self.violated(Invariant::StockConserved, order, case.trace, detail);
            }
        }
        for item in seen.or(claimed).into_iter().flatten() {
            let quantity = i64::try_from(item.quantity).unwrap_or(i64::MAX);
            *self.sold.entry(&item.product_id).or_default() += quantity;
        }
    }

    fn shelves(&mut self) {
        let evidence = self.evidence;
        for row in &evidence.stock {
            let product = row.product_id.as_str();
            self.verdict.counts.products += 1;
            self.verdict.counts.sold += row.sold;
            let put = row.initial + row.adjusted;
            let there = row.on_hand + row.held + row.sold;
            if put != there {
                let detail = format!("{put} were put on the shelves, {there} are accounted for");
                self.violated(Invariant::StockConserved, product, None, detail);
            }
            if row.on_hand < 0 || row.held < 0 || row.sold < 0 {
                let detail = format!(
                    "below zero: on hand {}, held {}, sold {}",
                    row.on_hand, row.held, row.sold
                );
                self.violated(Invariant::StockConserved, product, None, detail);
            }
            if row.held != 0 {
                let detail = format!("{} are still held", row.held);
                self.violated(Invariant::AllTerminal, product, None, detail);
            }
            let bought = self.sold.remove(product).unwrap_or(0);
            if bought != row.sold {
                let detail = format!("sold {}, and confirmed orders hold {bought}", row.sold);
                self.violated(Invariant::StockConserved, product, None, detail);
            }
        }
        for (product, bought) in std::mem::take(&mut self.sold) {
            let detail = format!("confirmed orders hold {bought}, and inventory has no such row");
            self.violated(Invariant::StockConserved, product, None, detail);
        }
    }
}

fn state(claim: Option<Claim>) -> &'static str {
    match claim {
        None => "not reserved",
        Some(Claim::Held) => "held",
        Some(Claim::Confirmed) => "sold",
        Some(Claim::Released) => "released",
        Some(Claim::Expired) => "expired",
    }
}

#[cfg(test)]
mod tests;
