//! What the store is to do, as plainly as it can be said: in memory, one step after the other.

use std::collections::BTreeMap;

use app::Timestamp;
use uuid::Uuid;

use super::super::testing::INITIAL;
use super::{Outcome, Step, TTL};
use crate::domain::{Items, Reservation, State, Stock};

#[derive(Default)]
pub(super) struct Model {
    stock: BTreeMap<Uuid, Stock>,
    reservations: BTreeMap<Uuid, Reservation>,
}

impl Model {
    pub(super) fn stock(&self) -> Vec<Stock> {
        self.stock.values().cloned().collect()
    }

    pub(super) fn reservations(&self) -> Vec<Reservation> {
        self.reservations.values().cloned().collect()
    }

    pub(super) fn take(&mut self, step: Step, now: Timestamp) -> Outcome {
        match step {
            Step::Reserve(order, items) => self.reserve(order, items, now),
            Step::Confirm(order) => self.confirm(order, now),
            Step::Release(order) => self.release(order),
            Step::Adjust(product, on_hand) => {
                let stock = self.touched(product);
                stock.adjusted += on_hand.units() - stock.on_hand;
                stock.on_hand = on_hand.units();
                Outcome::Done
            }
            Step::Sweep => {
                let all: Vec<_> = self.reservations.keys().copied().collect();
                Outcome::Swept(all.iter().filter(|order| self.expires(order, now)).count())
            }
            Step::Wait(_) => Outcome::Done,
        }
    }

    fn touched(&mut self, product: Uuid) -> &mut Stock {
        let untouched = || Stock::untouched(product, INITIAL.into());
        self.stock.entry(product).or_insert_with(untouched)
    }

    fn reserve(&mut self, order: Uuid, items: Items, now: Timestamp) -> Outcome {
        if let Some(known) = self.reservations.get(&order) {
            if known.state == State::Released {
                return Outcome::Released;
            }
            if known.items != items {
                return Outcome::Differs;
            }
            self.expires(&order, now);
            return Outcome::Again(self.reservations[&order].state);
        }
        let on_hand = |product| {
            let stock = self.stock.get(&product);
            stock.map_or(INITIAL.into(), |stock| stock.on_hand)
        };
        let short = items
            .iter()
            .filter(|item| on_hand(item.product_id) < item.quantity.into());
        let short: Vec<_> = short.map(|item| item.product_id).collect();
        if !short.is_empty() {
            return Outcome::OutOfStock(short);
        }
        for item in items.iter() {
            let stock = self.touched(item.product_id);
            stock.on_hand -= i64::from(item.quantity);
            stock.held += i64::from(item.quantity);
        }
        let held = Reservation {
            order_id: order,
            state: State::Held,
            items,
            expires_at: Some(now.plus(TTL)),
        };
        self.reservations.insert(order, held);
        Outcome::New
    }

    fn confirm(&mut self, order: Uuid, now: Timestamp) -> Outcome {
        self.expires(&order, now);
        let Some(known) = self.reservations.get(&order).cloned() else {
            return Outcome::Unknown;
        };
        match known.state {
            State::Held => {
                for item in known.items.iter() {
                    let stock = self.touched(item.product_id);
                    stock.held -= i64::from(item.quantity);
                    stock.sold += i64::from(item.quantity);
                }
                self.enter(order, State::Confirmed);
                Outcome::Done
            }
            State::Confirmed => Outcome::Done,
            State::Released => Outcome::Released,
            State::Expired => Outcome::Expired,
        }
    }

    fn release(&mut self, order: Uuid) -> Outcome {
        let Some(known) = self.reservations.get(&order).cloned() else {
            let tombstone = Reservation {
                order_id: order,
                state: State::Released,
                items: Items::NONE,
                expires_at: None,
            };
            self.reservations.insert(order, tombstone);
            return Outcome::Done;
        };
        match known.state {
            State::Confirmed => return Outcome::Confirmed,
            State::Held => self.give_back(&known),
            State::Released | State::Expired => {}
        }
        self.enter(order, State::Released);
        Outcome::Done
    }

    /// Whether the reservation's time is up just now.
    fn expires(&mut self, order: &Uuid, now: Timestamp) -> bool {
        let overdue = |known: &&Reservation| {
            known.state == State::Held && known.expires_at.is_some_and(|at| at <= now)
        };
        let Some(known) = self.reservations.get(order).filter(overdue).cloned() else {
            return false;
        };
        self.give_back(&known);
        self.enter(*order, State::Expired);
        true
    }

    fn give_back(&mut self, known: &Reservation) {
        for item in known.items.iter() {
            let stock = self.touched(item.product_id);
            stock.held -= i64::from(item.quantity);
            stock.on_hand += i64::from(item.quantity);
        }
    }

    fn enter(&mut self, order: Uuid, state: State) {
        if let Some(known) = self.reservations.get_mut(&order) {
            known.state = state;
        }
    }
}
