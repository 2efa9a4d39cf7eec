//! The saga against a small world in which everything that can go wrong does: requests get lost,
//! answers get lost, requests come late and twice, drivers pause and die, others go on.

use app::money::{Currency, Money};

use super::*;

fn placed() -> Event {
    Event::Placed {
        member_id: "mina".to_owned(),
        items: Vec::new(),
        total: Money {
            amount: 12_900,
            currency: Currency::Krw,
        },
        note: None,
        cart_version: 1,
    }
}

/// What the saga does and writes when each action is answered so, in this order.
fn run(replies: &[Reply]) -> (Vec<Action>, Vec<Event>) {
    let (mut log, mut taken) = (vec![placed()], Vec::new());
    let mut replies = replies.iter().cloned();
    loop {
        match next(&log) {
            Step::Take(action) => {
                taken.push(action);
                log.extend(replies.next().expect("a reply for each action").events());
            }
            Step::Cancel(reason) => log.push(Event::Cancelled { reason }),
            Step::End => {
                assert_eq!(replies.next(), None, "every reply is wanted");
                return (taken, log.split_off(1));
            }
        }
    }
}

#[test]
fn each_way_through_ends() {
    use Action::{Charge, Confirm, Refund, Release, Reserve};
    let captured = || Reply::Captured {
        reference: "r".to_owned(),
    };
    let refunded = || Reply::Refunded(Refunded::Refunded);
    let voided = || Reply::Refunded(Refunded::Voided);
    for (replies, actions, end) in [
        (
            vec![Reply::Held, captured(), Reply::Sold],
            vec![Reserve, Charge, Confirm],
            None,
        ),
        (
            vec![Reply::OutOfStock, Reply::Released],
            vec![Reserve, Release],
            Some(Reason::OutOfStock),
        ),
        (
            vec![Reply::Held, Reply::Declined, Reply::Released],
            vec![Reserve, Charge, Release],
            Some(Reason::PaymentDeclined),
        ),
        (
            vec![
                Reply::Held,
                captured(),
                Reply::HeldNoMore,
                refunded(),
                Reply::Released,
            ],
            vec![Reserve, Charge, Confirm, Refund, Release],
            Some(Reason::ReservationExpired),
        ),
        (
            vec![Reply::Held, Reply::ChargeVoided, voided(), Reply::Released],
            vec![Reserve, Charge, Refund, Release],
            Some(Reason::GaveUp),
        ),
        (
            vec![Reply::HeldNoMore, Reply::Released],
            vec![Reserve, Release],
            Some(Reason::ReservationExpired),
        ),
    ] {
        let (taken, log) = run(&replies);
        assert_eq!(taken, actions, "{log:?}");
        let expected = end.map_or(Event::Confirmed, |reason| Event::Cancelled { reason });
        assert_eq!(log.last(), Some(&expected));
    }
}

#[test]
fn an_action_given_up_is_undone_though_nobody_knows_whether_it_was_done() {
    let reason = Reason::GaveUp;
    let given_up = Event::Compensating { reason };
    for (log, undo) in [
        (vec![placed(), given_up.clone()], Action::Release),
        (vec![placed(), Event::Reserved, given_up], Action::Refund),
    ] {
        assert_eq!(next(&log), Step::Take(undo));
    }
    let kept: Vec<_> = Action::ALL
        .into_iter()
        .filter(|action| !action.may_be_given_up())
        .collect();
    assert_eq!(
        kept,
        [Action::Confirm, Action::Refund, Action::Release],
        "what follows the charge, and every undo, is done however long it takes"
    );
}

/// SplitMix64, <https://prng.di.unimi.it/splitmix64.c>.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reservation {
    Held,
    Sold,
    Released,
    Expired,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Charge {
    Captured,
    Declined,
    Voided,
    Refunded,
}

/// The peers, as the contract has them, with the truth behind them: shelves, and a bank's book
/// that knows no keys.
#[derive(Debug)]
struct World {
    on_hand: u32,
    reservation: Option<Reservation>,
    charge: Option<Charge>,
    declines: bool,
    book: Vec<&'static str>,
}

