//! What must follow once an order has come to its end: a parcel, messages, a place in what others
//! also bought. Each effect is counted, and each is looked for where its cause is not.

use std::collections::{BTreeMap, BTreeSet};

use super::{Claim, Court, End, Invariant, Reservation};
use crate::ledger::evidence::Parcel;

/// An order as its ending leaves it to those who act afterwards.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended<'a> {
    pub(super) end: End,
    /// The bank gave money back.
    pub(super) refunded: bool,
    pub(super) trace: Option<&'a str>,
}

/// Messages about orders, by what they tell.
const ORDER_CONFIRMED: &str = "order_confirmed";
const ORDER_CANCELLED: &str = "order_cancelled";
const PAYMENT_REFUNDED: &str = "payment_refunded";
const SHIPMENT_DISPATCHED: &str = "shipment_dispatched";
const SHIPMENT_DELIVERED: &str = "shipment_delivered";
const OF_ORDERS: [&str; 5] = [
    ORDER_CONFIRMED,
    ORDER_CANCELLED,
    PAYMENT_REFUNDED,
    SHIPMENT_DISPATCHED,
    SHIPMENT_DELIVERED,
];

impl<'a> Court<'a> {
    pub(super) fn aftermath(&mut self) {
        self.parcels();
        self.messages();
        self.counts();
        self.backlog();
    }

    /// Each confirmed order has one parcel, and no other has any.
    fn parcels(&mut self) {
        let mut parcels: BTreeMap<&str, u64> = BTreeMap::new();
        for parcel in &self.evidence.parcels {
            *parcels.entry(&parcel.order_id).or_default() += 1;
        }
        self.verdict.counts.parcels = parcels.values().sum();
        for (order, ended) in self.ended.clone() {
            let count = parcels.remove(order).unwrap_or_default();
            let detail = match (ended.end, count) {
                (End::Confirmed, 1) | (End::Cancelled | End::Open, 0) => continue,
                (End::Confirmed, 0) => "confirmed, and has no shipment".to_owned(),
                (End::Confirmed, count) => format!("confirmed once, and has {count} shipments"),
                (End::Cancelled | End::Open, _) => "not confirmed, and has a shipment".to_owned(),
            };
            self.violated(Invariant::ShippedOnce, order, ended.trace, detail);
        }
        for order in parcels.into_keys() {
            let detail = "a shipment of an order that nobody knows";
            self.violated(Invariant::ShippedOnce, order, None, detail);
        }
    }

    /// Whoever ordered was told once of everything that became of the order, and of nothing else.
    fn messages(&mut self) {
        let evidence = self.evidence;
        let mut told: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for message in &evidence.messages {
            self.verdict.counts.messages += 1;
            *told.entry((&message.about, &message.kind)).or_default() += 1;
        }
        let parcels: BTreeMap<&str, &Parcel> = evidence
            .parcels
            .iter()
            .map(|parcel| (parcel.order_id.as_str(), parcel))
            .collect();
        for (order, ended) in self.ended.clone() {
            let due = due(ended, parcels.get(order).copied());
            for kind in OF_ORDERS {
                let count = told.remove(&(order, kind)).unwrap_or_default();
                let detail = match (due.contains(kind), count) {
                    (true, 1) | (false, 0) => continue,
                    (true, 0) => format!("nobody was told: {kind}"),
                    (true, count) => format!("told {count} times: {kind}"),
                    (false, _) => format!("told what did not happen: {kind}"),
                };
                self.violated(Invariant::ToldOnce, order, ended.trace, detail);
            }
        }
        for ((about, kind), count) in told {
            if OF_ORDERS.contains(&kind) {
                let detail = format!("told of an order that nobody knows: {kind}");
                self.violated(Invariant::ToldOnce, about, None, detail);
            } else if count > 1 {
                let detail = format!("told {count} times: {kind}");
                self.violated(Invariant::ToldOnce, about, None, detail);
            }
        }
    }

    /// A product was counted once for each order that took it off the shelves.
    fn counts(&mut self) {
        let evidence = self.evidence;
        let mut bought: BTreeMap<&str, u64> = BTreeMap::new();
        let sold = |claim: &&Reservation| claim.state == Claim::Confirmed;
        for claim in evidence.reservations.iter().filter(sold) {
            let products: BTreeSet<&str> = claim
                .items
                .iter()
                .map(|item| item.product_id.as_str())
                .collect();
            for product in products {
                *bought.entry(product).or_default() += 1;
            }
        }
        for count in &evidence.counts {
            let product = count.product_id.as_str();
            let orders = bought.remove(product).unwrap_or_default();
            if orders != count.orders {
                let detail = format!("was in {orders} orders, and counted in {}", count.orders);
                self.violated(Invariant::CountedOnce, product, None, detail);
            }
        }
        for (product, orders) in bought {
            let detail = format!("was in {orders} orders, and counted in none");
            self.violated(Invariant::CountedOnce, product, None, detail);
        }
    }

    /// Events that nobody has taken yet, or could not take.
    fn backlog(&mut self) {
        for behind in &self.evidence.behind {
            let subject = format!("{} <- {}", behind.service, behind.consumer.feed);
            let consumer = &behind.consumer;
            let mut details = Vec::new();
            for (count, what) in [
                (consumer.lag_events, "events to take"),
                (consumer.retrying, "tried again"),
                (consumer.waiting, "waiting for one of their subject"),
                (consumer.dead, "dead letters"),
            ] {
                if count > 0 {
                    details.push(format!("{count} {what}"));
                }
            }
            details.extend(
                consumer
                    .stalled
                    .as_ref()
                    .map(|why| format!("stalled: {why}")),
            );
            if !details.is_empty() {
                self.verdict.counts.behind += consumer.lag_events + consumer.retrying;
                self.verdict.counts.behind += consumer.waiting + consumer.dead;
                self.violated(Invariant::AllTerminal, &subject, None, details.join(", "));
            }
        }
    }
}

/// What its member must have been told.
fn due(ended: Ended<'_>, parcel: Option<&Parcel>) -> BTreeSet<&'static str> {
    let mut due = BTreeSet::new();
    match ended.end {
        End::Confirmed => {
            due.insert(ORDER_CONFIRMED);
        }
        End::Cancelled => {
            due.insert(ORDER_CANCELLED);
            // What was given back beside the charge that counts, nobody is told.
            if ended.refunded {
                due.insert(PAYMENT_REFUNDED);
            }
        }
        End::Open => {}
    }
    match parcel.map(|parcel| parcel.state.as_str()) {
        Some("dispatched") => {
            due.insert(SHIPMENT_DISPATCHED);
        }
        Some("delivered") => {
            due.extend([SHIPMENT_DISPATCHED, SHIPMENT_DELIVERED]);
        }
        _ => {}
    }
    due
}