impl World {
    fn act(&mut self, action: Action) -> Reply {
        match action {
            Action::Reserve => match self.reservation {
                Some(Reservation::Held | Reservation::Sold) => Reply::Held,
                Some(Reservation::Released | Reservation::Expired) => Reply::HeldNoMore,
                None if self.on_hand == 0 => Reply::OutOfStock,
                None => {
                    self.on_hand -= 1;
                    self.reservation = Some(Reservation::Held);
                    Reply::Held
                }
            },
            Action::Confirm => match self.reservation {
                Some(Reservation::Held | Reservation::Sold) => {
                    self.reservation = Some(Reservation::Sold);
                    Reply::Sold
                }
                _ => Reply::HeldNoMore,
            },
            Action::Release => {
                assert_ne!(
                    self.reservation,
                    Some(Reservation::Sold),
                    "what is sold is never released"
                );
                if self.reservation == Some(Reservation::Held) {
                    self.on_hand += 1;
                }
                self.reservation = Some(Reservation::Released);
                Reply::Released
            }
            Action::Charge => {
                if self.charge.is_none() {
                    self.charge = Some(match self.declines {
                        true => Charge::Declined,
                        false => Charge::Captured,
                    });
                    if !self.declines {
                        self.book.push("charge");
                    }
                }
                match self.charge {
                    Some(Charge::Captured) => Reply::Captured {
                        reference: "r".to_owned(),
                    },
                    Some(Charge::Declined) => Reply::Declined,
                    _ => Reply::ChargeVoided,
                }
            }
            Action::Refund => {
                match self.charge {
                    Some(Charge::Captured) => {
                        self.book.push("refund");
                        self.charge = Some(Charge::Refunded);
                    }
                    None => self.charge = Some(Charge::Voided),
                    Some(Charge::Declined | Charge::Voided | Charge::Refunded) => {}
                }
                Reply::Refunded(match self.charge {
                    Some(Charge::Refunded) => Refunded::Refunded,
                    _ => Refunded::Voided,
                })
            }
        }
    }

    fn expire(&mut self) {
        if self.reservation == Some(Reservation::Held) {
            self.reservation = Some(Reservation::Expired);
            self.on_hand += 1;
        }
    }
}

/// A driver between reading the log and writing to it.
#[derive(Debug, Clone)]
enum Driver {
    Idle,
    /// It has read so much of the log, and is about to send this.
    Sending(usize, Action),
    /// It is about to write this behind what it has read.
    Writing(usize, Vec<Event>),
}

struct Town {
    log: Vec<Event>,
    world: World,
    drivers: Vec<Driver>,
    /// Requests on their way, which arrive some time or never.
    late: Vec<Action>,
    random: Random,
}

impl Town {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        Self {
            log: vec![placed()],
            world: World {
                on_hand: u32::from(!random.one_in(6)),
                reservation: None,
                charge: None,
                declines: random.one_in(6),
                book: Vec::new(),
            },
            drivers: vec![Driver::Idle; 3],
            late: Vec::new(),
            random,
        }
    }

    fn read(&self) -> Driver {
        match next(&self.log) {
            Step::Take(action) => Driver::Sending(self.log.len(), action),
            Step::Cancel(reason) => {
                Driver::Writing(self.log.len(), vec![Event::Cancelled { reason }])
            }
            Step::End => Driver::Idle,
        }
    }

    /// The primary key of the log: who has not read all of it writes nothing.
    fn write(&mut self, seen: usize, events: Vec<Event>) {
        if seen == self.log.len() {
            self.log.extend(events);
        }
    }

    /// One driver does one thing, well or badly.
    fn tick(&mut self) {
        let at = self.random.below(self.drivers.len());
        self.drivers[at] = match self.drivers[at].clone() {
            Driver::Idle => self.read(),
            // Killed before it sends, or before it writes.
            _ if self.random.one_in(12) => Driver::Idle,
            Driver::Sending(seen, action) => self.send(seen, action),
            Driver::Writing(seen, events) => {
                self.write(seen, events);
                Driver::Idle
            }
        };
        if !self.late.is_empty() && self.random.one_in(4) {
            self.arrive();
        }
        if self.random.one_in(40) {
            self.world.expire();
        }
    }

    fn send(&mut self, seen: usize, action: Action) -> Driver {
        match self.random.below(6) {
            // Lost on the way, or still on it.
            0 => {}
            1 => self.late.push(action),
            // Done, and nobody hears of it.
            2 => drop(self.world.act(action)),
            // Done twice, the second time whenever that is.
            3 => {
                self.late.push(action);
                return Driver::Writing(seen, self.world.act(action).events());
            }
            _ => return Driver::Writing(seen, self.world.act(action).events()),
        }
        if action.may_be_given_up() && self.random.one_in(4) {
            let reason = Reason::GaveUp;
            return Driver::Writing(seen, vec![Event::Compensating { reason }]);
        }
        Driver::Sending(seen, action)
    }

    fn arrive(&mut self) {
        let at = self.random.below(self.late.len());
        let action = self.late.swap_remove(at);
        self.world.act(action);
    }

    /// All is well again: one driver takes the order to its end, and then everything that is late
    /// arrives and every paused driver wakes.
    fn settle(&mut self) {
        loop {
            match self.read() {
                Driver::Sending(seen, action) => {
                    let events = self.world.act(action).events();
                    self.write(seen, events);
                }
                Driver::Writing(seen, events) => self.write(seen, events),
                Driver::Idle => break,
            }
        }
        for driver in std::mem::take(&mut self.drivers) {
            match driver {
                Driver::Idle => {}
                Driver::Sending(seen, action) => {
                    let events = self.world.act(action).events();
                    self.write(seen, events);
                }
                Driver::Writing(seen, events) => self.write(seen, events),
            }
        }
        // Stock may have come in meanwhile: it is not for an order that is over.
        self.world.on_hand += 1;
        while !self.late.is_empty() {
            self.arrive();
        }
        self.world.on_hand -= 1;
    }
}

#[test]
fn money_stock_and_order_agree_whatever_happens() {
    let mut ends = std::collections::BTreeMap::<String, u32>::new();
    for seed in 0..20_000 {
        let mut town = Town::new(seed);
        let stock = town.world.on_hand;
        let ticks = town.random.below(120);
        for _ in 0..ticks {
            town.tick();
        }
        town.settle();

        let told = format!("seed {seed}: {:?} {:?}", town.log, town.world);
        let last = town.log.iter().filter(|event| event.is_last()).count();
        assert_eq!(last, 1, "{told}");
        let end = town.log.last().unwrap();
        assert!(end.is_last(), "{told}");
        let World {
            on_hand,
            reservation,
            book,
            ..
        } = &town.world;
        let charges = book.iter().filter(|line| **line == "charge").count();
        let refunds = book.len() - charges;
        assert!(charges <= 1 && refunds <= charges, "{told}");
        match end {
            Event::Confirmed => {
                assert_eq!(*reservation, Some(Reservation::Sold), "{told}");
                assert_eq!((charges, refunds), (1, 0), "{told}");
                assert_eq!(*on_hand + 1, stock, "{told}");
                *ends.entry("confirmed".to_owned()).or_default() += 1;
            }
            Event::Cancelled { reason } => {
                assert_eq!(*reservation, Some(Reservation::Released), "{told}");
                assert_eq!(charges, refunds, "{told}");
                assert_eq!(*on_hand, stock, "{told}");
                *ends.entry(reason.label().to_owned()).or_default() += 1;
            }
            _ => unreachable!("is_last"),
        }
    }
    // Every end is reached often enough to mean something.
    assert_eq!(ends.len(), 5, "{ends:?}");
    assert!(ends.values().all(|count| *count > 100), "{ends:?}");
}
